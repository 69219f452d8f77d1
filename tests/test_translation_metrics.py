"""BLEU, chrF, what is exactly right and what must be edited: beside sacrebleu and a table of distances."""

import random

import numpy as np
import pytest
import sacrebleu

from recurra.compare.significance import paired_permutation
from recurra.tasks.seq2seq.metrics import (
    Tokens,
    bleu_tokens,
    case_chrf,
    edits,
    signature,
    text_metrics,
    text_statistics,
)

TRUTH = [
    "The cat sat on the mat, and the dog didn't.",
    "A man in an orange hat is staring at something.",
    "Two young, White males are outside near many bushes.",
    "Several men in hard hats are operating a giant pulley system.",
    "He said: \"It costs 1,234.50 $\" - really?",
    "Yes.",
    "",
    "A child in a pink dress is climbing up a set of stairs in an entry way.",
    "Ja – genau so ist es!",
    "ok",
]  # fmt: skip
CHINESE = ["你好,世界!", "我用Python写程序。", "今天天气很好。", "他说:“是的。”", "再见", "一二三四五六七八九十"]


def damaged(texts: list[str], seed: int) -> list[str]:
    """Texts with letters and words left out, exchanged or doubled; some whole, some empty."""
    draw = random.Random(seed)
    changed = []
    for text in texts:
        words = [word for word in text.split(" ") if draw.random() > 0.15]
        draw.shuffle(words) if draw.random() < 0.3 else None
        letters = "".join(one * draw.choice((1, 1, 1, 1, 1, 0, 2)) for one in " ".join(words))
        changed.append(draw.choice((letters, letters, text, text.lower(), "")))
    return changed


def scores(truth: list[str], answers: list[str], tokens: Tokens = "13a", lowercase: bool = False) -> dict[str, float]:
    statistics = text_statistics(truth, answers, tokens, lowercase)
    return {metric.name: metric.of(statistics) for metric in text_metrics(tokens, lowercase)}


@pytest.mark.parametrize("tokens", ["13a", "zh", "char", "none"])
@pytest.mark.parametrize("lowercase", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_bleu_and_chrf_are_those_of_sacrebleu(tokens: Tokens, lowercase: bool, seed: int) -> None:
    truth = (TRUTH + CHINESE) * 2
    answers = damaged(truth, seed)
    found = scores(truth, answers, tokens, lowercase)
    bleu = sacrebleu.BLEU(tokenize=tokens, lowercase=lowercase)
    assert found["bleu"] == pytest.approx(bleu.corpus_score(answers, [truth]).score, abs=1e-9)
    assert signature(tokens, lowercase) == str(bleu.get_signature())
    small = [[text.lower() if lowercase else text for text in texts] for texts in (answers, truth)]
    assert found["chrf"] == pytest.approx(sacrebleu.corpus_chrf(small[0], [small[1]]).score, abs=1e-9)


def test_chrf_of_each_case_is_that_of_sacrebleu() -> None:
    answers = damaged(TRUTH, 7)
    theirs = [sacrebleu.sentence_chrf(one, [other]).score for one, other in zip(answers, TRUTH, strict=True)]
    np.testing.assert_allclose(case_chrf(text_statistics(TRUTH, answers)), theirs, atol=1e-9)


def distance(first: list[str], second: list[str]) -> int:
    """The table of distances, cell by cell."""
    row = list(range(len(second) + 1))
    for i, one in enumerate(first, 1):
        before, row[0] = row[:], i
        for j, other in enumerate(second, 1):
            row[j] = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (one != other))
    return row[-1]


def test_edits_are_those_of_the_table_of_distances() -> None:
    draw = random.Random(0)
    for _ in range(500):
        first, second = ([draw.choice("abc") for _ in range(draw.randrange(12))] for _ in range(2))
        assert edits(first, second) == distance(first, second), (first, second)
    long = [draw.choice("abcdefgh") for _ in range(300)]
    assert edits(long, [*long[5:], "x"]) == distance(long, [*long[5:], "x"])


def test_error_rates_and_exact_answers_by_hand() -> None:
    found = scores(["a b c d", "one two"], ["a x c", "one two "])
    assert found["exact"] == 0.5, "white space around an answer does not count"
    assert found["wer"] == pytest.approx(2 / 6) and found["cer"] == pytest.approx(3 / 14)
    assert scores(["Yes."], ["yes."], lowercase=True)["exact"] == 1.0


def test_nothing_said_is_worth_nothing() -> None:
    found = scores(["a b c d e"], [""])
    assert found["bleu"] == found["chrf"] == found["exact"] == 0.0 and found["wer"] == found["cer"] == 1.0


def test_which_metric_is_first_and_when_words_are_counted() -> None:
    assert [metric.name for metric in text_metrics()] == ["bleu", "chrf", "exact", "wer", "cer"]
    assert [metric.name for metric in text_metrics("zh", first="exact")] == ["exact", "bleu", "chrf", "cer"]
    assert "tok:zh" in text_metrics("zh")[0].help and not any(" " in metric.title for metric in text_metrics())


def test_bleu_says_nothing_of_single_words_where_it_does_not_rank() -> None:
    statistics = text_statistics(["walked", "tried"], ["walked", "tryed"])
    exact, bleu, *_ = text_metrics(first="exact")
    assert exact.of(statistics) == 0.5 and np.isnan(bleu.of(statistics)) and text_metrics()[0].of(statistics) == 0.0
    assert bleu.of(text_statistics(["a b c d"], ["a b c d"])) == pytest.approx(100)


def test_what_bleu_counts_is_seen_in_the_texts() -> None:
    assert bleu_tokens(TRUTH) == bleu_tokens(["1970-09-10"]) == bleu_tokens([]) == "13a"
    assert bleu_tokens(CHINESE) == "zh" and bleu_tokens(["これは本です。", "猫がいる"]) == "char"


def test_models_are_compared_case_by_case() -> None:
    truth = TRUTH[:-1] * 4
    answers = [text if number % 3 else text[2:] for number, text in enumerate(truth)]
    good, bad = text_statistics(truth, answers), text_statistics(truth, damaged(truth, 1))
    for metric in text_metrics():
        assert paired_permutation(metric, [good], [bad]) < 0.01
        assert paired_permutation(metric, [good], [good]) == 1.0
