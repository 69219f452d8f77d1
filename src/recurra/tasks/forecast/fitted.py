"""A trained forecaster: what it was trained on, how it answers, and how it becomes a run and back.

Shapes: S row series, L look-back, H horizon, C channels, W windows, n segments read.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ...data.batch import Batch
from ...data.series import Panel, Schema, steps_between
from ...errors import DataError, RunError
from ...nn.threads import own_threads
from ...settings.config import Config, make_config
from .backtest import Guess, Truth, ask_network, guess_of, truth_of
from .build import make_forecaster
from .network import ForecastNet, Layout
from .prepare import ForecastTask, Prepared, tracks_of
from .windows import Rows, Scaling, Windows

FORMAT = 1  # of the run's config; a reader refuses a later one


@dataclass(frozen=True)
class Memory:
    """What a forecaster remembers of the series it was trained on."""

    names: tuple[str, ...]
    scaling: Scaling  # of each row series
    starts: tuple[Any, ...]  # first stamp of each series
    lengths: tuple[int, ...]  # how many steps each had
    context: np.ndarray  # (S, L, C) their last values, NaN where missing


class Context(NamedTuple):
    """The values before a forecast, and where they stand."""

    panel: Panel | None  # None: the remembered end of training
    values: np.ndarray  # (S, L, C)
    identities: np.ndarray  # (S,)
    phases: np.ndarray  # (S,) place of the first value in the season
    scaling: Scaling


@dataclass(frozen=True)
class Answer:
    """Forecasts of all series from one context."""

    names: tuple[str, ...]
    times: list[pd.Index]  # (H,) per series
    guess: Guess  # (S, H, C)
    weights: Tensor | None  # (S, Q, n), or (S, N, Q, n) with heads


@dataclass(frozen=True)
class FittedForecaster:
    """A network with everything it needs to answer."""

    config: Config
    schema: Schema
    layout: Layout
    memory: Memory
    network: ForecastNet
    task: ForecastTask
    about: dict[str, Any]  # how the training went: plain data, kept in the run

    @property
    def joint(self) -> bool:
        """Whether all columns are read together."""
        return self.config.forecast.channels == "joint"

    def forecast(self, panel: Panel | None = None) -> Answer:
        """Forecast from the end of ``panel``, or from the end of what was trained on."""
        own_threads()
        context = self.context(panel)
        weights, params = self.ask(context)
        head = self.task.head
        quantiles = self.network.interval(params) if head.quantiles else None
        rows = np.arange(len(context.values))
        guess = guess_of(head, head.point(params), quantiles, context.scaling, rows)
        names = self.memory.names if panel is None else panel.names
        return Answer(names, self.times(panel, 0, self.layout.horizon), guess, weights)

    def ask(self, context: Context) -> tuple[Tensor | None, Tensor]:
        """Run the network; returns its attention weights and the head's numbers (S, H, C, P)."""
        with torch.inference_mode():
            output = self.network(self.batch(context))
        weights = None if output.weights is None else output.weights.cpu()
        return weights, output.prediction.cpu()

    def looks(self, panel: Panel | None = None) -> np.ndarray | None:
        """Return where a forecast from the end of ``panel`` looked: (S, Q, n), mean over heads; None if nowhere."""
        weights, _ = self.ask(self.context(panel))
        if weights is None:
            return None
        return (weights.mean(1) if weights.dim() == 4 else weights).double().numpy()

    def batch(self, context: Context) -> Batch:
        """Return ``context`` as the network reads it."""
        scaled = (context.values - context.scaling.mean[:, None]) / context.scaling.std[:, None]
        known = np.isfinite(scaled)
        others = {"series": torch.from_numpy(context.identities), "phase": torch.from_numpy(context.phases)}
        if not known.all():
            scaled = np.where(known, scaled, 0.0)
            others["observed"] = torch.from_numpy(known)
        batch = Batch(torch.from_numpy(scaled.astype(np.float32)), others=others)
        device = next(self.network.parameters()).device
        return batch if device.type == "cpu" else batch.to(device)

    def context(self, panel: Panel | None = None) -> Context:
        """Return what a forecast reads."""
        return self._remembered() if panel is None else self._context_of(panel)

    def times(self, panel: Panel | None, start: int, stop: int) -> list[pd.Index]:
        """Return the labels of steps ``start`` to ``stop`` after the end of the context, per series."""
        if panel is not None:
            return [panel.times(n, len(v) + start, len(v) + stop) for n, v in enumerate(panel.values)]
        empty = Panel(self.schema, self.memory.names, (), self.memory.starts, ())
        return [empty.times(n, size + start, size + stop) for n, size in enumerate(self.memory.lengths)]

    def _remembered(self) -> Context:
        memory = self.memory
        rows = len(memory.context)
        lengths = np.array(memory.lengths[:rows])
        phases = (lengths - self.layout.lookback) % self.layout.season
        return Context(None, memory.context, np.arange(rows), phases, memory.scaling)

    def _context_of(self, panel: Panel) -> Context:
        tracks = tracks_of(panel, self.config.forecast.channels)
        if self.joint and len(panel) != self.layout.channels:
            raise DataError(f"The model reads {self.layout.channels} columns together, but got {len(panel)}.")
        values = np.stack([last_values(track, self.layout.lookback) for track in tracks])
        empty = [n for n, row in zip(panel.names, values, strict=False) if not np.isfinite(row).any()]
        if empty:
            raise DataError(f"The last {self.layout.lookback} values of '{empty[0]}' are all missing.")
        identities, phases, scaling = self._known(panel, tracks)
        ends = np.array([len(track) for track in tracks]) - self.layout.lookback
        return Context(panel, values, identities, (phases + ends) % self.layout.season, scaling)

    def _known(self, panel: Panel, tracks: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray, Scaling]:
        """Return identity, place in the season at position 0, and scaling of each row series of ``panel``.

        A series that was not there in training has the identity S, and is scaled by its own values.
        """
        memory, season = self.memory, self.layout.season
        places = {name: n for n, name in enumerate(memory.names)}
        rows = [0] if self.joint else [places.get(name, -1) for name in panel.names]
        unknown = [n for n, row in enumerate(rows) if row < 0]
        own = Scaling.of([tracks[n] for n in unknown], [len(tracks[n]) for n in unknown]) if unknown else None
        mean = memory.scaling.mean[rows]
        std = memory.scaling.std[rows]
        if own is not None:
            mean[unknown], std[unknown] = own.mean, own.std
        starts = [steps_between(memory.starts[max(row, 0)], panel.starts[n], self.schema) for n, row in enumerate(rows)]
        identities = np.array([row if row >= 0 else self.layout.series for row in rows])
        return identities, np.array(starts) % season, Scaling(mean, std)

    def rows_of(self, panel: Panel) -> tuple[Rows, Scaling, list[np.ndarray]]:
        """Return ``panel`` as rows to cut windows from, with its scaling and tracks."""
        tracks = tracks_of(panel, self.config.forecast.channels)
        identities, phases, scaling = self._known(panel, tracks)
        pad = self.layout.lookback - 1
        return Rows.of(tracks, scaling, pad, identities, phases), scaling, tracks

    def backtest(self, panel: Panel, size: int, step: int = 1) -> "Backtest":
        """Forecast from every origin, ``step`` apart, whose targets lie in the last ``size`` values."""
        return self.backtest_from(panel, [max(1, len(values) - size) for values in panel.values], step)

    def backtest_from(self, panel: Panel, firsts: Sequence[int], step: int = 1) -> "Backtest":
        """Forecast from every origin, ``step`` apart, from position ``firsts[i]`` of series ``i`` on."""
        rows, scaling, tracks = self.rows_of(panel)
        horizon = self.layout.horizon
        firsts = firsts[: len(tracks)]  # columns that are read together begin together
        origins = [np.arange(a, len(t) - horizon + 1, step) for a, t in zip(firsts, tracks, strict=True)]
        windows = rows.windows(self.layout.lookback, horizon, origins, known_targets=True)
        if not len(windows):
            raise DataError(
                f"Too few rows to evaluate: a forecast of {horizon} steps needs at least {horizon + 1} rows."
            )
        return self._answered(windows, scaling, rows, tracks, list(firsts))

    def test(self, panel: Panel, prepared: Prepared, size: int, step: int = 1) -> "Backtest":
        """Forecast the windows that were held out of the training on ``panel``."""
        windows = prepared.test(size, step)
        if not len(windows):
            raise DataError("The rows held out for the test hold no window with a known value.")
        tracks = tracks_of(panel, self.config.forecast.channels)
        return self._answered(windows, prepared.scaling, prepared.rows, tracks, list(prepared.train_ends))

    def _answered(
        self, windows: Windows, scaling: Scaling, rows: Rows, tracks: list[np.ndarray], ends: list[int]
    ) -> "Backtest":
        truth = truth_of(windows, scaling, rows.offsets, tracks, ends, self.layout.season)
        return Backtest(rows, windows, scaling, truth, ask_network(self.network, self.task.head, windows, scaling))

    def to_config(self) -> dict[str, Any]:
        """Return everything but the numbers as plain data: what goes into ``config.json``."""
        memory = self.memory
        return {
            "format": FORMAT,
            "task": "forecast",
            "settings": self.config.to_dict(),
            "layout": dataclasses.asdict(self.layout),
            "data": {
                "schema": self.schema.to_dict(),
                "names": list(memory.names),
                "starts": [_plain_stamp(start) for start in memory.starts],
                "lengths": list(memory.lengths),
            },
            "about": self.about,
        }

    def to_tensors(self) -> dict[str, Tensor]:
        """Return all numbers: the network's weights, the scaling and the remembered context."""
        tensors = {f"network.{name}": value for name, value in self.network.state_dict().items()}
        memory = self.memory
        return tensors | {
            "memory.mean": torch.from_numpy(memory.scaling.mean),
            "memory.std": torch.from_numpy(memory.scaling.std),
            "memory.context": torch.from_numpy(memory.context),
        }


class Backtest(NamedTuple):
    """Forecasts of many windows, with what they can be compared to."""

    rows: Rows
    windows: Windows
    scaling: Scaling
    truth: Truth
    guess: Guess


def from_run(config: dict[str, Any], tensors: dict[str, Tensor], check: Any) -> FittedForecaster:
    """Build a forecaster from what a run folder holds; ``check(expected, found)`` compares the weights."""
    if config.get("format", 0) > FORMAT or config.get("task") != "forecast":
        raise RunError(
            f"This run has task '{config.get('task')}' and format {config.get('format')}; this version of recurra "
            f"reads forecasting runs up to format {FORMAT}. Install a newer recurra."
        )
    settings = {name: value for part in config["settings"].values() for name, value in part.items()}
    frozen = make_config(settings)
    layout = Layout(**config["layout"])
    network, task = make_forecaster(frozen, layout)
    data = config["data"]
    rows = 1 if frozen.forecast.channels == "joint" else len(data["names"])
    shape = (rows, layout.channels)
    expected = {f"network.{name}": value for name, value in network.state_dict().items()}
    expected |= {name: torch.zeros(shape, dtype=torch.float64) for name in ("memory.mean", "memory.std")}
    expected["memory.context"] = torch.zeros(rows, layout.lookback, layout.channels, dtype=torch.float64)
    check(expected, tensors)
    prefix = "network."
    network.load_state_dict({n.removeprefix(prefix): v for n, v in tensors.items() if n.startswith(prefix)})
    network.eval()
    schema = Schema.from_dict(data["schema"])
    memory = Memory(
        tuple(data["names"]),
        Scaling(tensors["memory.mean"].numpy(), tensors["memory.std"].numpy()),
        tuple(_stamp(start, schema) for start in data["starts"]),
        tuple(data["lengths"]),
        tensors["memory.context"].numpy(),
    )
    return FittedForecaster(frozen, schema, layout, memory, network, task, config["about"])


def remember(panel: Panel, prepared: Prepared, channels: str) -> Memory:
    """Return what a forecaster keeps of the panel it was trained on."""
    lookback = prepared.layout.lookback
    context = np.stack([last_values(track, lookback) for track in tracks_of(panel, channels)])
    lengths = tuple(len(values) for values in panel.values)
    return Memory(panel.names, prepared.scaling, panel.starts, lengths, context)


def last_values(track: np.ndarray, count: int) -> np.ndarray:
    """Return the last ``count`` rows of ``track`` (T, C), with missing rows before it if it is shorter."""
    if len(track) >= count:
        return track[-count:]
    return np.concatenate([np.full((count - len(track), track.shape[1]), np.nan), track])


def _plain_stamp(start: Any) -> Any:
    return start.isoformat() if isinstance(start, pd.Timestamp) else int(start)


def _stamp(start: Any, schema: Schema) -> Any:
    return pd.Timestamp(start) if isinstance(start, str) else start
