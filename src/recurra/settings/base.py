"""What a setting is: its name, default, limits and help, written once, and the check that a value passes."""

import dataclasses
import math
import os
import re
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from ..errors import ConfigError, nearest
from ..registry import Registry

LAYERS = "/"  # stands between the cells of a stack, the lowest first
OLD_LAYERS = re.compile(r"[/,+>→]")  # and what stood there in settings and commands of earlier versions


class Range(NamedTuple):
    """Where a search looks for a number: from ``low`` to ``high``, by steps or, with ``log``, by factors."""

    low: float
    high: float
    log: bool = False


@dataclass(frozen=True)
class Setting:
    """One setting of a part, as its dataclass declares it."""

    name: str
    default: Any
    kinds: tuple[Any, ...]  # the types it may have, such as (int, NoneType)
    help: str
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    tune: Range | None = None  # the range of a number that is worth searching; choices are worth it as they are
    members: Registry | None = None  # names in this table, or a class of the user's own
    metavar: str = "VALUE"  # what stands for its value in the help of its flag


def setting(
    default: Any,
    help: str,
    *,
    low: float | None = None,
    high: float | None = None,
    tune: Range | None = None,
    members: Registry | None = None,
    metavar: str = "VALUE",
) -> Any:
    """Declare one setting as a field of a dataclass: its default, one line of help, and the values it may have.

    Those of a choice stand in its type: ``Literal["mean", "last"]``.
    """
    limits = {"help": help, "low": low, "high": high, "tune": tune, "members": members}
    return dataclasses.field(default=default, metadata=limits | {"metavar": metavar})


def otherwise(part: type, name: str, default: Any) -> Any:
    """Declare the setting ``name`` of ``part`` once more for a part that derives from it, with another default.

    None is for what is found from the data, which the help says then.
    """
    metadata = dict(part.__dataclass_fields__[name].metadata)  # type: ignore[attr-defined]
    metadata["choices"] = settings_of(part)[name].choices
    if default is None:
        metadata["help"] += "; found from the data if not given"
    return dataclasses.field(default=default, metadata=metadata)


@lru_cache
def settings_of(part: type) -> dict[str, Setting]:
    """Return every setting of a part by its name."""
    hints = typing.get_type_hints(part)
    found = {}
    for field in dataclasses.fields(part):
        hint = hints[field.name]
        united = typing.get_origin(hint) in (types.UnionType, typing.Union)
        named, kinds = _choices_in(typing.get_args(hint) if united else (hint,))
        known = dict(field.metadata)
        inherited = known.pop("choices", ())
        found[field.name] = Setting(field.name, field.default, kinds, choices=named or inherited, **known)
    return found


def _choices_in(hints: tuple[Any, ...]) -> tuple[tuple[str, ...], tuple[Any, ...]]:
    """Return the texts that are named one by one, and the types of all that a setting may be but a class."""
    named = [hint for hint in hints if typing.get_origin(hint) is typing.Literal]
    kinds = dict.fromkeys(str if hint in named else hint for hint in hints if hint is not type)
    return tuple(text for hint in named for text in typing.get_args(hint)), tuple(kinds)


def described(setting: Setting) -> str:
    """Return the line of help with the choices and the default."""
    choices = f": {', '.join(setting.choices)}" if setting.choices else ""
    untold = setting.default is None or setting.default is False
    return setting.help + choices + ("" if untold else f"  [{written(setting, setting.default)}]")


def checked(setting: Setting, value: Any) -> Any:
    """Return ``value`` in the setting's type, or raise a ConfigError that says what is allowed."""
    if value is None and types.NoneType in setting.kinds:
        return None
    items = any(typing.get_origin(kind) is tuple for kind in setting.kinds)
    several = isinstance(value, (list, tuple)) or (isinstance(value, str) and len(split(setting, value)) > 1)
    if items and (several or str not in setting.kinds):
        return _checked_items(setting, value)
    plain = next(k for k in setting.kinds if k is not types.NoneType and typing.get_origin(k) is not tuple)
    return _checked_one(setting, value, plain)


def split(setting: Setting, text: str) -> list[str]:
    """Return the values in ``text``: the layers of a stack, or what stands between commas."""
    return [part.strip() for part in (text.split(",") if setting.members is None else OLD_LAYERS.split(text))]


def written(setting: Setting, value: Any) -> str:
    """Return a value as a person writes it, so that ``checked`` reads it again; a class is ``module:Class``."""
    value = _plain_value(value, setting.members)
    if isinstance(value, (list, tuple)):
        return (LAYERS if setting.members is not None else ",").join(map(str, value))
    return str(value)


def _checked_items(setting: Setting, value: Any) -> Any:
    kind = next(typing.get_args(k)[0] for k in setting.kinds if typing.get_origin(k) is tuple)
    kind = str if setting.members is not None else kind
    given = split(setting, value) if isinstance(value, str) else value
    given = list(given) if isinstance(given, (list, tuple)) else [given]
    values = tuple(_checked_one(setting, one, kind) for one in given)
    if not values and (setting.default is not None or setting.members is not None):
        raise ConfigError(f"{setting.name} must name at least one value.")
    return values


def _checked_one(setting: Setting, value: Any, kind: type) -> Any:
    if setting.members is not None and isinstance(value, type):
        return value  # whether it is one of the right kind is seen where it is built
    try:
        converted = _converted(value, kind)
    except (TypeError, ValueError, OverflowError):
        wanted = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}[kind]
        raise ConfigError(f"{setting.name} must be {wanted}. Got {value!r} instead.") from None
    if setting.choices and converted not in setting.choices:
        raise ConfigError(_not_a_choice(setting, converted))
    if setting.low is not None and not converted >= setting.low:
        raise ConfigError(f"{setting.name} must be at least {setting.low}. Got {converted} instead.")
    if setting.high is not None and converted > setting.high:
        raise ConfigError(f"{setting.name} must be at most {setting.high}. Got {converted} instead.")
    return converted


def _not_a_choice(setting: Setting, name: str) -> str:
    if setting.members is not None and ":" in name:
        own = f"{setting.name}={name.replace(':', '.')}"
        return f"'{name}' names your own {setting.name}, and only its name: give the class itself, {own}."
    hint = nearest(name, setting.choices)
    return f"Unknown {setting.name} '{name}'.{hint} Choose one of: {', '.join(setting.choices)}."


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
        value = os.fspath(value) if isinstance(value, os.PathLike) else value
        if not isinstance(value, str):
            raise ValueError(value)
        return value
    if kind is int and isinstance(value, int):
        return value  # as a float a large one would lose its last digits
    number = float(value)
    if not math.isfinite(number) or (kind is int and number != int(number)):
        raise ValueError(value)
    return int(number) if kind is int else number


def plain(part: Mapping[str, Any], settings: Mapping[str, Setting]) -> dict[str, Any]:
    """Return the values of a part as plain data: a class of the user's own becomes ``module:Class``."""
    return {name: _plain_value(value, settings[name].members) for name, value in part.items()}


def _plain_value(value: Any, members: Registry | None) -> Any:
    if members is None or value is None:
        return value
    return tuple(members.name_of(one) for one in value) if isinstance(value, tuple) else members.name_of(value)
