"""Networks that answer with what they draw: each step reads what was drawn of the one before it.

Shapes: B windows, L look-back, H horizon, C channels, P head numbers, n paths, R rows, which are B·n.
"""

from abc import abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn

from ...data.batch import Batch
from ...nn.heads import DistributionHead, Head
from ...nn.loss import Loss
from ...nn.models import Output
from .layout import Layout
from .network import Bared, ForecastNet, dressed_by
from .placing import PlacedHead, to_log
from .task import ForecastTask

PATHS, SEED = 200, 0  # of every answer; the seed is the same for all windows, so that none depends on the others

Law = DistributionHead | PlacedHead  # what values can be drawn from
Draw = Callable[[Tensor, int], Tensor]  # from the numbers of one step (R, C, P), and which one, to values (R, C)


class DrawingCore(nn.Module):
    """A core that reads the step before, and says the numbers of the next one: its ``law`` has their meaning."""

    law: Law

    @abstractmethod
    def forward(self, batch: Batch, record: bool) -> Output:
        """Return the numbers of every step (B, L + H, C, P) after the true ones before it, ``batch.inputs``."""

    @abstractmethod
    def fed(self, batch: Batch, draw: Draw, paths: int) -> None:
        """Go on after ``batch.inputs`` (B, L, C) for H steps on each path, and read what ``draw`` makes of a step."""


class DrawnHead(Head):
    """Values (..., n) that were drawn: the point is their median, and the intervals end at their quantiles.

    A quantile q lies between the values in order, at ``n q + ½`` (Hazen 1914). The loss is that of the ``law`` they
    were drawn from, and of its numbers.
    """

    plain = False

    def __init__(self, law: Law):
        self.law, self.size, self.quantiles = law, law.size, law.quantiles

    def loss(self, params: Tensor, target: Tensor) -> Tensor:
        return self.law.loss(params, target)

    def point(self, params: Tensor) -> Tensor:
        return _quantiles(params, (0.5,))[..., 0]

    def interval(self, params: Tensor) -> Tensor:
        return _quantiles(params, self.quantiles)


def _quantiles(values: Tensor, quantiles: tuple[float, ...]) -> Tensor:
    """Return the ``quantiles`` (..., K) of values (..., n)."""
    count, ordered = values.shape[-1], values.sort(-1).values
    place = (torch.tensor(quantiles, dtype=torch.float64) * count - 0.5).clamp(0, count - 1)
    low = place.floor()
    share = (place - low).to(ordered)
    below, above = (ordered[..., at.long().to(ordered.device)] for at in (low, place.ceil()))
    return below + share * (above - below)


class DrawingNet(ForecastNet):
    """A forecaster that learns from the true values before each step, and answers with paths it draws.

    Ancestral sampling: ``z_t ~ law(core(z_{t−1}, ...))``, each path by itself. All windows are drawn at the same
    levels of probability (``path_levels``), so that no answer depends on what else is asked.
    """

    core: DrawingCore

    def __init__(self, core: DrawingCore, law: Law, layout: Layout, normalise: str):
        super().__init__(core, DrawnHead(law), layout, normalise)
        self.law = law
        self.levels: Tensor
        self.register_buffer("levels", path_levels(layout.horizon, layout.channels), persistent=False)

    def forward(self, batch: Batch, record: bool = False) -> Output:
        """Return values drawn of each step (B, H, C, n), of which path n is one that happens from step to step."""
        bared = self.bared(batch)
        count, horizon = len(batch), self.layout.horizon
        offset = _each(bared.offset[:, -horizon:])
        ratio, place = (None if part is None else _each(part) for part in (bared.ratio, bared.place))
        levels = self.levels.repeat(count, 1, 1)
        drawn: list[Tensor] = []

        def draw(params: Tensor, step: int) -> Tensor:
            here = Bared(batch, offset[:, step : step + 1], ratio, place)
            numbers = dressed_by(self.law, params.unsqueeze(1), here, self.unit)
            drawn.append(values := self.law.at(numbers, levels[:, step : step + 1]))
            return self._read(values, here)[:, 0]

        self.core.fed(bared.batch, draw, PATHS)
        every = torch.cat(drawn, 1).view(count, PATHS, horizon, self.layout.channels)
        recurrence = self.core(bared.batch, record).recurrence if record else None
        return Output(every.permute(0, 2, 3, 1), recurrence=recurrence)

    def taught(self, batch: Batch) -> Output:
        """Return the law's numbers after the true values (B, ·, C, ·): in training of L + H steps, else of H ahead.

        Where a value ahead is missing, the level of the window is read.
        """
        bared, future, known = self.bared(batch), batch.targets, batch.target_mask
        assert future is not None
        future = self._read(future, bared)
        future = future if known is None else torch.where(known, future, 0.0)
        whole = bared.batch.with_values("source", torch.cat([bared.batch.inputs, future], 1))
        if (observed := batch.get("observed")) is not None:
            whole = whole.with_values("observed", _joined(observed, known))
        answer = self.core(whole, False)
        params = answer.prediction if self.training else answer.prediction[:, -self.layout.horizon :]
        return answer._replace(prediction=dressed_by(self.law, params, bared, self.unit))

    def _read(self, values: Tensor, bared: Bared) -> Tensor:
        """Return values (B, ·, C) of the last steps as the core reads them."""
        values = values if bared.ratio is None else to_log(values, bared.ratio)
        return (values - bared.offset[:, -values.shape[1] :]) / self.unit


class TaughtTask(ForecastTask):
    """The law's negative log-likelihood over all known values of a window, in training those that are read, too."""

    def ask(self, model: nn.Module, batch: Batch) -> Output:
        """Run the model on the windows with the true values."""
        assert isinstance(model, DrawingNet)
        return model.taught(batch)

    def loss(self, output: Output, batch: Batch) -> Loss:
        """Return the loss over the values of which something is said."""
        truth, known = batch.targets, batch.target_mask
        assert truth is not None
        if output.prediction.shape[1] > truth.shape[1]:
            truth, observed = torch.cat([batch.inputs, truth], 1), batch.get("observed")
            known = None if observed is None else _joined(observed, known)
        return Loss.over(self.head.loss(output.prediction, truth), known)


def path_levels(horizon: int, channels: int) -> Tensor:
    """Return levels of probability (n, H, C): a Latin hypercube, of each step one in each of n equal parts.

    McKay et al. 1979, doi 10.1080/00401706.1979.10489755. Few paths show more so than by chance alone; points that are
    more even still (Sobol's) are not for so few paths of many steps, as some of their steps go together.
    """
    generator, shape = torch.Generator().manual_seed(SEED), (PATHS, horizon, channels)
    ranks = torch.rand(shape, generator=generator, dtype=torch.float64).argsort(0)
    within = torch.rand(shape, generator=generator, dtype=torch.float64).clamp(1e-6, 1 - 1e-6)
    return (ranks + within) / PATHS


def _each(part: Tensor) -> Tensor:
    """Return the windows (B, ...) once for each path (R, ...)."""
    return part.repeat_interleave(PATHS, 0)


def _joined(observed: Tensor, known: Tensor | None) -> Tensor:
    """Return which values of a whole window are known (B, L + H, C)."""
    assert known is not None  # both or neither
    return torch.cat([observed, known], 1)
