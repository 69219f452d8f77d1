"""Cases as the network reads them: below each other in one tensor, cut and padded by the batch.

Shapes: N cases, R steps of all cases, T steps of the longest case in a batch, C channels, I inputs.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...data.batch import Batch
from ...data.cases import Cases
from .reading import CaseLearned


@dataclass(frozen=True)
class CaseExamples:
    """Cases, taken by number."""

    cases: Cases  # as they came
    values: Tensor  # (R, I) scaled, gaps filled
    known: Tensor | None  # (R, C) where a value was there; None if the network does not ask
    offsets: Tensor  # (N,) where each case begins
    lengths: Tensor  # (N,)
    targets: Tensor | None  # (N, ...) what should be said, as ``asked`` takes it; None if it is not known
    weights: Tensor | None  # (N,) how much each case counts; None if all count the same

    @classmethod
    def of(cls, cases: Cases, learned: CaseLearned) -> "CaseExamples":
        """Read ``cases`` as those of the training were."""
        values, known, lengths = learned.reading.encoded(cases)
        weights = None if cases.weights is None else torch.from_numpy(cases.weights.astype(np.float32))
        return cls(cases, values, known, lengths.cumsum(0) - lengths, lengths, learned.targets(cases), weights)

    def __len__(self) -> int:
        return len(self.lengths)

    def scaled(self) -> list[np.ndarray]:
        """Return the values of every case (T, C), scaled and without gaps."""
        values = self.values[:, : len(self.cases.channels)].numpy()
        return np.split(values, self.offsets[1:].tolist())

    def take(self, numbers: Tensor) -> Batch:
        """Return inputs (B, T, I), zero behind the end of a shorter case, and targets (B, ...)."""
        rows, mask = self.places(numbers)
        inputs = self.values[rows]
        others = {} if self.known is None else {"known": self.known[rows] & mask.unsqueeze(-1)}
        if self.weights is not None:
            others["weight"] = self.weights[numbers]
        targets, known = (None, None) if self.targets is None else self.asked(numbers, self.targets)
        if bool(mask.all()):
            return Batch(inputs, targets, None, known, others)
        return Batch(inputs * mask.unsqueeze(-1), targets, mask, known, others)

    def asked(self, numbers: Tensor, targets: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return the ``targets`` of these cases (B, ...), and which of them are known; None means all."""
        return targets[numbers], None

    def places(self, numbers: Tensor) -> tuple[Tensor, Tensor]:
        """Return where each step of these cases lies in ``values`` (B, T), and which are real (B, T)."""
        lengths = self.lengths[numbers].unsqueeze(1)
        steps = torch.arange(int(lengths.max()))
        return self.offsets[numbers].unsqueeze(1) + torch.minimum(steps, lengths - 1), steps < lengths

    def by_length(self, size: int) -> tuple[Tensor, ...]:
        """Return the numbers of all cases in parts of ``size``, those of about the same length together."""
        return torch.argsort(self.lengths, stable=True).split(size)

    def back(self) -> Tensor:
        """Return what brings the answers of ``by_length`` back in order (N,)."""
        return torch.argsort(torch.argsort(self.lengths, stable=True))
