"""A kind of task of one's own: count the ones in a bit string. A file holds lines such as ``0110,2``."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from recurra.compare.metric import Metric, ratio
from recurra.data.batch import Batch
from recurra.errors import DataError
from recurra.nn.build import make_recurrent
from recurra.nn.layers import Embed, Pool
from recurra.nn.models import Output, Reader
from recurra.settings import Parts, setting
from recurra.tasks import Baseline, Exam, Glimpse, Kind
from recurra.training.task import Loss, Memorised


@dataclass(kw_only=True)
class CountSettings:
    """What there is to say about counting."""

    embedding: int = setting(4, "width of the vector that stands for a bit", low=1)


class Strings(NamedTuple):
    bits: list[str]
    counts: list[int]
    notes: tuple[str, ...] = ()


class Cut(NamedTuple):
    """Places of strings: the first train, then come validation and test."""

    train: range
    valid: range
    test: range
    test_size: int
    notes: tuple[str, ...]


class Longest(NamedTuple):
    """What is learned: how long a string can be."""

    length: int

    def to_plain(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        return {"length": self.length}, {}


class Half(Baseline):
    """Half of the bits are ones."""

    def answer(self, examples: Memorised) -> np.ndarray:
        mask = examples.batch.mask
        assert mask is not None
        return mask.sum(1).numpy() / 2


class CountTask:
    """Least squares."""

    def ask(self, model: nn.Module, batch: Batch) -> Output:
        return model(batch)

    def loss(self, output: Output, batch: Batch) -> Loss:
        return Loss((output.prediction[:, 0] - batch.targets).square().sum(), len(batch))


class Counting(Kind):
    """From bits to how many of them are ones."""

    parts = Parts("count", CountSettings, data="DATA has a line for each string: its bits, a comma, its ones.")

    def read(self, source: Any, config: Any, learned: Any = None, most: Any = None, tell: Any = None) -> Strings:
        rows = [line.split(",") for line in Path(source).read_text().split()[:most]]
        if not all(set(bits) <= {"0", "1"} for bits, *_ in rows):
            raise DataError("A string has other signs than 0 and 1. Take them out.")
        return Strings([bits for bits, *_ in rows], [int(rest[0]) if rest else -1 for _, *rest in rows])

    def fingerprint(self, data: Strings) -> str:
        return hashlib.sha256(repr(data).encode()).hexdigest()

    def plan(self, data: Strings, config: Any, test_size: int | None) -> Cut:
        test = len(data.bits) // 5 if test_size is None else test_size
        end = len(data.bits) - test
        note = f"{end} strings to learn from, {test} to judge by"
        return Cut(range(end * 4 // 5), range(end * 4 // 5, end), range(end, end + test), test, (note,))

    def learn(self, data: Strings, plan: Cut, config: Any) -> Longest:
        return Longest(max(map(len, data.bits)))

    def recall(self, plain: Any, arrays: Any) -> Longest:
        return Longest(plain["length"])

    def encode(self, data: Strings, learned: Longest, part: range | None = None) -> Memorised:
        places = range(len(data.bits)) if part is None else part
        bits = torch.tensor([[int(b) for b in data.bits[n].ljust(learned.length, "0")] for n in places])
        mask = torch.tensor([[at < len(data.bits[n]) for at in range(learned.length)] for n in places])
        return Memorised(Batch(bits, torch.tensor([float(data.counts[n]) for n in places]), mask))

    def build(self, config: Any, learned: Longest) -> tuple[nn.Module, CountTask]:
        recurrent = make_recurrent(config.model, config.task.embedding)
        head = nn.Linear(recurrent.output_size, 1)
        return Reader(Embed(config.task.embedding, symbols=2), recurrent, Pool("last"), head), CountTask()

    def ask(self, fitted: Any, examples: Memorised) -> np.ndarray:
        with torch.no_grad():
            said: Tensor = fitted.network(examples.batch).prediction
        return said[:, 0].numpy()

    def answer(self, fitted: Any, data: Strings, asked: Any) -> dict[str, Any]:
        return {"bits": data.bits, "ones": self.ask(fitted, self.encode(data, fitted.learned))}

    def frame(self, answers: dict[str, Any]) -> pd.DataFrame:
        return pd.DataFrame(answers)

    def metrics(self, config: Any) -> tuple[Metric, ...]:
        return (Metric("off", "ones off", "low", ratio("off", "count"), "how many ones a count is off, on average"),)

    def statistics(self, truth: np.ndarray, answers: np.ndarray) -> dict[str, np.ndarray]:
        return {"off": np.abs(truth - answers), "count": np.ones(len(truth))}

    def baselines(self, config: Any, learned: Longest) -> dict[str, Baseline]:
        return {"half of all": Half()}

    def exam(self, data: Strings, learned: Longest, part: range | None) -> Exam:
        examples = self.encode(data, learned, part)
        return Exam(examples, examples.batch["target"].numpy(), f"judged by {len(examples)} strings")

    def choose(self, data: Strings, fitted: Any, asked: Any, size: Any, held_out: Any, tell: Any = None) -> Any:
        return None if held_out is None else self.plan(data, fitted.config, held_out).test

    def title(self, fitted: Any, data: Strings) -> str:
        return "How many ones"

    def glimpse(self, fitted: Any, data: Strings) -> Glimpse:
        one = self.encode(data, fitted.learned, range(1)).batch
        return Glimpse(one, list(range(1, fitted.learned.length + 1)), "A step is a bit.")
