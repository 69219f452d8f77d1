"""Who is timed: one layer of a cell on each engine, the layer of torch.nn, and the matrix products alone.

Shapes: B batch, T steps, I inputs, H hidden units, G gate blocks.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

from ..cells import Cell, GatedCell
from ..errors import ConfigError
from ..nn.build import make_cell
from ..nn.namesakes import GRU, LSTM, LSTMGRU, RNN, Namesake
from ..nn.scan import ENGINES, Plan, scan
from ..nn.stepper import Stepper
from ..random import drawing
from .timing import Contender


class Size(NamedTuple):
    """How much one layer has to do."""

    batch: int
    steps: int
    inputs: int
    hidden: int

    def __str__(self) -> str:
        return "·".join(map(str, self))


class Case(NamedTuple):
    """One row of a table: a part of the bench, a cell and a size."""

    part: str
    cell: str
    size: Size

    def __str__(self) -> str:
        return f"{self.part} {self.cell} {self.size}"


@dataclass
class Field:
    """The contenders of one case, the one that the others are held against, and why some are missing."""

    yardstick: str
    contenders: list[Contender] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    auto: str = ""  # the engine that 'auto' ran


PRODUCTS = "products"
STEPPER = "Stepper"
STREAM = Size(1, 1, 16, 64)
NAMESAKES: dict[str, Callable[[int, int], Namesake]] = {
    "rnn": lambda inputs, hidden: RNN(inputs, hidden, batch_first=True),
    "rnn_relu": lambda inputs, hidden: RNN(inputs, hidden, nonlinearity="relu", batch_first=True),
    "lstm": lambda inputs, hidden: LSTM(inputs, hidden, batch_first=True),
    "gru": lambda inputs, hidden: GRU(inputs, hidden, batch_first=True),
    "lstm_gru": lambda inputs, hidden: LSTMGRU(inputs, hidden, batch_first=True),
}
# What torch.nn calls the same recurrence. Every other cell is held against its LSTM.
TWINS = {"rnn": "RNN", "rnn_relu": "RNN", "gru": "GRU"}


def field_of(case: Case, engines: Sequence[str]) -> Field:
    """Return who is timed in ``case``; the same case has the same numbers in it every time."""
    with drawing(torch.Generator().manual_seed(0)):
        if case.part == "step":
            return _streams(case)
        return _lengths(case, engines) if case.part == "lengths" else _layers(case, engines)


def _twin(case: Case, layer: nn.Module) -> nn.Module:
    """Return the layer of torch.nn, with the weights of ``layer`` if it has the same recurrence."""
    relu = {"nonlinearity": "relu"} if case.cell == "rnn_relu" else {}
    name = TWINS.get(case.cell, "LSTM")
    twin: nn.Module = getattr(nn, name)(case.size.inputs, case.size.hidden, batch_first=True, **relu)
    if case.cell in TWINS or case.cell == "lstm":
        weights = {key.removesuffix("_l0"): value for key, value in layer.state_dict().items()}
        twin.load_state_dict({f"{key}_l0": value for key, value in weights.items()})
    return twin


def _yardstick(case: Case) -> str:
    suffix = "Cell" if case.part == "step" else ""
    return f"nn.{TWINS.get(case.cell, 'LSTM')}{suffix}"


def _pass(forward: Callable[[], Tensor], leaves: Sequence[Tensor], gradient: Tensor | None) -> Callable[[], object]:
    """Return one call: forward and backward to fresh gradients of ``leaves``, or only forward without a gradient."""

    def step() -> None:
        for leaf in leaves:
            leaf.grad = None
        forward().backward(gradient)

    return torch.no_grad()(forward) if gradient is None else step


def _layers(case: Case, engines: Sequence[str]) -> Field:
    """Return a layer on each engine and the layer of torch.nn, all with the same x (B, T, I)."""
    size = case.size
    cell = make_cell(case.cell, size.inputs, size.hidden)
    training = case.part != "infer"
    # As in the middle of a network, where the layer below wants its gradient too.
    x = torch.randn(size.batch, size.steps, size.inputs, requires_grad=training)
    gradient = torch.randn(size.batch, size.steps, size.hidden) if training else None
    twin = _twin(case, cell)
    drawn = Field(_yardstick(case))
    drawn.contenders.append(Contender(drawn.yardstick, _pass(lambda: twin(x)[0], [x, *twin.parameters()], gradient)))
    leaves = [x, *cell.parameters()]
    for engine in allowed(drawn, engines, cell, Plan()):
        drawn.contenders.append(Contender(engine, _pass(_scanning(cell, x, engine), leaves, gradient)))
    if "auto" in engines:
        drawn.auto = scan(cell, x[:, :1].detach(), cell.initial(size.batch)).engine
    return drawn


def _scanning(cell: Cell, x: Tensor, engine: str) -> Callable[[], Tensor]:
    return lambda: scan(cell, x, cell.initial(x.shape[0]), Plan(), engine).outputs


def allowed(drawn: Field, engines: Sequence[str], cell: Cell, plan: Plan) -> list[str]:
    """Return the engines that can run ``cell``; why the others cannot is noted in ``drawn``."""
    able = []
    for engine in engines:
        reason = ""
        if engine != "auto":
            reason = ENGINES[engine].refuses(cell, plan) if engine in ENGINES else "this version has no such engine"
        if reason:
            drawn.skipped[engine] = reason
        else:
            able.append(engine)
    return able


def _lengths(case: Case, engines: Sequence[str]) -> Field:
    """Return the namesake of torch.nn's layer and that layer, fed with one PackedSequence."""
    size = case.size
    ours = NAMESAKES[case.cell](size.inputs, size.hidden)
    twin = _twin(case, ours)
    x = torch.randn(size.batch, size.steps, size.inputs)
    lengths = torch.randint(max(1, size.steps // 10), size.steps + 1, (size.batch,))
    lengths[0] = size.steps  # someone has all steps, so that the size is what it says
    packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    packed = packed._replace(data=packed.data.detach().requires_grad_())
    gradient = torch.randn(len(packed.data), size.hidden)
    drawn = Field(_yardstick(case))
    drawn.contenders.append(Contender(drawn.yardstick, _packed_pass(twin, packed, gradient)))
    mask = torch.ones(size.batch, size.steps, dtype=torch.bool)
    recurrent = ours.recurrent
    for engine in allowed(drawn, engines, recurrent.cells()[0], Plan(mask)):
        layer = NAMESAKES[case.cell](size.inputs, size.hidden)
        layer.load_state_dict(ours.state_dict())
        layer.recurrent.engine = engine
        drawn.contenders.append(Contender(engine, _packed_pass(layer, packed, gradient)))
    if "auto" in engines:
        drawn.auto = recurrent.engines(mask=True)[0]
    return drawn


def _packed_pass(layer: nn.Module, packed: PackedSequence, gradient: Tensor) -> Callable[[], object]:
    return _pass(lambda: layer(packed)[0].data, [packed.data, *layer.parameters()], gradient)


def _streams(case: Case) -> Field:
    """Return one step of the stepper and of torch.nn's cell, each going on from its own last state."""
    size = case.size
    cell = make_cell(case.cell, size.inputs, size.hidden)
    x = torch.randn(size.batch, size.inputs)
    drawn = Field(_yardstick(case))
    drawn.contenders.append(Contender(drawn.yardstick, _torch_step(case, x)))
    try:
        stepper = Stepper(cell, batch_size=size.batch)
    except ConfigError as reason:
        drawn.skipped[STEPPER] = str(reason).rstrip(".")
        return drawn
    drawn.contenders.append(Contender(STEPPER, torch.no_grad()(lambda: stepper.step(x))))
    return drawn


def _torch_step(case: Case, x: Tensor) -> Callable[[], object]:
    relu = {"nonlinearity": "relu"} if case.cell == "rnn_relu" else {}
    cell = getattr(nn, f"{TWINS.get(case.cell, 'LSTM')}Cell")(case.size.inputs, case.size.hidden, **relu)
    h = torch.zeros(case.size.batch, case.size.hidden)
    state: Any = h if case.cell in TWINS else (h, h)

    @torch.no_grad()
    def step() -> None:
        nonlocal state
        state = cell(x, state)

    return step


# ---------------------------------------------------------------------------------------------- the products


class Product(NamedTuple):
    """One matrix product (rows, inner)·(inner, columns), and how often a pass over the steps makes it."""

    rows: int
    inner: int
    columns: int
    repeats: int = 1
    left_lies: bool = False  # the left matrix lies in memory as (inner, rows)
    right_lies: bool = False  # the right one as (columns, inner)


def products(case: Case) -> list[Contender]:
    """Return the matrix products of ``case`` as contenders of one name; none for a cell made of other cells."""
    cell = make_cell(case.cell, case.size.inputs, case.size.hidden)
    if not isinstance(cell, GatedCell):
        return []
    b, t, i, h = case.size
    gates = cell.blocks * h
    forward = [Product(b * t, i, gates, right_lies=True)]  # W x of all steps
    backward = [
        Product(gates, b * t, i, left_lies=True),  # dW
        Product(b * t, gates, i),  # dx of all steps
    ]
    if cell.recurrent:
        forward.append(Product(b, h, gates, t, right_lies=True))  # U h of one step
        backward.append(Product(b, gates, h, t))  # dh of one step
        backward.append(Product(gates, b * t, h, left_lies=True))  # dU
    return [_multiplying(one) for one in (forward if case.part == "infer" else forward + backward)]


def _multiplying(one: Product) -> Contender:
    # Into memory that is there already: asking for fresh memory is no part of a product.
    left = torch.randn(one.inner, one.rows).t() if one.left_lies else torch.randn(one.rows, one.inner)
    right = torch.randn(one.columns, one.inner).t() if one.right_lies else torch.randn(one.inner, one.columns)
    result = torch.empty(one.rows, one.columns)
    return Contender(PRODUCTS, lambda: torch.mm(left, right, out=result), one.repeats)
