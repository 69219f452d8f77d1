"""What a report of a language model shows: a text it wrote, and what surprised it."""

import numpy as np
import pandas as pd

from ...data.text.units import LINE, written
from ...report.marked import Line, Marked
from ...report.page import Section
from ..base import Fitted, Judged
from .answers import STRETCH, Truth
from .metrics import stretch_bits
from .settings import WritingAsked
from .writing import write

SAMPLE = 300  # units that are written
WORST = 3  # stretches that are shown
MOST_BITS = 12.0  # of a unit that is as dark as can be
LISTED = 15  # units that were the hardest


def answer_sections(fitted: Fitted, judged: Judged | None) -> list[Section]:
    """Return a text that the model wrote, and, if it was judged, where it was surprised."""
    found = [_sample(fitted)]
    if judged is None:
        return found
    truth: Truth = judged.exam.truth
    nats, bits = judged.answers[judged.name], stretch_bits(judged.statistics[judged.name])
    order = np.argsort(bits)
    middle, worst = [int(order[len(order) // 2])], [int(n) for n in order[::-1][:WORST]]
    text = (
        "The darker a unit, the more it surprised the model, from nothing to twelve bits. Of all stretches of the text "
        "that it had not seen, half surprised it less than the first one; the others are those that did so most."
    )
    marked = [_marked(truth, nats, at, bits[at]) for at in [*middle, *(n for n in worst if n not in middle)]]
    found.append(Section("What surprised it", text, marked=marked))
    found.append(_hardest(truth, nats))
    return found


def _sample(fitted: Fitted) -> Section:
    said = "".join(write(fitted, WritingAsked(length=SAMPLE, temperature=0.8)))
    lines = said.strip(LINE).split(LINE)
    text = f"{SAMPLE} units that the model wrote by itself, at a temperature of 0.8. More of it: `recurra generate`."
    return Section("What it writes", text, marked=[Marked("", [Line("", [(line, 0.0)]) for line in lines])])


def _marked(truth: Truth, nats: np.ndarray, at: int, bits: float) -> Marked:
    part = slice(at * STRETCH, (at + 1) * STRETCH)
    shares = np.clip(nats[part] / np.log(2) / MOST_BITS, 0.0, 1.0)
    pieces = [
        (piece.replace(LINE, "⏎ "), float(share))
        for piece, share in zip(written(truth.units[part], truth.level), shares, strict=True)
    ]
    return Marked(f"{bits:.1f} bits a unit, from unit {part.start:,} on", [Line("surprise", pieces)])


def _hardest(truth: Truth, nats: np.ndarray) -> Section:
    """Return the units that cost most bits in all."""
    codes, names = pd.factorize(np.array(truth.units, dtype=object))
    total, count = np.bincount(codes, nats) / np.log(2), np.bincount(codes)
    order = np.argsort(-total)[:LISTED]
    table = pd.DataFrame(
        {
            "times": count[order],
            "bits each": total[order] / count[order],
            "% of all bits": 100 * total[order] / total.sum(),
        },
        index=pd.Index([_shown(names[n]) for n in order], name=truth.level),
    )
    text = "What the model found hardest: the units on which most of all bits are spent."
    return Section("Where the bits go", text, table=table, own=("rows",))


def _shown(unit: str) -> str:
    return {LINE: "⏎", " ": "␣"}.get(unit, unit)
