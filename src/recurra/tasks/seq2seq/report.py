"""What a report of answers shows: some of them, where the model looked, and how good those to long texts are."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from ...report.figures import attention_map
from ...report.page import Section
from ..base import Fitted, Judged
from .answers import Answer, Truth, ask_network
from .examples import PairExamples
from .learned import Seq2seqLearned
from .metrics import case_chrf, text_metrics
from .source import Pairs

PICTURED = 3  # pairs of which it is shown where the model looked
LISTED = 8  # answers in a table
LONGEST = 40  # units of a text that is pictured
BANDS = 5  # lengths of texts
END = "⏎"


def answer_sections(fitted: Fitted, data: Pairs, judged: Judged | None) -> list[Section]:
    """Return answers from the middle and the worst ones, and where the model looked for some."""
    if judged is None:
        examples = fitted.kind.encode(data.part(np.arange(min(LISTED, len(data)))), fitted.learned)
        answers = ask_network(fitted, examples)
        table = pd.DataFrame({"text": examples.sources, "answer": [some[0].text for some in answers]})
        text = "What the model answers to the first texts it was trained on; nothing was held out to judge by."
        return [Section("Answers", text, table=_listed(table), own=("rows",))]
    examples, truth = judged.exam.examples, judged.exam.truth
    assert isinstance(examples, PairExamples)
    scores = case_chrf(judged.statistics[judged.name])
    order = np.argsort(-scores, kind="stable")
    middle = order[np.linspace(0, len(order) - 1, min(LISTED, len(order))).astype(int)]
    said = judged.answers[judged.name]
    ways = "From the best to the worst, at even distances, of all texts that the model had not seen."
    sections = [Section("Answers", ways, table=_table(examples, truth, said, scores, middle), own=("rows",))]
    sections += _pictures(fitted, examples, scores)
    worst = order[::-1][:LISTED]
    text = "The answers that have least in common with the right ones, the worst first."
    table = _table(examples, truth, said, scores, worst)
    return [*sections, Section("The worst answers", text, table=table, own=("rows",), folded=True)]


def _table(
    examples: PairExamples, truth: Truth, said: Sequence[str], scores: np.ndarray, places: np.ndarray
) -> pd.DataFrame:
    rows = [(examples.sources[n], said[n], truth.texts[n], scores[n]) for n in places]
    return _listed(pd.DataFrame(rows, columns=["text", "answer", "right answer", "chrF"]))


def _listed(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose rows are named by their texts."""
    return table.set_index("text")


def _pictures(fitted: Fitted, examples: PairExamples, scores: np.ndarray) -> list[Section]:
    """Return where the model looked as it answered some texts."""
    learned: Seq2seqLearned = fitted.learned
    short = np.flatnonzero(examples.read.lengths <= LONGEST)
    if not len(short):
        return []
    order = short[np.argsort(-scores[short], kind="stable")]
    long = order[examples.read.lengths[order] >= np.median(examples.read.lengths[order])]
    places = np.unique(long[np.linspace(0, len(long) - 1, min(PICTURED, len(long))).astype(int)])
    answers = [some[0] for some in ask_network(fitted, examples.some(places))]
    if answers[0].looked is None:
        return []
    figures = [_figure(answer, examples.units(int(n), learned)) for n, answer in zip(places, answers, strict=True)]
    text = "A row is a unit that was written, a column one that was read. ⏎ is the end."
    return [Section("Where it looked", text, figures)]


def _figure(answer: Answer, read: Sequence[str]):  # type: ignore[no-untyped-def]
    assert answer.looked is not None
    return attention_map(answer.looked, _apart([*read, END]), _apart([*answer.units, END]), "unit")


def _apart(units: Sequence[str]) -> list[str]:
    """Return labels of units."""
    return [unit.replace("▁", "") or "␣" for unit in units]


def proof_sections(fitted: Fitted, judged: Judged) -> list[Section]:
    """Return how good answers to texts of each length are, beside the best baseline."""
    examples = judged.exam.examples
    assert isinstance(examples, PairExamples)
    lengths = examples.read.lengths - 1
    if len(lengths) < 10 * BANDS:
        return []
    edges = np.unique(np.quantile(lengths, np.linspace(0, 1, BANDS + 1)).astype(int))
    metric = text_metrics(judged.exam.truth.tokens)[0]
    rows = {}
    for low, high in pairwise(edges):
        last = high == edges[-1]
        some = np.flatnonzero((lengths >= low) & (lengths < high + last))
        if len(some):
            table = {
                name: metric.of({key: one[some] for key, one in statistics.items()})
                for name, statistics in judged.statistics.items()
            }
            rows[f"{low}–{high if last else high - 1}"] = {"texts": len(some), **table}
    frame = pd.DataFrame.from_dict(rows, orient="index").rename_axis("units of a text")
    text = "BLEU of answers to texts of each length: without attention, long texts are answered worse."
    return [Section("Long texts", text, table=frame, own=("rows", "columns"))]
