"""What an answer rests on: how far it falls when a stretch of what was read is taken away.

Shapes: B batch, T steps, I inputs, K classes or numbers, n stretches.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from ..data.batch import Batch
from .explain import evaluating

Fall = Callable[[Tensor, Tensor], Tensor]  # from what comes out of the whole, and of what is left: (B, ...)


# From inputs (B, T, I), the first and the last step of a stretch and lengths (B,) to the inputs without the stretch.
Without = Callable[[Tensor, int, int, Tensor], Tensor]


def less_sure(whole: Tensor, left: Tensor) -> Tensor:
    """Return how much less probable the class that the ``whole`` names is by what is ``left``, scores (B, K): (B,).

    ``p(x)_c − p(x without stretch)_c, c = argmax p(x)``, p the softmax of the scores.
    """
    before, after = whole.softmax(-1), left.softmax(-1)
    return (before - after).gather(-1, before.argmax(-1, keepdim=True)).squeeze(-1)


def less_likely(whole: Tensor, left: Tensor) -> Tensor:
    """Return how much less probable the surest label of the ``whole`` is by what is ``left``, scores (B, K): (B,).

    ``σ(x)_k − σ(x without stretch)_k, k = argmax x``, where any number of labels may be right.
    """
    surest = whole.argmax(-1, keepdim=True)
    return (whole.sigmoid() - left.sigmoid()).gather(-1, surest).squeeze(-1)


def occlusion(
    model: nn.Module,
    batch: Batch,
    stretches: Sequence[tuple[int, int]],
    fall: Fall = less_sure,
    without: "Without | None" = None,
) -> Tensor:
    """Return how far the answer of ``model`` to each sequence falls with each stretch: (B, n, ...), float64.

        f_k = fall(model(x), model(x without stretch k))

    ``stretches`` are first and last steps, and ``fall`` compares what ``Output.prediction`` is with and without one: if
    not given, f_k is how much less sure the model is; below zero it is surer without. A stretch is taken away by
    ``straightened``: a straight line has nothing to see in it and no jump at its ends, which a mean or a zero has and
    which would be new. Another ``without`` takes it away in its own way. Without what lies behind the end of a sequence
    nothing falls; nor does an answer that is given for want of anything else, whatever is taken away: it rests on no
    stretch.
    Zeiler and Fergus 2014, https://arxiv.org/abs/1311.2901, of pictures.
    """
    lengths = torch.full((len(batch),), batch.inputs.shape[1]) if batch.mask is None else batch.mask.sum(1)
    with torch.inference_mode(), evaluating(model):
        whole = model(batch).prediction
        falls = []
        for first, last in stretches:
            inputs = (without or straightened)(batch.inputs, first, last, lengths)
            if batch.mask is not None:
                inputs = inputs * batch.mask.unsqueeze(-1)
            falls.append(fall(whole, model(batch.with_values("source", inputs)).prediction))
    return torch.stack(falls, 1).double()


def straightened(x: Tensor, first: int, last: int, lengths: Tensor) -> Tensor:
    """Return ``x`` (B, T, I) with the steps from ``first`` to ``last`` on a line between the steps before and after.

    Where there is no step before or after, within ``lengths`` (B,), all are as the one on the other side; a whole
    sequence becomes its mean.
    """
    steps = torch.arange(x.shape[1], device=x.device).view(1, -1, 1)
    lengths = lengths.to(x.device).view(-1, 1, 1)
    rows = torch.arange(len(x), device=x.device).unsqueeze(1)
    after = last + 1 < lengths
    left = x[:, max(first - 1, 0)].unsqueeze(1)
    right = x[rows, torch.where(after, last + 1, max(first - 1, 0)).squeeze(-1)]
    left = left if first else right
    share = (steps - (first - 1)).to(x.dtype) / (last + 2 - first)
    line = left + share * (right - left)
    if first == 0:
        mean = (x * (steps < lengths)).sum(1, keepdim=True) / lengths.clamp(min=1)
        line = torch.where(after, line, mean)
    inside = (steps >= first) & (steps <= last) & (steps < lengths)
    return torch.where(inside, line, x)
