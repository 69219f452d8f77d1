"""Nothing that a forecast rests on knows what came after its origin, whatever comes after is changed into."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from recurra import Forecaster
from recurra.data.series import Panel
from recurra.settings import make_config
from recurra.tasks.forecast import kind, learned, plan, scaling, season
from recurra.tasks.forecast.backtest import Origins
from recurra.tasks.forecast.baselines import Linear
from recurra.tasks.forecast.kind import KIND, ForecastKind, whole_part
from recurra.tasks.forecast.scaling import Scaling
from recurra.tasks.forecast.variables import Variables
from recurra.verbs.common import judge

pytestmark = pytest.mark.filterwarnings("ignore::recurra.errors.Caution")

HORIZON, WINDOWS = 4, 3
TINY: dict[str, Any] = {
    "horizon": HORIZON,
    "lookback": 14,
    "hidden_size": 6,
    "epoch_steps": 3,
    "max_epochs": 3,
    "batch_size": 16,
    "last_epochs": 1,
}
ALONE = make_config(KIND.parts, TINY)
WITHOUT_STEPS = ("epoch_steps", "batch_size")  # of settings, which a reservoir does not have


def series(n: int = 120, columns: int = 1, seed: int = 0) -> pd.DataFrame:
    """Return a wide table of days whose swings grow with their level."""
    noise = np.random.default_rng(seed)
    days = np.arange(n)
    parts = {
        f"s{k}": (20 + 0.4 * days) * np.exp(0.2 * np.sin(days * 2 * np.pi / 7 + k) + noise.normal(0, 0.05, n))
        for k in range(columns)
    }
    return pd.DataFrame({"ds": pd.date_range("2024-01-01", periods=n), **parts})


def spiky() -> pd.DataFrame:
    """Return a series with one value that only a fault explains."""
    return series().assign(s0=lambda df: df["s0"].where(df.index != 30, 1e6))


def tall() -> pd.DataFrame:
    """Return a long table of series of unequal length, with text and numbers beside them."""
    random, parts = np.random.default_rng(1), []
    for n, size in enumerate((110, 80, 95)):
        own = (
            series(size, seed=n).rename(columns={"s0": "y"}).assign(unique_id=f"u{n}", region=["north", "south"][n % 2])
        )
        own["price"] = random.normal(10, 2, size)
        own["promo"] = np.where(random.random(size) < 0.3, "yes", "no")
        own["rain"] = random.normal(size=size)
        own["sky"] = random.choice(["blue", "grey", "black"], size)
        parts.append(own)
    return pd.concat(parts, ignore_index=True)


BESIDE = {"known": ("price", "promo"), "past": ("rain", "sky"), "static": "region", "target": "y", "calendar": True}
COMBINATIONS: dict[str, tuple[dict[str, Any], Callable[[], pd.DataFrame]]] = {
    "as they are": ({}, series),
    "several": ({"cell": "lstm/gru", "attention": "additive"}, lambda: series(columns=2)),
    "joint": ({"channels": "joint", "normalise": "mean"}, lambda: series(columns=2)),
    "beside": (BESIDE, tall),
    "without logarithms": ({"log": False, "cycle": True, "normalise": "none", "levels": (50, 95)}, series),
    "watching": ({"watch": "mase", "loss": "huber", "combine": False}, series),
    "vanilla": ({"decoder": "vanilla", "attention": "none"}, series),
    "reservoir": ({"cell": "reservoir", "hidden_size": 20, "max_epochs": 2}, series),
    "with holes": ({}, lambda: series().mask(np.random.default_rng(2).random((120, 2)) < [0.0, 0.1])),
}
WAYS: dict[str, dict[str, Any]] = {
    "once": {},
    "anew": {"refit": True},
    "rolling": {"refit": 2, "window": "rolling", "size": 60},
}


def spoilt(df: pd.DataFrame, after: int, how: str) -> pd.DataFrame:
    """Return ``df`` with nonsense in the last ``after`` steps of each series; what is known ahead is later spoilt."""
    df, random = df.copy(), np.random.default_rng(5)
    ends = df.groupby("unique_id").cumcount(ascending=False) if "unique_id" in df else pd.Series(range(len(df))[::-1])
    late, known = ends.to_numpy() < after, set(BESIDE["known"])
    for name in df.columns.drop(["ds", "unique_id", "region"], errors="ignore"):
        rows = (ends.to_numpy() < after - HORIZON) if name in known else late
        if df[name].dtype.kind in "fi":
            wild = random.choice([-1e6, 1e6, 3e6, 0.5], rows.sum()) * random.random(rows.sum())
            holes = (random.random(rows.sum()) < 0.5) & (ends.to_numpy()[rows] > 0)
            df.loc[rows, name] = np.where(holes & (how == "holes"), np.nan, wild)
        else:
            df.loc[rows, name] = random.choice(["Aaron", "zebra", "mule"], rows.sum())
    return df


def said(df: pd.DataFrame, settings: dict[str, Any], way: dict[str, Any]) -> pd.DataFrame:
    whole = TINY | settings
    for name in WITHOUT_STEPS if whole.get("cell") == "reservoir" else ():
        del whole[name]
    return Forecaster(**whole).cross_validation(df, WINDOWS, **way)


def require_blind(df: pd.DataFrame, settings: dict[str, Any], way: dict[str, Any], how: str = "huge") -> None:
    """Fail unless the forecasts of every origin are the same, bit by bit, whatever comes after it."""
    before = said(df, settings, way)
    for number in range(WINDOWS - 1):
        after = HORIZON * (WINDOWS - number)
        found = said(spoilt(df, after, how), settings, way)
        for (name, cutoff), own in before.groupby(["unique_id", "cutoff"]):
            if cutoff != sorted(before.loc[before["unique_id"] == name, "cutoff"].unique())[number]:
                continue
            same = found[(found["unique_id"] == name) & (found["cutoff"] == cutoff)].set_index("ds")
            both = same.index.intersection(own["ds"])
            assert len(both) or how == "holes"
            said_of = [name for name in own if str(name).startswith("yhat")]
            expected = own.set_index("ds").loc[both, said_of]
            pd.testing.assert_frame_equal(expected, same.loc[both, said_of], check_exact=True)


# Every combination with one way, and every way with the first: each pair would say the same again.
PAIRS = [(name, list(WAYS)[n % len(WAYS)]) for n, name in enumerate(COMBINATIONS)] + [
    (next(iter(COMBINATIONS)), way) for way in list(WAYS)[1:]
]


@pytest.mark.parametrize(("name", "way"), PAIRS)
def test_what_comes_after_an_origin_changes_nothing(name: str, way: str) -> None:
    settings, make = COMBINATIONS[name]
    require_blind(make(), settings, WAYS[way], "holes" if way == "anew" else "huge")


# What judges a run, on one table that holds the past and the future of every origin.


def test_what_comes_after_changes_no_row_of_a_table() -> None:
    wide = series(columns=2)
    forecaster = Forecaster(**TINY).fit(wide[["ds", "s0"]][:90])
    fitted, kept = forecaster.fitted_, 100
    forecaster._session.fit_baselines()
    answers = []
    for df in (wide, spoilt(wide, len(wide) - kept, "huge")):
        panel = KIND.read(df.rename(columns={"s1": "new"}).melt("ds", var_name="unique_id", value_name="y"), ALONE)
        part = whole_part(panel, fitted.learned)
        part = replace(part, origins=tuple(origins[origins <= kept] for origins in part.origins))
        exam = KIND.exam(panel, fitted.learned, part)
        answers.append(judge(fitted, exam).answers)
    assert len(answers[0]) > 5 and len(answers[0]["linear"].point) == 2 * (kept - 14 + 1)
    for name, guess in answers[0].items():
        np.testing.assert_array_equal(guess.point, answers[1][name].point, name)


def test_a_series_that_was_not_there_is_scaled_by_what_lies_before_its_first_forecast() -> None:
    forecaster = Forecaster(**TINY).fit(series())
    new = series(seed=3).rename(columns={"s0": "y"}).assign(unique_id="new")[["unique_id", "ds", "y"]]
    panel = KIND.read(new, ALONE)
    exam = KIND.exam(panel, forecaster.fitted_.learned, None)
    before = new["y"][:14].to_numpy()
    np.testing.assert_allclose(exam.examples.rows.scaling.mean, before.mean())
    np.testing.assert_allclose(exam.examples.rows.scaling.std, before.std())


def test_holes_in_what_is_held_out_change_no_network() -> None:
    holes = spoilt(series(), 12, "holes")
    prepared = [KIND.prepare(KIND.read(df, ALONE), ALONE, 12) for df in (series(), holes)]
    assert holes["s0"].isna().any() and prepared[0].learned.layout == prepared[1].learned.layout


def test_the_season_is_that_of_what_is_not_held_out() -> None:
    late = series(200)
    late["s0"] = np.where(late.index < 100, np.random.default_rng(0).normal(size=200), late["s0"])
    panel = KIND.read(late, ALONE)
    assert panel.schema.season == 7
    assert KIND.prepare(panel, ALONE, 20).learned.layout.season == 7
    assert KIND.prepare(panel, ALONE, 100).learned.layout.season == 1
    told = make_config(KIND.parts, TINY | {"season": 7})
    assert KIND.prepare(KIND.read(late, told), told, 100).learned.layout.season == 7


# Each place, made to see everything: the check above must notice it.


@pytest.fixture
def whole(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Panel]]:
    """Return a list whose last entry is all that was read."""
    seen: list[Panel] = []
    read = ForecastKind.read

    def reading(self: ForecastKind, *given: Any, **named: Any) -> Panel:
        seen.append(read(self, *given, **named))
        return seen[-1]

    monkeypatch.setattr(ForecastKind, "read", reading)
    return seen


Patch = Callable[[pytest.MonkeyPatch, list[Panel]], None]


def tracks(panel: Panel) -> list[np.ndarray]:
    return [values[:, None] for values in panel.values]


def sizes(panel: Panel) -> list[int]:
    return [len(values) for values in panel.values]


def all_seeing_scaling(patch: pytest.MonkeyPatch, seen: list[Panel]) -> None:
    own = Scaling.of
    patch.setattr(Scaling, "of", staticmethod(lambda *_: own(tracks(seen[-1]), sizes(seen[-1]))))


def all_seeing_cycle(patch: pytest.MonkeyPatch, seen: list[Panel]) -> None:
    own = learned.seasonal_means
    patch.setattr(learned, "seasonal_means", lambda _, __, *rest: own(tracks(seen[-1]), sizes(seen[-1]), *rest))


def all_seeing_linear(patch: pytest.MonkeyPatch, seen: list[Panel]) -> None:
    own = Linear.fit

    def fit(self: Linear, prepared: Any) -> None:
        every = KIND.encode(seen[-1], prepared.learned)
        own(self, replace(prepared, train=every))

    patch.setattr(Linear, "fit", fit)


def all_seeing_covariates(patch: pytest.MonkeyPatch, seen: list[Panel]) -> None:
    own = Variables.of
    patch.setattr(Variables, "of", lambda panel, ends, silent: own(seen[-1], sizes(seen[-1]), silent))


def all_seeing_logarithm(patch: pytest.MonkeyPatch, seen: list[Panel]) -> None:
    own = plan.swings_with_level
    patch.setattr(plan, "swings_with_level", lambda _, __, season: own(tracks(seen[-1]), sizes(seen[-1]), season))


def all_seeing_season(patch: pytest.MonkeyPatch, seen: list[Panel]) -> None:
    own = season.with_season
    patch.setattr(
        season, "with_season", lambda schema, _, *rest: own(schema, [v[-40:] for v in seen[-1].values], *rest)
    )


def all_seeing_limits(patch: pytest.MonkeyPatch, seen: list[Panel]) -> None:
    own = scaling.limits_of
    patch.setattr(scaling, "limits_of", lambda _: own(tracks(seen[-1])[0]))


def all_seeing_margins(patch: pytest.MonkeyPatch, seen: list[Panel]) -> None:
    own = kind.calibrate

    def calibrate(network: Any, valid: Any, whole: Any) -> None:
        known = patched["fitted"].learned
        own(network, KIND.encode(seen[-1], known), None)

    patched: dict[str, Any] = {}
    finish = ForecastKind.finish

    def finishing(self: ForecastKind, fitted: Any, prepared: Any) -> None:
        patched["fitted"] = fitted
        finish(self, fitted, prepared)

    patch.setattr(ForecastKind, "finish", finishing)
    patch.setattr(kind, "calibrate", calibrate)


def all_seeing_stopping(patch: pytest.MonkeyPatch, seen: list[Panel]) -> None:
    own = ForecastKind.train

    def train(self: ForecastKind, fitted: Any, prepared: Any, progress: Any, watch: Any) -> Any:
        late = replace(prepared, valid=KIND.encode(seen[-1], prepared.learned))
        return own(self, fitted, late, progress, watch)

    patch.setattr(ForecastKind, "train", train)


def all_seeing_past(patch: pytest.MonkeyPatch, seen: list[Panel]) -> None:
    own = Origins._between
    patch.setattr(Origins, "_between", lambda self, firsts, ends: own(self, firsts, [end + 1 for end in ends]))


PLACES: dict[str, tuple[Patch, dict[str, Any], Callable[[], pd.DataFrame]]] = {
    "scaling": (all_seeing_scaling, {}, series),
    "cycle": (all_seeing_cycle, {"cycle": True}, series),
    "linear model": (all_seeing_linear, {}, series),
    "covariates": (all_seeing_covariates, BESIDE, tall),
    "logarithm": (all_seeing_logarithm, {}, series),
    "season": (all_seeing_season, {}, series),
    "limits of faults": (all_seeing_limits, {}, spiky),
    "margins": (all_seeing_margins, {"combine": False}, series),
    "early stopping": (all_seeing_stopping, {"max_epochs": 12, "learning_rate": 0.1, "combine": False}, series),
    "what is read": (all_seeing_past, {}, series),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_place_that_sees_everything_is_noticed(
    place: str, whole: list[Panel], monkeypatch: pytest.MonkeyPatch
) -> None:
    mutate, settings, make = PLACES[place]
    mutate(monkeypatch, whole)
    with pytest.raises(AssertionError):
        require_blind(make(), settings, {})
