"""The equations of the cells once more, in NumPy and by hand, without a line of the package.

Each takes the weights by name, the inputs x (T, I) of one sequence and the first state, and returns the
outputs (T, H) and the last state. Blocks are cut in the order that the design gives them.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Weights = dict[str, Array]
Oracle = Callable[[Weights, Array, list[Array]], tuple[Array, list[Array]]]


def sigmoid(x: Array) -> Array:
    return 1.0 / (1.0 + np.exp(-x))


def blocks(weights: Weights, count: int) -> list[tuple[Array, Array, Array, Array]]:
    """W (H, I), U (H, H) and their biases, block by block."""
    cut = {name: np.split(weights[name], count) for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
    return list(zip(cut["weight_ih"], cut["weight_hh"], cut["bias_ih"], cut["bias_hh"], strict=True))


def inputs_and_recurrences(weights: Weights, count: int, x: Array, h: Array) -> tuple[list[Array], list[Array]]:
    """``W x + b`` and ``U h + b`` of every block."""
    cut = blocks(weights, count)
    return [w @ x + b for w, _, b, _ in cut], [u @ h + b for _, u, _, b in cut]


def rnn(weights: Weights, x: Array, state: list[Array]) -> tuple[Array, list[Array]]:
    (h,), outputs = state, []
    for x_t in x:
        (w,), (u,) = inputs_and_recurrences(weights, 1, x_t, h)
        h = np.tanh(w + u)
        outputs.append(h)
    return np.stack(outputs), [h]


def rnn_relu(weights: Weights, x: Array, state: list[Array]) -> tuple[Array, list[Array]]:
    (h,), outputs = state, []
    for x_t in x:
        (w,), (u,) = inputs_and_recurrences(weights, 1, x_t, h)
        h = np.maximum(w + u, 0.0)
        outputs.append(h)
    return np.stack(outputs), [h]


def lstm(weights: Weights, x: Array, state: list[Array]) -> tuple[Array, list[Array]]:
    (h, c), outputs = state, []
    for x_t in x:
        w, u = inputs_and_recurrences(weights, 4, x_t, h)
        i, f, g, o = sigmoid(w[0] + u[0]), sigmoid(w[1] + u[1]), np.tanh(w[2] + u[2]), sigmoid(w[3] + u[3])
        c = f * c + i * g
        h = o * np.tanh(c)
        outputs.append(h)
    return np.stack(outputs), [h, c]


def gru(weights: Weights, x: Array, state: list[Array]) -> tuple[Array, list[Array]]:
    (h,), outputs = state, []
    for x_t in x:
        w, u = inputs_and_recurrences(weights, 3, x_t, h)
        r, z = sigmoid(w[0] + u[0]), sigmoid(w[1] + u[1])
        n = np.tanh(w[2] + r * u[2])
        h = (1.0 - z) * n + z * h
        outputs.append(h)
    return np.stack(outputs), [h]


def coupled(weights: Weights, x: Array, state: list[Array]) -> tuple[Array, list[Array]]:
    (h, c), outputs = state, []
    for x_t in x:
        w, u = inputs_and_recurrences(weights, 3, x_t, h)
        i, g, o = sigmoid(w[0] + u[0]), np.tanh(w[1] + u[1]), sigmoid(w[2] + u[2])
        c = (1.0 - i) * c + i * g
        h = o * np.tanh(c)
        outputs.append(h)
    return np.stack(outputs), [h, c]


def lstm_gru(weights: Weights, x: Array, state: list[Array]) -> tuple[Array, list[Array]]:
    (h, c), outputs = state, []
    for x_t in x:
        w, u = inputs_and_recurrences(weights, 4, x_t, h)
        reset, update, shown = sigmoid(w[0] + u[0]), sigmoid(w[1] + u[1]), sigmoid(w[3] + u[3])
        candidate = np.tanh(w[2] + reset * u[2])
        c = (1.0 - update) * c + update * candidate
        h = shown * np.tanh(c)
        outputs.append(h)
    return np.stack(outputs), [h, c]


def lstm_gru_full(weights: Weights, x: Array, state: list[Array]) -> tuple[Array, list[Array]]:
    (h, c), outputs = state, []
    for x_t in x:
        w, u = inputs_and_recurrences(weights, 6, x_t, h)
        i, f, o = sigmoid(w[0] + u[0]), sigmoid(w[1] + u[1]), sigmoid(w[3] + u[3])
        r, z = sigmoid(w[4] + u[4]), sigmoid(w[5] + u[5])
        candidate = np.tanh(w[2] + r * u[2])
        c = f * c + i * candidate
        h = (1.0 - z) * o * np.tanh(c) + z * h
        outputs.append(h)
    return np.stack(outputs), [h, c]


def peephole(weights: Weights, x: Array, state: list[Array]) -> tuple[Array, list[Array]]:
    (h, c), outputs = state, []
    p_i, p_f, p_o = np.split(weights["weight_ch"], 3)
    for x_t in x:
        w, u = inputs_and_recurrences(weights, 4, x_t, h)
        i, f = sigmoid(w[0] + u[0] + p_i * c), sigmoid(w[1] + u[1] + p_f * c)
        c = f * c + i * np.tanh(w[2] + u[2])
        h = sigmoid(w[3] + u[3] + p_o * c) * np.tanh(c)
        outputs.append(h)
    return np.stack(outputs), [h, c]


def normal(v: Array, gain: Array, bias: Array) -> Array:
    return gain * (v - v.mean()) / np.sqrt(((v - v.mean()) ** 2).mean() + 1e-5) + bias


def ln_lstm(weights: Weights, x: Array, state: list[Array]) -> tuple[Array, list[Array]]:
    (h, c), outputs = state, []
    for x_t in x:
        a = normal(weights["weight_ih"] @ x_t, weights["gain_ih"], weights["bias_ih"])
        a = a + normal(weights["weight_hh"] @ h, weights["gain_hh"], weights["bias_hh"])
        i, f, g, o = np.split(a, 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(normal(c, weights["gain_ch"], weights["bias_ch"]))
        outputs.append(h)
    return np.stack(outputs), [h, c]


def ln_gru(weights: Weights, x: Array, state: list[Array]) -> tuple[Array, list[Array]]:
    (h,), outputs, n = state, [], 2 * len(state[0])

    def sums(which: str, v: Array) -> tuple[Array, Array]:
        a, gain, bias = weights[f"weight_{which}"] @ v, weights[f"gain_{which}"], weights[f"bias_{which}"]
        return normal(a[:n], gain[:n], bias[:n]), normal(a[n:], gain[n:], bias[n:])

    for x_t in x:
        (x_gates, x_n), (h_gates, h_n) = sums("ih", x_t), sums("hh", h)
        r, z = np.split(sigmoid(x_gates + h_gates), 2)
        h = (1.0 - z) * np.tanh(x_n + r * h_n) + z * h
        outputs.append(h)
    return np.stack(outputs), [h]


def minlstm(weights: Weights, x: Array, state: list[Array]) -> tuple[Array, list[Array]]:
    (h,), outputs = state, []
    for x_t in x:
        i, f, n = np.split(weights["weight_ih"] @ x_t + weights["bias_ih"], 3)
        i, f = sigmoid(i), sigmoid(f)
        h = f / (f + i) * h + i / (f + i) * n
        outputs.append(h)
    return np.stack(outputs), [h]


def mingru(weights: Weights, x: Array, state: list[Array]) -> tuple[Array, list[Array]]:
    (h,), outputs = state, []
    for x_t in x:
        z, n = np.split(weights["weight_ih"] @ x_t + weights["bias_ih"], 2)
        h = (1.0 - sigmoid(z)) * h + sigmoid(z) * n
        outputs.append(h)
    return np.stack(outputs), [h]


def parallel(weights: Weights, x: Array, state: list[Array]) -> tuple[Array, list[Array]]:
    def of(part: str) -> Weights:
        return {name.removeprefix(part): value for name, value in weights.items() if name.startswith(part)}

    _, h_lstm, c_lstm, h_gru = state
    ours, first = lstm(of("lstm."), x, [h_lstm, c_lstm])
    theirs, second = gru(of("gru."), x, [h_gru])
    m = sigmoid(weights["mix"])
    outputs = m * ours + (1.0 - m) * theirs
    return outputs, [outputs[-1], *first, *second]


def reservoir(weights: Weights, x: Array, state: list[Array]) -> tuple[Array, list[Array]]:
    (h,), outputs, a = state, [], weights["leak"]
    for x_t in x:
        drive = weights["input_scaling"] * (weights["weight_ih"] @ x_t) + weights["bias_ih"]
        h = (1.0 - a) * h + a * np.tanh(drive + weights["spectral_radius"] * (weights["weight_hh"] @ h))
        outputs.append(h)
    return np.stack(outputs), [h]


ORACLES: dict[str, Oracle] = {
    "rnn": rnn,
    "rnn_relu": rnn_relu,
    "lstm": lstm,
    "gru": gru,
    "coupled": coupled,
    "peephole": peephole,
    "ln_lstm": ln_lstm,
    "ln_gru": ln_gru,
    "minlstm": minlstm,
    "mingru": mingru,
    "lstm_gru": lstm_gru,
    "lstm_gru_full": lstm_gru_full,
    "parallel": parallel,
    "reservoir": reservoir,
}
