"""How fast a language model writes, one character after the other, beside loops written by hand with torch.nn.

    python benchmarks/generation.py [--sizes 128,512] [--threads 1] [--rounds 15] [--length 1000]

One LSTM, vectors of as many numbers that are used again to say what comes next, 65 letters; a character is drawn from
all of them at temperature 1. Of recurra it is what ``recurra generate`` does, down to the text. Of torch.nn there are
two loops under ``torch.inference_mode``, one with ``nn.LSTMCell`` and one with ``nn.LSTM`` over a step, which draw by
``torch.multinomial``; the faster one counts. Weights are equal, and before times are taken the scores behind 50
characters must be, too.

All write in turns, in one process. A line of JSON is added to ``--out`` (generation.jsonl) for every row; what is in
it already is not measured again.
"""

import argparse
import json
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accuracy.fits import Fit, Fits, every
from scipy.stats import quantile_test
from torch import Tensor, nn
from torch.nn import functional as F

from recurra.bench.machine import describe_machine, load_since, read_counters
from recurra.bench.timing import Contender, take_turns
from recurra.settings import make_config
from recurra.tasks.base import Fitted
from recurra.tasks.language.kind import KIND
from recurra.tasks.language.learned import LanguageLearned
from recurra.tasks.language.settings import PARTS, LanguageSettings, WritingAsked
from recurra.tasks.language.writing import Reading, write
from recurra.training.record import Record
from recurra.writing.numbers import percent

LETTERS = "".join(map(chr, range(ord("0"), ord("0") + 64))) + "\n"
ALIKE = 1e-4  # of scores
Step = Callable[[Tensor], Tensor]  # from a letter (1,) to the scores (1, V) of the next one


def main() -> None:
    """Measure what is not measured yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="128,512")
    parser.add_argument("--threads", default="1")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--length", type=int, default=1000)
    parser.add_argument("--out", type=Path, default=Path("generation.jsonl"))
    asked = parser.parse_args()
    sizes, threads = ([int(number) for number in text.split(",")] for text in (asked.sizes, asked.threads))
    rows = list(product(sizes, threads))
    keys = ("size", "threads")
    done = every(asked.out, keys, rows, lambda *row: measure(*row, asked.rounds, asked.length))
    print(json.dumps(describe_machine()))
    print("\n".join(table(done, rows)))


def measure(size: int, threads: int, rounds: int, length: int) -> Fit:
    """Return the characters of a second on all sides, and the ratio to the faster loop in every round."""
    torch.set_num_threads(threads)
    start, fitted = read_counters(), made(size)
    twin = Twin(fitted)
    twin.compare()
    loops = {"LSTMCell": twin.by_cell, "LSTM": twin.by_layer}
    contenders = [Contender("recurra", lambda: "".join(write(fitted, WritingAsked(length=length))))]
    contenders += [Contender(name, lambda begin=begin: twin.write(begin(), length)) for name, begin in loops.items()]
    times = take_turns(contenders, rounds)
    speeds = {name: length / float(np.median(each)) for name, each in times.items()}
    best = max(loops, key=lambda name: speeds[name])
    ratios = [b / a for a, b in zip(times["recurra"], times[best], strict=True)]
    return {"speeds": speeds, "best": best, "ratios": ratios, "length": length, "torch": torch.__version__} | {
        "others": load_since(start).others
    }


def made(size: int) -> Fitted:
    """Return a language model that was never trained."""
    config = make_config(PARTS, {"hidden_size": size, "steps": 1, "dropout": 0.0})
    learned = LanguageLearned.of(LETTERS, LanguageSettings(steps=1))
    network, task = KIND.make(config, learned)
    return Fitted(KIND, config, learned, network.eval(), task, {}, Record.of(network, "cpu"))


class Twin:
    """The same model as one writes it with torch.nn."""

    def __init__(self, fitted: Fitted):
        self.fitted, network = fitted, fitted.network
        self.table, self.bias = network.embed.detach(), network.bias.detach()
        own, size = network.recurrent.cells()[0], fitted.config.model.hidden_size
        self.size, self.cell, self.layer = size, nn.LSTMCell(size, size), nn.LSTM(size, size, batch_first=True)
        with torch.no_grad():
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                getattr(self.cell, name).copy_(getattr(own, name))
                getattr(self.layer, f"{name}_l0").copy_(getattr(own, name))
        self.letters = [fitted.learned.shown(number) for number in range(fitted.learned.size)]

    def by_cell(self) -> Step:
        """Return a step of nn.LSTMCell that keeps its state."""
        state = (torch.zeros(1, self.size), torch.zeros(1, self.size))

        def step(letter: Tensor) -> Tensor:
            nonlocal state
            state = self.cell(F.embedding(letter, self.table), state)
            return F.linear(state[0], self.table, self.bias)

        return step

    def by_layer(self) -> Step:
        """Return a step of nn.LSTM that keeps its state."""
        state = (torch.zeros(1, 1, self.size), torch.zeros(1, 1, self.size))

        def step(letter: Tensor) -> Tensor:
            nonlocal state
            out, state = self.layer(F.embedding(letter, self.table).unsqueeze(1), state)
            return F.linear(out[:, 0], self.table, self.bias)

        return step

    @torch.inference_mode()
    def write(self, step: Step, length: int) -> str:
        """Write so many letters."""
        generator, letter, said = torch.Generator().manual_seed(0), torch.tensor([self.fitted.learned.start]), []
        never = torch.zeros(len(self.table)).index_fill(0, torch.tensor([0, 1]), -torch.inf)
        for _ in range(length):
            shares = (step(letter) + never).softmax(-1)
            letter = torch.multinomial(shares, 1, generator=generator)[0]
            said.append(self.letters[int(letter)])
        return "".join(said)

    @torch.inference_mode()
    def compare(self) -> None:
        """Raise SystemExit unless all sides say the same of one text."""
        text = torch.randint(2, len(self.table), (50,), generator=torch.Generator().manual_seed(1))
        with torch.inference_mode(False):
            ours = Reading(self.fitted.network)
            said = torch.stack([ours.next(int(letter)) for letter in text])
        for begin in (self.by_cell, self.by_layer):
            step = begin()
            if not torch.allclose(said, torch.cat([step(letter.view(1)) for letter in text]), rtol=0, atol=ALIKE):
                raise SystemExit("These are not the same network: their scores differ.")


def table(done: Fits, rows: list[tuple[int, int]]) -> Iterator[str]:
    """Return the lines of the table: how many times as fast recurra is, median with its interval."""
    yield "| units | threads | recurra, characters/s | nn.LSTMCell | nn.LSTM | ratio | 95 % interval | busy otherwise |"
    yield "|---|---|---|---|---|---|---|---|"
    for row in rows:
        one: dict[str, Any] = done[row]
        low, high = quantile_test(one["ratios"], p=0.5).confidence_interval(0.95)
        speeds = " | ".join(f"{one['speeds'][name]:,.0f}" for name in ("recurra", "LSTMCell", "LSTM"))
        ratio = f"{np.median(one['ratios']):.2f} | {low:.2f} to {high:.2f}"
        yield f"| {row[0]} | {row[1]} | {speeds} | {ratio} | {percent(one['others'])} |"


if __name__ == "__main__":
    main()
