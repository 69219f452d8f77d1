"""Series that are none: what is forecast of them is finite and sensible, and stays as it is.

``python tests/test_pathological.py`` writes golden/pathological.json anew; read what changed before you keep it.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from recurra import Forecaster
from recurra.tasks.forecast.scaling import Scaling, limits_of

GOLDEN = Path(__file__).parent / "golden" / "pathological.json"
COUNT, H = 120, 12
STEPS = np.arange(COUNT)


def known(places: list[int], values: Any) -> np.ndarray:
    series = np.full(COUNT, np.nan)
    series[places] = values
    return series


def draw() -> np.random.Generator:
    return np.random.default_rng(0)


CASES: dict[str, np.ndarray] = {
    "constant": np.full(COUNT, 7.0),
    "zero": np.zeros(COUNT),
    "three values, all the same": known([3, 60, 119], 5.0),
    "three values": known([3, 60, 119], [3.0, 60.0, 119.0]),
    "huge": 1e12 * (1 + 0.1 * np.sin(STEPS / 2)),
    "tiny": 1e-12 * (1 + 0.1 * np.sin(STEPS / 2)),
    "alternating": np.where(STEPS % 2, 1.0, -1.0),
    "one spike": np.where(STEPS == 50, 1e6, 1 + 0.1 * draw().normal(size=COUNT)),
    "a step": np.where(STEPS < 60, 1.0, 100.0),
    "counts": draw().poisson(0.3, COUNT).astype(float),
    "exponential": 1.1**STEPS,
    "twelve rows": 10 + STEPS[:12] + np.sin(STEPS[:12]),
    "three years": 50 + STEPS[:36] + 5 * np.sin(STEPS[:36] * np.pi / 6),
}
# How far a forecast of the case may be from the golden one: another machine rounds otherwise, and training goes on
# from there.
SLACK = {
    "counts": 0.3,
    "huge": 2e10,
    "tiny": 2e-14,
    "exponential": 4e4,
    "three years": 3.0,
    "a step": 3.0,
    "one spike": 0.1,
}


def forecast(case: str) -> pd.DataFrame:
    values = CASES[case]
    table = pd.DataFrame({"ds": pd.date_range("2015-01-01", periods=len(values), freq="MS"), "y": values})
    return Forecaster(horizon=3 if len(values) == 12 else H).fit(table).predict().drop(columns=["unique_id", "ds"])


@pytest.mark.parametrize("case", CASES)
def test_forecasts_are_those_that_were_found_sensible(case: str) -> None:
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))[case]
    found = forecast(case)
    assert np.isfinite(found.to_numpy()).all()
    assert (found["yhat-lo-90"] <= found["yhat"]).all() and (found["yhat"] <= found["yhat-hi-90"]).all()
    np.testing.assert_allclose(found["yhat"], golden, atol=SLACK.get(case, 0.15), rtol=0)


def test_what_sensible_is() -> None:
    """The golden file itself, in words."""
    golden = {case: np.array(values) for case, values in json.loads(GOLDEN.read_text(encoding="utf-8")).items()}
    assert set(golden) == set(CASES)
    for case, value in (("constant", 7.0), ("zero", 0.0), ("three values, all the same", 5.0), ("three values", 119.0)):
        np.testing.assert_allclose(golden[case], value, atol=1e-3)
    for case, size in (("huge", 1e12), ("tiny", 1e-12)):
        truth = size * (1 + 0.1 * np.sin(np.arange(COUNT, COUNT + H) / 2))
        assert np.abs(golden[case] - truth).mean() < 0.03 * size
    np.testing.assert_allclose(golden["alternating"], np.where(np.arange(H) % 2, 1.0, -1.0), atol=0.05)
    np.testing.assert_allclose(golden["one spike"], 1.0, atol=0.1)
    np.testing.assert_allclose(golden["a step"], 100.0, atol=5.0)
    assert (golden["counts"] >= 0).all() and golden["counts"].max() < 1
    truth = 1.1 ** np.arange(COUNT, COUNT + H)
    assert np.abs(golden["exponential"] / truth - 1).max() < 0.1
    np.testing.assert_allclose(golden["twelve rows"], [22, 23, 24], atol=2)
    assert np.abs(golden["three years"] - (86 + np.arange(H) + 5 * np.sin(np.arange(H) * np.pi / 6))).mean() < 3


def test_counts_have_a_floor() -> None:
    counts = forecast("counts")
    assert (counts >= 0).all(axis=None) and counts["yhat-lo-90"].eq(0).all(), "three of four are zero"
    assert counts["yhat-hi-90"].isin([1, 2, 3]).all(), "whole numbers, as all that can happen"


@pytest.mark.parametrize(
    ("values", "found"),
    [
        (np.where(STEPS == 50, 1e6, np.sin(STEPS)), True),
        (np.where(STEPS == 50, -1e6, np.sin(STEPS)), True),
        (np.where(STEPS % 40 == 7, 1e6, np.sin(STEPS)), False),  # again and again: part of what it is
        (np.where(STEPS == 50, 20.0, np.sin(STEPS)), False),  # far, but not beyond belief
        (np.where(STEPS == 50, 1e6, 0.0), False),  # nothing says what is usual
        (np.exp(2 * draw().normal(size=COUNT)), False),  # long tails
        (np.where(STEPS == 5, 1e6, np.sin(STEPS))[:15], False),  # too few to say
    ],
)
def test_what_only_a_fault_explains(values: np.ndarray, found: bool) -> None:
    limits = limits_of(values[:, None])
    assert np.isfinite(limits).all() == found == ((values < limits[0, 0]) | (values > limits[0, 1])).any()


def test_a_fault_is_read_as_missing() -> None:
    values = CASES["one spike"][:, None]
    scaling = Scaling.of([values], [COUNT])
    assert np.isnan(scaling.into(values[None])[0, 50, 0]) and np.isfinite(scaling.into(values[None])).sum() == COUNT - 1
    assert 0.05 < scaling.std[0, 0] < 0.2, "measured without it"
    later = values + np.where(STEPS == 119, 1e7, 0)[:, None]
    assert np.isnan(scaling.into(later[None])[0, 119, 0]), "also one that comes later"


def test_scaling_goes_to_disk_and_back() -> None:
    scaling = Scaling.of([CASES["one spike"][:, None], CASES["counts"][:, None]], [COUNT, COUNT])
    again = Scaling.from_arrays(scaling.to_arrays() | {"context": np.zeros(1)})
    assert all(np.array_equal(a, b) for a, b in zip(scaling, again, strict=True))
    assert scaling.floor.tolist() == [[-np.inf], [0.0]]
    old = Scaling.from_arrays({"mean": scaling.mean, "std": scaling.std})
    assert not np.isfinite(old.limits).any() and not np.isfinite(old.floor).any()


if __name__ == "__main__":
    golden = {case: [float(f"{value:.6g}") for value in forecast(case)["yhat"]] for case in CASES}
    GOLDEN.write_text(json.dumps(golden, indent=1) + "\n", encoding="utf-8")
