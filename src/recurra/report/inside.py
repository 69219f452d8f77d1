"""What a report shows of any network: where it looked, its gates, its gradients, its training."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..data.batch import Batch
from ..nn.explain import gate_traces, gradient_through_time, memory_length
from ..nn.layers import Recurrent
from ..nn.models import Output
from ..writing.numbers import in_steps
from .figures import attention_map, gates_over_time, gradient_norms, gradient_reach, learning_curves
from .gates import gate_table, remembered
from .page import Section


def inside_sections(
    network: nn.Module,
    batch: Batch,
    steps: Sequence[Any],
    unit: str = "",
    span: Callable[[float], str] = in_steps,
    attention: Callable[[np.ndarray], list[Section]] | None = None,
) -> list[Section]:
    """Return what goes on in ``network`` as it reads a ``batch`` of one example, whose ``steps`` have these labels.

    ``attention`` makes sections of the weights (Q, T), if there are any; ``unit`` says what one step is, and ``span``
    writes so many of them as a stretch of the data.
    """
    with torch.no_grad():
        output: Output = network(batch.to(next(network.parameters()).device), record=True)
    sections = []
    if output.weights is not None and attention is not None:
        sections += attention(mean_over_heads(output.weights[0]))
    if output.self_weights is not None:
        text = "Every step looks at all steps and adds what it saw, before one answer is made of them (self-attention)."
        weights = mean_over_heads(output.self_weights[0])
        sections.append(
            Section("How the steps looked at each other", text, attention_map(weights, steps, steps, "step"))
        )
    if output.recurrence is None or output.recurrence.inputs is None:  # its cells look as they read, step by step
        return sections
    # What reads the input by itself; words may be read letter by letter before it.
    own = [getattr(network, "recurrent", None), *network.modules()]
    stack = next(module for module in own if isinstance(module, Recurrent))
    traces = gate_traces(output.recurrence)
    unit = f" {unit}" if unit else ""
    gates = Section(
        "Gates over time",
        f"What the recurrent cell does as it reads.{unit}",
        gates_over_time(traces, steps),
        table=gate_table(traces),
        points=remembered(memory_length(traces), span),
    )
    if not any(parameter.requires_grad for parameter in stack.parameters()):  # nothing is trained by a gradient
        return [*sections, gates]
    norms = gradient_through_time(stack, output.recurrence.inputs)
    text = f"Whether training can reach far back.{unit}"
    return [*sections, gates, Section("Gradient through time", text, gradient_reach(norms, steps, span))]


def mean_over_heads(weights: Tensor) -> np.ndarray:
    """Return attention weights (Q, T), from those, or from (N, Q, T) of several heads."""
    array = weights.detach().cpu().double().numpy()
    return array.mean(0) if array.ndim == 3 else array


def learning_section(history: Sequence[Mapping[str, Any]]) -> list[Section]:
    """Return how the training went; nothing if there was none."""
    if not history:
        return []
    if not history[0]["gradient_norms"]:
        text = (
            "Nothing was learned by gradient: each epoch is another reservoir, read out in closed form, and the one "
            "that did best on validation is kept."
        )
        return [Section("Learning", text, [learning_curves(history)])]
    text = "Training stops when the validation no longer improves for a while; the best weights are kept."
    if history[-1]["valid_loss"] is None and any(record["valid_loss"] is not None for record in history):
        text = (
            "Training stops when the validation no longer improves for a while; then it goes on from the best weights, "
            "on the validation part, too."
        )
    return [Section("Learning", text, [learning_curves(history), gradient_norms(history)])]
