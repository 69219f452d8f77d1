"""How scores of classes become probabilities: by how often they are right where they were found without the case.

Shapes: N cases, K classes.
"""

import numpy as np
import torch


def sharpness_of(answers: np.ndarray, codes: np.ndarray) -> float:
    """Return the s for which ``softmax(s · answers)`` (N, K) gives most to the classes ``codes`` (N,).

    One more case, of the median margin, counts as wrong: otherwise there is no end to it where all are right.
    """
    from scipy.optimize import minimize_scalar

    margin = _margin(answers)

    def loss(log_sharpness: float) -> float:
        sharpness = np.exp(log_sharpness)
        right = log_softmax(sharpness * answers)[np.arange(len(codes)), codes]
        return float(np.logaddexp(0, sharpness * margin) - right.sum())

    return float(np.exp(minimize_scalar(loss, bounds=(-8, 6), method="bounded").x))


def sharpness_and_shift(answers: np.ndarray, codes: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the s and b (K,) for which ``softmax(s · answers + b)`` (N, K) gives most to the classes ``codes`` (N,).

    That is the scaling of Platt 1999, for any number of classes. The sharpness s is held as in ``sharpness_of``, and b
    is drawn to zero by its square: a class of which there are few cases does not move far for one of them.
    """
    from scipy.optimize import minimize

    count, each = len(codes), np.arange(len(codes))
    margin = _margin(answers)

    def loss(place: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the loss by log s and b, and its gradient, per case."""
        sharpness, shift = np.exp(place[0]), place[1:]
        logs = log_softmax(sharpness * answers + shift)
        slope = np.exp(logs)
        slope[each, codes] -= 1
        wrong = np.logaddexp(0, sharpness * margin)
        lost = wrong - logs[each, codes].sum() + shift @ shift
        by_sharpness = (slope * answers).sum() + margin * -np.expm1(-wrong)
        return float(lost) / count, np.append(sharpness * by_sharpness, slope.sum(0) + 2 * shift) / count

    start = np.append(np.log(sharpness_of(answers, codes)), np.zeros(answers.shape[1]))
    place = minimize(loss, start, jac=True, method="L-BFGS-B", options={"ftol": 1e-12, "gtol": 1e-8}).x
    return float(np.exp(place[0])), place[1:]


def _margin(answers: np.ndarray) -> float:
    """Return by how much the best answer is ahead of the second, in the median of the cases."""
    second, first = np.sort(answers, 1)[:, -2:].T
    return float(np.median(first - second))


def log_softmax(scores: np.ndarray) -> np.ndarray:
    """Return ``s_k − log Σ_j exp s_j`` (N, K)."""
    logs: np.ndarray = torch.from_numpy(scores).log_softmax(-1).numpy()
    return logs
