"""The scikit-learn face: an estimator is a plain dataclass of its settings."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from ...data.series import Panel, Schema, infer_schema, long_frame, steps_between, to_panel
from ...errors import ConfigError, DataError, nearest
from ...nn.build import refuse_unused
from ...nn.threads import own_threads
from ...settings.config import Config, ForecastSettings, ModelSettings, TrainingSettings, defaults, fields, make_config
from ...training import runs
from ...training.loop import Epoch, Progress, fit
from .backtest import calibrate
from .build import make_forecaster
from .fitted import Answer, Backtest, FittedForecaster, from_run, remember
from .prepare import prepare


class AttentionName(str):
    """The setting ``attention`` of an estimator, which can also be called for the table of what it looked at."""

    owner: "Forecaster"

    def __call__(self, df: Any = None) -> pd.DataFrame:
        """Return ``Forecaster.attention_table(df)``."""
        return self.owner.attention_table(df)


class AttentionSetting:
    """Lets ``attention`` be a setting and a question: ``Forecaster(attention="dot")`` and ``.attention()``."""

    def __get__(self, owner: Any, owner_type: type) -> Any:
        if owner is None:
            return self
        name = AttentionName(owner.__dict__["attention"])
        name.owner = owner
        return name

    def __set__(self, owner: Any, value: str) -> None:
        # A setting read from another estimator must not bring that estimator along.
        owner.__dict__["attention"] = str(value) if isinstance(value, AttentionName) else value


@dataclass(kw_only=True, eq=False, repr=False)
class Forecaster(TrainingSettings, ModelSettings, ForecastSettings):
    """A recurrent forecaster with attention for one table or many series.

    ``fit(df)`` takes a pandas or polars frame, wide (a time column and one column per series) or long
    (``unique_id, ds, y``). All arguments are settings, stored as given; what is fitted ends in ``_``.
    Errors are ConfigError, DataError and RunError, all of them ValueErrors.

    >>> forecaster = Forecaster(horizon=24).fit(df)  # doctest: +SKIP
    >>> forecaster.predict()  # doctest: +SKIP
    """

    attention = AttentionSetting()

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the settings as they were given."""
        return {name: self.__dict__[name] for name in fields()}

    def set_params(self, **settings: Any) -> "Forecaster":
        """Change settings; raises ConfigError for a name that is none."""
        unknown = [f"Unknown setting '{name}'.{nearest(name, fields())}" for name in settings if name not in fields()]
        if unknown:
            raise ConfigError("\n".join(unknown))
        for name, value in settings.items():
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        first = defaults()
        changed = [f"{name}={value!r}" for name, value in self.get_params().items() if value != first[name]]
        return f"Forecaster({', '.join(changed)})"

    # scikit-learn asks for these. Its BaseEstimator would bring them too, but importing it takes as long as torch.
    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import InputTags, Tags, TargetTags

        return Tags(
            estimator_type=None,
            target_tags=TargetTags(required=False),
            input_tags=InputTags(two_d_array=False, allow_nan=True),
        )

    def fit(self, df: Any, y: None = None, *, validation_size: int | None = None) -> "Forecaster":
        """Train on ``df``; its last ``validation_size`` values decide when to stop. Returns self."""
        for _ in self.epochs(df, validation_size=validation_size):
            pass
        return self

    def epochs(
        self,
        df: Any,
        *,
        validation_size: int | None = None,
        held_out: int = 0,
        progress: Progress | None = None,
        weights: dict[str, torch.Tensor] | None = None,
    ) -> Iterator[Epoch]:
        """Train on ``df`` one epoch at a time; the caller may stop at any time and keep the best weights.

        What can be wrong is raised, and ``prepared_`` and ``notes_`` are there, before the first epoch begins.
        The last ``held_out`` values of each series are kept out of training. ``progress`` and ``weights`` go
        on with a training that was interrupted. ``df`` may be a Panel.
        """
        own_threads()
        config = self._config(validation_size)
        panel = self._panel(df)
        prepared = prepare(panel, config.forecast, held_out)
        network, task = make_forecaster(config, prepared.layout)
        if weights is not None:
            network.load_state_dict(weights)
        elif network.cycle is not None and prepared.cycles is not None:
            network.cycle.start_from(prepared.cycles)
        network.to(pick_device(config.training.device))
        progress = Progress() if progress is None else progress
        self.prepared_, self.panel_, self.progress_ = prepared, panel, progress
        self.notes_ = (*panel.notes, *prepared.notes)
        self.history_: list[dict[str, Any]] = []
        memory = remember(panel, prepared, config.forecast.channels)
        self.fitted_ = FittedForecaster(
            config, panel.schema, prepared.layout, memory, network, task, about(network, config)
        )
        return self._run(fit(network, task, prepared.train, prepared.valid, config.training, progress))

    def _run(self, epochs: Iterator[Epoch]) -> Iterator[Epoch]:
        for epoch in epochs:
            self.history_.append(asdict(epoch))
            yield epoch
        self._finish()

    def keep_best(self) -> None:
        """Put the best weights so far in place: what to do after stopping ``epochs`` early."""
        if self.progress_.best_weights:
            self.fitted_.network.load_state_dict(self.progress_.best_weights)
        self.progress_.stopped_by = self.progress_.stopped_by or "the user"
        self._finish()

    def _finish(self) -> None:
        progress, network = self.progress_, self.fitted_.network
        network.eval()
        network.welcome_strangers()
        calibrate(network, self.prepared_.valid)
        self.fitted_.about.update(
            stopped_by=progress.stopped_by,
            epochs=progress.epoch,
            steps=progress.steps,
            best_epoch=progress.best_epoch,
            best_loss=progress.best_loss,
            seconds=round(sum(epoch["seconds"] for epoch in self.history_), 2),
        )

    def _config(self, validation_size: int | None = None) -> Config:
        settings = self.get_params()
        if validation_size is not None:
            settings["validation_size"] = validation_size
        config = make_config(settings)
        refuse_unused(config)
        return config

    def _panel(self, df: Any) -> Panel:
        if isinstance(df, Panel):
            return df
        schema, notes = infer_schema(
            df, target=self.target, time=self.time, id=self.id, frequency=self.frequency, season=self.season
        )
        panel = to_panel(df, schema)
        return replace(panel, notes=(*notes, *panel.notes))

    def _fitted(self) -> FittedForecaster:
        if not hasattr(self, "fitted_"):
            from sklearn.exceptions import NotFittedError

            raise NotFittedError("This Forecaster is not fitted yet. Call fit(df) first.")
        return self.fitted_

    def predict(self, h: int | None = None, df: Any = None) -> pd.DataFrame:
        """Forecast ``h`` steps after the end of ``df``, or of what was trained on.

        Returns a long frame ``unique_id, ds, yhat`` and, per level, ``yhat-lo-90`` and ``yhat-hi-90``.
        A table may come first, as scikit-learn's ``predict(X)`` has it.
        """
        fitted = self._fitted()
        if df is None and h is not None and not isinstance(h, (Real, str)):
            h, df = None, h
        steps = self._steps(h)
        panel = None if df is None else as_panel(df, fitted.schema)
        answer = fitted.forecast(panel)
        return self._frame(answer, steps)

    def _steps(self, h: int | None) -> int:
        horizon = self._fitted().layout.horizon
        if h is None:
            return horizon
        if not isinstance(h, Integral) or isinstance(h, bool) or h < 1:
            raise ConfigError(f"h must be a whole number from 1 to {horizon}. Got {h!r} instead.")
        if h > horizon:
            raise ConfigError(
                f"h={h} is longer than the horizon this model was trained for ({horizon}). "
                f"Train again with horizon={h}."
            )
        return h

    def _frame(self, answer: Answer, steps: int) -> pd.DataFrame:
        columns = {"yhat": flat(answer.guess.point, steps)}
        for level, (low, high) in answer.guess.bands.items():
            columns[f"yhat-lo-{level}"] = flat(low, steps)
            columns[f"yhat-hi-{level}"] = flat(high, steps)
        return long_frame(answer.names, [times[:steps] for times in answer.times], columns)

    def score(self, df: Any, y: None = None) -> float:
        """Return the negative mean absolute error of forecasts over ``df``, which follows what was trained on.

        Forecasts start at every step of ``df``, from the remembered end of training and what came before.
        """
        fitted = self._fitted()
        panel, firsts = self._after_training(as_panel(df, fitted.schema))
        truth, guess = fitted.backtest_from(panel, firsts)[3:]
        return -float(np.nanmean(np.abs(truth.values - guess.point)))

    def _after_training(self, panel: Panel) -> tuple[Panel, list[int]]:
        """Put the remembered end of training before each series of ``panel``; also say where its own values begin.

        Of a series that was not there in training nothing is remembered: its first value is all there is to read.
        """
        memory, schema, layout = self.fitted_.memory, self.fitted_.schema, self.fitted_.layout
        context = np.concatenate(list(memory.context.transpose(0, 2, 1)))  # a row for each name
        places = {name: n for n, name in enumerate(memory.names)}
        values, starts, firsts = [], [], []
        for n, (name, new) in enumerate(zip(panel.names, panel.values, strict=True)):
            before, gap, at = np.full(layout.lookback, np.nan), 0, places.get(name)
            if at is not None:
                before = context[at]
                gap = steps_between(memory.starts[at], panel.starts[n], schema) - memory.lengths[at]
            if gap < 0:
                raise DataError(
                    f"score(df) takes what follows the training data, but '{name}' begins {-gap} steps before its end."
                )
            first = layout.lookback + gap + (at is None)
            # The end of the last forecast may lie beyond the table: what is not known does not count.
            beyond = max(0, first + layout.horizon - layout.lookback - gap - len(new))
            values.append(np.concatenate([before, np.full(gap, np.nan), new, np.full(beyond, np.nan)]))
            starts.append(panel.times(n, -layout.lookback - gap, 1 - layout.lookback - gap)[0])
            firsts.append(first)
        return replace(panel, values=tuple(values), starts=tuple(starts)), firsts

    def cross_validation(self, df: Any, n_windows: int = 5, step: int | None = None) -> pd.DataFrame:
        """Fit once on what lies before the first of ``n_windows`` origins, then forecast from each.

        Origins lie ``step`` apart (the horizon, if not given) and the last one ends with ``df``. Returns a long
        frame ``unique_id, ds, cutoff, y, yhat`` and the intervals; the fitted copy is ``cv_estimator_``.
        """
        horizon = self._config().forecast.horizon or 1
        step = horizon if step is None else step
        if n_windows < 1 or step < 1:
            raise ConfigError(f"n_windows and step must be at least 1. Got {n_windows} and {step} instead.")
        size = horizon + step * (n_windows - 1)
        copy = type(self)(**self.get_params())
        panel = self._panel(df)
        for _ in copy.epochs(panel, held_out=size):
            pass
        self.cv_estimator_ = copy
        return backtest_frame(panel, copy.fitted_.test(panel, copy.prepared_, size, step))

    def attention_table(self, df: Any = None) -> pd.DataFrame:
        """Return which past steps each future step looked at, for the forecast from the end of ``df``.

        A row per future step and stretch of the past: ``unique_id, ds, past_from, past_to, weight``; the weights
        of a future step sum to 1 for most attentions. Heads are averaged. ``df`` defaults to the training data.
        """
        fitted = self._fitted()
        panel = None if df is None else as_panel(df, fitted.schema)
        weights = fitted.looks(panel)
        if weights is None:
            raise ConfigError("This model has no attention: it was trained with attention='none'.")
        layout = fitted.layout
        steps = weights.repeat(layout.segment, 1)[:, : layout.horizon]
        past = fitted.times(panel, -layout.lookback, 0)
        future = fitted.times(panel, 0, layout.horizon)
        names = fitted.memory.names if panel is None else panel.names
        parts = []
        for n, name in enumerate(names):
            table = steps[0 if fitted.joint else n]
            parts.append(
                pd.DataFrame(
                    {
                        "unique_id": name,
                        "ds": np.repeat(future[n], layout.read),
                        "past_from": np.tile(past[n][:: layout.segment], layout.horizon),
                        "past_to": np.tile(past[n][layout.segment - 1 :: layout.segment], layout.horizon),
                        "weight": table.reshape(-1),
                    }
                )
            )
        return pd.concat(parts, ignore_index=True)

    def save(self, directory: str | Path, overwrite: bool = False) -> Path:
        """Write a run folder; raises RunError if there is one and ``overwrite`` is not set."""
        folder = Path(directory)
        runs.check_writable(folder, overwrite)
        fitted = self._fitted()
        runs.write(folder, runs.Run(fitted.to_config(), fitted.to_tensors(), self.history_))
        return folder

    @classmethod
    def load(cls, directory: str | Path) -> "Forecaster":
        """Read a run folder; raises RunError that says what is missing, cut off or changed."""
        folder = Path(directory)
        run = runs.read(folder)
        fitted = from_run(run.config, run.weights, lambda want, have: runs.check_weights(want, have, folder))
        forecaster = cls(**fitted.config.flat())
        forecaster.fitted_, forecaster.history_ = fitted, run.history
        forecaster.notes_ = ()
        return forecaster

    @property
    def network_(self) -> torch.nn.Module:
        """The trained network."""
        return self._fitted().network

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "fitted_")


def as_panel(df: Any, schema: Schema) -> Panel:
    """Return ``df`` as a panel, if it is not one."""
    return df if isinstance(df, Panel) else to_panel(df, schema)


def flat(values: np.ndarray, steps: int) -> np.ndarray:
    """Return (S, H, C) as one column: series by series, in them channel by channel."""
    return values[:, :steps].transpose(0, 2, 1).reshape(-1)


def backtest_frame(panel: Panel, backtest: Backtest) -> pd.DataFrame:
    """Return a backtest as a long frame ``unique_id, ds, cutoff, y, yhat`` and the intervals."""
    truth, guess = backtest.truth, backtest.guess
    horizon, channels = truth.values.shape[1:]
    names, times, cutoffs = [], [], []
    for n, origin in zip(truth.series.tolist(), truth.origins.tolist(), strict=True):
        for channel in range(channels):
            at = n if channels == 1 else channel
            stamps = panel.times(at, origin - 1, origin + horizon)
            names.append(panel.names[at])
            times.append(stamps[1:])
            cutoffs.append(stamps[:1].repeat(horizon))
    columns = {"y": flat(truth.values, horizon), "yhat": flat(guess.point, horizon)}
    for level, (low, high) in guess.bands.items():
        columns[f"yhat-lo-{level}"], columns[f"yhat-hi-{level}"] = flat(low, horizon), flat(high, horizon)
    frame = long_frame(tuple(names), times, columns)
    frame.insert(2, "cutoff", cutoffs[0].append(cutoffs[1:]))
    return frame[np.isfinite(frame["y"])].reset_index(drop=True)


def pick_device(name: str) -> torch.device:
    """Return the device called ``name``; ``auto`` is the GPU if there is one."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ConfigError(f"Unknown device '{name}'. Choose auto, cpu or cuda.") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ConfigError("There is no CUDA device on this machine. Use device='cpu'.")
    return device


def about(network: torch.nn.Module, config: Config) -> dict[str, Any]:
    """Return what is worth knowing of a training besides its settings."""
    from ... import __version__
    from ...nn.layers import Recurrent

    stacks = [module for module in network.modules() if isinstance(module, Recurrent)]
    return {
        "recurra": __version__,
        "torch": torch.__version__,
        "device": config.training.device,
        "threads": torch.get_num_threads(),
        "engines": [engine for stack in stacks for engine in stack.engines()],
        "parameters": sum(p.numel() for p in network.parameters()),
    }


class TimeSplit:
    """A splitter for long frames that cuts by time, not by row: every fold tests what follows its training.

    The distinct stamps are cut into ``n_splits + 1`` equal stretches; fold k trains on the first k of them and
    tests on the next one. Use it as ``cv=`` of GridSearchCV.
    """

    def __init__(self, n_splits: int = 3, time: str = "ds"):
        self.n_splits, self.time = n_splits, time

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of folds."""
        return self.n_splits

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield row numbers of training and test, fold by fold."""
        if self.time not in X.columns:
            raise DataError(f"There is no column '{self.time}' to split by. Say TimeSplit(time=...).")
        stamps = np.asarray(X[self.time])
        order = np.unique(stamps)
        if len(order) < self.n_splits + 1:
            raise DataError(f"{len(order)} time stamps cannot be split into {self.n_splits + 1} stretches.")
        edges = [order[len(order) * k // (self.n_splits + 1)] for k in range(1, self.n_splits + 1)]
        for k, edge in enumerate(edges):
            test = stamps >= edge if k == self.n_splits - 1 else (stamps >= edge) & (stamps < edges[k + 1])
            yield np.flatnonzero(stamps < edge), np.flatnonzero(test)
