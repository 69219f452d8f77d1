"""How far numbers are from the true ones: metrics that follow from the errors of single cases.

Shapes: N cases, K targets.
"""

from collections.abc import Sequence

import numpy as np

from ...compare.metric import Metric, Statistics, ratio


def _absolute(statistics: Statistics) -> float:
    return float(np.abs(statistics["error"]).mean())


def _root_mean_square(statistics: Statistics) -> float:
    return float(np.sqrt((statistics["error"] ** 2).mean()))


def _determination(statistics: Statistics) -> float:
    """Return the mean over targets of ``1 − Σ (ŷ − y)² / Σ (y − ȳ)²``; NaN where a target is the same in all cases."""
    error, truth = statistics["error"], statistics["truth"]
    spread = ((truth - truth.mean(0)) ** 2).sum(0)
    known = spread > 0
    return float(1 - ((error**2).sum(0)[known] / spread[known]).mean()) if known.all() else float("nan")


ERRORS = (
    Metric(
        "mae",
        "MAE",
        "low",
        _absolute,
        "MAE and RMSE are in the unit of the target; of several targets, each is in its own training deviations",
    ),
    Metric("rmse", "RMSE", "low", _root_mean_square),
    Metric(
        "r2",
        "R²",
        "high",
        _determination,
        "R² is the share of the variation that is explained: all if all is right, nothing by always saying the mean",
        share=True,
    ),
)


def regress_metrics(levels: Sequence[int]) -> tuple[Metric, ...]:
    """Return all metrics of numbers with intervals of these ``levels``."""
    bands = [
        Metric(f"coverage_{level}", f"in {level} % band", "", ratio(f"inside_{level}", "count"), share=True)
        for level in levels
    ]
    return (*ERRORS, *bands)
