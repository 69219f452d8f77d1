"""Folders of files by class: each folder in one is a class, each file in that a case."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ...errors import DataError, KindError
from .answers import NAMES, Answer
from .cases import Cases
from .files import One, read_files
from .paths import ENDINGS, kind_of

PARTS = {"train", "training", "test", "testing", "valid", "validation", "val", "dev", "eval"}  # are no classes


def read_folder(folder: Path, answer: Answer, *, time: str | None = None, rate: int | None = None) -> Cases:
    """Return the files in ``folder`` as cases, the label of each the name of the folder in it where it lies.

    Hidden files and files of another kind than most are left out, with a note. Where no ``answer`` is needed the files
    may also lie in ``folder`` itself. Raises DataError if there are none, or a file cannot be read.
    """
    classes = [one for one in _visible(folder) if one.is_dir()]
    inside = {one.name: _files(one) for one in classes}
    loose = [one for one in _visible(folder) if one.is_file()]
    found = [path for paths in inside.values() for path in paths]
    labels = bool(_usable(found))
    if not labels:
        found = loose
        _check_labels(folder, found, answer)
    elif answer.needed:
        _refuse_numbers(folder, answer)
        _refuse_parts(folder, [name for name, paths in inside.items() if _usable(paths)])
    kept, notes = _of_one_kind(folder, found)
    names = tuple(path.relative_to(folder).as_posix() for path in kept)
    cases = read_files(One(kept, names), time=time, rate=rate)
    if not labels:
        return replace(cases, notes=(*notes, *cases.notes))
    notes += _empty([name for name, paths in inside.items() if not set(paths) & set(kept)])
    said = f"each folder in '{folder.name}' is a class, each file in it a case"
    own = tuple(path.relative_to(folder).parts[0] for path in kept)
    return replace(cases, labels=own, notes=(said, *notes, *cases.notes))


def _visible(folder: Path) -> list[Path]:
    try:
        return sorted(one for one in folder.iterdir() if not one.name.startswith((".", "__")))
    except OSError as fault:
        raise DataError(f"The folder '{folder}' cannot be opened ({fault.strerror}).") from None


def _files(folder: Path) -> list[Path]:
    """Return all files below a folder that are not hidden."""
    found = []
    for one in _visible(folder):
        found += _files(one) if one.is_dir() else [one]
    return found


def _usable(paths: Sequence[Path]) -> list[Path]:
    return [path for path in paths if kind_of(path) is not None]


def _check_labels(folder: Path, loose: Sequence[Path], answer: Answer) -> None:
    usable = _usable(loose)
    if not usable:
        raise DataError(
            f"The folder '{folder}' has no file that can be read, and no folder in it has one; give a folder for each "
            f"class with {', '.join(ENDINGS)} files in it."
        )
    if answer.needed:
        raise DataError(
            f"The folder '{folder}' has {len(usable):,} file(s) such as '{usable[0].name}', but no folder for each "
            "class; name one of the files, sort them into a folder for each class, or give a table with a column "
            "'file' and one with the label or number of each."
        )


def _refuse_numbers(folder: Path, answer: Answer) -> None:
    if answer.what not in NAMES:
        raise KindError(
            f"The folders in '{folder}' say of which class a file is, but a number is needed of each; give a table "
            "with a column 'file' and a column of numbers."
        )


def _refuse_parts(folder: Path, names: Sequence[str]) -> None:
    if len(names) > 1 and all(name.casefold() in PARTS for name in names):
        raise DataError(
            f"The folders in '{folder}' are called '{names[0]}' and '{names[1]}', as parts of the data are and not "
            "classes; give the one to train on, and the other one as test data."
        )


def _of_one_kind(folder: Path, found: Sequence[Path]) -> tuple[list[Path], list[str]]:
    """Return the files of the kind that most are of, and a note on the others."""
    counts = Counter(kind for path in found if (kind := kind_of(path)) is not None)
    usual = counts.most_common(1)[0][0]
    kept = [path for path in found if kind_of(path) == usual]
    left = [path for path in found if kind_of(path) != usual]
    if not left:
        return kept, []
    first = left[0].relative_to(folder).as_posix()
    return kept, [f"left out {len(left):,} file(s) that are no {usual} files, such as '{first}'"]


def _empty(names: Sequence[str]) -> list[str]:
    if not names:
        return []
    shown = ", ".join(f"'{name}'" for name in names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return [f"careful: no file was found for {len(names):,} class(es): {shown}"]
