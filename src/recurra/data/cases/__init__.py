"""Sequences with a label or numbers each, or a label for each step, from files, tables and arrays."""

from .answers import What
from .arrays import cases_of
from .cases import Cases, digests, fingerprint, repeats
from .files import file_cases
from .frames import frame_cases
from .marks import Marks
from .paths import is_paths
from .read import read_cases, table_cases

__all__ = [
    "Cases",
    "Marks",
    "What",
    "cases_of",
    "digests",
    "file_cases",
    "fingerprint",
    "frame_cases",
    "is_paths",
    "read_cases",
    "repeats",
    "table_cases",
]
