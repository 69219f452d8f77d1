"""How long a classifier trains, beside the same network written by hand with torch.nn.

    python benchmarks/classifier_training.py [--threads 1,2] [--rounds 15] [--cells gru,lstm,lstm_gru]

Both are a linear layer with a rectifier, a recurrent layer that reads from both sides, additive attention or the last
states, and a linear layer to the classes, with equal weights, cross entropy with smoothed labels, clipped gradients and
AdamW. Of recurra it is the training loop of ``recurra train``; of torch.nn a loop as short as it can be, with packed
sequences where lengths differ and the fused kernel of AdamW, which is faster than its default. Before times are taken
both train for three epochs on the same batches, and their losses must be equal; then each makes its own batches. The
cases are random numbers, made here.

Both train in turns, an epoch at a time, in one process. A line of JSON is added to ``--out``
(classifier_training.jsonl) for every row; what is in it already is not measured again. At the end the table is printed,
with the share of the cores that other processes used meanwhile: with two threads a busy machine
says nothing.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accuracy.fits import Fit, Fits, every
from scipy.stats import quantile_test
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

from recurra.bench.machine import describe_machine, load_since, read_counters
from recurra.bench.timing import Contender, take_turns
from recurra.data.batch import Batch
from recurra.data.cases import Cases
from recurra.settings import Config, TrainingSettings, make_config
from recurra.tasks.cases.examples import CaseExamples
from recurra.tasks.cases.network import CaseNet
from recurra.tasks.classify.kind import KIND
from recurra.training.loop import fit
from recurra.training.task import Task
from recurra.writing.numbers import percent

HIDDEN, BATCH, CLASSES, EPOCHS = 64, 32, 9, 1_000_000
# Nothing that draws by chance, as the other side could not draw the same; every step is read as it is.
PLAIN: dict[str, Any] = {
    "hidden_size": HIDDEN, "segment": 1, "filters": 0, "changes": False, "dropout": 0.0, "warp": 0.0, "rescale": 0.0,
    "batch_size": BATCH, "max_epochs": EPOCHS, "max_steps": EPOCHS, "patience": EPOCHS, "schedule": "constant",
    "warmup": 0, "learning_rate": 1e-3, "device": "cpu",
}  # fmt: skip
TWINS = {"gru": nn.GRU, "lstm": nn.LSTM, "lstm_gru": nn.LSTM}  # torch has no fused cell; its LSTM has as many weights
READOUTS: dict[str, dict[str, Any]] = {"attention": {}, "last": {"readout": "last", "attention": "none"}}
ALIKE = 1e-4  # of losses


@dataclass(frozen=True)
class Size:
    """How many cases there are, and how long."""

    cases: int
    channels: int
    shortest: int
    longest: int

    def __str__(self) -> str:
        steps = self.longest if self.shortest == self.longest else f"{self.shortest} to {self.longest}"
        return f"{steps} steps, {self.channels} channel{'s' if self.channels > 1 else ''}"


SIZES = {
    "vowels": Size(270, 12, 7, 29),  # as JapaneseVowels
    "wide": Size(64, 6, 10, 400),
    "motions": Size(128, 6, 100, 100),  # as BasicMotions
    "curves": Size(128, 1, 140, 140),
}


def main() -> None:
    """Measure what is not measured yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--cells", default=",".join(TWINS))
    parser.add_argument("--sizes", default=",".join(SIZES))
    parser.add_argument("--readouts", default=",".join(READOUTS))
    parser.add_argument("--out", type=Path, default=Path("classifier_training.jsonl"))
    asked = parser.parse_args()
    threads = [int(number) for number in asked.threads.split(",")]

    def measured(size: str, readout: str, cell: str, threads: int) -> Fit:
        config = make_config(KIND.parts, PLAIN | READOUTS[readout] | {"cell": cell})
        return measure(SIZES[size], config, threads, asked.rounds)

    rows = list(product(*(names.split(",") for names in (asked.sizes, asked.readouts, asked.cells)), threads))
    done = every(asked.out, ("size", "readout", "cell", "threads"), rows, measured)
    print(json.dumps(describe_machine() | {"threads": threads}))
    print("\n".join(table(done, rows)))


def measure(size: Size, config: Config, threads: int, rounds: int) -> Fit:
    """Return the seconds of an epoch on both sides, and the ratio of every round."""
    torch.set_num_threads(threads)
    start = read_counters()
    config = replace(config, training=replace(config.training, epoch_steps=-(-size.cases // BATCH)))
    ours, theirs = both(size, config)
    losses = compared(ours, theirs)
    if config.model.cell != "lstm_gru" and not np.allclose(*zip(*losses, strict=True), rtol=0, atol=ALIKE):
        raise SystemExit(f"These are not the same network: their losses are {losses}.")
    times = take_turns([Contender("recurra", ours.epoch), Contender("torch.nn", theirs.epoch)], rounds)
    ratios = [b / a for a, b in zip(times["recurra"], times["torch.nn"], strict=True)]
    engines = ours.network.recurrent.engines(mask=ours.network.layout.told)
    seconds = {name: float(np.median(each)) for name, each in times.items()}
    found = {"losses": losses, "seconds": seconds, "ratios": ratios, "engines": engines}
    parameters = [count(one.network) for one in (ours, theirs)]
    return found | {"parameters": parameters, "others": load_since(start).others, "torch": torch.__version__}


def both(size: Size, config: Config) -> tuple["Ours", "Theirs"]:
    """Return both sides with equal weights, as far as they have the same cell."""
    cases = made(size)
    prepared = KIND.prepare(cases, config, 0)
    network, task = KIND.make(config, prepared.learned)
    examples = KIND.encode(cases, prepared.learned)
    assert isinstance(network, CaseNet)
    attends = config.task.readout is None
    twin = Twin(TWINS[config.model.cell], network.embed.linear.in_features, attends)
    if config.model.cell != "lstm_gru":
        twin.copy(network)
    return Ours(network, task, config.training), Theirs(twin, examples, config)


def compared(ours: "Ours", theirs: "Theirs") -> list[tuple[float, float]]:
    """Return the losses of three epochs on both sides, with the same batches."""
    noted, losses = Noted(theirs.examples), []
    ours.start(noted)
    for _ in range(3):
        noted.taken.clear()
        own = ours.epoch()
        theirs.batches = noted.taken
        losses.append((own, theirs.epoch()))
    # Code that recurra does not know, such as what notes the batches, is watched in training, which takes time.
    ours.start(noted.examples)
    # A loop as one writes it shuffles; that of recurra takes cases of about one length together.
    theirs.batches = list(torch.randperm(len(noted), generator=torch.Generator().manual_seed(0)).split(BATCH))
    return losses


def made(size: Size) -> Cases:
    """Return cases of random numbers, with labels by lot."""
    random = np.random.default_rng(0)
    lengths = random.integers(size.shortest, size.longest + 1, size.cases)
    values = tuple(random.normal(size=(length, size.channels)) for length in lengths)
    labels = tuple(f"class {n % CLASSES}" for n in random.permutation(size.cases))
    channels = tuple(f"channel {n}" for n in range(size.channels))
    return Cases(values, labels, tuple(map(str, range(size.cases))), channels)


class Noted:
    """Examples that note which batches were taken, so that the other side takes the same."""

    def __init__(self, examples: CaseExamples):
        self.examples, self.taken = examples, list[Tensor]()

    def __len__(self) -> int:
        return len(self.examples)

    def take(self, numbers: Tensor) -> Batch:
        """Return the examples with these numbers."""
        self.taken.append(numbers)
        return self.examples.take(numbers)


class Ours:
    """The training of recurra."""

    def __init__(self, network: CaseNet, task: Task, settings: TrainingSettings):
        self.network, self.task, self.settings = network, task, settings

    def start(self, examples: CaseExamples | Noted) -> None:
        """Begin a training, from the weights as they are."""
        self.epochs = fit(self.network, self.task, examples, None, self.settings)

    def epoch(self) -> float:
        """Train one epoch; return the mean loss."""
        return next(self.epochs).train_loss


class Theirs:
    """The training of the twin; ``batches`` are the numbers of those cases that make a step each."""

    def __init__(self, network: "Twin", examples: CaseExamples, config: Config):
        self.network, self.examples, self.batches = network, examples, list[Tensor]()
        self.clip, self.smoothing = config.training.clip_norm, config.task.smoothing
        assert examples.targets is not None
        values = examples.values if examples.known is None else torch.cat([examples.values, examples.known], -1)
        self.cases, self.labels = values.split(examples.lengths.tolist()), examples.targets
        rate, decay = config.training.learning_rate, config.training.weight_decay
        self.optimiser = torch.optim.AdamW(network.parameters(), rate, weight_decay=decay, fused=True)

    def epoch(self) -> float:
        """Train one epoch; return the mean loss."""
        losses = []
        for numbers in self.batches:
            cases = [self.cases[n] for n in numbers.tolist()]
            loss = F.cross_entropy(self.network(cases), self.labels[numbers], label_smoothing=self.smoothing)
            self.optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(self.network.parameters(), self.clip)
            self.optimiser.step()
            losses.append(loss.item())
        return float(np.mean(losses))


class TwinAttention(nn.Module):
    """Additive attention with a learned query."""

    def __init__(self, size: int):
        super().__init__()
        self.start = nn.Parameter(torch.randn(size) / size**0.5)
        self.query, self.key = nn.Linear(size, size, bias=False), nn.Linear(size, size, bias=False)
        self.energy = nn.Linear(size, 1, bias=False)

    def forward(self, states: Tensor, mask: Tensor | None) -> Tensor:
        """Return the mean (B, D) of states (B, T, D), but of those behind the end by ``mask`` (B, T)."""
        scores = self.energy(torch.tanh(self.query(self.start) + self.key(states))).squeeze(-1)
        weights = (scores if mask is None else scores.masked_fill(mask, -torch.inf)).softmax(-1)
        return (weights.unsqueeze(1) @ states).squeeze(1)


class Twin(nn.Module):
    """The network as one writes it with torch.nn."""

    def __init__(self, recurrent: type[nn.GRU | nn.LSTM], inputs: int, attends: bool):
        super().__init__()
        size = 2 * HIDDEN
        self.attention = TwinAttention(size) if attends else None
        self.embed = nn.Linear(inputs, HIDDEN)
        self.recurrent = recurrent(HIDDEN, HIDDEN, batch_first=True, bidirectional=True)
        self.out = nn.Linear(size, CLASSES)

    def forward(self, cases: list[Tensor]) -> Tensor:
        """Return what is said of cases (T, C) of any lengths (B, K)."""
        lengths = torch.tensor([len(case) for case in cases])
        packed = not bool((lengths == lengths[0]).all())
        x = self.embed(pad_sequence(cases, batch_first=True)).relu()
        x = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False) if packed else x
        states, last = self.recurrent(x)
        if self.attention is None:
            last = last[0] if isinstance(last, tuple) else last
            return self.out(torch.cat([last[0], last[1]], -1))
        states = pad_packed_sequence(states, batch_first=True)[0] if packed else states
        mask = torch.arange(states.shape[1]) >= lengths.unsqueeze(1) if packed else None
        return self.out(self.attention(states, mask))

    @torch.no_grad()
    def copy(self, network: CaseNet) -> None:
        """Take over the weights of recurra's network."""
        own, weights = network.state_dict(), {}
        for theirs, ours, end in (
            ("embed.", "embed.linear.", ""),
            ("recurrent.", "recurrent.layers.0.0.cell.", "_l0"),
            ("recurrent.", "recurrent.layers.0.1.cell.", "_l0_reverse"),
            ("attention.", "pool.attention.", ""),
            ("attention.start", "pool.query", ""),
            ("out.", "out.", ""),
        ):
            weights |= {theirs + name.removeprefix(ours) + end: own[name] for name in own if name.startswith(ours)}
        self.load_state_dict(weights)


def count(network: nn.Module) -> int:
    """Return how many numbers a network learns."""
    return sum(parameter.numel() for parameter in network.parameters())


def table(done: Fits, rows: list[tuple[str, str, str, int]]) -> Iterator[str]:
    """Return the lines of the table: how many times as fast recurra is, median with its interval."""
    yield "| cases | read out by | cell | threads | torch.nn / recurra | 95 % interval | busy otherwise |"
    yield "|---|---|---|---|---|---|---|"
    for row in rows:
        size, readout, cell, threads = row
        ratios = done[row]["ratios"]
        low, high = quantile_test(ratios, p=0.5).confidence_interval(0.95)
        others = percent(done[row]["others"])
        said = f"{np.median(ratios):.2f} | {low:.2f} to {high:.2f} | {others}"
        yield f"| {SIZES[size]} | {readout} | `{cell}` | {threads} | {said} |"


if __name__ == "__main__":
    main()
