"""Numbers for sequences: what is learned, how answers are judged, what costs little, and the toy problem."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from commands import Answer, run_command
from pages import figures_in
from recurra import Regressor
from recurra.data.batch import Batch
from recurra.errors import DataError
from recurra.nn.intervals import levels_of
from recurra.nn.models import Output
from recurra.nn.ridge import PENALTIES
from recurra.settings import make_config
from recurra.tasks.base import Prepared
from recurra.tasks.regress.answers import Guess, Truth, statistics_of
from recurra.tasks.regress.baselines import NEIGHBOURS
from recurra.tasks.regress.figures import Said, error_figure, said_figure
from recurra.tasks.regress.kind import KIND
from recurra.tasks.regress.metrics import regress_metrics
from recurra.tasks.regress.numbers import groups_of
from recurra.tasks.saving import from_run, to_run
from recurra.tasks.session import Session

Run = Callable[..., Answer]
RNG = np.random.default_rng(7)
TINY: dict[str, Any] = {"hidden_size": 8, "epoch_steps": 3, "max_epochs": 2, "batch_size": 8, "last_epochs": 1}


def marked(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The adding problem (Hochreiter & Schmidhuber 1997): two of 12 numbers are marked, (N, 2, 12); their sum (N,)."""
    random = np.random.default_rng(seed)
    values, marks = random.random((count, 12)), np.zeros((count, 12))
    np.put_along_axis(marks, np.argsort(random.random((count, 12)), 1)[:, :2], 1, 1)
    return np.stack([values, marks], 1), (values * marks).sum(1)


def prepared(X: Any, y: Any, size: int = 10, **settings: Any) -> Prepared:
    config = make_config(KIND.parts, TINY | settings)
    return KIND.prepare(KIND.read((X, y), config), config, size)


def trained(X: Any, y: Any, size: int = 10, **settings: Any) -> Session:
    session = Session(prepared(X, y, size, **settings))
    for _ in session.epochs():
        pass
    return session


def fitted(X: Any, y: Any, size: int = 10, **settings: Any) -> Session:
    session = trained(X, y, size, **settings)
    session.fit_baselines()
    return session


# The toy problem.


def test_the_sum_of_marked_numbers_is_learned_and_no_line_can_say_it() -> None:
    """Always saying the mean has an error of 1/6; which number is marked is a product, which no line is."""
    settings = {"hidden_size": 16, "epoch_steps": 25, "max_epochs": 10, "learning_rate": 1e-2, "attention": "none"}
    session = fitted(*marked(800, 0), 200, **settings | {"batch_size": 32, "last_epochs": 4})
    exam = KIND.exam(session.prepared.data, session.prepared.learned, session.prepared.plan.test)
    errors = {
        name: float(((answer.point - exam.truth.values) ** 2).mean())
        for name, answer in {
            "network": KIND.ask(session.fitted, exam.examples),
            **{name: one.answer(exam.examples) for name, one in session.fitted.baselines.items()},
        }.items()
    }
    assert errors["network"] < 0.02
    assert errors.keys() == {"network", "mean", "median", "nearest neighbours", "ridge", "random convolutions"}
    other = errors.pop("random convolutions")  # which are no line, either: the sum of two channels beyond a threshold
    assert errors["network"] < other, (errors, other)
    assert all(error > 0.08 for name, error in errors.items() if name != "network"), errors
    assert errors["mean"] == pytest.approx(1 / 6, rel=0.25)


# Cutting and scaling.


def test_small_and_large_numbers_are_in_every_part() -> None:
    numbers = RNG.lognormal(size=103)
    groups = groups_of(numbers[:, None])
    assert np.array_equal(np.unique(groups), np.arange(10)) and np.bincount(groups).min() >= 10
    assert all(numbers[groups == n].max() <= numbers[groups == n + 1].min() for n in range(9))
    assert groups_of(numbers[:7, None]).tolist() == [0] * 7
    plan = prepared(RNG.normal(size=(103, 4)), numbers, 20).plan
    parts = [plan.train, plan.valid, plan.test]
    assert sorted(np.concatenate(parts).tolist()) == list(range(103))
    assert all((np.bincount(groups[part], minlength=10) > 0).all() for part in parts)


def test_targets_are_scaled_by_the_training_cases_and_come_back() -> None:
    y = np.stack([RNG.normal(5, 2, 50), RNG.normal(-1e6, 1e3, 50)], 1)
    found = prepared(RNG.normal(size=(50, 4)), y)
    learned, plan = found.learned, found.plan
    np.testing.assert_allclose(learned.mean, y[plan.train].mean(0))
    np.testing.assert_allclose(learned.std, y[plan.train].std(0))
    targets = found.valid.targets  # type: ignore[attr-defined]
    assert targets.dtype == torch.float32
    np.testing.assert_allclose(learned.unscaled(targets.numpy()), y[plan.valid], rtol=1e-5)


@pytest.mark.parametrize(
    ("loss", "each"),
    [
        ("squared", lambda e: e[:, 0] ** 2),
        ("absolute", lambda e: np.abs(e[:, 0])),
        ("huber", lambda e: np.where(np.abs(e[:, 0]) <= 1, e[:, 0] ** 2 / 2, np.abs(e[:, 0]) - 0.5)),
        (
            "quantile",
            lambda e: sum(
                2 * w * np.maximum(-q * e[:, n], (1 - q) * e[:, n])
                for n, (q, w) in enumerate([(0.05, 0.1), (0.1, 0.1), (0.5, 1.0), (0.9, 0.1), (0.95, 0.1)])
            ),
        ),
    ],
)
@pytest.mark.parametrize("weighted", [False, True])
def test_the_loss_is_that_of_its_head(loss: str, each: Callable[[np.ndarray], np.ndarray], weighted: bool) -> None:
    """The mean over the targets of a case, and over cases by their weights; rows of e are parameters of one value."""
    count = 5 if loss == "quantile" else 1
    found = prepared(RNG.normal(size=(20, 4)), RNG.normal(size=(20, 2)), loss=loss)
    _, task = KIND.build(found.config, found.learned)
    said, true, weights = RNG.normal(size=(6, 2 * count)), RNG.normal(size=(6, 2)), RNG.random(6)
    others = {"weight": torch.from_numpy(weights)} if weighted else {}
    batch = Batch(torch.zeros(6, 4, 1), torch.from_numpy(true), others=others)
    mean = task.loss(Output(torch.from_numpy(said)), batch).mean
    losses = np.mean([each(said[:, k * count : (k + 1) * count] - true[:, [k]]) for k in (0, 1)], 0)
    assert float(mean) == pytest.approx(np.average(losses, weights=weights if weighted else None))


# Intervals.


@pytest.mark.parametrize("targets", [1, 2])
def test_intervals_hold_what_they_say_on_the_cases_that_validate(targets: int) -> None:
    X = RNG.normal(size=(150, 6))
    y = (X[:, :1] + RNG.standard_t(3, (150, 2)))[:, :targets] * [1.0, 100.0][:targets] + 5
    session = fitted(X, y, 0, last_epochs=0, validation_size=60, levels=(50, 80))
    valid = session.prepared.data.some(session.prepared.plan.valid)
    guess = KIND.ask(session.fitted, session.prepared.valid)
    assert session.fitted.learned.moves.shape == (targets, 5) and session.fitted.learned.moves.any(1).all()
    for level, (low, high) in guess.bands.items():
        inside = ((valid.numbers >= low) & (valid.numbers <= high)).mean(0)
        assert inside == pytest.approx(level / 100 * (1 + 1 / 60), abs=1.01 / 60)
    (low_50, high_50), (low_80, high_80) = guess.bands[50], guess.bands[80]
    assert (low_80 <= low_50).all() and (low_50 <= guess.point).all() and (high_50 <= high_80).all()


def test_the_margin_is_the_quantile_of_the_misses() -> None:
    session = fitted(*marked(100, 0), 0, last_epochs=0)
    learned, task = session.fitted.learned, session.fitted.task
    valid: Any = session.prepared.valid
    with torch.no_grad():
        output = session.fitted.network(valid.take(torch.arange(len(valid)))).prediction
    ends, true = task.head.interval(output).numpy(), valid.targets[:, 0].numpy()  # type: ignore[attr-defined]
    for level, low, high in levels_of(task.head.quantiles):  # type: ignore[attr-defined]
        misses = np.sort([max(e[low] - t, t - e[high]) for e, t in zip(ends, true, strict=True)])
        share = min(1.0, level / 100 * (1 + 1 / len(true)))
        expected = np.interp(share * (len(true) - 1), np.arange(len(true)), misses)
        assert learned.moves[0, high] == pytest.approx(expected, rel=1e-4)
        assert learned.moves[0, low] == pytest.approx(-learned.moves[0, high], rel=1e-12)


# How good answers are.


@pytest.mark.parametrize("targets", [1, 3])
def test_metrics_are_those_of_scikit_learn(targets: int) -> None:
    truth, said = RNG.normal(3, 2, (40, targets)), RNG.normal(3, 2, (40, targets))
    unit = np.ones(1) if targets == 1 else truth.std(0)
    found = statistics_of(Truth(truth, unit), Guess(said, {80: (said - 1, said + 1)}))
    numbers = {metric.name: metric.of(found) for metric in regress_metrics((80,))}
    assert numbers["mae"] == pytest.approx(mean_absolute_error(truth / unit, said / unit))
    flat = (truth / unit).ravel(), (said / unit).ravel()
    assert numbers["rmse"] == pytest.approx(root_mean_squared_error(*flat))
    assert numbers["r2"] == pytest.approx(r2_score(truth, said))
    assert numbers["coverage_80"] == np.mean(np.abs(truth - said) <= 1)
    assert regress_metrics(())[0].name == "mae"


def test_r2_is_not_known_where_nothing_varies() -> None:
    found = statistics_of(Truth(np.ones((5, 1)), np.ones(1)), Guess(np.zeros((5, 1)), {}))
    assert np.isnan(regress_metrics(())[2].of(found))


# What costs little.


def test_the_middle_is_that_of_all_cases_not_held_out() -> None:
    X, y = RNG.normal(size=(40, 5)), RNG.lognormal(size=40)
    session = fitted(X, y)
    rest = np.setdiff1d(np.arange(40), session.prepared.plan.test)
    exam = KIND.exam(session.prepared.data, session.prepared.learned, session.prepared.plan.test)
    said = {name: session.fitted.baselines[name].answer(exam.examples).point for name in ("mean", "median")}
    assert np.unique(said["mean"]) == pytest.approx(y[rest].mean()) and said["mean"].shape == (10, 1)
    assert np.unique(said["median"]) == pytest.approx(np.median(y[rest]))


def line_of(X: np.ndarray, z: np.ndarray, penalty: float) -> Any:
    """A ridge regression of scikit-learn on standardised values; its penalty is on the sum of squares, not the mean."""
    return make_pipeline(StandardScaler(), Ridge(len(X) * penalty)).fit(X, z)


def test_neighbours_and_ridge_are_those_of_scikit_learn() -> None:
    X, y = RNG.normal(size=(60, 2, 5)) * [[[1], [30]]], RNG.normal(size=(60, 2))
    session = fitted(X, y)
    found = session.prepared
    rest = np.concatenate([found.plan.train, found.plan.valid])
    scaled = X / X[found.plan.train].std((0, 2))[:, None]
    flat = scaled.transpose(0, 2, 1).reshape(60, -1)
    exam = KIND.exam(found.data, found.learned, found.plan.test)
    said = {name: one.answer(exam.examples).point for name, one in session.fitted.baselines.items()}
    neighbours = KNeighborsRegressor(NEIGHBOURS).fit(flat[rest], y[rest])
    np.testing.assert_allclose(said["nearest neighbours"], neighbours.predict(flat[found.plan.test]), rtol=1e-4)
    z = (y[rest] - found.learned.mean) / found.learned.std
    ridges = [line_of(flat[rest], z, penalty) for penalty in PENALTIES]
    lines = [found.learned.unscaled(ridge.predict(flat[found.plan.test])) for ridge in ridges]
    assert min(np.abs(line - said["ridge"]).max() for line in lines) < 1e-3, "one of the penalties"


def test_random_convolutions_tell_how_fast_a_wave_is_wherever_it_begins() -> None:
    y = RNG.uniform(0.1, 0.5, (120, 2))
    X = np.sin(y[:, :, None] * np.arange(60) + RNG.uniform(0, 6, (120, 2, 1))) + RNG.normal(0, 0.1, (120, 2, 60))
    session = fitted(X, y * [1, 1000], 40)
    exam = KIND.exam(session.prepared.data, session.prepared.learned, session.prepared.plan.test)
    rows = session.fitted.baselines
    errors = {name: np.abs(row.answer(exam.examples).point - exam.truth.values).mean(0) for name, row in rows.items()}
    assert all((errors["random convolutions"] < 0.5 * errors[name]).all() for name in ("ridge", "nearest neighbours"))
    loaded = from_run(to_run(session.fitted, []), Path(), KIND).baselines["random convolutions"]
    said = rows["random convolutions"].answer(exam.examples).point
    assert np.array_equal(loaded.answer(exam.examples).point, said)


# Bad data.


@pytest.mark.parametrize(
    ("count", "y", "says"),
    [
        (4, [2.5] * 4, "The target 'target' is 2.5 in all 4 cases: there is nothing to learn"),
        (1, [2.5], "There is one case only, and another must be kept"),
        (4, [[1, 3], [2, 3], [1, 3], [4, 3]], "The target 'target_2' is 3 in all 4 cases"),
        (4, pd.Series([1.0, 2, 3, 4], name="case"), "A target cannot be called 'case'"),
        (4, ["a", "b", "a", "b"], "y holds text such as 'a', not numbers; .* The task 'classify' can read these data"),
        (4, None, "A training needs numbers to learn: give a path"),
    ],
)
def test_data_of_which_nothing_can_be_learned(count: int, y: Any, says: str) -> None:
    X = RNG.normal(size=(count, 5))
    with pytest.raises(DataError, match=says):
        Regressor().fit(X, y)


def test_two_cases_are_enough_to_try() -> None:
    assert np.isfinite(
        Regressor(**TINY).fit(RNG.normal(size=(2, 5)), [1.0, 2.0]).predict(RNG.normal(size=(3, 5)))
    ).all()


def test_other_targets_are_refused() -> None:
    regressor = Regressor(**TINY).fit(RNG.normal(size=(20, 5)), RNG.normal(size=20))
    with pytest.raises(DataError, match=r"trained on 1 target\(s\), but these cases have 2"):
        regressor.score(RNG.normal(size=(4, 5)), RNG.normal(size=(4, 2)))
    with pytest.raises(DataError, match="These cases have no numbers"):
        regressor.score(RNG.normal(size=(4, 5)))


# The command line.

SMALL = ["--hidden-size", 8, "--max-epochs", 2, "--epoch-steps", 3, "--batch-size", 16]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command in a folder with a table of cases in rows and one of steps in rows."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    random = np.random.default_rng(0)
    X = random.normal(size=(40, 6)).round(3)
    wide = pd.DataFrame(X).add_prefix("t").assign(price=(X[:, 0] * 3).round(2), cost=X.sum(1).round(2))
    wide.to_csv("wide.csv", index=False)
    steps = pd.DataFrame({"shop": np.repeat(np.arange(40), 6), "x": X.ravel(), "price": np.repeat(wide.price, 6)})
    steps.to_csv("long.csv", index=False)
    return lambda *arguments: run_command(capsys, *arguments)


def test_train_predict_evaluate_report(run: Run) -> None:
    answer = run(
        "train", "long.csv", "--task", "regress", "--target", "price", "--id", "shop", *SMALL, "--out", "run", "--json"
    )
    assert answer.code == 0, answer.err
    metrics = json.loads(answer.out)["about"]["metrics"]
    assert set(metrics["this model"]) == {"mae", "rmse", "r2", "coverage_80", "coverage_90"}
    assert set(metrics) == {"this model", "mean", "median", "nearest neighbours", "ridge", "random convolutions"}
    assert json.loads(run("evaluate", "run", "--json").out) == metrics
    pd.read_csv("long.csv").drop(columns="price").to_csv("new.csv", index=False)
    answer = run("predict", "run", "new.csv", "--out", "answers.csv")
    assert answer.code == 0, answer.err
    answers = pd.read_csv("answers.csv")
    assert list(answers) == ["case", "price", "price-lo-80", "price-hi-80", "price-lo-90", "price-hi-90"]
    assert answers["case"].tolist() == list(range(40))
    assert ((answers["price-lo-80"] <= answers["price"]) & (answers["price"] <= answers["price-hi-90"])).all()
    for row in ("ridge", "random_convolutions", "nearest_neighbours", "median"):
        answer = run("predict", "run", "new.csv", "--model", row, "--out", f"{row}.csv")
        assert answer.code == 0 and f"{row} answers without intervals; they come with" in answer.err
        assert list(pd.read_csv(f"{row}.csv")) == ["case", "price"]
    page = Path("run/report.html").read_text(encoding="utf-8")
    for heading in (
        "A number for each sequence: price",
        "Predicted and true",
        "Errors",
        "The worst cases",
        "Two cases",
    ):
        assert heading in page
    assert "attention and occlusion agree" in page.lower()
    drawn = [line for figure in figures_in(page) for line in figure["data"]]
    assert sum(line.get("name") == "the answer moves without it by" for line in drawn) == 2, "below both cases"
    assert run("report", "run").code == 0


def test_several_targets_and_a_comparison(run: Run) -> None:
    asked = ["wide.csv", "--task", "regress", "--target", "price,cost", *SMALL]
    answer = run("compare", *asked, "--cells", "gru", "--attentions", "none,dot", "--seeds", 1, "--out", "both")
    assert answer.code == 0 and "nearest neighbours" in answer.out, answer.err
    answer = run("predict", "both", "wide.csv", "--out", "answers.csv")
    assert answer.code == 0, answer.err
    assert [name for name in pd.read_csv("answers.csv") if "-" not in name] == ["case", "price", "cost"]
    assert "Target by target" in Path("both/report.html").read_text(encoding="utf-8")


def test_nothing_held_out_is_said(run: Run) -> None:
    answer = run(
        "train", "wide.csv", "--task", "regress", "--target", "price", "--test-size", 0, *SMALL, "--out", "run"
    )
    assert answer.code == 0, answer.err
    assert "upper quarter" in Path("run/report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["wide.csv"], "No column is the target of a case; name it with --target"),
        (["wide.csv", "--target", "prise"], "There is no column 'prise' for the target. Did you mean 'price'?"),
        (["wide.csv", "--target", "price", "--loss", "squared", "--levels", 50], "levels has no effect"),
    ],
)
def test_mistakes_are_one_sentence(run: Run, arguments: list[Any], says: str) -> None:
    answer = run("train", *arguments, "--task", "regress", *SMALL)
    assert answer.code == 2 and says in answer.err


# Pictures.


def test_points_are_drawn_where_they_are_and_intervals_around_them() -> None:
    truth, point = np.arange(5000.0), np.arange(5000.0) + 1
    said = Said([str(n) for n in range(5000)], truth, point, (point - 2, point + 3))
    line, dots = said_figure(said, "price").data
    assert len(dots.x) == 3000 and np.array_equal(dots.y, dots.x + 1) and list(line.x) == list(line.y)
    assert set(dots.error_y.array) == {3.0} and set(dots.error_y.arrayminus) == {2.0}
    assert dots.customdata[0] == "Case '0': predicted 1, true 0" and line.x[0] < 0 and line.x[1] > 5000
    (errors,) = error_figure(Said(["a<b"], truth[:1], point[:1])).data
    assert (list(errors.x), list(errors.y)) == ([1.0], [1.0]) and "a&lt;b" in errors.customdata[0]


# Intervals when the validation cases have trained, too.


def noisy(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """What is to be said is noise, which a network can only learn by heart."""
    random = np.random.default_rng(seed)
    return random.normal(size=(count, 12)), random.normal(size=count)


def test_intervals_stay_as_wide_as_they_were_calibrated() -> None:
    """On the validation cases, by the mean; without the epochs in which these train it is the calibration itself."""
    widths = {}
    for last in (0, 4):
        session = trained(*noisy(60, 0), 0, last_epochs=last, epoch_steps=20)
        valid = session.prepared.data.some(session.prepared.plan.valid)
        said = KIND.ask(session.fitted, KIND.encode(valid, session.fitted.learned))
        widths[last] = {
            level: [np.mean(said.point - low), np.mean(high - said.point)] for level, (low, high) in said.bands.items()
        }
    for level in (80, 90):
        np.testing.assert_allclose(widths[0][level], widths[4][level], rtol=0.05)


@pytest.mark.slow
def test_intervals_hold_what_they_should_after_the_last_epochs() -> None:
    inside: dict[int, list[float]] = {80: [], 90: []}
    for seed in range(6):
        session = trained(*noisy(80, seed), 0, last_epochs=10, epoch_steps=12, filters=8, attention="none")
        X, y = noisy(300, 100 + seed)
        cases = KIND.read((X, y), session.fitted.config)
        said = KIND.ask(session.fitted, KIND.encode(cases, session.fitted.learned))
        for level, (low, high) in said.bands.items():
            inside[level].append(float(((low[:, 0] <= y) & (y <= high[:, 0])).mean()))
    found = {level: float(np.mean(shares)) for level, shares in inside.items()}
    assert abs(found[80] - 0.8) < 0.06 and abs(found[90] - 0.9) < 0.05, found
