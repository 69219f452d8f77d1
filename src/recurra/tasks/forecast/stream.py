"""Forecasts of series that go on: one observation at a time, at a cost that does not grow.

Shapes: S row series, H horizon, C channels, K columns known ahead, P known of the past.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cached_property
from hashlib import sha256
from typing import Any, NamedTuple, Self

import numpy as np
import pandas as pd
import torch

from ...data.series import Panel
from ...errors import ConfigError
from ...nn.intervals import levels_of
from ...nn.surroundings import on_its_own
from ..base import Fitted
from ..frames import Form, given_as
from .adaptive import Margins
from .answers import mixed, plain_answer, told
from .carried import Carried
from .context import Context, refuse_empty, unknown_ahead
from .exam import Guess, guess_from
from .intervals import calibrated
from .kind import steps_within
from .learned import ForecastLearned, plain_stamp, stamp_of
from .network import ForecastNet
from .observations import Columns, Observations
from .scaling import Scaling
from .track import Track
from .variables import Around
from .windows import Windows, ratios_for, windows_after

FORMAT = 1  # of a state


class Begun(NamedTuple):
    """Where a stream stands: which series there are, when each began, how long it is, and what a forecast reads."""

    names: tuple[str, ...]
    starts: tuple[Any, ...]
    lengths: tuple[int, ...]
    context: Context

    @classmethod
    def after(cls, learned: ForecastLearned, context: Context) -> "Begun":
        """Stand where ``context`` ends."""
        if context.panel is None:
            return cls(learned.names, learned.starts, learned.lengths, context)
        panel = context.panel
        return cls(panel.names, panel.starts, tuple(len(values) for values in panel.values), context)


class Seen(NamedTuple):
    """What an update says of one row series."""

    gap: int  # steps before it that nobody told of
    values: np.ndarray  # (C,)
    known: Columns
    past: Columns


class ForecastStream:
    """A forecast that goes on with every observation: ``update`` takes one, ``predict`` answers from it.

    An answer is that of ``Forecaster.predict`` for the same values, bit for bit, with ``adapt`` but for its intervals.
    As many of them as a run remembers are kept in a ring, so memory and cost stay the same however long a stream is. A
    reservoir reads no look-back again: it carries its state, if a look-back is enough for it to forget where it began.
    Series that were not there in training keep the scale of the values that the stream began with.

    With ``adapt`` the margins of the intervals follow what turns out (``Margins`` has the equation), each step ahead
    for itself; then every update makes a forecast, and up to a horizon of them is kept.
    """

    def __init__(self, fitted: Fitted, begun: Begun, form: Form, adapt: bool = False):
        self.fitted, self.learned, self.form = fitted, fitted.learned, form
        self.names, self.begun = begun.names, begun
        self.said = Observations(self.learned, begun.names)
        self.scaling, self.identities = begun.context.scaling, begun.context.identities
        self.phases = begun.context.phases.copy()
        panel = _outline(self.learned, begun)
        self.tracks = [
            Track(self.learned, fitted.config.task, panel, n, values) for n, values in enumerate(begun.context.values)
        ]
        if begun.context.around is not None:
            for n, track in enumerate(self.tracks):
                track.beside(begun.context.around.rows(np.array([n])))
        self.margins = self._first_margins() if adapt else None
        with torch.inference_mode():
            self.carried = Carried.of(fitted.network.eval(), windows_after(self._context(), self.learned))

    # ------------------------------------------------------------------------------------------- what is asked

    @on_its_own
    def update(self, value: Any, time: Any = None, *, covariates: Any = None, future: Any = None) -> Self:
        """Take the next observation of one or more series and return the stream.

        ``value`` is a number, or None where it is missing; of several series a dict of some of them, ``{"a": 1.0}``, or
        one for each in their order. ``time`` is its stamp: steps that were left out are missing. ``covariates`` are
        the columns beside it, ``{"price": 2.5}``, ``future`` what is known of the steps after it, ``{"price": [2.5,
        3]}``; where each series has its own, a dict of such dicts. Nothing changes if it is refused.

        Raises DataError for a stamp that is old or between two steps, for names that are not known and for what is no
        number.
        """
        values = self.said.values(value)
        beside, ahead = self.said.columns(covariates, values), self.said.ahead(future, values)
        seen = {row: Seen(self._gap(row, time), some, *beside.get(row, ({}, {}))) for row, some in values.items()}
        for row, some in values.items():
            self.tracks[row].refuse_far(some, self.scaling.rows(np.array([row])))
        self._foresee(list(seen))
        for row, one in seen.items():
            self._take(row, one)
        for row, columns in ahead.items():
            self.tracks[row].foretell(columns)
        return self

    @on_its_own
    def predict(self, h: int | None = None, *, future: Any = None) -> Any:
        """Forecast ``h`` steps after the last observation of each series: a frame as ``Forecaster.predict`` gives it.

        ``future`` is what is known of these steps, as for ``update``, and is kept. Raises DataError if something that
        is known ahead is missing, or a whole look-back.
        """
        steps = steps_within(h, self.learned.layout.horizon)
        for row, columns in self.said.ahead(future, range(len(self.tracks))).items():
            self.tracks[row].foretell(columns)
        context = self._context()
        refuse_empty(context.values[:, -self.learned.layout.lookback :], self.names)
        if missing := unknown_ahead(self.learned, context, steps):
            raise missing.fault_of_stream()
        windows = windows_after(context, self.learned)
        guess = self._guess(windows)
        if self.margins is None:
            guess = calibrated(guess, self._network, windows)
        else:
            self._issue(range(len(self.tracks)), guess)
            guess = self.margins.widened(guess, self.scaling.std)
        guess = guess.kept(self.scaling, np.arange(len(self.tracks)))
        frame: pd.DataFrame = told(self.learned, context, guess, steps).frame()
        return given_as(frame, self.form)

    def state(self) -> dict[str, np.ndarray]:
        """Return all that the stream knows as arrays by name, one of which is JSON: ``np.savez(path, **state)``.

        ``Forecaster.stream(state=np.load(path))`` goes on from there.
        """
        panel, context = self._panel(), self._context()
        plain = {
            "format": FORMAT,
            "names": list(self.names),
            "starts": [plain_stamp(start) for start in panel.starts],
            "lengths": [len(values) for values in panel.values],
            "model": self.seal,
        }
        arrays = {"values": context.values, "identities": context.identities, "phases": context.phases}
        arrays |= {f"scaling_{name}": part for name, part in self.scaling.to_arrays().items()}
        if context.around is not None:
            arrays |= {f"around_{name}": part for name, part in context.around._asdict().items()}
        arrays |= {} if self.margins is None else self.margins.to_arrays()
        arrays |= {} if self.carried is None else self.carried.to_arrays()
        return {"stream": np.array(json.dumps(plain)), **{name: np.array(part) for name, part in arrays.items()}}

    @classmethod
    def going_on(cls, fitted: Fitted, state: Mapping[str, np.ndarray], form: Form) -> "ForecastStream":
        """Return the stream that ``state`` was taken from; raises ConfigError if it belongs to another forecaster."""
        plain = _plain_of(state)
        arrays = {name: np.array(state[name]) for name in state}
        scaling = Scaling(**{name: arrays[f"scaling_{name}"] for name in Scaling._fields})
        around = None
        if "around_known" in arrays:
            around = Around(**{name: arrays[f"around_{name}"] for name in Around._fields})
        context = Context(None, arrays["values"], arrays["identities"], arrays["phases"], scaling, around)
        starts = tuple(stamp_of(start) for start in plain["starts"])
        if plain["model"] != seal_of(fitted):
            raise ConfigError(
                "This state belongs to a stream of another forecaster: load the one that it was taken from."
            )
        stream = cls(fitted, Begun(tuple(plain["names"]), starts, tuple(plain["lengths"]), context), form)
        stream.margins = Margins.from_arrays(arrays) if "margins_margin" in arrays else None
        with torch.inference_mode():
            stream.carried = Carried.from_arrays(fitted.network, arrays)
        return stream

    @cached_property
    def seal(self) -> str:
        """A short text that is another one for any other forecaster."""
        return seal_of(self.fitted)

    # ------------------------------------------------------------------------------------- what is kept, as a batch

    def _panel(self) -> Panel:
        """Return names, first labels and lengths of all series."""
        begun = self.begun
        lengths = [self.tracks[self.said.rows[name]].length for name in self.names]
        return _outline(self.learned, begun._replace(lengths=tuple(lengths)))

    def _context(self) -> Context:
        around = None
        if self.begun.context.around is not None:
            sorts = zip(*(track.around for track in self.tracks), strict=True)
            around = Around(*(np.stack(some) for some in sorts))
        values = np.stack([track.values.rows for track in self.tracks])
        return Context(self._panel(), values, self.identities, self.phases.copy(), self.scaling, around)

    def _guess(self, windows: Windows) -> Guess:
        """Return what all that answers together says, not yet calibrated and within its bounds."""
        with torch.inference_mode():
            if self.carried is not None:
                said = guess_from(self._network.head, [self.carried.params(windows)], windows)
            else:
                said = plain_answer(self.fitted, windows)
        return mixed(self.fitted, windows, said)

    # ------------------------------------------------------------------------------------------------- going on

    def _gap(self, row: int, time: Any) -> int:
        return 0 if time is None else self.tracks[row].gap(time)

    def _take(self, row: int, seen: Seen) -> None:
        track = self.tracks[row]
        missing = min(seen.gap, self.learned.layout.lookback)
        track.skip(seen.gap)
        if self.margins is not None:
            levels = np.array([level / 100 for level, _, _ in self._levels()])
            values = self._scaled(row, seen.values) * self.scaling.std[row] + self.scaling.mean[row]
            self.margins.observe(row, track.length, values, self.scaling.std[row], levels)
        track.push(seen.values, seen.known, seen.past)
        self.phases[row] = (self.phases[row] + seen.gap + 1) % self.learned.layout.season
        if self.carried is not None:
            ratios = ratios_for(self.learned.layout, self.scaling.rows(np.array([row])))
            nothing = np.full_like(seen.values, np.nan)
            with torch.inference_mode():
                for values in (*[nothing] * missing, self._scaled(row, seen.values)):
                    self.carried.step([row], values[None], ratios)

    def _scaled(self, row: int, values: np.ndarray) -> np.ndarray:
        """Return values (C,) of a row series standardised, NaN where they are faults or not known."""
        scaled: np.ndarray = self.scaling.rows(np.array([row])).into(values[None, None])[0, 0]
        return scaled

    @property
    def _network(self) -> ForecastNet:
        assert isinstance(self.fitted.network, ForecastNet)
        return self.fitted.network

    def _levels(self) -> list[tuple[int, int, int]]:
        return levels_of(self._network.head.quantiles)

    def _first_margins(self) -> Margins:
        network, layout = self._network, self.learned.layout
        if not self._levels():
            raise ConfigError(
                "adapt=True moves the ends of intervals, and this model has none: train it with loss='quantile'."
            )
        moves = network.widen.detach().cpu().numpy()[..., [high for _, _, high in self._levels()]]
        return Margins.of(moves, len(self.tracks), layout.horizon, layout.channels)

    def _foresee(self, rows: list[int]) -> None:
        """Forecast from where these ``rows`` stand before they go on, to hold what turns out against it."""
        if self.margins is None or all(self.margins.issued_at(row, self.tracks[row].length) for row in rows):
            return
        context = self._context()
        rows = [row for row in rows if np.isfinite(context.values[row, -self.learned.layout.lookback :]).any()]
        self._issue(rows, self._guess(windows_after(context, self.learned)))

    def _issue(self, rows: Sequence[int], guess: Guess) -> None:
        assert self.margins is not None
        for row in rows:
            self.margins.issue(row, self.tracks[row].length, guess)


def _outline(learned: ForecastLearned, begun: Begun) -> Panel:
    """Return series without their values: they are as long as they are, and take no memory."""
    values = tuple(np.broadcast_to(np.nan, length) for length in begun.lengths)
    return Panel(learned.schema, begun.names, values, begun.starts)


def seal_of(fitted: Fitted) -> str:
    """Return a short text that is another one if the network or its sizes are."""
    seal = sha256(repr(asdict(fitted.learned.layout)).encode())
    for name, part in fitted.network.state_dict().items():
        seal.update(name.encode() + part.detach().cpu().contiguous().numpy().tobytes())
    return seal.hexdigest()[:16]


def _plain_of(state: Any) -> dict[str, Any]:
    try:
        plain: dict[str, Any] = json.loads(str(state["stream"]))
    except (KeyError, TypeError, ValueError, IndexError):
        raise ConfigError("state= takes what the state() of a stream gave, and this is something else.") from None
    if plain.get("format") != FORMAT:
        raise ConfigError("This state was written by a newer version of recurra: update recurra to go on with it.")
    return plain
