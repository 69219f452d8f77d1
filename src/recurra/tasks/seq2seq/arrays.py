"""Sources that are no texts but numbers: arrays, and files of sounds, pictures or arrays."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...data.cases import Cases, cases_of, is_paths
from ...data.cases.files import One, read_files
from ...data.cases.images import is_picture
from ...data.cases.npy import read_npy
from ...data.cases.paths import kind_of
from ...data.cases.stills import are_stills, feature_cases, picture_cases, still_cases
from ...data.tables.files import check_there
from ...errors import DataError

if TYPE_CHECKING:  # as that asks what names sequences
    from .columns import Form

LONGEST = 1_000  # characters of a name
SINGLE = {"pictures": (2, still_cases), "features": (3, feature_cases)}  # the axes of one, and what makes cases of many
FOUND = "an axis of an array, or its bytes, say that these are pictures; reads='sequences' would read series instead"


def are_sequences(source: Any) -> bool:
    """Tell whether ``source`` is numbers: an array, a list of arrays, names of their files, or a folder of these."""
    if isinstance(source, (str, Path)):
        return bool(_files(source))
    if isinstance(source, Cases):
        return True
    if _are_paths(source):
        return True
    some = source if isinstance(source, (list, tuple)) and source else [source]
    return all(map(_is_array, some))


def array_cases(source: Any, form: "Form") -> Cases:
    """Return what ``are_sequences`` as cases, sounds heard and arrays read as the ``form`` says."""
    if isinstance(source, Cases):
        return source
    source = _files(source) if isinstance(source, (str, Path)) else source
    if not _are_paths(source):
        return _still(source, form.reads) or cases_of(source)
    names = tuple(str(path) for path in source)
    paths = [Path(name) for name in names]
    absent = next((path for path in paths if not path.is_file()), None)
    if absent is not None:
        check_there(absent)
    return replace(_from_files(One(paths, names), form), arrays=True)


def named_cases(names: Sequence[str], folder: Path, column: str, form: "Form") -> Cases:
    """Return the files that a ``column`` names, counted from ``folder``; raises DataError if one is not there."""
    names = [name.strip() for name in names]
    absent = next((name for name in names if not (folder / name).is_file()), None)
    if absent is not None:
        raise DataError(
            f"Column '{column}' names '{absent}', but there is no file '{folder / absent}'; paths count from the "
            "folder of the table."
        )
    return _from_files(One([folder / name for name in names], tuple(names)), form)


def is_sequence(path: Path) -> bool:
    """Tell whether a file holds the samples of a sound, an array, or a picture."""
    return kind_of(path) in ("wav", "npy") or is_picture(path)


def _from_files(files: One, form: "Form") -> Cases:
    """Return a case from each file."""
    pictures = [name for path, name in zip(files.paths, files.names, strict=True) if is_picture(path)]
    if pictures and form.reads == "features":
        raise DataError(
            f"'{pictures[0]}' is a picture, and no array of features; leave reads='features' out, or save what was "
            "found in each picture as .npy."
        )
    if len(pictures) == len(files.paths):
        return picture_cases(files.paths, files.names)
    if pictures:
        other = next(name for name in files.names if name not in pictures)
        raise DataError(f"'{pictures[0]}' and '{other}' are of different kinds; give files of one kind.")
    if all(kind_of(path) == "npy" for path in files.paths):
        arrays = [read_npy(path, name) for path, name in zip(files.paths, files.names, strict=True)]
        found = _still(arrays, form.reads, files.names)
        if found is not None:
            return found
    return read_files(files, rate=form.rate)


def _still(source: Any, reads: str | None, names: tuple[str, ...] | None = None) -> Cases | None:
    """Return arrays as pictures if they were called so, or can be nothing else; None if they are not."""
    if reads in SINGLE:
        axes, cases_from = SINGLE[reads]
        one = hasattr(source, "ndim") and source.ndim == axes
        return cases_from(source[None] if one else source, names)
    if reads == "sequences" or not are_stills(source):
        return None
    cases = still_cases(source, names)
    return replace(cases, notes=(*cases.notes, FOUND))


def _are_paths(source: Any) -> bool:
    """Tell whether a list names files, all of sequences."""
    if is_paths(source):
        return all(is_sequence(Path(one)) for one in source)
    listed = isinstance(source, (list, tuple)) and len(source) > 0
    return listed and all(isinstance(one, (str, Path)) and is_picture(Path(one)) for one in source)


def names_sequences(cells: Sequence[Any]) -> bool:
    """Tell whether most of these ``cells`` name a file of a sound or an array."""
    return 2 * sum(isinstance(one, str) and is_sequence(Path(one.strip())) for one in cells) > len(cells)


def _files(source: str | Path) -> list[Path]:
    """Return the files of sequences that one name means: its own, or those in its folder."""
    if len(str(source)) > LONGEST or "\n" in str(source) or not str(source):
        return []
    place = Path(source)
    if place.is_dir():
        return sorted(one for one in place.iterdir() if is_sequence(one))
    return [place] if is_sequence(place) else []


def _is_array(one: Any) -> bool:
    """Tell whether something is an array or a tensor of numbers."""
    found = hasattr(one, "__array__") and hasattr(one, "ndim") and not hasattr(type(one), "columns")
    return found and str(one.dtype).removeprefix("torch.")[:1] in "fiu" and one.ndim > 0
