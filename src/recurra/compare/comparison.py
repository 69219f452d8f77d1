"""An honest comparison: the same data, budget and seeds for all, and what costs nothing always beside them.

Nothing here knows what the models do: a candidate is trained and judged by a function that is handed in.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .significance import diebold_mariano, interval_of_mean


@dataclass(frozen=True)
class Candidate:
    """One model in a comparison."""

    label: str
    settings: dict[str, Any]  # what it changes
    attention: str = "none"
    cell: str = ""
    hybrid: bool = False  # whether it is built of several kinds of cell


@dataclass(frozen=True)
class Outcome:
    """One training of one candidate, judged."""

    candidate: Candidate
    seed: int
    losses: np.ndarray  # (origins,) in order of time
    metrics: dict[str, float]
    parameters: int
    seconds_per_epoch: float
    memory: int  # bytes of a training step
    engines: tuple[str, ...]
    epochs: int
    stopped_by: str
    valid_loss: float = math.nan  # what the choice of a model may rest on; the metrics are for judging only


@dataclass(frozen=True)
class Reference:
    """Something simple to compare with, that needs no network."""

    label: str
    losses: np.ndarray
    metrics: dict[str, float]
    naive: bool


@dataclass
class Comparison:
    """All outcomes, and what can be said about them. ``measure`` names the metric that ranks."""

    measure: str
    overlap: int  # how many neighbouring origins share targets
    references: list[Reference]
    outcomes: list[Outcome] = field(default_factory=list)

    @property
    def unit(self) -> str:
        """The ranking metric as people write it."""
        return self.measure.upper()

    def of(self, label: str) -> list[Outcome]:
        """Return the outcomes of one candidate, one per seed."""
        return [outcome for outcome in self.outcomes if outcome.candidate.label == label]

    def labels(self) -> list[str]:
        """Return the candidates, best mean first."""
        names = dict.fromkeys(outcome.candidate.label for outcome in self.outcomes)
        return sorted(names, key=lambda label: self.scores(label).mean())

    def scores(self, label: str) -> np.ndarray:
        """Return the ranking metric of one candidate, per seed."""
        return np.array([outcome.metrics[self.measure] for outcome in self.of(label)])

    def losses(self, label: str) -> np.ndarray:
        """Return the mean loss per origin of one candidate, over its seeds."""
        return np.mean([outcome.losses for outcome in self.of(label)], 0)

    def best_naive(self) -> Reference:
        """Return the best reference that is not trained at all."""
        return min((r for r in self.references if r.naive), key=lambda r: r.metrics[self.measure])

    def rows(self) -> list[dict[str, Any]]:
        """Return the table as plain rows, best first: models and references together."""
        labels = self.labels()
        best = self.losses(labels[0]) if labels else None
        naive = self.best_naive()
        rows = [self._row(label, best, naive) for label in labels]
        for reference in self.references:
            p_best = diebold_mariano(reference.losses, best, self.overlap) if best is not None else math.nan
            rows.append(
                {"model": reference.label, "p_best": p_best, self.measure: reference.metrics[self.measure]}
                | {name: value for name, value in reference.metrics.items() if name != self.measure}
            )
        return sorted(rows, key=lambda row: row[self.measure])

    def _row(self, label: str, best: np.ndarray | None, naive: Reference) -> dict[str, Any]:
        own = self.of(label)
        losses = self.losses(label)
        first = label == self.labels()[0]
        row = {
            "model": label,
            "seeds": len(own),
            "parameters": own[0].parameters,
            "seconds_per_epoch": float(np.median([one.seconds_per_epoch for one in own])),
            "memory_mb": own[0].memory / 2**20,
            "interval": interval_of_mean(self.scores(label)),
            "p_best": math.nan if first or best is None else diebold_mariano(losses, best, self.overlap),
            "p_naive": diebold_mariano(losses, naive.losses, self.overlap),
            "engines": "+".join(dict.fromkeys(own[0].engines)),
            "validation": float(np.mean([one.valid_loss for one in own])),
            "epochs": float(np.mean([one.epochs for one in own])),
            "stopped_by": "+".join(sorted({one.stopped_by for one in own})),
        }
        return row | {name: float(np.mean([one.metrics[name] for one in own])) for name in own[0].metrics}

    def verdicts(self) -> list[str]:
        """Return one plain sentence each: did attention help, did the hybrid help, was naive beaten."""
        sentences = [self._naive_verdict(), self._attention_verdict(), self._hybrid_verdict()]
        return [sentence for sentence in sentences if sentence]

    def _naive_verdict(self) -> str:
        labels = self.labels()
        if not labels:
            return ""
        naive = self.best_naive()
        score, goal = self.scores(labels[0]).mean(), naive.metrics[self.measure]
        p = diebold_mariano(self.losses(labels[0]), naive.losses, self.overlap)
        if not score < goal:
            return (
                f"Nothing beat '{naive.label}', which costs nothing: the best model ({labels[0]}) has "
                f"{self.unit} {score:.4g} against {goal:.4g}."
            )
        better = sum(bool(self.scores(label).mean() < goal) for label in labels)
        sure = f"unlikely to be chance ({chance(p)})" if p < 0.05 else f"which may be chance ({chance(p)})"
        return (
            f"{better} of {len(labels)} models beat the best naive one ({naive.label}, {self.unit} {goal:.4g}); "
            f"the best, {labels[0]}, is {100 * (1 - score / goal):.0f} % better, {sure}.{self._simple_verdict()}"
        )

    def _simple_verdict(self) -> str:
        """Say so if a simple model that is not a network is the best of all."""
        simple = [r for r in self.references if not r.naive]
        if not simple:
            return ""
        best = min(simple, key=lambda r: r.metrics[self.measure])
        score = self.scores(self.labels()[0]).mean()
        if best.metrics[self.measure] >= score:
            return ""
        better = 100 * (1 - best.metrics[self.measure] / score)
        return f" But the {best.label} model is {better:.0f} % better than every network here: use that."

    def _attention_verdict(self) -> str:
        pairs = []
        for outcome in self.outcomes:
            if outcome.candidate.attention != "none":
                twin = self._twin(outcome)
                if twin is not None:
                    pairs.append((outcome.metrics[self.measure], twin.metrics[self.measure]))
        return paired_verdict("Attention", pairs, "the same cell and seed without it", self.unit)

    def _twin(self, outcome: Outcome) -> Outcome | None:
        """Return the outcome of the same cell and seed without attention."""
        for other in self.outcomes:
            same = other.candidate.cell == outcome.candidate.cell and other.seed == outcome.seed
            if same and other.candidate.attention == "none":
                return other
        return None

    def _hybrid_verdict(self) -> str:
        groups = {(o.candidate.attention, o.seed) for o in self.outcomes}
        pairs = []
        for attention, seed in sorted(groups):
            group = [o for o in self.outcomes if (o.candidate.attention, o.seed) == (attention, seed)]
            hybrids = [o.metrics[self.measure] for o in group if o.candidate.hybrid]
            plain = [o.metrics[self.measure] for o in group if o.candidate.cell in ("lstm", "gru")]
            pairs += [(hybrid, float(np.mean(plain))) for hybrid in hybrids if plain]
        parents = sorted({o.candidate.cell for o in self.outcomes} & {"lstm", "gru"})
        against = "the mean of lstm and gru" if len(parents) == 2 else " ".join(parents)
        return paired_verdict("Mixing LSTM and GRU", pairs, against, self.unit)


def chance(p: float) -> str:
    """Return a p-value as a person reads it."""
    return "too few origins to say" if math.isnan(p) else ("p < 0.001" if p < 0.001 else f"p = {p:.2g}")


def paired_verdict(what: str, pairs: Sequence[tuple[float, float]], against: str, measure: str) -> str:
    """Say in one sentence whether the first of each pair is lower than the second, with its interval."""
    if not pairs:
        return ""
    changes = np.array([100 * (with_it - without) / without for with_it, without in pairs])
    mean, half = changes.mean(), interval_of_mean(changes)
    if math.isnan(half):
        return f"{what}: one pair only ({measure} {mean:+.1f} % against {against}); use more seeds to know."
    span = f"{measure} {mean:+.1f} % against {against}, 95 % interval {mean - half:+.1f} to {mean + half:+.1f} %"
    if mean + half < 0:
        return f"{what} helped here: {span}."
    if mean - half > 0:
        return f"{what} hurt here: {span}."
    return f"{what} made no difference that {len(pairs)} pairs can show: {span}."


def compare(
    candidates: Sequence[Candidate], seeds: Sequence[int], run: Callable[[Candidate, int], Outcome]
) -> Iterator[Outcome]:
    """Train and judge every candidate with every seed, seed by seed, so that stopping early stays fair."""
    for seed in seeds:
        for candidate in candidates:
            yield run(candidate, seed)


def equal_size(count: Callable[[int], int], goal: int, step: int = 1) -> int:
    """Return the hidden size, a multiple of ``step``, whose parameter ``count`` comes nearest to ``goal``."""
    low, high = 1, 2
    while count(high * step) < goal:
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if count(middle * step) < goal else (low, middle)
    return min((low * step, high * step), key=lambda size: abs(count(size) - goal))
