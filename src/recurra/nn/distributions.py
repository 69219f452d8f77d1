"""What torch lacks of distributions: quantiles, which scipy has, and the likelihood of counts.

All is of one shape (...); quantiles are in float64 and have no gradient.
"""

import numpy as np
import torch
from torch import Tensor


def normal_quantile(q: float) -> float:
    """Return the ``q``-quantile of the normal distribution with mean 0 and deviation 1."""
    return float(torch.special.ndtri(torch.tensor(q, dtype=torch.float64)))


def student_quantile(q: float | Tensor, df: Tensor) -> Tensor:
    """Return the ``q``-quantiles (...) of Student's t with ``df`` (...) degrees of freedom."""
    from scipy.special import stdtrit

    return torch.as_tensor(stdtrit(_array(df), _array(q)), dtype=torch.float64, device=df.device)


def count_quantile(q: float | Tensor, mean: Tensor, alpha: Tensor) -> Tensor:
    """Return the least whole number (...) that is not exceeded with probability ``q``, of a negative binomial.

    Its variance is ``μ + α μ²``.
    """
    from scipy.stats import nbinom

    center, excess = _array(mean), _array(alpha)
    found = nbinom.ppf(_array(q), 1 / excess, 1 / (1 + excess * center))
    return torch.as_tensor(found, dtype=torch.float64, device=mean.device)


def count_log_probability(k: Tensor, mean: Tensor, alpha: Tensor) -> Tensor:
    """Return ``ln P(k)`` (...) of a negative binomial of this ``mean`` and variance ``μ + α μ²``.

    ``ln Γ(k + r) − ln Γ(r) − ln k! + r ln(r / (r + μ)) + k ln(μ / (r + μ))``, ``r = 1/α``.
    """
    r = 1 / alpha
    ways = torch.lgamma(k + r) - torch.lgamma(r) - torch.lgamma(k + 1)
    return ways - r * torch.log1p(alpha * mean) + torch.xlogy(k, mean / (r + mean))


def _array(values: float | Tensor) -> np.ndarray:
    array: np.ndarray = torch.as_tensor(values, dtype=torch.float64).detach().cpu().numpy()
    return array
