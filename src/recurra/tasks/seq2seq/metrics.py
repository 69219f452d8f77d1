"""How good texts are beside the right ones: the metrics that follow from the statistics of single cases.

Shapes: N cases, O orders of runs.
"""

import math
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal

import numpy as np

from ...compare.metric import Metric, Statistics, ratio

Tokens = Literal["13a", "zh", "char", "none"]  # what BLEU counts runs of, as sacrebleu calls it
WORDS = 4  # in a run that BLEU counts, at most
CHARACTERS = 6  # in one that chrF counts
BETA = 2  # how much more chrF cares for what is missing than for what is too much
HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
KANA = re.compile(r"[\u3040-\u30ff]")


def bleu_tokens(texts: Sequence[str]) -> Tokens:
    """Return what BLEU should count in such ``texts``: Chinese by characters, Japanese too, others by words."""
    some = "".join(texts[:: max(1, len(texts) // 1000)])
    han, kana = len(HAN.findall(some)), len(KANA.findall(some))
    if 2 * (han + kana) < sum(map(str.isalpha, some)) or not han + kana:
        return "13a"
    return "char" if 10 * kana > han else "zh"


def in_words(tokens: Tokens) -> bool:
    """Tell whether words count, with blanks between them, and not characters."""
    return tokens in ("13a", "none")


def signature(tokens: Tokens = "13a", lowercase: bool = False) -> str:
    """Return how BLEU is reckoned, as sacrebleu says it, so that numbers can be compared."""
    bleu = _bleu(tokens, lowercase)
    bleu.num_refs = 1
    return str(bleu.get_signature())


def text_statistics(
    truth: Sequence[str], answers: Sequence[str], tokens: Tokens = "13a", lowercase: bool = False
) -> Statistics:
    """Return of each answer what it shares with the right text.

    ``bleu`` (N, 10) and ``chrf`` (N, 18) are the counts of sacrebleu, ``exact`` is 1 where both are the same,
    ``word_edits`` and ``character_edits`` are how many had to be put in, left out or exchanged, of so many in
    ``words`` and ``characters`` of the right text, white space around it aside.
    """
    truth, answers = ([_bare(one, lowercase) for one in texts] for texts in (truth, answers))
    words, said = ([one.split() for one in texts] for texts in (truth, answers))
    return {
        "bleu": _counts(_bleu(tokens, lowercase), truth, answers).reshape(-1, 2 + 2 * WORDS),
        "chrf": _counts(_chrf(), truth, answers).reshape(-1, 3 * CHARACTERS),
        "exact": np.array([one == other for one, other in zip(truth, answers, strict=True)], dtype=float),
        "cases": np.ones(len(truth)),
        "word_edits": _edits(words, said),
        "words": np.array([len(one) for one in words], dtype=float),
        "character_edits": _edits(truth, answers),
        "characters": np.array([len(one) for one in truth], dtype=float),
    }


def text_metrics(tokens: Tokens = "13a", lowercase: bool = False, first: str = "bleu") -> tuple[Metric, ...]:
    """Return the metrics, of which the ``first`` one ranks; words are counted where blanks stand between them."""
    words = (WER,) if in_words(tokens) else ()
    every = (_bleu_metric(signature(tokens, lowercase), first == "bleu"), CHRF, EXACT, *words, CER)
    return tuple(sorted(every, key=lambda metric: metric.name != first))


def case_chrf(statistics: Statistics) -> np.ndarray:
    """Return chrF of each case (N,), by which cases can be ranked: BLEU is 0 for most short ones."""
    return np.array([_chrf_of(counts) for counts in statistics["chrf"]])


def edits(first: Sequence[Any], second: Sequence[Any]) -> int:
    """Return how many things of ``first`` must be put in, left out or exchanged to make it ``second`` (Levenshtein).

    All of a column of the table of distances is reckoned at once, in the bits of whole numbers (Myers 1999).
    """
    if not first:
        return len(second)
    places: dict[Any, int] = {}
    for number, one in enumerate(first):
        places[one] = places.get(one, 0) | 1 << number
    every, last = (1 << len(first)) - 1, 1 << (len(first) - 1)
    up, down, distance = every, 0, len(first)  # where the next row of the column is one more, one less
    for one in second:
        same = places.get(one, 0)
        across = (((same & up) + up) ^ up) | same
        more, less = down | ~(across | up) & every, up & across
        distance += bool(more & last) - bool(less & last)
        more, less = (more << 1 | 1) & every, less << 1 & every
        same |= down
        up, down = less | ~(same | more) & every, more & same
    return distance


def _edits(truth: Sequence[Sequence[Any]], answers: Sequence[Sequence[Any]]) -> np.ndarray:
    return np.array([edits(one, other) for one, other in zip(truth, answers, strict=True)], dtype=float)


def _bare(text: str, lowercase: bool) -> str:
    return text.lower().strip() if lowercase else text.strip()


@lru_cache
def _bleu(tokens: Tokens, lowercase: bool) -> Any:
    from sacrebleu.metrics.bleu import BLEU  # only where texts are judged

    return BLEU(tokenize=tokens, lowercase=lowercase, max_ngram_order=WORDS, force=True)


@lru_cache
def _chrf() -> Any:
    from sacrebleu.metrics.chrf import CHRF

    return CHRF(char_order=CHARACTERS, beta=BETA)


def _counts(metric: Any, truth: Sequence[str], answers: Sequence[str]) -> np.ndarray:
    """Return the counts of each case, whose sum makes the number of all."""
    # sacrebleu gives them out nowhere else; the tests hold what follows from them against its own numbers.
    return np.array(metric._extract_corpus_statistics(answers, [truth]), dtype=float)


def _bleu_of(statistics: Statistics) -> float:
    """Return 100 times the geometric mean of the precisions of runs, times the brevity penalty (Papineni 2002)."""
    summed = statistics["bleu"].sum(0)
    score = _bleu("13a", False)._compute_score_from_stats([int(count) for count in summed]).score
    return min(100.0, float(score))  # as the mean of logarithms may be a little more


def _bleu_of_long(statistics: Statistics) -> float:
    """Return BLEU, but NaN instead of 0 where no right text is so long as the longest runs."""
    return _bleu_of(statistics) if statistics["bleu"][:, 1].max(initial=0) >= WORDS else math.nan


def _chrf_of(counts: np.ndarray) -> float:
    """Return chrF from its counts (18,): of each order how many runs were said, were right, and were both."""
    said, right, both = counts.reshape(CHARACTERS, 3).T
    known = (said > 0) & (right > 0)
    if not known.any():
        return 0.0
    precision, recall = (both[known] / said[known]).mean(), (both[known] / right[known]).mean()
    below = BETA**2 * precision + recall
    return float(100 * (1 + BETA**2) * precision * recall / below) if below else 0.0


def _bleu_metric(how: str, ranks: bool) -> Metric:
    said = f"BLEU says how many runs of one to four words are those of the right text, 100 for all ({how})"
    return Metric("bleu", "BLEU", "high", _bleu_of if ranks else _bleu_of_long, said, points=True)


def _summed_chrf(statistics: Statistics) -> float:
    return _chrf_of(statistics["chrf"].sum(0))


CHRF = Metric(
    "chrf",
    "chrF",
    "high",
    _summed_chrf,
    "chrF says how many runs of one to six characters are those of the right text, 100 for all",
    points=True,
)
EXACT = Metric("exact", "exact", "high", ratio("exact", "cases"), "exact is the share of texts that are right", True)
WER = Metric(
    "wer",
    "WER",
    "low",
    ratio("word_edits", "words"),
    "WER is how many words must be put in, left out or exchanged, of 100 of the right texts",
    True,
)
CER = Metric(
    "cer",
    "CER",
    "low",
    ratio("character_edits", "characters"),
    "CER is how many characters must be put in, left out or exchanged, of 100 of the right texts",
    True,
)
