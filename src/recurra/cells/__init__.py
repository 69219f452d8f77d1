"""The recurrences. To add one, write its equation in a file of its own and name it here."""

from .base import Cell, GatedCell, Gates, Hidden, HiddenAndMemory, State, map_state, state_tensors
from .coupled import CoupledCell
from .gru import GRUCell
from .lstm import LSTMCell
from .lstm_gru import FullLSTMGRUCell, LSTMGRUCell
from .parallel import ParallelCell, ParallelState
from .rnn import ReluRNNCell, RNNCell

CELLS: dict[str, type[Cell]] = {
    "rnn": RNNCell,
    "rnn_relu": ReluRNNCell,
    "lstm": LSTMCell,
    "gru": GRUCell,
    "coupled": CoupledCell,
    "lstm_gru": LSTMGRUCell,
    "lstm_gru_full": FullLSTMGRUCell,
    "parallel": ParallelCell,
}

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
    "ParallelCell",
    "ParallelState",
    "RNNCell",
    "ReluRNNCell",
    "State",
    "map_state",
    "state_tensors",
]
