"""What a report of forecasts shows: a few series, their forecasts beside what happened, and where it looked."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ...data.calendar.frequency import ahead_in_words, steps_in_words
from ...data.series import Panel
from ...data.series.season import candidates
from ...errors import DataError, nearest
from ...report.figures import EVEN, looked_where
from ...report.page import Section
from ...writing.numbers import compared, percent, percents, signed
from ..base import Fitted, Glimpse, Judged
from .answers import Forecasts, batch_of, forecast
from .context import context_of, times_of, unknown_ahead
from .evidence import Counted, Evidence, counted, evidence_of
from .exam import error_by_step
from .figures import (
    Forecast,
    attention_figure,
    error_figure,
    evidence_figure,
    forecast_figure,
    lag_figure,
    series_grid,
)
from .holding import holding_sections
from .lags import by_lag, even_looks
from .learned import ForecastLearned
from .metrics import ERRORS_OF

SHOWN = 6  # series that get a picture
MOST_ROWS = 20  # series in the table of errors
SCALED = {"mase": "MASE", "rmsse": "RMSSE"}  # what compares series, whatever their unit


# Whether what was looked at most matters more than the rest, and whether the others follow in order.
VERDICTS = {
    (True, True): "Where it looks is what its forecasts rest on.",
    (True, False): "What it looks at most matters more than the rest; the order of the others says little.",
    (False, False): "What it looks at most matters no more than the rest, as far as can be told: do not read where it "
    "looked as an explanation.",
}
REPEATED = {"1 year": "repeating last year", "1 week": "repeating last week", "1 day": "repeating the day before"}


def title(fitted: Fitted, panel: Panel) -> str:
    """Return which series are forecast, and how far."""
    more = f" and {len(panel) - 3:,} more" if len(panel) > 3 else ""
    ahead = ahead_in_words(fitted.learned.schema.frequency, fitted.learned.layout.horizon)
    return f"{', '.join(panel.names[:3])}{more}: the next {ahead}"


def used(fitted: Fitted) -> list[str]:
    """Return which columns are forecast and which are not used, unless one is forecast and there is no other."""
    found = [note for note in fitted.record.notes if note.startswith(("forecasts ", "not used: "))]
    return found if len(found) > 1 or len(fitted.learned.schema.targets) > 1 else []


def meaning(fitted: Fitted, scores: Mapping[str, float]) -> str:
    """Say what a scaled error of ``scores`` is: held against that of repeating the last season."""
    rank = fitted.config.task.rank or "mase"
    if rank not in SCALED:
        return ""
    season, frequency = fitted.learned.layout.season, fitted.learned.schema.frequency
    span = steps_in_words(frequency, season)
    naive = REPEATED.get(span, f"repeating the last {span}") if season > 1 else "repeating the last value"
    error = scores[rank]
    what = "an error" if rank == "mase" else "a root mean square error"
    return f"{SCALED[rank]} {error:.2g} says: {what} {compared(error)} that of {naive} in the training part."


def forecast_sections(
    fitted: Fitted,
    panel: Panel,
    judged: Judged | None,
    named: str | Sequence[str] | None = None,
    future: Any = None,
) -> list[Section]:
    """Return the forecast from the end of the data: of the series ``named``, or of a few that stand for all.

    ``future`` is a table, or a file, of what is known of the steps that follow.
    """
    chosen, why = choose_series(fitted, panel, judged) if named is None else find_series(panel, named)
    learned: ForecastLearned = fitted.learned
    missing = unknown_ahead(learned, context_of(learned, panel), learned.layout.horizon)
    if missing and future is None:
        needed = f"Tell it where you ask for a forecast: it is needed up to {missing.last}."
        return [Section("The forecast", f"There is none yet. {missing.which}. {needed}")]
    whole = learned.joint or future is not None  # which may be about any series
    asked = panel if whole else panel.some(chosen)
    answer = forecast(fitted, asked, future=future)
    places = chosen if whole else list(range(len(chosen)))
    views = {answer.names[n]: _view(fitted, asked, answer, n) for n in places}
    levels = " and ".join(f"{level} %" for level in sorted(answer.guess.bands))
    bands = f" The shaded bands should hold {levels} of what happens." if levels else ""
    figure = forecast_figure(next(iter(views.values()))) if len(views) == 1 else series_grid(views, len(views))
    text = f"What comes after the end of the data.{bands}{why}"
    own = ("columns",) if len(views) > 1 else ()
    return [Section("The forecast", text, figure, numbers=forecast_table(views), own=own)]


def find_series(panel: Panel, named: str | Sequence[str]) -> tuple[list[int], str]:
    """Return the numbers of the series with these names; raises DataError for a name that is none."""
    names = [named] if isinstance(named, str) else list(dict.fromkeys(named))
    places = {name: n for n, name in enumerate(panel.names)}
    names = [",".join(names)] if ",".join(names) in places else names  # a name that has a comma itself
    for name in names:
        if name not in places:
            raise DataError(f"There is no series '{name}' to show.{nearest(name, places)}")
    return [places[name] for name in names], f" Of {len(panel):,} series those are shown that were asked for."


def choose_series(fitted: Fitted, panel: Panel, judged: Judged | None) -> tuple[list[int], str]:
    """Return the series to show, and a sentence that says which they are, if they are not all."""
    count = len(panel)
    if count <= SHOWN:
        return list(range(count)), ""
    if judged is None or judged.exam.truth.values.shape[2] > 1:
        return list(range(SHOWN)), f" Shown are the first {SHOWN} of {count:,} series."
    name, by = scaled_by(fitted)
    errors = series_errors(judged, judged.name, by)
    known = np.flatnonzero(np.isfinite(errors))
    order = known[np.argsort(errors[known], kind="stable")]
    places = [0, 1, len(order) // 2 - 1, len(order) // 2, len(order) - 2, len(order) - 1]
    chosen = list(dict.fromkeys(int(order[place]) for place in places if 0 <= place < len(order)))
    return chosen, (
        f" Of {count:,} series these are shown: the two that were forecast best on the held-out rows, two in the "
        f"middle, and the two that were forecast worst, by {name}."
    )


def scaled_by(fitted: Fitted) -> tuple[str, str]:
    """Return the error that compares series, whatever their unit: how it is called, and of which sums it is made."""
    rank = "rmsse" if fitted.config.task.rank == "rmsse" else "mase"
    return SCALED[rank], ERRORS_OF[rank]


def series_errors(judged: Judged, row: str, by: str) -> np.ndarray:
    """Return the scaled error of a ``row`` of the table for every row series (S,); NaN where nothing is known."""
    statistics, truth = judged.statistics[row], judged.exam.truth
    size = int(truth.series.max()) + 1
    sums = np.bincount(truth.series, statistics[by], size)
    counts = np.bincount(truth.series, statistics["count"], size)
    errors = np.divide(sums, counts, out=np.full(size, np.nan), where=counts > 0)
    return np.sqrt(errors) if by == "scaled_squared" else errors


def forecast_table(views: Mapping[str, Forecast]) -> pd.DataFrame:
    """Return forecasts as a table to copy: of one series with its intervals, of several a column each."""
    if len(views) == 1:
        (one,) = views.values()
        columns = {"forecast": one.point}
        for level in sorted(one.bands):
            columns[f"{level} % from"], columns[f"{level} % to"] = one.bands[level]
        return pd.DataFrame(columns, index=pd.Index(one.times, name="time"))
    series = {name: pd.Series(one.point, index=pd.Index(one.times)) for name, one in views.items()}
    return pd.DataFrame(series).rename_axis("time")


def _view(fitted: Fitted, panel: Panel, answer: Forecasts, n: int) -> Forecast:
    learned: ForecastLearned = fitted.learned
    size = len(panel.values[n])
    past_times = panel.times(n, max(0, size - learned.memory), size)
    row, channel = (0, n) if learned.joint else (n, 0)
    bands = {level: (low[row, :, channel], high[row, :, channel]) for level, (low, high) in answer.guess.bands.items()}
    past = panel.values[n][size - len(past_times) :]
    return Forecast(past_times, past, answer.times[n], answer.guess.point[row, :, channel], bands)


def proof_sections(fitted: Fitted, panel: Panel, judged: Judged) -> list[Section]:
    """Return one forecast beside what happened, errors and intervals by step ahead, and whether looking explains."""
    steps = {label: error_by_step(judged.exam.truth, guess) for label, guess in judged.answers.items()}
    curve = Section(
        "Error by step ahead",
        "Mean absolute error of each step ahead; where a line lies above a naive one, the naive one is better.",
        error_figure(steps, ours=judged.name),
    )
    holding = holding_sections(judged.exam.truth, judged.answers[judged.name])
    evidence = evidence_of(fitted, judged)
    looking = [] if evidence is None else [_whether_it_explains(fitted, evidence)]
    found = counted(fitted, judged)
    covariates = [] if found is None else [_what_counted(fitted, found)]
    each = _series_by_series(fitted, panel, judged)
    return [_past_forecast(fitted, panel, judged), curve, *each, *holding, *covariates, *looking]


def _series_by_series(fitted: Fitted, panel: Panel, judged: Judged) -> list[Section]:
    """Show the error of each series beside that of the best simple row; columns that are read together are one."""
    simple = [label for label, row in fitted.baselines.items() if row.naive and label in judged.statistics]
    if judged.exam.truth.values.shape[2] > 1 or len(panel) < 2 or not simple:
        return []
    name, by = scaled_by(fitted)
    rival = min(simple, key=lambda label: judged.metrics[label][name.lower()])
    own, other = (series_errors(judged, row, by) for row in (judged.name, rival))
    known = np.flatnonzero(np.isfinite(own))
    worst = known[np.argsort(-own[known], kind="stable")]
    better = int((own[known] < other[known]).sum())
    text = f"{name} of each series. The model is better than '{rival}' on {better:,} of {len(known):,} series."
    if len(known) > MOST_ROWS:
        text += f" These are the {MOST_ROWS} that were forecast worst."
    worst = worst[:MOST_ROWS]
    columns = {"this model": own[worst].round(3), rival: other[worst].round(3)}
    table = pd.DataFrame(columns, index=pd.Index([panel.names[n] for n in worst], name="series"))
    return [Section("Series by series", text, table=table, own=("rows",))]


def _of_the_network(fitted: Fitted) -> str:
    """Say that what is shown is about the network alone, where it is not all that answers."""
    share = fitted.learned.mix.get("network", 1.0)
    return "" if share == 1.0 else f" All this is about the network alone, which is {percent(share)} of the answer."


def _what_counted(fitted: Fitted, found: Counted) -> Section:
    """Show how much each covariate counts."""
    most, chosen = int(np.argmax(found.growth)), found.selected
    text = (
        "What counts is how much larger the error becomes when forecasts exchange their values of a column, so that "
        "they say nothing."
    )
    if chosen is not None:
        text += " A weight is the share that the network gives a column among all that it reads, or writes from."
    if chosen is not None and chosen.apart:
        text += " Columns that never change are weighed among themselves."
    if found.growth[most] > 0:
        text += f" '{found.names[most]}' matters most: without it the error changes by {signed(found.growth[most])}."
    else:
        text += " None of them matters."
    text += _of_the_network(fitted)
    columns = {"error without it": [signed(one) for one in found.growth]}
    if chosen is not None:
        columns["weight where it reads"], columns["weight where it writes"] = (
            ["–" if np.isnan(one) else percent(one) for one in weights.tolist()]
            for weights in (chosen.read, chosen.written)
        )
    table = pd.DataFrame(columns, index=pd.Index(found.names, name="column"))
    return Section("What the other columns are worth", text, table=table, own=("rows",))


def _whether_it_explains(fitted: Fitted, evidence: Evidence) -> Section:
    """Say whether what was looked at matters more than the rest of what was read."""
    layout, frequency = fitted.learned.layout, fitted.learned.schema.frequency
    looked, elsewhere = float(evidence.looked.mean()), float(evidence.elsewhere.mean())
    matters = looked - elsewhere - evidence.margin > 0
    ordered = evidence.agreement.degree in ("much", "partly")
    text = (
        f"{VERDICTS[matters, matters and ordered]} Without the stretch that the network looked at most its error "
        f"changes by {signed(looked)}, without another one as long by {signed(elsewhere)}: a difference of "
        f"{100 * (looked - elsewhere):.1f} ± {100 * evidence.margin:.1f} points, mean of {len(evidence.weights):,} "
        "held-out forecasts."
    )
    if evidence.agreement.cases:
        text += (
            f" The rank correlation of the two over all stretches is {evidence.agreement.mean:.2f}; 1 is the same "
            "order, 0 is none in common."
        )
    text += _of_the_network(fitted)
    names = [steps_in_words(frequency, layout.segment * lag) for lag in range(layout.read, 0, -1)]
    figure = evidence_figure(evidence.growth.mean(0), evidence.weights.mean(0), names)
    return Section("Whether looking explains", text, figure)


def _past_forecast(fitted: Fitted, panel: Panel, judged: Judged) -> Section:
    """Show one forecast of the test rows beside what happened: the last one of the first series."""
    truth, guess, layout = judged.exam.truth, judged.answers[judged.name], fitted.learned.layout
    mix = fitted.learned.mix if "network" in judged.answers else {}
    window = int(np.flatnonzero(truth.series == truth.series[0])[-1])
    origin, n = int(truth.origins[window]), int(truth.series[window])
    first = max(0, origin - fitted.learned.memory)
    bands = {level: (low[window, :, 0], high[window, :, 0]) for level, (low, high) in guess.bands.items()}
    shown = Forecast(
        panel.times(n, first, origin),
        panel.values[n][first:origin],
        panel.times(n, origin, origin + layout.horizon),
        guess.point[window, :, 0],
        bands,
        truth.values[window, :, 0],
        {name: judged.answers[name].point[window, :, 0] for name in mix if name in judged.answers},
    )
    text = "The last forecast of the held-out rows, made without seeing them."
    if shown.parts:
        shares = " and ".join(f"{share} {name}" for share, name in zip(percents(mix.values()), mix, strict=True))
        text += f" The forecast is {shares}, as each did on the validation rows."
    return Section("Forecast against truth", text, forecast_figure(shown, title=panel.names[n]))


def first_series(fitted: Fitted, panel: Panel) -> Glimpse:
    """Return the end of the first series, for a look inside."""
    learned: ForecastLearned = fitted.learned
    layout = learned.layout
    one = panel if learned.joint else panel.some([0])
    context = context_of(learned, one).rows(np.array([0]))
    past = times_of(learned, one, -layout.lookback, 0)[0][:: layout.segment]
    future = times_of(learned, one, 0, layout.written * layout.segment)[0][:: layout.segment]
    frequency = learned.schema.frequency
    segment = ahead_in_words(frequency, layout.segment)

    def span(count: float) -> str:
        return steps_in_words(frequency, max(1, round(count * layout.segment)))

    def attention(weights: np.ndarray) -> list[Section]:
        stretch = f" A column is {segment} of the past." if layout.segment > 1 else ""
        text = f"The forecast of {panel.names[0]} from the end of the data. {looked_where(weights, past)}{stretch}"
        whole = Section("What the model looked at", text, attention_figure(weights, past, future))
        return [_how_far_back(weights, learned), whole]

    unit = f"It reads {segment} at a time." if layout.segment > 1 else ""
    return Glimpse(batch_of(context, fitted), list(past), unit, span, attention)


def _how_far_back(weights: np.ndarray, learned: ForecastLearned) -> Section:
    """Show how long before what they forecast the looks of attention ``weights`` (Q, T) went."""
    layout, frequency = learned.layout, learned.schema.frequency
    shares = by_lag(weights)
    names = [steps_in_words(frequency, layout.segment * lag) for lag in range(1, len(shares) + 1)]
    first, second = np.argsort(-shares, kind="stable")[[0, min(1, len(shares) - 1)]]
    even = float(even_looks(*weights.shape).max())
    if shares[first] < EVEN * even:
        text = f"It looked nearly everywhere alike: no bar has more than {percent(shares[first])} of the looks."
    else:
        text = (
            f"It looked mostly {names[first]} before the step that is forecast, {percent(shares[first])} of the time, "
            f"then {names[second]} before, {percent(shares[second])}."
        )
    text += f" Looking everywhere alike, no bar would have more than {percent(even)}."
    natural = layout.season if layout.season > 1 else min(candidates(frequency), default=1)
    figure = lag_figure(shares, names, max(1, natural // layout.segment), layout.season > 1)
    return Section("How far back it looked", text, figure)
