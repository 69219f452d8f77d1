"""How many CPU threads a piece of work is worth: sharing small work costs more than it saves."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

SHARED_WORK = 8_000_000  # rows times parameters from which a second thread pays
SCAN_WORK = 2_000_000  # multiplications of a native scan that are worth a thread of their own

_held_back = 0  # the number of threads before it was lowered, 0 while it is not


@contextmanager
def threads_for(rows: int, parameters: int) -> Iterator[None]:
    """Run small work (``rows`` times ``parameters`` below SHARED_WORK) on one thread, then restore the number.

    Small operators wait for each other longer than they compute, and on a busy machine many times longer.
    """
    before = torch.get_num_threads()
    if before == 1 or rows * parameters >= SHARED_WORK:
        yield
        return
    global _held_back  # noqa: PLW0603  (so is torch's own number)
    torch.set_num_threads(1)
    _held_back = before
    try:
        yield
    finally:
        _held_back = 0
        torch.set_num_threads(before)


def threads_for_scan(work: int) -> int:
    """Return how many threads a native scan of so many multiplications is shared among.

    A scan is one piece of work, so it gets the threads that many small operators are not worth.
    """
    return max(1, min(torch.get_num_threads() if _held_back == 0 else _held_back, work // SCAN_WORK))


@contextmanager
def set_threads(number: int | None) -> Iterator[None]:
    """Run on so many threads, or on as many as before if None, then restore the number."""
    before = torch.get_num_threads()
    torch.set_num_threads(before if number is None else number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
