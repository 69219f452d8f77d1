"""How large a training is where that is left open: by how much text there is."""

import math
from dataclasses import replace

from ...settings import Config, filled
from .plan import TextPlan

LENGTH = {"character": 1.0, "word": 5.5, "subword": 3.5}  # characters of a unit, about
READ = {"character": 128, "word": 64, "subword": 64}  # units at a time
READERS, FEWEST = 32, 8
MOST = 400  # steps of an epoch
EPOCHS = 40


def sized(config: Config, plan: TextPlan) -> Config:
    """Return ``config`` with what was left open."""
    level = config.task.level
    units = (plan.train[1] - plan.train[0]) / LENGTH[level]
    steps = config.task.steps or max(8, min(READ[level], round(units / (4 * FEWEST))))
    readers = max(FEWEST, min(READERS, round(units / (16 * steps))))
    training = filled(config.training, {"batch_size": readers, "max_epochs": EPOCHS})
    passes = math.ceil(units / (steps * training.batch_size))
    training = filled(training, {"epoch_steps": max(1, min(MOST, passes))})
    task = replace(config.task, steps=steps)
    task = task if config.model.attention == "none" else filled(task, {"lookback": 2 * steps})
    return replace(config, task=task, training=training)
