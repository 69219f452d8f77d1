"""``evaluate`` and ``report``: a run that was made earlier, judged and described once more."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..settings import make_part
from ..tasks.base import THIS_MODEL, Exam, Fitted, Judged
from ..tasks.pages import comparison_page, training_page
from ..tasks.session import fitted_baselines, put_beside
from ..tasks.tuning import tuning_page
from ..training import runs
from .common import ignore, judge, judge_beside, judge_network, source_of

History = list[dict[str, Any]]
Notes = Callable[[Sequence[str]], None]


def evaluate(
    fitted: Fitted, data: Any = None, size: int | None = None, asked: Any = None, notes: Notes = ignore
) -> Judged:
    """Judge a run on ``data``, or on what it held out of what it was trained on, beside its baselines.

    ``size`` is how much of the data is judged, ``asked`` an object of the kind's settings for this verb.
    """
    data = source_of(fitted) if data is None else data
    judged = judge(fitted, _exam_again(fitted, data, size, asked, notes), asked=asked)
    notes([judged.exam.said])
    return judged


def rebuild_report(fitted: Fitted, history: History, folder: Path, data: Any = None, asked: Any = None) -> Path:
    """Write the report of the run in ``folder`` again, from its files and its data.

    ``asked`` is an object of the kind's settings for this verb.
    """
    data = source_of(fitted) if data is None else data
    compared = runs.read_comparison(folder)
    name = compared["kept"] if compared else THIS_MODEL
    nothing_held_out = not fitted.record.test_size and not fitted.record.test_source
    judged = None
    if not nothing_held_out:
        exam = _exam_again(fitted, data, None, None, ignore)
        judged = (
            judge_beside(fitted, judge_network(fitted, exam, name)) if compared else judge(fitted, exam, asked=asked)
        )
    search = runs.read_search(folder)
    if search is not None:
        html = tuning_page(fitted, history, data, judged, search, folder, asked)
    elif compared is not None and judged is not None:
        html = comparison_page(fitted, history, data, judged, compared, folder, asked)
    else:
        html = training_page(fitted, history, data, judged, folder, asked)
    return runs.write_report(folder, html)


def _exam_again(fitted: Fitted, data: Any, size: int | None, asked: Any, notes: Notes) -> Exam:
    kind, record = fitted.kind, fitted.record
    asked = make_part(kind.parts.evaluate, {}) if asked is None else asked
    same = record.data == kind.fingerprint(data)
    if same and len(fitted.baselines) < len(kind.baselines(fitted.config, fitted.learned)):
        # The run was written before its baselines were fitted, or by a version that did not keep them.
        prepared = kind.prepare(data, fitted.config, record.test_size)
        notes(put_beside(fitted, fitted_baselines(prepared, fitted.baselines)))
    if same and record.test_source and size is None:
        test = kind.read(Path(record.test_source), fitted.config, fitted.learned)
        notes(kind.repeated(data, test))
        return kind.exam(test, fitted.learned, None)
    part = kind.choose(data, fitted, asked, size, record.test_size if same else None, notes)
    return kind.exam(data, fitted.learned, part)
