"""``Regressor``: numbers for sequences in the manner of scikit-learn."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import ConfigError
from ..cases.estimator import CaseEstimator, by_stretch
from ..cases.examples import CaseExamples
from ..cases.looking import falls
from ..cases.settings import CaseModelSettings, CaseTrainingSettings
from ..frames import collected
from .answers import ask_network, falls_of
from .kind import KIND
from .numbers import judged_numbers
from .settings import RegressSettings


@dataclass(kw_only=True, eq=False, repr=False)
class Regressor(CaseTrainingSettings, CaseModelSettings, RegressSettings, CaseEstimator):
    """A recurrent regressor with attention: one number, or several, for a whole sequence.

    ``fit(X, y)`` takes an array (cases, time) or (cases, channels, time), or a list of sequences of unequal length, and
    numbers (cases,) or (cases, targets); ``fit(table)`` and ``fit(path)`` take what has the numbers in it. Tables come
    back as the kind of frame that is given. All arguments are settings, stored as given; what is fitted ends in ``_``.
    Errors are ConfigError, DataError and RunError, all of them ValueErrors.

    >>> regressor = Regressor().fit(X, y)  # doctest: +SKIP
    >>> regressor.predict(X)  # doctest: +SKIP
    """

    kind = KIND

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import InputTags, RegressorTags, Tags, TargetTags

        return Tags(
            estimator_type="regressor",
            target_tags=TargetTags(required=True, multi_output=True),
            regressor_tags=RegressorTags(),
            input_tags=InputTags(two_d_array=True, three_d_array=True, allow_nan=True),
        )

    @property
    def targets_(self) -> tuple[str, ...]:
        """The names of the targets, in the order of the columns of ``predict``."""
        names: tuple[str, ...] = self._fitted().learned.names
        return names

    def predict(self, X: Any) -> np.ndarray:
        """Return the number of every case (N,), or the numbers (N, K) if there are several targets."""
        return _flat(ask_network(*self._read(X)).point)

    def predict_interval(self, X: Any, level: int = 90) -> np.ndarray:
        """Return what should hold ``level`` percent of the true numbers, from and to: (N, 2), or (N, K, 2).

        Raises ConfigError if the model was not trained with this level.
        """
        bands = ask_network(*self._read(X)).bands
        if not bands:
            raise ConfigError("This model was trained without intervals. Train it with loss='quantile'.")
        if level not in bands:
            known = ", ".join(map(str, sorted(bands)))
            raise ConfigError(f"There is no interval of {level} %. The levels of this model are: {known}.")
        return np.stack([_flat(end) for end in bands[level]], axis=-1)

    def occlusion_table(self, X: Any) -> Any:
        """Return what each answer rests on: ``case, from, to`` and, for every target, ``<target>-fall``.

        It is by how much the number becomes smaller when the stretch is drawn as a straight line: below 0 the number is
        larger without. Stretches are those of ``attention_table``.
        """
        X = collected(X)
        fitted, examples = self._read(X)
        names = [f"{name}-fall" for name in self.targets_]
        return self._answer(by_stretch(fitted, examples, names, falls(fitted, examples, falls_of(fitted))), X)

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Return R², the mean over targets; ``y`` may be left out where ``X`` has the numbers in it."""
        from sklearn.metrics import r2_score

        fitted, X = self._fitted(), collected(X)
        cases = self._read_as_learned(X if y is None else (X, y))
        truth = judged_numbers(cases, fitted.learned.names)
        said = ask_network(fitted, CaseExamples.of(cases, fitted.learned)).point
        return float(r2_score(truth, said, sample_weight=sample_weight))


def _flat(values: np.ndarray) -> np.ndarray:
    """Return (N, K) as (N,) if there is one target."""
    return values[:, 0] if values.shape[1] == 1 else values
