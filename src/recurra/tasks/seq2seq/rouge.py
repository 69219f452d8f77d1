"""How much of the right summary is in another one: ROUGE, by the package rouge-score.

Shapes: N texts.
"""

import importlib.util
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...compare.metric import Metric, Statistics, ratio
from ...errors import ConfigError
from .metrics import Tokens, in_words

KINDS = {"rouge1": "ROUGE-1", "rouge2": "ROUGE-2", "rougeL": "ROUGE-L"}
SAID = {
    "rouge1": "ROUGE-1 is F1 of the words that an answer has in common with the right one",
    "rouge2": "ROUGE-2 is F1 of the pairs of words in a row that are in both",
    "rougeL": "ROUGE-L is F1 of the longest row of words, with gaps, that is in both",
}


def has_rouge() -> bool:
    """Tell whether the package rouge-score is there."""
    return importlib.util.find_spec("rouge_score") is not None


def rouge_statistics(truth: Sequence[str], answers: Sequence[str], tokens: Tokens) -> Statistics:
    """Return F1 of each answer (N,) for ROUGE-1, ROUGE-2 and ROUGE-L (Lin 2004), without stemming.

    ``tokens`` are as BLEU has them: of Chinese and Japanese characters count, of others words. Raises ConfigError if
    the package rouge-score is not there.
    """
    scorer = _scorer(tokens)
    scores = [scorer.score(right, said) for right, said in zip(truth, answers, strict=True)]
    return {kind: np.array([one[kind].fmeasure for one in scores], dtype=float) for kind in KINDS}


def rouge_metrics() -> tuple[Metric, ...]:
    """Return the metrics, of which the first one ranks."""
    return tuple(Metric(kind, KINDS[kind], "high", ratio(kind, "cases"), SAID[kind], True) for kind in KINDS)


class Cut:
    """What cuts texts for the package: into words, as it does, but not of Latin letters alone, or into characters."""

    def __init__(self, characters: bool):
        self.units = re.compile(r"\S" if characters else r"[^\W_]+")

    def tokenize(self, text: str) -> list[str]:
        """Return the units of a text."""
        return self.units.findall(text.lower())


def _scorer(tokens: Tokens) -> Any:
    try:
        from rouge_score.rouge_scorer import RougeScorer
    except ImportError:
        raise ConfigError("Judging by ROUGE needs the package rouge-score: pip install 'recurra[text]'.") from None
    return RougeScorer([*KINDS], tokenizer=Cut(characters=not in_words(tokens)))
