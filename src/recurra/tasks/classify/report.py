"""What a report of classes shows: what was confused, how good each class is, and where the network looked."""

import numpy as np
import pandas as pd

from ...data.cases import Cases
from ...report.page import Section
from ..base import Fitted, Judged
from ..cases.confusion import class_frame, confusion
from ..cases.examples import CaseExamples
from ..cases.figures import case_figure, confusion_figure
from ..cases.looking import looks_if_it_does
from .answers import Guess
from .learned import ClassifyLearned


def title(fitted: Fitted) -> str:
    """Return which classes are told apart."""
    classes = fitted.learned.classes
    more = f" and {len(classes) - 4} more" if len(classes) > 4 else ""
    return f"Classification into {len(classes)} classes: {', '.join(classes[:4])}{more}"


def answer_sections(fitted: Fitted, data: Cases, judged: Judged | None) -> list[Section]:
    """Return what was confused with what; where nothing was judged, how often each class was named."""
    classes = fitted.learned.classes
    if judged is not None:
        table = confusion(judged.exam.truth, judged.answers[judged.name].codes, len(classes))
        wrong = table - np.diag(np.diag(table))
        return [Section("What was confused", _worst(wrong, classes), confusion_figure(table, classes))]
    named = fitted.kind.ask(fitted, CaseExamples.of(data, fitted.learned)).codes
    counts = pd.DataFrame({"cases": np.bincount(named, minlength=len(classes))}, index=pd.Index(classes, name="class"))
    text = f"What the model says of the {len(data):,} cases it was trained on; nothing was held out to judge by."
    return [Section("Classes", text, table=counts, own=("rows",))]


def _worst(wrong: np.ndarray, classes: tuple[str, ...]) -> str:
    if not wrong.any():
        return "Every case was named rightly."
    i, j = np.unravel_index(int(wrong.argmax()), wrong.shape)
    most = int(wrong[i, j])
    times = "once" if most == 1 else f"{most:,} times"
    return f"{int(wrong.sum()):,} cases were misnamed. Most often '{classes[i]}' was called '{classes[j]}', {times}."


def proof_sections(fitted: Fitted, judged: Judged) -> list[Section]:
    """Return the table of classes, and a right and a wrong case."""
    return [_class_table(fitted, judged), *_two_cases(fitted, judged)]


def _class_table(fitted: Fitted, judged: Judged) -> Section:
    classes = fitted.learned.classes
    table = confusion(judged.exam.truth, judged.answers[judged.name].codes, len(classes))
    frame = class_frame(table, classes, "cases")
    text = (
        "Precision is how many of those called so are; recall how many of those that are so were called so; F1 lies "
        "between the two."
    )
    return Section("Class by class", text, table=frame, own=("rows",))


def _two_cases(fitted: Fitted, judged: Judged) -> list[Section]:
    """Show a typical right case and the worst mistake beside each other."""
    examples, truth, guess = judged.exam.examples, judged.exam.truth, judged.answers[judged.name]
    assert isinstance(examples, CaseExamples) and guess.log_probabilities is not None
    sure = guess.log_probabilities.max(1)
    right, wrong = np.flatnonzero(guess.codes == truth), np.flatnonzero(guess.codes != truth)
    shown, said = [], []
    if len(right):
        shown.append(int(right[np.argsort(sure[right], kind="stable")[len(right) // 2]]))
        said.append("a right one from the middle (the model was surer of half of the right ones)")
    if len(wrong):
        shown.append(int(wrong[np.argmax(sure[wrong])]))
        said.append("the mistake of which it was surest")
    cases = examples.cases.some(shown)
    few = CaseExamples.of(cases, fitted.learned)
    weights = looks_if_it_does(fitted, few)
    figures = [
        case_figure(
            cases.values[n],
            cases.channels,
            None if weights is None else weights[n],
            fitted.learned.reading.layout.stretches(len(cases.values[n])),
            _case_title(fitted.learned, cases, n, guess, place, int(truth[place])),
        )
        for n, place in enumerate(shown)
    ]
    text = f"Of {len(truth):,} cases that the model had not seen: {', and '.join(said)}."
    return [Section("Two cases" if len(shown) == 2 else "One case", text, figures)]


def _case_title(learned: ClassifyLearned, cases: Cases, n: int, guess: Guess, place: int, truth: int) -> str:
    assert guess.log_probabilities is not None
    said = int(guess.codes[place])
    sure = f"{100 * np.exp(guess.log_probabilities[place, said]):.0f} % sure"
    verdict = "rightly" if said == truth else f"but it is '{learned.classes[truth]}'"
    return f"Case {cases.names[n]}: called '{learned.classes[said]}' ({sure}), {verdict}"
