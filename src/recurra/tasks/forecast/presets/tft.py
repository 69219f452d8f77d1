"""The temporal fusion transformer: gates, selected variables, an LSTM and attention (Lim et al. 2021).

https://arxiv.org/abs/1912.09363. Shapes: B windows, L look-back, H horizon, C channels, P head numbers, D units, W_v
numbers of variable v.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ....attention import Attention
from ....cells import State
from ....data.batch import Batch
from ....nn.build import make_attention, make_recurrent
from ....nn.gating import GatedResidual, GatedSelection, GatedSkip
from ....nn.heads import Head
from ....nn.layers import Recurrence, Recurrent, States
from ....nn.models import Output
from ....settings import Config, ModelSettings
from ..layout import Layout
from ..mixing import Selected
from ..steps import Steps, told


class Contexts(NamedTuple):
    """What never changes, as four things are told of it: (B, D) each."""

    select: Tensor  # c_s, for the choice of variables
    enrich: Tensor  # c_e, for what the LSTM says of each step
    h: Tensor  # c_h and
    c: Tensor  # c_c, in which the LSTM begins


class StaticEncoder(nn.Module):
    """``c_k = GRN_k(ζ)`` for k = s, e, h, c, where ζ is a selection of the static columns, without a context."""

    def __init__(self, widths: Sequence[int], size: int, dropout: float):
        super().__init__()
        self.selection = GatedSelection(widths, size, dropout=dropout)
        self.networks = nn.ModuleList(GatedResidual(size, size, size, dropout=dropout) for _ in Contexts._fields)

    def forward(self, variables: Sequence[Tensor]) -> Contexts:
        """Return the contexts of ``variables`` (B, W_v)."""
        selected = self.selection(variables)[0]
        return Contexts(*(one(selected) for one in self.networks))


class FusedSteps(nn.Module):
    """From columns to what stands at each step: selected variables, the LSTM over them, and what never changes.

        ξ̃_t = selection(z_t, c_s),  φ_t = LSTM(ξ̃_t),  φ̃_t = LayerNorm(ξ̃_t + GLU(φ_t)),  θ_t = GRN(φ̃_t, c_e)

    One LSTM reads the past, from the state (c_h, c_c), and another one goes on from its last state through the steps
    to come. Past variables are the values, all channels and what is told of them as one, then past and known columns.
    To come are the known ones; where there are none, ξ̃_t is learned for each step. Without static columns nothing has
    a context, and the LSTM begins at zero.
    """

    def __init__(self, layout: Layout, fixed: Sequence[int], settings: ModelSettings):
        super().__init__()
        self.layout, self.steps, size, dropout = layout, Steps(layout), settings.hidden_size, settings.dropout
        self.static = StaticEncoder(fixed, size, dropout) if fixed else None
        context, known = size if fixed else 0, self.steps.known.widths
        past = [layout.channels * layout.told, *self.steps.past.widths, *known]
        self.past = GatedSelection(past, size, context, dropout)
        self.future = GatedSelection(known, size, context, dropout) if known else None
        self.places = None if known else nn.Parameter(torch.randn(layout.horizon, size))
        self.reader, self.writer = make_recurrent(settings, size), make_recurrent(settings, size)
        self.skip = GatedSkip(size, size, dropout)
        self.enrich = GatedResidual(size, size, size, context, dropout)

    def forward(self, batch: Batch, fixed: Sequence[Tensor], record: bool) -> tuple[Tensor, Tensor, Recurrence]:
        """Return φ̃ and θ (B, L + H, D), and what was read; ``fixed`` (B, W_v) are the static columns."""
        contexts = None if self.static is None else self.static(fixed)
        past, ahead = self.selected(batch, contexts)
        read = self.reader(past, None if contexts is None else _begun(self.reader, contexts), record=record)
        written = self.writer(ahead, read.states)
        steps = self.skip(torch.cat([past, ahead], 1), torch.cat([read.outputs, written.outputs], 1))
        return steps, self.enrich(steps, None if contexts is None else contexts.enrich.unsqueeze(1)), read

    def selected(self, batch: Batch, contexts: Contexts | None) -> tuple[Tensor, Tensor]:
        """Return ξ̃ of the past (B, L, D) and of the steps to come (B, H, D)."""
        context = None if contexts is None else contexts.select.unsqueeze(1)
        past, ahead = self.columns(batch)
        read = self.past(past, context)[0]
        if self.future is None:
            assert self.places is not None
            return read, self.places.expand(len(batch), -1, -1)
        return read, self.future(ahead, context)[0]

    def weights(self, batch: Batch, fixed: Sequence[Tensor]) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """Return the mean weight of each variable: of the past, of the steps to come, and of what never changes."""
        contexts = None if self.static is None else self.static(fixed)
        context = None if contexts is None else contexts.select.unsqueeze(1)
        past, ahead = self.columns(batch)
        return (
            self.past(past, context)[1].mean((0, 1)),
            None if self.future is None else self.future(ahead, context)[1].mean((0, 1)),
            None if self.static is None else self.static.selection(fixed)[1].mean(0),
        )

    def columns(self, batch: Batch) -> tuple[list[Tensor], list[Tensor]]:
        """Return the variables of the past (B, L, W_v), the values first, and of the steps to come (B, H, W_v)."""
        layout, steps = self.layout, self.steps
        past, known = [torch.cat(told(batch, layout), -1)], []
        if layout.covariates:
            known = list(steps.known(batch["known"]).split(steps.known.widths, -1)) if layout.known else []
            past += steps.past(batch["past"]).split(steps.past.widths, -1) if layout.past else ()
            past += [one[:, : layout.lookback] for one in known]
        return past, [one[:, layout.lookback :] for one in known]


class FusionCore(nn.Module):
    """The steps to come look at all before them and at themselves, and a linear layer says all numbers of each.

        β = attention(θ),  δ_t = LayerNorm(θ_t + GLU(β_t)),  ŷ_t = W LayerNorm(φ̃_t + GLU(GRN(δ_t))) + b

    Where the past looks, which the paper computes, nothing depends on, so it is left out. Which series it is, where
    there are several, is one of the static columns.
    """

    def __init__(self, layout: Layout, attention: Attention, head: Head, settings: ModelSettings):
        super().__init__()
        size, dropout, self.dropped = settings.hidden_size, settings.dropout, settings.attention_dropout
        self.layout, self.size, self.attention = layout, head.size, attention
        many = layout.series > 1 and not layout.alone
        self.identities = nn.Embedding(layout.series + 1, size) if many else None
        self.steps = FusedSteps(layout, [*layout.static, *([size] if many else [])], settings)
        self.looked = GatedSkip(size, size, dropout)
        self.single = GatedResidual(size, size, size, dropout=dropout)
        self.last = GatedSkip(size, size, dropout)
        self.out = nn.Linear(size, layout.channels * head.size)

    def forward(self, batch: Batch, record: bool) -> Output:
        """Return (B, H, C, P), and how much each step to come looked at each past one: (B, H, L), mean over heads.

        What is missing of a sum of one went to steps to come.
        """
        layout = self.layout
        steps, enriched, read = self.steps(batch, self._fixed(batch), record)
        ahead = enriched[:, layout.lookback :]
        seen = self.attention(ahead, self.attention.project(enriched, self._before(batch)), dropout=self.dropped)
        said = self.last(steps[:, layout.lookback :], self.single(self.looked(ahead, seen.context)))
        params = self.out(said).view(len(batch), layout.horizon, layout.channels, self.size)
        weights = seen.weights.mean(1) if seen.weights.dim() == 4 else seen.weights
        return Output(params, weights[..., : layout.lookback], read)

    def selected(self, batch: Batch) -> Selected:
        """Return how much weight each covariate has; static ones are weighed before all else."""
        read, ahead, fixed = self.steps.weights(batch, self._fixed(batch))
        past, none = len(self.steps.steps.past.widths), read.new_empty(0)
        static = none if fixed is None else fixed[: len(self.layout.static)]
        coming = none if ahead is None else ahead
        weights = torch.cat([read[1 + past :], read[1 : 1 + past], static])
        written = torch.cat([coming, read.new_full((len(weights) - len(coming),), torch.nan)])
        return Selected(weights, written, apart=len(static) > 0)

    def _before(self, batch: Batch) -> Tensor:
        """Return at which steps each step to come may look: (B, H, L + H)."""
        ones = torch.ones(self.layout.horizon, self.layout.lookback + self.layout.horizon, dtype=torch.bool)
        return ones.tril(self.layout.lookback).to(batch.inputs.device).expand(len(batch), -1, -1)

    def _fixed(self, batch: Batch) -> list[Tensor]:
        fixed = list(batch["static"].split(self.layout.static, -1)) if self.layout.static else []
        return fixed if self.identities is None else [*fixed, self.identities(batch["series"])]


def _begun(recurrent: Recurrent, contexts: Contexts) -> States:
    """Return first states of all layers: what is an output h, or a memory c, is its context; the rest is zero."""

    def filled(state: State) -> State:
        parts = {name: getattr(state, name) for name in getattr(state, "_fields", ())}
        known = {name: filled(part) for name, part in parts.items() if not isinstance(part, Tensor)}
        known |= {
            name: context
            for name, context in (("h", contexts.h), ("c", contexts.c))
            if isinstance(parts.get(name), Tensor) and parts[name].shape == context.shape
        }
        return state._replace(**known) if known else state

    return tuple(tuple(map(filled, layer)) for layer in recurrent.initial(len(contexts.h)))


def make_core(config: Config, layout: Layout, head: Head) -> nn.Module:
    """Make it of the cells of the settings, and of the attention that looks in the paper."""
    model = config.model
    attention = make_attention(model, model.hidden_size, model.hidden_size)
    assert attention is not None
    return FusionCore(layout, attention, head, model)
