"""The Classifier: what goes in, what comes out, and the conventions of scikit-learn."""

import copy
import inspect
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
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from recurra import Classifier, Forecaster
from recurra.errors import ConfigError, DataError, RunError

TINY: dict[str, Any] = {"hidden_size": 8, "epoch_steps": 3, "max_epochs": 2, "batch_size": 8, "last_epochs": 1}
QUICK: dict[str, Any] = {
    "last_epochs": 2,
    "hidden_size": 16,
    "epoch_steps": 10,
    "max_epochs": 8,
    "batch_size": 16,
    "learning_rate": 1e-2,
}


def make(**settings: Any) -> Classifier:
    return Classifier(**(TINY | settings))


def waves(count: int = 40, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Slow (0) and fast (1) waves, (N, 24)."""
    random = np.random.default_rng(seed)
    y = np.arange(count) % 2
    angle = 2 * np.pi * (np.arange(24) / np.where(y, 5.0, 12.0)[:, None] + random.random((count, 1)))
    return np.sin(angle) + random.normal(0, 0.2, (count, 24)), y


@pytest.fixture(scope="module")
def one() -> Classifier:
    """A classifier for tests that change nothing in it."""
    return make().fit(*waves())


FORMS: dict[str, Callable[[], tuple[Any, Any]]] = {
    "array": waves,
    "channels": lambda: (np.stack([waves()[0], -waves()[0]], 1), waves()[1]),
    "text": lambda: (waves()[0], np.where(waves()[1], "fast", "slow")),
    "objects": lambda: (waves()[0], np.array(["fast", "slow"], object)[waves()[1]]),
    "truth": lambda: (waves()[0], waves()[1].astype(bool)),
    "floats": lambda: (waves()[0], waves()[1] * 3.0),
    "unequal": lambda: ([row[: 15 + n % 9] for n, row in enumerate(waves()[0])], waves()[1].tolist()),
    "gaps": lambda: (np.where(waves(40, 5)[0] > 1.1, np.nan, waves()[0]), waves()[1]),
    "frame": lambda: (pd.DataFrame(waves()[0]), pd.Series(waves()[1])),
    "tensor": lambda: (torch.from_numpy(waves()[0]), torch.from_numpy(waves()[1])),
}


@pytest.mark.parametrize("form", FORMS)
def test_fit_and_predict(form: str, tmp_path: Path) -> None:
    X, y = FORMS[form]()
    classifier = make().fit(X, y)
    labels = np.asarray(y)
    assert np.array_equal(classifier.classes_, np.unique(labels))
    said, sure = classifier.predict(X), classifier.predict_proba(X)
    assert set(said) <= set(labels) and said.shape == (40,) and sure.shape == (40, 2)
    np.testing.assert_allclose(sure.sum(1), 1)
    assert np.array_equal(classifier.classes_[sure.argmax(1)], said)
    np.testing.assert_allclose(np.exp(classifier.predict_log_proba(X)), sure)
    assert classifier.score(X, y) == accuracy_score(labels, said)
    again = Classifier.load(classifier.save(tmp_path / "run"))
    assert np.array_equal(again.predict_proba(X), sure) and again.predict(X).dtype == said.dtype
    assert np.array_equal(again.classes_, classifier.classes_) and again.history_ == classifier.history_
    assert again.fitted_.config.flat() == classifier.fitted_.config.flat()


def test_signature() -> None:
    parameters = inspect.signature(Classifier).parameters
    assert {name: one.default for name, one in parameters.items()} == Classifier.kind.parts.defaults()
    assert all(one.kind is inspect.Parameter.KEYWORD_ONLY for one in parameters.values())
    assert "horizon" not in parameters and Classifier().bidirectional and not Forecaster().bidirectional
    assert repr(Classifier(segment=4)) == "Classifier(segment=4)"


def test_names_are_kept_as_they_are() -> None:
    X, y = waves()
    names = np.array([" blank ", "1.0"])
    classifier = make().fit(X, names[y])
    assert classifier.classes_.tolist() == [" blank ", "1.0"] and set(classifier.predict(X)) <= set(names)


def test_a_table_has_its_labels_in_it(tmp_path: Path) -> None:
    X, y = waves()
    table = pd.DataFrame(X, columns=[f"t{n}" for n in range(24)]).assign(label=np.where(y, "fast", "slow"))
    classifier = make().fit(table)
    assert classifier.classes_.tolist() == ["fast", "slow"]
    bare = table.drop(columns="label")
    assert np.array_equal(classifier.predict(bare), classifier.predict(table))
    assert classifier.score(table) == accuracy_score(table["label"], classifier.predict(bare))
    assert np.array_equal(make().fit(pl.from_pandas(table)).predict(pl.from_pandas(bare)), classifier.predict(bare))
    table.to_csv(tmp_path / "table.csv", index=False)
    from_file = make().fit(tmp_path / "table.csv")
    assert np.array_equal(from_file.predict(table), classifier.predict(table))
    assert from_file.score(str(tmp_path / "table.csv")) == classifier.score(table)
    by_arrays = make().fit(X, table["label"])
    np.testing.assert_allclose(by_arrays.predict_proba(X), classifier.predict_proba(table), rtol=1e-5)


def test_a_case_alone_is_answered_as_among_others(one: Classifier) -> None:
    X, _ = waves()
    alone = np.concatenate([one.predict_proba(X[n : n + 1]) for n in range(5)])
    np.testing.assert_allclose(alone, one.predict_proba(X)[:5], rtol=1e-5)
    order = np.random.default_rng(0).permutation(40)
    np.testing.assert_allclose(one.predict_proba(X[order]), one.predict_proba(X)[order], rtol=1e-5)


def test_answers_come_back_in_their_order() -> None:
    X, y = FORMS["unequal"]()
    classifier = make().fit(X, y)
    alone = np.concatenate([classifier.predict_proba([case]) for case in X])
    np.testing.assert_allclose(classifier.predict_proba(X), alone, rtol=1e-4)


def test_attention_table() -> None:
    X, y = FORMS["unequal"]()
    classifier = make(segment=4).fit(X, y)
    table = classifier.attention_table(X)
    assert list(table.columns) == ["case", "from", "to", "weight"]
    np.testing.assert_allclose(table.groupby("case")["weight"].sum(), 1, rtol=1e-5)
    for n, case in enumerate(X):
        own = table[table["case"] == str(n + 1)]
        assert own["from"].tolist() == list(range(0, max(1, len(case) - 2), 2))
        assert own["to"].max() == len(case) - 1 and (own["to"] - own["from"] <= 3).all()
    with pytest.raises(ConfigError, match="This model looks nowhere"):
        make(attention="none").fit(X, y).attention_table(X)
    with pytest.raises(ConfigError, match="looks nowhere"):
        make(readout="mean").fit(X, y).attention_table(X)


@pytest.mark.parametrize("settings", [{}, {"attention": "none", "changes": False, "filters": 0}], ids=str)
def test_occlusion_table(settings: dict[str, Any]) -> None:
    """Every fall is what ``predict_proba`` says of the same case with that stretch on a straight line."""
    X, y = FORMS["unequal"]()
    classifier = make(segment=4, **settings).fit(X, y)
    table = classifier.occlusion_table(X)
    assert list(table.columns) == ["case", "from", "to", "fall"]
    assert table.groupby("case", sort=False).size().tolist() == [max(1, -(-(len(x) - 4) // 2) + 1) for x in X]
    before = classifier.predict_proba(X)
    for number in (0, 5, 11):
        case, named = np.asarray(X[number], float), before[number].argmax()
        rows = table[table["case"] == str(number + 1)]
        changed = []
        for first, last in zip(rows["from"], rows["to"], strict=True):
            kept = np.r_[0:first, last + 1 : len(case)]
            changed.append(np.interp(np.arange(len(case)), kept, case[kept]))
        falls = before[number, named] - classifier.predict_proba(changed)[:, named]
        np.testing.assert_allclose(rows["fall"], falls, atol=2e-6)
        assert np.abs(falls).max() > 1e-4
    order = np.random.default_rng(0).permutation(len(X))
    shuffled = classifier.occlusion_table([X[n] for n in order])
    own = [group["fall"].to_numpy() for _, group in shuffled.groupby("case", sort=False)]
    for place, number in enumerate(order):
        np.testing.assert_allclose(own[place], table.loc[table["case"] == str(number + 1), "fall"], atol=2e-6)


@pytest.mark.slow
def test_occlusion_finds_what_decides() -> None:
    """A bump somewhere in noise, up or down: without it the model does not know; nothing else matters as much."""
    random = np.random.default_rng(0)
    y, places = random.integers(0, 2, 200), random.integers(5, 85, 200)
    X = random.normal(0, 0.3, (200, 100))
    for case, up, place in zip(X, y, places, strict=True):
        case[place : place + 10] += np.hanning(10) * (3 if up else -3)
    classifier = Classifier(hidden_size=16, max_epochs=8, last_epochs=0).fit(X[:150], y[:150])
    assert classifier.score(X[150:], y[150:]) > 0.95
    table = classifier.occlusion_table(X[150:])
    found = table.loc[table.groupby("case", sort=False)["fall"].idxmax()]
    hits = (found["from"] <= places[150:] + 9).to_numpy() & (found["to"] >= places[150:]).to_numpy()
    assert hits.mean() > 0.8, hits.mean()


def test_faults() -> None:
    X, y = waves()
    with pytest.raises(ConfigError, match=r"Unknown readout 'lst'\. Did you mean 'last'"):
        make(readout="lst").fit(X, y)
    with pytest.raises(ConfigError, match="The setting heads has no effect"):
        make(readout="mean", heads=2).fit(X, y)
    with pytest.raises(ConfigError, match="The setting attention has no effect: readout='max' looks nowhere"):
        make(readout="max", attention="dot").fit(X, y)
    make(readout="max", attention="none").fit(X, y)
    with pytest.raises(DataError, match="A training needs labels"):
        make().fit(X)
    with pytest.raises(DataError, match=r"X has 40 case\(s\), but y has 39"):
        make().fit(X, y[:-1])
    with pytest.raises(DataError, match="Unknown label type: y is continuous"):
        make().fit(X, X[:, 0])
    with pytest.raises(DataError, match="A label is itself a list"):
        make().fit(X, [[0] * (n + 1) for n in range(len(X))])
    fitted = make().fit(X, y)
    with pytest.raises(DataError, match=r"trained on 1 channel\(s\) .* these cases have 2 channel\(s\)"):
        fitted.predict(np.stack([X, X], 1))
    with pytest.raises(DataError, match="have no labels"):
        fitted.score(X)
    assert fitted.score(X, y + 7) == 0, "classes that were not there are not named"


def test_nothing_works_before_fit(tmp_path: Path) -> None:
    X, y = waves()
    calls: list[Callable[[Classifier], Any]] = [
        lambda c: c.predict(X),
        lambda c: c.predict_proba(X),
        lambda c: c.score(X, y),
        lambda c: c.classes_,
        lambda c: c.attention_table(X),
        lambda c: c.save(tmp_path / "run"),
    ]
    for call in calls:
        with pytest.raises(NotFittedError):
            call(make())


def test_a_run_of_another_task_is_refused(one: Classifier, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is of the task 'classify', not of 'forecast'"):
        Forecaster.load(one.save(tmp_path / "run"))


# scikit-learn
#
# Not among its checks: check_classifiers_train (a sequence may have another length than those of the training),
# check_dtype_object (our errors are ValueErrors) and check_methods_subset_invariance (exact to 1e-7, which single
# precision is not; test_a_case_alone_is_answered_as_among_others stands for it).


@pytest.mark.parametrize(
    "name",
    [
        "check_classifier_data_not_an_array",
        "check_classifiers_classes",
        "check_classifiers_one_label",
        "check_classifiers_regression_target",
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
        "check_fit2d_1feature",
        "check_fit_check_is_fitted",
        "check_fit_idempotent",
        "check_get_params_invariance",
        "check_methods_sample_order_invariance",
        "check_mixin_order",
        "check_no_attributes_set_in_init",
        "check_parameters_default_constructible",
        "check_pipeline_consistency",
        "check_set_params",
        "check_valid_tag_types",
    ],
)
def test_common_checks_of_scikit_learn(name: str) -> None:
    if not hasattr(checks, name):
        pytest.skip("this scikit-learn has no such check")
    getattr(checks, name)("Classifier", Classifier() if "parameters" in name else Classifier(**QUICK))


def test_it_is_a_classifier() -> None:
    assert is_classifier(Classifier()) and not is_classifier(Forecaster(horizon=1))


@pytest.mark.parametrize("channels", [False, True])
def test_search_and_folds(channels: bool) -> None:
    X, y = FORMS["channels" if channels else "array"]()
    folds = StratifiedKFold(2)
    search = GridSearchCV(make(epoch_steps=2), {"hidden_size": [4, 8]}, cv=folds, error_score="raise").fit(X, y)
    assert set(search.best_params_) == {"hidden_size"} and search.predict(X).shape == (40,)
    scores = cross_val_score(make(), X, y, cv=folds)
    train, test = next(folds.split(X, y))
    assert scores[0] == make().fit(X[train], y[train]).score(X[test], y[test])
    sure = cross_val_predict(make(), X, y, cv=folds, method="predict_proba")
    np.testing.assert_allclose(sure.sum(1), 1)


def test_pipeline() -> None:
    X, y = waves()
    pipe = make_pipeline(FunctionTransformer(np.gradient, kw_args={"axis": 1}), make()).fit(X, y)
    expected = make().fit(np.gradient(X, axis=1), y)
    assert np.array_equal(pipe.predict_proba(X), expected.predict_proba(np.gradient(X, axis=1)))
    assert pipe.score(X, y) == expected.score(np.gradient(X, axis=1), y)


def test_copies(one: Classifier) -> None:
    X, _ = waves()
    for other in (copy.deepcopy(one), pickle.loads(pickle.dumps(one))):
        assert np.array_equal(other.predict_proba(X), one.predict_proba(X))
    fresh = clone(one)
    assert fresh.get_params() == one.get_params() and not hasattr(fresh, "fitted_")


# Repeatable


def test_the_same_seed_gives_the_same_result(one: Classifier) -> None:
    X, y = waves()
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    again, other = make().fit(X, y), make(seed=1).fit(X, y)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert np.array_equal(again.predict_proba(X), one.predict_proba(X))
    assert not np.array_equal(other.predict_proba(X), one.predict_proba(X))


@pytest.mark.parametrize("stop", [1, 2, 3])
def test_resuming_is_exact(stop: int) -> None:
    X, y = FORMS["unequal"]()
    settings = {"max_epochs": 4, "zoneout": 0.1}
    whole = make(**settings).fit(X, y)
    first = make(**settings)
    for epoch in first.epochs(X, y):
        if epoch.number == stop:
            break
    saved = copy.deepcopy(first.progress_)
    weights = {name: value.clone() for name, value in first.network_.state_dict().items()}
    second = make(**settings)
    rest = [epoch.number for epoch in second.epochs(X, y, progress=saved, weights=weights)]
    assert rest == list(range(stop + 1, 6)), "four epochs, and the last one on all cases"
    assert np.array_equal(second.predict_proba(X), whole.predict_proba(X))


def test_stopping_in_the_last_epochs_undoes_them() -> None:
    classifier, whole = make(max_epochs=3, last_epochs=4), make(max_epochs=3, last_epochs=0).fit(*waves())
    for epoch in classifier.epochs(*waves()):
        if epoch.number == 5:
            break
    classifier.keep_best()
    assert [epoch["number"] for epoch in classifier.history_] == [1, 2, 3]
    assert classifier.fitted_.record.last_epochs == 0
    assert np.array_equal(classifier.predict_proba(waves()[0]), whole.predict_proba(waves()[0]))


def test_stopping_early_keeps_the_best() -> None:
    classifier = make(max_epochs=6)
    for epoch in classifier.epochs(*waves()):
        if epoch.number == 3:
            break
    classifier.keep_best()
    assert classifier.fitted_.record.stopped_by == "the user"
    assert classifier.predict(waves()[0]).shape == (40,)
