"""What torch asks of its own recurrent layers in its own tests, asked of ours: written anew from what it documents.

Everything is compared with the layer of torch.nn that has the same weights. What is refused stands at the end.
Shapes: B batch, T steps, I inputs, H hidden units.
"""

import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pack_sequence, pad_packed_sequence

import recurra

KINDS = ("RNN", "LSTM", "GRU")
every_kind = pytest.mark.parametrize("kind", KINDS)


class Sample(NamedTuple):
    """How to make a layer, and what it reads."""

    made: dict[str, Any]
    given: tuple[Any, ...]

    def both(self, kind: str) -> tuple[Any, Any]:
        ours = getattr(recurra, kind)(**self.made).double()
        theirs = getattr(nn, kind)(**self.made).double()
        theirs.load_state_dict(ours.state_dict())
        return ours, theirs


def numbers(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64)


def state(kind: str, *shape: int) -> Any:
    return (numbers(*shape), numbers(*shape)) if kind == "LSTM" else numbers(*shape)


def samples(kind: str) -> Iterator[Sample]:
    """Two layers of all settings: one sequence, a batch, with and without a first state, packed."""
    for bias, first, both in itertools.product((False, True), repeat=3):
        for nonlinearity in ("relu", "tanh") if kind == "RNN" else ("",):
            made = {"input_size": 2, "num_layers": 2, "bias": bias, "batch_first": first, "bidirectional": both}
            made |= {"nonlinearity": nonlinearity} if nonlinearity else {}
            rows = 4 if both else 2
            yield Sample({**made, "hidden_size": 2}, (numbers(3, 2),))
            yield Sample({**made, "hidden_size": 3}, (numbers(3, 2), state(kind, rows, 3)))
            yield Sample({**made, "hidden_size": 3}, (numbers(4, 4, 2), state(kind, rows, 4, 3)))
            packed = pack_padded_sequence(numbers(5, 3, 2), torch.tensor([5, 3, 2]))
            yield Sample({**made, "hidden_size": 2}, (packed,))


def flat(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, PackedSequence):
        return [value.data]
    return [part for one in value for part in flat(one)]


def close(ours: Any, theirs: Any) -> None:
    for one, other in zip(flat(ours), flat(theirs), strict=True):
        assert one.shape == other.shape and one.dtype == other.dtype
        assert torch.allclose(one, other, atol=1e-9), float((one - other).abs().max())


def gradients(layer: nn.Module, given: tuple[Any, ...]) -> list[Tensor]:
    total = sum(((n + 1.0) * part).square().sum() for n, part in enumerate(flat(layer(*given))))
    return list(torch.autograd.grad(total, list(layer.parameters())))


@every_kind
def test_forward_and_backward(kind: str) -> None:
    for sample in samples(kind):
        ours, theirs = sample.both(kind)
        for layer in (ours, theirs):
            layer.train()
        close(ours(*sample.given), theirs(*sample.given))
        close(gradients(ours, sample.given), gradients(theirs, sample.given))


@every_kind
def test_one_sequence_is_a_batch_of_one(kind: str) -> None:
    for sample in samples(kind):
        x, *rest = sample.given
        if isinstance(x, PackedSequence) or x.dim() == 3:
            continue
        ours, _ = sample.both(kind)
        batch = 0 if ours.batch_first else 1
        begun = tuple(
            tuple(part.unsqueeze(1) for part in one) if isinstance(one, tuple) else one.unsqueeze(1) for one in rest
        )
        outputs, last = ours(x.unsqueeze(batch), *begun)
        close(ours(*sample.given), [outputs.squeeze(batch), *(part.squeeze(1) for part in flat(last))])


@every_kind
def test_first_and_second_derivatives(kind: str) -> None:
    for sample in list(samples(kind))[1::11]:
        if isinstance(sample.given[0], PackedSequence):
            continue
        ours, _ = sample.both(kind)
        names = [name for name, _ in ours.named_parameters()]
        leaves = [part.detach().clone().requires_grad_() for part in (*flat(sample.given), *ours.parameters())]
        count = len(flat(sample.given))

        def call(*tensors: Tensor, layer: Any = ours, names: Any = names, count: int = count) -> tuple[Tensor, ...]:
            x, *begun = tensors[:count]
            hx = (tuple(begun) if kind == "LSTM" else begun[0]) if begun else None
            weights = dict(zip(names, tensors[count:], strict=True))
            return tuple(flat(torch.func.functional_call(layer, weights, (x, hx))))

        assert torch.autograd.gradcheck(call, leaves, fast_mode=True)
        assert torch.autograd.gradgradcheck(call, leaves, fast_mode=True)


@every_kind
def test_tensors_that_are_not_contiguous(kind: str) -> None:
    def loose(value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(loose(part) for part in value)
        return torch.repeat_interleave(value, 2, dim=-1)[..., ::2]

    for sample in samples(kind):
        if isinstance(sample.given[0], PackedSequence):
            continue
        ours, theirs = sample.both(kind)
        given = tuple(loose(part) for part in sample.given)
        assert not given[0].is_contiguous()
        close(ours(*given), theirs(*sample.given))
        close(gradients(ours, given), gradients(theirs, sample.given))


@every_kind
def test_device_and_dtype_of_what_is_made(kind: str) -> None:
    for sample, dtype in itertools.product(samples(kind), (torch.float32, torch.float64)):
        layer = getattr(recurra, kind)(**sample.made, dtype=dtype, device="cpu")
        assert {(part.dtype, part.device.type) for part in layer.parameters()} == {(dtype, "cpu")}
        with torch.device("meta"):
            assert all(part.is_meta for part in getattr(recurra, kind)(**sample.made).parameters())
            here = getattr(recurra, kind)(**sample.made, device="cpu")
        assert not any(part.is_meta for part in here.parameters())
        assert str(layer) == str(getattr(nn, kind)(**sample.made))
        moved = layer.to(torch.float64).to("meta").to_empty(device="cpu")
        moved.load_state_dict(sample.both(kind)[1].state_dict())


@every_kind
def test_training_and_evaluation_differ_by_dropout_alone(kind: str) -> None:
    for sample in samples(kind):
        ours, theirs = sample.both(kind)
        close(ours.train()(*sample.given), ours.eval()(*sample.given))
        dropping = getattr(recurra, kind)(**sample.made, dropout=0.5).double()
        dropping.load_state_dict(ours.state_dict())
        close(dropping.eval()(*sample.given), theirs(*sample.given))


def test_the_nonlinearity() -> None:
    assert recurra.RNN(1, 10).nonlinearity == "tanh" and recurra.RNN(1, 10).mode == "RNN_TANH"
    assert recurra.RNN(1, 10, 1, "relu").nonlinearity == recurra.RNN(1, 10, nonlinearity="relu").nonlinearity == "relu"
    with pytest.raises(ValueError, match="Unknown nonlinearity"):
        recurra.RNN(1, 10, nonlinearity="garbage")


@every_kind
def test_dropout_of_all_and_of_nothing(kind: str) -> None:
    x = numbers(4, 3, 5)
    for share, together in itertools.product((0, 1, 0.5), (False, True)):
        layer = getattr(recurra, kind)(5, 6, 3, dropout=share, bidirectional=together).double()
        outputs = layer(x)[0]
        assert outputs.isfinite().all()
        if share == 1:  # the last layer reads nothing but zeros
            assert torch.allclose(outputs[:, 0], outputs[:, 1])
        outputs.sum().backward()


@every_kind
def test_sequences_of_many_lengths(kind: str) -> None:
    ours, theirs = Sample({"input_size": 2, "hidden_size": 3, "num_layers": 2, "bidirectional": True}, ()).both(kind)
    rows = [numbers(length, 2) for length in (2, 5, 1, 5, 3)]
    packed = pack_sequence(rows, enforce_sorted=False)
    begun = state(kind, 4, 5, 3)
    close(ours(packed, begun), theirs(packed, begun))
    outputs, lengths = pad_packed_sequence(ours(packed)[0])
    assert lengths.tolist() == [2, 5, 1, 5, 3]
    for number, row in enumerate(rows):
        close(ours(row)[0], outputs[: len(row), number])


@every_kind
def test_a_batch_of_none(kind: str) -> None:
    ours, theirs = Sample({"input_size": 3, "hidden_size": 4}, ()).both(kind)
    for layer in (ours, theirs):
        outputs = layer(torch.zeros(5, 0, 3, dtype=torch.float64))[0]
        assert outputs.shape == (5, 0, 4)
        outputs.sum().backward()
    close([part.grad for part in ours.parameters()], [part.grad for part in theirs.parameters()])


@every_kind
def test_a_graph_that_is_kept_gives_the_same_again(kind: str) -> None:
    ours, _ = Sample({"input_size": 3, "hidden_size": 4, "num_layers": 2}, ()).both(kind)
    total = ours(numbers(4, 2, 3))[0].sum()
    first = torch.autograd.grad(total, list(ours.parameters()), retain_graph=True)
    close(first, torch.autograd.grad(total, list(ours.parameters())))


@every_kind
def test_weights_shared_with_another_layer(kind: str) -> None:
    ours, _ = Sample({"input_size": 3, "hidden_size": 4}, ()).both(kind)
    other = getattr(recurra, kind)(3, 4).double()
    for name, part in ours.named_parameters():
        setattr(other, name, part)
    x = numbers(4, 2, 3)
    close(other(x), ours(x))
    optimiser = torch.optim.SGD(ours.parameters(), lr=0.1)
    other(x)[0].square().sum().backward()
    optimiser.step()
    close(other(x), ours(x))


@every_kind
def test_a_step_of_an_optimiser_is_the_step_of_torch(kind: str) -> None:
    ours, theirs = Sample({"input_size": 3, "hidden_size": 4, "num_layers": 2, "bidirectional": True}, ()).both(kind)
    x = numbers(4, 2, 3)
    for layer in (ours, theirs):
        groups = [
            {"params": [part for name, part in layer.named_parameters() if name.startswith(kindred)], "lr": rate}
            for kindred, rate in (("bias", 0.1), ("weight", 0.01))
        ]
        optimiser = torch.optim.Adam(groups)
        for _ in range(3):
            optimiser.zero_grad()
            layer(x)[0].square().sum().backward()
            nn.utils.clip_grad_norm_(layer.parameters(), 1.0)
            optimiser.step()
    close(list(ours.parameters()), list(theirs.parameters()))


# What torch refuses, and how: a program that catches what torch raises catches what we raise.

MADE: list[tuple[type[Exception], dict[str, Any], str]] = [
    (ValueError, {"hidden_size": 0}, "hidden_size must be greater than zero"),
    (ValueError, {"hidden_size": -1}, "hidden_size must be greater than zero"),
    (ValueError, {"input_size": 0}, "input_size must be greater than zero"),
    (ValueError, {"num_layers": 0}, "num_layers must be greater than zero"),
    (TypeError, {"hidden_size": 2.5}, "hidden_size should be of type int, got: float"),
    (TypeError, {"input_size": "3"}, "input_size should be of type int, got: str"),
    (TypeError, {"num_layers": 1.5}, "num_layers should be of type int"),
    *[
        (TypeError, {flag: value}, f"{flag} should be of type bool, got: {type(value).__name__}")
        for flag, value in itertools.product(("bias", "batch_first"), (0, 1, "True"))
    ],
    (ValueError, {"dropout": 1.5}, "dropout should be a number in"),
    (ValueError, {"dropout": True}, "dropout should be a number in"),
    (ValueError, {"dropout": "a lot"}, "dropout should be a number in"),
    (ValueError, {"proj_size": -1}, "proj_size"),
    (TypeError, {"size": 3}, "size"),
]


@pytest.mark.parametrize("case", MADE, ids=lambda case: str(case[1]))
@every_kind
def test_arguments_that_are_refused(kind: str, case: tuple[type[Exception], dict[str, Any], str]) -> None:
    expected, changed, message = case
    made = {"input_size": 3, "hidden_size": 5} | changed
    with pytest.raises(Exception) as theirs:
        getattr(nn, kind)(**made)
    assert isinstance(theirs.value, (TypeError, ValueError))
    with pytest.raises(expected, match=message):
        getattr(recurra, kind)(**made)


@every_kind
def test_dropout_of_one_layer_warns(kind: str) -> None:
    for module in (nn, recurra):
        with pytest.warns(UserWarning, match="non-zero dropout expects num_layers greater than 1"):
            getattr(module, kind)(3, 5, dropout=0.5)


@pytest.mark.parametrize("batch_first", [False, True])
@every_kind
def test_shapes_that_are_refused(kind: str, batch_first: bool) -> None:
    both = [getattr(module, kind)(3, 5, 2, batch_first=batch_first) for module in (recurra, nn)]
    good, begun = torch.zeros(4, 4, 3), [torch.zeros(2, 4, 5)] * (2 if kind == "LSTM" else 1)
    wrong_states = [(3, 4, 5), (2, 3, 5), (2, 4, 6), (2, 4), (1, 2, 4, 5)]
    cases: list[tuple[Any, ...]] = [(torch.zeros(4, 4, 2),), (torch.zeros(3),), (torch.zeros(1, 1, 4, 3),)]
    for place, shape in itertools.product(range(len(begun)), wrong_states):
        parts = [*begun[:place], torch.zeros(shape), *begun[place + 1 :]]
        cases.append((good, tuple(parts) if kind == "LSTM" else parts[0]))
    cases.append((torch.zeros(4, 3), tuple(begun) if kind == "LSTM" else begun[0]))
    for layer, given in itertools.product(both, cases):
        with pytest.raises((RuntimeError, ValueError)):
            layer(*given)
    for given in cases:
        with pytest.raises(RuntimeError) as refused:
            both[0](*given)
        assert isinstance(refused.value, recurra.ConfigError)


@every_kind
def test_an_input_of_another_type(kind: str) -> None:
    for dtype, other in ((torch.float32, torch.float64), (torch.float64, torch.float32), (torch.float32, torch.int64)):
        ours, theirs = (getattr(module, kind)(3, 5, dtype=dtype) for module in (recurra, nn))
        for given in (torch.zeros(2, 4, 3), torch.zeros(2, 3), pack_sequence([torch.zeros(2, 3)])):
            with pytest.raises((ValueError, RuntimeError)):
                theirs(given.to(other))
            with pytest.raises(ValueError, match=r"convert model: model\.to\(torch.*\)"):
                ours(given.to(other))


@every_kind
def test_what_is_no_tensor(kind: str) -> None:
    layer = getattr(recurra, kind)(3, 5)
    for given in ([[0.0] * 3], None, torch.zeros(2, 3).numpy()):
        with pytest.raises(recurra.ConfigError, match="must be a tensor or a PackedSequence, and this is"):
            layer(given)
    for begun in (3, [1, 2], {"h": torch.zeros(1, 5)}, "zero"):
        with pytest.raises(recurra.ConfigError, match=f"The state of {kind} must be"):
            layer(torch.zeros(2, 3), begun)


def test_projections_are_refused() -> None:
    for kind in KINDS:
        with pytest.raises(recurra.ConfigError, match="proj_size is not supported"):
            getattr(recurra, kind)(3, 5, proj_size=2)


@every_kind
def test_what_subclasses_of_torchs_layers_call(kind: str) -> None:
    layer, x = getattr(recurra, kind)(3, 5, 2, bidirectional=True), torch.zeros(4, 2, 3)
    begun = [torch.randn(layer.get_expected_hidden_size(x, None)) for _ in range(2 if kind == "LSTM" else 1)]
    hx = tuple(begun) if kind == "LSTM" else begun[0]
    layer.check_input(x, None)
    layer.check_forward_args(x, hx, None)
    swapped = layer.permute_hidden(hx, torch.tensor([1, 0]))
    close([part.flip(1) for part in flat(swapped)], hx)
    assert [id(part) for part in layer._flat_weights] == [id(part) for part in layer.parameters()]
