"""How large a training is where that is left open: by how many pairs there are."""

import math
from dataclasses import replace

from ...settings import Config, filled
from .plan import PairPlan

BATCHES = 200  # of an epoch at least, unless batches would be too small
WRITTEN, POINTED = 200, 800  # units of a text that trains: what is pointed at is read once
LARGEST, SMALLEST = 64, 16  # pairs of a batch
STEPS, HEARD = 6_000, 2_000  # of a training, about; of one that hears sounds, which are long
EPOCHS, FEWEST = 60, 12


def sized(config: Config, plan: PairPlan) -> Config:
    """Return ``config`` with what was left open."""
    count = len(plan.train)
    size = max(SMALLEST, min(LARGEST, count // BATCHES))
    training = filled(config.training, {"batch_size": size})
    passes = math.ceil(count / training.batch_size)
    epochs = max(FEWEST, min(EPOCHS, round((HEARD if plan.sounds else STEPS) / passes)))
    longest = POINTED if config.task.decoder == "span" else WRITTEN
    task = filled(config.task, {"bleu_tokens": plan.tokens, "rank": plan.rank, "longest": longest})
    return replace(config, task=task, training=filled(training, {"epoch_steps": passes, "max_epochs": epochs}))
