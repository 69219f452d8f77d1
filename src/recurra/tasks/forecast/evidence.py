"""Whether looking explains: what attention looked at is taken away, and as much elsewhere.

Shapes: W windows, B of them at a time, H horizon, C channels, n segments read.
"""

from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from ...compare.agreement import Agreement, rank_agreement
from ...compare.significance import interval_of_mean
from ...data.batch import Batch
from ...nn.heads import Head
from ...nn.models import Output
from ...nn.occlusion import occlusion
from ...nn.surroundings import on_its_own
from ..base import Fitted, Judged
from .exam import Truth
from .mixing import Selected
from .network import Bared, ForecastNet
from .windows import Windows

MOST, AT_ONCE = 100, 64  # windows that are asked, and at a time
PATIENCE = 200  # segments, of more of which none is taken away: it would take too long
EXCHANGED, FEWEST = 512, 8  # windows that exchange values at most, and at least
NOTHING = 1e-6  # mean error, in training deviations, of which no share says anything


class Evidence(NamedTuple):
    """Where the network looked, and how much its error grows without what it looked at."""

    weights: np.ndarray  # (W, n), mean over heads and outputs
    growth: np.ndarray  # (W, n) of the mean absolute error without each segment, as a share of the mean of all windows

    @property
    def looked(self) -> np.ndarray:
        """How much the error of each window grows without the segment that was looked at most (W,)."""
        rows = np.arange(len(self.weights))
        most: np.ndarray = self.growth[rows, self.weights.argmax(1)]
        return most

    @property
    def elsewhere(self) -> np.ndarray:
        """How much it grows without another segment, mean over all of them (W,)."""
        mean: np.ndarray = (self.growth.sum(1) - self.looked) / (self.growth.shape[1] - 1)
        return mean

    @property
    def agreement(self) -> Agreement:
        """Whether segments have the same order by looks and by growth, window by window."""
        return rank_agreement(list(self.weights), list(self.growth))

    @property
    def margin(self) -> float:
        """Half the width of the 95 % interval of how far the mean of ``looked`` lies above that of ``elsewhere``."""
        return interval_of_mean(self.looked - self.elsewhere)


def evidence_of(fitted: Fitted, judged: Judged) -> Evidence | None:
    """Return the evidence of the held-out windows; None if the network looks nowhere, or too few can be asked."""
    network, truth = fitted.network, judged.exam.truth
    layout = fitted.learned.layout
    if not isinstance(network, ForecastNet) or not 2 <= layout.read <= PATIENCE:
        return None
    examples = judged.exam.examples
    assert isinstance(truth, Truth) and isinstance(examples, Windows)
    chosen = examples.at(torch.arange(0, len(examples), truth.overlap)).some(MOST)  # that share no target
    found = _found(fitted, network, chosen)
    if found is None:
        return None
    weights, errors, more = found
    known = np.isfinite(more).all(1)
    if known.sum() < 2 or not errors[known].mean() > NOTHING:
        return None
    return Evidence(weights[known], more[known] / errors[known].mean())


@on_its_own
def _found(fitted: Fitted, network: ForecastNet, windows: Windows) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Return looks (W, n), errors (W,), and how much these grow without each segment (W, n); None without looks."""
    layout, head = fitted.learned.layout, fitted.task.head  # type: ignore[attr-defined]
    firsts = range(0, layout.lookback, layout.segment)
    stretches = [(first, first + layout.segment - 1) for first in firsts]
    parts: list[tuple[Tensor, ...]] = []
    device = next(network.parameters()).device
    network.eval()
    for numbers in torch.arange(len(windows)).split(AT_ONCE):
        batch = windows.take(numbers).to(device)
        with torch.inference_mode():
            output, bared = network(batch), network.bared(batch)
        if output.weights is None:
            return None
        weights = output.weights.flatten(1, -2).mean(1)
        error = errors_of(head, output.prediction, batch)

        def grown(whole: Tensor, left: Tensor, error: Tensor = error, batch: Batch = batch) -> Tensor:
            return errors_of(head, left, batch) - error

        more = occlusion(_Bare(network, bared), bared.batch, stretches, grown)
        parts.append(tuple(part.cpu().double() for part in (weights, error, more)))
    looked, lost, grew = (torch.cat(part).numpy() for part in zip(*parts, strict=True))
    return looked, lost, grew


def errors_of(head: Head, params: Tensor, batch: Batch) -> Tensor:
    """Return the mean absolute error of what the head's numbers (B, H, C, P) say, where it is known: (B,)."""
    assert batch.targets is not None
    errors = (head.point(params) - batch.targets).abs()
    if batch.target_mask is None:
        return errors.flatten(1).mean(1)
    return errors.masked_fill(~batch.target_mask, torch.nan).flatten(1).nanmean(1)


class Counted(NamedTuple):
    """How much each covariate counts: by what is lost without it, and by the network's own weights, if it has them."""

    names: tuple[str, ...]
    growth: np.ndarray  # (V,) of the mean absolute error where forecasts have exchanged the values, as a share of it
    selected: Selected | None


@runtime_checkable
class Selecting(Protocol):
    """A core that weighs covariates."""

    def selected(self, batch: Batch) -> Selected | None: ...


@on_its_own
@torch.inference_mode()
def counted(fitted: Fitted, judged: Judged) -> Counted | None:
    """Return how much each covariate counts in the held-out windows; None if there is none, or too few can be asked.

    The values of a covariate are exchanged among windows, so that they are as usual as they were but say nothing
    (Breiman 2001, permutation importance).
    """
    network, examples, learned = fitted.network, judged.exam.examples, fitted.learned
    if not isinstance(network, ForecastNet) or not learned.layout.covariates or len(examples) < FEWEST:
        return None
    assert isinstance(examples, Windows)
    network.eval()
    windows, head = examples.some(EXCHANGED), fitted.task.head  # type: ignore[attr-defined]
    batch = windows.take(torch.arange(len(windows))).to(next(network.parameters()).device)
    order = torch.randperm(len(windows), generator=torch.Generator().manual_seed(0))
    before = errors_of(head, network(batch).prediction, batch).nanmean()
    names, growth = [], []
    for sort, variables in learned.variables._asdict().items():
        first = 0
        for one in variables:
            values = batch[sort].clone()
            values[..., first : first + one.width] = values[order][..., first : first + one.width]
            after = errors_of(head, network(batch.with_values(sort, values)).prediction, batch).nanmean()
            growth.append(float(after / before - 1))
            names.append(one.name)
            first += one.width
    core = network.core
    selected = core.selected(network.bared(batch).batch) if isinstance(core, Selecting) else None
    return Counted(tuple(names), np.array(growth), selected)


class _Bare(nn.Module):
    """A network that is asked about windows that are bared already."""

    def __init__(self, network: ForecastNet, bared: Bared):
        super().__init__()
        self.network, self.taken = network, bared

    def forward(self, batch: Batch) -> Output:
        answer: Output = self.network.core(batch, False)
        return answer._replace(prediction=self.network.dressed(answer.prediction, self.taken))
