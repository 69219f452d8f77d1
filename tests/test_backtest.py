"""Backtests and fitted values, against forecasters that are trained by hand on what lies before."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import mean_absolute_error, root_mean_squared_error

from commands import run_command
from recurra import Classifier, Forecaster
from recurra.errors import ConfigError, DataError
from recurra.tasks.session import Session
from test_forecaster import TINY, long, make, tall, wide

ENDS = ["2024-03-18", "2024-03-22", "2024-03-26"]  # of the data of `wide()`, three horizons of four before its end


def by_hand(df: pd.DataFrame, train: list[int], size: int | None = None, **settings: Any) -> pd.DataFrame:
    """Fit up to each cutoff in ``train`` and forecast from each cutoff up to the next."""
    parts, forecaster = [], make(**settings)
    for number, end in enumerate((len(df) - 12, len(df) - 8, len(df) - 4)):
        if number in train:
            forecaster = make(**settings).fit(df[max(0, end - size) if size else 0 : end])
        parts.append(forecaster.predict(df=df[:end]).assign(cutoff=df["ds"][end - 1]))
    return pd.concat(parts, ignore_index=True)


@pytest.mark.parametrize(
    ("way", "train", "size"),
    [
        ({}, [0], None),
        ({"refit": True}, [0, 1, 2], None),
        ({"refit": 2}, [0, 2], None),
        ({"refit": 1, "window": "rolling", "size": 50}, [0, 1, 2], 50),
        ({"refit": True, "window": "rolling"}, [0, 1, 2], 78),
        ({"window": "rolling", "size": 60}, [0], 60),
    ],
)
def test_a_backtest_is_what_one_would_do_by_hand(way: dict[str, Any], train: list[int], size: int | None) -> None:
    df, forecaster = wide(), make()
    found = forecaster.cross_validation(df, 3, **way)
    expected = by_hand(df, train, size)
    assert found["cutoff"].astype(str).unique().tolist() == ENDS
    assert not hasattr(forecaster, "fitted_") and len(forecaster.cv_folds_) == 3
    pd.testing.assert_frame_equal(found[expected.columns], expected, check_dtype=False, rtol=1e-6)
    np.testing.assert_array_equal(found["y"], df["y"][78:])


def test_a_series_that_begins_late_joins_when_it_is_there() -> None:
    df = long(90, 90)
    late = df[(df["unique_id"] == "s0") | (df["ds"] >= "2024-03-21")]  # ten rows, two of them before the last origins
    found = make().cross_validation(late, 3, refit=True)
    assert found.groupby("unique_id")["cutoff"].nunique().to_dict() == {"s0": 3, "s1": 2}


def test_ctrl_c_leaves_the_origins_that_are_done(monkeypatch: pytest.MonkeyPatch) -> None:
    forecaster, train = make(), Forecaster._train
    whole = make().cross_validation(wide(), 3, refit=True)

    def stopped(self: Forecaster, epochs: Any, verbose: Any, which: str = "") -> Forecaster:
        if which.startswith("origin 3"):
            raise KeyboardInterrupt
        return train(self, epochs, verbose, which)

    monkeypatch.setattr(Forecaster, "_train", stopped)
    with pytest.raises(KeyboardInterrupt):
        forecaster.cross_validation(wide(), 3, refit=True)
    pd.testing.assert_frame_equal(pd.concat(forecaster.cv_folds_, ignore_index=True), whole[:8])


def test_each_origin_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    make().cross_validation(wide(), 2, refit=True, verbose=True)
    said = capsys.readouterr().err
    assert "origin 1 of 2" in said and "origin 2 of 2" in said


@pytest.mark.parametrize(
    ("way", "message"),
    [
        ({"n_windows": 0}, "n_windows must be at least 1. Got 0"),
        ({"step": 0}, "step must be at least 1"),
        ({"refit": -1}, "refit must be at least 0"),
        ({"refit": "often"}, "refit must be a whole number"),
        ({"window": "sliding"}, "Unknown window 'sliding'"),
        ({"size": 20}, "size=20 is how many values a rolling window holds: say window='rolling' with it"),
        ({"window": "rolling", "size": 0}, "size must be at least 1"),
        ({"window": "rolling", "size": 10}, "Too few rows"),
        ({"n_windows": 30}, "30 windows take the last 120 values of each series, and the longest has 90"),
    ],
)
def test_what_cannot_be_is_said(way: dict[str, Any], message: str) -> None:
    with pytest.raises((ConfigError, DataError), match=message):
        make().cross_validation(wide(), **way)


def test_errors_are_those_of_scikit_learn() -> None:
    forecaster, df = make(), long(90, 60)
    df.loc[85, "y"] = None
    folds = forecaster.cross_validation(df, 3, 2)
    for by in ("step", "unique_id", "cutoff"):
        found = forecaster.fold_errors(folds, by)
        ahead = (folds["ds"] - folds["cutoff"]).dt.days
        groups = list(folds.groupby(ahead if by == "step" else by))
        assert found[by].tolist() == [key for key, _ in groups]
        for row, (_, part) in zip(found.to_dict("records"), groups, strict=True):
            assert row["count"] == len(part)
            assert row["mae"] == pytest.approx(mean_absolute_error(part["y"], part["yhat"]))
            assert row["rmse"] == pytest.approx(root_mean_squared_error(part["y"], part["yhat"]))
            assert row["bias"] == pytest.approx((part["yhat"] - part["y"]).mean())
            assert row["in-80"] == part["y"].between(part["yhat-lo-80"], part["yhat-hi-80"]).mean()
    with pytest.raises(ConfigError, match="Unknown by 'series'"):
        forecaster.fold_errors(folds, "series")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="no column 'cutoff'"):
        forecaster.fold_errors(folds.drop(columns="cutoff"))
    with pytest.raises(ConfigError, match="takes what cross_validation"):
        make().fold_errors(folds)


# Fitted values


FORMS = {
    "one": (make, wide),
    "columns": (make, lambda: wide(columns=2)),
    "together": (lambda: make(channels="joint"), lambda: wide(columns=2)),
    "unequal": (lambda: make(loss="absolute"), lambda: long(90, 60)),
    "holes": (make, lambda: wide().assign(y=lambda df: df["y"].where(df.index % 9 > 0))),
    "ahead": (lambda: make(calendar=True), wide),
}


@pytest.mark.parametrize("h", [1, 3])
@pytest.mark.parametrize("form", FORMS)
def test_fitted_values_are_forecasts_from_what_lies_before(form: str, h: int) -> None:
    forecaster, df = FORMS[form][0](), FORMS[form][1]()
    found = forecaster.fit(df).fitted_values(h)
    for name, own in tall(df).groupby("unique_id"):
        mine = found[found["unique_id"] == name].reset_index(drop=True)
        assert mine["ds"].tolist() == own["ds"].tolist()[12 + h - 1 :]
        np.testing.assert_array_equal(mine["y"], own["y"][12 + h - 1 :])
        for place in (0, 20, len(mine) - 1):
            stamp = mine["ds"][place]
            past = df[df["ds"] <= stamp - pd.Timedelta(days=h)]
            if form == "holes" and past["y"].isna().iloc[-1]:
                continue  # a table would end earlier
            answer = forecaster.predict(df=past)
            row = answer[(answer["unique_id"] == name) & (answer["ds"] == stamp)].iloc[0]
            for column in (name for name in mine.columns if name.startswith("yhat")):
                assert mine[column][place] == pytest.approx(row[column], rel=1e-4)


def test_fitted_values_know_nothing_of_what_comes_after() -> None:
    forecaster, df = make().fit(wide()), wide(110)
    changed = df.assign(y=df["y"].where(df.index < 100, -1e4))
    before, after = (forecaster.fitted_values(2, one) for one in (df, changed))
    kept = 100 - 13 + 2  # forecasts up to two steps after the last row that is the same
    np.testing.assert_array_equal(before["yhat"][:kept], after["yhat"][:kept])
    assert (before["yhat"][kept:] != after["yhat"][kept:]).all()


def test_fitted_values_of_a_run_that_was_loaded(tmp_path: Path) -> None:
    forecaster = make().fit(wide())
    again = Forecaster.load(forecaster.save(tmp_path / "run"))
    with pytest.raises(DataError, match="give them as df="):
        again.fitted_values()
    pd.testing.assert_frame_equal(again.fitted_values(df=wide()), forecaster.fitted_values())
    with pytest.raises(DataError, match="need a series of at least 13 rows"):
        again.fitted_values(df=wide(12))
    with pytest.raises(ConfigError, match="h must be a whole number from 1 on"):
        again.fitted_values(0)


def test_fitted_values_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    days, run = tmp_path / "days.csv", tmp_path / "run"
    wide().to_csv(days, index=False)
    forecaster = make().fit(days)
    forecaster.save(run)
    found = run_command(capsys, "predict", run, days, "--fitted", "--steps", "2")
    said, expected = pd.read_csv(StringIO(found.out)), forecaster.fitted_values(2)
    assert found.code == 0
    assert said["ds"].tolist() == expected["ds"].dt.strftime("%Y-%m-%d").tolist()
    np.testing.assert_allclose(said["yhat"], expected["yhat"])
    lacking = run_command(capsys, "predict", run, "--fitted")  # a run made in Python names no file
    assert lacking.code == 2 and "Name the data after the run" in lacking.err
    both = run_command(capsys, "predict", run, days, "--fitted", "--future", days)
    assert both.code == 2 and "leave --future and --paths out" in both.err


def test_a_backtest_on_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    days, run, out = tmp_path / "days.csv", tmp_path / "run", tmp_path / "folds.csv"
    long(90, 70).to_csv(days, index=False)
    Forecaster(horizon=4, **TINY).fit(days).save(run)
    way = ["--n-windows", "3", "--refit", "2", "--window", "rolling", "--size", "50"]
    found = run_command(capsys, "backtest", run, days, *way, "--out", out)
    assert found.code == 0 and "origin 3 of 3" in found.err and "origin 2 of 3" not in found.err
    forecaster = make()
    expected = forecaster.cross_validation(days, 3, refit=2, window="rolling", size=50)
    np.testing.assert_allclose(pd.read_csv(out)["yhat"], expected["yhat"])
    lines = [line.split() for line in found.out.splitlines()]
    assert lines[0][:5] == ["step", "ahead", "values", "MAE", "RMSE"] and [line[0] for line in lines[1:5]] == [*"1234"]
    assert lines[6][:3] == ["series", "values", "MAE"] and [line[0] for line in lines[7:]] == ["s0", "s1"]
    told = run_command(capsys, "backtest", run, days, *way, "--json")
    steps = pd.DataFrame(json.loads(told.out)["errors"][0])
    pd.testing.assert_frame_equal(steps, forecaster.fold_errors(expected), check_dtype=False)

    epochs, begun = Session.epochs, []

    def stopped(self: Session) -> Any:
        begun.append(self)
        if len(begun) > 1:
            raise KeyboardInterrupt
        return epochs(self)

    monkeypatch.setattr(Session, "epochs", stopped)
    part = run_command(capsys, "backtest", run, days, *way)
    assert part.code == 130 and "these are the origins that were done" in part.err
    assert part.out.splitlines()[1].split()[:2] == ["1", "4"]  # two origins of two series
    wrong = run_command(capsys, "backtest", run, days, "--size", "50")
    assert wrong.code == 2 and "say --window rolling with it" in wrong.err
    lacking = run_command(capsys, "backtest", run)
    assert lacking.code == 2 and "Name the data after the run" in lacking.err


def test_only_forecasts_are_tested_from_past_origins(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    x = np.random.default_rng(0).normal(size=(40, 12))
    model = Classifier(hidden_size=4, max_epochs=1, epoch_steps=1).fit(x, np.arange(40) % 2)
    model.save(tmp_path / "run")
    np.savez(tmp_path / "x.npz", X=x, y=np.arange(40) % 2)
    answer = run_command(capsys, "backtest", tmp_path / "run", tmp_path / "x.npz")
    assert answer.code == 2 and "not tested from past origins" in answer.err


def test_another_table_is_refused() -> None:
    forecaster = make().fit(wide())
    other = wide(columns=2)
    kind, fitted = forecaster.kind, forecaster.fitted_
    asked = kind.parts.backtest()
    with pytest.raises(DataError, match=r"The run forecasts y, and of this table s0, s1 would be forecast"):
        kind.backtest(fitted, kind.read(other, fitted.config), asked, lambda *told: fitted)
