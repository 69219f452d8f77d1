"""The native engine: it agrees with the reference, behaves as an operator of torch, and says what it cannot do.

Shapes: B batch, T steps, I inputs, H hidden units.
"""

import copy
import ctypes
import itertools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

from laws_native import (
    COMPILER,
    NATIVE,
    PROJECTS,
    THROUGH_OTHERS,
    agree,
    in_fresh_process,
    needs_library,
    values_and_gradients,
)
from recurra.cells import (
    CELLS,
    Cell,
    GRUCell,
    LSTMCell,
    LSTMGRUCell,
    ParallelCell,
    State,
    map_state,
    state_tensors,
)
from recurra.errors import ConfigError
from recurra.native import library
from recurra.nn.engines import native, operators
from recurra.nn.layers import Recurrent
from recurra.nn.namesakes import LSTM
from recurra.nn.scan import EVERY_STEP, Plan, SelfFed, scan

pytestmark = needs_library

WITHIN = {torch.float32: 1e-5, torch.float64: 1e-10}
SCAN = torch.ops.recurra.scan.default
BACKWARD = torch.ops.recurra.scan_backward.default

B, T, I, H = 4, 6, 3, 7  # noqa: E741


def masks(batch: int, steps: int) -> dict[str, Tensor | None]:
    """All kinds of masks; every row differs from the ones beside it."""
    at, row = torch.arange(steps), torch.arange(batch).unsqueeze(1)
    right = at < steps - row % steps
    holes = (at + row) % 3 != 1
    nothing = holes.clone()
    nothing[batch // 2 :: 2] = False
    return {"none": None, "right": right, "left": right.flip(1), "holes": holes, "no real step": nothing}


def make(name: str, width: int, hidden: int, bias: bool = True) -> Cell:
    cell = CELLS[name](width, hidden, bias)  # type: ignore[call-arg]
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return cell.double()


def begin(cell: Cell, batch: int) -> State:
    """A state that is zero nowhere; of the parallel cell, one that is not the mix of its parts."""
    return map_state(lambda zeros: 0.5 * torch.randn_like(zeros), cell.initial(batch))


def check(cell: Cell, x: Tensor, state: State, plan: Plan, dtype: torch.dtype = torch.float64) -> None:
    """Compare the native engine in ``dtype`` with the reference in float64."""
    truth = values_and_gradients(cell, x, state, plan, "reference")
    keep = None if plan.keep is None else plan.keep.to(dtype)
    given = map_state(lambda part: part.to(dtype), state)
    ours = values_and_gradients(copy.deepcopy(cell).to(dtype), x.to(dtype), given, plan._replace(keep=keep), "native")
    why = f"{cell} mask={plan.mask is not None} {plan.reverse=} keep={keep is not None} {plan.truncate=}"
    agree(ours, truth, WITHIN[dtype], why)


@pytest.mark.skipif(not COMPILER, reason="there is no C++ compiler here")
def test_where_there_is_a_compiler_there_is_a_library() -> None:
    assert library.absent() == ""
    assert set(library.load().recurra_instruction_sets().decode().split(",")) >= {"plain"}


def test_the_library_and_the_table_of_cells_name_the_same_kernels() -> None:
    assert (
        set(library.load().recurra_cells().decode().split(","))
        == set(NATIVE) - set(THROUGH_OTHERS)
        == set(operators._TYPES)
    )


@pytest.mark.parametrize("dtype", WITHIN)
@pytest.mark.parametrize("kind", masks(1, 1))
@pytest.mark.parametrize("name", NATIVE)
def test_equals_the_reference(name: str, kind: str, dtype: torch.dtype) -> None:
    mask = masks(B, T)[kind]
    for number, (bias, reverse, zoned) in enumerate(itertools.product((True, False), repeat=3)):
        cell = make(name, I, H, bias)
        keep = torch.rand(B, T, H, dtype=torch.float64) if zoned else None
        plan = Plan(mask, reverse, keep, truncate=(0, 4)[(number + number // 4) % 2])
        check(cell, torch.randn(B, T, I, dtype=torch.float64), begin(cell, B), plan, dtype)


@pytest.mark.parametrize("dtype", WITHIN)
@pytest.mark.parametrize("hidden", [1, 7, 33])
@pytest.mark.parametrize("name", NATIVE)
def test_any_size(name: str, hidden: int, dtype: torch.dtype) -> None:
    if name in PROJECTS and hidden == 1 and dtype is torch.float32:
        pytest.skip("one number has no spread: divided by it, rounding is all that is left")
    for batch, steps in itertools.product((0, 1, 2, 5, 70), (1, 3)):
        cell = make(name, 2, hidden)
        x = torch.randn(batch, steps, 2, dtype=torch.float64)
        check(cell, x, begin(cell, batch), EVERY_STEP, dtype)
        check(cell, x, begin(cell, batch), Plan(masks(batch, steps)["right"], True), dtype)


def test_an_empty_batch_has_zero_gradients() -> None:
    cell = LSTMCell(I, H)
    done = scan(cell, torch.zeros(0, T, I), cell.initial(0), engine="native")
    done.outputs.sum().backward()
    for parameter in cell.parameters():
        assert parameter.grad is not None and parameter.grad.shape == parameter.shape and not parameter.grad.any()


@pytest.mark.parametrize("name", NATIVE)
def test_wide_inputs_and_many_steps(name: str) -> None:
    cell = make(name, 65, 48)
    check(cell, torch.randn(3, 100, 65, dtype=torch.float64), begin(cell, 3), Plan(masks(3, 100)["holes"]))


def self_fed(cell: Cell, state: State, steps: int, plan: Plan, engine: str) -> list[Tensor]:
    """Outputs, last state and gradients of a cell that reads its own output through its weights for inputs."""
    state = map_state(lambda tensor: tensor.detach().clone().requires_grad_(), state)
    nothing = torch.zeros(len(state[0]), steps, 0, dtype=torch.float64)
    done = scan(SelfFed(cell, cell.weight_ih, cell.bias_ih), nothing, state, plan, engine)  # type: ignore[arg-type]
    ends = [done.outputs, *state_tensors(done.state)]
    leaves = [*state_tensors(state), *cell.parameters()]
    total = sum(((n + 1) * end).square().sum() for n, end in enumerate(ends))
    grads = torch.autograd.grad(total, leaves, allow_unused=True, materialize_grads=True)  # type: ignore[arg-type]
    return [tensor.detach() for tensor in (*ends, *grads)]


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("name", [name for name in NATIVE if name not in (*PROJECTS, *THROUGH_OTHERS)])
def test_a_cell_that_reads_its_own_output(name: str, reverse: bool) -> None:
    for batch, hidden in ((B, H), (1, 33), (70, 16)):
        cell, keep = make(name, hidden, hidden), torch.rand(batch, T, hidden, dtype=torch.float64)
        state = begin(cell, batch)
        for plan in (Plan(reverse=reverse, truncate=4), Plan(masks(batch, T)["holes"], reverse, keep)):
            ours, theirs = (self_fed(cell, state, T, plan, engine) for engine in ("native", "reference"))
            agree(ours, theirs, 1e-10)
    by_hand = state
    for _ in range(T):
        by_hand = cell.step(cell.project(by_hand[0]), by_hand)
    done = self_fed(cell, state, T, EVERY_STEP, "native")
    agree(done[1 : 1 + len(by_hand)], [part.detach() for part in by_hand], 1e-12)


def test_second_derivatives_of_a_cell_that_reads_its_own_output() -> None:
    cell = make("lstm_gru", 3, 3)

    def run(weight: Tensor, h: Tensor) -> Tensor:
        state = cell.initial(2)._replace(h=h)
        return scan(SelfFed(cell, weight, cell.bias_ih), h.new_zeros(2, 3, 0), state, engine="native").outputs

    given = cell.weight_ih.detach().requires_grad_(), torch.randn(2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(run, given)
    assert torch.autograd.gradgradcheck(run, given)


def test_inputs_that_are_not_contiguous() -> None:
    for name in ("lstm", "parallel"):
        cell = make(name, I, H)
        x = torch.randn(T, I, B, dtype=torch.float64).permute(2, 0, 1)
        state = map_state(lambda part: torch.randn(H, part.shape[0], dtype=part.dtype).t(), cell.initial(B))
        keep = torch.rand(T, B, H, dtype=torch.float64).transpose(0, 1)
        mask = (torch.rand(T, B) < 0.7).t()
        weights = {key: part.detach().t().contiguous().t() for key, part in cell.named_parameters()}
        runs = []
        for engine in ("native", "reference"):
            call = _Scanner(cell, engine)
            done = functional_call(call, {f"cell.{key}": part for key, part in weights.items()}, (x, state, mask, keep))
            runs.append([done.outputs, *state_tensors(done.state)])
        agree(*runs, within=1e-10)
        agree(runs[0], [tensor.contiguous() for tensor in runs[0]], 0.0)
        check(cell, x[:, ::2], state, Plan(mask[:, ::2], False, keep[:, ::2]))


class _Scanner(nn.Module):
    def __init__(self, cell: Cell, engine: str) -> None:
        super().__init__()
        self.cell, self.engine = cell, engine

    def forward(self, x: Tensor, state: State, mask: Tensor, keep: Tensor) -> Any:
        return scan(self.cell, x, state, Plan(mask, keep=keep), self.engine)


@pytest.mark.parametrize("which", ["x", "weight_hh", "bias_ih", "h", "nothing but c"])
def test_only_some_gradients_are_asked_for(which: str) -> None:
    cell = make("lstm", I, H).requires_grad_(False)
    x, state = torch.randn(B, T, I, dtype=torch.float64), begin(cell, B)
    leaf = {"x": x, "h": state.h, "nothing but c": state.c}.get(which)
    leaf = (getattr(cell, which) if leaf is None else leaf).requires_grad_()
    grads = []
    for engine in ("native", "reference"):
        done = scan(cell, x, state, engine=engine)
        grads.append(torch.autograd.grad(done.outputs.sin().sum() + done.state.c.sum(), leaf))
    agree(*grads, within=1e-10)


# Numbers that are none.


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("name", NATIVE)
def test_nan_and_infinity_go_on_as_in_the_reference(name: str, value: float) -> None:
    for place in ("x", "state"):
        cell = make(name, I, H)
        x, state = torch.randn(B, T, I, dtype=torch.float64), begin(cell, B)
        (x[1, 2] if place == "x" else state_tensors(state)[-1][1])[0] = value
        ours, theirs = (scan(cell, x, state, engine=engine) for engine in ("native", "reference"))
        pairs = [(ours.outputs, theirs.outputs)]
        pairs += zip(state_tensors(ours.state), state_tensors(theirs.state), strict=True)
        for one, other in pairs:
            torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10, equal_nan=True)


@pytest.mark.parametrize("name", NATIVE)
def test_what_a_masked_step_holds_has_no_effect(name: str) -> None:
    cell, mask = make(name, I, H), masks(B, T)["holes"]
    x, state = torch.randn(B, T, I, dtype=torch.float64), begin(cell, B)
    runs = []
    for value in (0.0, float("nan"), float("inf")):
        filled = x.masked_fill(~mask.unsqueeze(-1), value)
        runs.append(values_and_gradients(cell, filled, state, Plan(mask), "native"))
    assert all(torch.equal(one, other) for run in runs[1:] for one, other in zip(runs[0], run, strict=True))


# Derivatives.


def derivative_problem(name: str) -> tuple[Callable[..., tuple[Tensor, ...]], list[Tensor]]:
    """A scan as a function of its tensors, with a mask with holes, zoneout and from the end to the beginning."""
    cell = make(name, 2, 3)
    names = [key for key, _ in cell.named_parameters()]
    x, state = torch.randn(2, 3, 2, dtype=torch.float64), begin(cell, 2)
    mask = torch.tensor([[True, False, True], [True, True, False]])
    keep = 0.5 * torch.rand(2, 3, 3, dtype=torch.float64)

    def run(x: Tensor, *tensors: Tensor) -> tuple[Tensor, ...]:
        left = iter(tensors)
        given = map_state(lambda _: next(left), state)
        call = _Derived(cell, Plan(mask, True, keep))
        done = functional_call(call, {f"cell.{key}": next(left) for key in names}, (x, given))
        return done.outputs, *state_tensors(done.state)

    leaves = [x, *state_tensors(state), *cell.parameters()]
    return run, [leaf.detach().clone().requires_grad_() for leaf in leaves]


class _Derived(nn.Module):
    def __init__(self, cell: Cell, plan: Plan) -> None:
        super().__init__()
        self.cell, self.plan = cell, plan

    def forward(self, x: Tensor, state: State) -> Any:
        return scan(self.cell, x, state, self.plan, "native")


@pytest.mark.parametrize("name", NATIVE)
def test_first_and_second_derivatives(name: str) -> None:
    run, leaves = derivative_problem(name)
    assert torch.autograd.gradcheck(run, leaves, fast_mode=True)
    assert torch.autograd.gradgradcheck(run, leaves, fast_mode=True)


def test_weights_that_depend_on_the_input() -> None:
    """The second derivative counts each way from x to the output once."""
    results = []
    cell = make("gru", 2, 3)
    x = torch.randn(2, 4, 2, dtype=torch.float64, requires_grad=True)
    for engine in ("native", "reference"):
        changed = {"cell.weight_hh": cell.weight_hh * x.mean().exp()}
        outputs = functional_call(_Plain(cell, engine), changed, (x,))
        (first,) = torch.autograd.grad(outputs.square().sum(), x, create_graph=True)
        results.append([first, *torch.autograd.grad(first.square().sum(), [x, cell.weight_hh])])
    agree([part.detach() for part in results[0]], [part.detach() for part in results[1]], 1e-10)


class _Plain(nn.Module):
    def __init__(self, cell: Cell, engine: str) -> None:
        super().__init__()
        self.cell, self.engine = cell, engine

    def forward(self, x: Tensor) -> Tensor:
        return scan(self.cell, x, self.cell.initial(len(x)), engine=self.engine).outputs


def test_gradients_in_batches() -> None:
    cell, x = make("lstm", I, H), torch.randn(B, T, I, dtype=torch.float64, requires_grad=True)
    found = []
    for engine in ("native", "reference"):
        outputs = scan(cell, x, cell.initial(B), engine=engine).outputs
        ends = torch.arange(3.0, dtype=torch.float64).view(3, 1, 1, 1).expand(3, *outputs.shape)
        found.append(torch.autograd.grad(outputs, x, ends, is_grads_batched=True))
    agree(*found, within=1e-10)


def test_a_weight_changed_in_place_is_noticed() -> None:
    cell = LSTMCell(I, H)
    done = scan(cell, torch.randn(B, T, I), cell.initial(B), engine="native")
    with torch.no_grad():
        cell.weight_hh.mul_(2.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        done.outputs.sum().backward()


def test_without_gradients_nothing_is_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Tensor] = []

    def watched(*arguments: Any) -> Any:
        result = operators.run_scan(*arguments)
        seen.append(result[3])
        return result

    monkeypatch.setattr(native, "run_scan", watched)
    cell, x = LSTMCell(I, H), torch.randn(B, T, I)
    scan(cell, x, cell.initial(B), engine="native")
    with torch.no_grad():
        scan(cell, x, cell.initial(B), engine="native")
    with torch.inference_mode():
        scan(cell, x, cell.initial(B), engine="native")
    scan(cell.requires_grad_(False), x, cell.initial(B), engine="native")
    assert [tuple(saved.shape) for saved in seen] == [(B, T, 5 * 16), (0,), (0,), (0,)]


# As operators of torch.


def arguments_for(name: str, mask: Tensor | None, dtype: torch.dtype) -> list[Any]:
    # 16 units, so that there are no padded numbers in ``saved``, which are whatever was in the memory before.
    cell = make(name, I, 16).to(dtype)
    weights = [getattr(cell, key) for key in operators.WEIGHTS[:-1]] + [native.per_unit(cell)]  # type: ignore[arg-type]
    weights = [None if weight is None else weight.detach() for weight in weights]
    x = torch.randn(B, T, 16 * cell.blocks if name in PROJECTS else I, dtype=dtype)  # type: ignore[operator]
    if name in PROJECTS:
        weights[0] = weights[2] = weights[3] = None
    state = [part.detach() for part in begin(cell, B)]
    given = [x, *weights, *state, *[None] * (2 - len(state))]
    given = [None if part is None else part.to(dtype).clone().requires_grad_() for part in given]
    return [name, *given, mask, None, False, True]


@pytest.mark.parametrize("name", ["gru", "lstm", "peephole", "mingru", "ln_lstm"])
def test_the_operators_keep_the_rules_of_torch(name: str) -> None:
    arguments = arguments_for(name, None, torch.float32)
    torch.library.opcheck(SCAN, arguments)
    plain = [part.detach() if isinstance(part, Tensor) else part for part in arguments[:-1]]
    outputs, h, _, saved = SCAN(*plain, True)
    ends = [torch.randn_like(outputs), torch.randn_like(h), None]
    given = [part is not None for part in plain[1:9]]
    for wanted in (given, [one and place in (1, 2) for place, one in enumerate(given)]):
        torch.library.opcheck(BACKWARD, [*plain, outputs, saved, *ends, wanted])


def test_shapes_are_known_without_running() -> None:
    plain = [
        part.detach().to("meta") if isinstance(part, Tensor) else part
        for part in arguments_for("lstm", None, torch.float64)
    ]
    mask = torch.ones(B, T, dtype=torch.bool, device="meta")
    outputs, h, c, saved = SCAN(*plain)
    assert [tuple(part.shape) for part in (outputs, h, c, saved)] == [(B, T, 16), (B, 16), (B, 16), (B, T, 5 * 16)]
    assert SCAN(*plain[:9], mask, *plain[10:])[3].shape == (B, T, 6 * 16)
    wanted = [True, False, True, False, False, False, True, True]
    grads = BACKWARD(*plain[:-1], outputs, saved, None, h, None, wanted)
    assert [tuple(part.shape) for part in grads] == [(B, T, I), (0,), (64, 16), (0,), (0,), (0,), (B, 16), (B, 16)]


MODELS: dict[str, Callable[[], nn.Module]] = {
    "stack": lambda: Recurrent([[LSTMCell(I, H), GRUCell(I, H)], [ParallelCell(2 * H, 5)], [LSTMGRUCell(5, 5)]]),
    "namesake": lambda: LSTM(I, H, 2, batch_first=True, bidirectional=True),
}


def answers(model: Callable[..., Any], parameters: list[Tensor], x: Tensor, mask: Tensor | None) -> list[Tensor]:
    result = model(x) if mask is None else model(x, None, mask)
    assert getattr(result, "engines", ("native",))[0] == "native"
    outputs = result[0]
    grads = torch.autograd.grad(outputs.square().sum(), [x, *parameters])
    return [part.detach() for part in (outputs, *grads)]


@pytest.mark.slow
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("name", MODELS)
def test_compiled_as_one_graph(name: str, masked: bool) -> None:
    if name == "namesake" and masked:
        pytest.skip("a namesake takes no mask")
    torch.compiler.reset()
    model = MODELS[name]().double()
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    for batch, steps in ((B, T), (2, 9), (3, 5)):  # the later ones make the graph's sizes dynamic
        x = torch.randn(batch, steps, I, dtype=torch.float64, requires_grad=True)
        mask = masks(batch, steps)["holes"] if masked else None
        parameters = list(model.parameters())
        agree(answers(compiled, parameters, x, mask), answers(model, parameters, x, mask), 1e-12)
    with torch.no_grad():
        agree([compiled(x)[0]], [model(x)[0]], 1e-12)


@pytest.mark.skipif(not COMPILER, reason="the compiler of torch needs one for C++")
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # torch's own use of it
def test_compiled_to_machine_code() -> None:
    torch.compiler.reset()
    model = Recurrent([[LSTMGRUCell(I, H)]])
    x = torch.randn(B, T, I, requires_grad=True)
    compiled = torch.compile(model, fullgraph=True)
    parameters = list(model.parameters())
    agree(answers(compiled, parameters, x, None), answers(model, parameters, x, None), 1e-5)


def test_exported() -> None:
    model = Recurrent([[LSTMCell(I, H)], [GRUCell(H, 5)]])
    sizes = {0: torch.export.Dim("batch"), 1: torch.export.Dim("steps")}
    with torch.no_grad():
        program = torch.export.export(_Outputs(model), (torch.randn(B, T, I),), dynamic_shapes=(sizes,))
        assert "recurra.scan" in program.graph_module.code
        x = torch.randn(2, 11, I)
        agree([program.module()(x)], [model(x).outputs], 1e-6)


class _Outputs(nn.Module):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x).outputs


# Requests that are refused.


def test_refusals_say_why() -> None:
    cell, x = LSTMCell(I, H), torch.randn(B, T, I)
    keep = torch.rand(B, T, H, requires_grad=True)
    own = type("OwnCell", (LSTMCell,), {})(I, H)
    cases: list[tuple[Cell, Plan, str]] = [
        (own, EVERY_STEP, "the native engine has no kernel for OwnCell"),
        (cell, Plan(record=True), "the native engine does not return its gates"),
        (cell, Plan(keep=keep), "the native engine has no gradient for the zoneout mask"),
        (copy.deepcopy(cell).bfloat16(), EVERY_STEP, "computes in float32 or float64, and the weights are bfloat16"),
        (copy.deepcopy(cell).to("meta"), EVERY_STEP, "runs on the CPU, and the weights are on 'meta'"),
    ]
    for given, plan, reason in cases:
        with pytest.raises(ConfigError, match=reason):
            scan(given, x, given.initial(B), plan, "native")
    with torch.autocast("cpu"), pytest.raises(ConfigError, match="does not take part in autocast"):
        scan(cell, x, cell.initial(B), engine="native")


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # torch's own use of it
def test_transforms_are_refused_and_left_to_others() -> None:
    """The operator has no forward-mode derivative, and torch would take it for zero."""
    cell, x = LSTMGRUCell(I, H), torch.randn(B, T, I)
    with pytest.raises(ConfigError, match=r"not the transforms of torch\.func"):
        torch.func.jvp(lambda x: scan(cell, x, cell.initial(B), engine="native").outputs, (x,), (x,))
    _, slope = torch.func.jvp(lambda x: scan(cell, x, cell.initial(B)).outputs, (x,), (torch.ones_like(x),))
    assert slope.abs().min() > 0
    with torch.autograd.forward_ad.dual_level(), torch.no_grad():
        dual = torch.autograd.forward_ad.make_dual(x, torch.ones_like(x))
        outputs = scan(cell, dual, cell.initial(B)).outputs
        agree([torch.autograd.forward_ad.unpack_dual(outputs).tangent], [slope.detach()], 1e-6)


@pytest.mark.parametrize("name", PROJECTS)
def test_a_cell_that_projects_by_itself_is_not_fed(name: str) -> None:
    cell = make(name, H, H)
    with pytest.raises(ConfigError, match=f"the native engine does not feed a {type(cell).__name__} with its own"):
        self_fed(cell, begin(cell, B), T, EVERY_STEP, "native")


def test_a_parallel_cell_of_changed_parts_is_refused() -> None:
    cell = ParallelCell(I, H)
    cell.gru = type("OwnGRU", (GRUCell,), {})(I, H)
    with pytest.raises(ConfigError, match="no kernel for OwnGRU"):
        scan(cell, torch.randn(B, T, I), cell.initial(B), engine="native")


def test_what_does_not_fit_is_never_read() -> None:
    cell, x = LSTMCell(I, H), torch.randn(B, T, I)
    state, mask = cell.initial(B), torch.ones(B, T, dtype=torch.bool)
    cases: list[tuple[str, Any, State, Plan]] = [
        ("x must have shape", x[..., :2], state, EVERY_STEP),
        ("x must have .* type torch.float32", x.double(), state, EVERY_STEP),
        ("x must have shape", x[0], state, EVERY_STEP),
        ("state h must have shape", x, map_state(lambda part: part[:2], state), EVERY_STEP),
        ("state h must have .* type", x, map_state(Tensor.double, state), EVERY_STEP),
        ("mask must have shape", x, state, Plan(mask[:, :2])),
        ("mask must have .* type torch.bool", x, state, Plan(mask.long())),
        ("keep must have shape", x, state, Plan(keep=torch.rand(B, T, 1))),
        ("on 'meta'", x.to("meta"), state, EVERY_STEP),
    ]
    for reason, given, begun, plan in cases:
        with pytest.raises(ConfigError, match=reason), torch.no_grad():
            scan(cell, given, begun, plan, "native")
    with pytest.raises(ConfigError, match=r"no cell 'lstn'. Choose one of: coupled"):
        SCAN("lstn", *arguments_for("lstm", None, torch.float32)[1:])
    with pytest.raises(ConfigError, match=r"The state of the cell 'gru' must be \(h\)"):
        SCAN("gru", *arguments_for("gru", None, torch.float32)[1:8], torch.zeros(B, 16), None, None, False, True)
    for name, place in (("gru", 2), ("gru", 3), ("peephole", 6), ("mingru", 2)):
        given = arguments_for(name, None, torch.float32)
        given[place] = None
        with pytest.raises(ConfigError, match=f"The weights are not those of the cell '{name}'"):
            SCAN(*given)
    with pytest.raises(ConfigError, match="run it with save=True"):
        SCAN(*arguments_for("gru", None, torch.float32)[:-1], False)[0].sum().backward()
    with pytest.raises(MemoryError, match="use smaller batches"):
        library.succeed(library.NO_MEMORY)


# The library itself.


def test_every_instruction_set_agrees(each_instruction_set: list[bytes]) -> None:
    assert library.load().recurra_use_instruction_set(b"of a machine to come") == -1
    for instructions, name, dtype in itertools.product(each_instruction_set, NATIVE, WITHIN):
        assert library.load().recurra_use_instruction_set(instructions) == 0
        assert library.load().recurra_instruction_set() == instructions
        cell = make(name, 5, 21)
        x = torch.randn(5, T, 5, dtype=torch.float64)
        check(cell, x, begin(cell, 5), Plan(masks(5, T)["right"], True), dtype)
        check(cell, x, begin(cell, 5), EVERY_STEP, dtype)


def mapped(function: str, x: np.ndarray) -> np.ndarray:
    out = np.empty_like(x)
    kind = 0 if x.dtype == np.float32 else 1
    engine = library.load()
    done = engine.recurra_map(function.encode(), kind, x.size, ctypes.c_void_p(x.ctypes.data), out.ctypes.data)
    assert done == 0
    return out


TRUTHS: dict[str, Callable[[Any], Any]] = {
    "exp": mpmath.exp,
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "tanh": mpmath.tanh,
    "log": mpmath.log,
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("function", TRUTHS)
def test_functions_are_right_to_the_last_digits(function: str, dtype: type, each_instruction_set: list[bytes]) -> None:
    draw, kind = np.random.default_rng(0), np.finfo(dtype)
    sizes = 10.0 ** draw.uniform(-12, 2, 600) * draw.choice([-1, 1], 600)
    edges = [0.0, kind.tiny, kind.smallest_subnormal * 3, 0.5, 1.0, 20.0, 87.0, 700.0, 1e4, 1e30]
    x = np.concatenate([sizes, draw.uniform(-90, 90, 601), edges, np.negative(edges)]).astype(dtype)
    if function == "log":  # a part of sums, which are normal numbers above zero
        x = np.concatenate([abs(x), [kind.max], 1 + 10.0 ** draw.uniform(-7, -1, 50)]).astype(dtype)
        x = x[x >= kind.tiny]
    if function == "exp":  # a part of the others, for which it may end where a number's exponent does
        x = x[x < 0.99 * np.log(float(kind.max))]
    with mpmath.workdps(40):
        truth = [TRUTHS[function](mpmath.mpf(float(number))) for number in x]
        for instructions in each_instruction_set:
            assert library.load().recurra_use_instruction_set(instructions) == 0
            within = 5e-7 if dtype is np.float32 else 1e-14
            for number, one, right in zip(x, mapped(function, x), truth, strict=True):
                apart = abs(mpmath.mpf(float(one)) - right)
                assert apart <= within * abs(right) + 2 * float(kind.tiny), (instructions, function, number, one)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_functions_of_what_is_no_number(dtype: type, each_instruction_set: list[bytes]) -> None:
    x = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0], dtype)
    for instructions in each_instruction_set:
        assert library.load().recurra_use_instruction_set(instructions) == 0
        np.testing.assert_array_equal(mapped("exp", x)[[0, 3, 4]], np.array([np.nan, 1.0, 1.0], dtype))
        np.testing.assert_array_equal(mapped("sigmoid", x), np.array([np.nan, 1.0, 0.0, 0.5, 0.5], dtype))
        np.testing.assert_array_equal(mapped("tanh", x), np.array([np.nan, 1.0, -1.0, 0.0, 0.0], dtype))
        assert np.isfinite(mapped("tanh", np.array([np.finfo(dtype).max], dtype))).all()


# Threads and processes.


@pytest.fixture
def any_work_is_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recurra.native.threads.SCAN_WORK", 1)


@pytest.mark.usefixtures("any_work_is_shared")
def test_eight_at_once_are_as_one_after_the_other() -> None:
    problems = []
    for name in [*NATIVE, *NATIVE]:
        cell = make(name, I, 40)
        problems.append((cell, torch.randn(9, 30, I, dtype=torch.float64), begin(cell, 9), Plan(masks(9, 30)["right"])))
    before = torch.get_num_threads()
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            alone = [values_and_gradients(*problem, "native") for problem in problems]
            with ThreadPoolExecutor(8) as pool:
                together = list(pool.map(lambda problem: values_and_gradients(*problem, "native"), problems))
            for one, other in zip(alone, together, strict=True):
                agree(one, other, 1e-12)
    finally:
        torch.set_num_threads(before)


@pytest.mark.usefixtures("any_work_is_shared")
def test_many_threads_agree_with_one() -> None:
    before = torch.get_num_threads()
    try:
        for batch, hidden in ((70, 24), (1, 200), (2, 130), (3, 530)):
            cell = make("lstm_gru", 8, hidden)
            problem = (cell, torch.randn(batch, 5, 8, dtype=torch.float64), begin(cell, batch), EVERY_STEP, "native")
            torch.set_num_threads(1)
            alone = values_and_gradients(*problem)
            for threads in (2, 3):
                torch.set_num_threads(threads)
                agree(values_and_gradients(*problem), alone, 1e-12)
    finally:
        torch.set_num_threads(before)


PREPARED = """
import os, signal, sys
import torch
torch.set_num_threads(2)
torch.manual_seed(0)
import recurra.native.threads
from recurra.cells import LSTMCell
from recurra.nn.scan import scan

recurra.native.threads.SCAN_WORK = 1
# Small enough for torch to use one thread for its own operators: those do wait for ever in a forked child.
cell, x = LSTMCell(8, 32), torch.randn(70, 10, 8)

def answer():
    cell.zero_grad()
    done = scan(cell, x, cell.initial(70), engine="native")
    done.outputs.square().sum().backward()
    return [done.outputs.detach(), cell.weight_hh.grad.clone()]
"""

FORKED = """
expected = answer()
child = os.fork()
if child == 0:
    signal.alarm(60)  # a child that waits for threads that are not there shall not wait for ever
    fine = all(torch.allclose(a, b, rtol=1e-4, atol=1e-4) for a, b in zip(answer(), expected))
    os._exit(0 if fine else 1)
print(os.waitpid(child, 0)[1])
again = answer()
assert all(torch.allclose(a, b, rtol=1e-4, atol=1e-4) for a, b in zip(again, expected))
"""

OPENMP = """
answer()
names = {line.split()[-1] for line in open("/proc/self/maps") if "omp" in line.split()[-1].rpartition("/")[2]}
print("|".join(sorted(names)))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_forked_child_computes_on() -> None:
    assert in_fresh_process(PREPARED + FORKED, dict(os.environ)) == "0"


SERVED = """
import re, time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
import torch
from recurra.cells import LSTMCell
from recurra.nn.scan import scan

torch.set_num_threads(1)
large, small, at_once = LSTMCell(1, 768).double().requires_grad_(False), LSTMCell(1, 4), Barrier(16)

def resident():
    return int(re.search(r"VmRSS:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024  # megabytes

def serve(_):
    at_once.wait()
    scan(large, torch.zeros(1, 2, 1, dtype=torch.float64), engine="native")  # lays out 19 MB of weights
    at_once.wait()

serve_one = lambda cell, x: scan(cell, x, engine="native")
serve_one(small, torch.zeros(1, 1, 1))
with ThreadPoolExecutor(16) as pool:
    list(pool.map(str, range(16)))
    before = resident()
    list(pool.map(serve, range(48)))
    kept = resident() - before
    time.sleep(10.5)
    serve_one(small, torch.zeros(1, 1, 1))
    print(kept, resident() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux says how much memory is resident")
@pytest.mark.skipif("ASAN_OPTIONS" in os.environ, reason="where every access is watched, what is freed is kept")
def test_the_memory_of_many_threads_is_bounded_and_given_back() -> None:
    """Sixteen threads at once, which stay: 300 MB at work, 64 of them kept at most, and none after idle seconds."""
    kept, idle = map(int, in_fresh_process(SERVED, dict(os.environ)).split())
    assert kept < 100, kept
    assert kept - idle > 40, (kept, idle)  # three blocks of 19 MB


SPAWNED = """
import multiprocessing
import torch
from recurra.cells import LSTMCell
from recurra.nn.scan import scan

def answer(cell, x):
    with torch.no_grad():
        return scan(cell, x, cell.initial(len(x)), engine="native").outputs.tolist()

if __name__ == "__main__":
    torch.set_num_threads(2)
    cell, x = LSTMCell(3, 8), torch.randn(2, 5, 3)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        print(torch.allclose(torch.tensor(pool.apply(answer, (cell, x))), torch.tensor(answer(cell, x)), atol=1e-6))
"""


@pytest.mark.slow
def test_a_spawned_child_computes_too(tmp_path: Path) -> None:
    # Spawning reads the program again, so it has to be a file.
    program = tmp_path / "spawned.py"
    program.write_text(SPAWNED, encoding="utf-8")
    runner = f"import runpy, sys; sys.argv = [{str(program)!r}]; runpy.run_path({str(program)!r}, run_name='__main__')"
    assert in_fresh_process(runner, dict(os.environ)) == "True"


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="only Linux lists the files of a process")
def test_there_is_one_openmp_in_the_process() -> None:
    files = in_fresh_process(PREPARED + OPENMP, dict(os.environ)).split("|")
    runtimes = [file for file in files if Path(file).name.startswith(("libgomp", "libiomp", "libomp"))]
    assert len(runtimes) == 1, runtimes


WITHOUT = """
import torch
from recurra import ConfigError, Stepper
from recurra.cells import LSTMCell
from recurra.nn.scan import scan

cell, x = LSTMCell(3, 8), torch.randn(2, 5, 3)
print(scan(cell, x, cell.initial(2)).engine)
for ask in (lambda: scan(cell, x, cell.initial(2), engine="native"), lambda: Stepper(cell)):
    try:
        ask()
    except ConfigError as error:
        print(error)
"""


@pytest.mark.slow
def test_a_library_that_is_not_there_is_said_to_be(tmp_path: Path) -> None:
    missing, broken = tmp_path / "missing.so", tmp_path / "broken.so"
    broken.write_bytes(b"no library")
    for path, reason in ((missing, "which is no file: correct the variable or unset it"), (broken, "cannot be loaded")):
        said = in_fresh_process(WITHOUT, dict(os.environ) | {library.VARIABLE: str(path)}).splitlines()
        assert said[0] == "torch"
        assert "The engine 'native' cannot run this" in said[1] and reason in said[1] and str(path) in said[1]
        assert "A Stepper needs the native engine." in said[2] and reason in said[2]


def test_a_library_of_another_version(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is refused where it is loaded: its structs may differ, or it lacks a function."""
    others: list[tuple[str, Any]] = [("VERSION", library.VERSION + 1)]
    others.append(("FUNCTIONS", library.FUNCTIONS | {"recurra_of_tomorrow": (None, [])}))
    longer = type(
        "ScanArguments", (ctypes.Structure,), {"_fields_": [*library.ScanArguments._fields_, ("z", ctypes.c_int64)]}
    )
    others.append(("ScanArguments", longer))
    assert library.find()[1] == ""
    for name, value in others:
        with monkeypatch.context() as changed:
            changed.setattr(library, name, value)
            found, reason = library.find()
        assert found is None and "belongs to another version of recurra: run pip install again." in reason, name


def test_a_caller_of_another_version_is_refused() -> None:
    """The library looks at the version and the size of both structs before anything else in them."""
    engine = library.load()
    scan_arguments, grads = library.ScanArguments(*library.SCAN_HEAD), library.GradArguments(*library.GRAD_HEAD)
    assert scan_arguments.version == library.VERSION and scan_arguments.size == ctypes.sizeof(scan_arguments)
    for given, field in itertools.product((scan_arguments, grads), ("version", "size")):
        right = getattr(given, field)
        setattr(given, field, right + 8)
        both = ctypes.byref(scan_arguments), ctypes.byref(grads)
        assert engine.recurra_backward(*both) == library.OTHER_VERSION
        if given is scan_arguments:
            assert engine.recurra_forward(both[0]) == library.OTHER_VERSION
            assert engine.recurra_stepper_new(both[0]) is None
        setattr(given, field, right)
    with pytest.raises(ConfigError, match="belongs to another version of recurra: run pip install again"):
        library.succeed(library.OTHER_VERSION)


def test_a_library_that_was_never_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "FILE", "recurra_other.so")
    monkeypatch.delenv(library.VARIABLE, raising=False)
    found, reason = library.find()
    assert found is None
    assert reason.startswith("The native engine was not built: install a C++ compiler (Debian: apt install g++")


# What others do with tensors and models.


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # torch's own use of it
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
def test_a_trace_holds_the_operator() -> None:
    layer, x = LSTM(3, 5, batch_first=True), torch.randn(2, 6, 3)
    with torch.no_grad():
        traced = torch.jit.trace(layer, (x,), check_trace=False)
        other = torch.randn(2, 6, 3)
        agree([traced(other)[0]], [layer(other)[0]], 1e-6)


def test_numbers_kept_with_the_other_sign() -> None:
    layer, x = LSTM(3, 5, batch_first=True), torch.randn(2, 6, 3)
    agree([layer(torch._neg_view(x))[0].detach()], [layer(-x)[0].detach()], 1e-6)


def test_an_input_without_features_is_no_self_fed_cell() -> None:
    cell = LSTMCell(5, 5)
    with pytest.raises(ConfigError, match="The input has 0 features, but the cell was made for 5"):
        scan(cell, torch.zeros(2, 3, 0), cell.initial(2), engine="native")
    nothing = LSTMCell(0, 5)
    done = scan(nothing, torch.zeros(2, 3, 0), nothing.initial(2))
    assert done.engine != "native" and done.outputs.shape == (2, 3, 5)


def test_zoneout_of_one_keeps_the_state_to_the_last_bit() -> None:
    cell = LSTMCell(3, 5)
    state = map_state(lambda zeros: zeros + 1e-7, cell.initial(2))
    done = scan(cell, torch.randn(2, 4, 3), state, Plan(keep=torch.ones(2, 4, 5)), "native")
    assert torch.equal(done.state.h, state.h) and torch.equal(done.state.c, state.c)


@pytest.mark.usefixtures("any_work_is_shared")
def test_more_threads_than_rows_or_cores() -> None:
    before = torch.get_num_threads()
    try:
        for batch, hidden in ((1, 160), (3, 96), (5, 20)):
            cell = make("gru", 4, hidden)
            problem = (cell, torch.randn(batch, 4, 4, dtype=torch.float64), begin(cell, batch), EVERY_STEP, "native")
            torch.set_num_threads(1)
            alone = values_and_gradients(*problem)
            torch.set_num_threads(16)
            agree(values_and_gradients(*problem), alone, 1e-12)
    finally:
        torch.set_num_threads(before)
