"""What is done to a layer of torch.nn can be done to ours: its weights are its own, and a call reads them as they are.

Shapes: B batch, T steps, I inputs, H hidden units.
"""

import copy
import inspect
import io
import itertools
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from onnx.reference import ReferenceEvaluator
from torch import Tensor, nn
from torch.func import functional_call, grad, stack_module_state, vmap
from torch.nn.utils import parametrizations, parametrize, prune

import recurra
from recurra.errors import ConfigError
from recurra.nn.stepper import Stepper

T, B, I, H = 4, 2, 3, 5  # noqa: E741
TWINS = {"RNN": nn.RNN, "LSTM": nn.LSTM, "GRU": nn.GRU, "LSTMGRU": nn.LSTM}  # of the last, only the names are the same
SHAPES = [
    {"num_layers": layers, "bidirectional": both, "bias": bias}
    for layers, both, bias in itertools.product((1, 2), (False, True), (True, False))
]

every_layer = pytest.mark.parametrize("name", TWINS)
every_shape = pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: "-".join(str(int(v)) for v in shape.values()))
# torch's own words about what it will drop one day.
old_norms = pytest.mark.filterwarnings("ignore:`torch.nn.utils.weight_norm` is deprecated:FutureWarning")
quiet = pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")


def ours(name: str, **options: Any) -> Any:
    return getattr(recurra, name)(I, H, **options)


def twins(name: str, shape: dict[str, Any]) -> list[Any]:
    """Our layer, and but for the fused one that of torch with the same weights."""
    layer = ours(name, **shape)
    if name == "LSTMGRU":
        return [layer]
    twin = TWINS[name](I, H, **shape)
    twin.load_state_dict(layer.state_dict())
    return [layer, twin]


def x_of(*shape: int) -> Tensor:
    return torch.randn(shape or (T, B, I), generator=torch.Generator().manual_seed(0))


def answer(layer: nn.Module, *args: Any) -> Tensor:
    with torch.no_grad():
        return layer(*(args or (x_of(),)))[0].clone()  # type: ignore[no-any-return]


def alike(answers: list[Tensor]) -> None:
    for one in answers[1:]:
        assert torch.allclose(one, answers[0], atol=1e-5), float((one - answers[0]).abs().max())


def names_of(layer: nn.Module) -> list[str]:
    return [name for name, _ in layer.named_parameters()]


# The parameters.


@every_shape
@every_layer
def test_the_parameters_are_the_layers_own(name: str, shape: dict[str, Any]) -> None:
    layer, twin = ours(name, **shape), TWINS[name](I, H, **shape)
    assert isinstance(layer, nn.RNNBase)
    assert names_of(layer) == list(layer.state_dict()) == names_of(twin)
    assert [part.shape for part in layer.parameters()] == [part.shape for part in twin.parameters()]
    assert [one for one, _ in layer.named_modules()] == [""] and not list(layer.buffers())
    rows = [[own.shape for own in row] for row in twin.all_weights]
    assert [[own.shape for own in row] for row in layer.all_weights] == rows
    assert all(getattr(layer, one) is dict(layer.named_parameters())[one] for one in names_of(layer))
    kept = ("input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout", "bidirectional", "proj_size")
    assert [getattr(layer, one) for one in kept] == [getattr(twin, one) for one in kept]
    assert repr(layer) == repr(twin).replace(type(twin).__name__, name, 1)
    assert layer.mode == {"LSTMGRU": "LSTM_GRU"}.get(name, twin.mode)
    layer.flatten_parameters()


@every_shape
@every_layer
def test_what_is_assigned_is_used(name: str, shape: dict[str, Any]) -> None:
    for weight in names_of(ours(name, **shape)):
        layers = twins(name, shape)
        before = answer(layers[0])
        fresh = nn.Parameter(torch.randn_like(getattr(layers[0], weight)))
        for layer in layers:
            held = layer.recurrent.cells() if layer is layers[0] else []
            setattr(layer, weight, fresh)
            assert layer.state_dict()[weight].equal(fresh) and getattr(layer, weight) is fresh
            assert any(part is fresh for part in layer.parameters()), "an optimiser finds it"
            assert len(held) == 0 or any(
                part is fresh for cell in layer.recurrent.cells() for part in cell.parameters()
            ), "so does who looks into the cells"
        after = [answer(layer) for layer in layers]
        alike(after)
        assert not torch.equal(after[0], before), f"{weight} is not used"
        layers[0](x_of())[0].square().sum().backward()
        assert fresh.grad is not None and fresh.grad.any()
        with pytest.raises(ConfigError, match=f"{weight} must have shape"):
            setattr(layers[0], weight, nn.Parameter(torch.zeros(2, 2)))


@every_layer
def test_tied_and_missing_weights(name: str) -> None:
    one, other = ours(name), ours(name)
    one.weight_hh_l0 = other.weight_hh_l0
    assert len({id(part) for part in (*one.parameters(), *other.parameters())}) == 7
    before = answer(one)
    with torch.no_grad():
        other.weight_hh_l0.mul_(-1.0)
    assert not torch.equal(answer(one), before)
    one.weight_hh_l0 = None
    for attempt in (lambda: one(x_of()), one.recurrent.cells):
        with pytest.raises(ConfigError, match="weight_hh_l0 is missing"):
            attempt()
    with pytest.raises(TypeError, match="cannot assign"):
        other.weight_hh_l0 = torch.zeros(other.weight_hh_l0.shape)


@every_shape
@every_layer
def test_functional_call(name: str, shape: dict[str, Any]) -> None:
    layers = twins(name, shape)
    other = ours(name, **shape)
    given = {key: value.detach() for key, value in other.named_parameters()}
    before = answer(layers[0])
    alike([answer(other), *(functional_call(layer, given, (x_of(),), strict=True)[0] for layer in layers)])
    assert torch.equal(answer(layers[0]), before), "only for the time of the call"
    loss = grad(lambda weights: functional_call(layers[0], weights, (x_of(),))[0].square().sum())
    found = loss(given)
    other(x_of())[0].square().sum().backward()
    for key, part in other.named_parameters():
        assert torch.allclose(found[key], part.grad, atol=1e-4), key


@quiet
@every_layer
def test_an_ensemble_in_one_call(name: str) -> None:
    layers = [ours(name, num_layers=2, bidirectional=True) for _ in range(3)]
    weights, _ = stack_module_state(layers)
    bare = copy.deepcopy(layers[0]).to("meta")
    x = x_of()
    together = vmap(lambda given: functional_call(bare, given, (x,))[0])(weights)
    alike([together, torch.stack([answer(layer) for layer in layers])])
    given = {key: value.detach() for key, value in layers[0].named_parameters()}
    loss = grad(lambda weights, x: functional_call(layers[0], weights, (x,))[0].square().sum())
    apart = vmap(loss, in_dims=(None, 1))(given, x)  # the gradient of each sequence
    layers[0](x)[0].square().sum().backward()
    for key, part in layers[0].named_parameters():
        assert torch.allclose(apart[key].sum(0), part.grad, atol=1e-4), key


# What torch hooks onto weights.

Norm = Callable[[nn.Module, str], Any]
NORMS: dict[str, tuple[Norm, str]] = {  # and the name of what is trained then
    "weight_norm": (parametrizations.weight_norm, "parametrizations.{}.original1"),
    "old weight_norm": (nn.utils.weight_norm, "{}_v"),  # type: ignore[dict-item]
    "spectral_norm": (
        lambda layer, name: parametrizations.spectral_norm(layer, name, 5),
        "parametrizations.{}.original",
    ),
    "old spectral_norm": (nn.utils.spectral_norm, "{}_orig"),  # type: ignore[dict-item]
    "orthogonal": (parametrizations.orthogonal, "parametrizations.{}.original"),
    "prune": (lambda layer, name: prune.l1_unstructured(layer, name, 0.5), "{}_orig"),
    "prune rows": (lambda layer, name: prune.ln_structured(layer, name, 0.5, 2, 0), "{}_orig"),
    "prune twice": (
        lambda layer, name: (prune.l1_unstructured(layer, name, 0.3), prune.random_unstructured(layer, name, 0.3)),
        "{}_orig",
    ),
}


@old_norms
@every_shape
@pytest.mark.parametrize("norm", NORMS)
@every_layer
def test_norms_and_pruning(name: str, norm: str, shape: dict[str, Any]) -> None:
    apply, source = NORMS[norm]
    weight = [one for one in names_of(ours(name, **shape)) if one.startswith("weight_hh")][-1]
    found = []
    # A norm that is refined whenever it is asked for depends on how often that is.
    for layer in twins(name, shape)[: 1 if norm == "spectral_norm" else 2]:
        torch.manual_seed(0)  # some draw
        apply(layer, weight)
        layer.train()
        leaf = layer.get_parameter(source.format(weight))
        for _ in range(2):  # a stale weight would be part of a graph that is gone
            layer.zero_grad()
            layer(x_of())[0].square().sum().backward()
        assert leaf.grad is not None and leaf.grad.any()
        layer.eval()
        before = answer(layer)
        with torch.no_grad():
            leaf.copy_(torch.randn(leaf.shape, generator=torch.Generator().manual_seed(1)))
        after = answer(layer)
        assert not torch.equal(before, after), "the old weight is still in use"
        found.append([before, after, leaf.grad])
        assert getattr(layer, weight).shape == leaf.shape
    for parts in zip(*found, strict=True):
        alike(list(parts))


@old_norms
@every_layer
def test_norms_and_pruning_can_be_undone(name: str) -> None:
    for apply, undo in (
        (parametrizations.weight_norm, parametrize.remove_parametrizations),
        (nn.utils.weight_norm, nn.utils.remove_weight_norm),
        (nn.utils.spectral_norm, nn.utils.remove_spectral_norm),
        (NORMS["prune"][0], prune.remove),
    ):
        layer = ours(name)
        kept = sorted(names_of(layer))
        apply(layer, "weight_hh_l0")
        with pytest.raises(ConfigError, match="weight_hh_l0 is no parameter of its own at the moment"):
            layer.reset_parameters()
        layer(x_of())
        undo(layer, "weight_hh_l0")  # type: ignore[operator]
        assert sorted(names_of(layer)) == kept and sum(isinstance(w, nn.Parameter) for w in layer._flat_weights) == 4
        first = answer(layer)
        layer.reset_parameters()
        assert not torch.equal(answer(layer), first)


class Counted(nn.Module):
    """A parametrisation that draws, as dropped weights do."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, weight: Tensor) -> Tensor:
        self.calls += 1
        return weight * torch.bernoulli(torch.full_like(weight, 0.5))


@pytest.mark.parametrize("engine", ["auto", "reference"])
@every_layer
def test_a_parametrised_weight_is_computed_once_per_call(name: str, engine: str) -> None:
    layer, drawn = ours(name), Counted()
    layer.recurrent.engine = engine
    parametrize.register_parametrization(layer, "weight_hh_l0", drawn)
    drawn.calls = 0
    first, second = answer(layer), answer(layer)
    assert drawn.calls == 2 and not torch.equal(first, second)
    with parametrize.cached():
        assert torch.equal(answer(layer), answer(layer))


@every_layer
def test_pruned_layers_change_their_type_and_are_copied(name: str) -> None:
    layer = ours(name)
    prune.l1_unstructured(layer, "weight_hh_l0", 0.5)
    layer.double()
    assert answer(layer, x_of().double()).dtype == torch.float64
    other = ours(name)
    prune.identity(other, "weight_hh_l0")
    other.double().load_state_dict(layer.state_dict())
    assert torch.equal(answer(other, x_of().double()), answer(layer, x_of().double()))
    normed = ours(name)
    parametrizations.weight_norm(normed, "weight_hh_l0")
    assert torch.equal(answer(copy.deepcopy(normed)), answer(normed))


# The cells inside.

CHANGES: dict[str, Callable[[Any], Any]] = {
    "prune": lambda cell: prune.l1_unstructured(cell, "weight_hh", 0.2),
    "prune some": lambda cell: prune.global_unstructured([(cell, "weight_hh")], prune.L1Unstructured, amount=0.2),
    "old weight_norm": lambda cell: nn.utils.weight_norm(cell, "weight_hh"),
    "old spectral_norm": lambda cell: nn.utils.spectral_norm(cell, "weight_hh"),
    "weight_norm": lambda cell: parametrizations.weight_norm(cell, "weight_hh"),
    "assign": lambda cell: setattr(cell, "weight_hh", nn.Parameter(cell.weight_hh.detach())),
    "delete": lambda cell: delattr(cell, "weight_hh"),
    "nothing": lambda cell: setattr(cell, "weight_hh", None),
}


@old_norms
@pytest.mark.parametrize("change", CHANGES)
@every_layer
def test_the_cells_cannot_be_given_other_weights(name: str, change: str) -> None:
    layer = ours(name, num_layers=2, bidirectional=True)
    before = answer(layer)
    cell = layer.recurrent.cells()[-1]
    with pytest.raises(ConfigError, match="belongs to a layer, as 'weight_hh_l1_reverse': assign, prune or param"):
        CHANGES[change](cell)
    for add in (lambda: cell.register_buffer("mask", torch.ones(1)), lambda: cell.add_module("part", nn.Identity())):
        with pytest.raises(ConfigError, match="This cell has the weights of a layer"):
            add()
    assert torch.equal(answer(layer), before) and names_of(layer) == names_of(TWINS[name](I, H, 2, bidirectional=True))
    with torch.no_grad():
        cell.weight_hh.zero_()
    assert not layer.weight_hh_l1_reverse.any(), "numbers can be changed through a cell"
    own = copy.deepcopy(cell)  # a cell by itself
    CHANGES[change](own)
    assert cell.weight_hh is layer.weight_hh_l1_reverse


@every_shape
@every_layer
def test_hooks_of_the_cells_run(name: str, shape: dict[str, Any]) -> None:
    layer, seen = ours(name, **shape), []
    directions = 1 + shape["bidirectional"]
    for number in range(directions * shape["num_layers"]):
        cell = layer.recurrent.cells()[number]
        cell.register_forward_pre_hook(lambda *_, n=number: seen.append(("before", n)))
        cell.register_forward_hook(lambda *_, n=number: seen.append(("after", n)))
    handle = layer.recurrent.cells()[0].register_full_backward_hook(lambda *_: seen.append(("back", 0)))
    layer(x_of().requires_grad_())[0].sum().backward()
    order = [(when, n) for n in range(directions * shape["num_layers"]) for when in ("before", "after")]
    assert seen == [*order, ("back", 0)]
    handle.remove()
    seen.clear()
    copy.deepcopy(layer)(x_of())[0].sum().backward()
    assert seen == order


def ours_with(layer: Any) -> Any:
    """A layer like this one, without its hooks."""
    other = ours(type(layer).__name__, bidirectional=layer.bidirectional)
    other.load_state_dict(layer.state_dict())
    return other


def test_a_hook_can_change_what_a_cell_reads_and_gives() -> None:
    layer = ours("GRU", bidirectional=True)
    whole = answer(layer)
    layer.recurrent.cells()[1].register_forward_pre_hook(lambda _, given: (2.0 * given[0], *given[1:]))
    assert torch.equal(answer(layer)[..., :H], whole[..., :H])
    alike([answer(layer)[..., H:], answer(ours_with(layer), 2.0 * x_of())[..., H:]])
    layer.recurrent.cells()[0].register_forward_hook(lambda _, __, done: done._replace(outputs=done.outputs * 0.0))
    assert not answer(layer)[..., :H].any()


@every_shape
@every_layer
def test_the_stack_inside(name: str, shape: dict[str, Any]) -> None:
    layer = ours(name, **shape, batch_first=True)
    inside, x = layer.recurrent, x_of(B, T, I)
    result = inside(x, mask=torch.ones(B, T, dtype=torch.bool), record=True)
    assert torch.allclose(result.outputs, answer(layer, x), atol=1e-6) and len(result.gates) == shape["num_layers"]
    inside.engine, inside.truncate = "reference", 2
    assert layer.recurrent.engines() == layer.recurrent(x).engines == ("reference",) * shape["num_layers"]
    assert layer.recurrent.truncate == 2 and inside.output_size == H * (1 + shape["bidirectional"])
    alike([answer(layer, x), result.outputs.detach()])
    assert list(inside.parameters()) == list(layer.parameters()) and inside.input_size == I
    with pytest.raises(ConfigError, match="regularisers cannot be set on the stack inside a layer"):
        inside.regularisers = None
    assert copy.deepcopy(inside).cells()[0].weight_hh is not layer.weight_hh_l0
    if not shape["bidirectional"]:
        states = inside.initial(B)
        for t in range(T):
            output, states = inside.step(x[:, t], states)
            assert torch.allclose(output, result.outputs[:, t], atol=1e-5)


@every_layer
def test_a_stepper_takes_the_weights_of_the_moment(name: str) -> None:
    layer = ours(name)
    prune.l1_unstructured(layer, "weight_hh_l0", 0.5)
    with torch.no_grad():
        layer.weight_hh_l0_orig.add_(1.0)
    layer(x_of())
    stepper = Stepper(layer.recurrent.cells()[0])
    x = x_of(T, 1, I)
    alike([answer(layer, x), torch.stack([stepper.step(one).clone() for one in x])])


# Settings that torch reads at every call.


@every_layer
def test_dropout_and_batch_first_can_be_assigned(name: str) -> None:
    layer = ours(name, num_layers=2, dropout=0.9)
    assert not torch.equal(answer(layer), answer(layer))
    layer.dropout = 0.0
    assert torch.equal(answer(layer), answer(layer))
    layer.dropout = 0.5
    assert not torch.equal(answer(layer), answer(layer))
    layer.eval()
    before = answer(layer)
    layer.batch_first = True
    assert torch.equal(answer(layer, x_of().transpose(0, 1)).transpose(0, 1), before)
    for wrong in (2.0, -0.1, "a half", None, True):
        with pytest.raises(ConfigError, match="dropout should be a number in the range"):
            layer.dropout = wrong


FIXED = {"num_layers": 3, "hidden_size": 6, "input_size": 4, "bias": False, "bidirectional": True, "proj_size": 1}


@pytest.mark.parametrize("setting", [*FIXED, "mode"])
@every_layer
def test_what_decides_the_weights_cannot(name: str, setting: str) -> None:
    layer = ours(name)
    before = answer(layer)
    with pytest.raises(ConfigError, match=f"{setting} decides the shape of the weights and cannot be changed"):
        setattr(layer, setting, FIXED.get(setting, "RNN_RELU"))
    setattr(layer, setting, getattr(layer, setting))
    assert torch.equal(answer(layer), before)


# Copies, traces, graphs.


def copies(layer: nn.Module) -> Iterator[nn.Module]:
    yield copy.deepcopy(layer)
    yield pickle.loads(pickle.dumps(layer))
    file = io.BytesIO()
    torch.save(layer, file)
    file.seek(0)
    yield torch.load(file, weights_only=False)


@every_shape
@every_layer
def test_copies_are_whole_and_apart(name: str, shape: dict[str, Any]) -> None:
    layer = ours(name, **shape)
    expected = answer(layer)
    for twin in copies(layer):
        assert torch.equal(answer(twin), expected) and names_of(twin) == names_of(layer)
        with torch.no_grad():
            for part in twin.parameters():
                part.zero_()
        assert not answer(twin).any() and torch.equal(answer(layer), expected)
        with pytest.raises(ConfigError, match="belongs to a layer"):
            prune.l1_unstructured(twin.recurrent.cells()[0], "weight_hh", 0.5)  # type: ignore[union-attr]
    assert copy.copy(layer).weight_hh_l0 is layer.weight_hh_l0


@quiet
@pytest.mark.parametrize("gradients", [False, True])
@every_shape
@every_layer
def test_traces_pass_the_check_of_torch(name: str, shape: dict[str, Any], gradients: bool) -> None:
    layer = ours(name, **shape)
    state = layer(x_of())[1]
    state = tuple(part.detach() for part in state) if isinstance(state, tuple) else state.detach()
    for given in ((x_of(),), (x_of(), state), (x_of(T, I),)):
        with torch.set_grad_enabled(gradients):
            traced = torch.jit.trace(layer, given)
        longer = x_of(7, *given[0].shape[1:])
        alike([answer(traced, longer, *given[1:]), answer(layer, longer, *given[1:])])
        assert sorted(name for name, _ in traced.named_parameters()) == sorted(names_of(layer))
        traced(longer, *given[1:])[0].sum().backward()


class Net(nn.Module):
    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer, self.head = layer, nn.Linear(H, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.layer(x)[0])  # type: ignore[no-any-return]


@quiet
@every_layer
def test_scripts_and_graphs(name: str) -> None:
    net = Net(ours(name))
    expected = net(x_of())
    graph = torch.fx.symbolic_trace(net)
    assert [node.op for node in graph.graph.nodes if node.target == "layer"] == ["call_module"]
    assert torch.equal(graph(x_of()), expected)
    if name == "LSTMGRU":
        with pytest.raises(ConfigError, match=r"torch\.jit\.script cannot read LSTMGRU: use torch\.jit\.trace"):
            torch.jit.script(net)
        return
    scripted = torch.jit.script(copy.deepcopy(net))
    alike([scripted(x_of()).detach(), expected.detach()])
    assert dict(scripted.named_parameters()).keys() == dict(net.named_parameters()).keys()
    prune.l1_unstructured(net.layer, "weight_hh_l0", 0.5)
    with pytest.raises(ConfigError, match=r"undo what prunes, norms or parametrises it before torch\.jit\.script"):
        torch.jit.script(net)


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
@pytest.mark.parametrize("change", ["nothing", "prune", "weight_norm"])
def test_compiled_and_exported_with_what_is_hooked_on(change: str) -> None:
    torch.compiler.reset()
    layer = ours("LSTM", num_layers=2, bidirectional=True)
    if change != "nothing":
        NORMS[change][0](layer, "weight_hh_l0")
    compiled = torch.compile(layer, backend="eager", fullgraph=change != "prune")
    alike([answer(compiled), answer(layer)])
    if change == "nothing":
        program = torch.export.export(layer, (x_of(),))
        alike([program.module()(x_of())[0].detach(), answer(layer)])
        assert list(program.state_dict) == names_of(layer)


@every_layer
def test_a_subclass_and_more_parameters(name: str) -> None:
    class Scaled(getattr(recurra, name)):  # type: ignore[misc]
        """A layer with something of its own."""

        def __init__(self, **options: Any) -> None:
            super().__init__(input_size=I, hidden_size=H, **options)
            self.scale = nn.Parameter(torch.zeros(1))

        def forward(self, input: Tensor, hx: Any = None) -> Any:
            outputs, last = super().forward(input, hx)
            return outputs * self.scale, last

    layer = Scaled(bidirectional=True)
    assert not answer(layer).any() and names_of(layer)[-1] == "scale" and layer.recurrent.cells()


# Types of numbers, and where they lie.


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@every_shape
@every_layer
def test_any_default_dtype(name: str, shape: dict[str, Any], dtype: torch.dtype) -> None:
    torch.set_default_dtype(dtype)
    try:
        layers = [ours(name, **shape)]
        x = torch.randn(T, B, I)
        answers = [answer(layers[0], x)]
    finally:
        torch.set_default_dtype(torch.float32)
    layers += [ours(name, **shape, dtype=dtype), ours(name, **shape).to(dtype)]
    for layer in layers:
        assert {part.dtype for part in layer.parameters()} == {dtype}
        assert all(part.isfinite().all() for part in layer.parameters())
        assert layer.weight_hh_l0.any() and answer(layer, x).dtype is dtype is answers[0].dtype
        with pytest.raises(ConfigError, match="does not match weight dtype"):
            layer(x_of().to(torch.complex64))


@every_shape
@every_layer
def test_weights_that_are_not_drawn(name: str, shape: dict[str, Any]) -> None:
    with torch.device("meta"):
        layer = ours(name, **shape)
    for one in (layer, ours(name, **shape, device="meta")):
        assert all(part.is_meta for part in one.parameters())
        assert one(x_of().to("meta"))[0].shape == (T, B, H * (1 + shape["bidirectional"]))
    layer.to_empty(device="cpu").reset_parameters()
    assert answer(layer).isfinite().all()
    loaded = ours(name, **shape, device="meta")
    loaded.load_state_dict(layer.state_dict(), assign=True)
    assert torch.equal(answer(loaded), answer(layer))
    skipped = nn.utils.skip_init(getattr(recurra, name), I, H, **shape)
    assert skipped.weight_hh_l0.device.type == "cpu"


@every_layer
def test_made_and_called_without_gradients(name: str) -> None:
    with torch.no_grad():
        layer = ours(name)
    assert all(part.requires_grad for part in layer.parameters())
    with torch.inference_mode():
        assert layer(x_of())[0].is_inference()
        ours(name)(x_of())
    layer.requires_grad_(False)
    assert not layer(x_of())[0].requires_grad
    layer.weight_hh_l0.requires_grad_()
    layer(x_of())[0].sum().backward()
    assert [key for key, part in layer.named_parameters() if part.grad is not None] == ["weight_hh_l0"]
    layer.share_memory()
    assert all(part.is_shared() for part in layer.parameters()) and answer(layer).isfinite().all()


# What help() says.


@every_layer
def test_help_teaches(name: str) -> None:
    text = getattr(recurra, name).__doc__
    options = inspect.signature(getattr(recurra, name).__init__).parameters
    for word in (*list(options)[1:], "weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "h' = ", "tanh(", "ConfigError"):
        assert word in text, f"help(recurra.{name}) says nothing of {word}"
    for row in list(recurra.LSTMGRU(I, H).recurrent.cells()[0].state_dict()):
        assert row in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the exporter, on its own doings
@every_layer
def test_a_layer_goes_to_onnx_and_computes_there_what_it_does_here(name: str, tmp_path: Path) -> None:
    layer = getattr(recurra, name)(3, 5, num_layers=2, bidirectional=True, batch_first=True).eval()
    layer.recurrent.engine = "reference"
    x = torch.randn(2, 7, 3)
    torch.onnx.export(layer, (x,), str(tmp_path / "layer.onnx"), dynamo=True, verbose=False)
    read = ReferenceEvaluator(str(tmp_path / "layer.onnx"))
    outputs = read.run(None, {read.input_names[0]: x.numpy()})
    torch.testing.assert_close(torch.from_numpy(outputs[0]), layer(x)[0].detach(), atol=1e-6, rtol=1e-5)
