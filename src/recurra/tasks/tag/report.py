"""What a report of labels shows: cases with their labels, what was confused, and how good each label is."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from ...data.cases import Cases
from ...report.page import Section
from ...writing.numbers import percent
from ..base import Fitted, Judged
from ..cases.confusion import class_frame, confusion
from ..cases.figures import confusion_figure
from .answers import Said, Truth, ask_network
from .examples import TagExamples
from .figures import Strips, strips_figure
from .marks import by_case
from .metrics import f1_by_label
from .sentences import entity_sections, intent_sections, middle_and_worst

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

WORST = 4  # cases that are shown
SHOWN = 1_000  # steps of a case that are shown at most


class Seen(NamedTuple):
    """Judged cases, with what their steps are and what was said of them."""

    cases: Cases
    truth: list[np.ndarray]  # (T_i,) each, below 0 where not known
    said: list[np.ndarray]  # (T_i,) each
    accuracy: np.ndarray  # (N,)


def title(fitted: Fitted) -> str:
    """Return which labels there are, or which types of entities."""
    classes, scheme = fitted.learned.classes, fitted.learned.scheme
    if scheme is not None:
        types = [kind or "words" for kind in scheme.types(classes)]
        more = f" and {len(types) - 4} more" if len(types) > 4 else ""
        return f"Entities in sentences: {', '.join(types[:4])}{more}"
    more = f" and {len(classes) - 4} more" if len(classes) > 4 else ""
    return f"A label for every step, one of {len(classes)}: {', '.join(classes[:4])}{more}"


def answer_sections(fitted: Fitted, data: Cases, judged: Judged | None) -> list[Section]:
    """Return a case with its labels and the worst ones; where nothing was judged, how often each label was named."""
    if judged is not None and data.form == "sentences":
        return middle_and_worst(fitted, judged)
    if judged is not None:
        seen = _seen(judged)
        order = np.argsort(seen.accuracy, kind="stable")
        middle = int(order[len(order) // 2])
        worst = [int(n) for n in order[:WORST] if seen.accuracy[n] < 1 and n != middle]
        text = "Of the cases that the model had not seen, half were labelled no better than this one."
        sections = [Section("A case from the middle", text, _case_figures(fitted, seen, [middle]))]
        if worst:
            text = "The cases of which it named the smallest share of steps rightly, the worst first."
            sections.append(Section("The worst cases", text, _case_figures(fitted, seen, worst)))
        return sections
    classes = fitted.learned.classes
    named = ask_network(fitted, fitted.kind.encode(data, fitted.learned)).codes
    counts = pd.DataFrame({"steps": np.bincount(named, minlength=len(classes))}, index=pd.Index(classes, name="class"))
    text = f"What the model says of the {len(named):,} steps it was trained on; nothing was held out to judge by."
    return [Section("Labels", text, table=counts, own=("rows",))]


def _seen(judged: Judged) -> Seen:
    examples, truth, said = judged.exam.examples, judged.exam.truth, judged.answers[judged.name]
    assert isinstance(examples, TagExamples) and isinstance(truth, Truth) and isinstance(said, Said)
    statistics = judged.statistics[judged.name]
    accuracy = statistics["right"] / statistics["steps"]
    return Seen(examples.cases, by_case(truth.codes, truth.lengths), by_case(said.codes, truth.lengths), accuracy)


def _case_figures(fitted: Fitted, seen: Seen, places: Sequence[int]) -> "list[Figure]":
    classes, usual = fitted.learned.classes, int(np.argmax(fitted.learned.counts))
    figures = []
    for place in places:
        truth, said, values = seen.truth[place], seen.said[place], seen.cases.values[place]
        first = _worst_part(truth, said)
        part = slice(first, first + SHOWN)
        strips = Strips({"true": truth[part], "said": said[part]}, classes, usual)
        heading = f"Case {seen.cases.names[place]}: {percent(seen.accuracy[place])} of its steps named rightly"
        figures.append(strips_figure(values[part], seen.cases.channels, strips, heading, first))
    return figures


def _worst_part(truth: np.ndarray, said: np.ndarray) -> int:
    """Return the first step of the part of a case that is shown: that with most mistakes, if it is long."""
    if len(truth) <= SHOWN:
        return 0
    wrong = np.concatenate([[0], np.cumsum((truth >= 0) & (truth != said))])
    return int(np.argmax(wrong[SHOWN:] - wrong[:-SHOWN]))


def proof_sections(fitted: Fitted, judged: Judged) -> list[Section]:
    """Return what was confused with what, and how good each label is, or each type of entity."""
    if fitted.learned.scheme is not None:
        return [*entity_sections(fitted, judged), *intent_sections(fitted, judged)]
    classes, truth = fitted.learned.classes, judged.exam.truth
    known = truth.codes >= 0
    table = confusion(truth.codes[known], judged.answers[judged.name].codes[known], len(classes))
    wrong = table - np.diag(np.diag(table))
    figure = confusion_figure(table, classes)
    confused = [Section("What was confused", _worst(wrong, classes), figure), _label_table(fitted, judged, table)]
    return [*confused, *intent_sections(fitted, judged)]


def _worst(wrong: np.ndarray, classes: Sequence[str]) -> str:
    if not wrong.any():
        return "Every step was named rightly."
    i, j = (int(place) for place in np.unravel_index(int(wrong.argmax()), wrong.shape))
    most = int(wrong[i, j])
    times = "once" if most == 1 else f"{most:,} times"
    several = f"{int(wrong.sum()):,} steps were" if wrong.sum() > 1 else "One step was"
    return f"{several} misnamed. Most often '{classes[i]}' was called '{classes[j]}', {times}."


def _label_table(fitted: Fitted, judged: Judged, table: np.ndarray) -> Section:
    statistics = judged.statistics[judged.name]
    text = (
        "Precision is how many of those called so are; recall how many of those that are so were called so; F1 lies "
        "between the two."
    )
    frame = class_frame(table, fitted.learned.classes, "steps")
    if fitted.learned.reading.form != "numbers":  # words of one label beside each other are no stretch
        return Section("Label by label", text, table=frame, own=("rows",))
    spans = {
        "spans": statistics["true_spans"].sum(0).astype(int),
        "spans named": statistics["named_spans"].sum(0).astype(int),
        "% span F1": 100 * f1_by_label(statistics, "span_hits", "true_spans", "named_spans"),
    }
    text += " A span is a stretch of steps with one label."
    return Section("Label by label", text, table=frame.assign(**spans), own=("rows",))
