"""How good a language model is."""

from math import exp, inf, log

import numpy as np

from ...compare.metric import Metric, Statistics, ratio


def perplexity(nats: float) -> float:
    """Return among how many equally likely units one of so many ``nats`` would have to be guessed."""
    return exp(nats) if nats < 700 else inf


def _perplexity(statistics: Statistics) -> float:
    return perplexity(ratio("nats", "units")(statistics))


def _bits(statistics: Statistics) -> float:
    return ratio("nats", "characters")(statistics) / log(2)


NATS = Metric("nats", "nats", "low", ratio("nats", "units"), "nats is −ln of the probability of a unit, on average")
PERPLEXITY = Metric(
    "perplexity",
    "perplexity",
    "low",
    _perplexity,
    "perplexity is among how many equally likely units the right one would have to be guessed",
)
BITS = Metric(
    "bits_per_character",
    "bits/character",
    "low",
    _bits,
    "bits/character is how many bits the text would take if the model compressed it",
)


def language_metrics(level: str) -> tuple[Metric, ...]:
    """Return the metrics; of characters bits rank, of words and pieces perplexity."""
    return (BITS, NATS, PERPLEXITY) if level == "character" else (PERPLEXITY, NATS, BITS)


def stretch_bits(statistics: Statistics) -> np.ndarray:
    """Return the bits of a unit in each stretch."""
    bits: np.ndarray = statistics["nats"] / statistics["units"] / log(2)
    return bits
