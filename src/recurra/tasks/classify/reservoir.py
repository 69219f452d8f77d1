"""Classification by an echo state network.

Shapes: B cases, F features, K classes.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from ...settings import Config
from ..cases.network import Layout
from ..cases.reservoir import Known, ReservoirNet

SHARPNESS = tuple(2.0**power for power in range(-1, 9))


class ClassReservoir(ReservoirNet):
    """``s (V z + b)`` are the scores of the classes.

    V and b regress labels of 0 and 1, which are no scores of a softmax yet: the sharpness s makes them some.
    """

    sharpness: Tensor

    def __init__(self, config: Config, layout: Layout, classes: int):
        super().__init__(config, layout, classes)
        self.register_buffer("sharpness", torch.ones((), dtype=torch.float64))

    def said(self, features: Tensor) -> Tensor:
        """Return the scores (B, K) of ``features`` (B, F)."""
        return self.sharpness * self.out(features)

    def goals(self, targets: Tensor) -> Tensor:
        """Return 1 for the class of a case and 0 for others (B, K)."""
        return F.one_hot(targets, self.out.out_features).double()

    def adapt(self, valid: Known, loss: Callable[[Known], float]) -> float:
        """Take the sharpness that validates best; return that loss."""
        tried = []
        for sharpness in SHARPNESS:
            self.sharpness.fill_(sharpness)
            tried.append((loss(valid), sharpness))
        best, sharpness = min(tried)
        self.sharpness.fill_(sharpness)
        return best
