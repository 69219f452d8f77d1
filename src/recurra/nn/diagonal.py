"""How far from the diagonal an attention looks: for what is read and written in one order, as speech is.

Shapes: B batch, Q steps written, T steps read, N heads.
"""

import torch
from torch import Tensor

WIDTH = 0.2  # of the band along the diagonal in which looks cost little, as a share of the whole


def off_diagonal(weights: Tensor, said: Tensor, read: Tensor) -> Tensor:
    """Return how much of all looks is away from the diagonal, summed over the real steps that are written.

        Σ_q Σ_t a_qt (1 - exp(-(q / Q - t / T)² / (2 g²))),  g = 0.2

    Q and T are those of each sequence: of its ``said`` steps (B,) and of its ``read`` ones (B,), which come first in
    ``weights`` (B, Q, T), or (B, N, Q, T) with heads, over which the mean is taken. Tachibana et al. 2018 (guided
    attention), https://arxiv.org/abs/1710.08969.
    """
    weights = weights.mean(1) if weights.dim() == 4 else weights
    at, of = (torch.arange(size, device=weights.device, dtype=weights.dtype) for size in weights.shape[1:])
    down, along = at / said.clamp(min=1).unsqueeze(1), of / read.clamp(min=1).unsqueeze(1)
    away = 1 - torch.exp(-((down.unsqueeze(2) - along.unsqueeze(1)) ** 2) / (2 * WIDTH**2))  # (B, Q, T)
    return (weights * away).masked_fill((at >= said.unsqueeze(1)).unsqueeze(2), 0.0).sum()
