"""The answer of a classifier whose network and simpler models speak together.

``p ∝ Π_i p_i^w_i``: of the network and random convolutions, or, of texts, of the network, naive Bayes and a support
vector machine. ``w = b v``: the shares v, which sum to one, say what counts how much, and the sharpness b, of all
together, makes them as sure as they are right. Both are what gives the validation cases most, with v drawn to equal
shares and b to one as if by ten cases more: they are few, and the epoch of the network is the best on these very cases.
The others have learned from them, too, but each case is answered by weights that were found without it.
Shapes: M members, N cases, K classes.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ...errors import plural
from ...writing.numbers import percents
from ..base import THE_NETWORK, Fitted, Prepared
from ..cases.convolutions import CONVOLUTIONS
from ..cases.examples import CaseExamples
from ..cases.text import TextReading
from .answers import Guess, ask_network
from .baselines import make_baselines
from .convolutions import Convolutions
from .linear import BAYES, GRAMS, Linear
from .sharpness import log_softmax
from .threshold import find_threshold, named_from

DRAWN = 10  # cases as which the middle counts


def finish(fitted: Fitted, prepared: Prepared, together: bool) -> None:
    """Find what weighs how much, if the network answers ``together`` with others, and from where a class is named."""
    assert isinstance(prepared.valid, CaseExamples) and prepared.valid.targets is not None
    codes = prepared.valid.targets.numpy()
    judged, logs = combine(fitted, prepared) if together else (np.arange(len(codes)), None)
    if fitted.config.task.threshold:
        logs = ask_network(fitted, prepared.valid).log_probabilities if logs is None else logs
        assert logs is not None
        find_threshold(fitted, logs, codes[judged])


def combine(fitted: Fitted, prepared: Prepared) -> tuple[np.ndarray, np.ndarray]:
    """Find what the network and the rows beside it, which ``fitted`` keeps, weigh in the answer.

    Returns by which validation cases, their numbers (N,), and what all together say of them (N, K).
    """
    valid = prepared.valid
    assert isinstance(valid, CaseExamples) and valid.targets is not None
    own = ask_network(fitted, valid).log_probabilities
    assert own is not None
    written = isinstance(fitted.learned.reading, TextReading)
    judged, said = np.arange(len(own)), {THE_NETWORK: own}
    for name in (BAYES, GRAMS) if written else (CONVOLUTIONS,):
        judged, said[name] = _validated(fitted, prepared, name)
    said[THE_NETWORK] = own[judged]
    whole = np.stack(list(said.values()))
    weights = weights_of(whole, valid.targets.numpy()[judged])
    mix = dict(zip(said, weights.tolist(), strict=True))
    fitted.learned = replace(fitted.learned, mix=mix)
    fitted.record.answer = _described(mix, len(judged))
    return judged, mixed(whole, weights)


def _validated(fitted: Fitted, prepared: Prepared, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return what a row of the table, which ``fitted`` keeps, says of validation cases: their numbers, and (N, K)."""
    row = fitted.baselines.get(name)
    if not isinstance(row, (Convolutions, Linear)) or row.validated is None:
        row = make_baselines(fitted.learned)[name]
        row.fit(prepared)
        fitted.baselines[name] = row
    assert isinstance(row, (Convolutions, Linear)) and row.validated is not None
    return row.validated


def _described(mix: Mapping[str, float], cases: int) -> str:
    """Return a sentence on what contributes how much."""
    shares = percents(weight / sum(mix.values()) for weight in mix.values())
    said = f"{cases:,} validation case{plural(cases)}"
    if CONVOLUTIONS in mix:
        own, other = shares
        return f"The answer is {own} network and {other} random convolutions, by what they said of {said}."
    own, bayes, machine = shares
    return f"The answer is {own} network, {bayes} naive Bayes and {machine} n-gram SVM, by what they said of {said}."


def weights_of(said: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Return the weights (M,) of log probabilities (M, N, K) in their sum, for true classes ``codes`` (N,)."""
    from scipy.optimize import minimize

    count, each = len(said), np.arange(len(codes))

    def loss(place: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the loss by v = softmax(place[:M]) and b = exp(place[M]), and its gradient, per case."""
        shares, sharpness = np.exp(log_softmax(place[None, :count])[0]), np.exp(place[count])
        logs = mixed(said, sharpness * shares)
        lost = -logs[each, codes].sum() - DRAWN * np.log(shares).sum() + DRAWN * place[count] ** 2
        slope = (said * np.exp(logs)).sum((1, 2)) - said[:, each, codes].sum(1)  # by the weights
        by_share = sharpness * slope - DRAWN / shares
        by_sharpness = sharpness * slope @ shares + 2 * DRAWN * place[count]
        gradient = np.append(shares * (by_share - by_share @ shares), by_sharpness)
        whole = len(codes) + DRAWN * count
        return float(lost) / whole, gradient / whole

    how = {"ftol": 1e-12, "gtol": 1e-8}
    place = minimize(loss, np.zeros(count + 1), jac=True, method="L-BFGS-B", options=how).x
    weights: np.ndarray = np.exp(log_softmax(place[None, :count])[0] + place[count])
    return weights


def mixed(said: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the log probabilities (N, K) of all together."""
    return log_softmax(np.tensordot(weights, said, 1))


def answers_to(fitted: Fitted, examples: CaseExamples) -> tuple[Guess, Guess | None]:
    """Name the classes by all that answers together, and, if that is more, by the network alone."""
    learned, network = fitted.learned, ask_network(fitted, examples)
    mix, named = learned.mix, (learned.threshold, learned.counts)
    assert network.log_probabilities is not None
    if not mix:
        return named_from(network.log_probabilities, *named), None
    rows = [fitted.baselines[name].answer(examples) for name in mix if name != THE_NETWORK]
    said = np.stack([one.log_probabilities for one in (network, *rows)])
    return named_from(mixed(said, np.array(list(mix.values()))), *named), network
