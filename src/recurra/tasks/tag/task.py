"""What a tagger is trained for, and the network that it is made of.

Shapes: B pieces of cases, T steps, K labels, W intents.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...data.batch import Batch
from ...nn.crf import Chain
from ...nn.models import Output
from ...settings import Config
from ...training.task import Loss
from ..cases.classes import balanced
from ..cases.sentences import SentenceReading
from .learned import TagLearned
from .network import TagNet


class TagTask:
    """Cross entropy over all steps whose label is known, with labels smoothed (Szegedy et al., arXiv 1512.00567).

        ((1 − s) · label + s / K)

    With ``weights`` (K,) a step counts as much as its label says, and as much as its case, if cases have weights. With
    a ``chain`` all labels of a piece are judged together, ``−log P(labels)``. What each step says of the whole comes on
    top, by its cross entropy.
    """

    def __init__(self, smoothing: float = 0.0, weights: Tensor | None = None, chain: Chain | None = None):
        self.smoothing, self.weights, self.chain = smoothing, weights, chain

    def ask(self, model: nn.Module, batch: Batch) -> Output:
        """Run the model on the cases."""
        return model(batch)

    def loss(self, output: Output, batch: Batch) -> Loss:
        """Return the loss over all steps whose label is known."""
        loss = self._of_steps(output, batch) if self.chain is None else self._of_chain(self.chain, output, batch)
        whole, intents = output.whole, batch.get("whole")
        if whole is None or intents is None:
            return loss
        every = intents.unsqueeze(1).expand(whole.shape[:2])
        losses = F.cross_entropy(whole.mT, every.clamp(min=0), reduction="none", label_smoothing=self.smoothing)
        real = every >= 0 if batch.mask is None else (every >= 0) & batch.mask
        beside = Loss.weighted(losses, real.to(losses.dtype))
        return Loss((loss.mean + beside.mean) * loss.count, loss.count)

    def _of_steps(self, output: Output, batch: Batch) -> Loss:
        """Return the cross entropy of the steps."""
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

    def _of_chain(self, chain: Chain, output: Output, batch: Batch) -> Loss:
        """Return −log P of the labels of each piece, over as many steps as are known."""
        targets, known = batch.targets, batch.target_mask
        assert targets is not None and known is not None
        losses = -chain.log_likelihood(output.prediction, targets.masked_fill(~known, -1), batch.mask)
        weights, own = known.sum(1).to(losses.dtype), batch.get("weight")
        weights = weights if own is None else weights * own
        return Loss.weighted(losses / known.sum(1).clamp(min=1), weights)


def make_tagger(config: Config, learned: TagLearned) -> tuple[TagNet, TagTask]:
    """Make an untrained tagger."""
    task, layout, labels = config.task, learned.reading.layout, len(learned.classes)
    allowed = None if learned.scheme is None else learned.scheme.allowed(learned.classes)
    chain = Chain(labels, allowed) if task.crf else None
    network = TagNet.of(config, layout, labels, len(learned.intents), chain)
    if isinstance(learned.reading, SentenceReading):
        learned.reading.begin(network)
    weights = torch.from_numpy(balanced(learned.counts)) if task.balance else None
    return network, TagTask(task.smoothing, weights, chain)
