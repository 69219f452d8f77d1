"""What a forecaster is trained for."""

from torch import nn

from ...data.batch import Batch
from ...nn.heads import Head
from ...nn.loss import Loss
from ...nn.models import Output


class ForecastTask:
    """The head's loss over the known future values."""

    def __init__(self, head: Head):
        self.head = head

    def ask(self, model: nn.Module, batch: Batch) -> Output:
        """Run the model on the windows."""
        return model(batch)

    def loss(self, output: Output, batch: Batch) -> Loss:
        """Return the loss over all future values that are known."""
        assert batch.targets is not None
        return Loss.over(self.head.loss(output.prediction, batch.targets), batch.target_mask)
