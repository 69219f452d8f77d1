"""A cell that looks at a memory: one step after the other, all steps at once, by the reference and by the library.

Shapes: B batch, T steps of the memory, Q steps written, I inputs, H hidden units, K width of the memory.
"""

from typing import Any

import pytest
import torch
from torch import Tensor

from laws_cells import same
from laws_native import agree
from recurra.attention import ATTENTIONS, Memory
from recurra.cells import CELLS, State, map_state, state_tensors
from recurra.errors import ConfigError
from recurra.nn.attending import AttendingCell, BoundCell, Written, take_rows, write_all

B, T, Q, I, H, K = 3, 6, 4, 2, 5, 5  # noqa: E741
MASK = torch.arange(T) < torch.tensor([6, 2, 4]).unsqueeze(1)
OPTIONS: dict[str, Any] = {"multi_head": {"heads": 5}, "location_aware": {"kernel_size": 3}, "local_m": {"window": 1}}


def normal(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64)


def make(name: str | None, cell: str = "gru", feeding: bool = True) -> AttendingCell:
    attention = name and ATTENTIONS[name](H, K, **OPTIONS.get(name, {}))  # type: ignore[call-arg]
    made = AttendingCell(CELLS[cell](I, H), attention or None, feeding=feeding).double()  # type: ignore[call-arg]
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return made


def begin(owner: AttendingCell, batch: int = B) -> State:
    return map_state(lambda zeros: 0.5 * torch.randn_like(zeros), owner.cell.initial(batch))


def bind(owner: AttendingCell, states: Tensor, mask: Tensor | None = MASK) -> BoundCell:
    return owner.bind(None if owner.attention is None else owner.attention.project(states, mask))


def by_steps(bound: BoundCell, x: Tensor, first: State) -> Written:
    """What a person would write who knows nothing but ``step``."""
    state, outputs, weights = bound.initial(first), [], []
    for t in range(x.shape[1]):
        state = bound.step(bound.project(x[:, t]), state)
        outputs.append(state.output)
        weights.append(state.weights)
    return Written(torch.stack(outputs, 1), torch.stack(weights, -2), state, "by hand")


def ends(done: Written) -> list[Tensor]:
    """All that comes out."""
    weights = [] if done.weights is None else [done.weights]
    last = [done.state.output, *state_tensors(done.state.cell)]
    return [done.outputs, *weights, *last, *[part for part in [done.state.history] if part is not None]]


def with_gradients(done: Written, leaves: list[Tensor]) -> list[Tensor]:
    total = sum(((n + 1) * end).square().sum() for n, end in enumerate(ends(done)) if end.is_floating_point())
    grads = torch.autograd.grad(total, leaves, allow_unused=True, materialize_grads=True)  # type: ignore[arg-type]
    return [part.detach() for part in (*ends(done), *grads)]


@pytest.mark.parametrize("feeding", [True, False])
@pytest.mark.parametrize("cell", ["gru", "lstm", "lstm_gru", "parallel", "mingru"])
@pytest.mark.parametrize("name", ATTENTIONS)
def test_step_by_step_equals_all_at_once(name: str, cell: str, feeding: bool) -> None:
    """In values, weights, states and gradients; in two pieces, too."""
    owner = make(name, cell, feeding)
    x, states, first = normal(B, Q, I).requires_grad_(), normal(B, T, K).requires_grad_(), begin(owner)
    first = map_state(Tensor.requires_grad_, first)
    leaves = [x, states, *state_tensors(first), *owner.parameters()]
    bound = bind(owner, states)
    whole = with_gradients(write_all(bound, x, bound.initial(first)), leaves)
    stepped = by_steps(bind(owner, states), x, first)
    for one, other in zip(whole, with_gradients(stepped, leaves), strict=True):
        same(one, other, "step by step", within=1e-10)
    early = write_all(bound, x[:, :1], bound.initial(first))
    late = write_all(bound, x[:, 1:], early.state)
    same(torch.cat([early.outputs, late.outputs], 1), stepped.outputs, "in two pieces")
    assert early.weights is not None and late.weights is not None and stepped.weights is not None
    same(torch.cat([early.weights, late.weights], -2), stepped.weights, "where the pieces looked")
    assert not whole[1].movedim(-1, 1)[~MASK].any(), "a masked step was looked at"


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("name", [None, "additive", "location_aware"])
def test_every_cell_without_feeding_is_one_scan(name: str | None, cell: str) -> None:
    owner = make(name, cell, feeding=False)
    assert not any(key.startswith("feed") for key, _ in owner.named_parameters())
    x, first = normal(B, Q, I), begin(owner)
    bound = bind(owner, normal(B, T, K))
    done = write_all(bound, x, bound.initial(first))
    stepped = by_steps(bound, x, first)
    for one, other in zip([done.outputs, done.state.output], [stepped.outputs, stepped.state.output], strict=True):
        same(one, other, "one scan", within=1e-10)
    assert done.engine != "by hand" and (done.weights is None) == (name is None)


def test_what_was_seen_is_fed_or_not() -> None:
    torch.manual_seed(1)
    fed = make("additive")
    torch.manual_seed(1)
    plain = make("additive", feeding=False)
    x, states = normal(B, Q, I), normal(B, T, K)
    plain.load_state_dict({name: part for name, part in fed.state_dict().items() if name != "feed.weight"})
    one, other = (
        write_all(bound, x, bound.initial(begin(bound.owner))) for bound in (bind(fed, states), bind(plain, states))
    )
    assert one.outputs.shape == other.outputs.shape and not torch.allclose(one.outputs[:, 1:], other.outputs[:, 1:])
    with torch.no_grad():
        fed.feed.weight.zero_()
    first = begin(fed)
    one, other = (write_all(bound, x, bound.initial(first)) for bound in (bind(fed, states), bind(plain, states)))
    same(one.outputs, other.outputs, "with a feed of zeros", within=1e-10)


@pytest.mark.parametrize("name", ["additive", "location_aware", "multi_head", "local_m"])
@pytest.mark.parametrize("mask", [MASK, None])
def test_rows_can_be_taken(name: str, mask: Tensor | None) -> None:
    """A state and a memory with other rows go on as those rows do."""
    owner = make(name, "lstm")
    x, bound = normal(B, Q, I), bind(owner, normal(B, T, K), mask)
    rows = torch.tensor([2, 0, 0, 1, 2])
    early = write_all(bound, x[:, :2], bound.initial(begin(owner)))
    assert bound.memory is not None
    many = owner.bind(take_rows(bound.memory, rows))
    late = write_all(many, x[rows, 2:], take_rows(early.state, rows))
    expected = write_all(bound, x[:, 2:], early.state)
    same(late.outputs, expected.outputs[rows], "outputs")
    assert isinstance(many.memory, Memory) and (many.memory.mask is None) == (mask is None)
    assert late.weights is not None and expected.weights is not None
    same(late.weights, expected.weights[rows], "weights")


def test_no_step_and_no_such_engine() -> None:
    for feeding in (True, False):
        bound = bind(make("dot", feeding=feeding), normal(B, T, K))
        state = bound.initial(begin(bound.owner))
        with pytest.raises(ConfigError, match="no step to run over"):
            write_all(bound, normal(B, 0, I), state)
        with pytest.raises(ConfigError, match="engine"):
            write_all(bound, normal(B, Q, I), state, "quantum")
        asked = write_all(bound, normal(B, Q, I), state, "reference")
        assert asked.engine == "reference"


def test_dropout_of_the_look_in_training_only() -> None:
    for feeding in (True, False):
        owner = make("additive", feeding=feeding)
        owner.dropout = 0.5
        x, states, first = normal(B, Q, I), normal(B, T, K), begin(owner)

        def run(owner: AttendingCell = owner, given: Any = (x, states, first)) -> Tensor:
            bound = bind(owner, given[1])
            return write_all(bound, given[0], bound.initial(given[2])).outputs.detach()

        assert not torch.equal(run(), run())
        owner.eval()
        agree([run()], [run()], 0.0)
