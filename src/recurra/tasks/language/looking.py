"""What stands behind the recurrent layers: a look at the states before, and a wide layer.

Shapes: B texts, T units of each, M states that are remembered, H units of a state, L states that are looked back over.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...attention import ATTENTIONS, Attention, Memory, ScoreAttention
from ...errors import ConfigError
from ...nn.build import make_attention, member, usual_attention
from ...settings import Config, ModelSettings


class Past(NamedTuple):
    """States that can be looked back at."""

    states: Tensor  # (B, M, H)
    real: Tensor  # (B, M), False where nothing was read


class Looked(NamedTuple):
    """States that have looked back."""

    states: Tensor  # (B, T, H)
    weights: Tensor  # (B, T, M + T), or (B, N, T, M + T) with heads: the remembered states stand first
    past: Past  # what the next chunk may look at


class LookBack(nn.Module):
    """Every state looks at the L states before it, and adds what it saw.

        h'_t = h_t + W c_t,  c_t = Σ_{t−L ≤ j < t} a(norm_q(h_t), norm(h_j)) norm(h_j)

    What was read before a batch is remembered, without its gradient. Before the first state there is nothing to see.
    Merity 2019, https://arxiv.org/abs/1911.11423, there with the state itself among those that are seen.
    """

    def __init__(self, attention: Attention, size: int, reach: int, dropout: float = 0.0):
        super().__init__()
        self.attention, self.reach, self.dropout = attention, reach, dropout
        self.norm, self.query_norm = nn.LayerNorm(size), nn.LayerNorm(size)
        self.out = nn.Linear(attention.context_size, size, bias=False)  # W

    def forward(self, states: Tensor, mask: Tensor | None = None, past: Past | None = None) -> Looked:
        """Let ``states`` (B, T, H) look at each other and at the ``past``; ``mask`` (B, T) says which are real."""
        real = torch.ones_like(states[..., 0], dtype=torch.bool) if mask is None else mask
        every = Past(self.norm(states), real) if past is None else _behind(past, Past(self.norm(states), real))
        allowed = earlier(states.shape[1], every.states.shape[1], self.reach, states.device) & every.real.unsqueeze(1)
        memory = self.attention.project(every.states, allowed)
        seen = self.attention(self.query_norm(states), memory, dropout=self.dropout)
        kept = Past(*(part[:, -self.reach :] for part in every))
        return Looked(states + self.out(seen.context), seen.weights, kept)


class LookingOn:
    """The same for one text, a state at a time: what can be seen is projected once, and the oldest is overwritten."""

    def __init__(self, look: LookBack):
        self.look, self.count = look, 0
        none = look.attention.project(look.norm.weight.new_zeros(1, 1, len(look.norm.weight)))
        self.keys, self.values = none.keys, none.values

    def next(self, state: Tensor) -> Tensor:
        """Return a state (1, H) that has looked back at those before it."""
        look, filled = self.look, min(self.count, self.look.reach)
        shown = max(1, filled)  # one that must not be seen, where there is none
        nothing = None if filled else torch.zeros(1, 1, dtype=torch.bool, device=state.device)
        memory = Memory(self.keys[..., :shown, :], self.values[..., :shown, :], nothing)
        seen = look.attention(look.query_norm(state).unsqueeze(1), memory)
        self._keep(look.norm(state).unsqueeze(1))
        return state + look.out(seen.context[:, 0])

    def _keep(self, state: Tensor) -> None:
        at = self.count % self.look.reach  # where it stands does not matter to a score
        if at == self.keys.shape[-2]:
            self.keys, self.values = _doubled(self.keys), _doubled(self.values)
        new = self.look.attention.project(state)
        self.keys[..., at, :], self.values[..., at, :] = new.keys[..., 0, :], new.values[..., 0, :]
        self.count += 1


class Boom(nn.Module):
    """A layer that is wide, and folded onto the width of the states: ``h' = h + Σ_n gelu(V norm(h) + b)_n``.

    n goes over blocks of H units of the wide layer. Merity 2019, https://arxiv.org/abs/1911.11423.
    """

    def __init__(self, size: int, width: int):
        super().__init__()
        self.norm, self.wide = nn.LayerNorm(size), nn.Linear(size, width)

    def forward(self, states: Tensor) -> Tensor:
        """Return h' of states (…, H)."""
        size, width = self.wide.in_features, self.wide.out_features
        wide = F.pad(F.gelu(self.wide(self.norm(states))), (0, -width % size))
        return states + wide.unflatten(-1, (-1, size)).sum(-2)


def earlier(queries: int, steps: int, reach: int, device: torch.device | None = None) -> Tensor:
    """Return which of ``steps`` the last ``queries`` of them may see (Q, T): at most ``reach`` before each."""
    far = torch.arange(steps - queries, steps, device=device).unsqueeze(1) - torch.arange(steps, device=device)
    return (far > 0) & (far <= reach)


def make_look_back(config: Config, size: int) -> LookBack | None:
    """Make what looks back over states of width ``size``, or None if the settings name no attention."""
    attention = make_attention(config.model, size, size)
    if attention is None:
        return None
    return LookBack(attention, size, config.task.lookback or 1, config.model.attention_dropout)


def require_scores(settings: ModelSettings) -> None:
    """Raise ConfigError for an attention that cannot be told for every state apart what stands before it."""
    if settings.attention == "none":
        return
    named = usual_attention(False) if settings.attention is None else settings.attention
    if issubclass(member(ATTENTIONS, named, Attention), ScoreAttention):
        return
    able = [name for name, one in ATTENTIONS.items() if issubclass(one, ScoreAttention)]
    raise ConfigError(
        f"The attention '{getattr(named, '__name__', named)}' goes by where it looked before or by places, which a "
        f"language model has no use for: it looks back at all that was read. Choose one of: {', '.join(able)}."
    )


def _behind(past: Past, now: Past) -> Past:
    return Past(torch.cat([past.states, now.states], 1), torch.cat([past.real, now.real], 1))


def _doubled(part: Tensor) -> Tensor:
    """Return keys or values (…, M, ·) with room for as many more."""
    return torch.cat([part, torch.zeros_like(part)], -2)
