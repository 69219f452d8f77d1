"""What the tests of the command line share: a command as a person gives it, and what it leaves behind."""

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from recurra.cli import app as cli


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
