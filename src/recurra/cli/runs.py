"""What the verbs on a run share: the run that is named, and the data that go with it."""

from contextlib import nullcontext
from pathlib import Path
from typing import Any

from ..tasks import kind_of
from .console import print_notes
from .flags import members_in
from .streams import STANDARD, standard_input

BROUGHT = ("task", "cells", "attentions")  # what a run may need that is not part of recurra


def taken_out(flags: dict[str, Any]) -> dict[str, Any]:
    """Take out of the flags what brings classes of the user's own along."""
    return {name: flags.pop(name) for name in BROUGHT}


def load_run(run: str, brought: dict[str, Any]) -> tuple[Any, Any]:
    """Return the fitted model in a run folder and its history; classes of the user's own are those ``brought``."""
    from ..tasks.saving import load

    kind = kind_of(brought["task"]) if brought["task"] else None
    return load(Path(run), kind, members_in(brought["cells"], brought["attentions"]))


def read_data(fitted: Any, data: str | None) -> Any:
    """Read a file, or standard input, as the run's own data were read; None if no file is named."""
    if data is None:
        return None
    with standard_input() if data == STANDARD else nullcontext(Path(data)) as source:
        return fitted.kind.read(source, fitted.config, fitted.learned, None, print_notes)
