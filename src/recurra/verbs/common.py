"""What the verbs share: where data came from, who is told of what goes on, and how a model is judged."""

import dataclasses
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..compare.metric import Statistics
from ..errors import ConfigError, RunError
from ..nn.build import refuse_idle, unused
from ..settings import Config, make_config
from ..tasks.base import THE_NETWORK, THIS_MODEL, Exam, Fitted, Judged, Kind, Prepared, Tell, tell_nobody
from ..training.meter import OnEpoch

MOST_CUTS = 8  # ways to cut and encode the data that are kept in memory


@dataclass(frozen=True)
class Source:
    """What is trained on and judged on, and where it came from."""

    data: Any
    path: str = ""
    max_rows: int | None = None
    test_size: int | None = None  # how much is held out; None for the usual part, 0 for nothing
    test_data: Any = None  # a path, or what else the kind reads, that judges instead of a part that is held out

    @property
    def held_out(self) -> int | None:
        """How much of the data is held out: nothing where other data judge."""
        return 0 if self.test_data is not None else self.test_size

    @property
    def test_path(self) -> str:
        """The file that judges, if it is one."""
        return str(self.test_data) if isinstance(self.test_data, (str, Path)) else ""


def ignore(*told: Any) -> None:
    """Take whatever is told and do nothing."""


@dataclass(frozen=True)
class Listener:
    """Who is told what goes on: of notes on the data, of every epoch, of every outcome of a comparison."""

    notes: Callable[[Sequence[str]], None] = ignore
    epoch: OnEpoch = ignore
    outcome: Callable[[Any], None] = ignore


NOBODY = Listener()


def prepare(kind: Kind, source: Source, config: Config, tell: Tell = tell_nobody) -> tuple[Prepared, Exam | None]:
    """Cut and encode the data, and make the exam that will judge; what can be wrong is raised here."""
    refuse_idle(config, kind.unused_with(source.data))
    prepared = kind.prepare(source.data, config, source.held_out)
    return prepared, examined(source, prepared, prepared.learned, tell)


def examined(source: Source, prepared: Prepared, learned: Any, tell: Tell = tell_nobody) -> Exam | None:
    """Return the exam that judges whoever ``learned`` so: of other data, or of what is held out; None for neither."""
    kind, plan = prepared.kind, prepared.plan
    if source.test_data is not None:
        # As the training data were read: another table must not pass for one of theirs.
        data = kind.read(source.test_data, prepared.config, learned, None, tell)
        tell(kind.repeated(source.data, data))
        return kind.exam(data, learned, None)
    return kind.exam(prepared.data, learned, plan.test) if plan.test_size else None


class Cuts:
    """Data that are cut and encoded once for all models that read them alike."""

    def __init__(self, kind: Kind, source: Source, listener: Listener = NOBODY):
        self.kind, self.source, self.listener = kind, source, listener
        self.done: dict[str, tuple[Prepared, Exam | None]] = {}  # by the settings that decide it

    def of(self, config: Config) -> tuple[Prepared, Exam | None]:
        """Return the data for a model with such settings, and the exam, which must be the same for all models."""
        key = self.kind.cut_by(config)
        if key not in self.done:
            tell = ignore if self.done else self.listener.notes
            prepared, exam = prepare(self.kind, self.source, config, tell)
            if not self.done:
                self.listener.notes(prepared.plan.notes)
            for _, first in self.done.values():
                if exam is not None and first is not None and exam.said != first.said:
                    raise ConfigError(
                        f"Models of one comparison must answer the same, but one is {first.said} and another is "
                        f"{exam.said}. Give all of them the same settings of the data."
                    )
            self._forget()
            self.done[key] = prepared, exam
        prepared, exam = self.done[key]
        return dataclasses.replace(prepared, config=self.kind.fill_sized(config, prepared.plan)), exam

    def _forget(self) -> None:
        """Make room for one more: of many, the first one stays, and those that were made last."""
        if len(self.done) >= MOST_CUTS:
            del self.done[list(self.done)[1]]


def used(kind: Kind, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``settings`` in which those that nothing uses have their defaults."""
    config = make_config(kind.parts, settings)
    first = kind.parts.defaults(config.flat().get("preset"))
    return {**settings, **{name: first[name] for name in unused(config, kind.unused(config))}}


def judge(
    fitted: Fitted, exam: Exam, name: str = THIS_MODEL, asked: Any = None, others: Mapping[str, Any] | None = None
) -> Judged:
    """Let the model and its baselines answer an exam, and the model in other ways that are ``asked`` for.

    ``others`` are more answers to it, by the end of the names of their rows.
    """
    whole, alone = fitted.kind.ask_both(fitted, exam.examples)
    answers = {name: whole} if alone is None else {name: whole, THE_NETWORK: alone}
    more = dict(others or {})
    if asked is not None:
        more |= fitted.kind.other_answers(fitted, exam.examples, asked)
    answers |= {f"{name}, {how}": answer for how, answer in more.items()}
    return judge_beside(fitted, judged_by(fitted, exam, name, answers))


def judge_network(fitted: Fitted, exam: Exam, name: str) -> Judged:
    """Let a network answer an exam by itself; if others join in its answers, these stand beside it."""
    whole, alone = fitted.kind.ask_both(fitted, exam.examples)
    answers = {name: whole} if alone is None else {name: alone, f"{name}, combined": whole}
    return judged_by(fitted, exam, name, answers)


def judged_by(fitted: Fitted, exam: Exam, name: str, answers: dict[str, Any]) -> Judged:
    """Return how good ``answers`` to an exam are; that called ``name`` is the model's."""
    statistics = {label: fitted.kind.statistics(exam.truth, one) for label, one in answers.items()}
    metrics = {label: measure(fitted, one) for label, one in statistics.items()}
    return Judged(name, exam, answers, statistics, metrics)


def judge_beside(fitted: Fitted, own: Judged) -> Judged:
    """Let the baselines of a model answer its exam, too."""
    answers = {label: baseline.answer(own.exam.examples) for label, baseline in fitted.baselines.items()}
    others = judged_by(fitted, own.exam, own.name, answers)
    return Judged(
        own.name,
        own.exam,
        own.answers | others.answers,
        own.statistics | others.statistics,
        own.metrics | others.metrics,
    )


def exchanged(judged: Judged, own: Judged, baselines: Collection[str]) -> Judged:
    """Return ``judged`` with another model in the place of its own, and the same ``baselines``."""

    def others(table: Mapping[str, Any]) -> dict[str, Any]:
        return {label: value for label, value in table.items() if label in baselines}

    return Judged(
        own.name,
        own.exam,
        own.answers | others(judged.answers),
        own.statistics | others(judged.statistics),
        own.metrics | others(judged.metrics),
    )


def measure(fitted: Fitted, statistics: Statistics) -> dict[str, float]:
    """Return every metric that these statistics can tell."""
    numbers = {}
    for metric in fitted.kind.metrics(fitted.config):
        try:
            numbers[metric.name] = float(metric.of(statistics))
        except KeyError:  # a baseline has no intervals, so nothing lies inside them
            continue
    return numbers


def source_of(fitted: Fitted) -> Any:
    """Read the file a run was trained on again."""
    record = fitted.record
    if not record.source or not Path(record.source).exists():
        raise RunError(
            f"The file this run was trained on ({record.source or 'unknown'}) is not there. Name the data after the "
            "run."
        )
    return fitted.kind.read(Path(record.source), fitted.config, fitted.learned, record.max_rows)


def fresh_folder(name: str) -> Path:
    """Return a folder under ``runs`` that does not exist yet."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    folder = Path("runs") / f"{name}-{stamp}"
    number = 2
    while folder.exists():
        folder = Path("runs") / f"{name}-{stamp}-{number}"
        number += 1
    return folder
