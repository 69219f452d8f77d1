"""Texts that are heard step by step, against every way in which steps can say something.

Shapes: T steps, V units and the blank.
"""

from itertools import groupby, product

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from recurra.nn.prefixes import Heard, least_steps, listener, said_where, weighed

BLANK = 1


def steps(count: int, size: int, seed: int = 0, sharp: float = 1.0) -> np.ndarray:
    """Logarithms of probabilities (T, V)."""
    draw = np.random.default_rng(seed)
    scores = sharp * draw.normal(size=(count, size))
    found: np.ndarray = scores - np.log(np.exp(scores).sum(1, keepdims=True))
    return found


def said(path: tuple[int, ...]) -> tuple[int, ...]:
    """What a path says: equal neighbours are one, and blanks are nothing."""
    return tuple(unit for unit, _ in groupby(path) if unit != BLANK)


def every_text(logs: np.ndarray) -> dict[tuple[int, ...], float]:
    """The probability of every text, summed over all paths."""
    found: dict[tuple[int, ...], float] = {}
    for path in product(range(logs.shape[1]), repeat=len(logs)):
        probability = float(np.exp(sum(logs[t, unit] for t, unit in enumerate(path))))
        found[said(path)] = found.get(said(path), 0.0) + probability
    return found


@pytest.mark.parametrize("seed", range(6))
def test_a_beam_that_holds_all_finds_every_text_with_its_probability(seed: int) -> None:
    logs = steps(5, 3, seed)
    right = every_text(logs)
    assert sum(right.values()) == pytest.approx(1.0)
    following = listener(10_000, BLANK)
    following.hear(logs)
    found = following.best()
    assert {one.units for one in found} == set(right)
    for one in found:
        assert np.exp(one.logs) == pytest.approx(right[one.units], rel=1e-9)
    assert [one.logs for one in found] == sorted((one.logs for one in found), reverse=True)


@pytest.mark.parametrize("beam", [2, 3, 5])
def test_a_small_beam_never_claims_more_than_there_is(beam: int) -> None:
    for seed in range(10):
        logs = steps(6, 3, seed, 2.0)
        right = every_text(logs)
        following = listener(beam, BLANK)
        following.hear(logs)
        found = following.best()
        assert len(found) == beam and len({one.units for one in found}) == beam
        for one in found:
            assert np.exp(one.logs) <= right[one.units] * (1 + 1e-9)
        for one in weighed(found, logs, BLANK):  # all ways are counted, those that were given up, too
            assert np.exp(one.logs) == pytest.approx(right[one.units], rel=1e-9)


def test_all_ways_find_what_one_path_does_not() -> None:
    # The likeliest path is three blanks, .216; but "0" is said by six paths.
    logs = np.log(np.array([[0.4, 0.6]] * 3))
    best = {beam: listener(beam, BLANK) for beam in (1, 8)}
    for one in best.values():
        one.hear(logs)
    assert best[1].best() == [Heard((), pytest.approx(3 * np.log(0.6)))]
    assert best[8].best()[0].units == (0,)
    assert np.exp(best[8].best()[0].logs) == pytest.approx(every_text(logs)[0,])


@pytest.mark.parametrize("beam", [1, 3])
def test_steps_may_come_in_any_pieces(beam: int) -> None:
    logs = steps(12, 4, 3)
    whole, pieces = listener(beam, BLANK), listener(beam, BLANK)
    whole.hear(logs)
    for piece in (logs[:1], logs[1:1], logs[1:7], logs[7:]):
        pieces.hear(piece)
    assert [one.units for one in whole.best()] == [one.units for one in pieces.best()]
    assert [one.logs for one in whole.best()] == pytest.approx([one.logs for one in pieces.best()])


def test_a_beam_of_one_takes_the_likeliest_unit_of_every_step() -> None:
    for seed in range(5):
        logs = steps(9, 4, seed)
        following = listener(1, BLANK)
        following.hear(logs)
        (one,) = following.best()
        assert one.units == said(tuple(logs.argmax(1).tolist()))
        assert one.logs == pytest.approx(logs.max(1).sum())


@pytest.mark.parametrize("units", [(), (0,), (0, 0), (0, 2), (2, 2, 2), (0, 2, 0)])
def test_the_likeliest_way_to_say_a_text(units: tuple[int, ...]) -> None:
    for seed in range(4):
        logs = steps(6, 3, seed, 2.0)
        ways = [path for path in product(range(3), repeat=6) if said(path) == units]
        best = max(ways, key=lambda path: sum(logs[t, unit] for t, unit in enumerate(path)))
        where = said_where(units, logs, BLANK)
        assert [BLANK if at < 0 else units[at] for at in where] == list(best)
        assert list(dict.fromkeys(where[where >= 0])) == list(range(len(units)))
        (one,) = weighed([Heard(units, 0.0)], logs, BLANK)
        assert np.exp(one.logs) == pytest.approx(every_text(logs).get(units, 0.0), rel=1e-9)


def test_more_units_than_steps() -> None:
    assert [least_steps(units) for units in ((), (1,), (1, 2), (1, 1), (1, 1, 1))] == [0, 1, 2, 3, 5]
    with pytest.raises(ValueError, match="2 steps cannot say 2 units"):
        said_where((0, 0), steps(2, 3), BLANK)


def test_the_loss_of_torch_is_the_sum_over_all_ways() -> None:
    # Two rows of unequal lengths: what stands behind the end of the shorter one must not count.
    logs = [steps(5, 3, 1), steps(3, 3, 2)]
    texts = [(0, 2), (2,)]
    padded = torch.full((5, 2, 3), 7.0, dtype=torch.float64)
    for row, one in enumerate(logs):
        padded[: len(one), row] = torch.from_numpy(one)
    targets = torch.tensor([[0, 2], [2, 99]])
    loss = F.ctc_loss(padded, targets, torch.tensor([5, 3]), torch.tensor([2, 1]), BLANK, "none")
    right = [-np.log(every_text(one)[text]) for one, text in zip(logs, texts, strict=True)]
    assert loss.tolist() == pytest.approx(right)


def test_a_text_that_was_given_up_and_comes_again_is_the_same_one() -> None:
    for seed in (22, 34, 37):  # of which this was seen
        following = listener(6, BLANK)
        for step in steps(25, 3, seed):
            following.hear(step[None])
            found = [one.units for one in following.best()]
            assert len(set(found)) == len(found), seed
