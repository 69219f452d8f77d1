"""The GRU with layer normalisation inside (Ba et al. 2016, arXiv 1607.06450)."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .base import GatedCell, Gates, Hidden


class LayerNormGRUCell(GatedCell):
    """A GRU whose sums are brought to mean 0 and variance 1 over their units, at every step.

    ``r, z = σ(α_x ⊙ N(W x) + b_x + α_h ⊙ N(U h) + b_h)``, both gates together;
    ``n = tanh(α_n ⊙ N(W_n x) + b_n + r ⊙ (β_n ⊙ N(U_n h) + d_n))``; ``h' = (1 − z) ⊙ n + z ⊙ h``, where
    ``N(v) = (v − mean v) / √(var v + 10⁻⁵)``. Blocks in the order r, z, n. The gains of the inputs are ``gain_ih``
    (3·H), those of the old output ``gain_hh`` (3·H), one at first.
    """

    blocks = 3
    state_type = Hidden
    native = "ln_gru"
    per_unit = {"gain_hh": 3, "bias_hh": 3}
    projects = True
    first_bias = {1: 1.0}
    chrono_sign = {1: +1}

    def make_parameters(self, bias: bool) -> None:
        super().make_parameters(bias)
        rows = self.blocks * self.hidden_size
        self.gain_ih, self.gain_hh = nn.Parameter(torch.empty(rows)), nn.Parameter(torch.empty(rows))

    @torch.no_grad()
    def reset_parameters(self) -> None:
        super().reset_parameters()
        self.gain_ih.fill_(1.0)
        self.gain_hh.fill_(1.0)

    def project(self, x: Tensor) -> Tensor:
        return torch.cat(self._normalised(F.linear(x, self.weight_ih), self.gain_ih, self.bias_ih), -1)

    def recur(self, h: Tensor) -> Tensor:
        return torch.cat(self._normalised(F.linear(h, self.weight_hh), self.gain_hh, self.bias_hh), -1)

    def _normalised(self, sums: Tensor, gain: Tensor, bias: Tensor | None) -> list[Tensor]:
        """Return both gates, normalised together, and the candidate, by itself."""
        parts = [2 * self.hidden_size, self.hidden_size]
        cut = [sums.split(parts, -1), gain.split(parts), (None, None) if bias is None else bias.split(parts)]
        return [F.layer_norm(s, a.shape, a, b) for s, a, b in zip(*cut, strict=True)]

    def gates(self, projected: Tensor, state: Hidden) -> Gates:
        x_r, x_z, x_n = projected.chunk(3, -1)
        h_r, h_z, h_n = self.recur(state.h).chunk(3, -1)
        r = (x_r + h_r).sigmoid()
        return {"reset": r, "update": (x_z + h_z).sigmoid(), "candidate": (x_n + r * h_n).tanh()}

    def step(self, projected: Tensor, state: Hidden) -> Hidden:
        _, z, n = self.gates(projected, state).values()
        return Hidden(n + z * (state.h - n))
