"""The additive score by itself: ``e_qj = v · tanh(s_q + k_j)``.

Shapes: B batch, Q queries, T steps, A width.
"""

import ctypes
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

from ..native.eager import is_eager
from ..native.library import DTYPES, ENERGY_HEAD, EnergyArguments, absent, load, succeed
from ..native.threads import threads_for_energy


def additive_energy(query: Tensor, keys: Tensor, vector: Tensor) -> Tensor:
    """Return the energies (B, Q, T) of ``query`` (B, Q, A) with ``keys`` (B, T, A) by ``vector`` (A).

    The compiled library never keeps the tanh of every query with every key, (B, Q, T, A), which is the largest array of
    a sequence-to-sequence model; where it cannot be called, torch's own operators do the same.
    """
    given = query, keys, vector
    if not _library_takes(given):
        return plain_energy(*given)
    if torch.is_grad_enabled() and any(one.requires_grad for one in given):
        energies: Tensor = _Energy.apply(*given)
        return energies
    return _forward(*given)


def plain_energy(query: Tensor, keys: Tensor, vector: Tensor) -> Tensor:
    """Return the same by torch's own operators, which know everything that torch does to operators."""
    return torch.tanh(query.unsqueeze(2) + keys.unsqueeze(1)) @ vector


def _library_takes(given: Sequence[Tensor]) -> bool:
    if absent() or not is_eager(given) or torch.is_autocast_enabled("cpu") or forward_ad._current_level >= 0:
        return False
    query, keys, vector = given
    width, dtype = vector.shape[0], vector.dtype
    if query.dim() != 3 or keys.dim() != 3 or len(query) != len(keys) or not query.shape[2] == keys.shape[2] == width:
        return False  # torch broadcasts what can be broadcast, and says what cannot
    return dtype in DTYPES and all(one.is_cpu and one.dtype is dtype and one.numel() for one in given)


def _forward(*given: Tensor) -> Tensor:
    query, keys, vector = (one.contiguous() for one in given)
    energies = query.new_empty(*query.shape[:2], keys.shape[1])
    job = _job(query, keys, vector)
    job.energies = energies.data_ptr()
    succeed(load().recurra_energy_forward(ctypes.byref(job)))
    return energies


def _backward(query: Tensor, keys: Tensor, vector: Tensor, d_energies: Tensor) -> list[Tensor]:
    query, keys, vector, d_energies = (one.contiguous() for one in (query, keys, vector, d_energies))
    grads = [one.new_empty(one.shape) for one in (query, keys, vector)]
    job = _job(query, keys, vector)
    job.d_energies = d_energies.data_ptr()
    job.d_query, job.d_keys, job.d_vector = (grad.data_ptr() for grad in grads)
    succeed(load().recurra_energy_backward(ctypes.byref(job)))
    return grads


def _job(query: Tensor, keys: Tensor, vector: Tensor) -> EnergyArguments:
    sizes = (*query.shape[:2], *keys.shape[1:])
    threads = threads_for_energy(query.numel() * keys.shape[1])
    pointers = (one.data_ptr() for one in (query, keys, vector))
    return EnergyArguments(*ENERGY_HEAD, DTYPES[query.dtype], threads, *sizes, *pointers)


class _Energy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *given: Tensor) -> Tensor:
        ctx.save_for_backward(*given)
        return _forward(*given)

    @staticmethod
    def backward(ctx: Any, d_energies: Tensor) -> tuple[Tensor | None, ...]:
        query, keys, vector = given = ctx.saved_tensors
        # Somebody may differentiate the gradients, or ask for many at once, of which the library knows nothing.
        if torch.is_grad_enabled() or not is_eager([d_energies]):
            return _plain_grads(given, d_energies, ctx.needs_input_grad)
        return tuple(_backward(query, keys, vector, d_energies))


def _plain_grads(given: Sequence[Tensor], d_energies: Tensor, wanted: Sequence[bool]) -> tuple[Tensor | None, ...]:
    """Return the gradients by torch's own operators, as tensors that can be differentiated themselves."""
    again = torch.is_grad_enabled()
    # Views, so that a vector that was computed from the keys does not add to their gradient here.
    with torch.enable_grad():
        given = [one.view_as(one) for one in given]
        leaves = [one for one, want in zip(given, wanted, strict=True) if want]
        found = iter(torch.autograd.grad(plain_energy(*given), leaves, d_energies, create_graph=again))
    return tuple(next(found) if want else None for want in wanted)
