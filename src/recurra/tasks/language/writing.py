"""Writing: one unit after the other, each drawn from what the network says of the next one.

Shapes: V units that are known.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...cells import Cell
from ...cells.base import is_settled, settled
from ...data.text import PADDING, UNKNOWN
from ...data.text.units import written
from ...errors import ConfigError
from ...nn.layers import Recurrent
from ...nn.stepper import Stepper
from ..base import Fitted
from .learned import LanguageLearned
from .looking import LookingOn
from .network import LanguageNet
from .settings import WritingAsked

LOTS = 1000  # that are drawn at a time


@dataclass(frozen=True)
class Sampling:
    """How the next unit is chosen: of scores s, one is drawn from ``softmax(s / temperature)`` of those that are left.

    ``top_k`` leaves the k likeliest (Fan et al. 2018, arXiv 1805.04833), ``top_p`` the fewest that together have this
    share (Holtzman et al. 2020, arXiv 1904.09751). A temperature of 0 takes the likeliest.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0

    def choose(self, scores: np.ndarray, lot: float) -> int:
        """Return the number of a unit, by the ``scores`` (V,) and a ``lot`` that was drawn from 0 to 1."""
        if not self.temperature:
            return int(scores.argmax())
        scores = scores.astype(np.float64)
        if self.top_k and self.top_k < len(scores):
            scores[scores < np.partition(scores, -self.top_k)[-self.top_k]] = -np.inf
        shares = np.exp((scores - scores.max()) / self.temperature)
        if self.top_p < 1:
            order = np.argsort(-shares, kind="stable")
            before = shares[order].cumsum() - shares[order]
            shares[order[1:][before[1:] >= self.top_p * shares.sum()]] = 0.0
        sums = shares.cumsum()
        found = int(sums.searchsorted(lot * sums[-1], side="right"))
        return found if found < len(sums) else int(shares.argmax())


class Reading:
    """A network that reads one unit at a time: by the native engine, where it has a kernel for every layer."""

    def __init__(self, network: LanguageNet):
        self.look = None if network.look is None else LookingOn(network.look)
        self.boom, self.say = network.boom, _saying(network)
        self.step = _reading(network)

    @torch.no_grad()
    def next(self, number: int) -> Tensor:
        """Read a unit; return the scores (V,) of the one that comes next."""
        state = self.step(number)
        if self.look is not None:
            state = self.look.next(state)
        return self.say(state if self.boom is None else self.boom(state))


def _reading(network: LanguageNet) -> Callable[[int], Tensor]:
    """Return what takes a step of all layers for a unit, and keeps their states; what it returns is overwritten."""
    recurrent, table = network.recurrent, network.embed.detach()
    first, *others = recurrent.cells()
    short = len(table) < first.input_size and _is_itself(first)
    try:
        steppers = [Stepper(cell) for cell in (_of_units(first, table) if short else first, *others)]
    except ConfigError:
        steppers = []
    if not steppers or not _is_plain(recurrent):
        return _slowly(recurrent, table)
    begin, rest = steppers[0].step, [one.step for one in steppers[1:]]
    rows = torch.eye(len(table), dtype=table.dtype) if short else table

    def step(number: int) -> Tensor:
        x = begin(rows[number : number + 1])
        for one in rest:
            x = one(x)
        return x

    return step


def _slowly(recurrent: Recurrent, table: Tensor) -> Callable[[int], Tensor]:
    """Return what takes a step as training does."""
    states = recurrent.initial(1)

    def step(number: int) -> Tensor:
        nonlocal states
        out, states = recurrent.step(table[number : number + 1], states)
        return out

    return step


def _of_units(cell: Cell, table: Tensor) -> Cell:
    """Return a cell that reads a one at the place of a unit, not its vector in the ``table`` (V, E): V is below E."""
    twin: Any = settled(cell)
    twin.__dict__.update(weight_ih=twin.weight_ih.detach() @ table.T, input_size=len(table))
    return twin


def _is_itself(cell: Cell) -> bool:
    """Tell whether nothing makes other weights of those of a cell, which has some for its input."""
    return hasattr(cell, "weight_ih") and is_settled(cell) and not cell._forward_pre_hooks


def _is_plain(recurrent: Recurrent) -> bool:
    """Tell whether nothing but the cells stands between the layers."""
    how = recurrent.regularisers
    return not (how.residual or how.layer_norm or how.zoneout)


def _saying(network: LanguageNet) -> Callable[[Tensor], Tensor]:
    """Return what makes scores (V,) of a state (1, H), as ``network.scores`` does."""
    if network.adaptive is not None or network.narrow is not None:
        return lambda state: network.scores(state)[0]
    weight, bias = (network.embed if network.weight is None else network.weight).detach(), network.bias.detach()
    return lambda state: torch.addmv(bias, weight, state[0])


def write(fitted: Fitted, asked: WritingAsked) -> Iterator[str]:
    """Yield a text piece by piece: the prompt, then ``length`` units, or fewer if ``stop`` has been written.

    Raises ConfigError for a prompt of which nothing is known.
    """
    learned: LanguageLearned = fitted.learned
    prompt = learned.units(asked.prompt)
    numbers = learned.encode(prompt).tolist()
    if prompt and all(number == UNKNOWN for number in numbers):
        raise ConfigError(
            f"Nothing of the prompt '{asked.prompt[:40]}' is known to this model, as its training text had nothing of "
            "it. Begin with something else."
        )
    return _written(fitted, asked, prompt, numbers)


def _written(fitted: Fitted, asked: WritingAsked, prompt: list[str], numbers: list[int]) -> Iterator[str]:
    learned: LanguageLearned = fitted.learned
    network: LanguageNet = fitted.network.eval()  # type: ignore[assignment]
    pieces = written(_drawn(network, asked, prompt, numbers, learned), learned.level)
    for _ in prompt:
        yield next(pieces)
    yield from _until(asked.stop, pieces) if asked.stop else pieces


def _until(stop: str, pieces: Iterator[str]) -> Iterator[str]:
    """Yield ``pieces`` up to the text ``stop``; what may be its beginning waits for what follows."""
    waiting = ""
    for piece in pieces:
        waiting += piece
        end = waiting.find(stop)
        if end >= 0:
            yield waiting[:end]
            return
        held = max((n for n in range(1, len(stop)) if waiting.endswith(stop[:n])), default=0)
        yield waiting[: len(waiting) - held]
        waiting = waiting[len(waiting) - held :]
    yield waiting


def _drawn(
    network: LanguageNet, asked: WritingAsked, prompt: list[str], numbers: list[int], learned: LanguageLearned
) -> Iterator[str]:
    """Yield the units of the prompt, then those that are drawn."""
    sampling = Sampling(asked.temperature, asked.top_k, asked.top_p)
    lots = _lots(torch.Generator().manual_seed(asked.seed))
    reading = Reading(network.cpu())
    scores = reading.next(learned.start)
    yield from prompt
    for number in numbers:
        scores = reading.next(number)
    for lot in islice(lots, asked.length):
        found = scores.numpy()
        found[[PADDING, UNKNOWN]] = -np.inf  # what has no unit is never written
        number = sampling.choose(found, lot)
        yield learned.shown(number)
        scores = reading.next(number)


def _lots(generator: torch.Generator) -> Iterator[float]:
    """Yield numbers from 0 to 1 without end."""
    while True:
        yield from torch.rand(LOTS, generator=generator, dtype=torch.float64).tolist()
