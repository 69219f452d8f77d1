"""Demand: series of what is asked for, and how regularly.

Shapes: T steps of a series, C channels.
"""

from collections.abc import Sequence

import numpy as np

from .settings import ForecastSettings

APART, VARIED = 1.32, 0.49  # steps from demand to demand, and squared variation of sizes, that part the classes
SOME = 2  # steps with demand, of which at least so many tell
EXPLAINED = 0.5  # of when there is some, that a season explains, above which nothing is intermittent


def demand_class(values: np.ndarray, season: int = 1) -> str:
    """Return smooth, erratic, intermittent or lumpy for a series (T,), or nothing if it is no demand.

    ``ADI = known steps / steps with demand > 1.32`` is intermittent, or lumpy if ``CV² = (σ / μ)² > 0.49`` of what is
    not zero; below that ADI it is smooth or erratic. Syntetos, Boylan & Croston 2005,
    doi 10.1057/palgrave.jors.2601841. What is zero by its ``season``, as the sun is at night, is no demand.
    """
    known = np.isfinite(values)
    sizes = values[known & (values > 0)]
    if len(sizes) < SOME or (values[known] < 0).any():
        return ""
    varied = (sizes.std() / sizes.mean()) ** 2 > VARIED
    if known.sum() <= APART * len(sizes):
        return "erratic" if varied else "smooth"
    if _explained(values, known, season) > EXPLAINED:
        return ""
    return "lumpy" if varied else "intermittent"


def _explained(values: np.ndarray, known: np.ndarray, season: int) -> float:
    """Return which share of the variance of whether there is demand lies between the places in the ``season``."""
    places, some = np.flatnonzero(known) % season, values[known] > 0
    counts = np.bincount(places, minlength=season)
    if season < 2 or counts.sum() < 3 * season:
        return 0.0
    shares = np.bincount(places, some, season) / np.maximum(counts, 1)
    within = (counts * shares * (1 - shares)).sum() / counts.sum()
    return float(1 - within / (some.mean() * (1 - some.mean())))


def intermittent_in(tracks: Sequence[np.ndarray], ends: Sequence[int], season: int) -> list[bool]:
    """Tell which channels of ``tracks`` (T, C), one after the other, are intermittent or lumpy up to their ``ends``."""
    columns = [column for track, end in zip(tracks, ends, strict=True) for column in track[:end].T]
    return [demand_class(column, season) in ("intermittent", "lumpy") for column in columns]


def say_demand(found: Sequence[bool], settings: ForecastSettings) -> list[str]:
    """Return a note if at least half of the series are intermittent, as ``found``: how that is forecast."""
    if not mostly(found):
        return []
    which = "the series is" if len(found) == 1 else f"{sum(found):,} of {len(found):,} series are"
    if settings.loss == "squared" or (settings.loss == "quantile" and settings.combine):
        return [f"{which} demand that is mostly zero, so the mean is forecast: the median is often zero"]
    return [f"careful: {which} demand that is mostly zero, and so is its median; loss='squared' forecasts the mean"]


def mostly(found: Sequence[bool]) -> bool:
    """Tell whether at least half of what was ``found`` is true."""
    return 2 * sum(found) >= len(found)
