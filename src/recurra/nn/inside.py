"""The cells inside a layer that looks like one of torch.nn: they have its weights for the time of a call.

Shapes: B batch, T steps, I inputs.
"""

import itertools
from typing import Any, NamedTuple

from torch import Tensor

from ..cells import GatedCell, State
from ..cells.base import bare
from ..errors import ConfigError
from .layers import Regularisers, Stack
from .scan import Plan, Scanned, scan


class Turn(NamedTuple):
    """A cell that has the weights of a layer, and which way it goes: to a stack it is a Direction."""

    cell: GatedCell
    reverse: bool

    def __call__(self, x: Tensor, state: State, plan: Plan, engine: str) -> Scanned:
        """Scan ``x`` (B, T, I) from ``state``, or from zeros."""
        return scan(self.cell, x, state, plan._replace(reverse=self.reverse), engine)


class Place(NamedTuple):
    """Where a layer has one of its cells."""

    names: dict[str, str]  # what the layer calls the weights of the cell
    attributes: dict[str, Any]  # all of the cell but its weights; what is hooked onto it is kept here


class Inside(Stack):
    """The stack of cells of a namesake, used as ``Recurrent`` is, with the weights that the layer has at the moment.

    It keeps nothing itself: what is not of a stack is asked of the layer, and ``engine`` and ``truncate``, which can
    be set, are kept there.
    """

    norms = ()

    def __init__(self, layer: Any):
        self.__dict__["layer"] = layer

    def __getattr__(self, name: str) -> Any:
        if name == "layer" or name.startswith("__"):  # as of a copy that has no layer yet
            raise AttributeError(name)
        return getattr(self.layer, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in ("engine", "truncate"):
            raise ConfigError(f"{name} cannot be set on the stack inside a layer: set it on the layer.")
        super().__setattr__(name, value)

    @property
    def engine(self) -> str:
        """The name of an engine, or ``auto``."""
        value: str = self.layer._engine
        return value

    @engine.setter
    def engine(self, value: str) -> None:
        self.layer._engine = value

    @property
    def truncate(self) -> int:
        """After how many steps the gradient is cut; 0 is never."""
        value: int = self.layer._truncate
        return value

    @truncate.setter
    def truncate(self, value: int) -> None:
        self.layer._truncate = value

    @property
    def training(self) -> bool:  # type: ignore[override]
        """Whether the layer is being trained."""
        value: bool = self.layer.training
        return value

    @property
    def regularisers(self) -> Regularisers:  # type: ignore[override]
        """What the layer does between its layers."""
        return Regularisers(dropout=self.layer.dropout, locked=False)

    @property
    def output_size(self) -> int:
        """How wide the outputs are."""
        size: int = self.layer.hidden_size * self.directions
        return size

    @property
    def directions(self) -> int:
        """1, or 2 if the layer is bidirectional."""
        return 2 if self.layer.bidirectional else 1

    def stack(self) -> list[list[Turn]]:
        """Return the directions of every layer."""
        made, count = turns(self.layer), self.directions
        return [made[n : n + count] for n in range(0, len(made), count)]

    __call__ = Stack.forward


def places(input_size: int, hidden_size: int, num_layers: int, bias: bool, bidirectional: bool) -> list[Place]:
    """Return where a layer of these sizes has its cells, in the order of its parameters."""
    found = []
    for layer, suffix in itertools.product(range(num_layers), ("", "_reverse")[: 1 + bidirectional]):
        keys = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")[: 4 if bias else 2]
        width = hidden_size * (1 + bidirectional) if layer else input_size
        found.append(Place({key: f"{key}_l{layer}{suffix}" for key in keys}, bare(width, hidden_size)))
    return found


def turns(layer: Any) -> list[Turn]:
    """Return the cells of ``layer`` with the weights that it has at the moment; ConfigError says which is missing."""
    kind, own, training = layer.cell_type, layer._parameters, {"training": layer.training}
    made: list[Turn] = []
    for names, attributes in layer._places:
        # Parameters are looked up by hand, since a module takes long to find its own.
        weights = {key: own[name] if name in own else getattr(layer, name, None) for key, name in names.items()}
        if lost := [name for key, name in names.items() if weights[key] is None]:
            raise ConfigError(f"{lost[0]} is missing: give the layer a parameter of this name.")
        cell = kind.holding(weights, names, attributes | training)
        made.append(Turn(cell, layer.bidirectional and len(made) % 2 == 1))
    return made
