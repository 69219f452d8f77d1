"""Decoding: an attending cell one step at a time, for sentences and for the beams of each.

Shapes: R rows, M rows of the memory, T steps of the memory, H hidden units, G gate blocks.
"""

import copy
import ctypes
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import increment_version

from ..attention import Memory
from ..cells import State, map_state, state_tensors
from ..errors import ConfigError, pick
from ..native.library import load, succeed
from .attending import AttendingCell, AttendingState, settled_owner, take_rows
from .engines.attending import Given, attend_arguments, attending_refuses, check, read_weights, scan_arguments
from .engines.operators import kind_of


class AttendingStepper:
    """An attending cell that takes one step at a time, for rows that may look at the same row of a memory.

    ``begin`` starts with a row for each of the memory; ``take`` keeps some of them, any number of times each, so that
    beams share what they look at. ``engine`` is ``"native"``, ``"reference"`` or ``"auto"``, and the attribute of that
    name says which one it is. It computes no gradients, and must not be used by two threads at once. The native engine
    has copies of the weights: after more training, make a new one.

    Raises ConfigError if the engine asked for cannot run the cell.
    """

    def __init__(self, owner: AttendingCell, engine: str = "auto"):
        if owner.attention is None:
            raise ConfigError("An AttendingStepper is for a cell with an attention; of one without, use its Stepper.")
        self.owner = owner
        reason = owner(lambda: attending_refuses(settled_owner(owner), list(owner.parameters())))
        self.engine = ("reference" if reason else "native") if engine == "auto" else engine
        made = pick({"native": _Native, "reference": _Reference}, self.engine, "engine")
        if reason and made is _Native:
            raise ConfigError(f"The engine '{engine}' cannot run this: {reason}. Use 'auto' or 'reference'.")
        with torch.inference_mode(False), torch.no_grad():
            self._run: _Native | _Reference = owner(lambda: made(owner))

    def another(self) -> "AttendingStepper":
        """Return one that has begun nothing and shares the weights, for another thread or other rows."""
        made = copy.copy(self)
        made._run = copy.copy(self._run)
        return made

    @torch.no_grad()
    def begin(self, memory: Memory, state: State) -> None:
        """Start with a row for each row of the ``memory`` (M, ...), from the ``state`` of the cell inside, (M, H) each.

        Raises ConfigError if the shape, type or device of either does not go with the weights.
        """
        self._lookup = torch.arange(len(state[0]), device=state[0].device)
        self._run.begin(memory, state, self._lookup)

    @torch.no_grad()
    def step(self, projected: Tensor) -> tuple[Tensor, Tensor]:
        """Take what the inputs contribute, ``owner.cell.project(x)`` (R, G·H); return h~ (R, H) and where it looked.

        The next step overwrites both. Raises ConfigError if ``projected`` has another shape, type or device.
        """
        return self._run.step(projected)

    @torch.no_grad()
    def take(self, rows: Tensor) -> None:
        """Go on with ``rows`` (R) of those that there are, each any number of times."""
        lookup = self._lookup[rows]
        # Beams mostly change places within their sentence.
        same = len(lookup) == len(self._lookup) and bool((lookup == self._lookup).all())
        self._lookup = self._lookup if same else lookup
        self._run.take(rows, self._lookup)

    @property
    def state(self) -> AttendingState:
        """The state of all rows; the next step may overwrite it."""
        return self._run.state


class _Reference:
    """By the cell's own step."""

    def __init__(self, owner: AttendingCell):
        self.owner = owner

    def begin(self, memory: Memory, state: State, lookup: Tensor) -> None:
        self.memory, self.lookup, self.bound = memory, lookup, self.owner.bind(memory)
        self.state = self.bound.initial(state)

    def step(self, projected: Tensor) -> tuple[Tensor, Tensor]:
        self.state = self.owner(lambda: self.bound.step(projected, self.state))
        return self.state.output, self.state.weights

    def take(self, rows: Tensor, lookup: Tensor) -> None:
        self.state = take_rows(self.state, rows)
        if lookup is not self.lookup:
            self.lookup, self.bound = lookup, self.owner.bind(take_rows(self.memory, lookup))


class _Native:
    """By the compiled library, from weights that are laid out once."""

    def __init__(self, owner: AttendingCell):
        self.form, weights = read_weights(settled_owner(owner))
        self.weights: Any = {name: None if one is None else one.detach().contiguous() for name, one in weights.items()}
        self.hidden, self.gates = owner.hidden_size, kind_of(self.form.cell).blocks * owner.hidden_size
        self.packed = self._pack()
        # Of the others the kernel asks only whether they are there.
        for name in ("vector", "per_unit"):
            self.weights[name] = None if self.weights[name] is None else self.weights[name].clone()

    def _pack(self) -> Tensor:
        """Return the weights as the kernel reads them."""
        combine, query = self.weights["combine"], self.weights["query"]
        new = combine.new_empty
        keys = self.hidden if query is None else len(query)
        memory = Memory(new(1, 1, keys), new(1, 1, combine.shape[1] - self.hidden), None)
        one = new(1, self.hidden)
        given = Given(new(1, 1, self.gates), **self.weights, **memory._asdict(), first=one, h0=one, c0=None)
        scan, attend = scan_arguments(self.form, given), attend_arguments(self.form, given)
        self.type = scan.dtype  # in which it is packed, whatever torch is told later
        arguments = ctypes.byref(scan), ctypes.byref(attend)
        pack = load().recurra_attend_pack
        packed = torch.empty(pack(*arguments, None), dtype=torch.uint8)
        pack(*arguments, packed.data_ptr())
        return packed

    def begin(self, memory: Memory, state: State, lookup: Tensor) -> None:
        self.memory, self.lookup = map_state(Tensor.contiguous, memory), lookup
        own = map_state(lambda part: part.detach().clone(memory_format=torch.contiguous_format), state)
        self.state = AttendingState(torch.zeros_like(own.h), own, own.h, None)  # weights come with the first step
        check(self.form, self._given(self.memory, self.state))
        self._arrange()

    def _given(self, memory: Memory, state: AttendingState) -> Given:
        x = state.output.new_empty(len(state.output), 1, self.gates)
        starts = {"first": state.output, "h0": state.cell.h, "c0": getattr(state.cell, "c", None)}
        return Given(x, **self.weights, **memory._asdict(), **starts)

    def take(self, rows: Tensor, lookup: Tensor) -> None:
        self.state, self.lookup = take_rows(self.state, rows), lookup
        self._arrange()

    def _arrange(self) -> None:
        """Point at the state, which every step overwrites, and at what else a step needs."""
        given = self._given(self.memory, self.state)
        self.shape, like = given.x[:, 0].shape, given.x
        self.scan, self.attend = scan_arguments(self.form, given), attend_arguments(self.form, given)
        self.scan.dtype = self.type
        self.contexts = like.new_empty(len(like), given.values.shape[2])
        self.queries = None if given.query is None else like.new_empty(len(like), given.keys.shape[2])
        self.state = self.state._replace(weights=like.new_empty(len(like), given.keys.shape[1]))
        self.scan.h = self.scan.outputs = self.scan.h0
        self.scan.c = self.scan.c0
        self.attend.outputs, self.attend.packed = self.attend.first, self.packed.data_ptr()
        self.attend.weights, self.attend.rows = self.state.weights.data_ptr(), self.lookup.data_ptr()
        self.attend.contexts = self.contexts.data_ptr()
        self.attend.queries = None if self.queries is None else self.queries.data_ptr()
        self.pointers = ctypes.byref(self.scan), ctypes.byref(self.attend)
        self.call, self.tensors = load().recurra_attend_forward, state_tensors(self.state)

    def step(self, projected: Tensor) -> tuple[Tensor, Tensor]:
        if projected.shape != self.shape or projected.dtype is not self.contexts.dtype or not projected.is_cpu:
            raise ConfigError(
                f"This stepper takes what inputs contribute in shape {tuple(self.shape)} and type "
                f"{self.contexts.dtype} on 'cpu', but it got shape {tuple(projected.shape)} and type "
                f"{projected.dtype} on '{projected.device}'."
            )
        given = projected.resolve_neg().contiguous()  # named, so that a copy lives until the call is over
        self.scan.x = given.data_ptr()
        succeed(self.call(*self.pointers))
        for tensor in self.tensors:  # so that autograd notices who still needs the last ones
            increment_version(tensor)
        return self.state.output, self.state.weights
