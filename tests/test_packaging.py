"""How the package is built: what is said in one place is so in the others. Nothing is built here."""

import re
import shutil
import subprocess
import tomllib
from importlib.resources import files
from pathlib import Path, PurePath
from typing import Any

import pytest

from recurra.native import library

ROOT = Path(__file__).parent.parent
NATIVE = ROOT / "native"


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def project() -> dict[str, Any]:
    return tomllib.loads(read("pyproject.toml"))


def test_the_backend_and_where_it_finds_the_sources() -> None:
    build = project()["build-system"]
    assert build["build-backend"] == "scikit_build_core.build"
    assert any(re.fullmatch(r"scikit-build-core>=1\.\d+", line) for line in build["requires"])
    settings = project()["tool"]["scikit-build"]
    assert (ROOT / settings["cmake"]["source-dir"] / "CMakeLists.txt").is_file()
    assert [(ROOT / folder / "__init__.py").is_file() for folder in settings["wheel"]["packages"]] == [True]
    assert settings["wheel"]["py-api"] == "py3", "one wheel serves every Python"


def test_a_failed_build_still_installs() -> None:
    overrides = project()["tool"]["scikit-build"]["overrides"]
    (failed,) = [one for one in overrides if one["if"] == {"failed": True}]
    assert failed["wheel"] == {"cmake": False}


def test_a_source_distribution_has_all_it_needs() -> None:
    settings = project()["tool"]["scikit-build"]["sdist"]
    assert settings["inclusion-mode"] == "explicit"
    listed = settings["include"]
    assert {"src", "native", "tests", "Makefile", "constraints.txt", "LICENSE", "pyproject.toml"} <= set(listed)
    for pattern in listed:
        assert list(ROOT.glob(pattern)), f"{pattern} names nothing"
    assert {"*.so", "*.dylib"} <= set(settings["exclude"]), "a library beside the sources is of this machine alone"


def test_the_templates_of_the_report_are_part_of_the_package() -> None:
    """Found as an installed package finds them; ``wheel.packages`` takes whatever lies in the folder of a package."""
    names = {"page.css", "page.html.j2", "page.js", "table.html.j2"}
    assert {entry.name for entry in files("recurra.report").joinpath("templates").iterdir()} == names
    scripts = {entry.name for entry in files("recurra.report").joinpath("scripts").iterdir()}
    assert scripts == {"plotly-cartesian.min.js.gz", "LICENSE-plotly.txt"}
    settings = project()["tool"]["scikit-build"]
    assert "exclude" not in settings["wheel"]
    for pattern in (*settings["sdist"]["exclude"], *read(".gitignore").splitlines()):
        assert not [name for name in names if PurePath(f"src/recurra/report/templates/{name}").match(pattern)], pattern


def test_every_source_is_compiled_and_every_header_used() -> None:
    build = read("native/CMakeLists.txt")
    for path in NATIVE.glob("*.cpp"):
        assert re.search(rf"\b{re.escape(path.name)}\b", build), f"{path.name} is not in CMakeLists.txt"
    sources = "".join(path.read_text(encoding="utf-8") for path in NATIVE.iterdir() if path.suffix in (".cpp", ".h"))
    for path in NATIVE.glob("*.h"):
        assert f'#include "{path.name}"' in sources, f"nobody includes {path.name}"
    assert {path.suffix for path in NATIVE.iterdir()} <= {".cpp", ".h", ".txt"}, "make looks at the files of one folder"


def test_the_library_has_one_name_everywhere() -> None:
    stem = Path(library.FILE).stem
    assert f"add_library({stem} MODULE" in read("native/CMakeLists.txt")
    assert f"src/recurra/native/{stem}.*" in read(".gitignore").splitlines()
    assert f"{stem}.so" in read("Makefile") and library.VARIABLE in read("Makefile")


def test_no_flag_changes_what_numbers_mean() -> None:
    flags = re.sub(r"#.*", "", read("native/CMakeLists.txt"))
    assert "-ffp-contract=fast" in flags
    for forbidden in ("-ffast-math", "-Ofast", "-march=native", "-ffinite-math-only", "-fassociative-math"):
        assert forbidden not in flags


def weak_symbols(path: Path) -> list[str]:
    """The functions of an object file that the linker may merge with those of another one."""
    done = subprocess.run(["nm", "-C", str(path)], capture_output=True, text=True, check=True)
    return [line.split(maxsplit=2)[2] for line in done.stdout.splitlines() if re.match(r"\w* [VWu] ", line)]


@pytest.mark.skipif(shutil.which("nm") is None, reason="needs nm")
def test_instruction_sets_share_no_functions() -> None:
    """One that the linker took from the AVX-512 file would stop a machine without it."""
    written = max(path.stat().st_mtime for path in (NATIVE / "isa.cpp", *NATIVE.glob("*.h")))
    built = [
        path for path in ROOT.glob("build/*/CMakeFiles/isa_*/isa.cpp.o") if not {"sanitize", "tsan"} & {*path.parts}
    ]
    objects = [path for path in built if path.stat().st_mtime >= written]
    if not objects:
        pytest.skip("the native engine was not built here, or the sources have changed since")
    for path in objects:
        own = f"recurra::{path.parent.name.removeprefix('isa_').removesuffix('.dir')}::"
        foreign = [name for name in weak_symbols(path) if own not in name]
        assert not foreign, f"{path.parent.name}: {foreign[:5]}"
