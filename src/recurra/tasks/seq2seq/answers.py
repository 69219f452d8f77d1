"""What a model answers, and where it looked.

Shapes: N texts, R rows, T units of a text and its end, Q units of an answer and its end, V units that are known.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn import functional as F

from ...compare.metric import Statistics
from ...data.batch import Batch
from ...data.text import PADDING, UNKNOWN
from ...errors import ConfigError, DataError, plural
from ...nn.attending import take_rows
from ...nn.attending_stepper import AttendingStepper
from ...nn.beam import Said, Search, Speaker
from ...nn.surroundings import on_its_own
from ..base import Exam, Fitted
from .cider import cider_statistics
from .ctc import CtcNet
from .examples import PairExamples
from .hearing import heard, hears, placed
from .learned import END_SHOWN, Seq2seqLearned, Side
from .metrics import Tokens, text_statistics
from .network import Seq2seqNet
from .overlap import overlap_statistics
from .pairs import Pairs
from .pointing import PointingNet
from .rouge import rouge_statistics
from .settings import AnswerAsked
from .spans import best_spans

MORE = {"rouge": rouge_statistics, "f1": overlap_statistics}  # what is counted besides where that ranks
STEPS = ("begins", "ends")  # what a pointer says
TOGETHER = 64  # texts that are answered at the same time, at most
UNITS = 20_000  # and the units of those, with padding
ROWS = 1_000  # and the answers that are followed of those


class Truth(NamedTuple):
    """The right answers, what BLEU counts in them, and the metric that ranks."""

    texts: tuple[str, ...]
    tokens: Tokens
    rank: str = "bleu"
    pictures: tuple[str, ...] = ()  # which answers are to the same one, if CIDEr ranks


class Answer(NamedTuple):
    """One answer to a text."""

    text: str
    units: tuple[str, ...]  # as they are written
    logs: float  # log P(answer | text), that of its end included
    looked: np.ndarray | None  # (Q, T): where each unit looked, and the end; None without attention. Of CTC no end
    steps: tuple[str, ...] = ()  # what these Q are called, if they are not the units and the end

    @property
    def rows(self) -> tuple[str, ...]:
        """What each row of ``looked`` is called (Q,)."""
        units = self.steps or (*self.units, END_SHOWN)
        return units if self.looked is None else units[: len(self.looked)]


@dataclass(frozen=True)
class Answers:
    """Texts, and one or more answers to each, the best first."""

    sources: tuple[str, ...]
    answers: list[list[Answer]]
    notes: tuple[str, ...] = ()

    def frame(self) -> pd.DataFrame:
        """Return ``source, answer, logp``, the logarithm of its probability; with several to each, their ``rank``."""
        several = any(len(some) > 1 for some in self.answers)
        rows = [
            {"source": text, "answer": one.text} | ({"rank": n} if several else {}) | {"logp": one.logs}
            for text, some in zip(self.sources, self.answers, strict=True)
            for n, one in enumerate(some, 1)
        ]
        return pd.DataFrame(rows)


class Decoder:
    """A network that answers texts row by row, as a beam search asks it."""

    def __init__(self, network: Seq2seqNet, batch: Batch):
        self.network, self.cell, self.device = network, network.decoder.cell, batch.inputs.device
        _, memory, state = network.read(batch)
        self.stepper = None if memory is None else stepper_of(network)
        if self.stepper is not None and memory is not None:
            self.stepper.begin(memory, state)
        else:
            self.bound = network.decoder.bind(None)
            self.state = self.bound.initial(state)
        self.copied = None if network.copying is None else batch["copied"]

    def say(self, units: Tensor) -> tuple[Tensor, Tensor | None]:
        """Read the last ``units`` (R,); return the scores (R, V) of the next ones, and where it looked, (R, T)."""
        units = self.network.known(units.to(self.device))
        projected = self.cell.project(self.network.target_embed(units))
        if self.stepper is None:
            self.state = self.bound.step(projected, self.state)
            return self.network.head(self.state.output), None
        output, weights = self.stepper.step(projected)
        # Of heads the mean; of others a copy, as the next step overwrites them.
        looked = weights.clone() if weights.dim() == 2 else weights.mean(1)
        return self.network.scores(output.unsqueeze(1), looked.unsqueeze(1), self.copied)[:, 0], looked

    def keep(self, rows: Tensor) -> None:
        """Go on with these ``rows`` of those before."""
        rows = rows.to(self.device)
        self.copied = None if self.copied is None else self.copied[rows]
        if self.stepper is None:
            self.state = take_rows(self.state, rows)
        else:
            self.stepper.take(rows)


# Of each network the stepper whose weights are laid out already, and which weights these were.
_steppers: WeakKeyDictionary[Seq2seqNet, tuple[tuple[int, ...], AttendingStepper]] = WeakKeyDictionary()


def stepper_of(network: Seq2seqNet) -> AttendingStepper:
    """Return a stepper of its own for the network as it is now; its weights are laid out once for all of them."""
    weights = tuple(number for one in network.decoder.parameters() for number in (one.data_ptr(), one._version))
    kept, made = _steppers.get(network, ((), None))
    if made is None or kept != weights:
        made = AttendingStepper(network.decoder)
        _steppers[network] = weights, made
    return made.another()


class Together:
    """Several that speak as one: ``log 1/M Σ_m P_m``, and where they looked on average."""

    def __init__(self, speakers: Sequence[Speaker]):
        self.speakers = speakers

    def say(self, units: Tensor) -> tuple[Tensor, Tensor | None]:
        """Read the last ``units`` (R,); return the scores (R, V) of the next ones, and where they looked, (R, T)."""
        said = [speaker.say(units) for speaker in self.speakers]
        most = max(scores.shape[1] for scores, _ in said)  # those that copy know more units
        logs = [F.pad(scores.log_softmax(-1), (0, most - scores.shape[1]), value=-torch.inf) for scores, _ in said]
        scores = torch.stack(logs).logsumexp(0)
        looked = [where for _, where in said if where is not None]
        return scores, torch.stack(looked).mean(0) if looked else None

    def keep(self, rows: Tensor) -> None:
        """Go on with these ``rows`` of those before."""
        for speaker in self.speakers:
            speaker.keep(rows)


def ask_network(
    fitted: Fitted, examples: PairExamples, asked: AnswerAsked | None = None, others: Sequence[Fitted] = ()
) -> list[list[Answer]]:
    """Return the best answers to each text, by the network and the ``others`` that decide together with it."""
    asked = AnswerAsked() if asked is None else asked
    task, learned = fitted.config.task, fitted.learned
    beam = max(task.beam if asked.beam is None else asked.beam, asked.best)
    penalty = task.length_penalty if asked.length_penalty is None else asked.length_penalty
    how = Search(beam, penalty, learned.target.end, (PADDING,))
    networks: list[Any] = [one.network for one in (fitted, *others)]
    by_step = hears(networks)
    if learned.points:
        return list(pointed_at(networks, examples, learned, asked.best))
    if by_step and asked.length_penalty is not None:
        raise ConfigError("length_penalty= has no effect on a run with decoder='ctc': leave it out.")
    said = heard(networks, examples, beam) if by_step else searched(networks, examples, learned, how)
    found = []
    for n, some in enumerate(said):
        text = Text(examples, n, learned)
        found.append([_answer(one, text, asked.copy_unknown) for one in some[: asked.best]])
    return found


class Text:
    """The units of a text that is answered, in which those are found that are not known."""

    def __init__(self, examples: PairExamples, place: int, learned: Seq2seqLearned):
        self.examples, self.place, self.learned = examples, place, learned
        self.length = learned.source.steps(int(examples.read.lengths[place]))  # that of the end included

    @cached_property  # as most answers need none
    def units(self) -> list[str]:
        """The units, and the end."""
        return self.examples.labels(self.place, self.learned)

    def unit(self, number: int) -> str:
        """Return the unit of this number, which the text may have alone."""
        if number < self.learned.target.size or self.examples.copied is None:
            return self.learned.target.shown(number)
        return self.units[int(np.argmax(self.examples.copied.row(self.place) == number))]


@on_its_own
@torch.no_grad()
def searched(
    networks: Sequence[Seq2seqNet], examples: PairExamples, learned: Seq2seqLearned, how: Search
) -> list[list[Said]]:
    """Return what is found for each text."""
    lengths = examples.read.lengths
    found: list[list[Said]] = [[]] * len(examples)
    for places in batches(lengths, how.beam):
        batch = examples.take(torch.from_numpy(places)).to(next(networks[0].parameters()).device)
        speakers = [Decoder(network.eval(), batch) for network in networks]
        speaker = speakers[0] if len(speakers) == 1 else Together(speakers)
        for place, said in zip(places, how(speaker, [learned.most(int(n)) for n in lengths[places]]), strict=True):
            found[place] = said
    return found


@on_its_own
@torch.no_grad()
def pointed_at(
    networks: Sequence[PointingNet], examples: PairExamples, learned: Seq2seqLearned, best: int
) -> list[list[Answer]]:
    """Return the ``best`` answers to each question that stand in its passage, or that no passage has."""
    found: list[list[Answer]] = [[]] * len(examples)
    for places in batches(examples.read.lengths, 1):
        batch = examples.take(torch.from_numpy(places)).to(next(networks[0].parameters()).device)
        said = [network.eval()(batch) for network in networks]
        logs = torch.stack([one.prediction for one in said]).logsumexp(0) - math.log(len(said))
        looked = torch.stack([one.weights for one in said]).mean(0)
        for n, place in enumerate(places.tolist()):
            text = Text(examples, place, learned)
            rows = logs[n].double().cpu().numpy(), looked[n, :, : text.length].double().cpu().numpy()
            found[place] = _at_places(text, *rows, best)
    return found


def _at_places(text: Text, logs: np.ndarray, looked: np.ndarray, best: int) -> list[Answer]:
    """Return the ``best`` answers of one question, from the logarithms (2, C + T) of where they begin and end."""
    learned = text.learned
    closed = len(learned.closed)
    last = closed + text.length
    every = best_spans(logs[0, :last], logs[1, closed:last], learned.longest + 1, closed)
    answers = []
    for score, first, end in islice(every, best):
        units = learned.closed[first : first + 1] or tuple(text.units[first - closed : end - closed + 1])
        joined = units[0] if first < closed else learned.target.cutter.join(units)
        answers.append(Answer(joined, tuple(units), score, looked, STEPS))
    return answers


def batches(lengths: np.ndarray, beam: int) -> Iterator[np.ndarray]:
    """Yield the places of texts that are answered at the same time, of about one length, the longest first."""
    order = np.argsort(-lengths, kind="stable")
    begin = 0
    while begin < len(order):
        count = max(1, min(TOGETHER, UNITS // int(lengths[order[begin]]), ROWS // beam))
        yield order[begin : begin + count]
        begin += count


def _answer(said: Said, text: Text, copy_unknown: bool) -> Answer:
    """Return an answer as text; where a unit is not known, perhaps with that of the text which it looked at."""
    looked = None if said.looked is None else said.looked[:, : text.length].double().cpu().numpy()
    units = [text.unit(unit) for unit in said.units]
    if looked is not None and copy_unknown and text.length > 1 and isinstance(text.learned.source, Side):
        for place in (n for n, unit in enumerate(said.units) if unit == UNKNOWN):
            units[place] = text.units[int(looked[place, :-1].argmax())]
    return Answer(text.learned.target.cutter.join(units), tuple(units), said.logs, looked)


@on_its_own
@torch.no_grad()
def force(fitted: Fitted, pair: PairExamples) -> np.ndarray | None:
    """Return where the network looks as it says the right answer of one pair: (Q, T), None without attention."""
    from ...report.inside import mean_over_heads  # only here

    network = fitted.network.eval()
    if isinstance(network, CtcNet):
        return placed(network, pair)
    batch = pair.take(torch.arange(1)).to(next(network.parameters()).device)
    weights = network(batch).weights
    return None if weights is None else mean_over_heads(weights[0])


def make_exam(examples: PairExamples, pairs: Pairs, learned: Seq2seqLearned) -> Exam:
    """Return texts with the right answers as an exam; raises DataError if these are not known."""
    targets = pairs.targets
    if targets is None:
        raise DataError("There are no answers to judge by: give pairs of texts.")
    if not targets:
        raise DataError("There is nothing to judge by: no pair is there.")
    truth = Truth(tuple(targets), learned.tokens, learned.rank, pairs.keys if learned.rank == "cider" else ())
    return Exam(examples, truth, f"judged by {len(targets):,} pair{plural(len(targets))}")


def statistics_of(truth: Truth, answers: Sequence[str]) -> Statistics:
    """Return of each answer what it has in common with the right one."""
    found: Statistics = {}
    if truth.rank == "cider":
        found = cider_statistics(truth.texts, answers, truth.pictures, truth.tokens)
    elif truth.rank in MORE:
        found = MORE[truth.rank](truth.texts, answers, truth.tokens)
    return {**text_statistics(truth.texts, answers, truth.tokens), **found}


def unknown_note(examples: PairExamples) -> list[str]:
    """Return a warning if units of texts are not known."""
    numbers = examples.read.numbers
    if numbers.ndim > 1:  # these are no texts
        return []
    share = float(np.mean(numbers == UNKNOWN)) if len(numbers) else 0.0
    if not share:
        return []
    return [f"careful: {100 * share:.2g} % of the units of these texts are not known and are read as one and the same"]
