"""The chain of labels: beside the sum over every path, beside pytorch-crf, torch-struct, and beside a hand."""

import itertools
import weakref
from collections.abc import Iterator
from math import exp, inf, log, log1p

import numpy as np
import pytest
import torch
import torch_struct
import torchcrf
from torch import Tensor

from recurra.native import library
from recurra.nn import compiled
from recurra.nn.crf import Allowed, Chain, _plainly
from recurra.nn.paths import best_paths
from recurra.nn.sums import Potentials

K, T = 3, 4
LENGTHS = (4, 1, 3, 2)
MASK = torch.arange(T) < torch.tensor(LENGTHS).unsqueeze(-1)
# O, B, I: an inside follows a begin or an inside, and is no beginning; here no row may end with a begin.
BIO = Allowed(
    np.array([True, True, False]),
    np.array([[True, True, False], [True, True, True], [True, True, True]]),
    np.array([True, False, True]),
)


def chain_of(labels: int = K, allowed: Allowed | None = None, dtype: torch.dtype = torch.float64) -> Chain:
    chain = Chain(labels, allowed).to(dtype)
    with torch.no_grad():
        for parameter in chain.parameters():
            parameter.copy_(torch.randn(parameter.shape))
    return chain


def is_allowed(path: tuple[int, ...], allowed: Allowed | None) -> bool:
    if allowed is None:
        return True
    steps = all(allowed.follows[i, j] for i, j in itertools.pairwise(path))
    return bool(allowed.first[path[0]] and steps and allowed.last[path[-1]])


def every_path(chain: Chain, scores: Tensor, allowed: Allowed | None) -> dict[tuple[int, ...], float]:
    """The score of each allowed path over ``scores`` (T, K), one by one, in plain numbers."""
    u, a, v = chain.first.tolist(), chain.transitions.tolist(), chain.last.tolist()
    s = scores.tolist()
    paths = itertools.product(range(len(u)), repeat=len(s))
    return {
        path: u[path[0]]
        + sum(s[t][label] for t, label in enumerate(path))
        + sum(a[i][j] for i, j in itertools.pairwise(path))
        + v[path[-1]]
        for path in paths
        if is_allowed(path, allowed)
    }


def log_sum(values: list[float]) -> float:
    highest = max(values, default=-inf)
    return highest if highest == -inf else highest + log(sum(exp(value - highest) for value in values))


def rows(scores: Tensor) -> Iterator[tuple[int, int, Tensor]]:
    for row, length in enumerate(LENGTHS):
        yield row, length, scores[row, :length]


needs_library = pytest.mark.skipif(bool(library.absent()), reason="there is no native engine here")


@pytest.fixture(autouse=True, params=[pytest.param("compiled", marks=needs_library), "plain"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Every test runs by the compiled library and by torch's own operators."""
    if request.param == "plain":
        monkeypatch.setattr("recurra.nn.compiled.takes", lambda given: False)
    return request.param


@pytest.fixture(params=[None, BIO], ids=["free", "bio"])
def allowed(request: pytest.FixtureRequest) -> Allowed | None:
    return request.param


@pytest.fixture(params=[1.0, 30.0, 500.0], ids=["usual", "sharp", "extreme"])
def size(request: pytest.FixtureRequest) -> float:
    """How large the scores are: the extreme ones go the way of logarithms."""
    return request.param


def test_likelihood_is_that_of_all_paths(allowed: Allowed | None, size: float) -> None:
    chain, scores = chain_of(allowed=allowed), torch.randn(4, T, K, dtype=torch.float64) * size
    every = [every_path(chain, part, allowed) for _, _, part in rows(scores)]
    for number in range(0, 42, 7):
        chosen = [sorted(paths)[number % len(paths)] for paths in every]
        labels = torch.full((4, T), -1)
        for row, path in enumerate(chosen):
            labels[row, : len(path)] = torch.tensor(path)
        expected = [paths[path] - log_sum(list(paths.values())) for paths, path in zip(every, chosen, strict=True)]
        found = chain.log_likelihood(scores, labels, MASK)
        torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64), rtol=1e-12, atol=1e-12)


def test_unknown_labels_are_summed_over(allowed: Allowed | None, size: float) -> None:
    chain, scores = chain_of(allowed=allowed), torch.randn(4, T, K, dtype=torch.float64) * size
    labels = torch.tensor([[-1, 1, -1, 0], [-1, 2, 2, 2], [0, -1, -1, 1], [1, 2, 0, -1]])
    expected = []
    for row, length, part in rows(scores):
        paths, known = every_path(chain, part, allowed), labels[row, :length].tolist()
        fit = [s for path, s in paths.items() if all(k in (-1, label) for k, label in zip(known, path, strict=True))]
        expected.append(log_sum(fit) - log_sum(list(paths.values())))
    found = chain.log_likelihood(scores, labels, MASK)
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64), rtol=1e-11, atol=1e-11)
    assert abs(found[1]) < 1e-12  # nothing is known of it


def test_gradients_are_those_of_all_paths(allowed: Allowed | None, size: float) -> None:
    """The sum over all paths by torch's own operators, differentiated by torch."""
    chain, scores = chain_of(allowed=allowed), torch.randn(4, T, K, dtype=torch.float64) * size
    scores.requires_grad_()
    labels = torch.tensor([[0, 1, 2, 0], [0, 0, 0, 0], [1, -1, 0, 0], [-1, -1, 0, 0]])
    weights = torch.tensor([1.0, -0.5, 2.0, 0.25], dtype=torch.float64)
    total = torch.zeros((), dtype=torch.float64)
    for row, length, part in rows(scores):
        paths = [path for path in itertools.product(range(K), repeat=length) if is_allowed(path, allowed)]
        at = torch.tensor(paths)
        values = part.gather(1, at.mT).sum(0) + chain.first[at[:, 0]] + chain.last[at[:, -1]]
        values = values + chain.transitions[at[:, :-1], at[:, 1:]].sum(1)
        fit = ((labels[row, :length] == at) | (labels[row, :length] < 0)).all(1)
        total = total + weights[row] * (values[fit].logsumexp(0) - values.logsumexp(0))
    leaves = [scores, *chain.parameters()]
    expected = torch.autograd.grad(total, leaves)
    found = torch.autograd.grad((chain.log_likelihood(scores, labels, MASK) * weights).sum(), leaves)
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-10)


def test_gradcheck(allowed: Allowed | None) -> None:
    chain = chain_of(allowed=allowed)
    labels = torch.tensor([[0, 1, 2, 0], [0, 0, 0, 0], [1, -1, 0, 0], [-1, -1, 0, 0]])

    def likelihood(scores: Tensor, *_parameters: Tensor) -> Tensor:
        return chain.log_likelihood(scores, labels, MASK)

    scores = torch.randn(4, T, K, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(likelihood, (scores, *chain.parameters()))
    found = torch.autograd.grad(likelihood(scores).square().sum(), scores, create_graph=True)[0]
    with pytest.raises(RuntimeError, match="once"):
        found.sum().backward()


def test_marginals_are_shares_of_all_paths(allowed: Allowed | None, size: float) -> None:
    chain, scores = chain_of(allowed=allowed), torch.randn(4, T, K, dtype=torch.float64) * size
    found = chain.marginals(scores, MASK)
    assert torch.isneginf(found[~MASK]).all()
    torch.testing.assert_close(chain.probabilities(scores, MASK), found.exp())
    for row, length, part in rows(scores):
        paths = every_path(chain, part, allowed)
        z = log_sum(list(paths.values()))
        for t, label in itertools.product(range(length), range(K)):
            expected = log_sum([score for path, score in paths.items() if path[t] == label]) - z
            assert float(found[row, t, label]) == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_best_and_n_best_are_first_of_all_paths(allowed: Allowed | None, size: float) -> None:
    chain, scores = chain_of(allowed=allowed), torch.randn(4, T, K, dtype=torch.float64) * size
    best = chain.best(scores, MASK)
    assert best.dtype is torch.int64 and (best[~MASK] == 0).all()
    for count in (1, 2, 5, 100):
        found, logs = chain.n_best(scores, MASK, count)
        assert found.shape == (4, count, T) and logs.shape == (4, count)
        assert torch.equal(found[:, 0], best)
        for row, length, part in rows(scores):
            paths = every_path(chain, part, allowed)
            z = log_sum(list(paths.values()))
            order = sorted(paths, key=lambda path: -paths[path])[:count]
            real = len(order)
            assert [tuple(path) for path in found[row, :real, :length].tolist()] == order
            assert logs[row, :real].tolist() == pytest.approx([paths[path] - z for path in order], rel=1e-9, abs=1e-9)
            assert torch.isneginf(logs[row, real:]).all() and (found[row, real:] == 0).all()
            assert (found[row, :, length:] == 0).all()


@pytest.mark.parametrize(("batch", "steps", "labels"), [(1, 1, 1), (5, 1, 4), (3, 7, 2), (8, 23, 17), (4, 9, 40)])
def test_pytorch_crf_says_the_same(batch: int, steps: int, labels: int) -> None:
    theirs, ours = torchcrf.CRF(labels, batch_first=True), chain_of(labels, dtype=torch.float32)
    scores = torch.randn(batch, steps, labels) * 2
    truth = torch.randint(labels, (batch, steps))
    mask = torch.arange(steps) < torch.randint(1, steps + 1, (batch, 1))
    with torch.no_grad():
        theirs.transitions.copy_(ours.transitions)
        theirs.start_transitions.copy_(ours.first)
        theirs.end_transitions.copy_(ours.last)
    answers = []
    for likelihood, leaves in (
        (lambda x: ours.log_likelihood(x, truth, mask), (ours.transitions, ours.first, ours.last)),
        (
            lambda x: theirs(x, truth, mask, reduction="none"),
            (theirs.transitions, theirs.start_transitions, theirs.end_transitions),
        ),
    ):
        x = scores.clone().requires_grad_()
        value = likelihood(x)
        grads = torch.autograd.grad(value.sum(), (x, *leaves), allow_unused=True, materialize_grads=True)
        answers.append((value, *grads))
    for one, other in zip(*answers, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)
    decoded = [path[:length] for path, length in zip(ours.best(scores, mask).tolist(), mask.sum(1), strict=True)]
    assert decoded == theirs.decode(scores, mask)


def test_torch_struct_says_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch_struct.LinearChainCRF, "arg_constraints", {}, raising=False)  # which torch asks for
    labels, lengths = 5, torch.tensor([7, 2, 4])
    chain, scores = chain_of(labels).requires_grad_(False), torch.randn(3, 7, labels, dtype=torch.float64)
    mask = torch.arange(7) < lengths.unsqueeze(-1)
    # Its potentials are those of pairs of neighbours, the later one first.
    pairs = chain.transitions.mT.contiguous() + scores[:, 1:].unsqueeze(-1)
    pairs[:, 0] += chain.first + scores[:, :1]
    pairs[range(3), lengths - 2] += chain.last.unsqueeze(-1)
    theirs = torch_struct.LinearChainCRF(pairs.requires_grad_(), lengths=lengths)
    expected = theirs.marginals.detach()
    found = chain.probabilities(scores, mask)
    torch.testing.assert_close(found[:, 1:], expected.sum(-1))
    torch.testing.assert_close(found[:, 0], expected[:, 0].sum(-2))
    truth = torch.randint(labels, (3, 7))
    parts = torch_struct.LinearChain.to_parts(truth, labels, lengths).double()
    torch.testing.assert_close(chain.log_likelihood(scores, truth, mask), theirs.log_prob(parts).detach())
    paths, logs = chain.n_best(scores, mask, 3)
    best = theirs.topk(3).detach()
    for n in range(3):
        torch.testing.assert_close(logs[:, n], theirs.log_prob(best[n]).detach())
        own = torch_struct.LinearChain.to_parts(paths[:, n], labels, lengths).double()
        torch.testing.assert_close(own, best[n])


def answers(chain: Chain, scores: Tensor, labels: Tensor, mask: Tensor | None) -> list[Tensor]:
    scores = scores.detach().clone().requires_grad_()
    value = chain.log_likelihood(scores, labels, mask)
    grads = torch.autograd.grad(value.sum(), [scores, *chain.parameters()])
    paths, logs = chain.n_best(scores, mask, 3)
    return [value.detach(), *grads, chain.marginals(scores, mask), chain.best(scores, mask), paths, logs]


def test_padding_is_inert(allowed: Allowed | None) -> None:
    chain, scores = chain_of(allowed=allowed), torch.randn(4, T, K, dtype=torch.float64)
    labels = torch.tensor([[0, 1, 2, 0], [0, 0, 0, 0], [1, 2, 0, 0], [1, 0, 0, 0]])
    other, behind = scores.clone(), labels.clone()
    other[~MASK], behind[~MASK] = torch.nan, 99
    for one, two in zip(answers(chain, scores, labels, MASK), answers(chain, other, behind, MASK), strict=True):
        assert torch.equal(one, two)
    for row, length, _ in rows(scores):  # alone, without a mask, a row is answered as among others
        alone = answers(chain, scores[row : row + 1, :length], labels[row : row + 1, :length], None)
        among = answers(chain, scores, labels, MASK)
        for which in (0, -4, -3, -2, -1):
            cut = among[which][row : row + 1]
            cut = cut[..., :length] if which in (-3, -2) else cut[:, :length] if which == -4 else cut
            torch.testing.assert_close(alone[which], cut)


def test_no_mask_is_a_mask_of_all() -> None:
    chain, scores, labels = chain_of(dtype=torch.float32), torch.randn(4, T, K), torch.randint(K, (4, T))
    whole = torch.ones(4, T, dtype=torch.bool)
    for one, two in zip(answers(chain, scores, labels, None), answers(chain, scores, labels, whole), strict=True):
        torch.testing.assert_close(one, two)


@pytest.mark.parametrize("size", [1e4, 1e30])
def test_large_scores_in_float32(allowed: Allowed | None, size: float) -> None:
    """The best path has all the probability, the labels' gradient is a difference of two paths, and all is finite."""
    chain, scores = chain_of(allowed=allowed, dtype=torch.float32), torch.randn(4, 12, K) * size
    labels = torch.zeros(4, 12, dtype=torch.int64)
    value, d_scores, d_transitions, *_, marginals, best, _, logs = answers(chain, scores, labels, None)
    one_hot = torch.nn.functional.one_hot
    torch.testing.assert_close(d_scores, (one_hot(labels, K) - one_hot(best, K)).float())
    pairs = torch.zeros(K, K)
    for path, sign in ((labels, 1.0), (best, -1.0)):
        for i, j in zip(path[:, :-1].flatten().tolist(), path[:, 1:].flatten().tolist(), strict=True):
            pairs[i, j] += sign
    torch.testing.assert_close(d_transitions, pairs)
    assert torch.isfinite(value).all() and torch.equal(marginals.argmax(-1), best)
    torch.testing.assert_close(logs[:, 0], torch.zeros(4))
    if allowed is None:
        assert torch.isfinite(marginals).all()


def test_what_is_forbidden_gets_nothing() -> None:
    chain, scores = chain_of(allowed=BIO), torch.zeros(2, 6, K, dtype=torch.float64)
    scores[..., 2] = 1e4  # all is for an inside, which may not begin
    assert chain.best(scores, None).tolist() == [[1, 2, 2, 2, 2, 2]] * 2
    marginals = chain.marginals(scores, None)
    assert torch.isneginf(marginals[:, 0, 2]).all() and torch.isneginf(marginals[:, -1, 1]).all()
    # After the first step, a begin, nothing is left to chance.
    torch.testing.assert_close(marginals[:, 0, 1].exp(), torch.ones(2, dtype=torch.float64))
    labels = torch.zeros(2, 6, dtype=torch.int64)
    chain.log_likelihood(scores, labels, None).sum().backward()
    assert chain.transitions.grad is not None and chain.first.grad is not None
    assert chain.transitions.grad[0, 2] == 0 and chain.first.grad[2] == 0
    assert all(bool(torch.isfinite(one.grad).all()) for one in chain.parameters() if one.grad is not None)


def test_labels_far_apart_are_kept_apart_by_logarithms() -> None:
    """What is lost by e^−2000 at each step is all that is allowed in the end."""
    never = np.array([[True, False], [False, True]])
    chain = Chain(2, Allowed(np.array([True, True]), never, np.array([False, True])))
    scores = torch.tensor([[2000.0, 0.0], [2000.0, 0.5]]).repeat(1, 5, 1)
    assert chain.best(scores, None).tolist() == [[1] * 10]
    likelihood = chain.log_likelihood(scores, torch.ones(1, 10, dtype=torch.int64), None)
    assert likelihood.tolist() == [0.0]


def test_a_chain_worked_out_by_hand() -> None:
    """Two labels, two steps, only the transition 0 → 1 counts, by log 3: Z = 3 + 1 + 1 + 1."""
    chain = Chain(2).requires_grad_(False)
    chain.transitions[0, 1] = log(3)
    scores = torch.zeros(1, 2, 2)
    assert float(chain.log_likelihood(scores, torch.tensor([[0, 1]]), None)) == pytest.approx(log(1 / 2))
    assert float(chain.log_likelihood(scores, torch.tensor([[-1, 1]]), None)) == pytest.approx(log(2 / 3))
    assert float(chain.marginals(scores, None)[0, 0, 0]) == pytest.approx(log1p(-1 / 3))
    paths, logs = chain.n_best(scores, None, 1)
    assert paths.tolist() == [[[0, 1]]] and float(logs) == pytest.approx(log(1 / 2))


def test_float32_is_float64_rounded() -> None:
    chain, scores = chain_of(7), torch.randn(5, 30, 7, dtype=torch.float64) * 3
    labels = torch.randint(7, (5, 30))
    exact = answers(chain, scores, labels, None)
    rounded = answers(chain.float(), scores.float(), labels, None)
    for one, other in zip(rounded, exact, strict=True):
        assert one.dtype is (torch.int64 if other.dtype is torch.int64 else torch.float32)
        torch.testing.assert_close(one.double(), other.double(), rtol=1e-5, atol=1e-5)


def test_what_is_wrong_is_said() -> None:
    chain, scores = Chain(K, BIO), torch.randn(2, T, K)
    with pytest.raises(ValueError, match="labels of row 1 are not allowed"):
        chain.log_likelihood(scores, torch.tensor([[0, 1, 2, 0], [0, 2, 2, 0]]), None)
    with pytest.raises(ValueError, match="labels of row 0 are not allowed"):
        chain.log_likelihood(scores, torch.tensor([[-1, 0, 2, -1], [0, -1, 2, 0]]), None)
    with pytest.raises(ValueError, match="Row 1 has no real step"):
        chain.best(scores, torch.tensor([[True] * T, [False] * T]))
    only_inside = Chain(K, Allowed(BIO.first, BIO.follows, np.array([False, False, True])))
    for ask in (
        only_inside.best,
        only_inside.marginals,
        only_inside.probabilities,
        lambda x, m: only_inside.n_best(x, m, 2),
    ):
        with pytest.raises(ValueError, match="as long as row 0 is allowed"):
            ask(scores[:, :1], None)
    with pytest.raises(ValueError, match=r"allowed\.follows has the shape \(3, 3\)"):
        Chain(4, BIO._replace(first=np.ones(4, dtype=bool)))
    with pytest.raises(ValueError, match="count is 0"):
        chain.n_best(scores, None, 0)


def test_flags_are_no_state_and_move_with_the_chain() -> None:
    chain = Chain(K, BIO)
    assert set(chain.state_dict()) == {"transitions", "first", "last"}
    assert {name for name, _ in chain.named_buffers()} == {"may_be_first", "may_follow", "may_be_last"}
    assert chain.to("meta").may_follow is not None and chain.may_follow.is_meta


def test_shapes_and_labels_that_do_not_fit_are_refused() -> None:
    chain, scores, labels = Chain(K), torch.randn(2, T, K), torch.zeros(2, T, dtype=torch.int64)
    with pytest.raises(ValueError, match=r"scores have the shape \(2, 4, 2\)"):
        chain.best(scores[..., :2], None)
    with pytest.raises(ValueError, match=r"shape of labels is \(2, 3\)"):
        chain.log_likelihood(scores, labels[:, :3], None)
    with pytest.raises(ValueError, match=r"shape of mask is \(1, 4\)"):
        chain.log_likelihood(scores, labels, torch.ones(1, T, dtype=torch.bool))
    labels[1, 3] = K
    with pytest.raises(ValueError, match="A label is 3"):
        chain.log_likelihood(scores, labels, None)
    mask = torch.ones(2, T, dtype=torch.bool)
    mask[1, 3] = False
    assert chain.log_likelihood(scores, labels, mask).shape == (2,)


def test_a_batch_of_nothing() -> None:
    chain, scores = Chain(K), torch.randn(0, T, K)
    assert chain.log_likelihood(scores, torch.zeros(0, T, dtype=torch.int64), None).shape == (0,)
    assert chain.best(scores, None).shape == (0, T) and chain.marginals(scores, None).shape == (0, T, K)
    assert chain.probabilities(scores, None).shape == (0, T, K)


@pytest.mark.parametrize("size", [1.0, 1e4])
def test_what_is_no_number_stays_none(size: float) -> None:
    """A training that has gone wrong is told so by its loss; other rows know nothing of it."""
    chain, scores = chain_of(), torch.randn(3, T, K, dtype=torch.float64) * size
    scores[1, 2, 0] = torch.nan
    found = chain.log_likelihood(scores, torch.ones(3, T, dtype=torch.int64), None)
    assert found.isnan().tolist() == [False, True, False]


def test_arrays_that_lie_in_another_order() -> None:
    chain, scores, labels = chain_of(), torch.randn(4, T, K, dtype=torch.float64), torch.randint(K, (4, T))
    expected = answers(chain, scores, labels, MASK)
    turned = [one.transpose(0, 1).contiguous().transpose(0, 1) for one in (scores, labels, MASK)]
    for one, other in zip(answers(chain, *turned), expected, strict=True):
        torch.testing.assert_close(one, other)


def test_many_gradients_at_once_are_refused() -> None:
    chain, scores = chain_of(), torch.randn(2, T, K, requires_grad=True)
    likelihood = chain.log_likelihood(scores, torch.zeros(2, T, dtype=torch.int64), None)
    with pytest.raises(NotImplementedError, match="one gradient at a time"):
        torch.autograd.grad(likelihood, scores, torch.eye(2), is_grads_batched=True)


def test_gradients_are_of_what_was_given() -> None:
    """Also where it is overwritten before they are asked for, as no copy to another type is made of it."""
    chain, labels = chain_of(), torch.randint(K, (4, T))
    scores = (torch.randn(4, T, K, dtype=torch.float64) * 500).requires_grad_()
    expected, found = (chain.log_likelihood(scores, labels, MASK).sum() for _ in range(2))
    leaves = [scores, *chain.parameters()]
    kept = torch.autograd.grad(expected, leaves)
    with torch.no_grad():
        for leaf in leaves:
            leaf.zero_()
    for one, other in zip(torch.autograd.grad(found, leaves), kept, strict=True):
        assert torch.equal(one, other)


def test_what_is_not_differentiated_is_freed() -> None:
    chain, scores = chain_of(), torch.randn(4, T, K, dtype=torch.float64)
    kept = weakref.ref(chain.log_likelihood(scores, torch.randint(K, (4, T)), MASK).grad_fn)
    assert kept() is None


# The compiled library beside torch's own operators.

# Batch, steps, labels: whole vectors and not, one of each, more than stay in registers.
SIZES = ((3, 7, 8), (1, 1, 1), (5, 12, 17), (2, 30, 3), (2, 5, 72), (4, 6, 50))


def drawn(batch: int, steps: int, labels: int, size: float, forbid: float) -> tuple[Potentials, Tensor]:
    """Potentials of which some are forbidden, but never label 0 after label 0, and a path of what is allowed."""

    def logs(*shape: int) -> Tensor:
        numbers = torch.randn(shape, dtype=torch.float64) * size
        numbers[torch.rand(shape) < forbid] = -torch.inf
        return numbers

    transitions, first, last, scores = logs(labels, labels), logs(labels), logs(labels), logs(batch, steps, labels)
    for one in (transitions[0], first, last):
        one[0] = 0.5
    scores[..., 0] = -2 * size
    lengths = torch.randint(1, steps + 1, (batch,))
    return Potentials(scores, transitions, first, last, lengths), torch.zeros(batch, steps, dtype=torch.int64)


def agree(given: Potentials, labels: Tensor | None) -> None:
    assert compiled.takes(given)
    ours, theirs = compiled.add_up(given, labels), _plainly(given, labels)
    torch.testing.assert_close(ours.value, theirs.value, rtol=1e-12, atol=1e-9)
    weights = torch.randn_like(ours.value)
    for name, one, other in zip(given._fields, ours.gradients(weights), theirs.gradients(weights), strict=False):
        torch.testing.assert_close(one, other, rtol=1e-7, atol=1e-9, msg=lambda why, name=name: f"{name}: {why}")
    path, value = compiled.best_path(given)
    paths, values = best_paths(given, 1)
    assert torch.equal(path, paths[:, 0]) and torch.equal(value, values[:, 0])


@needs_library
@pytest.mark.parametrize("way", ["compiled"], indirect=True)
def test_every_instruction_set_agrees(each_instruction_set: list[bytes]) -> None:
    for instructions, sizes, size, forbid in itertools.product(each_instruction_set, SIZES, (1, 100, 5000), (0, 0.4)):
        assert library.load().recurra_use_instruction_set(instructions) == 0
        given, labels = drawn(*sizes, size, forbid)
        for one in (given, given._replace(lengths=None)):
            agree(one, labels)
            agree(one, None)


@needs_library
@pytest.mark.parametrize("way", ["compiled"], indirect=True)
def test_threads_share_the_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recurra.native.threads.SCAN_WORK", 1)
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        for sizes in SIZES:  # also fewer rows than threads
            agree(*drawn(*sizes, 1.0, 0.2))
    finally:
        torch.set_num_threads(before)


def test_the_library_is_called_where_it_can_be(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    loaded = None if library.absent() else library.load()

    class Watched:
        def __getattr__(self, name: str):
            made.append(name.removeprefix("recurra_chain_"))
            return getattr(loaded, name)

    monkeypatch.setattr("recurra.nn.compiled.load", Watched)
    chain, scores, labels = chain_of(), torch.randn(2, T, K), torch.zeros(2, T, dtype=torch.int64)
    chain.log_likelihood(scores, labels, None).sum().backward()
    chain.best(scores, None)
    assert made == (["forward", "backward", "best"] if way == "compiled" else [])
