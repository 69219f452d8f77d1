"""What all kinds have in common whose examples are whole sequences."""

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
import pandas as pd

from ...data.cases import Cases, What, fingerprint
from ...settings import Config
from ...training.loop import Epoch
from ..base import Exam, Fitted, Glimpse, Judged, Kind, Prepared, Tell, row_of, tell_nobody
from ..last import train_gently
from ..others import another_suggested
from .examples import CaseExamples
from .reading import CaseLearned
from .source import FromArrays, at_most, cases_in, repeated_note, seen_note, unlike
from .split import Split, check_size, some_of

if TYPE_CHECKING:
    from ...report.page import Section


STEPS = 20  # of an epoch: most sets are small and learned in a few hundred
EPOCHS = 4  # in which all texts are seen once, where they are many


class Pages(Protocol):
    """What a report of one of these kinds says: a module ``report``, which only a page needs."""

    def title(self, fitted: Fitted) -> str: ...
    def answer_sections(self, fitted: Fitted, data: Cases, judged: Judged | None) -> "list[Section]": ...
    def proof_sections(self, fitted: Fitted, judged: Judged) -> "list[Section]": ...


class CaseKind(Kind):
    """From whole sequences to something that is said of each.

    A kind of this family says how ``arrays`` X and y become cases, in which ``groups`` cases are cut, what an
    answer is, and how good it is.
    """

    what: ClassVar[What] = "label"  # that is to be known of each case

    @abstractmethod
    def arrays(self, X: Any, y: Any) -> Cases:
        """Return X and y as cases; y may be None."""

    @abstractmethod
    def groups(self, data: Cases, what: str) -> np.ndarray:
        """Return the group (N,) of each case, of which every part has its share.

        Raises DataError if it is not known what the cases are, without which there is nothing ``what``.
        """

    @abstractmethod
    def cut(self, data: Cases, config: Config, test_size: int | None) -> Split:
        """Cut the cases."""

    @abstractmethod
    def examined(self, cases: Cases, examples: Any, learned: Any) -> Exam:
        """Return ``cases`` as an exam; raises DataError if it is not known what should be said of one."""

    @abstractmethod
    def pages(self) -> Pages:
        """Return what a report says, imported by whoever asks."""

    def asked_for(self, config: Config) -> tuple[FromArrays, What]:
        """Return how X and y become cases, and what is to be known of each, as the settings say."""
        return self.arrays, self.what

    def columns(self, config: Config, learned: Any) -> dict[str, Any]:
        """Return what columns of a table are called: the ``target``, the ``id`` of a case, the ``time`` of a step."""
        return {name: getattr(config.task, name) for name in ("target", "id", "time")}

    def understood(self, data: Cases, learned: Any) -> tuple[Cases, list[str]]:
        """Return cases that came after the training as those of it were written, with notes."""
        return data, []

    def read(
        self, source: Any, config: Config, learned: Any = None, most: int | None = None, tell: Tell = tell_nobody
    ) -> Cases:
        """Return a file, a frame, a pair (X, y) or cases as cases; where something was ``learned``, as it says."""
        if learned is not None:
            return self._read(source, config, learned, most, tell)
        with another_suggested(self.parts.name, source, config.task):
            return self._read(source, config, None, most, tell)

    def _read(self, source: Any, config: Config, learned: CaseLearned | None, most: int | None, tell: Tell) -> Cases:
        arrays, what = self.asked_for(config)
        cases = at_most(cases_in(source, self.columns(config, learned), learned, arrays, what), most)
        notes: list[str] = []
        if learned is not None:
            cases, notes = self.understood(cases, learned)
        tell([*cases.notes, *unlike(cases, learned), *notes])
        return cases if learned is None else learned.reading.with_channels(cases)

    def fingerprint(self, data: Cases) -> str:
        """Return a short text that is another one if any value or label is."""
        return fingerprint(data)

    def encode(self, data: Cases, learned: Any, part: np.ndarray | None = None) -> CaseExamples:
        """Return the cases at the places in ``part``, or all, as examples."""
        return CaseExamples.of(data if part is None else data.some(part), learned)

    def plan(self, data: Cases, config: Config, test_size: int | None) -> Split:
        """Cut the cases, with a warning if some that are held out are also among the others."""
        plan = self.cut(data, config, test_size)
        again = repeated_note(data.some(plan.test), data.some(plan.used))
        return replace(plan, notes=(*plan.notes, *again))

    def fill(self, config: Config, plan: Split) -> Config:
        """Return the settings with the steps of an epoch, if they were left open."""
        training = config.training
        if training.epoch_steps is not None:
            return config
        part = len(plan.train) / (EPOCHS * training.batch_size) if plan.written else 0
        return replace(config, training=replace(training, epoch_steps=max(STEPS, round(part))))

    def repeated(self, data: Cases, test: Cases) -> list[str]:
        """Return a warning if cases of the ``test`` data are also among the ``data`` to train on."""
        return repeated_note(test, data)

    def train_on(self, fitted: Fitted, prepared: Prepared) -> Iterator[Epoch]:
        """Train ``last_epochs`` more on all cases that are not held out: they are few, and a fifth of them is much."""
        return train_gently(fitted, self.every(fitted, prepared), self.more_epochs(fitted.config))

    def every(self, fitted: Fitted, prepared: Prepared) -> CaseExamples:
        """Return all cases that are not held out as examples, in the order of the data."""
        plan: Any = prepared.plan
        return self.encode(prepared.data, fitted.learned, np.sort(plan.used))

    def more_epochs(self, config: Config) -> int:
        """Return how many epochs come after the best one."""
        epochs: int = config.task.last_epochs
        return epochs

    def unused_with(self, data: Cases) -> dict[str, str]:
        """Return the settings that nothing uses with such cases."""
        idle: dict[str, str] = {}
        if data.arrays:
            idle |= dict.fromkeys(("target", "id", "time"), "X and y have no columns that it could name")
        if data.shape is not None:
            idle |= dict.fromkeys(("segment", "changes"), "each frame of a moving picture is read by itself")
        return idle

    def asked_row(self, fitted: Fitted, data: Cases, model: str | None) -> Any:
        """Return what the row called ``model`` of the table says of ``data``, what the run answers if None."""
        row = None if model is None else row_of(fitted, model)
        examples = self.encode(data, fitted.learned)
        if row is not None:
            return row.answer(examples)
        whole, alone = self.ask_both(fitted, examples)
        return whole if model is None or alone is None else alone

    def choose(
        self,
        data: Cases,
        fitted: Fitted,
        asked: Any,
        size: int | None,
        held_out: int | None,
        tell: Tell = tell_nobody,
    ) -> np.ndarray | None:
        """Return the cases that were held out, or ``size`` of them; all of other data."""
        whole = np.arange(len(data))
        if held_out is None:  # other data than those of the training
            part = None
            if size is not None:
                check_size(size, len(data) + 1, "test")
                part = some_of(self._judged_groups(data), whole, size)
            tell(seen_note(data if part is None else data.some(part), fitted.learned))
            return part
        if not held_out:
            tell(["careful: nothing was held out of the training of this run, so it has seen these cases"])
            return None if size is None else some_of(self._judged_groups(data), whole, size)
        test = self.cut(data, fitted.config, held_out).test
        if size is None or size == held_out:
            return test
        if size < held_out:
            return some_of(self._judged_groups(data), test, size)
        size = min(size, len(data))
        tell([f"careful: the training of this run has seen {size - held_out:,} of these {size:,} cases"])
        others = np.setdiff1d(whole, test)
        return np.sort(np.concatenate([test, some_of(self._judged_groups(data), others, size - held_out)]))

    def _judged_groups(self, data: Cases) -> np.ndarray:
        return self.groups(data, "to judge by")

    def exam(self, data: Cases, learned: Any, part: np.ndarray | None) -> Exam:
        """Return the cases at the places in ``part``, or all, with what should be said of them."""
        cases = data if part is None else data.some(part)
        return self.examined(cases, self.encode(cases, learned), learned)

    def frame(self, answers: Any) -> pd.DataFrame:
        """Return answers as the table that they say they are."""
        frame: pd.DataFrame = answers.frame()
        return frame

    def title(self, fitted: Fitted, data: Cases) -> str:
        """Return the title of a report."""
        return self.pages().title(fitted)

    def sections(self, fitted: Fitted, data: Cases, judged: Judged | None, asked: Any) -> "list[Section]":
        """Return what a report says first."""
        return self.pages().answer_sections(fitted, data, judged)

    def proof(self, fitted: Fitted, data: Cases, judged: Judged) -> "list[Section]":
        """Return what a report says of how good the answers are."""
        return self.pages().proof_sections(fitted, judged)

    def glimpse(self, fitted: Fitted, data: Cases) -> Glimpse:
        """Return the first case."""
        from .report import first_case  # only a page needs it

        return first_case(fitted, data)
