"""The scikit-learn face that all kinds share: an estimator is a plain dataclass of its settings."""

import inspect
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar, Self

import pandas as pd
import torch

from ..errors import ArgumentError, Caution, ConfigError, nearest
from ..nn.build import refuse_idle, refuse_unused
from ..settings import Config, described, make_config
from ..training.loop import Epoch, Progress
from ..training.meter import meter_for
from ..writing.terminal import make_console, show_notes
from . import saving
from .base import CAREFUL, Fitted, Kind, Prepared
from .frames import PANDAS, form_of, given_as
from .session import Session


class Estimator:
    """What every estimator does with its settings, its training and its run folder.

    Arguments are stored as given and checked by ``fit``; what is fitted ends in ``_``. Errors are ConfigError,
    DataError and RunError, all of them ValueErrors.
    """

    kind: ClassVar[Kind]

    def __init_subclass__(cls, **named: Any) -> None:
        """Let the docstring of a class that has a kind list its settings."""
        super().__init_subclass__(**named)
        if "kind" in vars(cls):
            lines = [f"    {name}: {described(one)}" for name, one in cls.kind.parts.settings().items()]
            cls.__doc__ = "\n".join([inspect.cleandoc(cls.__doc__ or ""), "", "Args:", *lines])

    def __new__(cls, *given: Any, **settings: Any) -> Self:
        """Refuse what is no setting, before the dataclass does so in words of its own."""
        if given:
            raise ArgumentError(f"{cls.__name__} takes its settings by name. Got {given[0]!r} without one.")
        cls._check_names(settings)
        return super().__new__(cls)

    @classmethod
    def _check_names(cls, settings: Iterable[str]) -> None:
        """Raise an ArgumentError that offers the nearest setting for every name that is none."""
        known = cls.kind.parts.settings()
        unknown = [name for name in settings if name not in known]
        if unknown:
            own = inspect.signature(cls).parameters  # a class of the user's own may take more
            faults = [f"Unknown setting '{name}'.{nearest(name, known)}" for name in unknown if name not in own]
            if faults:
                raise ArgumentError("\n".join(faults))

    # scikit-learn asks for these. Its BaseEstimator would bring them too, but importing it takes as long as torch.
    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the settings as they were given."""
        return {name: getattr(self, name) for name in self.kind.parts.settings()}

    def set_params(self, **settings: Any) -> Self:
        """Change settings; raises ConfigError for a name that is none."""
        self._check_names(settings)
        for name, value in settings.items():
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        known = self.kind.parts.settings()
        changed = [f"{name}={value!r}" for name, value in self.get_params().items() if value != known[name].default]
        return f"{type(self).__name__}({', '.join(changed)})"

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "fitted_")

    def __getstate__(self) -> dict[str, Any]:
        """Return what a copy takes along: not the training data, which a session holds."""
        return {name: value for name, value in self.__dict__.items() if name != "_session"}

    @classmethod
    def search_space(cls, *names: str) -> dict[str, Any]:
        """Return what is worth trying for the settings ``names``, for scikit-learn's RandomizedSearchCV.

        A list of choices, or a distribution over a range; all settings that have one if none is named. Raises
        ConfigError for a setting that has none.
        """
        from .searching import search_space

        return search_space(cls.kind.parts.settings(), names)

    def keep_best(self) -> None:
        """Put the best weights so far in place: what to do after stopping ``epochs`` early."""
        session: Session | None = getattr(self, "_session", None)
        if session is None:
            raise ConfigError("There is no training to stop: keep_best() belongs after epochs().")
        session.keep_best()

    def save(self, directory: str | Path, overwrite: bool = False) -> Path:
        """Write a run folder; raises RunError if there is one and ``overwrite`` is not set."""
        return saving.save(self._fitted(), self.history_, Path(directory), overwrite)

    @classmethod
    def load(cls, directory: str | Path, *, cells: Iterable[type] = (), attentions: Iterable[type] = ()) -> Self:
        """Read a run folder; raises RunError that says what is missing, cut off or changed.

        ``cells`` and ``attentions`` bring the classes of your own that it was trained with.
        """
        fitted, history = saving.load(Path(directory), cls.kind, (*cells, *attentions))
        return cls._of(fitted, history)

    @classmethod
    def _of(cls, fitted: Fitted, history: list[dict[str, Any]]) -> Self:
        estimator = cls(**fitted.config.flat())
        estimator.fitted_, estimator.history_ = fitted, history
        return estimator

    @property
    def notes_(self) -> tuple[str, ...]:
        """What was found in the data and assumed, and what came of it."""
        return tuple(self._fitted().record.notes)

    @property
    def network_(self) -> torch.nn.Module:
        """The trained network."""
        return self._fitted().network

    def _config(self, **changed: Any) -> Config:
        """Return the settings, checked, with some ``changed`` ones; refuse those that nothing uses."""
        config = make_config(self.kind.parts, self.get_params() | changed)
        config.require()
        refuse_unused(config, self.kind.unused(config))
        return config

    def _answer(self, answer: pd.DataFrame, table: Any = None, time: str | None = None) -> Any:
        """Return a table as the kind of frame that ``table`` is, or else that which was trained on."""
        form = getattr(self, "_form", PANDAS) if table is None else form_of(table, time)
        return given_as(answer, form)

    def _begin(
        self, prepared: Prepared, progress: Progress | None = None, weights: dict[str, torch.Tensor] | None = None
    ) -> Iterator[Epoch]:
        """Set everything up for a training and return its epochs: what can be wrong is raised here."""
        refuse_idle(prepared.config, self.kind.unused_with(prepared.data))
        session = Session(prepared, progress, weights)
        self._session, self.fitted_ = session, session.fitted
        self.history_, self.progress_ = session.history, session.progress
        self._warn(self.notes_)
        return session.epochs()

    def _warn(self, notes: Iterable[str]) -> None:
        """Give each of ``notes`` that begins with 'careful' as a Caution, which the command line prints."""
        for note in notes:
            if note.startswith(CAREFUL):
                warnings.warn(note, Caution, stacklevel=_depth())

    def _read_as_learned(self, data: Any) -> Any:
        """Return ``data`` as the training data were read, with a Caution for what is doubtful in it."""
        fitted = self._fitted()
        return self.kind.read(data, fitted.config, fitted.learned, tell=self._warn)

    def _train(self, epochs: Iterator[Epoch], verbose: bool | int, which: str = "") -> Self:
        """Go through all ``epochs`` of a training that has begun; show them, and ``which`` it is, if ``verbose``."""
        if verbose:
            show_notes(make_console(), [*([which] if which else []), *self.notes_])
        with meter_for(quiet=not verbose) as show:
            for epoch in epochs:
                show(which or "training", epoch, self._session.outlook)
        return self

    def _fitted(self) -> Fitted:
        if not hasattr(self, "fitted_"):
            from sklearn.exceptions import NotFittedError

            raise NotFittedError(f"This {type(self).__name__} is not fitted yet. Call fit() first.")
        return self.fitted_


def _depth() -> int:
    """Return how many calls above the one who asks the code of the user stands."""
    package, depth, frame = __name__.partition(".")[0], 0, inspect.currentframe()
    while frame is not None and str(frame.f_globals.get("__name__")).partition(".")[0] == package:
        depth, frame = depth + 1, frame.f_back
    return depth
