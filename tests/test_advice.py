"""What is said of a model beside the rows of its table: every row counts, and luck is called luck."""

import itertools
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.compare.advice import Held, advise
from recurra.compare.metric import Metric
from recurra.writing.numbers import compared

MASE = Metric("mase", "MASE", "low", lambda s: 0.0)
ACCURACY = Metric("accuracy", "accuracy", "high", lambda s: 0.0, share=True)
NAIVE = ("seasonal naive", "repeat last")


def held(scores: dict[str, float], p: float = 0.0001, metric: Metric = MASE) -> Held:
    return Held(metric, scores, "this model", NAIVE, lambda first, second: p)


def test_a_model_that_is_best_of_all() -> None:
    told = advise(held({"this model": 0.5, "linear": 0.9, "seasonal naive": 1.0, "repeat last": 2.0}))
    assert told == (
        "On the held-out data this model is 50 % better than the best naive answer ('seasonal naive': MASE 0.5 against "
        "1). Nothing else in the table is better.",
        "this model",
    )
    assert advise(held({"this model": 0.5, "repeat last": 1.0})).text.endswith("against 1).")
    assert ", which may be chance (p = 0.3)." in advise(held({"this model": 0.5, "repeat last": 1.0}, 0.3)).text


def test_a_row_that_is_better_is_to_be_used() -> None:
    scores = {"this model": 0.5, "linear": 0.4, "seasonal naive": 1.0}
    assert advise(held(scores)) == (
        "On the held-out data 'linear' is 20 % better than this model (MASE 0.4 against 0.5), unlikely to be chance "
        "(p < 0.001). Use 'linear'.",
        "linear",
    )
    lucky = advise(held(scores, 0.2))
    assert lucky.use == "this model", "it beats what is naive, and luck may be all that the other has"
    assert lucky.text.endswith("'linear' is 20 % better still, which may be chance (p = 0.2).")


def test_a_model_that_beats_nothing_naive_is_not_to_be_used() -> None:
    worse = advise(held({"this model": 1.1, "linear": 1.3, "repeat last": 1.0}, 0.4))
    assert worse.use == "repeat last" and "which may be chance (p = 0.4)" in worse.text
    assert advise(held({"this model": 1.1, "linear": 0.7, "repeat last": 1.0})).use == "linear", "the best row of all"
    same = advise(held({"this model": 1.0, "repeat last": 1.001}))
    assert same.use == "repeat last" and "is only as good as 'repeat last'" in same.text and "0 %" not in same.text


def test_what_is_as_good_is_called_so() -> None:
    told = advise(held({"this model": 0.5, "linear": 0.499, "repeat last": 1.0}))
    assert told.text.endswith("'linear' is as good (MASE 0.499).") and told.use == "this model"


def test_a_share_is_compared_in_points() -> None:
    told = advise(Held(ACCURACY, {"mine": 0.7, "most frequent": 0.5}, "mine", ["most frequent"], lambda *_: 0.01))
    assert "'mine' is 20.0 points better than the best naive answer ('most frequent': accuracy 70.0 %" in told.text


def test_without_rows_beside_it_the_score_stands_alone() -> None:
    assert advise(held({"this model": 0.5})) == (
        "MASE is 0.5; there is nothing simple to compare it with.",
        "this model",
    )
    assert advise(held({"this model": 0.5, "repeat last": math.nan})).use == "this model"
    assert advise(held({"this model": 0.5, "linear": 0.7})).text == (
        "MASE is 0.5 on the held-out data. Nothing else in the table is better."
    )


SCORES = st.floats(0.01, 100)


@given(mine=SCORES, linear=SCORES, seasonal=SCORES, last=SCORES, p=st.sampled_from([0.001, 0.2, math.nan]))
def test_no_row_that_is_surely_better_is_kept_quiet(mine, linear, seasonal, last, p) -> None:
    scores = {"this model": mine, "linear": linear, "seasonal naive": seasonal, "repeat last": last}
    told = advise(held(scores, p))
    assert not re.search(r"\b0 % better", told.text)
    best = min(scores, key=lambda row: scores[row])
    if p < 0.05 and scores[best] < 0.99 * mine:
        assert told.use == best
    if min(seasonal, last) < mine:
        assert told.use != "this model", "what does not beat the naive answers is not recommended"
    if told.use == "this model":
        assert all(scores[row] >= 0.99 * mine or f"'{row}'" in told.text for row in [best])


@pytest.mark.parametrize(
    ("ratio", "words"),
    [
        (1.0, "as large as"), (0.997, "as large as"), (0.5, "half as large as"), (0.335, "a third of"),
        (0.66, "a third smaller than"), (0.25, "a quarter of"), (0.75, "a quarter smaller than"),
        (0.4, "60 % smaller than"), (0.02, "98 % smaller than"),
        (1.12, "12 % larger than"), (2.01, "twice as large as"), (3.2, "3.2 times"),
    ],
)  # fmt: skip
def test_ratios_in_words(ratio: float, words: str) -> None:
    assert compared(ratio) == words


def test_ratios_in_words_are_true() -> None:
    parts = {"a third of": 1 / 3, "a third smaller than": 2 / 3, "a quarter of": 0.25, "a quarter smaller than": 0.75,
             "half as large as": 0.5, "twice as large as": 2.0, "as large as": 1.0}  # fmt: skip
    for ratio in itertools.chain((n / 200 for n in range(1, 400)), (2.5, 7.0)):
        said = compared(ratio)
        number = re.match(r"([\d.]+)", said)
        value = parts[said] if said in parts else float(number[1]) if number else math.nan
        if "%" in said:
            value = 1 - value / 100 if "smaller" in said else 1 + value / 100
        assert value == pytest.approx(ratio, abs=0.035), said
