"""What the tests of the native engine share: when they run, and what agreement with the reference means."""

import shutil
import subprocess
import sys
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from recurra.cells import CELLS, Cell, LinearCell, State, map_state, state_tensors
from recurra.native import library
from recurra.nn.scan import Plan, scan

COMPILER = any(map(shutil.which, ("c++", "g++", "clang++")))
HAS_LIBRARY = not library.absent()
# With a compiler an absent library is a fault, so these tests run and fail.
needs_library = pytest.mark.skipif(not HAS_LIBRARY and not COMPILER, reason=library.absent() or "the library is here")

KERNELS = ("rnn", "rnn_relu", "lstm", "gru")  # of torch
LINEAR = tuple(name for name, kind in CELLS.items() if issubclass(kind, LinearCell))
PROJECTS = tuple(name for name, kind in CELLS.items() if getattr(kind, "projects", False))
THROUGH_OTHERS = ("parallel", "reservoir")  # which the native engine runs by the kernels of other cells
NATIVE = tuple(name for name, kind in CELLS.items() if vars(kind).get("native") or name in THROUGH_OTHERS)


def fastest(name: str) -> str:
    """The engine that ``auto`` takes for a cell of CELLS on a CPU, with nothing special asked."""
    return "native" if HAS_LIBRARY and name in NATIVE else second_fastest(name)


def second_fastest(name: str) -> str:
    """The engine that ``auto`` takes where there is no native one."""
    return "torch" if name in KERNELS else "associative" if name in LINEAR else "reference"


def values_and_gradients(cell: Cell, x: Tensor, state: State, plan: Plan, engine: str) -> list[Tensor]:
    """Outputs, last state, and the gradients of everything that has one; zeros where nothing flows."""
    x = x.detach().clone().requires_grad_()
    state = map_state(lambda tensor: tensor.detach().clone().requires_grad_(), state)
    done = scan(cell, x, state, plan, engine)
    assert done.engine == engine
    ends = state_tensors(done.state)
    total = done.outputs.square().sum() + sum((n + 2) * end.sum() for n, end in enumerate(ends))
    leaves = [x, *state_tensors(state), *cell.parameters()]
    grads = torch.autograd.grad(total, leaves, allow_unused=True, materialize_grads=True)
    return [tensor.detach() for tensor in (done.outputs, *ends, *grads)]


def agree(ours: Sequence[Tensor], theirs: Sequence[Tensor], within: float, why: str = "") -> None:
    """All tensors are equal up to ``within`` times their norm."""
    assert len(ours) == len(theirs)
    for number, (one, other) in enumerate(zip(ours, theirs, strict=True)):
        assert one.shape == other.shape, f"{why} tensor {number}: {tuple(one.shape)} and {tuple(other.shape)}"
        apart = float((one.double() - other.double()).norm())
        assert apart <= within * max(float(other.norm()), 0.1), f"{why} tensor {number}: apart by {apart:.1e}"


def in_fresh_process(script: str, environment: dict[str, str]) -> str:
    """Run a program by itself, and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
