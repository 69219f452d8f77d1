"""The attentions. To add one, write its score in a file of its own and name it here."""

from typing import TYPE_CHECKING

from ..registry import Entry, Registry, lazy

ATTENTIONS = Registry(
    "attention",
    __name__,
    {
        "dot": Entry("dot:DotAttention", "inner product of query and key; no parameters"),
        "scaled_dot": Entry("scaled_dot:ScaledDotAttention", "the same, divided by the root of the width"),
        "general": Entry("general:GeneralAttention", "inner product after a learned map (Luong)"),
        "scaled_general": Entry("scaled_general:ScaledGeneralAttention", "the same, with a learned strength"),
        "tanh_dot": Entry("tanh_dot:TanhDotAttention", "inner product with a squashed map of the key (Lin; Yang)"),
        "linear": Entry("linear:LinearAttention", "a weighted sum of the key and of key times query (BiDAF)"),
        "additive": Entry(
            "additive:AdditiveAttention", "a small network with one hidden layer compares the two (Bahdanau)"
        ),
        "normed_additive": Entry(
            "normed_additive:NormedAdditiveAttention", "the same, its last layer a direction and a learned length"
        ),
        "key_value": Entry(
            "key_value:KeyValueAttention", "additive, but half of each state is compared and the other half is seen"
        ),
        "cosine": Entry("cosine:CosineAttention", "the angle between them, with a learned sharpness"),
        "multi_head": Entry("multi_head:MultiHeadAttention", "several scaled products side by side"),
        "interpretable_multi_head": Entry(
            "interpretable_multi_head:InterpretableMultiHeadAttention",
            "the same, but all see the same values, so that their mean look is the whole look (TFT)",
        ),
        "local_m": Entry("local_m:LocalMonotonicAttention", "a window that moves on with the output"),
        "local_p": Entry("local_p:LocalPredictiveAttention", "a window whose centre is predicted"),
        "location_aware": Entry("location_aware:LocationAwareAttention", "also reads where it looked before"),
        "coverage": Entry("coverage:CoverageAttention", "also reads how much it has looked at each place so far"),
        "monotonic": Entry("monotonic:MonotonicAttention", "moves forwards through the past, never back"),
        "gaussian": Entry("gaussian:GaussianAttention", "windows that move on by as much as each output says (Graves)"),
    },
)

if TYPE_CHECKING:
    from .additive import AdditiveAttention
    from .base import Attended, Attention, Memory, ScoreAttention, SequentialAttention, attend
    from .cosine import CosineAttention
    from .coverage import CoverageAttention
    from .dot import DotAttention
    from .gaussian import GaussianAttention
    from .general import GeneralAttention
    from .interpretable_multi_head import InterpretableMultiHeadAttention
    from .key_value import KeyValueAttention
    from .lagged import LaggedAttention
    from .linear import LinearAttention
    from .local_m import LocalMonotonicAttention
    from .local_p import LocalPredictiveAttention
    from .location_aware import LocationAwareAttention
    from .monotonic import MonotonicAttention
    from .multi_head import MultiHeadAttention
    from .normalise import NORMALISERS
    from .normed_additive import NormedAdditiveAttention
    from .scaled_dot import ScaledDotAttention
    from .scaled_general import ScaledGeneralAttention
    from .tanh_dot import TanhDotAttention

BASE = ("Attended", "Attention", "Memory", "ScoreAttention", "SequentialAttention", "attend")

# Imported on first use: the names of the attentions are known before torch is.
__getattr__ = lazy(
    __name__,
    ATTENTIONS.homes() | dict.fromkeys(BASE, "base") | {"LaggedAttention": "lagged", "NORMALISERS": "normalise"},
)

__all__ = [
    "ATTENTIONS",
    "NORMALISERS",
    "AdditiveAttention",
    "Attended",
    "Attention",
    "CosineAttention",
    "CoverageAttention",
    "DotAttention",
    "GaussianAttention",
    "GeneralAttention",
    "InterpretableMultiHeadAttention",
    "KeyValueAttention",
    "LaggedAttention",
    "LinearAttention",
    "LocalMonotonicAttention",
    "LocalPredictiveAttention",
    "LocationAwareAttention",
    "Memory",
    "MonotonicAttention",
    "MultiHeadAttention",
    "NormedAdditiveAttention",
    "ScaledDotAttention",
    "ScaledGeneralAttention",
    "ScoreAttention",
    "SequentialAttention",
    "TanhDotAttention",
    "attend",
]
