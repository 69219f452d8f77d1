"""What a regressor may be told."""

from dataclasses import dataclass
from typing import Literal

from ...settings import Parts, setting
from ..cases.settings import CaseModelSettings, CaseTrainingSettings, PooledSettings


@dataclass(kw_only=True, eq=False, repr=False)
class RegressSettings(PooledSettings):
    """Which numbers are learned, and how each case is read."""

    target: str | tuple[str, ...] | None = setting(
        None, "column(s) with the number of each case; found by its name if not given"
    )
    loss: Literal["quantile", "absolute", "squared", "huber"] = setting(
        "quantile",
        "what is predicted and how errors count",
    )
    levels: tuple[int, ...] = setting((80, 90), "coverage of the intervals in percent", low=1, high=99)


@dataclass(kw_only=True, eq=False, repr=False)
class NumbersAsked:
    """What may be asked of numbers."""

    model: str | None = setting(
        None,
        "answer by one row of the table: network, random_convolutions (MiniRocket), ridge, "
        "nearest_neighbours, ..; the network if not given",
    )


PARTS = Parts(
    "regress",
    RegressSettings,
    model=CaseModelSettings,
    training=CaseTrainingSettings,
    predict=NumbersAsked,
    data=(
        "DATA holds sequences with a number each: a file with a case per line, its number first, a .ts file with "
        "@targetLabel true, or a CSV or Parquet file with a case in each row, or with a step in each row (id, time, "
        "target, values)."
    ),
    answer="numbers",
    estimator="Regressor",
)
