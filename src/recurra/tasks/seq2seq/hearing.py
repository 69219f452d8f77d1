"""What networks hear that say a unit of every step, and where they heard it.

Shapes: T segments, V units and their end, Q units of an answer.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from ...errors import ConfigError, DataError
from ...nn.beam import Said
from ...nn.prefixes import Units, least_steps, listener, said_where, weighed
from ...nn.surroundings import on_its_own
from .ctc import FIRST, CtcNet
from .examples import PairExamples

TOGETHER = 64  # sequences that are heard at the same time, at most
STEPS = 100_000  # and the steps of those, with padding


def hears(networks: Sequence[Any]) -> bool:
    """Tell whether these say a unit of every step; raises ConfigError if they are of several kinds."""
    if len(set(map(type, networks))) > 1:
        raise ConfigError("Runs of different decoders make answers in different ways, so they cannot decide together.")
    return isinstance(networks[0], CtcNet)


@on_its_own
@torch.no_grad()
def heard(networks: Sequence[CtcNet], examples: PairExamples, beam: int) -> list[list[Said]]:
    """Return the best answers to each sequence by the mean of what the networks say at each step, the best first.

    ``beam`` of them are followed. The logarithm of their probabilities counts all ways to say them.
    """
    found: list[list[Said]] = [[]] * len(examples)
    for place, logs in _logs(networks, examples):
        found[place] = answers(logs, beam, networks[0].blank)
    return found


def answers(logs: np.ndarray, beam: int, blank: int) -> list[Said]:
    """Return the best answers that the steps ``logs`` (T, V - 1) say, each with where it was heard."""
    following = listener(beam, blank)
    following.hear(logs)
    every = weighed(following.best(), logs, blank)
    return [
        Said(_numbers(one.units), one.logs, one.logs, torch.from_numpy(places(one.units, logs, blank))) for one in every
    ]


def places(units: Units, logs: np.ndarray, blank: int) -> np.ndarray:
    """Return at which steps each of the ``units`` is said in the likeliest way to say all, float64 (Q, T).

    Each row sums to 1.
    """
    where = said_where(units, logs, blank)
    found = (where == np.arange(len(units))[:, None]).astype(np.float64)
    return found / found.sum(1, keepdims=True)


@on_its_own
@torch.no_grad()
def placed(network: CtcNet, pair: PairExamples) -> np.ndarray:
    """Return where each unit of the right answer of one pair is heard (Q, T); raises DataError if they are too many."""
    assert pair.said is not None
    units = tuple((pair.said.row(0)[:-1] - FIRST).tolist())
    ((_, logs),) = _logs([network], pair)
    if least_steps(units) > len(logs):
        raise DataError(
            f"This text needs {least_steps(units):,} steps, and the sequence is read in {len(logs):,}, of which each "
            "says one unit: give a shorter text, or train with a smaller segment=."
        )
    return places(units, logs, network.blank)


def _numbers(units: Units) -> Units:
    return tuple(unit + FIRST for unit in units)


def _logs(networks: Sequence[CtcNet], examples: PairExamples) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the place of each sequence and what its steps say (T, V - 1), those of about one length together."""
    device = next(networks[0].parameters()).device
    lengths = examples.read.lengths
    order, begin = np.argsort(-lengths, kind="stable"), 0
    while begin < len(order):
        some = order[begin : begin + max(1, min(TOGETHER, STEPS // int(lengths[order[begin]])))]
        batch = examples.take(torch.from_numpy(some)).to(device)
        spoken = [network.eval().spoken(batch) for network in networks]
        logs = torch.stack([one.logs for one in spoken])
        mean = logs[0] if len(spoken) == 1 else logs.logsumexp(0) - float(np.log(len(spoken)))
        for place, row, count in zip(some.tolist(), mean.cpu().numpy(), spoken[0].lengths.tolist(), strict=True):
            yield place, row[:count]
        begin += len(some)
