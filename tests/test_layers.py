"""Stacks of cells, their directions and regularisers; embedding and pooling."""

import itertools
import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations, parametrize, prune

from laws_cells import same
from laws_native import HAS_LIBRARY, LINEAR, fastest
from recurra.attention import ATTENTIONS
from recurra.cells import CELLS, Cell, GRUCell, LSTMCell, LSTMGRUCell, ParallelCell, RNNCell, state_tensors
from recurra.errors import ConfigError
from recurra.nn.layers import Embed, Pool, Recurrence, Recurrent, Regularisers, SelfAttention, drop, join
from recurra.nn.scan import Plan, scan

B, T, I, H = 4, 7, 5, 6  # noqa: E741
LENGTHS = torch.tensor([7, 3, 5, 1])
MASK = torch.arange(T) < LENGTHS.unsqueeze(1)
LEARNING = [name for name, kind in CELLS.items() if list(kind(1, 1).parameters())]


def make_x(steps: int = T, width: int = I) -> Tensor:
    return torch.randn(B, steps, width, dtype=torch.float64)


def plain(cell: Cell, x: Tensor, reverse: bool = False, mask: Tensor | None = None) -> Tensor:
    return scan(cell, x, cell.initial(len(x)), Plan(mask, reverse), "reference").outputs


def test_a_stack_is_scan_after_scan() -> None:
    cells = [LSTMCell(I, H), GRUCell(H, 3), LSTMGRUCell(3, H)]
    stack = Recurrent([[cell] for cell in cells]).double()
    x = make_x()
    result = stack(x, mask=MASK)
    expected = x
    for cell in cells:
        expected = plain(cell, expected, mask=MASK)
    same(result.outputs, expected, "three layers")
    assert stack.cells() == cells and stack.directions == 1
    assert (stack.input_size, stack.output_size) == (I, H)
    assert [len(state) for (state,) in result.states] == [2, 1, 2]


def test_two_directions_are_two_scans_side_by_side() -> None:
    cells = [GRUCell(I, H), GRUCell(I, H), ParallelCell(2 * H, 3), ParallelCell(2 * H, 3)]
    stack = Recurrent([cells[:2], cells[2:]]).double()
    x = make_x()
    result = stack(x, mask=MASK)
    middle = torch.cat([plain(cells[0], x, False, MASK), plain(cells[1], x, True, MASK)], -1)
    same(result.outputs[..., :3], plain(cells[2], middle, False, MASK), "forwards")
    same(result.outputs[..., 3:], plain(cells[3], middle, True, MASK), "backwards")
    assert stack.directions == 2 and stack.output_size == 6
    ends = result.outputs[torch.arange(B), LENGTHS - 1, :3]
    same(result.states[1][0].h, ends, "the state forwards is after the last real step")
    same(result.states[1][1].h, result.outputs[:, 0, 3:], "backwards it is after the first")


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize(("directions", "layers"), [(1, 1), (1, 2), (2, 2)])
def test_padding_is_inert(name: str, directions: int, layers: int) -> None:
    width = H * directions  # of the input too, so that there is a residual round every layer
    made = [[CELLS[name](width, H) for _ in range(directions)] for _ in range(layers)]  # type: ignore[call-arg]
    stack = Recurrent(made, Regularisers(layer_norm=True, residual=True)).double().eval()
    with torch.no_grad():
        for norm in stack.norms:
            norm.bias.fill_(0.5)
    x = make_x(width=width)
    result = stack(x, mask=MASK)
    assert (result.outputs[~MASK] == 0).all()
    for row, length in enumerate(LENGTHS.tolist()):
        alone = stack(x[row : row + 1, :length])
        same(result.outputs[row, :length], alone.outputs[0], f"row {row}")
        for padded, bare in zip(join(result.states[-1])[row], join(alone.states[-1])[0], strict=True):
            same(padded, bare, f"last state of row {row}")


@pytest.mark.parametrize("name", CELLS)
def test_streaming(name: str) -> None:
    options = Regularisers(zoneout=0.2, layer_norm=True, residual=True, dropout=0.5, weight_drop=0.5)
    stack = Recurrent([[CELLS[name](I, I)], [CELLS[name](I, H)]], options).double().eval()  # type: ignore[call-arg]
    x = make_x()
    whole = stack(x)
    states = stack.initial(B)
    for t in range(T):
        output, states = stack.step(x[:, t], states)
        same(output, whole.outputs[:, t], f"step {t}")
    same(join(states[-1]), join(whole.states[-1]), "last state")


def test_states_carry_over() -> None:
    stack = Recurrent([[LSTMCell(I, H)], [GRUCell(H, H)]]).double()
    x = make_x()
    whole, first = stack(x), stack(x[:, :3])
    second = stack(x[:, 3:], first.states)
    same(torch.cat([first.outputs, second.outputs], 1), whole.outputs, "in two pieces")


@pytest.mark.parametrize("place", [0, 1])
def test_both_directions_do_not_stream(place: int) -> None:
    layers: list[list[Cell]] = [[GRUCell(I, I)], [GRUCell(I, I)]]
    layers[place].append(GRUCell(I, I))
    if place == 0:
        layers[1] = [GRUCell(2 * I, I)]
    stack = Recurrent(layers)
    with pytest.raises(ConfigError, match="cannot stream"):
        stack.step(torch.zeros(B, I), stack.initial(B))


def test_no_layer() -> None:
    with pytest.raises(ConfigError, match="at least one layer"):
        Recurrent([])


class OwnCell(LSTMCell):
    """A subclass may change the equation, so only the reference runs it."""


def test_engines_are_recorded() -> None:
    masked = "native" if HAS_LIBRARY else "reference"
    stack = Recurrent([[LSTMCell(I, H)], [LSTMGRUCell(H, H)]])
    x = torch.randn(B, T, I)
    assert stack(x).engines == stack.engines() == (fastest("lstm"), fastest("lstm_gru"))
    assert stack(x, mask=MASK).engines == stack.engines(mask=True) == (masked, masked)
    assert stack(x, record=True).engines == stack.engines(record=True) == ("reference", "reference")
    zoned = Recurrent([[LSTMCell(I, H)]], Regularisers(zoneout=0.1))
    assert zoned(x).engines == zoned.engines() == (masked,)
    mixed = Recurrent([[LSTMCell(I, H), OwnCell(I, H)]])
    assert mixed(x).engines == mixed.engines() == (f"{fastest('lstm')}+reference",)
    slow = Recurrent([[LSTMCell(I, H)]], engine="reference")
    assert slow(x).engines == slow.engines() == ("reference",)
    with pytest.raises(ConfigError, match="'torch' cannot run this"):
        Recurrent([[LSTMGRUCell(I, H)]], engine="torch")(x)


def test_gates_on_request() -> None:
    stack = Recurrent([[LSTMCell(I, H), LSTMCell(I, H)], [GRUCell(2 * H, 3)]])
    x = torch.randn(B, T, I)
    assert stack(x).gates is None and stack(x).inputs is None
    assert stack(x, record=True).inputs is x, "what the first layer read, not the last"
    gates = stack(x, record=True).gates
    assert [[set(one) for one in layer] for layer in gates] == [
        [{"input", "forget", "candidate", "output"}] * 2,
        [{"reset", "update", "candidate"}],
    ]
    assert gates[1][0]["update"].shape == (B, T, 3)


def test_truncation_in_the_stack() -> None:
    cells = [GRUCell(I, H), GRUCell(H, H)]
    x = make_x().requires_grad_()
    whole = Recurrent([[cell] for cell in cells]).double()
    cut = Recurrent([[cell] for cell in cells], truncate=3).double()
    same(cut(x).outputs, whole(x).outputs, "values")
    far = [torch.autograd.grad(stack(x).outputs[:, -1].sum(), x)[0] for stack in (whole, cut)]
    assert far[0][:, :6].any() and not far[1][:, :6].any() and far[1][:, 6:].any()


# Regularisers.


def test_layer_norm_between_layers() -> None:
    cells = [GRUCell(I, H), GRUCell(H, 3), LSTMCell(3, 2)]
    stack = Recurrent([[cell] for cell in cells], Regularisers(layer_norm=True)).double()
    assert len(stack.norms) == 2
    x = make_x()
    expected = plain(cells[0], x)
    for norm, cell in zip(stack.norms, cells[1:], strict=True):
        torch.nn.init.uniform_(norm.weight)
        torch.nn.init.uniform_(norm.bias)
        spread = (expected.var(-1, correction=0, keepdim=True) + norm.eps).sqrt()
        normed = (expected - expected.mean(-1, keepdim=True)) / spread * norm.weight + norm.bias
        expected = plain(cell, normed)
    same(stack(x).outputs, expected, "normed by hand")


def test_residual_where_widths_agree() -> None:
    cells = [GRUCell(I, H), RNNCell(H, H), GRUCell(H, H)]
    stack = Recurrent([[cell] for cell in cells], Regularisers(residual=True)).double()
    x = make_x()
    first = plain(cells[0], x, mask=MASK)
    second = first + plain(cells[1], first, mask=MASK)
    third = second + plain(cells[2], second, mask=MASK)
    same(stack(x, mask=MASK).outputs, third, "added where the widths agree")


def test_locked_dropout_drops_the_same_units_at_every_step() -> None:
    x = torch.ones(50, T, 8)
    dropped = drop(x, 0.25, training=True, locked=True)
    assert torch.equal(dropped, dropped[:, :1].expand_as(dropped)), "the same over time"
    assert len(dropped[:, 0].unique(dim=0)) > 10, "another mask for every sequence"
    assert torch.allclose(dropped.unique(), torch.tensor([0.0, 4 / 3])), "what stays is scaled up"
    assert 0.15 < float((dropped == 0).float().mean()) < 0.35
    free = drop(x, 0.25, training=True, locked=False)
    assert not torch.equal(free, free[:, :1].expand_as(free)), "another mask at every step"
    for rate, training in ((0.0, True), (0.25, False)):
        assert drop(x, rate, training, locked=True) is x


@pytest.mark.parametrize("locked", [True, False])
def test_dropout_stands_between_layers_only(locked: bool) -> None:
    stack = Recurrent([[GRUCell(I, H)], [GRUCell(H, H)]], Regularisers(dropout=0.5, locked=locked))
    x = torch.randn(B, T, I)
    first, second = stack(x), stack(x)
    assert torch.equal(first.states[0][0].h, second.states[0][0].h), "nothing is dropped before the first layer"
    assert not torch.equal(first.outputs, second.outputs)
    single = Recurrent([[GRUCell(I, H)]], Regularisers(dropout=0.5, locked=locked))
    assert torch.equal(single(x).outputs, single(x).outputs), "nor after the last"
    stack.eval()
    assert torch.equal(stack(x).outputs, stack(x).outputs)


@pytest.mark.parametrize("name", ["lstm", "lstm_gru", "parallel"])
def test_weight_drop(name: str) -> None:
    cell = CELLS[name](I, H)  # type: ignore[call-arg]
    stack = Recurrent([[cell]], Regularisers(weight_drop=0.5))
    x = torch.randn(1, 1, I)
    before = {key: value.detach().clone() for key, value in cell.named_parameters()}
    assert torch.equal(stack(x).outputs, stack(x).outputs), "from a state of zeros nothing recurrent is read"
    x = torch.randn(B, T, I)
    assert not torch.equal(stack(x).outputs, stack(x).outputs)
    stack(x).outputs.square().sum().backward()
    for key, parameter in cell.named_parameters():
        assert isinstance(parameter, nn.Parameter) and torch.equal(parameter, before[key]), f"{key} is untouched"
        assert parameter.grad is not None and parameter.grad.any(), f"no gradient reaches {key}"
        if key.endswith("weight_hh"):
            assert 0.3 < float((parameter.grad == 0).float().mean()) < 0.7, "dropped weights have no gradient"
        else:
            assert (parameter.grad == 0).float().mean() < 0.1, f"{key} is dropped too"
    stack.eval()
    same(stack(x).outputs, plain(cell, x), "off in evaluation", within=1e-6)


@pytest.mark.parametrize("name", LINEAR)
def test_weight_drop_finds_nothing_without_recurrent_weights(name: str) -> None:
    cell, x = CELLS[name](I, H), torch.randn(B, T, I)  # type: ignore[call-arg]
    same(Recurrent([[cell]], Regularisers(weight_drop=0.5))(x).outputs, plain(cell, x), "nothing to drop", within=1e-6)


def test_weight_drop_is_drawn_once_per_call() -> None:
    """The same weights at every step: a cell that only hands its state on shows them."""
    cell = CELLS["rnn_relu"](H, H, bias=False)  # type: ignore[call-arg]
    with torch.no_grad():
        cell.weight_ih.copy_(torch.eye(H))
        cell.weight_hh.copy_(torch.eye(H))
    stack = Recurrent([[cell]], Regularisers(weight_drop=0.5))
    outputs = stack(torch.ones(1, T, H)).outputs[0]
    kept = outputs[1] == 3.0  # 1 + 2 · 1
    assert kept.any() and not kept.all()
    steps = torch.tensor([2.0 ** (t + 1) - 1 for t in range(T)])
    assert torch.equal(outputs[:, kept], steps.unsqueeze(1).expand(-1, int(kept.sum())))
    assert (outputs[:, ~kept] == 1).all()


def test_zoneout() -> None:
    cell = LSTMCell(I, H).double()
    x = make_x(steps=1)
    stack = Recurrent([[cell]], Regularisers(zoneout=0.3)).double()
    ones = ((cell.initial(B)._replace(h=torch.ones(B, H).double(), c=torch.ones(B, H).double()),),)
    fresh = cell.step(cell.project(x[:, 0]), ones[0][0])
    stack.eval()
    after = stack(x, ones).states[0][0]
    for part, new in zip(state_tensors(after), state_tensors(fresh), strict=True):
        same(part, 0.3 + 0.7 * new, "evaluation takes the mean")
    stack.train()
    draws = torch.stack([stack(x, ones).states[0][0].c for _ in range(2000)])
    assert (((draws - 1).abs() < 1e-12) | ((draws - fresh.c).abs() < 1e-12)).all(), "old or new, nothing between"
    assert torch.allclose(draws.mean(0), after.c, atol=0.05), "the mean of training is evaluation"
    kept = torch.stack([state_tensors(stack(x, ones).states[0][0])[n] == 1 for n in range(2)])
    assert kept.any() and not kept.all()


# Pooling.


def make_recurrence(mask: Tensor | None, both: bool = False) -> Recurrence:
    return Recurrent([[GRUCell(I, H) for _ in range(1 + both)]]).double()(make_x(), mask=mask)


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_pool_by_hand(masked: bool, both: bool) -> None:
    mask = MASK if masked else None
    read = make_recurrence(mask, both)
    ends = LENGTHS.tolist() if masked else [T] * B
    for row, end in enumerate(ends):
        real = read.outputs[row, :end]
        last = torch.cat([real[-1, :H], real[0, H:]])
        for kind, expected in (("last", last), ("mean", real.mean(0)), ("max", real.max(0).values)):
            pooled = Pool(kind)(read, mask)
            same(pooled.summary[row], expected, f"{kind} of row {row}")
            assert pooled.weights is None


@pytest.mark.parametrize("kind", ["mean", "max"])
def test_pool_looks_at_the_mask_itself(kind: str) -> None:
    """Outputs that were made without a mask are not zero under it."""
    read = make_recurrence(None)
    pooled = Pool(kind)(read, MASK).summary
    for row, end in enumerate(LENGTHS.tolist()):
        real = read.outputs[row, :end]
        same(pooled[row], real.mean(0) if kind == "mean" else real.max(0).values, f"row {row}")


@pytest.mark.parametrize("kind", ["last", "mean", "max", "attention"])
def test_pool_of_nothing_is_zero(kind: str) -> None:
    mask = MASK.clone()
    mask[2] = False
    read = make_recurrence(mask)
    attention = ATTENTIONS["additive"](H, H).double() if kind == "attention" else None  # type: ignore[call-arg]
    pool = Pool(kind, attention, H if attention else 0).double()
    summary = pool(read, mask).summary
    assert (summary[2] == 0).all() and summary.isfinite().all()
    assert summary[0].any()


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("name", ["dot", "additive", "multi_head"])
def test_pool_by_attention(name: str, rows: int) -> None:
    options = {"heads": 2} if name == "multi_head" else {}
    attention = ATTENTIONS[name](H, H, **options)  # type: ignore[call-arg]
    pool = Pool("attention", attention, H, rows).double()
    read = make_recurrence(MASK)
    pooled = pool(read, MASK)
    assert pooled.weights is not None
    assert pooled.weights.shape == ((B, 2, rows, T) if name == "multi_head" else (B, rows, T))
    assert pooled.summary.shape == (B, pool.size(H)) == (B, rows * H)
    hidden = ~(MASK[:, None, None] if name == "multi_head" else MASK[:, None]).expand_as(pooled.weights)
    assert (pooled.weights[hidden] == 0).all()
    if name == "dot":
        for row, end in enumerate(LENGTHS.tolist()):
            real = read.outputs[row, :end]
            for look, query in enumerate(pool.query.view(rows, H)):
                weights = (real @ query).softmax(0)
                same(pooled.weights[row, look, :end], weights, "weights by hand")
                same(pooled.summary[row, look * H : (look + 1) * H], weights @ real, "summary by hand")
    pooled.summary.sum().backward()
    assert pool.query.grad is not None and pool.query.grad.any(), "the query is learned"


def test_rows_of_tanh_dot_are_the_self_attentive_pooling() -> None:
    """``A = softmax(W_2 tanh(W_1 H))``, ``M = A H`` by loops; with one row, additive whose query says nothing."""
    attention = ATTENTIONS["tanh_dot"](3, H)  # type: ignore[call-arg]
    pool, read = Pool("attention", attention, 3, rows=2).double(), make_recurrence(MASK)
    pooled = pool(read, MASK)
    first, second = attention.key.weight.tolist(), pool.query.tolist()
    for n, end in enumerate(LENGTHS.tolist()):
        states, summary = read.outputs[n, :end].tolist(), []
        for row in second:
            hidden = [[math.tanh(sum(w * h for w, h in zip(u, s, strict=True))) for u in first] for s in states]
            scores = [math.exp(sum(v * x for v, x in zip(row, one, strict=True))) for one in hidden]
            shares = [score / sum(scores) for score in scores]
            summary += [sum(a * s[unit] for a, s in zip(shares, states, strict=True)) for unit in range(H)]
        same(pooled.summary[n], torch.tensor(summary, dtype=torch.float64), f"row {n}", within=1e-12)

    single = Pool("attention", attention, 3).double()
    additive = ATTENTIONS["additive"](3, H, attention_size=3).double()  # type: ignore[call-arg]
    additive.load_state_dict(
        {
            "query.weight": torch.zeros(3, 3),
            "key.weight": attention.key.weight,
            "energy.weight": single.query.unsqueeze(0),
        }
    )
    one, other = single(read, MASK), Pool("attention", additive, 3).double()(read, MASK)
    same(one.weights, other.weights, "one row and additive with a constant query")
    same(one.summary, other.summary, "one row and additive with a constant query")


def test_dropped_looks_are_not_in_the_weights() -> None:
    attention = ATTENTIONS["additive"](H, H)  # type: ignore[call-arg]
    read = make_recurrence(None)
    plainly, dropping = Pool("attention", attention, H).double(), Pool("attention", attention, H, dropout=0.5).double()
    dropping.load_state_dict(plainly.state_dict())
    same(dropping(read).weights, plainly(read).weights, "the weights that come back")
    assert not torch.allclose(dropping(read).summary, plainly(read).summary), "dropout drops nothing"
    same(dropping.eval()(read).summary, plainly(read).summary, "in evaluation")


# Self-attention.


def seen_by_hand(name: str, states: Tensor, weights: dict[str, Tensor]) -> Tensor:
    """The contexts of every state by torch alone, of one sequence (1, T, H)."""
    if name == "scaled_dot":
        return F.scaled_dot_product_attention(states, states, states)
    theirs = nn.MultiheadAttention(H, 2, batch_first=True).double()
    parts = ("query", "key", "value")
    theirs.in_proj_weight.data = torch.cat([weights[f"{part}.weight"] for part in parts])
    theirs.in_proj_bias.data = torch.cat([weights[f"{part}.bias"] for part in parts])
    theirs.out_proj.load_state_dict({"weight": weights["out.weight"], "bias": weights["out.bias"]})
    return theirs(states, states, states)[0]


@pytest.mark.parametrize("name", ["scaled_dot", "multi_head"])
def test_self_attention_is_that_of_torch(name: str) -> None:
    attention = ATTENTIONS[name](H, H, **({"heads": 2} if name == "multi_head" else {}))  # type: ignore[call-arg]
    among, states = SelfAttention(attention, H).double(), make_x(width=H)
    after, weights = among(states, MASK)
    for row, end in enumerate(LENGTHS.tolist()):
        real = states[row : row + 1, :end]
        expected = real + seen_by_hand(name, real, attention.state_dict()) @ among.out.weight.T
        same(after[row : row + 1, :end], expected, f"row {row}", within=1e-12)
        assert (after[row, end:] == 0).all()
    assert weights.shape == ((B, 2, T, T) if name == "multi_head" else (B, T, T))
    same(weights.sum(-1), (MASK[:, None].expand(B, 2, T) if name == "multi_head" else MASK).double(), "the sums")


@pytest.mark.parametrize("name", ATTENTIONS)
def test_self_attention_by_any(name: str) -> None:
    """Padding is inert, nothing stands at masked steps, and every state has a part in every other's, if it may."""
    attention = ATTENTIONS[name](H, H, **({"heads": 2} if name.endswith("multi_head") else {}))  # type: ignore[call-arg]
    among = SelfAttention(attention, H).double()
    states = make_x(width=H).requires_grad_()
    after, weights = among(states, MASK)
    assert (after[~MASK] == 0).all() and after.shape == states.shape
    both = MASK.unsqueeze(1) & MASK.unsqueeze(2)
    assert (weights[~(both if weights.dim() == 3 else both.unsqueeze(1)).expand_as(weights)] == 0).all()
    for row, end in enumerate(LENGTHS.tolist()):
        alone, own = among(states[row : row + 1, :end])
        same(after[row, :end], alone[0], f"row {row}")
        same(weights[row, ..., :end, :end], own[0], f"weights of row {row}")
    (after - states)[0, 0].sum().backward()
    assert states.grad is not None and (states.grad[0, -1] != 0).any() and not states.grad[~MASK].any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("first",), "Unknown pooling 'first'. Choose one of: last, mean, max, attention."),
        (("attention",), "needs an attention and the size of its query"),
        (("attention", ATTENTIONS["additive"](H, H)), "needs an attention and the size"),  # type: ignore[call-arg]
        (("attention", ATTENTIONS["additive"](H, H), H, 0), "rows must be at least 1, but got 0"),  # type: ignore[call-arg]
    ],
)
def test_pool_refuses(arguments: tuple[object, ...], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Pool(*arguments)  # type: ignore[arg-type]


# Embedding.


def test_embed() -> None:
    symbols = Embed(4, symbols=10)
    assert torch.equal(symbols(torch.tensor([[3, 9]])), symbols.table.weight[[3, 9]].unsqueeze(0))
    vectors = Embed(4, input_size=2)
    x = torch.randn(3, T, 2)
    assert torch.allclose(vectors(x), x @ vectors.table.weight.T + vectors.table.bias)
    for wrong in ({}, {"symbols": 3, "input_size": 2}):
        with pytest.raises(ConfigError, match="either symbols or vectors"):
            Embed(4, **wrong)


def test_join_puts_all_tensors_side_by_side() -> None:
    states = [ParallelCell(I, 2).initial(B), GRUCell(I, 3).initial(B)]
    assert join(states).shape == (B, 4 * 2 + 3)


@pytest.mark.parametrize(("name", "both"), list(itertools.product(CELLS, [False, True])))
def test_empty_batch(name: str, both: bool) -> None:
    stack = Recurrent([[CELLS[name](I, H) for _ in range(1 + both)]])  # type: ignore[call-arg]
    read = stack(torch.zeros(0, T, I))
    assert read.outputs.shape == (0, T, H * (1 + both))
    for kind in ("last", "mean", "max"):
        assert Pool(kind)(read).summary.shape == (0, H * (1 + both))


# What torch hooks onto cells.


def hidden_weights(stack: Recurrent) -> list[tuple[nn.Module, str]]:
    """The modules of the first cell that have recurrent weights of their own."""
    return [(part, "weight_hh") for part in stack.cells()[0].modules() if part._parameters.get("weight_hh") is not None]


RECURRENT = [name for name in LEARNING if name not in LINEAR]  # what has recurrent weights that learn


HOOKED: dict[str, tuple[Callable[[nn.Module, str], object], str]] = {
    "prune": (lambda part, name: prune.l1_unstructured(part, name, 0.3), "weight_hh_orig"),
    "weight_norm": (parametrizations.weight_norm, "parametrizations.weight_hh.original1"),
    "old spectral_norm": (nn.utils.spectral_norm, "weight_hh_orig"),
}


@pytest.mark.parametrize("engine", ["auto", "reference"])
@pytest.mark.parametrize("how", HOOKED)
@pytest.mark.parametrize("name", RECURRENT)
def test_pruned_and_normed_cells(name: str, how: str, engine: str) -> None:
    apply, source = HOOKED[how]
    make = CELLS[name]
    for number in range(len(hidden_weights(Recurrent([[make(I, H)]])))):  # type: ignore[call-arg]
        stack = Recurrent([[make(I, H), make(I, H)]], engine=engine)  # type: ignore[call-arg]
        part, weight = hidden_weights(stack)[number]
        apply(part, weight)
        stack.double()
        leaf, x = part.get_parameter(source), make_x()
        for _ in range(2):  # a stale weight would be part of a graph that is gone
            stack(x).outputs.square().sum().backward()
        assert leaf.grad is not None and leaf.grad.any()
        stack.eval()
        before = stack(x).outputs
        with torch.no_grad():
            leaf.copy_(torch.randn_like(leaf))
        result = stack(x)
        assert not torch.equal(before, result.outputs), "the old weight is still in use"
        expected = fastest(name) if engine == "auto" else engine
        assert result.engines == stack.engines() == (expected,), "hooks do not slow it down"
        same(stack(x, record=True).outputs, result.outputs, "recorded", within=1e-10)


@pytest.mark.parametrize("how", HOOKED)
@pytest.mark.parametrize("name", RECURRENT)
def test_weight_drop_of_pruned_and_normed_cells(name: str, how: str) -> None:
    stack = Recurrent([[CELLS[name](I, H)]], Regularisers(weight_drop=0.5)).double()  # type: ignore[call-arg]
    for part, weight in hidden_weights(stack):
        HOOKED[how][0](part, weight)
    x = make_x()
    assert not torch.equal(stack(x).outputs, stack(x).outputs)
    stack(x).outputs.sum().backward()
    stack.eval()
    assert torch.equal(stack(x).outputs, stack(x).outputs)


class Counted(nn.Module):
    """A parametrisation that counts."""

    calls = 0

    def forward(self, weight: Tensor) -> Tensor:
        self.calls += 1
        return 2.0 * weight


@pytest.mark.parametrize("engine", ["auto", "reference"])
@pytest.mark.parametrize("name", RECURRENT)
def test_a_parametrised_weight_is_computed_once_per_scan(name: str, engine: str) -> None:
    stack = Recurrent([[CELLS[name](I, H)]], engine=engine)  # type: ignore[call-arg]
    ((part, weight), *_), counted = hidden_weights(stack), Counted()
    parametrize.register_parametrization(part, weight, counted)
    counted.calls = 0
    outputs = stack(torch.randn(B, T, I)).outputs
    assert counted.calls == 1 and outputs.requires_grad


@pytest.mark.parametrize("name", CELLS)
def test_hooks_of_cells_run_once_per_scan(name: str) -> None:
    make, seen = CELLS[name], []
    stack = Recurrent([[make(I, H), make(I, H)], [make(2 * H, H)]], truncate=3).double()  # type: ignore[call-arg]
    for number, cell in enumerate(stack.cells()):
        cell.register_forward_pre_hook(lambda _, given, n=number: seen.append((n, given[0].shape)))
        cell.register_forward_hook(lambda _, __, done, n=number: seen.append((n, done.outputs.shape)))
        cell.register_full_backward_hook(lambda *_, n=number: seen.append((n, "back")))
    stack(make_x().requires_grad_(), mask=MASK).outputs.sum().backward()
    forward = [(n, shape) for n, wide in enumerate((I, I, 2 * H)) for shape in ((B, T, wide), (B, T, H))]
    assert seen[:6] == forward and sorted(seen[6:]) == [(n, "back") for n in range(3)]


def test_hooks_of_the_parts_of_a_cell() -> None:
    cell, seen = ParallelCell(I, H), []
    cell.lstm.register_forward_pre_hook(lambda *_: seen.append("lstm"))
    cell.gru.register_forward_pre_hook(lambda *_: seen.append("gru"))
    Recurrent([[cell]])(torch.randn(B, T, I))
    assert seen == ["lstm", "gru"]
    cell.gru.register_forward_hook(lambda *_: None)
    with pytest.raises(ConfigError, match="register the forward hook on the ParallelCell"):
        Recurrent([[cell]])(torch.randn(B, T, I))


@pytest.mark.parametrize("name", CELLS)
def test_a_cell_is_not_called_by_itself(name: str) -> None:
    with pytest.raises(ConfigError, match=r"one step is cell\.step\(cell\.project\(x\), state\)"):
        CELLS[name](I, H)(torch.zeros(B, I))  # type: ignore[call-arg]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("name", CELLS)
def test_cells_of_any_default_dtype(name: str, dtype: torch.dtype) -> None:
    torch.set_default_dtype(dtype)
    try:
        stack = Recurrent([[CELLS[name](I, H)]])  # type: ignore[call-arg]
        outputs = stack(torch.randn(B, T, I), mask=MASK).outputs
    finally:
        torch.set_default_dtype(torch.float32)
    assert outputs.dtype is dtype and outputs.isfinite().all()
    for part, weight in hidden_weights(stack):
        assert getattr(part, weight).dtype is dtype and getattr(part, weight).any()
