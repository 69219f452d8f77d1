"""What a recurrent stack remembers: gradients through time, gates, and the length of memory.

Shapes: B batch, T steps, I inputs, H hidden units, N heads, Q outputs.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import ConfigError
from .layers import Recurrence, Recurrent

if TYPE_CHECKING:
    import pandas as pd

DIRECTIONS = ("forwards", "backwards")


def gradient_through_time(recurrent: Recurrent, x: Tensor) -> np.ndarray:
    """Return how strongly the last output depends on each step of ``x`` (B, T, I): (T,), mean over the batch.

    ``‖ ∂‖y_T‖ / ∂x_t ‖``, without dropout and with the stack's own truncation. Of the first layer, the
    backwards half of ``y_T`` has read the last step only. Parameters keep their gradients as they are.
    """
    with torch.inference_mode(False), torch.enable_grad(), evaluating(recurrent):
        x = x.detach().clone().requires_grad_()
        # cuDNN has no backward outside training.
        with torch.backends.cudnn.flags(enabled=False):
            last = recurrent(x).outputs[:, -1]
        (gradient,) = torch.autograd.grad(torch.linalg.vector_norm(last, dim=-1).sum(), x)
    return _array(torch.linalg.vector_norm(gradient, dim=-1).mean(0))


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Let ``module`` answer as after its training, and leave all parts of it as they were."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().to("cpu", torch.float64).numpy()


def gate_traces(recurrence: Recurrence, sequence: int = 0) -> dict[str, np.ndarray]:
    """Return every gate (T, H) of one ``sequence``, under names like ``layer 1 · forget``.

    With two directions the name says which: ``layer 1 · backwards · forget``.
    Raises ConfigError if the gates were not recorded.
    """
    if recurrence.gates is None:
        raise ConfigError("The gates were not recorded. Run the model with record=True.")
    traces: dict[str, np.ndarray] = {}
    for number, layer in enumerate(recurrence.gates, 1):
        for direction, gates in zip(DIRECTIONS, layer, strict=False):
            place = f"layer {number} · {direction} · " if len(layer) > 1 else f"layer {number} · "
            traces |= {place + name: _array(gate[sequence]) for name, gate in gates.items()}
    return traces


def kept_shares(traces: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the share of its memory (T, H) that each cell in ``traces`` keeps from step to step.

    The names are those of ``gate_traces`` without the gate; a cell without a gate on its memory is left out.
    """
    cells: dict[str, dict[str, np.ndarray]] = {}
    for name, gate in traces.items():
        place, _, gate_name = name.rpartition(" · ")
        cell, _, short = gate_name.rpartition(" ")  # 'lstm forget' is the forget gate of a cell's lstm part
        cells.setdefault(" · ".join(part for part in (place, cell) if part), {})[short] = gate
    shares = {place: _kept(gates) for place, gates in cells.items()}
    return {place: share for place, share in shares.items() if share is not None}


def _kept(gates: Mapping[str, np.ndarray]) -> np.ndarray | None:
    """Return what keeps: the forget gate, what is not overwritten, or a GRU's update gate (which keeps)."""
    if "forget" in gates:
        return gates["forget"]
    if "update" in gates:
        return 1 - gates["update"] if "output" in gates else gates["update"]
    return 1 - gates["input"] if "input" in gates else None


def half_life(kept: np.ndarray) -> np.ndarray:
    """Return after how many steps each unit (H,) has lost half of its memory, from the ``kept`` share (T, H).

    ``ln ½ / mean_t ln k_t``: infinite where all is kept, zero where some step keeps nothing.
    """
    with np.errstate(divide="ignore"):
        rates = np.log(np.asarray(kept, dtype=float)).mean(0)
        return np.log(0.5) / np.minimum(rates, -0.0)


def memory_length(traces: Mapping[str, np.ndarray]) -> "pd.DataFrame":
    """Return the half-life of memory in steps: a row per cell, with the median and the middle 80 % of its units.

    ``traces`` come from ``gate_traces``; cells without a gate on their memory have no row.
    """
    import pandas as pd

    lives = {place: half_life(kept) for place, kept in kept_shares(traces).items()}
    shares = {"median unit": 0.5, "shortest 10 %": 0.1, "longest 10 %": 0.9}
    # The nearest unit, not a mean of two: between a finite and an infinite life there is no mean.
    rows = {p: [np.quantile(life, q, method="nearest") for q in shares.values()] for p, life in lives.items()}
    table = pd.DataFrame.from_dict(rows, orient="index", columns=list(shares), dtype=float)
    return table.rename_axis("half-life in steps")
