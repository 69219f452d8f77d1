"""The kinds of task, a folder each, and the shared pieces that a kind is made of.

A kind of your own derives from ``Kind`` and is named ``module:Class`` wherever the name of a task is asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError, pick
from ..registry import bring, lazy, place_of
from ..settings import Parts

# Where each kind lives: PARTS in its module ``settings``, which needs no torch, and KIND in its module ``kind``.
TASKS = {
    "forecast": f"{__name__}.forecast",
    "classify": f"{__name__}.classify",
    "regress": f"{__name__}.regress",
    "tag": f"{__name__}.tag",
    "language": f"{__name__}.language",
    "seq2seq": f"{__name__}.seq2seq",
}

if TYPE_CHECKING:
    from .base import Baseline, Demo, Exam, Fitted, Glimpse, Judged, Kind, Plan, Prepared
    from .estimator import Estimator
    from .session import Session

BASE = ("Baseline", "Demo", "Exam", "Fitted", "Glimpse", "Judged", "Kind", "Plan", "Prepared")

__getattr__ = lazy(__name__, dict.fromkeys(BASE, "base") | {"Estimator": "estimator", "Session": "session"})

__all__ = [
    "TASKS",
    "Baseline",
    "Demo",
    "Estimator",
    "Exam",
    "Fitted",
    "Glimpse",
    "Judged",
    "Kind",
    "Plan",
    "Prepared",
    "Session",
    "kind_of",
    "name_of",
    "parts_of",
]


def parts_of(task: str) -> Parts:
    """Return what the kind called ``task`` may be told; of a kind in TASKS without importing torch."""
    if ":" in task:
        parts: Parts = _brought(task).parts
        return parts
    return import_module(f"{pick(TASKS, task, 'task')}.settings").PARTS


def kind_of(task: str) -> Any:
    """Return the kind called ``task``: one of TASKS, or ``module:Class`` that a person has just named."""
    if ":" in task:
        return _brought(task)()
    return import_module(f"{pick(TASKS, task, 'task')}.kind").KIND


def _brought(task: str) -> Any:
    """Return the class of a kind that a person has just named; raises ConfigError if it is something else."""
    found, base = bring(task, "task"), import_module(f"{__name__}.base").Kind
    if not isinstance(found, type) or not issubclass(found, base):
        raise ConfigError(f"'{task}' is no kind of task: it must be a class that derives from {__name__}.Kind.")
    missing = sorted(getattr(found, "__abstractmethods__", ()))
    if not isinstance(getattr(found, "parts", None), Parts):
        missing.insert(0, "parts")
    if missing:
        raise ConfigError(f"The kind '{task}' is not whole: it lacks {', '.join(missing)}.")
    return found


def name_of(kind: Any) -> str:
    """Return the name under which a run knows its kind."""
    place = place_of(type(kind))
    own = TASKS.get(kind.parts.name)
    return kind.parts.name if own is not None and place.startswith(f"{own}.") else place
