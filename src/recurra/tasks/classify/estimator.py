"""``Classifier``: classification of series in the manner of scikit-learn."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
import torch

from ...data.cases import Cases
from ...training.loop import Epoch, Progress
from ..base import Fitted
from ..estimator import Estimator
from ..frames import collected, form_of
from .answers import ask_network, looks, stretches
from .examples import CaseExamples
from .kind import KIND
from .plan import labels_of
from .settings import ClassifyModelSettings, ClassifySettings, ClassifyTrainingSettings


@dataclass(kw_only=True, eq=False, repr=False)
class Classifier(ClassifyTrainingSettings, ClassifyModelSettings, ClassifySettings, Estimator):
    """A recurrent classifier of whole series with attention.

    ``fit(X, y)`` takes an array (cases, time) or (cases, channels, time), or a list of sequences of unequal length;
    ``fit(table)`` and ``fit(path)`` take what has the labels in it. Tables come back as the kind of frame that is
    given. All arguments are settings, stored as given; what
    is fitted ends in ``_``. Errors are ConfigError, DataError and RunError, all of them ValueErrors.

    >>> classifier = Classifier().fit(X, y)  # doctest: +SKIP
    >>> classifier.predict(X)  # doctest: +SKIP
    """

    kind = KIND

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import ClassifierTags, InputTags, Tags, TargetTags

        return Tags(
            estimator_type="classifier",
            target_tags=TargetTags(required=True),
            classifier_tags=ClassifierTags(),
            input_tags=InputTags(two_d_array=True, three_d_array=True, allow_nan=True),
        )

    def fit(self, X: Any, y: Any = None, *, verbose: bool | int = False) -> Self:
        """Train on ``X`` and ``y``, or on a table or file that has the labels in it. Returns self.

        With ``verbose`` stderr shows what was found in the data and how the training goes: a line that moves in a
        terminal or a notebook, a line for each epoch elsewhere. The logger ``recurra`` is told so, too, at INFO.
        """
        return self._train(self.epochs(X, y), verbose)

    def epochs(
        self,
        X: Any,
        y: Any = None,
        *,
        held_out: int = 0,
        progress: Progress | None = None,
        weights: dict[str, torch.Tensor] | None = None,
    ) -> Iterator[Epoch]:
        """Train one epoch at a time; the caller may stop at any time and keep the best weights.

        What can be wrong is raised, and ``notes_`` are there, before the first epoch begins. ``held_out`` cases are
        kept out of training. ``progress`` and ``weights`` go on with a training that was interrupted.
        """
        config, X = self._config(), collected(X)
        data = KIND.read(X if y is None else (X, y), config)
        epochs = self._begin(KIND.prepare(data, config, held_out), progress, weights)
        self._form = form_of(X)
        return epochs

    @property
    def classes_(self) -> np.ndarray:
        """The classes (K,), in the order of the columns of ``predict_proba`` and in the type of y."""
        learned = self._fitted().learned
        classes: np.ndarray = learned.typed(np.arange(len(learned.classes)))
        return classes

    def predict(self, X: Any) -> np.ndarray:
        """Return the class of every case (N,)."""
        fitted, examples = self._read(X)
        classes: np.ndarray = fitted.learned.typed(ask_network(fitted, examples).codes)
        return classes

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probability of every class for every case (N, K)."""
        return np.exp(self.predict_log_proba(X))

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Return the logarithm of the probability of every class for every case (N, K)."""
        logs = ask_network(*self._read(X)).log_probabilities
        assert logs is not None
        return logs

    def score(self, X: Any, y: Any = None) -> float:
        """Return the share of cases whose class is named; ``y`` may be left out where ``X`` has the labels in it.

        A class that was not there in training counts as not named.
        """
        fitted, X = self._fitted(), collected(X)
        data = X if y is None else (X, y)
        cases = self._read_as_learned(data)
        labels = labels_of(cases, "to judge by")
        named = ask_network(fitted, CaseExamples.of(cases, fitted.learned)).codes
        return float(np.mean([fitted.learned.classes[n] == label for n, label in zip(named, labels, strict=True)]))

    def attention_table(self, X: Any) -> Any:
        """Return which stretch of each case the network looked at: ``case, from, to, weight``.

        Steps are counted from 0, ``to`` is the last one; stretches overlap. The weights of a case sum to 1 for most
        attentions. Heads and rows are averaged. Raises ConfigError if the model looks nowhere.
        """
        X = collected(X)
        fitted, examples = self._read(X)
        tables = []
        weights = looks(fitted, examples)
        for name, row, steps in zip(examples.cases.names, weights, examples.lengths.tolist(), strict=True):
            first, last = zip(*stretches(steps, fitted.learned), strict=True)
            tables.append(pd.DataFrame({"case": name, "from": first, "to": last, "weight": row}))
        return self._answer(pd.concat(tables, ignore_index=True), X)

    def _read(self, X: Any) -> tuple[Fitted, CaseExamples]:
        """Return cases as the training data were read."""
        fitted = self._fitted()
        cases: Cases = self._read_as_learned(collected(X))
        return fitted, CaseExamples.of(cases, fitted.learned)
