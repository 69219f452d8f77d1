"""The Regressor: what goes in, what comes out, and the conventions of scikit-learn."""

import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn.utils.estimator_checks as checks
import torch
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, KFold, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from recurra import Classifier, Regressor
from recurra.errors import Caution, ConfigError, DataError, RunError
from recurra.tasks.cases.looking import falls
from recurra.tasks.regress.answers import moves_of

TINY: dict[str, Any] = {"hidden_size": 8, "epoch_steps": 3, "max_epochs": 2, "batch_size": 8, "last_epochs": 1}


def make(**settings: Any) -> Regressor:
    return Regressor(**(TINY | settings))


def waves(count: int = 40, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Waves (N, 24) and how high they are (N,)."""
    random = np.random.default_rng(seed)
    y = random.uniform(1, 5, count)
    angle = 2 * np.pi * (np.arange(24) / 8 + random.random((count, 1)))
    return y[:, None] * np.sin(angle) + random.normal(0, 0.2, (count, 24)), y


@pytest.fixture(scope="module")
def one() -> Regressor:
    """A regressor for tests that change nothing in it."""
    return make().fit(*waves())


FORMS: dict[str, Callable[[], tuple[Any, Any]]] = {
    "array": waves,
    "channels": lambda: (np.stack([waves()[0], -waves()[0]], 1), waves()[1]),
    "whole numbers": lambda: (waves()[0], np.arange(40)),
    "two targets": lambda: (waves()[0], np.stack([waves()[1], -1e3 * waves()[1]], 1)),
    "unequal": lambda: ([row[: 15 + n % 9] for n, row in enumerate(waves()[0])], waves()[1].tolist()),
    "gaps": lambda: (np.where(waves(40, 5)[0] > 3, np.nan, waves()[0]), waves()[1]),
    "frame": lambda: (pd.DataFrame(waves()[0]), pd.Series(waves()[1])),
    "tensor": lambda: (torch.from_numpy(waves()[0]), torch.from_numpy(waves()[1])),
}


@pytest.mark.parametrize("form", FORMS)
def test_fit_and_predict(form: str, tmp_path: Path) -> None:
    X, y = FORMS[form]()
    regressor = make().fit(X, y)
    truth = np.asarray(y)
    said, ends = regressor.predict(X), regressor.predict_interval(X, 80)
    assert said.shape == truth.shape and said.dtype == np.float64 and ends.shape == (*truth.shape, 2)
    assert (ends[..., 0] <= said).all() and (said <= ends[..., 1]).all()
    assert (regressor.predict_interval(X)[..., 0] <= ends[..., 0]).all(), "90 % if not said"
    assert regressor.score(X, y) == pytest.approx(r2_score(truth, said))
    again = Regressor.load(regressor.save(tmp_path / "run"))
    assert np.array_equal(again.predict(X), said) and np.array_equal(again.predict_interval(X, 80), ends)
    assert again.history_ == regressor.history_ and again.targets_ == regressor.targets_
    assert again.fitted_.config.flat() == regressor.fitted_.config.flat()


def test_a_table_has_its_numbers_in_it(tmp_path: Path) -> None:
    X, y = waves()
    table = pd.DataFrame(X, columns=[f"t{n}" for n in range(24)]).assign(target=y)
    regressor = make().fit(table)
    assert regressor.targets_ == ("target",)
    bare = table.drop(columns="target")
    assert np.array_equal(regressor.predict(bare), regressor.predict(table))
    assert regressor.score(table) == pytest.approx(r2_score(y, regressor.predict(bare)))
    assert np.array_equal(make().fit(pl.from_pandas(table)).predict(pl.from_pandas(bare)), regressor.predict(bare))
    table.to_csv(tmp_path / "table.csv", index=False)
    assert np.array_equal(make().fit(tmp_path / "table.csv").predict(table), regressor.predict(table))
    by_arrays = make().fit(X, y)
    np.testing.assert_allclose(by_arrays.predict(X), regressor.predict(table), rtol=1e-5)


def test_a_target_that_was_found_is_none_of_the_values_later() -> None:
    """A table that comes later is read by the same columns, even if it could be read otherwise by itself."""
    X, y = waves()
    table = pd.DataFrame(X, columns=[f"t{n}" for n in range(24)]).assign(y=X[:, 0], target=y)
    regressor = make().fit(table)
    assert regressor.targets_ == ("target",), "and y is the last step"
    assert np.array_equal(regressor.predict(table.drop(columns="target")), regressor.predict(table))


def test_the_unit_of_the_target_changes_nothing_but_the_unit(one: Regressor) -> None:
    X, y = waves()
    other = make().fit(X, 1e6 * y - 3e7)
    np.testing.assert_allclose(other.predict(X), 1e6 * one.predict(X) - 3e7, rtol=1e-4)
    assert other.score(X, 1e6 * y - 3e7) == pytest.approx(one.score(X, y), abs=1e-4)


def test_answers_come_back_in_their_order() -> None:
    X, y = FORMS["unequal"]()
    regressor = make().fit(X, y)
    alone = np.concatenate([regressor.predict([case]) for case in X])
    np.testing.assert_allclose(regressor.predict(X), alone, rtol=1e-4)


@pytest.mark.parametrize("settings", [{}, {"attention": "none", "loss": "squared"}], ids=str)
def test_occlusion_table(settings: dict[str, Any]) -> None:
    """Every fall is what ``predict`` says of the same case with that stretch on a straight line."""
    X, y = FORMS["unequal"]()
    regressor = make(segment=4, **settings).fit(X, np.stack([y, -1e3 * np.array(y)], 1))
    table, before = regressor.occlusion_table(X), regressor.predict(X)
    assert list(table.columns) == ["case", "from", "to", "target_1-fall", "target_2-fall"]
    for number in (0, 5, 11):
        rows, changed = table[table["case"] == str(number + 1)], []
        for first, last in zip(rows["from"], rows["to"], strict=True):
            kept = np.r_[0:first, last + 1 : len(X[number])]
            changed.append(np.interp(np.arange(len(X[number])), kept, X[number][kept]))
        unit = regressor.fitted_.learned.std
        expected = (before[number] - regressor.predict(changed)) / unit
        np.testing.assert_allclose(rows.iloc[:, 3:] / unit, expected, atol=2e-6)
        assert np.abs(expected).max() > 1e-4


def test_the_answer_moves_by_its_falls() -> None:
    """In the unit of one target; of several, in their deviations."""
    X, y = waves()
    for numbers in (y, np.stack([y, -1e3 * y], 1)):
        regressor = make(segment=4).fit(X, numbers)
        fitted, learned = regressor.fitted_, regressor.fitted_.learned
        examples = regressor.kind.encode(regressor.kind.read((X, numbers), fitted.config), learned)
        table = regressor.occlusion_table(X).iloc[:, 3:].to_numpy()
        unit = learned.std if numbers.ndim == 2 else 1.0
        found = np.concatenate(falls(fitted, examples, moves_of(fitted)))
        np.testing.assert_allclose(found, (np.abs(table) / unit).mean(1), rtol=1e-4, atol=1e-6)


def test_cases_without_weight_teach_nothing() -> None:
    X, y = waves()
    wrong = np.where(np.arange(40) < 20, y, 1e3)
    weights = (np.arange(40) < 20).astype(float)
    quick = {"epoch_steps": 15, "max_epochs": 3, "learning_rate": 1e-2, "loss": "squared"}
    with_weights, without = make(**quick).fit(X, wrong, sample_weight=weights), make(**quick).fit(X, wrong)
    assert np.abs(with_weights.predict(X[:20])).mean() < 0.2 * np.abs(without.predict(X)).mean()
    with pytest.raises(DataError, match="sample_weight must be 40 numbers"):
        make().fit(X, y, sample_weight=weights[:3])


@pytest.mark.parametrize("loss", ["squared", "absolute", "huber"])
def test_one_value_has_no_interval(loss: str) -> None:
    X, y = waves()
    regressor = make(loss=loss).fit(X, y)
    assert regressor.predict(X).shape == (40,)
    with pytest.raises(ConfigError, match=r"This model was trained without intervals. Train it with loss='quantile'"):
        regressor.predict_interval(X)


def test_faults(one: Regressor, tmp_path: Path) -> None:
    X, y = waves()
    with pytest.raises(ConfigError, match=r"There is no interval of 75 %. The levels of this model are: 80, 90\."):
        one.predict_interval(X, 75)
    with pytest.raises(DataError, match=r"X has 40 case\(s\), but y has 39 row\(s\)"):
        make().fit(X, y[:-1])
    with pytest.raises(DataError, match=r"Unknown label type: y is continuous.* The task 'regress' .*: use Regressor"):
        Classifier(**TINY).fit(X, y)
    with pytest.raises(DataError, match=r"y holds text such as 'a'.* The task 'classify' .*: use Classifier"):
        make().fit(X, ["a", "b"] * 20)
    with pytest.raises(DataError, match=r"trained on 1 channel\(s\) .* these cases have 2 channel\(s\)"):
        one.predict(np.stack([X, X], 1))
    with pytest.raises(RunError, match="is of the task 'regress', not of 'classify'"):
        Classifier.load(one.save(tmp_path / "run"))


def test_what_looks_made_for_the_other_task_is_said() -> None:
    X, y = waves()
    with pytest.warns(Caution, match="careful: 'target' has two values only, 0 and 1; to name classes, use Classifier"):
        make().fit(X, (y > 3).astype(int))
    with pytest.raises(DataError, match=r"If they are numbers to be learned as such, use Regressor\."):
        Classifier(**TINY).fit(X, np.arange(40))


def test_attention_table(one: Regressor) -> None:
    table = one.attention_table(waves()[0])
    assert list(table.columns) == ["case", "from", "to", "weight"]
    np.testing.assert_allclose(table.groupby("case")["weight"].sum(), 1, rtol=1e-5)


# scikit-learn
#
# Not among its checks: check_regressors_train (a sequence may have another length than those of the training),
# check_supervised_y_2d (a column is one target, without a warning), check_supervised_y_no_nan (our own words).


@pytest.mark.parametrize(
    "name",
    [
        "check_dict_unchanged",
        "check_do_not_raise_errors_in_init_or_set_params",
        "check_dont_overwrite_attributes",
        "check_estimator_cloneable",
        "check_estimator_repr",
        "check_estimator_tags_renamed",
        "check_estimators_dtypes",
        "check_estimators_fit_returns_self",
        "check_estimators_overwrite_params",
        "check_estimators_pickle",
        "check_estimators_unfitted",
        "check_fit_check_is_fitted",
        "check_fit_idempotent",
        "check_get_params_invariance",
        "check_methods_sample_order_invariance",
        "check_no_attributes_set_in_init",
        "check_parameters_default_constructible",
        "check_pipeline_consistency",
        "check_regressor_data_not_an_array",
        "check_regressor_multioutput",
        "check_regressors_int",
        "check_regressors_no_decision_function",
        "check_sample_weights_list",
        "check_sample_weights_pandas_series",
        "check_sample_weights_shape",
        "check_set_params",
        "check_valid_tag_types",
    ],
)
def test_common_checks_of_scikit_learn(name: str) -> None:
    if not hasattr(checks, name):
        pytest.skip("this scikit-learn has no such check")
    getattr(checks, name)("Regressor", Regressor() if "parameters" in name else make())


def test_it_is_a_regressor() -> None:
    assert is_regressor(Regressor()) and not is_classifier(Regressor()) and not is_regressor(Classifier())


def test_search_folds_and_pipeline(one: Regressor) -> None:
    X, y = waves()
    folds = KFold(2)
    search = GridSearchCV(make(epoch_steps=2), {"hidden_size": [4, 8]}, cv=folds, error_score="raise").fit(X, y)
    assert set(search.best_params_) == {"hidden_size"} and search.predict(X).shape == (40,)
    scores = cross_val_score(make(), X, y, cv=folds)
    train, test = next(folds.split(X, y))
    assert scores[0] == make().fit(X[train], y[train]).score(X[test], y[test])
    assert cross_val_predict(make(), X, y, cv=folds).shape == (40,)
    pipe = make_pipeline(FunctionTransformer(np.negative), make()).fit(X, y)
    assert np.array_equal(pipe.predict(X), make().fit(-X, y).predict(-X))


def test_copies(one: Regressor) -> None:
    X, _ = waves()
    for other in (copy.deepcopy(one), pickle.loads(pickle.dumps(one))):
        assert np.array_equal(other.predict(X), one.predict(X))
    fresh = clone(one)
    assert fresh.get_params() == one.get_params() and not hasattr(fresh, "fitted_")
