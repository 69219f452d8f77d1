"""Classification of series, as the verbs see it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from torch import nn

from ...compare.metric import Metric, Statistics
from ...compare.significance import mcnemar, paired_permutation
from ...data.cases import Cases, fingerprint
from ...settings import Config, NoSettings
from ...training.loop import Epoch
from ...training.task import Task
from ..base import Baseline, Demo, Exam, Fitted, Glimpse, Judged, Kind, Prepared, Tell, row_of, tell_nobody
from ..last import train_gently
from ..others import another_suggested
from .answers import Classes, Guess, ask_network, make_exam, statistics_of
from .baselines import make_baselines
from .build import idle_settings, make_classifier
from .demo import make_demo
from .examples import CaseExamples
from .learned import ClassifyLearned
from .metrics import METRICS
from .plan import ClassifyPlan, make_plan, part_to_judge
from .settings import PARTS, ClassesAsked
from .source import read_source

if TYPE_CHECKING:
    from ...report.page import Section


class ClassifyKind(Kind):
    """From whole sequences to their classes."""

    parts = PARTS

    def read(
        self, source: Any, config: Config, learned: Any = None, most: int | None = None, tell: Tell = tell_nobody
    ) -> Cases:
        """Return a file, a frame, a pair (X, y) or cases as cases."""
        if learned is not None:
            return read_source(source, config.task, learned, most, tell)
        with another_suggested(PARTS.name, source, config.task):
            return read_source(source, config.task, None, most, tell)

    def fingerprint(self, data: Cases) -> str:
        """Return a short text that is another one if any value or label is."""
        return fingerprint(data)

    def plan(self, data: Cases, config: Config, test_size: int | None) -> ClassifyPlan:
        """Cut the cases class by class."""
        return make_plan(data, config.task, test_size)

    def learn(self, data: Cases, plan: ClassifyPlan, config: Config) -> ClassifyLearned:
        """Return the classes, the sizes and the scales."""
        return ClassifyLearned.of(data, plan, config.task)

    def recall(self, plain: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> ClassifyLearned:
        """Return what was learned, from a run."""
        return ClassifyLearned.from_plain(plain, arrays)

    def encode(self, data: Cases, learned: ClassifyLearned, part: np.ndarray | None = None) -> CaseExamples:
        """Return the cases at the places in ``part``, or all, as examples."""
        return CaseExamples.of(data if part is None else data.some(part), learned)

    def build(self, config: Config, learned: ClassifyLearned) -> tuple[nn.Module, Task]:
        """Make the network."""
        return make_classifier(config, learned)

    def train_on(self, fitted: Fitted, prepared: Prepared) -> Iterator[Epoch]:
        """Train ``last_epochs`` more on all cases that are not held out: they are few, and a fifth of them is much."""
        plan: Any = prepared.plan
        cases = prepared.data.some(np.sort(np.concatenate([plan.train, plan.valid])))
        return train_gently(fitted, CaseExamples.of(cases, fitted.learned), self.more_epochs(fitted.config))

    def more_epochs(self, config: Config) -> int:
        """Return how many epochs come after the best one."""
        epochs: int = config.task.last_epochs
        return epochs

    def unused(self, config: Config) -> dict[str, str]:
        """Return the settings that nothing uses."""
        return idle_settings(config)

    def ask(self, fitted: Fitted, examples: CaseExamples) -> Guess:
        """Name the classes."""
        return ask_network(fitted, examples)

    def answer(self, fitted: Fitted, data: Cases | None, asked: ClassesAsked) -> Classes:
        """Name the classes of ``data``, by one row of the table if that is asked for."""
        assert data is not None  # this kind remembers no data
        row = None if asked.model is None else row_of(fitted, asked.model)
        examples = self.encode(data, fitted.learned)
        guess = ask_network(fitted, examples) if row is None else row.answer(examples)
        return Classes(data, fitted.learned.classes, guess)

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

    def choose(
        self,
        data: Cases,
        fitted: Fitted,
        asked: NoSettings,
        size: int | None,
        held_out: int | None,
        tell: Tell = tell_nobody,
    ) -> np.ndarray | None:
        """Return the cases that were held out, or ``size`` of them; all of other data."""
        return part_to_judge(data, fitted.config.task, size, held_out, tell)

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

    def glimpse(self, fitted: Fitted, data: Cases) -> Glimpse:
        """Return the first case."""
        from . import report  # only a page needs it

        return report.first_case(fitted, data)

    def demo(self) -> Demo:
        """Classify handwritten digits, row by row."""
        return make_demo()


KIND = ClassifyKind()
