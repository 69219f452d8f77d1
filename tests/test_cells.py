"""Every cell keeps every law, a broken cell breaks the law it should, and each cell is the one it claims to be."""

import itertools
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import laws_cells
import oracles
from laws_cells import LAWS, H, I, MakeCell, problem, run, same
from laws_native import LINEAR, fastest
from recurra.cells import (
    CELLS,
    Cell,
    CoupledCell,
    FullLSTMGRUCell,
    GRUCell,
    Hidden,
    HiddenAndMemory,
    LayerNormLSTMCell,
    LSTMCell,
    LSTMGRUCell,
    ParallelCell,
    PeepholeCell,
    ReluRNNCell,
    RNNCell,
    State,
    map_state,
    state_tensors,
)
from recurra.nn.scan import Plan, scan


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize("name", CELLS)
def test_law(name: str, law: Callable[[MakeCell], None]) -> None:
    law(CELLS[name])


@pytest.mark.parametrize("name", CELLS)
def test_laws_without_bias(name: str) -> None:
    def make(input_size: int, hidden_size: int) -> Cell:
        return CELLS[name](input_size, hidden_size, bias=False)  # type: ignore[call-arg]

    assert not any("bias" in key for key, _ in make(I, H).named_parameters())
    for law in (laws_cells.law_streaming_is_batch, laws_cells.law_padding_is_inert, laws_cells.law_remember):
        law(make)


# Broken cells, one per law.


class BeginsAtOne(LSTMCell):
    def initial(self, batch_size: int) -> State:
        return map_state(torch.ones_like, super().initial(batch_size))


class KnowsThePlace(GRUCell):
    """Reads how far it is into the piece that it was given."""

    def project(self, x: Tensor) -> Tensor:
        projected = super().project(x)
        return projected + 0.1 * torch.arange(x.shape[-2]).unsqueeze(-1) if x.dim() == 3 else projected


class CountsItsSteps(GRUCell):
    count = 0

    def step(self, projected: Tensor, state: Hidden) -> Hidden:
        self.count += 1
        return super().step(projected + 0.1 * self.count, state)


class ReadsTheMean(GRUCell):
    def project(self, x: Tensor) -> Tensor:
        return super().project(x + x.mean(-2, keepdim=True))


class WritesInPlace(GRUCell):
    def step(self, projected: Tensor, state: Hidden) -> Hidden:
        new = super().step(projected, state)
        state.h.mul_(0.5)
        return new


class ReadsTheStepBefore(GRUCell):
    def project(self, x: Tensor) -> Tensor:
        return super().project(x + x.roll(1, 1))


class ReadsTheStepAfter(GRUCell):
    def project(self, x: Tensor) -> Tensor:
        return super().project(x + x.roll(-1, 1))


class MixesTheBatch(GRUCell):
    def step(self, projected: Tensor, state: Hidden) -> Hidden:
        new = super().step(projected, state)
        return Hidden(new.h - new.h.mean(0))


class CutsTheGradient(GRUCell):
    def step(self, projected: Tensor, state: Hidden) -> Hidden:
        return super().step(projected, Hidden(state.h.detach()))


class NotANumberGradient(GRUCell):
    def step(self, projected: Tensor, state: Hidden) -> Hidden:
        new = super().step(projected, state)
        return Hidden(new.h + (new.h - new.h).sqrt())


class Explodes(GRUCell):
    def step(self, projected: Tensor, state: Hidden) -> Hidden:
        return Hidden(projected.chunk(3, -1)[0].exp() - state.h)


class HidesAWeight(GRUCell):
    def __init__(self, input_size: int, hidden_size: int):
        super().__init__(input_size, hidden_size)
        self.hidden = float(torch.rand(()))

    def step(self, projected: Tensor, state: Hidden) -> Hidden:
        return super().step(projected * self.hidden, state)


class IgnoresTheSeed(GRUCell):
    made = 0

    def reset_parameters(self) -> None:
        super().reset_parameters()
        IgnoresTheSeed.made += 1
        nn.init.constant_(self.weight_ih, IgnoresTheSeed.made)


class RemembersOnItself(GRUCell):
    last: Tensor | None = None

    def project(self, x: Tensor) -> Tensor:
        return super().project(x)

    def step(self, projected: Tensor, state: Hidden) -> Hidden:
        h = state.h if self.last is None else self.last
        self.last = super().step(projected, Hidden(h)).h
        return Hidden(self.last)


class ShowsOtherGates(LSTMCell):
    count = 0

    def gates(self, projected: Tensor, state: HiddenAndMemory) -> dict[str, Tensor]:
        self.count += 1
        return {name: gate + 1e-6 * self.count for name, gate in super().gates(projected, state).items()}

    def step(self, projected: Tensor, state: HiddenAndMemory) -> HiddenAndMemory:
        i, f, g, o = super().gates(projected, state).values()
        c = f * state.c + i * g
        return HiddenAndMemory(o * c.tanh(), c)


class ShowsNothing(RNNCell):
    def gates(self, projected: Tensor, state: Hidden) -> dict[str, Tensor]:
        return {"candidate": torch.zeros_like(projected)}


class NeedsARow(GRUCell):
    def step(self, projected: Tensor, state: Hidden) -> Hidden:
        h = super().step(projected, state).h
        return Hidden(torch.cat([h, h.new_zeros(1, self.hidden_size)])[: max(1, len(h))])


class AlwaysDouble(GRUCell):
    def initial(self, batch_size: int) -> Hidden:
        return Hidden(torch.zeros(batch_size, self.hidden_size, dtype=torch.float64))


class ForgetsInstead(LSTMCell):
    chrono_sign = {0: +1, 1: -1}


BROKEN: dict[Callable[[MakeCell], None], type[Cell]] = {
    laws_cells.law_output_is_first: BeginsAtOne,
    laws_cells.law_streaming_is_batch: KnowsThePlace,
    laws_cells.law_split_is_whole: KnowsThePlace,
    laws_cells.law_step_keeps_nothing: CountsItsSteps,
    laws_cells.law_padding_is_inert: ReadsTheMean,
    laws_cells.law_masked_out_keeps_the_state: WritesInPlace,
    laws_cells.law_reverse_of_padded: ReadsTheStepBefore,
    laws_cells.law_causal: ReadsTheStepAfter,
    laws_cells.law_rows_are_apart: MixesTheBatch,
    laws_cells.law_gradients: CutsTheGradient,
    laws_cells.law_gradient_at_rest: NotANumberGradient,
    laws_cells.law_finite: Explodes,
    laws_cells.law_round_trip: HidesAWeight,
    laws_cells.law_seed: IgnoresTheSeed,
    laws_cells.law_zoneout: WritesInPlace,
    laws_cells.law_truncate: RemembersOnItself,
    laws_cells.law_recorded_gates: ShowsOtherGates,
    laws_cells.law_gates_move: ShowsNothing,
    laws_cells.law_empty_batch: NeedsARow,
    laws_cells.law_any_number_type: AlwaysDouble,
    laws_cells.law_remember: ForgetsInstead,
}


def test_every_law_has_a_cell_that_breaks_it() -> None:
    assert set(BROKEN) == set(LAWS)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_law_catches_a_broken_cell(law: Callable[[MakeCell], None]) -> None:
    with pytest.raises(AssertionError):
        law(BROKEN[law])


# Each cell is the one it claims to be.


def by_oracle(name: str, given: laws_cells.Problem, row: int) -> tuple[Tensor, list[Tensor]]:
    weights = {key: value.numpy() for key, value in given.cell.state_dict().items()}
    first = [tensor[row].numpy() for tensor in state_tensors(given.state)]
    outputs, last = oracles.ORACLES[name](weights, given.x[row].numpy(), first)
    return torch.from_numpy(outputs), [torch.from_numpy(tensor) for tensor in last]


@pytest.mark.parametrize("name", CELLS)
def test_equation(name: str) -> None:
    given = problem(CELLS[name])
    done = run(given)
    for row in range(len(given.x)):
        outputs, last = by_oracle(name, given, row)
        same(done.outputs[row], outputs, f"row {row}")
        for ours, theirs in zip(state_tensors(done.state), last, strict=True):
            same(ours[row], theirs, f"last state of row {row}")


def test_every_cell_has_an_oracle() -> None:
    assert set(oracles.ORACLES) == set(CELLS)


TORCH: dict[str, Callable[..., nn.RNNBase]] = {
    "rnn": nn.RNN,
    "rnn_relu": lambda *sizes, **options: nn.RNN(*sizes, nonlinearity="relu", **options),
    "lstm": nn.LSTM,
    "gru": nn.GRU,
}


@pytest.mark.parametrize("name", TORCH)
def test_equals_torch(name: str) -> None:
    given = problem(CELLS[name])
    theirs = TORCH[name](I, H, batch_first=True).double()
    theirs.load_state_dict({f"{key}_l0": value for key, value in given.cell.state_dict().items()})
    first = tuple(tensor.unsqueeze(0) for tensor in state_tensors(given.state))
    outputs, last = theirs(given.x, first if len(first) == 2 else first[0])
    done = run(given)
    same(done.outputs, outputs, "outputs")
    for ours, other in zip(state_tensors(done.state), last if len(first) == 2 else (last,), strict=True):
        same(ours, other[0], "last state")
    done.outputs.square().sum().backward()
    outputs.square().sum().backward()
    for key, parameter in given.cell.named_parameters():
        same(parameter.grad, getattr(theirs, f"{key}_l0").grad, f"gradient of {key}", within=1e-10)


def test_a_wrong_equation_passes_the_laws_and_fails_the_oracle() -> None:
    class ResetBefore(GRUCell):
        """The GRU of the first paper, a lawful cell but another one."""

        def gates(self, projected: Tensor, state: Hidden) -> dict[str, Tensor]:
            gates = super().gates(projected, state)
            kept = self.recur(gates["reset"] * state.h).chunk(3, -1)[2]
            return gates | {"candidate": (projected.chunk(3, -1)[2] + kept).tanh()}

    for law in LAWS:
        law(ResetBefore)
    given = problem(ResetBefore)
    outputs, _ = by_oracle("gru", given, 0)
    assert not torch.allclose(run(given).outputs[0], outputs, atol=1e-6)


# Identities between members.


def set_block(cell: Cell, number: int, bias: float) -> None:
    """Make a gate constant: no weights, and a bias so large that it is open or shut."""
    with torch.no_grad():
        for weight in (cell.weight_ih, cell.weight_hh):
            weight.chunk(cell.blocks)[number].zero_()  # type: ignore[attr-defined]
        cell.bias_hh.chunk(cell.blocks)[number].zero_()  # type: ignore[attr-defined]
        cell.bias_ih.chunk(cell.blocks)[number].fill_(bias)  # type: ignore[attr-defined]


def copy_blocks(source: Cell, target: Cell, places: dict[int, int]) -> None:
    """Copy blocks of weights: ``places`` says which block of the source goes where."""
    with torch.no_grad():
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            ours = getattr(source, name).chunk(source.blocks)  # type: ignore[attr-defined]
            theirs = getattr(target, name).chunk(target.blocks)  # type: ignore[attr-defined]
            for one, other in places.items():
                theirs[other].copy_(ours[one])


def test_lstm_gru_with_open_reset_is_coupled() -> None:
    given = problem(LSTMGRUCell)
    set_block(given.cell, 0, 50.0)
    coupled = CoupledCell(I, H).double()
    copy_blocks(given.cell, coupled, {1: 0, 2: 1, 3: 2})
    same(run(given).outputs, run(given._replace(cell=coupled)).outputs, "r = 1", within=1e-14)


def test_lstm_gru_full_with_open_reset_and_no_skip_is_lstm() -> None:
    given = problem(FullLSTMGRUCell)
    set_block(given.cell, 4, 50.0)
    set_block(given.cell, 5, -50.0)
    lstm = nn.LSTM(I, H, batch_first=True).double()
    plain = LSTMCell(I, H).double()
    copy_blocks(given.cell, plain, {0: 0, 1: 1, 2: 2, 3: 3})
    lstm.load_state_dict({f"{key}_l0": value for key, value in plain.state_dict().items()})
    outputs, _ = lstm(given.x, tuple(tensor.unsqueeze(0) for tensor in given.state))
    same(run(given).outputs, outputs, "r = 1, z = 0", within=1e-14)


def test_coupled_is_lstm_with_mirrored_forget_gate() -> None:
    given = problem(CoupledCell)
    lstm = LSTMCell(I, H).double()
    copy_blocks(given.cell, lstm, {0: 0, 1: 2, 2: 3})
    with torch.no_grad():
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            i, f, *_ = getattr(lstm, name).chunk(4)
            f.copy_(-i)
    same(run(given).outputs, run(given._replace(cell=lstm)).outputs, "f = 1 - i")


def test_a_peephole_that_shows_nothing_is_the_lstm_of_torch() -> None:
    given = problem(PeepholeCell)
    with torch.no_grad():
        given.cell.weight_ch.zero_()
    lstm = nn.LSTM(I, H, batch_first=True).double()
    weights = {f"{key}_l0": value for key, value in given.cell.state_dict().items() if key != "weight_ch"}
    lstm.load_state_dict(weights)
    outputs, _ = lstm(given.x, tuple(tensor.unsqueeze(0) for tensor in given.state))
    same(run(given).outputs, outputs, "no peephole", within=1e-14)


@pytest.mark.parametrize("name", ["ln_lstm", "ln_gru"])
def test_normalised_sums_know_no_scale_and_no_offset(name: str) -> None:
    """What the paper promises: all weights times a number, or moved by the same vector in all units, change nothing."""
    given = problem(CELLS[name])
    before = run(given).outputs
    with torch.no_grad():
        for weight in (given.cell.weight_ih, given.cell.weight_hh):
            weight.mul_(1000.0)  # so that 10⁻⁵ beside the variance is nothing
        large = run(given).outputs
        for weight in (given.cell.weight_ih, given.cell.weight_hh):
            weight.mul_(7.0).add_(torch.randn(weight.shape[1], dtype=torch.float64))
        moved = run(given).outputs
    same(moved, large, "another scale and offset", within=1e-8)
    same(large, before, "a larger scale", within=1e-3)


def test_layer_norm_in_the_lstm_is_that_of_torch() -> None:
    """The same step from torch's own parts: nn.LayerNorm, and nn.LSTMCell that has its sums as biases."""
    given = problem(LayerNormLSTMCell)
    cell, lstm = given.cell, nn.LSTMCell(1, H).double()
    norms = {}
    for name, size in (("ih", 4 * H), ("hh", 4 * H), ("ch", H)):
        norms[name] = nn.LayerNorm(size).double()
        norms[name].weight, norms[name].bias = getattr(cell, f"gain_{name}"), getattr(cell, f"bias_{name}")
    h, c = given.state
    outputs = []
    for x in given.x.unbind(1):
        sums = norms["ih"](x @ cell.weight_ih.T) + norms["hh"](h @ cell.weight_hh.T)
        zeros = {"weight_ih": torch.zeros(4 * H, 1), "weight_hh": torch.zeros(4 * H, H), "bias_hh": torch.zeros(4 * H)}
        zeros = {name: tensor.double() for name, tensor in zeros.items()}
        news = []
        for row in range(len(x)):
            one = (x.new_zeros(1), (h[row], c[row]))
            news.append(torch.func.functional_call(lstm, zeros | {"bias_ih": sums[row]}, one))
        (old_h, c) = (torch.stack(parts) for parts in zip(*news, strict=True))
        h = old_h / c.tanh() * norms["ch"](c).tanh()  # o ⊙ tanh(c) without its tanh(c)
        outputs.append(h)
    same(run(given).outputs, torch.stack(outputs, 1), "torch's own parts", within=1e-10)


def test_a_minimal_cell_is_a_mean_of_what_it_read() -> None:
    """With the gates at one half everywhere, the last of n steps counts 1/2, the one before 1/4, and so on."""
    for name, blocks in (("mingru", 1), ("minlstm", 2)):
        given = problem(CELLS[name])
        with torch.no_grad():
            given.cell.weight_ih[: blocks * H].zero_()
            given.cell.bias_ih[: blocks * H].zero_()
        candidates = given.cell.project(given.x)[..., blocks * H :]
        shares = 0.5 ** torch.arange(6, 0, -1, dtype=torch.float64)
        expected = (shares.view(1, -1, 1) * candidates).sum(1) + 0.5**6 * given.state.h
        same(run(given).state.h, expected, name)


def test_the_gates_of_minlstm_may_both_be_shut() -> None:
    """σ(−800) is 0 in every type; what remains of the state is still the share of one gate in both."""
    for dtype, engine in itertools.product((torch.float32, torch.float64), ("reference", fastest("minlstm"))):
        cell = CELLS["minlstm"](1, 2).to(dtype)  # type: ignore[call-arg]
        with torch.no_grad():
            cell.weight_ih.zero_()
            cell.bias_ih.copy_(torch.tensor([-800.0, -801.0, -800.0, -799.0, 0.0, 0.0]))
            state = scan(cell, torch.zeros(1, 1, 1, dtype=dtype), Hidden(torch.ones(1, 2, dtype=dtype)), engine=engine)
        same(state.state.h[0].double(), torch.sigmoid(torch.tensor([0.0, 2.0])).double(), engine, within=1e-6)


def test_parallel_is_two_cells_apart() -> None:
    given = problem(ParallelCell)
    apart = [
        scan(given.cell.lstm, given.x, given.state.lstm, Plan(), "reference"),
        scan(given.cell.gru, given.x, given.state.gru, Plan(), "reference"),
    ]
    share = torch.sigmoid(given.cell.mix)
    done = run(given)
    same(done.outputs, share * apart[0].outputs + (1 - share) * apart[1].outputs, "the mix")
    same(done.state.lstm.c, apart[0].state.c, "the LSTM goes on by itself")
    same(done.state.gru.h, apart[1].state.h, "the GRU goes on by itself")
    assert (ParallelCell(I, H).mix == 0).all(), "both count the same at first"


# First values.

FIRST_BIASES: dict[str, dict[int, float]] = {
    "rnn": {},
    "rnn_relu": {},
    "lstm": {1: 1.0},
    "gru": {1: 1.0},
    "coupled": {0: -1.0},
    "peephole": {1: 1.0},
    "ln_lstm": {1: 1.0},
    "ln_gru": {1: 1.0},
    "minlstm": {0: -1.0, 1: 1.0},
    "mingru": {0: -1.0},
    "lstm_gru": {1: -1.0},
    "lstm_gru_full": {1: 1.0, 5: -1.0},
}
BLOCKS = {"rnn": 1, "rnn_relu": 1, "lstm": 4, "gru": 3, "coupled": 3, "lstm_gru": 4, "lstm_gru_full": 6}
BLOCKS |= {"peephole": 4, "ln_lstm": 4, "ln_gru": 3, "minlstm": 3, "mingru": 2}


@pytest.mark.parametrize("name", FIRST_BIASES)
def test_first_weights(name: str) -> None:
    cell = CELLS[name](I, H)
    sums = (cell.bias_ih + (0.0 if cell.bias_hh is None else cell.bias_hh)).view(BLOCKS[name], H)
    for number in range(BLOCKS[name]):
        assert (sums[number] == FIRST_BIASES[name].get(number, 0.0)).all(), f"bias of block {number}"
    assert (cell.weight_hh is None) == (name in LINEAR)
    for block in () if cell.weight_hh is None else cell.weight_hh.detach().chunk(BLOCKS[name]):
        assert torch.allclose(block @ block.T, torch.eye(H), atol=1e-5), "recurrent blocks are orthogonal"
    limit = np.sqrt(6 / (I + H))
    for block in cell.weight_ih.detach().chunk(BLOCKS[name]):
        assert 0.5 * limit < block.abs().max() <= limit, "input blocks are Xavier-uniform"


def test_first_weights_of_parallel_and_relu() -> None:
    assert not PeepholeCell(I, H).weight_ch.any()
    for name in ("ln_lstm", "ln_gru"):
        assert all((gain == 1).all() for key, gain in CELLS[name](I, H).named_parameters() if key.startswith("gain"))
    cell = ParallelCell(I, H)
    assert (cell.lstm.bias_ih.chunk(4)[1] == 1).all()
    assert (cell.gru.bias_ih.chunk(3)[1] == 1).all()
    assert torch.equal(ReluRNNCell(I, H).weight_hh, torch.eye(H))


def test_parameter_counts() -> None:
    def count(name: str) -> int:
        return sum(parameter.numel() for parameter in CELLS[name](I, H).parameters())

    block = H * I + H * H + 2 * H
    more = {"peephole": 3 * H, "ln_lstm": (4 + 4 + 1 + 1) * H, "ln_gru": (3 + 3) * H}
    less = {name: BLOCKS[name] * (H * H + H) for name in LINEAR}
    counts = {name: count(name) - more.get(name, 0) + less.get(name, 0) for name in BLOCKS}
    assert {name: number / block for name, number in counts.items()} == BLOCKS
    assert count("lstm_gru") == count("lstm"), "the hybrid costs what an LSTM costs"
    assert count("parallel") == 7 * block + H


CHRONO: dict[str, dict[int, int]] = {
    "lstm": {0: -1, 1: +1},
    "gru": {1: +1},
    "coupled": {0: -1},
    "peephole": {0: -1, 1: +1},
    "ln_lstm": {0: -1, 1: +1},
    "ln_gru": {1: +1},
    "minlstm": {0: -1, 1: +1},
    "mingru": {0: -1},
    "lstm_gru": {1: -1},
    "lstm_gru_full": {0: -1, 1: +1},
}


@pytest.mark.parametrize("name", CHRONO)
def test_remember_draws_the_time_scales(name: str) -> None:
    cell, plain = CELLS[name](I, 1000), CELLS[name](I, 1000)
    cell.remember(101)
    blocks = dict(enumerate(cell.bias_ih.detach().chunk(BLOCKS[name])))
    scales = {number: (sign * blocks[number]).exp() for number, sign in CHRONO[name].items()}
    for number, scale in scales.items():
        assert scale.min() >= 1 - 1e-4 and scale.max() <= 100 * (1 + 1e-4), f"block {number}"
        assert abs(float(scale.mean()) - 50.5) < 4, "uniform from 1 to 100"
    assert len(scales) < 2 or torch.allclose(scales[0], scales[1]), "what is kept is not written"
    for number, block in blocks.items():
        if number not in scales:
            assert torch.equal(block, plain.bias_ih.detach().chunk(BLOCKS[name])[number]), "another gate's bias"


def test_remember_reaches_both_halves_of_parallel() -> None:
    cell = ParallelCell(I, H)
    cell.remember(50)
    assert not (cell.lstm.bias_ih.chunk(4)[1] == 1).all()
    assert not (cell.gru.bias_ih.chunk(3)[1] == 1).all()


@pytest.mark.parametrize("scale", [1, 2, 3])
def test_remember_takes_small_scales(scale: int) -> None:
    cell = LSTMCell(I, H)
    cell.remember(scale)
    assert cell.bias_ih.isfinite().all() and (cell.bias_ih.chunk(4)[1] <= np.log(2) + 1e-6).all()


def test_cells_print_their_sizes() -> None:
    assert repr(LSTMCell(3, 7)) == "LSTMCell(3, 7)"


def test_map_state_goes_into_tuples_and_leaves_none() -> None:
    given = problem(ParallelCell)
    doubled = map_state(lambda one, other: one + other, given.state, given.state)
    assert type(doubled) is type(given.state) and type(doubled.lstm) is HiddenAndMemory
    assert torch.equal(doubled.gru.h, 2 * given.state.gru.h)
    assert map_state(torch.zeros_like, None) is None
    assert len(state_tensors(given.state)) == 4
