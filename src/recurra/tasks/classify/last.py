"""What comes after the best epoch: the cases that decided when to stop train, too."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np

from ...settings import TrainingSettings
from ...training.loop import Epoch, fit
from ..base import Fitted, Prepared
from .examples import CaseExamples

RATES = ("learning_rate", "recurrence_learning_rate", "attention_learning_rate")


def train_on_all(fitted: Fitted, prepared: Prepared) -> Iterator[Epoch]:
    """Train ``last_epochs`` more on training and validation cases, from half of the rate down to zero.

    Labelled cases are few, and a fifth of them is much. Nothing watches here, so it is short, and what was said of the
    validation comes from before.
    """
    epochs = fitted.config.task.last_epochs
    if not epochs:
        return
    plan: Any = prepared.plan
    cases = prepared.data.some(np.sort(np.concatenate([plan.train, plan.valid])))
    examples = CaseExamples.of(cases, fitted.learned)
    yield from fit(fitted.network, fitted.task, examples, None, _gently(fitted.config.training, epochs))


def _gently(settings: TrainingSettings, epochs: int) -> TrainingSettings:
    """Return settings for so many ``epochs`` at half of the rates."""
    rates = {name: getattr(settings, name) for name in RATES}
    halves = {name: rate / 2 for name, rate in rates.items() if rate is not None}
    return dataclasses.replace(settings, max_epochs=epochs, patience=epochs, warmup=settings.warmup // 5, **halves)
