"""What comes after the best epoch: the examples that decided when to stop train, too."""

import dataclasses
from collections.abc import Iterator

from ..settings import TrainingSettings
from ..training.loop import Epoch, fit
from ..training.task import Examples
from .base import Fitted

RATES = ("learning_rate", "recurrence_learning_rate", "attention_learning_rate")


def train_gently(fitted: Fitted, examples: Examples, epochs: int) -> Iterator[Epoch]:
    """Train so many ``epochs`` more on ``examples``, from half of the rate down to zero; nothing watches."""
    if epochs:
        yield from fit(fitted.network, fitted.task, examples, None, _gently(fitted.config.training, epochs))


def _gently(settings: TrainingSettings, epochs: int) -> TrainingSettings:
    """Return settings for so many ``epochs`` at half of the rates."""
    rates = {name: getattr(settings, name) for name in RATES}
    halves = {name: rate / 2 for name, rate in rates.items() if rate is not None}
    return dataclasses.replace(settings, max_epochs=epochs, patience=epochs, warmup=settings.warmup // 5, **halves)
