"""Answers that are places of a passage: where they begin and where they end.

Shapes: B questions, T units read (those of the question and their end, those of the passage and theirs), C closed
answers, M places at which a right answer stands, H hidden units, D numbers of a state, E numbers of a unit.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...attention import Memory
from ...attention.scaled_dot import ScaledDotAttention
from ...cells import State
from ...data.batch import Batch
from ...nn.attending import AttendingCell, write_all
from ...nn.build import cell_names, make_attention, make_cell, make_recurrent
from ...nn.flow import Flow
from ...nn.layers import Recurrence, SelfAttention
from ...nn.models import Bridge, Output
from ...settings import Config
from ...training.task import Loss
from .copying import LEAST, Strangers, forgetting
from .learned import Seq2seqLearned
from .network import Vectors


class Pointed(NamedTuple):
    """Where answers may begin and end, as logarithms of their shares."""

    begins: Tensor  # (B, C + T), of the closed answers first; -inf where nothing can begin
    ends: Tensor  # (B, T)


class PointingNet(nn.Module):
    """A pointer to where an answer begins, and one to where it ends: where an attending cell looks in its two steps.

        P(b, e) = a_1(b) a_2(e),   s_1, s_2 = two steps of the cell,   a_t = attention(s_t, states)

    ``b`` may also be one of the C answers that no passage has, such as yes and no: each is a learned state beside those
    of the passage. Vinyals et al. 2015, arXiv 1506.03134; Wang & Jiang 2017, arXiv 1608.07905.

    What is pointed at comes of several readings, each of which sees the ones before: a stack over the question and the
    passage behind it; with ``mentions`` each unit looks at the other places where it stands, at what is said of it
    there (as in Dhingra et al. 2017, arXiv 1703.02620); with ``flow`` question and passage look at each other (Seo et
    al. 2017, arXiv 1611.01603); a second stack over what came of it.
    """

    def __init__(self, config: Config, learned: Seq2seqLearned):
        super().__init__()
        model, side = config.model, learned.target
        width = config.task.embedding_size or model.hidden_size
        self.embed, self.strangers = Vectors(side.size, width, config.task.input_dropout), Strangers(width)
        self.again = nn.Parameter(torch.randn(width) * width**-0.5)  # what is added to units that the question has, too
        self.recurrent = make_recurrent(model, width)
        size = self.recurrent.output_size
        self.among = None
        if config.task.mentions:
            self.among = SelfAttention(ScaledDotAttention(size, size), size, model.attention_dropout)
        self.flow = Flow(size) if config.task.flow else None
        seen = size if self.flow is None else self.flow.output_size
        looks = self.among is not None or self.flow is not None
        self.later = make_recurrent(model, seen) if looks else None
        states = seen + size if looks else size
        cell = make_cell(cell_names(model)[-1], width, model.hidden_size, model.chrono)
        self.decoder = AttendingCell(cell, make_attention(model, model.hidden_size, states), model.attention_dropout)
        self.bridge, self.steps = Bridge(self.recurrent, cell), nn.Parameter(torch.randn(2, width) * width**-0.5)
        self.closed = nn.Parameter(torch.randn(len(learned.closed), states) * states**-0.5)
        self.size, self.end = side.size, side.end

    def forward(self, batch: Batch, record: bool = False) -> Output:
        """Return the logarithms of where answers begin and end (B, 2, C + T), and where the two steps looked (B, 2, T).

        No answer ends at a closed one.
        """
        read, memory, state = self.read(batch, record)
        bound = self.decoder.bind(memory)
        x = self.steps.expand(len(batch), -1, -1)
        engine = "reference" if self.recurrent.engine == "reference" else "auto"
        looked = write_all(bound, x, bound.initial(state), engine).looked
        assert looked is not None and memory.mask is not None
        begins, ends = looked.clamp_min(LEAST).log().masked_fill(~memory.mask.unsqueeze(1), -torch.inf).unbind(1)
        none = torch.full_like(ends[:, : len(self.closed)], -torch.inf)
        ends = torch.cat([none, ends[:, len(self.closed) :].log_softmax(-1)], -1)
        return Output(torch.stack([begins, ends], 1), looked[..., len(self.closed) :], read)

    def pointed(self, batch: Batch) -> Pointed:
        """Return where the answers to a batch may begin and end."""
        begins, ends = self(batch).prediction.unbind(1)
        return Pointed(begins, ends[:, len(self.closed) :])

    def read(self, batch: Batch, record: bool = False) -> tuple[Recurrence, Memory, State]:
        """Read questions with their passages; return what was read, what there is to point at, and the first state."""
        attention = self.decoder.attention
        assert attention is not None
        question, passage = self.parts(batch)
        read = self.recurrent(self.vectors(batch, question), mask=batch.mask, record=record)
        states, last = read.outputs, read
        if self.among is not None:
            copied = batch["copied"]
            same = (copied.unsqueeze(2) == copied.unsqueeze(1)) & (question | passage).unsqueeze(1)
            states, _ = self.among(states, same)
        if self.flow is not None:
            states = self.flow(states, question, passage).states
        if self.later is not None:
            last = self.later(states, mask=batch.mask)
            states = torch.cat([states, last.outputs], -1)
        closed = self.closed.expand(len(states), -1, -1)
        every = F.pad(passage, (len(self.closed), 0), value=True)
        memory = attention.project(torch.cat([closed, states], 1), every)
        return read, memory, self.bridge(last)

    def vectors(self, batch: Batch, question: Tensor) -> Tensor:
        """Return what each unit is to the network (B, T, E): which one it is, and whether the ``question`` has it, too.

        That is known by itself, as it is true of units never seen before (Chen et al. 2017, arXiv 1704.00051).
        """
        copied = batch["copied"]
        asked = copied.masked_fill(~question, -1)
        same = (copied.unsqueeze(2) == asked.unsqueeze(1)).any(2) & ~question
        return self.embed(batch.inputs) + self.strangers(copied, self.size) + self.again * same.unsqueeze(-1)

    def parts(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return which units of a batch are of the question and which are of the passage, their ends aside (B, T)."""
        ends = batch.inputs == self.end
        after = (ends.cumsum(1) - ends.long()) > 0  # behind the end of the question
        real = ~ends if batch.mask is None else batch.mask & ~ends
        return real & ~after, real & after

    def engines(self) -> list[str]:
        """Return what runs each layer that reads, and what points."""
        slow = self.recurrent.engine == "reference"
        later = [] if self.later is None else self.later.engines()
        return [*self.recurrent.engines(), *later, "reference" if slow else self.decoder.engine()]


class PointingTask:
    """The surprise of all places at which the right answer stands, together.

        −log Σ_m P(b_m, e_m)

    Clark & Gardner 2018, arXiv 1710.10723. In training a share ``forget`` of the units of each text is as if the
    network did not know them, so that it learns to point at what it has never seen.
    """

    def __init__(self, forget: float):
        self.forget = forget

    def ask(self, model: nn.Module, batch: Batch) -> Output:
        """Return the loss over all questions, summed up."""
        assert isinstance(model, PointingNet)
        if model.training and self.forget:
            batch = forgetting(batch, self.forget, model.end + 1, model.size)
        output = model(batch)
        logs = place_logs(output.prediction, batch)
        return output._replace(prediction=-logs.logsumexp(-1).sum())

    def loss(self, output: Output, batch: Batch) -> Loss:
        """Return the loss, and of how many questions it is."""
        return Loss(output.prediction, torch.tensor(len(batch)))


def place_logs(logs: Tensor, batch: Batch) -> Tensor:
    """Return ``log P`` of each place of the right answers (B, M), from those of all (B, 2, C + T); -inf for padding.

    A closed answer has the same number for its begin and its end.
    """
    spans, real = batch.streams["spans"]
    begins, ends = spans.unbind(-1)
    found = logs[:, 0].gather(1, begins)
    closed = logs[:, 1].gather(1, begins) == -torch.inf  # where nothing ends
    found = found + logs[:, 1].gather(1, ends).masked_fill(closed, 0.0)
    return found if real is None else found.masked_fill(~real, -torch.inf)
