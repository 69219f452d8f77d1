"""A linear-chain conditional random field: a score for every label, and one for every label after another.

Shapes: B batch, T steps, K labels, N paths. A mask (B, T) says which steps are real: the first ones of each row, at
least one; None: all.
"""

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from ..native.eager import is_eager
from . import compiled
from .paths import Path, best_paths, follow
from .sums import Beliefs, Gradients, Potentials, believe

Flags = NDArray[np.bool_] | Tensor


class Allowed(NamedTuple):
    """What a scheme of labels permits, such as BIO, where an inside follows a begin or an inside of its kind."""

    first: Flags  # (K,), the labels of a first step
    follows: Flags  # (K, K), whether the column may follow the row
    last: Flags  # (K,), the labels of a last step


class Chain(nn.Module):
    """A linear-chain conditional random field (Lafferty, McCallum & Pereira 2001; over an LSTM: Lample et al. 2016,
    arXiv 1603.01360).

        P(y | s) = exp(u_{y_1} + Σ_t s_{t, y_t} + Σ_t A_{y_t, y_{t+1}} + v_{y_T}) / Z

    Scores s (B, T, K), transitions A (K, K) from the row to the column, first u (K,), last v (K,); Z is the sum over
    all sequences. What is not ``allowed`` has the probability zero, in training as in every answer.

    All sums run in float64, whatever the scores are in; results have the type of the scores. Raises ValueError for
    ``allowed`` of other shapes. Every method raises it for a row without a real step or without any allowed sequence.
    """

    may_be_first: Tensor | None
    may_follow: Tensor | None
    may_be_last: Tensor | None

    def __init__(self, labels: int, allowed: Allowed | None = None) -> None:
        super().__init__()
        self.transitions = nn.Parameter(torch.zeros(labels, labels))
        self.first, self.last = nn.Parameter(torch.zeros(labels)), nn.Parameter(torch.zeros(labels))
        shapes = Allowed((labels,), (labels, labels), (labels,))  # type: ignore[arg-type]
        for name, part, shape in zip(Allowed._fields, allowed or (None,) * 3, shapes, strict=True):
            flags = None if part is None else torch.as_tensor(part, dtype=torch.bool)
            if flags is not None and flags.shape != shape:
                raise ValueError(f"allowed.{name} has the shape {tuple(flags.shape)}: {labels} labels need {shape}.")
            # A fact of the scheme, which whoever builds the chain says again: no state to be stored.
            self.register_buffer({"follows": "may_follow"}.get(name, f"may_be_{name}"), flags, persistent=False)

    def log_likelihood(self, scores: Tensor, labels: Tensor, mask: Tensor | None) -> Tensor:
        """Return ``log P(labels | scores)`` (B,) of ``labels`` (B, T) int64, of which −1 is unknown.

        Where a label is unknown this is the sum over all that it could be (a partial CRF, Tsuboi et al. 2008); behind
        the end of a row labels are not read. It can be differentiated once. Raises ValueError if the labels of a row
        are not allowed, for their probability is zero and no training can mend that: repair them first.
        """
        given, unknown = self._given(scores, mask), self._unknown(scores, labels, mask)
        if unknown is None:
            value = self._sum(scores, given, labels)
            _refuse_forbidden(value)
            return value.to(scores.dtype)
        fits = unknown.unsqueeze(-1) | (labels.unsqueeze(-1) == torch.arange(scores.shape[-1], device=scores.device))
        known = self._sum(scores, given._replace(scores=given.scores.masked_fill(~fits, -torch.inf)))
        _refuse_forbidden(known)
        return (known - self._sum(scores, given)).to(scores.dtype)

    @torch.no_grad()
    def best(self, scores: Tensor, mask: Tensor | None) -> Tensor:
        """Return the most probable labels (B, T) int64, by Viterbi's algorithm; 0 behind the end of a row."""
        given = self._given(scores, mask)
        if compiled.takes(given):
            path, value = compiled.best_path(given)
        else:
            path, value = (one[:, 0] for one in best_paths(given, 1))
        _refuse_nothing(value)
        return path

    @torch.no_grad()
    def n_best(self, scores: Tensor, mask: Tensor | None, count: int) -> tuple[Tensor, Tensor]:
        """Return the ``count`` most probable sequences (B, N, T) and their log-probabilities (B, N), in falling order.

        A row that has fewer sequences is filled up with zeros of log-probability −∞. Raises ValueError for a ``count``
        below 1.
        """
        if count < 1:
            raise ValueError(f"count is {count}: it must be at least 1.")
        given = self._given(scores, mask)
        paths, values = best_paths(given, count)
        _refuse_nothing(values[:, 0])
        logs = values - _add_up(given, None).value.unsqueeze(-1)
        return paths, logs.clamp(max=0.0).to(scores.dtype)

    @torch.no_grad()
    def marginals(self, scores: Tensor, mask: Tensor | None) -> Tensor:
        """Return ``log P(y_t = k | scores)`` (B, T, K); −∞ behind the end of a row."""
        beliefs = believe(self._given(scores, mask))
        _refuse_nothing(beliefs.value)
        return beliefs.log_nodes().to(scores.dtype)

    @torch.no_grad()
    def probabilities(self, scores: Tensor, mask: Tensor | None) -> Tensor:
        """Return ``P(y_t = k | scores)`` (B, T, K), the derivative of log Z by the scores; 0 behind the end of a row.

        This takes a fraction of the time of ``marginals``, which in return know a probability below 1e-308, too.
        """
        given = self._given(scores, mask)
        every = _add_up(given, None)
        _refuse_nothing(every.value)
        return every.gradients(torch.ones_like(every.value)).scores.to(scores.dtype)

    def _sum(self, scores: Tensor, given: Potentials, labels: Tensor | None = None) -> Tensor:
        """Return ``log P(labels)`` in float64 (B,), or without labels ``log Z``, of what is ``given`` of the scores."""
        value: Tensor = _Sum.apply(scores, self.transitions, self.first, self.last, given, labels)
        return value

    def _given(self, scores: Tensor, mask: Tensor | None) -> Potentials:
        labels = len(self.first)
        if scores.dim() != 3 or scores.shape[-1] != labels or not scores.shape[1]:
            raise ValueError(f"The scores have the shape {tuple(scores.shape)}: it must be (batch, steps, {labels}).")
        lengths = None
        if mask is not None:
            _same_shape("mask", mask, scores)
            lengths = mask.sum(1)
            if len(lengths) and lengths.min() < 1:
                raise ValueError(f"Row {int(lengths.argmin())} has no real step: leave it out of the batch.")
        allowed = self.may_follow, self.may_be_first, self.may_be_last
        # Copies, as the gradients read them later, when somebody may have written into those that were given.
        parts = scores, self.transitions, self.first, self.last
        steps, *logs = (part.detach().to(torch.float64, copy=True) for part in parts)
        logs = [x if may is None else x.masked_fill(~may, -torch.inf) for x, may in zip(logs, allowed, strict=True)]
        transitions, first, last = logs
        return Potentials(steps, transitions, first, last, lengths)

    def _unknown(self, scores: Tensor, labels: Tensor, mask: Tensor | None) -> Tensor | None:
        """Return which real labels are unknown (B, T), or None if none of them is."""
        _same_shape("labels", labels, scores)
        real = labels if mask is None else labels.masked_fill(~mask, 0)
        if not real.numel():
            return None
        lowest, highest = (int(one) for one in real.aminmax())
        if highest >= scores.shape[-1]:
            raise ValueError(f"A label is {highest}: this chain has {scores.shape[-1]} labels, counted from 0.")
        return real < 0 if lowest < 0 else None


def _same_shape(name: str, given: Tensor, scores: Tensor) -> None:
    if given.shape != scores.shape[:2]:
        raise ValueError(f"The shape of {name} is {tuple(given.shape)}: the scores need {tuple(scores.shape[:2])}.")


def _refuse_nothing(values: Tensor) -> None:
    if (nothing := values.isneginf()).any():
        row = int(nothing.flatten().int().argmax())
        raise ValueError(f"Nothing as long as row {row} is allowed: give it more steps or allow more transitions.")


def _refuse_forbidden(values: Tensor) -> None:
    if (forbidden := values.detach().isneginf()).any():
        row = int(forbidden.int().argmax())
        raise ValueError(f"The labels of row {row} are not allowed to follow each other so: repair them first.")


class _Likelihood(NamedTuple):
    """A path and all paths."""

    path: Path
    every: Beliefs

    @property
    def value(self) -> Tensor:
        return self.path.value - self.every.value

    def gradients(self, weights: Tensor) -> Gradients:
        pairs = zip(self.path.gradients(weights), self.every.gradients(weights), strict=True)
        return Gradients(*(seen - expected for seen, expected in pairs))


def _add_up(given: Potentials, labels: Tensor | None) -> compiled.Sum | _Likelihood | Beliefs:
    if compiled.takes(given):
        return compiled.add_up(given, labels)
    return _plainly(given, labels)


def _plainly(given: Potentials, labels: Tensor | None) -> _Likelihood | Beliefs:
    """Return the same by torch's own operators."""
    every = believe(given)
    return every if labels is None else _Likelihood(follow(given, labels), every)


class _Sum(torch.autograd.Function):
    """``log P(labels)`` or, without labels, ``log Z``. Its gradient is what is seen less what is expected."""

    @staticmethod
    def forward(
        ctx: Any,
        scores: Tensor,
        transitions: Tensor,
        first: Tensor,
        last: Tensor,
        given: Potentials,
        labels: Tensor | None,
    ) -> Tensor:
        ctx.dtypes = [one.dtype for one in (scores, transitions, first, last)]
        ctx.done = _add_up(given, labels)
        return ctx.done.value.clone()  # an output that holds what holds it would never be freed

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_value: Tensor) -> tuple[Tensor | None, ...]:
        if not is_eager([d_value]):
            raise NotImplementedError("A chain has one gradient at a time: ask for them one after the other.")
        found = ctx.done.gradients(d_value)
        return *(one.to(dtype) for one, dtype in zip(found, ctx.dtypes, strict=True)), None, None
