"""Where a search looks: an axis for each setting that varies, with a range or choices."""

import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from ..errors import ConfigError, pick
from ..settings import Range, Setting
from ..settings.base import checked

Point = dict[str, Any]  # a place in a space: a number for each range, for choices which of them
ROUND = 8  # whole numbers of a range by factors are multiples of it, from it on: sizes that machines like
LEVELS = 3  # values of a range that a grid tries
BY_FACTORS = 10  # a range without hint goes by factors if its ends are so many times apart
# What decides on what is judged, or how fast it goes, is no matter of a search.
NEVER = ("seed", "device", "engine", "watch", "size", "validation_size")
SPAN = re.compile(r"\s*(?P<low>[^\s.][^\s]*?)\s*\.\.\s*(?P<high>[^\s]+)\s*")


@dataclass(frozen=True)
class Axis:
    """One setting that varies: between two ends, or among choices."""

    name: str
    range: Range | None = None
    whole: bool = False  # whether numbers of the range are whole
    choices: tuple[Any, ...] = ()

    def value(self, place: Any) -> Any:
        """Return the value of the setting at a place: a number of the range, or which of the choices."""
        if self.range is None:
            return self.choices[int(place)]
        low, high, log = self.range
        if not low < place < high:
            return low if place <= low else high
        if not self.whole:
            return min(max(float(f"{place:.3g}"), low), high)
        step = ROUND if log and place >= ROUND else 1
        return int(min(max(step * round(place / step), low), high))

    def place(self, value: Any) -> Any | None:
        """Return where a value is; None if it is not on this axis."""
        if self.range is None:
            return self.choices.index(value) if value in self.choices else None
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return value if number and self.range.low <= value <= self.range.high else None

    def draw(self, random: np.random.Generator) -> Any:
        """Return a place by chance."""
        if self.range is None:
            return int(random.integers(len(self.choices)))
        low, high, log = self.range
        if not log:
            return float(random.uniform(low - 0.5, high + 0.5) if self.whole else random.uniform(low, high))
        return float(math.exp(random.uniform(math.log(low), math.log(high))))

    def levels(self) -> list[Any]:
        """Return the places that a grid tries: all choices, or both ends of a range and what is between them."""
        if self.range is None:
            return list(range(len(self.choices)))
        low, high, log = self.range
        between = np.geomspace(low, high, LEVELS) if log else np.linspace(low, high, LEVELS)
        return list({self.value(float(place)): float(place) for place in between}.values())

    def written(self) -> str:
        """Return the axis as a person writes it."""
        if self.range is None:
            return f"{self.name}={','.join(map(str, self.choices))}"
        return f"{self.name}={self.range.low:g}..{self.range.high:g}"


@dataclass(frozen=True)
class Space:
    """All settings that vary."""

    axes: tuple[Axis, ...]

    def values(self, point: Point) -> dict[str, Any]:
        """Return the value of every setting at a point."""
        return {axis.name: axis.value(point[axis.name]) for axis in self.axes}

    def point(self, values: Mapping[str, Any]) -> Point | None:
        """Return where these values are; None if one of them is outside."""
        point = {axis.name: axis.place(values[axis.name]) for axis in self.axes}
        return None if None in point.values() else point

    def key(self, point: Point) -> tuple[Any, ...]:
        """Return what two points have in common that stand for the same values."""
        return tuple(self.values(point).values())

    def draw(self, random: np.random.Generator) -> Point:
        """Return a point by chance."""
        return {axis.name: axis.draw(random) for axis in self.axes}

    def grid(self) -> list[Point]:
        """Return every combination of the levels of all axes."""
        names = [axis.name for axis in self.axes]
        return [dict(zip(names, places, strict=True)) for places in product(*(axis.levels() for axis in self.axes))]

    @property
    def countable(self) -> int | None:
        """How many points there are; None if a range makes them countless."""
        ranges = any(axis.range is not None for axis in self.axes)
        return None if ranges else math.prod(len(axis.choices) for axis in self.axes)

    def written(self) -> list[str]:
        """Return the axes as a person writes them."""
        return [axis.written() for axis in self.axes]


# ------------------------------------------------------------------------------------------------ from settings


def choices_of(setting: Setting) -> list[Any]:
    """Return the choices of a setting that has some; yes and no are two."""
    return [False, True] if bool in setting.kinds else list(setting.choices)


def make_space(
    known: Mapping[str, Setting],
    search: Sequence[str] | Mapping[str, Any],
    needed: Collection[str] = (),
) -> Space:
    """Return where a ``search`` looks: names of ``known`` settings, each alone or with its values.

    ``hidden_size`` looks in the range of the setting, ``hidden_size=16..128`` in this one, ``cell=gru,lstm`` at these
    choices; a mapping has lists, or a Range. ``needed`` are settings without which there is nothing to do. Raises one
    ConfigError that lists every fault.
    """
    asked = dict(search) if isinstance(search, Mapping) else _read(search, known)
    axes, faults = [], []
    for name, values in asked.items():
        try:
            _require_free(pick(known, name, "setting"), needed)
            axes.append(_axis(known[name], values))
        except ConfigError as fault:
            faults.append(str(fault))
    if faults:
        raise ConfigError("\n".join(faults))
    if not axes:
        raise ConfigError("There is nothing to search: name settings, such as search=hidden_size,dropout.")
    return Space(tuple(axes))


def _read(search: Sequence[str], known: Mapping[str, Setting]) -> dict[str, Any]:
    """Return the settings that a text names, with the values that stand behind each, None for those of its own."""
    found: dict[str, Any] = {}
    name = ""
    for text in (part.strip() for one in search for part in one.split(",")):
        if not text:
            continue
        head, equals, value = (part.strip() for part in text.partition("="))
        if equals:
            name = head
            _once(found, name)
            found[name] = value if SPAN.fullmatch(value) else [value]
        elif isinstance(found.get(name), list) and _is_value(known, name, text):
            found[name].append(text)
        else:
            name = text
            _once(found, name)
            found[name] = None
    return found


def _once(found: Mapping[str, Any], name: str) -> None:
    if name in found:
        raise ConfigError(f"The search names {name} twice: leave one of them out.")


def _is_value(known: Mapping[str, Setting], name: str, text: str) -> bool:
    """Tell whether a text behind the values of a setting is one more of them, and not the next setting."""
    return text not in known or name not in known or text in choices_of(known[name])


def _require_free(setting: Setting, needed: Collection[str]) -> None:
    """Raise a ConfigError for a setting that cannot vary."""
    name = setting.name
    if name in NEVER or name in needed:
        raise ConfigError(
            f"{name} cannot be searched: trials that differ in it cannot be told apart by how good they are. Leave it "
            "out of the search."
        )


def _axis(setting: Setting, values: Any) -> Axis:
    """Return the axis of a setting, along its own range or choices, or along the ``values`` that are given."""
    whole = int in setting.kinds and float not in setting.kinds
    if values is None:
        if setting.tune is not None:
            return Axis(setting.name, setting.tune, whole)
        if choices := _worth_trying(setting):
            return Axis(setting.name, choices=tuple(choices))
        raise ConfigError(
            f"There is no range to search for the setting {setting.name}: give your own values for it, such as "
            f"{setting.name}=LOW..HIGH."
        )
    if isinstance(values, str):
        span = SPAN.fullmatch(values)
        values = Range(span["low"], span["high"]) if span else [values]  # type: ignore[arg-type]
    if isinstance(values, Range):
        return Axis(setting.name, _range(setting, values), whole)
    if not isinstance(values, (list, tuple)) or not values:
        raise ConfigError(f"The search of {setting.name} needs values, or a range such as LOW..HIGH. Got {values!r}.")
    return Axis(setting.name, choices=tuple(dict.fromkeys(checked(setting, value) for value in values)))


def _worth_trying(setting: Setting) -> list[Any]:
    """Return the choices of a setting; of cells and attentions those that learn by gradient, as all others here do."""
    return [one for one in choices_of(setting) if one != "reservoir"]


def _range(setting: Setting, given: Range) -> Range:
    """Return a range of a setting that a person gave, or raise a ConfigError that says what is wrong with it."""
    if not {int, float} & {*setting.kinds}:
        raise ConfigError(f"{setting.name} is no number, so it has no range: give its values, such as a,b.")
    low, high = checked(setting, given.low), checked(setting, given.high)
    if low >= high:
        raise ConfigError(f"The range {low}..{high} of {setting.name} is empty: give its lower end first.")
    own = setting.tune.log if setting.tune is not None else high >= BY_FACTORS * low
    return Range(low, high, low > 0 and (given.log or own))
