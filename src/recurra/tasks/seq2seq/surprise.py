"""How surprising the right answers are to a model: what a reply is judged by, of which many are good.

Shapes: N pairs, B of a batch, Q units written, V units that are known.
"""

import numpy as np
import torch
from torch import Tensor

from ...data.batch import Batch
from ...errors import ConfigError, DataError
from ...nn.surroundings import on_its_own
from ..base import Fitted
from .answers import batches
from .examples import PairExamples
from .network import Seq2seqNet
from .pointing import PointingNet, place_logs


@on_its_own
@torch.no_grad()
def surprise(fitted: Fitted, examples: PairExamples) -> np.ndarray:
    """Return ``−log P(answer | text)`` of each pair in nats, float64 (N,), the ends of answers among them.

    Of an answer that is pointed at it is that of all its places together, infinite if it has none. Raises DataError if
    there are no answers, and ConfigError for a model with ``decoder='ctc'``.
    """
    if examples.said is None:
        raise DataError("There are no answers that could be surprising: give pairs of texts.")
    network = fitted.network.eval()
    found = np.empty(len(examples))
    device = next(network.parameters()).device
    for places in batches(examples.read.lengths, 1):
        batch = examples.take(torch.from_numpy(places)).to(device)
        if isinstance(network, PointingNet):
            logs = place_logs(network(batch).prediction, batch).logsumexp(-1)
        elif isinstance(network, Seq2seqNet):
            logs = _logs(network, batch)
        else:
            raise ConfigError("How surprising a text is cannot be asked of a model with decoder='ctc'.")
        found[places] = -logs.double().cpu().numpy()
    return found


def _logs(network: Seq2seqNet, batch: Batch) -> Tensor:
    """Return the logarithm of each answer (B,), given its text."""
    assert batch.targets is not None
    wanted = batch["wanted"] if network.copying is not None else batch.targets
    scores = network(batch).prediction.log_softmax(-1)
    logs = scores.gather(-1, wanted.unsqueeze(-1)).squeeze(-1)
    return logs.sum(1) if batch.target_mask is None else logs.masked_fill(~batch.target_mask, 0.0).sum(1)
