"""What may be said of a search: whether it found something better, and what mattered."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..compare.metric import Metric
from ..writing.numbers import percents
from .importance import FEWEST, Importance, importance
from .space import Space
from .trials import CUT, FAILED, FINISHED, PRUNED, Trial, best_of

NEAR = 2.0  # percent, or points of a share: less may well be chance


@dataclass(frozen=True)
class Finding:
    """All trials, and what they say."""

    metric: Metric
    trials: Sequence[Trial]
    importance: Importance
    sentences: list[str]


def find(space: Space, trials: Sequence[Trial], metric: Metric) -> Finding:
    """Return what ``trials`` in a ``space`` say, told apart by a ``metric``."""
    trials = sorted(trials, key=lambda one: one.number)
    mattered = importance(space, trials)
    said = [_best(trials, metric), _counted(trials), *mattering(mattered)]
    return Finding(metric, trials, mattered, [sentence for sentence in said if sentence])


def _best(trials: Sequence[Trial], metric: Metric) -> str:
    best, first = best_of(trials), next((one for one in trials if not one.number), None)
    if best is None:
        return ""
    score = f"{metric.title} {metric.write(best.score)}"
    if not best.number:
        others = sum(one.number > 0 for one in trials)
        if not others:
            return f"Only the settings as they are were tried: {score}."
        return f"None of {others} other trials is better than the settings as they are: {score}."
    found = ", ".join(f"{name}={_value(value)}" for name, value in best.values.items())
    if first is None or not first.scored:
        return f"Trial {best.number} is the best one, with {score}: {found}."
    apart = metric.apart(first.score, best.score)
    change = abs(metric.change(first.score, best.score)) if metric.unit == "points" or first.score else NEAR
    small = ", which may well be chance" if change < NEAR else ""
    return (
        f"Trial {best.number} is the best one: {score}, {apart} better than the settings as they are{small}: {found}."
    )


def _value(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _counted(trials: Sequence[Trial]) -> str:
    states = [one.state for one in trials]
    said = [f"{states.count(state)} {what}" for state, what in STATES.items() if state in states]
    return f"Of {len(trials)} trials {', '.join(said)}."


STATES = {
    FINISHED: "came to their end",
    PRUNED: "were ended early",
    FAILED: "failed",
    CUT: "ran out of time",
}


def mattering(found: Importance) -> list[str]:
    """Say what mattered, or why nothing is said."""
    if not found.known:
        if found.scored < FEWEST:
            scored = f"{found.scored} within what is searched have a score, and it takes {FEWEST}."
            return [f"Too few trials to say what mattered: {scored}"]
        return ["These trials do not say what mattered: their scores do not follow from the settings."]
    texts = [f"{name} ({share})" for name, share in zip(found.shares, percents(found.shares.values()), strict=True)]
    if len(texts) == 1:
        return []
    return [f"What mattered most: {', '.join(texts[:3])}."]
