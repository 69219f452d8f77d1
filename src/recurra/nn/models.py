"""The model shapes: a Reader answers about a sequence, a Writer answers with one.

Shapes: B batch, T steps read, Q steps written, H hidden units, E embedding, O outputs.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..attention import Attention, Memory
from ..cells import Cell, GatedCell, State, map_state
from ..data.batch import Batch
from ..random import Dropout
from .attending import AttendingCell, AttendingState, BoundCell, Written, write_all
from .layers import Pool, Recurrence, Recurrent, join
from .scan import ENGINES, EVERY_STEP, SelfFed, scan


class Output(NamedTuple):
    """What a model says, and what it looked at."""

    prediction: Tensor
    weights: Tensor | None = None  # attention: (B, Q, T), or (B, N, Q, T) with heads
    recurrence: Recurrence | None = None  # of the stack that read the input
    carried: tuple[Tensor, ...] = ()  # (B, ...) each: what the next batch is handed, without its gradient
    self_weights: Tensor | None = None  # where every state looked: (B, T, T), or (B, N, T, T) with heads
    whole: Tensor | None = None  # of a model that answers every step: what each says of the whole (B, T, ...)


class Reader(nn.Module):
    """Encoder and read-out: one answer per sequence with a ``pool``, one per step without.

    ``embed`` turns the batch's inputs into (B, T, I); ``head`` turns (B, H) or (B, T, H) into (B, O), (B, T, O).
    """

    def __init__(self, embed: nn.Module, recurrent: Recurrent, pool: Pool | None, head: nn.Module):
        super().__init__()
        self.embed, self.recurrent, self.pool, self.head = embed, recurrent, pool, head

    def forward(self, batch: Batch, record: bool = False) -> Output:
        """Read ``batch.inputs`` under ``batch.mask``."""
        read = self.recurrent(self.embed(batch.inputs), mask=batch.mask, record=record)
        if self.pool is None:
            return Output(self.head(read.outputs), recurrence=read)
        summary, weights = self.pool(read, batch.mask)
        return Output(self.head(summary), weights, read)


class Bridge(nn.Module):
    """Hand the last state of an encoder to a decoder cell: as it is where it fits, else through a layer."""

    def __init__(self, encoder: Recurrent, cell: Cell):
        super().__init__()
        last = [direction.cell for direction in encoder.stack()[-1]]
        states = [one.initial(1) for one in last]
        self.size = cell.hidden_size
        self.same = len(last) == 1 and type(last[0]) is type(cell) and last[0].hidden_size == cell.hidden_size
        self.template = cell.initial(1)
        if not self.same:
            self.linear = nn.Linear(join(states).shape[-1], join([self.template]).shape[-1])

    def forward(self, recurrence: Recurrence) -> State:
        """Return the decoder's first state, each field (B, H)."""
        last = recurrence.states[-1]
        if self.same:
            return last[0]
        parts = iter(torch.tanh(self.linear(join(last))).split(self.size, -1))
        return map_state(lambda _: next(parts), self.template)


Linear = tuple[Tensor, Tensor | None]  # a weight (O, I) and a bias (O)


def linear_layers(module: nn.Module) -> list[Linear] | None:
    """Return the linear layers that ``module`` is made of, or None if it does anything else."""
    # Not subclasses, and nothing with hooks: those may do anything.
    if module._forward_hooks or module._forward_pre_hooks:
        return None
    if type(module) is nn.Linear:
        return [(module.weight, module.bias)]
    if type(module) is nn.Identity:
        return []
    if type(module) in (nn.Dropout, Dropout) and not (module.training and module.p):
        return []
    if type(module) is not nn.Sequential:
        return None
    parts = [linear_layers(part) for part in module]
    return None if any(part is None for part in parts) else [layer for part in parts for layer in part or []]


def joined(layers: list[Linear]) -> Linear:
    """Return the one linear layer that does what ``layers`` do one after another."""
    weight, bias = layers[0]
    for then, add in layers[1:]:
        weight, bias = then @ weight, add if bias is None else F.linear(bias, then, add)
    return weight, bias


class Writer(nn.Module):
    """Encoder and attending decoder that writes step by step, each step reading what was written before.

    ``embed`` and ``target_embed`` turn inputs and earlier outputs into vectors; ``head`` turns h~ (…, H) into
    (…, O).
    """

    def __init__(
        self,
        embed: nn.Module,
        recurrent: Recurrent,
        decoder: AttendingCell,
        target_embed: nn.Module,
        head: nn.Module,
    ):
        super().__init__()
        self.embed, self.recurrent, self.decoder = embed, recurrent, decoder
        self.target_embed, self.head = target_embed, head
        self.bridge = Bridge(recurrent, decoder.cell)

    def forward(self, batch: Batch, previous: Tensor, record: bool = False) -> Output:
        """Write with the right earlier outputs given: ``previous`` (B, Q) or (B, Q, ·), the targets one late."""
        read, written = self.written(batch, previous, record)
        return Output(self.head(written.outputs), written.weights, read)

    def written(self, batch: Batch, previous: Tensor, record: bool = False) -> tuple[Recurrence, Written]:
        """Return what was read, and what the decoder made of it, (B, Q, H), before the head says what that means."""
        read, bound, state = self.begin(batch, record)
        # The engine that was asked for reads: not every one has the cell that writes.
        engine = "reference" if self.recurrent.engine == "reference" else "auto"
        return read, write_all(bound, self.target_embed(previous), state, engine)

    def write(
        self,
        batch: Batch,
        first: Tensor,
        steps: int,
        choose: Callable[[Tensor], Tensor] | slice,
        record: bool = False,
        beside: Tensor | None = None,
    ) -> Output:
        """Write ``steps`` outputs from ``first`` (B, …), each read back as ``choose`` makes it.

        A slice chooses some of the head's numbers as they are, which allows all steps to be one scan, unless there is
        something that each step reads ``beside`` (B, Q, ·) it.
        """
        alone = beside is None or not beside.shape[-1]

        def previous(step: int, said: Tensor) -> Tensor:
            back = first if not step else said[:, choose] if isinstance(choose, slice) else choose(said)
            return back if alone else torch.cat([back, beside[:, step]], -1)  # type: ignore[index]

        fed = self._self_fed(choose) if isinstance(choose, slice) and alone and steps > 1 else None
        if fed is None:
            return self._write(batch, steps, previous, record)
        read, _, start = self.begin(batch, record)
        one = scan(fed.cell, self.target_embed(first.unsqueeze(1)), start.cell, EVERY_STEP, "native")
        rest = scan(fed, first.new_empty(len(first), steps - 1, 0), one.state, EVERY_STEP, "native")
        return Output(self.head(torch.cat([one.outputs, rest.outputs], 1)), None, read)

    def _self_fed(self, choose: slice) -> SelfFed | None:
        """Return the decoder as a cell that reads its own output, if it is one and the native engine runs it.

        It is one without attention, where all from its output to its next input is linear: that is one matrix
        and one bias then.
        """
        said, read, cell = linear_layers(self.head), linear_layers(self.target_embed), self.decoder.cell
        if self.decoder.attention is not None or not said or read is None or not isinstance(cell, GatedCell):
            return None
        if self.recurrent.engine not in ("auto", "native") or cell._forward_hooks or cell._forward_pre_hooks:
            return None
        weight, bias = joined(said)
        chosen = (weight[choose], None if bias is None else bias[choose])
        fed = SelfFed(cell, *joined([chosen, *read, (cell.weight_ih, cell.bias_ih)]))
        return None if ENGINES["native"].refuses(fed, EVERY_STEP) else fed

    def _write(self, batch: Batch, steps: int, previous: Callable[[int, Tensor], Tensor], record: bool) -> Output:
        """Write step by step; ``previous`` says, from the step and the last prediction, what is read before it."""
        read, bound, state = self.begin(batch, record)

        def loop() -> Output:
            now, predictions, weights = state, [state.output], []
            for step in range(steps):
                x = self.target_embed(previous(step, predictions[-1]).unsqueeze(1))
                now = bound.step(bound.project(x)[:, 0], now)
                predictions.append(self.head(now.output))
                weights.append(now.weights)
            seen = torch.stack(weights, -2) if bound.memory is not None else None
            return Output(torch.stack(predictions[1:], 1), seen, read)

        answer: Output = self.decoder(loop)
        return answer

    def begin(self, batch: Batch, record: bool = False) -> tuple[Recurrence, BoundCell, AttendingState]:
        """Read ``batch.inputs``; return what was read, the decoder that looks at it, and its first state."""
        read, memory, state = self.read(batch, record)
        bound = self.decoder.bind(memory)
        return read, bound, bound.initial(state)

    def read(self, batch: Batch, record: bool = False) -> tuple[Recurrence, Memory | None, State]:
        """Read ``batch.inputs``; return what was read, what there is to look at, and the first state of the cell."""
        vectors, mask = self.embedded(batch)
        read = self.recurrent(vectors, mask=mask, record=record)
        attention = self.decoder.attention
        memory = None if attention is None else attention.project(self.memory(vectors, read), mask)
        return read, memory, self.bridge(read)

    def memory(self, vectors: Tensor, read: Recurrence) -> Tensor:
        """Return what can be looked at (B, T, ·): what the encoder made of the ``vectors`` that it read (B, T, I)."""
        return read.outputs

    def embedded(self, batch: Batch) -> tuple[Tensor, Tensor | None]:
        """Return what the encoder reads of a batch (B, T, I), and which steps of it are real (B, T); None: all are."""
        return self.embed(batch.inputs), batch.mask


class ParallelWriter(nn.Module):
    """A decoder that writes all its steps at once, one query each.

    From the encoder's last state the cell takes one step per query, ``s_q = cell(query_q, s_T)``, looks at
    all encoder outputs, and combines: ``h~_q = s_q + W [c_q; s_q]``. Without attention ``h~_q = s_q``.
    """

    def __init__(self, encoder: Recurrent, cell: Cell, attention: Attention | None, dropout: float = 0.0):
        super().__init__()
        self.bridge, self.cell, self.attention = Bridge(encoder, cell), cell, attention
        self.dropout, self.engine = dropout, encoder.engine
        if attention is not None:
            self.combine = nn.Linear(attention.context_size + cell.hidden_size, cell.hidden_size)

    def forward(self, queries: Tensor, read: Recurrence, mask: Tensor | None = None) -> Output:
        """Return h~ (B, Q, H) for ``queries`` (B, Q, E), as the prediction of an Output."""
        batch_size, count = queries.shape[:2]
        state = map_state(lambda part: part.repeat_interleave(count, 0), self.bridge(read))
        stepped = scan(self.cell, queries.flatten(0, 1).unsqueeze(1), state, EVERY_STEP, self.engine).outputs
        stepped = stepped.view(batch_size, count, -1)
        if self.attention is None:
            return Output(stepped, None, read)
        memory = self.attention.project(read.outputs, mask)
        seen = self.attention(stepped, memory, dropout=self.dropout)
        combined = stepped + self.combine(torch.cat([seen.context, stepped], -1))
        return Output(combined, seen.weights, read)
