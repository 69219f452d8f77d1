"""An honest comparison: the same data, budget and seeds for all, and what costs nothing always beside them.

Nothing here knows what the models do: a candidate is trained and judged by a function that is handed in.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .advice import SURE, chance
from .metric import Metric, Statistics
from .significance import interval_of_mean

Chance = Callable[[Sequence[Statistics], Sequence[Statistics]], float]  # the p-value that two are equally good


@dataclass(frozen=True)
class Candidate:
    """One model in a comparison."""

    label: str
    settings: dict[str, Any]  # what it changes
    attention: str = "none"
    cell: str = ""
    hybrid: bool = False  # whether it is built of several kinds of cell
    recipe: bool = False  # whether it differs from the others in more than cell and attention, perhaps in its loss


@dataclass(frozen=True)
class Effort:
    """What one training took."""

    parameters: int
    seconds_per_epoch: float
    memory: int  # bytes of a training step
    engines: tuple[str, ...]
    epochs: int
    stopped_by: str


@dataclass(frozen=True)
class Outcome:
    """One training of one candidate, judged."""

    candidate: Candidate
    seed: int
    statistics: Statistics
    metrics: dict[str, float]
    effort: Effort
    valid_loss: float = math.nan  # what the choice of a model may rest on; the metrics are for judging only


@dataclass(frozen=True)
class Reference:
    """Something simple to compare with, that needs no network."""

    label: str
    statistics: Statistics
    metrics: dict[str, float]
    naive: bool


@dataclass
class Comparison:
    """All outcomes, and what can be said about them. ``metric`` ranks; ``chance`` tells luck from skill."""

    metric: Metric
    chance: Chance
    references: list[Reference]
    outcomes: list[Outcome] = field(default_factory=list)

    def of(self, label: str) -> list[Outcome]:
        """Return the outcomes of one candidate, one per seed."""
        return [outcome for outcome in self.outcomes if outcome.candidate.label == label]

    def labels(self) -> list[str]:
        """Return the candidates, best mean first."""
        names = dict.fromkeys(outcome.candidate.label for outcome in self.outcomes)
        return sorted(names, key=lambda label: self._rank(self.scores(label).mean()))

    def scores(self, label: str) -> np.ndarray:
        """Return the ranking metric of one candidate, per seed."""
        return np.array([outcome.metrics[self.metric.name] for outcome in self.of(label)])

    def statistics(self, label: str) -> list[Statistics]:
        """Return the statistics of one candidate, per seed."""
        return [outcome.statistics for outcome in self.of(label)]

    def score_of(self, reference: Reference) -> float:
        """Return the ranking metric of a reference."""
        return reference.metrics[self.metric.name]

    def best_naive(self) -> Reference | None:
        """Return the best reference that is not trained at all, if there is one."""
        return self._best([r for r in self.references if r.naive])

    def rows(self) -> list[dict[str, Any]]:
        """Return the table as plain rows, best first: models and references together."""
        labels = self.labels()
        best = self.statistics(labels[0]) if labels else None
        rows = [self._row(label, best) for label in labels]
        for reference in self.references:
            p_best = math.nan if best is None else self.chance([reference.statistics], best)
            rows.append({"model": reference.label, "p_best": p_best, **reference.metrics})
        return sorted(rows, key=lambda row: self._rank(row[self.metric.name]))

    def _row(self, label: str, best: list[Statistics] | None) -> dict[str, Any]:
        own, statistics, naive = self.of(label), self.statistics(label), self.best_naive()
        first = label == self.labels()[0]
        row = {
            "model": label,
            "seeds": len(own),
            "parameters": own[0].effort.parameters,
            "seconds_per_epoch": float(np.median([one.effort.seconds_per_epoch for one in own])),
            "memory_mb": own[0].effort.memory / 2**20,
            "interval": interval_of_mean(self.scores(label)),
            "p_best": math.nan if first or best is None else self.chance(statistics, best),
            "p_naive": math.nan if naive is None else self.chance(statistics, [naive.statistics]),
            "engines": "+".join(dict.fromkeys(own[0].effort.engines)),
            "validation": math.nan if own[0].candidate.recipe else float(np.mean([one.valid_loss for one in own])),
            "epochs": float(np.mean([one.effort.epochs for one in own])),
            "stopped_by": "+".join(sorted({one.effort.stopped_by for one in own})),
        }
        return row | {name: float(np.mean([one.metrics[name] for one in own])) for name in own[0].metrics}

    def _rank(self, score: float) -> float:
        return -score if self.metric.better == "high" else score

    def _best(self, references: list[Reference]) -> Reference | None:
        return min(references, key=lambda r: self._rank(self.score_of(r)), default=None)

    # ---------------------------------------------------------------------------------------------- verdicts

    def verdicts(self) -> list[str]:
        """Return one plain sentence each: was naive beaten, did attention help, the hybrid, every recipe."""
        sentences = [self._naive_verdict(), self._attention_verdict(), self._hybrid_verdict(), *self._recipe_verdicts()]
        return [sentence for sentence in sentences if sentence]

    def _naive_verdict(self) -> str:
        labels, naive, metric = self.labels(), self.best_naive(), self.metric
        if not labels or naive is None:
            return ""
        score, goal = self.scores(labels[0]).mean(), self.score_of(naive)
        better = sum(metric.beats(self.scores(label).mean(), goal) for label in labels)
        against = f"the best naive answer ('{naive.label}', {metric.title} {metric.write(goal)})"
        if not better:
            return f"No network beats {against}; the best, {labels[0]}, has {metric.write(score)}."
        p = self.chance(self.statistics(labels[0]), [naive.statistics])
        sure = f"unlikely to be chance ({chance(p)})" if p < SURE else f"which may be chance ({chance(p)})"
        return (
            f"{better} of {len(labels)} networks beat {against}; the best, {labels[0]}, is "
            f"{metric.apart(goal, score)} better, {sure}."
        )

    def _attention_verdict(self) -> str:
        pairs = []
        for outcome in self._alike():
            if outcome.candidate.attention != "none":
                twin = self._twin(outcome)
                if twin is not None:
                    pairs.append((outcome.metrics[self.metric.name], twin.metrics[self.metric.name]))
        return paired_verdict("Attention", pairs, "the same cell and seed without it", self.metric)

    def _twin(self, outcome: Outcome) -> Outcome | None:
        """Return the outcome of the same cell and seed without attention."""
        for other in self._alike():
            same = other.candidate.cell == outcome.candidate.cell and other.seed == outcome.seed
            if same and other.candidate.attention == "none":
                return other
        return None

    def _alike(self) -> list[Outcome]:
        """Return the outcomes of candidates that differ in nothing but cell and attention."""
        return [outcome for outcome in self.outcomes if not outcome.candidate.recipe]

    def _hybrid_verdict(self) -> str:
        outcomes, name, pairs = self._alike(), self.metric.name, []
        groups = {(o.candidate.attention, o.seed) for o in outcomes}
        for attention, seed in sorted(groups):
            group = [o for o in outcomes if (o.candidate.attention, o.seed) == (attention, seed)]
            hybrids = [o.metrics[name] for o in group if o.candidate.hybrid]
            plain = [o.metrics[name] for o in group if o.candidate.cell in ("lstm", "gru")]
            pairs += [(hybrid, float(np.mean(plain))) for hybrid in hybrids if plain]
        parents = sorted({o.candidate.cell for o in outcomes} & {"lstm", "gru"})
        against = "the mean of lstm and gru" if len(parents) == 2 else " ".join(parents)
        return paired_verdict("Mixing LSTM and GRU", pairs, against, self.metric)

    def _recipe_verdicts(self) -> list[str]:
        labels, alike = self.labels(), {outcome.candidate.label for outcome in self._alike()}
        best = next((label for label in labels if label in alike), None)
        if best is None:
            return []
        return [self._beside(label, best) for label in labels if label not in alike]

    def _beside(self, recipe: str, best: str) -> str:
        """Say in one sentence which of two is better."""
        score, goal = self.scores(recipe).mean(), self.scores(best).mean()
        p = self.chance(self.statistics(recipe), self.statistics(best))
        sure = "unlikely to be chance" if p < SURE else "which may be chance"
        how = "better" if self.metric.beats(score, goal) else "worse"
        apart = self.metric.apart(goal, score)
        return f"The recipe {recipe} is {apart} {how} than {best}, the best of the others, {sure} ({chance(p)})."


def paired_verdict(what: str, pairs: Sequence[tuple[float, float]], against: str, metric: Metric) -> str:
    """Say in one sentence whether the first of each pair is better than the second, with its interval."""
    pairs = [
        (with_it, without) for with_it, without in pairs if metric.unit == "points" or without
    ]  # no percent of nothing
    if not pairs:
        return ""
    changes = np.array([metric.change(without, with_it) for with_it, without in pairs])
    mean, half, name, unit = changes.mean(), interval_of_mean(changes), metric.title, metric.unit
    if math.isnan(half):
        return f"{what}: one pair only ({name} {mean:+.1f} {unit} against {against}); use more seeds to know."
    span = f"{name} {mean:+.1f} {unit} against {against}, 95 % interval {mean - half:+.1f} to {mean + half:+.1f} {unit}"
    if mean + half < 0 or mean - half > 0:
        return f"{what} {'helped' if metric.beats(mean, 0) else 'hurt'} here: {span}."
    return f"{what} made no difference that {len(pairs)} pairs can show: {span}."


def compare(
    candidates: Sequence[Candidate],
    seeds: Sequence[int],
    run: Callable[[Candidate, int], Outcome],
    done: Callable[[str, int], Outcome | None] = lambda label, seed: None,
) -> Iterator[Outcome]:
    """Train and judge every candidate with every seed, seed by seed, so that stopping early stays fair.

    What is ``done`` already, by its label and seed, is left out.
    """
    for seed in seeds:
        for candidate in candidates:
            if done(candidate.label, seed) is None:
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
