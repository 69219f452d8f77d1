"""What a tagger is trained for, and the network that it is made of.

Shapes: B pieces of cases, T steps, K labels.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...data.batch import Batch
from ...nn.models import Output
from ...settings import Config
from ...training.task import Loss
from ..cases.build import make_each_step
from ..cases.classes import balanced
from ..cases.network import CaseNet
from .learned import TagLearned


class TagTask:
    """Cross entropy over all steps whose label is known, with labels smoothed (Szegedy et al., arXiv 1512.00567).

        ((1 − s) · label + s / K)

    With ``weights`` (K,) a step counts as much as its label says, and as much as its case, if cases have weights.
    """

    def __init__(self, smoothing: float = 0.0, weights: Tensor | None = None):
        self.smoothing, self.weights = smoothing, weights

    def ask(self, model: nn.Module, batch: Batch) -> Output:
        """Run the model on the cases."""
        return model(batch)

    def loss(self, output: Output, batch: Batch) -> Loss:
        """Return the loss over all steps whose label is known."""
        targets, known = batch.targets, batch.target_mask
        assert targets is not None and known is not None
        losses = F.cross_entropy(output.prediction.mT, targets, reduction="none", label_smoothing=self.smoothing)
        weights = known.to(losses.dtype)
        if self.weights is not None:
            weights = weights * self.weights.to(targets.device)[targets]
        own = batch.get("weight")
        if own is not None:
            weights = weights * own.unsqueeze(1)
        return Loss.weighted(losses, weights)


def make_tagger(config: Config, learned: TagLearned) -> tuple[CaseNet, TagTask]:
    """Make an untrained tagger."""
    network = make_each_step(config, learned.reading.layout, len(learned.classes))
    weights = torch.from_numpy(balanced(learned.counts)) if config.task.balance else None
    return network, TagTask(config.task.smoothing, weights)
