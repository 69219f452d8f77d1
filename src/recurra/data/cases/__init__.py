"""Sequences with a label or numbers each, from files, tables and arrays."""

from .answers import What
from .arrays import cases_of
from .cases import Cases, fingerprint
from .frames import frame_cases
from .read import read_cases

__all__ = ["Cases", "What", "cases_of", "fingerprint", "frame_cases", "read_cases"]
