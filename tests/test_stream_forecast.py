"""A stream of forecasts: what predict says of the same look-back, at a cost that stays the same."""

import io
import re
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from recurra import Forecaster
from recurra.errors import ConfigError, DataError
from recurra.tasks.forecast.ring import Ring

HORIZON, TRAIN = 4, 90
TINY: dict[str, Any] = {
    "horizon": HORIZON,
    "lookback": 12,
    "hidden_size": 8,
    "epoch_steps": 3,
    "max_epochs": 2,
    "batch_size": 16,
    "last_epochs": 0,
}
ECHO: dict[str, Any] = {"horizon": HORIZON, "cell": "reservoir", "hidden_size": 30, "lookback": 120, "max_epochs": 3}


def series(n: int = 130, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 0.3, n)
    return 10 * (seed + 1) + 3 * np.sin(np.arange(n) * 2 * np.pi / 7) + noise


def wide(columns: int = 1, n: int = 130, freq: str = "D") -> pd.DataFrame:
    names = ["y"] if columns == 1 else [f"s{i}" for i in range(columns)]
    every = {name: series(n, seed) for seed, name in enumerate(names)}
    return pd.DataFrame({"ds": pd.date_range("2024-01-01", periods=n, freq=freq), **every})


def same(stream: Any, batch: pd.DataFrame, near: float = 0.0) -> None:
    """Check that a stream says what predict said, bit for bit unless ``near`` enough will do."""
    pd.testing.assert_frame_equal(stream.predict(), batch, check_exact=near == 0, rtol=near, atol=near)


SETTINGS: dict[str, dict[str, Any]] = {
    "default": {},
    "mean": {"normalise": "mean"},
    "none": {"normalise": "none"},
    "log": {"log": True},
    "cycle": {"cycle": True, "season": 7},
    "alone": {"combine": False},
    "vanilla": {"decoder": "vanilla", "normalise": "none"},
    "no attention": {"attention": "none", "loss": "absolute"},
    "both ways": {"bidirectional": True},
    "calendar": {"calendar": True, "holidays": "DE"},
    "bounded": {"lower": 5.0, "upper": 14.0},
}


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS.keys())
def test_a_stream_says_what_predict_says(settings: dict[str, Any]) -> None:
    frame = wide()
    forecaster = Forecaster(**TINY | settings).fit(frame[:TRAIN])
    stream = forecaster.stream()
    same(stream, forecaster.predict())
    for n in range(TRAIN, len(frame)):
        stream.update(frame["y"][n], frame["ds"][n] if n % 2 else None)
        if n % 7 == 0 or n < TRAIN + 3:
            same(stream, forecaster.predict(df=frame[: n + 1]))


@pytest.mark.parametrize("freq", ["h", "B", "MS", "ME", "QS", "W-SUN"])
def test_it_goes_by_any_calendar(freq: str) -> None:
    frame = wide(freq=freq)
    forecaster = Forecaster(**TINY, calendar=freq != "QS").fit(frame[:TRAIN])
    stream = forecaster.stream()
    for n in range(TRAIN, TRAIN + 20):
        stream.update(frame["y"][n], frame["ds"][n])
    same(stream, forecaster.predict(df=frame[: TRAIN + 20]))


def test_what_is_missing_and_steps_left_out_are_read_as_in_a_table() -> None:
    frame = wide()
    frame.loc[[20, 21, 40], "y"] = np.nan
    forecaster = Forecaster(**TINY, calendar=True).fit(frame[:TRAIN])
    frame.loc[[95, 99, 100], "y"] = np.nan
    stream = forecaster.stream()
    left = [n for n in range(TRAIN, 130) if n not in (99, 100, *range(104, 124))]  # one gap is longer than is kept
    for n in left:
        stream.update(None if n == 95 else frame["y"][n], frame["ds"][n])
        if n == 95:  # the end of a table that has no value is cut off, but a stream knows that the step has passed
            assert stream.predict()["ds"][0] == frame["ds"][96]
            continue
        same(stream, forecaster.predict(df=frame.iloc[[*range(TRAIN), *(m for m in left if m <= n)]]))


@pytest.mark.parametrize("channels", ["independent", "joint"])
def test_several_series(channels: str) -> None:
    frame = wide(3)
    forecaster = Forecaster(**TINY, channels=channels, cycle=True, season=7).fit(frame[:TRAIN])
    stream = forecaster.stream()
    names = ["s0", "s1", "s2"]
    for n in range(TRAIN, TRAIN + 15):
        row = frame.loc[n, names]
        stream.update(row.to_list() if n % 2 else row.to_dict())
    same(stream, forecaster.predict(df=frame[: TRAIN + 15]))
    frame.loc[TRAIN + 15, "s1"] = np.nan
    left_out = {"s0": frame["s0"][TRAIN + 15], "s2": frame["s2"][TRAIN + 15]}
    stream.update(left_out if channels == "joint" else {**left_out, "s1": None})
    frame.loc[TRAIN + 16, names] = 1.5
    stream.update(dict.fromkeys(names, 1.5))
    same(stream, forecaster.predict(df=frame[: TRAIN + 17]))


def test_each_series_has_its_own_clock_and_strangers_keep_their_scale() -> None:
    table = wide(3).melt("ds", var_name="unique_id", value_name="y")
    known = table["unique_id"] != "s2"
    forecaster = Forecaster(**TINY).fit(table[known & (table["ds"] < "2024-03-20")])
    begun = table[(table["ds"] < "2024-03-20") & (table["unique_id"] != "s1")]  # s0, and one that is new
    stream = forecaster.stream(begun)
    for name, steps in (("s0", 9), ("s2", 5)):
        rest = table[(table["unique_id"] == name) & (table["ds"] >= "2024-03-20")][:steps]
        for stamp, value in zip(rest["ds"], rest["y"], strict=True):
            stream.update({name: value}, str(stamp))
        begun = pd.concat([begun, rest])
    answer, batch = stream.predict(), forecaster.predict(df=begun)
    own = batch["unique_id"] == "s0"
    pd.testing.assert_frame_equal(answer[own], batch[own], rtol=1e-6)
    assert (answer["ds"] == batch["ds"]).all()
    # The scale of a stranger is that of the table that the stream began with, measured here without the package.
    assert stream.scaling.std[1, 0] == pytest.approx(table[(table["unique_id"] == "s2")]["y"][:79].std(ddof=0))


def shop(stores: int = 1, n: int = 130) -> pd.DataFrame:
    random = np.random.default_rng(5)
    parts = [
        pd.DataFrame(
            {
                "ds": pd.date_range("2024-01-01", periods=n),
                "store": f"s{k}",
                "y": random.normal(50, 5, n),
                "promo": np.where(random.random(n) < 0.3, "yes", "no"),
                "price": random.normal(10, 2, n),
                "weather": random.normal(size=n),
                "size": float(k),
            }
        )
        for k in range(stores)
    ]
    return pd.concat(parts, ignore_index=True)


def rows_until(frame: pd.DataFrame, n: int) -> pd.DataFrame:
    """Return the table as it stands after n steps: of the H next only what is known ahead."""
    step = frame.groupby("store").cumcount()
    return frame[step < n + HORIZON].assign(**{c: frame[c].where(step < n) for c in ("y", "weather")})


@pytest.mark.parametrize("stores", [1, 2])
def test_covariates(stores: int) -> None:
    frame = shop(stores)
    names = {"known": ("promo", "price"), "past": "weather", "static": "size", "calendar": True}
    forecaster = Forecaster(**TINY, **names, target="y", id="store").fit(rows_until(frame, TRAIN))
    stream = forecaster.stream()
    same(stream, forecaster.predict())
    parts = {name: part.reset_index(drop=True) for name, part in frame.groupby("store")}
    for n in range(TRAIN, TRAIN + 9):
        now = {name: {"weather": part["weather"][n]} for name, part in parts.items()}
        ahead = {
            name: {c: part[c][n + 1 : n + 1 + HORIZON].to_list() for c in ("promo", "price")}
            for name, part in parts.items()
        }
        values = {name: part["y"][n] for name, part in parts.items()}
        if stores == 1:
            stream.update(values["s0"], covariates=now["s0"], future=ahead["s0"])
        else:
            stream.update(values, covariates=now, future=ahead)
        same(stream, forecaster.predict(df=rows_until(frame, n + 1)))
    n = TRAIN + 9
    told_otherwise = {"price": 7.0, "promo": "no"}  # than what was known ahead
    stream.update({name: part["y"][n] for name, part in parts.items()}, parts["s0"]["ds"][n], covariates=told_otherwise)
    said = r"'promo' is not known for 2024-04-13.* from 2024-04-10 to 2024-04-13: say it with update\(value, future="
    with pytest.raises(DataError, match=said):
        stream.predict()
    with pytest.raises(DataError, match="'promo' is not known for 2024-04-11"):
        stream.predict(future={"promo": ["yes", None]})
    ahead = {"promo": ["yes", "never seen", "no", "no"], "price": [10, 11, 12.5, 9]}
    answer = stream.predict(future=ahead)
    table = rows_until(frame, n + 1)
    step = table.groupby("store").cumcount()
    for name, values in ahead.items():
        table.loc[step > n, name] = values * stores
    table.loc[step == n, list(told_otherwise)] = list(told_otherwise.values())
    table.loc[step == n, "weather"] = np.nan  # which the last update did not tell
    pd.testing.assert_frame_equal(answer, forecaster.predict(df=table), check_exact=True)


def kept(stream: Any) -> int:
    """Return how many bytes of arrays a stream holds, wherever they are."""
    seen: set[int] = set()

    def size(thing: Any) -> int:
        if id(thing) in seen:
            return 0
        seen.add(id(thing))
        if isinstance(thing, np.ndarray):
            return thing.nbytes if thing.base is None else size(thing.base)
        if isinstance(thing, (list, tuple, set)):
            return sum(map(size, thing))
        if isinstance(thing, Mapping):
            return sum(map(size, thing.values()))
        own = getattr(thing, "__dict__", {})
        return sum(size(part) for name, part in own.items() if name not in ("fitted", "learned", "settings"))

    return size(stream)


def calls(work: Any) -> int:
    """Return how many functions, of Python or of C, are called."""
    count = 0

    def watch(frame: Any, event: str, argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(watch)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("settings", [TINY, ECHO], ids=["gru", "reservoir"])
def test_what_is_kept_and_done_does_not_grow(settings: dict[str, Any]) -> None:
    frame = wide(n=300)
    forecaster = Forecaster(**settings).fit(frame)
    stream = forecaster.stream(adapt=True)
    assert (stream.carried is not None) == ("cell" in settings)

    def go() -> None:
        stream.update(11.0)
        stream.predict()

    for _ in range(30):
        go()
    begin, size = calls(go), kept(stream)
    for _ in range(400):
        stream.update(10.0)
    go()
    assert calls(go) == begin
    assert kept(stream) == size


@pytest.mark.parametrize("layers", [1, 2])
def test_a_reservoir_carries_its_state(layers: int) -> None:
    fades = {} if layers == 1 else {"spectral_radius": 0.4, "leak": 0.9}
    frame = wide(n=640)
    frame.loc[[30, 31], "y"] = np.nan
    forecaster = Forecaster(**ECHO | {"lookback": 180, "num_layers": layers, **fades}).fit(frame[:500])
    stream = forecaster.stream()
    assert stream.carried is not None
    left = [n for n in range(500, 640) if n not in (510, 511)]
    for n in left:
        stream.update(frame["y"][n], frame["ds"][n])
        if n % 10 == 0:
            batch = forecaster.predict(df=frame.iloc[[*range(500), *(m for m in left if m <= n)]])
            same(stream, batch, near=1e-5)


def test_a_reservoir_that_does_not_forget_reads_its_look_back_again() -> None:
    frame = wide()
    forecaster = Forecaster(**ECHO | {"lookback": 8, "combine": False}).fit(frame[:TRAIN])
    stream = forecaster.stream()
    assert stream.carried is None
    for n in range(TRAIN, TRAIN + 12):
        stream.update(frame["y"][n])
    same(stream, forecaster.predict(df=frame[: TRAIN + 12]))


@pytest.mark.parametrize("settings", [TINY, ECHO, TINY | {"calendar": True}], ids=["gru", "reservoir", "calendar"])
@pytest.mark.parametrize("adapt", [False, True])
def test_a_state_goes_on_exactly(settings: dict[str, Any], adapt: bool) -> None:
    frame = wide(2, n=330)
    forecaster = Forecaster(**settings).fit(frame[:300])
    stream = forecaster.stream(adapt=adapt)
    rows = frame[["s0", "s1"]].to_numpy()
    for n in range(300, 313):
        stream.update(rows[n])
    stream.predict()
    file = io.BytesIO()
    np.savez(file, **stream.state())
    file.seek(0)
    other = forecaster.stream(state=np.load(file, allow_pickle=False))
    for n in range(313, 320):
        same(other, stream.predict())
        stream.update(rows[n])
        other.update(rows[n])
    same(other, stream.predict())
    mine, its = stream.state(), other.state()
    assert mine.keys() == its.keys()
    for name in mine:
        np.testing.assert_array_equal(mine[name], its[name], err_msg=name)


def test_polars_in_polars_out() -> None:
    frame = wide()
    forecaster = Forecaster(**TINY).fit(pl.from_pandas(frame[:TRAIN]))
    assert isinstance(forecaster.stream().update(1.0).predict(2), pl.DataFrame)
    assert isinstance(forecaster.stream(frame).predict(2), pd.DataFrame)


def test_row_numbers_are_a_clock_too() -> None:
    frame = wide()[["y"]]
    forecaster = Forecaster(**TINY).fit(frame[:TRAIN])
    stream = forecaster.stream().update(frame["y"][TRAIN], TRAIN + 1)
    same(stream, forecaster.predict(df=frame[: TRAIN + 1]))
    with pytest.raises(DataError, match="is not after 91, the last step"):
        stream.update(1.0, 91)


def test_zones_are_kept_apart() -> None:
    frame = wide(freq="h")
    frame["ds"] = frame["ds"].dt.tz_localize("Europe/Berlin")
    forecaster = Forecaster(**TINY).fit(frame[:TRAIN])
    stream = forecaster.stream()
    for n in range(TRAIN, TRAIN + 5):
        stream.update(frame["y"][n], frame["ds"][n].tz_convert("UTC"))
    same(stream, forecaster.predict(df=frame[: TRAIN + 5]))
    plain = Forecaster(**TINY).fit(wide(freq="h")[:TRAIN]).stream()
    with pytest.raises(DataError, match="have a time zone"):
        plain.update(1.0, frame["ds"][TRAIN])


@pytest.fixture(scope="module")
def two() -> Forecaster:
    return Forecaster(**TINY).fit(wide(2)[:TRAIN])


WRONG: dict[str, tuple[Any, str]] = {
    "one of two": (lambda s: s.update(1.0), "follows 2 series and got 1 value"),
    "no name": (lambda s: s.update({}), "at least one value"),
    "strange": (lambda s: s.update({"s0": 1.0, "s3": 1.0}), "no series 's3'. Did you mean"),
    "text": (lambda s: s.update({"s0": "12"}), "'s0' needs a number, or None where it is not known. Got '12' instead"),
    "infinite": (lambda s: s.update([np.inf, 1]), "'s0' is inf, which is no number"),
    "far": (lambda s: s.update([1e30, 1]), "too far to compute with"),
    "old": (lambda s: s.update([1, 1], "2024-03-30"), "is not after 2024-03-30 00:00:00, the last step"),
    "between": (lambda s: s.update([1, 1], "2024-04-02 05:00"), "does not lie on the steps of frequency 'D'"),
    "no time": (lambda s: s.update([1, 1], "soon"), "soon"),
    "number for a date": (lambda s: s.update([1, 1], 7), "holds plain steps, where dates are expected"),
    "covariates": (lambda s: s.update([1, 1], covariates={"price": 1}), "this model reads none: leave it out"),
    "no dict": (lambda s: s.update([1, 1], future=[1, 2]), "is a dict of columns"),
    "too far ahead": (lambda s: s.predict(9), "more than the horizon"),
}


@pytest.mark.parametrize(("wrong", "sentence"), WRONG.values(), ids=WRONG.keys())
def test_what_is_refused_changes_nothing(two: Forecaster, wrong: Any, sentence: str) -> None:
    stream = two.stream()
    before = stream.state()
    with pytest.raises((DataError, ConfigError), match=re.escape(sentence)) as fault:
        wrong(stream)
    assert str(fault.value).count("\n") == 0
    for name, part in stream.state().items():
        np.testing.assert_array_equal(part, before[name])


def test_covariates_that_are_wrong() -> None:
    forecaster = Forecaster(**TINY, known="price", past="weather", target="y", id="store").fit(
        rows_until(shop(2), TRAIN)
    )
    stream, values = forecaster.stream(), {"s0": 1.0}
    for named, sentence in (
        ({"covariates": {"prise": 1.0}}, "no column 'prise' that is read beside the series"),
        ({"covariates": {"weather": "wet"}}, "'weather' needs a number"),
        ({"future": {"weather": [1.0]}}, "no column 'weather' that is known ahead"),
        ({"future": {"price": [1.0] * 9}}, "has 9 values in future="),
        ({"future": {"s1": {"price": [1.0]}}}, "names 's1', which this update has no value of"),
    ):
        with pytest.raises(DataError, match=sentence):
            stream.update(values, **named)


def test_states_that_belong_elsewhere(two: Forecaster) -> None:
    state = two.stream().state()
    other = Forecaster(**TINY | {"seed": 3}).fit(wide(2)[:TRAIN])
    with pytest.raises(ConfigError, match="of another forecaster"):
        other.stream(state=state)
    with pytest.raises(ConfigError, match="takes what the state"):
        two.stream(state={"values": np.zeros(3)})
    with pytest.raises(ConfigError, match="leave df and adapt= out"):
        two.stream(adapt=True, state=state)
    with pytest.raises(ConfigError, match="this model has none: train it with loss='quantile'"):
        Forecaster(**TINY, loss="absolute").fit(wide()[:TRAIN]).stream(adapt=True)


def test_a_look_back_of_nothing_is_no_look_back() -> None:
    stream = Forecaster(**TINY).fit(wide()[:TRAIN]).stream()
    for _ in range(12):
        stream.update(None)
    with pytest.raises(DataError, match="The last 12 values of 'y' are all missing"):
        stream.predict()


def test_a_ring_is_the_last_rows() -> None:
    rows = [np.array([n, -n]) for n in range(30)]
    ring = Ring(np.stack(rows[:7]))
    for n in range(7, 30):
        ring.push(rows[n])
        ring.put(3, 1, 100.0 + n)
        rows[n - 3][1] = 100 + n
        np.testing.assert_array_equal(ring.rows, np.stack(rows[n - 6 : n + 1]))
