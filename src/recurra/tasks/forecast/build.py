"""From the settings of a forecaster to its network."""

from collections.abc import Callable

import torch
from torch import nn

from ...errors import pick
from ...nn.build import cell_names, make_attention, make_cell, make_recurrent
from ...nn.heads import AbsoluteHead, Head, HuberHead, QuantileHead, SquaredHead
from ...nn.models import AttendingCell, ParallelWriter, Writer
from ...random import Dropout, drawing
from ...settings.config import Config, ModelSettings
from .network import ForecastNet, Layout, SegmentCore, VanillaCore
from .prepare import ForecastTask


def make_head(loss: str, levels: tuple[int, ...]) -> Head:
    """Make the head for a ``loss``."""
    if loss == "quantile":
        return QuantileHead(levels)
    heads: dict[str, Callable[[], Head]] = {"absolute": AbsoluteHead, "squared": SquaredHead, "huber": HuberHead}
    return pick(heads, loss, "loss")()


def make_forecaster(config: Config, layout: Layout) -> tuple[ForecastNet, ForecastTask]:
    """Make an untrained forecaster; the seed in ``config`` decides its first weights."""
    head = make_head(config.forecast.loss, config.forecast.levels)
    with drawing(torch.Generator().manual_seed(config.training.seed)):
        core = _segment_core(config.model, layout, head)
        if config.forecast.decoder == "vanilla":
            core = _vanilla_core(config.model, layout, head)
        network = ForecastNet(core, head, layout, config.forecast.normalise)
    return network, ForecastTask(head)


def _segment_core(settings: ModelSettings, layout: Layout, head: Head) -> nn.Module:
    size = settings.hidden_size
    recurrent = make_recurrent(settings, size)
    cell = make_cell(cell_names(settings)[-1], size, size, settings.chrono)
    attention = make_attention(settings, size, recurrent.output_size)
    writer = ParallelWriter(recurrent, cell, attention, settings.attention_dropout)
    return SegmentCore(layout, head, recurrent, writer, settings.dropout)


def _vanilla_core(settings: ModelSettings, layout: Layout, head: Head) -> nn.Module:
    recurrent = make_recurrent(settings, layout.channels * (2 if layout.missing else 1))
    cell = make_cell(cell_names(settings)[-1], layout.channels, settings.hidden_size, settings.chrono)
    attention = make_attention(settings, settings.hidden_size, recurrent.output_size)
    out = nn.Sequential(Dropout(settings.dropout), nn.Linear(settings.hidden_size, layout.channels * head.size))
    decoder = AttendingCell(cell, attention, settings.attention_dropout)
    return VanillaCore(layout, head, Writer(nn.Identity(), recurrent, decoder, nn.Identity(), out))
