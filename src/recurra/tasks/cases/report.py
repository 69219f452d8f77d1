"""What reports of all kinds that read cases show: the first case from inside."""

import numpy as np
import torch

from ...data.cases import Cases
from ...report.figures import attention_map, looked_where
from ...report.page import Section
from ...writing.numbers import in_steps
from ..base import Fitted, Glimpse
from .figures import case_figure
from .reading import Reading


def first_case(fitted: Fitted, data: Cases) -> Glimpse:
    """Return the first case of the data."""
    reading: Reading = fitted.learned.reading
    case = data.some([0])
    batch = fitted.kind.encode(case, fitted.learned).take(torch.tensor([0]))
    layout = reading.layout
    places = layout.stretches(batch.inputs.shape[1])
    unit = f"It reads case {case.names[0]}, the first one of the training data"
    every = f", every {layout.hop} steps" if layout.hop > 1 else ""
    unit += f", {layout.segment} steps at a time{every}." if layout.segment > 1 else "."

    def attention(weights: np.ndarray) -> list[Section]:
        text = (
            f"Which stretch of case {case.names[0]}, the first one of the training data, the answer rests on. "
            f"{looked_where(weights, [f'step {first} to {last}' for first, last in places])}"
        )
        figures = [case_figure(case.values[0], case.channels, weights.mean(0), places)]
        if len(weights) > 1:
            text += f" It takes {len(weights)} looks at once; the shading is their mean."
            figures.append(attention_map(weights, [first for first, _ in places], range(1, len(weights) + 1), "look"))
        return [Section("Where it looked", text, figures)]

    def span(count: float) -> str:
        return in_steps(round(count * layout.hop))

    device = next(fitted.network.parameters()).device
    return Glimpse(batch.to(device), [first for first, _ in places], unit, span, attention)
