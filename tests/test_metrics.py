"""Measures of error by hand, and against scikit-learn, SciPy and statsmodels."""

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats
from sklearn import metrics as sk

from recurra.compare.significance import diebold_mariano, interval_of_mean
from recurra.tasks.forecast.metrics import (
    METRICS,
    coverage,
    mean_absolute_error,
    mean_absolute_scaled_error,
    naive_scale,
    root_mean_squared_error,
    symmetric_percentage_error,
)

NAN = np.nan
TRUTH = np.array([[[1.0], [2.0], [NAN]], [[-4.0], [0.0], [10.0]]])  # two windows of three steps
GUESS = np.array([[[2.0], [2.0], [99.0]], [[-1.0], [0.0], [8.0]]])


def test_errors_by_hand() -> None:
    assert mean_absolute_error(TRUTH, GUESS) == pytest.approx((1 + 0 + 3 + 0 + 2) / 5)
    assert root_mean_squared_error(TRUTH, GUESS) == pytest.approx(((1 + 0 + 9 + 0 + 4) / 5) ** 0.5)
    # 200 · |y − p| / (|y| + |p|): 1/3, 0, 3/5, 0 (both zero), 2/18
    assert symmetric_percentage_error(TRUTH, GUESS) == pytest.approx(200 * (1 / 3 + 3 / 5 + 1 / 9) / 5)
    scale = np.array([[[2.0]], [[4.0]]])  # of each window's series
    assert mean_absolute_scaled_error(TRUTH, GUESS, scale) == pytest.approx((1 / 2 + 3 / 4 + 2 / 4) / 5)


def test_errors_of_scikit_learn() -> None:
    random = np.random.default_rng(0)
    truth, guess = random.normal(5, 1, 200), random.normal(5, 1, 200)
    assert mean_absolute_error(truth, guess) == pytest.approx(sk.mean_absolute_error(truth, guess))
    assert root_mean_squared_error(truth, guess) == pytest.approx(sk.root_mean_squared_error(truth, guess))


def test_symmetric_percentage_error_lies_between_0_and_200() -> None:
    assert symmetric_percentage_error(np.zeros(3), np.zeros(3)) == 0
    assert symmetric_percentage_error(np.ones(3), -np.ones(3)) == 200
    assert symmetric_percentage_error(np.zeros(3), np.ones(3)) == 200


def test_names_of_the_metrics() -> None:
    assert list(METRICS) == ["mae", "rmse", "smape", "mase"]


def test_coverage_by_hand() -> None:
    truth = np.array([1.0, 2.0, 3.0, NAN, 5.0])
    low, high = np.array([0.0, 2.0, 4.0, 0.0, 0.0]), np.array([2.0, 3.0, 5.0, 9.0, 4.0])
    assert coverage(truth, low, high) == 2 / 4, "inside, on the edge, below, unknown, above"
    assert np.isnan(coverage(np.array([NAN]), low[:1], high[:1]))


def test_naive_scale_by_hand() -> None:
    track = np.array([[1.0, 5.0], [4.0, NAN], [2.0, 5.0], [NAN, 8.0], [2.0, 1.0]])
    np.testing.assert_allclose(naive_scale(track, 1), [(3 + 2) / 2, (3 + 7) / 2])
    np.testing.assert_allclose(naive_scale(track, 2), [(1 + 0) / 2, (0 + 4) / 2])
    np.testing.assert_allclose(naive_scale(track, 5), naive_scale(track, 1), err_msg="shorter than a season")


@pytest.mark.parametrize("values", [[], [3.0], [3.0, 3.0, 3.0], [NAN, 2.0, NAN, 1.0]])
def test_naive_scale_of_nothing(values: list[float]) -> None:
    assert np.isnan(naive_scale(np.array(values).reshape(-1, 1), 1)).all()


# Significance


def by_statsmodels(difference: np.ndarray, overlap: int) -> float:
    """A regression on a constant with a long-run variance, then the correction of Harvey et al."""
    n, h = len(difference), min(overlap, len(difference) // 2)
    deviations = []
    for kernel in (np.bartlett, np.ones):
        half = kernel(2 * h + 1)[h:]  # weights of lags 0 to h
        options = {"maxlags": h - 1, "use_correction": False, "kernel": lambda lags, half=half: half[: lags + 1]}
        with np.errstate(invalid="ignore"):
            deviations.append(sm.OLS(difference, np.ones(n)).fit(cov_type="HAC", cov_kwds=options).bse[0])
    statistic = difference.mean() / np.nanmax(deviations)  # a negative variance has no root
    corrected = statistic * np.sqrt((n + 1 - 2 * h + h * (h - 1) / n) / n)
    return float(2 * stats.t.sf(abs(corrected), n / h - 1))


def test_diebold_mariano_by_hand() -> None:
    """Eight origins that share nothing: Student's test of the mean, times √(7/8) for the variance over n."""
    one = np.array([1.0, 2.0, 0.5, 3.0, 2.5, 1.5, 1.0, 2.0])
    two = np.array([1.5, 1.0, 1.5, 4.0, 2.0, 3.5, 2.0, 3.0])
    assert diebold_mariano(one, two, 1) == pytest.approx(stats.ttest_rel(one, two).pvalue)


@pytest.mark.parametrize("overlap", [1, 2, 5, 12, 100])
@pytest.mark.parametrize("count", [8, 30, 200])
def test_diebold_mariano_against_statsmodels(count: int, overlap: int) -> None:
    random = np.random.default_rng(count + overlap)
    one, two = random.normal(1, 1, count) ** 2, random.normal(1, 1.2, count) ** 2
    assert diebold_mariano(one, two, overlap) == pytest.approx(by_statsmodels(one - two, overlap), rel=1e-9)
    assert diebold_mariano(two, one, overlap) == pytest.approx(diebold_mariano(one, two, overlap))


def test_diebold_mariano_at_its_edges() -> None:
    values = np.random.default_rng(0).normal(size=20)
    assert diebold_mariano(values, values, 3) == 1.0
    assert diebold_mariano(values, values + 0.1, 3) == 0.0, "always the same difference"
    assert diebold_mariano(1e-12 * values, np.zeros(20), 1) == pytest.approx(diebold_mariano(values, np.zeros(20), 1))
    assert np.isnan(diebold_mariano(values[:7], values[:7] * 2, 1)), "too few origins"
    gaps = np.append(values, [NAN, NAN])
    assert diebold_mariano(gaps, gaps * 2, 1) == diebold_mariano(values, values * 2, 1)


@pytest.mark.parametrize(("count", "overlap"), [(200, 1), (200, 4), (100, 24), (40, 12), (400, 96)])
def test_under_equal_skill_little_is_called_significant(count: int, overlap: int) -> None:
    random = np.random.default_rng(1)
    ps = []
    for _ in range(400):
        shocks = random.normal(size=count + overlap - 1)
        shared = np.convolve(shocks, np.ones(overlap), "valid")  # neighbours share overlap − 1 shocks
        ps.append(diebold_mariano(shared, np.zeros(count), overlap))
    assert np.mean(np.array(ps) < 0.05) < 0.085, "0.05, and three deviations of chance"
    if overlap < 5:
        assert stats.kstest(ps, "uniform").pvalue > 0.01
        assert np.mean(np.array(ps) < 0.05) > 0.02


def test_overlap_is_needed_where_targets_are_shared() -> None:
    random = np.random.default_rng(2)
    wrong = []
    for _ in range(200):
        shared = np.convolve(random.normal(size=206), np.ones(7), "valid")
        wrong.append([diebold_mariano(shared, np.zeros(200), lags) < 0.05 for lags in (1, 7)])
    without, with_it = np.mean(wrong, 0)
    assert without > 0.3 and with_it < 0.1


def test_a_clear_difference_is_seen() -> None:
    random = np.random.default_rng(3)
    base = random.normal(size=200)
    assert diebold_mariano(base, base + 0.5 + 0.2 * random.normal(size=200), 4) < 1e-6


@pytest.mark.parametrize("share", [0.8, 0.95])
def test_interval_of_mean_against_scipy(share: float) -> None:
    values = np.random.default_rng(4).normal(3, 2, 7)
    low, high = stats.t.interval(share, 6, values.mean(), stats.sem(values))
    assert interval_of_mean(values, share) == pytest.approx((high - low) / 2)
    assert values.mean() - interval_of_mean(values, share) == pytest.approx(low)


def test_interval_of_one_value() -> None:
    assert np.isnan(interval_of_mean(np.array([3.0])))
    assert interval_of_mean(np.array([3.0, 3.0])) == 0.0
