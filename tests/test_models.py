"""The model shapes over the bare core: attention inside and outside the recurrence, readers and writers.

Shapes: B batch, T steps read, Q steps written, H hidden units, K width of the memory.
"""

import copy
import pickle
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import prune

import oracles
from laws_cells import same
from laws_native import PROJECTS, needs_library
from recurra.attention import (
    ATTENTIONS,
    AdditiveAttention,
    Attention,
    DotAttention,
    LocationAwareAttention,
    Memory,
    MonotonicAttention,
    MultiHeadAttention,
)
from recurra.cells import (
    CELLS,
    GatedCell,
    GRUCell,
    LSTMCell,
    LSTMGRUCell,
    ParallelCell,
    RNNCell,
    map_state,
    state_tensors,
)
from recurra.data.batch import Batch
from recurra.errors import ConfigError
from recurra.nn.attending import AttendingCell
from recurra.nn.layers import Embed, Pool, Recurrent, join
from recurra.nn.models import Bridge, ParallelWriter, Reader, Writer, linear_layers
from recurra.nn.scan import Plan, scan

B, T, Q, I, H, K = 3, 6, 4, 2, 5, 5  # noqa: E741
LENGTHS = [6, 2, 4]
MASK = torch.arange(T) < torch.tensor(LENGTHS).unsqueeze(1)
EVERYWHERE = ("location_aware", "monotonic", "multi_head", "additive", "local_p")


def normal(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64)


def make_attention(name: str, query: int = H, keys: int = K) -> Attention:
    options: dict[str, Any] = {"multi_head": {"heads": 1}, "location_aware": {"kernel_size": 3}}.get(name, {})
    attention = ATTENTIONS[name](query, keys, **options).double()  # type: ignore[call-arg]
    with torch.no_grad():
        for parameter in attention.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return attention


class Attending(NamedTuple):
    """An attending cell with what it reads and what it looks at."""

    cell: AttendingCell
    x: Tensor  # (B, Q, I)
    states: Tensor  # (B, T, K)
    mask: Tensor  # (B, T)

    def bound(self) -> Any:
        return self.cell.bind(self.cell.attention.project(self.states, self.mask))  # type: ignore[union-attr]


def make_attending(name: str, cell: str = "gru") -> Attending:
    made = AttendingCell(CELLS[cell](I, H), make_attention(name)).double()  # type: ignore[call-arg]
    return Attending(made, normal(B, Q, I), normal(B, T, K), MASK)


# Attention inside the recurrence: three awkward ones.


def location_weights(attention: LocationAwareAttention, s: Tensor, states: Tensor, last: Tensor) -> Tensor:
    """``e_j = w · tanh(W s + V h_j + b + U f_j)``, ``f = conv1d(a')``, for one sequence, step by step."""
    size = attention.location.weight.shape[-1]
    energies = []
    for j, h in enumerate(states):
        around = [j + offset - size // 2 for offset in range(size)]
        seen = torch.stack([last[n] if 0 <= n < len(states) else last.new_zeros(()) for n in around])
        f = attention.location.weight[:, 0] @ seen
        inside = attention.query.weight @ s + attention.key.weight @ h + attention.key.bias
        energies.append(attention.energy.weight[0] @ torch.tanh(inside + attention.feature.weight @ f))
    return torch.stack(energies).softmax(0)


def monotonic_weights(attention: MonotonicAttention, s: Tensor, states: Tensor, last: Tensor) -> Tensor:
    """The chance to stop at each step: over all places k where the last query stopped, walk on from there."""
    direction = attention.gain * attention.direction / attention.direction.norm()
    stop = []
    for h in states:
        inside = attention.query.weight @ s + attention.key.weight @ h + attention.key.bias
        stop.append(torch.sigmoid(direction @ torch.tanh(inside) + attention.offset))
    weights = []
    for j in range(len(states)):
        total = last.new_zeros(())
        for k in range(j + 1):
            walked = torch.stack([1 - stop[n] for n in range(k, j)]).prod() if j > k else last.new_ones(())
            total = total + last[k] * walked * stop[j]
        weights.append(total)
    return torch.stack(weights)


STEPWISE: dict[str, Callable[[Any, Tensor, Tensor, Tensor], Tensor]] = {
    "location_aware": location_weights,
    "monotonic": monotonic_weights,
}


@pytest.mark.parametrize("cell", ["gru", "lstm", "lstm_gru"])
@pytest.mark.parametrize("name", STEPWISE)
def test_attention_that_remembers_inside_the_recurrence(name: str, cell: str) -> None:
    """The whole attending cell, one sequence and one step at a time, by its formulas."""
    given = make_attending(name, cell)
    owner, attention = given.cell, given.cell.attention
    bound = given.bound()
    first = map_state(torch.randn_like, owner.cell.initial(B))
    done = scan(bound, given.x, bound.initial(first))
    for row, length in enumerate(LENGTHS):
        states = given.states[row, :length]
        last = torch.zeros(length, dtype=torch.float64)
        if name == "monotonic":
            last[0] = 1.0
        output, inner = torch.zeros(H, dtype=torch.float64), map_state(lambda part, n=row: part[n : n + 1], first)
        for t in range(Q):
            fed = owner.cell.project(given.x[row, t]) + owner.feed.weight @ output
            inner = owner.cell.step(fed.unsqueeze(0), inner)
            last = STEPWISE[name](attention, inner[0][0], states, last)
            output = torch.tanh(owner.combine.weight @ torch.cat([last @ states, inner[0][0]]))
            same(done.outputs[row, t], output, f"row {row}, step {t}")
        same(done.state.weights[row, :length], last, f"where row {row} looked last")
        assert (done.state.weights[row, length:] == 0).all()


@pytest.mark.parametrize("name", EVERYWHERE)
def test_attending_cells_keep_the_laws_of_cells(name: str) -> None:
    """Streaming, split, padding and truncation hold for a cell that looks at a memory, whatever it carries."""
    given = make_attending(name, "lstm")
    bound = given.bound()
    first = bound.initial(given.cell.cell.initial(B))
    whole = scan(bound, given.x, first, Plan(record=True))
    assert whole.engine == "reference" and whole.gates and whole.gates["forget"].shape == (B, Q, H)
    state = first
    for t in range(Q):
        state = bound.step(bound.project(given.x[:, t]), state)
        same(state.output, whole.outputs[:, t], f"step {t}")
    one = scan(bound, given.x[:, :2], first)
    two = scan(bound, given.x[:, 2:], one.state)
    same(torch.cat([one.outputs, two.outputs], 1), whole.outputs, "split")
    same(scan(bound, given.x, first, Plan(truncate=2)).outputs, whole.outputs, "truncated")
    steps = torch.tensor([[1, 1, 1, 1], [1, 0, 1, 0], [0, 1, 1, 1]], dtype=torch.bool)
    masked = scan(bound, given.x, first, Plan(steps))
    for row in range(B):
        memory = Memory(*[None if part is None else part[row : row + 1] for part in bound.memory])
        alone = given.cell.bind(memory)
        bare = scan(alone, given.x[row : row + 1, steps[row]], alone.initial(given.cell.cell.initial(1)))
        same(masked.outputs[row, steps[row]], bare.outputs[0], f"row {row} without its masked steps")
        for ours, theirs in zip(state_tensors(masked.state), state_tensors(bare.state), strict=True):
            same(ours[row], theirs[0], f"last state of row {row}")


def test_several_heads_inside_the_recurrence() -> None:
    attention = MultiHeadAttention(H + 1, K + 1, heads=2).double()
    owner = AttendingCell(GRUCell(I, H + 1), attention).double()
    bound = owner.bind(attention.project(normal(B, T, K + 1), MASK))
    first = bound.initial(owner.cell.initial(B))
    assert first.weights.shape == (B, 2, T)
    steps = torch.tensor([[True, False], [False, True], [False, False]])
    done = scan(bound, normal(B, 2, I), first, Plan(steps))
    sums = done.state.weights.sum(-1)
    same(sums, torch.tensor([[1.0, 1.0], [1.0, 1.0], [0.0, 0.0]]).double(), "rows that looked, and one that did not")


@pytest.mark.parametrize("name", EVERYWHERE)
def test_gradients_through_an_attending_cell(name: str) -> None:
    given = make_attending(name, "lstm_gru")

    def outputs(x: Tensor, states: Tensor) -> Tensor:
        bound = given._replace(states=states).bound()
        return scan(bound, x, bound.initial(given.cell.cell.initial(B))).outputs

    leaves = [given.x.requires_grad_(), given.states.requires_grad_()]
    assert torch.autograd.gradcheck(outputs, leaves, fast_mode=True)
    outputs(*leaves).sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in given.cell.parameters() if name != "multi_head")
    assert not given.states.grad[~MASK].any(), "a gradient reaches a masked step of the memory"


class DrivenState(NamedTuple):
    """The first stage of DA-RNN."""

    h: Tensor  # (B, H)
    cell: Any
    weights: Tensor  # (B, n)


class InputAttention:
    """Weighs the n driving series before each step, so its cell must project inside the step."""

    def __init__(self, cell: LSTMCell, attention: Attention, x: Tensor):
        self.cell, self.attention = cell, attention
        self.memory = attention.project(x.transpose(1, 2))  # a series is one key, its window the key's width

    def initial(self) -> DrivenState:
        state = self.cell.initial(len(self.memory.values))
        return DrivenState(state.h, state, state.h.new_zeros(self.memory.values.shape[:2]))

    def project(self, x: Tensor) -> Tensor:
        return x

    def gates(self, projected: Tensor, state: DrivenState) -> dict[str, Tensor]:
        return {"weights": self._weigh(state)}

    def _weigh(self, state: DrivenState) -> Tensor:
        query = torch.cat([state.cell.h, state.cell.c], -1).unsqueeze(1)
        return self.attention(query, self.memory).weights[:, 0]

    def step(self, projected: Tensor, state: DrivenState) -> DrivenState:
        weights = self._weigh(state)
        new = self.cell.step(self.cell.project(weights * projected), state.cell)
        return DrivenState(new.h, new, weights)


class TemporalState(NamedTuple):
    """The second stage of DA-RNN."""

    d: Tensor  # (B, H)
    cell: Any
    context: Tensor  # (B, H)


class TemporalAttention:
    """Looks at the encoder before each step, from the states of the step before."""

    def __init__(self, cell: LSTMCell, attention: Attention, mix: nn.Linear, states: Tensor):
        self.cell, self.attention, self.mix = cell, attention, mix
        self.memory = attention.project(states)

    def initial(self) -> TemporalState:
        state = self.cell.initial(len(self.memory.values))
        return TemporalState(state.h, state, state.h.new_zeros(len(state.h), self.attention.context_size))

    def project(self, x: Tensor) -> Tensor:
        return x

    def gates(self, projected: Tensor, state: TemporalState) -> dict[str, Tensor]:
        return {}

    def step(self, projected: Tensor, state: TemporalState) -> TemporalState:
        query = torch.cat([state.cell.h, state.cell.c], -1).unsqueeze(1)
        context = self.attention(query, self.memory).context[:, 0]
        mixed = self.mix(torch.cat([projected, context], -1))
        new = self.cell.step(self.cell.project(mixed), state.cell)
        return TemporalState(new.h, new, context)


def as_arrays(module: nn.Module) -> dict[str, np.ndarray]:
    return {name: value.detach().numpy() for name, value in module.named_parameters()}


def additive(weights: dict[str, np.ndarray], query: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """``a = softmax(v · tanh(W s + U k))`` over the rows of ``keys``."""
    W, U, v = weights["query.weight"], weights["key.weight"], weights["energy.weight"][0]
    scores = np.array([v @ np.tanh(W @ query + U @ key) for key in keys])
    return np.exp(scores) / np.exp(scores).sum()


def test_both_stages_of_da_rnn() -> None:
    """Input attention over n series, temporal attention over their encoding, against the paper's formulas."""
    n, wide = 3, 4
    encoder, decoder = LSTMCell(n, H).double(), LSTMCell(1, wide).double()
    over_series = AdditiveAttention(2 * H, T).double()
    over_time = AdditiveAttention(2 * wide, H).double()
    mix, out, answer = nn.Linear(1 + H, 1).double(), nn.Linear(wide + H, 6).double(), nn.Linear(6, 1).double()
    x, y = normal(B, T, n).requires_grad_(), normal(B, T, 1)

    driven = InputAttention(encoder, over_series, x)
    first = scan(driven, x, driven.initial(), Plan(record=True))
    temporal = TemporalAttention(decoder, over_time, mix, first.outputs)
    second = scan(temporal, y, temporal.initial())
    said = answer(out(torch.cat([second.state.d, second.state.context], -1)))

    series, time = as_arrays(over_series), as_arrays(over_time)
    for row in range(B):
        inputs, h, c, hidden = x[row].detach().numpy(), np.zeros(H), np.zeros(H), []
        for t in range(T):
            share = additive(series, np.concatenate([h, c]), inputs.T)
            same(first.gates["weights"][row, t], torch.from_numpy(share), "weights of the series")
            _, [h, c] = oracles.lstm(as_arrays(encoder), (share * inputs[t])[None], [h, c])
            hidden.append(h)
        d, c = np.zeros(wide), np.zeros(wide)
        for t in range(T):
            share = additive(time, np.concatenate([d, c]), np.stack(hidden))
            context = share @ np.stack(hidden)
            seen = np.concatenate([y[row, t].numpy(), context])
            mixed = as_arrays(mix)["weight"] @ seen + as_arrays(mix)["bias"]
            _, [d, c] = oracles.lstm(as_arrays(decoder), mixed[None], [d, c])
        inner = as_arrays(out)["weight"] @ np.concatenate([d, context]) + as_arrays(out)["bias"]
        expected = as_arrays(answer)["weight"] @ inner + as_arrays(answer)["bias"]
        same(said[row], torch.from_numpy(expected), f"what row {row} says")
    said.sum().backward()
    modules = (encoder, decoder, over_series, over_time, mix)
    assert x.grad.any() and all(p.grad.any() for module in modules for p in module.parameters())


def test_a_cell_without_attention_is_the_cell() -> None:
    cell = LSTMCell(I, H).double()
    owner = AttendingCell(cell, None)
    assert {name for name, _ in owner.named_parameters()} == {f"cell.{name}" for name, _ in cell.named_parameters()}
    bound = owner.bind(None)
    x = normal(B, Q, I)
    start = map_state(torch.randn_like, cell.initial(B))
    done = scan(bound, x, bound.initial(start))
    same(done.outputs, scan(cell, x, start).outputs, "without attention")
    same(done.state.cell.c, scan(cell, x, start).state.c, "without attention")


def test_attending_needs_what_it_looks_at() -> None:
    attention = make_attention("additive")
    memory = attention.project(normal(B, T, K))
    with pytest.raises(ConfigError, match="needs a memory"):
        AttendingCell(GRUCell(I, H), attention).bind(None)
    with pytest.raises(ConfigError, match="takes none"):
        AttendingCell(GRUCell(I, H), None).bind(memory)


def test_attention_dropout_in_training_only() -> None:
    given = make_attending("additive")
    given.cell.dropout = 0.5
    start = given.cell.cell.initial(B)

    def one_step() -> Any:
        bound = given.bound()
        return bound.step(bound.project(given.x[:, 0]), bound.initial(start))

    first, second = one_step(), one_step()
    assert not torch.equal(first.output, second.output)
    same(first.weights, second.weights, "what is shown is never dropped")
    given.cell.eval()
    assert torch.equal(one_step().output, one_step().output)


# From the encoder to the decoder.


@pytest.mark.parametrize("name", CELLS)
def test_bridge_hands_over_what_fits(name: str) -> None:
    encoder = Recurrent([[GRUCell(I, 3)], [CELLS[name](3, H)]])  # type: ignore[call-arg]
    read = encoder(torch.randn(B, T, I))
    bridge = Bridge(encoder, CELLS[name](7, H))  # type: ignore[call-arg]
    assert not list(bridge.parameters())
    assert bridge(read) is read.states[-1][0]


@pytest.mark.parametrize(
    ("encoder", "cell"),
    [
        ([[GRUCell(I, H)]], LSTMCell(I, H)),
        ([[LSTMCell(I, H)]], LSTMGRUCell(I, H)),
        ([[LSTMCell(I, H)]], LSTMCell(I, H + 2)),
        ([[GRUCell(I, H), GRUCell(I, H)]], GRUCell(I, H)),
        ([[RNNCell(I, 3)], [ParallelCell(3, 4), ParallelCell(3, 4)]], ParallelCell(I, 2)),
    ],
    ids=["type", "same fields", "size", "directions", "parallel"],
)
def test_bridge_maps_what_does_not_fit(encoder: Any, cell: Any) -> None:
    stack = Recurrent(encoder)
    read = stack(torch.randn(B, T, I), mask=MASK)
    bridge = Bridge(stack, cell)
    state = bridge(read)
    assert type(state) is type(cell.initial(1))
    mapped = torch.tanh(bridge.linear(join(read.states[-1])))
    assert torch.equal(join([state]), mapped), "every field, side by side"
    shapes = [part.shape for part in state_tensors(cell.initial(B))]
    assert [part.shape for part in state_tensors(state)] == shapes
    cell.step(cell.project(torch.zeros(B, I)), state)


# Readers.


class Sum(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.sum(-1, keepdim=True)


def test_reader_answers_at_every_step() -> None:
    recurrent = Recurrent([[GRUCell(2, H)]])
    reader = Reader(Embed(2, symbols=9), recurrent, None, Sum())
    batch = Batch(torch.randint(0, 9, (B, T)), mask=MASK)
    output = reader(batch, record=True)
    read = recurrent(reader.embed(batch.inputs), mask=MASK, record=True)  # on the same engine
    assert torch.equal(output.prediction, read.outputs.sum(-1, keepdim=True))
    assert output.weights is None and output.recurrence.gates[0][0]["update"].shape == (B, T, H)
    assert reader(batch).recurrence.gates is None


@pytest.mark.parametrize("heads", [0, 2])
def test_reader_answers_once(heads: int) -> None:
    attention = MultiHeadAttention(6, 6, heads=heads) if heads else DotAttention(6, 6)
    recurrent = Recurrent([[GRUCell(I, 3), GRUCell(I, 3)]])
    reader = Reader(nn.Identity(), recurrent, Pool("attention", attention, 6), nn.Linear(6, 2)).double()
    batch = Batch(normal(B, T, I), mask=MASK)
    output = reader(batch)
    assert output.prediction.shape == (B, 2)
    assert output.weights.shape == ((B, heads, 1, T) if heads else (B, 1, T))
    for row, length in enumerate(LENGTHS):
        alone = reader(Batch(batch.inputs[row : row + 1, :length]))
        same(output.prediction[row], alone.prediction[0], f"row {row} without padding")
        same(output.weights[row, ..., :length], alone.weights[0], f"weights of row {row}")


# Writers.


def make_writer(name: str, cell: str, both: bool = False) -> Writer:
    made = CELLS[cell]
    recurrent = Recurrent([[made(3, H) for _ in range(1 + both)]])  # type: ignore[call-arg]
    attention = None if name == "none" else make_attention(name, H, recurrent.output_size)
    decoder = AttendingCell(made(3, H), attention)  # type: ignore[call-arg]
    return Writer(Embed(3, symbols=8), recurrent, decoder, Embed(3, symbols=9), nn.Linear(H, 8)).double().eval()


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("name", ["none", "additive", "location_aware", "monotonic"])
def test_writing_step_by_step_equals_writing_at_once(name: str, cell: str) -> None:
    writer = make_writer(name, cell)
    batch = Batch(torch.randint(0, 8, (B, T)), mask=MASK)
    first = torch.full((B,), 8)
    written = writer.write(batch, first, Q, lambda said: said.argmax(-1))
    chosen = written.prediction.argmax(-1)
    previous = torch.cat([first.unsqueeze(1), chosen[:, :-1]], 1)
    forced = writer(batch, previous)
    same(forced.prediction, written.prediction, "teacher forcing with what was written")
    assert forced.prediction.shape == (B, Q, 8)
    if name == "none":
        assert forced.weights is None and written.weights is None
    else:
        same(forced.weights, written.weights, "weights")
        assert forced.weights.shape == (B, Q, T)
        assert not forced.weights.masked_select(~MASK.unsqueeze(1)).any()
    # The same decoder through the loop over time, all steps in one scan.
    _, bound, state = writer.begin(batch)
    done = scan(bound, writer.target_embed(previous), state)
    same(writer.head(done.outputs), forced.prediction, "one scan")


@needs_library
@pytest.mark.parametrize("cell", CELLS)
def test_writing_in_one_scan_equals_writing_step_by_step(cell: str) -> None:
    made = CELLS[cell]
    recurrent = Recurrent([[made(2, H)]])  # type: ignore[call-arg]
    decoder = AttendingCell(made(3, H), None)  # type: ignore[call-arg]
    head = nn.Sequential(nn.Dropout(0.0), nn.Linear(H, 4))
    writer = Writer(nn.Identity(), recurrent, decoder, nn.Linear(2, 3), head).double()
    batch, first = Batch(torch.randn(B, T, 2, dtype=torch.float64)), torch.randn(B, 2, dtype=torch.float64)
    # The second and the fourth number are read back.
    assert (writer._self_fed(slice(1, None, 2)) is None) == (not issubclass(made, GatedCell) or cell in PROJECTS)
    answers = []
    for choose in (slice(1, None, 2), lambda said: said[:, 1::2]):
        prediction = writer.write(batch, first, Q, choose).prediction
        total = prediction.square().sum()
        grads = torch.autograd.grad(total, list(writer.parameters()), allow_unused=True, materialize_grads=True)
        answers.append([prediction, *grads])
    for one, other in zip(*answers, strict=True):
        same(one, other, "one scan", within=1e-10)


@needs_library
def test_writing_in_one_scan_is_not_for_every_decoder() -> None:
    head, one = nn.Sequential(nn.Dropout(0.5), nn.Linear(H, 2)), slice(0, None, 2)
    plain = Writer(nn.Identity(), Recurrent([[GRUCell(1, H)]]), AttendingCell(GRUCell(1, H), None), nn.Identity(), head)
    assert plain._self_fed(one) is None  # drops other units at every step
    assert plain.eval()._self_fed(one) is not None
    plain.recurrent.engine = "reference"
    assert plain._self_fed(one) is None  # what was asked for runs
    attending = AttendingCell(GRUCell(1, H), AdditiveAttention(H, H))
    assert Writer(nn.Identity(), plain.recurrent, attending, nn.Identity(), nn.Linear(H, 2))._self_fed(one) is None
    hooked = nn.Linear(H, 2)
    hooked.register_forward_hook(lambda *_: None)
    assert linear_layers(hooked) is None and linear_layers(type("Other", (nn.Linear,), {})(H, 2)) is None
    pruned = AttendingCell(GRUCell(1, H), None)
    prune.identity(pruned.cell, "weight_hh")
    assert Writer(nn.Identity(), plain.recurrent, pruned, nn.Identity(), nn.Linear(H, 2))._self_fed(one) is None
    curved = nn.Sequential(nn.Linear(H, 2), nn.Tanh())
    assert Writer(nn.Identity(), plain.recurrent, plain.decoder, nn.Identity(), curved)._self_fed(one) is None


@pytest.mark.parametrize("name", ["none", "additive"])
def test_a_pruned_decoder_uses_the_weights_of_the_moment(name: str) -> None:
    writer = make_writer(name, "gru")
    batch, previous = Batch(torch.randint(0, 8, (B, T))), torch.randint(0, 9, (B, Q))
    cell = writer.decoder.cell
    prune.l1_unstructured(cell, "weight_hh", 0.5)
    for _ in range(2):
        before = writer(batch, previous).prediction
        before.square().sum().backward()
    with torch.no_grad():
        cell.weight_hh_orig.add_(1.0)
    assert not torch.equal(writer(batch, previous).prediction, before)


@pytest.mark.parametrize("name", ["none", "additive", "monotonic", "multi_head"])
def test_writer_does_not_see_padding(name: str) -> None:
    writer = make_writer(name, "lstm_gru", both=True)
    batch = Batch(torch.randint(0, 8, (B, T)), mask=MASK)
    previous = torch.randint(0, 9, (B, Q))
    whole = writer(batch, previous)
    for row, length in enumerate(LENGTHS):
        alone = writer(Batch(batch.inputs[row : row + 1, :length]), previous[row : row + 1])
        same(whole.prediction[row], alone.prediction[0], f"row {row} without padding")
    assert whole.recurrence.outputs.shape == (B, T, 2 * H)


def test_writer_is_causal_in_what_it_is_given() -> None:
    writer = make_writer("additive", "gru")
    batch = Batch(torch.randint(0, 8, (B, T)))
    previous = torch.randint(0, 8, (B, Q))
    changed = previous.clone()
    changed[:, 2] += 1
    one, other = writer(batch, previous).prediction, writer(batch, changed).prediction
    assert torch.equal(one[:, :2], other[:, :2]) and not torch.equal(one[:, 2], other[:, 2])


@pytest.mark.parametrize("name", ["none", "additive", "multi_head", "local_m", "monotonic"])
@pytest.mark.parametrize("cell", ["gru", "lstm_gru", "parallel"])
def test_parallel_writer(name: str, cell: str) -> None:
    """Every query by itself: one step of the cell from the last state, one look, one sum."""
    encoder = Recurrent([[CELLS[cell](I, H)]]).double()  # type: ignore[call-arg]
    attention = None if name == "none" else make_attention(name)
    writer = ParallelWriter(encoder, CELLS[cell](3, H), attention).double().eval()  # type: ignore[call-arg]
    read = encoder(normal(B, T, I), mask=MASK)
    queries = normal(B, Q, 3)
    output = writer(queries, read, MASK)
    assert output.prediction.shape == (B, Q, H) and output.recurrence is read
    stepped = torch.stack(
        [writer.cell.step(writer.cell.project(queries[:, q]), read.states[0][0])[0] for q in range(Q)], 1
    )
    if attention is None:
        same(output.prediction, stepped, "without attention")
        assert output.weights is None
        return
    seen = attention(stepped, attention.project(read.outputs, MASK))
    combine = writer.combine
    added = seen.context @ combine.weight[:, :K].T + stepped @ combine.weight[:, K:].T + combine.bias
    same(output.prediction, stepped + added, "what was seen is added")
    same(output.weights, seen.weights, "weights")


def test_parallel_writer_drops_attention_in_training_only() -> None:
    encoder = Recurrent([[GRUCell(I, H)]])
    writer = ParallelWriter(encoder, GRUCell(3, H), AdditiveAttention(H, H), dropout=0.5)
    read, queries = encoder(torch.randn(B, T, I)), torch.randn(B, Q, 3)
    assert not torch.equal(writer(queries, read).prediction, writer(queries, read).prediction)
    writer.eval()
    assert torch.equal(writer(queries, read).prediction, writer(queries, read).prediction)


def test_models_can_be_copied_and_saved() -> None:
    writer = make_writer("location_aware", "parallel", both=True)
    batch, previous = Batch(torch.randint(0, 8, (B, T))), torch.randint(0, 9, (B, Q))
    expected = writer(batch, previous).prediction
    for twin in (copy.deepcopy(writer), pickle.loads(pickle.dumps(writer))):
        assert torch.equal(twin(batch, previous).prediction, expected)
    torch.manual_seed(5)
    fresh = make_writer("location_aware", "parallel", both=True)
    assert not torch.equal(fresh(batch, previous).prediction, expected)
    fresh.load_state_dict(writer.state_dict())
    assert torch.equal(fresh(batch, previous).prediction, expected)
