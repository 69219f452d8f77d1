"""Features of sequences from fixed convolutions whose thresholds alone are taken from the data.

Shapes: N cases, T steps of a case, C channels, K = 84 kernels, D dilations, P thresholds per kernel, F = K·P features.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import combinations
from typing import Any

import numpy as np

Array = np.ndarray

TAPS = 9  # steps that a kernel covers
PLACES = np.array(list(combinations(range(TAPS), 3)))  # of the three weights that are 2 (K, 3); the others are −1
KERNELS = len(PLACES)
REACH = TAPS // 2  # steps on each side of the middle, before dilation
WEIGHT = 12  # the sum of a kernel's absolute weights
EXPONENTS = 32  # different dilations at most
TOGETHER, DRAWN = 9, 16  # channels that a kernel adds up at most, and from how many of them it draws
EXACT = 2**24  # whole numbers up to it, and so their sums, are exact in float32
BEHIND = np.float32(-1e30)  # what a kernel sees where it may not look: no threshold is below it
BEYOND = 1e27  # units, more than which no value is: whatever is added up stays in front of that
AT_ONCE = 2**19  # outputs of convolutions in memory at a time, which is about what a cache holds
GOLDEN = (np.sqrt(5) + 1) / 2


@dataclass(frozen=True)
class RandomConvolutions:
    """MiniRocket (Dempster, Schmidt & Webb 2021, arXiv 2012.08791): how often each convolution is above a threshold.

    ``f = (1/|S|) Σ_{t∈S} [Σ_{c∈M} Σ_j w_j x_{t+(j−4)d, c} > b]``. The weights w are −1 six times and 2 three times, in
    all 84 orders; the dilations d are spread evenly in their logarithms up to where a kernel spans a whole case; a
    threshold b is a quantile of what the kernel gives for a training case drawn at random. S are all steps, with zeros
    beyond the ends, for every second kernel, and for the others those at which the kernel lies within the case, if
    there are any. M are channels drawn at random. Values are rounded to multiples of ``unit``, of which all sums are
    exact: a case has the same features whatever stands beside it.
    """

    dilations: Array  # (D,) int64
    counts: Array  # (D,) int64, how many of the P thresholds are for each dilation
    channels: Array  # (D, K, C) bool, which channels each kernel adds up
    thresholds: Array  # (K, P) float32, in multiples of the unit
    unit: float

    @classmethod
    def of(cls, cases: Sequence[Array], features: int, seed: int) -> "RandomConvolutions":
        """Choose thresholds for about so many ``features`` from ``cases``, each (T, C) without gaps.

        Features are a multiple of 84, at least one for each kernel.
        """
        random = np.random.default_rng(seed)
        each = max(1, features // KERNELS)
        dilations, counts = _dilations(int(np.median([len(case) for case in cases])), each)
        channels = _channels(random, len(dilations), cases[0].shape[1])
        largest = max(float(np.abs(case).max()) for case in cases)
        unit = WEIGHT * int(channels.sum(2).max()) * largest / EXACT or 1.0
        blank = np.zeros((KERNELS, each), np.float32)
        found = cls(dilations, counts, channels, blank, unit)
        found._choose_thresholds(cases, random)
        return found

    @property
    def size(self) -> int:
        """How many features there are, F."""
        return self.thresholds.size

    def __call__(self, cases: Sequence[Array]) -> Array:
        """Return the features of ``cases``, each (T, C) without gaps: (N, F) float32, from 0 to 1."""
        lengths = np.array([len(case) for case in cases])
        order = np.argsort(lengths, kind="stable")
        features = np.empty((len(cases), *self.thresholds.shape), np.float32)
        done = 0
        while done < len(order):
            # Those of about the same length together; the first is the shortest.
            count = max(1, AT_ONCE // (KERNELS * _whole_words(int(lengths[order[done]]))))
            part = order[done : done + count]
            features[part] = self._shares([cases[n] for n in part])
            done += count
        return features.reshape(len(cases), -1)

    def to_arrays(self) -> dict[str, Array]:
        """Return all of it as arrays."""
        return vars(self) | {"unit": np.array([self.unit])}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> "RandomConvolutions":
        """Return what ``to_arrays`` gave; what else there is among the ``arrays`` is left out."""
        own: dict[str, Any] = {field.name: arrays[field.name] for field in fields(cls)}
        return cls(**own | {"unit": arrays["unit"].item()})

    def _choose_thresholds(self, cases: Sequence[Array], random: np.random.Generator) -> None:
        """Fill in quantiles, spread evenly by multiples of the golden ratio, of one case for every kernel."""
        quantiles = (np.arange(1, self.size + 1) * GOLDEN % 1).reshape(self.thresholds.shape)
        for number, own in self._by_dilation():
            drawn = random.integers(len(cases), size=KERNELS)
            for n in np.unique(drawn):
                outputs = self._convolved(_Padded.of([cases[n]], self.unit), number)[:, 0]
                for kernel in np.flatnonzero(drawn == n):
                    seen = outputs[kernel, outputs[kernel] > BEHIND / 2]
                    self.thresholds[kernel, own] = np.quantile(seen, quantiles[kernel, own])

    def _by_dilation(self) -> Iterator[tuple[int, slice]]:
        """Return the number of each dilation, and which thresholds are for it."""
        ends = np.cumsum(self.counts)
        for number, (end, count) in enumerate(zip(ends.tolist(), self.counts.tolist(), strict=True)):
            yield number, slice(end - count, end)

    def _shares(self, cases: Sequence[Array]) -> Array:
        """Return the features of a few cases (N, K, P)."""
        padded = _Padded.of(cases, self.unit)
        count, width = len(cases), padded.values.shape[2]
        above = np.empty((KERNELS, count * width), bool)
        words = above.view(np.uint64).reshape(KERNELS, count, -1)
        sums = np.empty((self.thresholds.shape[1], KERNELS, count), np.uint64)
        steps = np.empty(sums.shape, np.float32)
        for number, own in self._by_dilation():
            outputs = self._convolved(padded, number).reshape(KERNELS, -1)
            for n in range(own.start, own.stop):
                np.greater(outputs, self.thresholds[:, n, None], out=above)
                _count(words, sums[n])
            steps[own] = padded.lengths
            margin = REACH * int(self.dilations[number])
            steps[own, self._inner(number)] = padded.lengths - 2 * margin * padded.spans(margin)
        return (sums / steps).transpose(2, 1, 0)

    def _inner(self, number: int) -> slice:
        """Return the kernels that do not look beyond the ends: every second one, in turns."""
        return slice((number + 1) % 2, None, 2)

    def _convolved(self, padded: "_Padded", number: int) -> Array:
        """Return what all kernels give with one dilation (K, N, T), ``BEHIND`` where they do not look."""
        used = np.flatnonzero(self.channels[number].any(0))
        weights = np.full((KERNELS, TAPS), -1, np.float32)
        np.put_along_axis(weights, PLACES, 2, 1)
        chosen = self.channels[number][:, None, used]
        matrix = np.zeros((KERNELS, TAPS * len(used) + 2), np.float32)
        matrix[:, :-2] = (weights[:, :, None] * chosen).reshape(KERNELS, -1)
        # Two more inputs are ``BEHIND`` where no kernel looks, and where half of them do not.
        matrix[:, -1] = matrix[self._inner(number), -2] = 1
        inputs = padded.shifted(used, int(self.dilations[number]))
        return (matrix @ inputs.reshape(len(inputs), -1)).reshape(KERNELS, *inputs.shape[1:])


@dataclass(frozen=True)
class _Padded:
    """Cases in multiples of the unit, with zeros behind their ends: ``values`` (C, N, T), T a multiple of 8."""

    values: Array
    lengths: Array  # (N,)

    @classmethod
    def of(cls, cases: Sequence[Array], unit: float) -> "_Padded":
        lengths = np.array([len(case) for case in cases])
        values = np.zeros((cases[0].shape[1], len(cases), _whole_words(int(lengths.max()))), np.float32)
        for n, case in enumerate(cases):
            values[:, n, : len(case)] = np.rint((case.T / np.float64(unit)).clip(-BEYOND, BEYOND))
        return cls(values, lengths)

    def spans(self, margin: int) -> Array:
        """Tell of each case whether anything is left of it without so many steps at both ends (N,)."""
        return self.lengths > 2 * margin

    def shifted(self, used: Array, dilation: int) -> Array:
        """Return (9·C + 2, N, T): the ``used`` channels moved by each tap, where it is not inside, where not real."""
        values, margin = self.values[used], REACH * dilation
        count, cases, steps = values.shape
        wide = np.pad(values, ((0, 0), (0, 0), (margin, margin)))
        inputs = np.zeros((TAPS * count + 2, cases, steps), np.float32)
        for tap in range(TAPS):
            inputs[tap * count : (tap + 1) * count] = wide[:, :, tap * dilation : tap * dilation + steps]
        at, end = np.arange(steps), self.lengths[:, None]
        inputs[-1][at >= end] = BEHIND
        inputs[-2][((at < margin) | (at >= end - margin)) & self.spans(margin)[:, None]] = BEHIND
        return inputs


def _dilations(length: int, each: int) -> tuple[Array, Array]:
    """Return the dilations for cases of so many steps, and how many of ``each`` kernel's thresholds are for them."""
    most = min(EXPONENTS, each)
    widest = np.log2(max(1.0, (length - 1) / (TAPS - 1)))
    spread = np.floor(2 ** np.linspace(0, widest, most) + 1e-9).astype(np.int64)
    return np.unique(spread[np.arange(each) * most // each], return_counts=True)


def _channels(random: np.random.Generator, dilations: int, count: int) -> Array:
    """Return which of ``count`` channels each kernel adds up with each dilation (D, K, C): one, or seldom more."""
    channels = np.zeros((dilations, KERNELS, count), bool)
    for own in channels:
        pool = random.permutation(count)[:DRAWN]
        most = min(TOGETHER, len(pool))
        sizes = (2 ** random.uniform(0, np.log2(most + 1), KERNELS)).astype(int)
        for kernel, size in zip(own, sizes.tolist(), strict=True):
            kernel[random.permutation(pool)[:size]] = True
    return channels


def _whole_words(steps: int) -> int:
    """Return ``steps`` rounded up to a multiple of 8."""
    return -(-steps // 8) * 8


MOST_WORDS = 255  # words of bytes 0 and 1 that can be added without a carry
EVEN, ONES = np.uint64(0x00FF00FF00FF00FF), np.uint64(0x0001000100010001)


def _count(words: Array, out: Array) -> None:
    """Write into ``out`` (K, N) how many of the bytes 0 and 1 in ``words`` (K, N, W) are 1, eight at a time."""
    out[:] = 0
    for first in range(0, words.shape[2], MOST_WORDS):
        bytes_summed = words[:, :, first : first + MOST_WORDS].sum(2)
        pairs = (bytes_summed & EVEN) + (bytes_summed >> np.uint64(8) & EVEN)
        out += pairs * ONES >> np.uint64(48)
