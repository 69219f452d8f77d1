"""A run that is fine-tuned: what a training begins from, what of it may change, and what it said before."""

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, fields
from hashlib import sha256
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from ..nn.build import refuse_idle
from ..settings import Config, Parts, make_config, written
from ..tasks.base import Exam, Fitted, Kind, Onward, Tell
from ..tasks.saving import load
from .common import Source, examined


@dataclass(frozen=True)
class Start:
    """The run that a training begins from."""

    fitted: Fitted
    path: str

    def plain(self) -> dict[str, Any]:
        """Return what a training that goes on later must find again: the run, and a seal of its weights."""
        seal = sha256()
        for name, value in self.fitted.network.state_dict().items():
            seal.update(name.encode() + value.detach().cpu().contiguous().numpy().tobytes())
        return {"asked": {"fine_tune": self.path}, "start": seal.hexdigest()}


def start_from(run: Path, kind: Kind, members: Iterable[type] = ()) -> Start:
    """Read the ``run`` that is to be fine-tuned; ``members`` are the classes of the user's own in it."""
    return Start(load(run, kind, members)[0], str(run))


def tuned_config(start: Start, settings: Mapping[str, Any]) -> Config:
    """Return the settings of a run with those that are given over them.

    Raises ConfigError for one that is no setting of the training, as the weights are of a network with the others.
    """
    kind, old = start.fitted.kind, start.fitted.config
    free = {*kind.tunable, *(one.name for one in fields(old.training))}
    config = make_config(kind.parts, old.flat() | dict(settings))
    changed = changes(kind.parts, old.plain(), config.plain(), free)
    if changed:
        raise ConfigError(
            f"A run is fine-tuned with the settings of its network and its data: {'; '.join(changed)}. Leave that out, "
            "or train anew without fine_tune=."
        )
    return config


def prepare_tuning(start: Start, source: Source, config: Config, tell: Tell) -> tuple[Onward, Exam | None, Any]:
    """Return the data, cut and encoded, the exam that judges, if one does, and what the run says of it beforehand."""
    kind = start.fitted.kind
    refuse_idle(config, kind.unused_with(source.data))
    onward = kind.go_on(start.fitted, source.data, config, source.held_out)
    prepared = onward.prepared
    exam = examined(source, prepared, prepared.learned, tell)
    asked = examined(source, prepared, start.fitted.learned)
    before = None if asked is None else kind.ask(start.fitted, asked.examples)
    return onward, exam, before


def changes(parts: Parts, old: Mapping[str, Any], new: Mapping[str, Any], free: Container[str]) -> list[str]:
    """Return what differs between plain settings, besides those that are ``free`` to."""
    known = parts.settings()
    return [
        f"{name} was {written(known[name], old[name])}, now {written(known[name], new[name])}"
        for name in new
        if name not in free and old[name] != new[name]
    ]
