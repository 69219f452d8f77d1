"""Rolling origins: what is compared with what, in which unit, and that no forecast has seen its future."""

import dataclasses
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import mean_absolute_error, root_mean_squared_error

from recurra.compare.significance import diebold_mariano
from recurra.data.series import Panel, Schema
from recurra.errors import ConfigError, DataError
from recurra.nn.heads import AbsoluteHead, QuantileHead
from recurra.nn.intervals import levels_of
from recurra.settings import make_config
from recurra.tasks.base import Exam, Fitted, Prepared
from recurra.tasks.forecast.answers import forecast
from recurra.tasks.forecast.exam import (
    Guess,
    Truth,
    ask_network,
    error_by_step,
    make_exam,
    statistics_of,
    truth_of,
)
from recurra.tasks.forecast.kind import KIND, part_from
from recurra.tasks.forecast.metrics import forecast_metrics, loss_per_origin, naive_scale
from recurra.tasks.forecast.network import ForecastNet
from recurra.tasks.forecast.plan import Part, make_plan, tracks_of
from recurra.tasks.forecast.scaling import Scaling, unscale
from recurra.tasks.forecast.settings import PARTS, BacktestAsked
from recurra.tasks.forecast.windows import Rows, Windows
from recurra.tasks.session import Session

NAN = np.nan
TINY: dict[str, Any] = {"hidden_size": 8, "epoch_steps": 3, "max_epochs": 2, "batch_size": 16}


def panel_of(*series: np.ndarray, season: int = 5) -> Panel:
    names = tuple(f"s{n}" for n in range(len(series)))
    return Panel(Schema(None, None, ("y",), None, season=season), names, series, (1,) * len(series))


def wave(n: int, seed: int, share: float = 0.0) -> np.ndarray:
    random = np.random.default_rng(seed)
    values = 20 * seed + 3 * np.sin(np.arange(n) * 2 * np.pi / 5) + random.normal(size=n)
    return np.where(random.random(n) < share, np.nan, values)


def table(truth: Truth, guess: Guess) -> pd.DataFrame:
    """Return every single error with where it comes from."""
    return pd.DataFrame(
        [
            {
                "origin": truth.origins[w],
                "step": h,
                "error": abs(truth.values[w, h, c] - guess.point[w, h, c]),
                "scaled": abs(truth.values[w, h, c] - guess.point[w, h, c]) / truth.mase[w, 0, c],
                "std": (truth.values[w, h, c] - guess.point[w, h, c]) / truth.std[w, 0, c],
                "window": w,
            }
            for w, h, c in np.ndindex(truth.values.shape)
        ]
    ).dropna()


@pytest.fixture
def some() -> tuple[Truth, Guess]:
    random = np.random.default_rng(0)
    values = random.normal(size=(9, 4, 2))
    values[random.random(values.shape) < 0.3] = NAN
    values[3] = NAN  # a window of which nothing is known
    origins = np.array([7, 7, 8, 8, 9, 9, 12, 12, 5])
    scales = random.uniform(1, 2, (3, 9, 1, 2))
    truth = Truth(values, np.zeros(9, int), origins, scales[0], scales[1])
    point = random.normal(size=values.shape)
    return truth, Guess(point, {80: (point - 1, point + 1)})


def test_loss_per_origin_against_pandas(some: tuple[Truth, Guess]) -> None:
    per_window = table(*some).groupby(["origin", "window"])["scaled"].mean()
    expected = per_window.groupby("origin").mean()
    assert expected.index.tolist() == [5, 7, 8, 9, 12], "in order of time"
    np.testing.assert_allclose(loss_per_origin(statistics_of(*some)), expected)


def test_loss_of_an_origin_of_which_nothing_is_known(some: tuple[Truth, Guess]) -> None:
    truth, guess = some
    truth.values[truth.origins == 12] = NAN
    losses = loss_per_origin(statistics_of(truth, guess))
    assert np.isnan(losses).tolist() == [False, False, False, False, True]


def test_error_by_step_against_pandas(some: tuple[Truth, Guess]) -> None:
    np.testing.assert_allclose(error_by_step(*some), table(*some).groupby("step")["error"].mean())
    truth, guess = some
    truth.values[:, 2] = NAN
    assert np.isnan(error_by_step(truth, guess)).tolist() == [False, False, True, False]


def test_summary_against_pandas_and_scikit_learn(some: tuple[Truth, Guess]) -> None:
    truth, guess = some
    statistics, rows = statistics_of(truth, guess), table(truth, guess)
    found = {metric.name: metric.of(statistics) for metric in forecast_metrics((80,))[:9]}
    known = np.isfinite(truth.values)
    assert found["mae"] == pytest.approx(mean_absolute_error(truth.values[known], guess.point[known]))
    assert found["mase"] == pytest.approx(rows["scaled"].mean())
    assert found["scaled_mse"] == pytest.approx((rows["std"] ** 2).mean())
    assert found["scaled_mae"] == pytest.approx(rows["std"].abs().mean())
    assert found["coverage_80"] == pytest.approx((rows["error"] <= 1).mean())
    assert found["rmse"] == pytest.approx(root_mean_squared_error(truth.values[known], guess.point[known]))
    assert list(found) == ["mase", "mae", "rmse", "smape", "coverage_80", "crps", "wql", "scaled_mae", "scaled_mse"]


def test_statistics_are_window_by_window(some: tuple[Truth, Guess]) -> None:
    """What one window says does not depend on the others, so that cases can be drawn."""
    truth, guess = some
    every = statistics_of(truth, guess)
    known = np.isfinite(truth.values)
    assert every["count"].tolist() == known.sum((1, 2)).tolist() and every["count"][3] == 0
    assert every["origin"].tolist() == truth.origins.tolist()
    for w in range(9):
        one = Truth(*(getattr(truth, name)[[w]] for name in ("values", "series", "origins", "mase", "std")))
        bands = {80: (guess.bands[80][0][[w]], guess.bands[80][1][[w]])}
        alone = statistics_of(one, Guess(guess.point[[w]], bands))
        assert {name: values[0] for name, values in alone.items()} == {name: every[name][w] for name in every}


def test_a_guess_can_be_cut_short(some: tuple[Truth, Guess]) -> None:
    guess = some[1].first(3)
    np.testing.assert_array_equal(guess.point, some[1].point[:, :3])
    np.testing.assert_array_equal(guess.bands[80], np.stack(some[1].bands[80])[:, :, :3])


@pytest.mark.parametrize(("step", "overlap"), [(1, 4), (2, 2), (3, 2), (4, 1), (9, 1)])
def test_how_many_neighbours_share_targets(some: tuple[Truth, Guess], step: int, overlap: int) -> None:
    assert dataclasses.replace(some[0], step=step).overlap == overlap
    shared = [n for n in range(1, 9) if n * step < 4]
    assert overlap == 1 + len(shared)


def test_unscale_is_the_inverse() -> None:
    values = np.random.default_rng(0).normal(size=(3, 4, 2))
    scaling = Scaling.plain(np.array([[1.0, 10.0], [5.0, 50.0]]), np.array([[2.0, 20.0], [3.0, 30.0]]))
    found = unscale(values, scaling, np.array([1, 0, 1]))
    assert found[0, 2, 1] == values[0, 2, 1] * 30 + 50 and found[1, 0, 0] == values[1, 0, 0] * 2 + 1


@pytest.mark.parametrize("levels", [(), (80,), (80, 90), (50, 99)])
def test_levels_of_quantiles(levels: tuple[int, ...]) -> None:
    quantiles = QuantileHead(levels).quantiles
    found = levels_of(quantiles)
    assert [level for level, _, _ in found] == sorted(levels)
    for level, low, high in found:
        assert (quantiles[low], quantiles[high]) == pytest.approx(((100 - level) / 200, (100 + level) / 200))


def test_truth_is_what_the_series_say() -> None:
    tracks = [wave(30, 1, 0.2)[:, None], 1e6 + wave(20, 2)[:, None]]
    scaling = Scaling.of(tracks, [20, 10])
    rows = Rows.of(tracks, scaling, 3)
    part = Part((np.arange(20, 27), np.arange(3, 17)), 3, (20, 10), step=7)
    windows = rows.windows(6, 4, part.origins)
    truth = truth_of(windows, tracks, part, season=5)
    assert truth.step == 7
    for w in range(len(windows)):
        s, origin = truth.series[w], truth.origins[w]
        np.testing.assert_array_equal(truth.values[w], tracks[s][origin : origin + 4], "exactly, not rounded")
        np.testing.assert_array_equal(truth.mase[w, 0], naive_scale(tracks[s][: [20, 10][s]], 5))
        np.testing.assert_array_equal(truth.std[w, 0], scaling.std[s])
    assert (np.diff(truth.origins[truth.series == 1]) == 1).all() and truth.origins[truth.series == 1][0] == 3


def test_a_series_without_a_naive_error_is_scaled_by_its_spread() -> None:
    tracks = [wave(30, 1)[:, None], np.concatenate([np.full(20, 3.0), wave(10, 2)])[:, None]]
    scaling = Scaling.of(tracks, [30, 30])
    rows = Rows.of(tracks, scaling, 0)
    part = Part((np.array([20]), np.array([20])), 0, (1, 20))
    truth = truth_of(rows.windows(6, 4, part.origins), tracks, part, season=5)
    np.testing.assert_array_equal(truth.mase[:, 0], scaling.std)


# With a network


PANEL = panel_of(wave(80, 1), wave(70, 2, 0.1))


class Trained(NamedTuple):
    prepared: Prepared
    fitted: Fitted


def trained(panel: Panel, held_out: int = 12, **settings: Any) -> Trained:
    config = make_config(PARTS, {"horizon": 3, "lookback": 10} | TINY | settings)
    session = Session(KIND.prepare(panel, config, held_out))
    for _ in session.epochs():
        pass
    return Trained(session.prepared, session.fitted)


class Backtest(NamedTuple):
    windows: Windows
    truth: Truth
    guess: Guess


def answered(fitted: Fitted, exam: Exam) -> Backtest:
    return Backtest(exam.examples, exam.truth, KIND.ask(fitted, exam.examples))  # type: ignore[arg-type]


def backtest(fitted: Fitted, panel: Panel, size: int, step: int = 1) -> Backtest:
    tracks = tracks_of(panel, fitted.learned.joint)
    part = part_from(fitted.learned, tracks, [max(1, len(track) - size) for track in tracks], size, step)
    return answered(fitted, KIND.exam(panel, fitted.learned, part))


def held_out(model: Trained) -> Windows:
    return KIND.encode(PANEL, model.prepared.learned, model.prepared.plan.test)


@pytest.fixture(scope="module")
def model() -> Trained:
    return trained(PANEL, segment=5, cell="lstm_gru")


def test_batches_change_nothing(model: Trained) -> None:
    windows = held_out(model)
    one, few = (ask_network(model.fitted.network, model.fitted.task.head, windows, size) for size in (512, 3))
    np.testing.assert_allclose(one.point, few.point, rtol=1e-5)
    assert list(one.bands) == [80, 90]
    for level in one.bands:
        np.testing.assert_allclose(one.bands[level], few.bands[level], rtol=1e-5)
        assert (one.bands[level][0] <= one.point).all() and (one.point <= one.bands[level][1]).all()
    assert (one.bands[90][0] <= one.bands[80][0]).all() and (one.bands[80][1] <= one.bands[90][1]).all()


def test_a_head_without_intervals_has_no_bands(model: Trained) -> None:
    class Zero(ForecastNet):
        def __init__(self) -> None:
            torch.nn.Module.__init__(self)
            self.one = torch.nn.Parameter(torch.ones(1))

        def forward(self, batch: Any, record: bool = False) -> Any:
            return SimpleNamespace(prediction=self.one.detach() * torch.zeros(len(batch), 3, 1, 1))

    windows = held_out(model)
    guess = ask_network(Zero(), AbsoluteHead(), windows)
    assert guess.bands == {}
    mean = model.prepared.learned.scaling.mean
    np.testing.assert_array_equal(guess.point[:, 0, 0], mean[windows.series.numpy(), 0])


def test_no_forecast_has_seen_its_future(model: Trained) -> None:
    """Change everything from some step on: forecasts up to there stay, to the last digit."""
    before = backtest(model.fitted, PANEL, 12)
    for origin in (69, 72):
        spoilt = [values.copy() for values in PANEL.values]
        for values, n in zip(spoilt, (80, 70), strict=True):
            values[origin - 80 + n :] = 1e3
        after = backtest(model.fitted, panel_of(*spoilt), 12)
        assert (before.truth.origins == after.truth.origins).all()
        place = before.truth.origins + np.array([0, 10])[before.truth.series]
        early = place <= origin
        np.testing.assert_array_equal(before.guess.point[early], after.guess.point[early])
        late = place > origin
        assert early.any() and (before.guess.point[late] != after.guess.point[late]).all(1).all()


def test_training_on_a_spoilt_future_gives_the_same_forecasts() -> None:
    answers = []
    for spoilt in (False, True):
        changed = [np.concatenate([v[:-12], v[-12:] * -50]) if spoilt else v for v in PANEL.values]
        answers.append(backtest(trained(panel_of(*changed)).fitted, PANEL, 12).guess.point)
    np.testing.assert_array_equal(*answers)


def test_a_backtest_says_what_forecasts_one_by_one_say(model: Trained) -> None:
    test = backtest(model.fitted, PANEL, 12, step=4)
    assert sorted(set(zip(test.truth.series.tolist(), test.truth.origins.tolist(), strict=True))) == [
        (0, 68), (0, 72), (0, 76), (1, 58), (1, 62), (1, 66),
    ]  # fmt: skip
    for w, (s, origin) in enumerate(zip(test.truth.series, test.truth.origins, strict=True)):
        values = tuple(v[:origin] if n == s else v for n, v in enumerate(PANEL.values))
        answer = forecast(model.fitted, dataclasses.replace(PANEL, values=values))
        np.testing.assert_allclose(answer.guess.point[s], test.guess.point[w], rtol=1e-5)
        np.testing.assert_allclose(answer.guess.bands[80][0][s], test.guess.bands[80][0][w], rtol=1e-5)


def test_the_held_out_test_is_the_backtest_of_the_end(model: Trained) -> None:
    prepared = model.prepared
    kept = answered(model.fitted, KIND.exam(PANEL, prepared.learned, prepared.plan.test))
    later = backtest(model.fitted, PANEL, 12)
    np.testing.assert_array_equal(kept.truth.origins, later.truth.origins)
    np.testing.assert_allclose(kept.guess.point, later.guess.point, rtol=1e-5)
    np.testing.assert_array_equal(kept.truth.values, later.truth.values)


def test_too_few_rows_to_evaluate(model: Trained) -> None:
    with pytest.raises(DataError, match="needs at least 4 rows"):
        backtest(model.fitted, panel_of(wave(3, 1), wave(3, 2)), 12)
    assert len(backtest(model.fitted, panel_of(wave(4, 1), wave(3, 2)), 12).windows) == 1


def test_an_exam_says_on_what_is_judged(model: Trained) -> None:
    plan = model.prepared.plan
    assert KIND.exam(PANEL, model.fitted.learned, plan.test).said == "judged by 20 forecasts of the last 12 rows"
    part = make_plan(PANEL, model.fitted.config.task, 12, 4).test
    said = KIND.exam(PANEL, model.fitted.learned, part).said
    assert said == "judged by 6 forecasts of the last 12 rows, one from every 4th step"


def test_an_exam_of_nothing_is_refused(model: Trained) -> None:
    hollow = dataclasses.replace(PANEL, values=tuple(np.append(v[:-12], np.full(12, NAN)) for v in PANEL.values))
    with pytest.raises(DataError, match=r"The last 12 rows, which are held out .* hold no known value"):
        KIND.exam(hollow, model.fitted.learned, make_plan(hollow, model.fitted.config.task, 12).test)
    empty = make_plan(PANEL, model.fitted.config.task, 0).test
    with pytest.raises(DataError, match="no value is known that a forecast could be compared with"):
        make_exam(PANEL, model.fitted.learned, empty, KIND.encode(PANEL, model.fitted.learned, empty))


def test_an_exam_of_all_begins_after_the_first_lookback(model: Trained) -> None:
    learned = model.fitted.learned
    panel = panel_of(wave(30, 4), wave(12, 5))
    exam = KIND.exam(panel, learned, None)
    origins = [exam.truth.origins[exam.truth.series == s].tolist() for s in (0, 1)]
    assert origins == [list(range(10, 28)), list(range(6, 10))], "of a short series the first half is read"
    np.testing.assert_array_equal(exam.truth.mase[0, 0], naive_scale(wave(30, 4)[:10, None], 5))
    windows = KIND.encode(panel, learned)
    assert torch.equal(windows.starts, exam.examples.starts)  # type: ignore[attr-defined]


def test_an_exam_of_less_than_a_lookback_says_how_many_rows_it_is_about(model: Trained) -> None:
    exam = KIND.exam(panel_of(wave(8, 4), wave(6, 5)), model.fitted.learned, None)
    assert exam.said == "judged by 3 forecasts of the last 4 rows"
    assert (exam.truth.series.tolist(), exam.truth.origins.tolist()) == ([0, 0, 1], [4, 5, 3])


# What a run is judged on again


def chosen(model: Trained, size: int | None, kept: int | None, step: int | None = None) -> tuple[Part, list[str]]:
    told: list[str] = []
    return KIND.choose(PANEL, model.fitted, BacktestAsked(step=step), size, kept, told.extend), told


def test_the_held_out_rows_are_judged_if_nothing_is_said(model: Trained) -> None:
    plan = model.prepared.plan
    for size in (None, 12):
        part, told = chosen(model, size, 12)
        assert told == [] and (part.size, part.ends) == (12, plan.train_ends)
        np.testing.assert_array_equal(np.concatenate(part.origins), np.concatenate(plan.test.origins))
    part, _ = chosen(model, None, 12, step=4)
    assert part.step == 4 and [origins.tolist() for origins in part.origins] == [[68, 72, 76], [58, 62, 66]]


@pytest.mark.parametrize(("size", "kept"), [(7, 12), (7, None), (20, None)])
def test_other_rows_are_judged_if_asked(model: Trained, size: int, kept: int | None) -> None:
    part, told = chosen(model, size, kept)
    assert told == [] and part.size == size
    expected = [list(range(n - size, n - 2)) for n in (80, 70)]
    assert [origins.tolist() for origins in part.origins] == expected
    assert part.ends == (80 - size, 70 - size), "all before the first forecast is past"


def test_rows_that_were_trained_on_are_judged_with_a_warning(model: Trained) -> None:
    part, told = chosen(model, 20, 12)
    assert part.size == 20
    assert told == ["careful: of the last 20 rows only 12 were held out of the training of this run"]
    assert chosen(model, None, None)[0].size == 7, "a tenth of other data"
    with pytest.raises(ConfigError, match="The test size is 2"):
        chosen(model, 2, 12)


# Chance


def test_chance_is_that_of_the_mean_losses_of_all_seeds(model: Trained) -> None:
    exam = KIND.exam(PANEL, model.fitted.learned, model.prepared.plan.test)
    random = np.random.default_rng(0)
    guesses = [Guess(exam.truth.values + random.normal(size=exam.truth.values.shape), {}) for _ in range(5)]
    first, second = ([statistics_of(exam.truth, guess) for guess in part] for part in (guesses[:2], guesses[2:]))
    metric = KIND.metrics(model.fitted.config)[0]
    one, two = (np.mean([loss_per_origin(seed) for seed in seeds], 0) for seeds in (first, second))
    assert one.shape == (20,), "ten origins of each series, which end ten rows apart"
    p = KIND.chance(exam, first, second, metric)
    assert 0 < p < 1 and p == diebold_mariano(one, two, 3)
    assert KIND.chance(exam, first, first, metric) == 1.0
