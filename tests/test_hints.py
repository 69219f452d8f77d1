"""What is said of data that another task can read, and of names that only look like those of the training."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from recurra.data.cases import cases_of
from recurra.errors import DataError
from recurra.settings import make_config
from recurra.tasks import kind_of
from recurra.tasks.cases.classes import spelt_as
from recurra.tasks.forecast.source import strangers
from recurra.tasks.others import estimator_of

RNG = np.random.default_rng(0)
DAYS = pd.date_range("2024-01-01", periods=40)
CASES = pd.DataFrame(RNG.normal(size=(20, 8))).add_prefix("t").assign(label=["u", "v"] * 10)
STEPS = pd.DataFrame({"id": np.repeat(list("abcd"), 10), "x": RNG.normal(size=40), "kind": np.repeat(list("uvuv"), 10)})
SERIES = pd.DataFrame({"date": DAYS, "sales": RNG.normal(size=40)})
PANEL = pd.DataFrame(
    {"shop": np.repeat(["n", "s"], 40), "date": np.tile(DAYS, 2), "sales": RNG.normal(size=80), "price": 1.5}
)


def read(task: str, source: Any, **settings: Any) -> Any:
    kind = kind_of(task)
    return kind.read(source, make_config(kind.parts, settings))


@pytest.mark.parametrize(
    ("task", "frame", "settings", "other"),
    [
        ("forecast", CASES, {"target": "label"}, "classify"),
        ("forecast", STEPS, {"target": "kind"}, "classify"),
        ("forecast", STEPS.assign(step=np.tile(np.arange(10), 4)), {"target": "kind", "id": "id"}, "classify"),
        ("classify", SERIES, {}, "forecast"),
        ("classify", PANEL, {}, "forecast"),
        ("classify", SERIES.rename(columns={"date": "when"}), {"target": "sales"}, "forecast"),
        ("forecast", SERIES.assign(sales="many"), {}, None),
        ("forecast", SERIES, {"target": "sale"}, None),
        ("classify", pd.DataFrame({"note": ["a", "b", "c"]}), {}, None),
        ("classify", CASES.assign(label=RNG.normal(size=20)), {}, "regress"),
        ("classify", CASES.assign(price=RNG.normal(size=20)), {"target": "price"}, "regress"),
        ("classify", STEPS.assign(price=np.repeat([0.5, 1.5, 2.5, 3.5], 10)), {"target": "price"}, "regress"),
        ("regress", CASES, {}, "classify"),
        ("regress", CASES, {"target": "label"}, "classify"),
        ("regress", SERIES, {"target": "sales"}, "forecast"),
        ("regress", SERIES, {}, "forecast"),
        ("regress", PANEL, {"target": "shop"}, None),
    ],
)
@pytest.mark.parametrize("file", [False, True])
def test_data_that_another_task_can_read_say_so(
    tmp_path: Path, task: str, frame: pd.DataFrame, settings: dict[str, str], other: str | None, file: bool
) -> None:
    frame.to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(DataError) as fault:
        read(task, tmp_path / "a.csv" if file else frame, **settings)
    said = f"The task '{other}' can read these data: use {estimator_of(other)}." if other else ""
    assert str(fault.value).endswith(said) if other else "can read these data" not in str(fault.value)


def test_cases_that_were_taken_for_series_are_doubted() -> None:
    doubt = "careful: the table has no time but looks made for the task 'classify'; use Classifier for that"
    assert doubt in read("forecast", CASES).notes and doubt in read("forecast", STEPS).notes
    for frame in (SERIES.assign(shop="n"), SERIES[["sales"]].assign(shop="n"), SERIES[["sales"]], PANEL):
        assert "looks made for" not in " ".join(read("forecast", frame).notes)


def test_new_series_that_look_like_known_ones_are_said() -> None:
    panel = read("forecast", PANEL.replace({"shop": {"n": "1.0", "s": "c"}}), id="shop", target="sales")
    assert strangers(panel, {"1", "2"}) == [
        "careful: the series '1.0' is new, though '1' of the training looks like it"
    ]
    assert strangers(panel, {"1.0", "C"}) == [
        "careful: the series 'c' is new, though 'C' of the training looks like it"
    ]
    assert strangers(panel, {"1.0", "c"}) == strangers(panel, {"x", "y"}) == []


def test_labels_that_look_like_classes_of_the_training_are_those() -> None:
    cases = cases_of([[1.0], [2.0], [3.0], [4.0]], ["TRUE", "False", "b", "a "])
    same, notes = spelt_as(cases, ("True", "False", "a"))
    assert same.labels == ("True", "False", "b", "a")
    assert notes == [
        "careful: the label 'TRUE' was taken as 'True' of the training",
        "careful: the label 'a ' was taken as 'a' of the training",
    ]
    nameless = cases_of([[1.0]])
    assert spelt_as(nameless, ("a",)) == (nameless, [])
