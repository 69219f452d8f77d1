"""One row series of a stream: its last steps, what is known beside it, and the clock that both go by.

Shapes: M memory, H horizon, C channels, K columns known ahead, P known of the past.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...data.series import Panel, steps_to
from ...errors import DataError
from .calendar import calendar_at
from .learned import ForecastLearned
from .range import FARTHEST, refuse_far
from .ring import Ring
from .scaling import Scaling
from .settings import ForecastSettings
from .variables import Around

AT_ONCE = 256  # steps of which the calendar is asked at a time


class Track:
    """The last M steps of a row series and what is known of the H after them; a new step takes the oldest one's place.

    What is kept does not grow, however many steps come.
    """

    def __init__(
        self, learned: ForecastLearned, settings: ForecastSettings, panel: Panel, row: int, values: np.ndarray
    ):
        self.learned, self.settings, self.row = learned, settings, row
        self.panel = panel.some(range(len(panel))) if learned.joint else panel.some([row])  # its names and first labels
        self.length = len(self.panel.values[0])  # steps since the first label
        self.values = Ring(values)
        self.known, self.past, self.static = Ring(np.empty((1, 0))), Ring(np.empty((1, 0))), np.empty(0)
        self.coming = np.empty((0, 0))  # what the calendar says of the steps behind the horizon

    def beside(self, around: Around) -> None:
        """Take the covariates around the end of the row series, of which ``around`` has one row."""
        self.known, self.past, self.static = Ring(around.known[0]), Ring(around.past[0]), around.static[0]

    @property
    def around(self) -> Around:
        """The covariates around the end, without the dimension of series."""
        return Around(self.known.rows, self.past.rows, self.static)

    @property
    def memory(self) -> int:
        """How many steps are kept."""
        return len(self.values.rows)

    def label(self, step: int) -> Any:
        """Return the label of a step, 0 the next one."""
        return self.panel.times(0, self.length + step, self.length + step + 1)[0]

    def gap(self, time: Any) -> int:
        """Return how many steps were left out before ``time``; raises DataError if it is not after all others."""
        place = steps_to(time, self.panel.starts[0], self.panel.schema)
        if place < self.length:
            raise DataError(
                f"The time {time} of '{self.panel.names[0]}' is not after {self.label(-1)}, the last step that this "
                "stream has taken: give steps in order, each once."
            )
        return place - self.length

    def refuse_far(self, values: np.ndarray, scaling: Scaling) -> None:
        """Raise DataError for values (C,) of the next step that are too far from the training to compute with."""
        if not (np.abs(values - scaling.mean[0]) > FARTHEST * scaling.std[0]).any():
            return
        labels = (self.label(0),) * len(self.panel)
        here = Panel(self.panel.schema, self.panel.names, (), labels)
        refuse_far(here, 0, values[None], scaling)

    def skip(self, steps: int) -> None:
        """Let ``steps`` pass of which no value is known; no more of them cost anything than are kept."""
        kept = self.memory + self.learned.layout.horizon
        if steps > kept:
            self.length += steps - kept
            self.coming = self.coming[:0]
        for _ in range(min(steps, kept)):
            self.push(np.full(self.values.rows.shape[1], np.nan), {}, {})

    def push(self, values: np.ndarray, known: Mapping[int, float], past: Mapping[int, float]) -> None:
        """Take the ``values`` (C,) of the next step, and what is said of its columns, by their numbers."""
        self.values.push(values)
        self.past.push(np.array([past.get(n, np.nan) for n in range(self.past.rows.shape[1])]))
        for column, value in known.items():
            self.known.put(self.memory, column, value)
        self._go_on()
        self.length += 1

    def _go_on(self) -> None:
        """Let what is known ahead go on by one step, of which nothing is known but what the calendar says."""
        if not self.known.rows.shape[1]:
            return
        behind = np.full(self.known.rows.shape[1], np.nan)
        own = self.settings.calendar or self.settings.holidays is not None
        if own:
            if not len(self.coming):
                self.coming = self._calendar()
            behind[len(self.learned.schema.covariates.known) :] = self.coming[0]
            self.coming = self.coming[1:]
        self.known.push(behind)

    def _calendar(self) -> np.ndarray:
        """Return what the calendar says of steps behind the horizon, as it was coded in training."""
        first = self.length + self.learned.layout.horizon
        times = self.panel.times(0, first, first + AT_ONCE)
        return calendar_at(times, self.learned.variables.known, self.settings.holidays)

    def foretell(self, future: Mapping[int, np.ndarray]) -> None:
        """Take the values of columns that are known ahead, by their numbers: of the next step and those after it."""
        for column, values in future.items():
            for step, value in enumerate(values):
                self.known.put(self.memory + step, column, value)
