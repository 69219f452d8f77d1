"""What mattered: how much worse the score is foretold where a setting is not known."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .space import Axis, Space
from .trials import Trial

FEWEST = 10  # scored trials, without which nothing is said
FOLDS, TREES, SHUFFLES = 5, 50, 5
FORETOLD = 0.25  # share of the differences between scores that must follow from the settings: noise has .1 at times


@dataclass(frozen=True)
class Importance:
    """The share of each setting in what can be foretold, or why nothing can be said."""

    shares: dict[str, float]  # from the largest to the smallest; they sum to 1; empty if nothing is known
    foretold: float = 0.0  # share of the differences between scores of trials that follow from their settings
    scored: int = 0

    @property
    def known(self) -> bool:
        """Whether anything can be said."""
        return bool(self.shares)


def importance(space: Space, trials: Sequence[Trial]) -> Importance:
    """Return how much each setting of a ``space`` mattered in ``trials``.

    A random forest foretells the rank of a cost from the settings, for trials that it was not grown on; the importance
    of a setting is by how much its squared error grows when the values of this setting are shuffled among these trials
    (Breiman 2001). Ranks, as one training that went astray would outweigh all others.
    """
    told = [trial for trial in trials if trial.point is not None and trial.scored]
    if len(told) < FEWEST:
        return Importance({}, scored=len(told))
    x = np.array([[_coordinate(axis, trial.point[axis.name]) for axis in space.axes] for trial in told])  # type: ignore[index]
    costs = np.array([trial.cost for trial in told])
    y = np.argsort(np.argsort(costs, kind="stable"), kind="stable") / (len(told) - 1)
    if np.ptp(costs) == 0:
        return Importance({}, scored=len(told))
    before, growth = _errors(x, y)
    foretold = 1 - before / float(y.var())
    growth = np.maximum(growth, 0)
    if foretold < FORETOLD or not growth.sum():
        return Importance({}, foretold, len(told))
    shares = {axis.name: float(share) for axis, share in zip(space.axes, growth / growth.sum(), strict=True)}
    return Importance(dict(sorted(shares.items(), key=lambda one: -one[1])), foretold, len(told))


def _coordinate(axis: Axis, place: float) -> float:
    return float(np.log(place)) if axis.range is not None and axis.range.log else float(place)


def _errors(x: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the squared error on trials that were left out, and by how much it grows without each setting."""
    from sklearn.ensemble import RandomForestRegressor

    random = np.random.default_rng(0)
    folds = random.permutation(len(y)) % FOLDS
    whole, growth = 0.0, np.zeros(x.shape[1])
    for fold in range(FOLDS):
        out = folds == fold
        forest = RandomForestRegressor(TREES, random_state=0).fit(x[~out], y[~out])
        error = float(np.square(forest.predict(x[out]) - y[out]).sum())
        whole += error
        for column in range(x.shape[1]):
            shuffled = np.repeat(x[out][None], SHUFFLES, 0)
            for one in shuffled:
                one[:, column] = random.permutation(x[:, column])[: out.sum()]
            told = forest.predict(shuffled.reshape(-1, x.shape[1])).reshape(SHUFFLES, -1)
            growth[column] += float(np.square(told - y[out]).sum(1).mean()) - error
    return whole / len(y), growth / len(y)
