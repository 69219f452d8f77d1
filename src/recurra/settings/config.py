"""The settings, each written once: a Python argument, a TOML key, a flag and a search key at the same time."""

import dataclasses
import math
import tomllib
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ConfigError, nearest

CELL_NAMES = ("rnn", "rnn_relu", "lstm", "gru", "coupled", "lstm_gru", "lstm_gru_full", "parallel")
ATTENTION_NAMES = (
    "none",
    "dot",
    "scaled_dot",
    "general",
    "additive",
    "cosine",
    "multi_head",
    "local_m",
    "local_p",
    "location_aware",
    "monotonic",
)


def setting(
    default: Any,
    help: str,
    *,
    choices: tuple[str, ...] = (),
    low: float | None = None,
    high: float | None = None,
) -> Any:
    """Declare one setting: its default, one line of help, and the values it may have."""
    limits = {"help": help, "choices": choices, "low": low, "high": high}
    return dataclasses.field(default=default, metadata=limits)


@dataclass(kw_only=True, eq=False, repr=False)
class ForecastSettings:
    """What is forecast, from what, and in which shape."""

    horizon: int | None = setting(None, "how many steps ahead to forecast", low=1)
    lookback: int | None = setting(None, "how many past steps the model reads; found from the data if not given", low=1)
    target: str | tuple[str, ...] | None = setting(None, "column(s) to forecast; all numeric ones if not given")
    time: str | None = setting(None, "column with the time stamps; found if not given")
    id: str | None = setting(None, "column that names the series, for many series below each other")
    frequency: str | None = setting(None, "step between time stamps, such as h, 15min, D, W, MS; found if not given")
    season: int | None = setting(None, "steps in a season, 1 for none; found if not given", low=1)
    validation_size: int | None = setting(None, "last steps kept to decide when to stop; a tenth if not given", low=1)
    decoder: str = setting(
        "segment",
        "how the future is written: all segments at once, or step by step",
        choices=("segment", "vanilla"),
    )
    segment: int | None = setting(None, "steps the model reads or writes at a time; found if not given", low=1)
    normalise: str = setting("last", "what is subtracted from each window", choices=("last", "mean", "none"))
    cycle: bool | None = setting(None, "learn a seasonal cycle; yes if there is a season, if not given")
    channels: str = setting(
        "independent",
        "several columns: one by one with shared weights, or read together",
        choices=("independent", "joint"),
    )
    loss: str = setting(
        "quantile",
        "what is predicted and how errors count",
        choices=("quantile", "absolute", "squared", "huber"),
    )
    levels: tuple[int, ...] = setting((80, 90), "coverage of the forecast intervals in percent")


@dataclass(kw_only=True, eq=False, repr=False)
class ModelSettings:
    """The recurrent network and its attention."""

    cell: str | tuple[str, ...] = setting("gru", "recurrent cell, or several for a stack: lstm,gru", choices=CELL_NAMES)
    num_layers: int = setting(1, "layers of the cell", low=1)
    hidden_size: int = setting(128, "units per layer", low=1)
    bidirectional: bool = setting(False, "read the past in both directions")
    attention: str = setting("additive", "how the decoder looks at the past", choices=ATTENTION_NAMES)
    attention_size: int | None = setting(None, "width of the attention's hidden layer; hidden_size if not given", low=1)
    heads: int = setting(4, "heads of multi_head attention", low=1)
    window: int = setting(10, "half width of the local attentions", low=1)
    normaliser: str = setting("softmax", "from scores to weights", choices=("softmax", "sparsemax", "entmax"))
    attention_dropout: float = setting(0.0, "share of attention weights dropped in training", low=0, high=0.99)
    dropout: float = setting(0.3, "share of units dropped between layers and before the output", low=0, high=0.99)
    locked: bool = setting(True, "drop the same units at every step")
    weight_drop: float = setting(0.0, "share of recurrent weights dropped", low=0, high=0.99)
    zoneout: float = setting(0.0, "share of state units that keep their old value", low=0, high=0.99)
    layer_norm: bool = setting(False, "normalise between layers")
    residual: bool = setting(False, "add each layer's input to its output")
    chrono: int = setting(0, "start with memory of about this many steps; 0 for the cell's own start", low=0)
    truncate: int = setting(0, "cut the gradient through time every so many steps; 0 for never", low=0)
    engine: str = setting("auto", "what runs the loop over time", choices=("auto", "native", "reference", "torch"))


@dataclass(kw_only=True, eq=False, repr=False)
class TrainingSettings:
    """How the weights are found."""

    batch_size: int = setting(128, "windows per step", low=1)
    max_epochs: int = setting(30, "most epochs", low=1)
    max_steps: int = setting(20_000, "most training steps in all", low=1)
    epoch_steps: int = setting(100, "training steps in one epoch, after which the validation is looked at", low=1)
    patience: int = setting(5, "epochs without improvement before stopping", low=1)
    learning_rate: float = setting(5e-4, "step size of AdamW", low=0)
    weight_decay: float = setting(1e-4, "decoupled weight decay", low=0)
    warmup: int = setting(50, "steps over which the rate rises to its full value", low=0)
    recurrence_learning_rate: float | None = setting(None, "rate of the recurrent weights, if another", low=0)
    recurrence_weight_decay: float | None = setting(None, "decay of the recurrent weights, if another", low=0)
    recurrence_warmup: int | None = setting(None, "warm-up of the recurrent weights, if another", low=0)
    attention_learning_rate: float | None = setting(None, "rate of the attention weights, if another", low=0)
    attention_weight_decay: float | None = setting(None, "decay of the attention weights, if another", low=0)
    attention_warmup: int | None = setting(None, "warm-up of the attention weights, if another", low=0)
    schedule: str = setting("cosine", "how the rate falls after the warm-up", choices=("cosine", "step", "constant"))
    clip_norm: float = setting(1.0, "largest gradient norm; 0 for no limit", low=0)
    clip_value: float = setting(0.0, "largest gradient entry; 0 for no limit", low=0)
    l1: float = setting(0.0, "weight of the sum of absolute weights in the loss", low=0)
    l2: float = setting(0.0, "weight of the sum of squared weights in the loss", low=0)
    entropy_penalty: float = setting(0.0, "weight of the attention's entropy in the loss (sharper if > 0)")
    device: str = setting("auto", "cpu, cuda, or auto for the fastest there is")
    seed: int = setting(0, "the same seed gives the same result on the same machine", low=0)


PARTS: dict[str, type] = {"forecast": ForecastSettings, "model": ModelSettings, "training": TrainingSettings}


@dataclass(frozen=True)
class Config:
    """All settings of one run, part by part."""

    forecast: ForecastSettings
    model: ModelSettings
    training: TrainingSettings

    def flat(self) -> dict[str, Any]:
        """Return every setting by its name."""
        return {key: value for part in self.to_dict().values() for key, value in part.items()}

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """Return plain data, part by part."""
        return {name: dataclasses.asdict(getattr(self, name)) for name in PARTS}


def fields() -> dict[str, tuple[str, dataclasses.Field[Any]]]:
    """Return every setting by its name, with the part it belongs to."""
    return {f.name: (part, f) for part, cls in PARTS.items() for f in dataclasses.fields(cls)}


def make_config(settings: Mapping[str, Any]) -> Config:
    """Freeze a Config from flat ``settings``; raises one ConfigError that lists every fault."""
    known = fields()
    faults = [f"Unknown setting '{name}'.{nearest(name, known)}" for name in settings if name not in known]
    values: dict[str, dict[str, Any]] = {part: {} for part in PARTS}
    for name, value in settings.items():
        if name in known:
            part, field = known[name]
            try:
                values[part][name] = checked(field, value)
            except ConfigError as fault:
                faults.append(str(fault))
    if faults:
        raise ConfigError("\n".join(faults))
    return Config(**{part: cls(**values[part]) for part, cls in PARTS.items()})


def read_toml(path: Path) -> dict[str, Any]:
    """Read settings from a TOML file: flat, or under [forecast], [model] and [training]."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"There is no settings file {path}.") from None
    except OSError as fault:
        raise ConfigError(f"The settings file {path} cannot be read: {fault.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise ConfigError(f"{path} is not a TOML file: {fault}.") from None
    flat = {name: value for name, value in table.items() if not isinstance(value, dict)}
    faults: list[str] = []
    for part, values in table.items():
        if isinstance(values, dict):
            faults += _part_faults(part, values, flat)
            flat |= values
    if faults:
        raise ConfigError("\n".join(f"{path}: {fault}" for fault in faults))
    return flat


def _part_faults(part: str, values: dict[str, Any], before: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with one part of a TOML file; ``before`` are the settings read so far."""
    if part not in PARTS:
        return [f"Unknown part [{part}].{nearest(part, PARTS)}"]
    known, faults = fields(), []
    for name in values:
        if name not in known:
            faults.append(f"Unknown setting '{name}' in [{part}].{nearest(name, known)}")
        elif known[name][0] != part:
            faults.append(f"The setting {name} belongs in [{known[name][0]}], not in [{part}].")
        elif name in before:
            faults.append(f"The setting {name} is given twice.")
    return faults


def allowed_types(field: dataclasses.Field[Any]) -> tuple[Any, ...]:
    """Return the types a setting may have, such as (int, NoneType)."""
    hints = typing.get_type_hints(
        next(cls for cls in PARTS.values() if field.name in vars(cls)["__dataclass_fields__"])
    )
    hint = hints[field.name]
    return typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)


def checked(field: dataclasses.Field[Any], value: Any) -> Any:
    """Return ``value`` in the setting's type, or raise a ConfigError that says what is allowed."""
    kinds = allowed_types(field)
    if value is None and types.NoneType in kinds:
        return None
    items = any(typing.get_origin(kind) is tuple for kind in kinds)
    if items and (isinstance(value, (list, tuple)) or (isinstance(value, str) and "," in value) or str not in kinds):
        return _checked_items(field, value, kinds)
    plain = next(k for k in kinds if k is not types.NoneType and typing.get_origin(k) is not tuple)
    return _checked_one(field, value, plain)


def _checked_items(field: dataclasses.Field[Any], value: Any, kinds: tuple[Any, ...]) -> Any:
    kind = next(typing.get_args(k)[0] for k in kinds if typing.get_origin(k) is tuple)
    given = [part.strip() for part in value.split(",")] if isinstance(value, str) else value
    given = list(given) if isinstance(given, (list, tuple)) else [given]
    values = tuple(_checked_one(field, one, kind) for one in given)
    if not values and field.default is not None:
        raise ConfigError(f"{field.name} must name at least one value.")
    if field.name == "levels" and not all(1 <= level <= 99 for level in values):
        raise ConfigError(f"levels must be percentages from 1 to 99. Got {given} instead.")
    return values


def _checked_one(field: dataclasses.Field[Any], value: Any, kind: type) -> Any:
    try:
        converted = _converted(value, kind)
    except (TypeError, ValueError, OverflowError):
        wanted = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}[kind]
        raise ConfigError(f"{field.name} must be {wanted}. Got {value!r} instead.") from None
    choices, low, high = (field.metadata.get(key) for key in ("choices", "low", "high"))
    if choices and converted not in choices:
        hint = nearest(converted, choices)
        raise ConfigError(f"Unknown {field.name} '{converted}'.{hint} Choose one of: {', '.join(choices)}.")
    if low is not None and not converted >= low:
        raise ConfigError(f"{field.name} must be at least {low}. Got {converted} instead.")
    if high is not None and converted > high:
        raise ConfigError(f"{field.name} must be at most {high}. Got {converted} instead.")
    return converted


def _converted(value: Any, kind: type) -> Any:
    if kind is bool:
        if isinstance(value, str) and value.lower() in ("true", "yes", "1", "false", "no", "0"):
            return value.lower() in ("true", "yes", "1")
        if isinstance(value, bool) or type(value).__name__ == "bool":
            return bool(value)
        raise ValueError(value)
    if type(value).__name__ == "bool":
        raise ValueError(value)
    if kind is str:
        if not isinstance(value, str):
            raise ValueError(value)
        return value
    if kind is int and isinstance(value, int):
        return value  # as a float a large one would lose its last digits
    number = float(value)
    if not math.isfinite(number) or (kind is int and number != int(number)):
        raise ValueError(value)
    return int(number) if kind is int else number


def defaults() -> dict[str, Any]:
    """Return the default of every setting."""
    return {name: field.default for name, (_, field) in fields().items()}
