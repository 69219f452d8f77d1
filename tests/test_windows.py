"""Windows against plain slicing, and what may be known when: scaling, cycle, training, validation, test."""

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.data.batch import Batch
from recurra.data.series import Panel, Schema
from recurra.errors import ConfigError, DataError
from recurra.settings import make_config
from recurra.tasks.base import Prepared
from recurra.tasks.forecast import learned, plan
from recurra.tasks.forecast.kind import KIND
from recurra.tasks.forecast.layout import Layout
from recurra.tasks.forecast.plan import (
    Cut,
    Part,
    check_test_size,
    default_lookback,
    default_segment,
    default_test_size,
    judging_step,
    make_plan,
    tracks_of,
)
from recurra.tasks.forecast.scaling import Scaling, seasonal_means
from recurra.tasks.forecast.settings import PARTS, ForecastSettings
from recurra.tasks.forecast.windows import Rows, Windows


def as_is(count: int) -> Scaling:
    return Scaling.plain(np.zeros((count, 1)), np.ones((count, 1)))


def panel_of(*series: Any, season: int = 1, starts: tuple[int, ...] | None = None) -> Panel:
    values = tuple(np.asarray(one, float) for one in series)
    schema = Schema(None, None, ("y",), None, season=season)
    names = tuple(f"s{n}" for n in range(len(values)))
    return Panel(schema, names, values, starts or (1,) * len(values))


def noise(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=n)


def holes(values: np.ndarray, share: float, seed: int = 0) -> np.ndarray:
    return np.where(np.random.default_rng(seed).random(values.shape) < share, np.nan, values)


def whole(windows: Windows) -> Batch:
    return windows.take(torch.arange(len(windows)))


def unscaled(prepared: Prepared, windows: Windows) -> tuple[np.ndarray, np.ndarray]:
    """Return inputs and targets (W, ., C) in the unit of the data, NaN where they are said to be missing."""
    batch = whole(windows)
    series = windows.series.numpy()
    scaling = prepared.learned.scaling
    mean, std = scaling.mean[series][:, None], scaling.std[series][:, None]
    assert batch.targets is not None
    inputs, targets = batch.inputs.numpy(), batch.targets.numpy()
    if batch.target_mask is not None:
        inputs = np.where(batch["observed"].numpy(), inputs, np.nan)
        targets = np.where(batch.target_mask.numpy(), targets, np.nan)
    return inputs * std + mean, targets * std + mean


# Cutting


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("lookback", "horizon", "pad"), [(5, 3, 0), (5, 3, 4), (1, 1, 0), (6, 2, 2)])
@pytest.mark.parametrize("share", [0.0, 0.3])
def test_windows_are_slices(channels: int, lookback: int, horizon: int, pad: int, share: float) -> None:
    tracks = [holes(noise(n * channels, n).reshape(n, channels), share, n) for n in (20, 9, 14)]
    scaling = Scaling.of(tracks, [15, 9, 10])
    rows = Rows.of(tracks, scaling, pad, np.array([4, 1, 0]), np.array([3, 0, 5]))
    origins = [np.arange(lookback - pad, len(track) - horizon + 1) for track in tracks]
    windows = rows.windows(lookback, horizon, origins)
    assert len(windows) == sum(map(len, origins))
    batch, number = whole(windows), 0
    assert batch.targets is not None
    for s, track in enumerate(tracks):
        for origin in origins[s]:
            for kind, first, last in (("in", origin - lookback, origin), ("out", origin, origin + horizon)):
                values = (batch.inputs if kind == "in" else batch.targets)[number]
                known = batch.get("observed") if kind == "in" else batch.target_mask
                for row, place in enumerate(range(first, last)):
                    for c in range(channels):
                        truth = track[place, c] if place >= 0 else np.nan
                        if np.isnan(truth):
                            assert values[row, c] == 0 and known is not None and not known[number, row, c]
                        else:
                            scaled = (truth - scaling.mean[s, c]) / scaling.std[s, c]
                            assert values[row, c].item() == pytest.approx(scaled, rel=1e-6, abs=1e-6)
                            assert known is None or known[number, row, c]
            assert batch["series"][number] == [4, 1, 0][s]
            assert batch["phase"][number] == origin - lookback + [3, 0, 5][s]
            number += 1


def test_without_holes_nothing_is_marked() -> None:
    rows = Rows.of([noise(20)[:, None]], as_is(1), 0)
    batch = whole(rows.windows(5, 2, [np.arange(5, 19)]))
    assert rows.observed is None and batch.target_mask is None and batch.get("observed") is None


def layout_of(lookback: int, horizon: int, channels: int = 1, missing: bool = False) -> Layout:
    return Layout(lookback, horizon, 1, 1, False, channels, 1, missing)


def test_windows_with_nothing_to_read_or_to_answer_are_left_out() -> None:
    track = np.arange(30.0)
    track[8:14] = np.nan  # six in a row: some windows of 4 + 2 read or answer nothing
    some = Cut([track[:, None]], layout_of(4, 2), [30], pad=0).part([4], [28], [20])
    origins = np.arange(4, 29)
    every = Rows.of([track[:, None]], as_is(1), 0).windows(4, 2, [origins])
    good = [o for o in origins if np.isfinite(track[o - 4 : o]).any() and np.isfinite(track[o : o + 2]).any()]
    assert some.origins[0].tolist() == good and len(every) == 25 > len(some) == len(good)
    assert (some.pad, some.ends, some.step) == (0, (20,), 1)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(("pad", "step"), [(0, 1), (4, 1), (2, 3)])
def test_a_part_holds_what_can_be_asked(channels: int, pad: int, step: int) -> None:
    """A window that begins in the pad reads less; one known value of any column is enough."""
    tracks = [holes(noise(n * channels, n).reshape(n, channels), 0.7, n) for n in (40, 9, 25)]
    cut = Cut(tracks, layout_of(5, 3, channels), [40, 9, 25], pad)
    first, last = [5 - pad, 6, 5], [37, 6, 22]
    part = cut.part(first, last, [1, 2, 3], step)
    assert cut.holes and len(part) == sum(map(len, part.origins)) and part.step == step
    for track, found, a, b in zip(tracks, part.origins, first, last, strict=True):
        known = np.isfinite(track).any(1)
        good = [o for o in range(a, b + 1, step) if known[max(0, o - 5) : o].any() and known[o : o + 3].any()]
        assert found.tolist() == good
    assert len(part) < sum(len(range(a, b + 1, step)) for a, b in zip(first, last, strict=True))


def test_a_part_of_whole_series_is_everything() -> None:
    cut = Cut([noise(20)[:, None]], layout_of(5, 2, missing=True), [20], pad=0)
    assert not cut.holes, "nothing is missing, whatever was thought before"
    assert cut.part([5], [18], [10]).origins[0].tolist() == list(range(5, 19))
    assert len(cut.held_out(0, None, [10])) == 0 and len(cut.part([9], [8], [10])) == 0
    assert Cut([noise(20)[:, None]], layout_of(5, 2), [20], pad=1).holes


def test_windows_never_reach_into_another_series() -> None:
    first, second = np.full(12, 1.0), np.full(12, 2.0)
    rows = Rows.of([first[:, None], second[:, None]], as_is(2), 3)
    windows = rows.windows(5, 2, [np.arange(2, 11)] * 2)
    batch = whole(windows)
    assert batch.targets is not None
    for n in range(len(windows)):
        seen = set(batch.inputs[n].flatten().tolist()) | set(batch.targets[n].flatten().tolist())
        assert seen - {0.0} == {1.0 + windows.series[n].item()}


def test_some_are_spread_evenly() -> None:
    windows = Rows.of([noise(120)[:, None]], as_is(1), 0).windows(5, 2, [np.arange(5, 119)])
    assert windows.some(1000) is windows and windows.some(114) is windows
    few = windows.some(10)
    assert len(few) == 10 and few.starts[0] == windows.starts[0] and few.starts[-1] == windows.starts[-1]
    assert set(few.starts.diff().tolist()) <= {12, 13}
    assert torch.equal(whole(few).inputs, whole(windows).inputs[few.starts])
    assert torch.equal(whole(few)["phase"], few.starts)


def test_some_of_a_part_are_spread_evenly() -> None:
    part = Part((np.arange(5, 65), np.arange(0), np.arange(7, 61)), pad=3, ends=(9, 9, 9), size=4, step=2)
    assert part.some(114) is part and len(part) == 114
    few = part.some(10)
    assert (few.pad, few.ends, few.size, few.step) == (3, (9, 9, 9), 4, 2)
    every = np.concatenate([np.arange(5, 65), 100 + np.arange(7, 61)])
    kept = np.concatenate([few.origins[0], few.origins[1], 100 + few.origins[2]])
    places = np.flatnonzero(np.isin(every, kept))
    assert len(few) == len(kept) == 10 and places[0] == 0 and places[-1] == 113
    assert set(np.diff(places).tolist()) <= {12, 13}


# Scaling and cycle


def test_scaling_is_that_of_numpy() -> None:
    tracks = [holes(noise(60, 1).reshape(30, 2) * 7 + 40, 0.2), noise(20, 2).reshape(10, 2)]
    scaling = Scaling.of(tracks, [25, 10])
    for n, end in ((0, 25), (1, 10)):
        np.testing.assert_allclose(scaling.mean[n], np.nanmean(tracks[n][:end], 0))
        np.testing.assert_allclose(scaling.std[n], np.nanstd(tracks[n][:end], 0))


def test_scaling_where_nothing_varies() -> None:
    flat = np.full((10, 1), 1e9 / 3)
    empty = np.full((10, 1), np.nan)
    zero = np.zeros((10, 1))
    tiny = 1e-12 * noise(10)[:, None]
    scaling = Scaling.of([flat, empty, zero, tiny, flat], [10, 10, 10, 10, 0])
    assert scaling.std[[0, 1, 2, 4]].tolist() == [[1.0]] * 4
    assert scaling.std[3, 0] == pytest.approx(np.std(tiny)), "small is not constant"
    assert scaling.mean[:, 0].tolist() == pytest.approx([1e9 / 3, 0, 0, tiny.mean(), 0])


def test_seasonal_means_against_pandas() -> None:
    n, season = 200, 7
    values = holes(noise(n) + np.arange(n) * 0.05 + 3 * np.sin(2 * np.pi * np.arange(n) / season), 0.1)
    track = values[:, None]
    scaling = Scaling.of([track], [150])
    found = seasonal_means([track], [150], scaling, season)
    scaled = pd.Series((values[:150] - scaling.mean[0, 0]) / scaling.std[0, 0])
    rest = scaled - scaled.rolling(season, center=True, min_periods=season // 2).mean()
    means = rest.groupby(rest.index % season).mean()
    np.testing.assert_allclose(found[0, :, 0], means - means.mean(), atol=1e-12)


def test_seasonal_means_find_a_known_cycle_under_a_trend() -> None:
    cycle = np.array([3.0, -1.0, -2.0, 0.0, 0.0])
    t = np.arange(100)
    track = (cycle[t % 5] + 0.5 * t)[:, None]
    scaling = Scaling.plain(np.array([[2.0]]), np.array([[4.0]]))
    found = seasonal_means([track], [95], scaling, 5)
    np.testing.assert_allclose(found[0, :, 0], cycle / 4, atol=0.02)
    np.testing.assert_allclose(found.sum(1), 0, atol=1e-12)


def test_seasonal_means_of_what_was_never_seen() -> None:
    track = np.full((20, 1), np.nan)
    track[:3, 0] = [1.0, 2.0, 3.0]
    found = seasonal_means([track, track], [3, 0], as_is(2), 7)
    assert np.isfinite(found).all() and (found[1] == 0).all()


# What may be known when

SERIES = [noise(90, 1).cumsum() * 3 + 50, noise(70, 2).cumsum() + 5]
CUT = {"horizon": 4, "lookback": 12, "segment": 3, "validation_size": 10}


def cut(*series: np.ndarray, held_out: int = 8, season: int = 6, **settings: Any) -> Prepared:
    return KIND.prepare(panel_of(*series, season=season), make_config(PARTS, CUT | settings), held_out)


def held_out_of(prepared: Prepared, size: int = 8, step: int | None = None) -> Windows:
    part = make_plan(prepared.data, prepared.config.task, size, step).test
    return KIND.encode(prepared.data, prepared.learned, part)


def test_training_then_validation_then_test() -> None:
    prepared = cut(*SERIES)
    assert prepared.plan.train_ends == (90 - 18, 70 - 18) and prepared.plan.lengths == (90, 70)
    origins = {}
    for name, windows in (("train", prepared.train), ("valid", prepared.valid), ("test", held_out_of(prepared))):
        at = (windows.starts + 12).numpy() - windows.rows.offsets[windows.series.numpy()]
        origins[name] = [at[windows.series.numpy() == s] for s in (0, 1)]
        _, targets = unscaled(prepared, windows)
        for one, origin, s in zip(targets, at, windows.series, strict=True):
            np.testing.assert_allclose(one[:, 0], SERIES[s][origin : origin + 4], rtol=1e-4, atol=1e-4)
    for s, n in enumerate((90, 70)):
        assert origins["train"][s].tolist() == list(range(12, n - 18 - 4 + 1))
        assert origins["valid"][s].tolist() == list(range(n - 18, n - 8 - 4 + 1))
        assert origins["test"][s].tolist() == list(range(n - 8, n - 4 + 1))


def test_test_windows_may_be_apart() -> None:
    prepared = cut(SERIES[0], held_out=12)
    assert (held_out_of(prepared, 12, 4).starts + 12).tolist() == [78, 82, 86]
    part = make_plan(prepared.data, prepared.config.task, 12, 4).test
    assert (part.size, part.step, part.ends) == (12, 4, prepared.plan.train_ends)
    np.testing.assert_array_equal(prepared.plan.test.origins[0], np.arange(78, 87))


def test_nothing_is_held_out_if_not_asked() -> None:
    prepared = cut(SERIES[0], held_out=0)
    assert (prepared.plan.test_size, len(prepared.plan.test)) == (0, 0)
    assert "test" not in prepared.plan.notes[0]
    assert len(KIND.encode(prepared.data, prepared.learned, prepared.plan.test)) == 0


def test_the_future_changes_nothing_of_the_training() -> None:
    spoilt = [one.copy() for one in SERIES]
    for one in spoilt:
        one[-18:] = one[-18:] * -1000 + 7
    before, after = cut(*SERIES), cut(*spoilt)
    known, later = before.learned, after.learned
    np.testing.assert_array_equal(known.scaling.mean, later.scaling.mean)
    np.testing.assert_array_equal(known.scaling.std, later.scaling.std)
    assert known.cycles is not None and later.cycles is not None
    np.testing.assert_array_equal(known.cycles, later.cycles)
    one, two = whole(before.train), whole(after.train)
    assert one.targets is not None and two.targets is not None
    assert torch.equal(one.inputs, two.inputs) and torch.equal(one.targets, two.targets)
    assert not torch.equal(whole(before.valid).inputs, whole(after.valid).inputs)


def test_the_test_rows_change_nothing_of_the_validation() -> None:
    spoilt = [one.copy() for one in SERIES]
    for one in spoilt:
        one[-8:] = 1e6
    one, two = whole(cut(*SERIES).valid), whole(cut(*spoilt).valid)
    assert one.targets is not None and two.targets is not None
    assert torch.equal(one.inputs, two.inputs) and torch.equal(one.targets, two.targets)


def test_phases_follow_the_position_in_the_series() -> None:
    prepared = cut(*SERIES)
    for windows in (prepared.train, prepared.valid, held_out_of(prepared)):
        position = windows.starts.numpy() - windows.rows.offsets[windows.series.numpy()]
        assert (whole(windows)["phase"].numpy() % 6 == position % 6).all()


def test_short_series_are_padded_with_nothing() -> None:
    short = noise(21, 5)  # 3 training rows: no room for a look-back of 12
    prepared = cut(SERIES[0], noise(27, 6), short)
    assert prepared.plan.train_ends == (72, 9, 3)
    inputs, targets = unscaled(prepared, prepared.train)
    mine = prepared.train.series.numpy() == 1
    assert mine.sum() == 3, "origins 3, 4 and 5: one segment is the least to be read"
    for one, origin in zip(inputs[mine], (3, 4, 5), strict=True):
        np.testing.assert_allclose(one[:, 0], [np.nan] * (12 - origin) + noise(27, 6)[:origin].tolist(), rtol=1e-5)
    assert (prepared.train.series == 2).sum() == 0 and (prepared.valid.series == 2).sum() == 7
    assert (prepared.train.series == 0).sum() == 72 - 16 + 1, "a long series is never padded"
    assert np.isfinite(targets).any(1).all() and prepared.learned.layout.missing


def test_a_series_without_training_rows_is_measured_on_what_it_has() -> None:
    tiny = noise(20, 5) * 1e4 + 1e6
    prepared = cut(SERIES[0], tiny, validation_size=12)
    assert prepared.plan.train_ends == (70, 0)
    assert prepared.learned.scaling.mean[1, 0] == pytest.approx(tiny[:12].mean())
    assert prepared.learned.scaling.std[1, 0] == pytest.approx(tiny[:12].std())


def test_missing_values_never_count() -> None:
    gaps = holes(SERIES[0], 0.3)
    prepared = cut(gaps)
    assert prepared.learned.layout.missing
    inputs, targets = unscaled(prepared, prepared.train)
    origins = prepared.train.starts.numpy() + 12
    for row, origin in enumerate(origins):
        np.testing.assert_allclose(inputs[row, :, 0], gaps[origin - 12 : origin], rtol=1e-4)
        np.testing.assert_allclose(targets[row, :, 0], gaps[origin : origin + 4], rtol=1e-4)


def test_columns_together_or_one_by_one() -> None:
    panel = panel_of(noise(80, 1), noise(80, 2), noise(80, 3))
    alone, joint = (tracks_of(panel, together) for together in (False, True))
    assert [track.shape for track in alone] == [(80, 1)] * 3 and [track.shape for track in joint] == [(80, 3)]
    prepared = cut(*panel.values, held_out=0, channels="joint")
    assert (prepared.learned.layout.channels, prepared.learned.layout.series) == (3, 1)
    inputs, _ = unscaled(prepared, prepared.train)
    np.testing.assert_allclose(inputs[5], np.stack(panel.values, 1)[5:17], rtol=1e-4, atol=1e-4)
    prepared = cut(*panel.values, held_out=0)
    assert (prepared.learned.layout.channels, prepared.learned.layout.series) == (1, 3)
    with pytest.raises(DataError, match="begin and end together"):
        tracks_of(panel_of(noise(80), noise(79)), True)
    with pytest.raises(DataError, match="begin and end together"):
        tracks_of(panel_of(noise(80), noise(80), starts=(1, 2)), True)


# Sizes


def test_validation_size() -> None:
    values = noise(200)
    assert cut(values, held_out=0, validation_size=None).plan.train_ends == (180,)
    assert cut(values, held_out=50, validation_size=None).plan.train_ends == (135,)
    assert cut(values, held_out=0, validation_size=None, horizon=25).plan.train_ends == (165,)  # a few windows
    assert cut(values[:90], held_out=0, validation_size=None, horizon=20).plan.train_ends == (90 - 20 - 4,)
    assert cut(values, held_out=0, validation_size=4).plan.train_ends == (196,)
    with pytest.raises(ConfigError, match=r"validation_size=3 is too small: .* at least one horizon \(4 steps\)"):
        cut(values, validation_size=3)


def test_validation_looks_at_a_limited_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "VALIDATION_WINDOWS", 5)
    assert len(cut(noise(200), held_out=0, validation_size=50).valid) == 5


def test_the_horizon_is_needed() -> None:
    with pytest.raises(ConfigError, match="The horizon is missing"):
        cut(noise(100), horizon=None)
    with pytest.raises(ConfigError, match="The horizon is missing"):
        make_plan(panel_of(noise(100)), ForecastSettings())


@pytest.mark.parametrize("rows", [12, 40])
def test_too_few_rows_says_how_many_there_are(rows: int) -> None:
    with pytest.raises(DataError, match=rf"and the longest series has {rows}\. "):
        cut(noise(rows), lookback=24)


@pytest.mark.parametrize("rows", [30, 33, 40])
def test_too_few_rows_says_what_would_do(rows: int) -> None:
    with pytest.raises(DataError, match="Too few rows") as caught:
        cut(noise(rows), lookback=24)
    needed = re.search(r"need at least (\d+) rows", str(caught.value))
    advised = re.search(r"look-back of at most (\d+)", str(caught.value))
    assert needed is not None and len(cut(noise(int(needed[1])), lookback=24).train) == 1
    with pytest.raises(DataError, match="Too few rows"):
        cut(noise(int(needed[1]) - 1), lookback=24)
    if advised is not None:
        assert len(cut(noise(rows), lookback=int(advised[1]), segment=1).train) == 1
    else:
        assert rows == 18 + 12 - 8


def test_too_few_rows_for_any_lookback() -> None:
    with pytest.raises(DataError, match="Use a shorter horizon"):
        cut(noise(20), lookback=None, segment=None)


def test_too_much_is_missing() -> None:
    gaps = SERIES[0].copy()
    gaps[:72] = np.nan
    with pytest.raises(DataError, match="No training window holds a known value"):
        cut(gaps)


def test_without_known_values_to_validate_on_training_decides() -> None:
    gaps = SERIES[0].copy()
    gaps[72:82] = np.nan
    plan = cut(gaps).plan
    assert plan.valid is plan.train and "the training rows decide" in " ".join(plan.notes)


def test_values_so_far_apart_that_no_window_holds_two() -> None:
    gaps = np.full_like(SERIES[0], np.nan)
    gaps[[3, 60, -1]] = SERIES[0][[3, 60, -1]]
    prepared = cut(gaps)
    (origins,) = prepared.plan.train.origins
    assert len(origins) and all(np.isfinite(gaps[at : at + 4]).any() for at in origins)


def test_lookback_and_segment_must_fit() -> None:
    with pytest.raises(ConfigError, match=r"lookback=13 is not a multiple of segment=3\. Use a lookback of 12 or 15\."):
        cut(SERIES[0], lookback=13)
    with pytest.raises(ConfigError, match=r"Use a lookback of 15\."):
        cut(SERIES[0], lookback=13, segment=15)
    assert cut(SERIES[0], lookback=None, segment=5).learned.layout.lookback % 5 == 0
    vanilla = cut(SERIES[0], lookback=13, segment=None, decoder="vanilla").learned.layout
    assert (vanilla.lookback, vanilla.segment, vanilla.read, vanilla.written) == (13, 1, 13, 4)


def test_cycle() -> None:
    assert cut(SERIES[0]).learned.layout.cycle, "a season, and three of it"
    assert not cut(SERIES[0], season=30).learned.layout.cycle, "72 training rows are not three seasons"
    assert not cut(SERIES[0], season=1).learned.layout.cycle and cut(SERIES[0], season=1).learned.cycles is None
    assert not cut(SERIES[0], cycle=False).learned.layout.cycle
    assert cut(SERIES[0], season=30, cycle=True).learned.layout.cycle
    with pytest.raises(ConfigError, match="cycle=True needs a season"):
        cut(SERIES[0], season=1, cycle=True)


def test_a_cycle_is_measured_only_where_there_is_little_to_learn_it_from(monkeypatch: pytest.MonkeyPatch) -> None:
    assert cut(SERIES[0]).learned.cycles is not None and len(cut(SERIES[0]).train) == 57
    monkeypatch.setattr(learned, "FEW_WINDOWS", 57)
    assert cut(SERIES[0]).learned.layout.cycle and cut(SERIES[0]).learned.cycles is None


def test_layout_counts_segments() -> None:
    layout = cut(SERIES[0]).learned.layout
    assert (layout.lookback, layout.segment, layout.read, layout.horizon, layout.written) == (12, 3, 4, 4, 2)


def test_notes_say_what_was_chosen() -> None:
    (note,) = cut(SERIES[0]).plan.notes
    expected = (
        "look-back 12, horizon 4, segments of 3, season 6, learned cycle; "
        "72 training rows, then 10 for validation, then 8 for the test; 57 training windows"
    )
    assert note == expected
    few = cut(SERIES[0][:40]).plan.notes
    assert few[-1].startswith("careful: only ") and "training windows" in few[-1]


def test_a_test_with_origins_apart_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "MOST_WINDOWS", 2)
    prepared = cut(SERIES[0], held_out=14)
    assert prepared.plan.test.step == 7, "11 origins, and a step that shares no factor with the season of 6"
    assert prepared.plan.notes[1:] == ("judged by 2 forecasts of the last 14 rows, one from every 7th step",)
    assert len(cut(SERIES[0], held_out=14, season=1).plan.test) == 2


def test_the_usual_test_size() -> None:
    assert default_test_size(panel_of(noise(200), noise(300), noise(1000)), 12) == 30
    assert default_test_size(panel_of(noise(200)), 24) == 24
    panel, config = panel_of(noise(200)), make_config(PARTS, CUT)
    assert KIND.plan(panel, config, None).test_size == 20 and KIND.plan(panel, config, 0).test_size == 0


def test_a_test_holds_at_least_one_horizon() -> None:
    check_test_size(24, 24)
    for refused in (lambda: check_test_size(23, 24), lambda: cut(noise(200), held_out=23, horizon=24)):
        with pytest.raises(ConfigError, match="test size is 23, but a forecast of 24 steps can only"):
            refused()


@pytest.mark.parametrize(
    ("lengths", "size", "season"),
    [([1_000_000], 100_000, 144), ([1_000_000], 100_000, 13), ([20_000] * 50, 2_000, 24), ([300] * 4, 30, 7)],
)
def test_a_test_is_bounded_and_meets_every_place_of_the_season(lengths: list[int], size: int, season: int) -> None:
    step = judging_step(lengths, size, 24, season)
    windows = sum(len(range(n - size, n - 24 + 1, step)) for n in lengths)
    assert windows <= plan.MOST_WINDOWS
    assert windows > 0.2 * min(plan.MOST_WINDOWS, len(lengths) * (size - 23))
    places = {origin % season for origin in range(0, size - 23, step)}
    assert len(places) == min(season, size - 23)


SIZES = st.integers(1, 200)


@settings(deadline=None)
@given(horizon=SIZES, season=st.integers(1, 400), rows=st.integers(1, 3000))
def test_default_lookback(horizon: int, season: int, rows: int) -> None:
    lookback = default_lookback(horizon, season, rows)
    assert 1 <= lookback <= max(3 * horizon, 2 * season, 16)
    if rows > horizon:
        assert lookback + horizon <= rows, "at least one window fits"
    if rows >= 2 * max(3 * horizon, 2 * season, 16) + horizon:
        assert lookback == max(3 * horizon, 2 * season, 16)


def test_a_longer_season_is_read_twice_where_there_are_many() -> None:
    assert default_lookback(24, 24, 20 * 168, 168) == 336
    assert default_lookback(24, 24, 20 * 168 - 1, 168) == 72
    assert default_lookback(96, 96, 100_000, 672) == 720  # more would take long to read
    assert default_lookback(400, 24, 100_000, 168) == 1200


@settings(deadline=None)
@given(lookback=SIZES, horizon=SIZES, season=st.integers(1, 60), exact=st.booleans())
def test_default_segment(lookback: int, horizon: int, season: int, exact: bool) -> None:
    segment = default_segment(lookback, horizon, season, exact)
    assert 1 <= segment <= min(lookback, 2 * horizon)
    assert not exact or lookback % segment == 0


def test_default_segment_by_hand() -> None:
    assert default_segment(720, 96, 24, exact=True) == 24
    assert default_segment(720, 96, 1, exact=True) == 30
    assert default_segment(48, 24, 1, exact=False) == 2
    assert default_segment(17, 5, 1, exact=True) == 1, "a prime has no other divisor"


@settings(deadline=None, max_examples=50)
@given(n=st.integers(30, 400), horizon=st.integers(1, 12), season=st.sampled_from([1, 4, 7, 24]), data=st.data())
def test_any_sizes_give_windows_that_fit(n: int, horizon: int, season: int, data: st.DataObject) -> None:
    held_out = data.draw(st.sampled_from([0, horizon]))
    config = make_config(PARTS, {"horizon": horizon})
    try:
        prepared = KIND.prepare(panel_of(noise(n), season=season), config, held_out)
    except DataError as fault:
        assert "Too few rows" in str(fault) and n < 4 * horizon + 3
        return
    layout = prepared.learned.layout
    assert layout.lookback % layout.segment == 0 and layout.read >= 1
    for windows in (prepared.train, prepared.valid):
        inputs, targets = unscaled(prepared, windows)
        assert inputs.shape[1:] == (layout.lookback, 1) and targets.shape[1:] == (horizon, 1)
        assert (windows.starts >= 0).all() and (windows.starts + layout.lookback + horizon <= n - held_out).all()
