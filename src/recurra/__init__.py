"""recurra: recurrent sequence models with attention."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# Where each public name lives. They are imported on first use, so that ``import recurra`` costs nothing.
_HOMES = {
    "Forecaster": "tasks.forecast.estimator",
    "TimeSplit": "tasks.forecast.estimator",
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
    from .tasks.forecast.estimator import Forecaster, TimeSplit

__all__ = [
    "ATTENTIONS",
    "CELLS",
    "GRU",
    "LSTM",
    "LSTMGRU",
    "RNN",
    "ConfigError",
    "DataError",
    "Forecaster",
    "RecurraError",
    "Recurrent",
    "RunError",
    "Stepper",
    "TimeSplit",
    "__version__",
    "scan",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'recurra' has no attribute '{name}'")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
