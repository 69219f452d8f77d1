"""How many CPU threads a piece of work is worth: sharing small work costs more than it saves."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

SHARED_WORK = 8_000_000  # rows times parameters from which a second thread pays


@contextmanager
def threads_for(rows: int, parameters: int) -> Iterator[None]:
    """Run small work (``rows`` times ``parameters`` below SHARED_WORK) on one thread, then restore the number.

    Small operators wait for each other longer than they compute, and on a busy machine many times longer.
    """
    before = torch.get_num_threads()
    if before == 1 or rows * parameters >= SHARED_WORK:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
