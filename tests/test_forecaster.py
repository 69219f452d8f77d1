"""The Forecaster: what goes in, what comes out, and the conventions of scikit-learn."""

import copy
import inspect
import pickle
import random
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn.utils.estimator_checks as checks
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit, cross_val_score
from sklearn.utils.validation import check_is_fitted

from recurra import Forecaster, TimeSplit
from recurra.attention import DotAttention
from recurra.cells import GRUCell
from recurra.data.series import Panel, steps_between, to_panel
from recurra.errors import Caution, ConfigError, DataError, RunError
from recurra.settings import written
from recurra.tasks.forecast.answers import ask
from recurra.tasks.forecast.context import context_of
from recurra.tasks.forecast.settings import PARTS
from recurra.training.loop import Progress

TINY: dict[str, Any] = {
    "lookback": 12,
    "hidden_size": 8,
    "epoch_steps": 3,
    "max_epochs": 2,
    "batch_size": 16,
    "last_epochs": 0,
}
COLUMNS = ["unique_id", "ds", "yhat", "yhat-lo-80", "yhat-hi-80", "yhat-lo-90", "yhat-hi-90"]


def values(n: int, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 0.3, n)
    return 10 * (seed + 1) + 3 * np.sin(np.arange(n) * 2 * np.pi / 7) + noise


def wide(n: int = 90, columns: int = 1, start: str = "2024-01-01") -> pd.DataFrame:
    names = ["y"] if columns == 1 else [f"s{i}" for i in range(columns)]
    series = {name: values(n, seed) for seed, name in enumerate(names)}
    return pd.DataFrame({"ds": pd.date_range(start, periods=n, freq="D"), **series})


def long(*lengths: int) -> pd.DataFrame:
    parts = [wide(n).assign(unique_id=f"s{i}", y=values(n, i)) for i, n in enumerate(lengths)]
    return pd.concat(parts, ignore_index=True)[["unique_id", "ds", "y"]]


def make(**settings: Any) -> Forecaster:
    return Forecaster(**({"horizon": 4} | TINY | settings))


@pytest.fixture(scope="module")
def one() -> Forecaster:
    """A forecaster of one series, for tests that change nothing in it."""
    return make().fit(wide())


@pytest.fixture(scope="module")
def many() -> Forecaster:
    return make(segment=3).fit(long(90, 60, 75))


KINDS: dict[str, Callable[[], tuple[Forecaster, pd.DataFrame]]] = {
    "one": lambda: (make(), wide()),
    "wide": lambda: (make(cell="lstm/gru", attention="multi_head", heads=2, segment=3), wide(columns=3)),
    "long": lambda: (make(loss="absolute"), long(90, 60, 75)),
    "joint": lambda: (make(channels="joint", cell="lstm_gru"), wide(columns=3)),
    "vanilla": lambda: (make(decoder="vanilla", attention="dot", cell="lstm"), wide()),
    "gaps": lambda: (make(), wide().assign(y=lambda df: df["y"].where(df.index % 5 > 0))),
    "hours": lambda: (make(season=24), wide().assign(ds=pd.date_range("2024-10-25", periods=90, freq="h", tz="CET"))),
    "steps": lambda: (make(), wide().assign(ds=np.arange(90) * 5)),
}


@pytest.fixture(params=KINDS)
def fitted(request: pytest.FixtureRequest) -> tuple[Forecaster, pd.DataFrame]:
    forecaster, df = KINDS[request.param]()
    return forecaster.fit(df), df


def same(left: pd.DataFrame, right: pd.DataFrame) -> bool:
    pd.testing.assert_frame_equal(left, right, check_exact=True)
    return True


# The face


def test_signature() -> None:
    parameters = inspect.signature(Forecaster).parameters
    assert set(parameters) == set(PARTS.settings())
    assert all(one.kind is inspect.Parameter.KEYWORD_ONLY for one in parameters.values())
    assert {name: one.default for name, one in parameters.items()} == PARTS.defaults()
    for name in ("horizon", "lookback", "cell", "attention", "hidden_size", "num_layers", "learning_rate", "seed"):
        assert name in parameters
    assert list(inspect.signature(Forecaster.predict).parameters) == ["self", "h", "df", "future"]
    assert inspect.signature(Forecaster.fit).parameters["validation_size"].default is None


def test_settings_are_stored_as_given() -> None:
    given = {"horizon": "24", "cell": ["lstm", "gru"], "dropout": 7, "levels": 80, "attention": "nonsense"}
    forecaster = Forecaster(**given)
    assert {name: getattr(forecaster, name) for name in given} == given
    assert forecaster.cell is given["cell"] and forecaster.get_params() == PARTS.defaults() | given


def test_faults_in_settings_come_with_fit() -> None:
    with pytest.raises(ConfigError) as caught:
        Forecaster(horizon=0, cell="lsmt", attention="nonsense").fit(wide())
    assert len(str(caught.value).splitlines()) == 3
    with pytest.raises(ConfigError, match="The setting heads has no effect"):
        make(attention="none", heads=2).fit(wide())
    with pytest.raises(ConfigError, match="The horizon is missing"):
        Forecaster().fit(wide())
    with pytest.raises(ConfigError, match="Unknown device 'gpu'"):
        make(device="gpu").fit(wide())


def test_settings_may_be_texts_as_from_a_command_line() -> None:
    settings = {"horizon": 4, **TINY, "cell": ("lstm", "gru"), "levels": (50,), "learning_rate": 0.01}
    texts = {name: written(PARTS.settings()[name], value) for name, value in settings.items()}
    assert same(Forecaster(**texts).fit(wide()).predict(), Forecaster(**settings).fit(wide()).predict())


def test_repr_says_what_was_changed() -> None:
    assert repr(Forecaster()) == "Forecaster()"
    assert repr(Forecaster(horizon=4, attention="dot")) == "Forecaster(horizon=4, attention='dot')"
    again = eval(repr(make(cell=("lstm", "gru"))), {"Forecaster": Forecaster})
    assert again.get_params() == make(cell=("lstm", "gru")).get_params()


# predict


def test_predict(fitted: tuple[Forecaster, pd.DataFrame]) -> None:
    forecaster, df = fitted
    answer = forecaster.predict()
    bands = forecaster.loss is None  # which is that of quantiles
    assert list(answer.columns) == (COLUMNS if bands else COLUMNS[:3])
    names = df["unique_id"].unique() if "unique_id" in df else [name for name in df.columns if name != "ds"]
    assert answer["unique_id"].tolist() == [name for name in names for _ in range(4)]
    assert np.isfinite(answer.select_dtypes("number")).all(axis=None)
    for name, part in answer.groupby("unique_id"):
        own = df[df["unique_id"] == name]["ds"] if "unique_id" in df else df["ds"]
        step = own.iloc[-1] - own.iloc[-2]
        assert part["ds"].tolist() == [own.iloc[-1] + step * k for k in range(1, 5)]
    if bands:
        ends = answer[["yhat-lo-90", "yhat-lo-80", "yhat", "yhat-hi-80", "yhat-hi-90"]].to_numpy()
        assert (np.diff(ends, axis=1) >= 0).all()


def test_a_context_shorter_than_the_look_back_is_a_warning() -> None:
    fitted, told = make().fit(wide()).fitted_, []
    fitted.kind.read(wide().tail(30), fitted.config, fitted.learned, None, told.extend)
    assert not [note for note in told if "careful" in note]
    fitted.kind.read(wide().tail(8), fitted.config, fitted.learned, None, told.extend)
    assert "fewer rows than the 12 that the model reads (as few as 8)" in told[-1] and told[-1].startswith("careful: ")


def test_what_was_trained_on_is_the_default_context(fitted: tuple[Forecaster, pd.DataFrame]) -> None:
    forecaster, df = fitted
    assert same(forecaster.predict(), forecaster.predict(df=df))
    assert same(forecaster.predict(), forecaster.predict(df)), "a table may come first, as in scikit-learn"
    assert same(forecaster.predict(), forecaster.predict(df=df.sample(frac=1, random_state=0).sort_index()))


def test_a_shorter_h_is_cut(fitted: tuple[Forecaster, pd.DataFrame]) -> None:
    forecaster, _ = fitted
    whole = forecaster.predict()
    first = whole.groupby("unique_id", sort=False).head(3).reset_index(drop=True)
    assert same(forecaster.predict(3), first) and same(forecaster.predict(h=np.int64(3)), first)
    assert same(forecaster.predict(4), whole)


@pytest.mark.parametrize(
    ("h", "message"),
    [
        (401, r"401 steps are more than 100 times the horizon .* \(4\).*Train again with horizon=401"),
        (0, "h must be a whole number from 1 on. Got 0 instead"),
        (-1, "Got -1 instead"),
        (2.5, "Got 2.5 instead"),
        (True, "Got True instead"),
        ("3", "Got '3' instead"),
    ],
)
def test_h_that_cannot_be(one: Forecaster, h: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        one.predict(h)


def test_a_new_context_moves_the_stamps(one: Forecaster) -> None:
    df = wide(120)
    for end in (50, 90, 113):
        answer = one.predict(df=df[:end])
        assert answer["ds"].tolist() == df["ds"][end : end + 4].tolist()
        near = one.predict(df=df[end - 12 : end])
        assert same(answer, near), "only the look-back counts, and the calendar says where in the season it lies"
    assert not np.array_equal(one.predict(df=df[:50])["yhat"], one.predict(df=df[:57])["yhat"])


def test_values_after_the_context_do_not_matter(one: Forecaster) -> None:
    changed = wide()
    changed.loc[80:, "y"] = -1e6
    assert same(one.predict(df=changed[:80]), one.predict(df=wide()[:80]))
    changed.loc[79, "y"] = 0
    assert not np.array_equal(one.predict(df=changed[:80])["yhat"], one.predict(df=wide()[:80])["yhat"])


def test_context_with_other_series(many: Forecaster) -> None:
    df = long(90, 60, 75)
    answer = many.predict()
    second = many.predict(df=df[df["unique_id"] == "s1"])
    np.testing.assert_allclose(second["yhat"], answer[answer["unique_id"] == "s1"]["yhat"], rtol=1e-5)
    assert second["ds"].tolist() == answer[answer["unique_id"] == "s1"]["ds"].tolist()
    plain = pd.DataFrame({"unique_id": "new", "ds": wide()["ds"], "y": values(90)})
    stranger = plain.assign(y=1000 + 50 * plain["y"])
    both = many.predict(df=pd.concat([stranger, df[df["unique_id"] == "s2"]]))
    assert both["unique_id"].unique().tolist() == ["new", "s2"]
    unseen = both[both["unique_id"] == "new"]
    for column in COLUMNS[2:]:  # scaled by its own values, whatever they are
        np.testing.assert_allclose(unseen[column], 1000 + 50 * many.predict(df=plain)[column], rtol=1e-4)
    np.testing.assert_allclose(both[4:]["yhat"], answer[8:]["yhat"], rtol=1e-5)


def test_a_short_or_gappy_context(one: Forecaster) -> None:
    df = wide()
    answer = one.predict(df=df[85:])
    assert np.isfinite(answer["yhat"]).all() and answer["ds"].tolist() == one.predict()["ds"].tolist()
    assert np.isfinite(one.predict(df=df.drop(index=[80, 83]))["yhat"]).all()
    assert np.isfinite(one.predict(df=df.assign(y=df["y"].where(df.index != 89)))["yhat"]).all()
    hollow = df.assign(y=df["y"].where((df.index < 70) | (df.index > 85)))[:86]
    assert one.predict(df=hollow)["ds"].tolist() == df["ds"][70:74].tolist(), "after the last known value"
    with pytest.raises(DataError, match="The last 12 values of 'y' are all missing"):
        one.predict(df=with_its_end(one, hollow))


def test_context_that_does_not_fit(one: Forecaster) -> None:
    with pytest.raises(DataError, match="no column 'y'"):
        one.predict(df=wide().rename(columns={"y": "price"}))
    with pytest.raises(DataError, match="A table is needed"):
        one.predict(df=np.zeros((20, 1)))


# score


def tall(df: pd.DataFrame) -> pd.DataFrame:
    """Return any of the tables here in long form."""
    if "unique_id" in df:
        return df
    return pd.concat([df[["ds"]].assign(unique_id=name, y=df[name]) for name in df.columns if name != "ds"])


def like(df: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """Return long ``rows`` in the form of ``df``."""
    return rows if "unique_id" in df else rows.pivot(index="ds", columns="unique_id", values="y").reset_index()


def with_its_end(forecaster: Forecaster, df: pd.DataFrame) -> Panel:
    """Return ``df`` as a panel that keeps the missing values at its end, as a window in a longer table has them."""
    schema = forecaster.fitted_.learned.schema
    panel, ends = to_panel(df, schema), tall(df).groupby("unique_id")["ds"].max()
    values = []
    for name, start, own in zip(panel.names, panel.starts, panel.values, strict=True):
        missing = steps_between(start, ends[name], schema) + 1 - len(own)
        values.append(np.concatenate([own, np.full(missing, np.nan)]))
    return replace(panel, values=tuple(values))


def mean_absolute_error(forecaster: Forecaster, train: pd.DataFrame, test: pd.DataFrame) -> float:
    """Forecast at every step of ``test`` from a table that ends there, and compare by name and stamp."""
    whole, errors = tall(pd.concat([train, test])), []
    for name, own in tall(test).groupby("unique_id"):
        known = whole[whole["unique_id"] == name].set_index("ds")["y"].asfreq("D")
        for stamp in own["ds"][: max(1, len(own) - 3)]:
            before = known[known.index < stamp][-12:].rename_axis("ds").reset_index().assign(unique_id=name)
            answer = forecaster.predict(df=with_its_end(forecaster, like(test, before))).merge(own, on="ds")
            errors += (answer["yhat"] - answer["y"]).abs().tolist()
    return float(np.mean(errors))


def test_score_is_the_negative_mean_absolute_error(one: Forecaster) -> None:
    df = wide(110)
    for size in (20, 4, 2):
        test = df[90 : 90 + size]
        assert one.score(test) == pytest.approx(-mean_absolute_error(one, df[:90], test), rel=1e-5)


def test_score_of_many_series_of_unequal_length(many: Forecaster) -> None:
    df = long(100, 80, 78)
    old = pd.concat([part[:n] for (_, part), n in zip(df.groupby("unique_id"), (90, 60, 75), strict=True)])
    new = df.drop(old.index)
    assert new.groupby("unique_id").size().tolist() == [10, 20, 3]
    assert many.score(new) == pytest.approx(-mean_absolute_error(many, old, new), rel=1e-5)
    only = new[new["unique_id"] == "s1"]
    assert many.score(only) == pytest.approx(-mean_absolute_error(many, old, only), rel=1e-5)


def test_score_after_a_gap(one: Forecaster) -> None:
    df = wide(110)
    test = df[95:]
    assert one.score(test) == pytest.approx(-mean_absolute_error(one, df[:90], test), rel=1e-5)


def test_score_of_columns_read_together() -> None:
    df = wide(100, columns=2)
    forecaster = make(channels="joint").fit(df[:90])
    errors = []
    for end in range(90, 97):
        answer = forecaster.predict(df=df[:end]).pivot(index="ds", columns="unique_id", values="yhat")
        errors.append((answer.to_numpy() - df[["s0", "s1"]][end : end + 4].to_numpy()).ravel())
    assert forecaster.score(df[90:]) == pytest.approx(-np.abs(errors).mean(), rel=1e-5)


def test_score_of_a_series_that_was_not_there(many: Forecaster) -> None:
    new = long(40).assign(unique_id="new")
    found = many.score(new)
    panel = new["y"].to_numpy()
    assert -3 * panel.std() < found < 0
    assert found != many.score(new.assign(y=lambda df: df["y"] * 2))


def test_score_of_what_was_trained_on(one: Forecaster) -> None:
    with pytest.raises(DataError, match="'y' begins 10 steps before its end"):
        one.score(wide()[80:])


# cross_validation


@pytest.mark.parametrize("kind", ["one", "long", "joint", "gaps", "hours"])
@pytest.mark.parametrize(("n_windows", "step"), [(3, None), (2, 1), (1, 5)])
def test_cross_validation(kind: str, n_windows: int, step: int | None) -> None:
    forecaster, df = KINDS[kind]()
    found = forecaster.cross_validation(df, n_windows, step)
    apart, size = step or 4, 4 + (step or 4) * (n_windows - 1)
    assert not hasattr(forecaster, "fitted_")
    copied = forecaster.cv_estimator_
    bands = forecaster.loss is None  # which is that of quantiles
    assert list(found.columns) == ["unique_id", "ds", "cutoff", "y", "yhat", *(COLUMNS[3:] if bands else [])]
    rows = tall(df)
    for name, own in rows.groupby("unique_id"):
        part = found[found["unique_id"] == name]
        stamps = own["ds"].tolist()
        ends = [len(own) - size + apart * k for k in range(n_windows)]
        assert part["cutoff"].unique().tolist() == [stamps[end - 1] for end in ends]
        for end in ends:
            window = part[part["cutoff"] == stamps[end - 1]]
            expected = own[end : end + 4].dropna()
            assert window["ds"].tolist() == expected["ds"].tolist()
            np.testing.assert_array_equal(window["y"], expected["y"], "the very values that were given")
            frame = like(df, rows[rows["ds"] <= stamps[end - 1]])
            answer = copied.predict(df=with_its_end(copied, frame))
            answer = answer[(answer["unique_id"] == name) & answer["ds"].isin(expected["ds"])]
            np.testing.assert_allclose(window["yhat"], answer["yhat"], rtol=1e-4)


def test_cross_validation_trains_on_what_lies_before() -> None:
    spoilt = wide()
    spoilt.loc[78:, "y"] = 1e5
    forecasters = []
    for df in (wide(), spoilt):
        forecaster = make(season=7)
        forecaster.cross_validation(df, 3)
        forecasters.append(forecaster.cv_estimator_)
    assert same(*[forecaster.predict(df=wide()) for forecaster in forecasters])


# attention


def test_attention_is_a_setting_and_a_table(fitted: tuple[Forecaster, pd.DataFrame]) -> None:
    forecaster, df = fitted
    assert forecaster.attention == PARTS.defaults()["attention"] or forecaster.attention in ("multi_head", "dot")
    table = forecaster.attention_table()
    assert list(table.columns) == ["unique_id", "ds", "past_from", "past_to", "weight"]
    future = forecaster.predict()
    sums = table.groupby(["unique_id", "ds"], sort=False)["weight"].sum().reset_index()
    assert sums["unique_id"].tolist() == future["unique_id"].tolist()
    assert sums["ds"].tolist() == future["ds"].tolist()
    np.testing.assert_allclose(sums["weight"], 1, rtol=1e-5)
    layout = forecaster.fitted_.learned.layout
    for name, part in table.groupby("unique_id"):
        own = df[df["unique_id"] == name]["ds"] if "unique_id" in df else df["ds"]
        past = own.tolist()[-12:]
        row = part[: layout.read]
        assert row["past_from"].tolist() == past[:: layout.segment]
        assert row["past_to"].tolist() == past[layout.segment - 1 :: layout.segment]
    assert same(table, forecaster.attention_table(df))


def test_attention_weights_are_those_of_the_network(many: Forecaster) -> None:
    layout, fitted = many.fitted_.learned.layout, many.fitted_
    weights = ask(fitted, context_of(fitted.learned)).weights
    assert weights is not None
    table = many.attention_table()["weight"].to_numpy().reshape(3, 4, layout.read)
    for step in range(4):
        np.testing.assert_allclose(table[:, step], weights[:, step // layout.segment])


def test_without_attention_there_is_no_table() -> None:
    forecaster = make(attention="none").fit(wide())
    assert forecaster.attention == "none"
    with pytest.raises(ConfigError, match="This model has no attention"):
        forecaster.attention_table()


def test_the_setting_attention_is_plain_text_everywhere(one: Forecaster) -> None:
    named = Forecaster(attention="additive")
    assert named.attention == "additive" and f"{named.attention}" == "additive" and isinstance(named.attention, str)
    other = Forecaster(attention=named.attention)
    other.set_params(attention=named.attention)
    assert type(other.get_params()["attention"]) is str, "or it would bring the other estimator along"
    assert type(one.fitted_.config.model.attention) is str
    with pytest.raises(NotFittedError):
        other.attention_table()


# save and load


def test_save_and_load(fitted: tuple[Forecaster, pd.DataFrame], tmp_path: Path) -> None:
    forecaster, df = fitted
    folder = forecaster.save(tmp_path / "run")
    again = Forecaster.load(folder)
    assert same(again.predict(), forecaster.predict())
    assert same(again.predict(2, df=df[:-5]), forecaster.predict(2, df=df[:-5]))
    assert same(again.attention_table(), forecaster.attention_table())
    assert again.fitted_.config.flat() == forecaster.fitted_.config.flat()
    assert (
        again.fitted_.learned.layout == forecaster.fitted_.learned.layout
        and again.fitted_.learned.schema == forecaster.fitted_.learned.schema
    )
    assert again.history_ == forecaster.history_ and again.fitted_.record == forecaster.fitted_.record
    second = again.save(tmp_path / "second")
    assert (second / "config.json").read_bytes() == (folder / "config.json").read_bytes()
    assert same(clone(again).fit(df).predict(), forecaster.predict()), "the settings are all it takes"


def test_score_after_loading(one: Forecaster, tmp_path: Path) -> None:
    again = Forecaster.load(one.save(tmp_path / "run"))
    assert again.score(wide(110)[90:]) == one.score(wide(110)[90:])


def test_saving_over_something(one: Forecaster, tmp_path: Path) -> None:
    one.save(tmp_path / "run")
    with pytest.raises(RunError, match="holds a run already"):
        one.save(str(tmp_path / "run"))
    one.save(str(tmp_path / "run"), overwrite=True)


def test_nothing_works_before_fit(tmp_path: Path) -> None:
    calls: list[Callable[[Forecaster], Any]] = [
        lambda f: f.predict(),
        lambda f: f.score(wide()),
        lambda f: f.attention_table(),
        lambda f: f.save(tmp_path / "run"),
        lambda f: f.network_,
        check_is_fitted,
    ]
    for call in calls:
        with pytest.raises(NotFittedError):
            call(make())
    assert not (tmp_path / "run").exists()
    check_is_fitted(make().fit(wide()))


# scikit-learn


@pytest.mark.parametrize(
    "name",
    [
        "check_estimator_cloneable",
        "check_estimator_repr",
        "check_estimator_tags_renamed",
        "check_valid_tag_types",
        "check_no_attributes_set_in_init",
        "check_get_params_invariance",
        "check_set_params",
        "check_parameters_default_constructible",
        "check_do_not_raise_errors_in_init_or_set_params",
        "check_mixin_order",
        "check_estimators_unfitted",
    ],
)
def test_common_checks_of_scikit_learn(name: str) -> None:
    if not hasattr(checks, name):
        pytest.skip("this scikit-learn has no such check")
    getattr(checks, name)("Forecaster", Forecaster())


def test_clone_keeps_settings_and_nothing_else(one: Forecaster) -> None:
    copied = clone(one)
    assert copied.get_params() == one.get_params() and not hasattr(copied, "fitted_")
    cell = ["lstm", "gru"]
    assert clone(Forecaster(cell=cell)).cell == cell


def test_set_params() -> None:
    forecaster = Forecaster()
    assert forecaster.set_params(horizon=3, attention="dot") is forecaster
    assert (forecaster.horizon, forecaster.attention) == (3, "dot")
    with pytest.raises(ConfigError, match=r"Unknown setting 'horizn'\. Did you mean 'horizon'"):
        forecaster.set_params(seed=5, horizn=3)
    assert forecaster.seed == 0, "all or nothing"


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda f: pickle.loads(pickle.dumps(f))], ids=["deepcopy", "pickle"])
def test_copies(one: Forecaster, copied: Callable[[Forecaster], Forecaster]) -> None:
    other = copied(one)
    assert same(other.predict(), one.predict()) and other.get_params() == one.get_params()
    with torch.no_grad():
        for parameter in other.network_.parameters():
            parameter.add_(1)
    assert not np.array_equal(other.predict()["yhat"], one.predict()["yhat"])
    assert len(pickle.dumps(Forecaster(attention=one.attention))) < 5000
    assert copied(make()).get_params() == make().get_params()


GRID = {"hidden_size": [4, 8], "learning_rate": [1e-3, 1e-2], "batch_size": [16]}


@pytest.mark.parametrize("index", [False, True], ids=["time column", "DatetimeIndex"])
def test_grid_search_on_a_wide_frame(index: bool) -> None:
    df = wide(120).set_index("ds") if index else wide(120)
    grid = {**GRID, "attention": ["none", "dot"], "learning_rate": [1e-2]}
    search = GridSearchCV(make(epoch_steps=2, max_epochs=1), grid, cv=TimeSeriesSplit(3)).fit(df)
    assert set(search.best_params_) == set(grid) and np.isfinite(search.cv_results_["mean_test_score"]).all()
    best = search.best_estimator_
    assert same(search.predict(df), best.predict())
    scores = cross_val_score(clone(best), df, cv=TimeSeriesSplit(3))
    assert scores.mean() == pytest.approx(search.best_score_)
    train, test = next(TimeSeriesSplit(3).split(df))
    assert scores[0] == clone(best).fit(df.iloc[train]).score(df.iloc[test])


def test_grid_search_on_a_long_frame() -> None:
    df = long(120, 120, 90)
    search = GridSearchCV(make(epoch_steps=2, max_epochs=1), GRID, cv=TimeSplit(2), error_score="raise").fit(df)
    assert search.best_params_.keys() == GRID.keys()
    assert search.predict(df)["unique_id"].nunique() == 3


def test_time_split_cuts_by_time() -> None:
    df = long(40, 20, 30).sample(frac=1, random_state=1).reset_index(drop=True)
    split = TimeSplit(3)
    folds = list(split.split(df))
    assert len(folds) == split.get_n_splits() == 3
    tested: list[int] = []
    for k, (train, test) in enumerate(folds):
        assert df["ds"][train].max() < df["ds"][test].min()
        assert df["ds"][train].nunique() == 10 * (k + 1) and df["ds"][test].nunique() == 10
        assert sorted([*train, *tested]) == sorted(set(train) | set(tested))[: len(train) + len(tested)] or k
        tested += test.tolist()
    assert len(tested) == len(set(tested)) == (df["ds"] >= pd.Timestamp("2024-01-11")).sum()
    polars = list(split.split(pl.from_pandas(df)))
    assert all((a[0] == b[0]).all() and (a[1] == b[1]).all() for a, b in zip(folds, polars, strict=True))
    with pytest.raises(DataError, match="no column 'ds'"):
        next(split.split(df.rename(columns={"ds": "day"})))
    assert next(TimeSplit(3, time="day").split(df.rename(columns={"ds": "day"})))[0].tolist() == folds[0][0].tolist()
    with pytest.raises(DataError, match="cannot be split into 6 stretches"):
        next(TimeSplit(5).split(df[df["ds"] < "2024-01-05"]))


# Data of every kind


def test_series_do_not_depend_on_their_unit() -> None:
    """A thousandfold series gives the same forecast, thousandfold; with an offset, too, where no logarithm is taken."""
    for offset, settings in ((0.0, {}), (-5e4, {"combine": False})):
        other = wide().assign(y=lambda d, offset=offset: 1000 * d["y"] + offset)
        plain, moved = (make(**settings).fit(table).predict() for table in (wide(), other))
        for column in COLUMNS[2:]:
            np.testing.assert_allclose(moved[column], 1000 * plain[column] + offset, rtol=1e-3)


def test_a_very_short_series_among_long_ones() -> None:
    df = pd.concat([long(90), wide(6).assign(unique_id="short", y=1e6 + 1e4 * values(6))])
    forecaster = make(horizon=2).fit(df)
    answer = forecaster.predict().set_index("unique_id").loc["short"]
    assert answer["yhat"].between(1e6, 1.3e6).all()
    assert (answer["yhat-hi-90"] - answer["yhat-lo-90"] > 1e3).all(), "its intervals are as wide as it varies"


def test_a_learned_cycle_begins_with_the_measured_one() -> None:
    forecaster = make(learning_rate=0).fit(wide(columns=2))
    measured, table = forecaster._session.prepared.learned.cycles, forecaster.network_.cycle.table  # type: ignore[union-attr]
    assert np.abs(measured).max() > 0.5 and torch.equal(table[:-1], torch.from_numpy(measured).float())
    given = {name: torch.ones_like(value) for name, value in forecaster.network_.state_dict().items()}
    next(forecaster.epochs(wide(columns=2), weights=given))
    assert (forecaster.network_.cycle.table == 1).all(), "weights that are given go before"  # type: ignore[union-attr]


def test_validation_size_of_fit_goes_before_the_setting() -> None:
    assert make().fit(wide(), validation_size=20)._session.prepared.plan.train_ends == (70,)
    assert make(validation_size=15).fit(wide())._session.prepared.plan.train_ends == (75,)
    forecaster = make(validation_size=15).fit(wide(), validation_size=20)
    assert forecaster._session.prepared.plan.train_ends == (70,) and forecaster.validation_size == 15


def test_notes_tell_of_the_data_and_the_cut() -> None:
    notes = make().fit(wide().assign(y=lambda df: df["y"].where(df.index % 9 > 0))).notes_
    assert any("10 missing values" in note for note in notes) and any("training windows" in note for note in notes)


# Repeatable


@pytest.mark.parametrize("kind", ["one", "joint", "vanilla"])
def test_the_same_seed_gives_the_same_result(kind: str) -> None:
    answers = []
    for seed in (3, 3, 4):
        torch.manual_seed(len(answers))  # the random numbers of the user change nothing
        forecaster, df = KINDS[kind]()
        answers.append(forecaster.set_params(seed=seed, zoneout=0.1).fit(df).predict())
    assert same(answers[0], answers[1])
    assert not np.array_equal(answers[0]["yhat"], answers[2]["yhat"])


def test_fitting_again_begins_again(one: Forecaster) -> None:
    forecaster = make(seed=8).fit(long(80, 80))
    forecaster.set_params(seed=0).fit(wide())
    assert same(forecaster.predict(), one.predict())


def test_the_random_numbers_of_the_user_are_left_alone() -> None:
    def states() -> tuple[Any, ...]:
        return random.getstate(), str(np.random.get_state()), torch.random.get_rng_state().tolist()  # noqa: NPY002

    before = states()
    forecaster = make().fit(wide())
    forecaster.predict()
    forecaster.score(wide(110)[90:])
    make().cross_validation(wide(), 2)
    assert states() == before
    assert torch.get_default_dtype() == torch.float32 and torch.is_grad_enabled()


# Epoch by epoch


def test_epochs_are_fit() -> None:
    forecaster = make()
    numbers = [epoch.number for epoch in forecaster.epochs(wide())]
    assert numbers == [1, 2] and same(forecaster.predict(), make().fit(wide()).predict())
    assert [epoch["number"] for epoch in forecaster.history_] == [1, 2]
    told = forecaster.fitted_.record
    assert (told.epochs, told.steps, told.stopped_by) == (2, 6, "max_epochs")


@pytest.mark.parametrize("stop", [1, 2, 3])
@pytest.mark.parametrize("kind", ["one", "wide"])
def test_resuming_is_exact(stop: int, kind: str) -> None:
    def fresh() -> tuple[Forecaster, pd.DataFrame]:
        forecaster, df = KINDS[kind]()
        return forecaster.set_params(max_epochs=4, dropout=0.2, zoneout=0.1), df

    whole, df = fresh()
    whole.fit(df)
    first, _ = fresh()
    for epoch in first.epochs(df):
        if epoch.number == stop:
            break
    saved: Progress = copy.deepcopy(first.progress_)
    weights = {name: value.clone() for name, value in first.network_.state_dict().items()}
    second, _ = fresh()
    rest = [epoch.number for epoch in second.epochs(df, progress=saved, weights=weights)]
    assert rest == list(range(stop + 1, 5))
    assert same(second.predict(), whole.predict())
    assert [e["valid_loss"] for e in whole.history_[stop:]] == [e["valid_loss"] for e in second.history_]


def test_stopping_early_keeps_the_best() -> None:
    forecaster = make(max_epochs=6, learning_rate=0.3, lags=False)
    losses = []
    for epoch in forecaster.epochs(wide()):
        losses.append(epoch.valid_loss)
        if epoch.number == 4:
            break
    forecaster.keep_best()
    assert forecaster.fitted_.record.stopped_by == "the user"
    best = int(np.argmin(losses)) + 1
    assert forecaster.fitted_.record.best_epoch == best < 4, "or this test shows nothing"
    until = make(max_epochs=6, learning_rate=0.3, lags=False)
    for epoch in until.epochs(wide()):
        if epoch.number == best:
            break
    until.keep_best()
    assert same(until.predict(), forecaster.predict())


# Classes of one's own


class Twin(GRUCell):
    """A GRU under another name; the native engine does not know it."""

    native = torch_function = None


class Halved(DotAttention):
    """Half the score of a dot product."""

    def score(self, query: torch.Tensor, keys: torch.Tensor) -> torch.Tensor:
        return super().score(query, keys) / 2


def test_a_cell_may_be_a_class(tmp_path: Path) -> None:
    own, named = (make(cell=cell, engine="reference").fit(wide()) for cell in (Twin, "gru"))
    assert same(own.predict(), named.predict()), "the same equation and the same seed"
    assert type(own.network_.core.recurrent.cells()[0]) is Twin  # type: ignore[union-attr]
    folder = own.save(tmp_path / "run")
    with pytest.raises(RunError, match=r"uses the cell 'test_forecaster:Twin'.*cells=\[test_forecaster\.Twin\]"):
        Forecaster.load(folder)
    again = Forecaster.load(folder, cells=[Twin])
    assert again.cell is Twin and same(again.predict(), own.predict())
    assert clone(again).get_params()["cell"] is Twin
    assert "Twin" in repr(again)


def test_a_stack_and_an_attention_of_classes(tmp_path: Path) -> None:
    forecaster = make(cell=("lstm", Twin), attention=Halved).fit(wide())
    assert len(forecaster.attention_table()) > 0
    folder = forecaster.save(tmp_path / "run")
    with pytest.raises(RunError, match="uses the attention 'test_forecaster:Halved'"):
        Forecaster.load(folder, cells=[Twin])
    again = Forecaster.load(folder, cells=[Twin], attentions=[Halved])
    assert again.cell == ("lstm", Twin) and same(again.predict(), forecaster.predict())


@pytest.mark.parametrize(("setting", "what"), [("cell", "cell"), ("attention", "attention")])
def test_a_class_of_another_kind_is_refused(setting: str, what: str) -> None:
    with pytest.raises(ConfigError, match=f"The class Path is not a {what}|The class Path is no {what}"):
        make(**{setting: Path}).fit(wide())


def cautions(do: Callable[[], Any]) -> list[warnings.WarningMessage]:
    """What ``do`` warns of, whatever the settings of the tests are."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", Caution)
        do()
    return [one for one in said if one.category is Caution]


def test_what_is_doubtful_is_a_warning_on_the_line_of_the_user() -> None:
    assert cautions(lambda: Forecaster(horizon=7, **TINY).fit(wide(200))) == []
    few = wide(40)
    for said in (
        cautions(lambda: Forecaster(horizon=7, **TINY).fit(few)),
        cautions(lambda: Forecaster(horizon=7, **TINY).epochs(few)),
        cautions(lambda: Forecaster(horizon=4, **TINY).cross_validation(few, n_windows=2)),
    ):
        assert [str(one.message).partition(" training windows")[0][:13] for one in said] == ["careful: only"]
        assert said[0].filename == __file__
    fitted = Forecaster(horizon=7, **TINY).fit(wide(90))
    said = cautions(lambda: fitted.predict(df=wide(5)))
    assert ["fewer rows" in str(one.message) for one in said] == [True]
    assert said[0].filename == __file__


@pytest.mark.parametrize("size", [10**6, 10**9, 10**12])
def test_a_network_that_no_memory_holds_is_refused(size: int) -> None:
    with pytest.raises(ConfigError, match=f"hidden_size={size:,} does not fit into memory"):
        Forecaster(horizon=7, **TINY | {"hidden_size": size}).fit(wide())


def test_a_seed_may_be_as_large_as_torch_takes() -> None:
    large = Forecaster(horizon=7, seed=2**63 - 1, **TINY).fit(wide()).predict()
    assert np.isfinite(large["yhat"]).all()
    with pytest.raises(ConfigError, match="seed must be at most 9223372036854775807"):
        Forecaster(horizon=7, seed=2**63, **TINY).fit(wide())


def test_a_value_that_is_too_large_is_shown_with_its_sign() -> None:
    with pytest.raises(DataError, match=r"has the value -1e\+308 in row 4,"):
        Forecaster(horizon=7, **TINY).fit(
            wide().assign(s0=lambda table: table.iloc[:, 1].where(table.index != 3, -1e308))
        )


def test_a_type_that_pandas_does_not_have_is_refused() -> None:
    frame = pl.from_pandas(wide())
    with pytest.raises(DataError, match="Cast the column to a usual type"):
        Forecaster(horizon=7, **TINY).fit(frame.with_columns(frame[:, 1].cast(pl.Int128).alias("n")))
