"""Which other kind of task data are made for, where the one that was asked cannot use them."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from ..errors import DataError, KindError, RecurraError
from ..settings import make_config
from . import TASKS, kind_of, parts_of

ASKING = ContextVar("ASKING", default=False)  # whether another kind is being asked, which asks nobody in turn


def other_task(own: str, source: Any, settings: Any) -> str:
    """Return the name of another kind of task that can use ``source``, with the same columns named; '' if none can."""
    if ASKING.get():
        return ""
    token = ASKING.set(True)
    try:
        # What must be told more than the data, such as how far to forecast, can read nearly any: it is asked last.
        names = sorted(TASKS, key=lambda name: len(parts_of(name).needed))
        return next((name for name in names if name != own and _can_use(name, source, settings)), "")
    finally:
        ASKING.reset(token)


def estimator_of(task: str) -> str:
    """Return the name of the estimator of a task, as messages call it in Python."""
    return parts_of(task).estimator


def _can_use(name: str, source: Any, settings: Any) -> bool:
    kind = kind_of(name)
    own = kind.parts.defaults()
    same = {column: _one(getattr(settings, column, None)) for column in ("target", "id", "time") if column in own}
    try:
        config = make_config(kind.parts, same)
        data = kind.read(source, config)
        if not kind.parts.needed:
            kind.plan(data, config, 0)
    except (RecurraError, OSError):
        return False
    return True


def _one(value: Any) -> Any:
    return value[0] if isinstance(value, tuple) and len(value) == 1 else value


@contextmanager
def another_suggested(own: str, source: Any, settings: Any) -> Iterator[None]:
    """Say in a KindError which other task can read the ``source``, if one can."""
    try:
        yield
    except KindError as fault:
        other = other_task(own, source, settings)
        if not other:
            raise
        raise DataError(f"{fault} The task '{other}' can read these data: use {estimator_of(other)}.") from None
