"""What a network makes of covariates: mixed with the segments that are read, and with what each output is asked.

Shapes: B windows, L look-back, H horizon, n segments read, Q segments written, C channels, P head numbers, W_v numbers
of variable v.
"""

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ...data.batch import Batch
from ...nn.variables import VariableSelection, left_out
from .gaps import FilledColumns
from .layout import Layout

LEFT_OUT = 0.3  # of the windows of the training a column of the past is missing in; benchmarks/accuracy/bicycles.md


class Selected(NamedTuple):
    """How much weight each variable has, mean over windows and steps: known, past and static ones; NaN for none."""

    read: Tensor  # (V,), beside that of the values themselves
    written: Tensor  # (V,)
    apart: bool = False  # whether static ones are weighed among themselves, before all else is read


class CovariateMixer(nn.Module):
    """Covariates of segments: a selection of variables where they are read, another one where they are written.

    The read-out of every step also has a term ``D k_t`` of what is known ahead of it, which is nothing to begin with.
    Of what is known of the past alone the mean of each segment is read, which is nothing to begin with, too, and in
    training each column is missing in a share LEFT_OUT of the windows: with all its steps it is learned by heart.
    """

    def __init__(self, layout: Layout, own: int, read_size: int, written_size: int, numbers: int):
        super().__init__()
        self.layout = layout
        steps = layout.segment
        self.known = FilledColumns(layout.known, layout.known_holes, layout.gaps)
        self.past = FilledColumns(layout.past, layout.past_holes, layout.gaps)
        ahead = [steps * width for width in self.known.widths]
        self.reading = VariableSelection([own, *ahead, *self.past.widths, *layout.static], read_size)
        self.reading.begin_without(range(1 + len(ahead), 1 + len(ahead) + len(self.past.widths)))
        beyond = [*ahead, *layout.static]
        self.writing = VariableSelection(beyond, written_size) if beyond else None
        self.direct = nn.Linear(sum(self.known.widths), numbers, bias=False) if layout.known else None
        if self.direct is not None:
            nn.init.zeros_(self.direct.weight)

    def read(self, segments: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return ``segments`` (B, n, ·) mixed with their covariates (B, n, E), and the weight of each variable."""
        layout = self.layout
        known = segmented(self.known(batch["known"][:, : layout.lookback]), self.known.widths, layout.segment)
        means = self.past(batch["past"]).unflatten(1, (-1, layout.segment)).mean(2)
        behind = list(means.split(self.past.widths, -1)) if self.past.widths else []
        behind = left_out(behind, LEFT_OUT) if self.training else behind
        mixed: tuple[Tensor, Tensor] = self.reading([segments, *known, *behind, *self._static(batch, layout.read)])
        return mixed

    def written(self, batch: Batch) -> tuple[Tensor, Tensor] | None:
        """Return what is known of the segments that are written (B, Q, E), and the weight of each variable."""
        if self.writing is None:
            return None
        known = segmented(self._ahead(batch), self.known.widths, self.layout.segment)
        mixed: tuple[Tensor, Tensor] = self.writing([*known, *self._static(batch, self.layout.written)])
        return mixed

    def said(self, batch: Batch) -> Tensor | None:
        """Return what each step that is written owes to what is known ahead of it: (B, Q·segment, C·P)."""
        return None if self.direct is None else self.direct(self._ahead(batch))

    def selected(self, segments: Tensor, batch: Batch) -> Selected:
        """Return how much weight each variable has where ``segments`` are read, and where the future is written."""
        read = self.read(segments, batch)[1].mean((0, 1))[1:]
        written, beyond = torch.full_like(read, torch.nan), self.written(batch)
        if beyond is not None:
            weights, known = beyond[1].mean((0, 1)), len(self.known.widths)
            written[:known], written[known + len(self.past.widths) :] = weights[:known], weights[known:]
        return Selected(read, written)

    def _ahead(self, batch: Batch) -> Tensor:
        """Return what is known of all steps that are written; a last segment that goes beyond has its last step."""
        layout, ahead = self.layout, self.known(batch["known"])[:, self.layout.lookback :]
        beyond = layout.written * layout.segment - layout.horizon
        return torch.cat([ahead, ahead[:, -1:].expand(-1, beyond, -1)], 1)

    def _static(self, batch: Batch, count: int) -> Sequence[Tensor]:
        static = batch["static"].unsqueeze(1).expand(-1, count, -1)
        return static.split(self.layout.static, -1) if self.layout.static else ()


def segmented(x: Tensor, widths: Sequence[int], steps: int) -> list[Tensor]:
    """Return the variables of ``x`` (B, T, ΣW_v) in segments of so many ``steps``: (B, T / steps, steps·W_v) each."""
    ends = [0, *accumulate(widths)]
    return [x[..., a:b].unflatten(1, (-1, steps)).flatten(2) for a, b in pairwise(ends)]
