"""The namesakes give what their torch.nn namesakes give: values, gradients, weights and their names."""

import copy
import itertools
import pickle
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

from laws_cells import same
from recurra.errors import ConfigError
from recurra.nn import namesakes

B, T, I, H = 4, 6, 3, 5  # noqa: E741

PAIRS: dict[str, tuple[type[nn.Module], type[nn.Module], dict[str, Any]]] = {
    "rnn_tanh": (namesakes.RNN, nn.RNN, {}),
    "rnn_relu": (namesakes.RNN, nn.RNN, {"nonlinearity": "relu"}),
    "lstm": (namesakes.LSTM, nn.LSTM, {}),
    "gru": (namesakes.GRU, nn.GRU, {}),
}
SHAPES = [
    {"num_layers": layers, "bidirectional": both, "batch_first": first, "bias": bias}
    for layers, both, first, bias in itertools.product((1, 2), (False, True), (False, True), (True, False))
]


class Pair(NamedTuple):
    ours: nn.Module
    theirs: nn.Module


def make_pair(name: str, **options: Any) -> Pair:
    ours, theirs, extra = PAIRS[name]
    pair = Pair(ours(I, H, **extra, **options).double(), theirs(I, H, **extra, **options).double())
    pair.ours.load_state_dict(pair.theirs.state_dict(), strict=True)
    return pair


def parts(hx: Any) -> list[Tensor]:
    return [hx] if isinstance(hx, Tensor) else list(hx)


def state_for(name: str, layer: nn.Module, batch: int | None) -> Any:
    count = layer.num_layers * (2 if layer.bidirectional else 1)
    shape = (count, H) if batch is None else (count, batch, H)
    made = [torch.randn(shape, dtype=torch.float64) for _ in range(2 if name == "lstm" else 1)]
    return tuple(made) if name == "lstm" else made[0]


def all_of(layer: nn.Module, given: Any, hx: Any) -> Iterator[tuple[str, Tensor]]:
    """Outputs, states, and the gradients of a sum of them, by name."""
    packed = isinstance(given, PackedSequence)
    x = (given.data if packed else given).detach().clone().requires_grad_()
    leaves = [] if hx is None else [part.detach().clone().requires_grad_() for part in parts(hx)]
    again = None if hx is None else (tuple(leaves) if isinstance(hx, tuple) else leaves[0])
    outputs, last = layer(given._replace(data=x) if packed else x, again)
    values = outputs.data if packed else outputs
    yield "outputs", values
    for number, part in enumerate(parts(last)):
        yield f"last state {number}", part
    total = values.square().sum() + sum((n + 2) * part.sum() for n, part in enumerate(parts(last)))
    weights = dict(zip(layer.state_dict(), layer.parameters(), strict=True))
    named = {"x": x, **{f"hx {n}": leaf for n, leaf in enumerate(leaves)}, **weights}
    for name, gradient in zip(named, torch.autograd.grad(total, list(named.values())), strict=True):
        yield f"gradient of {name}", gradient


def equal(pair: Pair, given: Any, hx: Any = None) -> None:
    ours, theirs = list(all_of(pair.ours, given, hx)), list(all_of(pair.theirs, given, hx))
    assert [name for name, _ in ours] == [name for name, _ in theirs]
    for (name, one), (_, other) in zip(ours, theirs, strict=True):
        same(one, other, name, within=1e-10)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: "-".join(str(int(v)) for v in shape.values()))
@pytest.mark.parametrize("name", PAIRS)
def test_values_and_gradients(name: str, shape: dict[str, Any]) -> None:
    pair = make_pair(name, **shape)
    x = torch.randn(*((B, T) if shape["batch_first"] else (T, B)), I, dtype=torch.float64)
    equal(pair, x)
    equal(pair, x, state_for(name, pair.theirs, B))
    single = torch.randn(T, I, dtype=torch.float64)
    equal(pair, single)
    equal(pair, single, state_for(name, pair.theirs, None))


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("sorted_already", [False, True])
@pytest.mark.parametrize("name", PAIRS)
def test_packed(name: str, sorted_already: bool, both: bool, layers: int) -> None:
    pair = make_pair(name, bidirectional=both, num_layers=layers)
    lengths = torch.tensor([6, 4, 4, 1] if sorted_already else [4, 6, 1, 4])
    x = torch.randn(T, B, I, dtype=torch.float64)
    packed = pack_padded_sequence(x, lengths, enforce_sorted=sorted_already)
    ours, theirs = pair.ours(packed)[0], pair.theirs(packed)[0]
    assert isinstance(ours, PackedSequence)
    assert torch.equal(ours.batch_sizes, theirs.batch_sizes)
    for field in ("sorted_indices", "unsorted_indices"):
        one, other = getattr(ours, field), getattr(theirs, field)
        assert (one is None) == (other is None) == sorted_already
        assert one is None or torch.equal(one, other)
    equal(pair, packed)
    equal(pair, packed, state_for(name, pair.theirs, B))


def test_packed_shorter_than_the_padding() -> None:
    pair = make_pair("gru", batch_first=True)
    x = torch.randn(2, T, I, dtype=torch.float64)
    equal(pair, pack_padded_sequence(x, torch.tensor([3, 2]), batch_first=True))


@pytest.mark.parametrize("shape", SHAPES[:8:3], ids=lambda shape: "-".join(str(int(v)) for v in shape.values()))
@pytest.mark.parametrize("name", PAIRS)
def test_weights_have_the_names_of_torch(name: str, shape: dict[str, Any]) -> None:
    pair = make_pair(name, **shape)
    saved = pair.ours.state_dict()
    assert list(saved) == list(pair.theirs.state_dict()), "names and order"
    fresh = PAIRS[name][1](I, H, **PAIRS[name][2], **shape).double()
    fresh.load_state_dict(saved, strict=True)
    x = torch.randn(T, B, I, dtype=torch.float64).transpose(0, int(shape["batch_first"]))
    same(fresh(x)[0], pair.ours(x)[0], "torch with our weights", within=1e-10)
    again = PAIRS[name][0](I, H, **PAIRS[name][2], **shape).double()
    again.load_state_dict(saved, strict=True)
    same(again(x)[0], pair.ours(x)[0], "ours with our weights", within=0.0)


def test_strict_loading_says_what_is_wrong() -> None:
    layer = namesakes.GRU(I, H)
    good = layer.state_dict()
    short = {name: value for name, value in good.items() if name != "bias_ih_l0"}
    with pytest.raises(RuntimeError, match="bias_ih"):
        layer.load_state_dict(short)
    with pytest.raises(RuntimeError, match="surplus"):
        layer.load_state_dict({**good, "surplus": torch.zeros(1)})
    with pytest.raises(RuntimeError, match="size mismatch"):
        layer.load_state_dict(namesakes.GRU(I, H + 1).state_dict())


def test_inside_another_module() -> None:
    ours = nn.ModuleDict({"first": nn.Linear(2, I), "rnn": namesakes.LSTM(I, H, 2), "last": nn.Linear(H, 1)})
    theirs = nn.ModuleDict({"first": nn.Linear(2, I), "rnn": nn.LSTM(I, H, 2), "last": nn.Linear(H, 1)})
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict(theirs.state_dict(), strict=True)
    for name, value in ours.state_dict().items():
        assert torch.equal(value, theirs.state_dict()[name])


@pytest.mark.parametrize("name", [*PAIRS, "lstm_gru"])
def test_copies(name: str) -> None:
    options = PAIRS[name][2] if name in PAIRS else {}
    make = PAIRS[name][0] if name in PAIRS else namesakes.LSTMGRU
    layer = make(I, H, num_layers=2, bidirectional=True, **options)
    x = torch.randn(T, B, I)
    expected = layer(x)[0]
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert torch.equal(twin(x)[0], expected)
        assert list(twin.state_dict()) == list(layer.state_dict())
        with torch.no_grad():
            for parameter in twin.parameters():
                parameter.zero_()
        twin.load_state_dict(layer.state_dict(), strict=True)
        assert torch.equal(twin(x)[0], expected)
    assert torch.equal(layer(x)[0], expected), "the copy is on its own"


def test_number_types() -> None:
    layer = namesakes.GRU(I, H, dtype=torch.float64)
    assert {parameter.dtype for parameter in layer.parameters()} == {torch.float64}
    assert layer(torch.randn(T, B, I, dtype=torch.float64))[0].dtype == torch.float64
    layer.to(torch.float32)
    assert layer(torch.randn(T, B, I))[1].dtype == torch.float32
    assert next(namesakes.LSTM(I, H, device="meta").parameters()).is_meta


@pytest.mark.parametrize("name", PAIRS)
def test_dropout_between_layers_in_training_only(name: str) -> None:
    layer = PAIRS[name][0](I, H, num_layers=2, dropout=0.5, **PAIRS[name][2])
    x = torch.randn(T, B, I)
    assert not torch.equal(layer(x)[0], layer(x)[0])
    first, second = layer(x)[1], layer(x)[1]
    assert torch.equal(parts(first)[0][0], parts(second)[0][0]), "not before the first layer"
    assert not torch.equal(parts(first)[0][1], parts(second)[0][1])
    layer.eval()
    assert torch.equal(layer(x)[0], layer(x)[0])
    plain = PAIRS[name][0](I, H, num_layers=2, **PAIRS[name][2])
    plain.load_state_dict(layer.state_dict())
    assert torch.equal(layer(x)[0], plain(x)[0])


def test_lstmgru_is_used_as_lstm() -> None:
    ours = namesakes.LSTMGRU(I, H, num_layers=2, bidirectional=True, batch_first=True)
    theirs = nn.LSTM(I, H, num_layers=2, bidirectional=True, batch_first=True)
    assert {k: v.shape for k, v in ours.state_dict().items()} == {k: v.shape for k, v in theirs.state_dict().items()}
    for x, hx in (
        (torch.randn(B, T, I), None),
        (torch.randn(B, T, I), (torch.randn(4, B, H), torch.randn(4, B, H))),
        (torch.randn(T, I), (torch.randn(4, H), torch.randn(4, H))),
    ):
        (one, (h, c)), (other, (h_theirs, c_theirs)) = ours(x, hx), theirs(x, hx)
        assert one.shape == other.shape and h.shape == h_theirs.shape and c.shape == c_theirs.shape
        last = one[..., -1, :H]
        assert torch.allclose(h[2], last), "h of the last layer forwards is the last output"
    packed = pack_padded_sequence(torch.randn(B, T, I), torch.tensor([2, 6, 3, 1]), True, enforce_sorted=False)
    assert isinstance(ours(packed)[0], PackedSequence)


X = torch.zeros(T, B, I)
REFUSED: list[tuple[Any, str]] = [
    (lambda: namesakes.LSTM(I, H, proj_size=2), "proj_size is not supported"),
    (lambda: namesakes.GRU(0, H), "input_size must be greater than zero, and it is 0"),
    (lambda: namesakes.GRU(I, 0), "hidden_size must be greater than zero"),
    (lambda: namesakes.GRU(I, H, num_layers=0), "num_layers must be greater than zero"),
    (lambda: namesakes.RNN(I, H, nonlinearity="sigmoid"), "Unknown nonlinearity 'sigmoid'"),
    (lambda: namesakes.GRU(I, H)(torch.zeros(I)), "2 or 3 dimensions"),
    (lambda: namesakes.GRU(I, H)(torch.zeros(1, T, B, I)), "2 or 3 dimensions"),
    (lambda: namesakes.GRU(I, H)(torch.zeros(T, B, I + 1)), "4 features, but input_size is 3"),
    (
        lambda: namesakes.GRU(I, H)(pack_padded_sequence(torch.zeros(T, B, I + 1), torch.tensor([T] * B))),
        "4 features, but input_size is 3",
    ),
    (lambda: namesakes.GRU(I, H)(torch.zeros(0, B, I)), "no step to run over"),
    (
        lambda: namesakes.GRU(I, H)(torch.zeros(T, B, I), torch.zeros(2, B, H)),
        r"shape \(1, 4, 5\), but it has \(2,",
    ),
    (
        lambda: namesakes.GRU(I, H)(torch.zeros(T, I), torch.zeros(1, 1, H)),
        r"shape \(1, 5\), but it has \(1, 1, 5\)",
    ),
    (lambda: namesakes.LSTM(I, H)(X, torch.zeros(1, B, H)), r"must be a tuple \(h, c\)"),
    (lambda: namesakes.LSTM(I, H)(X, (torch.zeros(1, B, H),)), r"must be a tuple \(h, c\)"),
    (lambda: namesakes.GRU(I, H)(X, (torch.zeros(1, B, H),)), "must be one tensor h"),
]


@pytest.mark.parametrize(("call", "message"), REFUSED, ids=[message for _, message in REFUSED])
def test_refused(call: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        call()


def test_empty_batch() -> None:
    outputs, (h, c) = namesakes.LSTM(I, H)(torch.zeros(T, 0, I))
    assert outputs.shape == (T, 0, H) and h.shape == c.shape == (1, 0, H)


def test_shown() -> None:
    assert "3, 5, num_layers=2" in repr(namesakes.GRU(I, H, 2))


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # torch's own use of it
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")  # torch's own look at it
def test_packed_under_transforms_and_compilers() -> None:
    layer, packed = (
        namesakes.LSTM(I, H),
        pack_padded_sequence(torch.randn(T, B, I), torch.tensor([2, 6, 3, 1]), False, False),
    )
    weights = {name: weight.detach() for name, weight in layer.named_parameters()}

    def loss(weights: dict[str, torch.Tensor]) -> torch.Tensor:
        return torch.func.functional_call(layer, weights, (packed,))[0].data.square().sum()

    found = torch.func.grad(loss)(weights)
    layer(packed)[0].data.square().sum().backward()
    for name, weight in layer.named_parameters():
        assert torch.allclose(found[name], weight.grad, atol=1e-5), name
    compiled = torch.compile(lambda given: layer(given)[0].data, backend="eager")
    assert torch.allclose(compiled(packed), layer(packed)[0].data, atol=1e-6)
