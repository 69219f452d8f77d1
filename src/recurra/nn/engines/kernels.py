"""The kernels that torch has for the rnn, lstm and gru.

Shapes: B batch, T steps, I inputs.
"""

import warnings
from typing import Any

import torch
from torch import Tensor
from torch._C._functorch import TransformType, get_interpreter_stack

from ...cells.base import GatedCell, State
from .base import Plan, Scanned, Steps

# On a GPU cuDNN copies the weights of a cell side by side, which takes microseconds. Of that torch warns, and says to
# call what only its own modules have.
warnings.filterwarnings("ignore", message="RNN module weights are not part of single contiguous chunk")


def run_torch(cell: Any, x: Tensor, state: State, plan: Plan) -> Scanned:
    """Run an rnn, lstm or gru by the kernel of torch (oneDNN or plain on a CPU, cuDNN on a GPU)."""
    biases = [] if cell.bias_ih is None else [cell.bias_ih, cell.bias_hh]
    weights = [cell.weight_ih, cell.weight_hh, *biases]
    first = [part.unsqueeze(0) for part in state]
    start = first[0] if len(first) == 1 else tuple(first)
    x = x.flip(1) if plan.reverse else x
    outputs, *last = type(cell).torch_function(x, start, weights, bool(biases), 1, 0.0, cell.training, False, True)
    outputs = outputs.flip(1) if plan.reverse else outputs
    return Scanned(outputs, type(state)(*[part.squeeze(0) for part in last]), None, "torch")


def torch_refuses(cell: Steps, plan: Plan) -> str:
    """Return why torch has no kernel for this, or an empty string if it has one."""
    # Not an inherited one: a cell that changes the equation of its parent must not run as its parent.
    if not isinstance(cell, GatedCell) or vars(type(cell)).get("torch_function") is None:
        return f"torch has no kernel for {type(cell).__name__}"
    if plan.mask is not None:
        return "torch's kernels take no mask"
    if plan.keep is not None:
        return "torch's kernels have no zoneout"
    if plan.record:
        return "torch's kernels do not return their gates"
    # All that torch.func can stack up: only of vmap the kernels know nothing.
    active = get_interpreter_stack() or () if torch._C._are_functorch_transforms_active() else ()
    return "torch's kernels do not take part in vmap" if any(one.key() == TransformType.Vmap for one in active) else ""
