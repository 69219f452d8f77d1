"""A metric knows which of two numbers is better."""

import math

import numpy as np
import pytest

from recurra.compare.metric import Metric, ratio


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


def test_differences_of_scores_up_to_100_are_points() -> None:
    bleu = Metric("bleu", "BLEU", "high", ratio("right", "all"), points=True)
    assert (bleu.unit, bleu.change(0.2, 49.1), bleu.apart(0.0, 3.25)) == ("points", pytest.approx(48.9), "3.2 points")
    assert bleu.write(34.1234) == "34.12"
