"""How long taggers and classifiers of text train, beside the same network written by hand with torch.nn.

    python benchmarks/text_training.py [--threads 1,2] [--rounds 15] [--cells gru,lstm,lstm_gru]

Both are vectors of words and of their pieces, for the tagger also a recurrent layer over the letters of every word, a
recurrent layer that reads from both sides, and a linear layer; then a conditional random field, or the cross entropy of
each word, or of the largest of each unit over all words. Weights are equal, gradients are clipped, AdamW on its fused
kernel. Of recurra it is the training loop of ``recurra train``; of torch.nn a loop as short as it can be, with packed
sequences, and pytorch-crf. Before times are taken both train for three epochs on the same batches, and their losses
must be equal; then each makes its own batches. The sentences are random words, made here: 4 to 40 of them, of 2 to 12
letters.

Both train in turns, an epoch at a time, in one process. A line of JSON is added to ``--out`` (text_training.jsonl) for
every row; what is in it already is not measured again.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accuracy.fits import Fit, Fits, every
from classifier_training import ALIKE, TWINS, Ours, compared, count
from scipy.stats import quantile_test
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence
from torchcrf import CRF

from recurra.bench.machine import describe_machine, load_since, read_counters
from recurra.bench.timing import Contender, take_turns
from recurra.data.cases import Cases, cases_of
from recurra.nn.letters import LONGEST
from recurra.settings import Config, make_config
from recurra.tasks import kind_of
from recurra.tasks.cases.examples import CaseExamples
from recurra.writing.numbers import percent

SENTENCES, WORDS, LABELS, BATCH, EPOCHS = 480, 3000, 20, 16, 1_000_000
PLAIN: dict[str, Any] = {
    "dropout": 0.0, "embedding_dropout": 0.0, "forget": 0.0, "attention": "none", "batch_size": BATCH,
    "max_epochs": EPOCHS, "max_steps": EPOCHS, "patience": EPOCHS, "schedule": "constant", "warmup": 0,
    "learning_rate": 1e-3, "device": "cpu", "smoothing": 0.0,
}  # fmt: skip
JOBS: dict[str, tuple[str, dict[str, Any]]] = {
    "tagger with a random field": ("tag", {"hidden_size": 128, "crf": True}),
    "tagger": ("tag", {"hidden_size": 128, "crf": False}),
    "classifier": ("classify", {"hidden_size": 64, "readout": "max"}),
}


def main() -> None:
    """Measure what is not measured yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--cells", default=",".join(TWINS))
    parser.add_argument("--jobs", default=",".join(JOBS))
    parser.add_argument("--out", type=Path, default=Path("text_training.jsonl"))
    asked = parser.parse_args()
    threads = [int(number) for number in asked.threads.split(",")]

    def measured(job: str, cell: str, threads: int) -> Fit:
        task, own = JOBS[job]
        return measure(task, make_config(kind_of(task).parts, PLAIN | own | {"cell": cell}), threads, asked.rounds)

    rows = list(product(asked.jobs.split(","), asked.cells.split(","), threads))
    done = every(asked.out, ("job", "cell", "threads"), rows, measured)
    print(json.dumps(describe_machine() | {"threads": threads}))
    print("\n".join(table(done, rows)))


def measure(task: str, config: Config, threads: int, rounds: int) -> Fit:
    """Return the seconds of an epoch on both sides, and the ratio of every round."""
    torch.set_num_threads(threads)
    start = read_counters()
    ours, theirs = both(task, replace(config, training=replace(config.training, epoch_steps=SENTENCES // BATCH)))
    losses = compared(ours, theirs)
    if config.model.cell != "lstm_gru" and not np.allclose(*zip(*losses, strict=True), rtol=0, atol=ALIKE):
        raise SystemExit(f"These are not the same network: their losses are {losses}.")
    theirs.batches = list(torch.randperm(SENTENCES, generator=torch.Generator().manual_seed(0)).split(BATCH))
    times = take_turns([Contender("recurra", ours.epoch), Contender("torch.nn", theirs.epoch)], rounds)
    ratios = [b / a for a, b in zip(times["recurra"], times["torch.nn"], strict=True)]
    seconds = {name: float(np.median(each)) for name, each in times.items()}
    found = {"losses": losses, "seconds": seconds, "ratios": ratios, "torch": torch.__version__}
    parameters = [count(one.network) for one in (ours, theirs)]
    return found | {"parameters": parameters, "others": load_since(start).others}


def both(task: str, config: Config) -> tuple[Ours, "Theirs"]:
    """Return both sides with equal weights, as far as they have the same cell."""
    kind, cases = kind_of(task), made(task)
    prepared = kind.prepare(cases, config, 0)
    config = replace(prepared.config, training=config.training)
    network, own = kind.make(config, prepared.learned)
    examples = kind.encode(cases, prepared.learned)
    twin = Twin(network, config)
    if config.model.cell != "lstm_gru":
        twin.copy(network)
    return Ours(network, own, config.training), Theirs(twin, examples, config)


def made(task: str) -> Cases:
    """Return sentences of random words, with labels by lot."""
    random = np.random.default_rng(0)
    letters = list("abcdefghijklmnopqrstuvwxyz")
    words = ["".join(random.choice(letters, random.integers(2, 13))) for _ in range(WORDS)]
    sentences = [random.choice(words, random.integers(4, 41)).tolist() for _ in range(SENTENCES)]
    names = np.array([f"label {n}" for n in range(LABELS)])
    if task == "tag":
        return cases_of(sentences, [random.choice(names, len(one)).tolist() for one in sentences], what="mark")
    return cases_of([" ".join(one) for one in sentences], random.choice(names, SENTENCES))


class Theirs:
    """The training of the twin; ``batches`` are the numbers of those sentences that make a step each."""

    def __init__(self, network: "Twin", examples: CaseExamples, config: Config):
        self.network, self.examples, self.batches = network, examples, list[Tensor]()
        self.clip = config.training.clip_norm
        lengths = examples.lengths.tolist()
        assert examples.targets is not None
        self.sentences = [rows.long() for rows in examples.values.split(lengths)]
        self.targets = examples.targets.split(lengths) if network.steps else examples.targets
        rate, decay = config.training.learning_rate, config.training.weight_decay
        self.optimiser = torch.optim.AdamW(network.parameters(), rate, weight_decay=decay, fused=True)

    def epoch(self) -> float:
        """Train one epoch; return the mean loss over all that is answered."""
        total, counts = 0.0, 0
        for numbers in self.batches:
            some = [self.sentences[n] for n in numbers.tolist()]
            loss, size = self.network.loss(some, [self.targets[n] for n in numbers.tolist()])
            self.optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(self.network.parameters(), self.clip)
            self.optimiser.step()
            total, counts = total + loss.item() * size, counts + size
        return total / counts


class Twin(nn.Module):
    """The network as one writes it with torch.nn."""

    def __init__(self, network: Any, config: Config):
        super().__init__()
        words, letters = network.embed.words, network.embed.letters
        self.steps, kind = network.pool is None, TWINS[config.model.cell]
        self.words = nn.Embedding(*words.weight.shape, padding_idx=0)
        self.pieces = nn.EmbeddingBag(*words.pieces.shape, mode="mean", padding_idx=0)
        self.letters = self.spelling = None
        if letters is not None:
            size = letters.recurrent.input_size
            self.letters = nn.Embedding(*letters.weight.shape, padding_idx=0)
            self.spelling = kind(size, config.task.letters, batch_first=True, bidirectional=True)
        inputs, hidden = network.recurrent.input_size, config.model.hidden_size
        self.recurrent = kind(inputs, hidden, batch_first=True, bidirectional=True)
        self.out = nn.Linear(2 * hidden, LABELS)
        self.field = CRF(LABELS, batch_first=True) if getattr(network, "chain", None) is not None else None

    def forward(self, sentences: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Return the states of sentences (T, I) of any lengths (B, T, H), and which are real (B, T)."""
        lengths = torch.tensor([len(one) for one in sentences])
        x = pad_sequence(sentences, batch_first=True)
        mask = torch.arange(x.shape[1]) < lengths.unsqueeze(1)
        own = x.shape[-1] - (LONGEST if self.letters is not None else 0)
        parts = x[..., 1:own].flatten(0, 1)
        found = self.words(x[..., 0]) + self.pieces(parts).view(*x.shape[:2], -1)
        if self.letters is not None and self.spelling is not None:
            spelt = x[mask][:, own:]
            long = (spelt != 0).sum(1)
            packed = pack_padded_sequence(self.letters(spelt), long, batch_first=True, enforce_sorted=False)
            last = self.spelling(packed)[1]
            last = last[0] if isinstance(last, tuple) else last
            written = found.new_zeros(*mask.shape, 2 * last.shape[-1])
            written[mask] = torch.cat([last[0], last[1]], -1)
            found = torch.cat([found, written], -1)
        packed = pack_padded_sequence(found, lengths, batch_first=True, enforce_sorted=False)
        return pad_packed_sequence(self.recurrent(packed)[0], batch_first=True)[0], mask

    def loss(self, sentences: list[Tensor], targets: list[Tensor]) -> tuple[Tensor, int]:
        """Return the mean loss over all that is answered, and how much that is."""
        states, mask = self(sentences)
        if not self.steps:
            found = self.out(states.masked_fill(~mask.unsqueeze(-1), -1e9).amax(1))
            return F.cross_entropy(found, torch.stack(targets)), len(targets)
        scores, size = self.out(states), int(mask.sum())
        if self.field is None:
            return F.cross_entropy(scores[mask], torch.cat(targets)), size
        return -self.field(scores, pad_sequence(targets, batch_first=True), mask, reduction="sum") / size, size

    @torch.no_grad()
    def copy(self, network: Any) -> None:
        """Take over the weights of recurra's network."""
        own, weights = network.state_dict(), {}
        for theirs, ours, end in (
            ("words.weight", "embed.words.weight", ""),
            ("pieces.weight", "embed.words.pieces", ""),
            ("letters.weight", "embed.letters.weight", ""),
            ("spelling.", "embed.letters.recurrent.layers.0.0.cell.", "_l0"),
            ("spelling.", "embed.letters.recurrent.layers.0.1.cell.", "_l0_reverse"),
            ("recurrent.", "recurrent.layers.0.0.cell.", "_l0"),
            ("recurrent.", "recurrent.layers.0.1.cell.", "_l0_reverse"),
            ("out.", "out.", ""),
            ("field.transitions", "chain.transitions", ""),
            ("field.start_transitions", "chain.first", ""),
            ("field.end_transitions", "chain.last", ""),
        ):
            weights |= {theirs + name.removeprefix(ours) + end: own[name] for name in own if name.startswith(ours)}
        self.load_state_dict(weights)


def table(done: Fits, rows: list[tuple[str, str, int]]) -> Iterator[str]:
    """Return the lines of the table: how many times as fast recurra is, median with its interval."""
    yield "| network | cell | threads | torch.nn / recurra | 95 % interval | ms a step of recurra | busy otherwise |"
    yield "|---|---|---|---|---|---|---|"
    for row in rows:
        job, cell, threads = row
        ratios, steps = done[row]["ratios"], SENTENCES // BATCH
        low, high = quantile_test(ratios, p=0.5).confidence_interval(0.95)
        said = (
            f"{np.median(ratios):.2f} | {low:.2f} to {high:.2f} | {1000 * done[row]['seconds']['recurra'] / steps:.1f}"
        )
        yield f"| {job} | `{cell}` | {threads} | {said} | {percent(done[row]['others'])} |"


if __name__ == "__main__":
    main()
