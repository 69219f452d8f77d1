"""What a forecaster keeps of the panel it was trained on, besides the weights.

Shapes: S row series, T steps, M memory, C channels.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ...data.series import Panel, Schema, steps_between
from ...errors import ConfigError
from .layout import Layout
from .plan import FEW_WINDOWS, ForecastPlan, tracks_of
from .range import bounds_in, bounds_of, refuse_far
from .scaling import Scaling, seasonal_means
from .settings import ForecastSettings
from .variables import Around, Variables, around

SEASONS = 2  # that simple forecasts read: the last one, and how far it lies from the one before


class Identity(NamedTuple):
    """What a forecaster knows of the row series of some panel."""

    numbers: np.ndarray  # (S,) under which the network knows each; the last one is for strangers
    phases: np.ndarray  # (S,) place of position 0 in the season
    scaling: Scaling


@dataclass(frozen=True)
class ForecastLearned:
    """Sizes, the calendar, and of every series its scale and its end."""

    schema: Schema
    layout: Layout
    joint: bool  # whether all columns are read together
    names: tuple[str, ...]
    starts: tuple[Any, ...]  # first stamp of each series
    lengths: tuple[int, ...]  # how many steps each had
    scaling: Scaling  # of each row series
    context: np.ndarray  # (S, M, C) their last values, NaN where missing
    cycles: np.ndarray | None = None  # (S, season, C) to begin a learned cycle with; known only while training
    mix: Mapping[str, float] = field(default_factory=dict)  # what answers together weighs; empty: the network alone
    bounds: tuple[float, float] = (-np.inf, np.inf)  # that forecasts were told to stay within
    variables: Variables = Variables()  # noqa: RUF009  (it never changes)
    around: Around | None = None  # the covariates around the end of each row series; None if there are none
    spread: np.ndarray | None = None  # (H, C, K) of the intervals of what answers beside the network, standardised
    errors: np.ndarray | None = None  # (V, H, C) of V validation windows, in training deviations, which paths go by

    @classmethod
    def of(cls, panel: Panel, plan: ForecastPlan, settings: ForecastSettings) -> "ForecastLearned":
        """Learn from the training rows of ``panel``."""
        joint, bounds = settings.channels == "joint", bounds_in(settings)
        tracks, layout = tracks_of(panel, joint), plan.layout
        measured = measured_ends(tracks, plan.train_ends, plan.test_size)
        scaling = Scaling.of(tracks, measured).within(*bounds)
        memory = memory_of(layout, max(map(len, tracks)))
        context = np.stack([last_values(track, memory) for track in tracks])
        cycles = None
        if layout.cycle and len(plan.train) < FEW_WINDOWS:
            cycles = seasonal_means(tracks, list(plan.train_ends), scaling, layout.season, layout.log)
        if joint and panel.beside and panel.schema.id is not None:
            raise ConfigError(
                "channels='joint' reads the series of a long table together, and each has covariates of its own: leave "
                "channels= out, or known=, past= and static=."
            )
        lengths = tuple(len(values) for values in panel.values)
        variables = Variables.of(panel.some([0]) if joint else panel, measured, plan.silent)
        widths: dict[str, Any] = {sort: tuple(one.width for one in some) for sort, some in variables._asdict().items()}
        holes: dict[str, Any] = {
            f"{sort}_holes": tuple(one.holes for one in getattr(variables, sort)) for sort in ("known", "past")
        }
        return cls(
            panel.schema,
            replace(layout, **widths, **holes),
            joint,
            panel.names,
            panel.starts,
            lengths,
            scaling,
            context,
            cycles,
            bounds=bounds,
            variables=variables,
            around=around(variables, panel, memory, layout.horizon, joint),
        )

    @property
    def memory(self) -> int:
        """How many of the last values of a series are kept: the look-back, or what a simple forecast reads, if more."""
        return self.context.shape[1]

    def identify(self, panel: Panel, tracks: list[np.ndarray], ends: Sequence[int]) -> Identity:
        """Return what is known of each row series of ``panel``, which are ``tracks`` (T, C).

        A series that was not there in training has the identity S, and is scaled by its own values up to its end.
        Raises DataError for a value that is too far from those of the training.
        """
        known = self._identify(panel, tracks, ends)
        for n, track in enumerate(tracks):
            refuse_far(panel, n, track, known.scaling)
        return known

    def _identify(self, panel: Panel, tracks: list[np.ndarray], ends: Sequence[int]) -> Identity:
        if panel.names == self.names and panel.starts == self.starts:
            rows = np.arange(len(tracks))
            return Identity(rows, np.zeros(len(rows), np.int64), self.scaling)
        places = {name: n for n, name in enumerate(self.names)}
        rows = np.array([0] if self.joint else [places.get(name, -1) for name in panel.names])
        unknown = np.flatnonzero(rows < 0).tolist()
        scaling = self.scaling.rows(rows)
        if unknown:
            own = Scaling.of([tracks[n] for n in unknown], [ends[n] for n in unknown]).within(*self.bounds)
            scaling = scaling.replaced(np.array(unknown), own)
        starts = [
            steps_between(self.starts[max(row, 0)], panel.starts[n], self.schema) for n, row in enumerate(rows.tolist())
        ]
        numbers = np.where(rows >= 0, rows, self.layout.series)
        return Identity(numbers, np.array(starts) % self.layout.season, scaling)

    def to_plain(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Return it as JSON values and arrays."""
        plain = {
            "schema": self.schema.to_dict(),
            "layout": dataclasses.asdict(self.layout),
            "joint": self.joint,
            "names": list(self.names),
            "starts": [plain_stamp(start) for start in self.starts],
            "lengths": list(self.lengths),
            "mix": dict(self.mix),
            "bounds": [bound if np.isfinite(bound) else None for bound in self.bounds],
            "variables": self.variables.to_plain(),
        }
        beside = {} if self.around is None else {f"around_{name}": part for name, part in self.around._asdict().items()}
        found = {name: part for name in ("spread", "errors") if (part := getattr(self, name)) is not None}
        return plain, {**self.scaling.to_arrays(), "context": self.context, **beside, **found}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> "ForecastLearned":
        """Return what ``to_plain`` wrote."""
        schema = Schema.from_dict(plain["schema"])
        return cls(
            schema,
            Layout.from_plain(plain["layout"]),
            plain["joint"],
            tuple(plain["names"]),
            tuple(stamp_of(start) for start in plain["starts"]),
            tuple(plain["lengths"]),
            Scaling.from_arrays(arrays),
            arrays["context"],
            mix=plain.get("mix", {}),  # runs of version 0.1 have none
            bounds=bounds_of(*plain.get("bounds", (None, None))),
            variables=Variables.from_plain(plain.get("variables", {})),
            around=_around_in(arrays),
            spread=arrays.get("spread"),  # the first runs have none
            errors=arrays.get("errors"),
        )


def _around_in(arrays: Mapping[str, np.ndarray]) -> Around | None:
    if "around_known" not in arrays:
        return None
    return Around(**{name: arrays[f"around_{name}"] for name in Around._fields})


def measured_ends(tracks: list[np.ndarray], train_ends: tuple[int, ...], held_out: int) -> list[int]:
    """Return up to where each series is measured: its training rows, or all before the test if it has none."""
    return [
        end if np.isfinite(track[:end]).any() else max(0, len(track) - held_out)
        for track, end in zip(tracks, train_ends, strict=True)
    ]


def memory_of(layout: Layout, rows: int) -> int:
    """Return how many steps before a forecast are kept: two seasons, which a network may be too short-sighted to read.

    They are no more than the ``rows`` of the longest series.
    """
    return max(layout.lookback, min(SEASONS * layout.season, rows))


def last_values(track: np.ndarray, count: int) -> np.ndarray:
    """Return the last ``count`` rows of ``track`` (T, C), with missing rows before it if it is shorter."""
    if len(track) >= count:
        return track[-count:]
    return np.concatenate([np.full((count - len(track), track.shape[1]), np.nan), track])


def plain_stamp(start: Any) -> Any:
    """Return the label of a step as a JSON value."""
    return start.isoformat() if isinstance(start, pd.Timestamp) else int(start)


def stamp_of(start: Any) -> Any:
    """Return what ``plain_stamp`` gave as a label again."""
    return pd.Timestamp(start) if isinstance(start, str) else start
