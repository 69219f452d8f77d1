"""Labelled sequences for the classification of series, from files, tables and arrays."""

from .arrays import cases_of
from .cases import Cases, fingerprint
from .frames import frame_cases
from .read import read_cases

__all__ = ["Cases", "cases_of", "fingerprint", "frame_cases", "read_cases"]
