"""What the tests of the command line share: a command as a person gives it, and what it leaves behind."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import pytest

from recurra.cli import app as cli
from recurra.training import runs


class Answer(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str


Run = Callable[..., Answer]


def run_command(capsys: pytest.CaptureFixture[str], *arguments: Any) -> Answer:
    """Run ``recurra`` with ``arguments``."""
    capsys.readouterr()
    code = 0
    try:
        cli.main([str(argument) for argument in arguments])
    except SystemExit as end:
        code = int(end.code or 0)
    return Answer(code, *capsys.readouterr())


@contextmanager
def stopped_by_hand(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let Ctrl-C come in the block when the first epoch of a training is on disk."""
    original = runs.write_checkpoint

    def write_once(*args: Any) -> None:
        original(*args)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(runs, "write_checkpoint", write_once)
        yield
