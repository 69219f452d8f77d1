"""How a trained forecaster answers: what it reads, what it says, and where it looked.

Shapes: S row series, L look-back, H horizon, C channels, Q outputs, n segments read.
"""

from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd
import torch

from ...data.batch import Batch
from ...data.series import Panel, long_frame
from ...errors import ConfigError, RunError
from ...nn.models import Output
from ...nn.surroundings import on_its_own
from ..base import Baseline, Fitted, row_of
from .baselines import Linear, Naive, RepeatLast
from .combination import NETWORK, combined, forecasts_mean
from .context import Context, context_of, times_of, unknown_ahead
from .exam import Guess, ask_network
from .extension import blocks_of, extended, require_extension, usual_count, with_calendar_ahead
from .future import Foreseen, with_future
from .intervals import calibrated, with_spread
from .learned import ForecastLearned
from .network import ForecastNet
from .paths import Paths, require_paths
from .settings import WITH_INTERVALS
from .smoothing import Smoother
from .unusual import say_unusual
from .windows import Windows, windows_after

AT_ONCE = 1024  # rows that the network reads at a time: an attention takes memory for each pair of steps


@dataclass(frozen=True)
class Forecasts:
    """Forecasts of all series from one context."""

    names: tuple[str, ...]
    times: list[pd.Index]  # (H,) per series
    guess: Guess  # (S, H, C)
    notes: tuple[str, ...] = ()  # what is to be known of them

    def frame(self, steps: int | None = None) -> pd.DataFrame:
        """Return the first ``steps`` as a long frame ``unique_id, ds, yhat`` and, per level, the interval's ends."""
        steps = self.guess.point.shape[1] if steps is None else steps
        columns = columns_of(self.guess, steps)
        return long_frame(self.names, [times[:steps] for times in self.times], columns)


def columns_of(guess: Guess, steps: int) -> dict[str, np.ndarray]:
    """Return a guess as columns: series by series, in them channel by channel."""
    columns = {"yhat": flat(guess.point, steps)}
    for level, (low, high) in guess.bands.items():
        columns[f"yhat-lo-{level}"], columns[f"yhat-hi-{level}"] = flat(low, steps), flat(high, steps)
    return columns


def flat(values: np.ndarray, steps: int) -> np.ndarray:
    """Return (S, H, C) as one column: series by series, in them channel by channel."""
    return values[:, :steps].transpose(0, 2, 1).reshape(-1)


@on_its_own
def forecast(
    fitted: Fitted,
    panel: Panel | None = None,
    steps: int | None = None,
    model: str | None = None,
    future: Any = None,
) -> Forecasts:
    """Forecast from the end of ``panel``, or from the end of what was trained on; by a ``model`` of the table alone.

    ``future`` is a table, or a file, of what is known of the steps that follow.
    """
    learned: ForecastLearned = fitted.learned
    steps = learned.layout.horizon if steps is None else steps
    context, said = context_ahead(fitted, panel, steps, future, model)
    ask, fed = partial(ask_context, fitted, model), 0
    if steps <= learned.layout.horizon:
        guess = ask(context).first(steps)
    else:
        guess, _, fed = extended(ask, context, steps, fitted, usual_count(len(context.values)), seed=0)
    unusual = say_unusual(learned, context, steps)
    notes = (*said, *_notes_on(fitted, guess, model), *_notes_on_length(learned, steps, fed), *unusual)
    return told(learned, context, guess, steps, notes)


def told(
    learned: ForecastLearned, context: Context, guess: Guess, steps: int, notes: tuple[str, ...] = ()
) -> Forecasts:
    """Return the first ``steps`` of a guess with names and times; raises RunError if a number is not finite."""
    names = learned.names if context.panel is None else context.panel.names
    _refuse_infinite(guess, names)
    return Forecasts(names, times_of(learned, context.panel, 0, steps), guess.first(steps), notes)


@on_its_own
def sample_paths(
    fitted: Fitted,
    panel: Panel | None,
    count: int,
    steps: int | None = None,
    model: str | None = None,
    future: Any = None,
    seed: int = 0,
) -> Paths:
    """Draw ``count`` paths of the next ``steps`` from a ``forecast``; the same ``seed`` draws the same paths.

    Raises ConfigError if what answers has no intervals to draw from.
    """
    learned: ForecastLearned = fitted.learned
    steps = learned.layout.horizon if steps is None else steps
    require_paths(fitted)
    context, said = context_ahead(fitted, panel, steps, future, model)
    made = extended(partial(ask_context, fitted, model), context, steps, fitted, count, seed)
    if not made.guess.bands:
        raise ConfigError(
            f"Paths are drawn from intervals, and {model} forecasts without: say model='network', or leave model= out."
        )
    names = learned.names if panel is None else panel.names
    _refuse_infinite(made.guess, names)
    notes = (*said, *_notes_on_length(learned, steps, made.fed))
    return Paths(names, times_of(learned, panel, 0, steps), made.paths[:, :, :steps], notes)


def context_ahead(
    fitted: Fitted, panel: Panel | None, steps: int, future: Any = None, model: str | None = None
) -> Foreseen:
    """Return what forecasts of so many ``steps`` by a ``model`` read, by all that answers if none is named.

    Raises an error if they are too many, or too little is known.
    """
    require_extension(fitted, steps)
    learned: ForecastLearned = fitted.learned
    horizon = learned.layout.horizon
    context = context_of(learned, panel, horizon * blocks_of(steps, horizon))
    context = with_calendar_ahead(fitted, context, panel) if steps > horizon else context
    seen = Foreseen(context) if future is None else with_future(fitted, context, future)
    missing = unknown_ahead(learned, seen.context, steps)
    if missing and _reads_columns(fitted, model):
        raise missing.fault(future is not None)
    if _remembers(fitted, model):
        return seen
    return seen._replace(context=seen.context.last(learned.layout.lookback, learned.layout.season))


def _remembers(fitted: Fitted, model: str | None) -> bool:
    """Tell whether what answers reads more than the look-back."""
    members = [fitted.baselines[name] for name in fitted.learned.mix if name != NETWORK]
    rows = members if model is None else [row_of(fitted, model)]
    return any(_reads_seasons(row) for row in rows)


def _reads_seasons(row: Baseline | None) -> bool:
    if isinstance(row, Linear):
        return row.instead is not None
    return isinstance(row, (Naive, Smoother)) and not isinstance(row, RepeatLast)


def _reads_columns(fitted: Fitted, model: str | None) -> bool:
    """Tell whether what answers reads more than the values."""
    row = None if model is None else row_of(fitted, model)
    return row is None or (isinstance(row, Linear) and row.reads_columns)


def ask_context(fitted: Fitted, model: str | None, context: Context) -> Guess:
    """Forecast one horizon after ``context``, by a ``model`` of the table alone or by all that answers."""
    windows = windows_after(context, fitted.learned)
    return answer_to(fitted, windows) if model is None else answer_of(fitted, windows, model)


def _notes_on_length(learned: ForecastLearned, steps: int, fed: int) -> tuple[str, ...]:
    """Say how steps beyond the horizon were forecast."""
    horizon = learned.layout.horizon
    if steps <= horizon:
        return ()
    if not fed:
        return (f"beyond the {horizon} steps of its horizon the model reads its own forecasts",)
    return (
        f"beyond the {horizon} steps of its horizon the model reads {fed} paths of its own: the forecast is their "
        "median, and the intervals are their quantiles",
    )


def _notes_on(fitted: Fitted, guess: Guess, model: str | None) -> tuple[str, ...]:
    """Say so if one row of the table has no intervals where the network has some."""
    if model is None or guess.bands or fitted.config.task.loss not in WITH_INTERVALS:
        return ()
    return (f"{model} forecasts without intervals; they come with model='network', or with model= left out",)


def _refuse_infinite(guess: Guess, names: tuple[str, ...]) -> None:
    finite = np.all([np.isfinite(part).all(1) for part in (guess.point, *chain(*guess.bands.values()))], 0)  # (S, C)
    if not finite.all():
        raise RunError(
            f"The forecast of '{names[int(np.argmin(finite.reshape(-1)))]}' is not a finite number: what the model "
            "computes there is too large. Train it again, with values in another unit or normalise='last'."
        )


def answer_to(fitted: Fitted, windows: Windows) -> Guess:
    """Forecast ``windows`` by all that answers together."""
    return joined(fitted, windows, plain_answer(fitted, windows))


def joined(fitted: Fitted, windows: Windows, said: Guess) -> Guess:
    """Let all that answers together join what the network ``said`` of ``windows``, and calibrate the intervals."""
    return _kept(fitted, windows, mixed(fitted, windows, said))


def mixed(fitted: Fitted, windows: Windows, said: Guess) -> Guess:
    """Return the same before it is calibrated and kept within its bounds."""
    network, mix, spread = fitted.network, fitted.learned.mix, fitted.learned.spread
    assert isinstance(network, ForecastNet)
    others = {name: fitted.baselines[name].answer(windows) for name in mix if name != NETWORK}
    if spread is not None and said.bands:
        others = {name: with_spread(one, spread, network, windows) for name, one in others.items()}
    return combined(said, others, mix, forecasts_mean(fitted))


def plain_answer(fitted: Fitted, windows: Windows) -> Guess:
    """Forecast ``windows`` by the network alone, whose intervals are not calibrated."""
    return ask_network(fitted.network, fitted.task.head, windows, AT_ONCE)  # type: ignore[attr-defined, arg-type]


def network_answer(fitted: Fitted, windows: Windows, said: Guess | None = None) -> Guess:
    """Forecast ``windows`` by the network alone, which may have ``said`` it already."""
    return _kept(fitted, windows, plain_answer(fitted, windows) if said is None else said)


def _kept(fitted: Fitted, windows: Windows, guess: Guess) -> Guess:
    """Return the same with calibrated intervals, within its bounds."""
    network = fitted.network
    assert isinstance(network, ForecastNet)
    return calibrated(guess, network, windows).kept(windows.rows.scaling, windows.series.numpy())


def answer_of(fitted: Fitted, windows: Windows, model: str) -> Guess:
    """Forecast ``windows`` by one row of the table; raises ConfigError if there is none of this name."""
    row = row_of(fitted, model)
    return network_answer(fitted, windows) if row is None else row.answer(windows)


@on_its_own
def looks(
    fitted: Fitted, panel: Panel | None = None, series: np.ndarray | None = None, future: Any = None
) -> np.ndarray | None:
    """Return where forecasts from the end of ``panel`` looked: (S, Q, n), mean over heads; None if nowhere.

    ``series`` are the numbers of the row series that are asked, all if not given. ``future`` is a table of what is
    known of the steps that follow.
    """
    context = context_of(fitted.learned, panel)
    context = context if future is None else with_future(fitted, context, future).context
    context = context if series is None else context.rows(series)
    weights = [ask(fitted, context.rows(chosen)).weights for chosen in _portions(context)]
    if weights[0] is None:
        return None
    every = torch.cat([part.cpu() for part in weights if part is not None])
    return (every.mean(1) if every.dim() == 4 else every).double().numpy()


def _portions(context: Context) -> list[np.ndarray]:
    rows = np.arange(len(context.values))
    return np.array_split(rows, -(-len(rows) // AT_ONCE))


def ask(fitted: Fitted, context: Context) -> Output:
    """Run the network on ``context``."""
    with torch.inference_mode():
        output: Output = fitted.network(batch_of(context, fitted))
    return output


def batch_of(context: Context, fitted: Fitted) -> Batch:
    """Return ``context`` as the network reads it, on its device."""
    windows = windows_after(context, fitted.learned)
    return windows.take(torch.arange(len(windows))).to(next(fitted.network.parameters()).device)
