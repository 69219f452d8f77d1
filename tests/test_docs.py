"""What the documents say is so: their code runs, their links lead somewhere, their names exist."""

import ast
import itertools
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import click
import pytest

import recurra
from recurra.attention import ATTENTIONS
from recurra.cells import CELLS
from recurra.cli import app as cli
from recurra.cli.flags import PARTS
from recurra.settings.model import CELL_NAMES
from recurra.tasks import TASKS, parts_of

ROOT = Path(__file__).parent.parent
ENGLISH, CHINESE, CONTRIBUTING = ROOT / "README.md", ROOT / "README.zh-CN.md", ROOT / "CONTRIBUTING.md"
READMES = (ENGLISH, CHINESE)
DOCUMENTS = (*READMES, CONTRIBUTING, ROOT / "CHANGELOG.md")

each_readme = pytest.mark.parametrize("path", READMES, ids=lambda path: path.name)
each_document = pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)


class Block(NamedTuple):
    """A fenced block of a document."""

    language: str
    text: str
    before: str  # all that stands between it and the block before it


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def blocks(path: Path) -> list[Block]:
    found, last, text = [], 0, read(path)
    for match in re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        found.append(Block(match[1], match[2], text[last : match.start()]))
        last = match.end()
    return found


def lines_of(text: str) -> list[str]:
    """The lines of a shell block without comments."""
    bare = [re.sub(r"(^|\s)#.*", "", line).strip() for line in text.splitlines()]
    return [line for line in bare if line]


# The code runs.


def run_block(block: Block, names: dict[str, Any]) -> None:
    """Run Python in ``names``, commands by the command line, and put settings into the file that they name."""
    if block.language == "python":
        exec(compile(block.text, "README.md", "exec"), names)
    elif block.language == "toml":
        Path(block.text.splitlines()[0].removeprefix("# ")).write_text(block.text, encoding="utf-8")
    elif block.language == "bash":
        for line in lines_of(block.text):
            program, *arguments = shlex.split(line)
            assert program == "recurra", line
            cli.main(arguments)
    else:
        targets = re.findall(r"^(\w+):", read(ROOT / "Makefile"), re.MULTILINE)
        for line in lines_of(block.text):
            assert line.removeprefix("make ") in targets, line


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*treespec:FutureWarning")  # the exporter of torch warns of itself
def test_the_tour_runs_as_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every block of the README in its order, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "tour"}
    for block in blocks(ENGLISH):
        run_block(block, names)
    said = capsys.readouterr().out
    assert "yhat-lo-80,yhat-hi-80,yhat-lo-90,yhat-hi-90" in said and "Kept:" in said
    assert len(Path("forecast.csv").read_text().splitlines()) == 1 + 3
    listed = set(re.findall(r"^\| `([\w.]+\.\w+)` \|", read(ENGLISH), re.MULTILINE))
    there = {path.name for path in Path("runs/compare").iterdir()} | {"checkpoint.safetensors"}
    assert listed == there, "the table of what is in a run folder"
    assert list(names["forecast"].columns) == named_in_comment("predict")
    assert list(names["looked"].columns) == named_in_comment("attention_table")


def named_in_comment(method: str) -> list[str]:
    """The columns that the comment behind a call in the README names."""
    comment = re.search(rf"\.{method}\(\)  # ([\w, -]+)", read(ENGLISH))
    assert comment, method
    return comment[1].split(", ")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["forecast", "reverse"])
def test_example_runs(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(ROOT / "examples" / f"{name}.py"), run_name="__main__")
    assert {"forecast": "mean absolute error", "reverse": "100% of the symbols"}[name] in capsys.readouterr().out
    assert name in read(ENGLISH), "the README names it"


def test_no_example_is_forgotten() -> None:
    assert {path.stem for path in (ROOT / "examples").glob("*.py")} == {"forecast", "reverse"}


# The recipes of CONTRIBUTING.


def section(title: str) -> list[Block]:
    """The blocks under one heading; what stands before the first of them begins at the heading."""
    parts = re.split(r"^## ", read(CONTRIBUTING), flags=re.MULTILINE)
    text = next(part for part in parts if part.startswith(f"{title}\n"))
    return [block for block in blocks(CONTRIBUTING) if block.text in text]


def follow(recipe: list[Block], tree: Path) -> None:
    """Do in ``tree`` what a recipe says: each block goes where the last file that was named before it is."""
    path = tree
    for block in recipe:
        named = re.findall(r"`((?:src|tests)/[\w/]+\.py)`", block.before)
        path = tree / named[-1] if named else path
        if block.language == "diff":
            changes = block.text.splitlines()
            old = "\n".join(line[1:] for line in changes if not line.startswith("+"))
            new = "\n".join(line[1:] for line in changes if not line.startswith("-"))
            text = read(path)
            assert text.count(old) == 1, f"{path.name} does not have, or has twice:\n{old}"
            path.write_text(text.replace(old, new), encoding="utf-8")
        elif path.exists():
            path.write_text(f"{read(path)}\n\n{block.text}", encoding="utf-8")
        else:
            path.write_text(block.text, encoding="utf-8")


BY_NAME = """
import numpy as np
import pandas as pd

import recurra
from recurra import Forecaster


def test_minimal_and_distance_by_name() -> None:
    assert recurra.__file__.startswith({root!r})
    table = pd.DataFrame({{"ds": pd.date_range("2024-01-01", periods=90), "y": np.arange(90) % 7.0}})
    quick = {{"hidden_size": 8, "max_epochs": 1, "epoch_steps": 2}}
    forecaster = Forecaster(horizon=7, cell="minimal,gru", attention="distance", **quick)
    assert len(forecaster.fit(table).predict()) == 7
"""


@pytest.mark.slow
def test_recipes_for_a_cell_and_an_attention(tmp_path: Path) -> None:
    """Followed on a copy of the tree; the laws, the oracles and the forecaster of the copy then know both."""
    for name in ("src", "tests"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", "golden"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    follow(section("Add a cell"), tmp_path)
    follow(section("Add an attention"), tmp_path)
    (tmp_path / "tests" / "test_by_name.py").write_text(BY_NAME.format(root=str(tmp_path)), encoding="utf-8")
    files = ["cells", "attention", "attention_oracles", "architecture", "by_name"]
    wanted = "minimal or distance or test_every_cell_has_an_oracle or settings_name"
    command = [sys.executable, "-m", "pytest", "-k", wanted, "-p", "no:cacheprovider", "-p", "no:xdist"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        [*command, *[f"tests/test_{name}.py" for name in files]],
        cwd=tmp_path,
        env=environment | {"PYTHONPATH": str(tmp_path / "src"), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed and int(passed[1]) > 40, done.stdout


@pytest.mark.skipif(shutil.which("c++") is None, reason="there is no C++ compiler here")
def test_recipe_for_a_kernel(tmp_path: Path) -> None:
    """The struct and its place go where the recipe says, and compile; what a kernel computes, test_native.py checks."""
    (struct,) = [block for block in section("Give a cell a native kernel") if block.language == "cpp"]
    shutil.copytree(ROOT / "native", tmp_path, dirs_exist_ok=True)
    cells = tmp_path / "cells.h"
    (start,) = re.findall(r"`(using Cells = List<\w+, )…`", read(CONTRIBUTING))
    listed, comment = "using Cells = List<", "// Every cell there is."
    assert start.startswith(listed) and {listed, comment} <= set(re.findall(f"{listed}|{comment}", read(cells)))
    text = read(cells).replace(comment, f"{struct.text}\n{comment}").replace(listed, start)
    cells.write_text(text, encoding="utf-8")
    command = ["c++", "-std=c++17", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-DRECURRA_ISA=plain", "isa.cpp"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_recipe_for_training_anything(capsys: pytest.CaptureFixture[str]) -> None:
    (block,) = [block for block in section("Train anything") if block.language == "python"]
    exec(compile(block.text, "CONTRIBUTING.md", "exec"), {"__name__": "recipe"})
    assert "accuracy" in capsys.readouterr().out


# Both languages say the same.


def essence(block: Block) -> tuple[str, str]:
    """A block without its comments, which are in the reader's language."""
    if block.language == "python":
        return block.language, ast.dump(ast.parse(block.text))
    return block.language, "\n".join(lines_of(block.text))


def test_both_readmes_have_the_same_code() -> None:
    ours, theirs = ([essence(block) for block in blocks(path)] for path in READMES)
    assert [language for language, _ in ours] == [language for language, _ in theirs]
    for one, other in zip(ours, theirs, strict=True):
        assert one == other


def test_both_readmes_have_the_same_tables() -> None:
    """The same first columns, in the same order."""
    ours, theirs = (re.findall(r"^\| (`[^|]+`) \|", read(path), re.MULTILINE) for path in READMES)
    assert ours == theirs


# Names exist.


def flags() -> set[str]:
    """Every flag of every verb, for every kind of task."""
    found = {"--help", "--version"}
    for command, task in itertools.product(cli.recurra.commands.values(), TASKS):
        context = click.Context(command)
        context.meta[PARTS] = parts_of(task)
        for parameter in command.get_params(context):
            found |= {*parameter.opts, *parameter.secondary_opts}
    return found


@each_document
def test_every_flag_exists(path: Path) -> None:
    used = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", read(path)))
    assert used - flags() == set()


def table_under(path: Path, flag: str) -> list[str]:
    """The first column of the table whose heading is ``flag``."""
    rows = read(path).split(f"| `{flag}` |", 1)[1].split("\n\n", 1)[0].splitlines()[2:]
    return [row.split("`")[1] for row in rows]


@each_readme
def test_tables_name_what_there_is(path: Path) -> None:
    assert table_under(path, "--cell") == list(CELLS)
    assert table_under(path, "--attention") == list(ATTENTIONS)
    if path is ENGLISH:
        lines = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", read(path), re.MULTILINE))
        for table in (CELLS, ATTENTIONS):
            assert {name: lines[name] for name in table} == {name: one.line for name, one in table.entries.items()}
    verbs = set(re.findall(r"(?:^|`)recurra ([a-z]+)\b", read(path), re.MULTILINE))
    assert verbs <= set(cli.recurra.commands)
    assert {f"`{name}`" for name in (*CELL_NAMES, *ATTENTIONS)} <= set(re.findall(r"`\w+`", read(path)))


@pytest.mark.parametrize("path", (*READMES, CONTRIBUTING), ids=lambda path: path.name)  # the past has its own counts
def test_counts_are_right(path: Path) -> None:
    counts = {"cells": len(CELLS), "attentions": len(ATTENTIONS), "种单元": len(CELLS), "种注意力": len(ATTENTIONS)}
    found = re.findall(r"(\d+) (cells|attentions|种单元|种注意力)", read(path))
    assert path is CONTRIBUTING or {counts[what] for _, what in found} == {len(CELLS), len(ATTENTIONS)}
    for number, what in found:
        assert int(number) == counts[what], f"{number} {what}"


def anchors(path: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```$", "", read(path), flags=re.M | re.S), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@each_document
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", read(path)):
        if target.startswith("https://"):
            continue
        name, _, anchor = target.partition("#")
        linked = path.parent / name if name else path
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked), target


def test_contributing_has_a_line_for_every_file() -> None:
    named = re.findall(r"^\| `([\w/.]+)` \|", read(CONTRIBUTING), re.MULTILINE)
    for name in named:
        assert (ROOT / name).exists(), name
    package = ROOT / "src" / "recurra"
    for path in package.iterdir():
        kept = path.suffix == ".py" or (path.is_dir() and any(path.glob("*.py")))
        name = path.relative_to(ROOT).as_posix() + "/" * path.is_dir()
        assert not kept or name in named, f"{name} needs a line in CONTRIBUTING.md"


def test_changelog_names_this_version() -> None:
    assert f"## [{recurra.__version__}]" in read(ROOT / "CHANGELOG.md")


def test_the_picture_is_small() -> None:
    assert (ROOT / "docs" / "report.png").stat().st_size < 300_000


@each_document
def test_documents_speak_of_the_project_alone(path: Path) -> None:
    text = read(path).lower()
    for word in ("/home/", "/tmp/", "/Users/", "localhost"):
        assert word not in text


# That these tests can fail.


def test_blocks_and_comments_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "some.md"
    path.write_text("a\n\n```python\nx = 1  # one\n```\n\nb\n\n```\nmake demo  # now\n```\n", encoding="utf-8")
    first, second = blocks(path)
    assert first == Block("python", "x = 1  # one\n", "a\n\n") and second.before == "\n\nb\n\n"
    assert lines_of(f"# say\n{second.text}make test\n") == ["make demo", "make test"]
    assert essence(first) == essence(Block("python", "x = 1  # 一\n", "")) != essence(Block("python", "x = 2\n", ""))


def test_a_recipe_that_no_longer_fits_is_found(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a.py").write_text("x = 1\ny = 3\n", encoding="utf-8")
    follow([Block("diff", " x = 1\n+x = 2\n y = 3\n", "in `src/a.py`")], tmp_path)
    assert (tmp_path / "src" / "a.py").read_text(encoding="utf-8") == "x = 1\nx = 2\ny = 3\n"
    with pytest.raises(AssertionError, match="does not have"):
        follow([Block("diff", " x = 1\n-y = 3\n", "in `src/a.py`")], tmp_path)
