"""The loop over time: engines agree in values and gradients, say what they cannot do, and are recorded."""

from itertools import product
from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from laws_cells import B, H, I, T, problem, same, same_state
from laws_native import HAS_LIBRARY, KERNELS, LINEAR, NATIVE, fastest, second_fastest, values_and_gradients
from recurra.cells import CELLS, GRUCell, Hidden, Linear, LinearCell, LSTMCell, MinGRUCell, state_tensors
from recurra.errors import ConfigError
from recurra.nn.scan import ENGINES, EVERY_STEP, Plan, SelfFed, choose_engine, scan


@pytest.mark.parametrize("truncate", [0, 4])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("name", KERNELS)
def test_torch_equals_reference(name: str, bias: bool, reverse: bool, truncate: int) -> None:
    given = problem(lambda i, h: CELLS[name](i, h, bias=bias))  # type: ignore[call-arg]
    plan = Plan(reverse=reverse, truncate=truncate)
    ours, theirs = (
        values_and_gradients(given.cell, given.x, given.state, plan, engine) for engine in ("torch", "reference")
    )
    assert len(ours) == len(theirs) > 4
    for number, (one, other) in enumerate(zip(ours, theirs, strict=True)):
        same(one, other, f"tensor {number}", within=1e-10)


@pytest.mark.parametrize("name", KERNELS)
def test_torch_takes_an_empty_batch(name: str) -> None:
    cell = CELLS[name](I, H)
    done = scan(cell, torch.zeros(0, T, I), cell.initial(0), engine="torch")
    assert done.engine == "torch"
    assert done.outputs.shape == (0, T, H) and state_tensors(done.state)[0].shape == (0, H)


class Case(NamedTuple):
    plan: Plan
    reason: str


CASES = [
    Case(Plan(mask=torch.ones(B, T, dtype=torch.bool)), "torch's kernels take no mask"),
    Case(Plan(keep=torch.zeros(B, T, H, dtype=torch.float64)), "torch's kernels have no zoneout"),
    Case(Plan(record=True), "torch's kernels do not return their gates"),
]


@pytest.mark.parametrize("case", CASES, ids=["mask", "keep", "record"])
def test_torch_refuses_what_it_cannot_do(case: Case) -> None:
    given = problem(LSTMCell)
    with pytest.raises(ConfigError) as refusal:
        scan(given.cell, given.x, given.state, case.plan, "torch")
    expected = f"The engine 'torch' cannot run this: {case.reason}. Use 'auto' or 'reference'."
    assert str(refusal.value) == expected
    left = "native" if HAS_LIBRARY and not case.plan.record else "reference"
    assert choose_engine(given.cell, case.plan) == left
    done = scan(given.cell, given.x, given.state, case.plan)
    assert done.engine == left


@pytest.mark.parametrize("name", sorted(set(CELLS) - set(KERNELS)))
def test_torch_refuses_cells_it_does_not_have(name: str) -> None:
    given = problem(CELLS[name])
    with pytest.raises(ConfigError, match=f"torch has no kernel for {type(given.cell).__name__}"):
        scan(given.cell, given.x, given.state, engine="torch")
    assert scan(given.cell, given.x, given.state).engine == fastest(name)


@pytest.mark.parametrize("steps", [1, 2, 3, 9, 23])
@pytest.mark.parametrize("name", LINEAR)
def test_joined_steps_equal_the_reference(name: str, steps: int) -> None:
    given = problem(CELLS[name], max(steps, 2))
    x, mask = given.x[:, :steps], given.mask[:, :steps]
    keep = torch.rand(B, steps, H, dtype=torch.float64)
    nothing = torch.zeros_like(mask)
    for number, (masked, kept) in enumerate(product((None, mask, nothing), (None, keep))):
        plan = Plan(masked, bool(number % 2), kept, truncate=(0, 4)[number % 3 == 2])
        ours, theirs = (
            values_and_gradients(given.cell, x, given.state, plan, engine) for engine in ("associative", "reference")
        )
        for place, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            same(one, other, f"{number}, tensor {place}", within=1e-10)


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # torch's own use of it
@pytest.mark.parametrize("name", LINEAR)
def test_joined_steps_are_differentiable_in_every_way(name: str) -> None:
    """Twice, forwards, and under vmap: plain operators, which the native engine is not."""
    cell, x = CELLS[name](2, 3).double(), torch.randn(2, 5, 2, dtype=torch.float64)

    def outputs(x: Tensor) -> Tensor:
        done = scan(cell, x)
        assert done.engine == "associative"
        return done.outputs

    with torch.no_grad():
        _, slope = torch.func.jvp(outputs, (x,), (torch.ones_like(x),))
        each = torch.func.vmap(lambda one: outputs(one.unsqueeze(0))[0])(x)
    same(each, scan(cell, x, engine="reference").outputs.detach(), "vmap")
    (expected,) = torch.func.jvp(lambda x: scan(cell, x, engine="reference").outputs, (x,), (torch.ones_like(x),))[1:]
    same(slope.detach(), expected.detach(), "jvp")
    leaf = x.clone().requires_grad_()
    assert torch.autograd.gradgradcheck(lambda x: scan(cell, x, engine="associative").outputs, leaf)


@pytest.mark.parametrize("name", LINEAR)
def test_joined_steps_read_nothing_that_is_masked(name: str) -> None:
    given = problem(CELLS[name])
    empty = given.x.masked_fill(~given.mask.unsqueeze(-1), float("nan"))
    ours, theirs = (
        values_and_gradients(given.cell, x, given.state, Plan(given.mask), "associative") for x in (empty, given.x)
    )
    assert all(torch.equal(one, other) for one, other in zip(ours, theirs, strict=True))


def test_what_steps_cannot_be_joined() -> None:
    class Doubled(MinGRUCell):
        def step(self, projected: Tensor, state: Hidden) -> Hidden:
            return Hidden(2 * super().step(projected, state).h)

    lstm, doubled, min_gru = problem(LSTMCell), problem(Doubled), problem(MinGRUCell)
    for given, plan, reason in (
        (lstm, EVERY_STEP, "LSTMCell is not linear in its state, so its steps cannot be joined"),
        (doubled, EVERY_STEP, "Doubled is not linear in its state"),
        (min_gru, Plan(record=True), "the associative engine does not return its gates"),
    ):
        with pytest.raises(ConfigError, match=f"The engine 'associative' cannot run this: {reason}"):
            scan(given.cell, given.x, given.state, plan, "associative")
    done = scan(doubled.cell, doubled.x, doubled.state)
    assert done.engine == "reference"
    fed = SelfFed(min_gru.cell, torch.randn(2 * H, H, dtype=torch.float64), None)
    assert "SelfFed is not linear" in ENGINES["associative"].refuses(fed, EVERY_STEP)


def test_a_linear_cell_of_ones_own_is_joined() -> None:
    class Leaky(LinearCell):
        """h' = k ⊙ h + (1 − k) ⊙ W x, with k = σ(V x)."""

        blocks = 2

        def gates(self, projected: Tensor, state: Hidden) -> dict[str, Tensor]:
            k, n = projected.chunk(2, -1)
            return {"forget": k.sigmoid(), "candidate": n}

        def linear(self, projected: Tensor) -> Linear:
            k, n = projected.chunk(2, -1)
            return Linear(k.sigmoid(), (1 - k.sigmoid()) * n)

    given = problem(Leaky)
    done = scan(given.cell, given.x, given.state)
    assert done.engine == "associative"
    same(done.outputs, scan(given.cell, given.x, given.state, engine="reference").outputs, "one's own")


def test_unknown_engine() -> None:
    given = problem(GRUCell)
    with pytest.raises(ConfigError, match=r"Unknown engine 'refrence'. Did you mean 'reference'\?"):
        scan(given.cell, given.x, given.state, engine="refrence")


@pytest.mark.parametrize("name", CELLS)
def test_auto_takes_the_fastest_that_applies(name: str) -> None:
    given = problem(CELLS[name])
    expected = fastest(name)
    assert choose_engine(given.cell, EVERY_STEP) == expected
    done = scan(given.cell, given.x, given.state)
    assert done.engine == expected
    plain = scan(given.cell, given.x, given.state, engine="reference")
    same(done.outputs, plain.outputs, "auto")
    same_state(done.state, plain.state, "auto")


def test_auto_without_the_native_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recurra.native.library._ABSENT", "The native engine was not built: build it.")
    for name in CELLS:
        given = problem(CELLS[name])
        assert choose_engine(given.cell, EVERY_STEP) == second_fastest(name)
        assert choose_engine(given.cell, Plan(given.mask)) == ("associative" if name in LINEAR else "reference")
        if name not in NATIVE:
            continue
        with pytest.raises(ConfigError) as refusal:
            scan(given.cell, given.x, given.state, engine="native")
        expected = "The engine 'native' cannot run this: the native engine was not built: build it."
        assert str(refusal.value) == f"{expected} Use 'auto' or 'reference'."


def test_auto_keeps_to_types_and_devices_that_native_has() -> None:
    assert choose_engine(LSTMCell(I, H).to(torch.bfloat16), EVERY_STEP) == "torch"
    assert choose_engine(LSTMCell(I, H).to("meta"), EVERY_STEP) == "torch"
    with torch.autocast("cpu"):
        assert choose_engine(LSTMCell(I, H), EVERY_STEP) == "torch"


def test_a_changed_equation_does_not_run_as_its_parent() -> None:
    class Halved(GRUCell):
        def step(self, projected: Tensor, state: Hidden) -> Hidden:
            return Hidden(super().step(projected, state).h / 2)

    given = problem(Halved)
    done = scan(given.cell, given.x, given.state)
    assert done.engine == "reference"
    same(done.outputs[:, 0], given.cell.step(given.cell.project(given.x[:, 0]), given.state).h, "its own step")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("truncate", [0, 2])
def test_no_step_is_refused(engine: str, truncate: int) -> None:
    given = problem(GRUCell)
    with pytest.raises(ConfigError, match="no step to run over"):
        scan(given.cell, given.x[:, :0], given.state, Plan(truncate=truncate), engine)


@pytest.mark.parametrize("truncate", [1, 5, 6, 100])
def test_truncation_changes_no_value(truncate: int) -> None:
    given = problem(LSTMCell)
    keep = torch.rand(B, T, H, dtype=torch.float64)
    for reverse in (False, True):
        plan = Plan(given.mask, reverse, keep, record=True)
        whole = scan(given.cell, given.x, given.state, plan)
        cut = scan(given.cell, given.x, given.state, plan._replace(truncate=truncate))
        same(cut.outputs, whole.outputs, f"cut every {truncate}")
        same_state(cut.state, whole.state, f"cut every {truncate}")
        assert whole.gates and cut.gates and list(whole.gates) == list(cut.gates)
        for name, gate in whole.gates.items():
            same(cut.gates[name], gate, f"gate {name} cut every {truncate}")


class Heads(NamedTuple):
    """A state with a part of three dimensions, as multi-head attention has."""

    h: Tensor  # (B, 1)
    seen: Tensor  # (B, 2, 3)
    nothing: Tensor | None


class SumsUp:
    """Not a module, and no cell: anything with a projection and a step can be scanned."""

    def project(self, x: Tensor) -> Tensor:
        return x

    def gates(self, projected: Tensor, state: Heads) -> dict[str, Tensor]:
        return {"seen": projected}

    def step(self, projected: Tensor, state: Heads) -> Heads:
        return Heads(state.h + projected, state.seen + projected.unsqueeze(-1), None)


def test_a_mask_holds_for_state_of_any_dimensions() -> None:
    x = torch.arange(1.0, 7.0).view(2, 3, 1)
    mask = torch.tensor([[True, False, True], [True, True, False]])
    done = scan(SumsUp(), x, Heads(torch.zeros(2, 1), torch.zeros(2, 2, 3), None), Plan(mask))
    assert done.engine == "reference"
    assert done.outputs[..., 0].tolist() == [[1, 0, 4], [4, 9, 0]]
    assert done.state.h.flatten().tolist() == [4, 9]
    assert done.state.seen.flatten(1).tolist() == [[4] * 6, [9] * 6]
    assert done.state.nothing is None


def test_numbers_by_hand() -> None:
    """h' = tanh(w x + u h + b) in one unit, forwards and backwards, with a hole."""
    cell = CELLS["rnn"](1, 1).double()  # type: ignore[call-arg]
    with torch.no_grad():
        for parameter, value in zip(cell.parameters(), (0.5, -1.0, 0.25, 0.25), strict=True):
            parameter.fill_(value)
    x = torch.tensor([[[1.0], [9.0], [-2.0]]], dtype=torch.float64)
    mask = torch.tensor([[True, False, True]])
    first = torch.tensor(1.0).tanh()  # 0.5 + 0.5
    forwards = scan(cell, x, cell.initial(1), Plan(mask))
    same(forwards.outputs.flatten(), torch.tensor([first, 0, torch.tanh(-0.5 - first)]).double(), "forwards", 1e-7)
    last = torch.tensor(-0.5).tanh()  # -1 + 0.5
    backwards = scan(cell, x, cell.initial(1), Plan(mask, reverse=True))
    same(backwards.outputs.flatten(), torch.tensor([torch.tanh(1 - last), 0, last]).double(), "backwards", 1e-7)
    assert torch.equal(backwards.state.h, backwards.outputs[:, 0])
