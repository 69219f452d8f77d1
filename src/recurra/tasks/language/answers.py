"""How surprising a text is, unit by unit.

Shapes: L units, N stretches of them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch

from ...compare.metric import Statistics
from ...data.text import UNKNOWN
from ...data.text.units import written
from ...errors import DataError
from ...nn.surroundings import on_its_own
from ..base import Exam, Fitted
from .examples import Chunks
from .learned import LanguageLearned

STRETCH = 100  # units that are judged together
NAMES = {"character": "characters", "word": "words", "subword": "pieces of words"}
READERS = 16  # of a text that is long, each of which begins without having read what stands before
EACH = 5_000  # units that a reader reads at least, so that its beginning does not count


class Truth(NamedTuple):
    """What the units of a text are."""

    units: tuple[str, ...]
    known: np.ndarray  # (L,) whether each is known
    level: str


@dataclass(frozen=True)
class Surprises:
    """How surprising each unit of a text was: ``−log₂ P(w_t | w_1 … w_{t−1})`` in bits."""

    learned: LanguageLearned
    units: tuple[str, ...]
    nats: np.ndarray  # (L,)
    notes: tuple[str, ...] = ()

    def frame(self) -> pd.DataFrame:
        """Return ``place, unit, bits, p``: the units by their place in the text, counted from 0."""
        bits = self.nats / np.log(2)
        return pd.DataFrame({"place": np.arange(len(bits)), "unit": self.units, "bits": bits, "p": np.exp(-self.nats)})


@on_its_own
@torch.no_grad()
def ask_network(fitted: Fitted, examples: Chunks) -> np.ndarray:
    """Return −log of the probability of each unit (L,) in nats, given all that stand before it."""
    network = fitted.network.eval()
    device = next(network.parameters()).device
    nats = torch.empty(len(examples.units), dtype=torch.float64)
    carried: tuple[torch.Tensor, ...] = ()
    for numbers in in_order(examples):
        batch = examples.take(numbers).with_carried(carried).to(device)
        output = fitted.task.ask(network, batch)
        carried = output.carried
        assert batch.mask is not None
        places = numbers.unsqueeze(1) * examples.steps + torch.arange(examples.steps)
        real = batch.mask.cpu()
        nats[places[real]] = output.prediction.cpu().double()[real]
    return nats.numpy()


def in_order(examples: Chunks) -> Iterator[torch.Tensor]:
    """Yield the chunks of all readers, each from its own beginning on."""
    size = min(READERS, max(1, len(examples.units) // EACH))
    return examples.order(size, 0, -(-len(examples) // size), torch.Generator())


def make_exam(examples: Chunks, learned: LanguageLearned) -> Exam:
    """Return a text as an exam; raises DataError if it is empty."""
    if not examples.units:
        raise DataError("There is nothing to judge by: the text is empty.")
    known = (examples.numbers[1:] > UNKNOWN).numpy()
    return Exam(
        examples, Truth(examples.units, known, learned.level), f"judged by {len(known):,} {NAMES[learned.level]}"
    )


def statistics_of(truth: Truth, nats: np.ndarray) -> Statistics:
    """Return of each stretch of units how surprising they were together, how many they are, and their characters."""
    begin = np.arange(0, len(nats), STRETCH)
    # With the blanks between words, so that models of words and of characters can be compared.
    characters = [len(piece) for piece in written(truth.units, truth.level)]
    sums = {"nats": nats, "units": np.ones(len(nats)), "characters": np.array(characters)}
    return {name: np.add.reduceat(values.astype(float), begin) for name, values in sums.items()}


def unknown_note(truth: Truth) -> list[str]:
    """Return a warning if units of a text are not known."""
    share = 1 - truth.known.mean()
    if not share:
        return []
    return [f"careful: {100 * share:.2g} % of the units of this text are not known and count as one and the same"]
