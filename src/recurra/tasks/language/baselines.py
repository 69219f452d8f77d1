"""What costs nothing: how frequent each unit is, and n-grams."""

from collections.abc import Mapping

import numpy as np

from ..base import Baseline, Prepared
from .examples import Chunks
from .learned import LanguageLearned
from .ngrams import NGrams
from .plan import TextPlan

ORDERS = {"character": 6, "word": 3, "subword": 4}
MOST = 3_000_000  # units that are counted, the last ones of the training


class Counts(Baseline):
    """N-grams of one order. A run keeps the units, and counts them again when it answers."""

    def __init__(self, order: int, size: int):
        self.order, self.size = order, size
        self.naive = order == 1
        self.units = np.zeros(0, dtype=np.int32)
        self.grams: NGrams | None = None

    def fit(self, prepared: Prepared) -> None:
        """Count the n-grams of all text that is not held out."""
        plan: TextPlan = prepared.plan  # type: ignore[assignment]
        whole = prepared.kind.encode(prepared.data, prepared.learned, (plan.train[0], plan.valid[1]))
        self.units = whole.numbers.numpy()[-MOST:].astype(np.int32)

    def answer(self, examples: Chunks) -> np.ndarray:
        """Return −log of the probability of each unit (L,), in nats."""
        if self.grams is None:
            self.grams = NGrams(self.units.astype(np.int64), self.order, self.size)
        found: np.ndarray = -np.log(self.grams.probabilities(examples.numbers.numpy())[1:])
        return found

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the units."""
        return {"units": self.units}

    def from_arrays(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Take the units back."""
        self.units, self.grams = arrays["units"], None


def make_baselines(learned: LanguageLearned) -> dict[str, Baseline]:
    """Return the rows that stand beside the network."""
    order = ORDERS[learned.level]
    return {f"{order}-grams": Counts(order, learned.size), "unigram": Counts(1, learned.size)}
