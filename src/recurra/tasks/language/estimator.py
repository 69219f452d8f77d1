"""Language models for Python."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
import torch

from ...settings import make_part
from ...training.loop import Epoch, Progress
from ..estimator import Estimator
from .answers import Surprises
from .kind import KIND
from .metrics import perplexity
from .settings import (
    LanguageModelSettings,
    LanguageSettings,
    LanguageTrainingSettings,
    SurpriseAsked,
    WritingAsked,
)
from .writing import write


@dataclass(kw_only=True, eq=False, repr=False)
class LanguageModel(LanguageTrainingSettings, LanguageModelSettings, LanguageSettings, Estimator):
    """Learn a text, say how likely another one is, and write.

        P(w_1 … w_L) = Π_t softmax(W h_t)_{w_{t+1}},  h_t = recurrent(w_t, h_{t−1})

    ``fit(text)`` takes the name of a file or of a folder, a text of several lines, or a list of texts. All arguments
    are settings, stored as given; what is fitted ends in ``_``. Errors are ConfigError, DataError and RunError, all of
    them ValueErrors.

    >>> model = LanguageModel(level="word").fit("book.txt")  # doctest: +SKIP
    >>> model.generate("Once upon", length=50, temperature=0.8)  # doctest: +SKIP
    """

    kind = KIND

    def fit(self, text: Any, *, verbose: bool | int = False) -> Self:
        """Train on a text. Returns self.

        With ``verbose`` stderr shows how the training goes. The logger ``recurra`` is told so, too, at INFO.
        """
        return self._train(self.epochs(text), verbose)

    def epochs(
        self,
        text: Any,
        *,
        held_out: int = 0,
        progress: Progress | None = None,
        weights: dict[str, torch.Tensor] | None = None,
    ) -> Iterator[Epoch]:
        """Train one epoch at a time; the caller may stop at any time and keep the best weights.

        The last ``held_out`` characters are kept out of training. ``progress`` and ``weights`` go on with a training
        that was interrupted.
        """
        config = self._config()
        data = self.kind.read(text, config)
        return self._begin(self.kind.prepare(data, config, held_out), progress, weights)

    def perplexity(
        self,
        text: Any,
        *,
        cache: int = 0,
        cache_sharpness: float = 0.3,
        cache_share: float = 0.1,
        dynamic: float = 0.0,
        dynamic_decay: float = 0.0,
    ) -> float:
        """Return ``exp(−1/L Σ_t log P(w_t | w_1 … w_{t−1}))`` of a text, over the units of the level.

        The network may adapt to the text as it reads it, see ``predict``.
        """
        wanted = {"cache": cache, "cache_sharpness": cache_sharpness, "cache_share": cache_share}
        nats = self._surprises(text, wanted | {"dynamic": dynamic, "dynamic_decay": dynamic_decay}).nats
        return perplexity(float(nats.mean())) if len(nats) else float("nan")

    def predict(
        self,
        text: Any,
        *,
        cache: int = 0,
        cache_sharpness: float = 0.3,
        cache_share: float = 0.1,
        dynamic: float = 0.0,
        dynamic_decay: float = 0.0,
    ) -> pd.DataFrame:
        """Return how surprising each unit of a text is: ``place, unit, bits, p``.

        With ``cache`` what followed like states among so many units before is likelier again; with ``dynamic`` a copy
        of the weights learns on at this rate. Both are off by default.
        """
        wanted = {"cache": cache, "cache_sharpness": cache_sharpness, "cache_share": cache_share}
        return self._surprises(text, wanted | {"dynamic": dynamic, "dynamic_decay": dynamic_decay}).frame()

    def score(self, text: Any) -> float:
        """Return the mean logarithm of the probability of a unit, in nats: the higher, the better."""
        return float(-np.mean(self._surprises(text).nats))

    def generate(
        self,
        prompt: str = "",
        length: int = 500,
        *,
        temperature: float = 1.0,
        top_k: int = 0,
        top_p: float = 1.0,
        stop: str | None = None,
        seed: int = 0,
    ) -> str:
        """Return a text that begins with ``prompt`` and goes on for ``length`` units.

        ``temperature`` divides the scores before one is drawn; 0 takes the likeliest unit always. ``top_k`` and
        ``top_p`` leave only the likeliest ones, so many, or with this share of the probability. It ends before
        ``stop``. The same ``seed`` writes the same text. Raises ConfigError for a prompt of which nothing is known.
        """
        return "".join(
            self.stream(prompt, length, temperature=temperature, top_k=top_k, top_p=top_p, stop=stop, seed=seed)
        )

    def stream(
        self,
        prompt: str = "",
        length: int = 500,
        *,
        temperature: float = 1.0,
        top_k: int = 0,
        top_p: float = 1.0,
        stop: str | None = None,
        seed: int = 0,
    ) -> Iterator[str]:
        """Yield the text that ``generate`` returns piece by piece, as it is written."""
        wanted = {"prompt": prompt, "length": length, "temperature": temperature, "top_k": top_k, "top_p": top_p}
        return write(self._fitted(), make_part(WritingAsked, wanted | {"stop": stop, "seed": seed}))

    def _surprises(self, text: Any, wanted: dict[str, Any] | None = None) -> Surprises:
        asked = make_part(SurpriseAsked, wanted or {})
        return self.kind.answer(self._fitted(), self._read_as_learned(text), asked)
