"""What a network makes of a text that it reads once, from beginning to end, while it adapts to it.

Shapes: L units, n units of one chunk, M units that are remembered, H units of a state.
"""

from copy import deepcopy

import numpy as np
import torch
from torch import Tensor, nn

from ...attention.normalise import softmax
from ...nn.surroundings import on_its_own
from ..base import Fitted
from .examples import Chunks
from .looking import earlier
from .network import LanguageNet
from .settings import AdaptAsked


class Cache:
    """The states before, each with the unit that followed it: what followed a like state is likely again.

        P(w) = (1 − λ) P_network(w) + λ Σ_i a_i [w_{i+1} = w],  a = softmax_i(θ h_t · h_i)

    i goes over the last M units that are known at t. Grave, Joulin & Usunier 2017, https://arxiv.org/abs/1612.04426.
    """

    def __init__(self, reach: int, sharpness: float, share: float):
        self.reach, self.sharpness, self.share = reach, sharpness, share
        self.states: Tensor | None = None  # (M, H)
        self.units: Tensor | None = None  # (M,) that followed them

    def join(self, nats: Tensor, states: Tensor, units: Tensor) -> Tensor:
        """Return −log P of ``units`` (n,) that followed ``states`` (n, H), of which the network said ``nats`` (n,)."""
        every = states if self.states is None else torch.cat([self.states, states])
        followed = units if self.units is None else torch.cat([self.units, units])
        allowed = earlier(len(states), len(every), self.reach, states.device)
        weights = softmax(self.sharpness * states @ every.T, allowed).double()
        cached = (weights * (units.unsqueeze(1) == followed)).sum(-1)
        mixed = (1 - self.share) * (-nats).exp() + self.share * cached
        self.states, self.units = every[-self.reach :], followed[-self.reach :]
        return torch.where(allowed.any(-1), -mixed.log(), nats)


class Learning:
    """Weights that learn on from what was read, and are drawn back to where they began.

        W ← W − η ∇ loss + δ (W_0 − W)

    The gradient is clipped as in training. Krause, Kahembwe, Murray & Renals 2018, https://arxiv.org/abs/1709.07432,
    there also with a rate for each weight.
    """

    def __init__(self, network: nn.Module, rate: float, decay: float, clip: float):
        self.rate, self.decay, self.clip = rate, decay, clip
        self.weights = [one for one in network.parameters() if one.requires_grad]
        self.first = [one.detach().clone() for one in self.weights]

    def learn(self, loss: Tensor) -> None:
        """Take one step."""
        found = torch.autograd.grad(loss, self.weights, allow_unused=True)
        norm = float(sum(float(one.square().sum()) for one in found if one is not None)) ** 0.5
        share = self.rate * min(1.0, self.clip / (norm + 1e-6)) if self.clip else self.rate
        with torch.no_grad():
            for weight, first, gradient in zip(self.weights, self.first, found, strict=True):
                weight.add_(first - weight, alpha=self.decay)
                if gradient is not None:
                    weight.sub_(gradient, alpha=share)


def adapts(asked: AdaptAsked) -> bool:
    """Tell whether a network is asked to adapt to what it reads."""
    return bool(asked.cache or asked.dynamic)


def adapted_as(asked: AdaptAsked) -> str:
    """Return in a few words how a network adapts."""
    cache = f"cache {asked.cache} (θ={asked.cache_sharpness:g}, λ={asked.cache_share:g})" if asked.cache else ""
    decay = f" (decay {asked.dynamic_decay:g})" if asked.dynamic_decay else ""
    dynamic = f"dynamic {asked.dynamic:g}{decay}" if asked.dynamic else ""
    return ", ".join(part for part in (cache, dynamic) if part)


@on_its_own
def ask_adapting(fitted: Fitted, examples: Chunks, asked: AdaptAsked) -> np.ndarray:
    """Return −log of the probability of each unit (L,) in nats; the weights of the run stay as they are."""
    network: LanguageNet = fitted.network.eval()  # type: ignore[assignment]
    learning = None
    if asked.dynamic:
        network = deepcopy(network)
        learning = Learning(network, asked.dynamic, asked.dynamic_decay, fitted.config.training.clip_norm)
    cache = Cache(asked.cache, asked.cache_sharpness, asked.cache_share) if asked.cache else None
    device = next(network.parameters()).device
    carried: tuple[Tensor, ...] = ()
    found = []
    for number in range(len(examples)):
        batch = examples.take(torch.tensor([number])).with_carried(carried).to(device)
        assert batch.targets is not None and batch.mask is not None
        with torch.set_grad_enabled(learning is not None):
            heard = network.hear(batch)
            own = network.nats(heard.states, batch.targets)[batch.mask]
        carried, nats = tuple(part.detach() for part in heard.carried), own.detach().double()
        if cache is not None:
            nats = cache.join(nats, heard.states.detach()[batch.mask], batch.targets[batch.mask])
        if learning is not None:
            learning.learn(own.mean())
        found.append(nats.cpu())
    return torch.cat(found).numpy()
