"""What ``recurra doctor`` finds: engines that run, engines that do not, and why."""

from types import SimpleNamespace

import pytest

from recurra.cells import CELLS
from recurra.native import library
from recurra.nn.scan import ENGINES
from recurra.verbs.doctor import examine

MISSING = "The native engine was not built: install a C++ compiler and run pip install again."


def test_every_engine_has_a_line_and_none_differs() -> None:
    found = examine()
    assert {f"engine {name}" for name in ENGINES} <= set(found)
    assert all(isinstance(text, str) and text and "DIFFERS" not in text for text in found.values())
    assert found["engine reference"].endswith(f"runs {', '.join(CELLS)}")


def test_without_the_library_it_says_why_and_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "absent", lambda: MISSING)
    found = examine()
    assert found["engine native"] == f"runs no cell here: the {MISSING.removeprefix('The ').rstrip('.')}"
    assert found["instruction sets"] == "none (no native engine)"
    assert "agrees with the reference" in found["engine torch"]


@pytest.mark.parametrize("used", ["avx512", "plain"])
def test_it_names_the_instruction_sets_and_the_one_in_use(monkeypatch: pytest.MonkeyPatch, used: str) -> None:
    stand_in = SimpleNamespace(
        recurra_instruction_set=used.encode,
        recurra_instruction_sets=lambda: b"avx512,avx2,plain",
        recurra_rounds=lambda: used == "avx512",
    )
    monkeypatch.setattr(library, "absent", lambda: "")
    monkeypatch.setattr(library, "load", lambda: stand_in)
    monkeypatch.setattr("recurra.verbs.doctor.ENGINES", {})
    said = "avx512, avx2, plain".replace(used, f"{used} (in use)")
    found = examine()
    assert found["instruction sets"] == said
    rounds = "on this machine" if used == "avx512" else "not on this machine"
    assert found["bfloat16 products"] == rounds


@pytest.mark.skipif(bool(library.absent()), reason="the native engine is not here")
def test_the_native_engine_agrees() -> None:
    found = examine()
    assert "agrees with the reference" in found["engine native"] and "lstm_gru" in found["engine native"]
    assert found["instruction sets"].count("(in use)") == 1
