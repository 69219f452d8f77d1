"""The definition of every cell over time: one step after the other, by the cell's own ``step``.

Shapes: B batch, T steps, I inputs.
"""

import torch
from torch import Tensor

from ...cells.base import Gates, State, map_state
from .base import Plan, Scanned, Steps


def run_reference(cell: Steps, x: Tensor, state: State, plan: Plan) -> Scanned:
    """Run any cell step by step: the definition that every other engine is tested against."""
    projected = cell.project(x).unbind(1)
    masks = None if plan.mask is None else plan.mask.unbind(1)
    keeps = None if plan.keep is None else plan.keep.unbind(1)
    steps = range(len(projected))
    outputs: list[Tensor] = []
    gates: list[Gates] = []
    for t in reversed(steps) if plan.reverse else steps:
        if plan.record:
            gates.append(cell.gates(projected[t], state))
        new = cell.step(projected[t], state)
        if keeps is not None:
            new = map_state(lambda old, fresh, t=t: torch.lerp(fresh, old, keeps[t]), state, new)
        if masks is None:
            state = new
            outputs.append(new[0])
        else:
            allowed = masks[t]
            state = map_state(lambda old, fresh, on=allowed: torch.where(_like(on, old), fresh, old), state, new)
            outputs.append(state[0].masked_fill(~_like(allowed, state[0]), 0.0))
    if plan.reverse:
        outputs.reverse()
        gates.reverse()
    recorded = {name: torch.stack([g[name] for g in gates], 1) for name in gates[0]} if gates else None
    return Scanned(torch.stack(outputs, 1), state, recorded, "reference")


def _like(allowed: Tensor, part: Tensor) -> Tensor:
    """Give ``allowed`` (B,) the dimensions of a part of the state (B, ...)."""
    return allowed.view(-1, *[1] * (part.dim() - 1))


def reference_refuses(cell: Steps, plan: Plan) -> str:
    """Return an empty string: the definition runs everything."""
    return ""
