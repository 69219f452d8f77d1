"""What the calendar says of every step, which is known for the future too: the hour, the day, the month, a holiday.

Shapes: n steps, K columns.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ...data.series import Panel
from ...data.series.covariates import Beside
from ...errors import ConfigError, nearest
from .layout import Layout
from .settings import ForecastSettings
from .variables import Variable

DAY, WEEK, YEAR = (pd.Timedelta(days=days) for days in (1, 7, 365.25))
YEARS = 2  # of training rows, before which a month cannot be told from what else has changed
HOURS, DAYS = tuple(map(str, range(24))), ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = tuple(map(str, range(1, 13)))
HOLIDAY = "calendar: holiday"


class Part(NamedTuple):
    """A part of a date that comes again."""

    name: str
    values: tuple[str, ...]
    place: Callable[[pd.DatetimeIndex], Any]  # of each date among the values
    period: pd.Timedelta  # after which all of them have been there; from steps as long on it says nothing


PARTS = (
    Part("calendar: hour", HOURS, lambda times: times.hour, DAY),
    Part("calendar: weekday", DAYS, lambda times: times.day_of_week, WEEK),
    Part("calendar: month", MONTHS, lambda times: times.month - 1, YEAR),
)

NAMES = {part.name: part.values for part in PARTS}  # of the columns that are no numbers


def with_calendar(panel: Panel, settings: ForecastSettings) -> Panel:
    """Return the panel with columns of the calendar beside its series, as far as the horizon goes, if they are wanted.

    Raises ConfigError if its steps are no dates, or the country of the holidays is not known.
    """
    if not settings.calendar and settings.holidays is None:
        return panel
    if not isinstance(panel.starts[0], pd.Timestamp):
        raise ConfigError(
            "calendar= and holidays= need dates, and the steps of this table are numbers: leave them out."
        )
    parts = parts_of(panel.times(0, 0, 2), settings)
    horizon = settings.horizon or 0
    made: dict[Any, np.ndarray] = {}  # most series of a table begin and end together
    beside = []
    for n, values in enumerate(panel.values):
        one = panel.beside[n] if panel.beside else Beside(np.empty((0, 0)), np.empty((len(values), 0)), np.empty(0))
        size = max(len(values) + horizon, len(one.known))
        key = panel.starts[n], size
        if key not in made:
            made[key] = columns_at(pd.DatetimeIndex(panel.times(n, 0, size)), parts, settings.holidays)
        known = np.full((size, one.known.shape[1]), np.nan)
        known[: len(one.known)] = one.known
        beside.append(one._replace(known=np.concatenate([known, made[key]], 1)))
    names = tuple(part.name for part in parts) + ((HOLIDAY,) if settings.holidays else ())
    categories = {**panel.categories, **{part.name: part.values for part in parts}}
    return replace(panel, beside=tuple(beside), categories=categories, calendar=names)


def calendar_at(times: pd.Index, variables: Sequence[Variable], holidays: str | None) -> np.ndarray:
    """Return the columns that ``with_calendar`` added in training for other ``times`` (n,), coded as there: (n, K).

    They are the last ones of the ``variables`` that are known ahead.
    """
    own = [one for one in variables if one.name == HOLIDAY or one.name in NAMES]
    if not own:
        return np.empty((len(times), 0))
    parts = [part for part in PARTS if part.name in {one.name for one in own}]
    columns = columns_at(pd.DatetimeIndex(times), parts, holidays)
    return np.stack([one.coded(columns[:, n], NAMES.get(one.name)) for n, one in enumerate(own)], 1)


def parts_of(two: pd.Index, settings: ForecastSettings) -> list[Part]:
    """Return the parts of a date that differ from step to step, of which these are ``two``, if they are wanted."""
    return [part for part in PARTS if settings.calendar and two[1] - two[0] < part.period]


class Silent(NamedTuple):
    """Columns of the calendar that would tell nothing new, and mislead."""

    said: tuple[str, ...] = ()  # by the learned cycle
    brief: tuple[str, ...] = ()  # as the training rows are

    @property
    def names(self) -> tuple[str, ...]:
        """All of them."""
        return self.said + self.brief

    def notes(self, season: int) -> list[str]:
        """Say which are left out, and why."""
        notes = []
        if self.said:
            notes.append(f"not read: {listed(self.said)}, as the learned cycle of {season} steps says it already")
        if self.brief:
            notes.append(f"not read: {listed(self.brief)}, as {YEARS} years of training rows are needed to learn it")
        return notes


def listed(names: Sequence[str]) -> str:
    """Return names of columns one after the other."""
    return ", ".join(f"'{name}'" for name in names)


def silent_in(panel: Panel, layout: Layout, train_ends: Sequence[int]) -> Silent:
    """Return the columns of the calendar of ``panel`` that say what the cycle says, or what so few rows cannot show."""
    parts = [part for part in PARTS if part.name in panel.calendar]
    if not parts:
        return Silent()
    times = panel.times(0, 0, layout.season + 2)
    step, season = times[1] - times[0], times[layout.season] - times[0]
    repeats = layout.cycle and layout.season > 1

    def is_said(part: Part) -> bool:
        apart = season % part.period
        return repeats and min(apart, part.period - apart) <= (step if part.period == YEAR else 0 * step)

    said = tuple(part.name for part in parts if is_said(part))
    lasts = [panel.times(n, end, end + 1)[0] for n, end in enumerate(train_ends)]  # one of a table read together
    brief = max(lasts) - min(panel.starts[: len(lasts)]) < YEARS * YEAR - step
    return Silent(said, tuple(part.name for part in parts if brief and part.period == YEAR and part.name not in said))


def columns_at(times: pd.DatetimeIndex, parts: list[Part], country: str | None) -> np.ndarray:
    """Return the columns of the calendar (n, K) for the ``times`` (n,)."""
    columns = [np.asarray(part.place(times), dtype=np.float64) for part in parts]
    if country is not None:
        days = times.tz_localize(None).normalize()
        found = holidays_of(country, range(int(days[0].year), int(days[-1].year) + 1))
        columns.append(days.isin(found).astype(np.float64))
    return np.stack(columns, 1)


def holidays_of(country: str, years: range) -> pd.DatetimeIndex:
    """Return the public holidays of a country, such as ``DE``, or of a part of it, such as ``DE-BY``.

    Raises ConfigError if it is not known, or if the package is missing.
    """
    try:
        import holidays
    except ImportError:
        raise ConfigError("holidays= needs the package holidays: pip install 'recurra[holidays]'.") from None
    code, _, part = country.partition("-")
    try:
        found = holidays.country_holidays(code, subdiv=part or None, years=years)
    except NotImplementedError:
        known = holidays.list_supported_countries()
        if code in known:
            some = known[code]
            raise ConfigError(f"There is no part '{part}' of '{code}' for holidays=.{nearest(part, some)}") from None
        raise ConfigError(
            f"Holidays are not known for '{country}'.{nearest(code, known)} Say a country by its two letters, such as "
            "holidays='DE'."
        ) from None
    return pd.DatetimeIndex(sorted(found))
