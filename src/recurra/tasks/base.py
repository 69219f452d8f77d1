"""What a kind of task is: all that a verb needs to know of forecasting, of classifying, and of kinds to come.

Words: *data* is what a file holds; a *plan* says what of it trains, validates and tests; what is *learned* from the
training part (scales, classes, sizes) is enough to *encode* any data later; an *exam* asks questions with known
answers; *statistics* say case by case how an answer did, and every metric and test follows from them.
"""

import dataclasses
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from ..compare.metric import Metric, Statistics
from ..compare.significance import paired_permutation
from ..data.batch import Batch
from ..errors import ConfigError, RunError, pick
from ..nn.build import is_reservoir
from ..nn.surroundings import Plain, on_its_own
from ..random import drawing
from ..settings import Config, Parts
from ..training.loop import Epoch, Progress, Watch, fit
from ..training.record import Record
from ..training.task import Examples, Task
from ..writing.numbers import in_steps
from .sizing import resized, size_notes

if TYPE_CHECKING:
    from ..report.page import Section

BY_USER = "the user"  # what stopped a training that did not come to its own end
THIS_MODEL, THE_NETWORK = "this model", "network"  # rows of a table: all that answers, and the network by itself
BEFORE = "before"  # how the row ends that says how good a run was before it was fine-tuned
CAREFUL = "careful"  # how a note begins that is a warning

Tell = Callable[[Sequence[str]], None]  # takes notes on what was found and assumed, as soon as they are known


def tell_nobody(notes: Sequence[str]) -> None:
    """Take notes and do nothing."""


class Plan(Protocol):
    """What of the data trains, validates and tests; how a part is named is the kind's own matter."""

    @property
    def train(self) -> Any: ...
    @property
    def valid(self) -> Any: ...
    @property
    def test(self) -> Any: ...
    @property
    def test_size(self) -> int: ...  # 0 if nothing is held out
    @property
    def notes(self) -> tuple[str, ...]: ...


class Learned(Protocol):
    """What training rows taught besides the weights: enough to encode other data and to read the answers."""

    def to_plain(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Return it as JSON values and arrays."""
        ...


class Baseline(ABC):
    """Something simple to compare with. It is fitted, answers and is saved like any predictor."""

    naive: bool = True  # whether it learns nothing worth the name
    notes: tuple[str, ...] = ()  # what is to be said of how it was fitted

    @property
    def learns(self) -> bool:
        """Whether it has to be fitted before it answers."""
        return type(self).fit is not Baseline.fit

    def fit(self, prepared: "Prepared") -> None:  # noqa: B027  (most have nothing to learn)
        """Learn from the training examples; nothing to learn by default."""

    @abstractmethod
    def answer(self, examples: Any) -> Any:
        """Return the answers to ``examples``, as the network of the kind gives them."""

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return what was learned."""
        return {}

    def from_arrays(self, arrays: Mapping[str, np.ndarray]) -> None:  # noqa: B027
        """Take back what ``to_arrays`` returned."""


@dataclass(frozen=True)
class Prepared:
    """Data, cut and encoded for one training."""

    kind: "Kind"
    config: Config
    data: Any
    plan: Plan
    learned: Any
    train: Examples
    valid: Examples


@dataclass
class Fitted:
    """A trained model with everything it takes to answer."""

    kind: "Kind"
    config: Config
    learned: Any
    network: nn.Module
    task: Task
    baselines: dict[str, Baseline]
    record: Record


def row_name(label: str) -> str:
    """Return a row of a table as a setting names it: ``seasonal_naive`` for ``seasonal naive``."""
    return re.sub(r"\W+", "_", label)


def row_of(fitted: Fitted, name: str) -> Baseline | None:
    """Return the baseline that a row of the table is about, None for the network; ConfigError if there is no such row.

    Runs of earlier versions may lack baselines that have to learn: these rows are not there.
    """
    known = fitted.kind.baselines(fitted.config, fitted.learned) | fitted.baselines
    table = {row_name(label): row for label, row in known.items() if label in fitted.baselines or not row.learns}
    return None if name == THE_NETWORK else pick({THE_NETWORK: None, **table}, name, "model")


@dataclass(frozen=True)
class Onward:
    """Data, cut and encoded for a training that goes on from a run, and what it begins with."""

    prepared: Prepared
    weights: dict[str, Tensor]
    baselines: dict[str, Baseline] = field(default_factory=dict)  # that stay if they are as good as new ones


@dataclass(frozen=True)
class Exam:
    """Questions with known answers."""

    examples: Examples
    truth: Any  # what should be said, as the kind's ``statistics`` reads it
    said: str  # on what is judged: "judged by 96 forecasts of the last 115 rows"


@dataclass(frozen=True)
class Judged:
    """An exam, what the model and its baselines answered, and how good that was."""

    name: str  # of the model; the others are its baselines
    exam: Exam
    answers: dict[str, Any]
    statistics: dict[str, Statistics]
    metrics: dict[str, dict[str, float]]


@dataclass(frozen=True)
class Glimpse:
    """One example for pictures of what goes on inside a network."""

    batch: Batch  # of one example
    steps: Sequence[Any]  # the label of each step that the recurrent stack reads
    unit: str = ""  # what one step is, a sentence, if it is not one step of the data
    span: Callable[[float], str] = in_steps  # so many of them as a stretch of the data, in words
    attention: "Callable[[np.ndarray], list[Section]] | None" = None  # from weights (Q, T) to what they show


@dataclass(frozen=True)
class Demo:
    """A comparison that needs nothing from the user."""

    data: Any
    about: str
    settings: dict[str, Any]


class Kind(ABC):
    """One kind of task. It keeps nothing of any data or model: all that is passed from one method to the next."""

    parts: ClassVar[Parts]
    tunable: ClassVar[tuple[str, ...]] = ("validation_size", "last_epochs")  # settings that may change in fine-tuning
    remembers: ClassVar[bool] = False  # whether it can answer without data, from what it remembers of its training

    # ------------------------------------------------------------------------------------------------ data

    @abstractmethod
    def read(
        self, source: Any, config: Config, learned: Any = None, most: int | None = None, tell: Tell = tell_nobody
    ) -> Any:
        """Return the data in ``source``, a path or what Python users have; ``notes`` of it say what was found.

        With ``learned`` it is read as the data of that training were. ``most`` bounds how much is used.
        """

    @abstractmethod
    def fingerprint(self, data: Any) -> str:
        """Return a short text that is another one if any value of ``data`` is."""

    @abstractmethod
    def plan(self, data: Any, config: Config, test_size: int | None) -> Plan:
        """Cut the data; ``test_size`` is what is held out to judge, 0 for nothing and None for the usual part.

        This and the two steps after it go by what is in ``cut_by``: models that differ in the rest share their result.
        """

    def cut_by(self, config: Config) -> str:
        """Return, as a text, the settings that decide how data are cut, learned from and encoded."""
        return repr(vars(config.task))

    def fill(self, config: Config, plan: Any) -> Config:
        """Return the settings with what was left to the data, such as sizes that follow from how many there are."""
        return config

    def fill_sized(self, config: Config, plan: Any) -> Config:
        """Return what ``fill`` does, as large as the setting ``size`` asks for."""
        return resized(self.fill(config, plan), config)

    @abstractmethod
    def learn(self, data: Any, plan: Any, config: Config) -> Learned:
        """Return what the training part teaches: scales, classes, sizes."""

    @abstractmethod
    def recall(self, plain: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Learned:
        """Return what was learned, from what its ``to_plain`` gave."""

    @abstractmethod
    def encode(self, data: Any, learned: Any, part: Any = None) -> Any:
        """Return a ``part`` of the data, or all, as examples."""

    def prepare(self, data: Any, config: Config, test_size: int | None = 0) -> Prepared:
        """Plan, learn and encode."""
        return self.prepare_as(data, self.plan(data, config, test_size), config)

    @on_its_own
    def prepare_as(self, data: Any, plan: Any, config: Config, learned: Any = None) -> Prepared:
        """Learn, unless something was ``learned`` before, and encode as a ``plan`` that was made already says."""
        if learned is None:
            usual, config = self.fill(config, plan), self.fill_sized(config, plan)
            learned = self.learn(data, plan, config)
            # What only learning found out, and what was chosen.
            notes = (*getattr(learned, "notes", ()), *size_notes(config, usual))
            plan = dataclasses.replace(plan, notes=(*plan.notes, *notes)) if notes else plan
        train, valid = (self.encode(data, learned, part) for part in (plan.train, plan.valid))
        return Prepared(self, config, data, plan, learned, train, valid)

    def go_on(self, fitted: Fitted, data: Any, config: Config, test_size: int | None = 0) -> Onward:
        """Return what it takes to fine-tune a run on other data, which were read as it learned to.

        What it learned besides the weights, such as classes, units and scales, stays. Raises ConfigError for a run
        that cannot go on.
        """
        if is_reservoir(config.model):
            raise ConfigError("A reservoir does not learn, so it does not go on: train it anew with all rows.")
        return self.onward(fitted, data, config, test_size)

    def onward(self, fitted: Fitted, data: Any, config: Config, test_size: int | None) -> Onward:
        """Do what ``go_on`` says, for a run that can go on."""
        prepared = self.prepare_as(data, self.plan(data, config, test_size), config, fitted.learned)
        return Onward(prepared, {name: value.detach().clone() for name, value in fitted.network.state_dict().items()})

    def repeated(self, data: Any, test: Any) -> list[str]:
        """Return notes on what of the ``test`` data is also among the ``data`` to train on."""
        return []

    # --------------------------------------------------------------------------------------------- training

    @abstractmethod
    def build(self, config: Config, learned: Any) -> tuple[nn.Module, Task]:
        """Make an untrained network; what torch draws meanwhile comes from the seed in ``config``."""

    def make(self, config: Config, learned: Any) -> tuple[nn.Module, Task]:
        """Build a network whose first weights follow from the seed, whatever else draws random numbers."""
        with Plain(), drawing(torch.Generator().manual_seed(config.training.seed)):
            return self.build(config, learned)

    def begin(self, network: nn.Module, prepared: Prepared) -> None:  # noqa: B027  (a seam)
        """Give a fresh network what it starts from besides its first weights."""

    def train(self, fitted: Fitted, prepared: Prepared, progress: Progress, watch: Watch | None) -> Iterator[Epoch]:
        """Train, an Epoch at a time; a kind may bring a trainer of its own."""
        return fit(fitted.network, fitted.task, prepared.train, prepared.valid, fitted.config.training, progress, watch)

    def finish(self, fitted: Fitted, prepared: Prepared) -> None:  # noqa: B027  (a seam)
        """Do what the best weights and the validation say, such as calibration; the record says how training went."""

    def train_on(self, fitted: Fitted, prepared: Prepared) -> Iterator[Epoch]:
        """Train on from the best weights when all is finished, where a kind does so; an Epoch at a time.

        Examples that validated may train here, which is why it comes last.
        """
        yield from ()

    def more_epochs(self, config: Config) -> int:
        """Return how many epochs ``train_on`` takes."""
        return 0

    def unused(self, config: Config) -> dict[str, str]:
        """Return every setting of this kind that nothing uses, with the reason."""
        return {}

    def unused_with(self, data: Any) -> dict[str, str]:
        """Return every setting that nothing uses with such ``data``, with the reason."""
        return {}

    # ---------------------------------------------------------------------------------------------- answers

    @abstractmethod
    def ask(self, fitted: Fitted, examples: Any) -> Any:
        """Return the network's answers to ``examples``, which are on the CPU; the network may be elsewhere."""

    def ask_both(self, fitted: Fitted, examples: Any) -> tuple[Any, Any | None]:
        """Return what ``ask`` does, and, if others join in it, the network by itself, which comparisons go by."""
        return self.ask(fitted, examples), None

    def other_answers(self, fitted: Fitted, examples: Any, asked: Any) -> dict[str, Any]:
        """Return other answers of the network that are ``asked`` for, each by the end of the name of its row.

        ``asked`` is of ``parts.evaluate``, or of ``parts.report``.
        """
        return {}

    def network_share(self, fitted: Fitted) -> float:
        """Return how much the network counts in an answer, from 0 to 1."""
        return 1.0

    def waits_for(self, fitted: Fitted) -> str | None:
        """Return which setting of an answer is needed before a run can give one without data; None if it can."""
        return None

    def needs_data(self, asked: Any) -> bool:
        """Tell whether what is ``asked`` cannot be answered without data, from what is remembered of the training."""
        return not self.remembers

    @abstractmethod
    def answer(self, fitted: Fitted, data: Any | None, asked: Any) -> Any:
        """Return typed answers about ``data``, or about what was trained on; ``asked`` is of ``parts.predict``."""

    @abstractmethod
    def frame(self, answers: Any) -> pd.DataFrame:
        """Return answers as a table."""

    # ---------------------------------------------------------------------------------------------- judging

    @abstractmethod
    def metrics(self, config: Config) -> tuple[Metric, ...]:
        """Return the metrics; the first one ranks."""

    @abstractmethod
    def statistics(self, truth: Any, answers: Any) -> Statistics:
        """Return how the answers did, case by case."""

    def meaning(self, fitted: Fitted, scores: Mapping[str, float]) -> str:
        """Say in a sentence what the ranking metric of these ``scores`` means to a person; nothing if it is plain."""
        return ""

    def baselines(self, config: Config, learned: Any) -> dict[str, Baseline]:
        """Return what costs nothing and has to be beaten, by name, not yet fitted."""
        return {}

    @abstractmethod
    def exam(self, data: Any, learned: Any, part: Any) -> Exam:
        """Make an exam of a ``part`` of the data; raises DataError if it can judge nothing."""

    @abstractmethod
    def choose(
        self, data: Any, fitted: Fitted, asked: Any, size: int | None, held_out: int | None, tell: Tell = tell_nobody
    ) -> Any:
        """Return the part of ``data`` to judge a run on; ``asked`` is of ``parts.evaluate``.

        ``held_out`` is how much of these very data was kept out of its training, None if they are others.
        """

    def chance(self, exam: Exam, first: Sequence[Statistics], second: Sequence[Statistics], metric: Metric) -> float:
        """Return the p-value that two models are equally good, from their statistics, one per seed."""
        return paired_permutation(metric, first, second)

    # ----------------------------------------------------------------------------------------------- report

    @abstractmethod
    def title(self, fitted: Fitted, data: Any) -> str:
        """Return the title of a report."""

    def used(self, fitted: Fitted) -> list[str]:
        """Return the notes that say which of the data are used and which are not, where a reader has to know."""
        return []

    def sections(self, fitted: Fitted, data: Any, judged: Judged | None, asked: Any) -> "list[Section]":
        """Return what a report says first: the answers themselves; ``asked`` is of ``parts.report``."""
        return []

    def proof(self, fitted: Fitted, data: Any, judged: Judged) -> "list[Section]":
        """Return what a report says of how good the answers are, besides the table of metrics."""
        return []

    def glimpse(self, fitted: Fitted, data: Any) -> Glimpse | None:
        """Return one example to look inside the network with; None where there is nothing to see."""
        return None

    # --------------------------------------------------------------------------------- optional capabilities

    def demo(self) -> Demo:
        """Return a comparison on data that come with a dependency; raises ConfigError where there is none."""
        raise ConfigError(f"There is no demo of the task '{self.parts.name}'.")

    def backtest(
        self, fitted: Fitted, data: Any, asked: Any, train: Callable[[Prepared, str], Fitted]
    ) -> Iterator[pd.DataFrame]:
        """Yield what models like ``fitted`` say from past origins; ``train`` trains one and is told at which origin.

        ``asked`` is of ``parts.backtest``.
        """
        raise ConfigError(f"A run of the task '{self.parts.name}' is not tested from past origins; a forecast is.")

    def tested(self, data: Any, folds: list[pd.DataFrame]) -> tuple[pd.DataFrame, list[pd.DataFrame]]:
        """Return what ``backtest`` yielded as one table, and tables of errors, which begin with what each row is."""
        raise NotImplementedError

    def write(self, fitted: Fitted, asked: Any) -> Iterator[str]:
        """Yield a text piece by piece, as it is written; ``asked`` is of ``parts.generate``."""
        raise ConfigError(f"A run of the task '{self.parts.name}' does not write texts; one of 'language' does.")

    def upgrade(self, config: dict[str, Any], tensors: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return what a run folder of an earlier format holds in today's format."""
        if config.get("format") == 2:  # what changed since then is of forecasts only
            return config, tensors
        raise RunError(
            f"This run of the task '{config.get('task')}' has format {config.get('format')}, which is not read."
        )
