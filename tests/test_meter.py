"""How far a training has come: silent unless asked, a line that moves or plain lines, an honest time that is left."""

import io
import logging
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from recurra import Classifier, Forecaster
from recurra.training import meter
from recurra.training.loop import Epoch
from recurra.training.meter import Outlook, Pace, Tally
from recurra.writing import terminal
from recurra.writing.numbers import duration

QUICK: dict[str, Any] = {"hidden_size": 4, "epoch_steps": 2, "batch_size": 8, "max_epochs": 4}


def sales() -> pd.DataFrame:
    return pd.DataFrame({"ds": pd.date_range("2024-01-01", periods=90), "y": np.arange(90) % 7 + 0.5})


def waves() -> tuple[np.ndarray, np.ndarray]:
    y = np.arange(24) % 2
    return np.sin(np.arange(12) * np.where(y, 0.9, 0.3)[:, None]), y


TRAININGS: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "forecast": (lambda **more: Forecaster(horizon=3, **(QUICK | more)), (sales(),)),
    "classify": (lambda **more: Classifier(**(QUICK | more)), waves()),
}
each_kind = pytest.mark.parametrize("kind", TRAININGS)


def epoch(number: int, seconds: float = 1.0, valid_loss: float | None = 0.25) -> Epoch:
    return Epoch(number, 10 * number, 0.5, valid_loss, True, {}, {}, seconds)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00"), (0.2, "0:01"), (7, "0:07"), (59.5, "1:00"), (725, "12:05"), (3599.9, "1:00:00"), (10800, "3:00:00")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@given(st.integers(1, 40), st.integers(0, 10), st.integers(1, 500))
def test_a_steady_pace_is_told_exactly(total: int, before: int, seconds: int) -> None:
    now = 100.0
    tally = Tally(before + total, before, lambda: now)
    assert tally.left() == "", "nothing is known yet"
    for done in range(1, total + 1):
        now += seconds
        assert tally.count().split("/") == [str(before + done).rjust(len(str(before + total))), str(before + total)]
        rest = total - done
        assert tally.left() == (f"  about {duration(rest * seconds)} left" if rest else "")


def test_the_time_left_of_a_training_is_a_bound_unless_nothing_can_shorten_it() -> None:
    pace = Pace()
    assert pace.left(epoch(1, 2.0), Outlook(5, 6, False)) == "  at most 0:12 left"
    assert pace.left(epoch(2, 4.0), Outlook(5, 2, True)) == "  0:06 left"
    assert pace.left(epoch(3, 3.0), Outlook(5, 0, True)) == ""


@each_kind
@pytest.mark.parametrize("patience", [1, 9])
@pytest.mark.parametrize("last_epochs", [0, 3])
@pytest.mark.parametrize("stopped", [0, 2])
def test_never_more_comes_than_was_said(kind: str, patience: int, last_epochs: int, stopped: int) -> None:
    make, data = TRAININGS[kind]
    settings = {"patience": patience, "last_epochs": last_epochs, "learning_rate": 0.5}
    going: dict[str, Any] = {}
    if stopped:  # what goes on in another session says the same
        first = make(**settings)
        for one in first.epochs(*data):
            if one.number == stopped:
                break
        going = {"progress": first.progress_, "weights": first.network_.state_dict()}
    estimator, said = make(**settings), []
    for _ in estimator.epochs(*data, **going):
        said.append(estimator._session.outlook)
    for place, outlook in enumerate(reversed(said)):
        assert outlook.left == place if outlook.certain else outlook.left >= place
    assert not said or (said[-1].certain == bool(last_epochs) and said[0].most == 4)


@each_kind
def test_fit_is_silent_unless_it_is_asked(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    make, data = TRAININGS[kind]
    estimator = make(last_epochs=1)
    assert estimator.fit(*data) is estimator and capsys.readouterr() == ("", "")
    assert estimator.fit(*data, verbose=1) is estimator
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert out == "" and "•" in lines[0]
    epochs = [line for line in lines if line.startswith("epoch")]
    assert len(epochs) == len(estimator.history_) and lines[-len(epochs) :] == epochs
    assert epochs[0].startswith("epoch 1/4  validation loss ") and "  at most 0:" in epochs[0]
    assert "training loss" in epochs[-1] and "left" not in epochs[-1]
    assert "\x1b" not in err and "\r" not in err


@each_kind
def test_a_terminal_sees_a_line_that_moves(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    page = Console(file=io.StringIO(), width=120, force_terminal=True)
    monkeypatch.setattr(meter, "make_console", lambda: page)
    make, data = TRAININGS[kind]
    make().fit(*data, verbose=True)
    text = page.file.getvalue()  # type: ignore[attr-defined]
    assert "training" in text and "━" in text and "\x1b[?25h" in text, "a bar, and the cursor comes back"


def test_cross_validation_shows_its_training(capsys: pytest.CaptureFixture[str]) -> None:
    make, data = TRAININGS["forecast"]
    make().cross_validation(*data, n_windows=2)
    assert capsys.readouterr().err == ""
    make().cross_validation(*data, n_windows=2, verbose=True)
    assert "epoch 1/4" in capsys.readouterr().err


def test_a_notebook_without_widgets_sees_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    page, pipe = Console(force_jupyter=True), Console(file=io.StringIO(), force_jupyter=False)
    monkeypatch.setattr(terminal, "find_spec", lambda name: None)
    assert not terminal.moves(page) and not terminal.moves(pipe)
    monkeypatch.setattr(terminal, "find_spec", lambda name: name)
    assert terminal.moves(page) and not terminal.moves(pipe)
    assert terminal.moves(Console(force_terminal=True, force_jupyter=False))


@each_kind
def test_a_service_can_listen(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    make, data = TRAININGS[kind]
    with caplog.at_level(logging.INFO, logger="recurra"):
        estimator = make(last_epochs=1).fit(*data)
    assert {(record.name, record.levelname) for record in caplog.records} == {("recurra", "INFO")}
    said = [record.getMessage() for record in caplog.records]
    assert tuple(said[: len(estimator.notes_)]) == estimator.notes_
    assert [text.split()[:2] for text in said[len(estimator.notes_) :]] == [
        ["epoch", f"{one['number']}/4" if one["valid_loss"] is not None else str(one["number"])]
        for one in estimator.history_
    ]


def test_nobody_hears_of_it_who_did_not_ask(capfd: pytest.CaptureFixture[str]) -> None:
    assert any(isinstance(one, logging.NullHandler) for one in logging.getLogger("recurra").handlers)
    make, data = TRAININGS["forecast"]
    make().fit(*data)
    assert capfd.readouterr() == ("", "")
