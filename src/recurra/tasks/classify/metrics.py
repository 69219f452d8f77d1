"""How good classes are: statistics of single cases, and the metrics that follow from them.

Shapes: N cases, K classes.
"""

import numpy as np

from ...compare.metric import Metric, Statistics
from ..cases.confusion import confusion, precision_recall_f1

Array = np.ndarray


def _table(statistics: Statistics) -> Array:
    truth, predicted = (statistics[name].astype(np.int64) for name in ("truth", "predicted"))
    return confusion(truth, predicted, int(max(truth.max(initial=0), predicted.max(initial=0))) + 1)


def _accuracy(statistics: Statistics) -> float:
    return float(np.mean(statistics["correct"]))


def _macro_f1(statistics: Statistics) -> float:
    """Return the mean F1 over the classes that were there or were named."""
    return float(np.nanmean(precision_recall_f1(_table(statistics))[2]))


def _balanced(statistics: Statistics) -> float:
    """Return the mean recall over the classes that were there."""
    return float(np.nanmean(precision_recall_f1(_table(statistics))[1]))


def _log_loss(statistics: Statistics) -> float:
    return -float(np.mean(statistics["log_probability"]))


METRICS = (
    Metric("accuracy", "accuracy", "high", _accuracy, "accuracy is the share of cases whose class was named", True),
    Metric("macro_f1", "macro F1", "high", _macro_f1, "macro F1 and balanced accuracy count every class alike", True),
    Metric("balanced_accuracy", "balanced accuracy", "high", _balanced, share=True),
    Metric(
        "log_loss",
        "log loss",
        "low",
        _log_loss,
        "log loss is −ln of the probability given to the true class, so it punishes being sure and wrong",
    ),
)
