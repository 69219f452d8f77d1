"""The answer of a classifier whose network and random convolutions speak together.

``p ∝ p_network^(1−s) · p_convolutions^s``, a weighted geometric mean. The share s is what gives the validation cases
most, drawn to one half as if by ten cases more: they are few, and the epoch of the network is the best on these very
cases. The convolutions have learned from them, too, but each is answered by weights that were found without it.
Shapes: N cases, K classes.
"""

from dataclasses import replace

import numpy as np

from ...writing.numbers import percents
from ..base import Fitted, Prepared
from ..cases.convolutions import CONVOLUTIONS
from ..cases.examples import CaseExamples
from .answers import Guess, ask_network
from .convolutions import Convolutions, log_softmax

DRAWN = 10  # cases as which the middle counts


def combine(fitted: Fitted, prepared: Prepared) -> None:
    """Find the share of random convolutions, which ``fitted`` keeps, in the answer."""
    row = fitted.baselines.get(CONVOLUTIONS)
    if not isinstance(row, Convolutions) or row.validated is None:
        row = Convolutions()
        row.fit(prepared)
        fitted.baselines[CONVOLUTIONS] = row
    assert row.validated is not None and isinstance(prepared.valid, CaseExamples) and prepared.valid.targets is not None
    places, said = row.validated
    network = ask_network(fitted, prepared.valid).log_probabilities
    assert network is not None
    share = share_of(network[places], said, prepared.valid.targets.numpy()[places])
    fitted.learned = replace(fitted.learned, share=share)
    own, other = percents([1 - share, share])
    fitted.record.answer = (
        f"The answer is {own} network and {other} random convolutions, by what they said of {len(places):,} "
        "validation cases."
    )


def share_of(network: np.ndarray, other: np.ndarray, codes: np.ndarray) -> float:
    """Return the share of ``other`` in the mean of both, log probabilities (N, K), for true classes ``codes`` (N,)."""
    from scipy.optimize import minimize_scalar

    def loss(share: float) -> float:
        right = mixed(network, other, share)[np.arange(len(codes)), codes].sum()
        return -float(right + DRAWN * (np.log(share) + np.log(1 - share)))

    return float(minimize_scalar(loss, bounds=(1e-6, 1 - 1e-6), method="bounded").x)


def mixed(network: np.ndarray, other: np.ndarray, share: float) -> np.ndarray:
    """Return the log probabilities (N, K) of both together."""
    return log_softmax((1 - share) * network + share * other)


def answers_to(fitted: Fitted, examples: CaseExamples) -> tuple[Guess, Guess | None]:
    """Name the classes by all that answers together, and, if that is more, by the network alone."""
    network, share = ask_network(fitted, examples), fitted.learned.share
    if not share:
        return network, None
    other = fitted.baselines[CONVOLUTIONS].answer(examples)
    logs = mixed(network.log_probabilities, other.log_probabilities, share)  # type: ignore[arg-type]
    return Guess(logs.argmax(1), logs), network
