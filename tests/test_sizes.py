"""Sizes that are left to the data follow from the number of windows; those that are given stay."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from recurra import Forecaster
from recurra.settings import ModelSettings, TrainingSettings, make_config
from recurra.tasks.forecast.kind import KIND
from recurra.tasks.forecast.settings import PARTS
from recurra.tasks.forecast.sizes import FOR_MANY, FOR_SMALL, LAST, LAST_OF_MANY, SMALL, sized


def usual() -> dict[str, Any]:
    both = vars(ModelSettings()) | vars(TrainingSettings()) | FOR_MANY
    return {name: both[name] for name in FOR_SMALL}


@pytest.mark.parametrize(("windows", "expected"), [(1, FOR_SMALL), (SMALL - 1, FOR_SMALL), (SMALL, usual())])
def test_sizes_follow_the_number_of_windows(windows: int, expected: dict[str, Any]) -> None:
    found = sized(make_config(PARTS, {"horizon": 3}), windows).flat()
    assert {name: found[name] for name in FOR_SMALL} == expected
    others = make_config(PARTS, {"horizon": 3}).flat() | {"attention": "scaled_dot"}
    others["last_epochs"] = LAST if windows < SMALL else LAST_OF_MANY
    assert all(found[name] == value for name, value in others.items() if name not in FOR_SMALL)


@pytest.mark.parametrize("windows", [10, 10 * SMALL])
def test_what_is_given_stays(windows: int) -> None:
    given = {"hidden_size": 7, "patience": 2, "learning_rate": 0.5}
    found = sized(make_config(PARTS, {"horizon": 3, **given}), windows).flat()
    assert {name: found[name] for name in given} == given and found["batch_size"] is not None


def test_a_fit_takes_them_and_the_estimator_keeps_what_it_was_told() -> None:
    days = pd.date_range("2024-01-01", periods=120)
    table = pd.DataFrame({"ds": days, "y": np.sin(np.arange(120) / 3) + 5})
    forecaster = Forecaster(horizon=4, max_epochs=2).fit(table)
    assert forecaster.fitted_.config.model.hidden_size == FOR_SMALL["hidden_size"]
    assert forecaster.fitted_.config.training.max_epochs == 2
    assert forecaster.get_params()["hidden_size"] is None
    prepared = KIND.prepare(KIND.read(table, make_config(PARTS, {"horizon": 4})), make_config(PARTS, {"horizon": 4}))
    assert prepared.config.training.epoch_steps == FOR_SMALL["epoch_steps"]


def test_an_attention_is_found_that_the_widths_allow() -> None:
    both = sized(make_config(PARTS, {"horizon": 3, "bidirectional": True}), 1)
    assert both.model.attention == "general", "keys of both directions are twice as wide as queries"
    given = sized(make_config(PARTS, {"horizon": 3, "bidirectional": True, "attention": "additive"}), 1)
    assert given.model.attention == "additive"
