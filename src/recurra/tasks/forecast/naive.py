"""Naive 2, which OWA is relative to: the last value of a series without its season, and the season put back.

As the M4 competition has it (Makridakis et al. 2020). Shapes: T steps of a series, m season, W windows, H steps.
"""

import numpy as np

Array = np.ndarray
CHANCE = 1.645  # deviations, beyond which a correlation is no chance


def is_seasonal(values: Array, season: int) -> bool:
    """Tell whether the autocorrelation of ``values`` (T,) one season apart is more than chance.

    ``|r_m| > 1.645 √((1 + 2 Σ_{i<m} r_i²) / T)``, for at least three seasons.
    """
    if season < 2 or len(values) < 3 * season:
        return False
    away = values - values.mean()
    whole = float(away @ away)
    if whole == 0:
        return False
    r = np.array([away[lag:] @ away[:-lag] for lag in range(1, season + 1)]) / whole
    return bool(abs(r[-1]) > CHANCE * np.sqrt((1 + 2 * np.square(r[:-1]).sum()) / len(values)))


def seasonal_factors(values: Array, season: int) -> Array:
    """Return the factor of each place in the season (m,), from position 0 of ``values`` (T,) on; their mean is 1.

    The mean ratio to a centred running mean over one season, as in classical decomposition. All are 1 where values are
    not above zero or the season is no more than chance; what is missing is filled along a straight line.
    """
    factors, known = np.ones(max(season, 1)), np.isfinite(values)
    if not known.any() or values[known].min() <= 0:
        return factors
    filled = np.interp(np.arange(len(values)), np.flatnonzero(known), values[known])
    if not is_seasonal(filled, season):
        return factors
    weights = np.ones(season) if season % 2 else np.concatenate([[0.5], np.ones(season - 1), [0.5]])
    trend = np.convolve(filled, weights / season, "valid")
    first = len(weights) // 2
    ratio, place = filled[first : first + len(trend)] / trend, (np.arange(len(trend)) + first) % season
    factors = np.bincount(place, ratio, season) / np.bincount(place, minlength=season)
    scaled: Array = factors / factors.mean()
    return scaled


def naive2(track: Array, end: int, season: int, origins: Array, horizon: int) -> Array:
    """Return the forecasts (W, H, C) of ``track`` (T, C) from its ``origins`` (W,); the season is that up to ``end``.

    Where nothing is known before an origin it is the first value that is.
    """
    ahead = origins[:, None] + np.arange(horizon)
    found = np.zeros((*ahead.shape, track.shape[1]))
    for channel, values in enumerate(track.T):
        known = np.flatnonzero(np.isfinite(values))
        if not len(known):
            continue
        factors = seasonal_factors(values[:end], season)
        last = known[np.maximum(np.searchsorted(known, origins) - 1, 0)]
        level = values[last] / factors[last % len(factors)]
        found[..., channel] = level[:, None] * factors[ahead % len(factors)]
    return found
