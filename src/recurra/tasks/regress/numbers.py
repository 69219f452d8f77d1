"""The numbers of cases, and which of them lie near each other.

Shapes: N cases, K targets.
"""

import numpy as np

from ...data.cases import Cases
from ...errors import DataError

MOST_GROUPS, LEAST_IN_ONE = 10, 5  # groups that a cut keeps in proportion, and cases that each has at least


def numbers_of(cases: Cases, what: str) -> np.ndarray:
    """Return the numbers (N, K); raises DataError if there are none, without which there is nothing ``what``."""
    if cases.numbers is None:
        raise DataError(
            f"These cases have no numbers, or not each of them has one; without them there is nothing {what}. Give "
            "each case its number."
        )
    return cases.numbers


def judged_numbers(cases: Cases, targets: tuple[str, ...]) -> np.ndarray:
    """Return the numbers (N, K) to judge answers about ``targets`` by; raises DataError if they are of others."""
    numbers = numbers_of(cases, "to judge by")
    if numbers.shape[1] != len(targets):
        raise DataError(
            f"The model was trained on {len(targets)} target(s), but these cases have {numbers.shape[1]}. Bring those "
            "of the training."
        )
    return numbers


def groups_of(numbers: np.ndarray) -> np.ndarray:
    """Return the group (N,) of each case: those with small numbers together, and so on, by the first target."""
    count = len(numbers)
    groups = min(MOST_GROUPS, max(1, count // LEAST_IN_ONE))
    ranks = np.empty(count, np.int64)
    ranks[np.argsort(numbers[:, 0], kind="stable")] = np.arange(count)
    return ranks * groups // count
