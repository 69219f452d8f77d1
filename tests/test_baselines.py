"""The forecasts that cost nothing, against explicit loops and scikit-learn."""

import dataclasses
import statistics
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from sklearn import linear_model

from recurra.data.series import Panel, Schema
from recurra.settings import make_config
from recurra.tasks.base import Baseline
from recurra.tasks.forecast.baselines import (
    Linear,
    RepeatLast,
    SeasonalDrift,
    SeasonalNaive,
    make_baselines,
    repeat_last,
    seasonal_naive,
)
from recurra.tasks.forecast.kind import KIND
from recurra.tasks.forecast.past import Past, past_of
from recurra.tasks.forecast.ridge import LEVELS, PENALTIES, Equations, Form, find_ridges
from recurra.tasks.forecast.scaling import Scaling
from recurra.tasks.forecast.settings import PARTS
from recurra.tasks.forecast.windows import Rows, Windows


def make(tracks: list[np.ndarray], lookback: int, horizon: int, pad: int, first: int) -> Windows:
    count, channels = len(tracks), tracks[0].shape[1]
    rows = Rows.of(tracks, Scaling.plain(np.zeros((count, channels)), np.ones((count, channels))), pad)
    return rows.windows(lookback, horizon, [np.arange(first, len(track) - horizon + 1) for track in tracks])


def positions(windows: Windows) -> list[tuple[int, int]]:
    """Return series and origin of every window."""
    origins = (windows.starts + windows.lookback).numpy() - windows.rows.offsets[windows.series.numpy()]
    return list(zip(windows.series.tolist(), origins.tolist(), strict=True))


def last_known(values: np.ndarray, before: int, step: int = 1) -> float:
    """Return the latest known value at ``before``, ``before − step``, .., NaN if there is none."""
    for place in range(before, -1, -step):
        if np.isfinite(values[place]):
            return float(values[place])
    return float("nan")


def gappy(share: float, channels: int = 1) -> list[np.ndarray]:
    random = np.random.default_rng(3)
    tracks = [random.normal(size=(n, channels)) for n in (31, 12, 20)]
    for track in tracks:
        track[random.random(track.shape) < share] = np.nan
    return tracks


@pytest.mark.parametrize("share", [0.0, 0.5])
@pytest.mark.parametrize("pad", [0, 4])
@pytest.mark.parametrize("channels", [1, 2])
def test_repeat_last(share: float, pad: int, channels: int) -> None:
    tracks = gappy(share, channels)
    windows = make(tracks, 5, 4, pad, 5 - pad)
    found = repeat_last(windows)
    assert found.shape == (len(windows), 4, channels)
    for n, (s, origin) in enumerate(positions(windows)):
        for c in range(channels):
            last = last_known(tracks[s][:, c], origin - 1)
            np.testing.assert_allclose(found[n, :, c], np.full(4, 0.0 if np.isnan(last) else last), rtol=1e-6)


@pytest.mark.parametrize("share", [0.0, 0.5])
@pytest.mark.parametrize("pad", [0, 4])
@pytest.mark.parametrize("season", [2, 3, 7, 25])
def test_seasonal_naive(share: float, pad: int, season: int) -> None:
    tracks = gappy(share, 2)
    windows = make(tracks, 5, 4, pad, 5 - pad)
    found = seasonal_naive(windows, season)
    for n, (s, origin) in enumerate(positions(windows)):
        for c in range(2):
            values = tracks[s][:, c]
            for step in range(4):
                place = origin + step
                while place >= origin:
                    place -= season
                value = last_known(values, place, season) if place >= 0 else np.nan
                if np.isnan(value):
                    value = last_known(values, origin - 1)
                expected = 0.0 if np.isnan(value) else value
                assert found[n, step, c] == pytest.approx(expected, rel=1e-6), (s, origin, step)


def test_the_future_changes_nothing() -> None:
    tracks = gappy(0.3)
    windows = make(tracks, 5, 4, 0, 5)
    spoilt = [track.copy() for track in tracks]
    for track in spoilt:
        track[9:] = 77.0
    others = make(spoilt, 5, 4, 0, 5)
    keep = [n for n, (_, origin) in enumerate(positions(windows)) if origin <= 9]
    for forecast in (repeat_last, lambda w: seasonal_naive(w, 3)):
        one, two = forecast(windows), forecast(others)
        np.testing.assert_array_equal(one[keep], two[keep])
        assert (one != two).any()


def test_seasonal_naive_is_exact_on_a_season() -> None:
    track = np.tile([1.0, 5.0, 2.0], 10)[:, None]
    windows = make([track], 6, 5, 0, 6)
    guess = seasonal_naive(windows, 3)
    assert whole_targets(windows).numpy() == pytest.approx(guess)


def whole_targets(windows: Windows) -> torch.Tensor:
    targets = windows.take(torch.arange(len(windows))).targets
    assert targets is not None
    return targets


def test_answers_are_in_the_unit_of_the_data() -> None:
    tracks = gappy(0.3, 2)
    scaling = Scaling.plain(np.array([[1.0, 2], [30, 40], [5, 6]]), np.array([[7.0, 8], [90, 10], [1, 2]]))
    windows = Rows.of(tracks, scaling, 4).windows(5, 4, [np.arange(1, len(track) - 3) for track in tracks])
    mean, std = (part[windows.series.numpy()][:, None] for part in scaling[:2])
    pairs: list[tuple[Baseline, np.ndarray]] = [
        (RepeatLast(), repeat_last(windows)), (SeasonalNaive(3), seasonal_naive(windows, 3)),
    ]  # fmt: skip
    for model, scaled in pairs:
        guess = model.answer(windows)
        np.testing.assert_allclose(guess.point, scaled * std + mean)
        assert guess.bands == {} and model.naive and model.to_arrays() == {}
    for n, (s, origin) in enumerate(positions(windows)):
        last = last_known(tracks[s][:, 1], origin - 1)
        if np.isfinite(last):
            np.testing.assert_allclose(RepeatLast().answer(windows).point[n, :, 1], last, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("gaps", [False, True])
def test_seasonal_drift_moves_on_by_the_median_change(gaps: bool) -> None:
    random = np.random.default_rng(3)
    track = (np.arange(60) * 0.5 + random.normal(size=60))[:, None]
    if gaps:
        track[random.choice(50, 8, replace=False)] = np.nan
    rows = Rows.of([track], Scaling.plain(np.zeros((1, 1)), np.ones((1, 1))), 0)
    season, horizon = 4, 6
    windows = rows.windows(8, horizon, [np.arange(8, 55)])
    naive, found = SeasonalNaive(season).answer(windows).point, SeasonalDrift(season).answer(windows).point
    filled = track[:, 0].copy()  # as the seasonal naive reads it: a hole is what stood there a season before
    for n in range(season, 60):
        filled[n] = filled[n - season] if np.isnan(filled[n]) else filled[n]
    for number, origin in enumerate(range(8, 55)):
        one, two = filled[origin - season : origin], filled[origin - 2 * season : origin - season]
        both = [a - b for a, b in zip(one, two, strict=True) if np.isfinite(a) and np.isfinite(b)]
        drift = statistics.median(both) if 2 * len(both) >= season else 0.0
        ahead = np.array([1, 1, 1, 1, 2, 2])
        np.testing.assert_allclose(found[number, :, 0], naive[number, :, 0] + drift * ahead, atol=1e-5)


# The linear model


def wave(n: int, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    return (np.sin(np.arange(n) / 3) + 0.3 * random.normal(size=n) + random.normal(size=n).cumsum() * 0.05)[:, None]


def split(tracks: list[np.ndarray], at: int) -> tuple[Windows, Windows, Windows]:
    """Return training, validation and test windows."""
    scaling = Scaling.of(tracks, [at] * len(tracks))
    rows = Rows.of(tracks, scaling, 0)

    def cut(first: int, last: int) -> Windows:
        return rows.windows(8, 3, [np.arange(first, last - 2)] * len(tracks))

    return cut(8, at), cut(at, at + 20), cut(at + 20, at + 40)


def linear(train: Windows, valid: Windows) -> Linear:
    model, prepared = Linear(1), SimpleNamespace(train=train, valid=valid)
    model.fit(prepared)  # type: ignore[arg-type]
    return model


def scaled(model: Baseline, windows: Windows) -> np.ndarray:
    """Return the standardised answers (W, H, C) of a model."""
    mean, std = (part[windows.series.numpy()][:, None] for part in windows.rows.scaling[:2])
    return (model.answer(windows).point - mean) / std


FORMS = [Form(level, log) for level in LEVELS for log in (False, True)]


def prepared_by_hand(windows: Windows, form: Form, season: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return features, targets and what is added again, as the form is described."""
    batch = windows.take(torch.arange(len(windows)))
    assert batch.targets is not None
    x, y = batch.inputs[..., 0].double().numpy(), batch.targets[..., 0].double().numpy()
    mean, std = (part[windows.series.numpy()] for part in windows.rows.scaling[:2])
    if form.log:
        x, y = np.log(x * std + mean), np.log(y * std + mean)
    last, before = x[:, -season:], x[:, -2 * season : -season]
    ahead = np.arange(3)
    drift = (last.mean(1) - before.mean(1))[:, None]
    changes = x[:, season:] - x[:, :-season]
    added = {
        "nothing": np.zeros_like(y),
        "last": x[:, [-1] * 3],
        "mean": x.mean(1)[:, None].repeat(3, 1),
        "season": last[:, ahead % season],
        "drift": last[:, ahead % season] + drift * (1 + ahead // season),
    }[form.level]
    features = {"nothing": x, "last": x - x[:, -1:], "mean": x - x.mean(1)[:, None], "season": changes}
    features["drift"] = changes - changes.mean(1)[:, None]
    return features[form.level], y - added, added


@pytest.mark.parametrize("form", FORMS, ids=lambda form: f"{form.level}{'-log' if form.log else ''}")
@pytest.mark.parametrize("penalty", [1e-4, 1.0])
def test_every_form_is_a_ridge_of_scikit_learn(form: Form, penalty: float) -> None:
    season = 2
    train, _, test = split([10 + wave(140, 1), 100 + 10 * wave(140, 2)], 100)
    x, y, _ = prepared_by_hand(train, form, season)
    size = float((np.concatenate([x, np.ones((len(x), 1))], 1) ** 2).sum(0)[:-1].mean())
    oracle = linear_model.Ridge(alpha=penalty * size, tol=1e-10, solver="cholesky").fit(x, y)
    seen, _, added = prepared_by_hand(test, form, season)
    expected = oracle.predict(seen) + added
    ridge = Equations.of(form, train, season).solve(penalty)
    past = past_of(test, torch.arange(len(test)))
    np.testing.assert_allclose(form.into(ridge(past), past), expected, atol=2e-5)


def test_linear_takes_the_forms_and_penalties_that_validate_best() -> None:
    train, valid, _ = split([10 + wave(140, 5)], 60)
    truth = whole_targets(valid)[..., 0].numpy()
    past = past_of(valid, torch.arange(len(valid)))
    errors = {}
    for form in FORMS:
        for penalty in PENALTIES:
            said = Equations.of(form, train, 3).solve(penalty)(past)
            errors[form, penalty] = float(np.abs(said - truth).mean())
    best = {form: min(PENALTIES, key=lambda p, f=form: errors[f, p]) for form in FORMS}  # type: ignore[misc]
    ranked = sorted(FORMS, key=lambda form: errors[form, best[form]])[:3]
    least = errors[ranked[0], best[ranked[0]]]
    chosen = [form for form in ranked if errors[form, best[form]] <= 1.3 * least]
    found = find_ridges(train, valid, 3)
    assert [ridge.form for ridge in found.ridges] == chosen and len(chosen) > 1
    before = [Equations.of(form, train, 3).solve(best[form])(past) for form in chosen]
    np.testing.assert_allclose(found.said[..., 0], np.mean(before, 0), atol=1e-9)
    for ridge in found.ridges:  # and in the end they are fitted to both parts
        equations = Equations.of(ridge.form, train, 3)
        equations.add(valid)
        np.testing.assert_allclose(ridge.weights, equations.solve(best[ridge.form]).weights, atol=1e-9)


def test_no_logarithm_is_taken_where_something_is_not_positive() -> None:
    above, below = split([10 + wave(140, 5)], 60), split([wave(140, 5)], 60)
    assert any(ridge.form.log for ridge in find_ridges(above[0], above[1], 1).ridges)
    assert not any(ridge.form.log for ridge in find_ridges(below[0], below[1], 1).ridges)


def test_a_logarithm_of_what_it_never_saw_stays_finite() -> None:
    train, _, _ = split([10 + wave(140, 5)], 60)
    ridge = Equations.of(Form("last", True), train, 1).solve(1e-4)
    unit = np.ones((3, 1))
    hostile = Past(
        np.stack([np.full(8, -20.0), np.linspace(0, 1e6, 8), np.zeros(8)]), 10 * unit, unit, np.zeros((3, 0))
    )
    assert np.isfinite(ridge(hostile)).all()


def test_linear_learns_a_sine() -> None:
    track = np.sin(np.arange(200) / 3)[:, None]
    train, valid, test = split([track], 120)
    error = np.abs(scaled(linear(train, valid), test) - whole_targets(test).numpy()).mean()
    naive = np.abs(repeat_last(test) - whole_targets(test).numpy()).mean()
    assert error < 0.02 * naive


def test_linear_with_several_columns_is_one_by_one() -> None:
    one, two = wave(140, 1), wave(140, 2)
    joint = split([np.concatenate([one, two], 1)], 100)
    apart = split([one, two], 100)
    left = scaled(linear(joint[0], joint[1]), joint[2])
    right = scaled(linear(apart[0], apart[1]), apart[2])
    count = len(joint[2])
    np.testing.assert_allclose(left[..., 0], right[:count, :, 0], atol=1e-5)
    np.testing.assert_allclose(left[..., 1], right[count:, :, 0], atol=1e-5)


def test_linear_with_gaps_does_not_see_what_is_missing() -> None:
    track = wave(140, 1)
    track[np.random.default_rng(0).random(140) < 0.2] = np.nan
    train, valid, test = split([track], 100)
    found = scaled(linear(train, valid), test)
    assert np.isfinite(found).all()
    garbage = [_spoilt(windows) for windows in (train, valid, test)]
    np.testing.assert_allclose(scaled(linear(garbage[0], garbage[1]), garbage[2]), found, atol=1e-9)


def _spoilt(windows: Windows) -> Windows:
    rows = windows.rows
    assert rows.observed is not None
    values = torch.where(rows.observed, rows.values, 9e3)
    return dataclasses.replace(windows, rows=dataclasses.replace(rows, values=values))


def test_what_the_linear_model_learned_comes_back() -> None:
    train, valid, test = split([wave(140, 1), wave(140, 2)], 100)
    model, other = linear(train, valid), Linear(1)
    arrays = model.to_arrays()
    assert not model.naive and model.answer(test).bands == {}
    count = len(model.ridges)
    assert arrays["forms"].shape == (count, 3)
    assert {name: arrays[name].shape for name in arrays if name != "forms"} == {
        f"weights_{n}": (8 + 1, 3) for n in range(count)
    }
    other.from_arrays(arrays)
    np.testing.assert_array_equal(other.answer(test).point, model.answer(test).point)
    old = Linear(1)  # as runs had it when there was one form
    old.from_arrays({"weights": model.ridges[0].weights})
    assert [ridge.form for ridge in old.ridges] == [Form("last")]


def test_which_baselines_there_are() -> None:
    _, valid, _ = split([wave(140, 1)], 100)
    assert list(make_baselines(1)) == ["repeat last", "ets", "theta", "linear"]
    table = make_baselines(7)
    assert list(table) == ["repeat last", "seasonal naive", "seasonal naive + drift", "ets", "theta", "linear"]
    np.testing.assert_array_equal(scaled(table["seasonal naive"], valid), scaled(SeasonalNaive(7), valid))
    assert [name for name, model in table.items() if not model.naive] == ["ets", "theta", "linear"]


@pytest.mark.parametrize("season", [1, 7])
def test_a_kind_fits_its_baselines(season: int) -> None:
    settings: dict[str, Any] = {"horizon": 3, "lookback": 8, "segment": 1}
    panel = Panel(Schema(None, None, ("y",), None, season=season), ("y",), (wave(140, 1)[:, 0],), (1,))
    prepared = KIND.prepare(panel, make_config(PARTS, settings), 20)
    table = KIND.baselines(prepared.config, prepared.learned)
    assert list(table) == list(make_baselines(season))
    exam = KIND.exam(panel, prepared.learned, prepared.plan.test)
    for name, model in table.items():
        model.fit(prepared)
        guess = model.answer(exam.examples)
        assert guess.point.shape == exam.truth.values.shape == (18, 3, 1)
        if name == "linear":
            assert isinstance(model, Linear) and model.season == season
            ours = Linear(season)
            ours.fit(prepared)
            np.testing.assert_array_equal(guess.point, ours.answer(exam.examples).point)  # type: ignore[arg-type]
