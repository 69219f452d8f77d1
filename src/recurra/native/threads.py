"""How many CPU threads a piece of work is worth: sharing small work costs more than it saves.

torch has a number of threads for each thread of Python: one that begins is given the number that was set last, in
whichever thread, with its first work. The order of sums depends on it, so nobody else may see it lowered.

The same seed gives the same bits with the same number of threads. With another number results may differ by rounding.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch

SHARED_WORK = 8_000_000  # rows times parameters from which a second thread pays
SCAN_WORK = 2_000_000  # multiplications of a native scan that are worth a thread of their own
ENERGY_WORK = 1_000_000  # values of tanh in an additive score that are


class _Here(threading.local):
    """What is so in this thread."""

    held_back: int = 0  # the number before it was lowered, 0 while it is not


class _Process:
    """What is so in this process."""

    def __init__(self, forked: bool = False):
        self.setting, self.forked = threading.Lock(), forked

    def fork(self) -> None:
        """Begin anew in a child, where no other thread is left: none that holds the lock, and none of torch's."""
        self.__init__(forked=True)  # type: ignore[misc]


_here, _process = _Here(), _Process()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_process.fork)


def own_threads() -> int:
    """Return the number of threads of this thread, which from then on is its own, whatever others set.

    For the beginning of work: a thread that begins while another one lowers its number must not be given that. In a
    process that was forked it is 1, for torch would wait for ever for the threads that its parent had.
    """
    with _process.setting:
        if _process.forked:
            torch.set_num_threads(1)
        return torch.get_num_threads()


def _lower(before: int) -> None:
    # Set again in a thread that ends with it, the old number is what threads that begin are given.
    for_others = threading.Thread(target=torch.set_num_threads, args=(before,))
    with _process.setting:
        torch.set_num_threads(1)
        for_others.start()
        for_others.join()


@contextmanager
def threads_for(rows: int, parameters: int) -> Iterator[None]:
    """Run small work (``rows`` times ``parameters`` below SHARED_WORK) on one thread, then restore the number.

    Small operators wait for each other longer than they compute, and on a busy machine many times longer.
    """
    before = own_threads()
    if before == 1 or rows * parameters >= SHARED_WORK:
        yield
        return
    _here.held_back = before
    try:
        _lower(before)
        yield
    finally:
        _here.held_back = 0
        torch.set_num_threads(before)


def threads_for_scan(work: int) -> int:
    """Return how many threads a native scan of so many multiplications is shared among.

    A scan is one piece of work, so it gets the threads that many small operators are not worth.
    """
    return _shared(work // SCAN_WORK)


def threads_for_energy(work: int) -> int:
    """Return how many threads so many values of tanh of an additive score are shared among."""
    return _shared(work // ENERGY_WORK)


def _shared(worth: int) -> int:
    return max(1, min(_here.held_back or torch.get_num_threads(), worth))


def one_blas_thread() -> AbstractContextManager[Any]:
    """Run the linear algebra of NumPy and SciPy on one thread, then restore the number, which is the process's.

    A decomposition is many small products, whose threads wait for each other: where something else runs on a core, that
    takes a hundred times as long as the decomposition itself.
    """
    from threadpoolctl import threadpool_limits  # only those who decompose need it

    limits: AbstractContextManager[Any] = threadpool_limits(1, user_api="blas")
    return limits


@contextmanager
def set_threads(number: int | None) -> Iterator[None]:
    """Run on so many threads, or on as many as before if None, then restore the number."""
    before = torch.get_num_threads()
    torch.set_num_threads(before if number is None else number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
