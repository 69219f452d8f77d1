"""What a report of answers shows: some of them, where the model looked, and how good those to long texts are."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from ...report.page import Section
from ..base import Fitted, Judged
from .answers import Answer, Truth, ask_network
from .examples import PairExamples
from .figures import alignment, looks
from .learned import Seq2seqLearned
from .metrics import case_chrf
from .pairs import Pairs
from .passages import pointed_section
from .sequences import Sequences
from .sounding import sounding

POINTED = 5  # passages in which it is shown where the model pointed
PICTURED = 3  # pairs of which it is shown where the model looked
LISTED = 8  # answers in a table
LONGEST = 40  # units of a text that is pictured, if there are texts so short
MOMENTS = 400  # segments of a sequence that is pictured
CUT, TITLE = 240, 100  # characters of a text in a table, above a picture
OWN = ("rows", "cells")  # texts of the user
BANDS = 5  # lengths of texts


def answer_sections(fitted: Fitted, data: Pairs, judged: Judged | None) -> list[Section]:
    """Return answers from the middle and the worst ones, and where the model looked for some."""
    if judged is None:
        examples = fitted.kind.encode(data.part(np.arange(min(LISTED, len(data)))), fitted.learned)
        answers = ask_network(fitted, examples)
        table = pd.DataFrame({"read": examples.sources, "answer": [some[0].text for some in answers]})
        text = "What the model answers to the first of what it was trained on; nothing was held out to judge by."
        return [Section("Answers", text, table=_listed(table), own=OWN)]
    examples, truth = judged.exam.examples, judged.exam.truth
    assert isinstance(examples, PairExamples)
    scores = case_chrf(judged.statistics[judged.name])
    order = _once(examples, np.argsort(-scores, kind="stable"))
    middle = order[np.linspace(0, len(order) - 1, min(LISTED, len(order))).astype(int)]
    said = judged.answers[judged.name]
    ways = "From the best to the worst, at even distances, of all that the model had not seen."
    sections = [Section("Answers", ways, table=_table(examples, truth, said, scores, middle), own=OWN)]
    if fitted.learned.points:
        sections += _pointed(fitted, judged, scores)
    else:
        sections += _pictures(fitted, examples, scores)
    worst = order[::-1][:LISTED]
    text = "The answers that have least in common with the right ones, the worst first."
    table = _table(examples, truth, said, scores, worst)
    return [*sections, Section("The worst answers", text, table=table, own=OWN, folded=True)]


def _once(examples: PairExamples, order: np.ndarray) -> np.ndarray:
    """Return the places in ``order`` without those of texts, or questions about one passage, that came before."""
    first: dict[tuple[str, str], int] = {}
    for place in order.tolist():
        passage = "" if examples.passages is None else examples.passages[place]
        first.setdefault((examples.sources[place], passage), place)
    return np.array([*first.values()])


def _table(
    examples: PairExamples, truth: Truth, said: Sequence[str], scores: np.ndarray, places: np.ndarray
) -> pd.DataFrame:
    rows = [(examples.sources[n], said[n], truth.texts[n], scores[n]) for n in places]
    return _listed(pd.DataFrame(rows, columns=["read", "answer", "right answer", "chrF"]))


def _listed(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose rows are named by their texts, of which each has an end."""
    texts = table.select_dtypes(exclude="number").columns
    return table.assign(**{name: [_cut(text) for text in table[name]] for name in texts}).set_index("read")


def _cut(text: str, most: int = CUT) -> str:
    return text if len(text) <= most else f"{text[:most].rstrip()} …"


def _pictures(fitted: Fitted, examples: PairExamples, scores: np.ndarray) -> list[Section]:
    """Return where the model looked as it answered some texts."""
    places = _pictured(examples, examples.steps(fitted.learned), scores)
    answers = [some[0] for some in ask_network(fitted, examples.some(places))]
    figures = [_figure(fitted, examples, int(n), answer) for n, answer in zip(places, answers, strict=True)]
    found = [one for one in figures if one is not None]
    if not found:
        return []
    source = fitted.learned.source
    if isinstance(source, Sequences) and source.cells is not None:
        return [Section("Where it looked", "As it wrote some captions, the best one first.", found)]
    if isinstance(source, Sequences):
        text = "As it answered some sequences that are not very short, the best answer first."
        return [Section("Where each unit was heard", text, found)]
    text = "As it answered some texts that are not very short, the best answer first."
    return [Section("Where it looked", text, found)]


def _pointed(fitted: Fitted, judged: Judged, scores: np.ndarray) -> list[Section]:
    """Return where the model pointed in the passages of some questions, the best answer first."""
    examples, truth = judged.exam.examples, judged.exam.truth
    assert isinstance(examples, PairExamples)
    order = _once(examples, np.argsort(-scores, kind="stable"))
    places = order[np.unique(np.linspace(0, len(order) - 1, min(POINTED, len(order))).astype(int))]
    some = examples.some(places)
    answers = [best[0] for best in ask_network(fitted, some)]
    labels = [some.labels(n, fitted.learned) for n in range(len(some))]
    return [pointed_section(some.sources, labels, answers, [truth.texts[n] for n in places])]


def _pictured(examples: PairExamples, lengths: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Return the places of sources that are neither very short nor long, the best answer first."""
    longest = LONGEST if examples.read.numbers.ndim == 1 else MOMENTS
    short = np.flatnonzero(lengths <= max(longest, np.sort(lengths)[:PICTURED].max()))
    order = _once(examples, short[np.argsort(-scores[short], kind="stable")])
    long = order[lengths[order] >= np.median(lengths[order])]
    return long[np.unique(np.linspace(0, len(long) - 1, min(PICTURED, len(long))).astype(int))]


def _figure(fitted: Fitted, examples: PairExamples, place: int, answer: Answer):  # type: ignore[no-untyped-def]
    """Return where the model looked as it answered the text at ``place``; None if nowhere, or at far too much."""
    learned: Seq2seqLearned = fitted.learned
    if answer.looked is None or len(answer.units) > 2 * LONGEST:
        return None
    title = f"{_cut(examples.sources[place], TITLE)} → {_cut(answer.text, TITLE)}"
    said, source = _apart(answer.rows), learned.source
    if isinstance(source, Sequences) and source.cells is not None:
        return looks(answer.looked, source.pictured(examples.read.row(place)), source.cells, said, title)
    if isinstance(source, Sequences):
        return sounding(answer.looked, source.picture(examples.read.row(place)), said, title) if said else None
    return alignment(answer.looked, _apart(examples.labels(place, learned)), said, title)


def _apart(units: Sequence[str]) -> list[str]:
    """Return labels of units."""
    return [unit.replace("▁", "") or "␣" for unit in units]


def proof_sections(fitted: Fitted, judged: Judged) -> list[Section]:
    """Return how good answers to texts of each length are, or to sequences, beside the best baseline."""
    examples = judged.exam.examples
    assert isinstance(examples, PairExamples)
    lengths, unit = _lengths(examples, fitted.learned)
    if len(lengths) < 10 * BANDS or lengths.min() == lengths.max():
        return []
    edges = np.unique(np.quantile(lengths, np.linspace(0, 1, BANDS + 1)).astype(int))
    metric = fitted.kind.metrics(fitted.config)[0]
    scale = 100 if metric.share else 1
    rows = {}
    for low, high in pairwise(edges):
        last = high == edges[-1]
        some = np.flatnonzero((lengths >= low) & (lengths < high + last))
        if len(some):
            table = {
                name: scale * metric.of({key: one[some] for key, one in statistics.items()})
                for name, statistics in judged.statistics.items()
            }
            end = high if last else high - 1
            rows[f"{low}–{end}" if low < end else f"{low}"] = {"texts": len(some), **table}
    frame = pd.DataFrame.from_dict(rows, orient="index").rename_axis(unit)
    how = f"({'% ' if metric.share else ''}{metric.title})"
    if isinstance(fitted.learned.source, Sequences):
        text = f"How good answers to sequences of each length are {how}."
        return [Section("Long sequences", text, table=frame, own=("rows", "columns"))]
    text = (
        f"How good answers to texts of each length are {how}; without an attention long texts are often answered worse."
    )
    return [Section("Long texts", text, table=frame, own=("rows", "columns"))]


def _lengths(examples: PairExamples, learned: Seq2seqLearned) -> tuple[np.ndarray, str]:
    """Return how long each source is (N,), of sounds in whole seconds, and what is counted."""
    if not isinstance(learned.source, Sequences):
        return examples.steps(learned) - 1, "units of a text"
    seconds, steps = learned.source.reading.seconds, examples.read.lengths
    return (steps, "steps of a sequence") if seconds is None else ((seconds * steps).astype(int), "seconds of a sound")
