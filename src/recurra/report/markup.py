"""The templates of the report: all HTML is in them, and what they are given is escaped there."""

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from ..writing.language import translated

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

FOLDER = "templates"
CODE = re.compile(r"`([^`]+)`")


def render(name: str, values: Mapping[str, Any]) -> str:
    """Return the template ``name`` filled with ``values``; one that it lacks is a fault."""
    return _environment().get_template(name).render(values)


def style() -> str:
    """Return the style of the page."""
    return files(__package__).joinpath(FOLDER, "page.css").read_text(encoding="utf-8")


def prose(text: str) -> "Markup":
    """Return plain ``text`` as HTML: percent signs stay with their numbers, `what can be copied` is set as code."""
    from markupsafe import Markup, escape

    bound = str(escape(text.replace(" %", "\u00a0%")))
    return Markup(CODE.sub(r"<code>\1</code>", bound))


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context

    environment = Environment(
        loader=PackageLoader(__package__, FOLDER),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["prose"] = prose
    # With the context, else a text would stay in the language in which the template was read first.
    environment.filters["translated"] = pass_context(lambda context, text: translated(text))
    return environment
