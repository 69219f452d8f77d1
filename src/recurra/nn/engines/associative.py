"""All steps of a linear cell at once, in pieces that are joined: steps of a linear map can be taken in any order.

Shapes: B batch, T steps, I inputs, H hidden units, N pieces of S steps.
"""

from math import isqrt
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ...cells import Hidden
from ...cells.linear import Linear, LinearCell
from .base import Plan, Scanned, Steps


def run_associative(cell: Any, x: Tensor, state: Hidden, plan: Plan) -> Scanned:
    """Run a linear cell as ``h_t = keep_t ⊙ h_{t−1} + write_t``, about 2·√T operations one after the other and not T.

    A masked step keeps all and writes nothing; zoneout with a share k keeps ``k + (1 − k) ⊙ keep`` and writes
    ``(1 − k) ⊙ write``.
    """
    hidden = None if plan.mask is None else ~plan.mask.unsqueeze(-1)
    # What is masked is never read, as a number that is none would reach the gradients.
    keep, write = cell.linear(cell.project(x if hidden is None else x.masked_fill(hidden, 0.0)))
    if plan.keep is not None:
        keep, write = torch.lerp(keep, torch.ones_like(keep), plan.keep), write - plan.keep * write
    if hidden is not None:
        keep, write = keep.masked_fill(hidden, 1.0), write.masked_fill(hidden, 0.0)
    if plan.reverse:
        keep, write = keep.flip(1), write.flip(1)
    states = _states(Linear(keep, write), state.h)
    last = states[:, -1]
    states = states.flip(1) if plan.reverse else states
    outputs = states if hidden is None else states.masked_fill(hidden, 0.0)
    return Scanned(outputs, Hidden(last), None, "associative")


def _states(steps: Linear, first: Tensor) -> Tensor:
    """Return the state (B, T, H) after each of ``steps`` (B, T, H), from the ``first`` (B, H)."""
    count = steps.keep.shape[1]
    size = isqrt(count - 1) + 1
    missing = -count % size
    keep = F.pad(steps.keep, (0, 0, 0, missing), value=1.0).unflatten(1, (-1, size)).unbind(2)  # S times (B, N, H)
    write = F.pad(steps.write, (0, 0, 0, missing)).unflatten(1, (-1, size)).unbind(2)
    # Inside the pieces, all of them at once: what the first steps of a piece do together.
    joined = [Linear(keep[0], write[0])]
    for one, other in zip(keep[1:], write[1:], strict=True):
        joined.append(Linear(one * joined[-1].keep, one * joined[-1].write + other))
    # From piece to piece: the state before each.
    before = [first]
    whole = zip(joined[-1].keep.unbind(1), joined[-1].write.unbind(1), strict=True)
    for one, other in list(whole)[:-1]:
        before.append(one * before[-1] + other)
    begun = torch.stack(before, 1).unsqueeze(2)  # (B, N, 1, H)
    together = Linear(*[torch.stack(parts, 2) for parts in zip(*joined, strict=True)])  # (B, N, S, H)
    return (together.keep * begun + together.write).flatten(1, 2)[:, :count]


def associative_refuses(cell: Steps, plan: Plan) -> str:
    """Return why the steps of this cannot be joined, or an empty string if they can."""
    # One that has a step of its own must not run as its parent.
    if not isinstance(cell, LinearCell) or type(cell).step is not LinearCell.step:
        return f"{type(cell).__name__} is not linear in its state, so its steps cannot be joined"
    return "the associative engine does not return its gates" if plan.record else ""
