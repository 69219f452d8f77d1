"""The scan of a cell over time: which engine runs it, and where the gradient is cut.

Shapes: B batch, T steps, I inputs, H hidden units.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ..cells.base import Cell, State, is_settled, map_state, settled
from ..errors import ConfigError, pick
from ..random import dropout
from .engines import ENGINES, EVERY_STEP, Engine, Plan, Scanned, SelfFed, Steps

# The order in which ``auto`` asks the engines; the reference refuses nothing.
AUTO = ("sparse", "native", "torch", "associative", "reference")


def scan(cell: Steps, x: Tensor, state: State = None, plan: Plan = EVERY_STEP, engine: str = "auto") -> Scanned:
    """Run ``cell`` over the steps of ``x`` (B, T, I) from ``state``, or from the cell's own first state.

    ``s_t = step(project(x)_t, s_{t−1})``; ``engine`` is a name in ENGINES, or ``"auto"`` for the fastest that
    applies. A cell is called for it as a module, so its hooks run. Raises ConfigError if there is no step, or if
    the engine asked for cannot do what is asked.
    """
    if not torch.jit.is_tracing() and x.shape[1] == 0:  # a trace warns of what depends on a size
        raise ConfigError("There is no step to run over: the input has length 0 in time.")
    run = partial(_run, engine)
    return cell(x, state, plan, run) if isinstance(cell, Cell) else run(cell, x, state, plan)


def _run(engine: str, cell: Any, x: Tensor, state: State, plan: Plan) -> Scanned:
    if isinstance(cell, Cell):
        if plan.weight_drop or not is_settled(cell):
            cell = settled(cell, partial(dropout, p=plan.weight_drop) if plan.weight_drop else None)
        state = cell.initial(x.shape[0]) if state is None else state
    if engine == "auto":
        engine, cell, plan = _chosen(cell, plan)
        run = ENGINES[engine].run
    else:
        run, refuses = pick(ENGINES, engine, "engine")
        cell, plan = _known(engine, cell, plan)
        if reason := refuses(cell, plan):
            raise ConfigError(f"The engine '{engine}' cannot run this: {reason}. Use 'auto' or 'reference'.")
    if plan.keep is not None and plan.keep.dim() == 0:  # the share that a cell keeps by itself, of all units
        plan = plan._replace(keep=plan.keep.expand(*x.shape[:2], cell.hidden_size))
    if plan.truncate <= 0 or plan.truncate >= x.shape[1]:
        return run(cell, x, state, plan)
    return _truncated(run, cell, x, state, plan)


def choose_engine(cell: Steps, plan: Plan) -> str:
    """Return the name of the fastest engine that applies."""
    # At none of the sizes in benchmarks/README.md was another engine faster than the first one that applies.
    # A rule that depends on sizes would go here, and on nothing that torch.compile cannot see without running.
    now: Any = settled(cell) if isinstance(cell, Cell) and not is_settled(cell) else cell
    return _chosen(now, plan)[0]


def _chosen(cell: Any, plan: Plan) -> tuple[str, Any, Plan]:
    """Return the fastest engine that applies, and as what it knows cell and plan."""
    for name in AUTO:
        known = _known(name, cell, plan)
        if not ENGINES[name].refuses(*known):
            break
    return name, *known


def _known(engine: str, cell: Any, plan: Plan) -> tuple[Any, Plan]:
    """Return what the native engine knows ``cell`` as, and a ``plan`` by which that does the same."""
    if engine != "native" or not isinstance(cell, Cell):
        return cell, plan
    other, share = cell.as_another()
    if share is None:
        return other, plan
    keep = share if plan.keep is None else plan.keep + (1 - plan.keep) * share
    return other, plan._replace(keep=keep)


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


__all__ = [
    "AUTO",
    "ENGINES",
    "EVERY_STEP",
    "Cell",
    "Engine",
    "Plan",
    "Scanned",
    "SelfFed",
    "Steps",
    "choose_engine",
    "scan",
]
