"""Names that stand for classes: tables that can be read before anything in them is imported."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from .errors import ConfigError, nearest


class Entry(NamedTuple):
    """One member of a registry."""

    place: str  # "module:Class" below the package of the registry
    line: str  # what it is, in one line
    hybrid: bool = False  # whether it is built of several others


class Registry(Mapping[str, Any]):
    """A table of classes by name; its names cost nothing, a class is imported when it is asked for."""

    def __init__(self, what: str, package: str, entries: Mapping[str, Entry]):
        self.what, self.package, self.entries = what, package, dict(entries)

    def __getitem__(self, name: str) -> Any:
        module, _, attribute = self.entries[name].place.partition(":")
        return getattr(import_module(f"{self.package}.{module}"), attribute)

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def __contains__(self, name: object) -> bool:
        return name in self.entries

    def homes(self) -> dict[str, str]:
        """Return the module of every class by the name of the class."""
        return {attribute: module for module, _, attribute in (e.place.partition(":") for e in self.entries.values())}

    def name_of(self, member: Any) -> str:
        """Return the name under which a run knows ``member``: its name here, or ``module:Class`` of another class."""
        if isinstance(member, str):
            return member
        place = place_of(member)
        known = {f"{self.package}.{entry.place}": name for name, entry in self.entries.items()}
        return known.get(place, place)


def place_of(member: Any) -> str:
    """Return where a class or object of a module is: ``module:name``."""
    return f"{member.__module__}:{member.__qualname__}"


def lazy(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """Return a ``__getattr__`` for ``package`` that imports each name from its module (below it) on first use."""

    def get(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module '{package}' has no attribute '{name}'")
        return getattr(import_module(f".{homes[name]}", package), name)

    return get


def bring(place: str, what: str) -> Any:
    """Import ``module:Name`` that the user names, also from the folder in which the command was given.

    Raises ConfigError that says what is missing. Only what a person typed may come here, never what a file says.
    """
    module_name, _, name = place.partition(":")
    if not module_name or module_name.startswith(".") or not name:
        raise ConfigError(f"Your own {what} is named as module:Name, such as mine:My{what.title()}. Got '{place}'.")
    with _folder_of_the_command():
        try:
            module = import_module(module_name)
        except ModuleNotFoundError as fault:
            if fault.name != module_name and not module_name.startswith(f"{fault.name}."):
                raise  # a module that the user's own module asks for
            raise ConfigError(
                f"There is no module '{module_name}' for the {what} '{place}' in this folder or installed."
            ) from None
    if not hasattr(module, name):
        raise ConfigError(f"The module '{module_name}' has no '{name}'.{nearest(name, vars(module))}")
    return getattr(module, name)


@contextmanager
def _folder_of_the_command() -> Iterator[None]:
    here = str(Path.cwd())
    if here in sys.path:
        yield
        return
    sys.path.insert(0, here)
    try:
        yield
    finally:
        sys.path.remove(here)
