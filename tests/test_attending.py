"""A cell that looks at a memory: one step after the other, all steps at once, by the reference and by the library.

Shapes: B batch, T steps of the memory, Q steps written, I inputs, H hidden units, K width of the memory.
"""

import copy
import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize, prune

from laws_cells import same
from laws_native import agree, needs_library
from recurra.attention import ATTENTIONS, AdditiveAttention, Memory
from recurra.cells import CELLS, GRUCell, State, map_state, state_tensors
from recurra.errors import ConfigError
from recurra.native import library
from recurra.nn.attending import AttendingCell, AttendingState, BoundCell, Written, take_rows, write_all
from recurra.nn.attending_stepper import AttendingStepper
from recurra.nn.engines.attending import Form, Given, read_weights, run_attending

B, T, Q, I, H, K = 3, 6, 4, 2, 5, 5  # noqa: E741
MASK = torch.arange(T) < torch.tensor([6, 2, 4]).unsqueeze(1)
OPTIONS: dict[str, Any] = {"multi_head": {"heads": 5}, "location_aware": {"kernel_size": 3}, "local_m": {"window": 1}}
OPTIONS |= {"interpretable_multi_head": OPTIONS["multi_head"]}


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


# By the library.

WITHIN = {torch.float32: 2e-5, torch.float64: 1e-10}
SCORES = tuple(name for name, kind in ATTENTIONS.items() if "as_score" in vars(kind))
FED = tuple(name for name, kind in CELLS.items() if vars(kind).get("native") and not getattr(kind, "projects", False))


class Sizes(NamedTuple):
    """How large a problem is."""

    batch: int = B
    queries: int = Q
    steps: int = T
    hidden: int = H
    keys: int = K
    attention: int = K


class Problem(NamedTuple):
    """An attending cell with all that it reads."""

    owner: AttendingCell
    x: Tensor
    states: Tensor
    mask: Tensor | None
    first: State
    said: Tensor  # h~ before the first step, zero nowhere

    def to(self, dtype: torch.dtype) -> "Problem":
        owner = copy.deepcopy(self.owner).to(dtype)
        first = map_state(lambda part: part.to(dtype), self.first)
        return Problem(owner, self.x.to(dtype), self.states.to(dtype), self.mask, first, self.said.to(dtype))


def holes(batch: int, steps: int) -> Tensor:
    """Rows with gaps, and one that may look nowhere."""
    mask = (torch.arange(steps) + torch.arange(batch).unsqueeze(1)) % 3 != 1
    mask[batch // 2] = batch < 2
    return mask


def problem(name: str, cell: str, sizes: Sizes, masked: bool = False) -> Problem:
    wide = sizes.hidden if name in ("dot", "scaled_dot") else sizes.keys
    options = {"attention_size": sizes.attention} if "additive" in name else {}
    attention = ATTENTIONS[name](sizes.hidden, wide, **options)  # type: ignore[call-arg]
    owner = AttendingCell(CELLS[cell](I, sizes.hidden), attention).double()  # type: ignore[call-arg]
    with torch.no_grad():
        for parameter in owner.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    mask = holes(sizes.batch, sizes.steps) if masked else None
    states, said = normal(sizes.batch, sizes.steps, wide), normal(sizes.batch, sizes.hidden)
    return Problem(owner, normal(sizes.batch, sizes.queries, I), states, mask, begin(owner, sizes.batch), said)


def answers(given: Problem, engine: str) -> list[Tensor]:
    """All that comes out, and the gradients of everything that has one."""
    x, states, said = (one.detach().clone().requires_grad_() for one in (given.x, given.states, given.said))
    first = map_state(lambda part: part.detach().clone().requires_grad_(), given.first)
    bound = bind(given.owner, states, given.mask)
    done = write_all(bound, x, bound.initial(first)._replace(output=said), engine)
    assert done.engine == engine
    return with_gradients(done, [x, states, said, *state_tensors(first), *given.owner.parameters()])


def compare(given: Problem, dtype: torch.dtype = torch.float64) -> None:
    """The library in ``dtype`` agrees with the reference in float64."""
    agree(answers(given.to(dtype), "native"), answers(given, "reference"), WITHIN[dtype], str(given.owner))


@needs_library
@pytest.mark.parametrize("dtype", WITHIN)
@pytest.mark.parametrize("cell", FED)
@pytest.mark.parametrize("name", SCORES)
def test_the_library_agrees_with_the_reference(name: str, cell: str, dtype: torch.dtype) -> None:
    for masked in (False, True):
        compare(problem(name, cell, Sizes(), masked), dtype)


@needs_library
@pytest.mark.parametrize(
    "sizes",
    [
        Sizes(batch=1, queries=1, steps=1),
        Sizes(hidden=1, keys=1, attention=1),
        Sizes(batch=9, queries=2, steps=17, hidden=33, keys=20, attention=70),
        Sizes(batch=2, queries=9, steps=3, hidden=70, keys=130, attention=16),
        Sizes(batch=40, queries=3, steps=5, hidden=16, keys=16, attention=16),
        Sizes(batch=0),
    ],
)
@pytest.mark.parametrize("cell", ["lstm", "gru", "lstm_gru", "lstm_gru_full", "peephole", "mingru"])
def test_any_size(cell: str, sizes: Sizes) -> None:
    for name in ("dot", "scaled_dot", "general", "additive"):
        for masked in (False, True) if sizes.batch else (False,):
            compare(problem(name, cell, sizes, masked))


@needs_library
def test_every_instruction_set_agrees(each_instruction_set: list[bytes]) -> None:
    for instructions in each_instruction_set:
        assert library.load().recurra_use_instruction_set(instructions) == 0
        for name, (cell, dtype) in itertools.product(
            ("additive", "general"), itertools.product(("lstm", "gru"), WITHIN)
        ):
            compare(problem(name, cell, Sizes(7, 3, 5, 19, 21, 18), masked=True), dtype)


@pytest.fixture
def three_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = torch.get_num_threads()
    monkeypatch.setattr("recurra.native.threads.SCAN_WORK", 1)
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def as_given(given: Problem) -> tuple[Form, Given]:
    """What the library is called with."""
    form, weights = read_weights(given.owner)
    memory = given.owner.attention.project(given.states, given.mask)  # type: ignore[union-attr]
    starts = {"first": given.said, "h0": given.first.h, "c0": getattr(given.first, "c", None)}
    return form, Given(given.owner.cell.project(given.x), **weights, **memory._asdict(), **starts)  # type: ignore[arg-type]


@needs_library
@pytest.mark.usefixtures("three_threads")
@pytest.mark.parametrize("cell", ["lstm", "gru", "peephole"])
@pytest.mark.parametrize("name", ["additive", "scaled_dot"])
def test_threads_change_no_bit(name: str, cell: str) -> None:
    """Of the library: the products of all steps, which are the gradients of the weights, are torch's."""
    for sizes in (Sizes(), Sizes(13, 5, 7, 40, 40, 24), Sizes(64, 20, 9, 64, 64, 64)):
        form, whole = as_given(problem(name, cell, sizes, masked=True))
        names = [key for key in ("x", "keys", "values", "first", "h0", "c0") if getattr(whole, key) is not None]
        runs = []
        for threads in (3, 1):
            torch.set_num_threads(threads)
            leaves = [getattr(whole, key).detach().requires_grad_() for key in names]
            done = run_attending(form, whole._replace(**dict(zip(names, leaves, strict=True))))
            total = sum((n + 1) * part.square().sum() for n, part in enumerate(done))
            runs.append([*done, *torch.autograd.grad(total, leaves)])  # type: ignore[arg-type]
        assert all(torch.equal(one, other) for one, other in zip(*runs, strict=True))


@needs_library
@pytest.mark.parametrize("cell", ["lstm", "gru", "lstm_gru", "rnn"])
@pytest.mark.parametrize("name", ["dot", "scaled_dot", "general", "additive"])
def test_first_and_second_derivatives(name: str, cell: str) -> None:
    given = problem(name, cell, Sizes(2, 3, 4, 3, 3, 2))
    mask = torch.tensor([[True, True, False, True], [True, False, True, True]])
    form, whole = as_given(given._replace(mask=mask))
    names = [key for key, part in whole._asdict().items() if part is not None and key != "mask"]

    def run(*tensors: Tensor) -> list[Tensor]:
        changed = whole._replace(**dict(zip(names, tensors, strict=True)))
        return [part for part in run_attending(form, changed) if part.numel()]

    leaves = [getattr(whole, key).detach().clone().requires_grad_() for key in names]
    assert torch.autograd.gradcheck(run, leaves, fast_mode=True)
    assert torch.autograd.gradgradcheck(run, leaves, fast_mode=True)
    some = [leaf.detach() if number % 2 else leaf for number, leaf in enumerate(leaves)]
    assert torch.autograd.gradcheck(run, some, fast_mode=True)


@needs_library
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # torch's own use of it
def test_gradients_in_batches() -> None:
    given, found = problem("additive", "lstm", Sizes()), []
    for engine in ("native", "reference"):
        x = given.x.clone().requires_grad_()
        bound = bind(given.owner, given.states)
        outputs = write_all(bound, x, bound.initial(given.first), engine).outputs
        ends = torch.arange(3.0, dtype=torch.float64).view(3, 1, 1, 1).expand(3, *outputs.shape)
        found.append(torch.autograd.grad(outputs, x, ends, is_grads_batched=True))
    agree(*found, within=1e-10)


@needs_library
def test_arrays_that_lie_in_another_order() -> None:
    given = problem("general", "gru", Sizes())
    turned = given._replace(
        x=given.x.mT.contiguous().mT,
        states=given.states.transpose(0, 1).contiguous().transpose(0, 1),
        said=given.said.t().contiguous().t(),
        mask=MASK.t().contiguous().t(),
    )
    with torch.no_grad():
        turned.owner.combine.weight.data = turned.owner.combine.weight.t().contiguous().t()
    compare(turned)


@needs_library
def test_what_may_not_be_looked_at_is_never_read() -> None:
    for name in ("dot", "additive"):
        given = problem(name, "lstm", Sizes(), masked=True)
        assert given.mask is not None
        runs = []
        for value in (0.0, float("nan"), float("inf")):
            bound = bind(given.owner, given.states.masked_fill(~given.mask.unsqueeze(-1), value), given.mask)
            state = given.first._replace(h=given.first.h.clone().requires_grad_())
            done = write_all(bound, given.x, AttendingState(given.said, state, given.said, None), "native")
            runs.append(with_gradients(done, [state.h]))
        assert all(torch.equal(one, other) for run in runs[1:] for one, other in zip(runs[0], run, strict=True))
        assert not runs[0][1].movedim(-1, 1)[~given.mask].any()


@needs_library
def test_auto_says_what_ran_and_what_is_refused_says_why() -> None:
    plain, x, states = problem("additive", "gru", Sizes()), normal(B, Q, I), normal(B, T, K)

    def changed(**parts: Any) -> AttendingCell:
        owner = copy.deepcopy(plain.owner)
        for name, part in parts.items():
            setattr(owner, name, part)
        return owner

    own_score = type("Own", (AdditiveAttention,), {})(H, K).double()
    hooked = changed()
    hooked.combine.register_forward_hook(lambda *_: None)
    pruned = changed()
    prune.identity(pruned.attention.query, "weight")  # type: ignore[union-attr]
    own_layer = changed(feed=type("Own", (nn.Linear,), {})(H, 3 * H, bias=False).double())
    cases = [
        (make("location_aware"), "no kernel for the score of LocationAwareAttention"),
        (changed(attention=own_score), "no kernel for the score of Own"),
        (make("additive", "parallel"), "does not feed a ParallelCell with what it saw"),
        (make("additive", "ln_lstm"), "does not feed a LayerNormLSTMCell with what it saw"),
        (changed(cell=type("Own", (GRUCell,), {})(I, H).double()), "no kernel for Own"),
        (changed(dropout=0.5), "drops no weights of an attention in training"),
        (hooked, "one is changed or has hooks"),
        (pruned, "one is changed or has hooks"),
        (own_layer, "one is changed or has hooks"),
        (changed().bfloat16(), "the weights are bfloat16"),
    ]
    for owner, reason in cases:
        dtype = owner.combine.weight.dtype
        bound = bind(owner, states.to(dtype))
        state = bound.initial(begin(owner))
        with pytest.raises(ConfigError, match=reason):
            write_all(bound, x.to(dtype), state, "native")
        assert write_all(bound, x.to(dtype), state).engine == "reference"
        assert owner.engine() == "reference"
    bound = bind(plain.owner, states)
    state = bound.initial(plain.first)
    assert write_all(bound, x, state).engine == plain.owner.engine() == "native"
    assert make("location_aware", feeding=False).engine() == "native"
    with torch.autocast("cpu"), pytest.raises(ConfigError, match="does not take part in autocast"):
        write_all(bound, x, state, "native")
    with pytest.raises(ConfigError, match=r"transforms of torch\.func"):
        torch.func.grad(lambda x: write_all(bound, x, state, "native").outputs.sum())(x)
    slope = torch.func.grad(lambda x: write_all(bound, x, state).outputs.sum())(x)
    (expected,) = torch.autograd.grad(write_all(bound, x.requires_grad_(), state).outputs.sum(), x)
    agree([slope.detach()], [expected], 1e-10)


@needs_library
def test_weights_that_torch_computes_are_those_of_the_moment() -> None:
    given = problem("additive", "lstm", Sizes())
    parametrize.register_parametrization(given.owner.cell, "weight_hh", nn.Tanh())
    parametrize.register_parametrization(given.owner.combine, "weight", nn.Tanh())
    compare(given)
    prune.l1_unstructured(problem("dot", "gru", Sizes()).owner.cell, "weight_hh", 0.5)
    pruned = problem("dot", "gru", Sizes())
    prune.l1_unstructured(pruned.owner.cell, "weight_hh", 0.5)
    ours, theirs = (answers(pruned, engine) for engine in ("native", "reference"))
    agree(ours, theirs, 1e-10)


class Whole(nn.Module):
    """An attending cell as a module of tensors."""

    def __init__(self, owner: AttendingCell) -> None:
        super().__init__()
        self.owner = owner

    def forward(self, x: Tensor, states: Tensor) -> Tensor:
        bound = bind(self.owner, states)
        return write_all(bound, x, bound.initial(self.owner.cell.initial(B))).outputs


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # torch's own use of it
@pytest.mark.parametrize("feeding", [True, False])
def test_compilers_and_tracers_see_operators(feeding: bool) -> None:
    torch.compiler.reset()
    model = Whole(make("additive", "lstm", feeding))
    x, states = normal(B, Q, I), normal(B, T, K)
    with torch.no_grad():
        expected = model(x, states)
        compiled = torch.compile(model, backend="aot_eager", fullgraph=True)(x, states)
        traced = torch.jit.trace(model, (x, states), check_trace=False)(x, states)
        exported = torch.export.export(model, (x, states)).module()(x, states)
    for other in (compiled, traced, exported):
        agree([other], [expected], 1e-12)


@needs_library
def test_what_does_not_fit_is_never_read_by_the_library() -> None:
    given = problem("additive", "lstm", Sizes())
    bound = bind(given.owner, given.states)
    state, memory = bound.initial(given.first), bound.memory
    assert memory is not None
    cases = [
        ("first must have shape", memory, state._replace(output=state.output[:2])),
        ("h0 must have .* type", memory, state._replace(cell=map_state(Tensor.float, state.cell))),
        ("keys must have shape", memory._replace(keys=memory.keys[:, :, :2]), state),
        ("values must have shape", memory._replace(values=memory.values[:2]), state),
        ("mask must have .* type torch.bool", memory._replace(mask=MASK.long()), state),
        ("length 0", memory._replace(keys=memory.keys[:, :0], values=memory.values[:, :0], mask=MASK[:, :0]), state),
    ]
    for reason, other, begun in cases:
        with pytest.raises(ConfigError, match=reason):
            write_all(given.owner.bind(other), given.x, begun, "native")


# One step at a time.


def decoded(stepper: AttendingStepper, given: Problem, orders: list[Tensor]) -> list[Tensor]:
    """What comes out step by step, with other rows before each step but the first."""
    owner = given.owner
    assert owner.attention is not None
    stepper.begin(owner.attention.project(given.states, given.mask), given.first)
    rows, answered = torch.arange(len(given.x)), []
    for step in range(given.x.shape[1]):
        if step and orders:
            stepper.take(orders[step - 1])
            rows = rows[orders[step - 1]]
        answered += [part.clone() for part in stepper.step(owner.cell.project(given.x[rows, step]))]
    return [part.detach() for part in (*answered, *state_tensors(stepper.state.cell))]


@pytest.mark.parametrize("engine", ["reference", pytest.param("native", marks=needs_library)])
@pytest.mark.parametrize("feeding", [True, False])
@pytest.mark.parametrize("cell", ["lstm", "gru", "mingru", "peephole"])
@pytest.mark.parametrize("name", ["additive", "scaled_dot", "general"])
def test_a_stepper_says_what_all_steps_at_once_say(name: str, cell: str, feeding: bool, engine: str) -> None:
    given = problem(name, cell, Sizes(5, 4, 7, 19, 19, 21), masked=True)
    if not feeding:
        plain = AttendingCell(given.owner.cell, given.owner.attention, feeding=False).double()
        given = given._replace(owner=plain)
    stepper = AttendingStepper(given.owner, engine)
    assert stepper.engine == engine
    for _ in range(2):  # it can begin again
        parts = decoded(stepper, given, [])
        bound = bind(given.owner, given.states, given.mask)
        done = write_all(bound, given.x, bound.initial(given.first), "reference")
        assert done.weights is not None
        agree(
            [torch.stack(parts[: 2 * Q : 2], 1), torch.stack(parts[1 : 2 * Q : 2], 1)],
            [done.outputs.detach(), done.weights.detach()],
            1e-10,
        )


@needs_library
@pytest.mark.parametrize("dtype", WITHIN)
def test_beams_share_what_they_look_at(dtype: torch.dtype) -> None:
    given = problem("additive", "lstm", Sizes(3, 4, 7, 19, 18, 21), masked=True)
    orders = [torch.tensor([0, 0, 1, 1, 2, 2]), torch.tensor([1, 0, 2, 2, 5, 4]), torch.tensor([4, 0])]
    ours, theirs = given.to(dtype), given
    native, plain = AttendingStepper(ours.owner, "native"), AttendingStepper(theirs.owner, "reference")
    agree(decoded(native, ours, orders), decoded(plain, theirs, orders), WITHIN[dtype])


def test_any_attention_can_be_decoded() -> None:
    for name in ATTENTIONS:
        owner = make(name, "parallel")
        given = Problem(owner, normal(B, Q, I), normal(B, T, K), MASK, begin(owner), normal(B, H))
        stepper = AttendingStepper(owner)
        assert stepper.engine == "reference"
        orders = [torch.tensor([1, 0, 0, 2]), torch.tensor([0, 1, 2, 3]), torch.tensor([3])]
        last = decoded(stepper, given, orders)[-5]
        rows = torch.tensor([1, 0, 0, 2])[[3]]
        bound = bind(owner, given.states)
        done = write_all(bound, given.x, bound.initial(given.first))
        same(last, done.outputs[rows, -1].detach(), name) if last.shape == (1, H) else None


@needs_library
def test_a_stepper_has_its_own_weights_and_its_own_state() -> None:
    given = problem("additive", "lstm", Sizes())
    stepper = AttendingStepper(given.owner)
    before = decoded(stepper, given, [])
    first, cell = map_state(Tensor.clone, given.first), given.owner.cell
    outside = cell.weight_ih, cell.bias_ih, given.owner.attention.key.weight  # type: ignore[union-attr]
    with torch.no_grad():
        for parameter in given.owner.parameters():
            if all(parameter is not one for one in outside):
                parameter.add_(1.0)
    agree(decoded(stepper, given, []), before, 0.0)
    agree(state_tensors(given.first), state_tensors(first), 0.0)
    output, _ = stepper.step(given.x.new_zeros(B, 4 * H))
    version = output._version
    stepper.step(given.x.new_zeros(B, 4 * H))
    assert output._version > version and not output.requires_grad


@needs_library
def test_what_a_stepper_refuses() -> None:
    given = problem("additive", "lstm", Sizes())
    with pytest.raises(ConfigError, match="with an attention"):
        AttendingStepper(make(None))
    with pytest.raises(ConfigError, match="no kernel for the score of LocationAwareAttention"):
        AttendingStepper(make("location_aware"), "native")
    with pytest.raises(ConfigError, match="engine"):
        AttendingStepper(given.owner, "quantum")
    stepper = AttendingStepper(given.owner)
    memory = given.owner.attention.project(given.states)  # type: ignore[union-attr]
    with pytest.raises(ConfigError, match="keys must have shape"):
        stepper.begin(memory._replace(keys=memory.keys[..., :2], mask=None), given.first._replace())
    stepper.begin(memory, given.first)
    for wrong in (normal(B, 4 * H + 1), normal(B + 1, 4 * H), torch.zeros(B, 4 * H)):
        with pytest.raises(ConfigError, match="takes what inputs contribute in shape"):
            stepper.step(wrong)
