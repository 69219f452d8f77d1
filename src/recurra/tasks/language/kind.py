"""Language models, as the verbs see them."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from ...compare.metric import Metric, Statistics
from ...errors import ConfigError
from ...nn.build import is_reservoir
from ...settings import Config
from ...training.loop import Epoch
from ...training.task import Task
from ..base import Baseline, Exam, Fitted, Glimpse, Judged, Kind, Prepared, Tell, row_of, tell_nobody
from ..last import train_gently
from .adapting import adapted_as, adapts, ask_adapting
from .answers import Surprises, Truth, ask_network, make_exam, statistics_of, unknown_note
from .baselines import make_baselines
from .examples import Chunks
from .learned import LanguageLearned
from .looking import require_scores
from .metrics import language_metrics
from .plan import Part, TextPlan, make_plan
from .settings import PARTS, AdaptAsked, SurpriseAsked, WritingAsked
from .sizes import sized
from .source import Book, book_of, fingerprint
from .task import make_language_model
from .writing import write

TITLES = {
    "character": "What comes next, character by character",
    "word": "What comes next, word by word",
    "subword": "What comes next, by pieces of words",
}
STEPS = {
    "character": "A step is a character.",
    "word": "A step is a word.",
    "subword": "A step is a piece of a word.",
}
GLIMPSED = 60  # units of the picture of what goes on inside


class LanguageKind(Kind):
    """From a text to what comes next in it."""

    parts = PARTS

    def read(
        self, source: Any, config: Config, learned: Any = None, most: int | None = None, tell: Tell = tell_nobody
    ) -> Book:
        """Return a file, a folder, a text or a list of texts as one text."""
        book = book_of(source, most)
        if learned is not None:
            tell([*book.notes, *self._unknown(book, learned)])
        return book

    def _unknown(self, book: Book, learned: LanguageLearned) -> list[str]:
        examples = Chunks.of(book.text, learned)
        return unknown_note(make_exam(examples, learned).truth) if examples.units else []

    def fingerprint(self, data: Book) -> str:
        """Return a short text that is another one if any character is."""
        return fingerprint(data)

    def plan(self, data: Book, config: Config, test_size: int | None) -> TextPlan:
        """Cut the text in its order."""
        return make_plan(data, config.task, test_size)

    def fill(self, config: Config, plan: TextPlan) -> Config:
        """Return the settings with what follows from how much text there is."""
        if is_reservoir(config.model):
            raise ConfigError(
                "A reservoir is read out in closed form, which says nothing of what comes next in a text."
            )
        require_scores(config.model)
        return sized(config, plan)

    def learn(self, data: Book, plan: TextPlan, config: Config) -> LanguageLearned:
        """Return the units of the training text."""
        return LanguageLearned.of(data.text[slice(*plan.train)], config.task)

    def recall(self, plain: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> LanguageLearned:
        """Return what was learned, from a run."""
        return LanguageLearned.from_plain(plain, arrays)

    def encode(self, data: Book, learned: LanguageLearned, part: Part | None = None) -> Chunks:
        """Return a part of the text in chunks."""
        return Chunks.of(data.text if part is None else data.text[slice(*part)], learned)

    def build(self, config: Config, learned: LanguageLearned) -> tuple[nn.Module, Task]:
        """Make the network."""
        return make_language_model(config, learned)

    def train_on(self, fitted: Fitted, prepared: Prepared) -> Iterator[Epoch]:
        """Train ``last_epochs`` more on all text that is not held out."""
        plan: Any = prepared.plan
        every = self.encode(prepared.data, fitted.learned, (plan.train[0], plan.valid[1]))
        return train_gently(fitted, every, self.more_epochs(fitted.config))

    def more_epochs(self, config: Config) -> int:
        """Return how many epochs come after the best one."""
        epochs: int = config.task.last_epochs
        return epochs

    def unused(self, config: Config) -> dict[str, str]:
        """Return what nothing uses: a text is read forwards, and where nothing looks back it does so nowhere far."""
        idle = {"bidirectional": "what comes next must not be read before it is said"}
        if config.model.attention == "none":
            idle["lookback"] = "attention='none' looks nowhere"
        return idle

    def ask(self, fitted: Fitted, examples: Chunks) -> np.ndarray:
        """Return −log of the probability of each unit (L,), in nats."""
        return ask_network(fitted, examples)

    def answer(self, fitted: Fitted, data: Book | None, asked: SurpriseAsked) -> Surprises:
        """Return how surprising each unit of ``data`` is."""
        assert data is not None  # this kind remembers no data
        examples = self.encode(data, fitted.learned)
        row = None if asked.model is None else row_of(fitted, asked.model)
        if not adapts(asked):
            nats = self.ask(fitted, examples) if row is None else row.answer(examples)
            return Surprises(fitted.learned, examples.units, nats)
        if row is not None:
            raise ConfigError(
                f"Only the network adapts to what it reads, and model='{asked.model}' is another row: leave out "
                "model=, or cache= and dynamic=."
            )
        notes = (f"the network adapts to the text as it reads it: {adapted_as(asked)}",)
        return Surprises(fitted.learned, examples.units, self._adapting(fitted, examples, asked), notes)

    def other_answers(self, fitted: Fitted, examples: Chunks, asked: AdaptAsked) -> dict[str, np.ndarray]:
        """Return the answers of the network that adapts, if it is asked to."""
        return {adapted_as(asked): self._adapting(fitted, examples, asked)} if adapts(asked) else {}

    def _adapting(self, fitted: Fitted, examples: Chunks, asked: AdaptAsked) -> np.ndarray:
        return ask_adapting(fitted, examples, asked) if examples.units else np.zeros(0)

    def frame(self, answers: Surprises) -> pd.DataFrame:
        """Return the units, with how surprising each was."""
        return answers.frame()

    def write(self, fitted: Fitted, asked: WritingAsked) -> Iterator[str]:
        """Yield a text as it is written."""
        return write(fitted, asked)

    def metrics(self, config: Config) -> tuple[Metric, ...]:
        """Return the metrics of the level."""
        return language_metrics(config.task.level)

    def statistics(self, truth: Truth, answers: np.ndarray) -> Statistics:
        """Return how surprising each stretch of the text was."""
        return statistics_of(truth, answers)

    def baselines(self, config: Config, learned: LanguageLearned) -> dict[str, Baseline]:
        """Return n-grams."""
        return make_baselines(learned)

    def exam(self, data: Book, learned: LanguageLearned, part: Part | None) -> Exam:
        """Make an exam of a part of the text."""
        return make_exam(self.encode(data, learned, part), learned)

    def choose(
        self, data: Book, fitted: Fitted, asked: Any, size: int | None, held_out: int | None, tell: Tell = tell_nobody
    ) -> Part | None:
        """Return the end of the text that was held out, or its last ``size`` characters."""
        if held_out is None and size is None:
            return None
        if held_out is not None and not held_out:
            tell(["careful: nothing was held out of the training of this run, so it has read this text"])
        wanted = held_out if size is None else size
        if held_out and size is not None and size > held_out:
            tell([f"careful: of these {size:,} characters only {held_out:,} were held out of the training of this run"])
        return None if not wanted else (max(0, len(data) - wanted), len(data))

    def title(self, fitted: Fitted, data: Book) -> str:
        """Return what is read and written."""
        return TITLES[fitted.learned.level]

    def sections(self, fitted: Fitted, data: Book, judged: Judged | None, asked: Any) -> list[Any]:
        """Return a text that the model wrote, and where it was surprised."""
        from .report import answer_sections

        return answer_sections(fitted, judged)

    def glimpse(self, fitted: Fitted, data: Book) -> Glimpse:
        """Return the beginning of the text."""
        from .report import looked_sections

        learned: LanguageLearned = fitted.learned
        examples = replace(self.encode(data, learned, (0, min(len(data), 20 * learned.steps))), steps=GLIMPSED)
        batch = examples.take(torch.arange(1))
        units = list(examples.units[:GLIMPSED])
        looked = partial(looked_sections, units, learned.level)
        return Glimpse(batch, units, STEPS[learned.level], attention=looked)


KIND = LanguageKind()
