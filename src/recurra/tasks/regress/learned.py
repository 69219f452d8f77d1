"""What a regressor keeps of the cases it was trained on, besides the weights.

Shapes: N cases, K targets, Q quantiles.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ...data.cases import Cases
from ...data.moments import moments
from ...nn.heads import make_head
from ..cases.reading import Plain, Reading
from ..cases.split import Split
from .numbers import judged_numbers, numbers_of
from .settings import RegressSettings


@dataclass(frozen=True)
class RegressLearned:
    """The targets with the scale of each, and how cases are read."""

    names: tuple[str, ...]
    mean: np.ndarray  # (K,)
    std: np.ndarray  # (K,)
    reading: Reading
    moves: np.ndarray  # (K, Q) how far each quantile is moved, so that intervals hold what they should; found at last

    @classmethod
    def of(cls, cases: Cases, plan: Split, settings: RegressSettings) -> "RegressLearned":
        """Learn from the training cases."""
        train = cases.some(plan.train)
        mean, std = moments(numbers_of(train, "to train on"))
        quantiles = make_head(settings.loss, settings.levels).quantiles
        return cls(cases.targets, mean, std, Reading.of(train, settings), np.zeros((len(mean), len(quantiles))))

    @property
    def unit(self) -> np.ndarray:
        """What makes errors of several targets comparable (K,): their deviation; one if there is one target."""
        return self.std if len(self.names) > 1 else np.ones(1)

    def targets(self, cases: Cases) -> torch.Tensor | None:
        """Return the numbers (N, K) in training deviations from the training mean; None if they are not known."""
        if cases.numbers is None:
            return None
        return torch.from_numpy(self.scaled(judged_numbers(cases, self.names)).astype(np.float32))

    def scaled(self, values: np.ndarray) -> np.ndarray:
        """Return values (N, K) in training deviations from the training mean."""
        return (values - self.mean) / self.std

    def unscaled(self, values: np.ndarray) -> np.ndarray:
        """Return scaled values (N, K) in the units of the targets."""
        return values * self.std + self.mean

    def to_plain(self) -> Plain:
        """Return it as JSON values and arrays."""
        plain, arrays = self.reading.to_plain()
        own = {"target_mean": self.mean, "target_std": self.std, "moves": self.moves}
        return {"targets": list(self.names)} | plain, arrays | own

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> "RegressLearned":
        """Return what ``to_plain`` wrote."""
        scales = arrays["target_mean"], arrays["target_std"]
        return cls(tuple(plain["targets"]), *scales, Reading.from_plain(plain, arrays), arrays["moves"])
