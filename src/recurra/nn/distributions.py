"""Distributions as torch lacks them: the incomplete beta function, and quantiles that follow from it.

All is in float64, and of one shape (...).
"""

import math

import torch
from torch import Tensor

ROUNDS = 5000  # of the continued fraction at most; it takes about the root of the larger parameter
EXACT = 1e-13
LOOK = 8  # rounds, after which it is seen which rows have settled
TINY = 1e-300
SCORE = 8.0  # normal scores of chances that are 0 or 1 to a computer


def incomplete_beta(a: Tensor, b: Tensor, x: Tensor, rest: Tensor) -> Tensor:
    """Return the regularised incomplete beta function ``I_x(a, b)`` (...), where ``rest = 1 − x``.

    By its continued fraction (Lentz's method), on the side of ``x`` where it converges fast: Press et al. 2007,
    Numerical Recipes, section 6.4.
    """
    other = x > (a + 1) / (a + b + 2)
    a, b = torch.where(other, b, a), torch.where(other, a, b)
    x, rest = torch.where(other, rest, x), torch.where(other, x, rest)
    log_front = torch.lgamma(a + b) - torch.lgamma(a) - torch.lgamma(b) + torch.xlogy(a, x) + torch.xlogy(b, rest)
    found = log_front.exp() * _fraction(a, b, x).view_as(x) / a
    return torch.where(other, 1 - found, found)


def _fraction(a: Tensor, b: Tensor, x: Tensor) -> Tensor:
    """Return the continued fraction (...); rows that have settled are left out every so often."""
    found = torch.ones_like(x).flatten()
    rows = torch.arange(found.numel(), device=x.device)
    a, b, x = (part.expand_as(x).flatten() for part in (a, b, x))
    c, d = torch.ones_like(x), 1 / _safe(1 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, ROUNDS):
        even, odd = a + (2 * m - 1), a + 2 * m
        for step in (m * (b - m) * x / (even * odd), -(a + m) * (a + b + m) * x / (odd * (odd + 1))):
            d = 1 / _safe(1 + step * d)
            c = _safe(1 + step / c)
            value = value * c * d
        if m % LOOK:
            continue
        found[rows] = value
        going = (c * d - 1).abs() >= EXACT
        if not bool(going.any()):
            break
        rows, a, b, x, c, d, value = (part[going] for part in (rows, a, b, x, c, d, value))
    return found


def _safe(value: Tensor) -> Tensor:
    return torch.where(value.abs() < TINY, TINY, value)


def student_cdf(t: Tensor, df: Tensor) -> Tensor:
    """Return the probability of less than ``t`` (...) under Student's t with ``df`` (...) degrees of freedom."""
    square = t * t
    tail = incomplete_beta(df / 2, torch.full_like(df, 0.5), df / (df + square), square / (df + square)) / 2
    return torch.where(t > 0, 1 - tail, tail)


def student_quantile(q: float, df: Tensor) -> Tensor:
    """Return the ``q``-quantile (...) of Student's t with ``df`` (...) degrees of freedom, by Newton's method.

    It starts from the quantile of the normal distribution, which is nearer to zero: from there every step stays on its
    side, as the distribution function bends one way only.
    """
    df = df.double()
    if q == 0.5:
        return torch.zeros_like(df)
    upper = max(q, 1 - q)
    t = torch.full_like(df, normal_quantile(upper))
    constant = torch.lgamma((df + 1) / 2) - torch.lgamma(df / 2) - 0.5 * torch.log(df * math.pi)
    for _ in range(100):
        density = (constant - (df + 1) / 2 * torch.log1p(t * t / df)).exp()
        step = (upper - student_cdf(t, df)) / density
        t = t + step
        if bool((step.abs() <= 1e-12 * t).all()):
            break
    return t if q > 0.5 else -t


def normal_quantile(q: float) -> float:
    """Return the ``q``-quantile of the normal distribution with mean 0 and deviation 1."""
    return float(torch.special.ndtri(torch.tensor(q, dtype=torch.float64)))


def count_cdf(k: Tensor, mean: Tensor, alpha: Tensor) -> Tensor:
    """Return the probability of at most ``k`` (...) under a negative binomial of this ``mean``, ``alpha`` its excess.

    The variance is ``μ + α μ²``; with ``r = 1/α`` it is ``I_{r/(r+μ)}(r, k + 1)``, and 0 below 0.
    """
    r = 1 / alpha
    return torch.where(k < 0, 0.0, incomplete_beta(r, k.clamp(min=0) + 1, r / (r + mean), mean / (r + mean)))


def count_log_probability(k: Tensor, mean: Tensor, alpha: Tensor) -> Tensor:
    """Return ``ln P(k)`` (...) of a negative binomial of this ``mean`` and variance ``μ + α μ²``.

    ``ln Γ(k + r) − ln Γ(r) − ln k! + r ln(r / (r + μ)) + k ln(μ / (r + μ))``, ``r = 1/α``.
    """
    r = 1 / alpha
    ways = torch.lgamma(k + r) - torch.lgamma(r) - torch.lgamma(k + 1)
    return ways - r * torch.log1p(alpha * mean) + torch.xlogy(k, mean / (r + mean))


def count_quantile(q: float, mean: Tensor, alpha: Tensor) -> Tensor:
    """Return the least whole number (...) that is not exceeded with probability ``q``, of a negative binomial.

    Between two numbers, below and above it, it is sought where a line between their normal scores meets ``q``, and
    every third time in the middle, from where an expansion by the skewness has it (Cornish and Fisher 1938).
    """
    shape = mean.shape
    mean, alpha = mean.double().flatten(), alpha.double().flatten()
    spread = (mean * (1 + alpha * mean)).sqrt()
    skew, z = (1 + 2 * alpha * mean) / spread, normal_quantile(q)
    tried = (mean + spread * (z + skew * (z * z - 1) / 6)).floor().clamp(min=0)
    low, high = torch.full_like(mean, -1.0), torch.full_like(mean, torch.inf)
    below, above = torch.full_like(mean, -SCORE), torch.full_like(mean, SCORE)  # normal scores at both
    reach = (spread / 16).ceil()
    open_ends = torch.arange(len(mean), device=mean.device)
    for turn in range(200):
        some = open_ends
        chance = count_cdf(tried, mean[some], alpha[some])
        score, enough = torch.special.ndtri(chance).clamp(-SCORE, SCORE), chance >= q
        high[some], above[some] = torch.where(enough, tried, high[some]), torch.where(enough, score, above[some])
        low[some], below[some] = torch.where(enough, low[some], tried), torch.where(enough, below[some], score)
        open_ends = (high - low > 1).nonzero()[:, 0]
        if not len(open_ends):
            break
        one, other, step = low[open_ends], high[open_ends], reach[open_ends] * 2.0**turn
        share = ((z - below[open_ends]) / (above[open_ends] - below[open_ends]).clamp(min=1e-9)).clamp(0, 1)
        between = (one + 0.5 * (other - one)) if turn % 3 == 2 else one + share * (other - one)
        tried = torch.where(torch.isinf(other), one + step, torch.where(one < 0, other - step, between)).floor()
        tried = torch.minimum(torch.maximum(tried, one + 1), other - 1)
    return high.view(shape)
