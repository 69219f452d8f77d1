"""The only loop over time, and the engines that can run it.

Shapes: B batch, T steps, I inputs, H hidden units.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from .cells.base import Cell, GatedCell, Gates, State, map_state
from .errors import ConfigError, pick


class Steps(Protocol):
    """What can be scanned: a cell, or a cell bound to something it attends to."""

    def project(self, x: Tensor) -> Tensor: ...
    def gates(self, projected: Tensor, state: Any) -> Gates: ...
    def step(self, projected: Tensor, state: Any) -> Any: ...


class Scanned(NamedTuple):
    """What comes out of a scan."""

    outputs: Tensor  # (B, T, H): the first field of the state after each step, zero where masked
    state: State  # after the last step (after the first one, if reversed)
    gates: Gates | None  # each (B, T, H), only if they were asked for
    engine: str  # which engine ran


class Plan(NamedTuple):
    """How to go over the steps."""

    mask: Tensor | None = None  # (B, T) bool: where False the state is kept and the output is zero
    reverse: bool = False  # from the last step to the first
    keep: Tensor | None = None  # (B, T, H) in [0, 1]: the share of the old state that stays (zoneout)
    record: bool = False  # return the gates of every step
    truncate: int = 0  # cut the gradient through the state every so many steps; 0 is never


EVERY_STEP = Plan()


def scan(cell: Steps, x: Tensor, state: State, plan: Plan = EVERY_STEP, engine: str = "auto") -> Scanned:
    """Run ``cell`` over the steps of ``x`` (B, T, I) from ``state``.

    ``s_t = step(project(x)_t, s_{t−1})``; ``engine`` is a name in ENGINES, or ``"auto"`` for the fastest that
    applies. Raises ConfigError if there is no step, or if the engine asked for cannot do what is asked.
    """
    if x.shape[1] == 0:
        raise ConfigError("There is no step to run over: the input has length 0 in time.")
    name = choose_engine(cell, plan) if engine == "auto" else engine
    reason = pick(ENGINES, name, "engine").refuses(cell, plan)
    if reason:
        raise ConfigError(f"The engine '{name}' cannot run this: {reason}. Use 'auto' or 'reference'.")
    run = ENGINES[name].run
    if plan.truncate <= 0 or plan.truncate >= x.shape[1]:
        return run(cell, x, state, plan)
    return _truncated(run, cell, x, state, plan)


def choose_engine(cell: Steps, plan: Plan) -> str:
    """Return the name of the fastest engine that applies."""
    return next(name for name in ("torch", "reference") if not ENGINES[name].refuses(cell, plan))


def _truncated(run: Callable[..., Scanned], cell: Steps, x: Tensor, state: State, plan: Plan) -> Scanned:
    parts = []
    for piece in _pieces(x.shape[1], plan):
        cut = plan._replace(mask=_at(plan.mask, piece), keep=_at(plan.keep, piece))
        parts.append(run(cell, x[:, piece], state, cut))
        state = map_state(Tensor.detach, parts[-1].state)
    last = parts[-1]
    ordered = parts[::-1] if plan.reverse else parts
    gates = {k: torch.cat([p.gates[k] for p in ordered if p.gates], 1) for k in last.gates or {}}
    outputs = torch.cat([part.outputs for part in ordered], 1)
    return Scanned(outputs, last.state, gates if plan.record else None, last.engine)


def _pieces(steps: int, plan: Plan) -> Iterator[slice]:
    starts = range(0, steps, plan.truncate)
    if not plan.reverse:
        return (slice(start, start + plan.truncate) for start in starts)
    return (slice(max(0, steps - start - plan.truncate), steps - start) for start in starts)


def _at(tensor: Tensor | None, piece: slice) -> Tensor | None:
    return None if tensor is None else tensor[:, piece]


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


def _reference_refuses(cell: Steps, plan: Plan) -> str:
    return ""


def _torch_refuses(cell: Steps, plan: Plan) -> str:
    # Not an inherited one: a cell that changes the equation of its parent must not run as its parent.
    if not isinstance(cell, GatedCell) or vars(type(cell)).get("torch_function") is None:
        return f"torch has no kernel for {type(cell).__name__}"
    if plan.mask is not None:
        return "torch's kernels take no mask"
    if plan.keep is not None:
        return "torch's kernels have no zoneout"
    return "torch's kernels do not return their gates" if plan.record else ""


class Engine(NamedTuple):
    """A way to run the loop, and the reason why it cannot, if it cannot."""

    run: Callable[[Any, Tensor, State, Plan], Scanned]
    refuses: Callable[[Any, Plan], str]


ENGINES: dict[str, Engine] = {
    "reference": Engine(run_reference, _reference_refuses),
    "torch": Engine(run_torch, _torch_refuses),
}

__all__ = ["ENGINES", "Cell", "Engine", "Plan", "Scanned", "Steps", "choose_engine", "scan"]
