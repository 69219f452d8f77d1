"""What a report of numbers shows: predicted beside true, the errors, the worst cases, and where the network looked.

Shapes: N cases, K targets.
"""

import numpy as np
import pandas as pd

from ...data.cases import Cases
from ...errors import plural
from ...report.page import Section
from ...writing.numbers import digits, percent
from ..base import Fitted, Judged
from ..cases.evidence import Measure, shown
from ..cases.examples import CaseExamples
from ..cases.figures import Wording
from .answers import Guess, Truth, ask_network, moves_of, statistics_of
from .figures import Said, error_figure, said_figure
from .learned import RegressLearned
from .metrics import ERRORS

WORST = 10  # cases that are listed
DRAWN = 4  # targets that get a picture
MOVED = Wording(
    strip="the answer moves without it by",
    below="Below it: how far the answer moves when the stretch is drawn as a straight line (occlusion).",
    frame="The last number says how far the answer moves without the frame (occlusion).",
)


def title(fitted: Fitted) -> str:
    """Return which numbers are said."""
    names = fitted.learned.names
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    return f"A number for each sequence: {', '.join(names[:4])}{more}"


def answer_sections(fitted: Fitted, data: Cases, judged: Judged | None) -> list[Section]:
    """Return what was predicted beside what is true; where nothing was judged, what is said of the training cases."""
    if judged is None:
        return [_summary(fitted, data)]
    figures = [said_figure(one, name) for name, one in _said(judged, fitted.learned).items()]
    text = _in_words(judged.answers[judged.name], judged.exam.truth, fitted.learned)
    return [Section("Predicted and true", text, figures)]


def _summary(fitted: Fitted, data: Cases) -> Section:
    said = ask_network(fitted, CaseExamples.of(data, fitted.learned)).point
    rows = {"smallest": 0.0, "lower quarter": 0.25, "median": 0.5, "upper quarter": 0.75, "largest": 1.0}
    table = pd.DataFrame(np.quantile(said, list(rows.values()), axis=0), list(rows), list(fitted.learned.names))
    text = f"What the model says of the {len(data):,} cases it was trained on; nothing was held out to judge by."
    return Section("Numbers", text, table=table, own=("columns",))


def _in_words(guess: Guess, truth: Truth, learned: RegressLearned) -> str:
    parts = []
    for n, name in enumerate(learned.names[:DRAWN]):
        errors = np.abs(guess.point[:, n] - truth.values[:, n])
        parts.append(f"Half of the answers are within {digits(float(np.median(errors)), 3)} of the true '{name}'.")
    for level, (low, high) in guess.bands.items():
        inside = float(((truth.values >= low) & (truth.values <= high)).mean())
        parts.append(f"The intervals of {level} % hold {percent(inside)} of the true numbers.")
    return " ".join(parts)


def proof_sections(fitted: Fitted, judged: Judged) -> list[Section]:
    """Return the errors, the targets one by one if there are several, the worst cases, and two cases from inside."""
    learned = fitted.learned
    figures = [error_figure(one, name) for name, one in _said(judged, learned).items()]
    text = "How far each answer was off, over what was predicted."
    errors = Section("Errors", text, figures)
    several = [_target_table(judged, learned)] if len(learned.names) > 1 else []
    return [*several, errors, _worst_table(judged, learned), *_two_cases(fitted, judged)]


def _said(judged: Judged, learned: RegressLearned) -> dict[str, Said]:
    """Return what the model said, by target; with several, one title each."""
    guess, truth = judged.answers[judged.name], judged.exam.truth.values
    widest = guess.bands[max(guess.bands)] if guess.bands else None
    found = {}
    for n, name in enumerate(learned.names[:DRAWN]):
        band = None if widest is None else (widest[0][:, n], widest[1][:, n])
        found[name] = Said(_names(judged), truth[:, n], guess.point[:, n], band)
    return found if len(found) > 1 else {"": next(iter(found.values()))}


def _names(judged: Judged) -> tuple[str, ...]:
    examples = judged.exam.examples
    assert isinstance(examples, CaseExamples)
    return examples.cases.names


def _target_table(judged: Judged, learned: RegressLearned) -> Section:
    guess, truth = judged.answers[judged.name], judged.exam.truth
    rows = []
    for n in range(len(learned.names)):
        one = statistics_of(Truth(truth.values[:, [n]], np.ones(1)), Guess(guess.point[:, [n]], {}))
        rows.append([metric.of(one) for metric in ERRORS])
    table = pd.DataFrame(rows, pd.Index(learned.names, name="target"), [metric.title for metric in ERRORS])
    return Section("Target by target", "Each in its own unit.", table=table, own=("rows",))


def _worst_table(judged: Judged, learned: RegressLearned) -> Section:
    guess, truth = judged.answers[judged.name], judged.exam.truth
    error = (guess.point - truth.values) / truth.unit
    order = _worst_first(error)[:WORST]
    which = np.abs(error[order]).argmax(1)
    columns = {
        "true": truth.values[order, which],
        "predicted": guess.point[order, which],
        "predicted − true": (guess.point - truth.values)[order, which],
    }
    if len(learned.names) > 1:
        columns = {"target": [learned.names[n] for n in which]} | columns
    names = _names(judged)
    table = pd.DataFrame(columns, pd.Index([names[n] for n in order], name="case"))
    text = f"The {len(order)} cases of {len(error):,} that were missed most."
    return Section("The worst cases", text, table=table, own=("rows",))


def _worst_first(error: np.ndarray) -> np.ndarray:
    """Return the places of the cases, those with the largest error (N, K) of any target first."""
    return np.argsort(-np.abs(error).max(1), kind="stable")


def _two_cases(fitted: Fitted, judged: Judged) -> list[Section]:
    """Show a usual case and the worst one beside each other."""
    examples, guess, truth = judged.exam.examples, judged.answers[judged.name], judged.exam.truth
    assert isinstance(examples, CaseExamples)
    order = _worst_first((guess.point - truth.values) / truth.unit)
    places = list(dict.fromkeys([int(order[len(order) // 2]), int(order[0])]))
    names = examples.cases.names
    learned = fitted.learned
    titles = [_case_title(names[place], guess.point[place], truth.values[place], learned.names) for place in places]
    measure = Measure(moves_of(fitted), MOVED, float((learned.std / learned.unit).mean()))
    found = shown(fitted, examples, places, titles, measure)
    count = len(order)
    text = (
        f"Of {count:,} case{plural(count)} that the model had not seen: one from the middle (half were missed by more)"
    )
    text += ", and the worst." if len(places) == 2 else "."
    heading = "Two cases" if len(places) == 2 else "One case"
    return [Section(heading, text, found.figures, points=found.points)]


def _case_title(name: str, said: np.ndarray, true: np.ndarray, targets: tuple[str, ...]) -> str:
    def listed(values: np.ndarray) -> str:
        written = [digits(float(value)) for value in values[:DRAWN]]
        several = len(targets) > 1
        return ", ".join(f"{target} {one}" if several else one for target, one in zip(targets, written, strict=False))

    return f"Case {name}: predicted {listed(said)}, true {listed(true)}"
