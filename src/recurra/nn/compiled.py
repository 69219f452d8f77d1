"""The sums and the best sequences of a chain by the compiled library, as ``sums`` and ``paths`` have them.

Shapes: B batch, T steps, K labels.
"""

import ctypes
from typing import NamedTuple

import torch
from torch import Tensor

from ..native.eager import is_eager
from ..native.library import CHAIN_HEAD, ChainArguments, absent, load, succeed
from ..native.threads import threads_for_scan
from .sums import Gradients, Potentials


def takes(given: Potentials) -> bool:
    """Return whether the library can be called."""
    return not absent() and is_eager(given) and all(one is None or (one.is_cpu and one.numel()) for one in given)


class Sum(NamedTuple):
    """The logarithm of the sum over all sequences; with labels, the logarithm of their share in it."""

    value: Tensor  # (B,)
    job: ChainArguments
    kept: tuple[Tensor | None, ...]  # what the job points to

    def gradients(self, weights: Tensor) -> Gradients:
        """Return the gradients of ``value``, summed over the rows by their ``weights`` (B,)."""
        job, weights = self.job, weights.contiguous()
        d_scores = weights.new_empty(job.batch, job.steps, job.labels)
        d_transitions = weights.new_empty(job.threads, job.labels, job.labels)
        d_first, d_last = weights.new_empty(2, job.threads, job.labels)
        job.d_value, job.d_scores = weights.data_ptr(), d_scores.data_ptr()
        job.d_transitions, job.d_first, job.d_last = (one.data_ptr() for one in (d_transitions, d_first, d_last))
        succeed(load().recurra_chain_backward(ctypes.byref(job)))
        return Gradients(d_scores, d_transitions.sum(0), d_first.sum(0), d_last.sum(0))


def add_up(given: Potentials, labels: Tensor | None) -> Sum:
    """Return the sum; ``labels`` (B, T) are known, each of the real ones below K."""
    job, kept = _job(given)
    value, log_z = given.scores.new_empty(2, len(given.scores))
    reached, carried = torch.empty_like(kept[0]), torch.empty_like(kept[0])
    path = None if labels is None else labels.contiguous()
    job.path = None if path is None else path.data_ptr()
    job.value, job.log_z = value.data_ptr(), log_z.data_ptr()
    job.reached, job.carried = reached.data_ptr(), carried.data_ptr()
    succeed(load().recurra_chain_forward(ctypes.byref(job)))
    return Sum(value, job, (*kept, path, log_z, reached, carried))


def best_path(given: Potentials) -> tuple[Tensor, Tensor]:
    """Return the best sequence of each row (B, T), 0 behind its end, and its score (B,)."""
    job, kept = _job(given)
    value = given.scores.new_empty(len(given.scores))
    best = torch.empty(kept[0].shape[:2], dtype=torch.int64)
    job.value, job.best = value.data_ptr(), best.data_ptr()
    succeed(load().recurra_chain_best(ctypes.byref(job)))
    return best, value


def _job(given: Potentials) -> tuple[ChainArguments, list[Tensor]]:
    """Return what is asked, and what of it must be kept while it is."""
    kept = [one.contiguous() for one in given if one is not None]
    sizes = given.scores.shape
    threads = threads_for_scan(2 * given.scores.numel() * sizes[-1])
    return ChainArguments(*CHAIN_HEAD, threads, *sizes, *(one.data_ptr() for one in kept)), kept
