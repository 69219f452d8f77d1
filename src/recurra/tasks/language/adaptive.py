"""An adaptive softmax, for very many units.

Shapes: H units of a state, V units that are known.
"""

from torch import Tensor, nn


class Adaptive(nn.Module):
    """Say first whether a unit is a frequent one, and which, or of which group of rare ones; then which of these.

        P(w) = P(w | frequent or a group) for frequent ones, else P(group of w) P(w | its group)

    The twenty-fifth part of the units is frequent, the fifth behind it is one group, the rest another; the rarer, the
    narrower the vectors of a group are. Units are numbered by how frequent they are, so this goes by their numbers.
    Grave et al. 2017, https://arxiv.org/abs/1609.04309.
    """

    def __init__(self, size: int, vocabulary: int):
        super().__init__()
        shares = {max(1, vocabulary // 25), max(2, vocabulary // 5)}
        borders = sorted(border for border in shares if border < vocabulary)
        narrower = max(1, min(4, int(size**0.5)))
        self.softmax = nn.AdaptiveLogSoftmaxWithLoss(size, vocabulary, borders, narrower, head_bias=True)

    def scores(self, states: Tensor) -> Tensor:
        """Return the log-probabilities (…, V) after ``states`` (…, H)."""
        logs: Tensor = self.softmax.log_prob(states.reshape(-1, states.shape[-1]))
        return logs.view(*states.shape[:-1], -1)

    def nats(self, states: Tensor, targets: Tensor) -> Tensor:
        """Return −log of the probability of each of ``targets`` (…) after ``states`` (…, H)."""
        found: Tensor = self.softmax(states.flatten(0, -2), targets.flatten()).output
        return -found.view(targets.shape)
