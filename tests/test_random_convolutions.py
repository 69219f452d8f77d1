"""Features from random convolutions, against loops over kernels and taps."""

from collections.abc import Iterator
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.nn.random_convolutions import RandomConvolutions, _dilations

Array = np.ndarray


def cases_like(lengths: list[int], channels: int = 1, seed: int = 0) -> list[Array]:
    random = np.random.default_rng(seed)
    return [random.normal(size=(steps, channels)).cumsum(0).astype(np.float32) for steps in lengths]


def outputs(found: RandomConvolutions, case: Array) -> Iterator[tuple[int, int, Array]]:
    """What each kernel gives with each dilation at the steps at which it looks, in multiples of the unit."""
    values, steps = np.rint(case.astype(float) / found.unit), len(case)
    for number, dilation in enumerate(found.dilations):
        for kernel, twos in enumerate(combinations(range(9), 3)):
            mixed = values[:, found.channels[number, kernel]].sum(1)
            result = np.zeros(steps)
            for tap in range(9):
                for step in range(steps):
                    place = step + (tap - 4) * dilation
                    if 0 <= place < steps:
                        result[step] += (2 if tap in twos else -1) * mixed[place]
            if (kernel + number) % 2 and steps > 8 * dilation:
                result = result[4 * dilation : steps - 4 * dilation]
            yield number, kernel, result


def by_loops(found: RandomConvolutions, case: Array) -> Array:
    features, ends = np.zeros(found.thresholds.shape), np.cumsum(found.counts)
    for number, kernel, result in outputs(found, case):
        for n in range(ends[number] - found.counts[number], ends[number]):
            features[kernel, n] = np.mean(result > found.thresholds[kernel, n])
    return features.ravel()


@pytest.mark.parametrize(
    ("lengths", "channels"),
    [([40, 40, 40], 1), ([40, 5, 64, 17, 1, 33], 3), ([7, 3], 1), ([30, 31], 20)],
    ids=["equal lengths", "unequal lengths", "shorter than a kernel", "many channels"],
)
def test_features_are_what_loops_say(lengths: list[int], channels: int) -> None:
    cases = cases_like(lengths, channels)
    found = RandomConvolutions.of(cases, 84 * 6, 1)
    expected = np.stack([by_loops(found, case) for case in cases])
    np.testing.assert_allclose(found(cases), expected, rtol=0, atol=1e-6)
    assert found.size == expected.shape[1] == 504
    assert found.channels.any(2).all() and found.channels.sum(2).max() <= 9


def test_counts_of_many_steps_do_not_overflow() -> None:
    """Steps are counted in bytes, which hold no more than 255: all of these are above, or none is."""
    (case,) = cases_like([5000])
    found = RandomConvolutions.of([case], 84, 0)
    for level, share in ((-1e29, 1), (1e29, 0)):
        found.thresholds[:] = level
        assert (found([case]) == share).all()


def test_thresholds_are_quantiles_of_a_training_case() -> None:
    (case,) = cases_like([50], 2)
    found = RandomConvolutions.of([case], 84 * 40, 3)
    ends, all_ranks = np.cumsum(found.counts), []
    for number, kernel, result in outputs(found, case):
        own = found.thresholds[kernel, ends[number] - found.counts[number] : ends[number]]
        ranks = np.interp(own, np.sort(result), np.linspace(0, 1, len(result)))
        np.testing.assert_allclose(np.quantile(result, ranks), own, rtol=1e-3, atol=1)
        all_ranks.append(ranks)
    ranks = np.sort(np.concatenate(all_ranks))
    assert np.abs(ranks - np.linspace(0, 1, len(ranks))).max() < 0.02, "spread evenly"


@given(length=st.integers(1, 5000), each=st.integers(1, 150))
@settings(max_examples=60, deadline=None)
def test_dilations_reach_from_one_step_to_a_whole_case(length: int, each: int) -> None:
    dilations, counts = _dilations(length, each)
    assert dilations[0] == 1 and (np.diff(dilations) > 0).all() and counts.min() >= 1 and counts.sum() == each
    assert len(dilations) <= 32 and (8 * dilations[-1] < length or length <= 8)
    if each > 1 and length > 8:
        assert 8 * (dilations[-1] + 1) >= length, "up to where a kernel spans a case"


@given(seed=st.integers(0, 1000), channels=st.integers(1, 4), size=st.sampled_from([1e-6, 1.0, 1e6]))
@settings(max_examples=8, deadline=None)
def test_a_case_has_the_same_features_whatever_stands_beside_it(seed: int, channels: int, size: float) -> None:
    random = np.random.default_rng(seed)
    cases = [size * case for case in cases_like(random.integers(1, 120, 12).tolist(), channels, seed)]
    cases[3][:] = cases[3][0]  # what stays as it is gives zero to the last bit, or it would depend on rounding
    found = RandomConvolutions.of(cases, 84 * 10, 0)
    together = found(cases)
    assert all(np.array_equal(together[n], found([case])[0]) for n, case in enumerate(cases))
    assert np.array_equal(found(cases[::-1]), together[::-1])


def test_a_seed_decides_and_arrays_hold_all() -> None:
    cases = cases_like([30] * 8)
    one, same, other = (RandomConvolutions.of(cases, 840, seed) for seed in (0, 0, 1))
    assert np.array_equal(one(cases), same(cases)) and not np.array_equal(one(cases), other(cases))
    again = RandomConvolutions.from_arrays(one.to_arrays() | {"more": np.zeros(3)})
    assert np.array_equal(one(cases), again(cases))


@pytest.mark.parametrize("value", [0.0, 1e-40, 1e18])
def test_what_never_changes_and_what_is_beyond_all_training(value: float) -> None:
    still = [np.full((20, 1), value, np.float32)] * 3
    found = RandomConvolutions.of(still, 168, 0)
    features = found([*still, np.full((20, 1), 1e18, np.float32)])
    assert np.isfinite(features).all() and (features >= 0).all() and (features <= 1).all()
    assert np.array_equal(features[0], features[1])
