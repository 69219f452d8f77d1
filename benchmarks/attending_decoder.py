"""The attending decoder with input feeding: a training step, and one step of decoding.

``python benchmarks/attending_decoder.py`` prints two tables. All runs of a row take turns in one process, and every
figure is the fastest of its rounds, as a machine may do other work. A training step is forwards and backwards of the
decoder alone, what it looks at included: 64 sentences, 15 steps written, 15 looked at, embeddings 256 wide, gradients
to the memory and the embeddings.
"plain loop" is what a person writes with ``nn.LSTMCell`` or ``nn.GRUCell`` and linear
layers. The figures that were found are in README.md.
"""

import argparse
import time
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from recurra.attention import AdditiveAttention, GeneralAttention
from recurra.cells import GRUCell, LSTMCell, LSTMGRUCell
from recurra.nn.attending import AttendingCell, write_all
from recurra.nn.attending_stepper import AttendingStepper

BATCH, STEPS, EMBEDDED = 64, 15, 256
CELLS = {"lstm": LSTMCell, "gru": GRUCell, "lstm_gru": LSTMGRUCell}
ATTENTIONS = {"additive": AdditiveAttention, "general": GeneralAttention}


class PlainLoop(nn.Module):
    """An attending decoder as it is written without a library."""

    def __init__(self, cell: str, attention: str, hidden: int):
        super().__init__()
        kind = nn.GRUCell if cell == "gru" else nn.LSTMCell
        self.cell, self.hidden, self.additive = kind(EMBEDDED + hidden, hidden), hidden, attention == "additive"
        self.query, self.key = nn.Linear(hidden, hidden, bias=False), nn.Linear(hidden, hidden, bias=False)
        self.energy, self.combine = nn.Linear(hidden, 1, bias=False), nn.Linear(2 * hidden, hidden, bias=False)

    def forward(self, x: Tensor, memory: Tensor) -> Tensor:
        """Return h~ (B, Q, H)."""
        said = state = x.new_zeros(len(x), self.hidden)
        if isinstance(self.cell, nn.LSTMCell):
            state = state, state
        keys, outputs = self.key(memory) if self.additive else memory, []
        for step in range(x.shape[1]):
            state = self.cell(torch.cat([x[:, step], said], -1), state)
            h = state[0] if isinstance(state, tuple) else state
            if self.additive:
                scores = self.energy(torch.tanh(self.query(h).unsqueeze(1) + keys)).squeeze(-1)
            else:
                scores = torch.bmm(keys, self.query(h).unsqueeze(-1)).squeeze(-1)
            context = torch.bmm(scores.softmax(-1).unsqueeze(1), memory).squeeze(1)
            said = torch.tanh(self.combine(torch.cat([context, h], -1)))
            outputs.append(said)
        return torch.stack(outputs, 1)


def fastest(runs: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return the least milliseconds of each of ``runs``, which take turns."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds + 2):
        for name, run in runs.items():
            started = time.perf_counter()
            run()
            if number >= 2:
                times[name].append(1000 * (time.perf_counter() - started))
    return {name: min(taken) for name, taken in times.items()}


def decoder(cell: str, attention: str, hidden: int) -> AttendingCell:
    """Return an attending cell."""
    return AttendingCell(CELLS[cell](EMBEDDED, hidden), ATTENTIONS[attention](hidden, hidden))


def training(cell: str, attention: str, hidden: int, rounds: int) -> dict[str, float]:
    """Return how long a training step takes, by who does it."""
    owner, plain = decoder(cell, attention, hidden), PlainLoop(cell, attention, hidden)
    x = torch.randn(BATCH, STEPS, EMBEDDED, requires_grad=True)
    memory = torch.randn(BATCH, STEPS, hidden, requires_grad=True)

    def ours(engine: str) -> Callable[[], None]:
        def run() -> None:
            owner.zero_grad()
            bound = owner.bind(owner.attention.project(memory))
            write_all(bound, x, bound.initial(owner.cell.initial(BATCH)), engine).outputs.sum().backward()

        return run

    def theirs() -> None:
        plain.zero_grad()
        plain(x, memory).sum().backward()

    runs: dict[str, Callable[[], object]] = {"native": ours("native"), "reference": ours("reference")}
    return fastest(runs if cell == "lstm_gru" else runs | {"plain loop": theirs}, rounds)


def decoding(cell: str, rows: int, hidden: int, rounds: int) -> dict[str, float]:
    """Return how long one step takes for ``rows``, of which five are beams of one sentence if they can be."""
    owner = decoder(cell, "additive", hidden).requires_grad_(False).eval()
    sentences = max(1, rows // 5) if rows % 5 == 0 else rows
    memory = owner.attention.project(torch.randn(sentences, STEPS, hidden))
    x = owner.cell.project(torch.randn(rows, EMBEDDED))
    runs: dict[str, Callable[[], object]] = {}
    for engine in ("native", "reference"):
        stepper = AttendingStepper(owner, engine)
        stepper.begin(memory, owner.cell.initial(sentences))
        stepper.take(torch.arange(sentences).repeat_interleave(rows // sentences))
        runs[engine] = lambda stepper=stepper: [stepper.step(x) for _ in range(STEPS)]
    return {name: taken / STEPS for name, taken in fastest(runs, rounds).items()}


def rows(hiddens: list[int], rounds: int) -> Iterator[str]:
    """Yield the lines of both tables."""
    yield "| cell | attention | H | native, ms | reference | plain loop |\n|---|---|---|---|---|---|"
    for hidden in hiddens:
        for cell in CELLS:
            for attention in ATTENTIONS:
                ms = training(cell, attention, hidden, rounds)
                beside = [
                    f"{ms[name] / ms['native']:.2f}" if name in ms else "" for name in ("reference", "plain loop")
                ]
                yield f"| {cell} | {attention} | {hidden} | {ms['native']:.1f} | {beside[0]} | {beside[1]} |"
    yield "\n| cell | rows | H | native, ms a step | reference |\n|---|---|---|---|---|"
    for hidden in hiddens:
        for cell in ("lstm", "gru"):
            for count in (1, 5, 64, 320):
                ms = decoding(cell, count, hidden, rounds)
                beside_native = ms["reference"] / ms["native"]
                yield f"| {cell} | {count} | {hidden} | {ms['native']:.3f} | {beside_native:.2f} |"


def main() -> None:
    """Print the tables: milliseconds of the native engine, and how many times as long the others take."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--hidden", type=int, nargs="+", default=[256, 512])
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    for line in rows(given.hidden, given.rounds):
        print(line, flush=True)


if __name__ == "__main__":
    main()
