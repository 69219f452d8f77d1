"""``Translator``: texts that answer texts, in the manner of scikit-learn."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import pandas as pd
import torch

from ...errors import ConfigError
from ...settings import make_part
from ...training.loop import Epoch, Progress
from ..estimator import Estimator
from .answers import STEPS, Answer, ask_network, force
from .examples import PairExamples
from .kind import KIND
from .learned import END_SHOWN
from .listening import Listening
from .pairs import Pairs
from .settings import AnswerAsked, Seq2seqModelSettings, Seq2seqSettings, Seq2seqTrainingSettings
from .surprise import surprise


@dataclass(kw_only=True, eq=False, repr=False)
class Translator(Seq2seqTrainingSettings, Seq2seqModelSettings, Seq2seqSettings, Estimator):
    """A recurrent network that reads a text and writes the one that answers it, looking back as it goes.

        P(y_1 … y_Q | X) = Π_t softmax(W h~_t)_{y_t},  h~_t = tanh(W_c [c_t; s_t]),  c_t = attention(s_t, encoder(X))

    ``fit(sources, targets)`` takes two lists of texts, ``fit(path)`` a table with two columns of texts, or a file of
    lines with those of ``target_file``. All arguments are settings, stored as given; what is fitted ends in ``_``.
    Errors are ConfigError, DataError and RunError, all of them ValueErrors. Sutskever et al. 2014, arXiv 1409.3215;
    Bahdanau et al. 2015, arXiv 1409.0473; Luong et al. 2015, arXiv 1508.04025.

    >>> translator = Translator().fit(["Guten Tag!", …], ["Good day!", …])  # doctest: +SKIP
    >>> translator.predict(["Guten Abend!"])  # doctest: +SKIP
    """

    kind = KIND

    def fit(self, sources: Any, targets: Any = None, *, verbose: bool | int = False) -> Self:
        """Train on texts and their answers. Returns self.

        With ``verbose`` stderr shows how the training goes. The logger ``recurra`` is told so, too, at INFO.
        """
        return self._train(self.epochs(sources, targets), verbose)

    def epochs(
        self,
        sources: Any,
        targets: Any = None,
        *,
        held_out: int = 0,
        progress: Progress | None = None,
        weights: dict[str, torch.Tensor] | None = None,
    ) -> Iterator[Epoch]:
        """Train one epoch at a time; the caller may stop at any time and keep the best weights.

        About ``held_out`` pairs are kept out of training. ``progress`` and ``weights`` go on with a training that was
        interrupted.
        """
        config = self._config()
        data = self.kind.read(_given(sources, targets), config)
        return self._begin(self.kind.prepare(data, config, held_out), progress, weights)

    def predict(
        self,
        sources: Any,
        *,
        beam: int | None = None,
        length_penalty: float | None = None,
        copy_unknown: bool = True,
        together: "Sequence[Translator]" = (),
    ) -> Any:
        """Return the answer to each text, a list of texts; to one text alone, a text.

        ``beam`` and ``length_penalty`` are as in the settings if not given. Where an answer has a unit that is not
        known, ``copy_unknown`` writes that of the text which was looked at. ``together`` are other translators,
        trained on the same data, that decide with this one: the mean of their probabilities.
        """
        asked = {"beam": beam, "length_penalty": length_penalty, "copy_unknown": copy_unknown}
        answers = [best[0].text for best in self._ask(sources, asked, together)]
        return answers[0] if isinstance(sources, str) else answers

    def n_best(self, sources: Any, count: int, *, beam: int | None = None) -> list[list[tuple[str, float]]]:
        """Return the ``count`` best answers to each text with the logarithms of their probabilities, the best first."""
        found = self._ask(sources, {"beam": beam, "best": count})
        return [[(one.text, one.logs) for one in some] for some in found]

    def score(self, sources: Any, targets: Any = None) -> float:
        """Return how good the answers are, by what ranks models: BLEU, chrF, the share that is right, less WER or CER.

        The higher it is, the better.
        """
        fitted = self._fitted()
        data = self._read_as_learned(_given(sources, targets))
        exam = self.kind.exam(data, fitted.learned, None)
        assert isinstance(exam.examples, PairExamples)
        statistics = self.kind.statistics(exam.truth, self.kind.ask(fitted, exam.examples))
        metric = self.kind.metrics(fitted.config)[0]
        return float(metric.of(statistics)) * (-1 if metric.better == "low" else 1)

    def align(self, source: Any, target: str | None = None) -> pd.DataFrame:
        """Return where each unit of an answer looked in its source: a row for each unit of the answer, each sums to 1.

        Without a ``target`` the answer is the model's own. Raises ConfigError if the model has no attention.
        """
        fitted = self._fitted()
        learned = fitted.learned
        data: Pairs = self._read_as_learned([source] if target is None else ([source], [target]))
        examples: Any = self.kind.encode(data, learned)
        if target is None:
            (answer,) = ask_network(fitted, examples)[0]
            looked, said = answer.looked, answer.rows
        else:
            units = (*learned.target.cutter.cut(target), END_SHOWN)
            looked, said = force(fitted, examples), STEPS if learned.points else units
        if looked is None:
            raise ConfigError("This model has no attention, so it looks nowhere: train one with attention='additive'.")
        rows = [*said][: len(looked)]  # with decoder='ctc' no step says the end
        return pd.DataFrame(looked, index=rows, columns=examples.labels(0, learned))

    def stream(self, *, beam: int | None = None, loudest: float | None = None) -> Listening:
        """Return what writes while a sequence comes: ``hear(…)`` gives the text so far, ``finish()`` that of the whole.

        Raises ConfigError if the model was not trained with ``decoder='ctc'`` and ``bidirectional=False``. ``loudest``
        is where sounds have their loudest moment, in dB of a tone as loud as can be, if that is known.
        """
        fitted = self._fitted()
        asked = make_part(AnswerAsked, {"beam": beam})
        return Listening(fitted, fitted.config.task.beam if asked.beam is None else asked.beam, loudest)

    def surprise(self, sources: Any, targets: Any = None) -> np.ndarray:
        """Return ``−log P(target | source)`` of each pair in nats (N,), by which models of replies can be compared.

        Divided by the characters of the targets it does not depend on the units. That of an answer that would have to
        be pointed at, and stands nowhere, is infinite. Raises ConfigError for a model with ``decoder='ctc'``.
        """
        fitted = self._fitted()
        data: Pairs = self._read_as_learned(_given(sources, targets))
        examples: Any = self.kind.encode(data.part(data.known), fitted.learned)
        return surprise(fitted, examples)

    def _ask(self, sources: Any, asked: dict[str, Any], together: "Sequence[Translator]" = ()) -> list[list[Answer]]:
        fitted = self._fitted()
        data: Pairs = self._read_as_learned([sources] if isinstance(sources, str) else sources)
        examples = self.kind.encode(replace(data, targets=None), fitted.learned)
        others = [other._fitted() for other in together]
        if any(other.learned != fitted.learned for other in others):
            raise ConfigError(
                "Only translators that were trained on the same data with the same units decide together."
            )
        return ask_network(fitted, examples, make_part(AnswerAsked, asked), others)


def _given(sources: Any, targets: Any) -> Any:
    return sources if targets is None else (sources, targets)
