"""What is the name of a file, and what is a text."""

import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

FILE = re.compile(r"\S+\.[A-Za-z0-9]{1,5}")
ENDINGS = {
    ".wav": "wav",
    ".wave": "wav",
    ".npy": "npy",
    ".csv": "csv",
    ".tsv": "csv",
}  # files of a case, and their kind


def kind_of(path: Path) -> str | None:
    """Return the kind of a file of a case by its ending, None if such files are not read."""
    return ENDINGS.get(path.suffix.lower())


def is_file_name(one: str | Path) -> bool:
    """Tell whether what stands alone is the name of a file, and no text."""
    return isinstance(one, Path) or FILE.fullmatch(one) is not None or _is_there(one)


def is_paths(X: Any) -> bool:
    """Tell whether ``X`` is a list of paths: of files that are there, or are called as one of a case is.

    google.com is a text among others of its kind.
    """
    if not isinstance(X, (list, tuple, np.ndarray, pd.Series)) or not len(X):
        return False
    return all(isinstance(one, Path) or (isinstance(one, str) and _is_case(one)) for one in X)


def _is_case(one: str) -> bool:
    return (FILE.fullmatch(one) is not None and kind_of(Path(one)) is not None) or _is_there(one)


def _is_there(one: str) -> bool:
    # os.path.isfile is false for what can be no name, where a Path would raise.
    return os.path.isfile(one)  # noqa: PTH113
