"""Classification of series, as the verbs see it."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
from torch import nn

from ...compare.metric import Metric, Statistics
from ...compare.significance import mcnemar, paired_permutation
from ...data.cases import Cases, What
from ...settings import Config
from ...training.task import Task
from ..base import Baseline, Demo, Exam, Fitted, Prepared
from ..cases.base import Pages
from ..cases.classes import arrays_of, groups_of, labels_of, several_of, spelt_as
from ..cases.examples import CaseExamples
from ..cases.pooled import PooledKind
from ..cases.settings import WholeTextSettings
from ..cases.source import FromArrays
from ..cases.split import Split
from ..cases.text import TextReading
from .answers import Classes, Guess, make_exam, statistics_of
from .baselines import make_baselines
from .combination import answers_to, finish
from .demo import make_demo
from .learned import ClassifyLearned
from .metrics import METRICS
from .plan import make_plan
from .settings import PARTS, ClassesAsked
from .several import LABEL_METRICS, ask_labels, label_baselines, labels_exam, labels_statistics
from .task import make_classifier

OF_TEXTS = tuple(field.name for field in fields(WholeTextSettings))
OF_SERIES = (
    *PooledKind.of_segments[:-1], "changes", "normalise", "warp", "rescale", "disguise", "time", "id",
)  # fmt: skip


class ClassifyKind(PooledKind):
    """From whole sequences to their classes."""

    parts = PARTS
    by_step = PooledKind.by_step | {"warp": 0.0, "rescale": 0.0, "disguise": 0.0}
    of_segments = (*PooledKind.of_segments, "warp", "rescale", "disguise")

    def arrays(self, X: Any, y: Any) -> Cases:
        """Return X and y as cases that remember the type of y."""
        return arrays_of(X, y)

    def groups(self, data: Cases, what: str) -> np.ndarray:
        """Return the number of each case's class."""
        return groups_of(labels_of(data, what), data)

    def asked_for(self, config: Config) -> tuple[FromArrays, What]:
        """Return how X and y become cases, and what is to be known of each: one label, or any number of them."""
        return (several_of, "labels") if config.task.several else super().asked_for(config)

    def columns(self, config: Config, learned: ClassifyLearned | None) -> dict[str, Any]:
        """Return what columns are called, that of the texts, too."""
        return super().columns(config, learned) | {"text": config.task.text}

    def unused_with(self, data: Cases) -> dict[str, str]:
        """Return the settings that nothing uses with such cases: those of texts, or those of all others."""
        if not data.written:
            return super().unused_with(data) | dict.fromkeys(OF_TEXTS, "these cases are no texts")
        idle = {"text": "X and y have no columns that it could name"} if data.arrays else {}
        return super().unused_with(data) | dict.fromkeys(OF_SERIES, "a text is read token by token") | idle

    def understood(self, data: Cases, learned: ClassifyLearned) -> tuple[Cases, list[str]]:
        """Return cases with labels as those of the training were spelt."""
        return spelt_as(data, learned.classes)

    def cut(self, data: Cases, config: Config, test_size: int | None) -> Split:
        """Cut the cases class by class."""
        return make_plan(data, config.task, test_size)

    def learn(self, data: Cases, plan: Split, config: Config) -> ClassifyLearned:
        """Return the classes, the sizes and the scales."""
        return ClassifyLearned.of(data, plan, self.read_by(config))

    def unused(self, config: Config) -> dict[str, str]:
        """Return the settings that nothing uses."""
        one = (
            dict.fromkeys(("combine", "threshold"), "it is for classes of which a case has one")
            if (config.task.several)
            else {}
        )
        relative = {"disguise": "normalise='case' leaves nothing of how loud a sound is"}
        return (relative if config.task.normalise == "case" else {}) | super().unused(config) | one

    def recall(self, plain: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> ClassifyLearned:
        """Return what was learned, from a run."""
        return ClassifyLearned.from_plain(plain, arrays)

    def build(self, config: Config, learned: ClassifyLearned) -> tuple[nn.Module, Task]:
        """Make the network."""
        return make_classifier(config, learned)

    def finish(self, fitted: Fitted, prepared: Prepared) -> None:
        """Weigh the network and the rows beside it, if they are to answer together; those of texts are, usually."""
        if fitted.learned.several:
            return
        wanted = fitted.config.task.combine
        finish(fitted, prepared, isinstance(fitted.learned.reading, TextReading) if wanted is None else wanted)

    def ask(self, fitted: Fitted, examples: CaseExamples) -> Guess:
        """Name the classes."""
        return self.ask_both(fitted, examples)[0]

    def ask_both(self, fitted: Fitted, examples: CaseExamples) -> tuple[Guess, Guess | None]:
        """Name the classes, and by the network alone, where it is not all that answers."""
        if fitted.learned.several:
            return ask_labels(fitted, examples), None
        return answers_to(fitted, examples)

    def answer(self, fitted: Fitted, data: Cases | None, asked: ClassesAsked) -> Classes:
        """Name the classes of ``data``, by one row of the table if that is asked for."""
        assert data is not None  # this kind remembers no data
        return Classes(data, fitted.learned.classes, self.asked_row(fitted, data, asked.model))

    def metrics(self, config: Config) -> tuple[Metric, ...]:
        """Return accuracy, which ranks, and the others."""
        return LABEL_METRICS if config.task.several else METRICS

    def statistics(self, truth: np.ndarray, answers: Guess) -> Statistics:
        """Return whether each case is right."""
        if answers.codes.ndim == 2:
            return labels_statistics(truth, answers)
        return statistics_of(truth, answers)

    def baselines(self, config: Config, learned: ClassifyLearned) -> dict[str, Baseline]:
        """Return the most frequent class, the nearest neighbour and random convolutions."""
        return label_baselines(learned) if learned.several else make_baselines(learned)

    def examined(self, cases: Cases, examples: Any, learned: Any) -> Exam:
        """Return cases of which is known what should be said."""
        return (labels_exam if learned.several else make_exam)(cases, learned, examples)

    def chance(self, exam: Exam, first: Sequence[Statistics], second: Sequence[Statistics], metric: Metric) -> float:
        """Test which cases only one of the two has right (McNemar); over several seeds, by permutation."""
        if len(first) == len(second) == 1 and metric.name == "accuracy":
            return mcnemar(first[0]["correct"], second[0]["correct"])
        return paired_permutation(metric, first, second)

    def pages(self) -> Pages:
        """Return what a report says."""
        from . import report

        return report

    def demo(self) -> Demo:
        """Classify handwritten digits, row by row."""
        return make_demo()


KIND = ClassifyKind()
