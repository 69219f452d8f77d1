"""What the folds of a backtest say together: the errors of each step ahead, of each series, of each origin."""

from typing import Any

import numpy as np
import pandas as pd

from ...data.series import Schema, steps_between
from ...errors import DataError, pick

NEEDED = ("unique_id", "ds", "cutoff", "y", "yhat")
BANDS = "yhat-lo-"  # and the level: how the column of a lower end is called


def errors_by(folds: pd.DataFrame, by: str, schema: Schema) -> pd.DataFrame:
    """Return a row for each value of ``by``: ``count``, ``mae``, ``rmse``, ``bias`` and the share in each interval.

    ``folds`` is a long frame ``unique_id, ds, cutoff, y, yhat`` on the calendar of ``schema``; ``by`` is one of
    ``step``, ``unique_id`` and ``cutoff``. Raises DataError for a column that is missing.
    """
    missing = [name for name in NEEDED if name not in folds.columns]
    if missing:
        raise DataError(f"The folds have no column '{missing[0]}': give what cross_validation() returned.")
    keys = pick({"step": "step", "unique_id": "unique_id", "cutoff": "cutoff"}, by, "by")
    error = folds["yhat"] - folds["y"]
    columns: dict[str, Any] = {"absolute": error.abs(), "squared": error**2, "bias": error}
    for level in (name.removeprefix(BANDS) for name in folds.columns if str(name).startswith(BANDS)):
        inside = (folds["y"] >= folds[f"{BANDS}{level}"]) & (folds["y"] <= folds[f"yhat-hi-{level}"])
        columns[f"in-{level}"] = inside.astype(np.float64)
    groups = steps_ahead(folds, schema) if keys == "step" else folds[keys]
    grouped = pd.DataFrame(columns).groupby(groups.to_numpy(), sort=keys != "unique_id")
    found = grouped.mean().rename(columns={"absolute": "mae", "squared": "rmse"})
    found["rmse"] = np.sqrt(found["rmse"])
    found.insert(0, "count", grouped.size())
    return found.rename_axis(keys).reset_index()


def steps_ahead(folds: pd.DataFrame, schema: Schema) -> pd.Series:
    """Return how many steps after its cutoff each row lies, from 1."""
    pairs = folds[["cutoff", "ds"]]
    known = pairs.drop_duplicates()
    steps = [steps_between(cutoff, ds, schema) for cutoff, ds in known.itertuples(index=False)]
    return pairs.merge(known.assign(step=steps), on=["cutoff", "ds"], how="left")["step"]
