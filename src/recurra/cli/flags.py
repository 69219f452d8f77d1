"""The flags of the command line: one for every setting, made from it, and those that verbs share."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ..settings.config import allowed_types, fields, make_config, read_toml

TITLES = {"forecast": "Forecast", "model": "Model", "training": "Training"}


class SettingsCommand(click.Command):
    """A command whose help shows the settings part by part."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the verb's own options first, then each part of the settings."""
        groups: dict[str, list[tuple[str, str]]] = {"Options": []}
        parts = {name: TITLES[part] for name, (part, _) in fields().items()}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                groups.setdefault(parts.get(parameter.name or "", "Options"), []).append(record)
        for title, records in groups.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


def settings_options(skip: tuple[str, ...] = ()) -> Callable[[Any], Any]:
    """Give a command a flag for every setting but those in ``skip``."""

    def decorate(command: Any) -> Any:
        for name, (_, field) in reversed(fields().items()):
            if name not in skip:
                command = _option(name, field)(command)
        return command

    return decorate


def _option(name: str, field: Any) -> Callable[[Any], Any]:
    flag = f"--{name.replace('_', '-')}"
    choices = field.metadata["choices"]
    text = field.metadata["help"] + (f": {', '.join(choices)}" if choices else "")
    default = ",".join(map(str, field.default)) if isinstance(field.default, tuple) else field.default
    shown = "" if default is None else f"  [{default}]"
    if bool in allowed_types(field):
        return click.option(f"{flag}/--no-{flag[2:]}", name, default=None, help=text + shown)
    return click.option(flag, name, default=None, metavar="VALUE", help=text + shown)


def given(flags: dict[str, Any], config: str | None) -> dict[str, Any]:
    """Return the settings of a file and of the flags; a flag wins."""
    settings = read_toml(Path(config)) if config else {}
    return settings | {name: value for name, value in flags.items() if value is not None}


def checked_settings(settings: dict[str, Any]) -> dict[str, Any]:
    """Return ``settings`` in their types; raises one error that lists every fault."""
    flat = make_config(settings).flat()
    return {name: flat[name] for name in settings}


config_option = click.option("--config", metavar="FILE", help="a TOML file of settings; flags win over it")
json_option = click.option("--json", "as_json", is_flag=True, help="print the result as one JSON value to stdout")
out_option = click.option("--out", metavar="FOLDER", help="the run folder; a fresh one under runs/ if not given")
overwrite_option = click.option("--overwrite", is_flag=True, help="replace the run in the output folder")
test_option = click.option(
    "--test-size", type=click.IntRange(min=0), help="last rows held out to judge the model; a tenth if not given"
)
rows_option = click.option("--max-rows", type=click.IntRange(min=1), help="use only the first rows of each series")
