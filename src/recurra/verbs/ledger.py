"""What a comparison has finished: kept on disk after every training, so that it can go on after whatever stops it."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..compare.comparison import Candidate, Effort, Outcome
from ..errors import ConfigError, RunError
from ..tasks.base import Fitted, Kind
from ..tasks.saving import from_run, to_run
from ..training import runs
from ..training.device import pick_device

OUTCOME, BEST = "outcome.", "best."


@dataclass
class Best:
    """The model that is kept so far: that of the lowest validation loss."""

    label: str
    seed: int
    loss: float
    fitted: Fitted
    history: list[dict[str, Any]]


@dataclass
class Looked:
    """Where the best model that has an attention looked: the one that is kept may have none."""

    model: str
    weights: list[Any]
    loss: float


@dataclass
class Ledger:
    """The outcomes so far, and the models that a report will show."""

    outcomes: list[Outcome] = field(default_factory=list)
    best: Best | None = None
    looked: Looked | None = None

    def find(self, label: str, seed: int) -> Outcome | None:
        """Return the outcome of a candidate with a seed, if there is one."""
        return next((one for one in self.outcomes if (one.candidate.label, one.seed) == (label, seed)), None)

    def write(self, folder: Path, plan: Mapping[str, Any]) -> None:
        """Write everything into one file, replaced in one move; ``plan`` is what was asked for."""
        assert self.best is not None
        run = to_run(self.best.fitted, self.best.history)
        tensors = {f"{BEST}{name}": value for name, value in run.weights.items()}
        for number, outcome in enumerate(self.outcomes):
            values = outcome.statistics.items()
            tensors |= {f"{OUTCOME}{number}.{name}": torch.from_numpy(np.array(value)) for name, value in values}
        best = {"label": self.best.label, "seed": self.best.seed, "loss": self.best.loss}
        about = {
            "plan": plan,
            "outcomes": [_plain(outcome) for outcome in self.outcomes],
            "best": best | {"config": run.config, "history": run.history},
            "looked": None if self.looked is None else vars(self.looked),
        }
        runs.write_state(folder, tensors, about)


def _plain(outcome: Outcome) -> dict[str, Any]:
    return {
        "label": outcome.candidate.label,
        "seed": outcome.seed,
        "metrics": outcome.metrics,
        "effort": dataclasses.asdict(outcome.effort),
        "valid_loss": outcome.valid_loss,
    }


def read_ledger(folder: Path, plan: Mapping[str, Any], kind: Kind, candidates: Sequence[Candidate]) -> Ledger:
    """Read what the comparison in ``folder`` has finished; raises an error if it is not of the same ``plan``."""
    tensors, about = runs.read_state(folder, plan["verb"])
    check_same(about["plan"], plan, "comparison", "Compare")
    known = {candidate.label: candidate for candidate in candidates}
    outcomes = [_outcome(known, one, _of(tensors, f"{OUTCOME}{n}.")) for n, one in enumerate(about["outcomes"])]
    kept, members = about["best"], _classes(candidates)
    run = runs.Run(kept["config"], _of(tensors, BEST), kept["history"])
    fitted = from_run(run, folder, kind, members)
    fitted.network.to(pick_device(fitted.config.training.device, fitted.network))
    best = Best(kept["label"], kept["seed"], kept["loss"], fitted, run.history)
    return Ledger(outcomes, best, about["looked"] and Looked(**about["looked"]))


def _outcome(known: Mapping[str, Candidate], plain: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> Outcome:
    effort = Effort(**plain["effort"] | {"engines": tuple(plain["effort"]["engines"])})
    statistics = {name: value.numpy() for name, value in tensors.items()}
    return Outcome(known[plain["label"]], plain["seed"], statistics, plain["metrics"], effort, plain["valid_loss"])


def _of(tensors: Mapping[str, torch.Tensor], start: str) -> dict[str, torch.Tensor]:
    return {name.removeprefix(start): value for name, value in tensors.items() if name.startswith(start)}


def _classes(candidates: Iterable[Candidate]) -> list[type]:
    """Return the cells and attentions of the user's own that are compared."""
    values = [candidate.settings.get(name) for candidate in candidates for name in ("cell", "attention")]
    members = [one for value in values for one in (value if isinstance(value, tuple) else (value,))]
    return [one for one in members if isinstance(one, type)]


def check_same(before: Mapping[str, Any], now: Mapping[str, Any], what: str, anew: str) -> None:
    """Raise an error if ``what`` goes on would do so with other data, models or settings than it began with."""
    if before["data"] != now["data"]:
        raise RunError(f"The data are not those this {what} began with, so it cannot go on. {anew} anew instead.")
    first, second = ({name: value for name, value in plan.items() if name != "asked"} for plan in (before, now))
    changed = runs.differences(first, second)
    if changed:
        raise ConfigError(f"A {what} goes on with what it began with: {'; '.join(changed[:5])}. Leave that as it was.")
