"""From a panel to a run folder: interrupted and resumed, judged within bounds, compared, and reported again."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from laws_native import needs_library
from recurra import Forecaster
from recurra.data.series import Panel, infer_schema, to_panel
from recurra.errors import ConfigError, DataError, RunError
from recurra.tasks import pages, saving
from recurra.tasks.base import Judged
from recurra.tasks.forecast import plan as planning
from recurra.tasks.forecast.answers import forecast
from recurra.tasks.forecast.kind import KIND
from recurra.tasks.forecast.settings import PARTS
from recurra.training import runs
from recurra.verbs import common
from recurra.verbs import compare as comparing
from recurra.verbs import evaluate as judging
from recurra.verbs import train as training
from recurra.verbs.common import Listener, Source
from recurra.writing.numbers import ordinal

TINY = {
    "horizon": 7,
    "hidden_size": 8,
    "max_epochs": 3,
    "epoch_steps": 3,
    "batch_size": 16,
    "warmup": 2,
    "last_epochs": 0,
}


def frame(rows: int = 150, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    values = 50 + 10 * np.sin(2 * np.pi * np.arange(rows) / 7) + rng.normal(size=rows)
    return pd.DataFrame({"date": pd.date_range("2024-01-01", periods=rows), "sales": values.round(3)})


def panel_of(table: pd.DataFrame) -> Panel:
    return to_panel(table, infer_schema(table)[0])


def train(panel: Panel, settings: dict[str, Any], folder: Path, **options: Any) -> training.Trained:
    told = {name: options.pop(name) for name in ("notes", "epoch") if name in options}
    source = {name: options.pop(name) for name in ("path", "max_rows", "test_size") if name in options}
    return training.train(KIND, Source(panel, **source), settings, folder, listener=Listener(**told), **options)


def evaluate(
    folder: Path, panel: Panel, size: int | None = None, step: int | None = None, notes: Any = common.ignore
) -> Any:
    return judging.evaluate(saving.load(folder)[0], panel, size, PARTS.evaluate(step=step), notes)


def rebuild_report(folder: Path, panel: Panel | None) -> Path:
    return judging.rebuild_report(*saving.load(folder), folder, panel)


def read_panel(path: Path, most: int | None = None, **told: Any) -> Panel:
    return KIND.read(path, Forecaster(horizon=7)._config(), None, most, **told)


def candidates_of(settings: dict[str, Any], cells: list[str], attentions: list[str]) -> list[Any]:
    return comparing.make_candidates(KIND, settings, cells, attentions)


def compare(panel: Panel, candidates: list[Any], seeds: list[int], folder: Path, **options: Any) -> comparing.Compared:
    told = {name: options.pop(name) for name in ("epoch", "outcome") if name in options}
    source = {name: options.pop(name) for name in ("test_size",) if name in options}
    listener = Listener(**told)
    lineup = comparing.Lineup(candidates, seeds)
    return comparing.compare_candidates(KIND, Source(panel, **source), lineup, folder, listener=listener, **options)


ENGINES = ("torch", "reference", pytest.param("native", marks=needs_library))


@pytest.fixture(scope="module")
def panel() -> Panel:
    return panel_of(frame())


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return runs.read(folder).weights


def assert_same_weights(first: Path, second: Path) -> None:
    one, other = ({n: v for n, v in weights(one).items() if "baseline" not in n} for one in (first, second))
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert torch.equal(value, other[name]), name


class StopAt:
    """Presses Ctrl-C after an epoch."""

    def __init__(self, epoch: int):
        self.epoch = epoch

    def __call__(self, name: str, epoch: Any, most: int) -> None:
        if epoch.number == self.epoch:
            raise KeyboardInterrupt


def stopped(*args: Any, **kwargs: Any) -> Any:
    raise KeyboardInterrupt


# ------------------------------------------------------------------------------------------------- training


@pytest.mark.parametrize("decoder", ["segment", "vanilla"])
@pytest.mark.parametrize("engine", ENGINES)
def test_any_engine_trains_and_is_reported(panel: Panel, tmp_path: Path, engine: str, decoder: str) -> None:
    """The report shows gates, which only the reference records: that must not stop the engine that was asked for."""
    done = train(panel, TINY | {"engine": engine, "decoder": decoder}, tmp_path / "run")
    assert done.fitted.record.engines == [engine]
    assert done.report.exists() and len(Forecaster.load(done.folder).predict()) == 7


def test_a_run_holds_all_its_files_and_answers_like_the_one_that_was_trained(panel: Panel, tmp_path: Path) -> None:
    done = train(panel, TINY, tmp_path / "run", path="sales.csv")
    names = {path.name for path in done.folder.iterdir()}
    assert names == {"config.json", "model.safetensors", "history.jsonl", "report.html"}
    assert done.report == done.folder / "report.html"
    assert not done.interrupted
    assert len(runs.read(done.folder).history) == 3
    pd.testing.assert_frame_equal(Forecaster.load(done.folder).predict(), forecast(done.fitted).frame())
    assert done.judged is not None
    naive = ["repeat last", "seasonal naive", "seasonal naive + drift"]
    assert list(done.judged.metrics) == ["this model", "network", *naive, "ets", "theta", "linear"]


def test_what_was_found_is_told_before_the_first_epoch(panel: Panel, tmp_path: Path) -> None:
    told: list[str] = []
    train(panel, TINY, tmp_path / "run", notes=told.extend, epoch=lambda name, epoch, most: told.append(name))
    assert told.index("training") == 1
    assert "look-back" in told[0]
    assert "for validation, then 15 for the test" in told[0]


def test_the_notes_of_a_file_come_one_after_the_other(tmp_path: Path) -> None:
    path = tmp_path / "sales.csv"
    frame().to_csv(path, index=False, sep=";")
    told: list[Sequence[str]] = []
    panel = read_panel(path, 100, tell=told.append)
    assert [bool(notes) for notes in told] == [True, True, True]
    assert told[0] == ["read with ';' as separator"]
    assert told[2] == ("only the first 100 rows of each series are used",)
    assert panel.notes == tuple(note for notes in told for note in notes)
    assert len(panel.values[0]) == 100


@pytest.mark.parametrize("epochs_before", [1, 2])
def test_a_training_that_goes_on_ends_as_if_it_had_never_stopped(
    panel: Panel, tmp_path: Path, epochs_before: int
) -> None:
    whole = train(panel, TINY, tmp_path / "whole")
    part = train(panel, TINY, tmp_path / "part", epoch=StopAt(epochs_before))
    assert part.interrupted
    assert len(runs.read(part.folder).history) == epochs_before
    done = train(panel, TINY, tmp_path / "part", resume=True)
    assert not done.interrupted
    assert_same_weights(whole.folder, done.folder)
    numbers = [epoch["number"] for epoch in runs.read(done.folder).history]
    assert numbers == [1, 2, 3]
    assert not (done.folder / runs.CHECKPOINT).exists()
    assert done.judged is not None
    assert whole.judged is not None
    assert done.judged.metrics == whole.judged.metrics


def test_ctrl_c_keeps_the_best_weights_and_a_report(
    panel: Panel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    original = training.Session.keep_best
    monkeypatch.setattr(training.Session, "keep_best", lambda one: (seen.append(one.progress), original(one)))
    done = train(panel, TINY, tmp_path / "run", epoch=StopAt(2))
    assert done.interrupted
    assert done.report is not None
    assert done.report.stat().st_size > 100_000
    about = runs.read(done.folder).config["record"]
    assert about["stopped_by"] == "the user"
    assert about["epochs"] == 2
    best, saved = seen[0].best_weights, weights(done.folder)
    found_after = ("widen",)  # the intervals are calibrated once training is over
    assert all(torch.equal(saved[f"network.{k}"], value) for k, value in best.items() if k not in found_after)


def test_ctrl_c_before_the_first_epoch_keeps_the_old_run(
    panel: Panel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(panel, TINY | {"seed": 1}, tmp_path / "run")
    before = weights(tmp_path / "run")
    monkeypatch.setattr("recurra.training.loop._Loop.epoch", stopped)
    with pytest.raises(KeyboardInterrupt):
        train(panel, TINY, tmp_path / "run", overwrite=True)
    assert all(torch.equal(value, before[name]) for name, value in weights(tmp_path / "run").items())


@pytest.mark.parametrize("where", ["judge", "training_page"])
def test_ctrl_c_after_the_training_keeps_the_run(
    panel: Panel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    whole = train(panel, TINY, tmp_path / "whole")
    with monkeypatch.context() as patch:
        patch.setattr(training, where, stopped)
        done = train(panel, TINY, tmp_path / "run")
    assert done.interrupted
    assert done.report is None
    assert_same_weights(whole.folder, done.folder)
    report = rebuild_report(done.folder, panel)
    assert report.stat().st_size > 100_000


def test_a_fault_in_the_report_loses_no_weights(panel: Panel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: Any) -> str:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(training, "training_page", broken)
        with pytest.raises(ZeroDivisionError):
            train(panel, TINY, tmp_path / "run")
    assert len(Forecaster.load(tmp_path / "run").predict()) == 7
    assert train(panel, TINY, tmp_path / "run", resume=True).report is not None


@pytest.mark.slow
def test_a_killed_training_can_go_on_and_the_old_run_is_there_until_then(panel: Panel, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    train(panel, TINY | {"seed": 5}, folder)
    old = weights(folder)
    frame().to_csv(tmp_path / "sales.csv", index=False)
    script = f"""
import time
from pathlib import Path
from recurra.tasks.forecast.kind import KIND
from recurra.training import runs
from recurra.verbs.common import Source
from recurra.verbs.train import train
original = runs.write_checkpoint
def slow(folder, plan, weights, progress, history):
    original(folder, plan, weights, progress, history)
    if progress.epoch == 2:
        Path("reached").touch()
        time.sleep(60)
runs.write_checkpoint = slow
settings = {TINY!r}
from recurra import Forecaster
panel = KIND.read("sales.csv", Forecaster(**settings)._config())
train(KIND, Source(panel, "sales.csv"), settings, Path("run"), overwrite=True)
"""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    child = subprocess.Popen([sys.executable, "-c", script], cwd=tmp_path, env=environment)
    try:
        deadline = time.monotonic() + 60
        while not (tmp_path / "reached").exists():
            assert child.poll() is None, "the training ended before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.02)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    assert all(torch.equal(value, old[name]) for name, value in weights(folder).items())
    done = train(panel, TINY, folder, path="sales.csv", resume=True)
    assert_same_weights(done.folder, train(panel, TINY, tmp_path / "whole").folder)


def test_a_training_goes_on_only_with_its_own_data_and_settings(panel: Panel, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    train(panel, TINY, folder, epoch=StopAt(2))
    with pytest.raises(ConfigError, match=r"has done 2 epochs already, but max_epochs=1\. Give max_epochs=2 to end"):
        train(panel, TINY | {"max_epochs": 1}, folder, resume=True)
    with pytest.raises(RunError, match="data are not those"):
        train(panel_of(frame(seed=1)), TINY, folder, resume=True)
    with pytest.raises(ConfigError, match="hidden_size was 8, now 4; the test size was 15, now 20"):
        train(panel, TINY | {"hidden_size": 4}, folder, resume=True, test_size=20)
    longer = train(panel, TINY | {"max_epochs": 5}, folder, resume=True)
    assert len(runs.read(longer.folder).history) == 5


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"test_size": 3}, ConfigError, "test size is 3, but a forecast of 7 steps"),
        ({"settings": {"horizon": None}}, ConfigError, "horizon is missing"),
        ({"settings": {"lookback": 500}}, DataError, "need at least"),
        ({"settings": {"window": 3}}, ConfigError, "window"),
    ],
)
def test_what_cannot_work_is_said_before_the_training(
    panel: Panel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], error: type, said: str
) -> None:
    monkeypatch.setattr("recurra.training.loop._Loop.epoch", lambda *_: pytest.fail("trained for nothing"))
    settings = TINY | change.pop("settings", {})
    with pytest.raises(error, match=said):
        train(panel, settings, tmp_path / "run", **change)
    assert not (tmp_path / "run").exists()


def test_a_test_without_a_known_value_is_refused_before_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recurra.training.loop._Loop.epoch", lambda *_: pytest.fail("trained for nothing"))
    table = frame()
    table.loc[table.index[-15:], "sales"] = np.nan
    values = (table["sales"].to_numpy(),)
    hollow = dataclasses.replace(panel_of(frame()), values=values)
    with pytest.raises(DataError, match=r"last 15 rows, which are held out .* hold no known value"):
        train(hollow, TINY, tmp_path / "run")


def test_nothing_held_out_means_nothing_judged(panel: Panel, tmp_path: Path) -> None:
    done = train(panel, TINY, tmp_path / "run", test_size=0)
    assert done.judged is None
    assert done.report is not None
    assert "Nothing was held out" in done.report.read_text()
    before = done.report.read_text()
    assert "Nothing was held out" in rebuild_report(done.folder, panel).read_text()
    assert "How good it is" not in before


# ------------------------------------------------------------------------------------------------- judging


def test_a_long_test_is_cut_down_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, panel: Panel) -> None:
    monkeypatch.setattr(planning, "MOST_WINDOWS", 4)
    told: list[str] = []
    done = train(panel, TINY, tmp_path / "run", test_size=30, notes=told.extend)
    assert done.judged is not None
    assert len(done.judged.exam.examples) == 4
    assert told[-1] == "judged by 4 forecasts of the last 30 rows, one from every 6th step"
    assert done.report is not None
    assert (
        "Judged by 4 forecasts of the last 30 rows, one from every 6th step, which the model has not seen."
        in done.report.read_text()
    )


def test_of_many_rows_some_judge(tmp_path: Path) -> None:
    table = frame(200_000)
    table["date"] = pd.date_range("2020-01-01", periods=len(table), freq="min")
    done = train(panel_of(table), TINY | {"max_epochs": 1, "season": 7, "attention": "none"}, tmp_path / "r")
    assert done.judged is not None
    assert 4096 <= len(done.judged.exam.examples) <= planning.MOST_WINDOWS


@pytest.mark.parametrize(
    ("number", "text"), [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (13, "13th"), (22, "22nd")]
)
def test_ordinals(number: int, text: str) -> None:
    assert ordinal(number) == text


def test_evaluating_a_run_again_gives_the_numbers_of_its_training(panel: Panel, tmp_path: Path) -> None:
    done = train(panel, TINY, tmp_path / "run")
    assert done.judged is not None
    again = evaluate(done.folder, panel)
    assert list(again.metrics) == list(done.judged.metrics)
    for name, numbers in done.judged.metrics.items():
        assert again.metrics[name] == pytest.approx(numbers), name


def test_evaluating_on_rows_of_the_training_warns(panel: Panel, tmp_path: Path) -> None:
    done = train(panel, TINY, tmp_path / "run")
    told: list[str] = []
    judged = evaluate(done.folder, panel, 40, 2, told.extend)
    assert told[0] == "careful: of the last 40 rows only 15 were held out of the training of this run"
    assert len(judged.exam.examples) == 17
    told.clear()
    evaluate(done.folder, panel_of(frame(seed=3)), 40, notes=told.extend)
    assert told == ["judged by 34 forecasts of the last 40 rows"]


# --------------------------------------------------------------------------------------------------- reports


def without_settings(html: str) -> str:
    """Return the words of a report, without its pictures and settings."""
    return html[html.index("<body>") : html.index("<h2>Settings</h2>")]


def test_a_report_is_written_again_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "sales.csv"
    frame().to_csv(path, index=False)
    panel = read_panel(path, 140)
    done = train(panel, TINY, tmp_path / "run", path=str(path), max_rows=140)
    assert done.report is not None
    before = without_settings(done.report.read_text())
    assert "only the first 140 rows" in before
    done.report.write_text("lost")
    assert without_settings(rebuild_report(done.folder, None).read_text()) == before


def test_the_report_of_a_comparison_is_written_again_as_it_was(panel: Panel, tmp_path: Path) -> None:
    candidates = candidates_of(TINY, ["gru", "lstm"], ["none"])
    done = compare(panel, candidates, [0], tmp_path / "run")
    assert done.report is not None
    before = without_settings(done.report.read_text())
    assert "<h2>Which model: 2 networks, 7 others</h2>" in before
    assert f"<code>recurra predict {done.folder}</code>" in before or "--model" in before
    assert without_settings(rebuild_report(done.folder, panel).read_text()) == before


def test_a_report_without_its_data_says_so(panel: Panel, tmp_path: Path) -> None:
    done = train(panel, TINY, tmp_path / "run", path="gone.csv")
    with pytest.raises(RunError, match=r"gone\.csv.* is not there. Name the data"):
        rebuild_report(done.folder, None)


@pytest.fixture
def summed(panel: Panel, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Return what a report says first, and whose its pictures are, if the rows of its table have this MASE."""
    forecaster = Forecaster(**TINY)
    forecaster.epochs(panel)
    fitted = forecaster.fitted_
    fitted.baselines = KIND.baselines(fitted.config, fitted.learned)
    monkeypatch.setattr(type(KIND), "chance", lambda *_: 0.001)

    def summary(name: str = "this model", **mase: float) -> list[str]:
        metrics = {label.replace("_", " "): {"mase": value} for label, value in mase.items()}
        for part in ("", ", combined"):  # rows that are no Python names
            if f"mine{part}" in mase:
                metrics[f"{name}{part}"] = metrics.pop(f"mine{part}")
        judged = Judged(name, None, {}, dict.fromkeys(metrics), metrics)  # type: ignore[arg-type]
        return [
            *pages.conclusion(fitted, judged, Path("my runs/1")),
            *pages._pictured(judged, pages.advise(pages.held(fitted, judged))),
        ]

    return summary


def test_a_report_begins_with_what_to_use_and_the_command_for_it(summed: Callable[..., list[str]]) -> None:
    advice, meaning, command = summed(this_model=0.5, repeat_last=2.0, seasonal_naive=1.0, linear=0.9)
    assert advice.startswith(
        "On the held-out data this model is 50 % better than the best naive answer ('seasonal naive'"
    )
    assert meaning == "MASE 0.5 says: an error half as large as that of repeating last week in the training part."
    assert command == "Forecast: `recurra predict 'my runs/1'`"


@pytest.mark.parametrize("use", ["network", "linear", "repeat last", "seasonal naive"])
def test_score_command_and_pictures_are_told_of_the_row_to_use(summed: Callable[..., list[str]], use: str) -> None:
    advice, meaning, command, pictures = summed(**{"this_model": 1.1, use: 0.4})
    assert advice.endswith(f"Use '{use}'.") and meaning.startswith("MASE 0.4 says")
    assert command == f"Forecast: `recurra predict 'my runs/1' --model {use.replace(' ', '_')}`"
    assert pictures == f"The pictures below show this model, not '{use}'."


@pytest.mark.parametrize("kept", ["gru", "lstm/gru + additive"])
def test_the_network_that_a_comparison_kept_can_be_asked_by_itself(summed: Callable[..., list[str]], kept: str) -> None:
    rows = {"mine": 0.4, "mine, combined": 1.1}
    advice, meaning, command, pictures = summed(kept, **rows)
    assert advice.endswith(f"Use '{kept}'.") and meaning.startswith("MASE 0.4 says")
    assert command == "Forecast: `recurra predict 'my runs/1' --model network`"
    assert pictures == f"The pictures below show '{kept}, combined', not '{kept}'."
    command, pictures = summed(kept, **rows, repeat_last=0.1)[2:]
    assert command.endswith("--model repeat_last`")
    rows = {"mine": 1.1, "mine, combined": 0.4}
    assert summed(kept, **rows)[2:] == [
        "Forecast: `recurra predict 'my runs/1'`",
        f"The pictures below show '{kept}, combined'.",
    ]
    assert summed(kept, mine=0.4, repeat_last=1.1)[2] == "Forecast: `recurra predict 'my runs/1'`"


# ----------------------------------------------------------------------------------------------- comparisons


def compared(panel: Panel, folder: Path, **options: Any) -> comparing.Compared:
    candidates = candidates_of(TINY, ["gru", "lstm/gru"], ["none", "dot"])
    return compare(panel, candidates, [0, 1], folder, **options)


def test_a_comparison_judges_all_on_the_same_rows_and_keeps_one(panel: Panel, tmp_path: Path) -> None:
    seen: list[str] = []
    done = compared(panel, tmp_path / "run", outcome=lambda o: seen.append(f"{o.candidate.label} {o.seed}"))
    assert len(seen) == 8
    assert seen[:5] == ["gru 0", "gru + dot 0", "lstm/gru 0", "lstm/gru + dot 0", "gru 1"]
    numbers = json.loads((done.folder / runs.COMPARISON).read_text())
    assert {row["model"] for row in numbers["table"]} == {
        *("gru", "gru + dot", "lstm/gru", "lstm/gru + dot"),
        *(
            "repeat last",
            "seasonal naive",
            "seasonal naive + drift",
            "ets",
            "theta",
            "linear",
            f"{done.chosen}, combined",
        ),
    }
    assert numbers["kept"] == done.chosen
    assert len(numbers["outcomes"]) == 8
    best = min(numbers["outcomes"], key=lambda outcome: outcome["valid_loss"])
    assert best["model"] == done.chosen
    settings = Forecaster.load(done.folder).get_params()
    assert settings["seed"] == best["seed"]
    # Stacks and single cells differ in settings that only some of them use.
    assert settings["attention"] == best["settings"]["attention"]


def test_the_kept_run_is_judged_as_its_outcome_was(panel: Panel, tmp_path: Path) -> None:
    done = compared(panel, tmp_path / "run")
    again = evaluate(done.folder, panel)
    kept = done.judged.metrics[done.chosen]
    assert again.metrics["network"] == pytest.approx(kept)
    assert again.metrics["this model"] == pytest.approx(done.judged.metrics[f"{done.chosen}, combined"])
    match = [o.metrics["mase"] for o in done.comparison.outcomes if o.candidate.label == done.chosen]
    assert kept["mase"] in match


def test_ctrl_c_in_a_comparison_keeps_what_was_done(panel: Panel, tmp_path: Path) -> None:
    count = 0

    def stop(outcome: Any) -> None:
        nonlocal count
        count += 1
        if count == 3:
            raise KeyboardInterrupt

    done = compared(panel, tmp_path / "run", outcome=stop)
    assert done.interrupted
    assert len(done.comparison.outcomes) == 3
    assert done.report is not None
    assert runs.read(done.folder).weights
    with pytest.raises(KeyboardInterrupt):
        compared(panel, tmp_path / "other", epoch=StopAt(1))
    assert not (tmp_path / "other").exists()


class Killed(BaseException):
    """Something that nobody catches, such as the power that goes."""


def told(folder: Path) -> dict[str, Any]:
    """The numbers of a comparison without those of the clock."""
    numbers = json.loads((folder / runs.COMPARISON).read_text())
    for row in numbers["table"]:
        row.pop("seconds_per_epoch", None)
    return numbers


@pytest.mark.parametrize("after", [1, 2, 7])
@pytest.mark.parametrize("stop", [KeyboardInterrupt, Killed, RunError])
def test_a_comparison_that_goes_on_ends_as_if_it_had_never_stopped(
    panel: Panel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int, stop: type[BaseException]
) -> None:
    whole = compared(panel, tmp_path / "whole")
    trained: list[str] = []
    original: Callable[..., Any] = comparing.Session.epochs

    def counted(self: Any) -> Any:
        trained.append(f"{self.prepared.config.named('cell')} {self.prepared.config.named('attention')}")
        if len(trained) == after + 1 and stop is RunError and not (tmp_path / "part" / runs.MODEL).exists():
            raise RunError("No space left.")
        return original(self)

    def stops(outcome: Any) -> None:
        if len(trained) == after and stop is not RunError:
            raise stop

    monkeypatch.setattr(comparing.Session, "epochs", counted)
    if stop is Killed:
        with pytest.raises(Killed):
            compared(panel, tmp_path / "part", outcome=stops)
        assert {path.name for path in (tmp_path / "part").iterdir() if path.is_file()} == {runs.CHECKPOINT}
    else:
        assert len(compared(panel, tmp_path / "part", outcome=stops).comparison.outcomes) == after
        assert (tmp_path / "part" / runs.CHECKPOINT).exists()
    trained.clear()
    seen: list[str] = []
    done = compared(panel, tmp_path / "part", resume=True, outcome=lambda o: seen.append(o.candidate.label))
    assert len(trained) == len(seen) == 8 - after, "nothing is trained twice"
    assert not (done.folder / runs.CHECKPOINT).exists() and not done.interrupted
    assert told(done.folder) == told(whole.folder) and done.chosen == whole.chosen
    one, other = weights(whole.folder), weights(done.folder)
    assert one.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in one.items())
    assert done.fitted.record.metrics == whole.fitted.record.metrics
    with pytest.raises(RunError, match="There is no interrupted comparison"):
        compared(panel, tmp_path / "part", resume=True)


def test_a_comparison_goes_on_only_with_its_own_data_and_models(panel: Panel, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    candidates = candidates_of(TINY, ["gru", "lstm"], ["none"])

    def stop(outcome: Any) -> None:
        raise KeyboardInterrupt

    compare(panel, candidates, [0, 1], folder, outcome=stop)
    with pytest.raises(RunError, match="The data are not those this comparison began with"):
        compare(panel_of(frame(seed=1)), candidates, [0, 1], folder, resume=True)
    others = [
        (candidates[:1], [0, 1], {}, r"settings.lstm is null, it was"),
        (candidates, [0, 1, 2], {}, r"seeds is \[0, 1, 2\], it was \[0, 1\]"),
        (candidates_of(TINY | {"hidden_size": 4}, ["gru", "lstm"], ["none"]), [0, 1], {}, "hidden_size is 4, it was 8"),
        (candidates, [0, 1], {"test_size": 20}, "test_size is 20, it was 15"),
    ]
    for lineup, seeds, changed, message in others:
        with pytest.raises(ConfigError, match=f"goes on with what it began with: .*{message}"):
            compare(panel, lineup, seeds, folder, resume=True, **changed)
    with pytest.raises(RunError, match=r"interrupted in .* is a comparison. Go on with: recurra compare --resume"):
        train(panel, TINY, folder, resume=True)
    with pytest.raises(RunError, match="holds a run already"):
        compare(panel, candidates, [0, 1], folder)
    assert len(compare(panel, candidates, [0, 1], folder, resume=True).comparison.outcomes) == 4


def test_ctrl_c_in_the_report_of_a_comparison_keeps_the_numbers(
    panel: Panel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(comparing, "comparison_page", stopped)
    done = compared(panel, tmp_path / "run")
    assert done.interrupted
    assert done.report is None
    assert len(runs.read_comparison(done.folder)["outcomes"]) == 8  # type: ignore[index]


def test_a_training_that_fails_does_not_lose_the_others(
    panel: Panel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original: Callable[..., Any] = comparing.Session.epochs

    def diverges(self: Any) -> Any:
        if self.prepared.config.training.seed == 1:
            raise RunError("The training loss became nan.")
        return original(self)

    monkeypatch.setattr(comparing.Session, "epochs", diverges)
    done = compared(panel, tmp_path / "run")
    assert done.fault == "The training loss became nan."
    assert not done.interrupted
    assert len(done.comparison.outcomes) == 4


def test_an_old_comparison_stays_until_the_new_one_is_done(panel: Panel, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    train(panel, TINY, folder)
    old = weights(folder)
    with pytest.raises(KeyboardInterrupt):
        compared(panel, folder, overwrite=True, epoch=StopAt(2))
    assert all(torch.equal(value, old[name]) for name, value in weights(folder).items())
    with pytest.raises(RunError, match="holds a run already"):
        compared(panel, folder)


def test_a_comparison_needs_rows_to_judge_on(panel: Panel, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="needs something held out"):
        compared(panel, tmp_path / "run", test_size=0)


def test_origins_further_apart_share_fewer_targets(
    panel: Panel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    candidates = candidates_of(TINY, ["gru"], ["none"])
    assert compare(panel, candidates, [0], tmp_path / "a").judged.exam.truth.overlap == 7
    monkeypatch.setattr(planning, "MOST_WINDOWS", 4)
    done = compare(panel, candidates, [0], tmp_path / "b")
    assert done.judged.exam.truth.step == 3
    assert done.judged.exam.truth.overlap == 3


def test_equal_parameters(panel: Panel) -> None:
    candidates = candidates_of(TINY | {"hidden_size": 16}, ["gru", "lstm"], ["none", "multi_head"])
    equal = comparing.equalise(KIND, Source(panel, test_size=15), candidates)
    counts = []
    for candidate in equal:
        forecaster = Forecaster(**candidate.settings)
        forecaster.epochs(panel, held_out=15)
        counts.append(forecaster.fitted_.record.parameters)
    assert max(counts) / min(counts) < 1.25
    plain = [Forecaster(**c.settings) for c in candidates]
    for forecaster in plain:
        forecaster.epochs(panel, held_out=15)
    before = [forecaster.fitted_.record.parameters for forecaster in plain]
    assert max(before) / min(before) > 1.4
    assert equal[0].settings["hidden_size"] == 16


def test_the_demo_has_real_data_with_gaps() -> None:
    demo = KIND.demo()
    panel = demo.data
    assert "Mauna Loa" in demo.about
    assert panel.schema.season == 52
    assert np.isnan(panel.values[0]).sum() == 59


def test_a_fresh_folder_is_not_there_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(common.time, "strftime", lambda _: "now")
    for name in ("sales-now", "sales-now-2", "sales-now-3"):
        folder = common.fresh_folder("sales")
        assert folder == Path("runs") / name
        folder.mkdir(parents=True)


@pytest.mark.parametrize(("rows", "judged"), [(36, False), (38, True)])
def test_three_years_of_months_are_forecast_with_nothing_held_out(rows: int, judged: bool, tmp_path: Path) -> None:
    months = pd.DataFrame({"ds": pd.date_range("2020", periods=rows, freq="MS"), "y": np.arange(rows) % 12 + 0.1})
    done = training.train(KIND, Source(panel_of(months)), TINY | {"horizon": 12}, tmp_path / "run")
    assert (done.judged is not None) == judged and done.report is not None
    assert any("too few rows to hold some of them out" in note for note in done.fitted.record.notes) != judged
    assert np.isfinite(forecast(done.fitted).guess.point).all()
