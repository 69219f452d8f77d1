"""What the tests of networks share: small sizes, and a forecaster as a training makes it, of settings and a layout."""

from typing import Any

import torch
from torch import nn

from recurra.random import drawing
from recurra.settings import make_config
from recurra.tasks.forecast.build import make_forecaster
from recurra.tasks.forecast.layout import Layout
from recurra.tasks.forecast.settings import PARTS

# A forecaster that is trained in a moment, for weekly patterns in days.
TINY: dict[str, Any] = {
    "horizon": 4,
    "lookback": 14,
    "segment": 2,
    "season": 7,
    "hidden_size": 8,
    "batch_size": 16,
    "epoch_steps": 5,
    "warmup": 2,
    "learning_rate": 5e-3,
}


def seeded(settings: dict[str, Any], layout: Layout) -> tuple[nn.Module, Any]:
    """Return a network and its task; the seed in the settings decides the first weights."""
    config = make_config(PARTS, settings)
    with drawing(torch.Generator().manual_seed(config.training.seed)):
        return make_forecaster(config, layout)
