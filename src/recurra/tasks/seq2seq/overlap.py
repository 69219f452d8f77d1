"""How much of the right answer to a question is in another one, as SQuAD counts it: exact match and F1.

Shapes: N answers.
"""

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from ...compare.metric import Metric, Statistics, ratio
from .metrics import Tokens, in_words

ARTICLES = {"a", "an", "the"}
MARKS = re.compile(r"[^\w\s]")


def overlap_statistics(truth: Sequence[str], answers: Sequence[str], tokens: Tokens) -> Statistics:
    """Return of each answer (N,) whether it is the right one (``em``), and F1 of the words of both (``f1``).

    Small and large letters, marks and English articles make no difference (Rajpurkar et al. 2016, arXiv 1606.05250).
    ``tokens`` are as BLEU has them: of Chinese and Japanese characters count, of others words.
    """
    both = [(_units(right, tokens), _units(said, tokens)) for right, said in zip(truth, answers, strict=True)]
    return {
        "em": np.array([right == said for right, said in both], dtype=float),
        "f1": np.array([_f1(right, said) for right, said in both], dtype=float),
    }


def _units(text: str, tokens: Tokens) -> list[str]:
    bare = MARKS.sub("" if in_words(tokens) else " ", text.lower())
    if in_words(tokens):
        return [word for word in bare.split() if word not in ARTICLES]
    return [*"".join(bare.split())]


def _f1(right: Sequence[str], said: Sequence[str]) -> float:
    """Return ``2 P R / (P + R)``; of an answer without a word, whether both are so."""
    if not right or not said:
        return float(right == said)
    same = sum((Counter(right) & Counter(said)).values())
    return 2 * same / (len(right) + len(said))


F1 = Metric(
    "f1", "F1", "high", ratio("f1", "cases"), "F1 is of the words that an answer has in common with the right one", True
)
EM = Metric(
    "em",
    "EM",
    "high",
    ratio("em", "cases"),
    "EM is the share of answers that are right, marks and articles aside",
    True,
)
