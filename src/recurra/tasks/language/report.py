"""What a report of a language model shows: a text it wrote, what surprised it, and where it looked back."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ...data.text.units import LINE, written
from ...report.figures import attention_map
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
LOOKS = 5  # of the last units that are shown one by one


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


def looked_sections(units: Sequence[str], level: str, weights: np.ndarray) -> list[Section]:
    """Return which of the ``units`` (T,) each of them looked back at, by its ``weights`` (T, T)."""
    mean, half = how_far(weights)
    text = (
        f"Every unit looks at units before it and adds what it saw before the next one is said: {mean:.1f} units back "
        f"on average, half of all looks no farther than {half:,}. Below are the last units of the beginning of the "
        "text; the darker a unit, the longer the look."
    )
    marked = [_look(units, level, weights, at) for at in range(len(units) - LOOKS, len(units)) if at > 0]
    shown = [_shown(unit) for unit in units]
    return [Section("Where it looked back", text, attention_map(weights, shown, shown, "unit"), marked=marked)]


def how_far(weights: np.ndarray) -> tuple[float, int]:
    """Return how many units back the looks went on average, and within how many half of them went; (T, T)."""
    places = np.arange(len(weights))
    back = (places[:, None] - places).clip(min=0)
    looks = np.bincount(back.ravel(), weights.ravel(), minlength=len(weights)).astype(float)
    shares = looks / max(float(looks.sum()), 1e-12)
    return float(shares @ places), int(np.searchsorted(shares.cumsum(), 0.5))


def _look(units: Sequence[str], level: str, weights: np.ndarray, at: int) -> Marked:
    shares = weights[at, :at] / max(float(weights[at, :at].max()), 1e-12)
    pieces = [
        (piece.replace(LINE, "⏎ "), float(share))
        for piece, share in zip(written(units[:at], level), shares, strict=True)
    ]
    return Marked(f"behind unit {at + 1:,}, {_shown(units[at])}", [Line("looked at", pieces)])


def _shown(unit: str) -> str:
    return {LINE: "⏎", " ": "␣"}.get(unit, unit)
