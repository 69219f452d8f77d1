"""What the training text teaches besides the weights: its units."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...data.text import UNKNOWN, Vocabulary
from ...data.text.learned_pieces import learn_pieces
from ...data.text.units import LINE, units_of
from ...data.text.vocabulary import FIRST
from ...errors import ConfigError
from .settings import LanguageSettings

UNKNOWN_SHOWN = "<unk>"


@dataclass(frozen=True)
class LanguageLearned:
    """The units of the training text by number, and how a text is cut into them."""

    level: str
    vocabulary: Vocabulary
    steps: int  # units that are read at a time
    model: bytes | None = None  # of pieces

    @classmethod
    def of(cls, text: str, settings: LanguageSettings) -> "LanguageLearned":
        """Learn the units of the training text."""
        model = learn_pieces(text.split(LINE), settings.vocabulary) if settings.level == "subword" else None
        units = units_of(text, settings.level, model)
        vocabulary = Vocabulary.of([units], settings.min_count, settings.vocabulary)
        if len(vocabulary.tokens) < 2:
            raise ConfigError("The training text has one and the same unit only, so there is nothing to learn from it.")
        assert settings.steps is not None
        return cls(settings.level, vocabulary, settings.steps, model)

    @property
    def size(self) -> int:
        """How many numbers there are: one for each unit that is known, padding, and all that are not known."""
        return len(self.vocabulary)

    @property
    def start(self) -> int:
        """The number that stands before a text: that of the end of a line."""
        return self.vocabulary.numbers.get(LINE, UNKNOWN)

    def units(self, text: str) -> list[str]:
        """Return the units of a text."""
        return units_of(text, self.level, self.model)

    def encode(self, units: list[str]) -> Tensor:
        """Return the numbers of ``units`` (n,), int64."""
        return torch.from_numpy(self.vocabulary.encode(units))

    def shown(self, number: int) -> str:
        """Return the unit with this number."""
        return self.vocabulary.tokens[number - FIRST] if number > UNKNOWN else UNKNOWN_SHOWN

    def to_plain(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Return it as JSON values and arrays."""
        plain = {"level": self.level, "vocabulary": list(self.vocabulary.tokens), "steps": self.steps}
        return plain, {} if self.model is None else {"pieces": np.frombuffer(self.model, np.uint8).copy()}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> "LanguageLearned":
        """Return what ``to_plain`` wrote."""
        model = arrays["pieces"].tobytes() if "pieces" in arrays else None
        return cls(plain["level"], Vocabulary(tuple(plain["vocabulary"])), plain["steps"], model)
