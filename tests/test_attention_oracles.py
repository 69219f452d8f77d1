"""Each attention against something that is not ours: torch, entmax, loops over the paper's formula, or a hand.

Shapes: B batch, Q queries, T steps, D query width, K key width.
"""

from collections.abc import Callable, Iterator
from math import cos, exp, isclose, log, sqrt, tanh
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from recurra.attention import ATTENTIONS, NORMALISERS, Attention
from recurra.attention.monotonic import arrivals

B, Q, T, D, K = 3, 4, 6, 5, 8
LENGTHS = [6, 4, 1]
Row = list[float]


def make(name: str, query_size: int, **options: Any) -> Attention:
    torch.manual_seed(3)
    attention = ATTENTIONS[name](query_size, K, **options).double()
    with torch.no_grad():
        for parameter in attention.parameters():  # biases too, so that none can be forgotten
            parameter.add_(torch.randn_like(parameter) * 0.5)
    return attention


def question(query_size: int) -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(4)
    query = torch.randn(B, Q, query_size, dtype=torch.float64)
    states = torch.randn(B, T, K, dtype=torch.float64)
    return query, states, torch.arange(T) < torch.tensor(LENGTHS).unsqueeze(1)


def check(
    attention: Attention, query: Tensor, states: Tensor, mask: Tensor, weights: Tensor, values: Tensor | None = None
) -> None:
    """The expected weights come back, and the context is the sum of the values, if not the states, under them."""
    got = attention(query, attention.project(states, mask))
    states = states if values is None else values
    torch.testing.assert_close(got.weights, weights, rtol=1e-10, atol=1e-12)
    for b in range(B):
        for q in range(Q):
            total = sum(weights[b, q, j] * states[b, j] for j in range(T))
            torch.testing.assert_close(got.context[b, q], total, rtol=1e-10, atol=1e-12)


# Plain numbers: formulas are written with these, element by element.


def inner(u: Row, v: Row) -> float:
    return sum(a * b for a, b in zip(u, v, strict=True))


def times(matrix: list[Row], x: Row) -> Row:
    return [inner(row, x) for row in matrix]


def plus(*terms: Row) -> Row:
    return [sum(parts) for parts in zip(*terms, strict=True)]


def tanhs(x: Row) -> Row:
    return [tanh(value) for value in x]


def sigmoid(x: float) -> float:
    return 1 / (1 + exp(-x))


def softmax_over(scores: dict[int, float]) -> Row:
    """The softmax of the scores that are there; zero elsewhere."""
    total = sum(exp(e) for e in scores.values())
    return [exp(scores[j]) / total if j in scores else 0.0 for j in range(T)]


def numbers(attention: Attention) -> dict[str, Any]:
    return {name: value.tolist() for name, value in attention.state_dict().items()}


def by_loops(query: Tensor, states: Tensor, row: Callable[[int, Row, list[Row], Row | None], Row]) -> Tensor:
    """Weights from ``row(t, s, h, previous)``, which sees only the steps within the length."""
    weights = []
    for b in range(B):
        previous: Row | None = None
        rows = []
        for t in range(Q):
            previous = row(t, query[b, t].tolist(), states[b, : LENGTHS[b]].tolist(), previous)
            rows.append(previous)
        weights.append(rows)
    return torch.tensor(weights, dtype=torch.float64)


# Scores of content


def test_dot_is_unscaled_attention_of_torch() -> None:
    query, states, mask = question(K)
    attention = make("dot", K)
    eye = torch.eye(T, dtype=torch.float64).expand(B, T, T)  # as values, so that the weights come out
    weights = F.scaled_dot_product_attention(query, states, eye, mask.unsqueeze(1), scale=1.0)
    check(attention, query, states, mask, weights)


def test_dot_by_hand() -> None:
    """Two keys that score log 1 and log 3 get a quarter and three quarters."""
    attention = ATTENTIONS["dot"](1, 1)
    states = torch.tensor([[[0.0], [torch.log(torch.tensor(3.0))]]])
    got = attention(torch.ones(1, 1, 1), attention.project(states))
    torch.testing.assert_close(got.weights, torch.tensor([[[0.25, 0.75]]]))


def test_scaled_dot_is_attention_of_torch() -> None:
    query, states, mask = question(K)
    attention = make("scaled_dot", K)
    got = attention(query, attention.project(states, mask))
    context = F.scaled_dot_product_attention(query, states, states, mask.unsqueeze(1))
    torch.testing.assert_close(got.context, context, rtol=1e-10, atol=1e-12)
    eye = torch.eye(T, dtype=torch.float64).expand(B, T, T)
    check(attention, query, states, mask, F.scaled_dot_product_attention(query, states, eye, mask.unsqueeze(1)))


def test_general_is_a_bilinear_form_of_torch() -> None:
    query, states, mask = question(D)
    attention = make("general", D)
    bilinear = nn.Bilinear(K, D, 1, bias=False).double()
    bilinear.weight.data = attention.state_dict()["query.weight"].unsqueeze(0)
    left = states.unsqueeze(1).expand(B, Q, T, K).contiguous()
    right = query.unsqueeze(2).expand(B, Q, T, D).contiguous()
    scores = bilinear(left, right).squeeze(-1).masked_fill(~mask.unsqueeze(1), -torch.inf)
    check(attention, query, states, mask, scores.softmax(-1).detach())


def scored(energy: Callable[[Row, Row], float]) -> Callable[[int, Row, list[Row], Row | None], Row]:
    """The softmax of ``energy(s, h_j)`` as a row of ``by_loops``."""

    def row(t: int, s: Row, h: list[Row], previous: Row | None) -> Row:
        return softmax_over({j: energy(s, step) for j, step in enumerate(h)})

    return row


def test_scaled_general_by_loops() -> None:
    query, states, mask = question(D)
    attention = make("scaled_general", D)
    p = numbers(attention)
    assert p["gain"] not in (0.0, 1.0)

    def energy(s: Row, h: Row) -> float:
        return p["gain"] * inner(h, times(p["query.weight"], s))

    check(attention, query, states, mask, by_loops(query, states, scored(energy)))
    assert ATTENTIONS["scaled_general"](D, K).state_dict()["gain"] == 1.0


def test_tanh_dot_by_loops() -> None:
    query, states, mask = question(D)
    attention = make("tanh_dot", D)
    p = numbers(attention)
    check(
        attention,
        query,
        states,
        mask,
        by_loops(query, states, scored(lambda s, h: inner(s, tanhs(times(p["key.weight"], h))))),
    )


def test_linear_by_loops() -> None:
    """The whole formula: whatever the weights of the query alone and the bias are, they change nothing."""
    query, states, mask = question(K)
    attention = make("linear", K)
    p = numbers(attention)
    whole = [*torch.randn(K).tolist(), *p["key"], *p["product"]]

    def energy(s: Row, h: Row) -> float:
        return inner(whole, [*s, *h, *[a * b for a, b in zip(s, h, strict=True)]]) + 0.7

    check(attention, query, states, mask, by_loops(query, states, scored(energy)))


@pytest.mark.parametrize("width", [None, 3])
def test_additive_by_loops(width: int | None) -> None:
    query, states, mask = question(D)
    attention = make("additive", D, attention_size=width)
    p = numbers(attention)

    def energy(s: Row, h: Row) -> float:
        return inner(p["energy.weight"][0], tanhs(plus(times(p["query.weight"], s), times(p["key.weight"], h))))

    check(attention, query, states, mask, by_loops(query, states, scored(energy)))


@pytest.mark.parametrize("width", [None, 3])
def test_normed_additive_by_loops(width: int | None) -> None:
    query, states, mask = question(D)
    attention = make("normed_additive", D, attention_size=width)
    p = numbers(attention)
    length = sqrt(inner(p["direction"], p["direction"]))

    def energy(s: Row, h: Row) -> float:
        hidden = tanhs(plus(times(p["query.weight"], s), times(p["key.weight"], h), p["key.bias"]))
        return p["gain"] * inner(p["direction"], hidden) / length

    check(attention, query, states, mask, by_loops(query, states, scored(energy)))
    first = ATTENTIONS["normed_additive"](D, K, attention_size=width).state_dict()["gain"]
    torch.testing.assert_close(float(first), 1 / sqrt(width or K))


@pytest.mark.parametrize("width", [None, 3])
def test_key_value_by_loops(width: int | None) -> None:
    """Units 0, 2, 4, .. are keys, and of the query those that ask; units 1, 3, 5, .. are values."""
    query, states, mask = question(D)
    attention = make("key_value", D, attention_size=width)
    p = numbers(attention)
    assert len(p["key.weight"]) == (width or K // 2)

    def energy(s: Row, h: Row) -> float:
        asked, key = [s[0], s[2], s[4]], [h[0], h[2], h[4], h[6]]
        return inner(p["energy.weight"][0], tanhs(plus(times(p["query.weight"], asked), times(p["key.weight"], key))))

    values = states[..., [1, 3, 5, 7]]
    check(attention, query, states, mask, by_loops(query, states, scored(energy)), values)


def test_cosine_is_the_similarity_of_torch_times_a_strength() -> None:
    query, states, mask = question(K)
    attention = make("cosine", K)
    p = attention.state_dict()
    strength = torch.log1p(torch.exp(query @ p["strength.weight"][0] + p["strength.bias"])).unsqueeze(-1)
    scores = strength * F.cosine_similarity(query.unsqueeze(2), states.unsqueeze(1), dim=-1)
    check(attention, query, states, mask, scores.masked_fill(~mask.unsqueeze(1), -torch.inf).softmax(-1))


def test_cosine_by_hand() -> None:
    """Angles of 0 and 60 degrees at any length, strength log 2 from zero weights: scores log 2 and log 2 / 2."""
    attention = ATTENTIONS["cosine"](2, 2).double()
    for parameter in attention.parameters():
        nn.init.zeros_(parameter)
    half = cos(torch.pi / 3)
    states = torch.tensor([[[0.5, 0.0], [8 * half, 8 * sqrt(3) / 2]]], dtype=torch.float64)
    got = attention(torch.tensor([[[3.0, 0.0]]], dtype=torch.float64), attention.project(states))
    expected = torch.tensor([[[2.0, sqrt(2.0)]]], dtype=torch.float64) / (2 + sqrt(2.0))
    torch.testing.assert_close(got.weights, expected)


@pytest.mark.parametrize("heads", [1, 2, 8])
@pytest.mark.parametrize("padded", [False, True])
def test_multi_head_is_that_of_torch(heads: int, padded: bool) -> None:
    query, states, mask = question(K)
    attention = make("multi_head", K, heads=heads)
    theirs = nn.MultiheadAttention(K, heads, batch_first=True).double()
    own = attention.state_dict()
    parts = ("query", "key", "value")
    theirs.load_state_dict(
        {
            "in_proj_weight": torch.cat([own[f"{part}.weight"] for part in parts]),
            "in_proj_bias": torch.cat([own[f"{part}.bias"] for part in parts]),
            "out_proj.weight": own["out.weight"],
            "out_proj.bias": own["out.bias"],
        }
    )
    leaves = [(query.clone().requires_grad_(), states.clone().requires_grad_()) for _ in range(2)]
    got = attention(leaves[0][0], attention.project(leaves[0][1], mask if padded else None))
    padding = ~mask if padded else None
    context, weights = theirs(
        leaves[1][0], leaves[1][1], leaves[1][1], key_padding_mask=padding, average_attn_weights=False
    )
    torch.testing.assert_close(got.context, context, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(got.weights, weights, rtol=1e-10, atol=1e-12)
    got.context.pow(2).sum().backward()
    context.pow(2).sum().backward()
    for ours, other in zip(*leaves, strict=True):
        torch.testing.assert_close(ours.grad, other.grad, rtol=1e-9, atol=1e-11)
    gradient = torch.cat([attention.get_submodule(part).weight.grad for part in parts])
    torch.testing.assert_close(gradient, theirs.in_proj_weight.grad, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("heads", [1, 2, 8])
def test_interpretable_multi_head_by_loops(heads: int) -> None:
    """The mean weight of all heads over values that are the same for all of them (Lim et al., equations 13 to 16)."""
    query, states, mask = question(D)
    attention = make("interpretable_multi_head", D, heads=heads)
    p, width = numbers(attention), K // heads
    got = attention(query, attention.project(states, mask))

    def mapped(name: str, x: Row) -> Row:
        return plus(times(p[f"{name}.weight"], x), p[f"{name}.bias"])

    for b in range(B):
        known = [j for j in range(T) if mask[b, j]]
        for q in range(Q):
            mean = [0.0] * T
            for n in range(heads):
                part = slice(n * width, (n + 1) * width)
                s = mapped("query", query[b, q].tolist())[part]
                keys = {j: mapped("key", states[b, j].tolist())[part] for j in known}
                weights = softmax_over({j: inner(s, key) / sqrt(width) for j, key in keys.items()})
                torch.testing.assert_close(got.weights[b, n, q], torch.tensor(weights, dtype=torch.float64))
                mean = plus(mean, [weight / heads for weight in weights])
            values = {j: mapped("value", states[b, j].tolist()) for j in known}
            seen = plus(*([mean[j] * value for value in values[j]] for j in known))
            expected = torch.tensor(mapped("out", seen), dtype=torch.float64)
            torch.testing.assert_close(got.context[b, q], expected, rtol=1e-10, atol=1e-12)


# Scores with position or history


@pytest.mark.parametrize("window", [1, 2, 10])
def test_local_m_by_loops(window: int) -> None:
    query, states, mask = question(D)
    attention = make("local_m", D, window=window)
    p = numbers(attention)

    def row(t: int, s: Row, h: list[Row], previous: Row | None) -> Row:
        mapped = times(p["general.query.weight"], s)
        near = {j: inner(step, mapped) for j, step in enumerate(h) if t - window <= j <= t + window}
        return softmax_over(near)

    weights = by_loops(query, states, row)
    assert window > 2 or (weights[2, 3] == 0).all()  # the fourth query, window 2, lies beyond the only step
    check(attention, query, states, mask, weights)


@pytest.mark.parametrize("window", [1, 2, 10])
def test_local_p_by_loops(window: int) -> None:
    query, states, mask = question(D)
    attention = make("local_p", D, window=window, attention_size=3)
    p = numbers(attention)

    def row(t: int, s: Row, h: list[Row], previous: Row | None) -> Row:
        centre = len(h) * sigmoid(inner(p["position.weight"][0], tanhs(times(p["where.weight"], s))))
        mapped = times(p["general.query.weight"], s)
        near = {j: inner(step, mapped) for j, step in enumerate(h) if abs(j + 1 - centre) <= window}
        sigma = window / 2
        fade = [exp(-((j + 1 - centre) ** 2) / (2 * sigma**2)) for j in range(T)]
        return [a * g for a, g in zip(softmax_over(near), fade, strict=True)]

    check(attention, query, states, mask, by_loops(query, states, row))


@pytest.mark.parametrize("kernel_size", [1, 3, 15])
def test_location_aware_by_loops(kernel_size: int) -> None:
    query, states, mask = question(D)
    attention = make("location_aware", D, kernel_size=kernel_size, filters=2, attention_size=3)
    p = numbers(attention)
    reach = kernel_size // 2

    def row(t: int, s: Row, h: list[Row], previous: Row | None) -> Row:
        before = previous or [0.0] * T

        def feature(j: int) -> Row:
            near = [before[i] if 0 <= i < T else 0.0 for i in range(j - reach, j + reach + 1)]
            return [inner(taps[0], near) for taps in p["location.weight"]]

        def energy(j: int, step: Row) -> float:
            mapped = plus(times(p["query.weight"], s), times(p["key.weight"], step), p["key.bias"])
            return inner(p["energy.weight"][0], tanhs(plus(mapped, times(p["feature.weight"], feature(j)))))

        return softmax_over({j: energy(j, step) for j, step in enumerate(h)})

    check(attention, query, states, mask, by_loops(query, states, row))


def test_coverage_by_loops() -> None:
    query, states, mask = question(D)
    attention = make("coverage", D, attention_size=3)
    p = numbers(attention)
    covered: list[Row] = []

    def row(t: int, s: Row, h: list[Row], previous: Row | None) -> Row:
        if previous is None:
            covered.clear()
        covered.append(previous or [0.0] * T)

        def energy(j: int, step: Row) -> float:
            so_far = [w[0] * sum(one[j] for one in covered) for w in p["covered.weight"]]
            mapped = plus(times(p["query.weight"], s), times(p["key.weight"], step), p["key.bias"])
            return inner(p["energy.weight"][0], tanhs(plus(mapped, so_far)))

        return softmax_over({j: energy(j, step) for j, step in enumerate(h)})

    check(attention, query, states, mask, by_loops(query, states, row))


def stopping_chances(attention: Attention, query: Tensor, states: Tensor) -> list[list[Row]]:
    """p[b][t][j] of the monotonic walk, within the length."""
    p = numbers(attention)
    size = sqrt(inner(p["direction"], p["direction"]))

    def chance(s: Row, step: Row) -> float:
        hidden = tanhs(plus(times(p["query.weight"], s), times(p["key.weight"], step), p["key.bias"]))
        return sigmoid(p["gain"] * inner(p["direction"], hidden) / size + p["offset"])

    return [
        [[chance(s.tolist(), step.tolist()) for step in states[b, : LENGTHS[b]]] for s in query[b]] for b in range(B)
    ]


def walks(chances: list[Row], at: int = 0) -> Iterator[tuple[list[int], float]]:
    """Every way the queries can stop, as the steps they stop at, with its probability."""
    if not chances:
        yield [], 1.0
        return
    going = 1.0
    for j in range(at, len(chances[0])):
        for rest, probability in walks(chances[1:], j):
            yield [j, *rest], going * chances[0][j] * probability
        going *= 1 - chances[0][j]
    yield [], going  # walked off the end: this query and those after it stop nowhere


def test_monotonic_is_the_sum_over_all_walks() -> None:
    query, states, mask = question(D)
    attention = make("monotonic", D, attention_size=3)
    weights = torch.zeros(B, Q, T, dtype=torch.float64)
    for b, chances in enumerate(stopping_chances(attention, query, states)):
        everything = 0.0
        for stops, probability in walks(chances):
            everything += probability
            for t, j in enumerate(stops):
                weights[b, t, j] += probability
        assert isclose(everything, 1.0)
    check(attention, query, states, mask, weights)


def test_monotonic_by_hand() -> None:
    """Stopping with chance 1/2 everywhere: 1/2, 1/4, 1/8, then each spreads on again."""
    attention = make("monotonic", D)
    nn.init.zeros_(attention.get_parameter("gain"))
    nn.init.zeros_(attention.get_parameter("offset"))
    got = attention(torch.zeros(1, 2, D).double(), attention.project(torch.zeros(1, 3, K).double()))
    expected = torch.tensor([[[1 / 2, 1 / 4, 1 / 8], [1 / 4, 1 / 4, 3 / 16]]], dtype=torch.float64)
    torch.testing.assert_close(got.weights, expected)


def test_gaussian_windows_by_loops() -> None:
    query, states, mask = question(D)
    attention = make("gaussian", D, attention_size=3)
    p = numbers(attention)
    middles: list[Row] = []

    def softplus(x: float) -> float:
        return log(1 + exp(x))

    def row(t: int, s: Row, h: list[Row], previous: Row | None) -> Row:
        said = plus(
            times(p["windows.weight"], tanhs(plus(times(p["query.weight"], s), p["query.bias"]))), p["windows.bias"]
        )
        shares, ahead, wide = said[:3], said[3:6], said[6:]
        middles[:] = [[0.0] * 3] if previous is None else middles
        middles.append([before + softplus(d) for before, d in zip(middles[-1], ahead, strict=True)])
        found = []
        for j in range(len(h)):
            windows = zip(shares, middles[-1], wide, strict=True)
            found.append(
                sum(exp(w) / softplus(x) * exp(-((j - u) ** 2) / (2 * softplus(x) ** 2)) for w, u, x in windows)
            )
        return [*(one / sum(found) for one in found), *[0.0] * (T - len(h))]

    check(attention, query, states, mask, by_loops(query, states, row))


def test_gaussian_windows_begin_near_the_first_steps_and_stay_within() -> None:
    attention = ATTENTIONS["gaussian"](D, K).double()
    nn.init.zeros_(attention.get_parameter("windows.weight"))
    states = torch.zeros(1, 9, K).double()
    got = attention(torch.zeros(1, 40, D).double(), attention.project(states))
    assert got.weights[0, :5].argmax(-1).tolist() == [1, 2, 3, 4, 5]  # by 1 step at each query
    torch.testing.assert_close(got.weights.sum(-1), torch.ones(1, 40).double())  # beyond the last step, too
    assert got.weights[0, -1].argmax() == 8


@pytest.mark.parametrize("steps", [1, 2, 3, 7, 8, 33])
def test_arrivals_is_its_recurrence_also_where_nobody_walks_on(steps: int) -> None:
    torch.manual_seed(steps)
    walk, start = torch.rand(2, steps).double(), torch.rand(2, steps).double()
    walk[0, ::3], walk[1, ::2] = 0.0, 1.0
    expected = start.clone()
    for j in range(1, steps):
        expected[:, j] += walk[:, j - 1] * expected[:, j - 1]
    torch.testing.assert_close(arrivals(walk, start), expected, rtol=1e-12, atol=1e-12)


def test_monotonic_is_certain_where_scores_are_extreme() -> None:
    """A score of 1e4 stops there, one of -1e4 walks past, in float32, with finite gradients."""
    attention = ATTENTIONS["monotonic"](1, 1)
    with torch.no_grad():
        for name, value in {"query.weight": 0.0, "key.weight": 1.0, "key.bias": 0.0}.items():
            attention.get_parameter(name).fill_(value)
        for name, value in {"direction": 1.0, "gain": 1e4, "offset": 0.0}.items():
            attention.get_parameter(name).fill_(value)
    states = torch.tensor([[[-9.0], [-9.0], [9.0], [9.0], [-9.0]]], requires_grad=True)
    got = attention(torch.zeros(1, 3, 1), attention.project(states))
    assert torch.equal(got.weights, torch.tensor([0.0, 0.0, 1.0, 0.0, 0.0]).expand(1, 3, 5))
    got.context.sum().backward()
    assert states.grad is not None and states.grad.isfinite().all()


# Normalisers


def by_bisection(scores: Row, weight: Callable[[float, float], float]) -> Row:
    """Weights ``weight(e, t)`` with the threshold t at which they sum to 1."""
    low, high = min(scores) - 2.0, max(scores)
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if sum(weight(e, middle) for e in scores) > 1 else (low, middle)
    return [weight(e, low) for e in scores]


FORMULAS: dict[str, Callable[[Row], Row]] = {
    "softmax": lambda scores: [exp(e) / sum(map(exp, scores)) for e in scores],
    "sparsemax": lambda scores: by_bisection(scores, lambda e, t: max(0.0, e - t)),
    "entmax": lambda scores: by_bisection(scores, lambda e, t: max(0.0, e / 2 - t) ** 2),
}


def need(kind: str) -> None:
    if kind != "softmax":
        pytest.importorskip("entmax")


@pytest.mark.parametrize("kind", NORMALISERS)
@pytest.mark.parametrize("shift", [0.0, 1e4, -1e4])
def test_normaliser_is_its_formula_among_the_allowed(kind: str, shift: float) -> None:
    need(kind)
    torch.manual_seed(1)
    scores = torch.randn(40, 7, dtype=torch.float64)
    mask = torch.rand(40, 7) < 0.6
    mask[:3] = torch.tensor([[True] * 7, [True] + [False] * 6, [False] * 7])
    weights = NORMALISERS[kind](scores + shift, mask)
    assert (weights[~mask] == 0).all()
    for row, score, allowed in zip(weights, scores, mask, strict=True):
        if allowed.any():
            expected = torch.tensor(FORMULAS[kind](score[allowed].tolist()), dtype=torch.float64)
            torch.testing.assert_close(row[allowed], expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("kind", ["sparsemax", "entmax"])
def test_normaliser_is_the_package_entmax_in_values_and_gradients(kind: str) -> None:
    entmax = pytest.importorskip("entmax")
    theirs = {"sparsemax": entmax.sparsemax, "entmax": entmax.entmax15}[kind]
    torch.manual_seed(2)
    scores = torch.randn(5, 9, dtype=torch.float64, requires_grad=True)
    aim = torch.randn(5, 9, dtype=torch.float64)
    kept = torch.tensor([True, False, True, True, False, True, True, True, False])
    short = scores.detach()[:, kept].requires_grad_()
    (theirs(short, dim=-1) * aim[:, kept]).sum().backward()
    (NORMALISERS[kind](scores, kept) * aim).sum().backward()
    torch.testing.assert_close(NORMALISERS[kind](scores, None), theirs(scores, dim=-1))
    torch.testing.assert_close(NORMALISERS[kind](scores, kept)[:, kept], theirs(short, dim=-1))
    assert scores.grad is not None and (scores.grad[:, ~kept] == 0).all()
    torch.testing.assert_close(scores.grad[:, kept], short.grad)


@pytest.mark.parametrize("kind", NORMALISERS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_normaliser_of_long_and_empty_rows(kind: str, dtype: torch.dtype) -> None:
    """Many masked steps, huge scores, or nothing allowed: exact zeros, a sum of 1, finite gradients."""
    need(kind)
    torch.manual_seed(0)
    for size in (1.0, 1e4):
        scores = (torch.randn(4, 600) * size).to(dtype).requires_grad_()
        mask = torch.zeros(4, 600, dtype=torch.bool)
        mask[0, :1], mask[1, 200:203], mask[2] = True, True, True
        weights = NORMALISERS[kind](scores, mask)
        assert (weights[~mask] == 0).all()
        tolerance = 0.05 if dtype is torch.bfloat16 else 1e-5
        torch.testing.assert_close(weights.sum(-1), torch.tensor([1.0, 1, 1, 0], dtype=dtype), rtol=0, atol=tolerance)
        (weights * torch.randn_like(weights)).sum().backward()
        assert scores.grad is not None and scores.grad.isfinite().all()
        assert (scores.grad[3] == 0).all()
