"""``Classifier``: classification of series in the manner of scikit-learn."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...data.cases.labels import BETWEEN
from ...nn.occlusion import less_likely, less_sure
from ..cases.classes import labels_of
from ..cases.estimator import ClassesEstimator, by_stretch
from ..cases.examples import CaseExamples
from ..cases.looking import falls
from ..cases.settings import CaseModelSettings, CaseTrainingSettings
from ..frames import collected
from .kind import KIND
from .settings import ClassifySettings
from .several import written


@dataclass(kw_only=True, eq=False, repr=False)
class Classifier(CaseTrainingSettings, CaseModelSettings, ClassifySettings, ClassesEstimator):
    """A recurrent classifier of whole series with attention.

    ``fit(X, y)`` takes an array (cases, time) or (cases, channels, time), a list of sequences of unequal length, moving
    pictures (cases, frames, height, width), or a list of paths of .wav, .npy or .csv files; ``fit(table)`` and
    ``fit(path)``, of a file or a folder, take what has the labels in it. Tables come back as the kind of frame that is
    given. All arguments are settings, stored as given; what is fitted ends in ``_``. Errors are ConfigError, DataError
    and RunError, all of them ValueErrors.

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

    def predict(self, X: Any) -> np.ndarray:
        """Return the class of every case (N,); with ``several`` a list of labels for each, in an array of objects."""
        fitted, examples = self._read(X)
        codes, learned = KIND.ask(fitted, examples).codes, fitted.learned
        if not learned.several:
            classes: np.ndarray = learned.typed(codes)
            return classes
        lists = np.empty(len(codes), object)
        lists[:] = [learned.typed(np.flatnonzero(row)).tolist() for row in codes]
        return lists

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probability of every class for every case (N, K)."""
        return np.exp(self.predict_log_proba(X))

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Return the logarithm of the probability of every class for every case (N, K)."""
        logs = KIND.ask(*self._read(X)).log_probabilities
        assert logs is not None
        return logs

    def occlusion_table(self, X: Any) -> Any:
        """Return what each answer rests on: ``case, from, to, fall``.

        ``fall`` is how much less probable the class that is named becomes when the stretch is drawn as a straight line:
        0.3 is from 90 % to 60 %; below 0 the network is surer without. Stretches are those of ``attention_table``.
        """
        X = collected(X)
        fitted, examples = self._read(X)
        fall = less_likely if fitted.learned.several else less_sure
        return self._answer(by_stretch(fitted, examples, ["fall"], falls(fitted, examples, fall)), X)

    def score(self, X: Any, y: Any = None) -> float:
        """Return the share of cases whose class is named; ``y`` may be left out where ``X`` has the labels in it.

        A class that was not there in training counts as not named. With ``several`` it is the share of cases of which
        all labels are named and no other.
        """
        fitted, X = self._fitted(), collected(X)
        data = X if y is None else (X, y)
        cases = self._read_as_learned(data)
        labels = labels_of(cases, "to judge by")
        named = KIND.ask(fitted, CaseExamples.of(cases, fitted.learned)).codes
        if fitted.learned.several:
            said = [one or BETWEEN for one in written(named, fitted.learned.classes)]
            return float(np.mean([one == label for one, label in zip(said, labels, strict=True)]))
        return float(np.mean([fitted.learned.classes[n] == label for n, label in zip(named, labels, strict=True)]))
