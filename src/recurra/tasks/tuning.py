"""The report of a search, of any kind: the answers of the best model, and what all trials say."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..report.page import Section
from ..report.trials import Scores, setting_slice, trials_over_time, what_mattered
from ..tuning.trials import ENDED
from .base import Fitted, Judged
from .pages import History, training_page

CAUTION = (
    "The best of many scores on validation is better than it will be on new data: how good the model is, the "
    "table of what was held out says."
)


def tuning_page(
    fitted: Fitted,
    history: History,
    data: Any,
    judged: Judged | None,
    search: Mapping[str, Any],
    folder: Path | None = None,
    asked: Any = None,
) -> str:
    """Return the report of a search as a page; all but the trials is of the best model, as after a training.

    ``search`` is as it stands in the run folder; ``asked`` is of the kind's settings for reports.
    """
    sections = [_found(search), _mattered(search), _settings(search), _table(search)]
    found = [section for section in sections if section is not None]
    return training_page(fitted, history, data, judged, folder, asked, (search["findings"][0], found))


def _found(search: Mapping[str, Any]) -> Section:
    trials = search["trials"]
    figure = trials_over_time(_scores(search, trials), search["metric"]["title"])
    said = [*search["findings"][1:], *([CAUTION] if len(trials) > 1 else [])]
    return Section("What the search found", points=said, figure=figure)


def _mattered(search: Mapping[str, Any]) -> Section | None:
    if len(search["importance"]) < 2:
        return None
    return Section("What mattered", figure=what_mattered(search["importance"]))


def _settings(search: Mapping[str, Any]) -> Section | None:
    """Return the score by each setting that varied; nothing if there are too few trials to see anything."""
    told = [one for one in search["trials"] if one["score"] is not None]
    if len(told) < 3:
        return None
    ended = [n for n, one in enumerate(told) if one["state"] in ENDED]
    best = min(ended, key=lambda n: (told[n]["curve"][-1], told[n]["number"]))
    order = search["importance"] or {axis["name"]: 0 for axis in search["axes"]}
    axes = {axis["name"]: axis for axis in search["axes"]}
    figures = [
        setting_slice(
            name,
            [one["values"][name] for one in told],
            _scores(search, told),
            best,
            bool(axes[name]["range"] and axes[name]["range"][2]),
        )
        for name in order
    ]
    title = search["metric"]["title"]
    return Section("Setting by setting", f"The score of each trial, {title}, by what it set.", figure=figures)


def _table(search: Mapping[str, Any]) -> Section:
    trials = sorted(search["trials"], key=lambda one: (one["score"] is None, (one["curve"] or [0.0])[-1]))
    metric = search["metric"]
    factor = 100 if metric["share"] else 1
    heading = f"% {metric['title']}" if metric["share"] else metric["title"]
    names = [axis["name"] for axis in search["axes"]]
    frame = pd.DataFrame(
        {
            "trial": [one["number"] for one in trials],
            heading: [None if one["score"] is None else factor * one["score"] for one in trials],
            **{name: [one["values"].get(name) for one in trials] for name in names},
            "state": [one["state"] for one in trials],
            "epochs": [len(one["curve"]) for one in trials],
            "seconds": [one["seconds"] for one in trials],
        }
    )
    frame[heading] = frame[heading].astype(float)
    failed = [f"Trial {one['number']} failed: {one['why']}" for one in trials if one["why"]]
    return Section(
        f"All {len(trials)} trials",
        "The best one first, by its score on validation. Trial 0 has the settings as they are.",
        table=frame.set_index("trial"),
        best={heading: metric["better"]},
        points=failed[:MOST_FAILED],
        folded=len(trials) > LONG,
    )


MOST_FAILED = 10  # trials of which is said why they failed
LONG = 40  # rows of a table that is folded away


def _scores(search: Mapping[str, Any], trials: list[dict[str, Any]]) -> Scores:
    values = [np.nan if one["score"] is None else one["score"] for one in trials]
    ended = [one["state"] in ENDED for one in trials]
    return Scores(np.array(values, dtype=float), np.array(ended), search["metric"]["better"] == "high")
