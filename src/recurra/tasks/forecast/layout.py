"""The sizes in which a forecaster reads and writes."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Layout:
    """The sizes that follow from settings and data together."""

    lookback: int  # L, a multiple of ``segment``
    horizon: int  # H
    segment: int  # steps per segment (1 for the vanilla decoder)
    season: int  # steps per season, 1 for none
    cycle: bool  # whether a seasonal cycle is learned
    channels: int  # C, values read and written together
    series: int  # row series that have an identity of their own
    missing: bool  # whether the network is told which inputs are missing
    log: bool = False  # whether the network sees logarithms

    @property
    def read(self) -> int:
        """How many segments are read."""
        return self.lookback // self.segment

    @property
    def written(self) -> int:
        """How many segments are written."""
        return -(-self.horizon // self.segment)
