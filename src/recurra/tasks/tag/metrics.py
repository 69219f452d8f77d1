"""How good labels are: the metrics that follow from the statistics of single cases.

Shapes: N cases, K labels.
"""

from collections.abc import Callable

import numpy as np

from ...compare.metric import Metric, Statistics, ratio


def f1_by_label(statistics: Statistics, hits: str, true: str, named: str) -> np.ndarray:
    """Return ``2 hits / (true + named)`` of each label over all cases (K,); NaN for one that is neither."""
    above, below = 2 * statistics[hits].sum(0), (statistics[true] + statistics[named]).sum(0)
    return np.divide(above, below, out=np.full(len(below), np.nan), where=below > 0)


def _macro_f1(statistics: Statistics) -> float:
    """Return the mean F1 over the labels that were there or were named."""
    return float(np.nanmean(f1_by_label(statistics, "hits", "true", "named")))


def _span_f1(statistics: Statistics) -> float:
    """Return ``2 hits / (true + named)`` over the spans of all labels and cases.

    A span that was found is a hit: see ``spans_found``. This is F1@50 of Lea et al., arXiv 1611.05267.
    """
    below = statistics["true_spans"].sum() + statistics["named_spans"].sum()
    return float(2 * statistics["span_hits"].sum() / below) if below else float("nan")


def _log_loss(statistics: Statistics) -> float:
    return -ratio("log_probability", "steps")(statistics)


def _share_of(below: str) -> Callable[[Statistics], float]:
    """Return ``hits / below`` over the spans of all types and cases."""

    def of(statistics: Statistics) -> float:
        count = statistics[below].sum()
        return float(statistics["span_hits"].sum() / count) if count else float("nan")

    return of


ACCURACY = Metric(
    "accuracy", "accuracy", "high", ratio("right", "steps"), "accuracy is the share of steps named rightly", True
)
MACRO_F1 = Metric(
    "macro_f1", "macro F1", "high", _macro_f1, "macro F1 counts every label alike, however few steps have it", True
)
SPAN_F1 = Metric(
    "span_f1",
    "span F1",
    "high",
    _span_f1,
    "span F1 counts stretches of one label: one is found if a named one of the same label shares more than half of all "
    "steps of the two",
    True,
)
LOG_LOSS = Metric(
    "log_loss", "log loss", "low", _log_loss, "log loss is −ln of the probability given to the true label"
)
ENTITY_F1 = Metric(
    "entity_f1",
    "entity F1",
    "high",
    _span_f1,
    "entity F1 counts entities whose first token, last token and type are right, as conlleval does",
    True,
)
PRECISION = Metric(
    "precision", "precision", "high", _share_of("named_spans"), "precision is how many of the named entities are", True
)
RECALL = Metric(
    "recall", "recall", "high", _share_of("true_spans"), "recall is how many of the entities were named", True
)
INTENT = Metric(
    "intent_accuracy",
    "intent accuracy",
    "high",
    ratio("intents_right", "intents"),
    "intent accuracy is the share of sentences that are what they were said to be as a whole",
    True,
)


def metrics_of(entities: bool | None, intents: bool | None) -> tuple[Metric, ...]:
    """Return the metrics, of which the first one ranks, where labels say what is an entity, and cases have intents.

    ``entities`` is None where cases are no sentences.
    """
    whole = (INTENT,) if intents else ()
    if entities is None:
        return (ACCURACY, MACRO_F1, SPAN_F1, LOG_LOSS)
    if entities:
        return (ENTITY_F1, PRECISION, RECALL, *whole, ACCURACY, LOG_LOSS)
    return (ACCURACY, *whole, MACRO_F1, LOG_LOSS)
