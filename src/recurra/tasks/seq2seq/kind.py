"""Texts that answer texts, as the verbs see them: translation, and all else of that form."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from ...compare.metric import Metric, Statistics
from ...errors import ConfigError, plural
from ...nn.build import attentions_in, idle_attention, is_reservoir, refuse_idle
from ...settings import Config, filled
from ...training.loop import Epoch
from ...training.task import Task
from .. import saving
from ..base import Baseline, Exam, Fitted, Glimpse, Judged, Kind, Prepared, Tell, row_of, tell_nobody
from ..last import train_gently
from .answers import Answer, Answers, Truth, ask_network, make_exam, statistics_of, unknown_note
from .baselines import make_baselines, question_baselines
from .cider import cider_metric
from .columns import Form
from .examples import PairExamples
from .learned import Seq2seqLearned, has_strangers
from .metrics import CHRF, text_metrics
from .overlap import EM, F1
from .pairs import Pairs, digests, fingerprint
from .plan import PairPlan, make_plan
from .rouge import rouge_metrics
from .sequences import Sequences, are_pictures
from .settings import PARTS, AnswerAsked
from .sizes import sized
from .source import pairs_of
from .swapped import refuse_answers
from .task import make_translator

# What says how a decoder writes.
WRITES = ("tied", "feeding", "smoothing", "sampling", "length_penalty", "diagonal_penalty")
WRITING = ("copy", "shared", *WRITES, "beam")
NONE_POINTED = (
    "No answer stands in its passage, so none can be pointed at: give decoder='attending', which writes answers of its "
    "own."
)
NONE_HEARD = (
    "Hardly any target can be said in the steps of its sequence, of which each says one unit: give a smaller segment=, "
    "which makes more steps, or units that are longer, such as target_level='word'."
)
SHOWN = 2_000  # texts among which one of a middle length is shown


class Seq2seqKind(Kind):
    """From a text to the one that answers it."""

    parts = PARTS

    def read(
        self, source: Any, config: Config, learned: Any = None, most: int | None = None, tell: Tell = tell_nobody
    ) -> Pairs:
        """Return a table, two files of lines, or lists of texts as pairs; after the training answers may be missing."""
        pairs = pairs_of(source, Form.of(config.task, _form_of(learned)), learned is None, most)
        tell(pairs.notes)
        if learned is not None:
            refuse_answers(pairs, learned)
            if not has_strangers(config.task):
                tell(unknown_note(self.encode(replace(pairs, targets=None), learned)))
        return pairs

    def fingerprint(self, data: Pairs) -> str:
        """Return a short text that is another one if any character is."""
        return fingerprint(data)

    def plan(self, data: Pairs, config: Config, test_size: int | None) -> PairPlan:
        """Cut the pairs by chance, those with the same text together; raises ConfigError if texts are to be heard."""
        if config.task.decoder == "ctc" and (data.cases is None or are_pictures(data.cases)):
            raise ConfigError(
                "decoder='ctc' says what it hears step by step, and these are texts or pictures: leave it out, or give "
                "sounds or other sequences of numbers."
            )
        return make_plan(data, config.task, test_size)

    def fill(self, config: Config, plan: PairPlan) -> Config:
        """Return the settings with what follows from how many pairs there are, and how their answers look."""
        if is_reservoir(config.model):
            raise ConfigError("A reservoir is read out in closed form, which writes no text.")
        looks = "attention" in attentions_in(config.model)
        if config.task.copy and not looks:
            raise ConfigError("What is copied is what attention looks at: copy needs an attention, such as 'additive'.")
        if config.task.decoder == "span" and not looks:
            raise ConfigError("An answer is pointed at by attention: decoder='span' needs one, such as 'additive'.")
        points = plan.pointed and looks and not config.task.copy
        decoder = config.task.decoder or ("span" if points else "attending")
        config = replace(config, task=filled(config.task, {"decoder": decoder}))
        refuse_idle(config, self.unused(config))  # which the decoder was not known for before
        return sized(config, plan)

    def learn(self, data: Pairs, plan: PairPlan, config: Config) -> Seq2seqLearned:
        """Return the units of the training pairs."""
        return Seq2seqLearned.of(data.part(plan.train), config.task)

    def recall(self, plain: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Seq2seqLearned:
        """Return what was learned, from a run."""
        return Seq2seqLearned.from_plain(plain, arrays)

    def encode(self, data: Pairs, learned: Seq2seqLearned, part: np.ndarray | None = None) -> PairExamples:
        """Return the pairs at the places in ``part``, or all, in units."""
        return PairExamples.of(data if part is None else data.part(part), learned)

    def prepare_as(self, data: Pairs, plan: Any, config: Config, learned: Any = None) -> Prepared:
        """Learn and encode; pairs that are very long do not train, nor those whose answer the decoder cannot give."""
        prepared = super().prepare_as(data, plan, config, learned)
        prepared = _answerable(prepared)
        train: Any = prepared.train
        longest = prepared.config.task.longest
        short = train.within(longest)
        long = len(train) - len(short)
        if not long:
            return prepared
        if not len(short):
            raise ConfigError(
                f"Every pair has more than {longest:,} units, so none would train: give a larger longest=."
            )
        note = f"careful: {long:,} pair{plural(long)} with more than {longest:,} units do not train"
        plan = replace(prepared.plan, notes=(*prepared.plan.notes, note))  # type: ignore[type-var]
        return replace(prepared, plan=plan, train=train.some(short))

    def repeated(self, data: Pairs, test: Pairs) -> list[str]:
        """Return a warning if texts of the ``test`` data are also among the ``data`` to train on."""
        return _repeated(test, digests(data.keys))

    def build(self, config: Config, learned: Seq2seqLearned) -> tuple[nn.Module, Task]:
        """Make the network."""
        return make_translator(config, learned)

    def train_on(self, fitted: Fitted, prepared: Prepared) -> Iterator[Epoch]:
        """Train ``last_epochs`` more on all pairs that are not held out."""
        plan: Any = prepared.plan
        every = self.encode(prepared.data, fitted.learned, np.sort(np.concatenate([plan.train, plan.valid])))
        every = every.some(every.within(fitted.config.task.longest))
        every = every.some(every.answerable(fitted.learned))
        return train_gently(fitted, every, self.more_epochs(fitted.config))

    def more_epochs(self, config: Config) -> int:
        """Return how many epochs come after the best one."""
        epochs: int = config.task.last_epochs
        return epochs

    def unused(self, config: Config) -> dict[str, str]:
        """Return what nothing uses."""
        if config.task.decoder == "ctc":
            return _idle_in_ctc(config)
        idle = {}
        if "attention" not in attentions_in(config.model):
            idle["feeding"] = "attention='none' sees nothing that it could be fed with"
            idle["diagonal_penalty"] = "attention='none' looks nowhere"
        if config.task.shared or has_strangers(config.task):
            idle["target_level"] = "both sides have the same units"
        if config.task.decoder == "span":
            idle |= dict.fromkeys(WRITING, "an answer is pointed at, and not written unit by unit")
        if config.task.decoder == "attending":
            idle |= _idle_writing(config)
        return idle

    def unused_with(self, data: Pairs) -> dict[str, str]:
        """Return what nothing uses with texts, or with sequences."""
        if data.cases is None:
            names = ("segment", "filters", "disguise", "reads", "grid")
            return dict.fromkeys(names, "texts are read, and no sequences of numbers")
        why = "sequences of numbers are read, which have no units"
        idle = dict.fromkeys(("copy", "forget", "shared"), why)
        if data.cases.featured:
            idle |= dict.fromkeys(("grid", "filters"), "features are given, each place of which is a cell")
        if are_pictures(data.cases):
            idle["diagonal_penalty"] = "the cells of a picture have no order"
        else:
            idle["grid"] = "no single pictures are read"
        if data.cases.shape is not None:
            idle["segment"] = "a picture is read as a whole"
        if data.cases.rate is not None:
            idle["reads"] = "sounds are read"
        return idle

    def ask(self, fitted: Fitted, examples: PairExamples) -> list[str]:
        """Return the best answer to each text."""
        return [best[0].text for best in ask_network(fitted, examples)]

    def answer(self, fitted: Fitted, data: Pairs | None, asked: AnswerAsked) -> Answers:
        """Answer the texts of ``data``, by one row of the table if that is asked for."""
        assert data is not None  # this kind remembers no data
        examples = self.encode(replace(data, targets=None), fitted.learned)
        row = None if asked.model is None else row_of(fitted, asked.model)
        if row is None:
            return Answers(data.sources, ask_network(fitted, examples, asked, self._others(fitted, asked)))
        said = [[Answer(text, (), float("nan"), None)] for text in row.answer(examples)]
        return Answers(data.sources, said)

    def _others(self, fitted: Fitted, asked: AnswerAsked) -> list[Fitted]:
        """Return the runs that decide together with this one; raises ConfigError if one has other units."""
        others = []
        for folder in asked.ensemble or ():
            other, _ = saving.load(Path(folder), self, ())
            if other.learned != fitted.learned:
                raise ConfigError(
                    f"The run '{folder}' has other units than this one: only runs that were trained on the same data "
                    "with the same units can decide together."
                )
            others.append(other)
        return others

    def frame(self, answers: Answers) -> pd.DataFrame:
        """Return the texts with their answers."""
        return answers.frame()

    def metrics(self, config: Config) -> tuple[Metric, ...]:
        """Return the metrics; the first one is that which suits the answers."""
        rank = config.task.rank or "bleu"
        if rank == "f1":
            return F1, EM, CHRF
        others = text_metrics(config.task.bleu_tokens or "13a", first=rank)
        if rank == "cider":
            return cider_metric(), *others
        return (*rouge_metrics(), *others) if rank == "rouge" else others

    def statistics(self, truth: Truth, answers: list[str]) -> Statistics:
        """Return of each answer what it has in common with the right one."""
        return statistics_of(truth, answers)

    def baselines(self, config: Config, learned: Seq2seqLearned) -> dict[str, Baseline]:
        """Return the text itself, the answer to the nearest one, and what else suits what is read and written."""
        if learned.passages:
            return question_baselines()
        return make_baselines(config.task.rank == "rouge", not isinstance(learned.source, Sequences))

    def exam(self, data: Pairs, learned: Seq2seqLearned, part: np.ndarray | None) -> Exam:
        """Make an exam of the pairs at the places in ``part``, or of all."""
        pairs = data if part is None else data.part(part)
        if pairs.targets is not None and len(pairs.known) < len(pairs):
            pairs = pairs.part(pairs.known)
        examples = self.encode(replace(pairs, targets=None), learned)
        return make_exam(examples, pairs, learned)

    def choose(
        self, data: Pairs, fitted: Fitted, asked: Any, size: int | None, held_out: int | None, tell: Tell = tell_nobody
    ) -> np.ndarray | None:
        """Return the pairs that were held out, or ``size`` of them; all of other data, or the first ones."""
        if held_out is None:
            some = np.arange(len(data) if size is None else min(size, len(data)))
            tell(_repeated(data.part(some), fitted.learned.seen))
            return some
        if not held_out:
            tell(["careful: nothing was held out of the training of this run, so it has seen these pairs"])
            return None if size is None else np.arange(min(size, len(data)))
        test = self.plan(data, fitted.config, held_out).test
        if size is None or size <= len(test):
            return test[:size]
        others = np.setdiff1d(np.arange(len(data)), test)[: size - len(test)]
        tell([f"careful: the training of this run has seen {len(others):,} of these {size:,} pairs"])
        return np.sort(np.concatenate([test, others]))

    def title(self, fitted: Fitted, data: Pairs) -> str:
        """Return what is read and written."""
        return f"From {data.names[0]} to {data.names[1]}"

    def sections(self, fitted: Fitted, data: Pairs, judged: Judged | None, asked: Any) -> list[Any]:
        """Return answers, and where the model looked."""
        from .report import answer_sections

        return answer_sections(fitted, data, judged)

    def proof(self, fitted: Fitted, data: Pairs, judged: Judged) -> list[Any]:
        """Return how good answers to texts of each length are."""
        from .report import proof_sections

        return proof_sections(fitted, judged)

    def glimpse(self, fitted: Fitted, data: Pairs) -> Glimpse:
        """Return a pair from the middle of the lengths."""
        learned: Seq2seqLearned = fitted.learned
        some = self.encode(data.part(np.arange(min(len(data), SHOWN))), learned)
        order = np.argsort(some.read.lengths, kind="stable")
        place = int(order[len(order) // 2])
        return Glimpse(some.take(torch.tensor([place])), some.labels(place, learned))


def _form_of(learned: Seq2seqLearned | None) -> dict[str, Any]:
    """Return what a training says of how other data are read."""
    if learned is None:
        return {}
    source = learned.source
    heard = {"rate": source.reading.rate, "reads": source.reads} if isinstance(source, Sequences) else {}
    return heard | {"passages": learned.passages}


def _idle_writing(config: Config) -> dict[str, str]:
    """Return what nothing uses where answers are written."""
    idle = dict.fromkeys(("flow", "mentions"), "only what points at answers in passages (decoder='span') has it")
    return idle if config.task.copy else idle | {"forget": "nothing is copied"}


def _answerable(prepared: Prepared) -> Prepared:
    """Return what was prepared without the pairs whose target the decoder cannot give; ConfigError if none is left."""
    parts: list[Any] = [prepared.train, prepared.valid]
    kept = [part.answerable(prepared.learned) for part in parts]
    lost = sum(len(part) - len(places) for part, places in zip(parts, kept, strict=True))
    if not lost:
        return prepared
    points = prepared.learned.points
    if not all(map(len, kept)):
        raise ConfigError(NONE_POINTED if points else NONE_HEARD)
    note = f"careful: {lost:,} answer(s) stand in no passage and are not learned from"
    if not points:
        note = f"careful: {lost:,} pair{plural(lost)} whose target has more units than steps can say do not train; a "
        note += "smaller segment= makes more steps"
    plan = replace(prepared.plan, notes=(*prepared.plan.notes, note))  # type: ignore[type-var]
    train, valid = (part.some(places) for part, places in zip(parts, kept, strict=True))
    return replace(prepared, plan=plan, train=train, valid=valid)


def _idle_in_ctc(config: Config) -> dict[str, str]:
    """Return what nothing uses where each step says a unit."""
    nowhere = "decoder='ctc' looks nowhere"
    idle = idle_attention({}, nowhere)
    if config.model.attention != "none":
        idle["attention"] = nowhere
    names = (
        "copy",
        "forget",
        "shared",
        "tied",
        "feeding",
        "smoothing",
        "sampling",
        "length_penalty",
        "flow",
        "mentions",
    )
    return idle | dict.fromkeys(names, "decoder='ctc' says units as it hears them, and reads none of them again")


def _repeated(test: Pairs, seen: np.ndarray) -> list[str]:
    """Return a warning that says how many texts of the ``test`` data a model was trained on, whose digests these are.

    A run keeps eight bytes of each text.
    """
    again = int(np.isin(digests(test.keys), seen).sum())
    if not again:
        return []
    are = "are" if again > 1 else "is"
    what = f"texts {are} also among the training texts"
    if test.cases is not None:
        what = f"cases {are} also among the training cases"
    return [f"careful: {again:,} of {len(test):,} test {what}, so results look better than they are"]


KIND = Seq2seqKind()
