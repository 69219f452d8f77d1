"""What a trial was and how it went, as plain data: a line of JSON each."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .space import Point

FINISHED, PRUNED, FAILED, CUT = "finished", "ended early", "failed", "out of time"
ENDED = (FINISHED, CUT)  # what has a score that counts


@dataclass(frozen=True)
class Trial:
    """One training with other settings."""

    number: int  # 0 is that of the settings as they are
    point: Point | None  # where it is in the space; None if it is outside
    values: dict[str, Any]  # of the settings that vary, as a person writes them
    state: str  # one of the four above
    score: float = math.nan  # the best one on validation
    curve: tuple[float, ...] = ()  # the best cost so far after each epoch; low is good
    seconds: float = 0.0
    parameters: int = 0
    why: str = ""  # it failed

    @property
    def scored(self) -> bool:
        """Whether there is a score, perhaps of a training that was not ended."""
        return math.isfinite(self.score)

    @property
    def cost(self) -> float:
        """The score as something to be lowered; infinite where there is none."""
        return self.curve[-1] if self.curve and self.scored else math.inf

    def to_plain(self) -> dict[str, Any]:
        """Return it as plain data, of which JSON knows all; what has no score has null."""
        return dataclasses.asdict(self) | {"score": self.score if self.scored else None, "curve": list(self.curve)}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "Trial":
        """Return what ``to_plain`` gave."""
        score = math.nan if plain["score"] is None else plain["score"]
        return cls(**{**plain, "score": score, "curve": tuple(plain["curve"])})


def best_of(trials: Sequence[Trial]) -> Trial | None:
    """Return the trial of the lowest cost among those that came to their end, the earlier one of two that are alike."""
    ended = [trial for trial in trials if trial.state in ENDED and trial.scored]
    return min(ended, key=lambda trial: (trial.cost, trial.number), default=None)
