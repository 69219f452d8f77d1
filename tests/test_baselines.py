"""The forecasts that cost nothing, against explicit loops and scikit-learn."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge

from recurra.tasks.forecast import baselines
from recurra.tasks.forecast.baselines import PENALTIES, Linear, make_baselines, repeat_last, seasonal_naive
from recurra.tasks.forecast.windows import Rows, Scaling, Windows


def make(tracks: list[np.ndarray], lookback: int, horizon: int, pad: int, first: int) -> tuple[Rows, Windows]:
    count, channels = len(tracks), tracks[0].shape[1]
    rows = Rows.of(tracks, Scaling(np.zeros((count, channels)), np.ones((count, channels))), pad)
    origins = [np.arange(first, len(track) - horizon + 1) for track in tracks]
    return rows, rows.windows(lookback, horizon, origins, known_targets=False)


def positions(rows: Rows, windows: Windows) -> list[tuple[int, int]]:
    """Return series and origin of every window."""
    origins = (windows.starts + windows.lookback).numpy() - rows.offsets[windows.series.numpy()]
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
    rows, windows = make(tracks, 5, 4, pad, 5 - pad)
    found = repeat_last(rows, windows)
    assert found.shape == (len(windows), 4, channels)
    for n, (s, origin) in enumerate(positions(rows, windows)):
        for c in range(channels):
            last = last_known(tracks[s][:, c], origin - 1)
            np.testing.assert_allclose(found[n, :, c], np.full(4, 0.0 if np.isnan(last) else last), rtol=1e-6)


@pytest.mark.parametrize("share", [0.0, 0.5])
@pytest.mark.parametrize("pad", [0, 4])
@pytest.mark.parametrize("season", [2, 3, 7, 25])
def test_seasonal_naive(share: float, pad: int, season: int) -> None:
    tracks = gappy(share, 2)
    rows, windows = make(tracks, 5, 4, pad, 5 - pad)
    found = seasonal_naive(rows, windows, season)
    for n, (s, origin) in enumerate(positions(rows, windows)):
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
    rows, windows = make(tracks, 5, 4, 0, 5)
    spoilt = [track.copy() for track in tracks]
    for track in spoilt:
        track[9:] = 77.0
    others = make(spoilt, 5, 4, 0, 5)
    keep = [n for n, (_, origin) in enumerate(positions(rows, windows)) if origin <= 9]
    for forecast in (repeat_last, lambda r, w: seasonal_naive(r, w, 3)):
        one, two = forecast(rows, windows), forecast(*others)
        np.testing.assert_array_equal(one[keep], two[keep])
        assert (one != two).any()


def test_seasonal_naive_is_exact_on_a_season() -> None:
    track = np.tile([1.0, 5.0, 2.0], 10)[:, None]
    rows, windows = make([track], 6, 5, 0, 6)
    guess = seasonal_naive(rows, windows, 3)
    assert whole_targets(windows).numpy() == pytest.approx(guess)


def whole_targets(windows: Windows) -> torch.Tensor:
    targets = windows.take(torch.arange(len(windows))).targets
    assert targets is not None
    return targets


# The linear model


def wave(n: int, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    return (np.sin(np.arange(n) / 3) + 0.3 * random.normal(size=n) + random.normal(size=n).cumsum() * 0.05)[:, None]


def split(tracks: list[np.ndarray], at: int) -> tuple[Rows, Windows, Windows, Windows]:
    scaling = Scaling.of(tracks, [at] * len(tracks))
    rows = Rows.of(tracks, scaling, 0)

    def cut(first: int, last: int) -> Windows:
        return rows.windows(8, 3, [np.arange(first, last - 2)] * len(tracks), known_targets=True)

    return rows, cut(8, at), cut(at, at + 20), cut(at + 20, at + 40)


@pytest.mark.parametrize("penalty", PENALTIES)
def test_linear_is_a_ridge(penalty: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baselines, "PENALTIES", (penalty,))
    tracks = [wave(140, 1), wave(140, 2)]
    _, train, valid, test = split(tracks, 100)

    def pairs(windows: Windows) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        batch = windows.take(torch.arange(len(windows)))
        assert batch.targets is not None
        x, y = batch.inputs[..., 0].double().numpy(), batch.targets[..., 0].double().numpy()
        return x - x[:, -1:], y - x[:, -1:], x[:, -1:]

    x, y, _ = pairs(train)
    ridge = Ridge(alpha=penalty * (x**2).sum(0).mean()).fit(x, y)
    seen, _, last = pairs(test)
    found = Linear(train, valid)(test)[..., 0]
    np.testing.assert_allclose(found, ridge.predict(seen) + last, atol=1e-5)


def test_linear_takes_the_penalty_that_validates_best(monkeypatch: pytest.MonkeyPatch) -> None:
    tracks = [wave(140, 5)]
    _, train, valid, test = split(tracks, 60)
    chosen = Linear(train, valid)(test)
    errors, answers = [], []
    for penalty in PENALTIES:
        monkeypatch.setattr(baselines, "PENALTIES", (penalty,))
        model = Linear(train, valid)
        errors.append(np.abs(model(valid) - whole_targets(valid).numpy()).mean())
        answers.append(model(test))
    np.testing.assert_array_equal(chosen, answers[int(np.argmin(errors))])
    assert len(set(errors)) == len(PENALTIES)


def test_linear_learns_a_sine() -> None:
    track = np.sin(np.arange(200) / 3)[:, None]
    rows, train, valid, test = split([track], 120)
    error = np.abs(Linear(train, valid)(test) - whole_targets(test).numpy()).mean()
    naive = np.abs(repeat_last(rows, test) - whole_targets(test).numpy()).mean()
    assert error < 0.02 * naive


def test_linear_with_several_columns_is_one_by_one() -> None:
    one, two = wave(140, 1), wave(140, 2)
    joint = split([np.concatenate([one, two], 1)], 100)
    apart = split([one, two], 100)
    left = Linear(joint[1], joint[2])(joint[3])
    right = Linear(apart[1], apart[2])(apart[3])
    count = len(joint[3])
    np.testing.assert_allclose(left[..., 0], right[:count, :, 0], atol=1e-5)
    np.testing.assert_allclose(left[..., 1], right[count:, :, 0], atol=1e-5)


def test_linear_with_gaps_does_not_see_what_is_missing() -> None:
    track = wave(140, 1)
    track[np.random.default_rng(0).random(140) < 0.2] = np.nan
    _, train, valid, test = split([track], 100)
    found = Linear(train, valid)(test)
    assert np.isfinite(found).all()
    garbage = [Windows(torch.where(w.observed, w.values, 9e3), *_rest(w)) for w in (train, valid, test)]  # type: ignore[arg-type]
    np.testing.assert_allclose(Linear(garbage[0], garbage[1])(garbage[2]), found, atol=1e-9)


def _rest(windows: Windows) -> tuple:
    names = ("observed", "starts", "series", "identities", "phases", "lookback", "horizon")
    return tuple(getattr(windows, name) for name in names)


def test_which_baselines_there_are() -> None:
    rows, train, valid, _ = split([wave(140, 1)], 100)
    assert list(make_baselines(rows, 1, None, None)) == ["repeat last"]
    assert list(make_baselines(rows, 7, None, None)) == ["repeat last", "seasonal naive"]
    table = make_baselines(rows, 7, train, valid)
    assert list(table) == ["repeat last", "seasonal naive", "linear"]
    np.testing.assert_array_equal(table["seasonal naive"](valid), seasonal_naive(rows, valid, 7))
