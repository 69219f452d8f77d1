"""Numbers for sequences, as the verbs see it."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from torch import nn

from ...compare.metric import Metric, Statistics
from ...data.cases import Cases, cases_of
from ...settings import Config
from ...training.loop import Epoch
from ...training.task import Task
from ..base import Baseline, Exam, Fitted, Prepared
from ..cases.base import Pages
from ..cases.examples import CaseExamples
from ..cases.pooled import PooledKind
from ..cases.reservoir import ReservoirNet
from ..cases.split import Split
from .answers import (
    Guess,
    Numbers,
    Truth,
    ask_network,
    calibrate,
    keep_reach,
    make_exam,
    notes_on,
    reach,
    statistics_of,
)
from .baselines import make_baselines
from .learned import RegressLearned
from .metrics import regress_metrics
from .numbers import groups_of, numbers_of
from .plan import make_plan
from .settings import PARTS, NumbersAsked
from .task import make_regressor


class RegressKind(PooledKind):
    """From whole sequences to a number of each, or several."""

    parts = PARTS
    what = "number"

    def arrays(self, X: Any, y: Any) -> Cases:
        """Return X and y as cases; y may be None."""
        return cases_of(X, y, what="number")

    def groups(self, data: Cases, what: str) -> np.ndarray:
        """Return the group of each case, by the size of its number."""
        return groups_of(numbers_of(data, what))

    def columns(self, config: Config, learned: RegressLearned | None) -> dict[str, Any]:
        """Return the names of columns; targets that were found once are those of any later table."""
        found = super().columns(config, learned)
        return found if learned is None else found | {"target": learned.names}

    def cut(self, data: Cases, config: Config, test_size: int | None) -> Split:
        """Cut the cases so that small and large numbers are in every part."""
        return make_plan(data, config.task, test_size)

    def learn(self, data: Cases, plan: Split, config: Config) -> RegressLearned:
        """Return the scales of the targets, the sizes and the scales of the channels."""
        return RegressLearned.of(data, plan, self.read_by(config))

    def recall(self, plain: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> RegressLearned:
        """Return what was learned, from a run."""
        return RegressLearned.from_plain(plain, arrays)

    def build(self, config: Config, learned: RegressLearned) -> tuple[nn.Module, Task]:
        """Make the network."""
        return make_regressor(config, learned)

    def finish(self, fitted: Fitted, prepared: Prepared) -> None:
        """Calibrate the intervals on the validation cases."""
        assert isinstance(prepared.valid, CaseExamples)
        calibrate(fitted, prepared.valid)

    def train_on(self, fitted: Fitted, prepared: Prepared) -> Iterator[Epoch]:
        """Train on all cases that are not held out; intervals stay as wide as they were calibrated.

        Those of a reservoir are found again, by all cases.
        """
        valid = prepared.valid
        assert isinstance(valid, CaseExamples)
        wanted = reach(fitted, valid) if fitted.task.head.quantiles else None  # type: ignore[attr-defined]
        epochs = 0
        for epoch in super().train_on(fitted, prepared):
            epochs += 1
            yield epoch
        if isinstance(fitted.network, ReservoirNet) and epochs:
            fitted.learned = replace(fitted.learned, moves=np.zeros_like(fitted.learned.moves))
        elif wanted is not None:
            keep_reach(fitted, valid, wanted)

    def unused(self, config: Config) -> dict[str, str]:
        """Return the settings that nothing uses."""
        idle = super().unused(config)
        if config.task.loss != "quantile":
            idle["levels"] = f"loss='{config.task.loss}' predicts no intervals"
        return idle

    def ask(self, fitted: Fitted, examples: CaseExamples) -> Guess:
        """Say the numbers."""
        return ask_network(fitted, examples)

    def answer(self, fitted: Fitted, data: Cases | None, asked: NumbersAsked) -> Numbers:
        """Say the numbers of ``data``, by one row of the table if that is asked for."""
        assert data is not None  # this kind remembers no data
        guess = self.asked_row(fitted, data, asked.model)
        return Numbers(data, fitted.learned.names, guess, notes_on(fitted, guess, asked.model))

    def metrics(self, config: Config) -> tuple[Metric, ...]:
        """Return MAE, which ranks, and the others."""
        return regress_metrics(config.task.levels if config.task.loss == "quantile" else ())

    def statistics(self, truth: Truth, answers: Guess) -> Statistics:
        """Return the error of each case."""
        return statistics_of(truth, answers)

    def baselines(self, config: Config, learned: RegressLearned) -> dict[str, Baseline]:
        """Return the mean, the median, the nearest neighbours and regressions in closed form."""
        return make_baselines(learned)

    def examined(self, cases: Cases, examples: Any, learned: Any) -> Exam:
        """Return cases of which is known what should be said."""
        return make_exam(cases, learned, examples)

    def pages(self) -> Pages:
        """Return what a report says."""
        from . import report

        return report


KIND = RegressKind()
