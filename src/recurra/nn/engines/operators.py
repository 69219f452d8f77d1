"""The native engine as operators of torch: ``recurra::scan`` and ``recurra::scan_backward``.

Operators are what torch.compile and torch.export see: they know the shapes that come out, and no more.
Shapes: B batch, T steps, I inputs, H hidden units, G gate blocks, S what a step saves.
"""

import ctypes
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ...cells import CELLS, GatedCell
from ...cells.base import bare
from ...errors import ConfigError
from ...native.eager import is_eager
from ...native.library import (
    DTYPES,
    GRAD_HEAD,
    PAD,
    SCAN_HEAD,
    GradArguments,
    ScanArguments,
    cell_number,
    load,
    scan_type,
    succeed,
)
from ...native.threads import threads_for_scan
from .base import Plan, Projected, SelfFed, Steps
from .reference import run_reference


class Inputs(NamedTuple):
    """What a scan reads; the first arguments of both operators, in their order."""

    cell: str  # as in recurra.h
    x: Tensor  # (B, T, I), or (B, T, 0): the input is the old output, and I is H; (B, T, G·H) without weight_ih
    weight_ih: Tensor | None  # (G·H, I), unless x is projected already
    weight_hh: Tensor | None  # (G·H, H), unless the gates read the input alone
    bias_ih: Tensor | None  # (G·H)
    bias_hh: Tensor | None  # (G·H)
    per_unit: Tensor | None  # (P·H), what else a cell has for every unit, as its ``per_unit`` lists it
    h0: Tensor  # (B, H)
    c0: Tensor | None  # (B, H), for a cell with a memory
    mask: Tensor | None  # (B, T) bool
    keep: Tensor | None  # (B, T, H)
    reverse: bool


WEIGHTS = Inputs._fields[2:7]
LEAVES = 8  # the inputs from x to c0 have gradients
READ = 1 + LEAVES + 3  # what a scan reads: the cell, those, mask, keep and reverse
Four = tuple[Tensor, Tensor, Tensor, Tensor]

_INPUTS = (
    "str cell, Tensor x, Tensor? weight_ih, Tensor? weight_hh, Tensor? bias_ih, Tensor? bias_hh, Tensor? per_unit, "
    "Tensor h0, Tensor? c0, Tensor? mask, Tensor? keep, bool reverse"
)
_ENDS = "Tensor outputs, Tensor saved, Tensor? d_outputs, Tensor? d_h, Tensor? d_c"
# Plain registrations: torch.library.custom_op wraps the same in one layer more, which every call pays for.
_LIB = torch.library.Library("recurra", "DEF")
_LIB.define(
    f"scan({_INPUTS}, bool save) -> (Tensor outputs, Tensor h, Tensor c, Tensor saved)",
    tags=(torch.Tag.pt2_compliant_tag, torch.Tag.needs_fixed_stride_order),
)
_LIB.define(
    f"scan_backward({_INPUTS}, {_ENDS}, bool[{LEAVES}] wanted) -> ({', '.join(['Tensor'] * LEAVES)})",
    tags=(torch.Tag.pt2_compliant_tag, torch.Tag.needs_fixed_stride_order),
)


def _forward(*arguments: Any) -> Four:
    """Return the outputs (B, T, H), the last h and c (B, H), and what the backward pass needs (B, T, S)."""
    inputs, save = _each(Tensor.contiguous, Inputs(*arguments[:-1])), arguments[-1]
    _check(inputs)
    results = _empty_results(inputs, save)
    outputs, h, c, saved = results
    scan = _scan_arguments(inputs)
    scan.outputs, scan.h = outputs.data_ptr(), h.data_ptr()
    scan.c = None if inputs.c0 is None else c.data_ptr()
    scan.saved = saved.data_ptr() if save else None
    succeed(load().recurra_forward(ctypes.byref(scan)))
    return results


def _backward(*arguments: Any) -> tuple[Tensor, ...]:
    """Return the gradients of x, the weights, the biases, h0 and c0; those that nobody wants are empty."""
    inputs = _each(Tensor.contiguous, Inputs(*arguments[:READ]))
    outputs, saved, *ends, wanted = arguments[READ:]
    _check(inputs)
    _check_ends(inputs, saved, [outputs, *ends])
    grads = _empty_grads(inputs, wanted)
    # Named, so that the copies live until the call is over.
    outputs, saved = outputs.contiguous(), saved.contiguous()
    ends = [None if end is None else end.contiguous() for end in ends]
    scan = _scan_arguments(inputs)
    scan.outputs, scan.saved = outputs.data_ptr(), saved.data_ptr()
    pointers = [grad.data_ptr() if want else None for grad, want in zip(grads, wanted, strict=True)]
    if inputs.x.shape[2] == 0:
        pointers[0] = None
    given = GradArguments(*GRAD_HEAD, *map(_pointer, ends), *pointers)
    succeed(load().recurra_backward(ctypes.byref(scan), ctypes.byref(given)))
    return grads


def _each(function: Callable[[Tensor], Tensor], inputs: Inputs) -> Inputs:
    changed: list[Any] = [None if tensor is None else function(tensor) for tensor in _tensors(inputs)]
    return Inputs._make([inputs.cell, *changed, inputs.reverse])


def _tensors(inputs: Inputs) -> Sequence[Any]:
    return inputs[1 : READ - 1]


def _pointer(tensor: Tensor | None) -> int | None:
    return None if tensor is None else tensor.data_ptr()


def _scan_arguments(inputs: Inputs) -> ScanArguments:
    cell, x, *_, reverse = inputs
    width = x.shape[2] if inputs.weight_ih is None else inputs.weight_ih.shape[1]
    sizes = (*x.shape[:2], width, inputs.h0.shape[1])
    products = sum(weight.numel() for weight in (inputs.weight_ih, inputs.weight_hh) if weight is not None)
    threads = threads_for_scan(x.shape[0] * x.shape[1] * products)
    pointers = map(_pointer, _tensors(inputs))
    numbers = cell_number(cell), scan_type(x.dtype), reverse, threads, x.shape[2] == 0
    return ScanArguments(*SCAN_HEAD, *numbers, *sizes, *pointers)


def _check(inputs: Inputs) -> None:
    """Refuse what would make the library read beyond the end of an array, or read it as another type."""
    kind, hidden = kind_of(inputs.cell), inputs.h0.shape[-1]
    weight = inputs.weight_hh if inputs.weight_ih is None else inputs.weight_ih
    if (
        weight is None
        or kind.projects != (inputs.weight_ih is None)
        or kind.recurrent != (inputs.weight_hh is not None)
    ):
        raise ConfigError(f"The weights are not those of the cell '{inputs.cell}'.")
    batch, steps = inputs.x.shape[:2] if inputs.x.dim() == 3 else (-1, -1)  # -1: any number, in messages only
    rows, dtype, fields = kind.blocks * hidden, weight.dtype, _fields(inputs.cell)
    self_fed, width = inputs.x.shape[-1] == 0, rows if kind.projects else weight.shape[1]
    check_one("x", inputs.x, (batch, steps, 0 if self_fed and not kind.projects else width), dtype)
    check_one("weight_ih", inputs.weight_ih, (rows, hidden if self_fed else width), dtype)
    check_one("weight_hh", inputs.weight_hh, (rows, hidden), dtype)
    check_one("bias_ih", inputs.bias_ih, (rows,), dtype)
    check_one("bias_hh", inputs.bias_hh, (rows,), dtype)
    if inputs.per_unit is not None:
        check_one("per_unit", inputs.per_unit, (sum(kind.per_unit.values()) * hidden,), dtype)
    check_one("the state h", inputs.h0, (batch, hidden), dtype)
    check_one("the state c", inputs.c0, (batch, hidden), dtype)
    check_one("mask", inputs.mask, (batch, steps), torch.bool)
    check_one("keep", inputs.keep, (batch, steps, hidden), dtype)
    if steps < 1:
        raise ConfigError("There is no step to run over: x has length 0 in time.")
    if (inputs.per_unit is None) == bool(kind.per_unit):
        raise ConfigError(f"The weights are not those of the cell '{inputs.cell}'.")
    if (inputs.c0 is None) == ("c" in fields):
        raise ConfigError(f"The state of the cell '{inputs.cell}' must be ({', '.join(fields)}).")
    if dtype not in DTYPES:
        raise ConfigError(f"The native engine computes in float32 or float64, and the weights are {dtype}.")


def check_one(name: str, tensor: Tensor | None, shape: tuple[int, ...], dtype: torch.dtype) -> None:
    """Raise ConfigError if a tensor that is there has another shape, type or device."""
    if tensor is not None and (tensor.shape != shape or tensor.dtype is not dtype or not tensor.is_cpu):
        raise ConfigError(
            f"{name} must have shape {shape} and type {dtype} on 'cpu', as the weights and x say, but it has shape "
            f"{tuple(tensor.shape)} and type {tensor.dtype} on '{tensor.device}': convert it, or the model, with .to()."
        )


def _check_ends(inputs: Inputs, saved: Tensor, ends: Sequence[Tensor | None]) -> None:
    (batch, steps, _), hidden, dtype = inputs.x.shape, inputs.h0.shape[1], inputs.x.dtype
    if saved.shape != (batch, steps, _saved_width(inputs)):
        raise ConfigError("The scan saved nothing for its backward pass: run it with save=True.")
    check_one("saved", saved, tuple(saved.shape), dtype)
    whole, last = (batch, steps, hidden), (batch, hidden)
    names = ("outputs", "d_outputs", "d_h", "d_c")
    for name, end, shape in zip(names, ends, (whole, whole, last, last), strict=True):
        check_one(name, end, shape, dtype)


def _saved_width(inputs: Inputs) -> int:
    blocks = load().recurra_saved_blocks(cell_number(inputs.cell), inputs.mask is not None)
    return blocks * ((inputs.h0.shape[1] + PAD - 1) // PAD * PAD)


def _empty_results(inputs: Inputs, save: bool) -> Four:
    x, hidden = inputs.x, inputs.h0.shape[1]
    batch, steps = x.shape[0], x.shape[1]
    outputs, h = x.new_empty(batch, steps, hidden), x.new_empty(batch, hidden)
    c = x.new_empty(0) if inputs.c0 is None else x.new_empty(batch, hidden)
    return outputs, h, c, x.new_empty(batch, steps, _saved_width(inputs)) if save else x.new_empty(0)


def _empty_grads(inputs: Inputs, wanted: Sequence[bool]) -> tuple[Tensor, ...]:
    leaves = zip(_tensors(inputs)[:LEAVES], wanted, strict=True)
    empty = inputs.x.new_empty
    return tuple(empty(0) if leaf is None or not want else leaf.new_empty(leaf.shape) for leaf, want in leaves)


def _fake_forward(*arguments: Any) -> Four:
    return _empty_results(Inputs(*arguments[:-1]), arguments[-1])


def _fake_backward(*arguments: Any) -> tuple[Tensor, ...]:
    return _empty_grads(Inputs(*arguments[:READ]), arguments[-1])


def _remember(ctx: Any, inputs: tuple[Any, ...], output: Four) -> None:
    given = Inputs(*inputs[:-1])
    outputs, _, c, saved = output
    ctx.set_materialize_grads(False)
    ctx.mark_non_differentiable(saved, *([c] if given.c0 is None else []))
    ctx.save_for_backward(*_tensors(given), outputs, saved)
    ctx.cell, ctx.reverse = given.cell, given.reverse


def _differentiate(ctx: Any, *ends: Tensor | None) -> tuple[Tensor | None, ...]:
    *given, outputs, saved = ctx.saved_tensors
    inputs, wanted = Inputs._make([ctx.cell, *given, ctx.reverse]), list(ctx.needs_input_grad[1 : 1 + LEAVES])
    if torch.is_grad_enabled():  # somebody will differentiate the gradients, of which the kernel knows nothing
        grads: Sequence[Tensor | None] = _differentiable_grads(inputs, ends[:3], wanted)
    else:
        grads = run_backward(*inputs, outputs, saved, *ends[:3], wanted)
    shown = [grad if want else None for grad, want in zip(grads, wanted, strict=True)]
    return None, *shown, None, None, None, None


def _differentiable_grads(inputs: Inputs, ends: Sequence[Tensor | None], wanted: Sequence[bool]) -> list[Tensor | None]:
    """Return the gradients by the reference, as tensors that can be differentiated themselves."""
    # Views, so that a weight that was computed from x does not add to the gradient of x here.
    inputs = _each(lambda tensor: tensor.view_as(tensor), inputs)
    x, mask = inputs.x, inputs.mask
    kept_out = x if mask is None else x.masked_fill(~mask.unsqueeze(-1), 0.0)  # what is masked is never read
    kind, hidden = kind_of(inputs.cell), inputs.h0.shape[1]
    state = kind.state_type(*[part for part in (inputs.h0, inputs.c0) if part is not None])
    weights = {name: getattr(inputs, name) for name in WEIGHTS[:-1]}
    if inputs.per_unit is not None:
        sizes = [count * hidden for count in kind.per_unit.values()]
        weights |= dict(zip(kind.per_unit, inputs.per_unit.split(sizes), strict=True))
    cell = kind.holding(weights, {}, bare(x.shape[2], hidden))
    steps: Steps = Projected(cell) if kind.projects else cell
    if inputs.weight_ih is not None and x.shape[2] == 0:
        steps = SelfFed(cell, inputs.weight_ih, inputs.bias_ih)
    done = run_reference(steps, kept_out, state, Plan(mask, inputs.reverse, inputs.keep))
    pairs = [(end, grad) for end, grad in zip((done.outputs, *done.state), ends, strict=False) if grad is not None]
    leaves = [leaf for leaf, want in zip(_tensors(inputs)[:LEAVES], wanted, strict=True) if want]
    found = torch.autograd.grad(
        [end for end, _ in pairs], leaves, [grad for _, grad in pairs], create_graph=True, allow_unused=True
    )
    left = iter(found)
    return [next(left) if want else None for want in wanted]


_TYPES = {name: kind for kind in CELLS.values() if issubclass(kind, GatedCell) and (name := vars(kind).get("native"))}


def kind_of(name: str) -> type[GatedCell]:
    """Return the class of the cell that the library calls ``name``. Raises ConfigError if there is none."""
    if name not in _TYPES:
        raise ConfigError(f"The native engine has no cell '{name}'. Choose one of: {', '.join(sorted(_TYPES))}.")
    return _TYPES[name]


def _fields(name: str) -> tuple[str, ...]:
    return kind_of(name).state_type._fields  # type: ignore[attr-defined]


_LIB.impl("scan", _forward, "CPU")
_LIB.impl("scan_backward", _backward, "CPU")
# Not register_fake: it looks for the line it is called from in all modules there are, at 20 ms of every import.
_LIB.impl("scan", _fake_forward, "Meta")
_LIB.impl("scan_backward", _fake_backward, "Meta")
torch.library.register_autograd("recurra::scan", _differentiate, setup_context=_remember, lib=_LIB)


class _Scan(torch.autograd.Function):
    """``recurra::scan`` without the way through the dispatcher, which takes longer than a small scan."""

    @staticmethod
    def forward(ctx: Any, *arguments: Any) -> Four:
        output = _forward(*arguments)
        _remember(ctx, arguments, output)
        return output

    backward = staticmethod(_differentiate)


def run_scan(*arguments: Any) -> Four:
    """Return what ``recurra::scan`` returns: outputs, h, c and saved. ``c`` and ``saved`` are empty if not there."""
    if not is_eager(arguments[1 : READ - 1]):
        return torch.ops.recurra.scan.default(*arguments)
    return _Scan.apply(*arguments) if arguments[-1] else _forward(*arguments)


def run_backward(*arguments: Any) -> tuple[Tensor, ...]:
    """Return what ``recurra::scan_backward`` returns: the gradients of x to c0, empty where they are not wanted."""
    if not is_eager([*arguments[1 : READ - 1], *arguments[READ:-1]]):
        return torch.ops.recurra.scan_backward.default(*arguments)
    return _backward(*arguments)
