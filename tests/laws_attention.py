"""What every attention promises, as plain functions that raise AssertionError.

Shapes: B batch, Q queries, T steps, D query width, K key width. Everything in float64.
"""

import copy
import pickle
from typing import NamedTuple

import torch
from torch import Tensor

from recurra.attention import Attended, Attention

B, Q, T = 3, 4, 6
EXACT = {"rtol": 0.0, "atol": 1e-12}


class Problem(NamedTuple):
    query: Tensor  # (B, Q, D)
    states: Tensor  # (B, T, K)
    mask: Tensor  # (B, T): full, shorter, with a gap


class Sizes(NamedTuple):
    query: int = 8
    keys: int = 8


def problem(sizes: Sizes, batch: int = B, queries: int = Q, steps: int = T, seed: int = 0) -> Problem:
    draw = torch.Generator().manual_seed(seed)
    query = torch.randn(batch, queries, sizes.query, generator=draw, dtype=torch.float64)
    states = torch.randn(batch, steps, sizes.keys, generator=draw, dtype=torch.float64)
    mask = torch.ones(batch, steps, dtype=torch.bool)
    if batch == B and steps == T:
        mask[1, 4:] = False
        mask[2, 2] = False
    return Problem(query, states, mask)


def answer(attention: Attention, given: Problem, masked: bool = True) -> Attended:
    return attention(given.query, attention.project(given.states, given.mask if masked else None))


def same(left: Tensor | None, right: Tensor | None, why: str) -> None:
    assert (left is None) == (right is None), why
    if left is not None and right is not None:
        assert left.shape == right.shape, f"{why}: {tuple(left.shape)} and {tuple(right.shape)}"
        assert torch.allclose(left, right, **EXACT), f"{why}: apart by {(left - right).abs().max():.2e}"


def all_same(left: Attended, right: Attended, why: str) -> None:
    same(left.context, right.context, f"{why} (context)")
    same(left.weights, right.weights, f"{why} (weights)")
    same(left.history, right.history, f"{why} (history)")


def along_steps(mask: Tensor, weights: Tensor) -> Tensor:
    """The (B, T) mask in the shape of the weights (B, [N,] Q, T)."""
    return mask.view(mask.shape[0], *[1] * (weights.dim() - 2), mask.shape[1]).expand_as(weights)


def law_shapes(attention: Attention, sizes: Sizes) -> None:
    for batch, queries, steps in [(B, Q, T), (1, 1, 1), (1, Q, 1), (B, 1, T), (0, Q, T)]:
        given = problem(sizes, batch, queries, steps)
        got = answer(attention, given)
        assert got.context.shape == (batch, queries, attention.context_size), "shape of the context"
        assert got.weights.dim() in (3, 4), "weights are (B, Q, T) or (B, N, Q, T)"
        assert got.weights.shape[0] == batch, "the batch comes first"
        assert got.weights.shape[-2:] == (queries, steps), "weights end in (Q, T)"
        assert (got.history is not None) == attention.sequential, "a history if and only if sequential"
        assert got.history is None or got.history.shape[0] == batch, "the history begins with the batch"


def law_distribution(attention: Attention, sizes: Sizes, partial: bool = False) -> None:
    """Weights are a distribution; a ``partial`` one may sum to less than 1."""
    for masked in (True, False):
        weights = answer(attention, problem(sizes), masked).weights
        total = weights.sum(-1)
        assert (weights >= 0).all(), "a negative weight"
        if partial:
            assert (total <= 1 + 1e-12).all(), "weights sum to more than 1"
            assert (total > 0).all(), "weights vanish where something is allowed"
        else:
            same(total, torch.ones_like(total), "the sum of the weights")


def law_masked_steps_are_invisible(attention: Attention, sizes: Sizes) -> None:
    """A masked step has weight zero, what it holds changes nothing, and no gradient reaches it."""
    given = problem(sizes)
    states = given.states.clone().requires_grad_()
    got = answer(attention, given._replace(states=states))
    assert (got.weights[~along_steps(given.mask, got.weights)] == 0).all(), "weight on a masked step"
    (got.context.pow(2).sum() + got.weights.pow(2).sum()).backward()
    assert states.grad is not None, "the states have no gradient"
    assert (states.grad[~given.mask] == 0).all(), "a gradient reaches a masked step"
    assert (states.grad[given.mask] != 0).any(), "no gradient reaches an allowed step"
    other = torch.where(given.mask.unsqueeze(-1), given.states, 100.0 - given.states)
    all_same(answer(attention, given._replace(states=other)), got, "what a masked step holds")


def law_a_mask_for_each_query(attention: Attention, sizes: Sizes) -> None:
    """A mask (B, Q, T) is for every query what a mask (B, T) is for one that is asked alone."""
    given = problem(sizes)
    own = torch.ones(Q, T, dtype=torch.bool).tril(-1) & given.mask.unsqueeze(1)  # the first query may see nothing
    got = attention(given.query, attention.project(given.states, own))
    for at in range(Q):
        alone = attention(given.query[:, at : at + 1], attention.project(given.states, own[:, at]))
        same(got.context[:, at], alone.context[:, 0], "the context under a mask of its own")
        same(got.weights[..., at, :], alone.weights[..., 0, :], "the weights under a mask of its own")


def law_padding_is_inert(attention: Attention, sizes: Sizes) -> None:
    """Masked steps before or after the memory change nothing."""
    given = problem(sizes)
    bare = answer(attention, given)
    for before, after in [(0, 3), (3, 0), (20, 25)]:
        front, back = torch.full((B, before, sizes.keys), 7.0), torch.full((B, after, sizes.keys), -7.0)
        states = torch.cat([front.double(), given.states, back.double()], 1)
        mask = torch.nn.functional.pad(given.mask, (before, after))
        got = answer(attention, Problem(given.query, states, mask))
        same(got.context, bare.context, f"padding {before} before and {after} after")
        same(got.weights[..., before : before + T], bare.weights, "the weights under padding")


def law_gaps_are_inert(attention: Attention, sizes: Sizes) -> None:
    """A masked step in the middle is as if it were not there."""
    given = problem(sizes)
    mask = torch.tensor([False, True, True, False, True, True]).expand(B, T)
    got = answer(attention, given._replace(mask=mask))
    closed = Problem(given.query, given.states[:, mask[0]], torch.ones(B, 4, dtype=torch.bool))
    without = answer(attention, closed)
    same(got.context, without.context, "a gap in the mask")
    same(got.weights[..., mask[0]], without.weights, "the weights round a gap")


def law_no_mask_is_a_full_mask(attention: Attention, sizes: Sizes) -> None:
    given = problem(sizes)
    full = given._replace(mask=torch.ones_like(given.mask))
    all_same(answer(attention, given, masked=False), answer(attention, full), "no mask and a full one")


def law_nothing_allowed(attention: Attention, sizes: Sizes) -> None:
    """A row without allowed steps: zero weights, finite gradients, and the other rows do not notice."""
    given = problem(sizes)
    mask = given.mask.clone()
    mask[0] = False
    query, states = given.query.clone().requires_grad_(), given.states.clone().requires_grad_()
    got = answer(attention, Problem(query, states, mask))
    assert (got.weights[0] == 0).all(), "weights where nothing is allowed"
    (got.context.pow(2).sum() + got.weights.sum()).backward()
    tensors = [query.grad, states.grad, *(p.grad for p in attention.parameters())]
    assert all(g is None or g.isfinite().all() for g in tensors), "a gradient is not finite"
    same(got.context[1:], answer(attention, given).context[1:], "rows beside an empty one")


def law_extreme_scores(attention: Attention, sizes: Sizes) -> None:
    """Huge states and queries, in float32, give finite weights and gradients; so do zeros."""
    single = copy.deepcopy(attention).float()
    given = problem(sizes)
    for factor in (1e4, -1e4, 0.0):
        query = (given.query * factor).float().requires_grad_()
        states = given.states.sign().float().mul(abs(factor)).requires_grad_()
        got = answer(single, Problem(query, states, given.mask))
        assert got.weights.isfinite().all(), f"weights are not finite at {factor}"
        assert (got.weights[~along_steps(given.mask, got.weights)] == 0).all(), "weight on a masked step"
        got.context.mean().backward()
        grads = [query.grad, states.grad, *(p.grad for p in single.parameters())]
        assert all(g is None or g.isfinite().all() for g in grads), f"gradients are not finite at {factor}"


def law_gradients(attention: Attention, sizes: Sizes) -> None:
    """Gradients with respect to query, states and every parameter equal finite differences."""
    given = problem(sizes, batch=2, queries=2, steps=3, seed=1)
    mask = torch.tensor([[True, True, True], [True, True, False]])
    names = [name for name, _ in attention.named_parameters()]

    def run(query: Tensor, states: Tensor, *weights: Tensor) -> tuple[Tensor, Tensor]:
        def both(a: Attention, q: Tensor, s: Tensor) -> tuple[Tensor, Tensor]:
            got = a(q, a.project(s, mask))
            return got.context, got.weights

        swapped = {f"inner.{name}": weight for name, weight in zip(names, weights, strict=True)}
        return torch.func.functional_call(_Call(attention, both), swapped, (query, states))

    leaves = [given.query, given.states, *(p.detach().clone() for p in attention.parameters())]
    assert torch.autograd.gradcheck(run, [leaf.requires_grad_() for leaf in leaves], raise_exception=False), (
        "gradients differ from finite differences"
    )


class _Call(torch.nn.Module):
    """``function(inner, ...)`` as a module, for ``functional_call``."""

    def __init__(self, inner: Attention, function) -> None:
        super().__init__()
        self.inner = inner
        self.function = function

    def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        return self.function(self.inner, *inputs)


def law_parameters_are_used(attention: Attention, sizes: Sizes) -> None:
    """Every parameter has a part in the answer."""
    given = problem(sizes)
    given.states.requires_grad_()  # so that there is a gradient to take without parameters, too
    copied = copy.deepcopy(attention)
    draw = torch.Generator().manual_seed(2)
    aim = torch.randn(B, Q, copied.context_size, generator=draw, dtype=torch.float64)
    (answer(copied, given).context * aim).sum().backward()
    for name, parameter in copied.named_parameters():
        # A key's bias moves all scores of a softmax alike, so nothing at all follows from it there.
        if name == "key.bias" and hasattr(copied, "heads"):
            continue
        assert parameter.grad is not None and (parameter.grad != 0).any(), f"{name} has no part in the answer"


def law_one_query_at_a_time(attention: Attention, sizes: Sizes) -> None:
    """Queries one by one, or two and two, with the history handed on, equal all at once."""
    given = problem(sizes)
    memory = attention.project(given.states, given.mask)
    whole = attention(given.query, memory)
    for size in (1, 2, 3):
        history, contexts, weights = None, [], []
        for part in given.query.split(size, 1):
            context, weight, history = attention(part, memory, history)
            contexts.append(context)
            weights.append(weight)
        split = Attended(torch.cat(contexts, 1), torch.cat(weights, -2), history)
        all_same(split, whole, f"queries {size} at a time")


def law_rows_are_independent(attention: Attention, sizes: Sizes) -> None:
    """Each row of a batch alone gives what it gives in the batch, also midway, with its row of history."""
    given = problem(sizes)
    whole = answer(attention, given)
    first = attention(given.query[:, :2], attention.project(given.states, given.mask))
    for row in range(B):
        pick = slice(row, row + 1)
        alone = answer(attention, Problem(*(part[pick] for part in given)))
        same(alone.context, whole.context[pick], f"row {row} alone")
        memory = attention.project(given.states[pick], given.mask[pick])
        history = None if first.history is None else first.history[pick]
        later = attention(given.query[pick, 2:], memory, history)
        same(later.context, whole.context[pick, 2:], f"row {row} alone, from the third query")


def law_order_of_steps_is_free(attention: Attention, sizes: Sizes) -> None:
    """Content-based: shuffled steps give the same context and shuffled weights."""
    given = problem(sizes)
    order = torch.tensor([3, 5, 0, 1, 4, 2])
    plain = answer(attention, given)
    shuffled = answer(attention, Problem(given.query, given.states[:, order], given.mask[:, order]))
    same(shuffled.context, plain.context, "the context of shuffled steps")
    same(shuffled.weights, plain.weights[..., order], "the weights of shuffled steps")


def law_same_answer_twice(attention: Attention, sizes: Sizes) -> None:
    """Nothing is random in evaluation, nothing is remembered on the module, inputs stay as they were."""
    attention.eval()
    given, kept = problem(sizes), problem(sizes)
    first = attention(given.query, attention.project(given.states, given.mask), dropout=0.5)
    answer(attention, problem(sizes, seed=5))
    all_same(answer(attention, given), first, "the same question twice")
    assert all(torch.equal(a, b) for a, b in zip(given, kept, strict=True)), "an input was written to"


def law_dropout_is_in_the_sum_only(attention: Attention, sizes: Sizes) -> None:
    attention.train()
    given = problem(sizes)
    memory = attention.project(given.states, given.mask)
    plain = attention(given.query, memory)
    torch.manual_seed(0)
    dropped = attention(given.query, memory, dropout=0.5)
    attention.eval()
    same(dropped.weights, plain.weights, "weights that are returned under dropout")
    same(dropped.history, plain.history, "history under dropout")
    assert not torch.allclose(dropped.context, plain.context), "dropout drops nothing"


def law_saved_and_loaded(attention: Attention, fresh: Attention, sizes: Sizes) -> None:
    """``fresh``, of other initial weights, answers alike after loading them; so do a copy and a pickle."""
    given = problem(sizes)
    fresh.load_state_dict(attention.state_dict())
    twins = {"loaded": fresh, "copied": copy.deepcopy(attention)}
    twins["pickled"] = pickle.loads(pickle.dumps(attention))
    for how, twin in twins.items():
        all_same(answer(twin, given), answer(attention, given), how)
