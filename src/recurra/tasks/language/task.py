"""What a language model is trained for, and the network that it is made of.

Shapes: B texts, T units.
"""

from torch import Tensor, nn

from ...data.batch import Batch
from ...nn.models import Output
from ...settings import Config
from ...training.task import Loss
from .learned import LanguageLearned
from .network import LanguageNet


class LanguageTask:
    """The cross entropy of every unit, with two penalties of the states h in training.

    −log P(w_{t+1} | w_1 … w_t) + α mean(h_t²) + β mean((h_{t+1} − h_t)²)

    Merity, McCann & Socher 2017, arXiv 1708.01009.
    """

    def __init__(self, activation: float = 0.0, slowness: float = 0.0):
        self.activation, self.slowness = activation, slowness

    def ask(self, model: nn.Module, batch: Batch) -> Output:
        """Run the model, and have it say how improbable each unit was."""
        return model(batch, judge=True)

    def loss(self, output: Output, batch: Batch) -> Loss:
        """Return the loss over all units that are real."""
        loss = Loss.over(output.prediction, batch.target_mask)
        if not output.prediction.requires_grad or not (self.activation or self.slowness):
            return loss
        return Loss((loss.mean + self._penalty(output)) * loss.count, loss.count)

    def _penalty(self, output: Output) -> Tensor:
        assert output.recurrence is not None
        states = output.recurrence.outputs
        change = (states[:, 1:] - states[:, :-1]).square().mean() if states.shape[1] > 1 else 0.0
        return self.activation * states.square().mean() + self.slowness * change


def make_language_model(config: Config, learned: LanguageLearned) -> tuple[LanguageNet, LanguageTask]:
    """Make an untrained language model."""
    return LanguageNet.of(config, learned.size), LanguageTask(config.task.activation, config.task.slowness)
