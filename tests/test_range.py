"""Numbers of any size: computed with or refused in a sentence; and bounds that no forecast leaves."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra import Classifier, Forecaster
from recurra.data.moments import moments
from recurra.data.series import Panel
from recurra.errors import ConfigError, DataError, RecurraError
from recurra.tasks.forecast.answers import answer_of, answer_to
from recurra.tasks.forecast.combination import combined
from recurra.tasks.forecast.context import context_of
from recurra.tasks.forecast.exam import Guess
from recurra.tasks.forecast.kind import KIND
from recurra.tasks.forecast.metrics import naive_scale
from recurra.tasks.forecast.range import FARTHEST
from recurra.tasks.forecast.scaling import Scaling
from recurra.tasks.forecast.windows import windows_after
from recurra.tasks.session import fitted_baselines
from recurra.verbs.common import judge

TINY: dict[str, Any] = {"horizon": 3, "lookback": 8, "hidden_size": 4, "max_epochs": 1, "epoch_steps": 2, "season": 4}
COUNT = 48
STEPS = np.arange(COUNT)
WAVE = 50 + 10 * np.sin(STEPS * np.pi / 2) + np.random.default_rng(0).normal(size=COUNT)


def table(*series: np.ndarray) -> pd.DataFrame:
    """Columns y, z, .. by day."""
    days = pd.date_range("2024-01-01", periods=len(series[0]))
    return pd.DataFrame({"ds": days} | dict(zip("yzabc", series, strict=False)))


def with_value(place: int, value: float) -> np.ndarray:
    values = WAVE.copy()
    values[place] = value
    return values


def numbers(frame: pd.DataFrame) -> np.ndarray:
    return frame.filter(like="yhat").to_numpy()


def require_finite(frame: pd.DataFrame) -> None:
    assert np.isfinite(numbers(frame)).all()
    require_nested(frame)


def require_nested(frame: pd.DataFrame) -> None:
    levels = sorted(int(name.rpartition("-")[2]) for name in frame if name.startswith("yhat-lo-"))
    low = high = frame["yhat"]
    for level in levels:
        lower, upper = frame[f"yhat-lo-{level}"], frame[f"yhat-hi-{level}"]
        assert (lower <= low).all() and (upper >= high).all(), level
        low, high = lower, upper


# Any number


anything = st.floats(allow_nan=False, allow_infinity=False)
usual = st.floats(-1e3, 1e3)
sizes = st.integers(-320, 307).map(lambda power: 10.0**power)
series = st.one_of(
    st.lists(anything, min_size=COUNT, max_size=COUNT),
    st.tuples(st.lists(usual, min_size=COUNT, max_size=COUNT), sizes).map(lambda two: [v * two[1] for v in two[0]]),
    st.tuples(sizes, sizes, st.integers(0, COUNT)).map(lambda of: [of[0]] * of[2] + [of[1]] * (COUNT - of[2])),
    st.tuples(st.integers(0, COUNT - 1), anything).map(lambda of: with_value(*of).tolist()),
    st.tuples(sizes, st.lists(st.integers(0, 9), min_size=COUNT, max_size=COUNT)).map(
        lambda of: [of[0] + v for v in of[1]]
    ),
)
choices = st.sampled_from(
    [{}, {"decoder": "vanilla"}, {"log": True}, {"loss": "squared"}, {"normalise": "none"}, {"combine": False}]
)


@settings(max_examples=60, deadline=None)
@given(series, choices)
def test_whatever_comes_is_forecast_or_refused(values: list[float], chosen: dict[str, Any]) -> None:
    frame = table(np.array(values))
    try:
        forecaster = Forecaster(**TINY, **chosen).fit(frame)
        require_finite(forecaster.predict())
        prepared = KIND.prepare(KIND.read(frame, forecaster.fitted_.config), forecaster.fitted_.config, 8)
        forecaster.fitted_.baselines = fitted_baselines(prepared, {})
        judged = judge(forecaster.fitted_, KIND.exam(prepared.data, prepared.learned, prepared.plan.test))
    except RecurraError as refused:
        assert "nan" not in str(refused).split() and str(refused).endswith(".")
        return
    assert not np.isinf([value for row in judged.metrics.values() for value in row.values()]).any()


@settings(max_examples=30, deadline=None)
@given(series)
def test_whatever_comes_later_is_forecast_or_refused(values: list[float]) -> None:
    for forecaster in fitted_once():
        try:
            require_finite(forecaster.predict(df=table(np.array(values))))
        except RecurraError as refused:
            assert str(refused).endswith(".")


_ONCE: list[Forecaster] = []


def fitted_once() -> list[Forecaster]:
    if not _ONCE:
        _ONCE.extend(Forecaster(**TINY, **chosen).fit(table(WAVE)) for chosen in ({}, {"log": True}))
    return _ONCE


@settings(max_examples=25, deadline=None)
@given(st.lists(series, min_size=4, max_size=4), st.sampled_from(["series", "case", "none"]))
def test_whatever_comes_is_classified_or_refused(cases: list[list[float]], normalise: str) -> None:
    x, y = np.array([*cases, *np.resize(WAVE, (4, COUNT))]), [0, 0, 1, 1, 0, 1, 0, 1]
    classifier = Classifier(hidden_size=4, max_epochs=1, epoch_steps=2, normalise=normalise)
    try:
        chances = classifier.fit(x, y).predict_proba(x)
    except RecurraError as refused:
        assert str(refused).endswith(".")
        return
    assert np.isfinite(chances).all() and np.allclose(chances.sum(1), 1)


@pytest.mark.parametrize("value", [1e40, -1e40, 1e20, -1e99])
@pytest.mark.parametrize("chosen", [{}, {"channels": "joint"}])
def test_a_value_out_of_all_proportion_is_named(value: float, chosen: dict[str, str]) -> None:
    said = rf"Series 'y' has the value {value:g} at 2024-02-16 00:00:00, .* too far to compute with".replace("+", r"\+")
    with pytest.raises(DataError, match=said):
        Forecaster(**TINY, **chosen).fit(table(with_value(46, value), WAVE))
    forecaster = Forecaster(**TINY, **chosen).fit(table(WAVE, WAVE[::-1].copy()))
    with pytest.raises(DataError, match=said):
        forecaster.predict(df=table(with_value(46, value), WAVE))
    with pytest.raises(DataError, match=said.replace("'y'", "'z'")):
        forecaster.predict(df=table(WAVE, with_value(46, value)))


def test_a_value_just_within_reach_is_computed_with() -> None:
    deviation = WAVE[:40].std()
    require_finite(Forecaster(**TINY).fit(table(with_value(46, FARTHEST * deviation / 2))).predict())


@pytest.mark.parametrize("size", [1e-99, 1e-60, 1e-23, 1.0, 1e30, 1e97])
def test_the_unit_of_the_data_does_not_matter(size: float) -> None:
    """Up to rounding: what is learned is standardised."""
    expected = numbers(Forecaster(**TINY).fit(table(WAVE)).predict())
    found = numbers(Forecaster(**TINY).fit(table(size * WAVE)).predict())
    np.testing.assert_allclose(found / size, expected, rtol=1e-4)


@pytest.mark.parametrize("level", [1e9, -1e12, 1e15])
def test_small_changes_at_a_high_level_are_no_constant(level: float) -> None:
    found = Forecaster(**TINY).fit(table(level + np.round(WAVE))).predict()["yhat"] - level
    expected = Forecaster(**TINY, log=False).fit(table(np.round(WAVE))).predict()["yhat"]
    np.testing.assert_allclose(found, expected, atol=1)


@pytest.mark.parametrize("size", [1e-101, 1e-300, 5e-324])
def test_values_too_small_are_refused(size: float) -> None:
    with pytest.raises(DataError, match=r"The largest value of column 'y' has a size of .* too small to compute with"):
        Forecaster(**TINY).fit(table(size * np.round(WAVE / 10)))


@given(st.lists(anything.filter(lambda v: abs(v) < 1e100), min_size=2, max_size=30), st.integers(-200, 200))
def test_moments_are_finite_and_those_of_the_unit(values: list[float], power: int) -> None:
    column = np.array(values)[:, None]
    mean, std = moments(column)
    assert np.isfinite(mean).all() and np.isfinite(std).all() and (std > 0).all()
    if np.ptp(column) > 1e-12 * np.abs(column).max() and 1e-90 < np.abs(column).max() < 1e30:
        twice = moments(column * 2.0**power)
        assert np.allclose(twice[0] / 2.0**power, mean) and np.allclose(twice[1] / 2.0**power, std)
        assert np.allclose(std, column.std(0)) and np.allclose(mean, column.mean(0), atol=1e-12 * std[0])


def test_a_constant_has_a_deviation_of_one_whatever_its_size() -> None:
    for value in (0.0, -0.0, 0.1, 1e99, 1e-99, 1e15 / 3):
        assert moments(np.full((77, 1), value))[1] == 1
    assert moments(np.array([[0.3], [0.1 + 0.2]]))[1] == 1, "rounding"
    assert np.isnan(naive_scale(np.array([[0.3], [0.1 + 0.2], [0.3]]), 1)), "rounding"


# Intervals


BANDS = st.lists(st.floats(-50, 50), min_size=6, max_size=6).map(np.sort)


@given(
    BANDS,
    st.lists(st.floats(-1e3, 1e3, width=32), min_size=1, max_size=3),
    st.booleans(),
    st.tuples(*[st.floats(-60, 60)] * 2).map(sorted),
)
def test_intervals_are_nested_and_within_bounds(
    ends: np.ndarray, others: list[float], counts: bool, bounds: list[float]
) -> None:
    bands = {90: (ends[0], ends[5]), 50: (ends[2], ends[3]), 80: (ends[1], ends[4])}
    network = Guess(
        np.full((1, 1, 1), ends[2]), {k: (np.full((1, 1, 1), a), np.full((1, 1, 1), b)) for k, (a, b) in bands.items()}
    )
    share = 1 / (1 + len(others))
    mix = {"network": share, **{str(n): share for n in range(len(others))}}
    guess = combined(network, {str(n): Guess(np.full((1, 1, 1), v), {}) for n, v in enumerate(others)}, mix)
    scaling = Scaling.plain(np.zeros((1, 1)), np.ones((1, 1)))._replace(counts=np.array([[counts]])).within(*bounds)
    kept = guess.kept(scaling, np.zeros(1, int))
    rising = [kept.bands[90][0], kept.bands[80][0], kept.bands[50][0], kept.point]
    rising += [kept.bands[50][1], kept.bands[80][1], kept.bands[90][1]]
    assert all((a <= b).all() for a, b in itertools.pairwise(rising))
    assert rising[0] >= bounds[0] and rising[-1] <= bounds[1]


LEVELS = [(80, 90), (90, 80), (1, 50, 99), (10, 20, 30, 40, 50, 60, 70, 80, 90), (95,)]
AWKWARD = {
    "counts": np.random.default_rng(0).poisson(1, COUNT).astype(float),
    "one value": np.full(COUNT, 0.1),
    "two values": np.where(STEPS % 2, 0.1, 0.7),
    "a step": np.where(STEPS < 40, 0.3, 99.7),
    "wave": WAVE,
}


@pytest.mark.parametrize("what", AWKWARD)
@pytest.mark.parametrize("levels", LEVELS, ids=str)
def test_forecasts_are_nested(levels: tuple[int, ...], what: str) -> None:
    forecaster = Forecaster(**TINY, levels=levels).fit(table(AWKWARD[what]))
    frame = forecaster.predict()
    assert [name for name in frame if "-lo-" in name] == [f"yhat-lo-{level}" for level in sorted(levels)]
    require_nested(frame)
    require_nested(forecaster.predict(df=table(AWKWARD["wave"])))
    require_nested(forecaster.cross_validation(table(AWKWARD[what]), 3, step=2))


# Bounds


def every_answer(forecaster: Forecaster, panel: Panel) -> list[Guess]:
    """What the whole, the network and every baseline say."""
    fitted = forecaster.fitted_
    fitted.baselines = fitted_baselines(KIND.prepare(panel, fitted.config), fitted.baselines)
    windows = windows_after(context_of(fitted.learned, panel), fitted.learned)
    names = ["network", "repeat_last", "seasonal_naive", "seasonal_naive_drift", "ets", "theta", "linear"]
    return [answer_to(fitted, windows), *(answer_of(fitted, windows, name) for name in names)]


# Where all that trends goes beyond, and so do intervals.
RISING = np.clip(np.linspace(-30, 99, COUNT) + 9 * np.sin(STEPS), 0.5, 99.5)


@pytest.mark.parametrize("bounds", [{"lower": 0}, {"upper": 100}, {"lower": 0.0, "upper": 100.0}, {"lower": -5}])
@pytest.mark.parametrize("chosen", [{}, {"decoder": "vanilla"}, {"channels": "joint"}, {"log": True}], ids=str)
def test_nothing_leaves_the_bounds(chosen: dict[str, Any], bounds: dict[str, float], tmp_path: Path) -> None:
    low, high = bounds.get("lower", -np.inf), bounds.get("upper", np.inf)
    frame = table(RISING, 100 - RISING)
    forecaster = Forecaster(**TINY, **chosen, **bounds).fit(frame)
    panel = KIND.read(frame, forecaster.fitted_.config)
    again = Forecaster.load(forecaster.save(tmp_path / "run"))
    assert (again.lower, again.upper) == (bounds.get("lower"), bounds.get("upper"))
    for one in (forecaster, again):
        for found in (one.predict(), one.predict(df=frame), one.cross_validation(frame, 3)):
            assert (numbers(found) >= low).all() and (numbers(found) <= high).all()
            require_nested(found)
    for guess in every_answer(forecaster, panel):
        for part in (guess.point, *itertools.chain(*guess.bands.values())):
            assert (part >= low).all() and (part <= high).all()


def test_bounds_do_something() -> None:
    free = numbers(Forecaster(**TINY).fit(table(RISING)).predict())
    assert free.max() > 99.9
    kept = numbers(Forecaster(**TINY, upper=99.9).fit(table(RISING)).predict())
    assert kept.max() == 99.9 and (kept <= np.maximum(free, 99.9)).all()


def test_a_stranger_stays_within_the_bounds() -> None:
    wide = table(RISING, 100 - RISING).rename(columns={"y": "one"})
    long = wide.melt("ds", var_name="unique_id", value_name="y")
    forecaster = Forecaster(**TINY, lower=2, upper=98).fit(long.assign(y=long["y"].clip(2, 98)))
    found = forecaster.predict(df=long.replace({"unique_id": {"one": "a stranger"}}))
    assert "a stranger" in set(found["unique_id"])
    assert numbers(found).min() >= 2 and numbers(found).max() <= 98


def test_counts_keep_whole_ends_within_bounds_and_others_theirs() -> None:
    counts = np.random.default_rng(0).poisson(3, COUNT).astype(float)
    found = Forecaster(**TINY, lower=0, upper=8.5).fit(table(counts)).predict()
    ends = found.filter(like="-hi-").to_numpy()
    assert ((ends == np.round(ends)) | (ends == 8.5)).all()
    halves = Forecaster(**TINY, lower=0).fit(table(WAVE)).predict().filter(like="-hi-").to_numpy()
    assert (halves != np.round(halves)).any(), "what only has a floor does not end at whole numbers"
    free = Forecaster(**TINY, lower=-1).fit(table(counts)).fitted_.learned.scaling
    assert free.floor == -1 and free.counts.all(), "what is told goes before what was found"


@pytest.mark.parametrize(
    ("bounds", "values", "said"),
    [
        ({"lower": 0}, with_value(7, -3), r"Column 'y' has the value -3 in row 8, below lower=0"),
        ({"upper": 100}, with_value(47, 100.5), r"Column 'y' has the value 100.5 in row 48, above upper=100"),
        ({"lower": 41, "upper": 100}, with_value(0, 40), r"Column 'y' has the value 40 in row 1, below lower=41"),
    ],
)
def test_values_outside_the_bounds_are_named(bounds: dict[str, float], values: np.ndarray, said: str) -> None:
    fit = Forecaster(**TINY, **bounds).fit
    with pytest.raises(DataError, match=said):
        fit(table(values))
    with pytest.raises(DataError, match=said):
        fit(table(WAVE.clip(45, 60), values).rename(columns={"y": "x", "z": "y"}))
    panel = KIND.read(table(values), Forecaster(**TINY)._config())
    with pytest.raises(DataError, match=r"Series 'y' has the value [-\d.]+ at 2024-"):
        fit(panel)


def test_a_row_is_that_of_the_table_however_it_is_sorted() -> None:
    frame = table(with_value(7, -3)).iloc[::-1].reset_index(drop=True)
    with pytest.raises(DataError, match=f"in row {COUNT - 7}, below lower=0"):
        Forecaster(**TINY, lower=0).fit(frame)


def test_bounds_with_nothing_between_are_refused() -> None:
    with pytest.raises(ConfigError, match="lower=3 is above upper=2"):
        Forecaster(**TINY, lower=3, upper=2).fit(table(WAVE))
    assert (numbers(Forecaster(**TINY, lower=2, upper=2).fit(table(np.full(COUNT, 2.0))).predict()) == 2).all()
