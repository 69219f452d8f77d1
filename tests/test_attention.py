"""Every attention keeps every law, and every law is able to catch one that does not."""

import inspect
import random

import pytest
import torch
from torch import Tensor

from laws_attention import (
    Sizes,
    law_a_mask_for_each_query,
    law_distribution,
    law_dropout_is_in_the_sum_only,
    law_extreme_scores,
    law_gaps_are_inert,
    law_gradients,
    law_masked_steps_are_invisible,
    law_no_mask_is_a_full_mask,
    law_nothing_allowed,
    law_one_query_at_a_time,
    law_order_of_steps_is_free,
    law_padding_is_inert,
    law_parameters_are_used,
    law_rows_are_independent,
    law_same_answer_twice,
    law_saved_and_loaded,
    law_shapes,
)
from recurra.attention import ATTENTIONS, NORMALISERS, Attended, Attention, Memory
from recurra.attention.additive import AdditiveAttention
from recurra.attention.dot import DotAttention
from recurra.attention.local_m import LocalMonotonicAttention
from recurra.attention.location_aware import LocationAwareAttention
from recurra.attention.monotonic import MonotonicAttention
from recurra.attention.multi_head import MultiHeadAttention
from recurra.errors import ConfigError

OPTIONS = {"attention_size", "heads", "window", "kernel_size", "filters", "normaliser"}
EQUAL_WIDTHS = {"dot", "scaled_dot", "cosine", "linear"}
CONTENT = {"dot", "scaled_dot", "general", "scaled_general", "tanh_dot", "linear", "additive", "normed_additive"}
CONTENT |= {"interpretable_multi_head"}
CONTENT |= {"key_value", "cosine", "coverage", "multi_head"}
PARTIAL = {"local_p", "monotonic"}  # weights may sum to less than 1
SPARSE = ("sparsemax", "entmax")

CASES = (
    [(name, {}, Sizes(8, 8)) for name in ATTENTIONS]
    + [(name, {}, Sizes(5, 8)) for name in ATTENTIONS if name not in EQUAL_WIDTHS]
    + [(name, {"normaliser": kind}, Sizes(8, 8)) for name in ("dot", "multi_head") for kind in SPARSE]
    + [
        ("additive", {"attention_size": 3}, Sizes(5, 8)),
        ("normed_additive", {"attention_size": 3}, Sizes(5, 8)),
        ("key_value", {"attention_size": 3}, Sizes(5, 7)),
        ("multi_head", {"heads": 2}, Sizes(5, 8)),
        ("interpretable_multi_head", {"heads": 2}, Sizes(5, 8)),
        ("local_m", {"window": 2}, Sizes(8, 8)),
        ("local_p", {"window": 2, "attention_size": 3}, Sizes(5, 8)),
        ("location_aware", {"kernel_size": 3, "filters": 2, "attention_size": 3}, Sizes(5, 8)),
        ("coverage", {"attention_size": 3}, Sizes(5, 8)),
        ("monotonic", {"attention_size": 3}, Sizes(5, 8)),
        ("gaussian", {"attention_size": 3}, Sizes(5, 8)),
    ]
)


def label(value: object) -> str | None:
    if isinstance(value, Sizes):
        return f"{value.query}x{value.keys}"
    return ",".join(f"{k}={v}" for k, v in value.items()) or "plain" if isinstance(value, dict) else None


def build(cls: type[Attention], options: dict, sizes: Sizes, seed: int = 0) -> Attention:
    if options.get("normaliser") in SPARSE:
        pytest.importorskip("entmax")
    torch.manual_seed(seed)
    return cls(sizes.query, sizes.keys, **options).double().eval()


every_case = pytest.mark.parametrize(("name", "options", "sizes"), CASES, ids=label)

LAWS = [
    law_shapes,
    law_masked_steps_are_invisible,
    law_padding_is_inert,
    law_no_mask_is_a_full_mask,
    law_nothing_allowed,
    law_extreme_scores,
    law_gradients,
    law_parameters_are_used,
    law_one_query_at_a_time,
    law_rows_are_independent,
    law_same_answer_twice,
    law_dropout_is_in_the_sum_only,
]


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
@every_case
def test_law(law, name: str, options: dict, sizes: Sizes) -> None:
    law(build(ATTENTIONS[name], options, sizes), sizes)


@every_case
def test_distribution(name: str, options: dict, sizes: Sizes) -> None:
    law_distribution(build(ATTENTIONS[name], options, sizes), sizes, partial=name in PARTIAL)


@every_case
def test_gaps_are_inert(name: str, options: dict, sizes: Sizes) -> None:
    attention = build(ATTENTIONS[name], options, sizes)
    if name == "location_aware":  # its filters span neighbouring steps of the memory, and say so
        with pytest.raises(AssertionError, match="a gap in the mask"):
            law_gaps_are_inert(attention, sizes)
    else:
        law_gaps_are_inert(attention, sizes)


@every_case
def test_order_of_steps(name: str, options: dict, sizes: Sizes) -> None:
    attention = build(ATTENTIONS[name], options, sizes)
    if name in CONTENT or (name == "local_m" and not options):  # a window wider than the memory
        law_order_of_steps_is_free(attention, sizes)
    else:
        with pytest.raises(AssertionError, match="shuffled"):
            law_order_of_steps_is_free(attention, sizes)


@every_case
def test_a_mask_for_each_query(name: str, options: dict, sizes: Sizes) -> None:
    if name in CONTENT and not ATTENTIONS[name].sequential:
        law_a_mask_for_each_query(build(ATTENTIONS[name], options, sizes), sizes)


@every_case
def test_saved_and_loaded(name: str, options: dict, sizes: Sizes) -> None:
    first, fresh = (build(ATTENTIONS[name], options, sizes, seed) for seed in (0, 1))
    law_saved_and_loaded(first, fresh, sizes)


# Constructors


@pytest.mark.parametrize("name", ATTENTIONS)
def test_constructor_takes_two_widths_and_known_options(name: str) -> None:
    parameters = list(inspect.signature(ATTENTIONS[name]).parameters.values())
    assert [p.name for p in parameters[:2]] == ["query_size", "key_size"]
    assert all(p.kind is p.KEYWORD_ONLY and p.default is not p.empty for p in parameters[2:])
    assert {p.name for p in parameters[2:]} <= OPTIONS
    assert ("normaliser" in {p.name for p in parameters}) == (name in CONTENT)


@pytest.mark.parametrize("name", sorted(EQUAL_WIDTHS))
def test_unequal_widths_name_what_came_and_what_to_use(name: str) -> None:
    with pytest.raises(ConfigError, match=f"'{name}'.*query_size=5 and key_size=8.*'general'"):
        ATTENTIONS[name](5, 8)


@pytest.mark.parametrize(("width", "heads", "fits"), [(12, 5, 4), (8, 3, 2), (6, 100, 6), (7, 4, 1)])
def test_heads_that_do_not_divide_name_the_nearest(width: int, heads: int, fits: int) -> None:
    with pytest.raises(ConfigError, match=rf"{width} does not divide by heads={heads}\..* is {fits}\."):
        MultiHeadAttention(width, width, heads=heads)
    MultiHeadAttention(width, width, heads=fits)


@pytest.mark.parametrize(
    ("name", "option"),
    [(n, o) for n in ATTENTIONS for o in inspect.signature(ATTENTIONS[n]).parameters if o in OPTIONS],
)
def test_settings_out_of_range_are_named(name: str, option: str) -> None:
    wrong = "softmux" if option == "normaliser" else 0
    with pytest.raises(ConfigError, match=option):
        ATTENTIONS[name](8, 8, **{option: wrong})


def test_states_of_one_unit_cannot_be_split() -> None:
    with pytest.raises(ConfigError, match=r"'key_value'.* at least 2 wide, but got key_size=1\. Use 'additive'"):
        ATTENTIONS["key_value"](8, 1)
    assert ATTENTIONS["key_value"](1, 2).context_size == 1


def test_even_kernel_is_refused_with_its_neighbours() -> None:
    with pytest.raises(ConfigError, match=r"odd, but got 4\. The nearest are 3 and 5"):
        LocationAwareAttention(8, 8, kernel_size=4)


@pytest.mark.parametrize("kind", SPARSE)
def test_missing_entmax_says_how_to_get_it(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "entmax", None)
    with pytest.raises(ConfigError, match=r"'recurra\[sparse\]'"):
        DotAttention(8, 8, normaliser=kind)
    with pytest.raises(ConfigError, match=r"'recurra\[sparse\]'"):
        NORMALISERS[kind](torch.zeros(1, 2), None)


# Deliberately broken members: each must be caught by the law it breaks.


class LeaksMask(DotAttention):
    def weigh(self, query: Tensor, memory: Memory, history: Tensor | None) -> tuple[Tensor, Tensor | None]:
        return self.normaliser(self.score(query, memory.keys), None), None


class MasksAfterwards(DotAttention):
    def weigh(self, query: Tensor, memory: Memory, history: Tensor | None) -> tuple[Tensor, Tensor | None]:
        weights = self.score(query, memory.keys).softmax(-1)
        if memory.mask is not None:
            weights = weights * memory.mask.unsqueeze(1)
        return weights, None


class AddsInfinity(DotAttention):
    def weigh(self, query: Tensor, memory: Memory, history: Tensor | None) -> tuple[Tensor, Tensor | None]:
        scores = self.score(query, memory.keys)
        if memory.mask is None:
            return scores.softmax(-1), None
        low = torch.zeros(memory.mask.shape).masked_fill(~memory.mask, -torch.inf).unsqueeze(1)
        return (scores + low).softmax(-1).nan_to_num(), None


class MasksWeakly(DotAttention):
    def weigh(self, query: Tensor, memory: Memory, history: Tensor | None) -> tuple[Tensor, Tensor | None]:
        low = 0.0 if memory.mask is None else -30.0 * (~memory.mask).double().unsqueeze(1)
        return (self.score(query, memory.keys) + low).softmax(-1), None


class DoublesUnderAMask(DotAttention):
    def weigh(self, query: Tensor, memory: Memory, history: Tensor | None) -> tuple[Tensor, Tensor | None]:
        scores = self.score(query, memory.keys)
        mask = None if memory.mask is None else memory.mask.unsqueeze(1)
        return self.normaliser(scores * (1 if mask is None else 2), mask), None


class CountsPadding(LocalMonotonicAttention):
    def weigh(self, query: Tensor, memory: Memory, history: Tensor | None) -> tuple[Tensor, Tensor]:
        steps = memory.keys.shape[1]
        weights, history = super().weigh(query, memory, history)
        return weights / (1 + steps), history


class CountsGridPositions(LocalMonotonicAttention):
    def weigh(self, query: Tensor, memory: Memory, history: Tensor | None) -> tuple[Tensor, Tensor]:
        early = torch.arange(memory.keys.shape[1]) < 3
        mask = early if memory.mask is None else memory.mask & early
        return super().weigh(query, memory._replace(mask=mask.expand(memory.keys.shape[:2])), history)


class OverflowsInExp(DotAttention):
    def weigh(self, query: Tensor, memory: Memory, history: Tensor | None) -> tuple[Tensor, Tensor | None]:
        weights = self.score(query, memory.keys).exp()
        if memory.mask is not None:
            weights = weights * memory.mask.unsqueeze(1)
        return weights / weights.sum(-1, keepdim=True), None


class DividesByProducts(MonotonicAttention):
    """The closed form of the paper, without care."""

    def weigh_one(self, query: Tensor, memory: Memory, history: Tensor) -> tuple[Tensor, Tensor]:
        hidden = torch.tanh(self.query(query).unsqueeze(1) + memory.keys)
        stop = torch.sigmoid(hidden @ (1e4 * self.direction) + self.offset)
        if memory.mask is not None:
            stop = stop.masked_fill(~memory.mask, 0.0)
        passed = torch.cat([torch.ones_like(stop[:, :1]), (1 - stop[:, :-1]).cumprod(-1)], -1)
        weights = stop * passed * (history / passed).cumsum(-1)
        return weights, weights


class Doubled(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx, grad: Tensor) -> Tensor:
        return 2 * grad


class WrongGradient(DotAttention):
    def score(self, query: Tensor, keys: Tensor) -> Tensor:
        return Doubled.apply(query @ keys.mT)


class IgnoresAParameter(AdditiveAttention):
    def score(self, query: Tensor, keys: Tensor) -> Tensor:
        return self.energy(torch.tanh(0 * self.query(query).unsqueeze(2) + keys.unsqueeze(1))).squeeze(-1)


class ForgetsHistory(LocationAwareAttention):
    def weigh(self, query: Tensor, memory: Memory, history: Tensor | None) -> tuple[Tensor, Tensor | None]:
        return super().weigh(query, memory, None)


class LooksAtLaterQueries(DotAttention):
    def score(self, query: Tensor, keys: Tensor) -> Tensor:
        return super().score(query + query.sum(1, keepdim=True), keys)


class MixesRows(DotAttention):
    def score(self, query: Tensor, keys: Tensor) -> Tensor:
        return super().score(query, keys) * (1 + keys.mean((0, 2)))


class MixesRowsOfHistory(MonotonicAttention):
    def weigh_one(self, query: Tensor, memory: Memory, history: Tensor) -> tuple[Tensor, Tensor]:
        return super().weigh_one(query, memory, history.mean(0, keepdim=True).expand_as(history))


class SeesPositions(DotAttention):
    def score(self, query: Tensor, keys: Tensor) -> Tensor:
        return super().score(query, keys) + torch.arange(keys.shape[1])


class RemembersOnTheModule(DotAttention):
    asked = 0

    def score(self, query: Tensor, keys: Tensor) -> Tensor:
        self.asked += 1
        return super().score(query, keys) * self.asked


class IsRandom(DotAttention):
    def score(self, query: Tensor, keys: Tensor) -> Tensor:
        scores = super().score(query, keys)
        return scores * (1 + random.random())


class WritesToItsInput(DotAttention):
    def score(self, query: Tensor, keys: Tensor) -> Tensor:
        return super().score(query.mul_(1.0).add_(1e-9), keys)


class DropsReturnedWeights(DotAttention):
    def forward(self, query: Tensor, memory: Memory, history: Tensor | None = None, dropout: float = 0.0) -> Attended:
        weights, history = self.weigh(query, memory, history)
        dropped = torch.nn.functional.dropout(weights, dropout, self.training)
        return Attended(dropped @ memory.values, dropped, history)


class IgnoresDropout(DotAttention):
    def forward(self, query: Tensor, memory: Memory, history: Tensor | None = None, dropout: float = 0.0) -> Attended:
        return super().forward(query, memory, history)


class NegativeWeights(DotAttention):
    def weigh(self, query: Tensor, memory: Memory, history: Tensor | None) -> tuple[Tensor, Tensor | None]:
        scores = self.score(query, memory.keys)
        return scores / scores.sum(-1, keepdim=True), None


class TooMuchWeight(MonotonicAttention):
    def weigh(self, query: Tensor, memory: Memory, history: Tensor | None) -> tuple[Tensor, Tensor | None]:
        weights, history = super().weigh(query, memory, history)
        return weights + 1.0, history


class TransposesWeights(DotAttention):
    def forward(self, query: Tensor, memory: Memory, history: Tensor | None = None, dropout: float = 0.0) -> Attended:
        got = super().forward(query, memory, history, dropout)
        return got._replace(weights=got.weights.mT)


class SharesTheMask(DotAttention):
    def weigh(self, query: Tensor, memory: Memory, history: Tensor | None) -> tuple[Tensor, Tensor | None]:
        assert memory.mask is not None
        mask = memory.mask if memory.mask.dim() == 2 else memory.mask.any(1)
        return super().weigh(query, memory._replace(mask=mask), history)


class HidesItsHistory(MonotonicAttention):
    sequential = False


class KeepsWeightsOutOfTheState(AdditiveAttention):
    def __init__(self, query_size: int, key_size: int) -> None:
        super().__init__(query_size, key_size)
        self.aside = [torch.randn(key_size, dtype=torch.float64)]

    def score(self, query: Tensor, keys: Tensor) -> Tensor:
        return super().score(query, keys * self.aside[0])


BROKEN = [
    (TransposesWeights, law_shapes),
    (HidesItsHistory, law_shapes),
    (NegativeWeights, law_distribution),
    (MasksAfterwards, law_distribution),
    (LeaksMask, law_masked_steps_are_invisible),
    (MasksWeakly, law_masked_steps_are_invisible),
    (SharesTheMask, law_a_mask_for_each_query),
    (LeaksMask, law_padding_is_inert),
    (CountsPadding, law_padding_is_inert),
    (CountsGridPositions, law_padding_is_inert),
    (LeaksMask, law_gaps_are_inert),
    (CountsGridPositions, law_gaps_are_inert),
    (DoublesUnderAMask, law_no_mask_is_a_full_mask),
    (LeaksMask, law_nothing_allowed),
    (AddsInfinity, law_nothing_allowed),
    (OverflowsInExp, law_extreme_scores),
    (DividesByProducts, law_extreme_scores),
    (WrongGradient, law_gradients),
    (IgnoresAParameter, law_parameters_are_used),
    (ForgetsHistory, law_one_query_at_a_time),
    (LooksAtLaterQueries, law_one_query_at_a_time),
    (MixesRows, law_rows_are_independent),
    (MixesRowsOfHistory, law_rows_are_independent),
    (SeesPositions, law_order_of_steps_is_free),
    (RemembersOnTheModule, law_same_answer_twice),
    (IsRandom, law_same_answer_twice),
    (WritesToItsInput, law_same_answer_twice),
    (DropsReturnedWeights, law_dropout_is_in_the_sum_only),
    (IgnoresDropout, law_dropout_is_in_the_sum_only),
]


@pytest.mark.parametrize(("cls", "law"), BROKEN, ids=lambda part: part.__name__)
def test_law_catches(cls: type[Attention], law) -> None:
    sizes = Sizes(8, 8)
    with pytest.raises(AssertionError):
        law(build(cls, {}, sizes), sizes)


def test_law_catches_too_much_weight() -> None:
    with pytest.raises(AssertionError, match="more than 1"):
        law_distribution(build(TooMuchWeight, {}, Sizes()), Sizes(), partial=True)


def test_law_catches_weights_that_are_not_saved() -> None:
    first, fresh = (build(KeepsWeightsOutOfTheState, {}, Sizes(), seed) for seed in (0, 1))
    with pytest.raises(AssertionError, match="loaded"):
        law_saved_and_loaded(first, fresh, Sizes())


def test_every_law_is_known_to_catch_something() -> None:
    caught = {law for _, law in BROKEN} | {law_saved_and_loaded}
    laws = {value for name, value in globals().items() if name.startswith("law_")}
    assert laws == caught
