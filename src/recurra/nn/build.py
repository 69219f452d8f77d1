"""The only place where names become objects."""

import inspect
from typing import Any

from ..attention import ATTENTIONS, Attention
from ..cells import CELLS, Cell
from ..errors import ConfigError, pick
from ..settings.config import Config, ModelSettings, defaults
from .layers import Recurrent, Regularisers

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
