"""Forecasts beyond the trained horizon: sample paths are appended to what was read, and forecast again.

Shapes: S row series, n paths, H horizon, C channels.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from ...data.series import Panel
from ...errors import ConfigError
from ..base import Fitted
from .calendar import calendar_at
from .context import Context, times_of
from .exam import Guess
from .learned import ForecastLearned
from .paths import drawn, kept_paths, levels_in_order, require_paths

Array = np.ndarray
Ask = Callable[[Context], Guess]  # forecasts one horizon after each context

MOST, LEAST, ALL = 500, 100, 100_000  # paths of a series at most and at least, and of all together
ROWS = 20_000  # contexts that are forecast at a time
BLOCKS = 100  # horizons, beyond which nothing is forecast


class Extended(NamedTuple):
    """Forecasts of any number of steps."""

    guess: Guess  # (S, steps, C)
    paths: Array  # (S, n, steps, C); one path, the points, where there are no intervals
    fed: int  # how many paths were fed back, 0 for none


def blocks_of(steps: int, horizon: int) -> int:
    """Return how many horizons hold so many ``steps``."""
    return -(-steps // horizon)


def require_extension(fitted: Fitted, steps: int) -> None:
    """Raise ConfigError if so many ``steps`` are more than the horizon, and what lies beyond cannot be forecast."""
    learned: ForecastLearned = fitted.learned
    horizon = learned.layout.horizon
    if steps <= horizon:
        return
    if steps > BLOCKS * horizon:
        raise ConfigError(
            f"{steps} steps are more than {BLOCKS} times the horizon this model was trained for ({horizon}). "
            f"Train again with horizon={steps}."
        )
    if learned.variables.past:
        raise ConfigError(
            f"{steps} steps are more than the horizon this model was trained for ({horizon}), and what its columns of "
            f"past= will be is not known then. Train again with horizon={steps}."
        )


def with_calendar_ahead(fitted: Fitted, context: Context, panel: Panel | None) -> Context:
    """Return the ``context`` with what the calendar says of all steps ahead, as far as it has columns for them."""
    learned: ForecastLearned = fitted.learned
    if context.around is None:
        return context
    known, memory = context.around.known.copy(), context.memory
    ahead = known.shape[1] - memory
    made: dict[int, Array] = {}  # most series of a table end together, and then share their labels
    labels, holidays = times_of(learned, panel, 0, ahead), fitted.config.task.holidays
    for row, times in zip(range(len(known)), labels, strict=False):  # of a table read together one is all
        if id(times) not in made:
            made[id(times)] = calendar_at(times, learned.variables.known, holidays)
        said = made[id(times)]
        known[row, memory:, known.shape[2] - said.shape[1] :] = said
    return context._replace(around=context.around._replace(known=known))


def extended(ask: Ask, context: Context, steps: int, fitted: Fitted, count: int, seed: int) -> Extended:
    """Forecast ``steps`` after ``context`` with ``count`` paths; the first horizon is what ``ask`` says of it.

    The point of every later step is the median of the paths, and the intervals are their quantiles.
    """
    learned: ForecastLearned = fitted.learned
    horizon, first = learned.layout.horizon, ask(context.ahead(learned.layout.horizon))
    if first.bands:
        require_paths(fitted)
    count = count if first.bands else 1
    paths = np.concatenate(list(_portions(ask, context, first, steps, learned, count, seed)))
    beyond = paths[:, :, horizon:]
    if not beyond.shape[2]:
        return Extended(first.first(steps), paths, 0)
    later = Guess(
        np.median(beyond, 1),
        {
            level: (np.quantile(beyond, (100 - level) / 200, 1), np.quantile(beyond, (100 + level) / 200, 1))
            for level in first.bands
        },
    ).kept(context.scaling, np.arange(len(paths)))
    return Extended(Guess.joined([first, later], 1), paths, count if first.bands else 0)


def _portions(
    ask: Ask, context: Context, first: Guess, steps: int, learned: ForecastLearned, count: int, seed: int
) -> Iterator[Array]:
    """Yield the paths (S, n, steps, C) of some series at a time."""
    rows = np.arange(len(context.values))
    for chosen in np.array_split(rows, max(1, -(-len(rows) * count // ROWS))):
        if len(chosen):
            random = [np.random.default_rng([seed, int(n)]) for n in chosen]
            of_these = first.each(lambda part, chosen=chosen: part[chosen])  # type: ignore[misc]
            yield _paths(ask, context.rows(chosen), of_these, steps, learned, count, random)


def _paths(
    ask: Ask,
    context: Context,
    guess: Guess,
    steps: int,
    learned: ForecastLearned,
    count: int,
    random: list[np.random.Generator],
) -> Array:
    """Return the paths (S, n, steps, C) that begin with draws from ``guess``, each fed back by itself."""
    layout, size = learned.layout, len(guess.point)

    def draw(guess: Guess) -> Array:
        """Return values (S, n, H, C) of one guess for each series, or of one for each path."""
        if not guess.bands:
            return guess.point[:, None]
        assert learned.errors is not None
        levels = np.stack([levels_in_order(learned.errors, count, one) for one in random])
        own = len(guess.point) != size
        values = drawn(guess, levels.reshape(size * count, 1, *levels.shape[2:]) if own else levels)
        return kept_paths(values.reshape(levels.shape), context.scaling)

    paths = [draw(guess)]
    each = context.rows(np.repeat(np.arange(size), count))
    while len(paths) * layout.horizon < steps:
        each = each.onward(paths[-1].reshape(size * count, layout.horizon, -1), layout.season)
        paths.append(draw(ask(each.ahead(layout.horizon))))
    return np.concatenate(paths, 2)[:, :, :steps]


def usual_count(series: int) -> int:
    """Return how many paths are fed back of each of so many ``series``."""
    return max(LEAST, min(MOST, ALL // series))
