"""The command line: a file per verb, and what they share. ``main`` is the command ``recurra``."""

from .app import main, recurra

__all__ = ["main", "recurra"]
