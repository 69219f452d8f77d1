"""How large a network and its training are, from how many windows there are to learn from.

An epoch is a fixed number of steps. With a few hundred windows a hundred steps are many passes over the same values:
the best epoch is the first, and the rest is waiting. benchmarks/accuracy/simple.md has what was measured.
"""

from dataclasses import replace
from typing import Any

from ...nn.build import is_reservoir, usual_attention
from ...settings import Config, ModelSettings, TrainingSettings, filled
from ...training.reservoirs import tries

SMALL = 3000  # training windows, below which all is small
FOR_SMALL: dict[str, Any] = {
    "hidden_size": 32,
    "batch_size": 32,
    "epoch_steps": 10,
    "max_epochs": 60,
    "patience": 10,
    "learning_rate": 2e-3,
    "warmup": 10,
}
# A hundred thousand windows are still learned from after 77 epochs, twenty thousand end by patience after 30.
FOR_MANY: dict[str, Any] = {"max_epochs": 100}

# A reservoir of many units costs one regression; an epoch is one that is tried.
FOR_RESERVOIR: dict[str, Any] = {"hidden_size": 500, "max_epochs": 20, "patience": 20}
FEW_UNITS = 200  # of a reservoir that has few windows to learn from

LAST, LAST_OF_MANY = 5, 2  # epochs in which validation rows train, too, of few windows and of many


def sized(config: Config, windows: int) -> Config:
    """Return ``config`` with what was left open: sizes for so many training ``windows``, and the attention."""
    reservoir = is_reservoir(config.model)
    sizes = _of_reservoir(windows) if reservoir else _of_network(windows)
    model, training = filled(config.model, sizes), filled(config.training, sizes)
    if reservoir:
        training = replace(training, max_epochs=tries(model, training.max_epochs), epoch_steps=1)
    attention = usual_attention(model.bidirectional) if model.attention is None else model.attention
    last = (LAST if windows < SMALL else LAST_OF_MANY) if config.task.last_epochs is None else config.task.last_epochs
    task = replace(config.task, last_epochs=last)
    return replace(config, task=task, model=replace(model, attention=attention), training=training)


def _of_network(windows: int) -> dict[str, Any]:
    if windows < SMALL:
        return FOR_SMALL
    usual = vars(ModelSettings()) | vars(TrainingSettings()) | FOR_MANY
    return {name: usual[name] for name in FOR_SMALL}


def _of_reservoir(windows: int) -> dict[str, Any]:
    return FOR_SMALL | FOR_RESERVOIR | ({"hidden_size": FEW_UNITS} if windows < SMALL // 3 else {})
