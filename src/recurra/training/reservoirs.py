"""How a reservoir is found: one after the other is tried, and the one that does best on validation stays.

The random weights are the same in all; what is tried are the three numbers of their equation. An epoch is one of them.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..cells import ReservoirCell
from ..errors import RunError
from ..settings import ModelSettings, Range, TrainingSettings
from .loop import Epoch, Progress, Watch

NUMBERS = ("spectral_radius", "leak", "input_scaling")
USUAL = {"spectral_radius": 0.9, "leak": 0.5, "input_scaling": 0.5}  # what is tried first
RANGES = {"spectral_radius": Range(0.3, 1.6), "leak": Range(0.05, 1.0), "input_scaling": Range(0.03, 3.0)}
AROUND = 0.1  # of a range's width, in logarithms, is the deviation there


class Fit(NamedTuple):
    """How well a network does whose read-out was just found."""

    train_loss: float
    valid_loss: float


def search(
    network: nn.Module,
    fit: Callable[[], Fit],
    model: ModelSettings,
    training: TrainingSettings,
    progress: Progress,
    watch: Watch | None = None,
) -> Iterator[Epoch]:
    """Try one reservoir after the other in ``network``, each with the read-out that ``fit`` finds; an Epoch for each.

    What ``model`` gives is not searched. The best is that of the lowest validation loss, or of the best metric if one
    is to ``watch``; when the generator ends, the network is that one. ``progress`` is as in ``training.loop.fit``.
    Raises RunError if no reservoir gives a finite loss.
    """
    given = {name: value for name in NUMBERS if (value := getattr(model, name)) is not None}
    while not (progress.finished or progress.exhausted(training)):
        started, number = time.perf_counter(), progress.epoch + 1
        tune(network, _numbers(number, progress, training) | given)
        train_loss, valid_loss = fit()
        watched = None if watch is None else float(watch.measure())
        best = math.isfinite(valid_loss) and progress.beaten(valid_loss, watched, watch)
        if best:
            progress.keep(number, valid_loss, watched, network)
        progress.epoch = number
        yield Epoch(number, 0, train_loss, valid_loss, best, {}, {}, time.perf_counter() - started, watched)
    progress.finished = True
    if not progress.best_weights:
        raise RunError("No reservoir gave a finite loss. Use a smaller input_scaling=, or values in another unit.")
    network.load_state_dict(progress.best_weights)
    network.eval()


def tries(model: ModelSettings, most: int) -> int:
    """Return how many reservoirs are tried: ``most``, but one if there is nothing to find."""
    return most if any(getattr(model, name) is None for name in NUMBERS) else 1


def tune(network: nn.Module, numbers: Mapping[str, float]) -> None:
    """Set the numbers of all reservoir cells in ``network``."""
    for cell in network.modules():
        if isinstance(cell, ReservoirCell):
            cell.tune(**numbers)


def described(network: nn.Module, progress: Progress, penalty: float) -> str:
    """Say which numbers the reservoirs of ``network`` have, and how they were found."""
    cell = next(cell for cell in network.modules() if isinstance(cell, ReservoirCell))
    radius, leak, scaling = (float(getattr(cell, name)) for name in NUMBERS)
    said = f"spectral radius {radius:.3g}, leak {leak:.3g}, input scaling {scaling:.3g}"
    tried = f"the best of {progress.epoch}" if progress.epoch > 1 else "the only one"
    return f"reservoir: {said}, {tried}; penalty of the read-out {penalty:.0e}"


def _numbers(number: int, progress: Progress, training: TrainingSettings) -> dict[str, float]:
    """Return what try ``number`` is: the usual, then by turns anything and something near the best so far."""
    if number == 1:
        return USUAL
    # Every try has its own seed, so that a search that was interrupted goes on as it would have gone on.
    generator = torch.Generator().manual_seed((training.seed * 1_000_003 + number) % 2**63)
    wide = number % 2 == 0 or not progress.best_weights
    return {
        name: _anywhere(limits, generator) if wide else _near(_best(progress, name), limits, generator)
        for name, limits in RANGES.items()
    }


def _anywhere(limits: Range, generator: torch.Generator) -> float:
    share = float(torch.rand((), generator=generator, dtype=torch.float64))
    return limits.low * (limits.high / limits.low) ** share


def _near(best: float, limits: Range, generator: torch.Generator) -> float:
    moved = float(torch.randn((), generator=generator, dtype=torch.float64)) * AROUND
    return min(max(best * (limits.high / limits.low) ** moved, limits.low), limits.high)


def _best(progress: Progress, name: str) -> float:
    found: Tensor = next(value for key, value in progress.best_weights.items() if key.endswith(f".{name}"))
    return float(found)
