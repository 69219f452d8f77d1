"""Answers that are summaries: how they are known, judged by ROUGE, and beside the first sentence."""

import sys

import numpy as np
import pytest
from rouge_score.rouge_scorer import RougeScorer

from recurra import Translator
from recurra.errors import ConfigError
from recurra.settings import make_config
from recurra.tasks import kind_of
from recurra.tasks.seq2seq.baselines import Lead
from recurra.tasks.seq2seq.examples import PairExamples
from recurra.tasks.seq2seq.learned import Seq2seqLearned
from recurra.tasks.seq2seq.pairs import Pairs
from recurra.tasks.seq2seq.plan import make_plan
from recurra.tasks.seq2seq.rouge import rouge_metrics, rouge_statistics
from recurra.tasks.seq2seq.settings import PARTS

KIND = kind_of("seq2seq")
RIGHT = ["The cat sat on the mat.", "Two dogs, one bone!", "nothing alike"]
SAID = ["A cat sat on a red mat.", "One bone and two dogs", "other words"]
FILLING = (
    "The weather was fine and many people walked along the river that day. Nobody had expected that, said Mr. Smith, a "
    "neighbour who did not want to be named. It was in the local paper in the evening, with a picture of the hall."
)


def news(count: int) -> Pairs:
    who, what = ("Ann", "Bob", "Cem", "Dora", "Emil"), ("a boat", "the house", "an old car", "two horses")
    said = [f"{who[n % 5]} bought {what[n % 4]}" for n in range(count)]
    texts = [f"On day {n} {one}. {FILLING}" for n, one in enumerate(said)]
    return Pairs(tuple(texts), tuple(said))


def test_numbers_are_those_of_the_package() -> None:
    found = rouge_statistics(RIGHT, SAID, "13a")
    scorer = RougeScorer(["rouge1", "rouge2", "rougeL"])
    for kind, values in found.items():
        expected = [scorer.score(right, said)[kind].fmeasure for right, said in zip(RIGHT, SAID, strict=True)]
        np.testing.assert_allclose(values, expected)
    # Four of six and of seven words, by hand.
    assert found["rouge1"][0] == pytest.approx(2 * (4 / 6) * (4 / 7) / (4 / 6 + 4 / 7))
    assert found["rouge1"][2] == found["rougeL"][2] == 0.0
    metrics = {metric.name: metric.of({**found, "cases": np.ones(3)}) for metric in rouge_metrics()}
    assert metrics == {kind: pytest.approx(values.mean()) for kind, values in found.items()}


def test_other_scripts_count_too() -> None:
    """The package itself knows letters from a to z alone."""
    assert rouge_statistics(["今天天气很好"], ["今天很好"], "zh")["rouge1"][0] == pytest.approx(0.8)
    assert rouge_statistics(["Мама мыла раму"], ["мама мыла окно"], "13a")["rouge1"][0] == pytest.approx(2 / 3)


def test_summaries_are_known_by_their_lengths() -> None:
    settings = make_config(PARTS, {}).task
    pairs = news(40)
    assert make_plan(pairs, settings, 4).rank == "rouge"
    assert make_plan(Pairs(pairs.sources, pairs.sources), settings, 4).rank == "bleu"  # as long as their texts
    short = tuple(f"{text.split('.')[0]}." for text in pairs.sources)
    assert make_plan(Pairs(short, pairs.targets), settings, 4).rank == "bleu"  # one sentence each


def test_the_first_sentence_stands_beside_the_network() -> None:
    texts = (f"Mr. Smith came. {FILLING}", "no end", "  Well! Yes.")
    examples = PairExamples(texts, None, None)  # type: ignore[arg-type]
    assert Lead().answer(examples) == ["Mr. Smith came.", "no end", "Well!"]
    learned = Seq2seqLearned.of(news(5), make_config(PARTS, {}).task)
    assert "first sentence" in KIND.baselines(make_config(PARTS, {"rank": "rouge"}), learned)
    assert "first sentence" not in KIND.baselines(make_config(PARTS, {"rank": "bleu"}), learned)


def test_a_translator_of_summaries_is_scored_by_rouge() -> None:
    pairs = news(60)
    settings = {"copy": True, "hidden_size": 8, "max_epochs": 1, "epoch_steps": 2, "batch_size": 8}
    translator = Translator(**settings).fit(pairs.sources, pairs.targets)  # type: ignore[arg-type]
    config = translator._fitted().config
    assert [metric.name for metric in KIND.metrics(config)][:4] == ["rouge1", "rouge2", "rougeL", "bleu"]
    said = translator.predict(list(pairs.sources[:9]))
    expected = rouge_statistics(pairs.targets[:9], said, "13a")["rouge1"].mean()  # type: ignore[index]
    assert translator.score(pairs.sources[:9], pairs.targets[:9]) == pytest.approx(expected)  # type: ignore[index]


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rouge_score.rouge_scorer", None)
    with pytest.raises(ConfigError, match=r"needs the package rouge-score: pip install 'recurra\[text\]'"):
        rouge_statistics(RIGHT, SAID, "13a")
