"""What a stack remembers, against finite differences, recomputed gates and numbers by hand."""

import numpy as np
import pytest
import torch
from torch import Tensor

from recurra.cells import CELLS, GRUCell, LSTMCell
from recurra.errors import ConfigError
from recurra.nn.explain import (
    gate_traces,
    gradient_through_time,
    half_life,
    kept_shares,
    memory_length,
)
from recurra.nn.layers import Recurrent, Regularisers


def stack(*layers: list[str], **options: object) -> Recurrent:
    """Return a float64 stack of 3 units per cell over 2 inputs, from the names of its cells."""
    torch.manual_seed(0)
    sizes = [2, *[3 * len(layer) for layer in layers]]
    cells = [[CELLS[name](size, 3) for name in layer] for layer, size in zip(layers, sizes, strict=False)]
    return Recurrent(cells, **options).double()  # type: ignore[arg-type]


def inputs(batch: int = 3, steps: int = 5) -> Tensor:
    return torch.randn(batch, steps, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def slopes(recurrent: Recurrent, x: Tensor, width: float = 1e-6) -> np.ndarray:
    """Return by finite differences what ``gradient_through_time`` returns by autograd."""
    gradient = torch.zeros_like(x)
    for place in np.ndindex(*x.shape):
        moved = [x.clone(), x.clone()]
        moved[0][place] += width
        moved[1][place] -= width
        up, down = (recurrent(m).outputs[place[0], -1].norm() for m in moved)
        gradient[place] = (up - down) / (2 * width)
    return gradient.norm(dim=-1).mean(0).numpy()


@pytest.mark.parametrize(
    "layers", [(["lstm"],), (["gru", "gru"],), (["lstm_gru"], ["parallel"]), (["rnn", "coupled"], ["lstm_gru_full"])]
)
def test_gradient_through_time_is_the_slope(layers):
    recurrent, x = stack(*layers), inputs()
    with torch.no_grad():
        expected = slopes(recurrent, x)
    found = gradient_through_time(recurrent, x)
    assert found.shape == (5,)
    assert (found > 0).all() or "gru" in layers[0]
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9)


def test_gradient_through_time_leaves_the_model_as_it_was():
    recurrent = stack(["lstm"], ["lstm"], regularisers=Regularisers(dropout=0.5)).train()
    recurrent.layers[1].eval()
    x = inputs()
    modes = [part.training for part in recurrent.modules()]
    with torch.inference_mode():
        first = gradient_through_time(recurrent, x)
    assert [part.training for part in recurrent.modules()] == modes
    assert all(parameter.grad is None for parameter in recurrent.parameters())
    assert not x.requires_grad
    np.testing.assert_array_equal(first, gradient_through_time(recurrent, x))  # no dropout in it


def test_gradient_through_time_shows_where_training_is_cut():
    found = gradient_through_time(stack(["gru"], truncate=2), inputs())
    assert found[:4] == pytest.approx(0, abs=0)
    assert found[4] > 0


def test_gate_traces_are_the_gates_of_the_first_sequence():
    recurrent, x = stack(["lstm", "gru"], ["coupled"]), inputs()
    read = recurrent(x, record=True)
    traces = gate_traces(read)
    assert list(traces) == [
        *(f"layer 1 · forwards · {name}" for name in ("input", "forget", "candidate", "output")),
        *(f"layer 1 · backwards · {name}" for name in ("reset", "update", "candidate")),
        *(f"layer 2 · {name}" for name in ("input", "candidate", "output")),
    ]
    forwards, backwards = recurrent.cells()[:2]
    assert isinstance(forwards, LSTMCell)
    assert isinstance(backwards, GRUCell)
    lstm, gru = forwards.initial(3), backwards.initial(3)
    for t in range(5):
        gates = forwards.gates(forwards.project(x[:, t]), lstm)
        np.testing.assert_allclose(traces["layer 1 · forwards · forget"][t], gates["forget"][0].detach())
        lstm = forwards.step(forwards.project(x[:, t]), lstm)
    for t in reversed(range(5)):
        gates = backwards.gates(backwards.project(x[:, t]), gru)
        np.testing.assert_allclose(traces["layer 1 · backwards · update"][t], gates["update"][0].detach())
        gru = backwards.step(backwards.project(x[:, t]), gru)


def test_gate_traces_need_recorded_gates():
    with pytest.raises(ConfigError, match="record=True"):
        gate_traces(stack(["lstm"])(inputs()))


@pytest.mark.parametrize("name", ["lstm", "gru", "coupled", "lstm_gru", "lstm_gru_full"])
def test_kept_share_is_the_slope_of_memory(name):
    """Without recurrent weights, the memory's path from step to step is the gate on it and nothing else."""
    recurrent, x = stack([name]), inputs()[:1, :1]
    cell = recurrent.cells()[0]
    torch.nn.init.zeros_(cell.weight_hh)  # type: ignore[arg-type]
    memory = torch.full((1, 3), 0.3, dtype=torch.float64, requires_grad=True)
    before = cell.initial(1)
    before = before._replace(**{before._fields[-1]: memory})
    after = cell.step(cell.project(x[:, 0]), before)[-1]
    (slope,) = torch.autograd.grad(after.sum(), memory)
    shares = kept_shares(gate_traces(recurrent(x, record=True)))
    np.testing.assert_allclose(shares["layer 1"][0], slope[0], rtol=1e-9)


@pytest.mark.parametrize("name", CELLS)
def test_every_cell_has_a_memory_length_or_none(name):
    named = {"rnn": [], "rnn_relu": [], "reservoir": [], "parallel": ["layer 1 · lstm", "layer 1 · gru"]}
    table = memory_length(gate_traces(stack([name])(inputs(), record=True)))
    assert list(table.index) == named.get(name, ["layer 1"])


def test_half_life_by_hand():
    kept = np.array([[0.5, 0.25, 1.0, 0.9, 0.0], [0.5, 1.0, 1.0, 0.9, 0.5]])
    # ¼ in two steps is ½ per step; 0.9^6.5788 = ½.
    np.testing.assert_allclose(half_life(kept), [1.0, 1.0, np.inf, 6.5788134, 0.0])


def test_memory_length_has_a_row_per_cell():
    half = np.full((4, 10), 0.5)
    quarter = np.full((4, 10), 0.75)
    traces = {
        "layer 1 · forget": half,
        "layer 1 · output": quarter,
        "layer 2 · update": quarter,
        "layer 2 · output": half,
        "layer 3 · candidate": half,
    }
    table = memory_length(traces)
    assert list(table.index) == ["layer 1", "layer 2"]  # a plain cell has no gate on its memory
    assert table.loc["layer 1"].tolist() == [1.0, 1.0, 1.0]
    assert table.loc["layer 2", "median unit"] == pytest.approx(0.5)  # writes ¾, so keeps ¼


def test_memory_length_bears_units_that_never_forget():
    traces = {"layer 1 · forget": np.ones((3, 4)), "layer 2 · forget": np.array([[0.5, 1.0]])}
    table = memory_length(traces)
    assert np.isinf(table.loc["layer 1"]).all()
    assert table.loc["layer 2", "shortest 10 %"] == 1.0
    assert memory_length({"layer 1 · candidate": np.ones((3, 4))}).empty
