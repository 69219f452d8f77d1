"""A search for settings: where it looks, what it tries, whom it ends early, what mattered, and how it goes on."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest

import recurra
from commands import Run
from recurra import Classifier, Forecaster, LanguageModel, Range, Regressor, Tagger, Translator
from recurra.errors import ConfigError, DataError, RunError
from recurra.settings import TuneAsked, make_config
from recurra.tasks import saving
from recurra.tasks.forecast.kind import KIND
from recurra.tasks.forecast.settings import PARTS
from recurra.training import runs
from recurra.tuning.findings import find
from recurra.tuning.importance import importance
from recurra.tuning.pruning import hopeless, rungs
from recurra.tuning.space import Axis, Space, make_space
from recurra.tuning.strategies import make_strategy
from recurra.tuning.trials import CUT, FAILED, FINISHED, PRUNED, Trial, best_of
from recurra.verbs import trial as trying
from recurra.verbs.common import Source
from recurra.verbs.evaluate import rebuild_report
from recurra.verbs.trial import Job, metric_of, run_trial
from recurra.verbs.tune import Searching, Tuned, tune_settings

KNOWN = PARTS.settings()
TINY: dict[str, Any] = {"hidden_size": 8, "batch_size": 16, "max_epochs": 3, "epoch_steps": 2, "last_epochs": 0}


def sales(rows: int = 120) -> pd.DataFrame:
    random = np.random.default_rng(0)
    values = 50 + 10 * np.sin(2 * np.pi * np.arange(rows) / 7) + random.normal(size=rows)
    return pd.DataFrame({"date": pd.date_range("2024-01-01", periods=rows), "sales": values.round(3)})


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tuning")
    sales().to_csv(folder / "sales.csv", index=False)
    sales(12).to_csv(folder / "short.csv", index=False)
    return folder


def forecaster(**settings: Any) -> Forecaster:
    return Forecaster(horizon=7, **{"combine": False, **TINY, **settings})


def tuned(folder: Path, search: Any = "dropout,learning_rate", **asked: Any) -> Tuned:
    asked = {"trials": 4, "out": str(folder)} | asked
    return recurra.tune(forecaster(), sales(), search=search, **asked)


def told(done: Tuned) -> list[dict[str, Any]]:
    """The trials as they are on disk, in their order, without what depends on how busy the machine is."""
    return [{n: v for n, v in one.items() if n != "seconds"} for one in done.search["trials"]]


# ------------------------------------------------------------------------------------------------- where it looks


def space_of(*search: str) -> Space:
    return make_space(KNOWN, search, PARTS.needed)


def test_a_search_names_settings_alone_or_with_their_values() -> None:
    space = space_of("hidden_size=16..128,dropout,cell=gru,lstm,lstm_gru,attention=none,dot", "bidirectional")
    assert [axis.name for axis in space.axes] == ["hidden_size", "dropout", "cell", "attention", "bidirectional"]
    size, dropout, cell, attention, both = space.axes
    assert size.range == Range(16, 128, log=True) and size.whole
    assert dropout.range == KNOWN["dropout"].tune and not dropout.whole
    assert cell.choices == ("gru", "lstm", "lstm_gru") and attention.choices == ("none", "dot")
    assert both.choices == (False, True)
    assert space.countable is None and space_of("cell=gru,lstm", "bidirectional").countable == 4
    assert space_of("cell=gru,lstm/gru").axes[0].choices == ("gru", ("lstm", "gru"))
    assert "reservoir" not in space_of("cell").axes[0].choices and "lstm_gru" in space_of("cell").axes[0].choices
    same = make_space(KNOWN, {"hidden_size": Range(16, 128), "cell": ["gru", "lstm"]})
    assert same.axes == (size, Axis("cell", choices=("gru", "lstm")))
    assert space_of("lookback=14..42").axes[0].range == Range(14, 42, log=False)
    assert space_of("max_epochs=5,10").axes[0].choices == (5, 10)


@pytest.mark.parametrize(
    ("search", "said"),
    [
        ("hiden_size", "Unknown setting 'hiden_size'. Did you mean 'hidden_size'"),
        ("hidden_size=128..16", "The range 128..16 of hidden_size is empty: give its lower end first."),
        ("hidden_size=16..16", "is empty"),
        ("hidden_size=0..16", "hidden_size must be at least 1. Got 0 instead."),
        ("dropout=0..x", "dropout must be a number. Got 'x' instead."),
        ("cell=gru,lstn", "Unknown cell 'lstn'. Did you mean 'lstm'"),
        ("cell=1..2", "cell is no number, so it has no range"),
        ("lookback", "There is no range to search for the setting lookback: give your own values for it"),
        ("horizon=7,14", "horizon cannot be searched"),
        ("seed=1,2,3", "seed cannot be searched"),
        ("dropout,dropout", "The search names dropout twice"),
        (" , ", "There is nothing to search"),
    ],
)
def test_what_cannot_be_searched_is_said(search: str, said: str) -> None:
    with pytest.raises(ConfigError) as fault:
        make_space(KNOWN, [search], PARTS.needed)
    assert said in str(fault.value) and "\n" not in str(fault.value)


def test_all_faults_come_at_once() -> None:
    with pytest.raises(ConfigError) as fault:
        space_of("horizon,hiden_size,dropout=2..3")
    assert len(str(fault.value).splitlines()) == 3


def test_places_and_values() -> None:
    space = space_of("hidden_size=16..100,dropout,num_layers,cell=gru,lstm")
    random = np.random.default_rng(0)
    for _ in range(200):
        values = space.values(space.draw(random))
        assert 16 <= values["hidden_size"] <= 100 and values["hidden_size"] % 8 in (0, 4)
        assert 0 <= values["dropout"] <= 0.6 and values["num_layers"] in (1, 2, 3) and values["cell"] in ("gru", "lstm")
        assert make_config(PARTS, values | {"horizon": 7})
        assert space.values(space.point(values)) == values  # type: ignore[arg-type]
    sizes = [space.axes[0].draw(random) for _ in range(4000)]
    assert abs(np.mean(np.log(sizes)) - np.log(16 * 100) / 2) < 0.03  # by factors: as many below 40 as above
    assert space.point({"hidden_size": 8, "dropout": 0.1, "num_layers": 1, "cell": "gru"}) is None
    assert len(space.grid()) == 3 * 3 * 3 * 2
    assert {space.values(point)["hidden_size"] for point in space.grid()} == {16, 40, 100}


# ------------------------------------------------------------------------------------------------- what it tries


SPACE = space_of("hidden_size=16..128,dropout,cell=gru,lstm")
FIRST = {"hidden_size": 32, "dropout": 0.3, "cell": 0}


@pytest.mark.parametrize("name", ["random", "grid", "optuna"])
def test_the_same_seed_tries_the_same(name: str) -> None:
    if name == "optuna":
        pytest.importorskip("optuna")

    def points(seed: int, together: Sequence[Sequence[int]]) -> list[Any]:
        strategy = make_strategy(name, SPACE, seed, FIRST)
        before, found = [Trial(0, FIRST, {}, FINISHED, 1.0, (1.0,))], []
        for numbers in together:
            asked = strategy.ask(numbers, before)
            found += asked
            before += [Trial(n, p, {}, FINISHED, 1.0, (n / 9,)) for n, p in zip(numbers, asked, strict=True)]
        return found

    one_by_one = [[n] for n in range(1, 9)]
    assert points(3, one_by_one) == points(3, one_by_one) != points(4, one_by_one)
    if name != "optuna":  # which learns from what is finished
        assert points(3, one_by_one) == points(3, [range(1, 5), range(5, 9)])
    assert len({SPACE.key(point) for point in points(3, one_by_one)}) == 8


def test_chance_tries_all_there_is_once_where_it_can_be_counted() -> None:
    space = space_of("cell=gru,lstm,rnn", "bidirectional")
    for name in ("random", "grid"):
        strategy = make_strategy(name, space, 0, space.point({"cell": "gru", "bidirectional": False}))
        tried = strategy.ask(range(1, 30), [])
        assert len(tried) == 5 and len({space.key(point) for point in tried}) == 5


def test_optuna_learns_from_the_trials_before() -> None:
    """It looks where a made-up cost is low, and is nearer to its lowest point than chance with as many trials."""
    pytest.importorskip("optuna")
    space = space_of("learning_rate=0.0001..0.1,dropout=0..0.9")

    def cost(point: Any) -> float:
        return float((np.log10(point["learning_rate"]) + 2.3) ** 2 + (point["dropout"] - 0.2) ** 2)

    def least(name: str, seed: int) -> float:
        strategy, done = make_strategy(name, space, seed, None), list[Trial]()
        for number in range(1, 41):
            (point,) = strategy.ask([number], done)
            done.append(Trial(number, point, {}, FINISHED, cost(point), (cost(point),)))
        return min(trial.cost for trial in done)

    assert np.mean([least("optuna", n) for n in range(3)]) < 0.6 * np.mean([least("random", n) for n in range(3)])


def test_optuna_missing_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ConfigError, match=r"pip install 'recurra\[tune\]', or give strategy=random"):
        tuned(tmp_path / "run", strategy="optuna")


# ------------------------------------------------------------------------------------------------- who is ended early


def test_the_median_of_the_others_decides() -> None:
    random = np.random.default_rng(1)
    rivals = [np.minimum.accumulate(random.random(random.integers(3, 12))).tolist() for _ in range(9)]
    for _ in range(50):
        curve = np.minimum.accumulate(random.random(random.integers(1, 12))).tolist()
        there = [rival[len(curve) - 1] for rival in rivals if len(rival) >= len(curve)]
        expected = len(there) >= 4 and curve[-1] > np.median(there)
        assert hopeless("median", curve, rivals, 10) == expected
        assert not hopeless("none", curve, rivals, 10)
    assert not hopeless("median", [9.0], [[1.0]] * 3, 10), "three others say nothing"
    assert not hopeless("median", [9.0] * 2, [[1.0] * 9] * 9, 30) and hopeless("median", [9.0] * 3, [[1.0] * 9] * 9, 30)


def test_halving_decides_at_a_few_epochs() -> None:
    assert rungs(1, 30) == [1, 3, 9, 27] and rungs(3, 30) == [3, 9, 27] and rungs(1, 1) == [1]
    rivals = [[float(n)] * 30 for n in range(9)]
    assert not hopeless("halving", [2.0] * 3, rivals, 30) and hopeless("halving", [3.0] * 3, rivals, 30)
    assert not hopeless("halving", [8.0] * 4, rivals, 30) and hopeless("halving", [8.0] * 9, rivals, 30)


def test_a_training_that_is_hopeless_ends_at_once() -> None:
    config = make_config(PARTS, {"horizon": 7} | TINY | {"max_epochs": 20})
    prepared = KIND.prepare(KIND.read(sales(), config), config, 7)
    whole = run_trial(Job(1, None, {}, prepared))
    assert whole.state == FINISHED and len(whole.curve) > 5
    assert list(whole.curve) == sorted(whole.curve, reverse=True) and whole.score == whole.curve[-1]
    better = [[cost - 1e-6 for cost in whole.curve]] * 4
    ended = run_trial(Job(2, None, {}, prepared, rule="median", rivals=better))
    assert ended.state == PRUNED and len(ended.curve) == 2 and ended.score == whole.curve[1]
    worse = [[cost + 1e-6 for cost in whole.curve]] * 4
    assert run_trial(Job(3, None, {}, prepared, rule="median", rivals=worse)).curve == whole.curve
    late = run_trial(Job(4, None, {}, prepared, seconds=0.0))
    assert late.state == CUT and len(late.curve) == 1


# ------------------------------------------------------------------------------------------------- what mattered


def made_up(space: Space, cost: Any, count: int = 40) -> list[Trial]:
    random, found = np.random.default_rng(0), []
    for number in range(count):
        point = space.draw(random)
        score = float(cost(space.values(point), random))
        found.append(Trial(number, point, space.values(point), FINISHED, score, (score,)))
    return found


def test_the_one_setting_that_matters_is_found() -> None:
    space = space_of("hidden_size=16..128,dropout,cell=gru,lstm,rnn,learning_rate")

    def by_rate(values: Any, random: Any) -> float:
        return (np.log10(values["learning_rate"]) + 3) ** 2 + 0.02 * random.normal()

    def by_cell(values: Any, random: Any) -> float:
        return (
            {"gru": 1.0, "lstm": 2.0, "rnn": 3.0}[values["cell"]]
            + 0.1 * random.normal()
            + 1e6 * (random.random() > 0.97)
        )

    for cost, name in ((by_rate, "learning_rate"), (by_cell, "cell")):
        found = importance(space, made_up(space, cost))
        assert next(iter(found.shares)) == name and found.shares[name] > 0.85
        assert sum(found.shares.values()) == pytest.approx(1) and found.foretold > 0.5


def test_shares_agree_with_those_of_the_variance() -> None:
    """Of a cost that is a sum, each setting explains its part of the variance (first-order Sobol' indices)."""
    space = space_of("dropout=0..0.9,weight_drop=0..0.9,zoneout=0..0.9")
    found = importance(space, made_up(space, lambda v, random: 3 * v["dropout"] + 1.5 * v["weight_drop"], 200))
    assert found.shares["dropout"] == pytest.approx(0.8, abs=0.1)  # 9 to 2.25
    assert found.shares["zoneout"] < 0.03


def test_where_nothing_is_to_be_said_nothing_is() -> None:
    space = space_of("dropout", "hidden_size=16..128")
    noise = made_up(space, lambda values, random: random.normal())
    metric = metric_of(_prepared())
    assert not importance(space, noise).known and not importance(space, noise[:9]).known
    assert any("their scores do not follow from the settings" in said for said in find(space, noise, metric).sentences)
    few = find(space, noise[:9], metric).sentences
    assert any(
        "Too few trials to say what mattered: 9 within what is searched have a score, and it takes 10" in said
        for said in few
    )
    assert not importance(space, made_up(space, lambda values, random: 1.0)).known


def _prepared(**settings: Any) -> Any:
    config = make_config(PARTS, {"horizon": 7} | TINY | settings)
    return KIND.prepare(KIND.read(sales(), config), config, 7)


def test_what_is_said_of_the_best() -> None:
    space, metric = space_of("dropout", "cell=gru,lstm"), metric_of(_prepared())

    def said(*scores: float) -> str:
        trials = [Trial(n, None, {"dropout": 0.1 * n, "cell": "gru"}, FINISHED, s, (s,)) for n, s in enumerate(scores)]
        return find(space, trials, metric).sentences[0]

    assert said(1.0, 1.1, 1.2) == ("None of 2 other trials is better than the settings as they are: validation loss 1.")
    assert (
        "Trial 1 is the best one: validation loss 0.8, 20 % better than the settings as they are: dropout=0.1"
        in said(1.0, 0.8)
    )
    assert "1 % better than the settings as they are, which may well be chance" in said(1.0, 0.99)
    assert said(1.0) == "Only the settings as they are were tried: validation loss 1."
    ended = [Trial(0, None, {}, FINISHED, 1.0, (1.0,)), Trial(1, None, {}, PRUNED, 0.5, (0.5,))]
    assert best_of(ended) == ended[0], "what was ended early is never kept"


# ------------------------------------------------------------------------------------------------- the whole


def test_a_search_leaves_an_ordinary_run(tmp_path: Path) -> None:
    done = tuned(tmp_path / "run", trials=12)
    trials = done.trials
    assert len(trials) == 12 and set(trials.columns) > {"trial", "dropout", "learning_rate", "loss", "state"}
    first = done.search["trials"][0]
    assert first["number"] == 0 and first["values"] == {"dropout": 0.3, "learning_rate": 2e-3}
    best = best_of([Trial.from_plain(one) for one in done.search["trials"]])
    assert best is not None and best.score == min(
        one["score"] for one in done.search["trials"] if one["state"] == FINISHED
    )
    fitted, history = saving.load(done.folder)
    assert min(epoch["valid_loss"] for epoch in history) == best.score, "it was trained again to the same weights"
    assert fitted.config.plain()["dropout"] == best.values["dropout"] and fitted.config.model.hidden_size == 8
    assert len(done.estimator.predict()) == 7
    lines = (done.folder / runs.TRIALS).read_text().splitlines()
    assert [json.loads(line)["number"] for line in lines] == list(range(12))
    assert not (done.folder / runs.CHECKPOINT).exists()
    html = (done.folder / runs.REPORT).read_text(encoding="utf-8")
    for said in ("What the search found", "All 12 trials", "Setting by setting", *done.finding.sentences[1:2]):
        assert said in html
    assert rebuild_report(fitted, history, done.folder, KIND.read(sales(), fitted.config)).read_text() == html
    with pytest.raises(RunError, match=r"There is no interrupted search in .*the run there is finished"):
        tuned(tmp_path / "run", resume=str(done.folder), out=None)


@pytest.mark.parametrize("strategy", ["grid", "optuna"])
def test_each_strategy(strategy: str, tmp_path: Path) -> None:
    if strategy == "optuna":
        pytest.importorskip("optuna")
    done = tuned(tmp_path / "run", "cell=gru,lstm,dropout=0..0.5", strategy=strategy, trials=7)
    assert {one["state"] for one in done.search["trials"]} == {FINISHED} and len(done.trials) == 7
    if strategy == "grid":
        tried = {(one["values"]["cell"], one["values"]["dropout"]) for one in done.search["trials"][1:]}
        assert tried == {(cell, dropout) for cell in ("gru", "lstm") for dropout in (0.0, 0.25, 0.5)}


def test_the_number_of_jobs_changes_nothing(tmp_path: Path) -> None:
    """Also which trainings are ended early: they are held against those of earlier waves, whoever runs beside them."""
    asked: dict[str, Any] = {"trials": 14, "search": "learning_rate=0.00001..0.02,cell=gru,lstm"}
    alone = tuned(tmp_path / "alone", **asked)
    assert PRUNED in {one["state"] for one in alone.search["trials"]}
    with joblib.parallel_config("threading", n_jobs=3):
        beside = tuned(tmp_path / "beside", **asked)
    assert told(alone) == told(beside)


@pytest.mark.slow
def test_processes_of_their_own_change_nothing(tmp_path: Path) -> None:
    alone, beside = tuned(tmp_path / "alone", trials=5), tuned(tmp_path / "beside", trials=5, jobs=2)
    assert told(alone) == told(beside)


KILLED = """
import os, signal, sys
import pandas as pd
from recurra.verbs import trial as trying
import recurra
from recurra import Forecaster
calls, first = [], trying.score_of
def score_of(epoch):
    calls.append(epoch)
    if len(calls) == 11:  # in the fourth trial, which has three epochs as all have
        os.kill(os.getpid(), signal.SIGKILL)
    return first(epoch)
trying.score_of = score_of
recurra.tune(Forecaster(horizon=7, combine=False, hidden_size=8, batch_size=16, max_epochs=3, epoch_steps=2,
    last_epochs=0), pd.read_csv(sys.argv[1], parse_dates=["date"]), search="dropout,learning_rate", trials=6,
    out=sys.argv[2])
"""


def test_what_was_killed_in_the_middle_of_a_trial_goes_on(home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "killed"
    command = [sys.executable, "-c", KILLED, str(home / "sales.csv"), str(folder)]
    ended = subprocess.run(command, check=False, env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert ended.returncode == -signal.SIGKILL
    _, about = runs.read_state(folder, "tune")
    assert [one["number"] for one in about["trials"]] == [0, 1, 2]
    with pytest.raises(
        RunError, match=f"The search in .* was not finished. Go on with: recurra tune --resume {folder}"
    ):
        saving.load(folder)
    with pytest.raises(ConfigError, match="A search goes on with what it began with: space"):
        tuned(folder, "dropout", trials=6, resume=str(folder), out=None)
    again = tuned(folder, trials=6, resume=str(folder), out=None)
    assert told(again) == told(tuned(tmp_path / "whole", trials=6))


def test_trials_that_cannot_be_are_told_and_left(tmp_path: Path) -> None:
    done = tuned(tmp_path / "run", {"heads": [1, 3], "attention": ["multi_head"]}, trials=4)
    failed = [one for one in done.search["trials"] if one["state"] == FAILED]
    assert failed and all(one["why"] and one["score"] is None for one in failed)
    assert "failed:" in (done.folder / runs.REPORT).read_text(encoding="utf-8")
    assert done.finding.trials[0].state == FINISHED


def test_settings_of_the_task_are_told_apart_by_the_metric_that_ranks(tmp_path: Path) -> None:
    done = tuned(tmp_path / "run", "segment=1,7,loss=absolute,squared", trials=3)
    assert done.search["metric"]["name"] == "mase" and "mase" in done.trials
    _, history = saving.load(done.folder)
    assert min(epoch["watched"] for epoch in history) == done.trials["mase"].iloc[0]


def test_minutes_bound_a_search(tmp_path: Path) -> None:
    done = recurra.tune(
        forecaster(max_epochs=20, epoch_steps=8, patience=20),
        sales(),
        search="dropout",
        minutes=0.01,
        out=str(tmp_path / "run"),
    )
    assert 1 <= len(done.trials) < 30 and done.search["trials"][0]["state"] == FINISHED


@pytest.mark.parametrize("strategy", ["random", "optuna"])
def test_ctrl_c_keeps_what_is_finished(strategy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if strategy == "optuna":
        pytest.importorskip("optuna")
    calls, first, folder = [], trying.score_of, tmp_path / "run"

    def score_of(epoch: Any) -> float:
        calls.append(epoch)
        if len(calls) == 8:
            raise KeyboardInterrupt
        return first(epoch)

    monkeypatch.setattr(trying, "score_of", score_of)
    with pytest.raises(KeyboardInterrupt):
        tuned(folder, strategy=strategy)
    monkeypatch.undo()
    assert len(runs.read_state(folder, "tune")[1]["trials"]) == 2
    again = {"resume": str(folder), "out": None, "strategy": strategy}
    if strategy == "random":
        assert len(tuned(folder, **again, trials=2).trials) == 2, "fewer trials than before end it where it is"
    else:
        assert told(tuned(folder, **again)) == told(tuned(tmp_path / "whole", strategy=strategy))


# ------------------------------------------------------------------------------------------------- every kind


def waves() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    fast = np.arange(40) % 2
    x = np.sin(np.arange(20) * (0.3 + 0.4 * fast[:, None]) + random.uniform(0, 6, (40, 1)))
    return x + 0.1 * random.normal(size=x.shape), fast


X, FAST = waves()
SMALL: dict[str, Any] = {"hidden_size": 8, "batch_size": 8, "max_epochs": 2, "epoch_steps": 2}
WORDS = ["one two three", "two three four", "four one two", "three one", "two four", "one", "four three", "two two"]
EVERY = {
    "forecast": (forecaster(), sales()),
    "classify": (Classifier(**SMALL, last_epochs=0, filters=4, combine=False), (X, FAST)),
    "regress": (Regressor(**SMALL, last_epochs=0, filters=4), (X, X.mean(1))),
    "tag": (Tagger(**SMALL, last_epochs=0, filters=4), (X, (X > 0).astype(int))),
    "language": (LanguageModel(**SMALL, steps=8), "the cat sat on the mat and the dog sat on the cat. " * 30),
    "seq2seq": (Translator(**SMALL, level="word"), (WORDS * 3, [" ".join(reversed(w.split())) for w in WORDS * 3])),
}


@pytest.mark.parametrize("task", EVERY)
def test_every_kind_is_tuned(task: str, tmp_path: Path) -> None:
    estimator, data = EVERY[task]
    done = recurra.tune(estimator, data, trials=3, out=str(tmp_path / "run"))
    usual = [n for n in estimator.kind.parts.search if n not in ("hidden_size", "batch_size")]
    assert len(done.trials) == 3 and set(done.search["trials"][1]["values"]) == set(usual)
    assert type(done.estimator) is type(estimator) and done.report is not None
    assert done.estimator.kind.metrics(done.estimator.fitted_.config)[0].name in next(
        iter(done.trained.judged.metrics.values())  # type: ignore[union-attr]
    )


# ------------------------------------------------------------------------------------------------- the command


SHORT = ["--horizon", "7", "--hidden-size", "8", "--epoch-steps", "2", "--max-epochs", "2", "--last-epochs", "0"]


def test_the_command(run: Run, home: Path) -> None:
    answer = run("tune", "sales.csv", *SHORT, "--search", "dropout,cell=gru,lstm", "--trials", "4", "--out", "told")
    assert answer.code == 0, answer.err
    assert "trial" in answer.out and "the best one" in answer.out and "Run folder: told" in answer.out
    assert "4/4  trial 3" in answer.err and "cell=" in answer.err
    assert run("predict", "told").code == 0 and run("evaluate", "told").code == 0
    assert run("report", "told").code == 0 and "All 4 trials" in (home / "told/report.html").read_text(encoding="utf-8")
    several = run("tune", "sales.csv", *SHORT, "--search", "dropout", "--search", "cell=gru,lstm", "--trials", "4",
                  "--out", "again", "--json")  # fmt: skip
    first = [json.loads(line) for line in (home / "told/trials.jsonl").read_text().splitlines()]
    assert [one["score"] for one in json.loads(several.out)["trials"]] == [one["score"] for one in first]
    taken = run("tune", "sales.csv", *SHORT, "--out", "told")
    assert taken.code == 2 and "holds a run already" in taken.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--search", "hiden_size"], "Unknown setting 'hiden_size'. Did you mean 'hidden_size'?"),
        (["--search", "dropout=0.5..0.1"], "The range 0.5..0.1 of dropout is empty: give its lower end first."),
        (["--size", "l", "--search", "hidden_size"], "--size l decides hidden_size, which is searched"),
        (["--cell", "reservoir"], "A reservoir tries many numbers in each training already"),
        (["--trials", "0"], "trials must be at least 1"),
        (["--strategy", "best"], "Unknown strategy 'best'"),
    ],
)
def test_mistakes_are_answered_in_a_sentence(arguments: list[str], said: str, run: Run) -> None:
    answer = run("tune", "sales.csv", *[one for one in SHORT if "reservoir" not in arguments or one in SHORT[:2]],
                 *arguments)  # fmt: skip
    assert answer.code == 2 and said in answer.err and "Traceback" not in answer.err


def test_too_little_data_is_said(run: Run) -> None:
    answer = run("tune", "short.csv", *SHORT)
    assert answer.code == 2 and "Traceback" not in answer.err and "rows" in answer.err


def test_names_of_options_are_checked() -> None:
    with pytest.raises(ConfigError, match=r"Unknown setting 'trails'\. Did you mean 'trials'"):
        recurra.tune(forecaster(), sales(), trails=3)


def test_a_search_of_nothing_held_out_works(tmp_path: Path) -> None:
    config = make_config(PARTS, {"horizon": 7} | TINY)
    source = Source(KIND.read(sales(), config), test_size=0)
    done = tune_settings(
        KIND, source, {"horizon": 7} | TINY, Searching(TuneAsked(trials=2), ["dropout"]), tmp_path / "r"
    )
    assert done.trained.judged is None and len(done.trials) == 2
    with pytest.raises(DataError):
        recurra.tune(forecaster(), sales(9), trials=2)


# ------------------------------------------------------------------------------------------------- without a search


@pytest.mark.parametrize("task", EVERY)
def test_one_dial_for_every_kind(task: str) -> None:
    """m is what is there without it, s and l are smaller and larger, and what is given wins."""
    estimator, data = EVERY[task]
    kind, parts = estimator.kind, estimator.kind.parts
    needed = {"horizon": 7} if task == "forecast" else {}

    def sizes(**settings: Any) -> tuple[int, int, list[str]]:
        config = make_config(parts, needed | settings)
        prepared = kind.prepare(kind.read(data, config), config, 0)
        again = kind.fill_sized(prepared.config, prepared.plan)
        assert again.plain() == prepared.config.plain(), "what was chosen stays, in a run that is read again"
        said = [note for note in prepared.plan.notes if note.startswith("size=")]
        return prepared.config.model.hidden_size, prepared.config.training.max_epochs, said

    units, epochs, said = sizes()
    assert (units, epochs, said) == sizes(size="m") and not said
    assert sizes(size="s")[:2] == (units // 2, round(epochs / 2))
    assert sizes(size="l")[:2] == (units * 2, round(epochs * 1.5))
    assert sizes(size="l")[2] == [
        f"size=l: hidden_size={2 * units} and max_epochs={round(1.5 * epochs)}, where size=m has {units} and {epochs}"
    ]
    assert sizes(size="l", hidden_size=24, max_epochs=3)[:2] == (24, 3)
