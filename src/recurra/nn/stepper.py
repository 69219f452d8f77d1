"""Streaming: one observation after the other, with no memory taken on the way.

Shapes: B batch, I inputs, H hidden units.
"""

import ctypes
import weakref
from ctypes import c_void_p
from typing import Any, NoReturn

import torch
from torch import Tensor
from torch.autograd.graph import increment_version

from ..cells import CELLS, Cell, GatedCell, State, map_state
from ..cells.base import settled
from ..errors import ConfigError
from ..native import library
from ..native.library import SCAN_HEAD, ScanArguments
from .engines.native import cell_refusal, kernel_name, per_unit


class Stepper:
    """A cell that takes one observation at a time, by the native engine: ``s_t = step(x_t, s_{t−1})``.

    It starts from ``state``, or from zeros, with copies of the weights: after more training, make a new one.
    It computes no gradients, and must not be used by two threads at once. ``state`` is the cell's own kind of
    state, in tensors of the stepper that every step overwrites: clone what you keep.

    Raises ConfigError if the native engine is absent or has no kernel for the cell, or if ``state`` does not fit.
    """

    def __init__(self, cell: Cell, batch_size: int = 1, state: State | None = None):
        if isinstance(cell, Cell):  # called as a module, so that what is hooked onto it puts its weights in place
            cell(None, state, None, lambda cell, *_: self._start_with(settled(cell), batch_size, state))
        else:
            self._start_with(cell, batch_size, state)

    def _start_with(self, cell: Any, batch_size: int, state: State | None) -> None:
        own = _require_kernel(cell, batch_size)
        weight = own.weight_ih
        self._shape, self._dtype = torch.Size((batch_size, own.input_size)), weight.dtype
        # Not in inference mode, whose tensors nobody may write to outside it.
        with torch.inference_mode(False), torch.no_grad():
            start = own.initial(batch_size) if state is None else state
            _require_state(start, own.initial(batch_size))
            self._start = map_state(lambda part: part.detach().clone(memory_format=torch.contiguous_format), start)
            self.state: State = map_state(Tensor.clone, self._start)
            self._x = weight.new_empty(self._shape)
        h, c = (*self.state, None)[:2]
        self._h, self._at_h = h, c_void_p(h.data_ptr())
        self._at_c = c_void_p(None if c is None else c.data_ptr())
        self._own_x = self._x.data_ptr()
        self._made = _make(own, batch_size)
        self._step = library.load().recurra_stepper_step
        weakref.finalize(self, library.load().recurra_stepper_free, self._made)

    def step(self, x: Tensor) -> Tensor:
        """Take ``x`` (B, I) and return the output h (B, H), which the next step overwrites.

        Raises ConfigError if ``x`` has another shape, type or device than the stepper was made for.
        """
        if not isinstance(x, Tensor) or x.shape != self._shape or x.dtype is not self._dtype or not x.is_cpu:
            self._refuse(x)
        if x.is_contiguous() and not x.is_neg():
            self._step(self._made, x.data_ptr(), self._at_h, self._at_c)
        else:
            self._x.copy_(x.detach())
            self._step(self._made, self._own_x, self._at_h, self._at_c)
        increment_version(self._h)  # so that autograd notices who still needs the last output
        return self._h

    def reset(self) -> None:
        """Go back to the state that the stepper started from."""
        map_state(Tensor.copy_, self.state, self._start)

    def _refuse(self, x: Any) -> NoReturn:
        if not isinstance(x, Tensor):
            raise ConfigError(f"This stepper takes a tensor of shape {tuple(self._shape)}, and this is {type(x)}.")
        raise ConfigError(
            f"This stepper takes an x of shape {tuple(self._shape)} and type {self._dtype} on 'cpu', but it got shape "
            f"{tuple(x.shape)} and type {x.dtype} on '{x.device}'."
        )

    def __reduce_ex__(self, protocol: Any) -> NoReturn:
        raise ConfigError("A Stepper cannot be copied or pickled: make a new one with Stepper(cell, state=...).")


def _require_kernel(cell: Any, batch_size: int) -> Any:
    if library.absent():
        raise ConfigError(f"A Stepper needs the native engine. {library.absent()}")
    if not isinstance(cell, Cell):
        raise ConfigError(
            f"A Stepper takes a cell, such as LSTMCell of recurra.cells, and this is a {type(cell).__name__}. "
            f"The cells of a layer are in layer.recurrent.cells()."
        )
    if not kernel_name(cell) or cell.projects:
        named = [kind for kind in CELLS.values() if vars(kind).get("native") and not kind.projects]
        names = ", ".join(kind.__name__ for kind in named)
        raise ConfigError(
            f"A Stepper has no kernel for {type(cell).__name__}. It takes one of: {names}. For any other cell, use the "
            "cell's own step, or Recurrent.step."
        )
    reason = cell_refusal(cell)
    if reason:
        raise ConfigError(f"A Stepper cannot run this: {reason}. Use the cell's own step, or Recurrent.step.")
    if batch_size < 1:
        raise ConfigError(f"batch_size is {batch_size}, but it must be at least 1.")
    return cell


def _require_state(state: Any, wanted: Any) -> None:
    if type(state) is not type(wanted):
        raise ConfigError(f"The state must be {type(wanted).__name__}({', '.join(wanted._fields)}).")
    for name, part, like in zip(wanted._fields, state, wanted, strict=True):
        if part.shape != like.shape or part.dtype != like.dtype or not part.is_cpu:
            raise ConfigError(
                f"The state {name} must have shape {tuple(like.shape)} and type {like.dtype} on 'cpu', but it has "
                f"shape {tuple(part.shape)} and type {part.dtype} on '{part.device}'."
            )


def _make(cell: GatedCell, batch_size: int) -> c_void_p:
    """Return a stepper of the library, which has its own copy of the weights."""
    name = kernel_name(cell)
    assert name is not None
    scan = ScanArguments(
        *SCAN_HEAD, library.cell_number(name), library.scan_type(cell.weight_ih.dtype), 0, 1, 0, batch_size, 1
    )
    scan.input, scan.hidden = cell.input_size, cell.hidden_size
    given = {field: getattr(cell, field) for field in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
    given["per_unit"] = per_unit(cell)
    weights = {field: weight.detach().contiguous() for field, weight in given.items() if weight is not None}
    for field, weight in weights.items():
        setattr(scan, field, weight.data_ptr())
    made = library.load().recurra_stepper_new(ctypes.byref(scan))
    if not made:
        raise MemoryError("The native engine got no memory for the stepper: use a smaller batch.")
    return c_void_p(made)
