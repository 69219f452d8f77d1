"""Messages in the words of the command line: the package speaks of arguments, a person gave flags."""

import re
import shlex
from collections.abc import Mapping

import click

OWN = ("cell", "attention", "cells", "attentions")  # a class of the user's own is module:Class there
VALUE = r"'(?P<text>[^']*)'|\[(?P<list>[^\]]*)\]|\((?P<items>[^)]*)\)|(?P<bare>(?:[\w.,+/:-]*\w)?)"


def in_flags(text: str, options: Mapping[str, click.Option], tasks: Mapping[str, str]) -> str:
    """Return ``text`` with the flag of each of the ``options`` where its argument stands.

    ``season=7`` is ``--season 7``, ``log=False`` is ``--no-log``, ``time=`` is ``--time``. A line that begins with
    ``time must`` begins with ``--time must``. To use an estimator, by its name in ``tasks``, is to use its ``--task``.
    """
    names = "|".join(map(re.escape, options))
    for name, task in tasks.items():
        text = re.sub(rf"(\buse|使用) {name}\b", rf"\1 --task {task}", text)
    if not names:
        return text
    text = re.sub(rf"^({names})(?= must )", lambda found: _flag(options[found[1]]), text, flags=re.MULTILINE)
    return re.sub(rf"(?<![\w.'\"/-])(?P<name>{names})=(?:{VALUE})", lambda found: _given(options, found), text)


def _flag(option: click.Option) -> str:
    return option.opts[0]


def _given(options: Mapping[str, click.Option], found: re.Match[str]) -> str:
    """Return how an argument with its value is given on the command line."""
    option = options[found["name"]]
    value = next((found[kind] for kind in ("text", "list", "items", "bare") if found[kind] is not None), "")
    if option.is_flag and value in ("True", "False"):
        return (option.secondary_opts or ["no " + _flag(option)])[0] if value == "False" else _flag(option)
    if found["list"] is not None or found["items"] is not None:
        value = ",".join(one.strip().strip("'") for one in value.split(",") if one.strip())
    if found["name"] in OWN:
        value = re.sub(r"\b([A-Za-z_][\w.]*)\.(?=\w+(,|$))", r"\1:", value)
    return f"{_flag(option)} {shlex.quote(value)}" if value else _flag(option)
