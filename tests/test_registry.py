"""Names that stand for classes: read without torch, imported when asked for, and brought along by the user."""

import inspect
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import recurra.tasks
from recurra.attention import ATTENTIONS, Attention, DotAttention
from recurra.cells import CELLS, Cell, GRUCell, LSTMGRUCell
from recurra.errors import ConfigError
from recurra.registry import Entry, Registry, bring, lazy, place_of
from recurra.settings import Parts
from recurra.tasks import TASKS, kind_of, name_of, parts_of
from recurra.tasks.base import Kind
from recurra.tasks.forecast.kind import KIND, ForecastKind
from recurra.tasks.forecast.settings import PARTS

HEAVY = ("torch", "numpy", "pandas", "scipy", "sklearn")


def imported_by(code: str) -> set[str]:
    """Return which heavy packages a fresh Python has imported after ``code``."""
    report = f"import sys\n{code}\nprint(*[name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", report], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "code",
    [
        "import recurra",
        "import recurra.cells",
        "import recurra.attention",
        "import recurra.settings",
        "import recurra.tasks",
        "import recurra.tasks.forecast.settings",
        "from recurra.cells import CELLS; list(CELLS); 'gru' in CELLS; len(CELLS); CELLS.entries['gru'].line",
        "from recurra.attention import ATTENTIONS; ATTENTIONS.name_of('dot'); ATTENTIONS.homes()",
        "from recurra.tasks import parts_of; parts_of('forecast').settings()",
    ],
)
def test_names_cost_nothing(code: str) -> None:
    assert imported_by(code) == set()


def test_a_class_is_imported_when_asked_for() -> None:
    assert "torch" in imported_by("from recurra.cells import CELLS; CELLS['gru']")
    assert "torch" in imported_by("from recurra.tasks import Kind")


# The tables


@pytest.mark.parametrize(("table", "base"), [(CELLS, Cell), (ATTENTIONS, Attention)], ids=["cells", "attentions"])
def test_every_entry_is_a_class_of_its_kind(table: Registry, base: type) -> None:
    assert dict(table).keys() == table.entries.keys() and len(table) == len(list(table)) > 5
    for name, member in table.items():
        assert inspect.isclass(member) and issubclass(member, base) and not inspect.isabstract(member)
        line = table.entries[name].line
        assert len(line) > 10 and line[0].islower() and not line.endswith("."), "one line, to stand in a list"
        assert table.name_of(member) == table.name_of(name) == name
        assert getattr(import_module(table.package), member.__name__) is member, "the package offers it, too"
        assert table.homes()[member.__name__] == table.entries[name].place.split(":")[0]
    assert len(set(table.values())) == len(table), "no class has two names"


@pytest.mark.parametrize("module", ["recurra.cells", "recurra.attention", "recurra.tasks"])
def test_what_a_package_offers_is_there(module: str) -> None:
    package = import_module(module)
    for name in package.__all__:
        assert getattr(package, name) is not None
    with pytest.raises(AttributeError, match=f"module '{module}' has no attribute 'Nothing'"):
        package.Nothing  # noqa: B018


def test_which_cells_are_hybrids() -> None:
    assert {name for name, entry in CELLS.entries.items() if entry.hybrid} == {
        "lstm_gru", "lstm_gru_full", "parallel",
    }  # fmt: skip


def test_a_name_that_is_not_there() -> None:
    assert "gruu" not in CELLS and 3 not in CELLS
    with pytest.raises(KeyError):
        CELLS["gruu"]
    assert CELLS.get("gruu") is None and CELLS.get("gru") is GRUCell


class MyCell(GRUCell):
    """A cell of one's own."""

    class Inner(GRUCell):
        """One inside."""


def test_the_name_of_a_class_of_ones_own_is_its_place() -> None:
    assert CELLS.name_of(MyCell) == place_of(MyCell) == f"{__name__}:MyCell"
    assert CELLS.name_of(MyCell.Inner) == f"{__name__}:MyCell.Inner"
    assert CELLS.name_of("mine:MyCell") == "mine:MyCell"
    assert CELLS.name_of(DotAttention) == "recurra.attention.dot:DotAttention", "of another table it is not known"
    assert place_of(LSTMGRUCell) == "recurra.cells.lstm_gru:LSTMGRUCell"


def test_a_table_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "zoo_of_test").mkdir()
    (tmp_path / "zoo_of_test" / "__init__.py").touch()
    (tmp_path / "zoo_of_test" / "cats.py").write_text("class Lion: pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    zoo = Registry("animal", "zoo_of_test", {"lion": Entry("cats:Lion", "it roars"), "yeti": Entry("no:Yeti", "")})
    assert list(zoo) == ["lion", "yeti"] and "zoo_of_test.cats" not in sys.modules
    lion = zoo["lion"]
    assert lion.__name__ == "Lion" and zoo.name_of(lion) == "lion"
    with pytest.raises(ModuleNotFoundError):
        zoo["yeti"]
    get = lazy("zoo_of_test", zoo.homes())
    assert get("Lion") is lion
    with pytest.raises(AttributeError, match="module 'zoo_of_test' has no attribute 'Tiger'"):
        get("Tiger")


# What a user brings


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is not on the path, with modules in it, in which the command is given."""
    (tmp_path / "mine_of_test.py").write_text(
        "from recurra.cells import GRUCell\nclass MyCell(GRUCell): pass\nfew = 3\n"
    )
    (tmp_path / "broken_of_test.py").write_text("import a_package_that_is_not_there\n")
    (tmp_path / "faulty_of_test.py").write_text("1 / 0\n")
    (tmp_path / "deep_of_test").mkdir()
    (tmp_path / "deep_of_test" / "inner.py").write_text("class Deep: pass\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry not in ("", str(tmp_path))])
    for name in [name for name in sys.modules if name.split(".")[0].endswith("_of_test")]:
        monkeypatch.delitem(sys.modules, name)
    return tmp_path


def test_a_class_is_brought_from_the_folder_of_the_command(folder: Path) -> None:
    before = list(sys.path)
    found = bring("mine_of_test:MyCell", "cell")
    assert issubclass(found, GRUCell) and Path(inspect.getfile(found)).parent == folder
    assert CELLS.name_of(found) == "mine_of_test:MyCell", "the name that was typed is the one in the run"
    assert bring("deep_of_test.inner:Deep", "cell").__name__ == "Deep"
    assert sys.path == before, "the folder is on the path only for that long"


def test_a_class_is_brought_from_what_is_installed(folder: Path) -> None:
    assert bring("recurra.cells:GRUCell", "cell") is GRUCell
    sys.path.append(str(folder))
    bring("mine_of_test:MyCell", "cell")
    assert str(folder) in sys.path, "what was on the path before stays"


@pytest.mark.parametrize("place", ["MyCell", "mine:", ":MyCell", "", ".mine:MyCell"])
def test_a_place_is_a_module_and_a_name(place: str) -> None:
    with pytest.raises(ConfigError) as caught:
        bring(place, "cell")
    assert str(caught.value) == f"Your own cell is named as module:Name, such as mine:MyCell. Got '{place}'."


@pytest.mark.parametrize("module", ["none_of_test", "none_of_test.more", "mine_of_test.more", "recurra.none"])
def test_a_module_that_is_not_there(folder: Path, module: str) -> None:
    before = list(sys.path)
    with pytest.raises(ConfigError) as caught:
        bring(f"{module}:MyCell", "cell")
    expected = f"There is no module '{module}' for the cell '{module}:MyCell' in this folder or installed."
    assert str(caught.value) == expected
    assert sys.path == before


def test_a_name_that_is_not_in_the_module(folder: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        bring("mine_of_test:MyCel", "cell")
    assert str(caught.value) == "The module 'mine_of_test' has no 'MyCel'. Did you mean 'MyCell'?"


def test_faults_inside_the_module_are_not_hidden(folder: Path) -> None:
    before = list(sys.path)
    with pytest.raises(ModuleNotFoundError, match="a_package_that_is_not_there"):
        bring("broken_of_test:MyCell", "cell")
    with pytest.raises(ZeroDivisionError):
        bring("faulty_of_test:MyCell", "cell")
    assert sys.path == before


# Kinds of task


class OwnKind(ForecastKind):
    """A kind of one's own, which keeps the settings of its parent."""


def test_a_task_by_its_name() -> None:
    assert kind_of("forecast") is KIND and parts_of("forecast") is PARTS and name_of(KIND) == "forecast"
    for look_up in (kind_of, parts_of):
        with pytest.raises(ConfigError, match=r"Unknown task 'forcast'\. Did you mean 'forecast'\?"):
            look_up("forcast")


def test_every_task_has_its_two_modules() -> None:
    for name in TASKS:
        kind: Any = kind_of(name)
        assert isinstance(kind, Kind) and isinstance(kind.parts, Parts)
        assert kind.parts is parts_of(name) and kind.parts.name == name == name_of(kind)


def test_a_task_of_ones_own() -> None:
    place = f"{__name__}:OwnKind"
    kind = kind_of(place)
    assert type(kind) is OwnKind and parts_of(place) is PARTS
    assert name_of(kind) == place, "not that of its parent, whose parts it has"
    with pytest.raises(ConfigError, match="There is no module 'none_of_test' for the task"):
        kind_of("none_of_test:Kind")
    assert recurra.tasks.Kind is Kind


@pytest.mark.parametrize("name", ["few", "MyCell"])
def test_what_is_no_kind_of_task(folder: Path, name: str) -> None:
    for look_up in (kind_of, parts_of):
        with pytest.raises(ConfigError, match=rf"'mine_of_test:{name}' is no kind of task: .* recurra\.tasks\.Kind"):
            look_up(f"mine_of_test:{name}")
