"""What was told to torch, NumPy or the process outside has no say in what is learned, and is what it was afterwards."""

import copy
import io
import multiprocessing
import os
import pickle
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from torch import nn

from recurra import Classifier, Forecaster, Recurrent
from recurra.attention import ATTENTIONS
from recurra.cells import CELLS
from recurra.nn.build import make_attention, make_cell
from recurra.nn.surroundings import Plain, apart, on_its_own
from recurra.settings import make_config
from recurra.tasks.forecast.settings import PARTS
from recurra.tasks.forecast.splitting import TimeSplit

TINY: dict[str, Any] = {"hidden_size": 8, "max_epochs": 2, "epoch_steps": 3, "dropout": 0.2, "last_epochs": 1}
STEPS = np.arange(90)
TABLE = pd.DataFrame(
    {"ds": pd.date_range("2024-01-01", periods=90), "y": np.sin(STEPS) + np.random.default_rng(0).normal(0, 0.3, 90)}
)
X = np.random.default_rng(1).normal(size=(24, 16)) + np.where(STEPS[:24] < 12, 0, 2)[:, None]
Y = np.repeat(["low", "high"], 12)


def forecaster(**settings: Any) -> Forecaster:
    return Forecaster(**{"horizon": 4, "lookback": 16, **TINY, **settings})


MAKE: dict[str, Callable[[], Any]] = {
    "forecaster": forecaster,
    "step by step": lambda: forecaster(decoder="vanilla", attention="additive", cell="lstm", zoneout=0.1),
    "reference": lambda: forecaster(engine="reference", cell="lstm_gru", attention="monotonic", num_layers=2, chrono=9),
    "classifier": lambda: Classifier(**TINY),
}


def fitted(name: str) -> Any:
    return MAKE[name]().fit(X, Y) if name == "classifier" else MAKE[name]().fit(TABLE)


def answers(model: Any) -> list[bytes]:
    """All that a model says: its weights, what it predicts, how good it is, and where it looks."""
    if isinstance(model, Classifier):
        said = [model.predict_proba(X), np.array([model.score(X, Y)]), model.attention_table(X)["weight"].to_numpy()]
    else:
        later = TABLE.iloc[-30:].assign(ds=pd.date_range(TABLE["ds"].iloc[-1], periods=31)[1:])
        said = [model.predict().iloc[:, 2:].to_numpy(), model.predict(df=TABLE[:60]).iloc[:, 2:].to_numpy()]
        said += [np.array([model.score(later)]), model.attention_table()["weight"].to_numpy()]
    weights = [value.detach().numpy() for value in model.network_.state_dict().values()]
    return [part.tobytes() for part in (*said, *weights)]


def fit_and_answer(name: str) -> list[bytes]:
    return answers(fitted(name))


alone = cache(fit_and_answer)


def set_by(setter: Callable[[Any], None], value: Any, before: Any) -> Callable[[], AbstractContextManager[None]]:
    @contextmanager
    def during() -> Iterator[None]:
        setter(value)
        try:
            yield
        finally:
            setter(before)

    return during


SURROUNDINGS: dict[str, Callable[[], AbstractContextManager[Any]]] = {
    **{str(t): set_by(torch.set_default_dtype, t, torch.float32) for t in (torch.float64, torch.bfloat16, torch.half)},
    "default device": set_by(torch.set_default_device, "meta", None),
    "in a device": lambda: torch.device("meta"),
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
    "no gradients": set_by(torch.set_grad_enabled, False, True),
    "deterministic": set_by(torch.use_deterministic_algorithms, True, False),
    "anomaly": lambda: torch.autograd.set_detect_anomaly(True),
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    "errstate": lambda: np.errstate(all="raise"),
    "threads": set_by(torch.set_num_threads, 3, 1),
}


def state() -> list[Any]:
    modes = [torch.is_grad_enabled(), torch.is_inference_mode_enabled(), torch.are_deterministic_algorithms_enabled()]
    modes += [torch.is_anomaly_enabled(), torch.is_autocast_enabled("cpu"), torch._C._len_torch_function_stack()]
    said = [torch.get_default_dtype(), torch.get_default_device(), torch.get_num_threads(), np.geterr()]
    return [*modes, *said, warnings.filters, torch.random.get_rng_state().tolist()]


@pytest.mark.parametrize("name", MAKE)
@pytest.mark.parametrize("around", SURROUNDINGS)
@pytest.mark.filterwarnings("ignore:Anomaly Detection:UserWarning")
def test_what_is_set_outside_changes_nothing_and_stays(around: str, name: str) -> None:
    expected = alone(name)
    with SURROUNDINGS[around]():
        before = state()
        model = fitted(name)
        found = answers(model)
        assert state() == before
    assert found == expected
    assert answers(model) == expected, "also if it answers after that"


@pytest.mark.parametrize("around", SURROUNDINGS)
def test_a_run_is_read_the_same(around: str, tmp_path: Any) -> None:
    folder = fitted("forecaster").save(tmp_path / "run")
    with SURROUNDINGS[around]():
        found = answers(Forecaster.load(folder))
    assert found == alone("forecaster")


def test_who_takes_epochs_is_left_alone_between_them() -> None:
    with torch.inference_mode(), torch.device("meta"), np.errstate(all="raise"):
        before = state()
        model = forecaster()
        for _ in model.epochs(TABLE):
            assert state() == before and torch.zeros(1).is_meta
        assert answers(model) == alone("forecaster")
        for _ in forecaster().epochs(TABLE):
            break  # and one that is not taken to its end
        assert state() == before


def test_generators_and_functions_keep_what_they_are() -> None:
    class Faulty(Exception):
        pass

    @on_its_own
    def count(to: int) -> Iterator[bool]:
        """Count."""
        try:
            for _ in range(to):
                yield torch.is_grad_enabled()
            raise Faulty
        finally:
            closed.append(to)

    closed: list[int] = []
    with torch.no_grad():
        steps = count(2)
        assert [next(steps), torch.is_grad_enabled(), next(steps)] == [True, False, True]
        with pytest.raises(Faulty):
            next(steps)
        one = count(9)
        next(one)
        one.close()
        assert not torch.is_grad_enabled()
    assert closed == [2, 9] and (count.__name__, count.__doc__) == ("count", "Count.")


PLAIN: dict[str, Callable[[], torch.Tensor]] = {
    "floats": lambda: torch.tensor([0.1, 2.0]),
    "full": lambda: torch.full((2,), 0.1),
    "drawn": lambda: torch.rand(3, generator=torch.Generator().manual_seed(0)),
    "a layer": lambda: nn.Linear(3, 2).weight,
    "rising": lambda: torch.arange(0.0, 1.0, 0.3),
    "line": lambda: torch.linspace(0, 1, 7),
    "whole": lambda: torch.tensor([1, 2]),
    "places": lambda: torch.arange(3),
    "flags": lambda: torch.full((2,), True),
    "told": lambda: torch.zeros(2, dtype=torch.int8),
    "halves": lambda: torch.ones(2, dtype=torch.half),
}


@pytest.mark.parametrize("what", PLAIN)
@pytest.mark.parametrize("default", [torch.float64, torch.bfloat16])
def test_a_network_is_built_as_if_there_were_no_other_default(default: torch.dtype, what: str) -> None:
    torch.manual_seed(0)
    expected = PLAIN[what]()
    with set_by(torch.set_default_dtype, default, torch.float32)(), Plain():
        torch.manual_seed(0)
        found = PLAIN[what]()
    assert found.dtype == expected.dtype and torch.equal(found, expected)


@pytest.mark.parametrize("default", [torch.float64, torch.bfloat16, torch.half])
def test_layers_have_the_default_type_as_those_of_torch_do(default: torch.dtype) -> None:
    with set_by(torch.set_default_dtype, default, torch.float32)():
        x, query = torch.randn(2, 4, 6), torch.randn(2, 3, 8)
        for cell in CELLS:
            stack = Recurrent([[make_cell(cell, 6, 8, 9)]])
            outputs = stack(x).outputs
            if list(stack.parameters()):  # a reservoir has none
                outputs.sum().backward()
            assert outputs.dtype == default and outputs.isfinite().all(), cell
        for attention in ATTENTIONS:
            made = make_attention(make_config(PARTS, {"attention": attention, "hidden_size": 8}).model, 8, 8)
            if made is not None:
                assert made(query, made.project(torch.randn(2, 5, 8))).context.dtype == default, attention


# Threads and processes


def workers(backend: str, count: int, jobs: list[str]) -> list[list[bytes]]:
    return list(joblib.Parallel(count, backend=backend, timeout=120)(joblib.delayed(fit_and_answer)(n) for n in jobs))


@pytest.mark.parametrize("name", MAKE)
def test_eight_threads_of_joblib(name: str) -> None:
    torch.manual_seed(0)
    assert workers("threading", 8, [name] * 8) == [alone(name)] * 8


@pytest.mark.parametrize("name", ["forecaster", "classifier"])
def test_threads_with_surroundings_of_their_own(name: str) -> None:
    """Each of eight threads has set something else, as far as it is the thread's."""
    around = [*("no_grad", "inference_mode", "autocast", "errstate", "in a device"), *["no gradients"] * 3]

    def work(what: str) -> list[bytes]:
        with SURROUNDINGS[what]():
            return fit_and_answer(name)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, around)) == [alone(name)] * 8


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["loky", "spawn"])
def test_processes_equal_one(backend: str) -> None:
    jobs = ["forecaster", "classifier", "step by step"]
    if backend == "loky":
        found = workers(backend, 2, jobs)
    else:
        with multiprocessing.get_context(backend).Pool(2) as pool:
            found = pool.map_async(fit_and_answer, jobs).get(120)
    assert found == [alone(name) for name in jobs]


FORK = """
import os, sys, threading
import numpy as np, torch
from test_surroundings import alone, answers, fit_and_answer, fitted
torch.set_num_threads(3)
a = torch.randn(500, 500)
(a @ a).sort()  # torch has threads now, which no child has
model = fitted("forecaster")
stop = threading.Event()
def busy():
    while not stop.is_set():
        fit_and_answer("forecaster")
threads = [threading.Thread(target=busy) for _ in range(2)]
for thread in threads:
    thread.start()
children = []
for name in ("forecaster", "classifier", "forecaster", "classifier"):
    child = os.fork()
    if not child:
        same = fit_and_answer(name) == alone(name) and answers(model) == alone("forecaster")
        rows = torch.randn(5000, 300)
        os._exit(0 if same and torch.get_num_threads() == 1 else 3)
    children.append(child)
codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
stop.set()
for thread in threads:
    thread.join()
assert torch.get_num_threads() == 3, "the parent keeps its threads"
sys.exit(max(codes))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_fork_after_a_fit_equals_its_parent_and_does_not_hang() -> None:
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORK]
    done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]


# Copies


def dumped(model: Any) -> Any:
    place = io.BytesIO()
    joblib.dump(model, place)
    place.seek(0)
    return joblib.load(place)


@pytest.mark.parametrize("name", MAKE)
@pytest.mark.parametrize("through", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model)), dumped])
def test_copies_answer_the_same(through: Callable[[Any], Any], name: str) -> None:
    model = fitted(name)
    for again in (through(model), through(through(model))):
        assert answers(again) == alone(name) == answers(model)
        assert again.get_params() == model.get_params() and again.notes_ == model.notes_
    assert not hasattr(clone(model), "fitted_")


@pytest.mark.slow
def test_a_search_in_two_processes_equals_one_in_none() -> None:
    found = [
        GridSearchCV(forecaster(max_epochs=1), {"cell": ["gru", "rnn"]}, cv=TimeSplit(2), n_jobs=jobs)
        .fit(TABLE)
        .cv_results_["mean_test_score"]
        .tolist()
        for jobs in (None, 2)
    ]
    assert found[0] == found[1] and np.isfinite(found[0]).all()


def test_apart_is_left_when_something_goes_wrong() -> None:
    before = state()
    with pytest.raises(ZeroDivisionError), apart():
        raise ZeroDivisionError
    assert state() == before
