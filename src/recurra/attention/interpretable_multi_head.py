"""Interpretable multi-head attention: heads that look for themselves and see the same.

Shapes: B batch, Q queries, T steps, N heads, K key width, d = K / N width of a head.
"""

from torch import Tensor

from .multi_head import MultiHeadAttention


class InterpretableMultiHeadAttention(MultiHeadAttention):
    """Multi-head attention whose heads share their values, so that one mean weight says what each step counted for.

        e^n_j = (W^n_k h_j + b^n_k) · (W^n_q s + b^n_q) / √d
        c = W_o (1/N Σ_n Σ_j a^n_j v_j) + b_o = W_o (Σ_j ā_j v_j) + b_o,  v_j = W_v h_j + b_v,  ā = 1/N Σ_n a^n

    With values of their own, as in ``multi_head``, a weight of one head says nothing of another's. As it is the mean
    that is seen by, what is shown of the weights of all heads, their mean, is all that there is to know.
    Query s (B, Q, D), keys (B, N, T, d), values (B, 1, T, d), weights (B, N, Q, T), context (B, Q, K).
    Lim et al. 2021, https://arxiv.org/abs/1912.09363.
    """

    name = "interpretable_multi_head"

    def seen(self, key_size: int) -> int:
        return key_size // self.heads

    def values(self, states: Tensor) -> Tensor:
        return self.value(states).unsqueeze(1)

    def merge(self, context: Tensor) -> Tensor:
        return self.out(context.mean(1))
