"""Many wav files as features, all at one rate.

Shapes: T steps, B bands.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd
from pathlib import Path

import numpy as np

from .mel import QUIETEST, log_mel
from .wav import Header, is_clipped, read_header, read_samples

RANGE = 50.0  # dB below the loudest: what is more quiet tells more of the room than of what is heard


@dataclass(frozen=True)
class Recordings:
    """The features of wav files, float64 (T, B) of each in dB below its loudest, and at which rate they were heard."""

    values: tuple[np.ndarray, ...]
    rate: int
    notes: tuple[str, ...]


def read_recordings(paths: Sequence[Path], names: Sequence[str], rate: int | None = None) -> Recordings:
    """Return the log-mel features of wav files at ``rate``, that which most of them have if None is given.

    What is slower or faster is resampled. Of each file the loudest band of all steps is 0 dB, and nothing is below -50
    dB: how loud it is as a whole, and how loud its silence, says more about the microphone than about what is heard.
    Raises DataError that calls the first file that cannot be read by its name.
    """
    import torch  # who reads no sound need not wait for it

    headers = [read_header(path, name) for path, name in zip(paths, names, strict=True)]
    chosen = _usual(headers) if rate is None else rate
    values, silent, clipped = [], 0, 0
    for path, header, name in zip(paths, headers, names, strict=True):
        sound = read_samples(path, header, name)
        silent += not sound.any()
        clipped += is_clipped(sound)
        heard = log_mel(torch.from_numpy(resampled(sound, header.rate, chosen)), chosen).double().numpy()
        values.append(np.maximum(heard - max(heard.max(), QUIETEST + RANGE), -RANGE))
    return Recordings(tuple(values), chosen, (*_described(headers, chosen), *_doubtful(silent, clipped)))


def _usual(headers: Sequence[Header]) -> int:
    """Return the rate that most have; of several, the slowest, for what was not recorded cannot be made."""
    counts = Counter(header.rate for header in headers)
    return max(sorted(counts), key=lambda rate: counts[rate])


def resampled(sound: np.ndarray, before: int, after: int) -> np.ndarray:
    """Return a sound at another rate, by a filter that lets through what both can hold."""
    if before == after:
        return sound
    from scipy.signal import resample_poly  # takes a second to import

    common = gcd(before, after)
    changed: np.ndarray = resample_poly(sound, after // common, before // common).astype(np.float32)
    return changed


def _described(headers: Sequence[Header], rate: int) -> list[str]:
    notes = [f"{len(headers):,} wav file(s) at {rate:,} samples per second"]
    other = [header.rate for header in headers if header.rate != rate]
    if other:
        span = f"{min(other):,}" if min(other) == max(other) else f"{min(other):,} to {max(other):,}"
        notes.append(f"{len(other):,} file(s) with {span} samples per second were resampled to {rate:,}")
    several = sum(header.channels > 1 for header in headers)
    if several:
        notes.append(f"{several:,} file(s) have several channels, of which the mean was taken")
    return notes


def _doubtful(silent: int, clipped: int) -> list[str]:
    notes = [f"careful: {silent:,} file(s) are silent from beginning to end"] if silent else []
    if clipped:
        notes.append(f"careful: {clipped:,} file(s) are cut off where they are loud (clipped)")
    return notes
