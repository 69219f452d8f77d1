"""What to use: a model held against every row of its table, in one sentence that says how sure that is."""

import math
from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple

from .metric import Metric

SURE = 0.05  # a p-value below it says that luck explains a difference badly
ALIKE = {False: 0.5, True: 0.05}  # percent, or points of a share or a score, below which models are as good


class Advice(NamedTuple):
    """What is said, and the row to use."""

    text: str
    use: str


class Held(NamedTuple):
    """The scores of a table by row, which row is the model's, and which rows learn nothing worth the name."""

    metric: Metric
    scores: Mapping[str, float]
    mine: str
    naive: Collection[str]
    chance: Callable[[str, str], float]  # the p-value that two rows are equally good

    def ahead(self, first: str, second: str) -> str:
        """Return how far two rows are apart: ``12 %`` or ``3.4 points``."""
        return self.metric.apart(self.scores[second], self.scores[first])

    def score(self, row: str) -> str:
        """Return the score of a row as people write it."""
        return self.metric.write(self.scores[row])

    def alike(self, first: str, second: str) -> bool:
        """Tell whether two rows are so near to each other that it makes no difference."""
        one, other = self.scores[first], self.scores[second]
        alike = ALIKE[self.metric.unit == "points"]
        return one == other or (bool(other) and abs(self.metric.change(other, one)) < alike)

    def better(self, first: str, second: str) -> bool:
        """Tell whether a row is better than another by more than nothing."""
        return self.metric.beats(self.scores[first], self.scores[second]) and not self.alike(first, second)

    def best(self, rows: Collection[str]) -> str | None:
        """Return the best of some rows; of equal ones the first, of none None."""
        found = None
        for row in rows:
            if not math.isnan(self.scores[row]) and (
                found is None or self.metric.beats(self.scores[row], self.scores[found])
            ):
                found = row
        return found


def advise(held: Held) -> Advice:
    """Return which row to use and why: the model, unless one that costs less is better."""
    mine, title = held.mine, held.metric.title
    others = [row for row in held.scores if row != mine]
    naive, best = held.best([row for row in others if row in held.naive]), held.best(others)
    if best is None:
        return Advice(f"{title} is {held.score(mine)}; there is nothing simple to compare it with.", mine)
    p = held.chance(best, mine) if held.better(best, mine) else 1.0
    if p < SURE or (held.better(best, mine) and (naive is None or not held.better(mine, naive))):
        said = (
            f"On the held-out data '{best}' is {held.ahead(best, mine)} better than {called(mine)} ({title} "
            f"{held.score(best)} against {held.score(mine)})"
        )
        sure = "unlikely to be chance" if p < SURE else "which may be chance"
        return Advice(f"{said}, {sure} ({chance(p)}). Use '{best}'.", best)
    return _praise(held, naive, best, p)


def _praise(held: Held, naive: str | None, best: str, p: float) -> Advice:
    mine, title = held.mine, held.metric.title
    said = f"{title} is {held.score(mine)} on the held-out data."
    if naive is not None and held.alike(mine, naive):
        return Advice(
            f"On the held-out data {called(mine)} is only as good as '{naive}' ({title} {held.score(mine)} against "
            f"{held.score(naive)}). Use '{naive}', which costs nothing.",
            naive,
        )
    if naive is not None:
        luck = held.chance(mine, naive)
        sure = "" if luck < SURE else f", which may be chance ({chance(luck)})"
        said = (
            f"On the held-out data {called(mine)} is {held.ahead(mine, naive)} better than the best naive answer "
            f"('{naive}': {title} {held.score(mine)} against {held.score(naive)}){sure}."
        )
    if best in held.naive:
        return Advice(said, mine)
    if held.better(best, mine):
        more = f"'{best}' is {held.ahead(best, mine)} better still, which may be chance ({chance(p)})."
    elif held.alike(best, mine):
        more = f"'{best}' is as good ({title} {held.score(best)})."
    else:
        more = "Nothing else in the table is better."
    return Advice(f"{said} {more}", mine)


def called(row: str) -> str:
    """Return a row as it stands in a sentence: a name in quotes, ``this model`` without."""
    return row if row == "this model" else f"'{row}'"


def chance(p: float) -> str:
    """Return a p-value as a person reads it."""
    return "too few cases to say" if math.isnan(p) else ("p < 0.001" if p < 0.001 else f"p = {p:.2g}")
