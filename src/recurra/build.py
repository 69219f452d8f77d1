"""The only place where names become objects."""

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from .attention import ATTENTIONS, Attention
from .cells import CELLS, Cell
from .config import Config, ModelSettings, defaults
from .errors import ConfigError, pick
from .heads import AbsoluteHead, Head, HuberHead, QuantileHead, SquaredHead
from .layers import Recurrent, Regularisers
from .models import AttendingCell, ParallelWriter, Writer
from .tasks.forecast import ForecastTask
from .tasks.forecast_net import ForecastNet, Layout, SegmentCore, VanillaCore

ATTENTION_OPTIONS = ("attention_size", "heads", "window", "normaliser")


def cell_names(settings: ModelSettings) -> tuple[str, ...]:
    """Return the cell of every layer."""
    if isinstance(settings.cell, str):
        return (settings.cell,) * settings.num_layers
    if settings.num_layers not in (1, len(settings.cell)):
        raise ConfigError(
            f"cell names {len(settings.cell)} layers, but num_layers is {settings.num_layers}. Leave num_layers out."
        )
    return settings.cell


def make_cell(name: str, input_size: int, hidden_size: int, chrono: int = 0) -> Cell:
    """Make the cell called ``name``."""
    cell = pick(CELLS, name, "cell")(input_size, hidden_size)
    if chrono:
        cell.remember(chrono)
    return cell


def make_recurrent(settings: ModelSettings, input_size: int) -> Recurrent:
    """Make the stack of layers that reads."""
    directions = 2 if settings.bidirectional else 1
    layers = []
    for name in cell_names(settings):
        cells = [make_cell(name, input_size, settings.hidden_size, settings.chrono) for _ in range(directions)]
        layers.append(cells)
        input_size = directions * settings.hidden_size
    regularisers = Regularisers(
        settings.dropout,
        settings.locked,
        settings.weight_drop,
        settings.zoneout,
        settings.layer_norm,
        settings.residual,
    )
    return Recurrent(layers, regularisers, settings.truncate, settings.engine)


def attention_options(name: str) -> tuple[str, ...]:
    """Return the settings that the attention called ``name`` uses."""
    if name == "none":
        return ()
    accepted = inspect.signature(pick(ATTENTIONS, name, "attention").__init__).parameters
    return tuple(option for option in ATTENTION_OPTIONS if option in accepted)


def make_attention(settings: ModelSettings, query_size: int, key_size: int) -> Attention | None:
    """Make the attention that ``settings`` name, or None."""
    if settings.attention == "none":
        return None
    options: dict[str, Any] = {name: getattr(settings, name) for name in attention_options(settings.attention)}
    return pick(ATTENTIONS, settings.attention, "attention")(query_size, key_size, **options)


def make_head(loss: str, levels: tuple[int, ...]) -> Head:
    """Make the head for a ``loss``."""
    if loss == "quantile":
        return QuantileHead(levels)
    heads: dict[str, Callable[[], Head]] = {"absolute": AbsoluteHead, "squared": SquaredHead, "huber": HuberHead}
    return pick(heads, loss, "loss")()


def make_forecaster(config: Config, layout: Layout) -> tuple[ForecastNet, ForecastTask]:
    """Make an untrained forecaster; the seed in ``config`` decides its first weights."""
    head = make_head(config.forecast.loss, config.forecast.levels)
    with torch.random.fork_rng():
        torch.manual_seed(config.training.seed)
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
    out = nn.Sequential(nn.Dropout(settings.dropout), nn.Linear(settings.hidden_size, layout.channels * head.size))
    decoder = AttendingCell(cell, attention, settings.attention_dropout)
    return VanillaCore(layout, head, Writer(nn.Identity(), recurrent, decoder, nn.Identity(), out))


def unused(config: Config) -> dict[str, str]:
    """Return every setting that was changed although nothing uses it, with the reason."""
    model, forecast = config.model, config.forecast
    options = attention_options(model.attention)
    one_layer = len(cell_names(model)) == 1
    idle: dict[str, str] = {}
    for option in ATTENTION_OPTIONS:
        if option not in options:
            idle[option] = f"attention='{model.attention}' does not use it"
    if model.attention == "none":
        own = ("dropout", "learning_rate", "weight_decay", "warmup")
        idle |= {f"attention_{name}": "attention is 'none'" for name in own}
        idle["entropy_penalty"] = "attention is 'none'"
    if one_layer:
        idle |= dict.fromkeys(("layer_norm", "locked"), "it acts between layers, and there is one")
    if forecast.decoder == "vanilla":
        idle["segment"] = "the vanilla decoder goes step by step"
    if forecast.loss != "quantile":
        idle["levels"] = f"loss='{forecast.loss}' predicts no intervals"
    values, first = config.flat(), defaults()
    return {name: why for name, why in idle.items() if values[name] != first[name]}


def refuse_unused(config: Config) -> None:
    """Raise a ConfigError that lists every changed setting that nothing uses."""
    idle = unused(config)
    if idle:
        raise ConfigError("\n".join(f"The setting {name} has no effect: {why}." for name, why in idle.items()))
