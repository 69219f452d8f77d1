"""The compiled engine: what it takes, and how a cell's tensors get to its operators.

Shapes: B batch, T steps, I inputs, H hidden units.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

from ...cells import GatedCell, ParallelCell, ParallelState, State
from ...errors import ConfigError
from ...native import library
from .base import Plan, Scanned, SelfFed, Steps
from .operators import run_scan


def run_native(cell: Any, x: Tensor, state: State, plan: Plan) -> Scanned:
    """Run a cell by the compiled library.

    Raises ConfigError if the library is absent, or if the shape, type or device of ``x``, the state or the plan
    does not go with the weights.
    """
    if library.absent():
        raise ConfigError(library.absent())
    if type(cell) is ParallelCell:
        return _run_parallel(cell, x, state, plan)
    tracing = torch.jit.is_tracing()
    if type(cell) is SelfFed:
        weight_ih, bias_ih, cell = cell.weight, cell.bias, cell.cell
    else:
        weight_ih, bias_ih = cell.weight_ih, cell.bias_ih
        if not tracing and x.shape[-1] == 0:  # which the operator would take for a self-fed cell
            raise ConfigError(f"The input has 0 features, but the cell was made for {cell.input_size}.")
    weights = [weight_ih, cell.weight_hh, bias_ih, cell.bias_hh, per_unit(cell)]
    if cell.projects:  # what is masked is never read, as a number that is none would reach the gradients
        x = cell.project(x if plan.mask is None else x.masked_fill(~plan.mask.unsqueeze(-1), 0.0))
        weights = [None, cell.weight_hh, None, None, weights[-1]]
    leaves = (x, *weights, state.h, getattr(state, "c", None))
    # Without gradients nothing is saved, so that inference takes no memory beyond its outputs. A trace is for both.
    save = (tracing or torch.is_grad_enabled()) and any(leaf is not None and leaf.requires_grad for leaf in leaves)
    outputs, h, c, _ = run_scan(kernel_name(cell), *leaves, plan.mask, plan.keep, plan.reverse, save)
    return Scanned(outputs, type(state)(h, c) if len(state) == 2 else type(state)(h), None, "native")


def native_refuses(cell: Steps, plan: Plan) -> str:
    """Return why the compiled library cannot run this, or an empty string if it can."""
    if library.absent():
        return library.absent().replace("The ", "the ", 1).rstrip(".")
    if plan.record:
        return "the native engine does not return its gates"
    if type(cell) is SelfFed and getattr(cell.cell, "projects", False):
        return f"the native engine does not feed a {type(cell.cell).__name__} with its own output"
    if plan.keep is not None and plan.keep.requires_grad:
        return "the native engine has no gradient for the zoneout mask"
    return cell_refusal(cell)


def per_unit(cell: Any) -> Tensor | None:
    """Return what a cell has for every unit beside weights and biases, (P·H), or None if that is nothing."""
    if not cell.per_unit:
        return None
    parts = [(getattr(cell, name), count * cell.hidden_size) for name, count in cell.per_unit.items()]
    if len(parts) == 1 and parts[0][0] is not None:
        return parts[0][0]
    return torch.cat([cell.weight_hh.new_zeros(size) if part is None else part for part, size in parts])


def cell_refusal(cell: Any) -> str:
    """Return why the native engine has no kernel for ``cell`` as it is now, or an empty string if it has one."""
    if torch.is_autocast_enabled("cpu"):
        return "the native engine does not take part in autocast"
    if torch._C._are_functorch_transforms_active() or forward_ad._current_level >= 0:
        return "the native engine knows gradients, but not the transforms of torch.func and forward-mode derivatives"
    return next((reason for part in _parts(cell) if (reason := _part_refusal(part))), "")


def _part_refusal(cell: Any) -> str:
    if not kernel_name(cell):
        return f"the native engine has no kernel for {type(cell).__name__}"
    weight = cell.weight_ih
    if cell.input_size == 0:
        return "the native engine needs inputs of at least one feature"
    if weight.device.type != "cpu":
        return f"the native engine runs on the CPU, and the weights are on '{weight.device.type}'"
    if weight.dtype not in library.DTYPES:
        return f"the native engine computes in float32 or float64, and the weights are {_short(weight.dtype)}"
    return ""


def _parts(cell: Any) -> tuple[Any, ...]:
    if type(cell) is ParallelCell:
        return cell.lstm, cell.gru
    return (cell.cell,) if type(cell) is SelfFed else (cell,)


def kernel_name(cell: Any) -> str | None:
    """Return the library's name of the equation of ``cell``, or None if the library does not know it."""
    # Not an inherited one: a cell that changes the equation of its parent must not run as its parent.
    return vars(type(cell)).get("native") if isinstance(cell, GatedCell) else None


def _short(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _run_parallel(cell: ParallelCell, x: Tensor, state: ParallelState, plan: Plan) -> Scanned:
    """Run both cells by themselves, and mix what comes out.

    The mixed h is a state of its own, since zoneout and masks keep a share k of it. Mixing is linear, so it
    differs from the mix m of the two states only by where it began: ``h_t = m_t + (h_0 − m_0) ⊙ Π k``. A masked
    step has k = 1; without zoneout a real one has k = 0.
    """
    lstm = run_native(cell.lstm, x, state.lstm, plan)
    gru = run_native(cell.gru, x, state.gru, plan)
    share = cell.mix.sigmoid()
    outputs = torch.lerp(gru.outputs, lstm.outputs, share)
    h = torch.lerp(gru.state.h, lstm.state.h, share)
    if plan.keep is not None:
        left = _left(plan.keep, plan) * (state.h - torch.lerp(state.gru.h, state.lstm.h, share)).unsqueeze(1)
        h = h + left[:, 0 if plan.reverse else -1]
        outputs = outputs + (left if plan.mask is None else left.masked_fill(~plan.mask.unsqueeze(-1), 0.0))
    elif plan.mask is not None:
        h = torch.where(plan.mask.any(1, keepdim=True), h, state.h)
    return Scanned(outputs, ParallelState(h, lstm.state, gru.state), None, "native")


def _left(keep: Tensor, plan: Plan) -> Tensor:
    """Return the share (B, T, H) of the first state that is left after each step."""
    shares = keep if plan.mask is None else keep.masked_fill(~plan.mask.unsqueeze(-1), 1.0)
    return shares.flip(1).cumprod(1).flip(1) if plan.reverse else shares.cumprod(1)
