"""Key-value attention: one half of the state is compared, the other half is seen.

Shapes: B batch, Q queries, T steps, D query width, K width of the states, A attention width.
"""

from torch import Tensor

from ..errors import ConfigError
from .additive import AdditiveAttention


class KeyValueAttention(AdditiveAttention):
    """The additive score over one part of the states; the context is a sum of the other part.

        h_j = [k_j; v_j],  s = [q; p]
        e_j = w · tanh(W q + U k_j),  c = Σ_j a_j v_j

    So no unit has to serve both to be found and to be used. Every second unit, from the first one on, is in k or q, the
    others are in v or p: then both directions of a stack have units in both parts. What follows from c and p is left to
    the layer above, which may use all of s.
    Query s (B, Q, D), keys U k (B, T, A), values v (B, T, ⌊K/2⌋), weights (B, Q, T), context (B, Q, ⌊K/2⌋). A is the
    width of k unless given. Raises ConfigError if the states are one unit wide.
    Daniluk et al. 2017, https://arxiv.org/abs/1702.04521.
    """

    def __init__(
        self,
        query_size: int,
        key_size: int,
        *,
        attention_size: int | None = None,
        normaliser: str = "softmax",
    ) -> None:
        if key_size < 2:
            raise ConfigError(
                f"The attention 'key_value' splits states into keys and values, so they must be at least 2 wide, but "
                f"got key_size={key_size}. Use 'additive', which does not split them."
            )
        found = (query_size + 1) // 2, (key_size + 1) // 2
        super().__init__(*found, attention_size=attention_size, normaliser=normaliser)
        self.context_size = key_size // 2

    def keys(self, states: Tensor) -> Tensor:
        return super().keys(states[..., ::2])

    def values(self, states: Tensor) -> Tensor:
        return states[..., 1::2]

    def score(self, query: Tensor, keys: Tensor) -> Tensor:
        return super().score(query[..., ::2], keys)
