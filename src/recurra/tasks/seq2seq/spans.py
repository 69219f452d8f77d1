"""Where an answer stands in a passage, and which answers no passage has.

Shapes: N questions, M places at which the right answer of one stands.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from ...data.text.learned_pieces import BEGINS

CLOSED = 100  # answers that no passage has, at most
TWICE = 2  # times that such an answer must be right to be known
MOST = 16  # places at which one answer stands that are looked at


def spans_of(passage: Sequence[str], answer: Sequence[str]) -> list[tuple[int, int]]:
    """Return the first and the last unit of each place at which the units of an ``answer`` stand in a ``passage``.

    Whether a unit begins a word, and large letters, make no difference.
    """
    wanted = [_bare(unit) for unit in answer]
    if not wanted:
        return []
    there = [_bare(unit) for unit in passage]
    last = len(wanted) - 1
    begins = (n for n, unit in enumerate(there) if unit == wanted[0] and there[n : n + last + 1] == wanted)
    return [(n, n + last) for n in begins][:MOST]


def _bare(unit: str) -> str:
    return unit.removeprefix(BEGINS).casefold()


def closed_answers(answers: Sequence[str], found: Sequence[bool]) -> tuple[str, ...]:
    """Return the answers that were not ``found`` in their passages and are right several times, such as yes and no."""
    counts = Counter(text.strip() for text, there in zip(answers, found, strict=True) if not there)
    kept = [text for text, count in counts.most_common(CLOSED) if count >= TWICE]
    return tuple(sorted(kept))


def best_spans(begins: np.ndarray, ends: np.ndarray, longest: int, closed: int) -> Iterator[tuple[float, int, int]]:
    """Yield the likeliest answers to one question, the best first: its logarithm, its first unit, its last one.

    ``begins`` (C + T) are the logarithms for each of the ``closed`` answers C and each unit of what was read, ``ends``
    (T) those of its units; an answer has ``longest`` units at most. A closed one has its number for both.
    """
    places = len(ends)
    longest = min(longest, places)
    table = np.full((places, longest), -np.inf)
    for width in range(longest):
        table[: places - width, width] = begins[closed : closed + places - width] + ends[width:]
    every = np.concatenate([begins[:closed], table.ravel()])
    for place in np.argsort(-every, kind="stable"):
        if every[place] == -np.inf:
            return
        if place < closed:
            yield float(every[place]), int(place), int(place)
        else:
            first, width = divmod(int(place) - closed, longest)
            yield float(every[place]), closed + first, closed + first + width
