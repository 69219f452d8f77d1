"""recurra: recurrent sequence models with attention."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .version import __version__

# Where each public name lives. They are imported on first use, so that ``import recurra`` costs nothing.
_HOMES = {
    "Classifier": "tasks.classify.estimator",
    "Forecaster": "tasks.forecast.estimator",
    "LanguageModel": "tasks.language.estimator",
    "Regressor": "tasks.regress.estimator",
    "Tagger": "tasks.tag.estimator",
    "Translator": "tasks.seq2seq.estimator",
    "TimeSplit": "tasks.forecast.splitting",
    "tune": "verbs.tune",
    "Range": "settings",
    "RNN": "nn.namesakes",
    "LSTM": "nn.namesakes",
    "GRU": "nn.namesakes",
    "LSTMGRU": "nn.namesakes",
    "CELLS": "cells",
    "ATTENTIONS": "attention",
    "Recurrent": "nn.layers",
    "scan": "nn.scan",
    "Stepper": "nn.stepper",
    "RecurraError": "errors",
    "ConfigError": "errors",
    "DataError": "errors",
    "RunError": "errors",
}

if TYPE_CHECKING:
    from .attention import ATTENTIONS
    from .cells import CELLS
    from .errors import ConfigError, DataError, RecurraError, RunError
    from .nn.layers import Recurrent
    from .nn.namesakes import GRU, LSTM, LSTMGRU, RNN
    from .nn.scan import scan
    from .nn.stepper import Stepper
    from .settings import Range
    from .tasks.classify.estimator import Classifier
    from .tasks.forecast.estimator import Forecaster
    from .tasks.forecast.splitting import TimeSplit
    from .tasks.language.estimator import LanguageModel
    from .tasks.regress.estimator import Regressor
    from .tasks.seq2seq.estimator import Translator
    from .tasks.tag.estimator import Tagger
    from .verbs.tune import tune

__all__ = [
    "ATTENTIONS",
    "CELLS",
    "GRU",
    "LSTM",
    "LSTMGRU",
    "RNN",
    "Classifier",
    "ConfigError",
    "DataError",
    "Forecaster",
    "LanguageModel",
    "Range",
    "RecurraError",
    "Recurrent",
    "Regressor",
    "RunError",
    "Stepper",
    "Tagger",
    "TimeSplit",
    "Translator",
    "__version__",
    "scan",
    "tune",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'recurra' has no attribute '{name}'")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
