"""Which version of recurra this is."""

__version__ = "0.2.0"
