"""What reports of all kinds that read cases show: the first case from inside."""

import numpy as np
import torch

from ...data.cases import Cases
from ...report.figures import attention_map, looked_where
from ...report.marked import Marked
from ...report.page import Section
from ..base import Fitted, Glimpse
from .drawing import figure_of
from .evidence import marks_of
from .reading import Reading
from .text import TextReading


def first_case(fitted: Fitted, data: Cases) -> Glimpse:
    """Return the first case of the data."""
    reading: Reading | TextReading = fitted.learned.reading
    case = data.some([0])
    batch = fitted.kind.encode(case, fitted.learned).take(torch.tensor([0]))
    layout = reading.layout
    places = layout.stretches(batch.inputs.shape[1])
    unit = f"It reads case {case.names[0]}, the first one of the training data"
    every = f", every {reading.span(1)}" if layout.hop > 1 else ""
    unit += f", {reading.span(layout.segment / layout.hop)} at a time{every}." if layout.segment > 1 else "."

    def attention(weights: np.ndarray) -> list[Section]:
        text = (
            f"Which stretch of case {case.names[0]}, the first one of the training data, it looked at. "
            f"{looked_where(weights, [reading.place(first, last) for first, last in places])}"
        )
        if isinstance(reading, TextReading):
            tokens = [f"'{token.text}'" for token in reading.tokens_of(case)[0]]
            text = f"At which words of the first text it looked. {looked_where(weights, tokens)}"
            lines = marks_of(reading, case.texts[0], weights.mean(0), None)
            return [Section("Where it looked", text, marked=[Marked("", lines)])]
        figures = [figure_of(reading, case.values[0], weights.mean(0))]
        if len(weights) > 1:
            text += f" It takes {len(weights)} looks at once; the shading is their mean."
            figures.append(attention_map(weights, [first for first, _ in places], range(1, len(weights) + 1), "look"))
        return [Section("Where it looked", text, figures)]

    device = next(fitted.network.parameters()).device
    if layout.hierarchy:  # its recurrent layer reads sentences
        unit = f"It reads case {case.names[0]}, the first one of the training data, sentence by sentence."
        return Glimpse(batch.to(device), range(1, int(batch.inputs[..., -1].max()) + 2), unit, reading.span, attention)
    seconds = reading.seconds
    starts = [first if seconds is None else round(first * seconds, 3) for first, _ in places]
    return Glimpse(batch.to(device), starts, unit, reading.span, attention)
