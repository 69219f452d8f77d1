"""Writing while a sequence comes: what a network of one direction hears, segment by segment.

Shapes: n samples, T steps, C channels, V units and their end.
"""

from typing import Any

import numpy as np
import torch

from ...data.sound import RANGE
from ...data.sound.mel import HOP, QUIETEST, WINDOW, log_mel
from ...data.sound.wav import scaled
from ...errors import ConfigError, DataError
from ...nn.filters import Filters
from ...nn.prefixes import listener
from ...nn.surroundings import on_its_own
from ..base import Fitted
from ..cases.network import Segments
from .ctc import FIRST, CtcNet
from .hearing import answers
from .sequences import Sequences


class Listening:
    """Text that is written while a sequence comes, by a model with ``decoder='ctc'`` that reads in one direction.

    ``hear`` takes what has come and returns the text so far, ``finish`` says that nothing more comes. A segment is read
    as soon as all of it is there, and the few steps behind it that the filters see. Whatever the pieces are in which a
    sequence comes, the text is the same; that of a series is what ``predict`` says of the whole. Sounds are heard in dB
    below the loudest of a file, which nobody knows before its end: here it is the loudest so far, or ``loudest`` dB of
    a tone as loud as can be until something is louder. So they are heard as in a file from their loudest moment on, or
    from the beginning if ``loudest`` is right.
    """

    def __init__(self, fitted: Fitted, beam: int, loudest: float | None = None):
        network, source = fitted.network, fitted.learned.source
        if not isinstance(network, CtcNet) or network.recurrent.directions == 2:
            raise ConfigError(
                "Only a model that was trained with decoder='ctc' and bidirectional=False writes while it listens: "
                "others have to hear the end before they begin."
            )
        assert isinstance(source, Sequences)
        self.network, self.source, self.target, self.beam = network.eval(), source, fitted.learned.target, beam
        self.sound = None if source.reading.rate is None else Sound(source.reading.rate, loudest)
        if loudest is not None and self.sound is None:
            raise ConfigError("loudest= is for sounds, and this model was trained on series: leave it out.")
        self.steps = Steps(network, source)
        self.following, self.logs = listener(beam, network.blank), []  # type: ignore[var-annotated]
        self.whole: str | None = None  # the text, when nothing more comes

    @property
    def text(self) -> str:
        """The text so far."""
        return self.whole if self.whole is not None else self._text(self.following.best()[0].units)

    @on_its_own
    @torch.no_grad()
    def hear(self, come: Any) -> str:
        """Take what has come and return the text so far.

        Of sounds that are samples (n,), as fractions between -1 and 1 or as whole numbers of their type, at the rate of
        the training; of series steps (T, C), or one of them (C,). Raises DataError for anything else.
        """
        if self.whole is not None:
            raise ConfigError("This sequence is finished: begin another one with stream().")
        given = np.asarray(come)
        values = self._series(given) if self.sound is None else self.sound.heard(_samples(given))
        self._follow(self.steps.said(self._read(values), last=False))
        return self.text

    @on_its_own
    @torch.no_grad()
    def finish(self) -> str:
        """Return the text of the whole, now that nothing more comes; raises DataError if nothing came."""
        if self.whole is None:
            rest = np.zeros((0, 0)) if self.sound is None else self.sound.rest()
            self._follow(self.steps.said(self._read(rest), last=True))
            if not self.logs:
                raise DataError("Nothing was heard, so there is nothing to write down.")
            best = answers(np.concatenate(self.logs), self.beam, self.network.blank)[0]
            self.whole = self._text(tuple(unit - FIRST for unit in best.units))
        return self.whole

    def _read(self, values: np.ndarray) -> np.ndarray:
        return self.source.reading.inputs(values) if len(values) else values

    def _follow(self, logs: np.ndarray) -> None:
        if len(logs):
            self.following.hear(logs)
            self.logs.append(logs)

    def _text(self, units: tuple[int, ...]) -> str:
        return self.target.cutter.join([self.target.shown(unit + FIRST) for unit in units])

    def _series(self, given: np.ndarray) -> np.ndarray:
        """Return steps (T, C) as they were given; raises DataError if they are none."""
        channels = len(self.source.reading.channels)
        steps = given[None] if given.ndim == 1 and len(given) == channels else given
        steps = given[:, None] if given.ndim == 1 and channels == 1 else steps
        if steps.ndim != 2 or steps.shape[1] != channels or steps.dtype.kind not in "iuf":
            raise DataError(
                f"Steps of {channels} number(s) are needed, as rows of an array, and this has the shape {given.shape}."
            )
        if not np.isfinite(steps).all():
            raise DataError("A step has a gap or a number that is not finite: fill it before it is heard.")
        return steps.astype(np.float64)


class Sound:
    """Samples as log-mel features, as soon as they are there, in dB below the loudest so far."""

    def __init__(self, rate: int, loudest: float | None):
        self.rate, self.loudest = rate, max(QUIETEST + RANGE, QUIETEST if loudest is None else loudest)
        self.waiting, self.begun = np.zeros(0, np.float32), False

    def heard(self, samples: np.ndarray) -> np.ndarray:
        """Return the steps (T, C) that are whole now."""
        self.waiting = np.concatenate([self.waiting, samples])
        if len(self.waiting) < round(WINDOW * self.rate):
            return np.zeros((0, 0))
        steps = self._below(self.waiting)
        self.waiting = self.waiting[len(steps) * round(HOP * self.rate) :]
        return steps

    def rest(self) -> np.ndarray:
        """Return the one step of a sound that is shorter than that; else nothing (0, 0), as of a file."""
        if self.begun or not len(self.waiting):
            return np.zeros((0, 0))
        return self._below(self.waiting)

    def _below(self, samples: np.ndarray) -> np.ndarray:
        self.begun = True
        steps: np.ndarray = log_mel(torch.from_numpy(samples), self.rate).double().numpy()
        loudest = np.maximum.accumulate(np.append(self.loudest, steps.max(1)))[1:]
        self.loudest = float(loudest[-1])
        return np.maximum(steps - loudest[:, None], -RANGE)


class Steps:
    """The steps of a sequence that segments still need, and what each segment says, once all that it sees is there."""

    def __init__(self, network: CtcNet, source: Sequences):
        self.network, self.layout = network, source.reading.layout
        self.device = next(network.parameters()).device
        self.margin = margin(network)
        self.kept, self.first = np.zeros((0, self.layout.inputs)), 0  # steps, and the number of the first of them
        self.next, self.states = 0, network.recurrent.initial(1)

    def said(self, steps: np.ndarray, last: bool) -> np.ndarray:
        """Return what the segments say that are whole with these ``steps`` (n, V - 1); all if they are the ``last``."""
        if len(steps):
            self.kept = np.concatenate([self.kept, steps])
        total, hop = self.first + len(self.kept), self.layout.hop
        known = total - self.layout.segment - self.margin
        until = (self.layout.read(total) if total else 0) if last else max(0, known // hop + 1)
        if until <= self.next:
            return np.zeros((0, self.network.out.out_features), np.float32)
        x = torch.from_numpy(self.kept).float().unsqueeze(0).to(self.device)
        vectors, _ = self.network.embed(x, None)
        before = self.first // hop
        read = self.network.recurrent(vectors[:, self.next - before : until - before], self.states)
        self.states, self.next = read.states, until
        # Steps that no later segment sees are let go; what is kept begins with a segment.
        begin = max(0, until * hop - self.margin) // hop * hop
        self.kept, self.first = self.kept[max(0, begin - self.first) :], max(begin, self.first)
        logs: np.ndarray = self.network.said(read.outputs)[0].cpu().numpy()
        return logs


def margin(network: CtcNet) -> int:
    """Return how many steps beside a segment its filters see."""
    segments = network.embed.segments
    if not isinstance(segments, Segments) or segments.filters is None:
        return 0
    first, *others = (width // 2 for width, _ in zip(Filters.WIDTHS, segments.filters.layers, strict=False))
    return int(first + segments.layout.pool * sum(others))


def _samples(given: np.ndarray) -> np.ndarray:
    """Return samples as fractions, float32 (n,); raises DataError if they are none."""
    if given.ndim != 1 or given.dtype.kind not in "iuf":
        raise DataError(
            f"Samples of one channel are needed, one after the other, and this has the shape {given.shape}."
        )
    samples = scaled(given)
    if not np.isfinite(samples).all():
        raise DataError("A sample is no finite number: leave it out.")
    return samples
