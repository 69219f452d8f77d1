"""A kind of task that a user wrote, in a file of its own, goes through every verb; so do a cell and an attention."""

import contextlib
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from commands import stopped_by_hand
from recurra import cli
from recurra.verbs.ledger import Ledger

pytestmark = pytest.mark.slow

KIND = Path(__file__).parent / "own" / "counting.py"
TASK = ["--task", "counting:Counting"]
QUICK = [
    "--hidden-size",
    "16",
    "--max-epochs",
    "6",
    "--epoch-steps",
    "40",
    "--batch-size",
    "32",
    "--learning-rate",
    "0.01",
]

CELL = '''
from torch import Tensor

from recurra.attention import DotAttention
from recurra.cells import GatedCell, Gates, Hidden


class Minimal(GatedCell):
    """The minimal gated unit."""

    blocks = 2
    state_type = Hidden

    def gates(self, projected: Tensor, state: Hidden) -> Gates:
        x_f, x_n = projected.chunk(2, -1)
        h_f, h_n = self.recur(state.h).chunk(2, -1)
        f = (x_f + h_f).sigmoid()
        return {"forget": f, "candidate": (x_n + f * h_n).tanh()}

    def step(self, projected: Tensor, state: Hidden) -> Hidden:
        f, n = self.gates(projected, state).values()
        return Hidden(state.h + f * (n - state.h))


class Halved(DotAttention):
    """Half the score of a dot product."""

    def score(self, query: Tensor, keys: Tensor) -> Tensor:
        return super().score(query, keys) / 2
'''


class Done(NamedTuple):
    code: int
    out: str
    err: str


def recurra(folder: Path, *arguments: object) -> Done:
    """Give a command in the folder of the data."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with contextlib.chdir(folder), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            cli.main([str(argument) for argument in arguments])
        except SystemExit as end:
            code = int(end.code or 0)
    return Done(code, out.getvalue(), err.getvalue())


def fresh(folder: Path, *arguments: object) -> Done:
    """Give a command as a person does: in a process of its own."""
    command = [str(Path(sys.executable).with_name("recurra")), *map(str, arguments)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    return Done(done.returncode, done.stdout, done.stderr)


def good(done: Done) -> str:
    assert done.code == 0, done.err
    return done.out


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the kind, a cell, strings of bits, and a run on them."""
    place = tmp_path_factory.mktemp("own")
    (place / "counting.py").write_text(KIND.read_text(encoding="utf-8"), encoding="utf-8")
    (place / "mine.py").write_text(CELL, encoding="utf-8")
    for name in ("counting", "mine"):
        sys.modules.pop(name, None)
    random = np.random.default_rng(0)
    strings = ["".join(random.choice(["0", "1"], size=random.integers(3, 13))) for _ in range(600)]
    (place / "bits.csv").write_text("".join(f"{bits},{bits.count('1')}\n" for bits in strings), encoding="utf-8")
    good(fresh(place, "train", "bits.csv", *TASK, *QUICK, "--out", "run"))
    return place


def test_the_kind_is_short() -> None:
    assert len(KIND.read_text(encoding="utf-8").splitlines()) <= 150


def test_it_learns_to_count_and_is_judged(folder: Path) -> None:
    metrics = json.loads(good(recurra(folder, "evaluate", "run", *TASK, "--json")))
    assert list(metrics) == ["this model", "half of all"]
    assert metrics["this model"]["off"] < 0.5 < metrics["half of all"]["off"]
    config = json.loads((folder / "run" / "config.json").read_text())
    assert config["task"] == "counting:Counting" and config["record"]["test_size"] == 120
    assert config["record"]["metrics"] == metrics


def test_it_answers(folder: Path) -> None:
    (folder / "new.csv").write_text("1111\n000000\n", encoding="utf-8")
    lines = good(recurra(folder, "predict", "run", "new.csv", *TASK)).splitlines()
    assert lines[0] == "bits,ones" and [line.split(",")[0] for line in lines[1:]] == ["1111", "000000"]
    many, none = (float(line.split(",")[1]) for line in lines[1:])
    assert abs(many - 4) < 1 and abs(none) < 1


def test_it_is_compared_and_reported(folder: Path) -> None:
    options = ("--cells", "gru,lstm", "--attentions", "none", "--seeds", 1, "--out", "compared", "--json")
    value = json.loads(good(recurra(folder, "compare", "bits.csv", *TASK, *QUICK, *options)))
    assert {row["model"] for row in value["table"]} == {"gru", "lstm", "half of all"}
    assert "2 of 2 networks beat the best naive answer ('half of all', ones off" in value["verdicts"][0]
    assert "How good it is" in (folder / "compared" / "report.html").read_text()
    (folder / "run" / "report.html").unlink()
    good(recurra(folder, "report", "run", *TASK))
    page = (folder / "run" / "report.html").read_text()
    for part in ("How many ones", "Gates over time", "Gradient through time", "Learning", "half of all"):
        assert part in page
    assert "better than the best naive answer (&#39;half of all&#39;: ones off" in page


def test_its_settings_are_flags_with_help(folder: Path) -> None:
    text = good(recurra(folder, "train", *TASK, "--help"))
    assert "DATA has a line for each string" in text and "Count:" in text
    assert "--embedding VALUE" in text and "width of the vector that stands for a bit [4]" in " ".join(text.split())
    assert "--horizon" not in text
    wrong = recurra(folder, "train", "bits.csv", *TASK, "--embedding", "0")
    assert wrong.code == 2 and "embedding must be at least 1" in wrong.err
    (folder / "deep.toml").write_text("[count]\nembedding = 2\n[model]\nhidden_size = 4\n", encoding="utf-8")
    options = ("--config", "deep.toml", "--max-epochs", 1, "--epoch-steps", 1, "--out", "toml")
    good(recurra(folder, "train", "bits.csv", *TASK, *options))
    assert json.loads((folder / "toml" / "config.json").read_text())["settings"]["count"] == {"embedding": 2}


@pytest.mark.parametrize("verb", ["predict", "evaluate", "report"])
def test_a_run_never_imports_by_itself(folder: Path, verb: str) -> None:
    done = fresh(folder, verb, "run")
    assert done.code == 2 and "Traceback" not in done.err
    assert "of the task 'counting:Counting', which is not part of recurra" in done.err
    assert "--task counting:Counting" in done.err


@pytest.mark.parametrize(
    ("task", "said"),
    [
        ("cuonting:Counting", "There is no module 'cuonting' for the task"),
        ("counting:Countng", "The module 'counting' has no 'Countng'. Did you mean 'Counting'?"),
        ("countin", "Unknown task 'countin'"),
        ("counting:", "is named as module:Name"),
    ],
)
def test_a_task_that_is_not_there(folder: Path, task: str, said: str) -> None:
    done = recurra(folder, "train", "bits.csv", "--task", task)
    assert done.code == 2 and said in done.err and "Traceback" not in done.err


def test_the_wrong_task_for_a_run(folder: Path) -> None:
    done = recurra(folder, "predict", "run", "--task", "forecast")
    assert done.code == 2 and "of the task 'counting:Counting', not of 'forecast'" in done.err


def test_a_training_of_it_goes_on(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with stopped_by_hand(monkeypatch):
        done = recurra(folder, "train", "bits.csv", *TASK, *QUICK, "--out", "part")
    assert done.code == 130 and "recurra train --resume part" in done.err
    done = recurra(folder, "train", "--resume", "part")
    assert done.code == 2 and "say --task counting:Counting" in done.err, "nothing is imported unasked"
    good(recurra(folder, "train", "--resume", "part", *TASK))
    one, two = (good(recurra(folder, "predict", run, *TASK)) for run in ("run", "part"))
    assert one == two


def test_a_cell_and_an_attention_of_ones_own(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    days = [f"2024-{1 + n // 28:02}-{1 + n % 28:02},{n % 7}\n" for n in range(112)]
    (folder / "days.csv").write_text("day,y\n" + "".join(days), encoding="utf-8")
    quick = ("--horizon", 7, "--hidden-size", 8, "--max-epochs", 1, "--epoch-steps", 2)
    own = ("--cell", "mine:Minimal", "--attention", "mine:Halved")
    good(recurra(folder, "train", "days.csv", *quick, *own, "--out", "mine"))
    settings = json.loads((folder / "mine" / "config.json").read_text())["settings"]["model"]
    assert (settings["cell"], settings["attention"]) == ("mine:Minimal", "mine:Halved")
    done = recurra(folder, "predict", "mine")
    assert done.code == 2 and "uses the cell 'mine:Minimal'" in done.err and "--cell mine:Minimal" in done.err
    assert good(recurra(folder, "predict", "mine", *own)).startswith("unique_id,ds,yhat")
    good(recurra(folder, "report", "mine", *own))
    options = ("--cells", "gru,mine:Minimal,gru/mine:Minimal", "--attentions", "none", "--seeds", 1, "--json")
    value = json.loads(good(recurra(folder, "compare", "days.csv", *quick, *options, "--out", "three")))
    original = Ledger.write

    def once(*given: Any) -> None:
        original(*given)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "write", once)
        assert recurra(folder, "compare", "days.csv", *quick, *options, "--out", "half").code == 130
    done = recurra(folder, "compare", "--resume", "half")
    assert done.code == 2 and "give the class itself, --cells mine:Minimal" in done.err, "nothing is imported unasked"
    again = json.loads(good(recurra(folder, "compare", "--resume", "half", *options)))
    assert again["outcomes"] == value["outcomes"]
    assert {"gru", "mine:Minimal", "gru/mine:Minimal"} < {row["model"] for row in value["table"]}
