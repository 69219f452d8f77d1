"""The attentions. To add one, write its score in a file of its own and name it here."""

from .additive import AdditiveAttention
from .base import Attended, Attention, Memory, ScoreAttention, SequentialAttention, attend
from .cosine import CosineAttention
from .dot import DotAttention
from .general import GeneralAttention
from .local_m import LocalMonotonicAttention
from .local_p import LocalPredictiveAttention
from .location_aware import LocationAwareAttention
from .monotonic import MonotonicAttention
from .multi_head import MultiHeadAttention
from .normalise import NORMALISERS
from .scaled_dot import ScaledDotAttention

ATTENTIONS: dict[str, type[Attention]] = {
    "dot": DotAttention,
    "scaled_dot": ScaledDotAttention,
    "general": GeneralAttention,
    "additive": AdditiveAttention,
    "cosine": CosineAttention,
    "multi_head": MultiHeadAttention,
    "local_m": LocalMonotonicAttention,
    "local_p": LocalPredictiveAttention,
    "location_aware": LocationAwareAttention,
    "monotonic": MonotonicAttention,
}

__all__ = [
    "ATTENTIONS",
    "NORMALISERS",
    "AdditiveAttention",
    "Attended",
    "Attention",
    "CosineAttention",
    "DotAttention",
    "GeneralAttention",
    "LocalMonotonicAttention",
    "LocalPredictiveAttention",
    "LocationAwareAttention",
    "Memory",
    "MonotonicAttention",
    "MultiHeadAttention",
    "ScaledDotAttention",
    "ScoreAttention",
    "SequentialAttention",
    "attend",
]
