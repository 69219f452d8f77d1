"""Backtests: what forecasters would have said from past origins, each trained on what lay before its own.

Neither a training nor a forecast is given anything but a panel that ends at the origin, so that nothing that is found
there (scales, cycles, logarithms, the season, faults, margins of intervals) can know what came after.
Shapes: S row series, H steps, C channels.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import pandas as pd

from ...data.series import Panel, long_frame
from ...errors import ConfigError, DataError
from ...nn.surroundings import on_its_own
from ...settings import Config
from ..base import Fitted
from .answers import answer_to, columns_of
from .context import Context, context_of
from .season import with_its_season
from .settings import OriginsAsked
from .windows import windows_after

Train = Callable[[Panel, str], Fitted]  # trains on a panel; the text says at which origin
TOGETHER = 256  # origins that one model is asked about at once


class Origin(NamedTuple):
    """One origin of a backtest."""

    number: int  # from 0
    ends: list[int]  # of each series: how many of its values lie before it
    trains: bool  # whether a model is trained at it


class Past(NamedTuple):
    """What a forecast from an origin reads."""

    origin: Origin
    panel: Panel  # which ends there


@dataclass(frozen=True)
class Origins:
    """From where is forecast: ``n_windows`` origins, ``step`` apart, of which the last has one horizon after it.

    Raises ConfigError and DataError for what cannot be.
    """

    panel: Panel
    config: Config
    asked: OriginsAsked

    def __post_init__(self) -> None:
        if self.asked.size is not None and self.asked.window != "rolling":
            raise ConfigError(
                f"size={self.asked.size} is how many values a rolling window holds: say window='rolling' with it."
            )
        longest = max(len(values) for values in self.panel.values)
        if longest <= self.kept:
            raise DataError(
                f"Too few rows: {self.asked.n_windows} windows take the last {self.kept} values of each series, and "
                f"the longest has {longest}, so that nothing is left to train on. Use fewer windows or a smaller step, "
                "or bring more rows."
            )

    @property
    def step(self) -> int:
        """How far origins lie apart."""
        horizon: int = self.config.task.horizon
        return horizon if self.asked.step is None else self.asked.step

    @property
    def kept(self) -> int:
        """How many of the last values of each series are forecast."""
        horizon: int = self.config.task.horizon
        return horizon + self.step * (self.asked.n_windows - 1)

    def __iter__(self) -> Iterator[Origin]:
        every = self.asked.refit or self.asked.n_windows
        for number in range(self.asked.n_windows):
            ends = [max(0, len(v) - self.kept + number * self.step) for v in self.panel.values]
            yield Origin(number, ends, number % every == 0)

    def before(self, origin: Origin) -> Panel:
        """Return what trains at an origin: all that lies before it, or the end of that, as long as the window."""
        firsts = [0] * len(origin.ends)
        if self.asked.window == "rolling":
            sizes = [self.asked.size or len(values) - self.kept for values in self.panel.values]
            firsts = [max(0, end - max(1, size)) for end, size in zip(origin.ends, sizes, strict=True)]
        return with_its_season(self._between(firsts, origin.ends))

    def read_at(self, origin: Origin, lookback: int) -> Panel:
        """Return what a forecast from an origin reads, without series of which nothing is known in its look-back."""
        panel = self._between([0] * len(origin.ends), origin.ends)
        known = [bool(np.isfinite(values[-lookback:]).any()) for values in panel.values]
        if self.config.task.channels == "joint":
            known = [any(known)] * len(known)
        return panel.some(np.flatnonzero(known).tolist())

    def _between(self, firsts: list[int], ends: list[int]) -> Panel:
        """Return the series from ``firsts`` to ``ends``, those of which a value is known there.

        What is known ahead goes one horizon further.
        """
        panel, task = self.panel, self.config.task
        values = tuple(v[a:b] for v, a, b in zip(panel.values, firsts, ends, strict=True))
        starts = tuple(panel.times(n, a, a + 1)[0] if a else panel.starts[n] for n, a in enumerate(firsts))
        beside = tuple(
            one._replace(known=one.known[a : b + task.horizon], past=one.past[a:b])
            for one, a, b in zip(panel.beside, firsts, ends, strict=bool(panel.beside))
        )
        whole = replace(panel, values=values, starts=starts, beside=beside)
        if task.channels == "joint":
            return whole
        return whole.some([n for n, own in enumerate(values) if np.isfinite(own).any()])


@on_its_own
def backtest(origins: Origins, train: Train) -> Iterator[pd.DataFrame]:
    """Yield the forecasts of each origin: a long frame ``unique_id, ds, cutoff, y, yhat`` and the intervals.

    ``train`` is given what lies before an origin, and a few words on which it is.
    """
    fitted: Fitted | None = None
    pasts: list[Past] = []
    for origin in origins:
        if fitted is not None and (origin.trains or len(pasts) == TOGETHER):
            yield from _compared(origins.panel, fitted, pasts)
            pasts = []
        if fitted is None or origin.trains:
            fitted = train(origins.before(origin), f"origin {origin.number + 1} of {origins.asked.n_windows}")
        past = origins.read_at(origin, fitted.learned.layout.lookback)
        if len(past):
            pasts.append(Past(origin, past))
    if fitted is not None:
        yield from _compared(origins.panel, fitted, pasts)


def _compared(panel: Panel, fitted: Fitted, pasts: Sequence[Past]) -> Iterator[pd.DataFrame]:
    """Yield for each origin what is said from it beside what happened, where that is known."""
    if not pasts:
        return
    learned, places = fitted.learned, {name: n for n, name in enumerate(panel.names)}
    context = Context.joined([context_of(learned, past.panel) for past in pasts])
    guess = answer_to(fitted, windows_after(context, learned))
    horizon = learned.layout.horizon
    names = [name for past in pasts for name in past.panel.names]
    rows = [(places[name], past.origin.ends[places[name]]) for past in pasts for name in past.panel.names]
    stamps = [panel.times(n, end - 1, end + horizon) for n, end in rows]
    truth = np.concatenate([panel.values[n][end : end + horizon] for n, end in rows])
    frame = long_frame(names, [own[1:] for own in stamps], {"y": truth, **columns_of(guess, horizon)})
    cutoffs = [own[:1].repeat(horizon) for own in stamps]
    frame.insert(2, "cutoff", cutoffs[0].append(cutoffs[1:]))
    for part in np.split(np.arange(len(frame)), np.cumsum([len(past.panel) * horizon for past in pasts])[:-1]):
        yield frame.iloc[part[np.isfinite(truth[part])]].reset_index(drop=True)


def in_order(folds: list[pd.DataFrame]) -> pd.DataFrame:
    """Return the forecasts of all origins series by series, in each one origin after the other."""
    if not folds:
        raise DataError("Nothing can be judged: no value is known that a forecast could be compared with.")
    whole = pd.concat(folds, ignore_index=True)
    names = {name: n for n, name in enumerate(dict.fromkeys(whole["unique_id"]))}
    order = np.argsort(whole["unique_id"].map(names).to_numpy(), kind="stable")
    return whole.iloc[order].reset_index(drop=True)
