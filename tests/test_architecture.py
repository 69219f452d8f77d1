"""Imports run one way, the core knows nothing of any one task, and the settings name what there is."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import recurra
from recurra.attention import ATTENTIONS
from recurra.cells import CELLS
from recurra.nn.scan import ENGINES
from recurra.settings.config import ATTENTION_NAMES, CELL_NAMES, fields

SOURCE = Path(recurra.__file__).parent

# The floors of the house, from the ground up; a folder stands for all modules in it. A module may import from the
# floors below its own, and modules of one folder from each other.
FLOORS = (
    ("errors",),
    ("atomic", "numbers", "random", "registry"),
    ("attention", "cells", "data"),
    ("settings",),
    ("compare", "nn"),
    ("report", "training"),
    ("bench", "tasks"),
    ("verbs",),
    ("cli",),
)
PLACE = {name: floor for floor, names in enumerate(FLOORS) for name in names}


def modules() -> dict[str, Path]:
    """Every module of the package by its name below it; the package's own ``__init__`` is not one of them."""
    named = {}
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        if name and name != "__main__":
            named[name] = path
    return named


MODULES = modules()


def is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def statements(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes, those inside functions too, but not what only a type checker reads."""
    for node in ast.iter_child_nodes(tree):
        if not is_for_types(node):
            yield node
            yield from statements(node)


def resolve(name: str) -> str | None:
    """The module that a dotted name inside the package is, or is in."""
    while name and name not in MODULES:
        name = name.rpartition(".")[0]
    return name or None


def imports_in(name: str, source: str, is_package: bool) -> set[str]:
    """The modules of the package that the ``source`` of module ``name`` imports."""
    found = set()
    home = ["recurra", *name.split(".")]
    home = home if is_package else home[:-1]
    for node in statements(ast.parse(source)):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = home[: len(home) - node.level + 1] if node.level else []
            whole = ".".join([*base, *([node.module] if node.module else [])])
            targets = [f"{whole}.{alias.name}" for alias in node.names]
        else:
            continue
        inside = [target.removeprefix("recurra.") for target in targets if target.startswith("recurra.")]
        found |= {module for target in inside if (module := resolve(target))}
    return found - {name}


def imports_of(name: str) -> set[str]:
    path = MODULES[name]
    return imports_in(name, path.read_text(encoding="utf-8"), path.name == "__init__.py")


GRAPH = {name: imports_of(name) for name in MODULES}


def place(name: str) -> int:
    top = name.split(".", maxsplit=1)[0]
    assert top in PLACE, f"{name} has no place: write it into FLOORS in {Path(__file__).name}"
    return PLACE[top]


def wrong_way(graph: dict[str, set[str]]) -> list[str]:
    return [
        f"{name} imports {other}"
        for name, others in graph.items()
        for other in sorted(others)
        if name.split(".")[0] != other.split(".")[0] and place(other) >= place(name)
    ]


def cycle(graph: dict[str, set[str]]) -> list[str]:
    """One way round in circles, or nothing."""
    done: set[str] = set()

    def walk(name: str, path: list[str]) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return []
        for other in sorted(graph[name]):
            if found := walk(other, [*path, name]):
                return found
        done.add(name)
        return []

    return next((found for name in sorted(graph) if (found := walk(name, []))), [])


def test_imports_run_one_way() -> None:
    assert wrong_way(GRAPH) == []


def test_no_circles() -> None:
    assert cycle(GRAPH) == []


def test_leaves_import_errors_and_random_numbers_alone() -> None:
    for name, others in GRAPH.items():
        top = name.split(".")[0]
        if place(name) <= 1 or top in ("attention", "cells", "data"):
            assert {other for other in others if other.split(".")[0] != top} <= {"errors", "random"}, name


# What knows of one kind of task; nothing else may.
OWN = ("tasks.forecast", "data.series")


@pytest.mark.parametrize("name", sorted(n for n in MODULES if n.split(".")[0] not in ("tasks", "verbs", "cli")))
def test_what_is_shared_knows_no_task(name: str) -> None:
    assert not [other for other in imports_of(name) if other.startswith("tasks.")]


def test_names_become_objects_in_one_place() -> None:
    """Only ``build`` looks cells and attentions up by the names in the settings."""
    tables = {"CELLS", "ATTENTIONS"}
    for name, path in MODULES.items():
        if name.split(".")[0] in ("cells", "attention") or name in ("nn.build", "verbs.doctor"):
            continue
        read = {
            node.value.id
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name)
        }
        assert not read & tables, f"{name} looks up {read & tables}"


def test_there_is_one_loop_over_time() -> None:
    """Outside ``scan``, nobody steps a cell but the decoder, which must choose what it reads next."""
    for name in ("nn.layers", "nn.namesakes", "training.loop"):
        assert ".step(" not in MODULES[name].read_text(encoding="utf-8").replace("optimiser.step(", ""), name


def test_settings_name_what_there_is() -> None:
    assert set(CELL_NAMES) == set(CELLS) and len(CELL_NAMES) == len(CELLS)
    assert set(ATTENTION_NAMES) == {"none", *ATTENTIONS} and len(ATTENTION_NAMES) == len(ATTENTIONS) + 1
    engines = fields()["engine"][1].metadata["choices"]
    assert set(engines) == {"auto", *ENGINES}


# That these tests can fail.


def test_the_reader_of_imports_finds_every_form() -> None:
    source = """
import recurra.cells
from recurra.nn.scan import scan
from ..errors import pick
from ..nn import heads
from . import lstm
def later():
    from ..nn.layers import Recurrent
if TYPE_CHECKING:
    from ..training.loop import fit
import torch
"""
    expected = {"cells", "nn.scan", "errors", "nn.heads", "cells.lstm", "nn.layers"}
    assert imports_in("cells.gru", source, is_package=False) == expected
    assert imports_in("cells", "from .lstm import LSTMCell", is_package=True) == {"cells.lstm"}


def test_the_rules_find_what_breaks_them() -> None:
    assert wrong_way({"nn.scan": {"training.loop"}, "training.loop": {"nn.scan"}}) == ["nn.scan imports training.loop"]
    assert wrong_way({"compare": {"nn.heads"}}) == ["compare imports nn.heads"]
    assert wrong_way({"data.tables.files": {"data.batch"}, "training.loop": {"settings.config"}}) == []
    assert cycle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert cycle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []
    assert "cells.gru" in MODULES and GRAPH["nn.scan"] >= {"cells.base", "errors"}
