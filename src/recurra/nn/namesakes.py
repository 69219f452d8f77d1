"""Layers that stand in for their namesakes in ``torch.nn``: same arguments, same results, same weights."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from ..cells import GatedCell, GRUCell, LSTMCell, LSTMGRUCell, ReluRNNCell, RNNCell, State
from ..errors import ConfigError
from .layers import Recurrence, Recurrent, Regularisers, States


class _Take(torch.autograd.Function):
    """``x[places]`` of rows that are all different: so its gradient is a copy, where torch would add row by row."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, places: Tensor) -> Tensor:
        return x.index_select(0, places)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        x, places = inputs
        ctx.save_for_backward(places)
        ctx.save_for_forward(places)
        ctx.rows = len(x)

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, _: Any) -> Tensor:
        (places,) = ctx.saved_tensors
        return tangent.index_select(0, places)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (places,) = ctx.saved_tensors
        return grad.new_zeros(ctx.rows, *grad.shape[1:]).index_copy(0, places, grad), None


def _reorder(state: Any, order: Tensor | None) -> Any:
    """Put the sequences of a state (layers · directions, B, H), or of a tuple of them, into another order."""
    if state is None or order is None:
        return state
    return state[:, order] if isinstance(state, Tensor) else tuple(part[:, order] for part in state)


class Namesake(nn.Module):
    """The face that all namesakes share; the cell makes the difference."""

    cell_type: type[GatedCell]

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: torch.dtype | None = None,
    ):
        super().__init__()
        if proj_size:
            raise ConfigError("proj_size is not supported: set it to 0 and put a torch.nn.Linear behind the layer.")
        for name, size in (
            ("input_size", input_size),
            ("hidden_size", hidden_size),
            ("num_layers", num_layers),
        ):
            if size < 1:
                raise ConfigError(f"{name} is {size}, but it must be at least 1.")
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.batch_first, self.bidirectional = batch_first, bidirectional
        self.directions = 2 if bidirectional else 1
        self.recurrent = Recurrent(
            [
                [self.cell_type(self._width(layer), hidden_size, bias) for _ in range(self.directions)]
                for layer in range(num_layers)
            ],
            Regularisers(dropout=dropout, locked=False),
        )
        self.to(device=device, dtype=dtype)
        self.register_state_dict_post_hook(_to_torch_names)
        self.register_load_state_dict_pre_hook(_from_torch_names)

    def _width(self, layer: int) -> int:
        return self.input_size if layer == 0 else self.hidden_size * self.directions

    def forward(self, input: Any, hx: Any = None) -> tuple[Any, Any]:
        """Take and return what the ``torch.nn`` namesake takes and returns, PackedSequence included."""
        if isinstance(input, PackedSequence):
            return self._packed(input, hx)
        if input.dim() not in (2, 3):
            raise ConfigError(f"The input must have 2 or 3 dimensions, but its shape is {tuple(input.shape)}.")
        self._require_width(input)
        single = input.dim() == 2
        time_dim = 0 if single else (1 if self.batch_first else 0)
        x = input.unsqueeze(0) if single else (input if time_dim else input.transpose(0, 1))
        result = self.recurrent(x, self._read(hx, x.shape[0], single))
        outputs = result.outputs[0] if single else (result.outputs if time_dim else result.outputs.transpose(0, 1))
        return outputs, self._show(result, single)

    def _require_width(self, data: Tensor) -> None:
        if data.shape[-1] != self.input_size:
            raise ConfigError(f"The input has {data.shape[-1]} features, but input_size is {self.input_size}.")

    @torch.compiler.disable  # how many sequences go on at each step is data, which no graph can hold
    def _packed(self, packed: PackedSequence, hx: Any) -> tuple[PackedSequence, Any]:
        self._require_width(packed.data)
        sizes, device = packed.batch_sizes, packed.data.device
        batch_size, steps = int(sizes[0]), len(sizes)
        # Packed data runs over the steps, and within a step over the sequences that are still going, longest first.
        going = torch.arange(batch_size) < sizes.unsqueeze(1)  # (T, B)
        step, row = going.nonzero(as_tuple=True)
        places = (row * steps + step).to(device)
        x = packed.data.new_zeros(batch_size * steps, self.input_size).index_copy(0, places, packed.data)
        start = self._read(_reorder(hx, packed.sorted_indices), batch_size, False)
        result = self.recurrent(x.view(batch_size, steps, -1), start, going.T.contiguous().to(device))
        data = _Take.apply(result.outputs.flatten(0, 1), places)
        return packed._replace(data=data), _reorder(self._show(result, False), packed.unsorted_indices)

    def _read(self, hx: Any, batch_size: int, single: bool) -> States | None:
        if hx is None:
            return None
        state_type: Any = self.cell_type.state_type
        names = state_type._fields
        parts = [hx] if isinstance(hx, Tensor) else list(hx)
        if len(parts) != len(names) or (len(names) == 1) != isinstance(hx, Tensor):
            wanted = "one tensor h" if len(names) == 1 else f"a tuple ({', '.join(names)})"
            raise ConfigError(f"The state of {type(self).__name__} must be {wanted}.")
        count = self.num_layers * self.directions
        expected = (count, self.hidden_size) if single else (count, batch_size, self.hidden_size)
        for part in parts:
            if tuple(part.shape) != expected:
                raise ConfigError(f"A state must have shape {expected}, but it has {tuple(part.shape)}.")
        parts = [part.unsqueeze(1) if single else part for part in parts]
        flat = [state_type(*row) for row in zip(*parts, strict=True)]
        return tuple(tuple(flat[n : n + self.directions]) for n in range(0, len(flat), self.directions))

    def _show(self, result: Recurrence, single: bool) -> Any:
        flat: list[State] = [state for layer in result.states for state in layer]
        fields = [torch.stack(parts) for parts in zip(*flat, strict=True)]
        fields = [field[:, 0] if single else field for field in fields]
        return fields[0] if len(fields) == 1 else tuple(fields)

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}, num_layers={self.num_layers}"


def _pairs(layer: Namesake) -> Sequence[tuple[str, str]]:
    """Our name and torch's name of every parameter, in torch's order."""
    pairs = []
    for name, _ in layer.recurrent.named_parameters():
        _, number, direction, _, *rest = name.split(".")
        suffix = "_reverse" if direction == "1" else ""
        pairs.append((f"recurrent.{name}", f"{'.'.join(rest)}_l{number}{suffix}"))
    return pairs


def _to_torch_names(layer: Any, state: dict[str, Tensor], prefix: str, _metadata: Any) -> None:
    for ours, theirs in _pairs(layer):
        state[prefix + theirs] = state.pop(prefix + ours)


def _from_torch_names(layer: Any, state: dict[str, Tensor], prefix: str, *_: Any) -> None:
    for ours, theirs in _pairs(layer):
        if prefix + theirs in state:
            state[prefix + ours] = state.pop(prefix + theirs)


class RNN(Namesake):
    """``h' = tanh(W x + U h)`` over time; arguments and results of ``torch.nn.RNN`` (Elman 1990).

    Input (T, B, I), (B, T, I) with ``batch_first``, (T, I) unbatched, or a PackedSequence; returns the
    outputs and the last h (layers · directions, B, H). Raises ConfigError for a wrong shape.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: torch.dtype | None = None,
    ):
        if nonlinearity not in ("tanh", "relu"):
            raise ConfigError(f"nonlinearity must be 'tanh' or 'relu'. Got '{nonlinearity}' instead.")
        # Set before the parent reads it: which of the two cells this is depends on the argument.
        self.cell_type = RNNCell if nonlinearity == "tanh" else ReluRNNCell
        super().__init__(
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            proj_size,
            device,
            dtype,
        )


class LSTM(Namesake):
    """Long short-term memory over time; arguments and results of ``torch.nn.LSTM`` (see ``LSTMCell``).

    Input (T, B, I), (B, T, I) with ``batch_first``, (T, I) unbatched, or a PackedSequence; returns the
    outputs and ``(h, c)``, each (layers · directions, B, H). Raises ConfigError for a wrong shape.
    """

    cell_type = LSTMCell


class GRU(Namesake):
    """The gated recurrent unit over time; arguments and results of ``torch.nn.GRU`` (see ``GRUCell``).

    Input (T, B, I), (B, T, I) with ``batch_first``, (T, I) unbatched, or a PackedSequence; returns the
    outputs and the last h (layers · directions, B, H). Raises ConfigError for a wrong shape.
    """

    cell_type = GRUCell


class LSTMGRU(Namesake):
    """The fused LSTM-GRU cell over time, used as ``torch.nn.LSTM`` is used (see ``LSTMGRUCell``).

    Input (T, B, I), (B, T, I) with ``batch_first``, (T, I) unbatched, or a PackedSequence; returns the
    outputs and ``(h, c)``, each (layers · directions, B, H). Raises ConfigError for a wrong shape.
    """

    cell_type = LSTMGRUCell
