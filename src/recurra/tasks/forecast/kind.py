"""Forecasting, as the verbs see it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from ...compare.metric import Metric, Statistics
from ...compare.significance import diebold_mariano
from ...data.series import Panel
from ...data.series.covariates import Covariates
from ...errors import ConfigError, DataError
from ...nn.build import is_reservoir
from ...settings import Config, filled
from ...training.loop import Epoch, Progress, Watch
from ...training.task import Task
from ..base import Baseline, Demo, Exam, Fitted, Glimpse, Judged, Kind, Onward, Prepared, Tell, tell_nobody
from ..last import train_gently
from ..others import another_suggested
from .answers import Forecasts, answer_to, forecast, joined, network_answer, plain_answer, sample_paths
from .backtest import Origins, backtest, in_order
from .baselines import make_baselines
from .build import make_forecaster
from .calendar import listed, silent_in
from .combination import NETWORK, combine, forecasts_mean, points_and_truth
from .context import context_of, unknown_ahead
from .demo import make_demo
from .exam import Guess, Truth, make_exam, statistics_of
from .folds import errors_by
from .growth import grown
from .insample import FittedValues, fitted_values
from .intervals import calibrate
from .learned import ForecastLearned
from .metrics import ERRORS_OF, forecast_metrics, loss_per_origin
from .network import ForecastNet
from .paths import Paths, error_paths
from .plan import (
    TOO_FEW,
    Cut,
    ForecastPlan,
    Part,
    check_test_size,
    default_test_size,
    judging_step,
    leaves_enough,
    make_plan,
    tracks_of,
)
from .presets import PRESETS, has_own_core
from .readout import refit, train_reservoir
from .reservoir import ReservoirNet
from .ridge import measured_as, root_mean_square
from .season import with_season_before
from .settings import PARTS, WITH_INTERVALS, BacktestAsked, ForecastAsked, OriginsAsked, ReportAsked
from .sizes import sized
from .source import fingerprint_of, read_panel, strangers
from .upgrade import upgraded
from .variables import empty_in
from .windows import Windows, rows_of

if TYPE_CHECKING:
    from ...report.page import Section


OF_SEGMENTS = ("decoder", "segment", "lags", "cycle", "normalise")  # settings of networks that read segments
OF_CORES = ("decoder", "segment", "lags", "attention", "bidirectional")  # which a core of a paper has in its own way
OF_STACKS = ("num_layers", "locked", "weight_drop", "zoneout", "layer_norm", "residual")  # of layers over time


class ForecastKind(Kind):
    """From the past of series to their next steps."""

    parts = PARTS
    remembers = True

    def read(
        self, source: Any, config: Config, learned: Any = None, most: int | None = None, tell: Tell = tell_nobody
    ) -> Panel:
        """Return a file, a frame or a panel as a panel."""
        if learned is not None:
            panel = read_panel(source, config.task, learned.schema, most, tell)
            tell(new := [*strangers(panel, set(learned.names)), *short_of(panel, learned.layout.lookback)])
            return replace(panel, notes=(*panel.notes, *new))
        with another_suggested(PARTS.name, source, config.task):
            return read_panel(source, config.task, None, most, tell)

    def fingerprint(self, data: Panel) -> str:
        """Return a short text that is another one if any value is."""
        return fingerprint_of(data)

    def plan(self, data: Panel, config: Config, test_size: int | None) -> ForecastPlan:
        """Cut every series: training rows, then validation, then what is held out."""
        config.require()
        horizon = config.task.horizon
        size = default_test_size(data, horizon) if test_size is None else test_size
        if size:
            check_test_size(size, horizon)
        data = with_season_before(data, size)
        few = test_size is None and not leaves_enough(data, config.task, size)
        plan = make_plan(data, config.task, 0 if few else size, reservoir=is_reservoir(config.model))
        silent = silent_in(data, plan.layout, plan.train_ends)
        notes = [*plan.notes, *silent.notes(plan.layout.season), *([TOO_FEW] if few else [])]
        if empty := empty_in(data, plan.train_ends):
            notes.append(f"careful: no training row has a value of {listed(empty)}, so that nothing is learned from it")
        return replace(plan, notes=tuple(notes), silent=silent.names)

    def cut_by(self, config: Config) -> str:
        """Return the settings of the task, and whether it is a reservoir, which has a longer look-back."""
        return f"{super().cut_by(config)} {is_reservoir(config.model)}"

    def fill(self, config: Config, plan: ForecastPlan) -> Config:
        """Return the settings with sizes that suit the number of training windows, and the metric that suits them."""
        sparse = plan.layout.sparse and measured_as(config.task.loss, plan.layout.sparse) is root_mean_square
        config = replace(config, task=filled(config.task, {"rank": "rmsse" if sparse else "mase"}))
        return sized(config, len(plan.train))

    def learn(self, data: Panel, plan: ForecastPlan, config: Config) -> ForecastLearned:
        """Return the scale and the end of every series."""
        return ForecastLearned.of(data, plan, config.task)

    def recall(self, plain: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> ForecastLearned:
        """Return what was learned, from a run."""
        return ForecastLearned.from_plain(plain, arrays)

    def onward(self, fitted: Fitted, data: Panel, config: Config, test_size: int | None) -> Onward:
        """Return new rows behind what is remembered, and new series behind those known."""
        return grown(fitted, data, config, test_size)

    def encode(self, data: Panel, learned: ForecastLearned, part: Part | None = None) -> Windows:
        """Return a ``part`` as windows; all of which the past is long enough, if not said which."""
        part = whole_part(data, learned) if part is None else part
        rows = rows_of(data, learned, part)
        return rows.windows(learned.layout.lookback, learned.layout.horizon, part.origins)

    def build(self, config: Config, learned: ForecastLearned) -> tuple[nn.Module, Task]:
        """Make the network."""
        return make_forecaster(config, learned.layout)

    def begin(self, network: nn.Module, prepared: Prepared) -> None:
        """Begin a learned cycle with measured means, where there is little to learn it from, and find the unit."""
        assert isinstance(network, ForecastNet) and isinstance(prepared.train, Windows)
        if network.cycle is not None and prepared.learned.cycles is not None:
            network.cycle.start_from(torch.from_numpy(prepared.learned.cycles))
        if not isinstance(network, ReservoirNet):
            network.measure(prepared.train)

    def finish(self, fitted: Fitted, prepared: Prepared) -> None:
        """Weigh the members, calibrate the intervals, and give series that were not there the mean identity."""
        network, valid = fitted.network, prepared.valid
        assert isinstance(network, ForecastNet) and isinstance(valid, Windows)
        network.welcome_strangers()
        if not (fitted.config.task.combine or network.head.quantiles):
            return
        said = points_and_truth(fitted, valid)
        whole = combine(fitted, prepared, said) if fitted.config.task.combine else None
        calibrate(network, valid, whole)
        if network.head.quantiles:
            fitted.learned = replace(fitted.learned, errors=error_paths(fitted, prepared, said, whole))

    def train(self, fitted: Fitted, prepared: Prepared, progress: Progress, watch: Watch | None) -> Iterator[Epoch]:
        """Train by gradient, or find a reservoir and its read-out in closed form."""
        if isinstance(fitted.network, ReservoirNet):
            return train_reservoir(fitted, prepared, progress, watch)
        return super().train(fitted, prepared, progress, watch)

    def train_on(self, fitted: Fitted, prepared: Prepared) -> Iterator[Epoch]:
        """Train ``last_epochs`` more on all that is not held out: the newest rows say most about those to come."""
        plan, network = prepared.plan, fitted.network
        assert isinstance(plan, ForecastPlan) and isinstance(network, ForecastNet)
        epochs = self.more_epochs(fitted.config)
        if epochs and isinstance(network, ReservoirNet):
            yield refit(fitted, prepared)
        elif epochs:
            examples = self.encode(prepared.data, fitted.learned, plan.whole)
            yield from train_gently(fitted, examples, epochs)
            network.welcome_strangers()

    def more_epochs(self, config: Config) -> int:
        """Return how many epochs come after the best one."""
        last: int = config.task.last_epochs or 0
        return min(last, 1) if is_reservoir(config.model) else last

    def unused(self, config: Config) -> dict[str, str]:
        """Return the settings that nothing uses."""
        idle = {}
        if is_reservoir(config.model):
            idle = dict.fromkeys(OF_SEGMENTS, "a reservoir reads the values as they are, step by step")
            idle["missing"] = "a reservoir reads zero where a value is missing, and which are missing"
            return idle | dict.fromkeys(Covariates._fields, "a reservoir reads the values alone")
        if has_own_core(config.task.preset):
            idle = dict.fromkeys(OF_CORES, f"preset='{config.task.preset}' has its own way to read, look and write")
            if PRESETS[config.task.preset].single:
                idle |= dict.fromkeys(OF_STACKS, f"preset='{config.task.preset}' has one layer, without regularisers")
            if config.task.preset == "da_rnn":
                idle["static"] = "preset='da_rnn' weighs drivers step by step, and what never changes is none"
        elif config.task.decoder == "vanilla":
            idle["segment"] = "the vanilla decoder goes step by step"
            idle["lags"] = "the vanilla decoder writes steps, not segments"
        elif config.model.attention == "none":
            idle["lags"] = "attention='none' looks nowhere"
        if config.task.loss not in WITH_INTERVALS:
            idle["levels"] = f"loss='{config.task.loss}' predicts no intervals"
        return idle

    def ask(self, fitted: Fitted, examples: Windows) -> Guess:
        """Forecast all windows."""
        return answer_to(fitted, examples)

    def ask_both(self, fitted: Fitted, examples: Windows) -> tuple[Guess, Guess | None]:
        """Forecast all windows, and by the network alone, where it is not all that answers."""
        said = plain_answer(fitted, examples)
        network = network_answer(fitted, examples, said) if fitted.learned.mix else None
        return joined(fitted, examples, said), network

    def network_share(self, fitted: Fitted) -> float:
        """Return the weight of the network among all that answers, or all of it where the intervals are its own."""
        if forecasts_mean(fitted):
            return 1.0
        return float(fitted.learned.mix.get(NETWORK, 1.0))

    def waits_for(self, fitted: Fitted) -> str | None:
        """Return ``future`` if what is known ahead has not been told."""
        learned = fitted.learned
        return "future" if unknown_ahead(learned, context_of(learned), learned.layout.horizon) else None

    def needs_data(self, asked: ForecastAsked) -> bool:
        """Fitted values are about rows, of which no run remembers more than the last."""
        return asked.fitted

    def answer(self, fitted: Fitted, data: Panel | None, asked: ForecastAsked) -> Forecasts | FittedValues | Paths:
        """Forecast from the end of ``data``, or draw paths of it, or say what is in them."""
        steps = checked_steps(asked.steps, fitted.learned.layout.horizon)
        if asked.fitted:
            if asked.future is not None or asked.paths is not None:
                raise ConfigError(
                    "fitted=True is about rows of the data, not about those to come: leave future= and paths= out."
                )
            assert data is not None
            ahead = steps_within(asked.steps or 1, fitted.learned.layout.horizon)
            return fitted_values(fitted, data, ahead, asked.model)
        if asked.paths is None:
            return forecast(fitted, data, steps, asked.model, asked.future)
        return sample_paths(fitted, data, asked.paths, steps, asked.model, asked.future, asked.seed)

    def frame(self, answers: Forecasts | FittedValues | Paths) -> pd.DataFrame:
        """Return a long frame ``unique_id, ds, yhat`` and, per level, ``yhat-lo-90`` and ``yhat-hi-90``.

        Paths are ``unique_id, ds, path, y``.
        """
        return answers.frame()

    def metrics(self, config: Config) -> tuple[Metric, ...]:
        """Return what ranks, MASE if nothing else is said, and the others."""
        levels = config.task.levels if config.task.loss in WITH_INTERVALS else ()
        return forecast_metrics(levels, config.task.rank or "mase")

    def statistics(self, truth: Truth, answers: Guess) -> Statistics:
        """Return sums of errors, window by window."""
        return statistics_of(truth, answers)

    def meaning(self, fitted: Fitted, scores: Mapping[str, float]) -> str:
        """Say what a scaled error is: as large as so much of that of repeating the last season."""
        from . import report  # only a page needs it

        return report.meaning(fitted, scores)

    def baselines(self, config: Config, learned: ForecastLearned) -> dict[str, Baseline]:
        """Return the naive forecasts and a linear model."""
        layout = learned.layout
        return make_baselines(layout.season, layout.sparse, measured_as(config.task.loss, layout.sparse))

    def exam(self, data: Panel, learned: ForecastLearned, part: Part | None) -> Exam:
        """Return forecasts of past rows, with what happened."""
        part = whole_part(data, learned) if part is None else part
        return make_exam(data, learned, part, self.encode(data, learned, part))

    def choose(
        self,
        data: Panel,
        fitted: Fitted,
        asked: BacktestAsked,
        size: int | None,
        held_out: int | None,
        tell: Tell = tell_nobody,
    ) -> Part:
        """Return forecasts of the last ``size`` values, those that were held out if not said."""
        learned: ForecastLearned = fitted.learned
        horizon = learned.layout.horizon
        size = size or held_out or default_test_size(data, horizon)
        check_test_size(size, horizon)
        if held_out is not None and size > held_out:
            tell([f"careful: of the last {size:,} rows only {held_out:,} were held out of the training of this run"])
        if size == held_out:
            return make_plan(data, fitted.config.task, size, asked.step, is_reservoir(fitted.config.model)).test
        tracks = tracks_of(data, learned.joint)
        firsts = [max(1, len(track) - size) for track in tracks]
        return part_from(learned, tracks, firsts, size, asked.step)

    def chance(self, exam: Exam, first: Sequence[Statistics], second: Sequence[Statistics], metric: Metric) -> float:
        """Test the errors of forecast origins, which share targets (Diebold-Mariano), as the ``metric`` counts them."""
        by = ERRORS_OF.get(metric.name, "scaled")
        one, other = (np.mean([loss_per_origin(seed, by) for seed in seeds], 0) for seeds in (first, second))
        return diebold_mariano(one, other, exam.truth.overlap)

    def title(self, fitted: Fitted, data: Panel) -> str:
        """Return which series are forecast, and how far."""
        from . import report  # only a page needs it

        return report.title(fitted, data)

    def used(self, fitted: Fitted) -> list[str]:
        """Return which columns are forecast and which are not used, unless there is one and no other."""
        from . import report  # only a page needs it

        return report.used(fitted)

    def sections(self, fitted: Fitted, data: Panel, judged: Judged | None, asked: ReportAsked) -> "list[Section]":
        """Show the forecast of a few series."""
        from . import report  # only a page needs it

        return report.forecast_sections(fitted, data, judged, asked.show, asked.future)

    def proof(self, fitted: Fitted, data: Panel, judged: Judged) -> "list[Section]":
        """Show a forecast beside what happened, and the error by step ahead."""
        from . import report  # only a page needs it

        return report.proof_sections(fitted, data, judged)

    def glimpse(self, fitted: Fitted, data: Panel) -> Glimpse:
        """Return the end of the first series."""
        from . import report  # only a page needs it

        return report.first_series(fitted, data)

    def backtest(
        self, fitted: Fitted, data: Panel, asked: OriginsAsked, train: Callable[[Prepared, str], Fitted]
    ) -> Iterator[pd.DataFrame]:
        """Train models with the settings of ``fitted`` on what lies before origins in ``data``; forecast from each."""
        config, own, others = fitted.config, fitted.learned.schema.targets, data.schema.targets
        if own != others:
            raise DataError(
                f"The run forecasts {', '.join(own)}, and of this table {', '.join(others)} would be forecast: name "
                "the table that it was trained on, or one like it."
            )
        return backtest(Origins(data, config, asked), lambda before, which: train(self.prepare(before, config), which))

    def tested(self, data: Panel, folds: list[pd.DataFrame]) -> tuple[pd.DataFrame, list[pd.DataFrame]]:
        """Return the forecasts of all origins, and their errors by step ahead and, of several, by series."""
        whole = in_order(folds)
        by = ["step", *(["unique_id"] if whole["unique_id"].nunique() > 1 else [])]
        return whole, [errors_by(whole, one, data.schema) for one in by]

    def demo(self) -> Demo:
        """Forecast weekly CO2."""
        return make_demo()

    def upgrade(self, config: dict[str, Any], tensors: dict[str, Tensor]) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Read runs of formats 1 and 2."""
        return upgraded(config, tensors)


def short_of(panel: Panel, lookback: int) -> list[str]:
    """Return a warning if series are shorter than what the model reads of them."""
    short = [name for name, values in zip(panel.names, panel.values, strict=True) if len(values) < lookback]
    if not short:
        return []
    least = min(len(values) for values in panel.values)
    which = f"'{short[0]}' has" if len(short) == 1 else f"{len(short):,} of {len(panel):,} series have"
    return [f"careful: {which} fewer rows than the {lookback} that the model reads (as few as {least})"]


def whole_part(panel: Panel, learned: ForecastLearned) -> Part:
    """Return the forecasts of all that follows the first look-back of each series."""
    tracks = tracks_of(panel, learned.joint)
    firsts = [min(learned.layout.lookback, max(1, len(track) // 2)) for track in tracks]
    size = max(len(track) - first for track, first in zip(tracks, firsts, strict=True))
    return part_from(learned, tracks, firsts, size, None)


def part_from(
    learned: ForecastLearned, tracks: list[np.ndarray], firsts: Sequence[int], size: int, step: int | None
) -> Part:
    """Return the forecasts of ``tracks`` (T, C) from position ``firsts[i]`` of series ``i`` on."""
    layout, lengths = learned.layout, [len(track) for track in tracks]
    cut = Cut(tracks, layout, lengths, pad=layout.lookback - 1)
    if step is None:
        step = judging_step(lengths, size, layout.horizon, layout.season)
    part = cut.part(firsts, [n - layout.horizon for n in lengths], firsts, step)
    if not any(n - layout.horizon >= first for n, first in zip(lengths, firsts, strict=True)):
        raise DataError(
            f"Too few rows to evaluate: a forecast of {layout.horizon} steps needs at least {layout.horizon + 1} rows."
        )
    return replace(part, size=size)


def checked_steps(steps: Any, horizon: int) -> int:
    """Return how many steps are asked for, the ``horizon`` if none; raises ConfigError if that is no whole number."""
    return horizon if steps is None else whole_number(steps, "h")


def steps_within(steps: Any, horizon: int) -> int:
    """Return the same, where nothing beyond the horizon is asked for; raises ConfigError if it is."""
    count = checked_steps(steps, horizon)
    if count > horizon:
        raise ConfigError(
            f"{count} steps are more than the horizon this model was trained for ({horizon}). "
            f"Train again with horizon={count}."
        )
    return count


def whole_number(value: Any, name: str) -> int:
    """Return ``value`` if it is a whole number from 1 on; raises ConfigError that says its ``name`` if it is not."""
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < 1:
        raise ConfigError(f"{name} must be a whole number from 1 on. Got {value!r} instead.")
    return int(value)


KIND = ForecastKind()
