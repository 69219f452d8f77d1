"""What a report shows where each case has any number of labels: how good each label is, and what answers rest on.

Shapes: N cases, K labels.
"""

import numpy as np
import pandas as pd

from ...data.cases import Cases
from ...errors import plural
from ...nn.occlusion import less_likely
from ...report.page import Section
from ..base import Fitted, Judged
from ..cases.evidence import Measure, shown
from ..cases.examples import CaseExamples
from ..cases.figures import Wording
from .answers import Guess
from .several import precision_recall_f1, written

MEASURE = Measure(
    less_likely,
    Wording(
        strip="less sure without it by",
        below="Below it: how much less sure of its surest label the model is when the stretch is drawn as a straight "
        "line (occlusion).",
        frame="The last number says how much less sure of its surest label the model is without the frame (occlusion).",
        share=True,
    ),
)


def label_sections(fitted: Fitted, data: Cases, judged: Judged | None) -> list[Section]:
    """Return how often each label is there and was named; where nothing was judged, how often it was named."""
    classes, index = fitted.learned.classes, pd.Index(fitted.learned.classes, name="label")
    if judged is None:
        named = fitted.kind.ask(fitted, CaseExamples.of(data, fitted.learned)).codes
        text = f"What the model says of the {len(data):,} cases it was trained on; nothing was held out to judge by."
        return [Section("Labels", text, table=pd.DataFrame({"cases": named.sum(0)}, index=index), own=("rows",))]
    truth, guess = judged.exam.truth, judged.answers[judged.name]
    shares = precision_recall_f1(truth, guess.codes)
    columns = {"cases": truth.sum(0), "named": guess.codes.sum(0)}
    columns |= {f"% {name}": 100 * one for name, one in zip(("precision", "recall", "F1"), shares, strict=True)}
    text = (
        f"Of {len(classes)} labels any number may be named. Precision is how many of those called so are; recall how "
        "many of those that are so were called so; F1 lies between the two."
    )
    return [Section("Label by label", text, table=pd.DataFrame(columns, index=index), own=("rows",))]


def label_proof(fitted: Fitted, judged: Judged) -> list[Section]:
    """Return a case that is all right and the one that is worst, with what the answers rest on."""
    examples, truth, guess = judged.exam.examples, judged.exam.truth, judged.answers[judged.name]
    assert isinstance(examples, CaseExamples)
    wrong = (truth != guess.codes).sum(1)
    places = list(dict.fromkeys([int(wrong.argmin()), int(wrong.argmax())]))
    titles = [_title(fitted, examples.cases.names[at], guess, at, truth) for at in places]
    found = shown(fitted, examples, places, titles, MEASURE)
    unseen = f"Of {len(truth):,} case{plural(len(truth))} that the model had not seen"
    text = f"{unseen}: that with the fewest wrong labels, and with the most."
    return [Section("Two cases", text, found.figures, points=found.points, marked=found.marked)]


def _title(fitted: Fitted, name: str, guess: Guess, at: int, truth: np.ndarray) -> str:
    said, true = (written(one[at : at + 1], fitted.learned.classes)[0] or "-" for one in (guess.codes, truth))
    if said == true:
        return f"Case {name}: called '{said}', rightly"
    return f"Case {name}: called '{said}', but it is '{true}'"
