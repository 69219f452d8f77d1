"""From energies to weights: what may not be attended to gets exactly zero."""

from collections.abc import Callable
from types import ModuleType

import torch
from torch import Tensor

from ..errors import ConfigError, pick

Normaliser = Callable[[Tensor, Tensor | None], Tensor]


def softmax(scores: Tensor, mask: Tensor | None = None) -> Tensor:
    """Return ``exp(e_j) / Σ_k exp(e_k)`` over the last dimension, among the steps ``mask`` allows.

    ``mask`` broadcasts against ``scores``; a row with nothing allowed gives zeros and finite gradients.
    """
    if mask is None:
        return scores.softmax(-1)
    # The lowest finite value, not -inf: a row of nothing but -inf is NaN, forwards and backwards.
    low = torch.finfo(scores.dtype).min
    return scores.masked_fill(~mask, low).softmax(-1).masked_fill(~mask, 0.0)


def sparsemax(scores: Tensor, mask: Tensor | None = None) -> Tensor:
    """Return ``max(0, e_j - t)``, t such that the sum is 1, among the steps ``mask`` allows (1602.02068)."""
    return _sparse("sparsemax", scores, mask)


def entmax15(scores: Tensor, mask: Tensor | None = None) -> Tensor:
    """Return ``max(0, e_j / 2 - t)²``, t such that the sum is 1, among the allowed steps (1905.05702)."""
    return _sparse("entmax", scores, mask)


def _sparse(name: str, scores: Tensor, mask: Tensor | None) -> Tensor:
    entmax = _package(name)
    function = {"sparsemax": entmax.sparsemax, "entmax": entmax.entmax15}[name]
    # entmax finds t from running sums, which half precision cannot hold.
    exact = scores.float() if scores.dtype in (torch.float16, torch.bfloat16) else scores
    if mask is None:
        return function(exact, dim=-1).to(scores.dtype)
    # What lies 2 below the largest gets zero, so 4 below is out; a huge value would overflow in the sums.
    low = torch.finfo(exact.dtype).min / 2
    largest = exact.detach().masked_fill(~mask, low).amax(-1, keepdim=True)
    shifted = (exact - largest).masked_fill(~mask, -4.0)
    return function(shifted, dim=-1).masked_fill(~mask, 0.0).to(scores.dtype)


def _package(name: str) -> ModuleType:
    try:
        import entmax
    except ImportError as missing:
        raise ConfigError(
            f"The normaliser '{name}' needs the package entmax: pip install 'recurra[sparse]'."
        ) from missing
    return entmax


NORMALISERS: dict[str, Normaliser] = {"softmax": softmax, "sparsemax": sparsemax, "entmax": entmax15}


def pick_normaliser(name: str) -> Normaliser:
    """Return the normaliser called ``name``; a missing package is an error now, not at the first batch."""
    normaliser = pick(NORMALISERS, name, "normaliser")
    if name != "softmax":
        _package(name)
    return normaliser
