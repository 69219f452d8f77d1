"""A run that goes on: with new rows of the series that it knows, and with new series.

Weights, sizes and the scales of known series stay. A new series is scaled by its own training rows; its identity
begins as the mean of those known, its cycle with measured means where there is little to learn it from, else at zero.
Shapes: S row series, C channels.
"""

from collections.abc import Sequence
from copy import copy
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from ...data.series import Panel, steps_between
from ...data.series.covariates import Beside
from ...errors import ConfigError, DataError
from ...settings import Config
from ..base import Baseline, Fitted, Onward, Prepared
from .baselines import Linear
from .combination import LINEAR
from .learned import ForecastLearned, last_values, measured_ends, memory_of
from .plan import (
    FEW_WINDOWS,
    TOO_FEW,
    ForecastPlan,
    check_test_size,
    default_test_size,
    make_plan,
    tracks_of,
    validation_size,
)
from .scaling import Scaling, seasonal_means
from .variables import Around, around, cut

TABLE, IDENTITIES = "cycle.table", "core.identities.weight"  # weights that have a row for each series, and one more


def grown(fitted: Fitted, panel: Panel, config: Config, test_size: int | None) -> Onward:
    """Return what it takes to go on with the run ``fitted`` on ``panel``, of which ``test_size`` values are held out.

    The usual part is held out if it is None and there are rows enough. Raises ConfigError for a run that cannot go on,
    DataError for too few rows.
    """
    old: ForecastLearned = fitted.learned
    if old.joint and panel.names != old.names:
        raise ConfigError(
            f"The run reads its columns together and goes on with just these: {', '.join(old.names)}. "
            f"Got {', '.join(panel.names)} instead."
        )
    layout = old.layout
    size = default_test_size(panel, layout.horizon) if test_size is None else test_size
    if size:
        check_test_size(size, layout.horizon)
    new_lengths = tuple(len(values) for values in panel.values)
    old = _remembering(old, memory_of(layout, max(*old.lengths, *new_lengths)))
    panel = _after_memory(old, replace(panel, schema=replace(panel.schema, season=layout.season)))
    longest, needed = max(len(values) for values in panel.values), layout.lookback + 2 * layout.horizon
    few = test_size is None and longest - size < needed
    size = 0 if few else size
    if longest - size < needed:
        raise DataError(
            f"Too few rows to go on with: a look-back of {layout.lookback}, a horizon of {layout.horizon} and as many "
            f"to validate on need {needed} rows of a series, and the longest has {max(0, longest - size)}, with "
            "what the run remembers. Bring more rows."
        )
    same = {name: getattr(layout, name) for name in ("lookback", "segment", "cycle", "log")}
    same["validation_size"] = validation_size(config.task, new_lengths, size)  # of what is new
    plan = make_plan(panel, replace(config.task, **same), size)
    tracks = tracks_of(panel, old.joint)
    new = [] if old.joint else [n for n, name in enumerate(panel.names) if name not in set(old.names)]
    learned = _learned(old, panel, plan, new)
    notes = (_said(panel, new), *plan.notes, *((TOO_FEW,) if few else ()))
    plan = replace(plan, layout=learned.layout, notes=notes)
    cycles = None
    if layout.cycle and new and len(plan.train) < FEW_WINDOWS:
        scaling = learned.scaling.rows(np.arange(layout.series, learned.layout.series))
        ends = [plan.train_ends[n] for n in new]
        cycles = seasonal_means([tracks[n] for n in new], ends, scaling, layout.season, layout.log)
    train, valid = (fitted.kind.encode(panel, learned, part) for part in (plan.train, plan.valid))
    prepared = Prepared(fitted.kind, config, panel, plan, learned, train, valid)
    return Onward(prepared, _weights(fitted.network.state_dict(), len(new), cycles), _members(fitted))


def _remembering(old: ForecastLearned, memory: int) -> ForecastLearned:
    """Return what was learned with as much ``memory``; what an earlier version did not keep is missing."""
    more = memory - old.memory
    if more <= 0:
        return old
    context = np.pad(old.context, ((0, 0), (more, 0), (0, 0)), constant_values=np.nan)
    near = old.around
    if near is not None:
        known, past = (np.pad(a, ((0, 0), (more, 0), (0, 0)), constant_values=np.nan) for a in (near.known, near.past))
        near = near._replace(known=known, past=past)
    return replace(old, context=context, around=near)


def _members(fitted: Fitted) -> dict[str, Baseline]:
    """Return what may answer beside the network again: the linear model of a run, and a naive forecast if it did.

    The linear model comes without what it said of the validation windows then.
    """
    linear = copy(fitted.baselines.get(LINEAR))
    if not isinstance(linear, Linear):
        return {}
    linear.said, linear.earlier = None, True
    naive = {name: row for name, row in fitted.baselines.items() if name in fitted.learned.mix and row.naive}
    return {LINEAR: linear, **naive}


def _said(panel: Panel, new: Sequence[int]) -> str:
    known = len(panel) - len(new)
    return (
        f"goes on with {known:,} series that it knows, whose scales stay, and {len(new):,} new ones, which begin as "
        "the mean of those"
    )


def _after_memory(old: ForecastLearned, panel: Panel) -> Panel:
    """Put the remembered end of training before each series that follows it, so that its first rows are forecast, too.

    Covariates are coded as they were in training.
    """
    memory, places = old.memory, {name: n for n, name in enumerate(old.names)}
    values, starts, beside = [], [], []
    coded = (
        list(zip(*(old.variables.coded(panel, sort) for sort in Beside._fields), strict=True)) if panel.beside else []
    )
    for n, (name, own) in enumerate(zip(panel.names, panel.values, strict=True)):
        at = places.get(name)
        gap = -1 if at is None else steps_between(old.starts[at], panel.starts[n], old.schema) - old.lengths[at]
        follows = at is not None and 0 <= gap <= old.layout.lookback
        size = memory + gap if follows else 0
        row, channel = (0, at) if old.joint else (at, 0)
        before = cut(old.context[row][:, channel] if follows else own[:0], 0, size)
        values.append(np.concatenate([before, own]))
        starts.append(panel.times(n, -size, 1 - size)[0] if size else panel.starts[n])
        if coded:
            known, past, static = coded[n]
            remembered = (old.around.known[row, :memory], old.around.past[row]) if follows and old.around else (
                known[:0], past[:0],
            )  # fmt: skip
            ahead, behind = (
                np.concatenate([cut(a, 0, size), b]) for a, b in zip(remembered, (known, past), strict=True)
            )
            beside.append(Beside(ahead, behind, static[0]))
    categories = {one.name: one.categories for some in old.variables for one in some if one.categories is not None}
    categories = categories if coded else dict(panel.categories)
    calendar = tuple(one.name for one in old.variables.known if one.name in panel.calendar)
    panel = replace(panel, calendar=calendar) if coded else panel
    return replace(panel, values=tuple(values), starts=tuple(starts), beside=tuple(beside), categories=categories)


def _learned(old: ForecastLearned, panel: Panel, plan: ForecastPlan, new: Sequence[int]) -> ForecastLearned:
    """Return what was learned, with the new series behind those known, and the end of each that has gone on."""
    layout, tracks, joint = old.layout, tracks_of(panel, old.joint), old.joint
    ends = measured_ends(tracks, plan.train_ends, plan.test_size)
    scaling, context, near = old.scaling, old.context, old.around
    later = around(old.variables, panel, old.memory, layout.horizon, joint)
    lasts = np.stack([last_values(track, old.memory) for track in tracks])
    places = {name: n for n, name in enumerate(old.names)}
    lengths, pairs = list(old.lengths), []  # of rows: which of the known ones goes on as which of the panel
    for n, name in enumerate(panel.names):
        at = places.get(name)
        if at is None:
            continue
        length = steps_between(old.starts[at], panel.starts[n], old.schema) + len(panel.values[n])
        if length > old.lengths[at]:
            lengths[at] = length
            pairs.append((0, 0) if joint else (at, n))
    to, source = (list(part) for part in zip(*pairs, strict=True)) if pairs else ([], [])
    context = _joined(context, lasts, to, source, new)
    if near is not None and later is not None:
        near = Around(*(_joined(a, b, to, source, new) for a, b in zip(near, later, strict=True)))
    if new:
        own = Scaling.of([tracks[n] for n in new], [ends[n] for n in new]).within(*old.bounds)
        scaling = Scaling(*(np.concatenate(parts) for parts in zip(scaling, own, strict=True)))
    series = layout.series + len(new)
    return replace(
        old,
        layout=replace(layout, series=series, alone=layout.alone or (layout.series == 1 and series > 1)),
        names=(*old.names, *(panel.names[n] for n in new)),
        starts=(*old.starts, *(panel.starts[n] for n in new)),
        lengths=(*lengths, *(len(panel.values[n]) for n in new)),
        scaling=scaling,
        context=context,
        around=near,
        cycles=None,
        mix={},
    )


def _joined(old: np.ndarray, later: np.ndarray, to: list[int], source: list[int], new: Sequence[int]) -> np.ndarray:
    """Return ``old`` rows, those at ``to`` replaced by ``later`` ones at ``source``, and ``new`` ones behind them."""
    rows = old.copy()
    rows[to] = later[source]
    return np.concatenate([rows, later[list(new)]])


def _weights(old: dict[str, Tensor], count: int, cycles: np.ndarray | None) -> dict[str, Tensor]:
    """Return the weights ``old`` with rows for so many new series before the last one, which is for strangers."""
    weights = {name: value.detach().clone() for name, value in old.items()}
    if count and IDENTITIES in weights:
        rows = weights[IDENTITIES]
        mean = rows[:-1].mean(0, keepdim=True)
        weights[IDENTITIES] = torch.cat([rows[:-1], mean.expand(count + 1, -1)])
    if count and TABLE in weights:
        rows = weights[TABLE]
        own = rows.new_zeros(count, *rows.shape[1:]) if cycles is None else torch.from_numpy(cycles).to(rows)
        weights[TABLE] = torch.cat([rows[:-1], own, rows[-1:]])
    return weights
