"""What answers rest on: where the network looked, how far they fall without a stretch, and whether the two agree.

Shapes: B cases, n segments.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ...compare.agreement import rank_agreement
from ...data.text import Token
from ...errors import plural
from ...nn.occlusion import Fall
from ...report.marked import Line, Marked
from ..base import Fitted
from .drawing import figure_of
from .examples import CaseExamples
from .figures import Falls, Wording
from .looking import falls, looks, looks_if_it_does
from .text import TextReading

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

PATIENCE = 500  # stretches of a case, of more of which none is taken away: it would take too long
TRIED, FEWEST, MOST = 4000, 10, 100  # stretches taken away for the agreement in all, about, and of how many cases
DEGREES = {
    "much": "Attention and occlusion agree: the shading shows what the answers rest on.",
    "partly": "Attention and occlusion agree in part: read the shading with care.",
    "little": "Attention and occlusion agree little: do not read the shading as an explanation.",
    "unknown": "Too few cases to say whether attention and occlusion agree: do not read the shading as an explanation.",
}


class Measure(NamedTuple):
    """How far an answer falls: how that is computed, how it is written, and how much of it is much."""

    fall: Fall  # (B,)
    wording: Wording
    unit: float = 1.0


class Shown(NamedTuple):
    """Some cases with what the answers rest on, drawn or written, and what to think of it."""

    figures: "list[Figure]"
    marked: list[Marked]
    points: list[str]


def shown(
    fitted: Fitted, examples: CaseExamples, places: Sequence[int], titles: Sequence[str], measure: Measure
) -> Shown:
    """Return each case at these ``places`` with what the answer rests on, and what to think of them.

    That is whether attention points at what the answers of all ``examples`` rest on, if the network looks at all.
    """
    few = CaseExamples.of(examples.cases.some(places), fitted.learned)
    weights = looks_if_it_does(fitted, few)
    fallen = falls(fitted, few, measure.fall) if _stretches(fitted, few) <= PATIENCE else None
    points = [] if weights is None or fallen is None else [_agreement(fitted, examples, measure)]
    reading = fitted.learned.reading
    if isinstance(reading, TextReading):
        rows = [
            Marked(title, marks_of(reading, text, *(None if one is None else one[n] for one in (weights, fallen))))
            for n, (text, title) in enumerate(zip(few.cases.texts, titles, strict=True))
        ]
        return Shown([], rows, points)
    figures = [
        figure_of(
            reading,
            few.cases.values[n],
            None if weights is None else weights[n],
            title,
            None if fallen is None else Falls(fallen[n], measure.wording, measure.unit),
        )
        for n, title in enumerate(titles)
    ]
    return Shown(figures, [], points)


def marks_of(reading: TextReading, text: str, weights: np.ndarray | None, fallen: np.ndarray | None) -> list[Line]:
    """Return a text with what was looked at (n,), and with how far the answer falls without each token (n,)."""
    tokens = reading.tokens(text)
    found = {"attention": weights, "occlusion": fallen}
    lines = []
    for name, numbers in found.items():
        if numbers is None:
            continue
        top = float(np.abs(numbers).max(initial=0.0)) or 1.0
        pieces, end = [], 0
        for token, number in zip(tokens, numbers.tolist(), strict=True):
            pieces += [(text[end : token.start], 0.0), (text[token.start : token.end], number / top)]
            end = token.end
        lines.append(Line(name, [*pieces, (text[end:], 0.0)]))
    sentences = reading.sentences(text, tokens)
    if sentences is not None and weights is not None:
        lines.insert(0, _marked_sentences(text, tokens, np.bincount(sentences, weights), sentences))
    return lines or [Line("", [(text, 0.0)])]


def _marked_sentences(text: str, tokens: Sequence[Token], weights: np.ndarray, numbers: np.ndarray) -> Line:
    """Return a text with what was looked at sentence by sentence (S,), of ``tokens`` that stand in these (n,)."""
    top = float(weights.max(initial=0.0)) or 1.0
    pieces, end = [], 0
    for number, weight in enumerate(weights.tolist()):
        inside = np.flatnonzero(numbers == number)
        start, last = tokens[inside[0]].start, tokens[inside[-1]].end
        pieces += [(text[end:start], 0.0), (text[start:last], weight / top)]
        end = last
    return Line("sentences", [*pieces, (text[end:], 0.0)])


def _stretches(fitted: Fitted, examples: CaseExamples) -> int:
    """Return how many stretches the longest case has."""
    count: int = fitted.learned.reading.layout.read(int(examples.lengths.max()))
    return count


def _agreement(fitted: Fitted, examples: CaseExamples, measure: Measure) -> str:
    """Say whether attention points at what the answers rest on."""
    count = min(len(examples), MOST, max(FEWEST, TRIED // _stretches(fitted, examples)))
    some = CaseExamples.of(examples.cases.some(np.arange(count) * len(examples) // count), fitted.learned)
    # What nobody would see is no order: a tenth of an even share of the looks, a hundredth less sure.
    seen = [np.round(10 * len(weights) * weights) for weights in looks(fitted, some)]
    found = rank_agreement(
        seen, [np.round(100 * fallen / measure.unit) for fallen in falls(fitted, some, measure.fall)]
    )
    verdict = DEGREES[found.degree]
    if not found.cases:
        return verdict
    off = f" ± {found.interval:.2f}" if np.isfinite(found.interval) else ""
    return (
        f"{verdict} The rank correlation of the two over the stretches of a case is {found.mean:.2f}{off}, mean of "
        f"{found.cases:,} case{plural(found.cases)}; 1 is the same order, 0 is none in common."
    )
