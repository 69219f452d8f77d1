"""How a trained forecaster answers: what it reads, what it says, and where it looked.

Shapes: S row series, L look-back, H horizon, C channels, Q outputs, n segments read.
"""

from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd
import torch

from ...data.batch import Batch
from ...data.series import Panel, long_frame
from ...errors import DataError, RunError
from ...nn.models import Output
from ...nn.surroundings import on_its_own
from ..base import Fitted, row_of
from .combination import NETWORK, combined, forecasts_mean
from .context import Context, context_of, times_of, unknown_ahead
from .exam import Guess, ask_network
from .future import with_future
from .learned import ForecastLearned
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
    context = context_of(learned, panel)
    context = context if future is None else with_future(fitted, context, future)
    steps = learned.layout.horizon if steps is None else steps
    if missing := unknown_ahead(learned, context, steps):
        raise DataError(missing)
    windows = windows_after(context, learned)
    guess = answer_to(fitted, windows) if model is None else answer_of(fitted, windows, model)
    names = learned.names if panel is None else panel.names
    _refuse_infinite(guess, names)
    return Forecasts(names, times_of(learned, panel, 0, steps), guess.first(steps), _notes_on(fitted, guess, model))


def _notes_on(fitted: Fitted, guess: Guess, model: str | None) -> tuple[str, ...]:
    """Say so if one row of the table has no intervals where the network has some."""
    if model is None or guess.bands or fitted.config.task.loss != "quantile":
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
    return joined(fitted, windows, network_answer(fitted, windows))


def joined(fitted: Fitted, windows: Windows, network: Guess) -> Guess:
    """Let all that answers together join what the ``network`` said of ``windows``."""
    mix = fitted.learned.mix
    others = {name: fitted.baselines[name].answer(windows) for name in mix if name != NETWORK}
    return combined(network, others, mix, forecasts_mean(fitted)).kept(windows.rows.scaling, windows.series.numpy())


def network_answer(fitted: Fitted, windows: Windows) -> Guess:
    """Forecast ``windows`` by the network alone."""
    return ask_network(fitted.network, fitted.task.head, windows, AT_ONCE)  # type: ignore[attr-defined, arg-type]


def answer_of(fitted: Fitted, windows: Windows, model: str) -> Guess:
    """Forecast ``windows`` by one row of the table; raises ConfigError if there is none of this name."""
    row = row_of(fitted, model)
    return network_answer(fitted, windows) if row is None else row.answer(windows)


@on_its_own
def looks(fitted: Fitted, panel: Panel | None = None, series: np.ndarray | None = None) -> np.ndarray | None:
    """Return where forecasts from the end of ``panel`` looked: (S, Q, n), mean over heads; None if nowhere.

    ``series`` are the numbers of the row series that are asked, all if not given.
    """
    context = context_of(fitted.learned, panel)
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
