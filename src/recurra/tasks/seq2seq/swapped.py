"""Whether texts are of the side that a model reads, or of the one that it writes."""

import math
from collections.abc import Sequence

from ...errors import DataError
from .learned import Seq2seqLearned, Side

SOME = 300  # texts that are looked at
FEWEST = 30  # characters by which that can be told
CLEARLY = 0.7  # share of its cost as a text that one costs as an answer, if it is one


def refuse_answers(texts: Sequence[str], learned: Seq2seqLearned) -> None:
    """Raise DataError if ``texts`` are clearly like the answers of the training, and not like its texts.

    What a text costs is ``Σ ln(rank + 1)`` over its units, the most frequent one of the training having rank 1.
    """
    some = texts[:: max(1, len(texts) // SOME)]
    if learned.shared or sum(map(len, some)) < FEWEST:
        return
    read, said = (sum(_cost(text, side) for text in some) for side in (learned.source, learned.target))
    if said < CLEARLY * read:
        raise DataError(
            "These texts are like the answers that this model writes, and not like the texts that it reads: give it "
            "those of the other side."
        )


def _cost(text: str, side: Side) -> float:
    numbers = side.vocabulary.encode(side.cutter.cut(text))
    unknown = side.size + 1  # rarer than all that is known
    return sum(math.log(int(number) if number > 2 else unknown) for number in numbers)
