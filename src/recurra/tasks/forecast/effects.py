"""What is known ahead of a step, taken out of a series before a linear model sees it, and put back into its answer.

Shapes: W windows, L look-back, H horizon, R rows, K numbers that are known ahead.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch

from ...training.ridge import NormalEquations
from .windows import Windows

Array = np.ndarray
PENALTY = 1e-3  # as a share of the mean square of what is known
MOST, CHUNK = 5_000, 1024  # windows that are used at most, and at a time


class Effects(NamedTuple):
    """How much each number that is known ahead moves a standardised value: ``y_t = β · k_t + what is left``."""

    weights: Array  # (K,)

    @classmethod
    def of(cls, windows: Windows) -> "Effects":
        """Find β by ridge regression of how far values lie from the mean of the past, on how far k lies from its own.

        So a level that wanders between windows is no part of it. All steps of all windows and series count alike.
        """
        windows = windows.some(MOST)
        known = windows.rows.beside.known.shape[1]  # type: ignore[union-attr]
        sums = NormalEquations(known, 1)
        for numbers in torch.arange(len(windows)).split(CHUNK):
            batch = windows.take(numbers)
            assert batch.targets is not None
            past, future = batch["known"].split([windows.lookback, windows.horizon], 1)
            moved = (future - past.mean(1, keepdim=True)).flatten(0, 1).double().numpy()
            values, observed = batch.inputs, batch.get("observed")
            if observed is not None:
                values = torch.where(observed, values, torch.nan)
            change = (batch.targets - values.nanmean(1, keepdim=True))[..., 0]
            if batch.target_mask is not None:
                change = change.masked_fill(~batch.target_mask[..., 0], torch.nan)
            target = change.flatten().double().numpy()
            keep = np.isfinite(target)
            sums.add(moved[keep], target[keep, None])
        return cls(sums.solve(PENALTY)[:-1, 0])

    def taken_from(self, windows: Windows) -> Windows:
        """Return ``windows`` over rows without these effects."""
        rows = windows.rows
        left = rows.values - self._of_rows(windows).unsqueeze(1)
        if rows.observed is not None:
            left = torch.where(rows.observed, left, 0.0)
        return replace(windows, rows=replace(rows, values=left))

    def ahead(self, windows: Windows) -> Array:
        """Return the effects on the steps that are forecast: (W, H, 1)."""
        first = windows.starts.unsqueeze(1) + windows.lookback
        effects: Array = self._of_rows(windows)[first + torch.arange(windows.horizon)].unsqueeze(2).double().numpy()
        return effects

    def _of_rows(self, windows: Windows) -> torch.Tensor:
        known = windows.rows.beside.known  # type: ignore[union-attr]
        return known @ torch.from_numpy(self.weights).to(known)


def has_effects(windows: Windows) -> bool:
    """Tell whether anything is known ahead of single series."""
    beside = windows.rows.beside
    return beside is not None and beside.known.shape[1] > 0 and windows.rows.values.shape[1] == 1
