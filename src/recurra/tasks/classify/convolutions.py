"""Classes from random convolutions by ridge regression: learned in about a second, and often hard to beat.

Shapes: N cases, F features, K classes.
"""

from collections.abc import Mapping

import numpy as np
import torch

from ...nn.random_convolutions import KERNELS, RandomConvolutions
from ...nn.ridge import Ridge
from ..base import Baseline, Prepared
from ..cases.examples import CaseExamples
from ..cases.split import stratified
from .answers import Guess

FEATURES, FEW_FEATURES = 9996, 1008
WORK = 5e9  # values held against a threshold in training, about: a second or two
CASES = 2016  # beyond which there are so many features at most, as the time grows with the cube of the smaller number
MOST_CASES, LEAST_CASES = 20_000, 1000  # that it learns from, if there are so many
AT_ONCE = 2**25  # features in memory at a time
SEED = 0
CONVOLUTIONS = "random convolutions"  # the row of the table


class Convolutions(Baseline):
    """Ridge regression to +1 and −1 for each class, from random convolutions of the scaled values (MiniRocket).

    The class with the highest answer is named. Probabilities are ``softmax(s · answers)``, s the sharpness that gives
    the true classes of the training cases the most, each answered by weights that were found without it. What was said
    so of validation cases is kept until it is saved.
    """

    naive = False
    features: RandomConvolutions
    weights: np.ndarray  # (F, K)
    bias: np.ndarray  # (K,)
    sharpness: float
    said: tuple[np.ndarray, np.ndarray] | None = None  # the numbers of validation cases, their log probabilities

    def fit(self, prepared: Prepared) -> None:
        """Learn from all cases that are not held out, or from as many as take a few seconds."""
        train, valid = prepared.train, prepared.valid
        assert isinstance(train, CaseExamples) and isinstance(valid, CaseExamples)
        assert train.targets is not None and valid.targets is not None
        codes, every = torch.cat([train.targets, valid.targets]).numpy(), [*train.scaled(), *valid.scaled()]
        count, features = affordable(len(every), sum(map(len, every)) / len(every))
        chosen = stratified(codes, np.arange(len(every)), count, 4, left=0)
        if features < FEATURES:
            learned = f"{count:,} of {len(every):,} cases by {features:,} features"
            self.notes = (f"to save time, the row '{CONVOLUTIONS}' learned {learned}",)
        cases, codes = [every[n] for n in chosen], codes[chosen]
        self.features = RandomConvolutions.of(cases, features, SEED)
        targets = np.where(np.arange(len(prepared.learned.classes)) == codes[:, None], 1.0, -1.0)
        ridge = Ridge.of(self.features(cases), targets)
        self.weights, self.bias = ridge.weights.astype(np.float32), ridge.bias.astype(np.float32)
        self.sharpness = sharpness_of(ridge.left_out, codes)
        late = chosen >= len(train)
        self.said = chosen[late] - len(train), log_softmax(self.sharpness * ridge.left_out[late])

    def answer(self, examples: CaseExamples) -> Guess:
        """Return the classes and their probabilities."""
        cases, at_once = examples.scaled(), max(1, AT_ONCE // self.features.size)
        parts = [self.features(cases[n : n + at_once]) @ self.weights for n in range(0, len(cases), at_once)]
        logs = log_softmax(self.sharpness * (np.concatenate(parts).astype(float) + self.bias))
        return Guess(logs.argmax(1), logs)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the thresholds and the weights."""
        own = {"weights": self.weights, "bias": self.bias, "sharpness": np.array([self.sharpness])}
        return own | self.features.to_arrays()

    def from_arrays(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Take back the thresholds and the weights."""
        self.features = RandomConvolutions.from_arrays(arrays)
        self.weights, self.bias = arrays["weights"], arrays["bias"]
        self.sharpness = arrays["sharpness"].item()


def affordable(cases: int, steps: float) -> tuple[int, int]:
    """Return from how many of the ``cases``, of so many ``steps`` each, and by how many features it may learn."""
    count = min(cases, MOST_CASES)
    most = FEATURES if count <= CASES else CASES
    features = min(most, max(FEW_FEATURES, int(WORK / (count * steps))))
    least = max(LEAST_CASES, int(WORK / (FEW_FEATURES * steps)))
    return min(count, least) if features == FEW_FEATURES else count, features // KERNELS * KERNELS


def sharpness_of(answers: np.ndarray, codes: np.ndarray) -> float:
    """Return the s for which ``softmax(s · answers)`` (N, K) gives most to the classes ``codes`` (N,).

    One more case, of the median margin, counts as wrong: otherwise there is no end to it where all are right.
    """
    from scipy.optimize import minimize_scalar

    second, first = np.sort(answers, 1)[:, -2:].T
    margin = float(np.median(first - second))

    def loss(log_sharpness: float) -> float:
        sharpness = np.exp(log_sharpness)
        right = log_softmax(sharpness * answers)[np.arange(len(codes)), codes]
        return float(np.logaddexp(0, sharpness * margin) - right.sum())

    return float(np.exp(minimize_scalar(loss, bounds=(-4, 6), method="bounded").x))


def log_softmax(scores: np.ndarray) -> np.ndarray:
    """Return ``s_k − log Σ_j exp s_j`` (N, K)."""
    logs: np.ndarray = torch.from_numpy(scores).log_softmax(-1).numpy()
    return logs
