"""Margins of intervals that follow what turns out, each step ahead for itself.

Shapes: S row series, H horizon, C channels, V levels of intervals.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from .exam import Guess

RATE = 0.15  # of the usual distance between score and margin, by which a margin moves
MEMORY = 50  # scores over which that distance is averaged


class Margins(NamedTuple):
    """How far the ends of intervals are moved, and what is known of the scores they follow.

    When ``y`` has turned out, a forecast of it made ``h`` steps before has the score ``s = max(low − y, y − high)`` of
    the ends that the network itself gave, in training deviations. The margin ``q`` of a level then moves by

        ``q ← q + RATE · b · (1{s > q} − (1 − level))``

    which is a step of the online subgradient descent of the quantile loss of the scores (conformal quantile tracking:
    Gibbs and Candès 2021, arXiv 2106.00170; Angelopoulos, Candès and Tibshirani 2023, arXiv 2307.16895): what the
    margin lets out in the long run is ``1 − level``, whatever the data do, up to ``(range of q) / (RATE · b · T)``.
    A forecast itself was made with the margin of ``h`` steps before, so that where errors come in runs it holds less.
    ``b`` is the mean of ``|s − q|`` over about MEMORY scores, so that steps are in the unit of the errors.
    Each series, channel, step ahead and level has a margin of its own, which begins with that of the training.
    """

    margin: np.ndarray  # (S, H, C, V) q, in training deviations
    distance: np.ndarray  # (S, H, C, V) b
    scores: np.ndarray  # (S, H, C) how many there were, up to MEMORY
    issued: (
        np.ndarray
    )  # (S, H, H, C, V, 2) the network's ends of the last H forecasts, by the place of their first step
    origins: np.ndarray  # (S, H) which step that is, −1 for none

    @classmethod
    def of(cls, moves: np.ndarray, rows: int, horizon: int, channels: int) -> "Margins":
        """Begin with the margins ``moves`` of the training, (V,) or (H, V)."""
        shape = (rows, horizon, channels, moves.shape[-1])
        margin = np.broadcast_to(np.atleast_2d(moves)[None, :, None], shape).astype(np.float64)
        issued = np.full((rows, horizon, *shape[1:], 2), np.nan)
        return cls(margin, np.zeros(shape), np.zeros(shape[:3]), issued, np.full((rows, horizon), -1))

    def issue(self, row: int, origin: int, guess: Guess) -> None:
        """Keep the ends of a forecast of one ``row``, whose first step is the number ``origin`` of its series."""
        slot = origin % self.origins.shape[1]
        self.origins[row, slot] = origin
        for place, (low, high) in enumerate(ends_of(guess)):
            self.issued[row, slot, :, :, place, 0], self.issued[row, slot, :, :, place, 1] = low[row], high[row]

    def issued_at(self, row: int, origin: int) -> bool:
        """Tell whether the forecast of ``row`` from ``origin`` on is kept."""
        return bool(self.origins[row, origin % self.origins.shape[1]] == origin)

    def observe(self, row: int, step: int, values: np.ndarray, std: np.ndarray, levels: np.ndarray) -> None:
        """Move the margins of a ``row`` by the ``values`` (C,) of a ``step``, NaN where unknown; ``std`` (C,)."""
        horizon = self.origins.shape[1]
        ahead = np.arange(horizon)
        slots = (step - ahead) % horizon
        low, high = np.moveaxis(self.issued[row, slots, ahead], -1, 0)  # (H, C, V)
        score = np.maximum(low - values[:, None], values[:, None] - high) / std[:, None]
        known = np.isfinite(score) & (self.origins[row, slots] == step - ahead)[:, None, None]
        margin, distance, scores = self.margin[row], self.distance[row], self.scores[row]
        scores += known[..., 0] & (scores < MEMORY)
        away = np.where(known, np.abs(score - margin), distance)
        distance += (away - distance) / np.maximum(scores, 1)[..., None]
        missed = score > margin
        margin += np.where(known, RATE * distance * (missed - (1 - levels)), 0.0)

    def widened(self, guess: Guess, std: np.ndarray) -> Guess:
        """Return a guess with the ends of its intervals moved; ``std`` (S, C) are the training deviations."""
        moves = np.moveaxis(self.margin * std[:, None, :, None], -1, 0)
        ends = sorted(guess.bands.items())
        return Guess(
            guess.point, {level: (low - q, high + q) for q, (level, (low, high)) in zip(moves, ends, strict=True)}
        )

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return all of it, by name."""
        return {f"margins_{name}": part for name, part in self._asdict().items()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "Margins":
        """Return what ``to_arrays`` gave."""
        return cls(**{name: np.array(arrays[f"margins_{name}"]) for name in cls._fields})


def ends_of(guess: Guess) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the ends of each interval, the lowest level first."""
    return [guess.bands[level] for level in sorted(guess.bands)]
