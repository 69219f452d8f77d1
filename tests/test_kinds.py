"""What holds for every kind of task that the package has, from its settings to its run folders."""

import inspect
import json
import pydoc
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.model_selection import RandomizedSearchCV

from recurra import Classifier, Forecaster, LanguageModel, Regressor, Tagger, Translator
from recurra.errors import ConfigError, RunError
from recurra.settings import make_config, settings_of
from recurra.tasks import TASKS, kind_of, name_of, parts_of, saving
from recurra.tasks.base import Fitted, Kind
from recurra.tasks.cases.base import CaseKind
from recurra.tasks.forecast.splitting import TimeSplit
from recurra.tasks.session import Session
from recurra.training import runs
from recurra.verbs.common import judge

QUICK = {"hidden_size": 8, "max_epochs": 2, "epoch_steps": 3, "batch_size": 16}


def sales() -> pd.DataFrame:
    random = np.random.default_rng(0)
    values = 50 + 10 * np.sin(2 * np.pi * np.arange(150) / 7) + random.normal(size=150)
    return pd.DataFrame({"date": pd.date_range("2024-01-01", periods=150), "sales": values.round(3)})


def waves() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    fast = np.arange(60) % 2
    steps = np.arange(24) * np.where(fast, 0.8, 0.3)[:, None] + random.uniform(0, 6, (60, 1))
    return np.sin(steps) + 0.1 * random.normal(size=(60, 24)), np.where(fast, "fast", "slow")


def heights() -> tuple[np.ndarray, np.ndarray]:
    X, _ = waves()
    y = np.random.default_rng(1).uniform(1, 3, 60)
    return X * y[:, None], y


def crests() -> tuple[np.ndarray, np.ndarray]:
    """Waves whose steps are labelled by whether they are high."""
    X, _ = waves()
    return X, np.where(X > 0.5, "high", "low")


def verses() -> str:
    """Lines of words, of which one says which comes next."""
    random = np.random.default_rng(0)
    return "".join(f"the {'red cat sleeps' if n else 'old dog barks'} again\n" for n in random.integers(0, 2, 60))


def phrases() -> list[tuple[str, str]]:
    """A noun and what it does, and the same with every word the other way round."""
    random = np.random.default_rng(0)
    words = [f"{noun}{n} {verb}" for noun in ("cat", "dog", "cow") for verb in ("sits", "runs") for n in range(20)]
    return [(words[n], " ".join(word[::-1] for word in words[n].split())) for n in random.permutation(len(words))]


GIVEN: dict[str, tuple[Any, dict[str, Any]]] = {
    "forecast": (sales(), {"horizon": 7}),
    "classify": (waves(), {}),
    "regress": (heights(), {}),
    "tag": (crests(), {}),
    "language": (verses(), {}),
    "seq2seq": (phrases(), {}),
}
each_kind = pytest.mark.parametrize("task", TASKS)
OF_CASES = [task for task in TASKS if isinstance(kind_of(task), CaseKind)]
each_kind_of_cases = pytest.mark.parametrize("task", OF_CASES)


def session_of(task: str, **settings: Any) -> Session:
    kind: Kind = kind_of(task)
    source, own = GIVEN[task]
    config = make_config(kind.parts, QUICK | own | settings)
    return Session(kind.prepare(kind.read(source, config), config, 20))


def trained(task: str, **settings: Any) -> Session:
    session = session_of(task, **settings)
    for _ in session.epochs():
        pass
    session.fit_baselines()
    return session


ESTIMATORS: dict[str, Any] = {
    "forecast": Forecaster,
    "classify": Classifier,
    "regress": Regressor,
    "tag": Tagger,
    "language": LanguageModel,
    "seq2seq": Translator,
}


@each_kind
def test_an_estimator_shows_all_its_settings(task: str) -> None:
    """Names, defaults and choices in the signature, which editors complete; the lines of help in the docstring."""
    estimator, settings = ESTIMATORS[task], parts_of(task).settings()
    assert parts_of(task).estimator == estimator.__name__
    shown, text = inspect.signature(estimator).parameters, pydoc.render_doc(estimator, renderer=pydoc.plaintext)
    assert list(shown) == list(settings)
    for name, one in settings.items():
        assert (shown[name].kind, shown[name].default) == (inspect.Parameter.KEYWORD_ONLY, one.default)
        hint = shown[name].annotation
        literals = [kind for kind in (hint, *get_args(hint)) if get_origin(kind) is Literal]
        assert tuple(choice for literal in literals for choice in get_args(literal)) == one.choices
        lines = [line for line in text.splitlines() if f"    {name}: {one.help}" in line]
        assert lines and all(choice in lines[0] for choice in one.choices)


@each_kind
def test_an_argument_that_is_none_is_refused_with_the_nearest(task: str) -> None:
    estimator = ESTIMATORS[task]
    for name in parts_of(task).settings():
        wrong = f"{name}s_"
        for call in (
            lambda wrong=wrong: estimator(**{wrong: 1}),
            lambda wrong=wrong: estimator().set_params(**{wrong: 1}),
        ):
            with pytest.raises(ConfigError, match=f"^Unknown setting '{wrong}'. Did you mean '{name}'") as caught:
                call()
            assert isinstance(caught.value, TypeError), "as for any function of Python"
    with pytest.raises(ConfigError, match=f"{estimator.__name__} takes its settings by name. Got 24 without one"):
        estimator(24)
    with pytest.raises(ConfigError) as caught:
        estimator(hiden_size=3, epoch_step=2)
    assert len(str(caught.value).splitlines()) == 2


@each_kind
def test_a_class_of_ones_own_may_take_more(task: str) -> None:
    class Mine(ESTIMATORS[task]):  # type: ignore[misc]
        def __init__(self, extra: int = 0, **settings: Any):
            super().__init__(**settings)
            self.extra = extra

    assert (Mine(extra=3, seed=2).extra, Mine(seed=2).seed) == (3, 2)
    with pytest.raises(ConfigError, match=r"Unknown setting 'sed'\. Did you mean 'seed'"):
        Mine(sed=2)
    assert not (Mine.__doc__ or "").count("Args:")


def answers(session_or_fitted: Any, session: Session) -> dict[str, Any]:
    """Return what the model and each baseline say to the exam."""
    fitted: Fitted = session_or_fitted
    prepared = session.prepared
    exam = prepared.kind.exam(prepared.data, prepared.learned, prepared.plan.test)
    judged = judge(fitted, exam)
    return judged.metrics


def test_every_kind_is_tried_here() -> None:
    assert set(GIVEN) == set(TASKS)


@each_kind
def test_its_settings(task: str) -> None:
    parts = parts_of(task)
    assert parts.name == task == name_of(kind_of(task))
    every = [name for cls in parts.by_name().values() for name in settings_of(cls)]
    assert len(every) == len(set(every)), "a name belongs to one part"
    for name, setting in parts.settings().items():
        assert len(setting.help) > 10 and not setting.help.endswith("."), name
        if setting.tune is not None:
            low, high, log = setting.tune
            assert low < high and (setting.low is None or low >= setting.low) and not (log and low <= 0), name
    assert set(parts.needed) <= set(settings_of(parts.own))
    assert parts.data.endswith(".") and parts.answer


@each_kind
def test_its_metrics(task: str) -> None:
    session = session_of(task)
    metrics = session.prepared.kind.metrics(session.prepared.config)
    assert metrics[0].better and metrics[0].help
    assert len({metric.name for metric in metrics}) == len(metrics)
    numbers = answers(trained(task).fitted, session)
    assert set(numbers["this model"]) == {metric.name for metric in metrics}
    prepared = session.prepared
    baselines = prepared.kind.baselines(prepared.config, prepared.learned)
    assert any(one.naive for one in baselines.values()), "something that costs nothing is in every table"


@each_kind
def test_a_run_comes_back_as_it_was(task: str, tmp_path: Path) -> None:
    session = trained(task)
    folder = saving.save(session.fitted, session.history, tmp_path / "run")
    again, history = saving.load(folder)
    assert history == session.history and again.record == session.fitted.record
    assert again.config.flat() == session.fitted.config.flat()
    assert list(again.baselines) == list(session.fitted.baselines)
    assert answers(again, session) == answers(session.fitted, session), "baselines too, to the last digit"
    for name, value in session.fitted.network.state_dict().items():
        assert torch.equal(value, again.network.state_dict()[name]), name
    saving.save(again, history, tmp_path / "again")
    assert (tmp_path / "again" / runs.CONFIG).read_bytes() == (folder / runs.CONFIG).read_bytes()
    one, two = (runs.read(place).weights for place in (folder, tmp_path / "again"))
    assert one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


@each_kind
def test_what_is_learned_is_plain_data(task: str) -> None:
    learned = session_of(task).prepared.learned
    plain, arrays = learned.to_plain()
    assert all(isinstance(array, np.ndarray) for array in arrays.values())
    again = kind_of(task).recall(json.loads(json.dumps(plain)), arrays)
    assert again.to_plain()[0] == plain
    for name, array in again.to_plain()[1].items():
        np.testing.assert_array_equal(array, arrays[name])


@each_kind
def test_the_seed_decides(task: str) -> None:
    one, same, other = (trained(task, seed=seed, dropout=0.2).fitted.network.state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not all(torch.equal(one[name], other[name]) for name in one)


def spoilt(task: str, data: Any, plan: Any) -> Any:
    """Return the data with something else where the test is."""
    if task == "language":
        return replace(data, text=data.text[: -plan.test_size] + "?" * plan.test_size)
    if task == "seq2seq":
        sides = [list(data.sources), list(data.targets)]
        for place in plan.test:
            sides[0][place] = sides[1][place] = f"?{place}"
        return replace(data, sources=tuple(sides[0]), targets=tuple(sides[1]))
    values = [one.copy() for one in data.values]
    if task == "forecast":
        values[0][-20:] = 1e6
    else:
        for place in plan.test:
            values[place][:] = 1e6
    return replace(data, values=tuple(values))


@each_kind
def test_the_held_out_part_changes_nothing_of_the_training(task: str) -> None:
    kind: Kind = kind_of(task)
    source, own = GIVEN[task]
    config = make_config(kind.parts, QUICK | own)
    data = kind.read(source, config)
    prepared = kind.prepare(data, config, 20)
    other = kind.prepare(spoilt(task, data, prepared.plan), config, 20)
    for one, two in ((prepared.train, other.train), (prepared.valid, other.valid)):
        numbers = torch.arange(len(one))
        assert torch.equal(one.take(numbers).inputs, two.take(numbers).inputs)


@each_kind_of_cases
def test_cases_that_are_held_out_and_trained_on_are_counted(task: str) -> None:
    kind, (X, y), config = kind_of(task), GIVEN[task][0], make_config(parts_of(task), {})
    X = X.copy()
    X[7, 3] = np.nan
    first = kind.plan(kind.read((X, y), config), config, 20)
    assert not [note for note in first.notes if "also among" in note]
    X[first.test[:3]] = X[first.train[[0, 5, 5]]]
    plan = kind.plan(kind.read((X, y), config), config, 20)
    assert plan.test.tolist() == first.test.tolist()
    said = "careful: 3 of 20 test cases are also among the training cases, so results look better than they are"
    assert plan.notes[-1] == said
    assert kind.plan(kind.read((X, y), config), config, 0).test_size == 0


@each_kind
def test_a_run_of_another_task_is_refused(task: str, tmp_path: Path) -> None:
    session = trained(task)
    saving.save(session.fitted, [], tmp_path / "run")
    other = next(name for name in TASKS if name != task)
    with pytest.raises(RunError, match=f"of the task '{task}', not of '{other}'"):
        saving.load(tmp_path / "run", kind_of(other))


@each_kind
def test_training_may_stop_by_a_metric(task: str) -> None:
    metric = kind_of(task).metrics(session_of(task).prepared.config)[0]
    session = session_of(task, watch=metric.name, max_epochs=4, patience=4)
    epochs = [epoch for epoch in session.epochs() if epoch.valid_loss is not None]
    values = [epoch.watched for epoch in epochs]
    assert len(values) == session.progress.epoch and all(value is not None for value in values)
    best = max(values) if metric.better == "high" else min(values)  # type: ignore[type-var]
    least = min(epoch.valid_loss for epoch in epochs if epoch.watched == best)  # type: ignore[type-var]
    assert session.progress.best_epoch == 1 + [(one.watched, one.valid_loss) for one in epochs].index((best, least))
    with pytest.raises(ConfigError, match=f"Did you mean '{metric.name}'"):
        session_of(task, watch=metric.name + "s")


def test_what_a_search_may_try() -> None:
    space = Forecaster.search_space("hidden_size", "dropout", "learning_rate", "cell", "bidirectional")
    assert space["hidden_size"] == [16, 32, 64, 128, 256] and "lstm_gru" in space["cell"]
    assert space["bidirectional"] == [False, True]
    draws = space["learning_rate"].rvs(200, random_state=0)
    assert 1e-4 <= draws.min() < 3e-4 and 3e-3 < draws.max() <= 1e-2
    assert set(Forecaster.search_space()) > {"hidden_size", "dropout", "weight_decay", "segment"}
    with pytest.raises(ConfigError, match="no range to search for the setting horizon"):
        Forecaster.search_space("horizon")
    with pytest.raises(ConfigError, match="Did you mean 'dropout'"):
        Classifier.search_space("dropuot")


def test_a_search_over_its_space() -> None:
    space = Forecaster.search_space("dropout", "segment")
    search = RandomizedSearchCV(
        Forecaster(horizon=7, **QUICK),
        space,
        n_iter=2,
        cv=TimeSplit(2, time="date"),
        random_state=0,
        error_score="raise",
    )
    search.fit(sales())
    assert 0 <= search.best_params_["dropout"] <= 0.6


def test_a_run_of_the_first_format_answers_as_it_did(tmp_path: Path) -> None:
    """Written by version 0.1.0, before there were several kinds of task."""
    folder = Path(__file__).parent / "golden" / "format1"
    kept = tmp_path / "run"
    kept.mkdir()
    for name in (runs.CONFIG, runs.MODEL, runs.HISTORY):
        (kept / name).write_bytes((folder / name).read_bytes())
    forecaster = Forecaster.load(kept)
    expected = pd.read_csv(folder / "forecast.csv", parse_dates=["ds"])
    found = forecaster.predict()
    pd.testing.assert_frame_equal(found.drop(columns="ds"), expected.drop(columns="ds"), check_dtype=False, rtol=1e-5)
    assert found["ds"].tolist() == expected["ds"].tolist()
    record = forecaster.fitted_.record
    assert record.recurra == "0.1.0" and record.epochs == 1 and record.metrics["this model"]["mase"] > 0
    assert forecaster.save(tmp_path / "today").exists()
    pd.testing.assert_frame_equal(Forecaster.load(tmp_path / "today").predict(), found)
    with pytest.raises(RunError, match="up to format"):
        saving.kind_of_run({"format": 4, "task": "forecast"}, None)
        saving._require_format({"format": 4, "task": "forecast"})
