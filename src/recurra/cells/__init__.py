"""The recurrences. To add one, write its equation in a file of its own and name it here."""

from typing import TYPE_CHECKING

from ..registry import Entry, Registry, lazy

CELLS = Registry(
    "cell",
    __name__,
    {
        "rnn": Entry("rnn:RNNCell", "the plain cell: its output is its whole memory"),
        "rnn_relu": Entry("rnn:ReluRNNCell", "the plain cell with a rectifier, started at the identity"),
        "lstm": Entry("lstm:LSTMCell", "writing, forgetting and showing are three separate gates"),
        "gru": Entry("gru:GRUCell", "one gate decides how much of the output stays; no separate memory"),
        "coupled": Entry("coupled:CoupledCell", "an LSTM that forgets exactly as much as it writes"),
        "peephole": Entry(
            "peephole:PeepholeCell", "an LSTM whose gates look at the memory, also where it is not shown"
        ),
        "ln_lstm": Entry("ln_lstm:LayerNormLSTMCell", "an LSTM with layer normalisation inside, at every step"),
        "ln_gru": Entry("ln_gru:LayerNormGRUCell", "a GRU with layer normalisation inside, at every step"),
        "minlstm": Entry(
            "minlstm:MinLSTMCell", "an LSTM whose gates read the input alone: nothing to multiply from step to step"
        ),
        "mingru": Entry("mingru:MinGRUCell", "a GRU whose gate reads the input alone; the smallest of all"),
        "lstm_gru": Entry(
            "lstm_gru:LSTMGRUCell",
            "fused: the GRU's reset and update gates, the LSTM's memory behind an output gate; as many parameters as "
            "an LSTM",
            hybrid=True,
        ),
        "lstm_gru_full": Entry(
            "lstm_gru:FullLSTMGRUCell", "fused: all gates of both parents, half as many parameters again", hybrid=True
        ),
        "parallel": Entry(
            "parallel:ParallelCell",
            "an LSTM and a GRU side by side, mixed unit by unit with learned shares",
            hybrid=True,
        ),
        "reservoir": Entry(
            "reservoir:ReservoirCell", "an echo state network: random weights that stay, read out in closed form"
        ),
    },
)

if TYPE_CHECKING:
    from .base import Cell, GatedCell, Gates, Hidden, HiddenAndMemory, State, map_state, state_tensors
    from .coupled import CoupledCell
    from .gru import GRUCell
    from .linear import Linear, LinearCell
    from .ln_gru import LayerNormGRUCell
    from .ln_lstm import LayerNormLSTMCell
    from .lstm import LSTMCell
    from .lstm_gru import FullLSTMGRUCell, LSTMGRUCell
    from .mingru import MinGRUCell
    from .minlstm import MinLSTMCell
    from .parallel import ParallelCell, ParallelState
    from .peephole import PeepholeCell
    from .reservoir import ReservoirCell
    from .rnn import ReluRNNCell, RNNCell

BASE = ("Cell", "GatedCell", "Gates", "Hidden", "HiddenAndMemory", "State", "map_state", "state_tensors")

OTHERS = {"ParallelState": "parallel", "Linear": "linear", "LinearCell": "linear"}

# Imported on first use: the names of the cells are known before torch is.
__getattr__ = lazy(__name__, CELLS.homes() | dict.fromkeys(BASE, "base") | OTHERS)

__all__ = [
    "CELLS",
    "Cell",
    "CoupledCell",
    "FullLSTMGRUCell",
    "GRUCell",
    "GatedCell",
    "Gates",
    "Hidden",
    "HiddenAndMemory",
    "LSTMCell",
    "LSTMGRUCell",
    "LayerNormGRUCell",
    "LayerNormLSTMCell",
    "Linear",
    "LinearCell",
    "MinGRUCell",
    "MinLSTMCell",
    "ParallelCell",
    "ParallelState",
    "PeepholeCell",
    "RNNCell",
    "ReluRNNCell",
    "ReservoirCell",
    "State",
    "map_state",
    "state_tensors",
]
