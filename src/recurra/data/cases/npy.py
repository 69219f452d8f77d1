"""Arrays in files of NumPy: ``.npy`` with one, ``.npz`` with several, never objects, which could run code.

Shapes: N cases.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from ...errors import DataError

VALUES = ("X", "x", "data", "values", "features")
LABELS = ("y", "Y", "label", "labels", "target", "targets", "classes", "marks", "tags")


def read_npy(path: Path, name: str) -> np.ndarray:
    """Return the array in a ``.npy`` file; DataError calls the file ``name``."""
    with _faults_named(name):
        return np.load(path, allow_pickle=False)


def map_npy(path: Path) -> np.ndarray:
    """Return the array in a large ``.npy`` file, which stays open, and its numbers on disk until they are used."""
    with _faults_named(path.name):
        return np.load(path, mmap_mode="r", allow_pickle=False)


def read_npz(path: Path) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the array of values in a ``.npz`` file and that of what is said of them (N, ...), None if there is none.

    They are told by their names; an array that is the only one holds values. Raises DataError for other names.
    """
    with _faults_named(path.name), path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        labels = next((name for name in LABELS if name in arrays.files), None)
        others = [name for name in arrays.files if name != labels]
        values = next((name for name in VALUES if name in others), others[0] if len(others) == 1 else None)
        if values is None:
            raise DataError(_unknown(path.name, arrays.files))
        return arrays[values], None if labels is None else arrays[labels]


def _unknown(name: str, found: Collection[str]) -> str:
    if not found:
        return f"'{name}' holds no array; save the cases as X and their labels as y."
    shown = ", ".join(f"'{one}'" for one in list(found)[:8])
    return f"'{name}' holds the arrays {shown}, of which none is X; save the cases as X and their labels as y."


@contextmanager
def _faults_named(name: str) -> Iterator[None]:
    """Say in a DataError what is wrong with the file called ``name``."""
    try:
        yield
    except DataError:
        raise
    except Exception as fault:  # a damaged file has faults of many classes
        raise DataError(_said(fault, name)) from None


def _said(fault: Exception, name: str) -> str:
    if isinstance(fault, OSError) and fault.strerror:
        return f"'{name}' cannot be opened ({fault.strerror})."
    if "pickle" in str(fault) or "Python objects" in str(fault):
        return (
            f"'{name}' holds Python objects (pickle), which could run code when they are read, so it is refused; save "
            "plain numbers, or text for labels, and cases of unequal length filled up with NaN at their end, their "
            "labels with empty text."
        )
    return f"'{name}' cannot be read as an array of NumPy; it is cut short or damaged, so save it again."
