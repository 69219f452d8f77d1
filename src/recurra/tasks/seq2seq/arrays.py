"""Sources that are no texts but sequences of numbers: arrays, and files of sounds or arrays."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...data.cases import Cases, cases_of, file_cases, is_paths
from ...data.cases.files import One, read_files
from ...data.cases.paths import kind_of
from ...errors import DataError

LONGEST = 1_000  # characters of a name


def are_sequences(source: Any) -> bool:
    """Tell whether ``source`` is numbers: an array, a list of arrays, names of their files, or a folder of these."""
    if isinstance(source, (str, Path)):
        return bool(_files(source))
    if isinstance(source, Cases):
        return True
    if is_paths(source):
        return all(is_sequence(Path(one)) for one in source)
    some = source if isinstance(source, (list, tuple)) and source else [source]
    return all(map(_is_array, some))


def array_cases(source: Any, rate: int | None) -> Cases:
    """Return what ``are_sequences`` as cases, sounds heard at ``rate``."""
    if isinstance(source, (str, Path)):
        return file_cases(_files(source), rate)
    return file_cases(source, rate) if is_paths(source) else cases_of(source)


def named_cases(names: Sequence[str], folder: Path, column: str, rate: int | None) -> Cases:
    """Return the files that a ``column`` names, counted from ``folder``; raises DataError if one is not there."""
    names = [name.strip() for name in names]
    absent = next((name for name in names if not (folder / name).is_file()), None)
    if absent is not None:
        raise DataError(
            f"Column '{column}' names '{absent}', but there is no file '{folder / absent}'; paths count from the "
            "folder of the table."
        )
    return read_files(One([folder / name for name in names], tuple(names)), rate=rate)


def is_sequence(path: Path) -> bool:
    """Tell whether a file holds the samples of a sound, or an array."""
    return kind_of(path) in ("wav", "npy")


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
    return found and str(one.dtype).removeprefix("torch.")[:1] in "fiu"
