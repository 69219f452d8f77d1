"""``Tagger``: a label for every step of a sequence, in the manner of scikit-learn."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ...data.cases import Cases
from ...errors import ConfigError
from ..cases.estimator import ClassesEstimator
from ..frames import collected
from .answers import Said, Tags, ask_network, n_best
from .examples import TagExamples
from .kind import KIND, TagKind
from .marks import by_case, marks_of, numbers_of
from .settings import TagModelSettings, TagSettings, TagTrainingSettings
from .spans import spans_of


@dataclass(kw_only=True, eq=False, repr=False)
class Tagger(TagTrainingSettings, TagModelSettings, TagSettings, ClassesEstimator):
    """A recurrent network that gives every step of a sequence a label.

    ``fit(X, y)`` takes X as an array (cases, time) or (cases, channels, time), or as a list of sequences of unequal
    length, and y as an array (cases, time) or a list of sequences of labels, as long as those of X. A label that is
    None or NaN is not known: such a step is read, but counts nowhere. ``fit(table)`` and ``fit(path)`` take a step in
    each row, with its label. Sentences are lists of words, with a list of tags each, or texts, with a list of spans
    ``(start, end, label)`` each; ``fit(path)`` takes files of sentences, too. All arguments are settings, stored as
    given; what is fitted ends in ``_``. Errors are ConfigError, DataError and RunError, all of them ValueErrors.

    >>> tagger = Tagger().fit(X, y)  # doctest: +SKIP
    >>> tagger.predict(X)  # doctest: +SKIP
    """

    kind: ClassVar[TagKind] = KIND

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import InputTags, Tags, TargetTags

        return Tags(
            estimator_type=None,
            target_tags=TargetTags(required=True, multi_output=True, single_output=False),
            input_tags=InputTags(two_d_array=True, three_d_array=True, allow_nan=True),
        )

    def predict(self, X: Any) -> Any:
        """Return the label of every step: an array (T_i,) for each case.

        Of sentences that is the tag of each word; a text is cut into words as the training had them.
        Of a table with a step in each row, return a table with its rows in their order: ``case, step, label`` and for
        every label its probability, ``p_<label>``; steps are counted from 0.
        """
        X = collected(X)
        cases, said = self._ask(X)
        learned = self._fitted().learned
        if cases.rows is not None:
            return self._answer(Tags(cases, learned, said).frame(), X)
        return by_case(learned.typed(said.codes), cases.lengths)

    def predict_intent(self, X: Any) -> np.ndarray:
        """Return what each sentence is as a whole (N,); raises ConfigError if that was not learned."""
        learned, (_, said) = self._fitted().learned, self._ask(collected(X))
        if said.wholes is None:
            raise ConfigError("This model learned nothing of sentences as a whole: its training data had no intents.")
        return np.array(learned.intents)[said.wholes.argmax(1)]

    def spans(self, X: Any) -> Any:
        """Return the entities of each sentence: a table ``case, start, end, text, label, p``.

        ``start`` is the first character in the text, counted from 0, ``end`` that behind the last one; of a list of
        words the text is these with spaces between them. ``p`` is the probability that there is this entity, its first
        token, last token and type. Raises ConfigError if the labels say nothing of entities.
        """
        X = collected(X)
        fitted, examples = self._read(X)
        assert isinstance(examples, TagExamples)
        return self._answer(spans_of(fitted, examples).frame(), X)

    def n_best(self, X: Any, count: int) -> list[list[tuple[list[str], float]]]:
        """Return the ``count`` most probable rows of labels of each case, with their probabilities, the best first.

        Raises ConfigError if labels are not decided together, by crf=True, or if a case is longer than ``piece``.
        """
        fitted, examples = self._read(collected(X))
        assert isinstance(examples, TagExamples)
        return n_best(fitted, examples, count)

    def predict_proba(self, X: Any) -> list[np.ndarray]:
        """Return the probability of every label for every step: an array (T_i, K) for each case."""
        return [np.exp(logs) for logs in self.predict_log_proba(X)]

    def predict_log_proba(self, X: Any) -> list[np.ndarray]:
        """Return the logarithm of the probability of every label for every step: an array (T_i, K) for each case."""
        cases, said = self._ask(X)
        return by_case(said.log_probabilities, cases.lengths)

    def score(self, X: Any, y: Any = None) -> float:
        """Return the share of steps named rightly; ``y`` may be left out where ``X`` has the labels in it.

        Steps whose label is not known do not count; a label that was not there in training counts as not named.
        """
        X = collected(X)
        cases, said = self._ask(X if y is None else (X, y))
        truth = numbers_of(marks_of(cases, "to judge by"), self._fitted().learned.classes)
        known = truth != -1
        return float(np.mean(said.codes[known] == truth[known]))

    def _ask(self, X: Any) -> tuple[Cases, Said]:
        fitted, examples = self._read(X)
        assert isinstance(examples, TagExamples)
        return examples.cases, ask_network(fitted, examples)
