"""The face of all kinds in Python whose examples are whole sequences."""

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
import torch

from ...data.cases import Cases
from ...training.loop import Epoch, Progress
from ..base import Fitted
from ..estimator import Estimator
from ..frames import collected, form_of
from .base import CaseKind
from .examples import CaseExamples
from .looking import looks


class CaseEstimator(Estimator):
    """What estimators of this family do alike: they train on X and y, or on what has both in it."""

    kind: ClassVar[CaseKind]

    def fit(self, X: Any, y: Any = None, *, sample_weight: Any = None, verbose: bool | int = False) -> Self:
        """Train on ``X`` and ``y``, or on a table or file that has both in it. Returns self.

        ``sample_weight`` (N,) says how much each case counts in the loss. With ``verbose`` stderr shows what was found
        in the data and how the training goes: a line that moves in a terminal or a notebook, a line for each epoch
        elsewhere. The logger ``recurra`` is told so, too, at INFO.
        """
        return self._train(self.epochs(X, y, sample_weight=sample_weight), verbose)

    def epochs(
        self,
        X: Any,
        y: Any = None,
        *,
        sample_weight: Any = None,
        held_out: int = 0,
        progress: Progress | None = None,
        weights: dict[str, torch.Tensor] | None = None,
    ) -> Iterator[Epoch]:
        """Train one epoch at a time; the caller may stop at any time and keep the best weights.

        What can be wrong is raised, and ``notes_`` are there, before the first epoch begins. ``held_out`` cases are
        kept out of training. ``progress`` and ``weights`` go on with a training that was interrupted.
        """
        config, X = self._config(), collected(X)
        data = self.kind.read(X if y is None else (X, y), config)
        if sample_weight is not None:
            data = data.weighted(sample_weight)
        epochs = self._begin(self.kind.prepare(data, config, held_out), progress, weights)
        self._form = form_of(X)
        return epochs

    def attention_table(self, X: Any) -> Any:
        """Return which stretch of each case the network looked at: ``case, from, to, weight``.

        Steps are counted from 0, those of sounds and pictures, too; ``to`` is the last one; stretches overlap. The
        weights of a case sum to 1 for most attentions. Heads and rows are averaged. Raises ConfigError if the model
        looks nowhere.
        """
        X = collected(X)
        fitted, examples = self._read(X)
        return self._answer(by_stretch(fitted, examples, ["weight"], looks(fitted, examples)), X)

    def _read(self, X: Any) -> tuple[Fitted, CaseExamples]:
        """Return cases as the training data were read."""
        fitted = self._fitted()
        cases: Cases = self._read_as_learned(collected(X))
        return fitted, self.kind.encode(cases, fitted.learned)


class ClassesEstimator(CaseEstimator):
    """What estimators do alike whose answers are classes."""

    @property
    def classes_(self) -> np.ndarray:
        """The classes (K,), in the order of the columns of ``predict_proba`` and in the type of y."""
        learned = self._fitted().learned
        classes: np.ndarray = learned.typed(np.arange(len(learned.classes)))
        return classes


def by_stretch(
    fitted: Fitted, examples: CaseExamples, names: Sequence[str], rows: Sequence[np.ndarray]
) -> pd.DataFrame:
    """Return numbers of the segments of each case, (n,) or (n, K), as ``case, from, to`` and what they are called."""
    reading, tables = fitted.learned.reading, []
    texts = examples.cases.texts if examples.cases.written else [None] * len(examples)
    for case, text, row, steps in zip(examples.cases.names, texts, rows, examples.lengths.tolist(), strict=True):
        columns = dict(zip(names, row.reshape(len(row), -1).T, strict=True))
        if text is None:
            first, last = zip(*reading.layout.stretches(steps), strict=True)
            places: dict[str, Any] = {"from": first, "to": last}
        else:
            found = reading.tokens(text)
            numbers = reading.sentences(text, found)
            places = {} if numbers is None else {"sentence": numbers}
            places |= {"token": [one.text for one in found], "start": [one.start for one in found]}
        tables.append(pd.DataFrame({"case": case} | places | columns))
    return pd.concat(tables, ignore_index=True)
