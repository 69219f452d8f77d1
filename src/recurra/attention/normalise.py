"""From energies to weights: what may not be attended to gets exactly zero."""

from collections.abc import Callable

import torch
from torch import Tensor

from ..errors import ConfigError

Normaliser = Callable[[Tensor, Tensor | None], Tensor]


def softmax(scores: Tensor, mask: Tensor | None = None) -> Tensor:
    """Return ``exp(e_j) / Σ_k exp(e_k)`` over the last dimension, among the steps ``mask`` allows.

    ``mask`` broadcasts against ``scores``; a row with nothing allowed gives zeros and finite gradients.
    """
    if mask is None:
        return scores.softmax(-1)
    # The lowest finite value, not -inf: a row of -inf has NaN gradients, and where it is used zeros follow.
    low = torch.finfo(scores.dtype).min
    return scores.masked_fill(~mask, low).softmax(-1).masked_fill(~mask, 0.0)


def _entmax_family(name: str) -> Normaliser:
    def normalise(scores: Tensor, mask: Tensor | None = None) -> Tensor:
        try:
            import entmax
        except ImportError as missing:
            raise ConfigError(
                f"The normaliser '{name}' needs the package entmax: pip install 'recurra[sparse]'."
            ) from missing
        function = {"sparsemax": entmax.sparsemax, "entmax": entmax.entmax15}[name]
        if mask is None:
            return function(scores, dim=-1)
        low = torch.finfo(scores.dtype).min / 4  # entmax subtracts and squares: leave it room
        return function(scores.masked_fill(~mask, low), dim=-1).masked_fill(~mask, 0.0)

    return normalise


sparsemax = _entmax_family("sparsemax")
entmax15 = _entmax_family("entmax")

NORMALISERS: dict[str, Normaliser] = {"softmax": softmax, "sparsemax": sparsemax, "entmax": entmax15}
