"""What a model that answers texts is trained for.

Shapes: B texts, Q units of answers, n of them real, V units that are known.
"""

import torch
from torch import Tensor, nn

from ...data.batch import Batch
from ...nn.augment import Augmentation
from ...nn.diagonal import off_diagonal
from ...nn.models import Output
from ...random import current
from ...settings import Config
from ...training.task import Loss, Task
from .copying import forgetting
from .ctc import CtcNet, CtcTask
from .learned import Seq2seqLearned
from .network import Seq2seqNet
from .pointing import PointingNet, PointingTask
from .sequences import Sequences


class Seq2seqTask:
    """The cross entropy of every unit of an answer, given the text and the units before it.

        −(1 − ε) log P(y_t) − ε/V Σ_v log P(v),  P = P(· | y_1 … y_{t−1}, X)

    ε is the label ``smoothing`` (Szegedy et al. 2016, arXiv 1512.00567). In training a share ``sampling`` of the units
    before is what the model itself would have said after the right ones, as in parallel scheduled sampling (Bengio et
    al. 2015, arXiv 1506.03099; Duckworth et al. 2019, arXiv 1906.04331). Of a network that copies, a share ``forget``
    of the units of each text is as if it did not know them. Sequences are those of the ``augmentation`` in training,
    where looks away from the ``diagonal`` cost, too.
    """

    def __init__(
        self,
        smoothing: float = 0.0,
        sampling: float = 0.0,
        forget: float = 0.0,
        augmentation: Augmentation = Augmentation(),  # noqa: B008  (immutable)
        diagonal: float = 0.0,
    ):
        self.smoothing, self.sampling, self.forget, self.diagonal = smoothing, sampling, forget, diagonal
        self.augmentation = augmentation

    def ask(self, model: nn.Module, batch: Batch) -> Output:
        """Return the loss over all units of answers, their ends among them, summed up."""
        assert isinstance(model, Seq2seqNet)
        if model.training:
            batch = self.augmentation.changed(batch)
        if model.training and self.forget and model.copying is not None:
            batch = forgetting(batch, self.forget, model.start + 1, model.size)
        assert batch.targets is not None
        previous = model.previous(batch.targets)
        if model.training and self.sampling:
            previous = self._guessed(model, batch, previous)
        # In validation smoothed, too: what is trained to be less than sure would look worse there the better it gets.
        output = model.teach(batch, previous, self.smoothing)
        if not (model.training and self.diagonal) or output.weights is None:
            return output
        said = torch.ones_like(batch.targets).bool() if batch.target_mask is None else batch.target_mask
        away = off_diagonal(output.weights, said.sum(1), model.steps(batch))
        return output._replace(prediction=output.prediction + self.diagonal * away)

    @torch.no_grad()
    def _guessed(self, model: Seq2seqNet, batch: Batch, previous: Tensor) -> Tensor:
        """Return the units before with some guesses among them."""
        written = model.written(batch, previous)[1]
        said = model.scores(written.outputs, written.looked, batch.get("copied"))
        lots = torch.rand(said.shape[:2], generator=current(said.device), device=said.device)
        guesses = model.known(said[:, :-1].argmax(-1))
        mixed = torch.where(lots[:, :-1] < self.sampling, guesses, previous[:, 1:])
        return torch.cat([previous[:, :1], mixed], 1)

    def loss(self, output: Output, batch: Batch) -> Loss:
        """Return the loss, and of how many units it is."""
        assert batch.targets is not None
        return Loss(output.prediction, batch.targets.numel() if batch.target_mask is None else batch.target_mask.sum())


def make_translator(config: Config, learned: Seq2seqLearned) -> tuple[nn.Module, Task]:
    """Make an untrained network, and its task."""
    task, source = config.task, learned.source
    augmentation = source.augmentation if isinstance(source, Sequences) else Augmentation()
    if learned.points:
        return PointingNet(config, learned), PointingTask(task.forget)
    if learned.by_step:
        return CtcNet.of(config, learned), CtcTask(augmentation)
    how = task.smoothing, task.sampling, task.forget, augmentation, task.diagonal_penalty
    return Seq2seqNet.of(config, learned), Seq2seqTask(*how)
