"""Classes from random convolutions by ridge regression.

Shapes: N cases, K classes.
"""

from collections.abc import Mapping

import numpy as np
import torch

from ..base import Prepared
from ..cases.convolutions import CaseConvolutions
from ..cases.examples import CaseExamples
from .answers import Guess
from .sharpness import log_softmax, sharpness_of


class Convolutions(CaseConvolutions):
    """Ridge regression to +1 and −1 for each class; the one with the highest answer is named.

    Probabilities are ``softmax(s · answers)``, s the sharpness that gives the true classes of the training cases the
    most, each answered by weights that were found without it. What was said so of validation cases is kept until it is
    saved.
    """

    sharpness: float
    validated: tuple[np.ndarray, np.ndarray] | None = None  # numbers of validation cases, their log probabilities

    def fit(self, prepared: Prepared) -> None:
        """Learn from all cases that are not held out, or from as many as take a few seconds."""
        train, valid = prepared.train, prepared.valid
        assert isinstance(train, CaseExamples) and isinstance(valid, CaseExamples)
        assert train.targets is not None and valid.targets is not None
        codes = torch.cat([train.targets, valid.targets]).numpy()
        targets = np.where(np.arange(len(prepared.learned.classes)) == codes[:, None], 1.0, -1.0)
        chosen, left_out = self.learn(prepared, codes, targets)
        self.sharpness = sharpness_of(left_out, codes[chosen])
        late = chosen >= len(train)
        self.validated = chosen[late] - len(train), log_softmax(self.sharpness * left_out[late])

    def answer(self, examples: CaseExamples) -> Guess:
        """Return the classes and their probabilities."""
        logs = log_softmax(self.sharpness * self.said(examples))
        return Guess(logs.argmax(1), logs)

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return the sharpness, too."""
        return super().to_arrays() | {"sharpness": np.array([self.sharpness])}

    def from_arrays(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Take back the sharpness, too."""
        super().from_arrays(arrays)
        self.sharpness = arrays["sharpness"].item()
