"""Sequences with a label or numbers each, or a label for each step, from files, tables and arrays."""

from .answers import What
from .arrays import cases_of
from .cases import Cases, fingerprint
from .frames import frame_cases
from .marks import Marks
from .read import read_cases

__all__ = ["Cases", "Marks", "What", "cases_of", "fingerprint", "frame_cases", "read_cases"]
