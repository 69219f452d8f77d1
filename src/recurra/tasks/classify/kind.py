"""Classification of series, as the verbs see it."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from torch import nn

from ...compare.metric import Metric, Statistics
from ...compare.significance import mcnemar, paired_permutation
from ...data.cases import Cases
from ...settings import Config, NoSettings
from ...training.task import Task
from ..base import Baseline, Demo, Exam, Fitted, Judged, Prepared
from ..cases.base import CaseKind
from ..cases.classes import arrays_of, classes_of, codes_of, labels_of, spelt_as
from ..cases.examples import CaseExamples
from ..cases.split import Split
from .answers import Classes, Guess, make_exam, statistics_of
from .baselines import make_baselines
from .combination import answers_to, combine
from .demo import make_demo
from .learned import ClassifyLearned
from .metrics import METRICS
from .plan import make_plan
from .settings import PARTS, ClassesAsked
from .task import make_classifier

if TYPE_CHECKING:
    from ...report.page import Section


class ClassifyKind(CaseKind):
    """From whole sequences to their classes."""

    parts = PARTS

    def arrays(self, X: Any, y: Any) -> Cases:
        """Return X and y as cases that remember the type of y."""
        return arrays_of(X, y)

    def groups(self, data: Cases, what: str) -> np.ndarray:
        """Return the number of each case's class."""
        return codes_of(labels_of(data, what), classes_of(data))

    def understood(self, data: Cases, learned: ClassifyLearned) -> tuple[Cases, list[str]]:
        """Return cases with labels as those of the training were spelt."""
        return spelt_as(data, learned.classes)

    def plan(self, data: Cases, config: Config, test_size: int | None) -> Split:
        """Cut the cases class by class."""
        return make_plan(data, config.task, test_size)

    def learn(self, data: Cases, plan: Split, config: Config) -> ClassifyLearned:
        """Return the classes, the sizes and the scales."""
        return ClassifyLearned.of(data, plan, config.task)

    def recall(self, plain: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> ClassifyLearned:
        """Return what was learned, from a run."""
        return ClassifyLearned.from_plain(plain, arrays)

    def build(self, config: Config, learned: ClassifyLearned) -> tuple[nn.Module, Task]:
        """Make the network."""
        return make_classifier(config, learned)

    def finish(self, fitted: Fitted, prepared: Prepared) -> None:
        """Weigh network and random convolutions, if they are to answer together."""
        if fitted.config.task.combine:
            combine(fitted, prepared)

    def ask(self, fitted: Fitted, examples: CaseExamples) -> Guess:
        """Name the classes."""
        return answers_to(fitted, examples)[0]

    def ask_both(self, fitted: Fitted, examples: CaseExamples) -> tuple[Guess, Guess | None]:
        """Name the classes, and by the network alone, where it is not all that answers."""
        return answers_to(fitted, examples)

    def answer(self, fitted: Fitted, data: Cases | None, asked: ClassesAsked) -> Classes:
        """Name the classes of ``data``, by one row of the table if that is asked for."""
        assert data is not None  # this kind remembers no data
        return Classes(data, fitted.learned.classes, self.asked_row(fitted, data, asked.model))

    def frame(self, answers: Classes) -> pd.DataFrame:
        """Return ``case, label`` and a probability for every class, ``p_<class>``."""
        return answers.frame()

    def metrics(self, config: Config) -> tuple[Metric, ...]:
        """Return accuracy, which ranks, and the others."""
        return METRICS

    def statistics(self, truth: np.ndarray, answers: Guess) -> Statistics:
        """Return whether each case is right."""
        return statistics_of(truth, answers)

    def baselines(self, config: Config, learned: ClassifyLearned) -> dict[str, Baseline]:
        """Return the most frequent class, the nearest neighbour and random convolutions."""
        return make_baselines(learned)

    def exam(self, data: Cases, learned: ClassifyLearned, part: np.ndarray | None) -> Exam:
        """Return labelled cases."""
        cases = data if part is None else data.some(part)
        return make_exam(cases, learned, CaseExamples.of(cases, learned))

    def chance(self, exam: Exam, first: Sequence[Statistics], second: Sequence[Statistics], metric: Metric) -> float:
        """Test which cases only one of the two has right (McNemar); over several seeds, by permutation."""
        if len(first) == len(second) == 1 and metric.name == "accuracy":
            return mcnemar(first[0]["correct"], second[0]["correct"])
        return paired_permutation(metric, first, second)

    def title(self, fitted: Fitted, data: Cases) -> str:
        """Return which classes are told apart."""
        from . import report  # only a page needs it

        return report.title(fitted)

    def sections(self, fitted: Fitted, data: Cases, judged: Judged | None, asked: NoSettings) -> "list[Section]":
        """Show what was confused with what."""
        from . import report  # only a page needs it

        return report.answer_sections(fitted, data, judged)

    def proof(self, fitted: Fitted, data: Cases, judged: Judged) -> "list[Section]":
        """Show how good each class is, and a right and a wrong case."""
        from . import report  # only a page needs it

        return report.proof_sections(fitted, judged)

    def demo(self) -> Demo:
        """Classify handwritten digits, row by row."""
        return make_demo()


KIND = ClassifyKind()
