"""Labels of steps, as the verbs see them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import nn

from ...compare.metric import Metric, Statistics
from ...data.cases import Cases
from ...settings import Config
from ...training.task import Task
from ..base import Baseline, Exam, Fitted
from ..cases.base import CaseKind, Pages
from ..cases.build import idle_at_each_step
from ..cases.split import Split
from .answers import Said, Tags, Truth, ask_network, make_exam, statistics_of
from .baselines import make_baselines
from .examples import TagExamples
from .learned import TagLearned
from .marks import arrays_of, marks_of, spelt_as
from .metrics import METRICS
from .plan import make_plan, rarest
from .settings import PARTS, TagsAsked
from .task import make_tagger


class TagKind(CaseKind):
    """From sequences to a label for each of their steps."""

    parts = PARTS
    what = "mark"

    def arrays(self, X: Any, y: Any) -> Cases:
        """Return X and y as cases that remember the type of y."""
        return arrays_of(X, y)

    def groups(self, data: Cases, what: str) -> np.ndarray:
        """Return the rarest label of each case."""
        marks_of(data, what)
        return rarest(data)

    def understood(self, data: Cases, learned: TagLearned) -> tuple[Cases, list[str]]:
        """Return cases with labels as those of the training were spelt."""
        return spelt_as(data, learned.classes)

    def cut(self, data: Cases, config: Config, test_size: int | None) -> Split:
        """Cut the cases, so that rare labels are in every part."""
        return make_plan(data, config.task, test_size)

    def learn(self, data: Cases, plan: Split, config: Config) -> TagLearned:
        """Return the labels, the sizes and the scales."""
        return TagLearned.of(data, plan, config.task)

    def recall(self, plain: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> TagLearned:
        """Return what was learned, from a run."""
        return TagLearned.from_plain(plain, arrays)

    def encode(self, data: Cases, learned: TagLearned, part: np.ndarray | None = None) -> TagExamples:
        """Return the cases at the places in ``part``, or all, as pieces."""
        return TagExamples.cut(data if part is None else data.some(part), learned)

    def build(self, config: Config, learned: TagLearned) -> tuple[nn.Module, Task]:
        """Make the network."""
        return make_tagger(config, learned)

    def unused(self, config: Config) -> dict[str, str]:
        """Return what is said of an attention: there is none."""
        return idle_at_each_step(config, "each step is answered by what was read before and after it")

    def ask(self, fitted: Fitted, examples: TagExamples) -> Said:
        """Name the labels."""
        return ask_network(fitted, examples)

    def answer(self, fitted: Fitted, data: Cases | None, asked: TagsAsked) -> Tags:
        """Name the labels of ``data``, by one row of the table if that is asked for."""
        assert data is not None  # this kind remembers no data
        return Tags(data, fitted.learned.classes, self.asked_row(fitted, data, asked.model))

    def metrics(self, config: Config) -> tuple[Metric, ...]:
        """Return accuracy, which ranks, and the others."""
        return METRICS

    def statistics(self, truth: Truth, answers: Said) -> Statistics:
        """Return case by case what was there, what was named, and what was right."""
        return statistics_of(truth, answers)

    def baselines(self, config: Config, learned: TagLearned) -> dict[str, Baseline]:
        """Return the most frequent label and the regression on a window."""
        return make_baselines(learned)

    def examined(self, cases: Cases, examples: Any, learned: Any) -> Exam:
        """Return cases of which is known what should be said."""
        return make_exam(cases, learned, examples)

    def pages(self) -> Pages:
        """Return what a report says."""
        from . import report

        return report


KIND = TagKind()
