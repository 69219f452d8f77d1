"""What the tests of networks share: a forecaster as a training makes it, from its settings and a layout."""

from typing import Any

import torch
from torch import nn

from recurra.random import drawing
from recurra.settings import make_config
from recurra.tasks.forecast.build import make_forecaster
from recurra.tasks.forecast.layout import Layout
from recurra.tasks.forecast.settings import PARTS


def seeded(settings: dict[str, Any], layout: Layout) -> tuple[nn.Module, Any]:
    """Return a network and its task; the seed in the settings decides the first weights."""
    config = make_config(PARTS, settings)
    with drawing(torch.Generator().manual_seed(config.training.seed)):
        return make_forecaster(config, layout)
