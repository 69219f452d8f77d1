"""A file is there whole or not at all, and a fault of the file system is one plain sentence."""

from pathlib import Path
from typing import Any

import pytest

from recurra.errors import RunError
from recurra.writing.atomic import draft_of, plain_faults, write_text

WHAT = "The list cannot be kept"


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A file that is there already."""
    path = tmp_path / "list.txt"
    path.write_text("old")
    return path


def untouched(path: Path) -> bool:
    return path.read_text() == "old" and list(path.parent.iterdir()) == [path]


def test_the_new_file_takes_the_place_of_the_old_one(old: Path) -> None:
    assert write_text(old, "größer", WHAT) == old
    assert old.read_text(encoding="utf-8") == "größer"
    assert list(old.parent.iterdir()) == [old]


def test_the_old_file_stays_until_the_new_one_is_whole(old: Path) -> None:
    with draft_of(old, WHAT) as draft:
        assert draft.parent == old.parent, "a move to another disk would be a copy"
        draft.write_text("new")
        assert old.read_text() == "old"
    assert old.read_text() == "new" and not draft.exists()


def test_a_file_is_as_open_as_any_other(old: Path) -> None:
    other = old.with_name("other")
    other.touch()
    write_text(old, "new", WHAT)
    assert old.stat().st_mode == other.stat().st_mode


def test_two_processes_never_write_into_one_draft(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with draft_of(old, WHAT) as first:
        first.write_text("first")
        monkeypatch.setattr("recurra.writing.atomic.os.getpid", lambda: -1)
        write_text(old, "second", WHAT)
        assert first.read_text() == "first"
    assert old.read_text() == "first"


@pytest.mark.parametrize("broken", ["write_text", "replace"])
def test_a_full_disk_is_a_sentence_and_leaves_the_old_file(
    old: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    original = Path.write_text

    def full(self: Path, *arguments: Any, **options: Any) -> None:
        original(self, "ha")
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, broken, full)
        with pytest.raises(RunError) as fault:
            write_text(old, "half", WHAT)
    assert str(fault.value) == f"{WHAT}: No space left on device."
    assert untouched(old)


@pytest.mark.parametrize("stop", [KeyboardInterrupt, ValueError])
def test_whatever_ends_the_block_leaves_the_old_file(old: Path, stop: type[BaseException]) -> None:
    with pytest.raises(stop), draft_of(old, WHAT) as draft:
        draft.write_text("ha")
        raise stop
    assert untouched(old)


@pytest.mark.parametrize("name", ["missing/list.txt", "list.txt/below", "n" * 255])
def test_a_place_that_cannot_be_written_is_a_sentence(old: Path, name: str) -> None:
    with pytest.raises(RunError, match=rf"^{WHAT}: [A-Z][^\n]*\.$"):
        write_text(old.parent / name, "new", WHAT)
    assert untouched(old)


def test_a_fault_without_a_text_of_the_system_says_its_own() -> None:
    with pytest.raises(RunError, match=rf"^{WHAT}: the pipe is gone\.$"), plain_faults(WHAT):
        raise OSError("the pipe is gone")
