"""Ridge regression from random convolutions: learned in about a second, and often hard to beat.

Shapes: N cases, F features, K targets.
"""

from collections.abc import Mapping

import numpy as np

from ...nn.random_convolutions import KERNELS, RandomConvolutions
from ...nn.ridge import Ridge
from ..base import Baseline, Prepared
from .examples import CaseExamples
from .split import stratified

FEATURES, FEW_FEATURES = 9996, 1008
WORK = 5e9  # values held against a threshold in training, about: a second or two
CASES = 2016  # beyond which there are so many features at most, as the time grows with the cube of the smaller number
MOST_CASES, LEAST_CASES = 20_000, 1000  # that it learns from, if there are so many
AT_ONCE = 2**25  # features in memory at a time
SEED = 0
CONVOLUTIONS = "random convolutions"  # the row of the table


class CaseConvolutions(Baseline):
    """Ridge regression from random convolutions of the scaled values (MiniRocket, arXiv 2012.08791)."""

    naive = False
    features: RandomConvolutions
    weights: np.ndarray  # (F, K)
    bias: np.ndarray  # (K,)

    def learn(self, prepared: Prepared, groups: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Learn the ``targets`` (N, K) of all cases that are not held out, those first that train, then the others.

        If they are more than a few seconds are enough for, some of each group (N,) are taken. Returns the numbers of
        those, and what is said of each by weights that were found without it.
        """
        train, valid = prepared.train, prepared.valid
        assert isinstance(train, CaseExamples) and isinstance(valid, CaseExamples)
        every = [*train.scaled(), *valid.scaled()]
        count, features = affordable(len(every), sum(map(len, every)) / len(every))
        chosen = stratified(groups, np.arange(len(every)), count, 4, left=0)
        if features < FEATURES:
            learned = f"{count:,} of {len(every):,} cases by {features:,} features"
            self.notes = (f"to save time, the row '{CONVOLUTIONS}' learned {learned}",)
        cases = [every[n] for n in chosen]
        self.features = RandomConvolutions.of(cases, features, SEED)
        ridge = Ridge.of(self.features(cases), targets[chosen])
        self.weights, self.bias = ridge.weights.astype(np.float32), ridge.bias.astype(np.float32)
        return chosen, ridge.left_out

    def said(self, examples: CaseExamples) -> np.ndarray:
        """Return what is said of each case (N, K), float64."""
        cases, at_once = examples.scaled(), max(1, AT_ONCE // self.features.size)
        parts = [self.features(cases[n : n + at_once]) @ self.weights for n in range(0, len(cases), at_once)]
        return np.concatenate(parts).astype(float) + self.bias

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the thresholds and the weights."""
        return {"weights": self.weights, "bias": self.bias} | self.features.to_arrays()

    def from_arrays(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Take back the thresholds and the weights."""
        self.features = RandomConvolutions.from_arrays(arrays)
        self.weights, self.bias = arrays["weights"], arrays["bias"]


def affordable(cases: int, steps: float) -> tuple[int, int]:
    """Return from how many of the ``cases``, of so many ``steps`` each, and by how many features it may learn."""
    count = min(cases, MOST_CASES)
    most = FEATURES if count <= CASES else CASES
    features = min(most, max(FEW_FEATURES, int(WORK / (count * steps))))
    least = max(LEAST_CASES, int(WORK / (FEW_FEATURES * steps)))
    return min(count, least) if features == FEW_FEATURES else count, features // KERNELS * KERNELS
