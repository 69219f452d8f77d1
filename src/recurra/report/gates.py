"""What the gates of a cell do and what is seen of them, in words.

Shapes: T steps, H units.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

# What a gate of this name does, in the cells of the package; a gate of another name is shown without words.
ROLES = {
    "forget": "keeps the old memory while it is open",
    "input": "lets the new into the memory while it is open",
    "output": "lets the memory be seen outside while it is open",
    "update": "decides between the old memory and the new",
    "reset": "lets the past into what is new while it is open",
    "skip": "lets the last output pass while it is open",
    "candidate": "what is offered to the memory",
    "mix": "the share of the LSTM beside the GRU",
}
OPEN, SHUT = 0.8, 0.2  # medians above and below which a gate is called open, or shut
STILL, LIVELY = 0.05, 0.25  # how far a unit moves between its low and its high tenth of the steps


def gate_table(traces: Mapping[str, np.ndarray]) -> "pd.DataFrame":
    """Return a row per gate (T, H) of ``gate_traces``: what it does, and what is seen of it."""
    import pandas as pd

    rows = [[role_of(name), seen_in(gate)] for name, gate in traces.items()]
    return pd.DataFrame(rows, columns=["what it does", "what is seen"], index=pd.Index(traces, name="gate"))


def role_of(name: str) -> str:
    """Return what the gate of a trace does; empty for a gate that only the user's own cell has."""
    return ROLES.get(name.rpartition(" · ")[2].split(" ")[-1], "")


def seen_in(gate: np.ndarray) -> str:
    """Return in words where a gate (T, H) stands, and how much it moves."""
    low, high = np.quantile(gate, [0.1, 0.9], axis=0)
    motion = float(np.median(high - low))
    moves = "hardly moves" if motion < STILL else ("moves a little" if motion < LIVELY else "moves with the input")
    if gate.min() < 0 or gate.max() > 1:
        return moves
    middle = float(np.median(gate))
    stands = "mostly open" if middle > OPEN else ("mostly shut" if middle < SHUT else "half open")
    return f"{stands} (median {middle:.2f}), {moves}"


def remembered(lives: "pd.DataFrame", span: Callable[[float], str]) -> Sequence[str]:
    """Say how long each cell remembers, from its half-lives in steps; ``span`` writes steps as a stretch of time."""
    places = [""] if len(lives) == 1 else [f" of {cell}" for cell in lives.index]
    return [_remembered(of, life, span) for of, life in zip(places, lives.to_numpy().tolist(), strict=True)]


def _remembered(of: str, life: Sequence[float], span: Callable[[float], str]) -> str:
    middle, short, long = life
    if not np.isfinite(middle):
        return f"The median unit{of} keeps all of its memory."
    end = f"longer than {span(long)}" if np.isfinite(long) else "for good"
    return (
        f"The median unit{of} has lost half of its memory after {span(middle)}; a tenth of the units lose it within "
        f"{span(short)}, a tenth keep it {end}."
    )
