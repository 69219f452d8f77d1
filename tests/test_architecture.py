"""Imports run one way, the core knows nothing of any one task, and the settings name what there is."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import recurra
from recurra.attention import ATTENTIONS
from recurra.cells import CELLS
from recurra.nn.scan import ENGINES
from recurra.settings import ModelSettings, settings_of

SOURCE = Path(recurra.__file__).parent

# The floors of the house, from the ground up; a folder stands for all modules in it. A module may import from the
# floors below its own, and modules of one folder from each other.
FLOORS = (
    ("errors", "version"),
    ("native", "random", "registry", "writing"),
    ("attention", "cells", "data"),
    ("settings",),
    ("compare", "nn"),
    ("report", "training", "tuning"),
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


GROUND = {"errors", "native", "random", "registry"}


def test_leaves_import_the_ground_alone() -> None:
    for name, others in GRAPH.items():
        top = name.split(".")[0]
        if place(name) <= 1 or top in ("attention", "cells", "data"):
            assert {other.split(".")[0] for other in others} <= {top, *GROUND}, name


# What knows of one kind of task: its folder, and the data that only it reads.
ROOMS = tuple(f"tasks.{path.name}" for path in (SOURCE / "tasks").iterdir() if (path / "kind.py").exists())
WORDS = {"panel", "horizon", "season", "mase", "class_names"}  # of one kind each


def room_of(name: str) -> str | None:
    return next((room for room in ROOMS if name == room or name.startswith(f"{room}.")), None)


def strangers(graph: dict[str, set[str]]) -> list[str]:
    """What imports from a kind's folder without being in it."""
    return [
        f"{name} imports {other}"
        for name, others in graph.items()
        for other in sorted(others)
        if room_of(other) and room_of(name) != room_of(other)
    ]


def identifiers(source: str) -> set[str]:
    """All names that a module uses or gives: variables, attributes, arguments, keywords."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        parts = (getattr(node, field, None) for field in ("id", "attr", "arg", "name"))
        found |= {part for part in parts if isinstance(part, str)}
    return found


def test_nothing_outside_a_kind_imports_from_it() -> None:
    assert len(ROOMS) >= 2
    assert strangers(GRAPH) == []


def test_nothing_outside_a_kind_speaks_its_words() -> None:
    for name, path in MODULES.items():
        if not name.startswith(("tasks.", "data.series")):
            assert not identifiers(path.read_text(encoding="utf-8")) & WORDS, name


def test_data_know_no_task_and_series_are_for_forecasts_alone() -> None:
    for name, others in GRAPH.items():
        if name.startswith("data"):
            assert not [other for other in others if other.startswith("tasks")], name
        if not name.startswith(("tasks.forecast", "data.series")):
            assert not [other for other in others if other.startswith("data.series")], name


def test_nobody_inside_imports_the_whole() -> None:
    """The public names are for users; inside, each thing is imported from where it lives."""
    for name, path in MODULES.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                assert "recurra" not in {alias.name for alias in node.names}, name
            if isinstance(node, ast.ImportFrom) and node.level == len(name.split(".")) + (path.name == "__init__.py"):
                assert node.module, f"{name} imports {[alias.name for alias in node.names]} from the package itself"


def test_the_house_is_low_and_little_lies_loose() -> None:
    assert len(FLOORS) <= 9
    loose = {path.stem for path in SOURCE.glob("*.py")} - {"__init__", "__main__"}
    assert loose == {"errors", "registry", "random", "version"}


def arguments(node: ast.FunctionDef) -> int:
    given = node.args
    every = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
    return sum(argument is not None for argument in every)


def test_few_arguments() -> None:
    """The layers with the face of torch.nn take what those take."""
    for name, path in MODULES.items():
        if name == "nn.namesakes":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                assert arguments(node) <= 8, f"{name}.{node.name} takes {arguments(node)} arguments"


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


COMMAND = re.compile(r"recurra \S+( \S+)? --\w|xcode-select --install")  # a whole command may be said anywhere
FLAG = re.compile(r"(?<![\w-])--[a-z]")


def flags_said(source: str) -> list[str]:
    """The texts of a module, docstrings aside, that speak of a flag."""
    tree = ast.parse(source)
    formed = [node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]
    apart = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    apart |= {id(part) for node in formed for part in node.values}
    said = [
        "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values) for node in formed
    ]
    plain = [node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in apart]
    said += [node.value for node in plain if isinstance(node.value, str)]
    return [text for text in said if FLAG.search(COMMAND.sub("", text))]


def test_only_the_command_line_speaks_of_flags() -> None:
    """Elsewhere an argument is ``season=7`` or ``season=``: cli/wording.py makes a flag of it for a command."""
    for name, path in MODULES.items():
        if not name.startswith("cli") and name != "bench.report":  # which writes down the command that was given
            assert flags_said(path.read_text(encoding="utf-8")) == [], f"{name}: write season=, not --season"


def test_there_is_one_loop_over_time() -> None:
    """Outside ``scan``, nobody steps a cell but the decoder, which must choose what it reads next."""
    for name in ("nn.layers", "nn.namesakes", "training.loop"):
        assert ".step(" not in MODULES[name].read_text(encoding="utf-8").replace("optimiser.step(", ""), name


def test_settings_name_what_there_is() -> None:
    model = settings_of(ModelSettings)
    assert model["cell"].choices == tuple(CELLS) and model["attention"].choices == ("none", *ATTENTIONS)
    assert set(model["engine"].choices) == {"auto", *ENGINES}


LIGHT = (
    "recurra.cli",
    "recurra.settings",
    "recurra.tasks.forecast.settings",
    "recurra.tasks.forecast.context",  # with plan, learned, layout, scaling: what an exported network is answered with
    "recurra.data.cases",
    "recurra.data.tables.files",
)


def test_what_encodes_and_what_helps_needs_no_torch() -> None:
    code = f"import sys, {', '.join(LIGHT)}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


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
    assert flags_said("x = f'use --season {y}'") == ["use --season …"] and not flags_said("'a --b'")
    assert flags_said("x = 'Go on with: recurra train --resume'; z = 'a -- b'; w = 'season=7'") == []
    assert cycle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert cycle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []
    assert "cells.gru" in MODULES and GRAPH["nn.scan"] >= {"cells.base", "errors"}


def test_the_rules_on_kinds_find_what_breaks_them() -> None:
    assert strangers({"verbs.train": {"tasks.forecast.plan"}}) == ["verbs.train imports tasks.forecast.plan"]
    assert strangers({"tasks.forecast.kind": {"tasks.forecast.plan", "tasks.base"}}) == []
    source = "def f(panel, *, horizon=1):\n    return panel.season + g(mase=class_names)"
    assert identifiers(source) & WORDS == WORDS
    (function,) = ast.parse("def f(a, /, b, *c, d=1, **e): ...").body
    assert arguments(function) == 5
