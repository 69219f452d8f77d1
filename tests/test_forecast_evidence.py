"""Whether looking explains: a network that copies one stretch of the past, and looks at it or elsewhere.

Shapes: W windows, n stretches.
"""

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from recurra.data.batch import Batch
from recurra.data.series import Panel, Schema
from recurra.nn.models import Output
from recurra.settings import make_config
from recurra.tasks.base import Fitted, Judged, Prepared
from recurra.tasks.forecast.evidence import evidence_of
from recurra.tasks.forecast.kind import KIND
from recurra.tasks.forecast.report import proof_sections
from recurra.tasks.forecast.settings import PARTS
from recurra.tasks.session import Session
from recurra.verbs.common import judge

SEGMENT, READ = 5, 4
COPIED = 1  # the stretch that the network copies
TOLD: dict[str, Any] = {"horizon": SEGMENT, "lookback": SEGMENT * READ, "segment": SEGMENT, "normalise": "none"}
TOLD |= {"cycle": False, "log": False, "season": SEGMENT, "hidden_size": 4, "max_epochs": 1, "epoch_steps": 1}


class Copies(nn.Module):
    """Says of the next steps what one stretch was, and claims to have looked at another."""

    def __init__(self, looked: int, numbers: int):
        super().__init__()
        self.looked, self.numbers = looked, numbers
        self.somewhere = nn.Parameter(torch.zeros(()))  # says on which device the network is

    def forward(self, batch: Batch, record: bool) -> Output:
        said = batch.inputs.unflatten(1, (READ, SEGMENT))[:, COPIED]
        looks: Tensor = nn.functional.one_hot(torch.tensor(self.looked), READ).to(said)
        return Output(said.unsqueeze(-1).expand(-1, -1, -1, self.numbers), looks.expand(len(said), 1, READ))


@pytest.fixture(scope="module")
def trained() -> tuple[Fitted, Prepared]:
    random = np.random.default_rng(0)
    values = 3 * np.sin(np.arange(400) * 2 * np.pi / SEGMENT) + random.normal(size=400)
    panel = Panel(Schema(None, None, ("y",), None, season=SEGMENT), ("y",), (values,), (1,))
    config = make_config(PARTS, TOLD)
    prepared = KIND.prepare(panel, config, 100)
    session = Session(prepared)
    for _ in session.epochs():
        pass
    return session.fitted, prepared


def judged_of(fitted: Fitted, prepared: Prepared) -> Judged:
    exam = KIND.exam(prepared.data, prepared.learned, prepared.plan.test)
    answers = KIND.ask(fitted, exam.examples)  # type: ignore[arg-type]
    return Judged("model", exam, {"model": answers}, {"model": KIND.statistics(exam.truth, answers)}, {})


def that_looks(trained: tuple[Fitted, Prepared], looked: int) -> Fitted:
    fitted, _ = trained
    fitted.network.core = Copies(looked, fitted.task.head.size)  # type: ignore[attr-defined]
    return fitted


def by_hand(judged: Judged, panel: Panel, mean: float, std: float) -> np.ndarray:
    """How much the error grows without each stretch, (W, n): only what is copied matters."""
    values = (panel.values[0] - mean) / std
    origins = judged.exam.truth.origins[:: judged.exam.truth.overlap]
    growth, errors = np.zeros((len(origins), READ)), np.zeros(len(origins))
    for w, origin in enumerate(origins.tolist()):
        past, future = values[origin - SEGMENT * READ : origin], values[origin : origin + SEGMENT]
        first, last = COPIED * SEGMENT, (COPIED + 1) * SEGMENT - 1
        line = np.interp(np.arange(first, last + 1), [first - 1, last + 1], [past[first - 1], past[last + 1]])
        errors[w] = np.abs(past[first : last + 1] - future).mean()
        growth[w, COPIED] = np.abs(line - future).mean() - errors[w]
    return growth / errors.mean()


@pytest.mark.parametrize("looked", [COPIED, 3])
def test_the_error_grows_by_what_is_copied_alone(trained: tuple[Fitted, Prepared], looked: int) -> None:
    fitted, prepared = that_looks(trained, looked), trained[1]
    judged = judged_of(fitted, prepared)
    found = evidence_of(fitted, judged)
    assert found is not None
    scaling = prepared.learned.scaling
    expected = by_hand(judged, prepared.data, float(scaling.mean[0, 0]), float(scaling.std[0, 0]))
    np.testing.assert_allclose(found.growth, expected, atol=1e-5)
    assert len(found.weights) == len(expected) > 10
    mean = expected[:, COPIED].mean()
    assert mean > 0.5
    if looked == COPIED:
        assert found.looked.mean() == pytest.approx(mean, abs=1e-5)
        assert found.elsewhere.mean() == pytest.approx(0.0, abs=1e-5)
        assert found.agreement.mean == pytest.approx(1.0)
    else:
        assert found.looked.mean() == pytest.approx(0.0, abs=1e-5)
        assert found.elsewhere.mean() == pytest.approx(mean / (READ - 1), abs=1e-5)
        assert found.agreement.mean < 0


@pytest.mark.parametrize(
    ("looked", "said"),
    [(COPIED, "Where it looks is what its forecasts rest on."), (3, "matters no more than the rest")],
)
def test_the_report_says_whether_looking_explains(trained: tuple[Fitted, Prepared], looked: int, said: str) -> None:
    fitted, prepared = that_looks(trained, looked), trained[1]
    judged = judged_of(fitted, prepared)
    (section,) = (
        one for one in proof_sections(fitted, prepared.data, judged) if one.heading == "Whether looking explains"
    )
    assert said in section.text
    found = evidence_of(fitted, judged)
    assert found is not None
    assert f"{100 * found.looked.mean():+.1f} %" in section.text
    (bars,) = section.figure.data  # type: ignore[union-attr]
    np.testing.assert_allclose(bars.y, found.growth.mean(0))
    assert bars.x.tolist() == [4, 3, 2, 1]


def test_without_attention_nothing_is_said(trained: tuple[Fitted, Prepared]) -> None:
    fitted, prepared = that_looks(trained, COPIED), trained[1]
    judged = judged_of(fitted, prepared)
    core = fitted.network.core

    class Blind(Copies):
        def forward(self, batch: Batch, record: bool) -> Output:
            return super().forward(batch, record)._replace(weights=None)

    fitted.network.core = Blind(COPIED, core.numbers)  # type: ignore[union-attr, arg-type]
    assert evidence_of(fitted, judged) is None
    assert "Whether looking explains" not in [one.heading for one in proof_sections(fitted, prepared.data, judged)]


def test_unknown_targets_do_not_count(trained: tuple[Fitted, Prepared]) -> None:
    """A window of which nothing is known says nothing, and of one with a gap what is known."""
    fitted, prepared = that_looks(trained, COPIED), trained[1]
    whole = evidence_of(fitted, judged_of(fitted, prepared))
    values = prepared.data.values[0].copy()
    values[-12] = np.nan
    with_gap = replace(prepared, data=replace(prepared.data, values=(values,)))
    some = evidence_of(fitted, judged_of(fitted, with_gap))
    assert whole is not None and some is not None
    assert np.isfinite(some.growth).all() and len(some.growth) == len(whole.growth)
    assert not np.allclose(some.growth[-3:], whole.growth[-3:])


def test_series_are_told_apart_by_their_errors() -> None:
    """What changes where nobody saw it is forecast worst; errors are held against those of the last week."""
    random, steps = np.random.default_rng(0), np.arange(240)
    values = tuple(np.sin(2 * np.pi * steps / 7) + 0.2 * random.normal(size=240) for _ in range(24))
    values[11][205:] += 3 * random.normal(size=35)
    names = tuple(f"s{n}" for n in range(24))
    panel = Panel(Schema(None, "id", ("y",), None, season=7), names, values, (1,) * 24)
    config = make_config(PARTS, {"horizon": 7, "hidden_size": 8, "max_epochs": 2, "epoch_steps": 20})
    prepared = KIND.prepare(panel, config, 35)
    session = Session(prepared)
    for _ in session.epochs():
        pass
    session.fit_baselines()
    judged = judge(session.fitted, KIND.exam(panel, prepared.learned, prepared.plan.test))
    (section,) = (one for one in proof_sections(session.fitted, panel, judged) if one.heading == "Series by series")
    table = section.table
    assert table is not None and table.index[0] == "s11" and len(table) == 20
    assert "These are the 20 that were forecast worst." in section.text
    truth, said = judged.exam.truth, judged.answers["this model"].point
    errors = np.abs(said - truth.values)[truth.series == 11].mean()
    # The error of the last week where nothing is held out, of which the table leaves a part to validation.
    scale = np.abs(values[11][7:-35] - values[11][:-42]).mean()
    assert table["this model"].iloc[0] == pytest.approx(errors / scale, rel=0.03)
    rival = table.columns[1]
    naive = {label: judged.metrics[label]["mase"] for label, row in session.fitted.baselines.items() if row.naive}
    assert rival == min(naive, key=lambda label: naive[label])
    (text,) = re.findall(rf"better than '{rival}' on (\d+) of 24 series", section.text)
    assert int(text) >= (table["this model"] < table[rival]).sum()
