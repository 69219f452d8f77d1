"""Beam search against all sequences there are, and against taking the likeliest unit by hand."""

import itertools

import pytest
import torch
from torch import Tensor

from recurra.nn.beam import Said, Search

END, V = 2, 4


class Table:
    """Scores that depend on all that was said before, drawn by chance but always the same."""

    def __init__(self, texts: int, seed: int):
        self.before = [(n,) for n in range(texts)]
        self.seed, self.asked = seed, 0

    def scores(self, before: tuple[int, ...]) -> Tensor:
        number = sum((unit + 1) * 7**place for place, unit in enumerate(before)) + 100_003 * self.seed
        return 2 * torch.randn(V, generator=torch.Generator().manual_seed(number))

    def say(self, units: Tensor) -> tuple[Tensor, Tensor]:
        self.asked += len(units)
        self.before = [(*before, unit) for before, unit in zip(self.before, units.tolist(), strict=True)]
        looked = torch.tensor([[float(before[0]), float(len(before))] for before in self.before])
        return torch.stack([self.scores(before) for before in self.before]), looked

    def keep(self, rows: Tensor) -> None:
        self.before = [self.before[row] for row in rows.tolist()]


def every_sequence(text: int, seed: int, most: int, search: Search) -> list[tuple[float, tuple[int, ...]]]:
    """All sequences up to ``most`` units with their scores, the best first."""
    table, found = Table(1, seed), []
    for length in range(most + 1):
        for units in itertools.product([unit for unit in range(V) if unit not in (END, *search.never)], repeat=length):
            logs, before = 0.0, (text, END)
            for unit in (*units, END):
                scores = table.scores(before).double()
                logs += float(scores[unit] - scores.exp().sum().log())
                before += (unit,)
            found.append((logs / ((5 + length + 1) / 6) ** search.penalty, units))
    return sorted(found, reverse=True)


@pytest.mark.parametrize("penalty", [0.0, 0.6, 2.0])
@pytest.mark.parametrize("never", [(), (1,)])
def test_a_beam_that_holds_all_finds_the_best_of_all(penalty: float, never: tuple[int, ...]) -> None:
    search = Search(300, penalty, END, never)
    for seed in range(5):
        for text, found in enumerate(search(Table(3, seed), [4, 2, 3])):
            expected = every_sequence(text, seed, (4, 2, 3)[text], search)
            assert [one.units for one in found] == [units for _, units in expected]
            assert [one.score for one in found] == pytest.approx([score for score, _ in expected], abs=1e-5)


def test_a_beam_of_one_takes_the_likeliest_unit() -> None:
    for seed in range(20):
        table = Table(1, seed)
        before: tuple[int, ...] = (0, END)
        while before == (0, END) or before[-1] != END:
            left = len(before) - 2 < 6
            before += (int(table.scores(before).argmax()) if left else END,)
        ((found,),) = Search(1, 1.0, END)(Table(1, seed), [6])
        assert found.units == before[2:-1]


def test_texts_do_not_disturb_each_other() -> None:
    search = Search(3, 0.7, END)
    together = search(Table(4, 7), [5, 1, 8, 3])
    for text, most in enumerate((5, 1, 8, 3)):
        table = Table(4, 7)
        table.before = [(text,)]
        (alone,) = search(table, [most])
        assert [one.units for one in alone] == [one.units for one in together[text]]
        assert [one.logs for one in alone] == pytest.approx([one.logs for one in together[text]], abs=1e-5)


def test_each_unit_has_its_look() -> None:
    for text, some in enumerate(Search(3, 1.0, END)(Table(2, 3), [5, 5])):
        for one in some:
            assert one.looked is not None
            assert one.looked.tolist() == [[text, 2.0 + step] for step in range(len(one.units) + 1)]


def test_what_ended_is_asked_nothing_more() -> None:
    """Every answer that has ended leaves one row less, so a sharp speaker is asked for few rows."""

    class Sharp(Table):
        def scores(self, before: tuple[int, ...]) -> Tensor:
            scores = torch.full((V,), -30.0)
            scores[END if len(before) > 3 else 0] = 0.0
            scores[3] = -1.0 if len(before) == 2 else -30.0
            return scores

    sharp = Sharp(1, 0)
    (found,) = Search(2, 0.0, END)(sharp, [50])
    assert [one.units for one in found] == [(0, 0), (3, 0)]
    assert sharp.asked == 1 + 2 + 2


def test_the_best_comes_first() -> None:
    (found,) = Search(5, 1.0, END)(Table(1, 2), [4])
    assert len(found) == 5 and [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    assert all(isinstance(one, Said) for one in found)
