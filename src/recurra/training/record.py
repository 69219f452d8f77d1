"""What a run says of itself besides its settings."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import torch
from torch import nn

from ..nn.layers import Recurrent
from ..version import __version__
from .loop import Progress


@runtime_checkable
class Knowing(Protocol):
    """A network that says which engines run it, where that is more than its recurrent layers."""

    def engines(self) -> Sequence[str]: ...


@dataclass
class Record:
    """How a training went and on what; plain data, kept in the run."""

    recurra: str = __version__
    torch: str = str(torch.__version__)
    device: str = "auto"
    threads: int = 0
    engines: list[str] = field(default_factory=list)  # what ran each layer, and what wrote
    parameters: int = 0
    stopped_by: str = ""
    epochs: int = 0
    steps: int = 0
    last_epochs: int = 0  # after the best one, when early stopping had decided
    best_epoch: int = 0
    best_loss: float = math.inf  # on the validation examples
    seconds: float = 0.0
    source: str = ""  # the file that was trained on; empty if it was none
    test_source: str = ""  # the file that judged, if it was another one
    max_rows: int | None = None
    test_size: int = 0
    data: str = ""  # the fingerprint of what was trained on
    notes: list[str] = field(default_factory=list)  # what was found in the data and assumed
    answer: str = ""  # of what an answer is made, a sentence, if it is not the network alone
    metrics: dict[str, dict[str, float]] = field(default_factory=dict)  # by model and name

    @classmethod
    def of(cls, network: nn.Module, device: str) -> "Record":
        """Begin the record of a training of ``network``."""
        return cls(
            device=device,
            threads=torch.get_num_threads(),
            engines=_engines(network),
            parameters=sum(p.numel() for p in network.parameters()),
        )

    def trained(self, progress: Progress, history: Sequence[Mapping[str, Any]]) -> None:
        """Note how far the training came."""
        self.stopped_by, self.epochs, self.steps = progress.stopped_by, progress.epoch, progress.steps
        self.best_epoch, self.best_loss = progress.best_epoch, progress.best_loss
        self.last_epochs = sum(epoch["number"] > progress.epoch for epoch in history)
        self.seconds = round(sum(epoch["seconds"] for epoch in history), 2)

    def course(self) -> str:
        """Say how the training went, as the end of a sentence that begins with "Training"."""
        said = f"took {self.seconds:.0f} s and was ended by {self.stopped_by} after {_counted(self.epochs)}"
        if self.last_epochs:
            return f"{said}; from the best one, epoch {self.best_epoch}, it went on for {_counted(self.last_epochs)}"
        return f"{said}; the weights are those of epoch {self.best_epoch}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Record":
        """Return the record that ``to_dict`` wrote; what this version does not know is left out."""
        known = {one.name for one in dataclasses.fields(cls)}
        return cls(**{name: value for name, value in data.items() if name in known})


def _counted(epochs: int) -> str:
    return f"{epochs} epoch{'s' if epochs != 1 else ''}"


def _engines(network: nn.Module) -> list[str]:
    """Return what runs each layer: as the network says, or else all stacks in it."""
    if isinstance(network, Knowing):
        return list(network.engines())
    stacks = [module for module in network.modules() if isinstance(module, Recurrent)]
    return [engine for stack in stacks for engine in stack.engines()]
