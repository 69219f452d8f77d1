"""Sample paths and forecasts beyond the horizon: marginals, dependence, widening, and what cannot be."""

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from commands import run_command
from recurra import Forecaster
from recurra.errors import ConfigError, DataError, RunError
from recurra.tasks.forecast.exam import Guess
from recurra.tasks.forecast.extension import usual_count
from recurra.tasks.forecast.paths import drawn, levels_in_order

QUICK: dict[str, Any] = {
    "horizon": 6, "lookback": 12, "segment": 3, "hidden_size": 8, "max_epochs": 4, "epoch_steps": 10, "season": 1,
    "engine": "reference",
}  # fmt: skip


def walk(length: int = 300, seed: int = 0) -> pd.DataFrame:
    values = np.cumsum(np.random.default_rng(seed).standard_normal(length))
    return pd.DataFrame({"ds": pd.date_range("2020-01-01", periods=length), "y": values})


@pytest.fixture(scope="module")
def one() -> Forecaster:
    return Forecaster(**QUICK).fit(walk())


def table(paths: pd.DataFrame) -> np.ndarray:
    """Return the paths of one series (n, H)."""
    return paths.pivot(index="path", columns="ds", values="y").to_numpy()


# ------------------------------------------------------------------------------------------------- the parts


def test_levels_have_the_ranks_of_errors() -> None:
    """Every path has, step by step, the ranks of one error path, and all levels are used evenly."""
    errors = np.random.default_rng(0).standard_normal((40, 5, 2)).cumsum(1)
    levels = levels_in_order(errors, 40, np.random.default_rng(1))
    ranks = {tuple(row) for row in stats.rankdata(errors, axis=0).reshape(40, -1).tolist()}
    assert {tuple(row) for row in stats.rankdata(levels, axis=0).reshape(40, -1).tolist()} == ranks
    assert (np.sort((levels * 40).astype(int), 0) == np.arange(40)[:, None, None]).all()


def test_neighbouring_steps_go_together_as_errors_do() -> None:
    errors = np.random.default_rng(0).standard_normal((300, 8, 1)).cumsum(1)
    levels = levels_in_order(errors, 1200, np.random.default_rng(1))
    own, wanted = (stats.spearmanr(part[..., 0]).statistic for part in (levels, errors))
    np.testing.assert_allclose(own, wanted, atol=0.05)
    assert wanted[0, 1] > 0.6 > wanted[0, 7], "and the steps far from each other less"


def test_equal_errors_are_put_in_order_by_chance() -> None:
    levels = levels_in_order(np.zeros((3, 2, 1)), 2000, np.random.default_rng(0))
    assert abs(np.corrcoef(levels[..., 0].T)[0, 1]) < 0.1
    assert stats.kstest(levels[:, 0, 0], "uniform").pvalue > 0.1


def test_what_is_drawn_from_normal_quantiles_is_normal() -> None:
    place, scale = np.array([3.0, -1.0]).reshape(2, 1, 1), np.array([2.0, 0.5]).reshape(2, 1, 1)
    bands = {level: stats.norm.interval(level / 100, place, scale) for level in (50, 80, 95)}
    levels = np.random.default_rng(0).uniform(0.0001, 0.9999, (2, 50, 1, 1))
    own = drawn(Guess(place, bands), levels)
    np.testing.assert_allclose(own, stats.norm.ppf(levels, place[:, None], scale[:, None]), rtol=1e-6, atol=1e-7)


def test_ends_of_intervals_are_met_where_they_are_skewed() -> None:
    guess = Guess(np.full((1, 1, 1), 1.0), {80: (np.zeros((1, 1, 1)), np.full((1, 1, 1), 9.0))})
    levels = np.array([0.1, 0.5, 0.9]).reshape(1, 3, 1, 1)
    assert drawn(guess, levels).ravel().tolist() == pytest.approx([0, 1, 9])


# --------------------------------------------------------------------------------------------- sample paths


@pytest.mark.parametrize("loss", ["quantile", "student_t"])
def test_marginals_of_paths_are_the_intervals(loss: str) -> None:
    forecaster = Forecaster(**QUICK, loss=loss).fit(walk())
    answer, paths = forecaster.predict(), table(forecaster.sample(2000))
    width = answer["yhat-hi-90"] - answer["yhat-lo-90"]
    for column, q in {
        "yhat-lo-90": 0.05,
        "yhat-lo-80": 0.1,
        "yhat": 0.5,
        "yhat-hi-80": 0.9,
        "yhat-hi-90": 0.95,
    }.items():
        assert (np.abs(np.quantile(paths, q, 0) - answer[column]) < 0.01 * width).all()


def test_steps_of_paths_belong_together_as_the_errors_do(one: Forecaster) -> None:
    paths, errors = table(one.sample(2000)), one.fitted_.learned.errors[..., 0]
    own, wanted = stats.spearmanr(paths).statistic, stats.spearmanr(errors).statistic
    np.testing.assert_allclose(own, wanted, atol=0.05)
    assert wanted[0, 1] > 0.2


def test_a_frame_of_paths(one: Forecaster) -> None:
    paths = one.sample(3, seed=1)
    assert list(paths.columns) == ["unique_id", "ds", "path", "y"]
    assert paths["path"].tolist() == [0] * 6 + [1] * 6 + [2] * 6
    assert paths["ds"].tolist() == one.predict()["ds"].tolist() * 3
    assert paths.equals(one.sample(3, seed=1)) and not paths.equals(one.sample(3, seed=2))
    assert len(one.sample(2, h=4)) == 8 and len(one.sample(2, h=20)) == 40
    assert one.sample(2, df=walk()[:200])["ds"].iloc[0] == pd.Timestamp("2020-07-19")


def test_paths_come_back_with_a_run(one: Forecaster, tmp_path: Any) -> None:
    one.save(tmp_path / "run")
    again = Forecaster.load(tmp_path / "run")
    assert again.sample(5, h=10).equals(one.sample(5, h=10)) and again.predict(15).equals(one.predict(15))


def test_paths_of_counts_are_counts() -> None:
    frame = walk().assign(y=np.random.default_rng(0).poisson(1.0, 300).astype(float))
    paths = Forecaster(**QUICK).fit(frame).sample(200, h=13)["y"]
    assert (paths >= 0).all() and (paths == paths.round()).all() and paths.nunique() > 2


def test_every_series_has_its_own_chance() -> None:
    frame = walk().assign(other=walk(seed=3)["y"] + 100)
    for channels in ("independent", "joint"):
        forecaster = Forecaster(**QUICK, channels=channels).fit(frame)
        paths, answer = forecaster.sample(400, h=9), forecaster.predict(9)
        middle = paths.groupby(["unique_id", "ds"], sort=False)["y"].median().to_numpy()
        assert np.abs(middle - answer["yhat"]).max() < 0.3 * (answer["yhat-hi-90"] - answer["yhat-lo-90"]).max()
        assert answer["unique_id"].tolist() == ["y"] * 9 + ["other"] * 9 and (middle[9:] > 50).all()


@pytest.mark.parametrize("n", [0, -1, 2.5, True, "3"])
def test_n_that_cannot_be(one: Forecaster, n: Any) -> None:
    with pytest.raises(ConfigError, match=f"n must be a whole number from 1 on. Got {n!r} instead"):
        one.sample(n)


def test_what_has_no_intervals_has_no_paths(one: Forecaster) -> None:
    forecaster = Forecaster(**QUICK, loss="absolute").fit(walk())
    with pytest.raises(ConfigError, match="loss='absolute' predicts none: train with loss='quantile'"):
        forecaster.sample()
    old = Forecaster._of(replace(one.fitted_, learned=replace(one.fitted_.learned, errors=None)), [])
    assert old.predict().equals(one.predict())
    for asked in (old.sample, lambda: old.predict(7)):
        with pytest.raises(RunError, match="keeps no errors of its validation, which paths need: train it again"):
            asked()


# ----------------------------------------------------------------------------------------- beyond the horizon


def test_the_first_horizon_stays_and_later_ones_widen(one: Forecaster) -> None:
    answer, short = one.predict(18), one.predict()
    assert answer[:6].equals(short)
    for level in (80, 90):
        wide = (answer[f"yhat-hi-{level}"] - answer[f"yhat-lo-{level}"]).to_numpy().reshape(3, 6)
        assert (np.diff(wide.mean(1)) > 0).all() and wide[1:].min() >= wide[0].max()
    assert (np.diff(answer[["yhat-lo-90", "yhat-lo-80", "yhat", "yhat-hi-80", "yhat-hi-90"]], axis=1) >= 0).all()


def test_a_later_horizon_is_the_median_of_paths_that_were_fed_back(one: Forecaster) -> None:
    """Beside a loop that appends one path after the other to the table and asks again."""
    answer, paths = one.predict(8), one.sample(usual_count(1), h=8)
    middle = paths.groupby("ds")["y"].median().to_numpy()
    np.testing.assert_allclose(answer["yhat"][6:], middle[6:], rtol=1e-6)
    first, ends = table(one.sample(40, h=6)), []
    for path in first:
        longer = pd.concat([walk(), pd.DataFrame({"ds": answer["ds"][:6], "y": path})], ignore_index=True)
        ends.append(one.predict(2, df=longer)["yhat"].to_numpy())
    whole = table(one.sample(40, h=8))
    np.testing.assert_allclose(whole[:, :6], first)
    width = (answer["yhat-hi-90"] - answer["yhat-lo-90"])[6:].mean()
    assert np.abs(np.median(ends, 0) - np.median(whole[:, 6:], 0)).max() < 0.2 * width
    assert np.corrcoef(np.array(ends)[:, 0], whole[:, 6])[0, 1] > 0.5, "each goes on from where it was"


@pytest.mark.parametrize("log", [False, True])
def test_points_are_fed_back_where_there_are_no_intervals(log: bool) -> None:
    """A season of 7 and a horizon of 6, so that a later horizon begins at another place in the season."""
    frame = walk().assign(y=50 + 9 * np.sin(np.arange(300) * 2 * np.pi / 7) + walk()["y"])
    forecaster = Forecaster(**QUICK | {"season": 7}, loss="absolute", cycle=True, log=log).fit(frame)
    answer, first = forecaster.predict(9), forecaster.predict()
    longer = pd.concat([frame, first.rename(columns={"yhat": "y"})[["ds", "y"]]], ignore_index=True)
    np.testing.assert_allclose(answer["yhat"][6:], forecaster.predict(3, df=longer)["yhat"], rtol=1e-4)
    assert list(answer.columns) == ["unique_id", "ds", "yhat"]


def beside(length: int = 200) -> pd.DataFrame:
    price = 1 + np.arange(length + 12) % 5
    sold = 20.0 - 3 * price + np.random.default_rng(0).standard_normal(length + 12)
    stamps = pd.date_range("2020-01-01", periods=length + 12)
    return pd.DataFrame({"ds": stamps, "sold": np.where(np.arange(length + 12) < length, sold, np.nan), "price": price})


def test_what_is_known_ahead_must_reach_as_far() -> None:
    whole = beside()
    table = whole[:206]
    forecaster = Forecaster(**QUICK, target="sold", known="price", calendar=True).fit(table)
    with pytest.raises(DataError, match=r"'price' is not known for 2020-07-25. .*forecast of 10 step.*2020-07-28"):
        forecaster.predict(10)
    answer = forecaster.predict(10, future=whole[200:][["ds", "price"]])
    assert answer.equals(forecaster.predict(10, df=whole)), "from later rows, and from a table of its own"


def test_what_is_known_moves_on_with_the_paths() -> None:
    whole = beside()
    forecaster = Forecaster(**QUICK, target="sold", known="price", loss="absolute").fit(whole[:206])
    answer, longer = forecaster.predict(12, df=whole)["yhat"].to_numpy(), whole.copy()
    longer.loc[200:205, "sold"] = answer[:6]
    np.testing.assert_allclose(answer[6:], forecaster.predict(6, df=longer)["yhat"], rtol=1e-4)


def test_the_calendar_goes_on() -> None:
    table = beside()[:200]
    weekday = pd.DatetimeIndex(table["ds"]).day_of_week
    table = table.assign(sold=np.where(weekday == 6, 0.0, 10.0) + 0.1 * np.sin(np.arange(200)))[["ds", "sold"]]
    quick = QUICK | {"max_epochs": 20, "horizon": 4}
    forecaster = Forecaster(**quick, calendar=True).fit(table)
    answer = forecaster.predict(14)
    sunday = pd.DatetimeIndex(answer["ds"]).day_of_week == 6
    assert answer["yhat"][sunday].max() < answer["yhat"][~sunday].min()
    assert answer.equals(forecaster.predict(14, df=table))


def test_what_lies_beyond_cannot_be_known_of_the_past() -> None:
    table = beside()[:200]
    forecaster = Forecaster(**QUICK, target="sold", past="price").fit(table)
    with pytest.raises(ConfigError, match=r"7 steps .*horizon .*\(6\), and what .* past= will be .*horizon=7"):
        forecaster.predict(7)


def test_too_many_steps_are_refused(one: Forecaster) -> None:
    with pytest.raises(ConfigError, match=r"601 steps are more than 100 times the horizon .* \(6\). Train again with"):
        one.predict(601)


def test_on_the_command_line(one: Forecaster, tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    run, folder = partial(run_command, capsys), one.save(tmp_path / "run")
    answer = run("predict", folder, "--steps", 8)
    assert "beyond the 6 steps of its horizon the model reads 500 paths of its own" in " ".join(answer.err.split())
    assert len(answer.out.splitlines()) == 9
    paths = run("predict", folder, "--paths", 2, "--seed", 5).out.splitlines()
    assert paths[0] == "unique_id,ds,path,y" and len(paths) == 13
    written = run("predict", folder, "--steps", 8, "--out", tmp_path / "f.csv", "--json").out
    assert "500 paths of its own" in written
    assert "paths must be at least 1. Got 0" in run("predict", folder, "--paths", 0).err
    bare = run("predict", folder, "--paths", 2, "--model", "repeat_last")
    assert bare.code == 2 and "repeat_last forecasts without: say --model network" in " ".join(bare.err.split())
    ahead = run("predict", folder, "--steps", 8, "--model", "repeat_last")
    assert "the model reads its own forecasts" in " ".join(ahead.err.split())
