"""What a report of classes shows: what was confused, how good each class is, and where the network looked."""

import numpy as np
import pandas as pd

from ...data.cases import Cases
from ...errors import plural
from ...nn.occlusion import less_sure
from ...report.marked import Line, Marked
from ...report.page import Section
from ...writing.numbers import percent
from ..base import THE_NETWORK, Fitted, Judged
from ..cases.confusion import class_frame, confusion
from ..cases.evidence import Measure, shown
from ..cases.examples import CaseExamples
from ..cases.figures import Wording, confusion_figure, small_case_figure
from .answers import Guess
from .figures import reliability_figure
from .labels_report import label_proof, label_sections
from .learned import ClassifyLearned
from .reliability import reliability_of

WORST = 10  # mistakes that are shown
MEASURE = Measure(
    less_sure,
    Wording(
        strip="less sure without it by",
        below="Below it: how much less sure of its answer the model is when the stretch is drawn as a straight line "
        "(occlusion).",
        frame="The last number says how much less sure of its answer the model is without the frame (occlusion).",
        share=True,
    ),
)


def title(fitted: Fitted) -> str:
    """Return which classes are told apart."""
    classes = fitted.learned.classes
    more = f" and {len(classes) - 4} more" if len(classes) > 4 else ""
    return f"Classification into {len(classes)} classes: {', '.join(classes[:4])}{more}"


def answer_sections(fitted: Fitted, data: Cases, judged: Judged | None) -> list[Section]:
    """Return what was confused with what; where nothing was judged, how often each class was named."""
    classes = fitted.learned.classes
    if fitted.learned.several:
        return label_sections(fitted, data, judged)
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
    several = f"{int(wrong.sum()):,} cases were" if wrong.sum() > 1 else "One case was"
    return f"{several} misnamed. Most often '{classes[i]}' was called '{classes[j]}', {times}."


def proof_sections(fitted: Fitted, judged: Judged) -> list[Section]:
    """Return the table of classes, a right and a wrong case, the worst ones, and what its confidence is worth."""
    if fitted.learned.several:
        return label_proof(fitted, judged)
    sections = [_class_table(fitted, judged), _two_cases(fitted, judged), _worst_cases(fitted, judged)]
    return [*(section for section in sections if section is not None), _confidence(judged)]


def _class_table(fitted: Fitted, judged: Judged) -> Section:
    classes = fitted.learned.classes
    table = confusion(judged.exam.truth, judged.answers[judged.name].codes, len(classes))
    frame = class_frame(table, classes, "cases")
    text = (
        "Precision is how many of those called so are; recall how many of those that are so were called so; F1 lies "
        "between the two."
    )
    return Section("Class by class", text, table=frame, own=("rows",))


def _two_cases(fitted: Fitted, judged: Judged) -> Section:
    """Show a typical right case and the worst mistake beside each other."""
    examples, truth, guess = judged.exam.examples, judged.exam.truth, judged.answers[judged.name]
    assert isinstance(examples, CaseExamples) and guess.log_probabilities is not None
    sure = guess.sure
    right, wrong = np.flatnonzero(guess.codes == truth), np.flatnonzero(guess.codes != truth)
    places, said = [], []
    if len(right):
        places.append(int(right[np.argsort(sure[right], kind="stable")[len(right) // 2]]))
        said.append("a right one from the middle (the model was surer of half of the right ones)")
    if len(wrong):
        places.append(int(wrong[np.argmax(sure[wrong])]))
        said.append("the mistake of which it was surest")
    names = [examples.cases.names[place] for place in places]
    titles = [
        _case_title(fitted.learned, name, guess, place, int(truth[place]))
        for name, place in zip(names, places, strict=True)
    ]
    found = shown(fitted, examples, places, titles, MEASURE)
    unseen = f"Of {len(truth):,} case{plural(len(truth))} that the model had not seen"
    text = f"{unseen}: {', and '.join(said)}.{_part(fitted.learned)}"
    heading = "Two cases" if len(places) == 2 else "One case"
    return Section(heading, text, found.figures, points=found.points, marked=found.marked)


def _part(learned: ClassifyLearned) -> str:
    """Return a sentence on what pictures of the network are pictures of, where it is a part of the answer."""
    if not learned.mix:
        return ""
    share = percent(learned.mix[THE_NETWORK] / sum(learned.mix.values()))
    return f" The pictures are of the network, {share} of the answer."


def _case_title(learned: ClassifyLearned, name: str, guess: Guess, place: int, truth: int) -> str:
    assert guess.log_probabilities is not None
    said = int(guess.codes[place])
    sure = f"{100 * np.exp(guess.log_probabilities[place, said]):.0f} % sure"
    verdict = "rightly" if said == truth else f"but it is '{learned.classes[truth]}'"
    return f"Case {name}: called '{learned.classes[said]}' ({sure}), {verdict}"


def _worst_cases(fitted: Fitted, judged: Judged) -> Section | None:
    """Show the mistakes of which the model was surest, if it made more than one."""
    examples, truth, guess = judged.exam.examples, judged.exam.truth, judged.answers[judged.name]
    assert isinstance(examples, CaseExamples) and guess.log_probabilities is not None
    wrong = np.flatnonzero(guess.codes != truth)
    if len(wrong) < 2:
        return None
    worst = wrong[np.argsort(-guess.sure[wrong], kind="stable")][:WORST]
    classes, cases = fitted.learned.classes, examples.cases.some(worst)
    shares = np.exp(guess.log_probabilities[worst])
    expected, said = ([classes[code] for code in codes[worst]] for codes in (truth, guess.codes))
    index = pd.MultiIndex.from_arrays([list(cases.names), expected, said], names=["case", "it is", "called"])
    own = shares[np.arange(len(worst)), truth[worst]]
    sure = np.exp(guess.sure[worst])
    table = pd.DataFrame({"% sure": 100 * sure, "% for what it is": 100 * own}, index=index)
    titles = [
        f"{name}: is '{true}', called '{other}' ({percent(share)})"
        for (name, true, other), share in zip(index, sure, strict=True)
    ]
    reading, drawn = fitted.learned.reading, zip(cases.values, titles, strict=True)
    curves = reading.seconds is None and reading.layout.shape is None and not cases.written
    figures = [small_case_figure(values, title) for values, title in drawn] if curves else []
    marked = [
        Marked(title, [Line("", [(text, 0.0)])])
        for text, title in zip(cases.texts if cases.written else (), titles, strict=False)
    ]
    every = f"All {len(worst)} mistakes" if len(worst) > 1 else "The only mistake"
    heading = f"The {len(worst)} worst cases" if len(worst) < len(wrong) else every
    text = (
        "Of these wrong answers the model was surest, of the first one most, with what was expected and, in brackets, "
        "how sure it was. Look whether the label is right, too."
    )
    return Section(heading, text, figures, numbers=table, own=("rows",), marked=marked)


def _confidence(judged: Judged) -> Section:
    """Show whether the model is right as often as it says."""
    guess = judged.answers[judged.name]
    found = reliability_of(np.exp(guess.sure), guess.codes == judged.exam.truth)
    often = f"On average it is {percent(found.sure)} sure and {percent(found.right)} right."
    if found.error <= found.chance:
        verdict = "Nothing speaks against taking its confidence at its word."
    elif found.sure > found.right:
        verdict = "It is surer than it should be."
    else:
        verdict = "It is more careful than it needs to be."
    text = (
        f"{verdict} {often}\n\nThe difference is {percent(found.error)} in the mean over bins of confidence (expected "
        f"calibration error); if all that it says of itself were true, chance would give up to {percent(found.chance)} "
        "with so many cases."
    )
    return Section("What its confidence is worth", text, reliability_figure(found.table))
