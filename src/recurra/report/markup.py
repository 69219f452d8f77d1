"""The templates of the report: all HTML is in them, and what they are given is escaped there."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment

FOLDER = "templates"


def render(name: str, values: Mapping[str, Any]) -> str:
    """Return the template ``name`` filled with ``values``; one that it lacks is a fault."""
    return _environment().get_template(name).render(values)


def style() -> str:
    """Return the style of the page."""
    return files(__package__).joinpath(FOLDER, "page.css").read_text(encoding="utf-8")


def bound(text: str) -> str:
    """Return ``text`` with its percent signs kept on the line of their numbers."""
    return text.replace(" %", "\u00a0%")


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader(__package__, FOLDER),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["bound"] = bound
    return environment
