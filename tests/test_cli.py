"""The command line as a person meets it: every verb, every kind of bad input, and what the terminal shows."""

import errno
import io
import json
import os
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from commands import Answer, Run, run_command, stopped_by_hand
from recurra import __version__, cli
from recurra.cli import console
from recurra.cli import tables as terminal
from recurra.settings import CompareAsked, TrainAsked, settings_of
from recurra.tasks.forecast.demo import SETTINGS
from recurra.tasks.forecast.metrics import ERRORS, forecast_metrics
from recurra.tasks.forecast.settings import PARTS
from recurra.training import runs
from recurra.training.loop import Epoch
from recurra.training.meter import Outlook, describe_epoch, meter
from recurra.verbs import compare as comparing
from recurra.verbs.ledger import Ledger
from recurra.writing.terminal import show_notes

TINY = ["--horizon", "7", "--hidden-size", "8", "--max-epochs", "2", "--epoch-steps", "3", "--batch-size", "16"]
DAYS = pd.date_range("2024-01-01", periods=150)
VALUES = (
    50 + 10 * np.sin(2 * np.pi * np.arange(150) / 7) + np.random.default_rng(0).normal(size=150)
).round(3)  # fmt: skip
SETTINGS_ASKED = settings_of(CompareAsked)
VERBS = ["demo", "train", "predict", "evaluate", "compare", "report", "doctor"]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    return lambda *arguments: run_command(capsys, *arguments)


def table(**columns: Any) -> pd.DataFrame:
    return pd.DataFrame({"date": DAYS.strftime("%Y-%m-%d"), "sales": VALUES} | columns)


@pytest.fixture
def sales(tmp_path: Path) -> Path:
    path = tmp_path / "sales.csv"
    table().to_csv(path, index=False)
    return path


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with sales.csv and a run on it, to read only."""
    folder = tmp_path_factory.mktemp("trained")
    table().to_csv(folder / "sales.csv", index=False)
    before = Path.cwd()
    os.chdir(folder)
    try:
        cli.main(["train", "sales.csv", *TINY, "--out", "run"])
    finally:
        os.chdir(before)
    return folder


def said(answer: Answer, *words: str) -> None:
    """Check that a command was refused with one plain sentence that has these words."""
    assert answer.code == 2, answer
    assert answer.out == ""
    assert "Traceback" not in answer.err
    last = answer.err.strip().splitlines()[-1]
    assert last.startswith("Error: "), answer.err
    for word in words:
        assert word in last, last


# ------------------------------------------------------------------------------------------------- the verbs


def test_help_needs_no_heavy_package() -> None:
    script = (
        "import sys\nfrom recurra.cli import main\n"
        "main(['--help'])\n"
        "print([name for name in ('torch', 'pandas', 'numpy', 'rich', 'sklearn') if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert answer.stdout.splitlines()[-1] == "[]"
    assert all(f"\n  {verb} " in answer.stdout for verb in VERBS)


def test_help_of_the_verbs_is_whole_sentences(run: Run) -> None:
    lines = [line for line in run("--help").out.splitlines() if line.split() and line.split()[0] in VERBS]
    assert len(lines) == len(VERBS)
    assert not [line for line in lines if line.endswith("...")]


def test_version(run: Run) -> None:
    assert run("--version").out.strip() == f"recurra, version {__version__}"


def test_the_module_is_the_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["recurra", "--version"])
    runpy.run_module("recurra", run_name="__main__")
    assert capsys.readouterr().out.strip() == f"recurra, version {__version__}"


@pytest.mark.parametrize("verb", ["train", "compare"])
def test_every_setting_is_a_flag_with_its_help_and_default(run: Run, verb: str) -> None:
    text = " ".join(run(verb, "--help").out.split())
    for name, setting in PARTS.settings().items():
        if verb == "compare" and name in ("cell", "attention", "seed"):
            continue
        assert f"--{name.replace('_', '-')}" in text
        assert setting.help.split(";")[0] in text
        if isinstance(setting.default, (int, float)) and not isinstance(setting.default, bool):
            assert f"[{setting.default}]" in text
    for part in ("Forecast:", "Model:", "Training:"):
        assert part in text


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["trian", "x.csv"], "Did you mean 'train'?"),
        (["xyzzy"], "Verbs: demo, train"),
        (["train", "x.csv", "--horizn", "3"], "--horizon"),
        (["train", "x.csv", "--hidden_size", "3"], "--hidden-size"),
        (["train"], "Missing argument 'DATA'"),
        (["train", "x.csv"], "--horizon"),
        (["train", "x.csv", "--horizon", "soon"], "horizon must be a whole number. Got 'soon'"),
        (["train", "x.csv", "--horizon", "0"], "horizon must be at least 1"),
        (["train", "x.csv", "--horizon", "7", "--cell", "gruu"], "Did you mean 'gru'?"),
        (["train", "x.csv", "--horizon", "7", "--test-size", "-1"], "--test-size"),
        (["compare", "x.csv", "--horizon", "7", "--cells", "gru,lstn"], "Did you mean 'lstm'?"),
        (["compare", "x.csv", "--horizon", "7", "--attentions", "aditive"], "Did you mean 'additive'?"),
        (
            ["train", "x.csv", "--filters", "3"],
            "--filters is for the task 'classify', and this is of the task 'forecast'",
        ),
        (["predict", "nothing"], "There is no run folder nothing"),
        (["evaluate", "nothing"], "There is no run folder nothing"),
        (["report", "nothing"], "There is no run folder nothing"),
        (["train", "--resume", "nothing"], "There is no interrupted training in nothing"),
        (["train", "nothing.csv", "--horizon", "7"], "There is no file 'nothing.csv'"),
        (["train", "x.csv", "--horizon", "7", "--config", "none.toml"], "none.toml"),
    ],
)
def test_wrong_words_are_refused_with_what_would_be_right(run: Run, arguments: list[str], word: str) -> None:
    said(run(*arguments), word)


def test_all_faults_of_the_settings_come_at_once(run: Run) -> None:
    answer = run("train", "x.csv", "--horizon", "many", "--dropout", "7", "--cell", "lstmm")
    assert answer.code == 2
    assert all(word in answer.err for word in ("horizon must be", "dropout must be", "Did you mean 'lstm'"))


def test_train_writes_a_run_and_says_what_it_found_first(run: Run, sales: Path) -> None:
    answer = run("train", sales.name, *TINY, "--out", "runs/mine")
    assert answer.code == 0
    order = [
        "forecasts 'sales'",
        "time is 'date'",
        "frequency is 'D'",
        "season 7",
        "look-back",
        "epoch 1/2",
        "epoch 2/2",
    ]
    places = [answer.err.index(word) for word in order]
    assert places == sorted(places)
    assert "epoch 1" not in answer.out.split("How good it is")[1]
    assert "→ On the held-out data" in answer.out and "→ Forecast: recurra predict runs/mine" in answer.out
    assert "judged by 9 forecasts of the last 15 rows" in answer.out
    assert answer.out.endswith("Run folder: runs/mine\nReport:     runs/mine/report.html\n")
    names = {path.name for path in Path("runs/mine").iterdir()}
    assert names == {"config.json", "model.safetensors", "history.jsonl", "report.html"}


def test_without_out_a_fresh_folder_is_made(run: Run, sales: Path) -> None:
    for _ in range(2):
        assert run("train", sales.name, *TINY, "--max-epochs", 1).code == 0
    folders = list(Path("runs").iterdir())
    assert len(folders) == 2
    assert all(folder.name.startswith("sales-") for folder in folders)


def test_json_is_one_value_on_stdout(run: Run, sales: Path) -> None:
    answer = run("train", sales.name, *TINY, "--out", "run", "--json")
    value = json.loads(answer.out, parse_constant=pytest.fail)
    assert value["run"] == "run"
    assert len(value["forecast"]) == 7
    assert value["about"]["metrics"]["this model"]["mase"] > 0
    assert "time is 'date'" in answer.err
    metrics = json.loads(run("evaluate", "run", "--json").out)
    assert metrics["this model"]["mase"] == pytest.approx(value["about"]["metrics"]["this model"]["mase"])
    rows = json.loads(run("predict", "run", "--json").out)
    assert [row["yhat"] for row in rows] == pytest.approx([row["yhat"] for row in value["forecast"]])
    assert json.loads(run("predict", "run", "--json", "--out", "f.csv").out) == {"forecast": "f.csv"}
    assert json.loads(run("report", "run", "--json").out) == {"report": "run/report.html"}
    assert json.loads(run("doctor", "--json").out)["recurra"] == __version__


def test_json_has_no_number_that_json_does_not_know(capsys: pytest.CaptureFixture[str]) -> None:
    console.print_json({"a": float("nan"), "b": [1.0, float("inf")], "c": {"d": (float("-inf"), 2)}})
    assert json.loads(capsys.readouterr().out) == {"a": None, "b": [1.0, None], "c": {"d": [None, 2]}}


def test_the_same_seed_gives_the_same_run_and_another_another(run: Run, sales: Path) -> None:
    forecasts = []
    for n, seed in enumerate((3, 3, 4)):
        run("train", sales.name, *TINY, "--seed", seed, "--out", f"run{n}")
        forecasts.append(run("predict", f"run{n}").out)
    assert forecasts[0] == forecasts[1] != forecasts[2]


def test_a_settings_file_is_read_and_flags_win(run: Run, sales: Path) -> None:
    Path("my.toml").write_text(
        "[forecast]\nhorizon = 5\n[model]\nhidden_size = 6\ncell = ['lstm', 'gru']\n"
        "[training]\nmax_epochs = 1\nepoch_steps = 2\nseed = 9\n"
    )
    assert run("train", sales.name, "--config", "my.toml", "--hidden-size", 4, "--out", "run").code == 0
    settings = json.loads(Path("run/config.json").read_text())["settings"]
    assert settings["forecast"]["horizon"] == 5
    assert settings["model"]["hidden_size"] == 4
    assert settings["model"]["cell"] == ["lstm", "gru"]
    assert settings["training"]["seed"] == 9
    arguments = ("--cells", "gru", "--attentions", "none", "--seeds", 1, "--out", "c", "--json")
    value = json.loads(run("compare", sales.name, "--config", "my.toml", *arguments).out)
    assert [outcome["seed"] for outcome in value["outcomes"]] == [9]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("horizn = 3", "Did you mean 'horizon'?"),
        ("[forcast]\nhorizon = 3", "Did you mean 'forecast'?"),
        ("horizon = ", "is not a TOML file"),
        ("horizon = 'x'", "horizon must be a whole number"),
    ],
)
def test_a_wrong_settings_file_is_explained(run: Run, text: str, word: str) -> None:
    Path("my.toml").write_text(text)
    said(run("train", "x.csv", "--horizon", 7, "--config", "my.toml") if "x'" not in text else run(
        "train", "x.csv", "--config", "my.toml"), word)  # fmt: skip
    said(run("train", "x.csv", "--config", "."), "cannot be read")


def test_a_settings_file_holds_what_the_verbs_take(run: Run, sales: Path) -> None:
    """One file for train and compare: each takes what it knows, and a flag wins."""
    text = "".join(
        f"{name[2:].replace('-', '_')} = {value}\n" for name, value in zip(TINY[::2], TINY[1::2], strict=True)
    )
    asked = "test_size = 20\nmax_rows = 140\ncells = ['gru', 'lstm>gru']\nattentions = 'none'\nseeds = 1\njson = true\n"
    Path("all.toml").write_text(f"data = 'sales.csv'\nout = 'one'\n{asked}steps = 3\nshow = 'x'\n{text}")
    value = json.loads(run("train", "--config", "all.toml").out)
    assert value["run"] == "one" and value["about"]["test_size"] == 20 and value["about"]["max_rows"] == 140
    value = json.loads(run("compare", "--config", "all.toml", "--out", "two", "--seeds", 2, "--seed", 5).out)
    assert [(one["model"], one["seed"]) for one in value["outcomes"]] == [
        *(("gru", 5), ("lstm/gru", 5)),
        *(("gru", 6), ("lstm/gru", 6)),
    ]
    assert run("train", "--config", "all.toml", "--no-json", "--out", "three").out.startswith("Training took")


@pytest.mark.parametrize("name", sorted(settings_of(CompareAsked)))
@pytest.mark.parametrize("verb", ["train", "compare"])
def test_whatever_a_verb_takes_is_checked_in_a_file(run: Run, verb: str, name: str) -> None:
    own = settings_of({"train": TrainAsked, "compare": CompareAsked}[verb])
    wrong = "[3]" if own.get(name, SETTINGS_ASKED[name]).kinds[0] is str else "'many'"
    wrong = {"cells": "[]", "attentions": "[]", "recipes": "[3]"}.get(name, wrong)
    Path("my.toml").write_text(f"{name} = {wrong}\n")
    answer = run(verb, "x.csv", "--horizon", 7, "--config", "my.toml")
    if name in own:
        said(answer, f"Error: my.toml: {name} must ")
    else:
        said(answer, "There is no file 'x.csv'")
    misspelt = f"{name[:-1]}{name[-1] * 2}"
    Path("my.toml").write_text(f"{misspelt} = 3\n")
    said(
        run(verb, "x.csv", "--horizon", 7, "--config", "my.toml"),
        f"Unknown setting '{misspelt}'. Did you mean '{name}'?",
    )


def test_faults_of_file_and_flags_come_at_once(run: Run) -> None:
    Path("my.toml").write_text("seeds = 0\nhorizon = 'soon'\n")
    answer = run("compare", "x.csv", "--config", "my.toml", "--hidden-size", 0, "--max-rows", "few")
    assert answer.err.splitlines() == [
        "Error: my.toml: seeds must be at least 1. Got 0 instead.",
        "my.toml: horizon must be a whole number. Got 'soon' instead.",
        "--max-rows must be a whole number. Got 'few' instead.",
        "--hidden-size must be at least 1. Got 0 instead.",
    ]
    Path("my.toml").write_text("[model]\nseeds = 2\n")
    answer = run("compare", "x.csv", "--config", "my.toml", "--hidden-size", 0)
    assert answer.err.splitlines() == [
        "Error: my.toml: The setting seeds belongs at the top of the file, above all parts, not in [model].",
        "--hidden-size must be at least 1. Got 0 instead.",
    ]


def test_the_task_may_stand_in_the_file(run: Run) -> None:
    moves(Path("moves.csv"))
    Path("my.toml").write_text("task = 'classify'\ndata = 'moves.csv'\nmax_epochs = 1\nepoch_steps = 2\nfilters = 4\n")
    assert run("train", "--config", "my.toml", "--hidden-size", 8, "--out", "run").code == 0
    assert json.loads(Path("run/config.json").read_text())["task"] == "classify"
    said(run("train", "--config", "my.toml", "--task", "forecast"), "Unknown setting 'filters'")


def test_predict_prints_or_writes_the_forecast(run: Run, trained: Path) -> None:
    folder = trained / "run"
    text = run("predict", folder).out
    frame = pd.read_csv(io.StringIO(text))
    assert list(frame["ds"]) == list(pd.date_range("2024-05-30", periods=7).strftime("%Y-%m-%d"))
    assert {"yhat", "yhat-lo-80", "yhat-hi-90"} <= set(frame.columns)
    assert len(pd.read_csv(io.StringIO(run("predict", folder, "--steps", 3).out))) == 3
    run("predict", folder, "--out", "f.csv")
    assert Path("f.csv").read_text() == text
    assert run("predict", folder, "--out", "f.parquet").code == 0
    np.testing.assert_allclose(pd.read_parquet("f.parquet")["yhat"], frame["yhat"])
    assert {path.name for path in Path().iterdir()} == {"f.csv", "f.parquet"}
    said(run("predict", folder, "--out", "f.xlsx"), ".csv or .parquet")
    said(run("predict", folder, "--out", "no/where.csv"), "There is no folder 'no' to write where.csv to")
    said(run("predict", folder, "--out", "f.csv"), "The file 'f.csv' is there already", "--overwrite")
    assert run("predict", folder, "--out", "f.csv", "--overwrite").code == 0
    said(run("predict", folder, "--steps", 701), "trained for (7)")
    said(run("predict", folder, "--steps", 0), "steps must be at least 1. Got 0")


@pytest.mark.parametrize("overwrite", [(), ("--overwrite",)])
def test_answers_never_replace_the_data_they_are_about(run: Run, trained: Path, overwrite: tuple[str, ...]) -> None:
    table().to_csv("mine.csv", index=False)
    before = Path("mine.csv").read_bytes()
    assert run("predict", trained / "run", "mine.csv", "--out", "./mine.csv", *overwrite).code == 2
    assert Path("mine.csv").read_bytes() == before
    said(run("predict", trained / "run", "mine.csv", "--out", "mine.csv", "--overwrite"), "holds the data themselves")


@pytest.mark.parametrize("model", ["repeat_last", "seasonal_naive", "seasonal_naive_drift", "ets", "theta", "linear"])
def test_a_row_without_intervals_says_so(run: Run, trained: Path, model: str) -> None:
    answer = run("predict", trained / "run", "--model", model)
    assert answer.out.splitlines()[0] == "unique_id,ds,yhat"
    assert f"{model} forecasts without intervals; they come with --model network, or with --model left" in answer.err


def test_a_row_with_intervals_says_nothing(run: Run, trained: Path) -> None:
    for more in ((), ("--model", "network")):
        answer = run("predict", trained / "run", *more)
        assert "yhat-lo-90" in answer.out and answer.err == ""


def test_a_run_that_is_misspelt_is_guessed(run: Run, trained: Path) -> None:
    said(run("predict", trained / "runn"), "There is no run folder", "Did you mean 'run'?")


def test_predict_goes_on_from_other_data(run: Run, trained: Path) -> None:
    late = table()
    late["date"] = pd.date_range("2030-01-01", periods=150).strftime("%Y-%m-%d")
    late.to_csv("late.csv", index=False)
    answer = run("predict", trained / "run", "late.csv")
    assert pd.read_csv(io.StringIO(answer.out))["ds"][0] == "2030-05-31"
    said(run("predict", trained / "run", "none.csv"), "There is no file 'none.csv'")
    late.rename(columns={"sales": "Sale"}).to_csv("late.csv", index=False)
    said(run("predict", trained / "run", "late.csv"), "There is no column 'sales'", "Did you mean 'Sale'?")


def test_evaluate_puts_naive_forecasts_beside(run: Run, trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(trained)
    answer = run("evaluate", "run")
    assert "judged by 9 forecasts of the last 15 rows" in answer.err
    assert any(line.startswith("seasonal naive ") for line in answer.out.splitlines())
    assert "judged by 4 forecasts of the last 10 rows" in run("evaluate", "run", "--test-size", 10, "--step", 1).err
    assert "judged by 2 forecasts" in run("evaluate", "run", "--test-size", 10, "--step", 3).err
    said(run("evaluate", "run", "--test-size", 3), "at least 7 rows")


def test_compare_prints_a_table_and_plain_answers(run: Run, sales: Path) -> None:
    cells = ("--cells", "gru,lstm/gru,lstm+gru,gru", "--attentions", "none,dot", "--seeds", 1)
    answer = run("compare", sales.name, *TINY, *cells, "--out", "run")
    assert answer.code == 0
    assert "4/4  lstm/gru + dot  seed 0  MASE" in answer.err
    assert answer.err.index("season 7") < answer.err.index("1/4")
    for word in ("lstm/gru + dot", "seasonal naive", "linear", "→ ", "Kept: ", "Report:     run/report.html"):
        assert word in answer.out
    assert (Path("run") / "comparison.json").exists()
    value = json.loads(run("compare", sales.name, *TINY, *cells, "--out", "run", "--overwrite", "--json").out)
    assert len(value["outcomes"]) == 4
    assert value["kept"] in {row["model"] for row in value["table"]}
    before = (Path("run") / "report.html").read_text()
    assert run("report", "run").code == 0
    after = (Path("run") / "report.html").read_text()
    assert "Which model: 4 networks, 7 others" in before
    assert "Which model: 4 networks, 7 others" in after


def test_compare_with_equal_parameters(run: Run, sales: Path) -> None:
    arguments = ("--cells", "gru,lstm", "--attentions", "none", "--seeds", 1, "--equal-parameters", "--json")
    value = json.loads(run("compare", sales.name, *TINY, *arguments).out)
    counts = [row["parameters"] for row in value["table"] if "parameters" in row]
    assert len(counts) == 2
    assert max(counts) / min(counts) < 1.3
    assert {outcome["settings"]["hidden_size"] for outcome in value["outcomes"]} != {8}


def test_a_recipe_stands_beside_the_cells(run: Run, sales: Path) -> None:
    Path("slow.toml").write_text(
        'out = "elsewhere"\n[model]\ncell = "lstm"\nhidden_size = 5\n[training]\nmax_epochs = 2\n'
    )
    cells = ("--cells", "gru", "--attentions", "none", "--recipes", "slow.toml")
    value = json.loads(run("compare", sales.name, *TINY, *cells, "--seeds", 1, "--out", "run", "--json").out)
    assert {one["model"]: one["settings"]["hidden_size"] for one in value["outcomes"]} == {"gru": 8, "slow": 5}
    assert not any("Mixing" in verdict or "Attention" in verdict for verdict in value["verdicts"])
    assert any("The recipe slow is " in verdict and "than gru" in verdict for verdict in value["verdicts"])
    assert value["kept"] == "gru", "what a recipe calls its loss may be another"
    Path("gru.toml").write_text("horizon = 3\n")
    said(run("compare", sales.name, *TINY, *cells[:4], "--recipes", "gru.toml"), "Two models would be called 'gru'")
    Path("short.toml").write_text("horizon = 3\n")
    said(run("compare", sales.name, *TINY, *cells[:4], "--recipes", "short.toml"), "must answer the same")
    Path("wrong.toml").write_text("hiden_size = 3\n")
    wrong = run("compare", sales.name, *TINY, *cells[:4], "--recipes", "wrong.toml,none.toml")
    assert wrong.code == 2 and "wrong.toml" in wrong.err and "hidden_size" in wrong.err
    said(run("compare", sales.name, *TINY, *cells[:4], "--recipes", "none.toml"), "There is no settings file none.toml")


def test_the_demo_needs_nothing(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    small = {"hidden_size": 4, "max_epochs": 1, "epoch_steps": 2, "batch_size": 8}
    monkeypatch.setattr("recurra.tasks.forecast.demo.SETTINGS", SETTINGS | small)
    monkeypatch.setattr(comparing, "CELLS_COMPARED", ("gru",))
    answer = run("demo", "--seeds", 1, "--out", "demo")
    assert answer.code == 0
    assert "weekly CO2" in answer.err
    assert "season 52" in answer.err
    assert "gru + additive" in answer.out
    said(run("demo", "--seeds", 1, "--out", "demo"), "holds a run already")


def test_doctor_fails_if_engines_differ(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = run("doctor")
    assert answer.code == 0
    assert "agrees with the reference" in answer.out
    monkeypatch.setattr("recurra.verbs.doctor.examine", lambda: {"engine x": "DIFFERS from the reference by 1e-2"})
    assert run("doctor").code == 1


# ------------------------------------------------------------------------------------------------ bad input


def csv(*lines: str) -> bytes:
    return ("\n".join(lines) + "\n").encode()


def rows(change: Callable[[list[str]], Any], head: str = "date,sales") -> bytes:
    lines = [f"{d:%Y-%m-%d},{v}" for d, v in zip(DAYS, VALUES, strict=True)]
    change(lines)
    return csv(head, *lines)


def put(place: int, text: str) -> Callable[[list[str]], None]:
    def change(lines: list[str]) -> None:
        lines[place] = text

    return change


def mixed(lines: list[str]) -> None:
    months = pd.date_range("2023-01-01", periods=60, freq="MS")[::-1]
    lines[:60] = [f"{m - pd.Timedelta(days=3000):%Y-%m-%d},1" for m in months]


BAD: dict[str, tuple[bytes, list[str], list[str]]] = {
    "misspelt target": (rows(len), ["--target", "sale"], ["no column 'sale'", "Did you mean 'sales'?"]),
    "misspelt time": (rows(len), ["--time", "dates"], ["no column 'dates'", "Did you mean 'date'?"]),
    "misspelt id": (rows(len), ["--id", "shop"], ["no column 'shop' for the id"]),
    "text among numbers": (rows(put(41, "2024-02-11,oops")), [], ["'sales'", "'oops'", "line 43 of 'data.csv'"]),
    "text as the target": (
        rows(lambda lines: lines.__setitem__(slice(None), [f"{line},x" for line in lines]), "date,sales,note"),
        ["--target", "note"],
        ["'note'", "'x'", "not numbers"],
    ),
    "infinity": (rows(put(9, "2024-01-10,inf")), [], ["infinite", "line 11"]),
    "no date": (rows(put(9, "soon,3")), [], ["'date'", "'soon'", "line 11"]),
    "no date at all": (rows(put(9, ",3")), [], ["'date'", "empty in line 11"]),
    "two steps": (rows(mixed), [], ["comes 31 days after", "--frequency"]),
    "many the same": (
        csv("date,sales", *[f"{d:%Y-%m-%d},{v}" for d, v in zip(DAYS.repeat(2), VALUES.repeat(2) + 1, strict=False)]),
        [],
        ["have the same time stamp", "--id"],
    ),
    "no values": (csv("date,sales", *[f"{d:%Y-%m-%d}," for d in DAYS]), ["--target", "sales"], ["is missing"]),
    "empty": (b"", [], ["is empty"]),
    "blank": (b"\n\n  \n", [], ["is empty"]),
    "a header only": (b"date,sales\n", [], ["no rows of data"]),
    "one row": (csv("date,sales", "2024-01-01,3"), [], ["one row"]),
    "one cell a line": (csv("words", *["nothing"] * 20), [], ["does not split into columns"]),
    "ragged": (rows(put(40, "2024-02-10,1,2,3")), [], ["Line 42", "4 cells"]),
    "binary": (bytes(range(256)) * 50, [], ["binary file"]),
    "excel": (b"PK\x03\x04" + bytes(100), [], ["Excel or zip"]),
    "too few": (rows(lambda lines: lines.__delitem__(slice(12, None))), [], ["need at least", "has 12"]),
    "look-back too long": (rows(len), ["--lookback", "200"], ["at least 235 rows", "look-back of at most 115"]),
    "unknown frequency": (rows(len), ["--frequency", "fortnight"], ["fortnight"]),
    "test too small": (rows(len), ["--test-size", "2"], ["The test size is 2", "7 steps"]),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_sentence_and_loses_nothing(run: Run, trained: Path, case: str) -> None:
    content, flags, words = BAD[case]
    Path("data.csv").write_bytes(content)
    old = {path.name: path.read_bytes() for path in (trained / "run").iterdir()}
    answer = run("train", "data.csv", *TINY, *flags, "--out", trained / "run", "--overwrite")
    said(answer, *words)
    assert {path.name: path.read_bytes() for path in (trained / "run").iterdir()} == old
    assert [path.name for path in Path().iterdir()] == ["data.csv"]


def test_what_was_found_is_said_even_if_it_does_not_help(run: Run) -> None:
    Path("data.csv").write_bytes(BAD["look-back too long"][0].replace(b",", b";"))
    answer = run("train", "data.csv", *TINY, "--lookback", 200)
    assert answer.code == 2
    assert "read with ';' as separator" in answer.err
    assert answer.err.index("season 7") < answer.err.index("Error: ")


# ---------------------------------------------------------------------------------- odd files that must work

HOURS = pd.date_range("2024-03-01", periods=900, freq="h", tz="Europe/Berlin")
LOAD = (20 + 5 * np.sin(2 * np.pi * np.arange(900) / 24) + np.random.default_rng(1).normal(size=900)).round(2)
MONTHS = pd.date_range("2012-01-01", periods=150, freq="MS")


def written(stamps: Any, form: str, values: Any = VALUES, head: str = "date,sales") -> bytes:
    return csv(head, *[f"{format(stamp, form)},{value}" for stamp, value in zip(stamps, values, strict=False)])


def german(amount: float) -> str:
    return f"{amount * 100:,.2f}".translate(str.maketrans(",.", ".,"))


ODD: dict[str, tuple[bytes, list[str], str]] = {
    "newest first": (written(DAYS[::-1], "%Y-%m-%d"), ["turned round"], "2024-05-30"),
    "shuffled": (
        rows(lambda lines: lines.__setitem__(slice(3, 9), lines[8:2:-1])), ["they were sorted"], "2024-05-30"
    ),
    "a doubled stamp": (rows(put(10, "2024-01-10,50")), ["doubled time stamp"], "2024-05-30"),
    "missing rows": (rows(lambda lines: lines.__delitem__(slice(30, 33))), ["3 of 150 time steps"], "2024-05-30"),
    "missing values": (rows(put(10, "2024-01-11,NA")), ["1 missing value"], "2024-05-30"),
    "German": (
        csv("Datum;Umsatz (€)", *[f"{d:%d.%m.%Y};{german(v)}" for d, v in zip(DAYS, VALUES, strict=True)])
        .decode().encode("cp1252"),
        ["decimal comma", "Latin-1", "day first"],
        "2024-05-30",
    ),
    "UTF-8 with a mark": (b"\xef\xbb\xbf" + written(DAYS, "%Y-%m-%d"), ["forecasts 'sales'"], "2024-05-30"),
    "thousands in quotes": (
        csv("Date,Sales", *[f'{d:%m/%d/%Y},"{v * 100:,.2f}"' for d, v in zip(DAYS, VALUES, strict=True)]),
        ["month first"],
        "2024-05-30",
    ),
    "tabs": (written(DAYS, "%Y-%m-%d").replace(b",", b"\t"), ["tab as separator"], "2024-05-30"),
    "comments first": (b"# logger 7\n# kWh\n" + written(DAYS, "%Y-%m-%d"), ["2 comment line"], "2024-05-30"),
    "empty ends": (
        rows(len).replace(b"\n", b",,\n") + b",,,\n" * 9, ["2 empty column", "9 empty row"], "2024-05-30"
    ),
    "a counting first column": (table().to_csv().encode(), ["only counts the rows"], "2024-05-30"),
    "month names": (written(MONTHS, "%b-%y"), ["frequency is 'MS'"], "2024-07-01"),
    "quarters": (
        csv("quarter,gdp", *[f"{1985 + n // 4}Q{n % 4 + 1},{v}" for n, v in enumerate(VALUES)]),
        ["frequency is 'QS-JAN'"],
        "2022-07-01",
    ),
    "years": (csv("Year,y", *[f"{1870 + n},{v}" for n, v in enumerate(VALUES)]), ["time is 'Year'"], "2020"),
    "weeks": (written(pd.date_range("2020-01-06", periods=150, freq="W-MON"), "%Y-%m-%d"), ["W-MON"], "2022-11-21"),
    "business days": (written(pd.bdate_range("2024-01-01", periods=150), "%d %b %Y"), ["'B'"], "2024-07-29"),
    "epoch seconds": (
        csv("time,kwh", *[f"{int(t.timestamp())},{v}" for t, v in zip(HOURS, LOAD, strict=True)]),
        ["seconds since 1970", "frequency is 'h'"],
        "2024-04-07 11:00",
    ),
    "ISO with Z": (written(HOURS.tz_convert("UTC"), "%Y-%m-%dT%H:%M:%SZ", LOAD), ["time zone UTC"], "2024-04-07 11:00"),
    "offsets that change": (
        csv("time,kwh", *[f"{t.isoformat()},{v}" for t, v in zip(HOURS, LOAD, strict=True)]),
        ["read as UTC"],
        "2024-04-07 11:00",
    ),
    "clocks go forward": (written(HOURS, "%Y-%m-%d %H:%M", LOAD), ["1 of 901 time steps"], "2024-04-07 13:00"),
    "many series": (
        csv("Store,Date,Sales", *[f"{s},{d:%Y-%m-%d},{v * k}" for k, s in enumerate("AB", 1)
                                  for d, v in zip(DAYS, VALUES, strict=True)]),
        ["'Store' tells the series apart"],
        "2024-05-30",
    ),
    "no header": (csv(*[str(v) for v in VALUES]), ["no header line", "no time column"], "151"),
    "two columns of a name": (table(x=VALUES * 2).rename(columns={"x": "sales"}).to_csv(index=False).encode(),
                              ["forecasts 2 columns: 'sales', 'sales.1'"], "2024-05-30"),
}  # fmt: skip


@pytest.mark.parametrize("case", ODD)
def test_odd_files_need_nothing_but_a_horizon(run: Run, case: str) -> None:
    content, notes, first = ODD[case]
    Path("data.csv").write_bytes(content)
    answer = run("train", "data.csv", *TINY, "--max-epochs", 1, "--out", "run", "--json")
    assert answer.code == 0, answer.err
    for note in notes:
        assert note in answer.err
    value = json.loads(answer.out)
    assert str(value["forecast"][0]["ds"]).startswith(first)
    assert np.isfinite([row["yhat"] for row in value["forecast"]]).all()


# ------------------------------------------------------------------------------------------- damaged folders


@pytest.fixture(scope="session")
def small_run(trained: Path) -> dict[str, bytes]:
    """The files of a run, with a short report."""
    files = {path.name: path.read_bytes() for path in (trained / "run").iterdir()}
    return files | {"report.html": b"<html>"}


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "history.jsonl", "report.html"])
@pytest.mark.parametrize("damage", ["gone", "empty", "half", "byte", "other"])
def test_a_damaged_run_folder_never_ends_in_a_traceback(
    run: Run, small_run: dict[str, bytes], name: str, damage: str
) -> None:
    folder = Path("run")
    folder.mkdir()
    for file, content in small_run.items():
        (folder / file).write_bytes(content)
    path, whole = folder / name, small_run[name]
    middle = len(whole) // 2
    if damage == "gone":
        path.unlink()
    else:
        changed = {
            "empty": b"",
            "half": whole[:middle],
            "byte": whole[:middle] + bytes([whole[middle] ^ 4]) + whole[middle + 1 :],
            "other": b"[1, 2, 3]\n",
        }
        path.write_bytes(changed[damage])
    answer = run("predict", "run")
    if name == "report.html" or (name, damage) == ("history.jsonl", "gone"):
        assert answer.code == 0
    else:
        said(answer, name)


def test_settings_changed_by_hand_are_named(run: Run, small_run: dict[str, bytes]) -> None:
    Path("run").mkdir()
    for file, content in small_run.items():
        (Path("run") / file).write_bytes(content)
    path = Path("run/config.json")
    path.write_text(path.read_text().replace('"hidden_size": 8', '"hidden_size": 16'))
    said(run("predict", "run"), "settings.model.hidden_size is 16, it was 8")


# ------------------------------------------------------------------------------------- folders and full disks


def test_a_run_is_not_overwritten_by_accident(run: Run, sales: Path) -> None:
    assert run("train", sales.name, *TINY, "--out", "run").code == 0
    said(run("train", sales.name, *TINY, "--out", "run"), "holds a run already", "--overwrite")
    assert run("train", sales.name, *TINY, "--out", "run", "--overwrite").code == 0
    said(run("train", sales.name, *TINY, "--out", "sales.csv", "--overwrite"), "is a file")
    Path("photos").mkdir()
    Path("photos/cat.jpg").touch()
    said(run("train", sales.name, *TINY, "--out", "photos", "--overwrite"), "holds no run")
    said(run("compare", sales.name, *TINY, "--out", "run"), "holds a run already")
    said(run("train", sales.name, *TINY, "--out", "/proc/run"), "cannot be written")


def no_space(*args: Any, **kwargs: Any) -> Any:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_is_one_sentence_and_the_training_can_go_on(
    run: Run, sales: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run("train", sales.name, *TINY, "--out", "whole")
    assert whole.code == 0
    with monkeypatch.context() as patch:
        patch.setattr(runs, "_save", no_space)
        said(run("train", sales.name, *TINY, "--out", "early"), "No space left on device")
    with monkeypatch.context() as patch:
        patch.setattr(runs, "write", lambda *_, **__: runs.write_report(Path("late"), "x" * 10))
        patch.setattr(Path, "write_text", no_space)
        said(run("train", sales.name, *TINY, "--out", "late"), "No space left on device")
    said(run("predict", "late"), "was not finished", "--resume late")
    said(run("train", "--resume", "late", "--task", "classify"), "is of the task 'forecast', not of 'classify'")
    assert run("train", "--resume", "late").code == 0
    assert run("predict", "late").out == run("predict", "whole").out


def test_a_forecast_that_cannot_be_written_leaves_no_half(
    run: Run, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("f.csv").write_text("old")
    monkeypatch.setattr(Path, "replace", no_space)
    said(run("predict", trained / "run", "--out", "f.csv", "--overwrite"), "No space left on device")
    assert Path("f.csv").read_text() == "old"
    assert [path.name for path in Path().iterdir()] == ["f.csv"]


# ---------------------------------------------------------------------------------------------------- Ctrl-C


def stopped(*args: Any, **kwargs: Any) -> Any:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    "where",
    [
        "recurra.tasks.forecast.source.read_table",
        "recurra.tasks.forecast.kind.make_plan",
        "recurra.training.loop._Loop.epoch",
    ],
)
def test_ctrl_c_before_the_first_epoch(run: Run, sales: Path, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    monkeypatch.setattr(where, stopped)
    answer = run("train", sales.name, *TINY, "--out", "run")
    assert answer.code == 130
    assert answer.err.strip().endswith("Stopped before there was anything to keep.")
    assert answer.out == ""
    monkeypatch.undo()


def test_ctrl_c_in_the_middle_keeps_the_run_and_can_go_on(
    run: Run, sales: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with stopped_by_hand(monkeypatch):
        answer = run("train", sales.name, *TINY, "--out", "run", "--json")
    assert answer.code == 130
    assert json.loads(answer.out)["about"]["epochs"] == 1
    assert "best weights so far were kept" in answer.err
    assert "recurra train --resume run" in answer.err
    assert run("predict", "run").code == 0
    assert Path("run/report.html").exists()
    said(run("train", "--resume", "run", "--out", "other"), "Leave --out out")
    said(run("train", "--resume", "run", "--hidden-size", 4), "hidden_size was 8, now 4")
    assert run("train", "--resume", "run").code == 0
    assert run("train", sales.name, *TINY, "--out", "whole").code == 0
    assert run("predict", "run").out == run("predict", "whole").out


@pytest.mark.parametrize("where", ["recurra.verbs.train.judge", "recurra.verbs.train.training_page"])
def test_ctrl_c_at_the_end_keeps_the_run(run: Run, sales: Path, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(where, stopped)
        answer = run("train", sales.name, *TINY, "--out", "run", "--json")
    assert answer.code == 130
    assert json.loads(answer.out)["report"] is None
    assert "recurra report run" in answer.err
    assert run("predict", "run").code == 0
    assert run("report", "run").code == 0
    assert Path("run/report.html").exists()


def test_ctrl_c_while_the_run_is_written_says_how_to_go_on(
    run: Run, sales: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(runs, "write", stopped)
        answer = run("train", sales.name, *TINY, "--out", "run")
    assert answer.code == 130
    assert answer.err.strip().endswith("Stopped. Go on with: recurra train --resume run")
    assert run("train", "--resume", "run").code == 0


def test_ctrl_c_in_a_comparison(run: Run, sales: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = comparing.judge_network
    left = 3

    def one_more(*args: Any) -> Any:
        nonlocal left
        left -= 1
        return original(*args) if left else stopped()

    arguments = ("--cells", "gru,lstm,rnn", "--attentions", "none", "--seeds", 1)
    with monkeypatch.context() as patch:
        patch.setattr(comparing, "judge_network", one_more)
        answer = run("compare", sales.name, *TINY, *arguments, "--out", "run", "--json")
    assert answer.code == 130
    assert len(json.loads(answer.out)["outcomes"]) == 2
    assert "covers what was done until then" in answer.err
    with monkeypatch.context() as patch:
        patch.setattr("recurra.training.loop._Loop.epoch", stopped)
        assert run("compare", sales.name, *TINY, *arguments, "--out", "none").code == 130
    assert not Path("none").exists()


def stop_after(monkeypatch: pytest.MonkeyPatch, count: int, stop: type[BaseException] = KeyboardInterrupt) -> None:
    """Stop a comparison when so many trainings are finished and on disk."""
    original, left = Ledger.write, count

    def write(self: Any, *args: Any) -> None:
        nonlocal left
        original(self, *args)
        left -= 1
        if not left:
            raise stop

    monkeypatch.setattr(Ledger, "write", write)


def test_a_stopped_comparison_goes_on(run: Run, sales: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = ("--cells", "gru,lstm/gru", "--attentions", "none,dot", "--seeds", 2, "--equal-parameters")
    assert run("compare", sales.name, *TINY, *asked, "--out", "whole").code == 0
    with monkeypatch.context() as patch:
        stop_after(patch, 3)
        answer = run("compare", sales.name, *TINY, *asked, "--out", "part")
    assert answer.code == 130 and answer.err.strip().endswith("Go on with: recurra compare --resume part")
    assert run("predict", "part").code == 0, "what was done is a run"
    said(run("train", "--resume", "part"), "is a comparison. Go on with: recurra compare --resume part")
    said(run("compare", "--resume", "part", "--hidden-size", 4), "hidden_size is 4, it was 8")
    said(run("compare", "--resume", "part", "--seeds", 3), "seeds is [0, 1, 2], it was [0, 1]")
    said(run("compare", "--resume", "part", "--cells", "gru"), "goes on with what it began with")
    said(run("compare", "--resume", "part", "--out", "other"), "Leave --out out")
    with monkeypatch.context() as patch:
        patch.setattr("recurra.tasks.forecast.source.read_table", stopped)
        answer = run("compare", "--resume", "part")
    assert answer.code == 130 and answer.err.strip().endswith("Stopped. Go on with: recurra compare --resume part")
    with monkeypatch.context() as patch:
        stop_after(patch, 2)
        assert run("compare", "--resume", "part").code == 130
    answer = run("compare", sales.name, *TINY, *asked, "--resume", "part")
    assert answer.code == 0 and "5 of 8 trainings are finished already" in answer.err
    assert "6/8  " in answer.err and "5/8  " not in answer.err
    one, two = (json.loads(Path(name, "comparison.json").read_text()) for name in ("whole", "part"))
    assert one["outcomes"] == two["outcomes"] and one["verdicts"] == two["verdicts"]
    assert run("predict", "part").out == run("predict", "whole").out
    said(run("compare", "--resume", "part"), "There is no interrupted comparison in part: the run there is finished")


def test_a_killed_comparison_is_no_run_yet(run: Run, sales: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = ("--cells", "gru,lstm", "--attentions", "none", "--seeds", 1)
    with monkeypatch.context() as patch, pytest.raises(ZeroDivisionError):
        stop_after(patch, 1, ZeroDivisionError)
        run("compare", sales.name, *TINY, *asked, "--out", "part")
    said(run("predict", "part"), "The comparison in part was not finished. Go on with: recurra compare --resume part")
    said(run("train", sales.name, *TINY, "--out", "part"), "holds a comparison that was not finished", "or replace it")
    assert run("compare", "--resume", "part").code == 0
    assert run("predict", "part").code == 0


def test_a_stopped_demo_goes_on(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    small = {"hidden_size": 4, "max_epochs": 1, "epoch_steps": 2, "batch_size": 8}
    monkeypatch.setattr("recurra.tasks.forecast.demo.SETTINGS", SETTINGS | small)
    monkeypatch.setattr(comparing, "CELLS_COMPARED", ("gru",))
    with monkeypatch.context() as patch:
        stop_after(patch, 1)
        answer = run("demo", "--seeds", 1, "--out", "demo")
    assert answer.code == 130 and answer.err.strip().endswith("Go on with: recurra demo --resume demo")
    said(run("compare", "--resume", "demo"), "Go on with: recurra demo --resume demo")
    assert run("demo", "--seeds", 1, "--resume", "demo").code == 0


def test_a_training_that_fails_ends_a_comparison_but_keeps_it(
    run: Run, sales: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("--cells", "gru", "--attentions", "none", "--seeds", 2)
    original = comparing.Session.epochs

    def diverges(self: Any) -> Any:
        if self.prepared.config.training.seed:
            raise runs.RunError("The training loss became nan.")
        return original(self)

    monkeypatch.setattr(comparing.Session, "epochs", diverges)
    answer = run("compare", sales.name, *TINY, *arguments, "--out", "run")
    assert answer.code == 2
    assert "The training loss became nan. The comparison covers" in answer.err
    assert "Kept: gru" in answer.out


@pytest.mark.slow
def test_a_real_ctrl_c_ends_with_130(sales: Path) -> None:
    script = (
        "import recurra.training.runs as runs, os, signal\noriginal = runs.write_checkpoint\n"
        "def press(*args):\n    original(*args)\n    os.kill(os.getpid(), signal.SIGINT)\n"
        "runs.write_checkpoint = press\n"
        f"from recurra.cli import main\nmain({['train', 'sales.csv', *TINY, '--out', 'run']!r})"
    )
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    answer = subprocess.run(
        [sys.executable, "-c", script], cwd=sales.parent, env=environment, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 130, answer.stderr
    assert "Traceback" not in answer.stderr
    assert (sales.parent / "run" / "report.html").exists()


def test_a_fault_of_ours_ends_with_1_and_a_traceback(sales: Path) -> None:
    script = (
        "import recurra.verbs.train as w\ndef broken(*a, **k):\n    raise ZeroDivisionError\nw.train = broken\n"
        f"from recurra.cli import main\nmain({['train', 'sales.csv', *TINY]!r})"
    )
    answer = subprocess.run(
        [sys.executable, "-c", script], cwd=sales.parent, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 1
    assert "ZeroDivisionError" in answer.stderr


def test_a_reader_that_has_seen_enough_ends_it_quietly(trained: Path) -> None:
    arguments = [sys.executable, "-m", "recurra.cli", "predict", "run"]
    child = subprocess.Popen(arguments, cwd=trained, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.close()
    _, err = child.communicate()
    assert err == b""
    assert child.returncode == 1


# ----------------------------------------------------------------------------------------------- the terminal


def shown(renderable: Any, width: int = 80) -> list[str]:
    page = Console(file=io.StringIO(), width=width, force_terminal=False)
    page.print(renderable)
    return page.file.getvalue().rstrip("\n").split("\n")  # type: ignore[attr-defined]


def test_the_metrics_fit_a_terminal() -> None:
    names = ("mae", "rmse", "smape", "mase", "scaled_mse", "scaled_mae")
    metrics = {
        model: {name: size * 10.0**n for n, name in enumerate(names)}
        for size, model in enumerate(("this model", "repeat last", "seasonal naive", "linear"), 1)
    }
    metrics["this model"] |= {"coverage_80": 0.8124, "coverage_90": 0.9}
    lines = shown(terminal.metrics_table(metrics, forecast_metrics((80, 90))))
    assert max(map(len, lines)) <= 80
    assert lines[0].split() == ["MASE", "MAE", "RMSE", "sMAPE", "%", "in", "80", "%", "band", "in", "90", "%", "band"]
    assert lines[1].split() == ["this", "model", "1,000", "1", "10", "100", "81.2", "%", "90.0", "%"]
    assert lines[2].split() == ["repeat", "last", "2,000", "2", "20", "200", "–", "–"]
    assert len(lines) == 5


def test_the_best_model_comes_first_and_stands_out() -> None:
    metrics = {"this model": {"mae": 2.0, "mase": 3.5}, "odd": {"mae": 1.0}, "linear": {"mae": 1.5, "mase": 3.0}}
    page = Console(file=io.StringIO(), width=80, force_terminal=True, color_system="standard")
    page.print(terminal.metrics_table(metrics, ERRORS))
    lines = page.file.getvalue().split("\n")  # type: ignore[attr-defined]
    assert [line.split()[0].removeprefix("\x1b[1m") for line in lines[1:4]] == ["linear", "this", "odd"]
    assert "\x1b[1m" in lines[1] and "\x1b[1m" not in lines[2]


def test_the_comparison_fits_a_terminal() -> None:
    row = {"seeds": 3, "mase": 0.81234, "interval": 0.1, "p_best": 1e-9, "p_naive": 0.04, "parameters": 1_234_567}
    lines = shown(
        terminal.comparison_table(
            [
                row | {"model": "lstm_gru_full + location_aware", "seconds_per_epoch": 123.4},
                row | {"model": "gru", "p_best": float("nan"), "seconds_per_epoch": 0.04},
                {"model": "seasonal naive", "mase": 12.5},
            ],
            ERRORS[0],
        )
    )
    assert max(map(len, lines)) <= 80
    assert "…" not in "".join(lines)
    assert lines[0].split() == ["model", "MASE", "±", "p", "best", "p", "naive", "params", "s/epoch"]
    assert "lstm_gru_full + location_aware" in lines[1]
    assert lines[1].split()[-6:] == ["0.8123", "0.100", "<0.001", "0.040", "1.23M", "123"]
    assert lines[-1].split() == ["seasonal", "naive", "12.5000", *"–––––"]


def test_a_terminal_sees_progress_and_a_pipe_sees_lines() -> None:
    page = Console(file=io.StringIO(), width=100, force_terminal=True)
    epoch = Epoch(2, 20, 0.5, 0.25, True, {}, {}, 1.0)
    with meter(page) as shown:
        shown("gru (seed 0)", epoch, Outlook(30, 33, False))
        shown.progress.refresh()
    text = page.file.getvalue()  # type: ignore[attr-defined]
    assert "first epoch" in text
    assert "gru (seed 0)" in text
    assert "epoch 2/30  validation loss 0.2500*  at most 0:33 left" in text
    assert describe_epoch(epoch, 30) == "epoch 2/30  validation loss 0.2500*"


def test_notes_wrap_under_their_bullet() -> None:
    page = Console(file=io.StringIO(), width=30)
    show_notes(page, ["a note that is longer than one line of it [b]", "short"])
    lines = page.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert [line.rstrip() for line in lines] == [
        "  • a note that is longer than",
        "    one line of it [b]",
        "  • short",
    ]


# ------------------------------------------------------------------------------------------- several kinds of task


def moves(path: Path) -> None:
    """Write labelled cases, one in each row."""
    random = np.random.default_rng(0)
    steps = np.arange(12) * np.where(np.arange(40) % 2, 0.9, 0.3)[:, None]
    frame = pd.DataFrame((np.sin(steps) + 0.1 * random.normal(size=(40, 12))).round(2))
    frame.assign(label=np.where(np.arange(40) % 2, "fast", "slow")).to_csv(path, index=False)


QUICK = ["--hidden-size", "8", "--max-epochs", "1", "--epoch-steps", "2"]


def test_another_table_does_not_pass_for_test_data(run: Run, sales: Path) -> None:
    moves(Path("moves.csv"))
    said(run("train", sales.name, *TINY, "--test-data", "moves.csv", "--out", "run"), "There is no column")
    assert not Path("run").exists()
    said(run("train", sales.name, *TINY, "--test-data", "x.csv", "--test-size", 9), "Leave --test-size out")


def test_one_settings_file_may_serve_two_tasks(run: Run, sales: Path) -> None:
    moves(Path("moves.csv"))
    text = "[forecast]\nhorizon = 7\n[classify]\nnormalise = 'case'\n[model]\nhidden_size = 8\n"
    Path("both.toml").write_text(text + "[training]\nmax_epochs = 1\nepoch_steps = 2\n")
    assert run("train", sales.name, "--config", "both.toml", "--out", "one").code == 0
    assert run("train", "moves.csv", "--task", "classify", "--config", "both.toml", "--out", "two").code == 0
    assert json.loads(Path("two/config.json").read_text())["settings"]["classify"]["normalise"] == "case"
    Path("both.toml").write_text("[clasify]\nnormalise = 'case'\n")
    said(run("train", "moves.csv", "--task", "classify", "--config", "both.toml"), "Unknown part [clasify]")


def test_a_training_of_another_task_goes_on_in_the_folder_of_a_run(
    run: Run, sales: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moves(Path("moves.csv"))
    assert run("train", sales.name, *TINY, "--out", "run").code == 0
    with monkeypatch.context() as patch:
        patch.setattr(runs, "write", stopped)
        options = ("--task", "classify", *QUICK, "--out", "run", "--overwrite")
        assert run("train", "moves.csv", *options).code == 130
    assert run("train", "--resume", "run").code == 0
    assert json.loads(Path("run/config.json").read_text())["task"] == "classify"
    assert "case,label,p_fast,p_slow" in run("predict", "run", "moves.csv").out
    said(run("report", "--show", "x", "run"), "--show")


def test_a_comparison_of_nothing(run: Run, sales: Path) -> None:
    assert run("compare", sales.name, *TINY, "--cells", "").code == 2
    assert run("compare", sales.name, *TINY, "--attentions", ",").code == 2


def test_named_series_are_shown(run: Run, trained: Path, sales: Path) -> None:
    table(other=VALUES[::-1]).to_csv("two.csv", index=False)
    assert run("train", "two.csv", *TINY, "--out", "run").code == 0
    assert run("report", "run", "--show", "other").code == 0
    assert "Of 2 series those are shown that were asked for." in Path("run/report.html").read_text()
    said(run("report", "run", "--show", "othr"), "There is no series 'othr' to show. Did you mean 'other'?")


def test_what_cannot_be_forecast_yet_says_so_and_is_trained(run: Run) -> None:
    random = np.random.default_rng(0)
    table = pd.DataFrame({"day": pd.date_range("2024-01-01", periods=90), "sold": random.normal(size=90)})
    table.assign(price=random.normal(size=90)).to_csv("priced.csv", index=False)
    answer = run("train", "priced.csv", "--target", "sold", "--known", "price", *TINY, "--json", "--out", "priced")
    found = json.loads(answer.out)
    assert answer.code == 0 and found["about"]["metrics"] and found["forecast"] is None
    assert "'price' is not known for 2024-03-31" in found["reason"] and "--known" in found["reason"]
