"""The flags of the command line: one for every setting, made from it, and those that verbs share.

Which settings there are depends on the kind of task, so a command line is read twice: first for the task, then whole.
"""

import os
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from ..attention import ATTENTIONS
from ..cells import CELLS
from ..errors import ConfigError, RecurraError
from ..registry import bring
from ..settings import (
    CompareAsked,
    Parts,
    Setting,
    TrainAsked,
    TuneAsked,
    check_all,
    described,
    make_part,
    read_toml,
    settings_of,
    split,
)
from ..tasks import TASKS, parts_of
from ..writing.language import ENGLISH, LANGUAGES, translated
from .wording import in_flags

DEFAULT = "forecast"
PARTS = "recurra.parts"  # under which the parts of the task are kept while a command runs


LANGUAGE = "--lang"  # read before all else, so that help and errors speak it, too


def lang_option() -> click.Option:
    """Return the flag of the language, for the help: its value was read already."""
    names = ", ".join(f"{name} ({called})" for name, called in LANGUAGES.items())
    said = f"the language of messages and pages: {names}"
    return click.Option([LANGUAGE], expose_value=False, metavar="NAME", help=said)


class Verb(click.Command):
    """A command whose errors speak of flags."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Return the parameters, and last the language, which was read already."""
        *own, help = super().get_params(ctx)
        return [*own, lang_option(), help]

    def get_short_help_str(self, limit: int = 45) -> str:
        """Return what the command does in a sentence, as long as it is: half of one cannot be translated."""
        return translated(super().get_short_help_str(max(limit, len(self.help or ""))))

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except RecurraError as fault:
            fault.args = (spoken(str(fault)),)
            raise


def spoken(text: str) -> str:
    """Return a message of the package in the words of the command that runs, its flags instead of arguments."""
    ctx = click.get_current_context(silent=True)
    if ctx is None:
        return translated(text)
    settings = [_option(setting) for setting in parts_in(ctx).settings().values()]
    own = {one.name: one for one in ctx.command.get_params(ctx) if isinstance(one, click.Option) and one.name}
    options = {one.name: one for one in settings if one.name} | own
    for name in ("cell", "attention"):  # what one verb calls a cell is cells to another
        options |= {one: own[same] for same in (name, f"{name}s") if same in own for one in (name, f"{name}s")}
    return in_flags(translated(text), options, {parts_of(task).estimator: task for task in TASKS})


class TaskCommand(Verb):
    """A command whose flags depend on the kind of task that the command line, or a run named in it, is about.

    There is one for each of the ``settings`` of the task, and for what the verb is ``asked`` besides.
    """

    def __init__(
        self,
        *args: Any,
        settings: Callable[[Parts], dict[str, Setting]],
        asked: Mapping[str, Setting] | None = None,
        default: str = DEFAULT,
        **named: Any,
    ):
        super().__init__(*args, **named)
        self.settings, self.asked, self.default = settings, asked or {}, default

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Find out the task, then read everything."""
        parts = parts_of(task_in(args, any(parameter.name == "run" for parameter in self.params)) or self.default)
        ctx.meta[PARTS] = parts
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as fault:
            name = fault.option_name.lstrip("-").replace("-", "_")
            home = next((task for task in TASKS if name in self.settings(parts_of(task))), None)
            if home is None or name in self.settings(parts):
                raise
            said = f"{fault.option_name} is for the task '{home}', and this is of the task '{parts.name}'."
            raise click.UsageError(said, ctx) from None

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """Return the verb's own parameters and those of the settings."""
        own = [*super().get_params(ctx)]
        taken = {parameter.name for parameter in own}
        own[-2:-2] = [_option(setting) for name, setting in self.asked.items() if name not in taken]
        taken |= {*self.asked}
        settings = self.settings(parts_in(ctx))
        for name in settings:
            if name in taken:
                raise ConfigError(f"The task's setting '{name}' has the name of a flag of 'recurra {ctx.info_name}'.")
        return [*own, *(_option(setting) for setting in settings.values())]

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what the verb does, and what the data of this task are."""
        super().format_help_text(ctx, formatter)
        text = parts_in(ctx).data
        if text:
            formatter.write_paragraph()
            with formatter.indentation():
                formatter.write_text(text)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the verb's own options first, then each part of the settings."""
        parts = parts_in(ctx)
        groups: dict[str, list[tuple[str, str]]] = {"Options": []}
        home = parts.part_of()
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None and isinstance(parameter, click.Option):
                title = home.get(parameter.name or "", "options").capitalize()
                groups.setdefault(title, []).append(record)
        for title, records in groups.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


def parts_in(ctx: click.Context) -> Parts:
    """Return the parts of the task that the command is about."""
    parts: Parts = ctx.meta.get(PARTS) or parts_of(DEFAULT)
    return parts


def task_in(args: list[str], about_run: bool = False) -> str:
    """Return the task that a command line names: by --task, or by the run that it is about; empty if it does not.

    The run may stand behind flags if the verb is one ``about_run``s.
    """
    file = _peeked(_value_of("--config", args))
    named = _value_of("--task", args) or file.get("task")
    if isinstance(named, str):
        return named
    resumed = _value_of("--resume", args) or file.get("resume")
    before = resumed or _value_of("--fine-tune", args) or file.get("fine_tune")
    places = (
        [before]
        if isinstance(before, str)
        else [arg for arg in (args if about_run else args[:1]) if not arg.startswith("-")]
    )
    for place in places:
        task = _task_of_run(Path(place), unfinished=resumed is not None)
        if task is not None:
            return task
    return ""


def language_in(args: list[str]) -> str:
    """Return the language that a command line, its settings file or the environment asks for; else English."""
    named = _value_of(LANGUAGE, args) or _peeked(_value_of("--config", args)).get("lang")
    return str(named or os.environ.get("RECURRA_LANG") or ENGLISH)


def _value_of(flag: str, args: list[str]) -> str | None:
    for place, arg in enumerate(args):
        if arg.startswith(f"{flag}="):
            return arg.partition("=")[2]
        if arg == flag and place + 1 < len(args):
            return args[place + 1]
    return None


def _peeked(config: str | None) -> dict[str, Any]:
    """Return what a settings file holds; what is wrong with it the verb itself says."""
    try:
        return {} if config is None else tomllib.loads(Path(config).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _task_of_run(folder: Path, unfinished: bool) -> str | None:
    """Return the task of the run in ``folder``, if it is one of ours; the verb itself says what is wrong with a run."""
    if not folder.is_dir():
        return None
    from ..training.runs import read_task

    try:
        task = read_task(folder, unfinished)
    except RecurraError:
        return None
    return task if task in TASKS else None


def train_settings(parts: Parts) -> dict[str, Setting]:
    """Return every setting: what a training may be told."""
    return parts.settings()


def compare_settings(parts: Parts) -> dict[str, Setting]:
    """Return the settings that all models of a comparison share."""
    return {name: one for name, one in parts.settings().items() if name not in ("cell", "attention")}


def predict_settings(parts: Parts) -> dict[str, Setting]:
    """Return what an answer may be asked for."""
    return settings_of(parts.predict)


def evaluate_settings(parts: Parts) -> dict[str, Setting]:
    """Return how a run may be judged."""
    return settings_of(parts.evaluate)


def backtest_settings(parts: Parts) -> dict[str, Setting]:
    """Return from where a run may be tested anew."""
    return settings_of(parts.backtest)


def report_settings(parts: Parts) -> dict[str, Setting]:
    """Return what a report may show."""
    return settings_of(parts.report)


def generate_settings(parts: Parts) -> dict[str, Setting]:
    """Return how a text may be written."""
    return settings_of(parts.generate)


def _option(setting: Setting) -> click.Option:
    flag = f"--{setting.name.replace('_', '-')}"
    text = described(setting)
    if bool in setting.kinds:
        return click.Option([f"{flag}/--no-{flag[2:]}", setting.name], default=None, help=text)
    return click.Option([flag, setting.name], default=None, metavar=setting.metavar, help=text)


def given(
    flags: Mapping[str, Any], config: str | None, parts: Parts, part: type
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what a verb is asked, of what its ``part`` knows, and the settings, from a file and from the flags.

    A flag wins. All faults come at once. A file may hold what other verbs are asked.
    """
    own, settings = settings_of(part), parts.settings()
    held, wrong = _held(config, parts, own | settings) if config else ({}, [])
    typed, more = check_all(own | settings, _brought(flags, settings))
    if wrong or more:
        raise ConfigError("\n".join([*wrong, *more]))
    found = held | typed
    asked, given = ({name: value for name, value in found.items() if name in known} for known in (own, settings))
    return asked, given


def recipe_in(config: str, parts: Parts) -> dict[str, Any]:
    """Return the settings in a file, without what verbs are asked besides."""
    held, wrong = _held(config, parts, parts.settings())
    if wrong:
        raise ConfigError("\n".join(wrong))
    return held


def _held(config: str, parts: Parts, known: Mapping[str, Setting]) -> tuple[dict[str, Any], list[str]]:
    """Return what a file holds of what is ``known``, and a sentence for every fault; verbs may ask for more."""
    asked = [
        name
        for one in (TrainAsked, CompareAsked, TuneAsked, parts.predict, parts.evaluate, parts.report, parts.generate)
        for name in settings_of(one)
    ]
    others = [*asked, LANGUAGE.lstrip("-")]
    try:
        held = read_toml(Path(config), parts, TASKS, [*known, *others])
    except ConfigError as fault:
        return {}, [str(fault)]
    found, faults = check_all(known, held, others)
    return found, [f"{config}: {fault}" for fault in faults]


def asked(flags: Mapping[str, Any], part: type) -> Any:
    """Return what a verb was asked besides the settings of the model."""
    return make_part(part, {name: value for name, value in flags.items() if value is not None})


def _brought(flags: Mapping[str, Any], settings: Mapping[str, Setting]) -> dict[str, Any]:
    """Return the flags that were given, with a class where one of the user's own is named ``module:Class``."""
    found = {}
    for name, value in flags.items():
        if value is None:
            continue
        named = name in settings and settings[name].members is not None
        found[name] = with_classes(value, settings[name]) if named else value
    return found


def with_classes(text: str, setting: Setting) -> Any:
    """Return the text of a cell, a stack or an attention; where one is ``module:Class`` its class is imported."""
    if ":" not in text or setting.members is None:
        return text
    members = tuple(own_class(one, setting.members.what) if ":" in one else one for one in split(setting, text))
    return members[0] if len(members) == 1 else members


def candidates_in(names: Sequence[str], typed: bool, setting: Setting) -> list[Any]:
    """Return what is to be compared, each once; only what a person ``typed`` may import a class."""
    once = dict.fromkeys(name for name in names if name)
    return [with_classes(name, setting) if typed else name for name in once]


def own_class(place: str, what: str) -> type:
    """Import a cell or an attention of the user's own; raises ConfigError if it is no class."""
    found = bring(place, what)
    if not isinstance(found, type):
        raise ConfigError(f"'{place}' is a {type(found).__name__}, where a class for the {what} is wanted.")
    return found


def members_in(cells: tuple[str, ...], attentions: tuple[str, ...]) -> Iterator[type]:
    """Import the classes of the user's own that a run was trained with, and that were named again."""
    for names, table in ((cells, CELLS), (attentions, ATTENTIONS)):
        for name in names:
            if name not in table:
                yield own_class(name, table.what)


data_argument = click.argument("data", required=False)
run_argument = click.argument("run")
task_option = click.option(
    "--task", metavar="NAME", help=f"the kind of task: {', '.join(TASKS)}, or module:Kind of your own  [{DEFAULT}]"
)
config_option = click.option(
    "--config", metavar="FILE", help="a TOML file of settings and of what else the verb takes; flags win"
)
json_option = click.option("--json", "as_json", is_flag=True, help="print the result as one JSON value to stdout")
out_option = click.option("--out", metavar="FOLDER", help="the run folder; a fresh one under runs/ if not given")
overwrite_option = click.option("--overwrite", is_flag=True, help="replace the run in the output folder")


def run_options(command: Any) -> Any:
    """Give a verb on a run what brings the user's own classes along."""
    for name in ("attention", "cell"):
        command = click.option(
            f"--{name}", f"{name}s", multiple=True, metavar="module:Class", help=f"your own {name} in the run"
        )(command)
    return task_option(command)
