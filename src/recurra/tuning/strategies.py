"""What is tried next: every combination, chance, or what Optuna makes of the trials before.

A strategy is asked for the points of some trials, by their numbers, and is told of all trials before the first of
them. It keeps nothing between two questions: a search that goes on later asks the same and gets the same.
"""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np

from ..errors import ConfigError
from .space import Axis, Point, Space
from .trials import FINISHED, PRUNED, Trial

TRIES = 100  # until a point by chance that was there before is taken once more


class Strategy(Protocol):
    """One way to search."""

    alone: bool  # whether a trial is chosen whatever the others were

    def ask(self, numbers: Sequence[int], before: Sequence[Trial]) -> list[Point]:
        """Return a point for each of ``numbers``, which are from 1 on; fewer where there are no more."""


class Listed:
    """Points that were settled beforehand: a grid, or all there are, in an order by chance."""

    alone = True

    def __init__(self, points: Sequence[Point]):
        self.points = list(points)

    def ask(self, numbers: Sequence[int], before: Sequence[Trial]) -> list[Point]:
        """Return the points that have these numbers."""
        return [self.points[number - 1] for number in numbers if number <= len(self.points)]


class Chance:
    """Points by chance, each of which follows from the seed and its number; none twice if that can be."""

    alone = True

    def __init__(self, space: Space, seed: int, known: Point | None):
        self.space, self.seed = space, seed
        self.taken = set() if known is None else {space.key(known)}
        self.points: list[Point] = []

    def ask(self, numbers: Sequence[int], before: Sequence[Trial]) -> list[Point]:
        """Return the points that have these numbers."""
        while len(self.points) < max(numbers):
            self.points.append(self._another())
        return [self.points[number - 1] for number in numbers]

    def _another(self) -> Point:
        random = np.random.default_rng([self.seed, len(self.points) + 1])
        for _ in range(TRIES):
            point = self.space.draw(random)
            if self.space.key(point) not in self.taken:
                break
        self.taken.add(self.space.key(point))
        return point


class Tpe:
    """Optuna's tree of Parzen estimators: where good trials were denser than bad ones (Bergstra et al. 2011)."""

    alone = False

    def __init__(self, space: Space, seed: int):
        self.space, self.seed = space, seed
        self.optuna = _optuna()

    def ask(self, numbers: Sequence[int], before: Sequence[Trial]) -> list[Point]:
        """Return points that Optuna suggests after the trials ``before``."""
        distributions = {axis.name: self._distribution(axis) for axis in self.space.axes}
        with self._quiet():
            seed = int(np.random.default_rng([self.seed, numbers[0]]).integers(2**31))
            sampler = self.optuna.samplers.TPESampler(seed=seed, multivariate=True, constant_liar=True)
            study = self.optuna.create_study(sampler=sampler, direction="minimize")
            study.add_trials([told for trial in before if (told := self._told(trial, distributions)) is not None])
            points = [study.ask(distributions).params for _ in numbers]
        return points

    def _distribution(self, axis: Axis) -> Any:
        kinds = self.optuna.distributions
        if axis.range is None:
            return kinds.CategoricalDistribution(tuple(range(len(axis.choices))))
        low, high, log = axis.range
        if axis.whole:
            return kinds.IntDistribution(int(low), int(high), log=log)
        return kinds.FloatDistribution(float(low), float(high), log=log)

    def _told(self, trial: Trial, distributions: dict[str, Any]) -> Any | None:
        if trial.point is None or not trial.scored or trial.state not in (FINISHED, PRUNED):
            return None
        make, state = self.optuna.trial.create_trial, self.optuna.trial.TrialState
        if trial.state == FINISHED:
            return make(params=trial.point, distributions=distributions, value=trial.cost)
        seen = dict(enumerate(trial.curve, 1))
        return make(params=trial.point, distributions=distributions, state=state.PRUNED, intermediate_values=seen)

    @contextmanager
    def _quiet(self) -> Iterator[None]:
        """Let Optuna say nothing of what it does in the block."""
        before = self.optuna.logging.get_verbosity()
        self.optuna.logging.set_verbosity(self.optuna.logging.ERROR)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", self.optuna.exceptions.ExperimentalWarning)
                yield
        finally:
            self.optuna.logging.set_verbosity(before)


def _optuna() -> Any:
    try:
        import optuna
    except ImportError:
        raise ConfigError(
            "strategy=optuna needs Optuna, which is not there: pip install 'recurra[tune]', or give strategy=random."
        ) from None
    return optuna


def make_strategy(name: str, space: Space, seed: int, known: Point | None) -> Strategy:
    """Return the strategy called ``name``; ``known`` is the point that is tried anyway, if it is in the space."""
    if name == "optuna":
        return Tpe(space, seed)
    if name == "random" and space.countable is None:
        return Chance(space, seed, known)
    points = [point for point in space.grid() if known is None or space.key(point) != space.key(known)]
    order = np.random.default_rng(seed).permutation(len(points))
    return Listed([points[n] for n in order])


def count(strategy: Strategy) -> int | None:
    """Return how many points there are to try; None for no end of them."""
    return len(strategy.points) if isinstance(strategy, Listed) else None
