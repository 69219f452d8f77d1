"""Every test starts from the same random numbers, on one thread."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import settings

from commands import Run, run_command
from recurra.native import library

# Small products gain nothing from threads, and the same order of sums gives the same digits everywhere.
os.environ.setdefault("OMP_NUM_THREADS", "1")
torch.set_num_threads(1)

# The same examples in every run: a change that breaks a law is told from one that did not. To look for others:
# pytest --hypothesis-profile=default.
settings.register_profile("same", derandomize=True)
settings.load_profile("same")


@pytest.fixture(autouse=True)
def _seeded() -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


@pytest.fixture
def each_instruction_set() -> Iterator[list[bytes]]:
    """The names of the instruction sets of the native engine; afterwards the first one is in use again."""
    engine = library.load()
    first = engine.recurra_instruction_set()
    yield engine.recurra_instruction_sets().split(b",")
    assert engine.recurra_use_instruction_set(first) == 0


@pytest.fixture
def run(home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command in the folder ``home`` of its module, in lines that are long enough for any message."""
    monkeypatch.chdir(home)
    monkeypatch.setenv("COLUMNS", "400")
    return lambda *arguments: run_command(capsys, *arguments)
