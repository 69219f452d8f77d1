"""Ridge regression in closed form, against scikit-learn."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge as OneRidge
from sklearn.linear_model import RidgeCV
from sklearn.preprocessing import StandardScaler

from recurra.nn.ridge import PENALTIES, Ridge


def question(cases: int, features: int, targets: int = 3) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(cases)
    x = random.normal(size=(cases, features)) * random.uniform(0.1, 5, features) + 2
    x[:, 1] = 7  # never varies
    y = x @ random.normal(size=(features, targets)) / np.sqrt(features) + random.normal(size=(cases, targets)) + 4
    return x, y


@pytest.mark.parametrize(("cases", "features"), [(60, 12), (25, 70), (30, 30), (4, 9)])
def test_it_is_that_of_scikit_learn(cases: int, features: int) -> None:
    x, y = question(cases, features)
    found = Ridge.of(x, y)
    scaler = StandardScaler().fit(x)
    twin = RidgeCV(np.array(PENALTIES) * cases, store_cv_results=True).fit(scaler.transform(x), y)
    assert found.penalty * cases == pytest.approx(twin.alpha_)
    np.testing.assert_allclose(found(x + 1), twin.predict(scaler.transform(x + 1)), rtol=1e-6, atol=1e-6)
    errors = twin.cv_results_[..., PENALTIES.index(found.penalty)]
    np.testing.assert_allclose((found.left_out - y) ** 2, errors, rtol=1e-5, atol=1e-9)
    assert (found.weights[1] == 0).all()


def test_what_is_left_out_was_not_seen() -> None:
    """Fitted again without each case, on features scaled as before."""
    x, y = question(20, 40)
    found, z = Ridge.of(x, y, (0.1,)), StandardScaler().fit_transform(x)
    for n in range(len(x)):
        rest = np.arange(len(x)) != n
        alone = OneRidge(0.1 * len(x)).fit(z[rest], y[rest])
        np.testing.assert_allclose(found.left_out[n], alone.predict(z[[n]])[0], rtol=1e-6)


def test_small_numbers_are_precise_enough() -> None:
    x, y = question(50, 3000)
    exact, rounded = (Ridge.of(features, y, (PENALTIES[0],)) for features in (x, x.astype(np.float32)))
    np.testing.assert_allclose(rounded(x), exact(x), atol=2e-3 * y.std())
    np.testing.assert_allclose(rounded.left_out, exact.left_out, atol=2e-3 * y.std())


@pytest.mark.parametrize("features", [2, 5])
def test_nothing_varies(features: int) -> None:
    found = Ridge.of(np.ones((4, features)), np.arange(8.0).reshape(4, 2))
    np.testing.assert_allclose(found(np.ones((2, features))), [[3, 4], [3, 4]])
