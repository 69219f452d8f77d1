"""Streaming by the native engine: it equals the scan, takes no memory on the way, and says what it cannot do."""

import copy
import gc
import pickle

import pytest
import torch
from torch.nn.utils import parametrizations, prune

import recurra
from laws_native import agree, needs_library
from recurra.cells import CELLS, Cell, GRUCell, Hidden, HiddenAndMemory, LSTMCell, ParallelCell, State, map_state
from recurra.errors import ConfigError
from recurra.native import library
from recurra.nn.scan import scan
from recurra.nn.stepper import Stepper

pytestmark = needs_library

B, T, I, H = 3, 8, 4, 9  # noqa: E741
NAMES = sorted(name for name, kind in CELLS.items() if vars(kind).get("native") and not kind.projects)


def begin(cell: Cell, batch: int) -> State:
    return map_state(torch.randn_like, cell.initial(batch))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("name", NAMES)
def test_steps_equal_a_scan(name: str, bias: bool, dtype: torch.dtype) -> None:
    for batch, hidden in ((1, 1), (1, 64), (B, H)):
        cell = CELLS[name](I, hidden, bias).to(dtype)  # type: ignore[call-arg]
        x, start = torch.randn(batch, T, I, dtype=dtype), begin(cell, batch)
        with torch.no_grad():
            whole = scan(cell, x, start, engine="reference")
        stepper = Stepper(cell, batch, start)
        outputs = torch.stack([stepper.step(x[:, t].contiguous()).clone() for t in range(T)], 1)
        within = 1e-10 if dtype is torch.float64 else 1e-5
        agree([outputs, *stepper.state], [whole.outputs, *whole.state], within, name)
        assert type(stepper.state) is type(start)


def test_it_starts_from_zero_and_goes_back() -> None:
    cell = LSTMCell(I, H)
    stepper, x = recurra.Stepper(cell), torch.randn(1, I)
    assert isinstance(stepper.state, HiddenAndMemory) and not stepper.state.h.any() and not stepper.state.c.any()
    first = stepper.step(x).clone()
    assert not torch.equal(stepper.step(x), first)
    stepper.reset()
    assert not stepper.state.c.any()
    assert torch.equal(stepper.step(x), first)
    start = HiddenAndMemory(torch.randn(1, H), torch.randn(1, H))
    other = Stepper(cell, state=start)
    other.step(x)
    other.reset()
    assert torch.equal(other.state.h, start.h) and other.state.h.data_ptr() != start.h.data_ptr()


def test_no_memory_is_taken_on_the_way() -> None:
    stepper, x = Stepper(GRUCell(I, H)), torch.randn(1, I)
    first = stepper.step(x)
    kept = first.clone()
    second = stepper.step(x)
    assert second is first is stepper.state.h and not torch.equal(first, kept)


def test_an_input_that_is_not_contiguous() -> None:
    cell, x = GRUCell(I, H), torch.randn(B, T, I)
    stepper, other = Stepper(cell, B), Stepper(cell, B)
    for t in range(T):
        assert not x[:, t].is_contiguous()
        assert torch.equal(stepper.step(x[:, t]), other.step(x[:, t].contiguous()))


def test_it_has_its_own_weights_and_takes_no_gradient() -> None:
    cell, x = LSTMCell(I, H), torch.randn(1, I, requires_grad=True)
    stepper = Stepper(cell)
    before = stepper.step(x).clone()
    with torch.no_grad():
        cell.weight_ih.zero_()
    stepper.reset()
    assert torch.equal(stepper.step(x), before) and not before.requires_grad
    assert not torch.equal(Stepper(cell).step(x), before)


def test_weights_that_are_not_contiguous() -> None:
    cell = LSTMCell(I, H)
    turned = copy.deepcopy(cell)
    turned.weight_hh = torch.nn.Parameter(cell.weight_hh.detach().t().contiguous().t())
    x = torch.randn(1, I)
    for stepper in (Stepper(cell), Stepper(turned)):
        stepper.step(x)
        assert torch.equal(stepper.step(x), scan(cell, x.expand(1, 2, I), cell.initial(1)).outputs[:, 1].detach())


def test_made_in_inference_mode_and_used_outside() -> None:
    cell, x = GRUCell(I, H), torch.randn(1, I)
    with torch.inference_mode():
        stepper = Stepper(cell)
        inside = stepper.step(x).clone()
    stepper.reset()
    assert torch.equal(stepper.step(x), inside)


def test_its_memory_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    freed = []

    class Watched:
        def __getattr__(self, name: str) -> object:
            return freed.append if name == "recurra_stepper_free" else getattr(engine, name)

    engine = library.load()
    monkeypatch.setattr(library, "_LIBRARY", Watched())
    stepper = Stepper(GRUCell(I, H))
    made = stepper._made
    del stepper
    gc.collect()
    assert [pointer.value for pointer in freed] == [made.value]
    engine.recurra_stepper_free(made)


def test_it_cannot_be_copied() -> None:
    stepper = Stepper(GRUCell(I, H))
    for attempt in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(ConfigError, match="cannot be copied or pickled: make a new one"):
            attempt(stepper)


def test_refusals_say_why() -> None:
    own = type("OwnCell", (LSTMCell,), {})(I, H)
    for cell, name in ((own, "OwnCell"), (ParallelCell(I, H), "ParallelCell")):
        with pytest.raises(ConfigError, match=f"no kernel for {name}. It takes one of: RNNCell, .*, LSTMCell, "):
            Stepper(cell)
    with pytest.raises(ConfigError, match="computes in float32 or float64, and the weights are bfloat16"):
        Stepper(LSTMCell(I, H).bfloat16())
    with pytest.raises(ConfigError, match="batch_size is 0, but it must be at least 1"):
        Stepper(LSTMCell(I, H), 0)
    with pytest.raises(ConfigError, match=r"The state must be HiddenAndMemory\(h, c\)"):
        Stepper(LSTMCell(I, H), state=Hidden(torch.zeros(1, H)))
    with pytest.raises(ConfigError, match=r"The state h must have shape \(1, 9\) and type torch.float32"):
        Stepper(GRUCell(I, H), state=Hidden(torch.zeros(2, H)))


def test_an_input_that_does_not_fit_is_never_read() -> None:
    stepper = Stepper(GRUCell(I, H), 2)
    for x in (torch.zeros(2, I + 1), torch.zeros(I), torch.zeros(2, I).double(), torch.zeros(2, I, device="meta")):
        with pytest.raises(ConfigError, match=r"takes an x of shape \(2, 4\) and type torch.float32 on 'cpu', but it"):
            stepper.step(x)


def test_autograd_notices_that_an_output_was_overwritten() -> None:
    stepper, head = Stepper(LSTMCell(3, 5)), torch.nn.Linear(5, 1)
    total = sum(head(stepper.step(torch.randn(1, 3))).sum() for _ in range(2))
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        total.backward()  # type: ignore[union-attr]


def test_a_cell_with_hooks() -> None:
    for change in (
        lambda cell: prune.l1_unstructured(cell, "weight_hh", 0.5),
        lambda cell: parametrizations.weight_norm(cell, "weight_hh"),
    ):
        cell, x = LSTMCell(I, H), torch.randn(1, T, I)
        change(cell)
        with torch.no_grad():
            for parameter in cell.parameters():
                parameter.add_(0.1)
        stepper = Stepper(cell)
        outputs = torch.stack([stepper.step(x[:, t].contiguous()).clone() for t in range(T)], 1)
        agree([outputs], [scan(cell, x, engine="reference").outputs.detach()], 1e-5)
