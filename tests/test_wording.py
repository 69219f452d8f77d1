"""Messages in the words of the command line: every argument of the package has its flag, and nothing else changes."""

import re
from typing import Any

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.cli import app as cli
from recurra.cli.flags import PARTS, spoken
from recurra.cli.wording import in_flags
from recurra.errors import ConfigError
from recurra.settings import settings_of
from recurra.settings.asked import CompareAsked
from recurra.tasks import TASKS, parts_of

VERBS = ("train", "compare", "predict", "evaluate", "report")


def say(text: str, verb: str = "train", task: str = "forecast") -> str:
    """What a verb says where the package says ``text``."""
    command = cli.recurra.commands[verb]
    with click.Context(command, info_name=verb) as ctx:
        ctx.meta[PARTS] = parts_of(task)
        return spoken(text)


SETTINGS = [
    (task, name, one)
    for task in TASKS
    for name, one in (parts_of(task).settings() | settings_of(CompareAsked)).items()
    if name != "data"  # the one that is no flag
]


@pytest.mark.parametrize(("task", "name", "one"), SETTINGS, ids=[f"{task}-{name}" for task, name, _ in SETTINGS])
def test_every_setting_has_its_flag(task: str, name: str, one: Any) -> None:
    verb = "compare" if name in settings_of(CompareAsked) else "train"
    flag = f"--{name.replace('_', '-')}"
    said = say(f"Name it with {name}=, or leave {name}= out ({name}=).", verb, task)
    assert said == f"Name it with {flag}, or leave {flag} out ({flag})."
    if bool in one.kinds:
        assert say(f"{name}=True is one, {name}=False.", verb, task) == f"{flag} is one, --no-{flag[2:]}."
    elif one.choices:
        for choice in one.choices:
            assert say(f"Use {name}='{choice}'.", verb, task) == f"Use {flag} {choice}."
    else:
        assert say(f"Use {name}=12.5, not {name}='a b'.", verb, task) == f"Use {flag} 12.5, not {flag} 'a b'."
    assert say(f"{name} must be 3.\n{name} must not.", verb, task) == f"{flag} must be 3.\n{flag} must not."


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("task", TASKS)
def test_every_flag_of_a_verb_is_the_one_it_has(verb: str, task: str) -> None:
    """What is said can be typed: the verb, or the one that trained, takes it."""
    flags = set()
    for command in (cli.recurra.commands[verb], cli.recurra.commands["train"]):
        ctx = click.Context(command, info_name=verb)
        ctx.meta[PARTS] = parts_of(task)
        flags |= {opt for one in command.get_params(ctx) for opt in (*one.opts, *one.secondary_opts)}
    for name in (*parts_of(task).settings(), "cells", "attentions", "overwrite", "test_size"):
        for flag in re.findall(r"--[\w-]+", say(f"Use {name}=3.", verb, task)):
            assert flag in flags, name


@pytest.mark.parametrize(
    ("argument", "flag"),
    [
        ("Too long: use season=7.", "Too long: use --season 7."),
        ("with learning_rate=1e-05, clip_norm=0.5.", "with --learning-rate 1e-05, --clip-norm 0.5."),
        ("levels=(80, 90) and levels=[50]", "--levels 80,90 and --levels 50"),
        ("target=['a b', 'c']", "--target 'a b,c'"),
        ("cell='lstm/gru' is a stack", "--cell lstm/gru is a stack"),
        ("give cell=mine.MyCell.", "give --cell mine:MyCell."),
        ("with cells=[some.where.MyCell].", "with --cell some.where:MyCell."),
        ("For labels use Classifier.", "For labels use --task classify."),
        ("The columns are: Classifier, x.", "The columns are: Classifier, x."),
        ("the column 'time=3' and its \"id=2\"", "the column 'time=3' and its \"id=2\""),
        ("my_season=7 re.season=7 seasons=3", "my_season=7 re.season=7 seasons=3"),
        ("no must", "no must"),
        ("a season must be", "a season must be"),
    ],
)
def test_sentences(argument: str, flag: str) -> None:
    assert say(argument) == flag


def test_a_cell_of_ones_own_in_every_verb() -> None:
    for verb in ("train", "predict", "evaluate", "report"):
        assert say("cells=[mine.MyCell]", verb) == "--cell mine:MyCell"
    assert say("cells=[mine.MyCell] cell='gru'", "compare") == "--cells mine:MyCell --cells gru"


def test_bench_and_demo_speak_of_flags() -> None:
    assert say("or anyway=True, or overwrite=True", "bench") == "or --anyway, or --overwrite"
    assert say("or overwrite=True", "demo") == "or --overwrite"


@given(st.text())
def test_text_without_arguments_stays(text: str) -> None:
    options = {"time": click.Option(["--time"]), "log": click.Option(["--log/--no-log"])}
    if not re.search(r"(time|log)=|^(time|log) must ", text, re.MULTILINE):
        assert in_flags(text, options, {}) == text
    assert in_flags(text, {}, {}) == text


def test_outside_a_command_nothing_changes() -> None:
    assert spoken("season=7") == "season=7"


def test_the_kind_of_an_error_stays() -> None:
    @click.command(cls=type(cli.recurra.commands["bench"]))
    @click.option("--size")
    def verb(size: str) -> None:
        raise ConfigError("Give size=3.")

    with pytest.raises(ConfigError, match=r"^Give --size 3\.$"):
        verb.main([], standalone_mode=False)
