"""Cases as the network reads them to answer every step: whole, or in pieces that overlap if they are long.

Shapes: N cases, M pieces, R steps of all cases, T steps of the longest piece in a batch, I inputs.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ...data.batch import Batch
from ...data.cases import Cases
from ..cases.examples import CaseExamples
from .learned import TagLearned


@dataclass(frozen=True)
class TagExamples(CaseExamples):
    """Pieces of cases, taken by number; ``targets`` (R,) are the numbers of labels, below 0 where not known.

    What is read of a piece is more than what it answers for: no step is answered by a piece in which it lies nearer
    to an end that is none of the case than in another piece.
    """

    answered: Tensor  # (M, 2) the first row that a piece answers for, and the one behind the last
    owner: Tensor  # (M,) the case that a piece is of
    wholes: Tensor | None  # (M,) what its case is as a whole, below 0 where not known

    @classmethod
    def cut(cls, cases: Cases, learned: TagLearned) -> "TagExamples":
        """Scale ``cases`` as those of the training were, and cut those that are longer than ``learned.piece``."""
        whole = CaseExamples.of(cases, learned)
        owner, read, answered = (torch.from_numpy(found) for found in pieces(cases.lengths, learned.piece))
        first = whole.offsets[owner]
        own = vars(whole) | {
            "offsets": first + read[:, 0],
            "lengths": read[:, 1] - read[:, 0],
            "weights": None if whole.weights is None else whole.weights[owner],
        }
        wholes = learned.wholes(cases)
        return cls(
            **own, answered=first.unsqueeze(1) + answered, owner=owner, wholes=None if wholes is None else wholes[owner]
        )

    def take(self, numbers: Tensor) -> Batch:
        """Return inputs, targets and, where it is asked for, what the case of each piece is as a whole (B,)."""
        batch = super().take(numbers)
        return batch if self.wholes is None else batch.with_values("whole", self.wholes[numbers])

    def asked(self, numbers: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return the label of each step of these pieces (B, T), and where it is known and theirs to answer (B, T)."""
        rows, mine = self.rows(numbers)
        own = targets[rows]
        return own.clamp(min=0), mine & (own >= 0)

    def rows(self, numbers: Tensor) -> tuple[Tensor, Tensor]:
        """Return which of all steps each step of these pieces is (B, T), and which they answer for (B, T)."""
        rows, real = self.places(numbers)
        first, behind = self.answered[numbers].unsqueeze(-1).unbind(1)
        return rows, real & (rows >= first) & (rows < behind)


def pieces(lengths: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the pieces of cases: whose each is (M,), what is read of it (M, 2) and what it answers for (M, 2).

    Both as the first step and the one behind the last. A case of at most ``most`` steps is one piece. A longer one is
    read ``most`` steps at a time, every ``most // 2``; two that overlap part in the middle of their overlap.
    """
    owner, read, answered = [], [], []
    for case, steps in enumerate(lengths.tolist()):
        last = max(0, steps - most)
        firsts = [*range(0, last, most // 2), last]
        ends = [min(first + most, steps) for first in firsts]
        parted = [(first + end) // 2 for first, end in zip(firsts[1:], ends, strict=False)]
        owner += [case] * len(firsts)
        read += list(zip(firsts, ends, strict=True))
        answered += list(zip([0, *parted], [*parted, steps], strict=True))
    return np.array(owner, np.int64), np.array(read, np.int64), np.array(answered, np.int64)
