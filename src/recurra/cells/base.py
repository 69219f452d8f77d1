"""What a cell is: a projection of all inputs at once, and one step of a recurrence.

Shapes: B batch, T steps, I inputs, H hidden units, G gate blocks.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NamedTuple, NoReturn, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import ConfigError
from ..random import current

# A state is a small named tuple of tensors (B, H), or of such tuples; its first field is the output.
State = Any
Gates = dict[str, Tensor]


class Hidden(NamedTuple):
    """The state of a cell that has nothing but its output."""

    h: Tensor  # (B, H)


class HiddenAndMemory(NamedTuple):
    """The state of a cell that keeps a memory behind its output."""

    h: Tensor  # (B, H)
    c: Tensor  # (B, H)


def map_state(function: Callable[..., Tensor], *states: State) -> State:
    """Apply ``function`` to the tensors that stand at the same place of each state; None stays None."""
    first = states[0]
    if first is None:
        return None
    if isinstance(first, Tensor):
        return function(*states)
    return type(first)(*[map_state(function, *parts) for parts in zip(*states, strict=True)])


def state_tensors(state: State) -> list[Tensor]:
    """Return the tensors of a state, in their order; None is none."""
    if state is None:
        return []
    if isinstance(state, Tensor):
        return [state]
    return [tensor for part in state for tensor in state_tensors(part)]


class Cell(nn.Module, ABC):
    """One recurrence. ``step`` returns a new state and changes nothing on the module."""

    input_size: int
    hidden_size: int

    @abstractmethod
    def project(self, x: Tensor) -> Tensor:
        """Return what all inputs contribute, (..., I) to (..., G·H), outside the loop over time."""

    @abstractmethod
    def gates(self, projected: Tensor, state: State) -> Gates:
        """Return the named gates (B, H) of one step: what ``step`` uses, and what pictures show."""

    @abstractmethod
    def step(self, projected: Tensor, state: State) -> State:
        """Return the state after one step, from the ``projected`` input (B, G·H) and the ``state``."""

    @abstractmethod
    def initial(self, batch_size: int) -> State:
        """Return the state before the first step: zeros."""

    def remember(self, time_scale: int) -> None:
        """Set gate biases so that memory lasts up to ``time_scale`` steps (chrono initialisation)."""

    def as_another(self) -> "tuple[Cell, Tensor | None]":
        """Return a cell that engines may know better, and the share (or None) of the old state it has to keep.

        ``share · state + (1 − share) · other.step(x, state)`` must be what ``step`` returns.
        """
        return self, None

    def forward(
        self, x: Any = None, state: State = None, plan: Any = None, run: Callable[..., Any] | None = None
    ) -> Any:
        """Return what ``run(self, x, state, plan)`` returns, for input ``x`` (B, T, I).

        Whoever goes over the steps of a cell calls the cell for it, once, so that what torch hooks onto a module
        acts here as well: pruning, norms of weights, hooks that look on. Raises ConfigError without a ``run``.
        """
        if run is None:
            raise ConfigError(
                f"A {type(self).__name__} is not called by itself: one step is cell.step(cell.project(x), state), "
                "and recurra.Recurrent([[cell]]) or recurra.nn.scan.scan goes over many."
            )
        return run(self, x, state, plan)


def settled(module: nn.Module, change: Callable[[Tensor], Tensor] | None = None) -> nn.Module:
    """Return ``module`` with its weights as they are now: what torch parametrises is computed once, here.

    ``change`` is what becomes of recurrent weights, ``weight_hh``, of the module and of those inside it.
    """
    inner = {name: part for name, part in module._modules.items() if part is not None and name != "parametrizations"}
    parametrised = module._modules.get("parametrizations")
    weights = {} if parametrised is None else {name: getattr(module, name) for name, _ in parametrised.named_children()}
    if change is not None and (recurrent := getattr(module, "weight_hh", None)) is not None:
        weights["weight_hh"] = change(recurrent)
    # A parametrised module has a class of its own, below which is the one that says what it computes.
    kind: Any = type(module) if parametrised is None else type(module).__bases__[0]
    twin: nn.Module = kind.__new__(kind)
    twin.__dict__.update(module.__dict__, _modules={name: settled(part, change) for name, part in inner.items()})
    twin.__dict__.update(weights)
    return twin


def is_settled(module: nn.Module) -> bool:
    """Return whether no weight of ``module``, or of what is inside it, is parametrised by torch."""
    inner = module._modules
    return not inner or ("parametrizations" not in inner and all(is_settled(part) for part in inner.values() if part))


class Lent(dict[str, Any]):
    """A table of a module whose weights belong to a layer: it can be read, and refuses to be changed."""

    names: Mapping[str, str] = {}  # what the layer calls the weights

    def _refuse(self, key: Any, *_: Any) -> NoReturn:
        own = next((name for name in self.names if str(key).startswith(name)), None)
        if own is None:
            raise ConfigError(
                f"This cell has the weights of a layer, so '{key}' cannot be put into it or taken from it."
            )
        raise ConfigError(
            f"The {own} of this cell belongs to a layer, as '{self.names[own]}': assign, prune or parametrise it "
            f"there, as in prune.l1_unstructured(layer, '{self.names[own]}', amount=0.2)."
        )

    __setitem__ = __delitem__ = _refuse

    def __reduce__(self) -> Any:
        return dict, (dict(self),)  # a copy is a cell of its own


_CLOSED = Lent()


def bare(input_size: int, hidden_size: int) -> dict[str, Any]:
    """Return the attributes of a cell that has no weights: the sizes, and tables of hooks, which are empty."""
    sizes = {"input_size": input_size, "hidden_size": hidden_size}
    # Backward hooks are of the kind that torch calls full, which it would note in a cell that lives for one call.
    return nn.Module().__dict__ | sizes | {"bias_ih": None, "bias_hh": None, "_is_full_backward_hook": True}


class GatedCell(Cell):
    """A cell whose gates are blocks of ``weight_ih x + bias_ih`` and ``weight_hh h + bias_hh``.

    A subclass says how many ``blocks`` it has, what its ``state_type`` is, and writes ``gates`` and ``step``.
    Weights are laid out as in ``torch.nn``: ``weight_ih`` (G·H, I), ``weight_hh`` (G·H, H), biases (G·H). Those of
    ``h`` are None if the cell is not ``recurrent``. One with more parameters makes them in ``make_parameters``.
    """

    blocks: ClassVar[int]
    state_type: ClassVar[type]
    # Whether its gates read the old output through weights; if not, there is no weight_hh and no bias_hh.
    recurrent: ClassVar[bool] = True
    # Parameters that have numbers for every unit and are no weights or biases of the gates' sums, as the native engine
    # gets them: name to how many blocks (H) it has. One that is None counts as zeros.
    per_unit: ClassVar[dict[str, int]] = {}
    # Whether ``project`` is more than a product, so that the native engine is given what it returns.
    projects: ClassVar[bool] = False
    # Block number to the value its bias has at first: memory should be kept at the start of training.
    first_bias: ClassVar[dict[int, float]] = {}
    # Block number to the sign of its chrono bias: +1 where a large gate keeps memory, -1 where it writes.
    chrono_sign: ClassVar[dict[int, int]] = {}
    # The function of torch that computes the same recurrence over time, where there is one.
    torch_function: ClassVar[Callable[..., tuple[Tensor, ...]] | None] = None
    # The native engine's name of exactly this equation; as torch_function, it is not inherited.
    native: ClassVar[str | None] = None
    weight_hh: nn.Parameter  # or None; who asks for it knows that there is one
    bias_ih: nn.Parameter | None
    bias_hh: nn.Parameter | None

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True):
        super().__init__()
        self.input_size, self.hidden_size = input_size, hidden_size
        self.make_parameters(bias)
        self.reset_parameters()

    def make_parameters(self, bias: bool) -> None:
        """Make all parameters, with no numbers in them yet."""
        rows, recurrent = self.blocks * self.hidden_size, self.recurrent
        self.weight_ih = nn.Parameter(torch.empty(rows, self.input_size))
        self.register_parameter("weight_hh", nn.Parameter(torch.empty(rows, self.hidden_size)) if recurrent else None)
        self.register_parameter("bias_ih", nn.Parameter(torch.empty(rows)) if bias else None)
        self.register_parameter("bias_hh", nn.Parameter(torch.empty(rows)) if bias and recurrent else None)

    @classmethod
    def holding(cls, weights: Mapping[str, Any], names: Mapping[str, str], attributes: Mapping[str, Any]) -> Self:
        """Return a cell that computes with ``weights``, whatever they are: none is drawn, and none becomes its own.

        To change the cell and not the numbers in its weights raises ConfigError, which says by ``names`` what they
        are called where they belong. ``attributes`` is what ``bare`` returned, and keeps the hooks.
        """
        cell, lent = cls.__new__(cls), Lent(weights)
        lent.names = names
        # As plain attributes too: those are found at once, parameters only after a search.
        cell.__dict__.update(attributes, **weights, _parameters=lent, _buffers=_CLOSED, _modules=_CLOSED)
        return cell

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for name in self._parameters:  # of a copy of a cell that held the weights of another
            self.__dict__.pop(name, None)

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draw each input block Xavier-uniform and each recurrent block orthogonal; set the biases."""
        for block in self.weight_ih.chunk(self.blocks):
            _draw(nn.init.xavier_uniform_, block)
        for block in self.weight_hh.chunk(self.blocks) if self.recurrent else ():
            _draw(nn.init.orthogonal_, block)
        for bias in (self.bias_ih, self.bias_hh):
            if bias is not None:
                bias.zero_()
        if self.bias_ih is not None:
            for number, value in self.first_bias.items():
                self.bias_ih.chunk(self.blocks)[number].fill_(value)

    @torch.no_grad()
    def remember(self, time_scale: int) -> None:
        """Draw the gate biases as ``±log U(1, time_scale − 1)`` (Tallec & Ollivier, arXiv 1804.11188)."""
        if self.bias_ih is None or not self.chrono_sign:
            return
        longest = max(2.0, time_scale - 1.0)
        scale = torch.empty(self.hidden_size).uniform_(1.0, longest, generator=current()).log()
        for number, sign in self.chrono_sign.items():
            self.bias_ih.chunk(self.blocks)[number].copy_(sign * scale)

    def project(self, x: Tensor) -> Tensor:
        """Return ``W x + b`` for all steps in one product."""
        return F.linear(x, self.weight_ih, self.bias_ih)

    def recur(self, h: Tensor) -> Tensor:
        """Return ``U h + b`` for one step."""
        return F.linear(h, self.weight_hh, self.bias_hh)

    def initial(self, batch_size: int) -> State:
        """Return zeros for every field of the state."""
        zeros = self.weight_ih.new_zeros(batch_size, self.hidden_size)
        return self.state_type(*[zeros] * len(self.state_type._fields))  # type: ignore[attr-defined]

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}"


def _draw(fill: Callable[[Tensor], Tensor], block: Tensor) -> None:
    """Let ``fill`` draw a block of weights; for half precision, in which there is no algebra, in float32."""
    if block.is_meta:
        return
    if block.dtype in (torch.float32, torch.float64):
        fill(block)
    else:
        block.copy_(fill(torch.empty_like(block, dtype=torch.float32)))
