"""A metric knows which of two numbers is better."""

import math

import numpy as np
import pytest

from recurra.compare.metric import Metric


def made(better: str) -> Metric:
    return Metric("accuracy", "accuracy", better, lambda statistics: float(statistics["right"].mean()), share=True)


@pytest.mark.parametrize(
    ("better", "higher_wins", "lower_wins"), [("low", False, True), ("high", True, False), ("", False, False)]
)
def test_which_is_better(better: str, higher_wins: bool, lower_wins: bool) -> None:
    metric = made(better)
    assert metric.beats(2.0, 1.0) == higher_wins and metric.beats(1.0, 2.0) == lower_wins
    assert not metric.beats(1.0, 1.0), "as good as the best is not better"
    assert not metric.beats(math.nan, 1.0), "nor is what is no number"


def test_a_metric_is_made_of_statistics_per_case() -> None:
    assert made("high").of({"right": np.array([1.0, 0.0, 1.0, 1.0])}) == 0.75
    assert made("high").help == "" and made("high").share
