"""All settings of one run, part by part: those of its kind of task, of the model, and of the training."""

import dataclasses
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import ConfigError, nearest
from .base import Setting, checked, plain, settings_of, written
from .model import ModelSettings
from .training import TrainingSettings


@dataclass(kw_only=True, eq=False, repr=False)
class NoSettings:
    """Nothing to set."""


@dataclass(frozen=True)
class Parts:
    """What a kind of task may be told: a dataclass for each part of its settings, and for what verbs ask besides.

    Two kinds may have settings of the same name, each with its own type, limits and help.
    """

    name: str  # of the kind, such as forecast; a TOML file has its settings under it
    own: type  # the settings that only this kind has
    model: type = ModelSettings
    training: type = TrainingSettings
    predict: type = NoSettings  # what an answer may be asked for
    evaluate: type = NoSettings  # how a run may be judged again
    backtest: type = NoSettings  # from where a run may be tested anew, trained on what lay before
    report: type = NoSettings  # what a report may show
    generate: type = NoSettings  # how a text may be written
    presets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # what preset= fills in where it is None
    needed: Mapping[str, str] = field(default_factory=dict)  # a setting without default, and how to say that it lacks
    data: str = ""  # what DATA is, one sentence or two, for the help of the verbs
    answer: str = "answer"  # what a model of this kind says, in one word
    # What a search varies if nothing is said; only such settings leave what the loss measures as it is.
    search: tuple[str, ...] = ("hidden_size", "num_layers", "dropout", "learning_rate", "batch_size")
    estimator: str = ""  # the class of recurra that is this kind for Python

    def __post_init__(self) -> None:
        if self.name in ("model", "training"):
            raise ConfigError(f"A kind of task cannot be called '{self.name}': a part of the settings is.")
        names = [name for part in self.by_name().values() for name in settings_of(part)]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ConfigError(
                f"Two parts of the kind '{self.name}' have a setting of the same name: {', '.join(twice)}."
            )

    def by_name(self) -> dict[str, type]:
        """Return the three parts by their names."""
        return {self.name: self.own, "model": self.model, "training": self.training}

    def settings(self) -> dict[str, Setting]:
        """Return every setting by its name."""
        return {name: one for part in self.by_name().values() for name, one in settings_of(part).items()}

    def part_of(self) -> dict[str, str]:
        """Return the part that each setting belongs to."""
        return {name: part for part, cls in self.by_name().items() for name in settings_of(cls)}

    def defaults(self, preset: str | None = None) -> dict[str, Any]:
        """Return the default of every setting; with a ``preset``, as that fills them in."""
        first = {name: one.default for name, one in self.settings().items()}
        return first if preset is None else self.completed(first | {"preset": preset})

    def completed(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Return ``settings`` with what their preset fills in where they are None or not named."""
        if not self.presets:
            return dict(settings)
        preset = settings.get("preset", self.settings()["preset"].default)
        return dict(settings) | {n: v for n, v in self.presets[preset].items() if settings.get(n) is None}


@dataclass(frozen=True)
class Config:
    """All settings of one run, part by part."""

    parts: Parts
    task: Any  # an object of parts.own
    model: ModelSettings
    training: TrainingSettings

    def flat(self) -> dict[str, Any]:
        """Return every setting by its name, a class of the user's own as itself."""
        return {
            one.name: getattr(part, one.name)
            for part in (self.task, self.model, self.training)
            for one in dataclasses.fields(part)
        }

    def to_dict(self) -> dict[str, dict[str, Any]]:
        """Return plain data, part by part; a class of the user's own is named ``module:Class``."""
        objects = zip(self.parts.by_name().items(), (self.task, self.model, self.training), strict=True)
        return {name: plain(vars(part), settings_of(cls)) for (name, cls), part in objects}

    def plain(self) -> dict[str, Any]:
        """Return every setting by its name as plain data."""
        return {name: value for part in self.to_dict().values() for name, value in part.items()}

    def named(self, setting: str) -> str:
        """Return the value of a setting as a person writes it; a stack of cells is ``lstm/gru``."""
        return written(self.parts.settings()[setting], self.flat()[setting])

    def require(self) -> None:
        """Raise a ConfigError for a setting that has no default and was not given."""
        for name, sentence in self.parts.needed.items():
            if getattr(self.task, name) is None:
                raise ConfigError(sentence)


def make_config(parts: Parts, settings: Mapping[str, Any]) -> Config:
    """Freeze a Config from flat ``settings``; raises one ConfigError that lists every fault."""
    taken, faults = check_all(parts.settings(), settings)
    if faults:
        raise ConfigError("\n".join(faults))
    home, taken = parts.part_of(), parts.completed(taken)
    task, model, training = (
        cls(**{name: value for name, value in taken.items() if home[name] == part})
        for part, cls in parts.by_name().items()
    )
    return Config(parts, task, model, training)


def check_all(
    known: Mapping[str, Setting], given: Mapping[str, Any], others: Collection[str] = ()
) -> tuple[dict[str, Any], list[str]]:
    """Return ``given`` in the types of their settings, and a sentence for every fault; ``others`` are left out."""
    taken: dict[str, Any] = {}
    names = [*known, *others]
    faults = [f"Unknown setting '{name}'.{nearest(name, names)}" for name in given if name not in names]
    for name, value in given.items():
        if name in known:
            try:
                taken[name] = checked(known[name], value)
            except ConfigError as fault:
                faults.append(str(fault))
    return taken, faults


def make_part(cls: type, settings: Mapping[str, Any]) -> Any:
    """Make an object of one part from its ``settings``; raises one ConfigError that lists every fault."""
    taken, faults = check_all(settings_of(cls), settings)
    if faults:
        raise ConfigError("\n".join(faults))
    return cls(**taken)


def filled(part: Any, values: Mapping[str, Any]) -> Any:
    """Return a part of the settings with what was left open in it, which is None, as in ``values``."""
    missing = {name: value for name, value in values.items() if hasattr(part, name) and getattr(part, name) is None}
    return dataclasses.replace(part, **missing)
