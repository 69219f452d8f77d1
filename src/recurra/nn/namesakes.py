"""Layers that stand in for their namesakes in ``torch.nn``: same arguments, same results, same weights."""

import operator
import warnings
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from ..cells import GatedCell, GRUCell, LSTMCell, LSTMGRUCell, ReluRNNCell, RNNCell, State
from ..errors import ConfigError, pick
from .inside import Inside, places, turns
from .layers import Recurrence, States


class Misfit(ConfigError, TypeError, RuntimeError):
    """What does not fit a layer; ``torch.nn`` raises one or another of these for it, and programs catch those."""


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


# What decides the shape of the weights, or what is computed with them.
FIXED = {"input_size", "hidden_size", "num_layers", "bias", "bidirectional", "proj_size", "mode", "nonlinearity"}


class Namesake(nn.RNNBase):
    """The face that all namesakes share; the cell makes the difference.

    The parameters are the layer's own, under the names that they have in ``torch.nn``. A call looks up what these
    names stand for at the moment and lends it to cells, so what is done to a weight of ``torch.nn`` can be done here.
    """

    cell_type: type[GatedCell]
    kind: ClassVar[str]  # what torch.nn calls the mode
    twin: ClassVar[Any] = None  # the layer of torch.nn that computes the same
    _engine: str = "auto"
    _truncate: int = 0
    __jit_unused_properties__ = ["all_weights", "recurrent", "_flat_weights"]

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
        if proj_size:
            raise Misfit("proj_size is not supported: set it to 0 and put a torch.nn.Linear behind the layer.")
        input_size, hidden_size = _size("input_size", input_size), _size("hidden_size", hidden_size)
        num_layers = _size("num_layers", num_layers)
        _require_flags(bias=bias, batch_first=batch_first, bidirectional=bidirectional)
        _require_share(dropout)
        self._places = places(input_size, hidden_size, num_layers, bias, bidirectional)
        # torch.nn wants to know how many gates there are; its LSTM has as many as the one cell that it does not know.
        super().__init__(
            self._mode() if self.twin else "LSTM",
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            device=device,
            dtype=dtype,
        )
        self.__dict__["mode"] = self._mode()

    @property
    def recurrent(self) -> Inside:
        """The stack of cells, which also runs with a mask, records gates and streams; its ``engine`` can be set."""
        return Inside(self)

    @property
    def _flat_weights(self) -> list[Any]:
        """All weights in the order of ``torch.nn``, which keeps a list of them that can be out of date."""
        return [getattr(self, name, None) for name in self._flat_weights_names]

    @_flat_weights.setter
    def _flat_weights(self, value: list[Any]) -> None:
        """Keep nothing: what ``torch.nn`` sets here are the weights that the layer has already."""

    def reset_parameters(self) -> None:
        """Draw the weights anew, as recurra's cells do and not as ``torch.nn`` does.

        Blocks for inputs are Xavier-uniform, recurrent blocks orthogonal, biases zero but for the gates that keep
        memory. (``torch.nn`` draws all from ``U(−k, k)`` with ``k = hidden_size ** −0.5``.) Raises ConfigError if a
        weight is pruned, normed or parametrised.
        """
        self._require_parameters("reset_parameters")
        for turn in turns(self):
            turn.cell.reset_parameters()

    def flatten_parameters(self) -> None:
        """Lay the weights out as cuDNN likes them, where torch's kernel of one layer runs on a GPU; else do nothing."""
        if self.twin is not None and self.num_layers == 1 and not self.bidirectional:
            super().flatten_parameters()

    def _mode(self) -> str:
        return self.kind

    def __setattr__(self, name: str, value: Any) -> None:
        if name in FIXED and self.__dict__.get(name, value) != value:
            raise ConfigError(f"{name} decides the shape of the weights and cannot be changed: make a new layer.")
        if name == "dropout":
            _require_share(value)
        known = self.__dict__.get("_parameters", {}).get(name)
        if known is not None and isinstance(value, Tensor) and value.shape != known.shape:
            raise Misfit(f"{name} must have shape {tuple(known.shape)}, but this one has {tuple(value.shape)}.")
        nn.Module.__setattr__(self, name, value)  # not torch's RNNBase, which keeps its list up to date here

    def __prepare_scriptable__(self) -> nn.Module:
        """Return the layer of ``torch.nn`` with these very parameters, which is what ``torch.jit.script`` can read.

        Raises ConfigError if there is none, or if a weight is no parameter of its own.
        """
        if self.twin is None:
            raise ConfigError(
                f"torch.jit.script cannot read {self._get_name()}: use torch.jit.trace, torch.export or torch.compile."
            )
        self._require_parameters("torch.jit.script")
        options = {name: getattr(self, name) for name in ("bias", "batch_first", "dropout", "bidirectional")}
        options |= {"nonlinearity": self.nonlinearity} if isinstance(self, RNN) else {}
        with warnings.catch_warnings(action="ignore"):  # which the layer has given already
            twin = self.twin(self.input_size, self.hidden_size, self.num_layers, **options, device="meta")
        for name in (name for place in self._places for name in place.names.values()):
            setattr(twin, name, self._parameters[name])
        scripted: nn.Module = twin.train(self.training)
        return scripted

    def _require_parameters(self, use: str) -> None:
        for name in (name for place in self._places for name in place.names.values()):
            if self._parameters.get(name) is None:
                raise ConfigError(
                    f"{name} is no parameter of its own at the moment: undo what prunes, norms or parametrises it "
                    f"before {use}."
                )

    def forward(self, input: Any, hx: Any = None) -> tuple[Any, Any]:
        """Take and return what the ``torch.nn`` namesake takes and returns, PackedSequence included."""
        if isinstance(input, PackedSequence):
            return self._packed(input, hx)
        if isinstance(input, torch.fx.Proxy):  # torch.fx looks into every layer but those of torch.nn
            tracer: Any = input.tracer
            return tracer.create_proxy("call_module", tracer.path_of_module(self), (input, hx), {})
        self._require(input)
        if input.dim() not in (2, 3):
            raise Misfit(f"The input must have 2 or 3 dimensions, but its shape is {tuple(input.shape)}.")
        single = input.dim() == 2
        time_dim = 0 if single else (1 if self.batch_first else 0)
        x = input.unsqueeze(0) if single else (input if time_dim else input.transpose(0, 1))
        states = None if hx is None else self._states(self._given(hx, x.shape[0], single), single)
        result = self.recurrent(x, states)
        outputs = result.outputs[0] if single else (result.outputs if time_dim else result.outputs.transpose(0, 1))
        return outputs, self._show(result, single)

    def _require(self, data: Any) -> None:
        if not isinstance(data, Tensor):
            raise Misfit(f"The input must be a tensor or a PackedSequence, and this is {type(data).__name__}.")
        if not torch.jit.is_tracing() and data.dim() and data.shape[-1] != self.input_size:
            raise Misfit(f"The input has {data.shape[-1]} features, but input_size is {self.input_size}.")
        own = next(iter(self._parameters.values()), None)
        if own is not None and own.dtype != data.dtype and not torch.is_autocast_enabled(data.device.type):
            try:
                self.check_input(data[None] if data.dim() == 2 else data, None)
            except ValueError as fault:  # in the words of torch
                raise Misfit(f"{fault}.") from None

    @torch.compiler.disable  # how many sequences go on at each step is data, which no graph can hold
    def _packed(self, packed: PackedSequence, hx: Any) -> tuple[PackedSequence, Any]:
        self._require(packed.data)
        sizes, device = packed.batch_sizes, packed.data.device
        batch_size, steps = int(sizes[0]), len(sizes)
        # Packed data runs over the steps, and within a step over the sequences that are still going, longest first.
        going = torch.arange(batch_size) < sizes.unsqueeze(1)  # (T, B)
        step, row = going.nonzero(as_tuple=True)
        places = (row * steps + step).to(device)
        x = packed.data.new_zeros(batch_size * steps, self.input_size).index_copy(0, places, packed.data)
        given = None if hx is None else _reorder(self._given(hx, batch_size, False), packed.sorted_indices)
        states = None if given is None else self._states(given, False)
        result = self.recurrent(x.view(batch_size, steps, -1), states, going.T.contiguous().to(device))
        data = _Take.apply(result.outputs.flatten(0, 1), places)
        return packed._replace(data=data), _reorder(self._show(result, False), packed.unsorted_indices)

    def _given(self, hx: Any, batch_size: int, single: bool) -> tuple[Tensor, ...]:
        state_type: Any = self.cell_type.state_type
        names = state_type._fields
        parts = (hx,) if isinstance(hx, Tensor) else tuple(hx) if isinstance(hx, (tuple, list)) else ()
        tensors = all(isinstance(part, Tensor) for part in parts)
        if len(parts) != len(names) or (len(names) == 1) != isinstance(hx, Tensor) or not tensors:
            wanted = "one tensor h" if len(names) == 1 else f"a tuple ({', '.join(names)})"
            raise Misfit(f"The state of {self._get_name()} must be {wanted}.")
        count = self.num_layers * (2 if self.bidirectional else 1)
        expected = (count, self.hidden_size) if single else (count, batch_size, self.hidden_size)
        for part in () if torch.jit.is_tracing() else parts:  # a trace warns of what depends on a size
            if tuple(part.shape) != expected:
                raise Misfit(f"A state must have shape {expected}, but it has {tuple(part.shape)}.")
        return parts

    def _states(self, parts: tuple[Tensor, ...], single: bool) -> States:
        parts = tuple(part.unsqueeze(1) for part in parts) if single else parts
        rows = zip(*(part.unbind() for part in parts), strict=True)
        flat = [self.cell_type.state_type(*row) for row in rows]
        directions = 2 if self.bidirectional else 1
        return tuple(tuple(flat[n : n + directions]) for n in range(0, len(flat), directions))

    def _show(self, result: Recurrence, single: bool) -> Any:
        flat: list[State] = [state for layer in result.states for state in layer]
        fields = [torch.stack(parts) for parts in zip(*flat, strict=True)]
        fields = [field[:, 0] if single else field for field in fields]
        return fields[0] if len(fields) == 1 else tuple(fields)


def _size(name: str, value: Any) -> int:
    try:
        size = operator.index(value)
    except TypeError:
        raise Misfit(f"{name} should be of type int, got: {type(value).__name__}, {value!r}.") from None
    if size < 1:
        raise Misfit(f"{name} must be greater than zero, and it is {size}.")
    return size


def _require_flags(**flags: Any) -> None:
    for name, value in flags.items():
        if not isinstance(value, bool):
            raise Misfit(f"{name} should be of type bool, got: {type(value).__name__}, {value!r}.")


def _require_share(value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise Misfit(f"dropout should be a number in the range [0, 1], and it is {value!r}.")


class RNN(Namesake):
    """The plain recurrent network over time: its output is its whole memory.

    From h = 0, or a given h, each of the T steps computes

        h' = tanh(W x + b + U h + d)

    or, with ``nonlinearity="relu"``, ``h' = max(0, W x + b + U h + d)``. (Elman 1990, Finding structure in time,
    Cognitive Science 14; the rectifier, whose U starts at the identity: Le et al. 2015, arXiv 1504.00941.)

    ``weight_ih_l0`` (H, I) holds the W, ``weight_hh_l0`` (H, H) the U, ``bias_ih_l0`` and ``bias_hh_l0`` (H) the b
    and d. Those of higher layers end in ``_l1`` and so on, those of the way back in ``_reverse``.

    Arguments: ``input_size`` I and ``hidden_size`` H; ``num_layers``, each reading the h of the one below;
    ``nonlinearity``, ``"tanh"`` or ``"relu"``; ``bias=False`` leaves b and d out; ``batch_first=True`` takes and
    returns (B, T, ·); ``dropout``, the share of what one layer hands to the next that is zeroed in training;
    ``bidirectional=True`` reads from the end as well, with weights of its own, and puts both outputs side by side (D
    = 2, else 1); ``proj_size`` must be 0; ``device`` and ``dtype`` of the weights.

    ``layer(x, h)`` returns the outputs of the last layer at every step and the last h. x is (T, B, I), (B, T, I) with
    ``batch_first``, (T, I) for a single sequence, or a PackedSequence; the outputs are as x is, D·H wide; h is
    (num_layers·D, B, H), or (num_layers·D, H) for a single sequence. Without h it is zero.

    The names of the parameters are those of ``torch.nn.RNN``, what can be done to them too; they start elsewhere: see
    ``reset_parameters``. Raises ConfigError for a wrong argument, shape or type.
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
        pick({"tanh": RNNCell, "relu": ReluRNNCell}, nonlinearity, "nonlinearity")
        self.nonlinearity = nonlinearity
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

    twin = nn.RNN

    def _mode(self) -> str:
        return f"RNN_{self.nonlinearity.upper()}"

    @property
    def cell_type(self) -> type[GatedCell]:  # type: ignore[override]
        """The cell: with a hyperbolic tangent or a rectifier."""
        return RNNCell if self.nonlinearity == "tanh" else ReluRNNCell


class LSTM(Namesake):
    """Long short-term memory over time: what to write, to forget and to show are separate decisions.

    From h = c = 0, or given ones, each of the T steps computes

        i = σ(W_i x + b_i + U_i h + d_i)        how much is written
        f = σ(W_f x + b_f + U_f h + d_f)        how much of the memory stays
        g = tanh(W_g x + b_g + U_g h + d_g)     what is written
        o = σ(W_o x + b_o + U_o h + d_o)        how much is shown
        c' = f ⊙ c + i ⊙ g
        h' = o ⊙ tanh(c')

    (Hochreiter & Schmidhuber 1997, Neural Computation 9; the forget gate f: Gers, Schmidhuber & Cummins 2000, Neural
    Computation 12.)

    ``weight_ih_l0`` (4H, I) holds the W one below the other, in the order i, f, g, o, ``weight_hh_l0`` (4H, H) the U,
    ``bias_ih_l0`` and ``bias_hh_l0`` (4H) the b and d. Those of higher layers end in ``_l1`` and so on, those of the
    way back in ``_reverse``.

    Arguments: ``input_size`` I and ``hidden_size`` H; ``num_layers``, each reading the h of the one below;
    ``bias=False`` leaves b and d out; ``batch_first=True`` takes and returns (B, T, ·); ``dropout``, the share of
    what one layer hands to the next that is zeroed in training; ``bidirectional=True`` reads from the end as well,
    with weights of its own, and puts both outputs side by side (D = 2, else 1); ``proj_size`` must be 0; ``device``
    and ``dtype`` of the weights.

    ``layer(x, (h, c))`` returns the outputs of the last layer at every step and the last (h, c). x is (T, B, I), (B,
    T, I) with ``batch_first``, (T, I) for a single sequence, or a PackedSequence; the outputs are as x is, D·H wide;
    h and c are (num_layers·D, B, H), or (num_layers·D, H) for a single sequence. Without them they are zero.

    The names of the parameters are those of ``torch.nn.LSTM``, what can be done to them too; they start elsewhere:
    see ``reset_parameters``. Raises ConfigError for a wrong argument, shape or type.
    """

    cell_type = LSTMCell
    kind = "LSTM"
    twin = nn.LSTM
    get_expected_cell_size = nn.LSTM.get_expected_cell_size
    check_forward_args = nn.LSTM.check_forward_args  # type: ignore[assignment]
    permute_hidden = nn.LSTM.permute_hidden  # type: ignore[assignment]


class GRU(Namesake):
    """The gated recurrent unit over time: one gate decides how much of the output stays.

    From h = 0, or a given h, each of the T steps computes

        r = σ(W_r x + b_r + U_r h + d_r)            how much of the old output the candidate sees
        z = σ(W_z x + b_z + U_z h + d_z)            how much of it stays
        n = tanh(W_n x + b_n + r ⊙ (U_n h + d_n))   the candidate
        h' = (1 − z) ⊙ n + z ⊙ h

    (Cho et al. 2014, arXiv 1406.1078, with the reset after the product, as in ``torch.nn``.)

    ``weight_ih_l0`` (3H, I) holds the W one below the other, in the order r, z, n, ``weight_hh_l0`` (3H, H) the U,
    ``bias_ih_l0`` and ``bias_hh_l0`` (3H) the b and d. Those of higher layers end in ``_l1`` and so on, those of the
    way back in ``_reverse``.

    Arguments: ``input_size`` I and ``hidden_size`` H; ``num_layers``, each reading the h of the one below;
    ``bias=False`` leaves b and d out; ``batch_first=True`` takes and returns (B, T, ·); ``dropout``, the share of
    what one layer hands to the next that is zeroed in training; ``bidirectional=True`` reads from the end as well,
    with weights of its own, and puts both outputs side by side (D = 2, else 1); ``proj_size`` must be 0; ``device``
    and ``dtype`` of the weights.

    ``layer(x, h)`` returns the outputs of the last layer at every step and the last h. x is (T, B, I), (B, T, I) with
    ``batch_first``, (T, I) for a single sequence, or a PackedSequence; the outputs are as x is, D·H wide; h is
    (num_layers·D, B, H), or (num_layers·D, H) for a single sequence. Without h it is zero.

    The names of the parameters are those of ``torch.nn.GRU``, what can be done to them too; they start elsewhere: see
    ``reset_parameters``. Raises ConfigError for a wrong argument, shape or type.
    """

    cell_type = GRUCell
    kind = "GRU"
    twin = nn.GRU


class LSTMGRU(Namesake):
    """The LSTM and the GRU fused into one cell, over time, with as many parameters as an LSTM.

    From the GRU it has the reset gate and the one update gate, from the LSTM the memory behind an output gate. From h
    = c = 0, or given ones, each of the T steps computes

        r = σ(W_r x + b_r + U_r h + d_r)            how much of the old output the candidate sees
        u = σ(W_u x + b_u + U_u h + d_u)            how much of the memory is replaced
        g = tanh(W_g x + b_g + r ⊙ (U_g h + d_g))   the candidate
        o = σ(W_o x + b_o + U_o h + d_o)            how much is shown
        c' = (1 − u) ⊙ c + u ⊙ g
        h' = o ⊙ tanh(c')

    There is no paper with maintained code for a fused cell: its definition is ``recurra.cells.LSTMGRUCell``.

    ``weight_ih_l0`` (4H, I) holds the W one below the other, in the order r, u, g, o, ``weight_hh_l0`` (4H, H) the U,
    ``bias_ih_l0`` and ``bias_hh_l0`` (4H) the b and d. Those of higher layers end in ``_l1`` and so on, those of the
    way back in ``_reverse``.

    Arguments: ``input_size`` I and ``hidden_size`` H; ``num_layers``, each reading the h of the one below;
    ``bias=False`` leaves b and d out; ``batch_first=True`` takes and returns (B, T, ·); ``dropout``, the share of
    what one layer hands to the next that is zeroed in training; ``bidirectional=True`` reads from the end as well,
    with weights of its own, and puts both outputs side by side (D = 2, else 1); ``proj_size`` must be 0; ``device``
    and ``dtype`` of the weights.

    ``layer(x, (h, c))`` returns the outputs of the last layer at every step and the last (h, c). x is (T, B, I), (B,
    T, I) with ``batch_first``, (T, I) for a single sequence, or a PackedSequence; the outputs are as x is, D·H wide;
    h and c are (num_layers·D, B, H), or (num_layers·D, H) for a single sequence. Without them they are zero.

    The names of the parameters are those of ``torch.nn.LSTM``, what can be done to them too; see ``reset_parameters``
    for how they start. Raises ConfigError for a wrong argument, shape or type.
    """

    cell_type = LSTMGRUCell
    kind = "LSTM_GRU"
    get_expected_cell_size = nn.LSTM.get_expected_cell_size
    check_forward_args = nn.LSTM.check_forward_args  # type: ignore[assignment]
    permute_hidden = nn.LSTM.permute_hidden  # type: ignore[assignment]
