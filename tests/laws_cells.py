"""What every cell promises, as plain functions that raise AssertionError.

Shapes: B batch, T steps, I inputs, H hidden units. Everything in float64, and by the plain engine, which
runs any cell; that the other engines agree with it is tested in test_scan.py.
"""

import copy
import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from recurra.cells import Cell, State, map_state, state_tensors
from recurra.errors import ConfigError
from recurra.nn.scan import Plan, Scanned, scan

B, T, I, H = 3, 6, 4, 5  # noqa: E741

MakeCell = Callable[[int, int], Cell]


class Problem(NamedTuple):
    """A cell, something to read, where to begin, and which steps are real."""

    cell: Cell
    x: Tensor  # (B, T, I)
    state: State
    mask: Tensor  # (B, T): full, padded on the right, with a hole


def problem(make_cell: MakeCell, steps: int = T, seed: int = 0) -> Problem:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        cell = make_cell(I, H).double()
        shake(cell)
        x = torch.randn(B, steps, I, dtype=torch.float64)
        state = map_state(lambda zeros: 0.5 * torch.randn_like(zeros), cell.initial(B))
    mask = torch.ones(B, steps, dtype=torch.bool)
    mask[1, steps - 2 :] = False
    mask[2, steps // 2] = False
    return Problem(cell, x, state, mask)


@torch.no_grad()
def shake(cell: Cell) -> None:
    """Move every parameter: zeros, ones and orthogonal weights could hide a mistake."""
    for parameter in cell.parameters():
        parameter.add_(0.2 * torch.randn_like(parameter))


def run(given: Problem, **plan: object) -> Scanned:
    return scan(given.cell, given.x, given.state, Plan(**plan), "reference")  # type: ignore[arg-type]


def same(left: Tensor, right: Tensor, why: str, within: float = 1e-12) -> None:
    assert left.shape == right.shape, f"{why}: {tuple(left.shape)} and {tuple(right.shape)}"
    assert torch.allclose(left, right, rtol=0.0, atol=within), f"{why}: apart by {(left - right).abs().max():.2e}"


def same_state(left: State, right: State, why: str) -> None:
    for one, other in zip(state_tensors(left), state_tensors(right), strict=True):
        same(one, other, f"{why} (state)")


def rows(state: State, which: Tensor | slice) -> State:
    return map_state(lambda tensor: tensor[which], state)


def law_output_is_first(make_cell: MakeCell) -> None:
    """The first field of the state is the output, (B, H); a step keeps the shape of every field."""
    given = problem(make_cell)
    whole = run(given)
    assert whole.outputs.shape == (B, T, H), "shape of the outputs"
    same(whole.outputs[:, -1], whole.state[0], "the last output is the first field of the last state")
    for before, after in zip(state_tensors(given.state), state_tensors(whole.state), strict=True):
        assert before.shape == after.shape == (B, H), "a step changes the shape of the state"
    assert all((zeros == 0).all() for zeros in state_tensors(given.cell.initial(B))), "a cell begins at zero"


def law_streaming_is_batch(make_cell: MakeCell) -> None:
    """One step at a time through ``step`` equals all steps at once."""
    given = problem(make_cell)
    whole = run(given)
    state = given.state
    for t in range(T):
        state = given.cell.step(given.cell.project(given.x[:, t]), state)
        same(state[0], whole.outputs[:, t], f"step {t}")
    same_state(state, whole.state, "after all steps")


def law_split_is_whole(make_cell: MakeCell) -> None:
    """A sequence cut in two, with the state carried over, equals the sequence."""
    given = problem(make_cell)
    for reverse in (False, True):
        whole = run(given, mask=given.mask, reverse=reverse)
        for cut in (1, 4):
            first, second = slice(0, cut), slice(cut, T)
            early, late = (second, first) if reverse else (first, second)
            one = run(given._replace(x=given.x[:, early]), mask=given.mask[:, early], reverse=reverse)
            other = given._replace(x=given.x[:, late], state=one.state)
            two = run(other, mask=given.mask[:, late], reverse=reverse)
            parts = [two.outputs, one.outputs] if reverse else [one.outputs, two.outputs]
            same(torch.cat(parts, 1), whole.outputs, f"cut at {cut}")
            same_state(two.state, whole.state, f"cut at {cut}")


def law_step_keeps_nothing(make_cell: MakeCell) -> None:
    """A step depends on its arguments alone: asked twice, and after other steps, it answers the same."""
    given = problem(make_cell)
    projected = given.cell.project(given.x[:, 0])
    copied = map_state(Tensor.clone, given.state)
    first = given.cell.step(projected, given.state)
    given.cell.step(given.cell.project(given.x[:, 1]), first)
    same_state(given.cell.step(projected, given.state), first, "the same step again")
    same_state(given.state, copied, "a step changed the state it was given")


def law_padding_is_inert(make_cell: MakeCell) -> None:
    """Masked steps, on the left, the right or between, give zeros, keep the state, and are never read."""
    given = problem(make_cell)
    for mask in (given.mask, given.mask.flip(1), given.mask.roll(3, 1)):
        for reverse in (False, True):
            full = run(given, mask=mask, reverse=reverse)
            assert (full.outputs[~mask] == 0).all(), "an output where the mask is False"
            other = torch.where(mask.unsqueeze(-1), given.x, 50.0 - given.x)
            again = run(given._replace(x=other), mask=mask, reverse=reverse)
            same(again.outputs, full.outputs, "what a masked step holds")
            for row in range(B):
                real = mask[row]
                alone = given._replace(x=given.x[row : row + 1, real], state=rows(given.state, slice(row, row + 1)))
                bare = run(alone, reverse=reverse)
                same(full.outputs[row, real], bare.outputs[0], f"row {row} without its masked steps")
                same_state(rows(full.state, slice(row, row + 1)), bare.state, f"row {row}")


def law_masked_out_keeps_the_state(make_cell: MakeCell) -> None:
    """A row without a real step ends where it began."""
    given = problem(make_cell)
    ended = run(given, mask=torch.zeros(B, T, dtype=torch.bool))
    same_state(ended.state, given.state, "no real step")
    assert (ended.outputs == 0).all(), "an output where nothing was read"


def law_reverse_of_padded(make_cell: MakeCell) -> None:
    """Reading a right-padded batch backwards equals reading each sequence alone, turned round by hand."""
    given = problem(make_cell)
    lengths = [T, 2, 4]
    mask = torch.arange(T) < torch.tensor(lengths).unsqueeze(1)
    padded = run(given, mask=mask, reverse=True)
    for row, length in enumerate(lengths):
        state = rows(given.state, slice(row, row + 1))
        turned = given._replace(x=given.x[row : row + 1, :length].flip(1), state=state)
        alone = run(turned)
        same(padded.outputs[row, :length], alone.outputs[0].flip(0), f"row {row} backwards")
        same_state(rows(padded.state, slice(row, row + 1)), alone.state, f"row {row} backwards")


def law_causal(make_cell: MakeCell) -> None:
    """No output depends on a later input; every output depends on its own."""
    given = problem(make_cell)
    before = run(given).outputs
    for t in range(T):
        x = given.x.clone()
        x[:, t] += 1.0
        after = run(given._replace(x=x)).outputs
        assert torch.equal(after[:, :t], before[:, :t]), f"input {t} changes an earlier output"
        assert not torch.equal(after[:, t], before[:, t]), f"input {t} does not change its own output"


def law_rows_are_apart(make_cell: MakeCell) -> None:
    """Sequences do not see each other: in another order, or alone, each gives what it gave."""
    given = problem(make_cell)
    whole = run(given, mask=given.mask)
    order = torch.tensor([2, 0, 1])
    moved = Problem(given.cell, given.x[order], rows(given.state, order), given.mask[order])
    again = run(moved, mask=moved.mask)
    same(again.outputs, whole.outputs[order], "in another order")
    same_state(again.state, rows(whole.state, order), "in another order")
    one = slice(1, 2)
    alone = Problem(given.cell, given.x[one], rows(given.state, one), given.mask[one])
    same(run(alone, mask=alone.mask).outputs, whole.outputs[one], "alone")


def law_gradients(make_cell: MakeCell) -> None:
    """Gradients for the input, the first state and every parameter agree with differences, under a mask."""
    given = problem(make_cell, steps=3)
    cell = given.cell
    names = [name for name, _ in cell.named_parameters()]
    fields = state_tensors(given.state)

    def outputs(x: Tensor, *tensors: Tensor) -> tuple[Tensor, ...]:
        parts = iter(tensors[: len(fields)])
        state = map_state(lambda _: next(parts), given.state)
        weights = dict(zip(names, tensors[len(fields) :], strict=True))
        bound = _Functional(cell, weights)
        done = scan(bound, x, state, Plan(mask=given.mask), "reference")
        return done.outputs, *state_tensors(done.state)

    inputs = [given.x, *fields, *cell.parameters()]
    leaves = [tensor.detach().clone().requires_grad_() for tensor in inputs]
    assert torch.autograd.gradcheck(outputs, leaves, fast_mode=True, raise_exception=False), "a gradient is wrong"
    total = sum(part.square().sum() for part in outputs(*leaves))
    for name, gradient in zip(["x", *[""] * len(fields), *names], torch.autograd.grad(total, leaves), strict=True):
        assert gradient.any() or not name, f"no gradient reaches {name}"


class _Functional:
    """A cell with weights given from outside."""

    def __init__(self, cell: Cell, weights: dict[str, Tensor]):
        self.cell, self.weights = cell, weights

    def _call(self, method: str, *args: object) -> object:
        return torch.func.functional_call(_Method(self.cell, method), self._named(), args)

    def _named(self) -> dict[str, Tensor]:
        return {f"cell.{name}": weight for name, weight in self.weights.items()}

    def project(self, x: Tensor) -> Tensor:
        return self._call("project", x)  # type: ignore[return-value]

    def gates(self, projected: Tensor, state: State) -> dict[str, Tensor]:
        return self._call("gates", projected, state)  # type: ignore[return-value]

    def step(self, projected: Tensor, state: State) -> State:
        return self._call("step", projected, state)


class _Method(torch.nn.Module):
    def __init__(self, cell: Cell, method: str):
        super().__init__()
        self.cell, self.method = cell, method

    def forward(self, *args: object) -> object:
        return getattr(self.cell, self.method)(*args)


def law_gradient_at_rest(make_cell: MakeCell) -> None:
    """Masked steps pass no gradient to what they hold, and the state's gradient through them untouched."""
    given = problem(make_cell)
    x = given.x.clone().requires_grad_()
    state = map_state(lambda tensor: tensor.clone().requires_grad_(), given.state)
    done = scan(given.cell, x, state, Plan(mask=torch.zeros(B, T, dtype=torch.bool)), "reference")
    sum(part.sum() for part in state_tensors(done.state)).backward()  # type: ignore[union-attr]
    assert x.grad is None or not x.grad.any(), "a gradient reaches a masked step"
    for tensor in state_tensors(state):
        assert tensor.grad is not None and (tensor.grad == 1).all(), "the state's gradient is not handed on"


def law_finite(make_cell: MakeCell) -> None:
    """Huge inputs and states, and none at all, give finite outputs and gradients in float32."""
    given = problem(make_cell)
    cell = copy.deepcopy(given.cell).float()
    for factor in (1e4, -1e4, 0.0):
        x = (factor * given.x).float().requires_grad_()
        state = map_state(lambda tensor, factor=factor: (factor * tensor).float(), given.state)
        done = scan(cell, x, state, Plan(mask=given.mask), "reference")
        cell.zero_grad()
        done.outputs.sum().backward()
        gradients = [x.grad, *(parameter.grad for parameter in cell.parameters())]
        finite = [tensor.isfinite().all() for tensor in (done.outputs, *gradients) if tensor is not None]
        assert all(finite), f"not finite at {factor:g}"


def law_round_trip(make_cell: MakeCell) -> None:
    """A fresh cell with the saved weights is the same cell: everything that is learned is in its weights."""
    given = problem(make_cell)
    torch.manual_seed(1)
    fresh = make_cell(I, H).double()
    fresh.load_state_dict(copy.deepcopy(given.cell.state_dict()), strict=True)
    same(run(given._replace(cell=fresh)).outputs, run(given).outputs, "after loading", within=0.0)
    same(run(given._replace(cell=copy.deepcopy(given.cell))).outputs, run(given).outputs, "a copy", within=0.0)


def law_seed(make_cell: MakeCell) -> None:
    """The same seed makes the same cell; another seed another one."""
    weights = []
    for seed in (7, 7, 8):
        torch.manual_seed(seed)
        weights.append(torch.cat([tensor.flatten() for tensor in make_cell(I, H).state_dict().values()]))
    assert torch.equal(weights[0], weights[1]), "the same seed, other weights"
    assert not torch.equal(weights[0], weights[2]), "the seed is not used"


def law_zoneout(make_cell: MakeCell) -> None:
    """A keep of 1 keeps the state, of 0 does nothing, of a half meets in the middle."""
    given = problem(make_cell)
    plain = run(given, mask=given.mask)
    frozen = run(given, keep=torch.ones(B, T, H, dtype=torch.float64))
    same_state(frozen.state, given.state, "keep = 1")
    same(frozen.outputs, given.state[0].unsqueeze(1).expand(-1, T, -1), "keep = 1")
    free = run(given, keep=torch.zeros(B, T, H, dtype=torch.float64), mask=given.mask)
    same(free.outputs, plain.outputs, "keep = 0")
    half = run(given._replace(x=given.x[:, :1]), keep=torch.full((B, 1, H), 0.5, dtype=torch.float64))
    step = given.cell.step(given.cell.project(given.x[:, 0]), given.state)
    same_state(half.state, map_state(lambda old, new: (old + new) / 2, given.state, step), "keep = 1/2")


def law_truncate(make_cell: MakeCell) -> None:
    """Cutting the gradient every k steps is detaching the state by hand every k steps."""
    given = problem(make_cell)
    for reverse in (False, True):
        x = given.x.clone().requires_grad_()
        done = run(given._replace(x=x), truncate=4, reverse=reverse, mask=given.mask)
        by_hand = given.x.clone().requires_grad_()
        pieces = [slice(2, 6), slice(0, 2)] if reverse else [slice(0, 4), slice(4, 6)]
        state, parts = given.state, []
        for piece in pieces:
            part = given._replace(x=by_hand[:, piece], state=map_state(Tensor.detach, state))
            parts.append(run(part, mask=given.mask[:, piece], reverse=reverse))
            state = parts[-1].state
        same_state(done.state, state, "truncated")
        ordered = [part.outputs for part in (parts[::-1] if reverse else parts)]
        same(done.outputs, torch.cat(ordered, 1), "truncated")
        same(*[_grad(done.state[0], x), _grad(state[0], by_hand)], "the gradient under truncation")
        late = pieces[0]
        assert not _grad(done.state[0], x)[:, late].any(), "a gradient passes the cut"
        assert _grad(run(given._replace(x=x), reverse=reverse).state[0], x)[:, late].any(), "nothing to cut"


def _grad(value: Tensor, leaf: Tensor) -> Tensor:
    return torch.autograd.grad(value.square().sum(), leaf, retain_graph=True)[0]


def law_recorded_gates(make_cell: MakeCell) -> None:
    """Recorded gates are the gates of every step, in the order of the steps; asking for them changes nothing."""
    given = problem(make_cell)
    for reverse in (False, True):
        plain, recorded = (run(given, mask=given.mask, reverse=reverse, record=flag) for flag in (False, True))
        assert plain.gates is None, "gates that nobody asked for"
        assert recorded.gates, "no gates"
        same(recorded.outputs, plain.outputs, "recording", within=0.0)
        state = given.state
        for t in reversed(range(T)) if reverse else range(T):
            projected = given.cell.project(given.x[:, t])
            for name, gate in given.cell.gates(projected, state).items():
                assert gate.shape == (B, H), f"shape of the gate {name}"
                same(recorded.gates[name][:, t], gate, f"gate {name} at step {t}")
            new = given.cell.step(projected, state)
            on = given.mask[:, t : t + 1]
            state = map_state(lambda old, fresh, on=on: torch.where(on, fresh, old), state, new)


def law_gates_move(make_cell: MakeCell) -> None:
    """Gates have names that stay, and something to show: some depend on the input."""
    given = problem(make_cell)
    projected = given.cell.project(given.x)
    first = given.cell.gates(projected[:, 0], given.state)
    second = given.cell.gates(projected[:, 1], given.state)
    assert list(first) == list(second), "gates change their names"
    moving = [name for name in first if not torch.equal(first[name], second[name])]
    assert moving, "no gate depends on the input"


def law_empty_batch(make_cell: MakeCell) -> None:
    """A batch of no sequences gives no outputs; a sequence of no steps is refused."""
    given = problem(make_cell)
    none = given._replace(x=given.x[:0], state=given.cell.initial(0))
    for plan in ({}, {"mask": given.mask[:0]}, {"reverse": True, "record": True}):
        done = run(none, **plan)
        assert done.outputs.shape == (0, T, H), "shape of an empty batch"
        assert state_tensors(done.state)[0].shape == (0, H), "state of an empty batch"
    try:
        run(given._replace(x=given.x[:, :0]))
    except ConfigError as refusal:
        assert "length 0" in str(refusal), "the refusal does not say why"
    else:
        raise AssertionError("a sequence of no steps was accepted")


def law_any_number_type(make_cell: MakeCell) -> None:
    """Outputs and states have the type of the weights; float32 agrees with float64 to its own precision."""
    given = problem(make_cell)
    single = copy.deepcopy(given.cell).float()
    state = map_state(Tensor.float, given.state)
    done = scan(single, given.x.float(), state, Plan(mask=given.mask), "reference")
    assert done.outputs.dtype == torch.float32, "float32 in, another type out"
    assert all(part.dtype == torch.float32 for part in state_tensors(single.initial(2))), "type of the first state"
    assert all(part.dtype == torch.float64 for part in state_tensors(given.cell.initial(2))), "the first state"
    same(done.outputs.double(), run(given, mask=given.mask).outputs, "float32", within=1e-5)


def law_remember(make_cell: MakeCell) -> None:
    """After ``remember`` memory fades more slowly than before; a cell without gates is left as it is.

    With the recurrent and input weights at zero only the biases speak: what stays of the state after many
    steps is the memory that they promise.
    """
    with torch.random.fork_rng():
        torch.manual_seed(0)
        cell = make_cell(I, 64).double()
        kept_before = _kept(cell)
        biases = [parameter.detach().clone() for parameter in cell.parameters()]
        cell.remember(500)
        changed = any(not torch.equal(a, b) for a, b in zip(biases, cell.parameters(), strict=True))
        kept_after = _kept(cell)
    if not changed:
        assert kept_before == kept_after, "remember changed nothing, yet memory changed"
        return
    assert kept_after > kept_before, "remember shortened the memory"
    # The time scales are drawn from 1 to 499: the mean share kept over 50 steps is about e^(-50/τ), τ uniform.
    expected = sum(math.exp(-50 / (1 + scale)) for scale in range(1, 500)) / 499
    assert abs(kept_after - expected) < 0.15, f"{kept_after:.2f} is kept over 50 steps, not {expected:.2f}"


@torch.no_grad()
def _kept(cell: Cell) -> float:
    """How much of the memory, the last field of the state, is left after 50 steps that say nothing."""
    quiet = copy.deepcopy(cell)
    for name, parameter in quiet.named_parameters():
        if "weight" in name:
            parameter.zero_()
    ones = map_state(torch.ones_like, quiet.initial(1))
    x = torch.zeros(1, 50, I, dtype=torch.float64)
    zeros = map_state(torch.zeros_like, ones)
    moved = [scan(quiet, x, state, Plan(), "reference").state for state in (ones, zeros)]
    return float((state_tensors(moved[0])[-1] - state_tensors(moved[1])[-1]).mean())


LAWS = (
    law_output_is_first,
    law_streaming_is_batch,
    law_split_is_whole,
    law_step_keeps_nothing,
    law_padding_is_inert,
    law_masked_out_keeps_the_state,
    law_reverse_of_padded,
    law_causal,
    law_rows_are_apart,
    law_gradients,
    law_gradient_at_rest,
    law_finite,
    law_round_trip,
    law_seed,
    law_zoneout,
    law_truncate,
    law_recorded_gates,
    law_gates_move,
    law_empty_batch,
    law_any_number_type,
    law_remember,
)
