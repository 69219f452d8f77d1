"""Writing: one unit after the other, each drawn from what the network says of the next one.

Shapes: V units that are known.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

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


@dataclass(frozen=True)
class Sampling:
    """How the next unit is chosen: of scores s, one is drawn from ``softmax(s / temperature)`` of those that are left.

    ``top_k`` leaves the k likeliest (Fan et al. 2018, arXiv 1805.04833), ``top_p`` the fewest that together have this
    share (Holtzman et al. 2020, arXiv 1904.09751). A temperature of 0 takes the likeliest.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0

    def choose(self, scores: Tensor, generator: torch.Generator) -> int:
        """Return the number of a unit, by its ``scores`` (V,)."""
        if not self.temperature:
            return int(scores.argmax())
        scores = scores / self.temperature
        if self.top_k and self.top_k < len(scores):
            least = scores.topk(self.top_k).values[-1]
            scores = scores.masked_fill(scores < least, -torch.inf)
        shares = scores.softmax(-1)
        if self.top_p < 1:
            sorted_, order = shares.sort(descending=True, stable=True)
            beyond = sorted_.cumsum(0) - sorted_ >= self.top_p  # what stands before has the share already
            beyond[0] = False
            shares = shares.index_fill(0, order[beyond], 0.0)
        return int(torch.multinomial(shares, 1, generator=generator))


class Reading:
    """A network that reads one unit at a time: by the native engine, where it has a kernel for every layer."""

    def __init__(self, network: LanguageNet):
        self.network = network
        self.step = _steps(network.recurrent)
        self.look = None if network.look is None else LookingOn(network.look)

    def next(self, number: int) -> Tensor:
        """Read a unit; return the scores (V,) of the one that comes next."""
        state = self.step(F.embedding(torch.tensor([number]), self.network.embed))
        state = state if self.look is None else self.look.next(state)
        return self.network.scores(state if self.network.boom is None else self.network.boom(state))[0]


def _steps(recurrent: Recurrent) -> Callable[[Tensor], Tensor]:
    """Return what takes one step of all layers, and keeps their states."""
    try:
        steppers = [Stepper(cell) for cell in recurrent.cells()] if _is_plain(recurrent) else None
    except ConfigError:
        steppers = None
    if steppers is not None:

        def step(x: Tensor) -> Tensor:
            for one in steppers:
                x = one.step(x)
            return x

        return step
    states = recurrent.initial(1)

    def slow(x: Tensor) -> Tensor:
        nonlocal states
        out, states = recurrent.step(x, states)
        return out

    return slow


def _is_plain(recurrent: Recurrent) -> bool:
    """Tell whether nothing but the cells stands between the layers."""
    how = recurrent.regularisers
    return not (how.residual or how.layer_norm or how.zoneout)


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
    generator = torch.Generator().manual_seed(asked.seed)
    # What has no unit is never written.
    never = torch.tensor([PADDING, UNKNOWN])
    with torch.no_grad():
        reading = Reading(network.cpu())
        scores = reading.next(learned.start)
        yield from prompt
        for number in numbers:
            scores = reading.next(number)
        for _ in range(asked.length):
            number = sampling.choose(scores.index_fill(0, never, -torch.inf), generator)
            yield learned.shown(number)
            scores = reading.next(number)
