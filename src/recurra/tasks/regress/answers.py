"""What a regressor says of cases.

Shapes: N cases, K targets, Q quantiles.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ...compare.metric import Statistics
from ...data.cases import Cases
from ...errors import plural
from ...nn.intervals import levels_of, margins, widened
from ...nn.occlusion import Fall
from ..base import Exam, Fitted
from ..cases.examples import CaseExamples
from ..cases.looking import predictions
from .learned import RegressLearned
from .numbers import judged_numbers
from .task import RegressTask


class Guess(NamedTuple):
    """What one model said about some cases."""

    point: np.ndarray  # (N, K)
    bands: dict[int, tuple[np.ndarray, np.ndarray]]  # coverage in percent to lower and upper end, each (N, K)


class Truth(NamedTuple):
    """What should be said, and what errors are measured in."""

    values: np.ndarray  # (N, K)
    unit: np.ndarray  # (K,)


@dataclass(frozen=True)
class Numbers:
    """The numbers of some cases."""

    cases: Cases
    targets: tuple[str, ...]
    guess: Guess
    notes: tuple[str, ...] = ()  # what is to be known of them

    def frame(self) -> pd.DataFrame:
        """Return ``case`` and, for every target, its number and the ends of its intervals, ``<target>-lo-90``."""
        columns: dict[str, object] = {"case": list(self.cases.names)}
        for n, name in enumerate(self.targets):
            columns[name] = self.guess.point[:, n]
            for level, (low, high) in self.guess.bands.items():
                columns[f"{name}-lo-{level}"], columns[f"{name}-hi-{level}"] = low[:, n], high[:, n]
        return pd.DataFrame(columns)


def ask_network(fitted: Fitted, examples: CaseExamples) -> Guess:
    """Say the numbers of all ``examples``."""
    learned, task = _parts(fitted)
    params = task.params(predictions(fitted, examples))
    bands = {}
    if task.head.quantiles:
        ends = widened(task.head.interval(params), torch.from_numpy(learned.moves)).numpy()
        for level, low, high in levels_of(task.head.quantiles):
            bands[level] = learned.unscaled(ends[..., low]), learned.unscaled(ends[..., high])
    return Guess(learned.unscaled(task.head.point(params).numpy()), bands)


def falls_of(fitted: Fitted) -> Fall:
    """Return how far each number falls from what the whole says to what is left, in the units of the targets: (B, K).

    ``y(x) − y(x without stretch)``
    """
    learned, task = _parts(fitted)

    def falls(whole: Tensor, left: Tensor) -> Tensor:
        before, after = (task.head.point(task.params(prediction)) for prediction in (whole, left))
        return (before - after) * torch.from_numpy(learned.std).to(before)

    return falls


def moves_of(fitted: Fitted) -> Fall:
    """Return how far the answer moves (B,), ``|y(x) − y(x without stretch)|``: the mean over targets, as errors are."""
    learned, falls = _parts(fitted)[0], falls_of(fitted)
    return lambda whole, left: (falls(whole, left).abs() / torch.from_numpy(learned.unit).to(whole)).mean(-1)


def notes_on(fitted: Fitted, guess: Guess, model: str | None) -> tuple[str, ...]:
    """Say so if one row of the table has no intervals where the network has some."""
    if guess.bands or fitted.config.task.loss != "quantile":
        return ()
    return (f"{model} answers without intervals; they come with model='network', or with model= left out",)


def calibrate(fitted: Fitted, examples: CaseExamples) -> None:
    """Move the ends of the intervals of each target until they hold, on ``examples``, as much as their levels say."""
    learned, task = _parts(fitted)
    quantiles = task.head.quantiles
    if not quantiles:
        return
    assert examples.targets is not None
    every = task.head.interval(task.params(predictions(fitted, examples))).numpy()
    moves = []
    for ends, truth in zip(every.swapaxes(0, 1), examples.targets.numpy().T, strict=True):
        misses = {
            level: np.maximum(ends[:, low] - truth, truth - ends[:, high]) for level, low, high in levels_of(quantiles)
        }
        moves.append(margins(quantiles, misses, float(np.diff(ends).min()), len(truth)))
    fitted.learned = replace(learned, moves=np.stack(moves))


def reach(fitted: Fitted, examples: CaseExamples) -> np.ndarray:
    """Return how far the ends of the intervals lie from the median (K, Q), each the mean over ``examples``."""
    learned, task = _parts(fitted)
    ends = task.head.interval(task.params(predictions(fitted, examples)))
    moved = widened(ends, torch.from_numpy(learned.moves)).numpy()
    far: np.ndarray = (moved - moved[..., [moved.shape[-1] // 2]]).mean(0)
    return far


def keep_reach(fitted: Fitted, examples: CaseExamples, wanted: np.ndarray) -> None:
    """Move the ends of the intervals until they reach as far on ``examples`` as ``wanted`` (K, Q).

    A network has learned what it trains on better than what it has not seen, and its quantiles draw together there. So
    when the cases that calibrated its intervals have trained, too, these stay as wide as they were found to hold.
    """
    learned, _ = _parts(fitted)
    fitted.learned = replace(learned, moves=np.zeros_like(learned.moves))
    fitted.learned = replace(learned, moves=wanted - reach(fitted, examples))


def _parts(fitted: Fitted) -> tuple[RegressLearned, RegressTask]:
    learned, task = fitted.learned, fitted.task
    assert isinstance(learned, RegressLearned) and isinstance(task, RegressTask)
    return learned, task


def statistics_of(truth: Truth, guess: Guess) -> Statistics:
    """Return case by case the errors and the truth (N, K), and which of how many numbers lie in each interval."""
    values, unit = truth
    found = {"error": (guess.point - values) / unit, "truth": values / unit, "count": np.ones(values.shape)}
    for level, (low, high) in guess.bands.items():
        found[f"inside_{level}"] = ((values >= low) & (values <= high)).astype(float)
    return found


def make_exam(cases: Cases, learned: RegressLearned, examples: CaseExamples) -> Exam:
    """Return ``examples`` of ``cases`` whose numbers are known; raises DataError if they are not."""
    truth = Truth(judged_numbers(cases, learned.names), learned.unit)
    return Exam(examples, truth, f"judged by {len(cases):,} case{plural(len(cases))}")
