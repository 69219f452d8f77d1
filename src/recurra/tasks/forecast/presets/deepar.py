"""DeepAR: one recurrent network reads the past and its own draws, and says a distribution (Salinas et al. 2017).

https://arxiv.org/abs/1704.04110. Shapes: B windows, L look-back, H horizon, T steps, C channels, P head numbers, I
numbers read a step, n paths, R rows, which are B·n.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ....cells import map_state
from ....data.batch import Batch
from ....errors import ConfigError
from ....nn.build import make_recurrent
from ....nn.heads import DistributionHead, Head
from ....nn.layers import States
from ....nn.models import Output
from ....random import Dropout
from ....settings import Config, ModelSettings
from ..drawing import Draw, DrawingCore, Law
from ..gaps import age, last_seen
from ..layout import Layout
from ..placing import PlacedHead
from ..steps import Steps, told


class AutoregressiveCore(DrawingCore):
    """The same weights read what was and what is drawn.

        h_t = cell([z_{t−1}; x_t], h_{t−1}),  θ_t = W h_t + b,  z_t ~ law(θ_t),  z_0 = 0

    x_t is what is known of step t: columns known ahead, those that never change, and which series it is. Columns
    that are known up to now are read a step later, with z, and are zero when they end. Values are standardised and
    without the mean of their window, which is what the scale of the paper is for; that of counts has it itself.
    """

    def __init__(self, layout: Layout, steps: Steps, law: Law, model: ModelSettings):
        super().__init__()
        self.layout, self.steps, self.law, self.size = layout, steps, law, law.size
        identity = model.hidden_size // 2 if layout.series > 1 and not layout.alone else 0
        self.identities = nn.Embedding(layout.series + 1, identity) if identity else None
        self.recurrent = make_recurrent(model, steps.read_width + bool(layout.past) + identity)
        self.dropout = Dropout(model.dropout)
        self.out = nn.Linear(self.recurrent.output_size, layout.channels * law.size)

    def forward(self, batch: Batch, record: bool) -> Output:
        """Return (B, T, C, P) of the T steps of ``batch.inputs``, which may be L or L + H."""
        before = self._before(batch)[:, :-1]
        beside = self._beside(batch)[:, : before.shape[1]]
        read = self.recurrent(torch.cat([before, beside], -1), record=record)
        return Output(self._said(read.outputs), recurrence=read)

    def fed(self, batch: Batch, draw: Draw, paths: int) -> None:
        """Read the past up to the first step ahead, then draw and read in turns."""
        beside, first = self._beside(batch), self.layout.lookback + 1
        read = self.recurrent(torch.cat([self._before(batch), beside[:, :first]], -1))
        ahead, output, ages = (_each(x, paths) for x in (beside[:, first:], read.outputs[:, -1], self._ages(batch)))
        states: States = tuple(tuple(map_state(lambda x: _each(x, paths), s) for s in layer) for layer in read.states)
        drawn = draw(self._said(output), 0)
        for step in range(1, self.layout.horizon):
            x = torch.cat([self._drawn(drawn, ages if step == 1 else None), ahead[:, step - 1]], -1)
            output, states = self.recurrent.step(x, states)
            drawn = draw(self._said(output), step)

    def _before(self, batch: Batch) -> Tensor:
        """Return what is read of the step before each of T + 1 steps: nothing before the first (B, T + 1, ·)."""
        parts, layout = told(batch, self.layout), self.layout
        if layout.past:
            past = F.pad(self.steps.past(batch["past"]), (0, 1), value=1.0)  # and that it is known
            parts.append(F.pad(past, (0, 0, 0, batch.inputs.shape[1] - layout.lookback)))
        return F.pad(torch.cat(parts, -1), (0, 0, 1, 0))

    def _drawn(self, values: Tensor, ages: Tensor | None) -> Tensor:
        """Return the same of values (R, C) that were drawn."""
        parts = [values, torch.ones_like(values), torch.zeros_like(values) if ages is None else ages]
        read = torch.cat(parts[: self.layout.told], -1)
        return F.pad(read, (0, sum(self.steps.past.widths) + bool(self.layout.past)))

    def _beside(self, batch: Batch) -> Tensor:
        """Return what is known beforehand of each step: (B, L + H, ·)."""
        layout, parts = self.layout, []
        if layout.covariates:
            parts = [self.steps.known(batch["known"]), self._throughout(batch["static"])]
        if self.identities is not None:
            parts.append(self._throughout(self.identities(batch["series"])))
        nothing = batch.inputs.new_zeros(len(batch), layout.lookback + layout.horizon, 0)
        return torch.cat([nothing, *parts], -1)

    def _throughout(self, x: Tensor) -> Tensor:
        return x.unsqueeze(1).expand(-1, self.layout.lookback + self.layout.horizon, -1)

    def _ages(self, batch: Batch) -> Tensor:
        """Return how long ago the values before the first step ahead were, as ``told`` says it: (B, C)."""
        observed = batch.get("observed")
        if observed is None:
            return torch.zeros_like(batch.inputs[:, 0])
        return age(last_seen(F.pad(observed, (0, 0, 0, 1), value=True)))[:, -1].to(batch.inputs.dtype)

    def _said(self, outputs: Tensor) -> Tensor:
        """Return the numbers (..., C, P) of outputs (..., M)."""
        params: Tensor = self.out(self.dropout(outputs))
        return params.view(*outputs.shape[:-1], self.layout.channels, self.size)


def _each(x: Tensor, paths: int) -> Tensor:
    """Return windows (B, ...) once for each path (R, ...)."""
    return x.repeat_interleave(paths, 0)


def make_core(config: Config, layout: Layout, head: Head) -> nn.Module:
    """Make it of the cells of the settings; raises ConfigError if nothing can be drawn from the head."""
    if not isinstance(head, (DistributionHead, PlacedHead)):
        raise ConfigError(
            f"preset='deepar' draws from a distribution, and loss='{config.task.loss}' is none. Use loss='gaussian', "
            "'student_t' or 'negative_binomial', or leave loss= out."
        )
    return AutoregressiveCore(layout, Steps(layout), head, config.model)
