"""The answer of a forecaster: the mean of what its network and the linear model say, weighted by how good they are.

Each weighs the inverse fourth power of its mean absolute error on the validation windows, or of the root of its mean
squared error where means are forecast, so that equals weigh the same and what is twice as far off hardly counts; with
too few values to tell, all weigh the same. The error of what was learned counts for more, the fewer horizons there were
to learn from: by half of one horizon's share in the training windows.
Where a naive forecast is better than the linear model, as the last value of prices, or the last season of three years
of months, it answers in its place.
The median of demand that is mostly zero is often zero, so that the linear model alone forecasts its mean there.
Shapes: W windows, H steps, C channels.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch

from ...writing.numbers import percents
from ..base import Fitted, Prepared
from .baselines import Linear, Naive, RepeatLast, naive_forecasts, repeat_last, scarcity
from .exam import Guess
from .intervals import Whole, flattery, missed_more, ratio_of, spread_of
from .network import ForecastNet
from .ridge import Measure, measured_as
from .windows import Windows

NETWORK, LINEAR, LAST = "network", "linear", "repeat last"
POWER = 4  # benchmarks/accuracy/simple.md has what else was tried
FEW = 3  # steps that validation windows are about, below which errors say nothing
LEAST = 10  # known values, below which nothing can be learned
HARDLY = 1e-3  # of the answer, below which a part is not told
NOTHING = 1e-12  # errors below it, in training deviations, are none


class Said(NamedTuple):
    """What a network says of windows, and what happened, standardised."""

    point: np.ndarray  # (W, H, C)
    truth: np.ndarray  # (W, H, C), NaN where unknown


def combine(fitted: Fitted, prepared: Prepared, said: Said) -> Whole:
    """Weigh the network of ``fitted`` and a linear model, which it keeps, by their errors on the validation windows.

    ``said`` is what the network says of these windows. The linear model is fitted to them, too, after they have judged
    it. Returns how the common answer follows from the network's there.
    """
    valid = prepared.valid
    assert isinstance(valid, Windows)
    if known_values(valid) < LEAST:
        return _fall_back(fitted, valid, said)
    measure = measured_as(fitted.config.task.loss, fitted.learned.layout.sparse)
    own, truth = said
    before = _goes_on(fitted)
    linear = _fitted_linear(fitted, prepared, measure, truth)
    assert linear.said is not None
    if fitted.learned.layout.sparse and fitted.config.task.loss == "quantile":
        fitted.learned = replace(fitted.learned, mix={NETWORK: 0.0, LINEAR: 1.0})
        fitted.record.answer = (
            f"The answer is the mean by the linear model ({linear.described()}), and the intervals are those of the "
            "network: the median of demand that is mostly zero is often zero."
        )
        return Whole(np.zeros_like(linear.said))
    simple, mix = _weighed(fitted, prepared, linear, said, before)
    spread = _spread(fitted, valid, simple.said, truth)
    fitted.baselines[simple.name] = simple.row
    fitted.learned = replace(fitted.learned, mix=mix, spread=spread)
    fitted.record.answer = said_of(mix, simple, len(valid))
    return Whole(mix[simple.name] * (simple.said - own), mix[NETWORK], spread)


class Member(NamedTuple):
    """What may answer beside the network."""

    name: str
    row: Linear | Naive
    said: np.ndarray  # (W, H, C) of the validation windows, standardised
    error: float


def _weighed(
    fitted: Fitted, prepared: Prepared, linear: Linear, said: Said, goes_on: bool
) -> tuple[Member, dict[str, float]]:
    """Return what answers beside the network, and the weights of both.

    Few new rows say little of a model that has learned from many and ``goes_on``, and nothing of a naive forecast that
    did not answer then.
    """
    train, valid, measure, steps = prepared.train, prepared.valid, linear.measure, _steps(said.truth)
    assert isinstance(train, Windows) and isinstance(valid, Windows) and linear.said is not None
    scarce = 1.0 if goes_on else scarcity(train)
    simple = Member(LINEAR, linear, linear.said, scarce * measure(linear.said, said.truth))
    naive = naive_forecasts(fitted.learned.layout.season)
    rivals = {name: row for name, row in naive.items() if not goes_on or name in fitted.baselines}
    if steps >= FEW:
        simple = min([simple, *_members(rivals, valid, said.truth, measure)], key=lambda one: one.error)
    return simple, weigh({NETWORK: scarce * measure(said.point, said.truth), simple.name: simple.error}, steps)


def said_of(mix: Mapping[str, float], simple: Member, windows: int) -> str:
    """Return a sentence that says what the answer is made of."""
    other = simple.row.told()
    judges = "one validation forecast" if windows == 1 else f"{windows:,} validation forecasts"
    if mix[NETWORK] < HARDLY:
        return f"The answer is the {other}: the network missed far more in {judges}."
    network, share = percents([mix[NETWORK], mix[simple.name]])
    return f"The answer is {network} network and {share} {other}, by their errors in {judges}."


def _members(rows: Mapping[str, Naive], valid: Windows, truth: np.ndarray, measure: Measure) -> list[Member]:
    return [Member(name, row, said := row.says(valid), measure(said, truth)) for name, row in rows.items()]


def _goes_on(fitted: Fitted) -> bool:
    """Tell whether what answers was learned before, on more than the windows of this training."""
    linear = fitted.baselines.get(LINEAR)
    return isinstance(linear, Linear) and linear.earlier


def _steps(truth: np.ndarray) -> int:
    """Return how many steps are judged, one after the other, that are known: of ``truth`` (W, H, C)."""
    windows, horizon = truth.shape[:2]
    return min(windows + horizon - 1, int(np.isfinite(truth).any(2).sum()))


def _spread(fitted: Fitted, valid: Windows, said: np.ndarray, truth: np.ndarray) -> np.ndarray | None:
    """Return the spread of what a member ``said`` missed; None if the network has no intervals."""
    network = fitted.network
    assert isinstance(network, ForecastNet)
    if not network.head.quantiles:
        return None
    ratio = ratio_of(network.layout, valid.rows.scaling, valid.series.numpy())
    spread = spread_of(said, truth, network.head.quantiles, ratio)
    return None if spread is None else missed_more(valid, network.layout.sparse) * spread


def _fitted_linear(fitted: Fitted, prepared: Prepared, measure: Measure, truth: np.ndarray) -> Linear:
    """Fit the linear model, and keep it in ``fitted``; that of a run that goes on stays where it is as good."""
    old, valid = fitted.baselines.get(LINEAR), prepared.valid
    assert isinstance(valid, Windows)
    if isinstance(old, Linear) and old.said is not None:
        return old
    linear = Linear(fitted.learned.layout.season, measure)
    linear.fit(prepared)
    if isinstance(old, Linear) and old.earlier:
        old.said = old.says(valid)
        assert linear.said is not None
        # The new one was chosen by these very windows.
        linear = old if measure(old.said, truth) <= flattery(valid) * measure(linear.said, truth) else linear
    fitted.baselines[LINEAR] = linear
    return linear


def forecasts_mean(fitted: Fitted) -> bool:
    """Tell whether the network gives the intervals alone, of demand that is mostly zero, and another row its mean."""
    sparse = fitted.learned.layout.sparse and fitted.config.task.loss == "quantile"
    return sparse and fitted.learned.mix.get(LINEAR) == 1.0


def known_values(windows: Windows) -> int:
    """Return how many steps of the series have a known value."""
    rows = windows.rows
    return len(rows.values) if rows.observed is None else int(rows.observed.any(1).sum())


def _fall_back(fitted: Fitted, valid: Windows, said: Said) -> Whole:
    """Let the last value answer."""
    last = repeat_last(valid)
    spread = _spread(fitted, valid, last, said.truth)
    fitted.baselines[LAST] = RepeatLast()
    fitted.learned = replace(fitted.learned, mix={NETWORK: 0.0, LAST: 1.0}, spread=spread)
    fitted.record.answer = (
        f"The answer is the last value: {known_values(valid)} known values are too few to learn from."
    )
    return Whole(last - said.point, 0.0, spread)


@torch.inference_mode()
def points_and_truth(fitted: Fitted, windows: Windows) -> Said:
    """Return what the network says of ``windows`` and what happened."""
    network, head = fitted.network.eval(), fitted.task.head  # type: ignore[attr-defined]
    assert isinstance(network, ForecastNet)
    points, truth = [], []
    for _, batch, params in network.over(windows):
        points.append(head.point(params).double().cpu())
        target = batch.targets
        assert target is not None
        known = target if batch.target_mask is None else target.masked_fill(~batch.target_mask, torch.nan)
        truth.append(known.double().cpu())
    return Said(torch.cat(points).numpy(), torch.cat(truth).numpy())


def weigh(errors: Mapping[str, float], steps: int) -> dict[str, float]:
    """Return the weights ``e_i^−4 / Σ_j e_j^−4`` of members by their ``errors``; equal ones if ``steps`` are few."""
    least = max(min(errors.values()), NOTHING)
    shares = {name: 1.0 if steps < FEW else (least / max(error, NOTHING)) ** POWER for name, error in errors.items()}
    total = sum(shares.values())
    return {name: share / total for name, share in shares.items()}


def combined(network: Guess, others: Mapping[str, Guess], mix: Mapping[str, float], still: bool = False) -> Guess:
    """Return the weighted mean of all points, and of the ends of all intervals.

    Around a point without intervals are those of the network. They stay where they are if they shall be ``still``.
    """
    if not mix:
        return network
    point = mix[NETWORK] * network.point
    for name, share in mix.items():
        if name != NETWORK:
            point = point + share * others[name].point
    if still:
        return Guess(point, network.bands)
    bands = {}
    for level, (low, high) in network.bands.items():
        own = np.stack([low - network.point, high - network.point])
        away = mix[NETWORK] * own
        for name, share in mix.items():
            if name != NETWORK:
                other = others[name]
                away = away + share * (np.stack(other.bands[level]) - other.point if level in other.bands else own)
        bands[level] = (point + away[0], point + away[1])
    return Guess(point, bands)
