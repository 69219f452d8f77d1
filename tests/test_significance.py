"""What chance explains, against SciPy and statsmodels, and by counting."""

import itertools
import math

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats
from statsmodels.stats import contingency_tables

from recurra.compare.metric import Metric, Statistics, ratio
from recurra.compare.significance import (
    diebold_mariano,
    interval_of_difference,
    interval_of_mean,
    mcnemar,
    paired_permutation,
)

NAN = np.nan


# Two forecasts


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
def test_interval_of_difference_against_scipy(share: float) -> None:
    """Origins that share nothing: the interval of Student's paired test."""
    random = np.random.default_rng(5)
    one, two = random.normal(3, 2, 40), random.normal(2, 2, 40)
    low, high = stats.ttest_rel(one, two).confidence_interval(share)
    mean, half = interval_of_difference(np.append(one, NAN), np.append(two, 1.0), 1, share)
    assert (mean - half, mean + half) == pytest.approx((low, high))


@pytest.mark.parametrize("overlap", [2, 12, 48])
def test_interval_of_difference_ends_where_its_test_does(overlap: int) -> None:
    random = np.random.default_rng(overlap)
    one, two = np.convolve(random.normal(size=300), np.ones(overlap)), np.zeros(299 + overlap)
    mean, half = interval_of_difference(one, two, overlap)
    assert mean == pytest.approx(one.mean())
    for end in (mean - half, mean + half):
        assert by_statsmodels(one - end, overlap) == pytest.approx(0.05)


def test_interval_of_difference_at_its_edges() -> None:
    values = np.random.default_rng(0).normal(size=20)
    assert interval_of_difference(values, values, 3) == (0.0, 0.0)
    assert interval_of_difference(values + 0.1, values, 3) == pytest.approx((0.1, 0.0))
    assert np.isnan(interval_of_difference(values[:7], values[:7] * 2, 1)).all()


@pytest.mark.parametrize("share", [0.8, 0.95])
def test_interval_of_mean_against_scipy(share: float) -> None:
    values = np.random.default_rng(4).normal(3, 2, 7)
    low, high = stats.t.interval(share, 6, values.mean(), stats.sem(values))
    assert interval_of_mean(values, share) == pytest.approx((high - low) / 2)
    assert values.mean() - interval_of_mean(values, share) == pytest.approx(low)


def test_interval_of_one_value() -> None:
    assert np.isnan(interval_of_mean(np.array([3.0])))
    assert interval_of_mean(np.array([3.0, 3.0])) == 0.0


# Two models on the same cases

MEAN = Metric("error", "error", "low", ratio("error", "count"))
SPREAD = Metric("rmse", "RMSE", "low", lambda sums: math.sqrt(ratio("squared", "count")(sums)))


def of(errors: np.ndarray) -> dict[str, np.ndarray]:
    return {"error": errors, "squared": errors**2, "count": np.ones(len(errors))}


@pytest.mark.parametrize("shares", [(0.9, 0.8), (0.7, 0.7), (0.95, 0.2), (1.0, 0.9)])
@pytest.mark.parametrize("count", [10, 60, 500])
def test_mcnemar_against_statsmodels(shares: tuple[float, float], count: int) -> None:
    random = np.random.default_rng(count)
    one, two = (random.random(count) < share for share in shares)
    table = [[np.sum(one & two), np.sum(one & ~two)], [np.sum(~one & two), np.sum(~one & ~two)]]
    expected = contingency_tables.mcnemar(table, exact=True).pvalue
    assert mcnemar(one, two) == pytest.approx(expected, rel=1e-9) == mcnemar(two, one)
    assert mcnemar(one.astype(float), two.astype(float)) == mcnemar(one, two)


def test_mcnemar_by_hand() -> None:
    one, two = np.array([1, 1, 1, 1, 1, 0, 1]), np.array([0, 0, 0, 0, 0, 0, 1])
    assert mcnemar(one, two) == pytest.approx(2 * 0.5**5), "five that only one got right"
    assert mcnemar(one, one) == 1.0, "nothing tells them apart"
    assert mcnemar(np.array([1, 0, 1]), np.array([0, 1, 1])) == 1.0


@pytest.mark.parametrize("metric", [MEAN, SPREAD], ids=["mean", "root"])
@pytest.mark.parametrize("shift", [0.0, 0.1, 0.3])
def test_permutation_against_scipy(metric: Metric, shift: float) -> None:
    random = np.random.default_rng(int(10 * shift))
    one, two = random.normal(1, 0.5, 40), random.normal(1 + shift, 0.6, 40)

    def difference(a: np.ndarray, b: np.ndarray) -> float:
        return abs(metric.of(of(a)) - metric.of(of(b)))

    options = {"permutation_type": "samples", "alternative": "greater", "n_resamples": 5000, "rng": 5}
    expected = stats.permutation_test((one, two), difference, **options).pvalue
    found = paired_permutation(metric, [of(one)], [of(two)])
    assert found == pytest.approx(expected, abs=4 * math.sqrt(expected * (1 - expected) * (1 / 2000 + 1 / 5000)))
    assert found == paired_permutation(metric, [of(two)], [of(one)]), "neither side is special"


def test_permutation_against_all_of_them() -> None:
    random = np.random.default_rng(3)
    one, two = random.normal(1, 1, 9), random.normal(1.5, 1, 9)
    seen = abs((one - two).mean())
    signs = np.array(list(itertools.product((-1, 1), repeat=9)))
    expected = np.mean(np.abs((signs * (one - two)).mean(1)) >= seen - 1e-12)
    assert 0.01 < expected < 0.9
    assert paired_permutation(MEAN, [of(one)], [of(two)]) == pytest.approx(expected, abs=0.04)


def test_seeds_are_tested_together() -> None:
    """The cases of all seeds change sides together: the mean over seeds decides."""
    random = np.random.default_rng(4)
    easy = random.normal(size=60)
    first, second = ([of(easy + shift + 0.3 * random.normal(size=60)) for _ in range(3)] for shift in (0.0, 0.12))
    together = paired_permutation(MEAN, first, second)
    means = [of(np.mean([seed["error"] for seed in side], 0)) for side in (first, second)]
    assert together == pytest.approx(paired_permutation(MEAN, means[:1], means[1:]), abs=1e-9)
    assert together < np.median([paired_permutation(MEAN, [a], [b]) for a, b in zip(first, second, strict=True)])
    against_one = paired_permutation(MEAN, first, second[:1])
    assert against_one == paired_permutation(MEAN, first, second[:1] * 3), "the one with fewer begins again"


def test_statistics_of_several_numbers_change_sides_together() -> None:
    """A confusion table per case, and a metric that is no mean: whole cases are exchanged."""
    random = np.random.default_rng(5)
    truth = random.integers(0, 3, 120)

    def tables(wrong: float) -> Statistics:
        guess = np.where(random.random(120) < wrong, (truth + 1) % 3, truth)
        return {"table": np.eye(9)[3 * truth + guess].reshape(-1, 3, 3)}

    def recall(statistics: Statistics) -> float:
        table = statistics["table"].sum(0)
        assert table.sum(1).tolist() == np.bincount(truth).tolist(), "every class has its cases, whoever answers"
        return float((table.diagonal() / table.sum(1)).mean())

    metric = Metric("recall", "recall", "high", recall, share=True)
    good, poor = tables(0.05), tables(0.3)
    assert paired_permutation(metric, [good], [poor]) < 0.005
    assert paired_permutation(metric, [good], [good]) == 1.0


def test_what_only_one_model_knows_does_not_count() -> None:
    """A baseline may have no intervals, or no probabilities."""
    random = np.random.default_rng(8)
    one, two = of(random.normal(1, 1, 30)), of(random.normal(1.3, 1, 30))
    p = paired_permutation(MEAN, [one], [two])
    more = one | {"inside": np.ones((30, 2))}
    assert paired_permutation(MEAN, [more], [two]) == paired_permutation(MEAN, [two], [more]) == p
    assert paired_permutation(MEAN, [{"inside": np.ones((30, 2))} | one], [two]) == p


def test_permutation_at_its_edges() -> None:
    random = np.random.default_rng(6)
    one, two = random.normal(1, 0.2, 30), random.normal(1.1, 0.2, 30)
    p = paired_permutation(MEAN, [of(one)], [of(two)])
    assert 0.001 < p < 0.5 and p == paired_permutation(MEAN, [of(one)], [of(two)]), "the same draws each time"
    assert math.isnan(paired_permutation(MEAN, [of(one[:7])], [of(two[:7])])), "too few cases"
    assert paired_permutation(MEAN, [of(one)], [of(one.copy())]) == 1.0
    assert paired_permutation(MEAN, [of(one)], [of(one + 9)]) == pytest.approx(1 / 2001), "no draw is as far apart"
    for unit in (1e-14, 1e14):
        assert paired_permutation(MEAN, [of(unit * one)], [of(unit * two)]) == p, "whatever the unit"
    unknown = of(one) | {"count": np.zeros(30)}
    assert math.isnan(paired_permutation(MEAN, [unknown], [of(two)])), "a metric that is not known tells nothing"


@pytest.mark.slow
def test_under_equal_skill_every_p_is_as_likely() -> None:
    random = np.random.default_rng(7)
    ps = []
    for _ in range(60):
        base = random.normal(size=25)
        one, two = (of(base + random.normal(size=25)) for _ in range(2))
        ps.append(paired_permutation(MEAN, [one], [two]))
    assert stats.kstest(ps, "uniform").pvalue > 0.01
