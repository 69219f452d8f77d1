"""Rolling-origin backtests: forecasts of many windows beside what happened, in the unit of the data.

Shapes: W windows, H steps, C channels.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ...compare.metric import Statistics
from ...data.series import Panel
from ...errors import DataError
from ...nn.heads import Head
from ...nn.intervals import levels_of
from ..base import Exam
from .learned import ForecastLearned
from .metrics import inside, naive_scale, naive_square, quantile_sums, window_sums
from .naive import naive2
from .network import ForecastNet
from .plan import Part, describe_test, tracks_of
from .scaling import Scaling, unscale
from .windows import Windows


@dataclass(frozen=True)
class Truth:
    """What happened in the windows of a backtest."""

    values: np.ndarray  # (W, H, C), NaN where unknown
    series: np.ndarray  # (W,) which row series
    origins: np.ndarray  # (W,) position of the first target in its series
    mase: np.ndarray  # (W, 1, C) the scale of MASE
    std: np.ndarray  # (W, 1, C) the training deviation
    step: int = 1  # distance between origins
    rmsse: np.ndarray | None = None  # (W, 1, C) the scale of RMSSE, squared
    naive2: Statistics | None = None  # the sums of errors of naive 2, which OWA is relative to

    @property
    def overlap(self) -> int:
        """How many neighbouring origins share targets."""
        return -(-self.values.shape[1] // self.step)


class Guess(NamedTuple):
    """What one model said about them."""

    point: np.ndarray  # (W, H, C)
    bands: dict[int, tuple[np.ndarray, np.ndarray]]  # coverage in percent to lower and upper end

    @property
    def quantiles(self) -> dict[float, np.ndarray]:
        """The point, which is the median, and the ends of all bands, by the level of each."""
        ends = {0.5: self.point}
        for level, (low, high) in self.bands.items():
            ends |= {(100 - level) / 200: low, (100 + level) / 200: high}
        return ends

    def each(self, change: Callable[[np.ndarray], np.ndarray]) -> "Guess":
        """Return what ``change`` makes of the point and of every end."""
        bands = {level: (change(low), change(high)) for level, (low, high) in self.bands.items()}
        return Guess(change(self.point), bands)

    def first(self, steps: int) -> "Guess":
        """Return only the first ``steps``."""
        return self.each(lambda part: part[:, :steps])

    @staticmethod
    def joined(guesses: "Sequence[Guess]", axis: int) -> "Guess":
        """Return ``guesses`` one after the other along an ``axis``: of windows, 0, or of steps, 1."""
        ends = {level: zip(*(one.bands[level] for one in guesses), strict=True) for level in guesses[0].bands}
        bands = {level: tuple(np.concatenate(parts, axis) for parts in both) for level, both in ends.items()}
        return Guess(np.concatenate([one.point for one in guesses], axis), bands)  # type: ignore[arg-type]

    def kept(self, scaling: Scaling, series: np.ndarray) -> "Guess":
        """Return the same within the bounds of its ``series`` (W,), each interval within the wider ones.

        Those of counts end at whole numbers, moved outwards, as the ends belong to an interval.
        """
        low = high = point = scaling.kept(self.point, series)
        counts, bands = scaling.counts[series][:, None], {}
        for level, (lower, upper) in sorted(self.bands.items()):
            low = np.minimum(scaling.kept(np.where(counts, np.floor(lower), lower), series), low)
            high = np.maximum(scaling.kept(np.where(counts, np.ceil(upper), upper), series), high)
            bands[level] = (low, high)
        return Guess(point, bands)


def make_exam(panel: Panel, learned: ForecastLearned, part: Part, windows: Windows) -> Exam:
    """Return the ``windows`` of a ``part`` with what happened in them; raises DataError if there is none."""
    if not len(windows):
        if not part.size:  # of all that follows the training
            raise DataError("Nothing can be judged: no value is known that a forecast could be compared with.")
        raise DataError(
            f"The last {part.size} rows, which are held out to judge the model, hold no known value. Hold out more "
            f"with test_size=, or cut the empty end off."
        )
    tracks = tracks_of(panel, learned.joint)
    truth = truth_of(windows, tracks, part, learned.layout.season)
    return Exam(windows, truth, describe_test(len(windows), part.size, part.step))


def truth_of(windows: Windows, tracks: list[np.ndarray], part: Part, season: int) -> Truth:
    """Collect the targets of ``windows`` from ``tracks`` (T, C), and their scales, measured up to the part's ends."""
    series, scaling = windows.series.numpy(), windows.rows.scaling
    naive = np.stack([naive_scale(track[:end], season) for track, end in zip(tracks, part.ends, strict=True)])
    mase = np.where(np.isfinite(naive), naive, scaling.std)  # too short to compare two seasons, or constant
    origins = windows.origins
    begins = np.cumsum([0, *(len(track) for track in tracks)])[series]
    values = np.concatenate(tracks)[(begins + origins)[:, None] + np.arange(windows.horizon)]
    squares = np.stack([naive_square(track[:end], season) for track, end in zip(tracks, part.ends, strict=True)])
    rmsse = np.where(np.isfinite(squares), squares, scaling.std**2)[series][:, None]
    plain = np.zeros(values.shape)
    for n in np.unique(series):
        own = series == n
        plain[own] = naive2(tracks[n], part.ends[n], season, origins[own], windows.horizon)
    scales = mase[series][:, None], scaling.std[series][:, None]
    return Truth(values, series, origins, *scales, part.step, rmsse, errors_of_naive2(values, plain, *scales))


def errors_of_naive2(truth: np.ndarray, said: np.ndarray, mase: np.ndarray, std: np.ndarray) -> Statistics:
    """Return the sums of those errors of naive 2 that OWA is relative to; shapes as for ``window_sums``."""
    errors = window_sums(truth, said, mase, std)
    return {f"naive2_{name}": errors[name] for name in ("symmetric", "scaled")}


def statistics_of(truth: Truth, guess: Guess) -> Statistics:
    """Return the sums of errors of every window, its origin, and how much of it lies in each interval."""
    sums = window_sums(truth.values, guess.point, truth.mase, truth.std) | quantile_sums(truth.values, guess.quantiles)
    if truth.rmsse is not None:
        errors = np.square(np.nan_to_num(guess.point - truth.values)) / truth.rmsse
        sums["scaled_squared"] = errors.sum((1, 2))
    if truth.naive2 is not None:
        sums |= truth.naive2
    bands = {f"inside_{level}": inside(truth.values, low, high) for level, (low, high) in guess.bands.items()}
    return sums | bands | {"origin": truth.origins}


def ask_network(network: ForecastNet, head: Head, windows: Windows, batch_size: int = 512) -> Guess:
    """Forecast all ``windows``; the ends of the intervals are not calibrated."""
    network.eval()
    with torch.inference_mode():
        every = (params for _, _, params in network.over(windows, batch_size))
        return guess_from(head, every, windows)


def guess_from(head: Head, every: Iterable[Tensor], windows: Windows) -> Guess:
    """Return what the head's numbers (B, H, C, P) of all ``windows`` say, some at a time."""
    points, ends = [], []
    for params in every:
        points.append(head.point(params).cpu())
        if head.quantiles:
            ends.append(head.interval(params).cpu())
    quantiles = torch.cat(ends) if ends else None
    return guess_of(head, torch.cat(points), quantiles, windows.rows.scaling, windows.series.numpy())


def points_of(scaled: np.ndarray, windows: Windows) -> Guess:
    """Return standardised points (W, H, C) of ``windows`` in the unit of the data, without intervals."""
    return Guess(unscale(scaled, windows.rows.scaling, windows.series.numpy()), {})


def guess_of(head: Head, point: Tensor, quantiles: Tensor | None, scaling: Scaling, series: np.ndarray) -> Guess:
    """Return standardised points (W, H, C) and ``quantiles`` (W, H, C, K) in the unit of their ``series``."""
    bands = {}
    if quantiles is not None:
        every = quantiles.double().numpy()
        for level, low, high in levels_of(head.quantiles):
            bands[level] = (unscale(every[..., low], scaling, series), unscale(every[..., high], scaling, series))
    return Guess(unscale(point.double().numpy(), scaling, series), bands)


def error_by_step(truth: Truth, guess: Guess) -> np.ndarray:
    """Return the mean absolute error of each step ahead (H,), in the unit of the data; NaN where none is known."""
    errors = np.abs(guess.point - truth.values)
    known = np.isfinite(errors)
    counts = known.sum((0, 2))
    return np.where(counts > 0, np.where(known, errors, 0.0).sum((0, 2)) / np.maximum(counts, 1), np.nan)
