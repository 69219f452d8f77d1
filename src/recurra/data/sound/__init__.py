"""Sounds: wav files, and the log-mel features that a network hears them by."""

from .mel import band_names, seconds_of
from .recordings import RANGE, Recordings, read_recordings

__all__ = ["RANGE", "Recordings", "band_names", "read_recordings", "seconds_of"]
