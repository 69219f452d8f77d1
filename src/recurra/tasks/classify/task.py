"""What a classifier is trained for, and the network that it is made of.

Shapes: B cases, K classes.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...data.batch import Batch
from ...errors import ConfigError
from ...nn.augment import Augmentation
from ...nn.build import is_reservoir
from ...nn.models import Output
from ...settings import Config
from ...training.task import Loss
from ..cases.build import make_pooled
from ..cases.classes import balanced
from ..cases.network import CaseNet
from ..cases.text import TextReading
from .learned import ClassifyLearned
from .reservoir import ClassReservoir


class ClassifyTask:
    """Cross entropy with labels smoothed (Szegedy et al., arXiv 1512.00567): ``(1 − s) · label + s / K``.

    With ``weights`` (K,) a case counts as much as its class says, and as much as its own weight, if it has one.
    In training cases are a little different each time, as the ``augmentation`` says.
    """

    def __init__(
        self,
        smoothing: float = 0.0,
        weights: Tensor | None = None,
        augmentation: Augmentation = Augmentation(),  # noqa: B008  (immutable)
    ):
        self.smoothing, self.weights, self.augmentation = smoothing, weights, augmentation

    def ask(self, model: nn.Module, batch: Batch) -> Output:
        """Run the model on the cases."""
        return model(self.augmentation.changed(batch) if model.training else batch)

    def loss(self, output: Output, batch: Batch) -> Loss:
        """Return the loss over all cases."""
        targets = batch.targets
        assert targets is not None
        losses = F.cross_entropy(output.prediction, targets, reduction="none", label_smoothing=self.smoothing)
        weights = self.counts(batch)
        return Loss.weighted(losses, weights)

    def counts(self, batch: Batch) -> Tensor | None:
        """Return how much each case counts (B,); None if all count the same."""
        own, targets = batch.get("weight"), batch.targets
        if self.weights is None or targets is None:
            return own
        classes = self.weights.to(targets.device)[targets]
        return classes if own is None else classes * own


class LabelsTask(ClassifyTask):
    """Binary cross entropy of every label, its mean over labels; with labels smoothed, ``(1 − s) · label + s / 2``.

    With ``weights`` (K,) a label counts as much as they say, and a case as much as its own weight, if it has one.
    """

    def loss(self, output: Output, batch: Batch) -> Loss:
        """Return the loss over all cases."""
        targets = batch.targets
        assert targets is not None
        targets = (1 - self.smoothing) * targets + self.smoothing / 2
        weights = None if self.weights is None else self.weights.to(targets.device)
        losses = F.binary_cross_entropy_with_logits(output.prediction, targets, weights, reduction="none").mean(-1)
        return Loss.weighted(losses, self.counts(batch))

    def counts(self, batch: Batch) -> Tensor | None:
        """Return how much each case counts (B,); None if all count the same."""
        return batch.get("weight")


def make_classifier(config: Config, learned: ClassifyLearned) -> tuple[CaseNet | ClassReservoir, ClassifyTask]:
    """Make an untrained classifier."""
    layout, classes = learned.reading.layout, len(learned.classes)
    if layout.vocabulary and is_reservoir(config.model):
        raise ConfigError("A reservoir does not learn, and tokens need vectors that are learned. Use another cell.")
    if learned.several and is_reservoir(config.model):
        raise ConfigError(
            "A reservoir is read out to one class of a case, and several=True has any number of them. Use another cell."
        )
    weights = torch.from_numpy(balanced(learned.counts)) if config.task.balance else None
    network = (ClassReservoir if is_reservoir(config.model) else make_pooled)(config, layout, classes)
    if isinstance(learned.reading, TextReading):
        learned.reading.begin(network)
    task = LabelsTask if learned.several else ClassifyTask
    return network, task(config.task.smoothing, weights, learned.augmentation)
