"""What a network says of cases, where it looked, and what its answers rest on.

Shapes: N cases, n segments.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from ...errors import ConfigError
from ...nn.models import Output
from ...nn.occlusion import Fall, less_sure, occlusion
from ...nn.surroundings import on_its_own
from ..base import Fitted
from .examples import CaseExamples

AT_ONCE = 256  # cases that the network reads at a time: more would only take more memory


@on_its_own
def predictions(fitted: Fitted, examples: CaseExamples) -> Tensor:
    """Return what comes out of the network for each case (N, ...), float64."""
    found = outputs(fitted, examples, examples.by_length(AT_ONCE))
    return torch.cat([output.prediction.cpu().double() for output in found])[examples.back()]


@on_its_own
def looks(fitted: Fitted, examples: CaseExamples) -> list[np.ndarray]:
    """Return where the network looked in each case: (n,) over its own segments, mean over heads and rows.

    Raises ConfigError if the network does not look.
    """
    layout = fitted.learned.reading.layout
    parts = torch.arange(len(examples)).split(AT_ONCE)
    found: list[np.ndarray] = []
    for numbers, output in zip(parts, outputs(fitted, examples, parts), strict=True):
        weights = output.weights
        if weights is None:
            raise ConfigError("This model looks nowhere: it reads out without attention.")
        rows = weights.flatten(1, -2).mean(1).cpu().double().numpy()
        lengths = examples.lengths[numbers].tolist()
        found += [row[: layout.read(steps)] for row, steps in zip(rows, lengths, strict=True)]
    return found


def looks_if_it_does(fitted: Fitted, examples: CaseExamples) -> list[np.ndarray] | None:
    """Return where the network looked in each case, None if it looks nowhere."""
    pool = fitted.network.pool
    return None if pool is None or pool.attention is None else looks(fitted, examples)  # type: ignore[union-attr]


@on_its_own
def falls(fitted: Fitted, examples: CaseExamples, fall: Fall = less_sure) -> list[np.ndarray]:
    """Return how far the answer to each case falls without each of its own segments: (n, ...), see ``occlusion``."""
    network, reading = fitted.network, fitted.learned.reading
    device = next(network.parameters()).device
    found: dict[int, np.ndarray] = {}
    for numbers in examples.by_length(AT_ONCE):
        lengths = examples.lengths[numbers].tolist()
        stretches = reading.layout.stretches(max(lengths))
        rows = occlusion(network, examples.take(numbers).to(device), stretches, fall, reading.without).cpu().numpy()
        for number, row, steps in zip(numbers.tolist(), rows, lengths, strict=True):
            found[number] = row[: reading.layout.read(steps)]
    return [found[number] for number in range(len(examples))]


def outputs(fitted: Fitted, examples: CaseExamples, parts: tuple[Tensor, ...]) -> Iterator[Output]:
    """Yield what the network says of each part of the examples, by their numbers."""
    network = fitted.network
    network.eval()
    device = next(network.parameters()).device
    for numbers in parts:
        with torch.inference_mode():
            output = network(examples.take(numbers).to(device))
        yield output
