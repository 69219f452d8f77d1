"""How long a translator trains and answers, beside the same network written by hand with torch.nn.

    python benchmarks/translation_speed.py [--threads 1,2] [--rounds 15] [--cells gru,lstm] [--precisions float32]

The other one is benchmarks/accuracy/torch_translator.py: packed sequences, a loop over the steps of the decoder, cross
entropy over all steps at once, AdamW on its fused kernel. Weights are equal, and so are batches, losses and answers,
which is checked before times are taken. The texts are random units, made here: as many as captions have. Answers are
those of a network that was trained a little, so that they end: of one text, and of 64; the likeliest unit at every
step, and the best of five that are followed.

With ``bfloat16`` recurra rounds the factors of its products, the other one never: it is not faster so.

Both run in turns, in one process. A line of JSON is added to ``--out`` (translation_speed.jsonl) for every row; what is
in it already is not measured again.
"""

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accuracy.fits import Fit, Fits, every
from accuracy.torch_translator import Sizes, Translator
from torch import Tensor

from recurra.bench.machine import describe_machine, load_since, read_counters
from recurra.bench.timing import Contender, take_turns
from recurra.nn.beam import Search
from recurra.settings import Config, make_config
from recurra.tasks.base import Prepared
from recurra.tasks.seq2seq.answers import searched
from recurra.tasks.seq2seq.examples import PairExamples
from recurra.tasks.seq2seq.kind import KIND
from recurra.training.loop import fit
from recurra.training.precision import multiplying_in
from recurra.writing.numbers import percent

PAIRS, UNITS, BATCH, STEPS = 1024, 4000, 64, 16
MANY = 1_000_000
PLAIN: dict[str, Any] = {
    "level": "word", "dropout": 0.0, "input_dropout": 0.0, "smoothing": 0.0, "batch_size": BATCH, "epoch_steps": STEPS,
    "max_epochs": MANY, "max_steps": MANY, "patience": MANY, "schedule": "constant", "warmup": 0, "device": "cpu",
}  # fmt: skip
JOBS = ("training", "one text", "one text, beam 5", "64 texts", "64 texts, beam 5")
WARM = 15  # epochs before answers are timed


def main() -> None:
    """Measure what is not measured yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--cells", default="gru,lstm")
    parser.add_argument("--attentions", default="additive,general")
    parser.add_argument("--feeding", default="yes,no")
    parser.add_argument("--precisions", default="float32,bfloat16")
    parser.add_argument("--jobs", default=";".join(JOBS))
    parser.add_argument("--out", type=Path, default=Path("translation_speed.jsonl"))
    asked = parser.parse_args()
    lists = asked.cells, asked.attentions, asked.feeding, asked.precisions, asked.threads
    texts = (one.split(",") for one in lists)
    rows = [(*row[:4], int(row[4]), job) for *row, job in product(*texts, asked.jobs.split(";"))]

    def measured(cell: str, attention: str, feeding: str, precision: str, threads: int, job: str) -> Fit:
        settings = PLAIN | {"cell": cell, "attention": attention, "feeding": feeding == "yes", "precision": precision}
        return measure(make_config(KIND.parts, settings), threads, job, asked.rounds)

    done = every(asked.out, ("cell", "attention", "feeding", "precision", "threads", "job"), rows, measured)
    print(json.dumps(describe_machine()))
    print("\n".join(table(done, rows)))


def measure(config: Config, threads: int, job: str, rounds: int) -> Fit:
    """Return the seconds on both sides, and the ratio of every round."""
    torch.set_num_threads(threads)
    start = read_counters()
    ours = Ours(config)
    theirs = Theirs(ours)
    pair = training(ours, theirs) if job == "training" else answering(ours, theirs, job)
    times = take_turns([Contender(name, run) for name, run in zip(("recurra", "torch.nn"), pair, strict=True)], rounds)
    ratios = [b / a for a, b in zip(times["recurra"], times["torch.nn"], strict=True)]
    seconds = {name: float(np.median(each)) for name, each in times.items()}
    return {"seconds": seconds, "ratios": ratios, "torch": torch.__version__, "others": load_since(start).others}


def made() -> list[tuple[str, str]]:
    """Return texts of random units, and answers that say each in other units, a little shorter or longer."""
    random = np.random.default_rng(0)
    shares = 1 / np.arange(1, UNITS + 1) / np.sum(1 / np.arange(1, UNITS + 1))
    texts = [random.choice(UNITS, random.integers(7, 20), p=shares).tolist() for _ in range(PAIRS)]
    return [
        (" ".join(_word("q", unit) for unit in one), " ".join(_word("z", unit) for unit in one[: len(one) - n % 3]))
        for n, one in enumerate(texts)
    ]


def _word(first: str, number: int) -> str:
    """Return a word of letters alone, which is one unit."""
    return first + "".join(chr(ord("a") + int(digit)) for digit in str(number))


class Ours:
    """Recurra's network and its training loop."""

    def __init__(self, config: Config):
        self.precision = config.training.precision
        prepared = KIND.prepare(KIND.read(made(), config), config)
        self.prepared: Prepared = replace(prepared, config=config)
        self.network, self.task = KIND.make(config, prepared.learned)
        self.examples: PairExamples = KIND.encode(prepared.data, prepared.learned)
        self.loop = fit(self.network, self.task, self.examples, None, config.training)

    def epoch(self) -> float:
        """Train one epoch; return its mean loss."""
        return next(self.loop).train_loss

    def answers(self, some: PairExamples, beam: int) -> list[list[int]]:
        """Return the best answers."""
        learned = self.prepared.learned
        with multiplying_in(self.precision):
            found = searched([self.network], some, learned, Search(beam, 1.0, learned.target.end, (0,)))
        return [list(each[0].units) for each in found]


class Theirs:
    """The network by hand, with the weights and the batches of ours."""

    def __init__(self, ours: Ours):
        config, learned = ours.prepared.config, ours.prepared.learned
        model = config.model
        sizes = (learned.source.size, learned.target.size, model.hidden_size, model.hidden_size, 1)
        self.ours, self.training = ours, config.training
        self.network = Translator(Sizes(*sizes, model.cell, model.attention, config.task.feeding, config.task.tied))
        self.network.take_weights(ours.network.state_dict())
        parameters = self.network.parameters()
        rate, decay = config.training.learning_rate, config.training.weight_decay
        self.optimiser = torch.optim.AdamW(parameters, rate, weight_decay=decay, fused=True)
        self.epochs = 0

    def epoch(self) -> float:
        """Train one epoch on the batches of ours; return its mean loss."""
        self.network.train()
        total, count = 0.0, 0
        for source, lengths, target in self.batches():
            loss = self.network.loss(source, lengths, target)
            self.optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.training.clip_norm)
            self.optimiser.step()
            units = int((target != 0).sum())
            total, count = total + float(loss.detach()) * units, count + units
        self.epochs += 1
        return total / count

    def batches(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Yield the batches of ours of this epoch, made anew."""
        examples, settings = self.ours.examples, self.training
        generator = torch.Generator().manual_seed((settings.seed * 1_000_003 + self.epochs + 1) % 2**63)
        for numbers in examples.order(settings.batch_size, self.epochs * STEPS, STEPS, generator):
            batch = examples.take(numbers)
            assert batch.mask is not None and batch.targets is not None
            yield batch.inputs, batch.mask.sum(1), batch.targets

    def answers(self, some: PairExamples, beam: int) -> list[list[int]]:
        """Return the best answers."""
        batch = some.take(torch.arange(len(some)))
        assert batch.mask is not None
        lengths = batch.mask.sum(1)
        most = self.ours.prepared.learned.most(int(lengths.max()))
        self.network.eval()
        with torch.no_grad():
            if beam == 1:
                return self.network.greedy(batch.inputs, lengths, most)
            return self.network.beam(batch.inputs, lengths, most, beam)


Pair = tuple[Callable[[], object], Callable[[], object]]


def training(ours: Ours, theirs: Theirs) -> Pair:
    """Return what trains an epoch on both sides; their losses are the same."""
    losses = [(ours.epoch(), theirs.epoch()) for _ in range(2)]
    if not np.allclose(*zip(*losses, strict=True), atol=1e-3 if ours.precision == "float32" else 1e-2):
        raise SystemExit(f"These are not the same network: their losses are {losses}.")
    return ours.epoch, theirs.epoch


def answering(ours: Ours, theirs: Theirs, job: str) -> Pair:
    """Return what answers on both sides; the answers are the same."""
    for _ in range(WARM):
        ours.epoch()
    ours.network.eval()
    theirs.network.take_weights(ours.network.state_dict())
    beam = 5 if job.endswith("beam 5") else 1
    order = np.argsort(ours.examples.read.lengths, kind="stable")
    middle = order[len(order) // 2 - 32 :][: 1 if job.startswith("one") else 64]
    some = replace(ours.examples.some(middle), said=None)
    mine, other = ours.answers(some, beam), theirs.answers(some, beam)
    same = float(np.mean([one == two for one, two in zip(mine, other, strict=True)]))
    if same < 0.95 or not all(mine):
        raise SystemExit(f"Only {percent(same)} of the answers are the same: {mine[:3]} and {other[:3]}.")
    return lambda: ours.answers(some, beam), lambda: theirs.answers(some, beam)


def table(done: Fits, rows: list[tuple[Any, ...]]) -> Iterator[str]:
    """Return the lines of the table."""
    yield "| cell | attention | feeding | factors | threads | job | recurra, ms | torch.nn, ms | times | half of all |"
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for row in rows:
        one = done[row]
        low, middle, high = np.quantile(one["ratios"], (0.25, 0.5, 0.75))
        ms = [f"{1000 * one['seconds'][name]:.1f}" for name in ("recurra", "torch.nn")]
        yield f"| {' | '.join(map(str, row))} | {' | '.join(ms)} | **{middle:.2f}** | {low:.2f} to {high:.2f} |"


if __name__ == "__main__":
    main()
