"""From names to objects: what is built is what was named, and what nothing uses is refused."""

import dataclasses
import inspect
from typing import Any

import pytest
import torch
from torch import nn

from networks import seeded
from recurra.attention import ATTENTIONS, AdditiveAttention, DotAttention
from recurra.cells import CELLS, GRUCell, LSTMCell
from recurra.data.batch import Batch
from recurra.errors import ConfigError
from recurra.nn.attending import AttendingCell
from recurra.nn.build import (
    ATTENTION_OPTIONS,
    attention_options,
    cell_names,
    make_attention,
    make_cell,
    make_recurrent,
    refuse_unused,
    unused,
)
from recurra.nn.heads import AbsoluteHead, HuberHead, QuantileHead, SquaredHead, make_head
from recurra.nn.layers import Recurrent
from recurra.nn.models import ParallelWriter
from recurra.settings import Config, ModelSettings
from recurra.settings import make_config as make_any_config
from recurra.settings.model import ATTENTION_NAMES, CELL_NAMES
from recurra.tasks.forecast.kind import KIND
from recurra.tasks.forecast.layout import Layout
from recurra.tasks.forecast.network import SegmentCore, VanillaCore
from recurra.tasks.forecast.settings import PARTS

LAYOUT = Layout(lookback=12, horizon=4, segment=3, season=1, cycle=False, channels=1, series=1, missing=False)
STEPWISE = dataclasses.replace(LAYOUT, segment=1)


def make_config(settings: dict[str, Any]) -> Config:
    return make_any_config(PARTS, settings)


def network(layout: Layout = LAYOUT, **settings: Any) -> nn.Module:
    return seeded({"hidden_size": 8, "heads": 2} | settings, layout)[0]


def only(model: nn.Module, kind: type) -> Any:
    (found,) = [module for module in model.modules() if isinstance(module, kind)]
    return found


@pytest.mark.parametrize("name", CELL_NAMES)
@pytest.mark.parametrize("decoder", ["segment", "vanilla"])
def test_every_cell_is_the_one_named(name: str, decoder: str) -> None:
    model = network(LAYOUT if decoder == "segment" else STEPWISE, cell=name, decoder=decoder)
    stack = only(model, Recurrent)
    assert [type(cell) for cell in stack.cells()] == [type(CELLS[name](1, 1))]
    if name == "reservoir":  # it is read out without a decoder
        assert model.readout.in_features == stack.cells()[0].hidden_size + 1 == 9
        return
    written = only(model, ParallelWriter if decoder == "segment" else AttendingCell)
    assert type(written.cell) is type(CELLS[name](1, 1))
    assert written.cell.hidden_size == stack.cells()[0].hidden_size == 8


@pytest.mark.parametrize("name", ATTENTION_NAMES)
def test_every_attention_is_the_one_named(name: str) -> None:
    writer = only(network(attention=name), ParallelWriter)
    made = getattr(writer.attention, "content", writer.attention)  # inside of what knows the lags, where it scores
    assert type(made) is (type(None) if name == "none" else ATTENTIONS[name])


@pytest.mark.parametrize("name", ATTENTION_NAMES)
def test_attention_options_are_those_of_the_signature(name: str) -> None:
    options = attention_options(name)
    accepted = () if name == "none" else inspect.signature(ATTENTIONS[name]).parameters
    assert options == tuple(option for option in ATTENTION_OPTIONS if option in accepted)


def test_attention_options_by_hand() -> None:
    assert attention_options("none") == ()
    assert attention_options("dot") == ("normaliser",)
    assert attention_options("multi_head") == ("heads", "normaliser")
    assert attention_options("additive") == ("attention_size", "normaliser")
    assert attention_options("local_m") == ("window",)
    assert {option for name in ATTENTION_NAMES for option in attention_options(name)} == set(ATTENTION_OPTIONS)


def test_attention_options_arrive() -> None:
    settings = ModelSettings(attention="multi_head", heads=2, normaliser="sparsemax")
    made = make_attention(settings, 8, 8)
    assert made is not None
    seen = made(torch.randn(1, 1, 8), made.project(50 * torch.randn(1, 6, 8)))
    assert seen.weights.shape == (1, 2, 1, 6) and (seen.weights == 0).any(), "two heads, and sparse"
    local = make_attention(ModelSettings(attention="local_m", window=1), 8, 8)
    assert local is not None
    row = local(torch.randn(1, 1, 8), local.project(torch.randn(1, 20, 8))).weights
    assert (row > 0).sum() <= 3, "the window reaches one step to either side"
    wide = make_attention(ModelSettings(attention="additive", attention_size=5), 8, 8)
    assert wide is not None and {5} <= {size for p in wide.parameters() for size in p.shape}


def test_stacks() -> None:
    assert cell_names(ModelSettings(cell="gru", num_layers=3)) == ("gru",) * 3
    assert cell_names(ModelSettings(cell=("lstm", "gru"))) == ("lstm", "gru")
    assert cell_names(ModelSettings(cell=("lstm", "gru"), num_layers=2)) == ("lstm", "gru")
    with pytest.raises(ConfigError, match="cell= names 2 layers, but num_layers=3"):
        cell_names(ModelSettings(cell=("lstm", "gru"), num_layers=3))
    stack = make_recurrent(ModelSettings(cell=("lstm", "gru"), hidden_size=8, bidirectional=True), 3)
    assert [type(cell).__name__ for cell in stack.cells()] == ["LSTMCell", "LSTMCell", "GRUCell", "GRUCell"]
    assert [cell.input_size for cell in stack.cells()] == [3, 3, 16, 16] and stack.output_size == 16


def test_regularisers_arrive() -> None:
    given = {"dropout": 0.1, "weight_drop": 0.2, "zoneout": 0.3, "layer_norm": True, "residual": True, "locked": False}
    model = network(num_layers=2, truncate=5, engine="reference", **given)
    stack = only(model, Recurrent)
    assert {name: getattr(stack.regularisers, name) for name in given} == given
    assert (stack.truncate, stack.engine) == (5, "reference")


def test_chrono_changes_the_first_biases() -> None:
    plain, patient = (network(cell="lstm", chrono=steps) for steps in (0, 50))
    for of in (lambda model: only(model, Recurrent).cells()[0], lambda model: only(model, ParallelWriter).cell):
        _first_biases(of(plain), of(patient))


def _first_biases(plain: Any, patient: Any) -> None:
    assert torch.equal((plain.bias_ih + plain.bias_hh)[8:16], torch.ones(8))
    read, kept = (patient.bias_ih + patient.bias_hh)[:8], (patient.bias_ih + patient.bias_hh)[8:16]
    assert torch.allclose(read, -kept) and kept.unique().numel() == 8
    assert kept.min() >= 0 and kept.max() <= torch.tensor(49.0).log(), "Tallec & Ollivier 2018: log of 1 to T - 1"


@pytest.mark.parametrize(
    ("loss", "kind", "numbers"),
    [
        ("quantile", QuantileHead, 5),
        ("absolute", AbsoluteHead, 1),
        ("squared", SquaredHead, 1),
        ("huber", HuberHead, 1),
    ],
)
def test_heads(loss: str, kind: type, numbers: int) -> None:
    head = make_head(loss, (80, 90))
    assert type(head) is kind and head.size == numbers
    assert only(network(loss=loss), SegmentCore).out.out_features == 3 * numbers


def test_the_decoder_is_the_one_named() -> None:
    assert only(network(), SegmentCore) is not None
    assert only(network(STEPWISE, decoder="vanilla"), VanillaCore) is not None


def test_the_seed_decides_the_first_weights() -> None:
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    one, same, other = network(seed=1), network(seed=1), network(seed=2)
    assert torch.equal(before, torch.random.get_rng_state()), "the random numbers of the user are left alone"
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), same.parameters(), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


# Classes of one's own


class MyCell(GRUCell):
    """A cell that is not part of recurra."""


class MyAttention(DotAttention):
    """An attention that is not part of recurra, and takes what its parent takes."""


class Windowed(DotAttention):
    """One with an option of its own."""

    def __init__(self, query_size: int, key_size: int, window: int = 5):
        super().__init__(query_size, key_size)
        self.window = window


@pytest.mark.parametrize("decoder", ["segment", "vanilla"])
def test_classes_in_the_place_of_names(decoder: str) -> None:
    layout = LAYOUT if decoder == "segment" else STEPWISE
    model = network(layout, cell=MyCell, attention=Windowed, window=3, decoder=decoder)
    assert [type(cell) for cell in only(model, Recurrent).cells()] == [MyCell]
    written = only(model, ParallelWriter if decoder == "segment" else AttendingCell)
    attention = getattr(written.attention, "content", written.attention)
    assert type(written.cell) is MyCell and type(attention) is Windowed and attention.window == 3


def test_a_stack_of_names_and_classes() -> None:
    stack = make_recurrent(ModelSettings(cell=("lstm", MyCell), hidden_size=8), 3)
    assert [type(cell) for cell in stack.cells()] == [LSTMCell, MyCell]
    assert cell_names(ModelSettings(cell=MyCell, num_layers=2)) == (MyCell, MyCell)
    written = only(network(cell=("lstm", MyCell)), ParallelWriter)
    assert type(written.cell) is MyCell, "the last of the stack writes"


def test_a_class_of_recurra_is_its_name() -> None:
    one, two = network(cell="gru", attention="additive"), network(cell=GRUCell, attention=AdditiveAttention)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))


def test_a_class_of_another_sort_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"The class Linear is no cell: it must derive from recurra.*\.Cell\."):
        make_cell(nn.Linear, 3, 8)
    with pytest.raises(ConfigError, match="The class MyAttention is no cell"):
        network(cell=("gru", MyAttention))
    with pytest.raises(ConfigError, match=r"The class MyCell is no attention: .*\.Attention\."):
        network(attention=MyCell)
    with pytest.raises(ConfigError, match=r"Unknown cell 'gruu'\. Did you mean 'gru'\?"):
        make_cell("gruu", 3, 8)


def test_options_of_an_attention_of_ones_own() -> None:
    assert attention_options(MyAttention) == ("normaliser",) and attention_options(Windowed) == ("window",)
    config = make_config({"attention": Windowed, "heads": 8, "window": 3})
    assert unused(config, {}) == {"heads": "attention='Windowed' does not use it"}


# What nothing uses

RULES = [
    ({"attention": "dot", "heads": 8}, "heads", "attention='dot' does not use it"),
    ({"attention": "dot", "window": 3}, "window", "attention='dot' does not use it"),
    ({"attention": "dot", "attention_size": 3}, "attention_size", "attention='dot' does not use it"),
    ({"attention": "monotonic", "normaliser": "sparsemax"}, "normaliser", "attention='monotonic' does not use it"),
    ({"attention": "none", "heads": 8}, "heads", "attention='none' looks nowhere"),
    ({"attention": "none", "attention_dropout": 0.1}, "attention_dropout", "attention='none' looks nowhere"),
    (
        {"attention": "none", "attention_learning_rate": 0.1},
        "attention_learning_rate",
        "attention='none' looks nowhere",
    ),
    ({"attention": "none", "attention_weight_decay": 0.1}, "attention_weight_decay", "attention='none' looks nowhere"),
    ({"attention": "none", "attention_warmup": 3}, "attention_warmup", "attention='none' looks nowhere"),
    ({"attention": "none", "entropy_penalty": 0.1}, "entropy_penalty", "attention='none' looks nowhere"),
    ({"attention": "none", "overlap_penalty": 0.1}, "overlap_penalty", "attention='none' looks nowhere"),
    ({"layer_norm": True}, "layer_norm", "it acts between layers, and there is one"),
    ({"locked": False}, "locked", "it acts between layers, and there is one"),
    (
        {"weight_drop": 0.2, "cell": ("mingru", "minlstm")},
        "weight_drop",
        "it acts on recurrent weights, and no cell has any",
    ),
    ({"decoder": "vanilla", "segment": 3}, "segment", "the vanilla decoder goes step by step"),
    ({"loss": "squared", "levels": (50,)}, "levels", "loss='squared' predicts no intervals"),
]


@pytest.mark.parametrize(
    ("settings", "name", "why"), RULES, ids=[f"{name}-{n}" for n, (_, name, _) in enumerate(RULES)]
)
def test_a_setting_that_nothing_uses_is_refused(settings: dict[str, Any], name: str, why: str) -> None:
    config = make_config(settings)
    assert unused(config, KIND.unused(config)) == {name: why}
    with pytest.raises(ConfigError) as caught:
        refuse_unused(config, KIND.unused(config))
    assert str(caught.value) == f"The setting {name} has no effect: {why}."
    kept = make_config(settings | {name: PARTS.defaults()[name]})
    refuse_unused(kept, KIND.unused(kept))


@pytest.mark.parametrize(
    "settings",
    [
        {"attention": "multi_head", "heads": 2},
        {"attention": "local_p", "window": 3, "attention_size": 4},
        {"attention": "additive", "attention_dropout": 0.1, "attention_warmup": 3, "entropy_penalty": 0.1},
        {"num_layers": 2, "layer_norm": True, "locked": False},
        {"cell": "lstm,gru", "layer_norm": True, "locked": False},
        {"decoder": "segment", "segment": 3},
        {"decoder": "vanilla", "segment": None},
        {"loss": "quantile", "levels": (50,)},
    ],
)
def test_the_same_settings_where_something_uses_them(settings: dict[str, Any]) -> None:
    config = make_config(settings)
    refuse_unused(config, KIND.unused(config))


def test_all_unused_settings_come_at_once() -> None:
    config = make_config({"attention": "none", "heads": 2, "layer_norm": True, "loss": "huber", "levels": (50,)})
    with pytest.raises(ConfigError) as caught:
        refuse_unused(config, KIND.unused(config))
    assert [line.split()[2] for line in str(caught.value).splitlines()] == ["heads", "levels", "layer_norm"]


IDLE = {"window": 3, "heads": 8, "attention_size": 5, "normaliser": "sparsemax"}


@pytest.mark.parametrize("name", ATTENTION_NAMES)
def test_the_rules_are_true(name: str) -> None:
    """A setting that is refused changes nothing, one that is taken changes the network or what it says."""
    for option, value in IDLE.items():
        # With lags the content counts nothing at first.
        settings = {"attention": name, "heads": 2, "seed": 4, "lags": False}
        changed = settings | {option: value}
        config = make_config(changed)
        idle = option in unused(config, KIND.unused(config))
        one, two = (_answer(given) for given in (settings, changed))
        assert torch.equal(one, two) == idle, option


def _answer(settings: dict[str, Any]) -> torch.Tensor:
    layout = dataclasses.replace(LAYOUT, lookback=60)
    model = network(layout, **settings).eval()
    for parameter in model.parameters():
        parameter.data.mul_(3)  # far from even weights, where sparsemax and softmax agree
    torch.manual_seed(0)
    with torch.no_grad():
        return model(Batch(torch.randn(2, 60, 1), others={"series": torch.zeros(2, dtype=torch.long)})).prediction
