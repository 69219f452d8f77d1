"""What of a panel trains, validates and tests, and in which sizes it is read.

A *row series* is one univariate series, or all columns of a table read together. Shapes: T steps, C channels.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...data.series import Panel
from ...errors import ConfigError, DataError
from ...writing.numbers import ordinal
from .demand import intermittent_in, mostly, say_demand
from .layout import Layout
from .logarithm import swings_with_level
from .presets import PRESETS, has_own_core
from .scaling import far_off, limits_of, without_faults
from .settings import NEGATIVE_BINOMIAL, ForecastSettings

# With fewer training windows a cycle is begun from measured means, as there are too few to learn it from; with
# more, one that is learned from zero was better on validation data.
FEW_WINDOWS = 1000
MANY_SEASONS, LONGEST = 20, 720  # longer seasons that a look-back of two needs, and its most steps
LEAST = 16  # steps that are read at least, where there are as many
MEMORY = 300  # that a reservoir reads, or a sixth of the rows, after which it has forgotten where it began
WILD = 10.0  # spreads of the middle nine tenths, which a value is seldom away from them
SCARCE = 30  # fewer training windows are worth a warning
VALIDATION_WINDOWS = 4096  # more of them would cost more than they tell
TOO_FEW = "too few rows to hold some of them out, so nothing is judged"
MOST_WINDOWS = 80_000  # all windows of the usual benchmarks; more of them cost time and tell little


@dataclass(frozen=True)
class Part:
    """Which forecasts are made: of every row series the positions of their first targets."""

    origins: tuple[np.ndarray, ...]
    pad: int = 0  # missing rows before each series, so that a window may begin before its first value
    ends: tuple[int, ...] = ()  # up to where each series is past when errors are scaled
    size: int = 0  # the last values of each series, which these forecasts are about
    step: int = 1  # distance between origins

    def __len__(self) -> int:
        return sum(len(origins) for origins in self.origins)

    def some(self, most: int) -> "Part":
        """Return at most ``most`` forecasts, evenly spread."""
        if len(self) <= most:
            return self
        chosen = np.linspace(0, len(self) - 1, most).round().astype(np.int64)
        keep = np.zeros(len(self), bool)
        keep[chosen] = True
        cuts = np.cumsum([len(origins) for origins in self.origins])[:-1]
        kept = tuple(o[k] for o, k in zip(self.origins, np.split(keep, cuts), strict=True))
        return replace(self, origins=kept)


@dataclass(frozen=True)
class ForecastPlan:
    """A panel, cut: first the training rows, then validation, then what is held out."""

    layout: Layout
    lengths: tuple[int, ...]  # of each row series
    train_ends: tuple[int, ...]  # where its training rows end
    train: Part
    valid: Part
    whole: Part  # all that is not held out: training, validation, and what lies across
    test: Part  # empty if nothing is held out
    test_size: int
    notes: tuple[str, ...]
    silent: tuple[str, ...] = ()  # columns of the calendar that tell nothing new


def tracks_of(panel: Panel, joint: bool, preset: str | None = None) -> list[np.ndarray]:
    """Return the row series (T, C) of a panel: each series alone, or all columns of a table together.

    Raises DataError if they cannot be read together, as the ``preset`` may have it.
    """
    if not joint:
        return [values[:, None] for values in panel.values]
    if not panel.aligned:
        own = preset is not None and PRESETS[preset].settings.get("channels") == "joint"
        who = f"preset='{preset}' reads all series together (channels='joint'), which" if own else "channels='joint'"
        raise DataError(f"{who} needs series that begin and end together. Use channels='independent' for these.")
    return [np.stack(panel.values, 1)]


def make_plan(
    panel: Panel,
    settings: ForecastSettings,
    test_size: int = 0,
    step: int | None = None,
    reservoir: bool = False,
) -> ForecastPlan:
    """Cut ``panel``; the last ``test_size`` values of each series are left for a test, with origins ``step`` apart.

    A ``reservoir`` goes step by step, and needs a look-back after which it does not matter where it began.
    Raises DataError if there are too few rows, ConfigError if sizes do not fit each other.
    """
    if settings.horizon is None:
        raise ConfigError("The horizon is missing: say how many steps ahead to forecast, such as horizon=24.")
    raw = tracks_of(panel, settings.channels == "joint", settings.preset)
    lengths = tuple(len(track) for track in raw)
    valid_size = validation_size(settings, lengths, test_size)
    train_ends = tuple(max(0, n - test_size - valid_size) for n in lengths)
    tracks = [without_faults(track, limits_of(track[:end])) for track, end in zip(raw, train_ends, strict=True)]
    if reservoir:
        settings = replace(settings, segment=1, cycle=False)
    layout = _layout(panel, settings, train_ends, test_size + valid_size, reservoir)
    intermittent = intermittent_in(tracks, train_ends, layout.season)
    layout = replace(
        layout,
        gaps="" if reservoir else settings.missing,
        sparse=mostly(intermittent),
        log=_takes_logarithms(settings, tracks, train_ends, layout.season),
        counts=settings.loss == NEGATIVE_BINOMIAL,
    )
    least = _least_context(layout, train_ends)
    pad = layout.lookback - min(least)
    # Whether values are missing in what is held out says nothing to what is trained.
    learned_from = [track[: len(track) - test_size] for track in tracks]
    layout = replace(layout, missing=pad > 0 or any(not np.isfinite(track).all() for track in learned_from))
    cut = Cut(tracks, layout, lengths, pad)
    train = cut.part(least, [end - layout.horizon for end in train_ends], train_ends)
    if not len(train):  # so little is known that it is never both before and after an origin
        cut = Cut(tracks, layout, lengths, cut.pad, blind=True)
        train = cut.part(least, [end - layout.horizon for end in train_ends], train_ends)
    lasts = [n - test_size - layout.horizon for n in lengths]
    whole = cut.part(least, lasts, train_ends)
    begins = [max(a, end) for a, end in zip(least, train_ends, strict=True)]
    valid = cut.part(begins, lasts, train_ends)
    if not len(train):
        raise DataError("No training window holds a known value: too much of the series is missing.")
    test = cut.held_out(test_size, step, train_ends)
    notes = _describe(layout, train_ends, valid_size, test, len(train))
    notes += say_demand(intermittent, settings)
    faults = sum(int((np.isfinite(a) & ~np.isfinite(b)).sum()) for a, b in zip(raw, tracks, strict=True))
    if faults:
        are = f"{faults:,} values lie" if faults > 1 else "one value lies"
        notes.append(f"{are} so far from the others that only a fault can explain it, and read as missing")
    notes += _wild(panel, tracks, layout.channels)
    if not len(valid):
        valid = train
        notes.append("no value is known in the validation rows, so that the training rows decide when to stop")
    return ForecastPlan(
        layout, lengths, train_ends, train, valid.some(VALIDATION_WINDOWS), whole, test, test_size, tuple(notes)
    )


def _wild(panel: Panel, tracks: Sequence[np.ndarray], channels: int) -> list[str]:
    """Return a warning of values that may be faults, and are read as they are."""
    places = [
        (n * channels + c, int(step))
        for n, track in enumerate(tracks)
        for c in range(channels)
        for step in np.flatnonzero(far_off(track[:, c], WILD))
    ]
    if not places:
        return []
    series, step = places[0]
    where = f" of '{panel.names[series]}'" if len(panel) > 1 else ""
    value = tracks[series // channels][step, series % channels]
    time = str(panel.times(series, step, step + 1)[0]).removesuffix(" 00:00:00")
    more = f", and {len(places) - 1:,} more" if len(places) > 1 else ""
    return [
        f"careful: the value {value:g}{where} at {time} lies far from all others{more}, and is read as it is: leave it "
        "empty if it is a fault"
    ]


class Cut:
    """Makes parts of row series ``tracks`` (T, C) that are read as ``layout`` says."""

    def __init__(self, tracks: list[np.ndarray], layout: Layout, lengths: Sequence[int], pad: int, blind: bool = False):
        self.tracks, self.lengths, self.pad, self.blind = tracks, lengths, pad, blind
        self.layout = layout
        self.holes = pad > 0 or any(not np.isfinite(track).all() for track in tracks)

    def part(self, first: Sequence[int], last: Sequence[int], ends: Sequence[int], step: int = 1) -> Part:
        """Return the forecasts from position ``first`` to ``last`` of each series that have something to go by."""
        origins = [np.arange(a, b + 1, step) for a, b in zip(first, last, strict=True)]
        if self.holes:
            origins = [self._answerable(track, at) for track, at in zip(self.tracks, origins, strict=True)]
        return Part(tuple(origins), self.pad, tuple(ends), step=step)

    def held_out(self, size: int, step: int | None, ends: Sequence[int]) -> Part:
        """Return the forecasts whose targets lie in the last ``size`` values of each series."""
        if not size:
            return Part(tuple(np.arange(0) for _ in self.tracks), self.pad, tuple(ends))
        layout = self.layout
        step = step or judging_step(self.lengths, size, layout.horizon, layout.season)
        first = [max(layout.lookback - self.pad, n - size) for n in self.lengths]
        part = self.part(first, [n - layout.horizon for n in self.lengths], ends, step)
        return replace(part, size=size)

    def _answerable(self, track: np.ndarray, origins: np.ndarray) -> np.ndarray:
        """Return the ``origins`` with a known value after them, and one before, unless it is ``blind`` to that."""
        known = np.isfinite(track).any(1)
        counts = np.concatenate([[0], np.cumsum(known)])
        lookback, horizon = self.layout.lookback, self.layout.horizon
        read = counts[origins] - counts[np.maximum(origins - lookback, 0)]
        answered = counts[np.minimum(origins + horizon, len(track))] - counts[origins]
        return origins[((read > 0) | self.blind) & (answered > 0)]


def default_test_size(panel: Panel, horizon: int) -> int:
    """Return how many of the last values are held out: a tenth, and at least one horizon."""
    return max(horizon, int(np.median([len(values) for values in panel.values])) // 10)


def leaves_enough(panel: Panel, settings: ForecastSettings, size: int) -> bool:
    """Tell whether one training window is left when so many values of each series are held out to judge."""
    assert settings.horizon is not None
    lengths = tuple(len(values) for values in panel.values)
    return max(lengths) - size - validation_size(settings, lengths, size) > settings.horizon


def check_test_size(size: int, horizon: int) -> None:
    """Raise ConfigError if no forecast fits into the rows that are held out."""
    if size < horizon:
        raise ConfigError(
            f"The test size is {size}, but a forecast of {horizon} steps can only be judged on at least {horizon} rows."
        )


def judging_step(lengths: Sequence[int], size: int, horizon: int, season: int) -> int:
    """Return the distance between origins that makes at most MOST_WINDOWS of the last ``size`` values.

    It shares no factor with the season, so that every place in the season is judged.
    """
    step = math.ceil(sum(max(0, min(size, n) - horizon + 1) for n in lengths) / MOST_WINDOWS)
    while step > 1 and math.gcd(step, season) > 1:
        step += 1
    return max(1, step)


def describe_test(windows: int, size: int, step: int) -> str:
    """Say on what a model is judged."""
    every = f", one from every {ordinal(step)} step" if step > 1 else ""
    if windows == 1:
        return f"judged by one forecast of the last {size:,} rows"
    return f"judged by {windows:,} forecasts of the last {size:,} rows{every}"


def validation_size(settings: ForecastSettings, lengths: tuple[int, ...], held_out: int) -> int:
    """Return how many of the values before those held out decide when to stop: a tenth, and at least one horizon."""
    assert settings.horizon is not None
    if settings.validation_size is not None:
        if settings.validation_size < settings.horizon:
            raise ConfigError(
                f"validation_size={settings.validation_size} is too small: it must hold at least one horizon "
                f"({settings.horizon} steps)."
            )
        return settings.validation_size
    rows, horizon = int(np.median(lengths) - held_out), settings.horizon
    # Of a short series a little more than one horizon, so that there are a few windows to tell models apart.
    return max(horizon + min(horizon // 2, rows // 20), rows // 10)


def _takes_logarithms(settings: ForecastSettings, tracks: list[np.ndarray], ends: tuple[int, ...], season: int) -> bool:
    if settings.loss == NEGATIVE_BINOMIAL:
        if settings.log:
            raise ConfigError(
                "loss='negative_binomial' predicts counts as they are: leave log= out, or use another loss."
            )
        return False
    if settings.log is None:
        return swings_with_level(tracks, ends, season)
    if settings.log and any((track[:end] <= 0).any() for track, end in zip(tracks, ends, strict=True)):
        raise ConfigError("log=True needs values above zero in all training rows. Leave it out, or say log=False.")
    return settings.log


def _least_context(layout: Layout, train_ends: tuple[int, ...]) -> list[int]:
    """Return how much of the past a window of each series must have: less where the series is short."""
    full = layout.lookback + layout.horizon
    return [layout.lookback if end >= full else layout.segment for end in train_ends]


def _layout(
    panel: Panel, settings: ForecastSettings, train_ends: tuple[int, ...], kept: int, reservoir: bool
) -> Layout:
    horizon = settings.horizon
    assert horizon is not None
    longest = max(train_ends)
    season = panel.schema.season
    least = min(MEMORY, max(MEMORY // 3, longest // 6)) if reservoir else LEAST
    lookback = settings.lookback or default_lookback(horizon, season, longest, panel.schema.longer, least)
    if longest < lookback + horizon:
        needed = lookback + horizon + kept
        room = longest - horizon
        advice = f"Use a look-back of at most {room}" if room > 0 else "Use a shorter horizon, or fewer of these rows"
        raise DataError(
            f"Too few rows: a look-back of {lookback} and a horizon of {horizon}, with {kept} rows kept for "
            f"validation and test, need at least {needed} rows, and the longest series has "
            f"{max(len(values) for values in panel.values)}. "
            f"{advice}, or bring more rows."
        )
    segment, lookback = _segments(settings, lookback, season)
    cycle = settings.cycle if settings.cycle is not None else season > 1 and longest >= 3 * season
    if cycle and season < 2:
        raise ConfigError("cycle=True needs a season: give season=, such as 24 for hours of a day.")
    joint = settings.channels == "joint"
    series = 1 if joint else len(panel)
    channels = len(panel) if joint else 1
    return Layout(lookback, horizon, segment, season, bool(cycle), channels, series, False)


def _segments(settings: ForecastSettings, lookback: int, season: int) -> tuple[int, int]:
    """Return the segment length, and a look-back that is a multiple of it."""
    assert settings.horizon is not None
    if settings.decoder == "vanilla" or has_own_core(settings.preset):
        return 1, lookback
    if settings.segment is None:
        segment = default_segment(lookback, settings.horizon, season, exact=settings.lookback is not None)
    else:
        segment = settings.segment
        if settings.lookback is not None and lookback % segment:
            down, up = lookback // segment * segment, -(-lookback // segment) * segment
            fits = f"{down} or {up}" if down else up
            raise ConfigError(f"lookback={lookback} is not a multiple of segment={segment}. Use a lookback of {fits}.")
    return segment, max(segment, lookback // segment * segment)


def default_lookback(horizon: int, season: int, rows: int, longer: int = 0, least: int = LEAST) -> int:
    """Return three horizons, two seasons or the ``least``, which is more, as far as half of the ``rows`` allow.

    Two of a ``longer`` season count too, where there are many of them and they are not too long to read.
    """
    wanted = max(3 * horizon, 2 * season, least)
    if rows >= MANY_SEASONS * longer:
        wanted = max(wanted, min(2 * longer, LONGEST))
    return max(1, min(wanted, max((rows - horizon) // 2, rows - horizon if rows < 3 * horizon else 1)))


def default_segment(lookback: int, horizon: int, season: int, exact: bool) -> int:
    """Return a segment near a 24th of the look-back, no longer than the horizon, that fits the season.

    With ``exact`` only divisors of the look-back come into question.
    """
    wanted = max(1, min(horizon, lookback / 24))
    sizes = [n for n in range(1, min(lookback, 2 * horizon) + 1) if not exact or lookback % n == 0]

    def misfit(n: int) -> float:
        fits = season > 1 and (n % season == 0 or season % n == 0)
        return abs(math.log(n / wanted)) - (0.3 if fits else 0.0)

    return min(sizes, key=misfit)


def _describe(layout: Layout, train_ends: tuple[int, ...], valid_size: int, test: Part, windows: int) -> list[str]:
    parts = [f"look-back {layout.lookback}", f"horizon {layout.horizon}"]
    if layout.segment > 1:
        parts.append(f"segments of {layout.segment}")
    parts.append(f"season {layout.season}" if layout.season > 1 else "no season")
    parts.append("learned cycle" if layout.cycle else "no learned cycle")
    parts += ["logarithms"] if layout.log else []
    split = f"{max(train_ends)} training rows, then {valid_size} for validation"
    split += f", then {test.size} for the test" if test.size else ""
    windows_said = "one training window" if windows == 1 else f"{windows} training windows"
    notes = [f"{', '.join(parts)}; {split}; {windows_said}"]
    if layout.season > max(train_ends):
        notes.append(
            f"careful: a season of {layout.season} steps is longer than the {max(train_ends)} training rows, so that "
            "nothing in them repeats it"
        )
    if windows < SCARCE:
        notes.append(f"careful: only {windows_said}, so that little can be learned; bring more rows")
    return notes + ([describe_test(len(test), test.size, test.step)] if test.step > 1 else [])
