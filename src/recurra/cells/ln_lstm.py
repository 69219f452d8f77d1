"""The LSTM with layer normalisation inside (Ba et al. 2016, arXiv 1607.06450)."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .base import GatedCell, Gates, HiddenAndMemory


class LayerNormLSTMCell(GatedCell):
    """An LSTM whose sums and memory are brought to mean 0 and variance 1 over their units, at every step.

    ``a = α_x ⊙ N(W x) + b_x + α_h ⊙ N(U h) + b_h`` over all four blocks together, in the order i, f, g, o;
    ``c' = σ(a_f) ⊙ c + σ(a_i) ⊙ tanh(a_g)``; ``h' = σ(a_o) ⊙ tanh(α_c ⊙ N(c') + b_c)``, where
    ``N(v) = (v − mean v) / √(var v + 10⁻⁵)``. The memory goes on as it is. The gains α are ``gain_ih`` and
    ``gain_hh`` (4·H) and ``gain_ch`` (H), one at first; b_c is ``bias_ch`` (H).
    """

    blocks = 4
    state_type = HiddenAndMemory
    native = "ln_lstm"
    per_unit = {"gain_hh": 4, "bias_hh": 4, "gain_ch": 1, "bias_ch": 1}
    projects = True
    first_bias = {1: 1.0}
    chrono_sign = {0: -1, 1: +1}
    bias_ch: nn.Parameter | None

    def make_parameters(self, bias: bool) -> None:
        super().make_parameters(bias)
        rows = self.blocks * self.hidden_size
        self.gain_ih, self.gain_hh = nn.Parameter(torch.empty(rows)), nn.Parameter(torch.empty(rows))
        self.gain_ch = nn.Parameter(torch.empty(self.hidden_size))
        self.register_parameter("bias_ch", nn.Parameter(torch.empty(self.hidden_size)) if bias else None)

    @torch.no_grad()
    def reset_parameters(self) -> None:
        super().reset_parameters()
        for gain in (self.gain_ih, self.gain_hh, self.gain_ch):
            gain.fill_(1.0)
        if self.bias_ch is not None:
            self.bias_ch.zero_()

    def project(self, x: Tensor) -> Tensor:
        return F.layer_norm(F.linear(x, self.weight_ih), self.gain_ih.shape, self.gain_ih, self.bias_ih)

    def recur(self, h: Tensor) -> Tensor:
        return F.layer_norm(F.linear(h, self.weight_hh), self.gain_hh.shape, self.gain_hh, self.bias_hh)

    def gates(self, projected: Tensor, state: HiddenAndMemory) -> Gates:
        i, f, g, o = (projected + self.recur(state.h)).chunk(4, -1)
        return {"input": i.sigmoid(), "forget": f.sigmoid(), "candidate": g.tanh(), "output": o.sigmoid()}

    def step(self, projected: Tensor, state: HiddenAndMemory) -> HiddenAndMemory:
        i, f, g, o = self.gates(projected, state).values()
        c = f * state.c + i * g
        shown = F.layer_norm(c, self.gain_ch.shape, self.gain_ch, self.bias_ch)
        return HiddenAndMemory(o * shown.tanh(), c)
