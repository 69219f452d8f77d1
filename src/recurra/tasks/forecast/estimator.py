"""``Forecaster``: forecasting in the manner of scikit-learn."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
import torch

from ...data.series import Panel, steps_between
from ...data.series.covariates import Beside
from ...data.tables.columns import as_pandas
from ...errors import ConfigError, DataError
from ...nn.surroundings import on_its_own
from ...settings import make_config, make_part, settings_of
from ...training.loop import Epoch, Progress
from ..base import Fitted
from ..estimator import Estimator
from ..frames import PANDAS, collected, form_of
from .answers import forecast, looks, sample_paths
from .backtest import Origins, backtest, in_order
from .context import context_of, times_of
from .folds import errors_by
from .insample import fitted_values
from .kind import KIND, checked_steps, part_from, steps_within, whole_number
from .learned import ForecastLearned
from .plan import tracks_of
from .settings import ForecastModelSettings, ForecastSettings, ForecastTrainingSettings, OriginsAsked
from .stream import Begun, ForecastStream


@dataclass(kw_only=True, eq=False, repr=False)
class Forecaster(ForecastTrainingSettings, ForecastModelSettings, ForecastSettings, Estimator):
    """A recurrent forecaster with attention for one table or many series.

    ``fit(df)`` takes a pandas or polars frame, an Arrow table, or the path of a file, wide (a time column and one
    column per series) or long (``unique_id, ds, y``); answers come as the kind of frame that is given, or else as that
    which was trained on, those about files in pandas. All arguments are settings, stored as given; what is fitted ends
    in ``_``. Errors are ConfigError, DataError and RunError, all of them ValueErrors.

    >>> forecaster = Forecaster(horizon=24).fit(df)  # doctest: +SKIP
    >>> forecaster.predict()  # doctest: +SKIP
    """

    kind = KIND

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import InputTags, Tags, TargetTags

        return Tags(
            estimator_type=None,
            target_tags=TargetTags(required=False),
            input_tags=InputTags(two_d_array=False, allow_nan=True),
        )

    def fit(self, df: Any, y: None = None, *, validation_size: int | None = None, verbose: bool | int = False) -> Self:
        """Train on ``df``; its last ``validation_size`` values decide when to stop. Returns self.

        With ``verbose`` stderr shows what was found in the data and how the training goes: a line that moves in a
        terminal or a notebook, a line for each epoch elsewhere. The logger ``recurra`` is told so, too, at INFO.
        """
        return self._train(self.epochs(df, validation_size=validation_size), verbose)

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

        What can be wrong is raised, and ``notes_`` are there, before the first epoch begins. The last ``held_out``
        values of each series are kept out of training. ``progress`` and ``weights`` go on with a training that was
        interrupted. ``df`` may be a Panel.
        """
        changed = {} if validation_size is None else {"validation_size": validation_size}
        config, df = self._config(**changed), collected(df)
        epochs = self._begin(KIND.prepare(KIND.read(df, config), config, held_out), progress, weights)
        self._form = form_of(df, self._fitted().learned.schema.time)
        return epochs

    def fit_more(self, df: Any, *, validation_size: int | None = None, verbose: bool | int = False) -> Self:
        """Go on with what was fitted, or loaded, on new rows of its series, on new series, or on both.

        Weights, sizes and the scales of known series stay; rows that follow the training are read after what is
        remembered of its end. A new series is scaled by its own rows and its identity begins as the mean of the others.
        The best epoch must beat the weights it begins with. Intervals, and the linear model that answers beside the
        network, are found anew on ``df``, so that a table that also holds the older rows says more to them. Series that
        are not in ``df`` stay as they are known.

        Settings of the training, such as ``learning_rate``, may be changed before; those of the network are those of
        the run. Returns self, fitted as by ``fit``.
        """
        run, df = self._fitted(), collected(df)
        own = {name: getattr(self, name) for name in settings_of(KIND.parts.training)}
        changed = {name: value for name, value in own.items() if value is not None}
        changed |= {} if validation_size is None else {"validation_size": validation_size}
        config = make_config(KIND.parts, run.config.flat() | changed)
        found = KIND.go_on(run, KIND.read(df, config, run.learned, tell=self._warn), config)
        epochs = self._begin(found.prepared, None, found.weights)
        self.fitted_.baselines |= found.baselines
        self._session.keep_start()
        self._form = form_of(df, run.learned.schema.time)
        return self._train(epochs, verbose)

    def predict(self, h: int | None = None, df: Any = None, *, future: Any = None) -> Any:
        """Forecast ``h`` steps after the end of ``df``, or of what was trained on.

        Columns that are known ahead are read from the later rows of either, in which nothing stands for what is
        forecast, or from ``future``, a table of rows to come.

        Beyond the horizon it was trained for the model reads sample paths of its own: a forecast is their median, and
        its intervals are their quantiles. Columns that are known ahead must then reach as far.

        Returns a long frame ``unique_id, ds, yhat`` and, per level, ``yhat-lo-90`` and ``yhat-hi-90``.
        A table or a path may come first, as scikit-learn's ``predict(X)`` has it.
        """
        fitted = self._fitted()
        if df is None and h is not None and not _is_number(h):
            h, df = None, h
        df = collected(df)
        steps = checked_steps(h, fitted.learned.layout.horizon)
        answer = forecast(fitted, self._panel(df), steps, future=collected(future)).frame()
        return self._answer_about(df, answer)

    def sample(self, n: int = 100, df: Any = None, *, h: int | None = None, future: Any = None, seed: int = 0) -> Any:
        """Draw ``n`` paths of the ``h`` steps after the end of ``df``, or of what was trained on.

        Each step of them is distributed as the intervals of ``predict`` say, and what is drawn of its steps is put in
        the order of the errors of validation: the Schaake shuffle (Clark et al. 2004). So questions about several steps
        are answered, such as how probable a sum is. The same ``seed`` draws the same paths.

        Returns a long frame ``unique_id, ds, path, y``. Raises ConfigError if the loss has no intervals to draw from.
        """
        fitted, df = self._fitted(), collected(df)
        steps = checked_steps(h, fitted.learned.layout.horizon)
        count = whole_number(n, "n")
        paths = sample_paths(fitted, self._panel(df), count, steps, None, collected(future), seed)
        return self._answer_about(df, paths.frame())

    def stream(self, df: Any = None, *, adapt: bool = False, state: Any = None) -> ForecastStream:
        """Return a stream from the end of ``df``, or of what was trained on: it takes one observation at a time.

        With ``adapt`` the intervals follow what turns out: more than they should miss widens them, fewer narrow them.
        ``state`` is what the ``state()`` of a stream gave, to go on with it.

        >>> stream = forecaster.stream()  # doctest: +SKIP
        >>> stream.update(12.5).predict()  # doctest: +SKIP
        """
        fitted, df = self._fitted(), collected(df)
        form = getattr(self, "_form", PANDAS) if df is None else form_of(df, fitted.learned.schema.time)
        if state is not None:
            if df is not None or adapt:
                raise ConfigError("A state says where a stream stands and whether it adapts: leave df and adapt= out.")
            return ForecastStream.going_on(fitted, state, form)
        begun = Begun.after(fitted.learned, context_of(fitted.learned, self._panel(df)))
        return ForecastStream(fitted, begun, form, adapt)

    def fitted_values(self, h: int = 1, df: Any = None) -> Any:
        """Say of each row that was trained on what is forecast ``h`` steps before it, ``ŷ(t | t − h)``.

        Rows of validation are among them. What lies after the origin of a forecast is not read by it, though the
        weights have learned from it. ``df`` is another table, or that of the training for a run that was loaded, which
        does not keep it.

        Returns a long frame ``unique_id, ds, y, yhat`` and the intervals, of all rows with a whole look-back before
        their origin; ``y - yhat`` is what was missed.
        """
        fitted, df = self._fitted(), collected(df)
        ahead = steps_within(h, fitted.learned.layout.horizon)
        panel = self._panel(df)
        if panel is None:
            session = getattr(self, "_session", None)
            if session is None:
                raise DataError("A run that was loaded does not keep the data it was trained on: give them as df=.")
            panel = session.prepared.data
        return self._answer_about(df, fitted_values(fitted, panel, ahead).frame())

    @on_its_own
    def score(self, df: Any, y: None = None) -> float:
        """Return the negative mean absolute error of forecasts over ``df``, which follows what was trained on.

        Forecasts start at every step of ``df``, from the remembered end of training and what came before.
        """
        fitted, panel = self._fitted(), self._panel(collected(df))
        assert panel is not None
        panel, firsts = after_training(fitted.learned, panel)
        tracks = tracks_of(panel, fitted.learned.joint)
        part = part_from(fitted.learned, tracks, firsts[: len(tracks)], 0, 1)
        exam = KIND.exam(panel, fitted.learned, part)
        return -float(np.nanmean(np.abs(exam.truth.values - KIND.ask(fitted, exam.examples).point)))  # type: ignore[arg-type]

    def cross_validation(
        self,
        df: Any,
        n_windows: int = 5,
        step: int | None = None,
        *,
        refit: bool | int = False,
        window: str = "expanding",
        size: int | None = None,
        verbose: bool | int = False,
    ) -> Any:
        """Forecast ``df`` from each of ``n_windows`` past origins, by a model that knows only what lay before.

        Origins lie ``step`` apart (the horizon, if not given) and the last one has one horizon of ``df`` after it. A
        model is trained at the first of them; with ``refit=True`` at each, with ``refit=k`` at every k-th. It learns
        from all that lies before its origin (``window="expanding"``), or from the last ``size`` values of that
        (``"rolling"``; as many as lie before the first origin, if not given). Neither a training nor a forecast is
        given anything else.

        Returns a long frame ``unique_id, ds, cutoff, y, yhat`` and the intervals, of the steps whose value is known.
        ``fold_errors`` sums it up; ``cv_estimator_`` is the copy that was fitted last, and ``cv_folds_`` has the frame
        of each origin that is done, also after Ctrl-C. ``verbose`` as for ``fit``.
        """
        asked = {"n_windows": n_windows, "step": step, "window": window, "size": size}
        asked["refit"] = int(refit) if isinstance(refit, bool) else refit
        df, config = collected(df), self._config()
        panel = KIND.read(df, config)
        origins = Origins(panel, config, make_part(OriginsAsked, asked))
        self.cv_folds_: list[pd.DataFrame] = []

        def train(before: Panel, which: str) -> Fitted:
            copy = type(self)(**self.get_params())
            epochs = copy._begin(KIND.prepare(before, config))
            self.cv_estimator_ = copy._train(epochs, verbose, which)
            return copy.fitted_

        for fold in backtest(origins, train):
            self.cv_folds_.append(fold)
        return self._answer(in_order(self.cv_folds_), df, panel.schema.time)

    def fold_errors(self, folds: Any, by: Literal["step", "unique_id", "cutoff"] = "step") -> Any:
        """Sum up what ``cross_validation`` returned: a row for each step ahead, each series, or each origin.

        Columns: ``count`` of values, ``mae``, ``rmse``, ``bias`` (the mean of ``yhat - y``) in the unit of the data,
        and for each level the share of values ``in-80`` that lay in its interval.
        """
        if not hasattr(self, "cv_estimator_"):
            raise ConfigError("There is nothing to sum up: fold_errors() takes what cross_validation() returned.")
        folds = collected(folds)
        errors = errors_by(as_pandas(folds), by, self.cv_estimator_.fitted_.learned.schema)
        return self._answer(errors, folds, "cutoff")

    def attention_table(self, df: Any = None, *, future: Any = None) -> Any:
        """Return which past steps each future step looked at, for the forecast from the end of ``df``.

        A row per future step and stretch of the past: ``unique_id, ds, past_from, past_to, weight``; the weights
        of a future step sum to 1 for most attentions. Heads are averaged. ``df`` defaults to the training data;
        ``future`` is a table of what is known ahead, as for ``predict``.
        """
        df = collected(df)
        fitted, panel = self._fitted(), self._panel(df)
        weights = looks(fitted, panel, future=collected(future))
        if weights is None:
            raise ConfigError("This model has no attention: it was trained with attention='none'.")
        learned: ForecastLearned = fitted.learned
        layout = learned.layout
        steps = weights.repeat(layout.segment, 1)[:, : layout.horizon]
        past = times_of(learned, panel, -layout.lookback, 0)
        ahead = times_of(learned, panel, 0, layout.horizon)
        names = learned.names if panel is None else panel.names
        tables = [
            pd.DataFrame(
                {
                    "unique_id": name,
                    "ds": np.repeat(ahead[n], layout.read),
                    "past_from": np.tile(past[n][:: layout.segment], layout.horizon),
                    "past_to": np.tile(past[n][layout.segment - 1 :: layout.segment], layout.horizon),
                    "weight": steps[0 if learned.joint else n].reshape(-1),
                }
            )
            for n, name in enumerate(names)
        ]
        return self._answer_about(df, pd.concat(tables, ignore_index=True))

    def _panel(self, df: Any) -> Panel | None:
        """Return ``df`` as the training data were read; None stays None."""
        self._fitted()
        return None if df is None else self._read_as_learned(df)

    def _answer_about(self, df: Any, answer: pd.DataFrame) -> Any:
        return self._answer(answer, df, self._fitted().learned.schema.time)


def _is_number(h: Any) -> bool:
    """Tell whether ``h`` is meant as a number of steps, not as a table or the path of one."""
    return isinstance(h, Real) or (isinstance(h, str) and h.strip().lstrip("+-").replace(".", "", 1).isdigit())


def after_training(learned: ForecastLearned, panel: Panel) -> tuple[Panel, list[int]]:
    """Put the remembered end of training before each series of ``panel``; also say where its own values begin.

    Of a series that was not there in training nothing is remembered: its first values, a look-back or half of them, are
    there to read, and to say how large its values are.
    """
    layout, memory = learned.layout, learned.memory
    context = np.concatenate(list(learned.context.transpose(0, 2, 1)))  # a row for each name
    places = {name: n for n, name in enumerate(learned.names)}
    values, starts, firsts, beside = [], [], [], []
    coded = zip(*(learned.variables.coded(panel, sort) for sort in ("known", "past", "static")), strict=True)
    around = list(coded) if panel.beside else []
    for n, (name, new) in enumerate(zip(panel.names, panel.values, strict=True)):
        before, gap, at = np.full(memory, np.nan), 0, places.get(name)
        if at is not None:
            before = context[at]
            gap = steps_between(learned.starts[at], panel.starts[n], learned.schema) - learned.lengths[at]
        if gap < 0:
            raise DataError(
                f"score(df) takes what follows the training data, but '{name}' begins {-gap} steps before its end."
            )
        own = max(1, min(layout.lookback, len(new) // 2)) if at is None else 0
        first = memory + gap + own
        # The end of the last forecast may lie beyond the table: what is not known does not count.
        beyond = max(0, first + layout.horizon - memory - gap - len(new))
        values.append(np.concatenate([before, np.full(gap, np.nan), new, np.full(beyond, np.nan)]))
        if around:
            beside.append(_with_past(learned, at, gap, *around[n]))
        starts.append(panel.times(n, -memory - gap, 1 - memory - gap)[0])
        firsts.append(first)
    if not around:
        return replace(panel, values=tuple(values), starts=tuple(starts)), firsts
    categories = {one.name: one.categories for some in learned.variables for one in some if one.categories is not None}
    whole = replace(panel, values=tuple(values), starts=tuple(starts), beside=tuple(beside), categories=categories)
    return whole, firsts


def _with_past(
    learned: ForecastLearned, at: int | None, gap: int, known: np.ndarray, past: np.ndarray, static: np.ndarray
) -> Beside:
    """Put the remembered covariates of series ``at`` before those that follow, as they were coded in training."""
    memory, around = learned.memory, learned.around
    assert around is not None
    before = [np.full((memory, part.shape[1]), np.nan) for part in (known, past)]
    if at is not None:
        row = 0 if learned.joint else at
        before = [around.known[row, :memory], around.past[row]]
    ahead, behind = (
        np.concatenate([old, np.full((gap, new.shape[1]), np.nan), new])
        for old, new in zip(before, (known, past), strict=True)
    )
    return Beside(ahead, behind, static[0])
