"""The forecasting network: take out level and season, read segments, write segments, put both back.

Shapes: B windows, L look-back, H horizon, C channels, n segments read, Q segments written, P head numbers.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from ...attention import LaggedAttention
from ...data.batch import Batch
from ...nn.heads import Head
from ...nn.layers import Recurrent
from ...nn.models import Output, ParallelWriter, Writer
from ...random import Dropout
from .gaps import InputDecay, carried
from .layout import Layout
from .mixing import CovariateMixer, Selected
from .placing import PlacedHead, from_log, to_log, unit_of
from .steps import Steps, told

if TYPE_CHECKING:
    from .windows import Windows

SMALL, SMALLEST = 0.2, 1e-4  # changes, in training deviations, that are a unit of their own, and the smallest unit
MEASURED = 2000  # windows at most, by which that is found


class Cycle(nn.Module):
    """A learned value for every place in the season, of every series (CycleNet, arXiv 2409.18479).

    The last row belongs to series that were not there in training, and stays zero.
    """

    def __init__(self, series: int, season: int, channels: int):
        super().__init__()
        self.table = nn.Parameter(torch.zeros(series + 1, season, channels))

    @torch.no_grad()
    def start_from(self, cycles: Tensor) -> None:
        """Begin with measured ``cycles`` (S, season, C) instead of zeros."""
        self.table[:-1] = cycles

    def forward(self, series: Tensor, phase: Tensor, steps: int) -> Tensor:
        """Return the cycle (B, steps, C) from ``phase`` (B,) on."""
        places = (phase.unsqueeze(1) + torch.arange(steps, device=phase.device)) % self.table.shape[1]
        return self.table[series.unsqueeze(1), places]


def level(x: Tensor, observed: Tensor | None, kind: str) -> Tensor:
    """Return what is subtracted from a window (B, 1, C): its ``last`` known value, its ``mean``, or ``none``."""
    if kind == "none":
        return torch.zeros_like(x[:, :1])
    if kind == "mean":
        if observed is None:
            return x.mean(1, keepdim=True)
        return torch.where(observed, x, 0.0).sum(1, keepdim=True) / observed.sum(1, keepdim=True).clamp(min=1)
    if observed is None:
        return x[:, -1:]
    steps = torch.arange(1, x.shape[1] + 1, device=x.device).view(1, -1, 1)
    last = (observed * steps).amax(1, keepdim=True) - 1
    return torch.where(last >= 0, x.gather(1, last.clamp(min=0)), 0.0)


class Bared(NamedTuple):
    """Windows without their level and season, and what was taken from them."""

    batch: Batch
    offset: Tensor  # (B, L + H, C)
    ratio: Tensor | None  # (B, 1, C), where the network sees logarithms
    place: Tensor | None = None  # (B, 1, C, 3), where the head has to know the unit of the data


def dressed_by(head: Head, params: Tensor, bared: Bared, unit: Tensor) -> Tensor:
    """Return what was said in a ``unit`` of the last steps (B, ·, C, P), placed as the ``head`` reads it."""
    params = head.shift(head.stretch(params, unit), bared.offset[:, -params.shape[1] :])
    if isinstance(head, PlacedHead):
        return head.placed(params, bared.ratio if bared.place is None else bared.place)
    return params if bared.ratio is None else from_log(params, bared.ratio.unsqueeze(-1))


class ForecastNet(nn.Module):
    """A forecaster: ``core`` sees windows without their level and season, and both are added to what it says."""

    def __init__(self, core: nn.Module, head: Head, layout: Layout, normalise: str):
        super().__init__()
        self.core, self.head, self.layout, self.normalise = core, head, layout, normalise
        self.cycle = Cycle(layout.series, layout.season, layout.channels) if layout.cycle else None
        self.decay = InputDecay(layout.channels) if layout.missing and layout.gaps == "decay" else None
        # How far each quantile is moved so that the intervals hold what they should; found after training.
        self.widen: Tensor
        self.register_buffer("widen", torch.zeros(len(head.quantiles)))
        # What the core sees and says is in units of this: of changes that are small beside the spread of the values.
        self.unit: Tensor
        self.register_buffer("unit", torch.ones(()))

    def forward(self, batch: Batch, record: bool = False) -> Output:
        """Return the head's numbers (B, H, C, P) for ``batch.inputs`` (B, L, C)."""
        bared = self.bared(batch)
        answer = self.core(bared.batch, record)
        return answer._replace(prediction=self.dressed(answer.prediction, bared))

    def bared(self, batch: Batch) -> "Bared":
        """Return windows as the core sees them: without their cycle and level."""
        x, observed, ratio = batch.inputs, batch.get("observed"), batch.get("ratio")
        x = x if ratio is None else to_log(x, ratio)
        season = None
        if self.cycle is not None:
            season = self.cycle(batch["series"], batch["phase"], x.shape[1] + self.layout.horizon)
            x = x - season[:, : x.shape[1]]
        base = level(x, observed, self.normalise)
        if observed is not None:
            x = self._filled(x, observed, base)
        x = (x - base) / self.unit
        offset = base.expand(-1, x.shape[1] + self.layout.horizon, -1)
        if season is not None:
            offset = offset + season
        return Bared(batch.with_values("source", x), offset, ratio, unit_of(batch) if self.layout.counts else None)

    def _filled(self, x: Tensor, observed: Tensor, base: Tensor) -> Tensor:
        """Return windows (B, L, C) with what is read where a value is missing."""
        if self.decay is not None:
            filled: Tensor = self.decay(x, observed, base)
            return filled
        if self.layout.gaps and self.layout.told == 1:  # it is told of no gap
            return carried(x, observed, base)
        return torch.where(observed, x, base)

    def dressed(self, params: Tensor, bared: "Bared") -> Tensor:
        """Return what the core said of the last steps (B, ·, C, P) with the level and the cycle of its windows."""
        return dressed_by(self.head, params, bared, self.unit)

    @torch.no_grad()
    def measure(self, windows: "Windows") -> None:
        """Find the unit: how far the future of ``windows`` lies from what is added to the answer, if that is little."""
        sums = torch.zeros(2, dtype=torch.double)
        for numbers in torch.arange(len(some := windows.some(MEASURED))).split(512):
            batch = some.take(numbers)
            bared, future = self.bared(batch), batch.targets
            assert future is not None
            future = future if bared.ratio is None else to_log(future, bared.ratio)
            error = (future - bared.offset[:, -future.shape[1] :]).abs()
            mask = torch.ones_like(error) if batch.target_mask is None else batch.target_mask.expand_as(error)
            sums += torch.stack([(error * mask).sum(), mask.sum()]).double()
        size = float(sums[0] / sums[1].clamp(min=1))
        self.unit.fill_(max(size, SMALLEST) if size < SMALL else 1.0)

    def over(self, windows: "Windows", batch_size: int = 512) -> Iterator[tuple[Tensor, Batch, Tensor]]:
        """Yield numbers, batch and the head's numbers (B, H, C, P) of all ``windows``, some at a time, in their order.

        The batch and what follows from it are on the network's device.
        """
        device = next(self.parameters()).device
        for numbers in torch.arange(len(windows)).split(batch_size):
            batch = windows.take(numbers).to(device)
            yield numbers, batch, self(batch).prediction

    @torch.no_grad()
    def welcome_strangers(self) -> None:
        """Give series that were not there in training the mean identity of those that were."""
        identities = getattr(self.core, "identities", None)
        if identities is not None:
            identities.weight[-1] = identities.weight[:-1].mean(0)


class SegmentCore(nn.Module):
    """Read segments, answer one attending query per output segment, all at once.

    With lags, the segments that a query looks at are copied, too: ``ŷ_q = W h~_q + g_q Σ_j a_qj x_j``, g learned.
    """

    def __init__(self, layout: Layout, head: Head, recurrent: Recurrent, writer: ParallelWriter, dropout: float):
        super().__init__()
        self.layout, self.head, self.numbers = layout, head, head.size
        width, hidden = layout.segment * layout.channels, writer.cell.hidden_size
        own = width * layout.told
        self.embed: nn.Module = nn.Identity()
        self.mixer: CovariateMixer | None = None
        if layout.covariates:
            sizes = recurrent.input_size, writer.cell.input_size, layout.channels * head.size
            self.mixer = CovariateMixer(layout, own, *sizes)
        else:
            self.embed = nn.Linear(own, recurrent.input_size)
        self.recurrent, self.writer = recurrent, writer
        identity = writer.cell.input_size // 2 if layout.series > 1 and not layout.alone else 0
        self.places = nn.Parameter(torch.randn(layout.written, writer.cell.input_size - identity))
        self.identities = nn.Embedding(layout.series + 1, identity) if identity else None
        self.dropout = Dropout(dropout)
        self.out = nn.Linear(hidden, width * head.size)
        # How much of the segments it looks at each output copies; nothing at first.
        self.copied = (
            nn.Parameter(torch.zeros(layout.written)) if isinstance(writer.attention, LaggedAttention) else None
        )

    def forward(self, batch: Batch, record: bool) -> Output:
        """Return (B, H, C, P) for ``batch.inputs`` (B, L, C)."""
        layout, size = self.layout, len(batch)
        segments = self.segments(batch)
        read = self.recurrent(self._embedded(segments, batch).relu(), record=record)
        written = self.writer(self._queries(batch), read)
        out = self.out(self.dropout(written.prediction))
        params = out.view(size, layout.written * layout.segment, layout.channels, self.numbers)
        if self.copied is not None and written.weights is not None:
            params = self.head.shift(params, self._copies(written.weights, batch.inputs))
        if self.mixer is not None and (said := self.mixer.said(batch)) is not None:
            params = params + said.view_as(params)
        return written._replace(prediction=params[:, : layout.horizon])

    def _embedded(self, segments: Tensor, batch: Batch) -> Tensor:
        embedded: Tensor = self.embed(segments) if self.mixer is None else self.mixer.read(segments, batch)[0]
        return embedded

    def segments(self, batch: Batch) -> Tensor:
        """Return the segments that are read (B, n, ·), with what is known of their gaps, if some values are missing."""
        parts = [part.reshape(len(batch), self.layout.read, -1) for part in told(batch, self.layout)]
        return torch.cat(parts, -1)

    def selected(self, batch: Batch) -> Selected | None:
        """Return how much weight each covariate has; None if there is none."""
        return None if self.mixer is None else self.mixer.selected(self.segments(batch), batch)

    def _copies(self, weights: Tensor, inputs: Tensor) -> Tensor:
        """Return ``g_q Σ_j a_qj x_j`` (B, Q·segment, C), x the segments of ``inputs``."""
        assert self.copied is not None
        mean = weights.mean(1) if weights.dim() == 4 else weights
        seen = mean @ inputs.reshape(len(inputs), self.layout.read, -1)
        return (self.copied.unsqueeze(-1) * seen).view(len(inputs), -1, self.layout.channels)

    def _queries(self, batch: Batch) -> Tensor:
        queries = self.places.expand(len(batch), -1, -1)
        if self.identities is not None:
            identity = self.identities(batch["series"]).unsqueeze(1).expand(-1, self.layout.written, -1)
            queries = torch.cat([queries, identity], -1)
        written = None if self.mixer is None else self.mixer.written(batch)
        return queries if written is None else queries + written[0]


class VanillaCore(nn.Module):
    """The classical encoder and decoder: one step read at a time, one step written at a time.

    Each step that is written reads the one before it, and what is known ahead of it.
    """

    def __init__(self, layout: Layout, head: Head, steps: Steps, writer: Writer):
        super().__init__()
        self.layout, self.head, self.steps, self.writer = layout, head, steps, writer

    def forward(self, batch: Batch, record: bool) -> Output:
        """Return (B, H, C, P) for ``batch.inputs`` (B, L, C); each step reads the one written before it."""
        layout = self.layout

        def point(prediction: Tensor) -> Tensor:
            return self.head.point(prediction.view(-1, layout.channels, self.head.size))

        choose = slice(None, None, self.head.size) if self.head.plain else point
        read, beside = Batch(self.steps(batch)), self.steps.ahead(batch)
        written = self.writer.write(read, batch.inputs[:, -1], layout.horizon, choose, record, beside)
        params = written.prediction.view(-1, layout.horizon, layout.channels, self.head.size)
        return written._replace(prediction=params)
