"""The sizes in which a forecaster reads and writes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


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
    counts: bool = False  # whether it predicts counts, and so has to know the unit of the data
    gaps: str = ""  # what it reads where a value is missing: mask, decay or fill; "" as runs had it before
    sparse: bool = False  # whether most series are demand that is mostly zero
    known: tuple[int, ...] = ()  # how many numbers each covariate has that is known ahead,
    past: tuple[int, ...] = ()  # and each of which only the past is known,
    static: tuple[int, ...] = ()  # and each that never changes
    known_holes: tuple[bool, ...] = ()  # which of them had holes in training
    past_holes: tuple[bool, ...] = ()
    alone: bool = False  # whether the network was built for one series, so that it has no identities for several

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "Layout":
        """Return a layout from JSON values."""
        values: dict[str, Any] = {n: tuple(one) if isinstance(one, list) else one for n, one in plain.items()}
        return cls(**values)

    @property
    def covariates(self) -> bool:
        """Whether anything is known beside the values."""
        return bool(self.known or self.past or self.static)

    @property
    def told(self) -> int:
        """How many numbers the network reads of each value: itself, whether it is known, and how long ago it was."""
        if not self.missing or self.gaps == "fill":
            return 1
        return 3 if self.gaps else 2

    @property
    def read(self) -> int:
        """How many segments are read."""
        return self.lookback // self.segment

    @property
    def written(self) -> int:
        """How many segments are written."""
        return -(-self.horizon // self.segment)
