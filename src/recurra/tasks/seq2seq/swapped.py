"""Whether texts are of the side that a model reads, or of the one that it writes."""

import math

from ...data.text import UNKNOWN
from ...data.text.vocabulary import FIRST
from ...errors import DataError
from .learned import Seq2seqLearned, Side
from .pairs import Pairs

SOME = 300  # texts that are looked at
FEWEST = 30  # characters by which that can be told
LETTER = math.log(30)  # what a letter costs of a unit that is not known
CLEARLY = 0.8  # share of its cost as a text that one costs as an answer, if it is one


def refuse_answers(pairs: Pairs, learned: Seq2seqLearned) -> None:
    """Raise DataError if the sources are clearly like the answers of the training, and not like its texts.

    What a text costs is ``Σ ln(rank + 1)`` over its units, the most frequent one of the training having rank 1.
    """
    if not isinstance(learned.source, Side) or learned.shared:
        return
    some = pairs.texts()[:: max(1, len(pairs) // SOME)]
    if sum(map(len, some)) < FEWEST:
        return
    read, said = (sum(_cost(text, side) for text in some) for side in (learned.source, learned.target))
    if said < CLEARLY * read:
        raise DataError(
            "These texts are like the answers that this model writes, and not like the texts that it reads: give it "
            "those of the other side."
        )


def _cost(text: str, side: Side) -> float:
    units = side.cutter.cut(text)
    numbers = side.vocabulary.encode(units).tolist()
    known = sum(math.log(number - FIRST + 1) for number in numbers if number > UNKNOWN)
    # One that is not known is rarer than all others, and would have to be spelt.
    spelt = (math.log(side.size) + LETTER * len(unit) for unit, n in zip(units, numbers, strict=True) if n <= UNKNOWN)
    return known + sum(spelt)
