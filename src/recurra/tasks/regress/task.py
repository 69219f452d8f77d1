"""What a regressor is trained for, and the network that it is made of.

Shapes: B cases, K targets, P parameters of the head for each.
"""

from torch import Tensor, nn

from ...data.batch import Batch
from ...nn.build import is_reservoir
from ...nn.heads import Head, make_head
from ...nn.models import Output
from ...settings import Config
from ...training.task import Loss
from ..cases.build import make_pooled
from ..cases.network import CaseNet
from .learned import RegressLearned
from .reservoir import NumberReservoir


class RegressTask:
    """The head's loss, the mean over the targets of a case; a case counts as much as its weight, if it has one."""

    def __init__(self, head: Head, targets: int):
        self.head, self.targets = head, targets

    def ask(self, model: nn.Module, batch: Batch) -> Output:
        """Run the model on the cases."""
        return model(batch)

    def loss(self, output: Output, batch: Batch) -> Loss:
        """Return the loss over all cases."""
        assert batch.targets is not None
        losses = self.head.loss(self.params(output.prediction), batch.targets).mean(-1)
        return Loss.weighted(losses, self.counts(batch))

    def counts(self, batch: Batch) -> Tensor | None:
        """Return how much each case counts (B,); None if all count the same."""
        return batch.get("weight")

    def params(self, prediction: Tensor) -> Tensor:
        """Return the numbers (B, K · P) that come out of the network, target by target: (B, K, P)."""
        return prediction.unflatten(-1, (self.targets, self.head.size))


def make_regressor(config: Config, learned: RegressLearned) -> tuple[CaseNet | NumberReservoir, RegressTask]:
    """Make an untrained regressor."""
    layout, targets, head = learned.reading.layout, len(learned.names), make_head(config.task.loss, config.task.levels)
    task = RegressTask(head, targets)
    if is_reservoir(config.model):
        return NumberReservoir(config, layout, targets, head), task
    return make_pooled(config, layout, targets * head.size), task
