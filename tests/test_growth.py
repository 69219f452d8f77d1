"""A run that goes on: with new rows, with new series, and what it must not forget."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from recurra import Forecaster
from recurra.data.series import steps_between
from recurra.errors import ConfigError, DataError
from test_forecaster import long, make, values, wide

STILL: dict[str, Any] = {"learning_rate": 1e-12, "combine": False}  # nothing is learned


def with_new(n: int = 90) -> pd.DataFrame:
    """Return rows that follow those of ``long(90, 60, 75)``, and a series that was not there."""
    old = long(90 + n, 60 + n)
    first = pd.concat([part[-n:] for _, part in old.groupby("unique_id")])
    stamps = pd.date_range("2024-02-05", periods=n)
    return pd.concat([first, pd.DataFrame({"unique_id": "new", "ds": stamps, "y": values(n, 7)})], ignore_index=True)


def table(learned: Any, name: str) -> int:
    return learned.names.index(name)


def test_what_is_known_stays_and_what_is_new_joins() -> None:
    forecaster = make(segment=3, cycle=True).fit(long(90, 60, 75))
    before, weights = forecaster.fitted_.learned, dict(forecaster.network_.state_dict())
    forecaster.set_params(**STILL).fit_more(with_new(40))
    after, now = forecaster.fitted_.learned, forecaster.network_.state_dict()
    assert after.names == ("s0", "s1", "s2", "new") and after.layout.series == 4
    for one, other in zip(before.scaling, after.scaling, strict=True):
        np.testing.assert_array_equal(one, other[:3])
    assert after.lengths == (130, 100, 75, 40) and after.starts[:3] == before.starts
    new = values(40, 7)[: forecaster._session.prepared.plan.train_ends[-1]]
    assert len(new) < 40 and after.scaling.mean[3, 0] == pytest.approx(new.mean())
    np.testing.assert_array_equal(after.context[0, :, 0], long(130)["y"][-14:])  # two seasons
    np.testing.assert_array_equal(after.context[2], before.context[2])
    # The network is the old one, with a row for the new series: the mean of the others.
    rows, old = now["core.identities.weight"], weights["core.identities.weight"]
    torch.testing.assert_close(rows[:3], old[:3])
    torch.testing.assert_close(rows[3], old[:3].mean(0), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(now["cycle.table"][:3], weights["cycle.table"][:3])
    for name in weights.keys() - {"core.identities.weight", "cycle.table", "widen"}:
        torch.testing.assert_close(now[name], weights[name])
    assert any("goes on with 2 series that it knows" in note and "1 new" in note for note in forecaster.notes_)


def test_a_run_that_learns_nothing_more_forecasts_as_before() -> None:
    forecaster, df = make(segment=3, combine=False).fit(long(90, 60, 75)), long(110, 80, 75)
    before = forecaster.predict(df=df)
    forecaster.set_params(**STILL).fit_more(pd.concat([df[90:110], df[170:190]]))
    after = forecaster.predict()
    assert after[["unique_id", "ds"]].equals(before[["unique_id", "ds"]])
    np.testing.assert_allclose(after["yhat"], before["yhat"], rtol=1e-4)


def test_new_rows_are_learned_from() -> None:
    df = wide(400)
    df["y"] = np.where(df.index < 200, df["y"], 10 + 3 * np.cos(df.index * 2 * np.pi / 5))  # all is different now
    settings = {"learning_rate": 0.01, "combine": False, "season": 7, "cycle": False, "hidden_size": 16}
    forecaster = make(**settings, max_epochs=15, epoch_steps=10).fit(df[:200])
    late = df[200:360]

    def error() -> float:
        found = forecaster.fitted_values(4, df[340:])
        return float((found["y"] - found["yhat"]).abs().mean())

    before = error()
    assert forecaster.fit_more(late).fitted_.record.best_epoch > 0
    assert error() < before / 2


def test_the_start_is_kept_if_nothing_is_better() -> None:
    forecaster = make(max_epochs=8, patience=8, combine=False).fit(wide(400))
    weights = {name: value.clone() for name, value in forecaster.network_.state_dict().items()}
    forecaster.set_params(learning_rate=3.0, warmup=0, schedule="constant").fit_more(wide(440)[400:])
    assert forecaster.fitted_.record.best_epoch == 0
    for name in weights.keys() - {"widen"}:
        torch.testing.assert_close(forecaster.network_.state_dict()[name], weights[name])


@pytest.mark.parametrize(
    ("settings", "old", "new"),
    [
        ({}, wide(), wide(130)[90:]),
        ({}, wide(), wide(130)),
        ({"channels": "joint"}, wide(columns=2), wide(130, columns=2)[90:]),
        ({"decoder": "vanilla", "attention": "none"}, long(90, 60), long(110, 80, 70)),
        ({"calendar": True}, long(90, 60), with_new(40)),
        ({"watch": "mase"}, long(90), with_new(40)),
    ],
)
def test_a_run_that_went_on_is_an_ordinary_run(
    settings: dict[str, Any], old: pd.DataFrame, new: pd.DataFrame, tmp_path: Path
) -> None:
    forecaster = Forecaster.load(make(**settings).fit(old).save(tmp_path / "first")).fit_more(new)
    again = Forecaster.load(forecaster.save(tmp_path / "second"))
    pd.testing.assert_frame_equal(again.predict(), forecaster.predict())
    pd.testing.assert_frame_equal(again.predict(df=new), forecaster.predict(df=new))
    learned = forecaster.fitted_.learned
    ends = new.melt("ds", var_name="unique_id").groupby("unique_id")["ds"].max() if "unique_id" not in new else (
        new.groupby("unique_id")["ds"].max()
    )  # fmt: skip
    for n, name in enumerate(learned.names):
        if name in ends:
            assert steps_between(learned.starts[n], ends[name], learned.schema) + 1 == learned.lengths[n]
    twice = again.fit_more(new)
    assert twice.fitted_.learned.names == learned.names


def test_covariates_are_remembered_as_they_were_coded() -> None:
    random = np.random.default_rng(0)
    df = wide(150).assign(promo=random.choice(["yes", "no"], 150), rain=random.normal(size=150))
    forecaster = make(target="y", known="promo", past="rain", combine=False).fit(df[:100])
    before = forecaster.predict(df=df[:146].assign(y=lambda rows: rows["y"].where(rows.index < 142)))
    late = df[100:146].assign(promo=lambda rows: rows["promo"], y=lambda rows: rows["y"].where(rows.index < 142))
    after = forecaster.set_params(**STILL).fit_more(late).predict()
    np.testing.assert_allclose(after["yhat"], before["yhat"], rtol=1e-4)


def test_series_known_and_new_are_forecast_from_one_long_table() -> None:
    forecaster = make(max_epochs=15, epoch_steps=10, hidden_size=16, season=7).fit(long(200, 180, 190))
    whole = pd.concat(
        [
            pd.DataFrame({"unique_id": name, "ds": pd.date_range(start, periods=104), "y": values(104, seed)})
            for name, seed, start in (("s1", 1, "2024-01-01"), ("new", 8, "2024-03-03"), ("s0", 0, "2024-01-01"))
        ]
    )
    parts = []
    for size in range(80, 101, 3):
        past = whole.groupby("unique_id").head(size)
        last = past.groupby("unique_id")["y"].last()
        found = forecaster.predict(df=past).merge(whole, on=["unique_id", "ds"])
        parts.append(found.assign(last=found["unique_id"].map(last)))
    found = pd.concat(parts)
    errors, naive = ((found["y"] - found[by]).abs().groupby(found["unique_id"]).mean() for by in ("yhat", "last"))
    assert len(found) == 7 * 12 and (errors < naive / 2).all(), (errors, naive)


def test_what_cannot_go_on_is_said() -> None:
    one = make().fit(wide())
    with pytest.raises(DataError, match=r"need 20 rows of a series, and the longest has 19, with what"):
        one.fit_more(wide(95)[90:])
    with pytest.raises(ConfigError, match="goes on with just these: s0, s1"):
        make(channels="joint").fit(long(90, 90)).fit_more(long(120, 120, 120))
    reservoir = Forecaster(horizon=4, cell="reservoir", hidden_size=20, max_epochs=1).fit(wide())
    with pytest.raises(ConfigError, match="A reservoir does not learn"):
        reservoir.fit_more(wide(130))


def test_the_linear_model_stays_where_new_rows_say_less() -> None:
    """Of a year it learned the week; of four weeks of little but noise it would learn less."""
    df = wide(430)
    days = np.arange(430)
    df["y"] = 10 + 3 * np.sin(days * 2 * np.pi / 7) + 2 * np.sin(days * 2 * np.pi / 5)
    df.loc[400:, "y"] += np.random.default_rng(0).normal(size=30)
    forecaster = make(season=7, cycle=False, lookback=14).fit(df[:400])
    old: Any = forecaster.fitted_.baselines["linear"]
    weights = [one.weights.copy() for one in old.ridges]
    forecaster.fit_more(df[400:])
    kept: Any = forecaster.fitted_.baselines["linear"]
    assert len(kept.ridges) == len(weights)
    for one, before in zip(kept.ridges, weights, strict=True):
        np.testing.assert_array_equal(one.weights, before)
    # Where all has changed, what is learned anew is better, and it takes the place of the old one.
    df["y"] = np.where(days < 200, df["y"], 50 - 4 * np.cos(days * 2 * np.pi / 3))
    other = make(season=7, cycle=False, lookback=14).fit(df[:200])
    first: Any = other.fitted_.baselines["linear"]
    other.fit_more(df[200:])
    second: Any = other.fitted_.baselines["linear"]
    assert any(not np.array_equal(a.weights, b.weights) for a, b in zip(first.ridges, second.ridges, strict=False))
