"""A fitted model as a run folder, and back. Nothing that stands in a run is ever executed."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import RunError
from ..nn.surroundings import on_its_own
from ..registry import place_of
from ..settings import Parts, make_config
from ..training import runs
from ..training.record import Record
from . import TASKS, kind_of, name_of
from .base import Fitted, Kind

FORMAT = 3  # of the run's config; a reader refuses a later one
NETWORK, LEARNED, BASELINE = "network.", "learned.", "baseline."


def to_run(fitted: Fitted, history: list[dict[str, Any]]) -> runs.Run:
    """Return everything that a run folder holds of a fitted model."""
    plain, arrays = fitted.learned.to_plain()
    config = {
        "format": FORMAT,
        "task": name_of(fitted.kind),
        "settings": fitted.config.to_dict(),
        "learned": plain,
        "baselines": [label for label, baseline in fitted.baselines.items() if baseline.learns],
        "record": fitted.record.to_dict(),
    }
    tensors = {f"{NETWORK}{name}": value for name, value in fitted.network.state_dict().items()}
    arrays = {f"{LEARNED}{name}": value for name, value in arrays.items()}
    for label, baseline in fitted.baselines.items():
        arrays |= {f"{BASELINE}{label}.{name}": value for name, value in baseline.to_arrays().items()}
    tensors |= {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in arrays.items()}
    return runs.Run(config, tensors, history)


@on_its_own
def from_run(run: runs.Run, folder: Path, kind: Kind | None = None, members: Iterable[type] = ()) -> Fitted:
    """Build a fitted model from what the run in ``folder`` holds.

    ``kind`` and ``members`` (cells and attentions) bring what is not part of recurra. Raises RunError if something
    of that sort is missing, or the run does not fit together.
    """
    config, tensors = run.config, run.weights
    _require_format(config)
    kind = kind_of_run(config, kind)
    if config["format"] < FORMAT:
        config, tensors = kind.upgrade(config, tensors)
    settings = make_config(kind.parts, brought(kind.parts, config["settings"], members))
    learned = kind.recall(config["learned"], _arrays(tensors, LEARNED))
    network, task = kind.make(settings, learned)
    weights = {name.removeprefix(NETWORK): value for name, value in tensors.items() if name.startswith(NETWORK)}
    runs.check_weights(network.state_dict(), weights, folder)
    network.load_state_dict(weights)
    network.eval()
    record = Record.from_dict(config["record"])
    fitted = Fitted(kind, settings, learned, network, task, {}, record)
    for label, baseline in kind.baselines(settings, learned).items():
        if label in config["baselines"] or not baseline.learns:
            baseline.from_arrays(_arrays(tensors, f"{BASELINE}{label}."))
            fitted.baselines[label] = baseline
    return fitted


def save(fitted: Fitted, history: list[dict[str, Any]], folder: Path, overwrite: bool = False) -> Path:
    """Write a run folder; raises RunError if there is one and ``overwrite`` is not set."""
    runs.check_writable(folder, overwrite)
    runs.write(folder, to_run(fitted, history))
    return folder


def load(folder: Path, kind: Kind | None = None, members: Iterable[type] = ()) -> tuple[Fitted, list[dict[str, Any]]]:
    """Read a run folder; return the fitted model and the history of its training."""
    run = runs.read(folder)
    return from_run(run, folder, kind, members), run.history


def _require_format(config: Mapping[str, Any]) -> None:
    number = config.get("format")
    if not isinstance(number, int) or number > FORMAT:
        raise RunError(
            f"This run has task '{config.get('task')}' and format {number}; this version of recurra reads runs up to "
            f"format {FORMAT}. Install a newer recurra."
        )


def kind_of_run(config: Mapping[str, Any], kind: Kind | None) -> Kind:
    """Return the kind of the run that has this ``config``, which must be the ``kind`` that is given, if one is."""
    task = str(config.get("task"))
    if kind is None and task in TASKS:
        found: Kind = kind_of(task)
        return found
    if kind is None:
        hint = f"bring it along with task='{task}'" if ":" in task else "install a newer recurra"
        raise RunError(f"This run is of the task '{task}', which is not part of recurra: {hint}.")
    if name_of(kind) != task:
        raise RunError(f"This run is of the task '{task}', not of '{name_of(kind)}'.")
    return kind


def brought(parts: Parts, settings: Mapping[str, Mapping[str, Any]], members: Iterable[type] = ()) -> dict[str, Any]:
    """Return plain ``settings`` flat, with the classes in ``members`` where their names stand.

    Raises RunError that names a class which is not there: it is not imported, as a run never executes anything.
    """
    table = {place_of(member): member for member in members}
    known = parts.settings()

    def member(name: str, value: Any) -> Any:
        if isinstance(value, (list, tuple)):
            return tuple(member(name, one) for one in value)
        if not isinstance(value, str) or ":" not in value:
            return value
        if value not in table:
            raise RunError(
                f"This run uses the {name} '{value}', which is not part of recurra. Bring the class along with "
                f"{name}s=[{value.replace(':', '.')}]."
            )
        return table[value]

    flat = {name: value for part in settings.values() for name, value in part.items()}
    return {name: member(name, v) if name in known and known[name].members else v for name, v in flat.items()}


def _arrays(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): t.numpy() for name, t in tensors.items() if name.startswith(prefix)}
