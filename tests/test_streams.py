"""Standard output and error: any text in any encoding, and nobody who reads it."""

import errno
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TextIO

import numpy as np
import pandas as pd
import pytest

from recurra.cli import app as cli
from recurra.cli import streams

NAME = "销量 – ∑"
SMALL = ["--horizon=3", "--lookback=14", "--hidden-size=4", "--max-epochs=1", "--epoch-steps=2"]
ENCODINGS = ["cp1252", "ascii", "latin-1", "cp936", "utf-16", "utf-7", "shift_jis", "utf-8"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table and a run of names that few encodings have."""
    folder = tmp_path_factory.mktemp("streams")
    noise = np.random.default_rng(0).normal(size=80)
    table = pd.DataFrame({"ds": pd.date_range("2024-01-01", periods=80), NAME: 9 + np.arange(80) % 7 + noise})
    table.to_csv(folder / "表.csv", index=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", io.StringIO())
        patch.setattr(sys, "stderr", io.StringIO())
        cli.main(["train", str(folder / "表.csv"), *SMALL, "--json", "--out", str(folder / "运行")])
    return folder


@pytest.fixture(autouse=True)
def _streams(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    own = sys.stdout, sys.stderr
    monkeypatch.setattr(sys, "stdout", own[0])
    monkeypatch.setattr(sys, "stderr", own[1])
    yield
    for stream in {sys.stdout, sys.stderr}.difference(own):
        stream.close()


def command(name: str, place: Path) -> list[str]:
    run, table = str(place / "运行"), str(place / "表.csv")
    return {
        "predict": ["predict", run],
        "predict --json": ["predict", run, "--json"],
        "evaluate": ["evaluate", run],
        "evaluate --json": ["evaluate", run, "--json"],
        "report": ["report", run],
        "help": ["--help"],
        "help of a verb": ["train", "--help"],
        "version": ["--version"],
        "no file": ["predict", run, str(place / "不存在.csv")],
        "no column": ["train", table, "--horizon", "3", "--target", "销售"],
        "no verb": ["训练"],
        "train": ["train", table, *SMALL, "--overwrite", "--out", str(place / "再")],
    }[name]


COMMANDS = ("predict", "predict --json", "evaluate", "evaluate --json", "report", "help", "help of a verb", "version")
FAULTY = ("no file", "no column", "no verb")


class Bytes(io.BytesIO):
    """Bytes that can be read when the stream is closed."""

    def close(self) -> None:
        self.kept = self.getvalue()
        super().close()


def ended(arguments: list[str]) -> int:
    try:
        cli.main(arguments)
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def captured(arguments: list[str], encoding: str, newline: str = "\n") -> tuple[int, bytes, bytes]:
    """Run a command whose streams go to pipes of this encoding."""
    pipes = Bytes(), Bytes()
    sys.stdout, sys.stderr = (io.TextIOWrapper(pipe, encoding=encoding, newline=newline) for pipe in pipes)
    code = ended(arguments)
    sys.stdout.close()
    sys.stderr.close()
    return code, pipes[0].kept, pipes[1].kept


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("name", [*COMMANDS, *FAULTY, "train"])
def test_a_pipe_gets_utf_8(name: str, encoding: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    code, out, err = captured(command(name, place), encoding)
    texts = out.decode("utf-8"), err.decode("utf-8")
    assert code == (2 if name in FAULTY else 0), texts
    assert "Traceback" not in texts[1] and "�" not in "".join(texts) and "\\u" not in "".join(texts)
    said = {"predict": NAME, "predict --json": NAME, "report": "运行", "train": "再", "no verb": "训练"}
    said |= {"no file": "不存在.csv", "no column": "销售"}
    assert said.get(name, "") in "".join(texts)
    if name == "predict --json":
        assert [row["unique_id"] for row in json.loads(out)] == [NAME] * 3


def test_a_table_has_the_line_ends_of_the_system_once(place: Path) -> None:
    _, out, _ = captured(command("predict", place), "cp1252", newline="\r\n")
    assert out.count(b"\r\n") == out.count(b"\n") == out.count(b"\r") == 4


@pytest.mark.parametrize("encoding", ["cp437", "cp1252", "cp936", "utf-8"])
def test_a_terminal_shows_what_it_can(encoding: str, place: Path) -> None:
    class Terminal(io.TextIOWrapper):
        def isatty(self) -> bool:
            return True

    for name, code in (("predict", 0), ("evaluate", 0), ("no column", 2)):
        screen = Bytes()
        sys.stdout = sys.stderr = Terminal(screen, encoding=encoding, newline="\n")
        assert ended(command(name, place)) == code
        sys.stdout.close()
        shown = screen.kept.decode(encoding)
        assert "Traceback" not in shown
        assert name != "predict" or NAME.encode(encoding, "replace").decode(encoding) in shown


def full() -> TextIO:
    device = Path("/dev/full")
    if not device.exists():
        pytest.skip("no full device here")
    return device.open("w", encoding="utf-8")


def unwritable(out: TextIO, err: TextIO, arguments: list[str]) -> int:
    sys.stdout, sys.stderr = out, err
    code = ended(arguments)
    for stream in (out, err):
        # What click turned away from still holds something; it keeps Python from writing it once more.
        with suppress(io.UnsupportedOperation):
            streams._turn_away(stream)
        stream.close()
    return code


@pytest.mark.parametrize("name", ["predict --json", "evaluate", "help"])
def test_a_reader_that_leaves_ends_it_without_a_word(name: str, place: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    ours = [sys.executable, "-m", "recurra.cli", *command(name, place)]
    done = subprocess.run(ours, stdout=writer, stderr=subprocess.PIPE, check=False, timeout=120)
    os.close(writer)
    assert done.returncode == 1 and b"rror" not in done.stderr and b"Traceback" not in done.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_a_full_disk_is_a_sentence(name: str, place: Path) -> None:
    said = Bytes()
    assert unwritable(full(), io.TextIOWrapper(said, encoding="utf-8"), command(name, place)) == 2
    assert said.kept.decode().strip().endswith("Error: The output cannot be written: No space left on device.")


@pytest.mark.parametrize("name", ["predict", "no file", "train"])
def test_nobody_who_could_be_told(name: str, place: Path) -> None:
    assert unwritable(full(), full(), command(name, place)) == 2


@pytest.mark.parametrize("name", ["predict", "help", "no file", "train"])
def test_closed_streams_are_nowhere(name: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As Python has them after ``>&-``: not there."""
    monkeypatch.setattr(streams, "_nowhere", io.StringIO)
    sys.stdout = sys.stderr = None  # type: ignore[assignment]
    assert ended(command(name, place)) == (2 if name in FAULTY else 0)


def test_other_faults_are_not_taken_for_a_stream() -> None:
    assert not streams.broke(OSError(errno.ENOSPC, "full", "a file with a name"))
    assert not streams.broke(OSError(errno.ENOMEM, "no memory")) and streams.broke(BrokenPipeError(errno.EPIPE, "gone"))


def test_what_stands_in_for_a_stream_is_left_as_it_is() -> None:
    sys.stdout, sys.stderr = io.StringIO(), io.StringIO()
    assert ended(["--version"]) == 0 and "recurra" in sys.stdout.getvalue()
