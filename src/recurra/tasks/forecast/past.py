"""What simple forecasts read of windows: pasts without gaps, in their unit, some at a time.

Shapes: W windows, N = W·C pasts, L steps that are read, H horizon, C channels, B numbers beside the values.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ...data.batch import Batch
from .windows import Windows

Array = np.ndarray
CHUNK, MOST = 4096, 1 << 22  # windows at a time, and values of them
REACH = 3  # steps back, up to which covariates are read
WIDEST = 400  # numbers known of all steps ahead together, of more of which none is read


class Past(NamedTuple):
    """What is known before a forecast: standardised values without gaps, their unit, and covariates."""

    values: Array  # (N, L)
    mean: Array  # (N, 1) in the unit of the data
    std: Array  # (N, 1)
    beside: Array  # (N, B), none of it if there are no covariates


class Future(NamedTuple):
    """What happened: standardised values, and which are known."""

    values: Array  # (N, H)
    known: Array  # (N, H)


def is_positive(past: Past, future: Future) -> bool:
    """Tell whether all that is known has a logarithm."""
    after = (future.values * past.std + past.mean)[future.known]
    return bool((past.values * past.std + past.mean > 0).all() and (after > 0).all())


def parts_of(windows: Windows, season: int = 1) -> Iterator[tuple[Past, Future]]:
    """Yield pasts and futures of ``windows``, some at a time: window by window, in them channel by channel.

    Of a past that begins late the first ``season`` is repeated before.
    """
    for numbers in _portions(windows):
        batch = windows.take(numbers)
        assert batch.targets is not None
        target = _flat(batch.targets)
        known = np.ones(target.shape, bool) if batch.target_mask is None else _flat(batch.target_mask)
        yield _past(windows, numbers, batch, season), Future(target, known)


def future_of(windows: Windows) -> Array:
    """Return what happened in ``windows``, NaN where it is not known: (W, H, C)."""
    parts = [np.where(future.known, future.values, np.nan) for _, future in parts_of(windows)]
    return by_window(np.concatenate(parts), windows)


def answered(windows: Windows, say: Callable[[Past], Array], season: int = 1) -> Array:
    """Return what ``say`` makes of the past of all ``windows``, some at a time: (W, H, C).

    Of a past that begins late the first ``season`` is repeated before.
    """
    pasts = (_past(windows, numbers, windows.take(numbers), season) for numbers in _portions(windows))
    return by_window(np.concatenate([say(past) for past in pasts]), windows)


def past_of(windows: Windows, numbers: Tensor) -> Past:
    """Return what the windows with these ``numbers`` read; a gap is the value before it."""
    return _past(windows, numbers, windows.take(numbers), 1)


def _portions(windows: Windows) -> tuple[Tensor, ...]:
    """Return the numbers of ``windows``, some at a time: fewer where each reads much."""
    return torch.arange(len(windows)).split(max(1, min(CHUNK, MOST // windows.lookback)))


def _past(windows: Windows, numbers: Tensor, batch: Batch, season: int) -> Past:
    x, observed = _flat(batch.inputs), batch.get("observed")
    if observed is not None:
        x = carried_forward(x, _flat(observed), season)
    series = windows.series[numbers].numpy()
    scaling = windows.rows.scaling
    return Past(x, scaling.mean[series].reshape(-1, 1), scaling.std[series].reshape(-1, 1), _beside(windows, batch))


def _beside(windows: Windows, batch: Batch) -> Array:
    """Return the covariates of the last few steps, and what is known ahead unless it is too much: (W·C, B)."""
    count, channels = len(batch), batch.inputs.shape[2]
    if windows.rows.beside is None:
        return np.zeros((count * channels, 0))
    known, past = batch["known"], batch["past"]
    ahead = known[:, windows.lookback :].flatten(1)
    parts = [ahead] if ahead.shape[1] <= WIDEST else []
    parts += [part[:, max(0, windows.lookback - REACH) : windows.lookback].flatten(1) for part in (known, past)]
    return np.repeat(torch.cat(parts, 1).double().numpy(), channels, 0)


def carried_forward(x: Array, known: Array, season: int = 1) -> Array:
    """Return ``x`` (N, L) with each gap filled by the known value before it.

    Before the first known value its first ``season`` is repeated, as far as it lies in the past.
    """
    steps = np.arange(x.shape[1])
    places = np.maximum.accumulate(np.where(known, steps, -1), 1)
    first = known.argmax(1)[:, None]
    ahead = first + (steps - first) % np.minimum(season, x.shape[1] - first)
    # What is repeated may have a gap, too, which has a known value before it.
    places = np.where(places < 0, np.take_along_axis(places, ahead, 1), places)
    return np.take_along_axis(x, np.maximum(places, 0), 1)


def _flat(values: Tensor) -> Array:
    """Return (W, T, C) as (W·C, T)."""
    flat = values.transpose(1, 2).flatten(0, 1).numpy()
    return flat if flat.dtype == bool else flat.astype(np.float64)


def reading(windows: Windows, steps: int) -> Windows:
    """Return ``windows`` that read so many ``steps``, which are missing before the first value of a series.

    What is known beside the values is left out.
    """
    rows, more = windows.rows, max(0, steps - windows.lookback)
    if more:
        bounds = np.append(rows.offsets, len(rows.values) + rows.pad)
        series = [np.arange(first - rows.pad, end - rows.pad) for first, end in pairwise(bounds.tolist())]
        index = torch.from_numpy(np.concatenate([np.concatenate([np.full(more, -1), own]) for own in series]))
        there = index >= 0
        observed = torch.ones_like(rows.values, dtype=torch.bool) if rows.observed is None else rows.observed
        rows = replace(
            rows,
            values=torch.where(there[:, None], rows.values[index], 0.0),
            observed=there[:, None] & observed[index],
            offsets=rows.offsets + more * np.arange(1, len(rows.offsets) + 1),
            pad=rows.pad + more,
        )
    moved = torch.from_numpy(rows.offsets - windows.rows.offsets)[windows.series] + windows.lookback - steps
    return replace(
        windows,
        rows=replace(rows, beside=None),
        starts=windows.starts + moved,
        phases=windows.phases + windows.lookback - steps,
        lookback=steps,
    )


def by_window(values: Array, windows: Windows) -> Array:
    """Return (W·C, H) as (W, H, C)."""
    return values.reshape(len(windows), -1, values.shape[1]).transpose(0, 2, 1)
