"""How large a tagger and its training are, where that is left open: by what is tagged, and how much there is of it."""

import math
from dataclasses import replace
from typing import Any

from ...settings import Config, filled
from .plan import TagSplit

FOR_NUMBERS: dict[str, Any] = {
    "hidden_size": 64,
    "dropout": 0.3,
    "batch_size": 16,
    "epoch_steps": 20,
    "max_epochs": 60,
    "patience": 10,
    "learning_rate": 5e-3,
}
FOR_SENTENCES: dict[str, Any] = {
    "hidden_size": 128,
    "dropout": 0.5,
    "batch_size": 16,
    "max_epochs": 40,
    "patience": 5,
    "learning_rate": 3e-3,
}
FEWEST, MOST = 20, 400  # steps of an epoch, which is one pass over few sentences and a part of it over many


def sized(config: Config, plan: TagSplit) -> Config:
    """Return ``config`` with what was left open."""
    sizes = FOR_SENTENCES if plan.sentences else FOR_NUMBERS
    model, training = filled(config.model, sizes), filled(config.training, sizes)
    steps = min(max(FEWEST, math.ceil(len(plan.train) / training.batch_size)), MOST)
    known: dict[str, Any] = {"crf": plan.entities}
    known |= {"entities": plan.entities, "intents": plan.intents} if plan.sentences else {}
    task = filled(config.task, known)
    training = filled(training, {"epoch_steps": steps, "watch": watched(plan)})
    return replace(config, task=task, model=model, training=training)


def watched(plan: TagSplit) -> str:
    """Return what improvement means: of sentences what ranks, which still rises where the loss rises, too."""
    if not plan.sentences:
        return "loss"
    return "entity_f1" if plan.entities else "accuracy"
