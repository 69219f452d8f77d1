"""Settings from a TOML file: flat, or part by part."""

import tomllib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from ..errors import ConfigError, nearest
from .config import Parts


def read_toml(path: Path, parts: Parts, others: Collection[str] = (), asked: Collection[str] = ()) -> dict[str, Any]:
    """Read settings from a TOML file: flat, or under the names of ``parts``, such as [forecast] and [model].

    Parts called as in ``others``, which belong to other kinds of task, are left out. What verbs are ``asked`` besides
    stands above all parts.
    """
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
        if isinstance(values, dict) and (part in parts.by_name() or part not in others):
            faults += _part_faults(parts, part, values, flat, asked)
            flat |= values
    if faults:
        raise ConfigError("\n".join(f"{path}: {fault}" for fault in faults))
    return flat


def _part_faults(
    parts: Parts, part: str, values: dict[str, Any], before: Mapping[str, Any], asked: Collection[str]
) -> list[str]:
    """Return what is wrong with one part of a TOML file; ``before`` are the settings read so far."""
    if part not in parts.by_name():
        return [f"Unknown part [{part}].{nearest(part, parts.by_name())}"]
    home, faults = parts.part_of(), []
    for name in values:
        if name not in home and name in asked:
            faults.append(f"The setting {name} belongs at the top of the file, above all parts, not in [{part}].")
        elif name not in home:
            faults.append(f"Unknown setting '{name}' in [{part}].{nearest(name, [*home, *asked])}")
        elif home[name] != part:
            faults.append(f"The setting {name} belongs in [{home[name]}], not in [{part}].")
        elif name in before:
            faults.append(f"The setting {name} is given twice.")
    return faults
