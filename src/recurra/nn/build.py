"""The only place where the names of cells and attentions become objects."""

import inspect
from collections.abc import Mapping
from typing import Any

from ..attention import ATTENTIONS, Attention
from ..cells import CELLS, Cell, ReservoirCell
from ..errors import ConfigError, pick
from ..registry import Registry
from ..settings import ATTENTION_PENALTIES, Config, ModelSettings
from .layers import Recurrent, Regularisers, SelfAttention

ATTENTION_OPTIONS = ("attention_size", "heads", "window", "normaliser")
ATTENTION_TRAINING = tuple(f"attention_{name}" for name in ("dropout", "learning_rate", "weight_decay", "warmup"))
RESERVOIR_OPTIONS = ("spectral_radius", "leak", "input_scaling", "connectivity")
# What is left of the settings where nothing is learned by gradient: an epoch is one reservoir that is tried.
OF_RESERVOIRS = {
    *("cell", "size", "num_layers", "hidden_size", "bidirectional", "engine", *RESERVOIR_OPTIONS),
    *("max_epochs", "patience", "watch", "device", "seed"),
}


def cell_names(settings: ModelSettings) -> tuple[str | type, ...]:
    """Return the cell of every layer, by its name or as a class of the user's own."""
    if not isinstance(settings.cell, tuple):
        return (settings.cell,) * settings.num_layers
    if settings.num_layers not in (1, len(settings.cell)):
        raise ConfigError(
            f"cell= names {len(settings.cell)} layers, but num_layers={settings.num_layers}. Leave num_layers= out."
        )
    return settings.cell


def member(table: Registry, named: str | type, base: type) -> Any:
    """Return the class that ``named`` stands for; raises ConfigError if it is not derived from ``base``."""
    if isinstance(named, str):
        return pick(table, named, table.what)
    if not issubclass(named, base):
        raise ConfigError(
            f"The class {named.__name__} is no {table.what}: it must derive from {base.__module__}.{base.__name__}."
        )
    return named


def is_reservoir(settings: ModelSettings) -> bool:
    """Tell whether the network is a reservoir, which is read out in closed form.

    Raises ConfigError if it is one only in some of its layers.
    """
    every = [issubclass(member(CELLS, name, Cell), ReservoirCell) for name in cell_names(settings)]
    if any(every) and not all(every):
        raise ConfigError(
            "A reservoir does not learn and the other cells of this stack do, so they cannot be fitted together: use "
            "cell='reservoir' with num_layers=, or a stack without it."
        )
    return all(every)


def make_cell(
    name: str | type, input_size: int, hidden_size: int, chrono: int = 0, options: Mapping[str, Any] | None = None
) -> Cell:
    """Make the cell called ``name``, or of that class, with such ``options`` as it has beside its sizes."""
    cell: Cell = member(CELLS, name, Cell)(input_size, hidden_size, **(options or {}))
    if chrono:
        cell.remember(chrono)
    return cell


def make_recurrent(settings: ModelSettings, input_size: int) -> Recurrent:
    """Make the stack of layers that reads."""
    directions = 2 if settings.bidirectional else 1
    layers, size = [], settings.hidden_size
    options = {name: v for name in RESERVOIR_OPTIONS if (v := getattr(settings, name)) is not None}
    options = options if is_reservoir(settings) else {}
    for name in cell_names(settings):
        cells = [make_cell(name, input_size, size, settings.chrono, options) for _ in range(directions)]
        layers.append(cells)
        input_size = directions * size
    regularisers = Regularisers(
        settings.dropout,
        settings.locked,
        settings.weight_drop,
        settings.zoneout,
        settings.layer_norm,
        settings.residual,
    )
    return Recurrent(layers, regularisers, settings.truncate, settings.engine)


def usual_attention(bidirectional: bool) -> str:
    """Return the attention where none is named: the one that has no weights to over-fit, where widths are equal."""
    return "general" if bidirectional else "scaled_dot"


def attention_options(name: str | type | None) -> tuple[str, ...]:
    """Return the settings that an attention, by its name or as a class, uses; None is the usual one."""
    if name == "none":
        return ()
    name = usual_attention(False) if name is None else name
    accepted = inspect.signature(member(ATTENTIONS, name, Attention).__init__).parameters
    return tuple(option for option in ATTENTION_OPTIONS if option in accepted)


def make_attention(settings: ModelSettings, query_size: int, key_size: int) -> Attention | None:
    """Make the attention that ``settings`` name, or None."""
    named = usual_attention(settings.bidirectional) if settings.attention is None else settings.attention
    return _make_attention(named, settings, query_size, key_size)


def make_self_attention(settings: ModelSettings, size: int) -> SelfAttention | None:
    """Make the layer in which states of width ``size`` look at each other, or None if ``settings`` name none."""
    named = attentions_in(settings).get("self_attention") or "none"
    attention = _make_attention(named, settings, size, size)
    return None if attention is None else SelfAttention(attention, size, settings.attention_dropout)


def _make_attention(named: str | type, settings: ModelSettings, query_size: int, key_size: int) -> Attention | None:
    if named == "none":
        return None
    options: dict[str, Any] = {name: getattr(settings, name) for name in attention_options(named)}
    made: Attention = member(ATTENTIONS, named, Attention)(query_size, key_size, **options)
    return made


def unused(config: Config, own: Mapping[str, str]) -> dict[str, str]:
    """Return every setting that was changed although nothing uses it, with the reason.

    ``own`` are those that the kind of task knows to be idle.
    """
    idle = (_idle_in_reservoir(config) if is_reservoir(config.model) else _idle_in_network(config)) | dict(own)
    if len(cell_names(config.model)) == 1:
        idle |= dict.fromkeys(("layer_norm", "locked"), "it acts between layers, and there is one")
    if not any(getattr(member(CELLS, name, Cell), "recurrent", True) for name in cell_names(config.model)):
        idle["weight_drop"] = "it acts on recurrent weights, and no cell has any"
    return _changed(config, idle)


def _changed(config: Config, idle: Mapping[str, str]) -> dict[str, str]:
    """Return those of the ``idle`` settings that are there and were changed."""
    values = config.flat()
    first = config.parts.defaults(values.get("preset"))
    return {name: why for name, why in idle.items() if name in values and values[name] != first[name]}


def _idle_in_reservoir(config: Config) -> dict[str, str]:
    names = {name for name, part in config.parts.part_of().items() if part in ("model", "training")}
    return dict.fromkeys(names - OF_RESERVOIRS, "a reservoir does not learn, and its read-out is found in closed form")


def _idle_in_network(config: Config) -> dict[str, str]:
    reason = f"it is of reservoirs, and cell='{config.named('cell')}' is none"
    idle = idle_attention(attentions_in(config.model), "attention='none' looks nowhere")
    return idle | dict.fromkeys(RESERVOIR_OPTIONS, reason)


def attentions_in(model: ModelSettings) -> dict[str, str | type | None]:
    """Return the attentions that ``model`` names, by their settings; not every kind of task has the second."""
    named = {"attention": model.attention, "self_attention": getattr(model, "self_attention", "none")}
    return {setting: name for setting, name in named.items() if name != "none"}


def idle_attention(named: Mapping[str, str | type | None], none: str) -> dict[str, str]:
    """Return the settings of attention that nothing uses, with the reason, where these are ``named`` by settings.

    ``none`` says why nothing looks at what was read.
    """
    used = {option for name in named.values() for option in attention_options(name)}
    idle = dict.fromkeys((option for option in ATTENTION_OPTIONS if option not in used), _not_used_by(named) or none)
    if not named:
        idle |= dict.fromkeys(ATTENTION_TRAINING, none)
    if "attention" not in named:
        idle |= dict.fromkeys(ATTENTION_PENALTIES, none)
    return idle


def _not_used_by(named: Mapping[str, str | type | None]) -> str:
    shown = {setting: name or usual_attention(False) for setting, name in named.items()}
    texts = [f"{setting}='{getattr(name, '__name__', name)}'" for setting, name in shown.items()]
    if len(texts) < 2:
        return "".join(f"{text} does not use it" for text in texts)
    return f"{texts[0]} and {texts[1]} do not use it"


def refuse_unused(config: Config, own: Mapping[str, str]) -> None:
    """Raise a ConfigError that lists every changed setting that nothing uses."""
    refuse_idle(config, unused(config, own))


def refuse_idle(config: Config, idle: Mapping[str, str]) -> None:
    """Raise a ConfigError that lists every changed setting among those that are ``idle``, each with the reason."""
    found = _changed(config, idle)
    if found:
        raise ConfigError("\n".join(f"The setting {name} has no effect: {why}." for name, why in found.items()))
