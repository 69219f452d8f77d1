"""Products whose factors are rounded to bfloat16: right where nothing needs rounding, near where something does."""

import copy
import itertools
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from laws_native import NATIVE, agree, needs_library, values_and_gradients
from recurra.attention import ATTENTIONS
from recurra.cells import CELLS, Cell, map_state, state_tensors
from recurra.native import library
from recurra.nn.attending import AttendingCell, write_all
from recurra.nn.attending_stepper import AttendingStepper
from recurra.nn.scan import EVERY_STEP, Plan, scan
from recurra.nn.stepper import Stepper
from recurra.training.precision import multiplying_in

pytestmark = needs_library
ROUNDS = not library.absent() and bool(library.load().recurra_rounds())
needs_rounding = pytest.mark.skipif(not ROUNDS, reason="this machine does not multiply bfloat16")

NEAR = 0.03  # of a gradient, where a factor has an error of up to 1/256
# One row and many, fewer than a tile and more; as deep as a tile, a little deeper, and deeper than is rounded at once.
SIZES = [(1, 40, 33), (3, 33, 70), (16, 32, 32), (17, 100, 64), (70, 600, 48), (2, 1, 180)]


@pytest.fixture(params=[1, 3])
def threads(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = torch.get_num_threads()
    monkeypatch.setattr("recurra.native.threads.SCAN_WORK", 1)
    torch.set_num_threads(request.param)
    yield
    torch.set_num_threads(before)


def whole(*shape: int) -> Tensor:
    """Numbers that bfloat16 has, sums of products of which a float has."""
    return torch.randint(-4, 5, shape).float() / 8


def exact(name: str, inputs: int, hidden: int) -> Cell:
    cell = CELLS[name](inputs, hidden)
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.copy_(whole(*parameter.shape))
    return cell


@torch.no_grad()
@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("name", [name for name in NATIVE if name != "reservoir"])  # whose weights are no parameters
def test_where_no_factor_needs_rounding_a_step_is_the_same(name: str) -> None:
    for batch, inputs, hidden in SIZES:
        cell = exact(name, inputs, hidden)
        x, state = whole(batch, 1, inputs), map_state(lambda part: whole(*part.shape), cell.initial(batch))
        plain = scan(cell, x, state, EVERY_STEP, "native")
        with multiplying_in("bfloat16"):
            rounded = scan(cell, x, state, EVERY_STEP, "native")
        agree(
            [rounded.outputs, *state_tensors(rounded.state)],
            [plain.outputs, *state_tensors(plain.state)],
            1e-6,
            f"{name} {batch} {inputs} {hidden}",
        )


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("name", NATIVE)
def test_a_scan_and_its_gradients_are_near(name: str) -> None:
    apart = 0.0
    for (batch, inputs, hidden), masked in itertools.product(SIZES, (False, True)):
        cell = CELLS[name](inputs, hidden)
        x, state = torch.randn(batch, 5, inputs), cell.initial(batch)
        mask = torch.arange(5) < 5 - torch.arange(batch).unsqueeze(1) % 5 if masked else None
        truth = values_and_gradients(cell, x, state, Plan(mask), "native")
        with multiplying_in("bfloat16"):
            ours = values_and_gradients(cell, x, state, Plan(mask), "native")
        agree(ours, truth, NEAR, f"{name} {batch} {inputs} {hidden}")
        apart = max(apart, float((ours[0] - truth[0]).norm() / truth[0].norm()))
    assert not ROUNDS or name == "reservoir" or apart > 1e-5, "nothing was rounded"


def problem(attention: str, name: str, batch: int, hidden: int) -> tuple[AttendingCell, Tensor, Tensor]:
    owner = AttendingCell(CELLS[name](40, hidden), ATTENTIONS[attention](hidden, 2 * hidden))  # type: ignore[call-arg]
    return owner, torch.randn(batch, 5, 40, requires_grad=True), torch.randn(batch, 7, 2 * hidden, requires_grad=True)


def written(owner: AttendingCell, x: Tensor, states: Tensor) -> list[Tensor]:
    assert owner.attention is not None
    bound = owner.bind(owner.attention.project(states, None))
    done = write_all(bound, x, bound.initial(owner.cell.initial(len(x))), "native")
    leaves = [x, states, *owner.feed.parameters(), *owner.combine.parameters(), *owner.attention.parameters()]
    grads = torch.autograd.grad(done.outputs.square().sum(), leaves)
    return [tensor.detach() for tensor in (done.outputs, done.weights, *grads) if tensor is not None]


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("attention", ["additive", "general"])
def test_an_attending_cell_is_near(attention: str) -> None:
    for name, batch, hidden in itertools.product(("lstm", "gru", "lstm_gru"), (1, 4, 5, 16, 37), (32, 50)):
        given = problem(attention, name, batch, hidden)
        truth = written(*given)
        with multiplying_in("bfloat16"):
            ours = written(*given)
        agree(ours, truth, NEAR, f"{attention} {name} {batch} {hidden}")
        assert not ROUNDS or float((ours[0] - truth[0]).norm()) > 1e-5 * float(truth[0].norm())


def said(stepper: AttendingStepper, owner: AttendingCell, x: Tensor) -> list[Tensor]:
    return [part.clone() for step in x.detach().unbind(1) for part in stepper.step(owner.cell.project(step))]


@torch.no_grad()
def test_a_stepper_goes_on_as_it_was_made() -> None:
    owner, x, states = problem("additive", "gru", 6, 40)
    assert owner.attention is not None
    memory, first = owner.attention.project(states.detach(), None), owner.cell.initial(6)
    with multiplying_in("bfloat16"):
        stepper = AttendingStepper(owner)
    bound = owner.bind(memory)
    for precision in ("float32", "bfloat16"):
        with multiplying_in(precision):
            stepper.begin(memory, first)
            found = said(stepper, owner, x)[::2]
        with multiplying_in("bfloat16"):
            truth = write_all(bound, x, bound.initial(first), "native").outputs
        # What the inputs contribute is a product of torch's, which rounds as it is told at the time.
        agree([torch.stack(found, 1)], [truth], 1e-6 if precision == "bfloat16" else NEAR)


@torch.no_grad()
def test_a_cell_can_be_stepped() -> None:
    cell, x = exact("lstm", 40, 48), whole(3, 40)
    with multiplying_in("bfloat16"):
        stepper = Stepper(cell, 3)
    truth = scan(cell, x.unsqueeze(1), cell.initial(3), EVERY_STEP, "native").outputs[:, 0]
    agree([stepper.step(x)], [truth], 1e-6)


def test_torch_is_told_and_told_back() -> None:
    before = torch.get_float32_matmul_precision()
    with multiplying_in("float32"):
        assert torch.get_float32_matmul_precision() == before
    with pytest.raises(ZeroDivisionError), multiplying_in("bfloat16"):
        assert torch.get_float32_matmul_precision() == "medium"
        _ = 1 / 0
    assert torch.get_float32_matmul_precision() == before


@needs_rounding
def test_numbers_of_64_bits_are_not_rounded() -> None:
    cell = CELLS["gru"](40, 64).double()
    x = torch.randn(4, 6, 40, dtype=torch.float64)
    truth = values_and_gradients(copy.deepcopy(cell), x, cell.initial(4), EVERY_STEP, "native")
    with multiplying_in("bfloat16"):
        ours = values_and_gradients(cell, x, cell.initial(4), EVERY_STEP, "native")
    agree(ours, truth, 1e-14)
