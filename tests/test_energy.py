"""The additive score: the compiled library beside torch's own operators, which are the equation."""

from collections.abc import Iterator
from itertools import product

import pytest
import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from recurra.attention import AdditiveAttention
from recurra.attention.energy import additive_energy, plain_energy
from recurra.native import library

pytestmark = pytest.mark.skipif(bool(library.absent()), reason="there is no native engine here")

WITHIN = {torch.float64: 1e-12, torch.float32: 2e-5}
# Batch, queries, steps, width: whole vectors and not, one of each, more queries than steps.
SIZES = ((3, 1, 7, 32), (2, 5, 4, 13), (1, 1, 1, 1), (4, 9, 3, 70))
Given = tuple[Tensor, Tensor, Tensor]


def drawn(sizes: tuple[int, ...], dtype: torch.dtype = torch.float64) -> Given:
    batch, queries, steps, width = sizes
    shapes = (batch, queries, width), (batch, steps, width), (width,)
    query, keys, vector = (torch.randn(shape, dtype=dtype, requires_grad=True) for shape in shapes)
    return query, keys, vector


def answers(score, given: Given, of_energies: Tensor) -> list[Tensor]:
    energies = score(*given)
    return [energies, *torch.autograd.grad(energies, given, of_energies)]


def agree(given: Given, within: float) -> None:
    of_energies = torch.randn(given[0].shape[0], given[0].shape[1], given[1].shape[1], dtype=given[0].dtype)
    exact: Given = tuple(one.detach().double().requires_grad_() for one in given)  # type: ignore[assignment]
    truth = answers(plain_energy, exact, of_energies.double())
    for ours, right in zip(answers(additive_energy, given, of_energies), truth, strict=True):
        assert ours.dtype is given[0].dtype and (ours - right).abs().max() <= within * max(1.0, right.abs().max())


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the functions of the library that were called."""
    made: list[str] = []
    loaded = library.load()

    class Watched:
        def __getattr__(self, name: str):
            made.append(name)
            return getattr(loaded, name)

    monkeypatch.setattr("recurra.attention.energy.load", Watched)
    return made


def test_every_instruction_set_agrees_with_the_equation(each_instruction_set: list[bytes], calls: list[str]) -> None:
    for instructions, sizes, (dtype, within) in product(each_instruction_set, SIZES, WITHIN.items()):
        assert library.load().recurra_use_instruction_set(instructions) == 0
        agree(drawn(sizes, dtype), within)
    assert {*calls} == {"recurra_energy_forward", "recurra_energy_backward"}


@pytest.fixture
def three_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = torch.get_num_threads()
    monkeypatch.setattr("recurra.native.threads.ENERGY_WORK", 1)
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("three_threads")
def test_threads_change_no_bit() -> None:
    for sizes in (*SIZES, (5, 2, 30, 50)):
        given = drawn(sizes)
        ones = torch.ones(sizes[:3], dtype=torch.float64)
        shared = answers(additive_energy, given, ones)
        torch.set_num_threads(1)
        alone = answers(additive_energy, given, ones)
        torch.set_num_threads(3)
        assert all(torch.equal(one, other) for one, other in zip(shared, alone, strict=True))


def test_arrays_that_lie_in_another_order() -> None:
    query, keys, vector = drawn((3, 4, 4, 6))
    agree((query.mT.detach().contiguous().mT.requires_grad_(), keys, vector), 1e-12)
    turned = keys.detach().transpose(0, 1).contiguous().transpose(0, 1).requires_grad_()
    agree((query, turned, torch.randn(12, dtype=torch.float64)[::2].requires_grad_()), 1e-12)


def test_what_follows_keeps_nothing_of_every_query_with_every_key(calls: list[str]) -> None:
    given, kept = drawn((2, 8, 9, 16)), []
    with saved_tensors_hooks(lambda one: kept.append(one.numel()) or one, lambda one: one):
        additive_energy(*given)
    assert sum(kept) == sum(one.numel() for one in given)
    with torch.no_grad():
        additive_energy(*given)
    assert calls == ["recurra_energy_forward"] * 2


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # torch's own use of it
def test_gradients_of_gradients_and_many_at_once() -> None:
    given = drawn((2, 3, 4, 5))
    assert torch.autograd.gradcheck(additive_energy, given, check_batched_grad=True, check_forward_ad=True)
    assert torch.autograd.gradgradcheck(additive_energy, given)


def test_many_gradients_at_once_are_no_further_graph() -> None:
    given = drawn((2, 3, 4, 5))
    energies = additive_energy(*given)
    many = torch.randn(6, *energies.shape, dtype=energies.dtype)
    found = torch.autograd.grad(energies, given, many, is_grads_batched=True)
    assert not any(one.requires_grad for one in found)


def test_a_vector_made_of_the_keys() -> None:
    """Each way of a gradient is counted once, in the gradients of gradients too."""
    query, keys, _ = drawn((2, 3, 4, 5))

    def score(query: Tensor, keys: Tensor) -> Tensor:
        return additive_energy(query, keys, keys.sum((0, 1)))

    assert torch.autograd.gradcheck(score, (query, keys)) and torch.autograd.gradgradcheck(score, (query, keys))


def test_only_what_is_wanted() -> None:
    query, keys, vector = drawn((2, 3, 4, 5))
    additive_energy(query.detach(), keys, vector.detach()).sum().backward()
    assert keys.grad is not None and query.grad is None and vector.grad is None
    found = torch.autograd.grad(additive_energy(query.detach(), keys, vector).sum(), keys, create_graph=True)
    assert found[0].requires_grad


@pytest.mark.parametrize(
    "change",
    [
        lambda one: one.half(),
        lambda one: one.to("meta"),
        lambda one: one[..., :0],
    ],
)
def test_what_the_library_does_not_take_goes_another_way(change, calls: list[str]) -> None:
    with torch.no_grad():
        given = [change(one) for one in drawn((2, 3, 4, 5))]
        ours, plain = additive_energy(*given), plain_energy(*given)
    assert (ours.shape, ours.dtype, ours.device) == (plain.shape, plain.dtype, plain.device) and not calls


def test_widths_that_differ_are_refused_as_torch_refuses_them(calls: list[str]) -> None:
    query, keys, vector = drawn((2, 3, 4, 5))
    with pytest.raises(RuntimeError, match="size"):
        additive_energy(query, keys[..., :3], vector)
    assert additive_energy(query[:1], keys, vector).shape == (2, 3, 4) and not calls


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # torch's own use of it
def test_transforms_and_compilers_see_operators(calls: list[str]) -> None:
    attention = AdditiveAttention(6, 5).double().requires_grad_(False)
    states = torch.randn(3, 4, 5, dtype=torch.float64)
    query = torch.randn(3, 2, 6, dtype=torch.float64)

    def weights(query: Tensor, states: Tensor) -> Tensor:
        return attention(query, attention.project(states)).weights

    expected = weights(query, states)
    assert calls
    calls.clear()
    one_by_one = torch.vmap(lambda query, states: weights(query[None], states[None])[0])(query, states)
    compiled = torch.compile(weights, backend="aot_eager", fullgraph=True)(query, states)
    traced = torch.jit.trace(weights, (query, states), check_trace=False)(query, states)
    for other in (one_by_one, compiled, traced):
        torch.testing.assert_close(other, expected)
    with torch.autocast("cpu", torch.bfloat16):
        additive_energy(*drawn((2, 3, 4, 5)))
    assert not calls
