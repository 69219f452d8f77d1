"""Labels of steps, as the verbs see them."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from torch import nn

from ...compare.metric import Metric, Statistics
from ...data.cases import Cases
from ...nn.build import refuse_idle
from ...settings import Config, settings_of
from ...training.task import Task
from ..base import THE_NETWORK, Baseline, Exam, Fitted, Tell, tell_nobody
from ..cases.base import CaseKind, Pages
from ..cases.build import idle_at_each_step
from ..cases.settings import TokenSettings
from ..cases.split import Split
from .answers import Said, Tags, Truth, ask_network, make_exam, statistics_of
from .baselines import make_baselines
from .examples import TagExamples
from .learned import TagLearned
from .marks import arrays_of, marks_of, spelt_as
from .metrics import metrics_of
from .plan import TagSplit, make_plan, rarest
from .schemes import repaired
from .settings import PARTS, TagsAsked
from .sizes import sized
from .spans import Spans, independent, spans_in, spans_of
from .task import make_tagger

OF_SENTENCES = (*settings_of(TokenSettings), "letters", "entities", "intents")
TOGETHER = "all labels of a case are decided together"
OF_SERIES = ("time", "normalise", "changes", "filters")


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

    def read(
        self, source: Any, config: Config, learned: Any = None, most: int | None = None, tell: Tell = tell_nobody
    ) -> Cases:
        """Return cases; tags that break their scheme are mended."""
        cases, notes = repaired(super().read(source, config, learned, most, tell))
        tell(notes)
        return replace(cases, notes=(*cases.notes, *notes)) if notes else cases

    def cut(self, data: Cases, config: Config, test_size: int | None) -> TagSplit:
        """Cut the cases, so that rare labels are in every part."""
        return make_plan(data, config.task, test_size)

    def fill(self, config: Config, plan: Any) -> Config:
        """Return the settings with what follows from what is tagged."""
        config = sized(config, plan)
        if config.task.crf:
            refuse_idle(config, dict.fromkeys(("balance", "smoothing"), f"{TOGETHER}; give crf=False"))
        return config

    def unused_with(self, data: Cases) -> dict[str, str]:
        """Return the settings that nothing uses with such cases: those of sentences, or those of all others."""
        if data.form != "sentences":
            return super().unused_with(data) | dict.fromkeys(OF_SENTENCES, "these cases are no sentences")
        return super().unused_with(data) | dict.fromkeys(OF_SERIES, "a sentence is read token by token")

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

    def answer(self, fitted: Fitted, data: Cases | None, asked: TagsAsked) -> Tags | Spans:
        """Name the labels of ``data``, by one row of the table if that is asked for."""
        assert data is not None  # this kind remembers no data
        if asked.spans and asked.model in (None, THE_NETWORK):
            return spans_of(fitted, self.encode(data, fitted.learned))
        said = self.asked_row(fitted, data, asked.model)
        if not asked.spans:
            return Tags(data, fitted.learned, said)
        found = spans_in(data, fitted.learned, said)
        return Spans(data, fitted.learned, found, independent(found, said))

    def metrics(self, config: Config) -> tuple[Metric, ...]:
        """Return what ranks, entity F1 if there are entities and else accuracy, and the others."""
        return metrics_of(config.task.entities, config.task.intents)

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
