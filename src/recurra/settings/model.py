"""The settings of the recurrent network and its attention."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from ..attention import ATTENTIONS
from ..cells import CELLS
from .base import Range, setting

CELL_NAMES, ATTENTION_NAMES = tuple(CELLS), ("none", *ATTENTIONS)
if TYPE_CHECKING:  # a checker does not read the tables
    CellName: TypeAlias = str
    AttentionName: TypeAlias = str
else:
    CellName, AttentionName = Literal[CELL_NAMES], Literal[ATTENTION_NAMES]


@dataclass(kw_only=True, eq=False, repr=False)
class ModelSettings:
    """The recurrent network and its attention."""

    cell: CellName | str | type | tuple[str | type, ...] = setting(
        "gru", "recurrent cell, or lstm/gru for a stack of an LSTM below a GRU", members=CELLS
    )
    size: Literal["s", "m", "l"] = setting(
        "m",
        "how large the network is and how long it may learn, beside what suits the data; what is given besides wins",
    )
    num_layers: int = setting(1, "layers of the cell", low=1, tune=Range(1, 3))
    hidden_size: int = setting(128, "units per layer", low=1, tune=Range(16, 256, log=True))
    bidirectional: bool = setting(False, "read the past in both directions")
    attention: AttentionName | type | None = setting(
        "additive", "how the model looks at what it has read", members=ATTENTIONS
    )
    attention_size: int | None = setting(None, "width of the attention's hidden layer; hidden_size if not given", low=1)
    heads: int = setting(4, "heads of multi-head attention", low=1, tune=Range(1, 8, log=True))
    window: int = setting(10, "half width of the local attentions", low=1, tune=Range(2, 50, log=True))
    normaliser: Literal["softmax", "sparsemax", "entmax"] = setting("softmax", "from scores to weights")
    attention_dropout: float = setting(
        0.0, "share of attention weights dropped in training", low=0, high=0.99, tune=Range(0, 0.5)
    )
    dropout: float = setting(
        0.3, "share of units dropped between layers and before the output", low=0, high=0.99, tune=Range(0, 0.6)
    )
    locked: bool = setting(True, "drop the same units at every step")
    weight_drop: float = setting(0.0, "share of recurrent weights dropped", low=0, high=0.99, tune=Range(0, 0.6))
    zoneout: float = setting(
        0.0, "share of state units that keep their old value", low=0, high=0.99, tune=Range(0, 0.4)
    )
    layer_norm: bool = setting(False, "normalise between layers")
    residual: bool = setting(False, "add each layer's input to its output")
    chrono: int = setting(
        0, "start with memory of about this many steps; 0 for the cell's own start", low=0, tune=Range(0, 1000)
    )
    spectral_radius: float | None = setting(
        None,
        "how strongly a reservoir feeds back, below 1 it forgets; found on validation if not given",
        low=0,
        high=10,
    )
    leak: float | None = setting(
        None, "share of a reservoir's state that each step renews; found on validation if not given", low=1e-4, high=1
    )
    input_scaling: float | None = setting(
        None, "how strongly inputs drive a reservoir; found on validation if not given", low=0, high=1000
    )
    connectivity: float = setting(0.1, "share of a reservoir's recurrent weights that are not zero", low=0, high=1)
    truncate: int = setting(0, "cut the gradient through time every so many steps; 0 for never", low=0)
    engine: Literal["auto", "native", "associative", "reference", "sparse", "torch"] = setting(
        "auto", "what runs the loop over time"
    )
