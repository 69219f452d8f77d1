"""Multi-head attention.

Shapes: B batch, Q queries, T steps, N heads, D query width, K key width, d = K / N width of a head.
"""

from torch import Tensor, nn

from ..errors import ConfigError
from .base import ScoreAttention, require_positive
from .normalise import pick_normaliser


class MultiHeadAttention(ScoreAttention):
    """Several scaled dot products side by side, each between its own projections of query, key and value.

        e^n_j = (W^n_k h_j + b^n_k) · (W^n_q s + b^n_q) / √d
        c = W_o [c^1; ...; c^N] + b_o,  c^n = Σ_j a^n_j (W^n_v h_j + b^n_v)

    Query s (B, Q, D), keys and values (B, N, T, d), weights (B, N, Q, T), context (B, Q, K).
    Vaswani et al. 2017, https://arxiv.org/abs/1706.03762; with D = K it is torch.nn.MultiheadAttention.
    """

    name = "multi_head"

    def __init__(self, query_size: int, key_size: int, *, heads: int = 4, normaliser: str = "softmax") -> None:
        super().__init__()
        require_positive(heads=heads)
        if key_size % heads:
            allowed = [n for n in range(1, key_size + 1) if key_size % n == 0]
            closest = min(allowed, key=lambda n: (abs(n - heads), n))
            raise ConfigError(
                f"The attention '{self.name}' splits the key width into equal heads, but {key_size} does not "
                f"divide by heads={heads}. The nearest number of heads that fits is {closest}."
            )
        self.context_size = key_size
        self.heads = heads
        self.normaliser = pick_normaliser(normaliser)
        seen = self.seen(key_size)
        self.query = nn.Linear(query_size, key_size)
        self.key = nn.Linear(key_size, key_size)
        self.value = nn.Linear(key_size, seen)
        self.out = nn.Linear(seen, key_size)
        for linear in (self.query, self.key, self.value, self.out):
            nn.init.xavier_uniform_(linear.weight)
            nn.init.zeros_(linear.bias)

    def seen(self, key_size: int) -> int:
        """Return how wide what is seen by all heads together is."""
        return key_size

    def keys(self, states: Tensor) -> Tensor:
        return self.split(self.key(states))

    def values(self, states: Tensor) -> Tensor:
        return self.split(self.value(states))

    def score(self, query: Tensor, keys: Tensor) -> Tensor:
        heads = self.split(self.query(query))
        return (heads * heads.shape[-1] ** -0.5) @ keys.mT

    def merge(self, context: Tensor) -> Tensor:
        return self.out(context.transpose(1, 2).flatten(2))

    def split(self, x: Tensor) -> Tensor:
        """Cut the width into heads: (B, ·, K) to (B, N, ·, d)."""
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)
