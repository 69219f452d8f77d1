"""A reservoir by its weights that are not zero.

Shapes: B batch, T steps, I inputs, H hidden units.
"""

import ctypes
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

from ...cells import Hidden, ReservoirCell
from ...errors import ConfigError
from ...native import library
from ...native.eager import is_eager
from ...native.library import DTYPES, SPARSE_HEAD, SparseArguments
from ...native.threads import threads_for_scan
from .base import Plan, Scanned, Steps

MOST = 0.3  # of the weights: with more of them, products with all are as fast


def run_sparse(cell: Any, x: Tensor, state: Hidden, plan: Plan) -> Scanned:
    """Run a reservoir by the compiled library, without gradients.

    Raises ConfigError if the shape, type or device of ``x``, the state or the mask does not go with the weights.
    """
    weight, mask = cell.weight_hh, plan.mask
    if x.dim() != 3 or x.shape[2] != cell.input_size or x.dtype is not weight.dtype or not x.is_cpu:
        raise ConfigError(
            f"The input must have shape (B, T, {cell.input_size}) and type {weight.dtype} on 'cpu', but it has shape "
            f"{tuple(x.shape)} and type {x.dtype} on '{x.device}': convert it, or the model, with .to()."
        )
    batch, steps, hidden = *x.shape[:2], cell.hidden_size
    if state.h.shape != (batch, hidden) or state.h.dtype is not weight.dtype:
        raise ConfigError(f"The state h must have shape {(batch, hidden)} and type {weight.dtype}.")
    if mask is not None and (mask.shape != (batch, steps) or mask.dtype is not torch.bool):
        raise ConfigError(f"mask must have shape {(batch, steps)} and type torch.bool.")
    columns = (weight != 0).nonzero()[:, 1]
    held = {
        "x": cell.project(x),
        "weights": (cell.spectral_radius * weight)[weight != 0],
        "columns": columns.int(),
        "ends": (weight != 0).sum(1).cumsum(0),
        "h0": state.h,
        "mask": mask,
    }
    held = {name: None if one is None else one.contiguous() for name, one in held.items()}
    outputs, h = x.new_empty(batch, steps, hidden), x.new_empty(batch, hidden)
    threads = threads_for_scan(batch * steps * len(columns))
    numbers = DTYPES[weight.dtype], threads, plan.reverse, float(cell.leak), batch, steps, hidden
    pointers = [None if one is None else one.data_ptr() for one in held.values()]
    job = SparseArguments(*SPARSE_HEAD, *numbers, *pointers, outputs.data_ptr(), h.data_ptr())
    library.succeed(library.load().recurra_sparse_forward(ctypes.byref(job)))
    return Scanned(outputs, Hidden(h), None, "sparse")


def sparse_refuses(cell: Steps, plan: Plan) -> str:
    """Return why this cannot be run by weights that are not zero, or an empty string if it can."""
    if type(cell) is not ReservoirCell:
        return f"only weights that are mostly zero are taken one by one, and a {type(cell).__name__} has none"
    weight, tracked = cell.weight_hh, torch.is_grad_enabled() or forward_ad._current_level >= 0
    reasons = {
        library.absent().replace("The ", "the ", 1).rstrip("."): bool(library.absent()),
        f"a share of {cell.connectivity:g} of the weights is not zero: products with all are as fast": (
            cell.connectivity > MOST
        ),
        "the sparse engine returns no gates and has no zoneout": plan.record or plan.keep is not None,
        "the sparse engine has no gradients: call it under torch.no_grad()": tracked,
        "the sparse engine takes no part in autocast": torch.is_autocast_enabled("cpu"),
        "the sparse engine computes on the CPU, in float32 or float64": (
            not weight.is_cpu or weight.dtype not in DTYPES
        ),
        "the sparse engine takes no part in what torch compiles or transforms": not is_eager([weight]),
    }
    return next((reason for reason, holds in reasons.items() if holds), "")
