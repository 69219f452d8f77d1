"""``train --fine-tune RUN``: what stays, what may change, what the run said before, how an interrupted one goes on."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from commands import Run, stopped_by_hand
from recurra.errors import ConfigError
from recurra.tasks import kind_of
from recurra.tasks.forecast.exam import Guess
from recurra.tasks.pages import conclusion
from recurra.tasks.session import Session
from recurra.verbs.common import Source, judge_network, judged_by
from recurra.verbs.fine_tuning import Start, prepare_tuning, tuned_config
from test_cli import said
from test_kinds import GIVEN, each_kind, trained

TINY = ["--max-epochs", 2, "--epoch-steps", 4, "--hidden-size", 8]


def shop(steps: int, first: int = 0) -> pd.DataFrame:
    days = np.arange(first, first + steps)
    values = 50 + 10 * np.sin(2 * np.pi * days / 7) + np.random.default_rng(first).normal(size=steps)
    return pd.DataFrame({"date": pd.Timestamp("2024-01-01") + pd.to_timedelta(days, "D"), "sales": values.round(3)})


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sales of one year, and those of the half year after it."""
    folder = tmp_path_factory.mktemp("shop")
    shop(360).to_csv(folder / "old.csv", index=False)
    shop(180, 360).to_csv(folder / "new.csv", index=False)
    return folder


@pytest.fixture
def old(run: Run) -> str:
    if not Path("old").exists():
        assert run("train", "old.csv", "--horizon", 7, *TINY, "--out", "old").code == 0
    return "old"


def metrics(folder: str) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = json.loads(Path(folder, "config.json").read_text())["record"]["metrics"]
    return found


def test_a_run_goes_on_and_is_held_against_what_it_said_before(run: Run, old: str) -> None:
    answer = run("train", "new.csv", "--fine-tune", old, "--test-size", 40, "--max-epochs", 3, "--out", "tuned")
    assert answer.code == 0, answer.err
    assert "goes on with 1 series that it knows" in answer.err
    about = json.loads(Path("tuned/config.json").read_text())
    settings = about["settings"]
    assert settings["forecast"]["horizon"] == 7 and settings["model"]["hidden_size"] == 8
    assert settings["training"]["max_epochs"] == 3
    # What it said before is what the old run says of these rows, judged by another verb.
    whole = pd.concat([pd.read_csv("old.csv"), pd.read_csv("new.csv")])
    whole.to_csv("whole.csv", index=False)
    asked = run("evaluate", old, "whole.csv", "--test-size", 40, "--json")
    before = json.loads(asked.out)["this model"]
    assert metrics("tuned")["this model, before"]["mae"] == pytest.approx(before["mae"], rel=1e-5)
    assert metrics("tuned")["this model"]["mae"] != pytest.approx(before["mae"], rel=1e-3)
    page = Path("tuned/report.html").read_text()
    assert "this model, before" in page
    assert any(said in page for said in ("has made it better (MASE", "has changed nothing (MASE", "better before its"))
    # It is an ordinary run: it forecasts what comes after the new rows, and can go on once more.
    first = run("predict", "tuned").out.splitlines()[1]
    assert "2025-06-24" in first
    assert run("train", "new.csv", "--fine-tune", "tuned", "--max-epochs", 1, "--out", "twice").code == 0


def test_only_the_training_may_change(run: Run, old: str) -> None:
    asked = ["train", "new.csv", "--fine-tune", old, "--out", "refused"]
    said(run(*asked, "--cell", "lstm"), "cell was gru, now lstm. Leave that out, or train anew without --fine-tune")
    said(run(*asked, "--horizon", 14), "horizon was 7, now 14")
    said(run(*asked, "--task", "classify"), "This run is of the task 'forecast', not of 'classify'")
    said(run("train", "new.csv", "--fine-tune", "nowhere", "--horizon", 7), "nowhere")
    said(run("train", "new.csv", "--fine-tun", old), "--fine-tune")
    said(run("compare", "new.csv", "--fine-tune", old, "--horizon", 7), "No such option '--fine-tune'")
    assert not Path("refused").exists()


def test_an_interrupted_one_goes_on(run: Run, old: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = ["train", "new.csv", "--fine-tune", old, "--max-epochs", 3]
    with stopped_by_hand(monkeypatch):
        assert run(*asked, "--out", "stopped").code == 130
    assert run("train", "--resume", "stopped").code == 0
    assert run(*asked, "--out", "straight").code == 0
    assert run("predict", "stopped").out == run("predict", "straight").out
    assert metrics("stopped")["this model, before"] == metrics("straight")["this model, before"]


def test_what_it_began_from_must_not_change_meanwhile(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    first = ["train", "old.csv", "--horizon", 7, *TINY, "--out", "moved", "--overwrite"]
    assert run(*first).code == 0
    with stopped_by_hand(monkeypatch):
        run("train", "new.csv", "--fine-tune", "moved", "--max-epochs", 3, "--out", "half")
    assert run(*first, "--seed", 1).code == 0
    said(run("train", "--resume", "half"), "another one now. Begin anew with --overwrite")


@each_kind
def test_every_kind_goes_on(task: str) -> None:
    session = trained(task)
    fitted, (source, _) = session.fitted, GIVEN[task]
    start, kind = Start(fitted, "run"), kind_of(task)
    still = tuned_config(start, {"learning_rate": 1e-12, "weight_decay": 0.0, "last_epochs": 0, "max_epochs": 1})
    data = kind.read(source, still, fitted.learned)
    onward, exam, before = prepare_tuning(start, Source(data, test_size=20), still, lambda notes: None)
    prepared = onward.prepared
    assert exam is not None and before is not None
    again = Session(prepared, None, onward.weights)
    again.fitted.network.eval()
    metric, own = kind.metrics(still)[0].name, kind.exam(prepared.data, fitted.learned, prepared.plan.test)
    begun, first = (judge_network(*one, "it").metrics["it"] for one in ((again.fitted, exam), (fitted, own)))
    assert begun[metric] == pytest.approx(first[metric], rel=1e-5)
    again.keep_start()
    for _ in again.epochs():
        pass
    now = again.fitted.network.state_dict()
    for name, value in fitted.network.named_parameters():
        torch.testing.assert_close(now[name], value, msg=name)
    if task != "forecast":  # whose ends move on
        assert again.fitted.learned.to_plain()[0] == fitted.learned.to_plain()[0]


def test_a_reservoir_does_not_go_on() -> None:
    kind = kind_of("classify")
    fitted = trained("classify", cell="reservoir", hidden_size=20).fitted
    with pytest.raises(ConfigError, match="does not go on: train it anew"):
        kind.go_on(fitted, kind.read(GIVEN["classify"][0], fitted.config, fitted.learned), fitted.config)


@pytest.mark.parametrize(
    ("errors", "said"),
    [
        ((0.5, 1.0), r"has made it better \(MASE 1 before, 0.5 now\)"),
        ((1.0, 0.5), r"was better before its fine-tuning \(MASE 0.5 before, 1 now\): use the one that it began from"),
        ((1.0, 1.0), r"has changed nothing \(MASE 1 before, 1 now\)"),
    ],
)
def test_the_headline_says_what_the_tuning_was_worth(errors: tuple[float, float], said: str) -> None:
    """Every forecast is off by so much, give or take, once tuned and once as before."""
    session = trained("forecast")
    fitted, prepared = session.fitted, session.prepared
    exam = fitted.kind.exam(prepared.data, prepared.learned, prepared.plan.test)
    truth, random = exam.truth, np.random.default_rng(0)
    off = [error * truth.mase * (1 + 0.1 * random.normal(size=truth.values.shape)) for error in errors]
    off = [one / np.abs(one / truth.mase).mean() * error for one, error in zip(off, errors, strict=True)]
    answers = {name: Guess(truth.values + one, {}) for name, one in zip(("it", "it, before"), off, strict=True)}
    assert re.search(said, conclusion(fitted, judged_by(fitted, exam, "it", answers))[0])
