"""In which precision factors are multiplied."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def multiplying_in(precision: str) -> Iterator[None]:
    """Let the block multiply factors rounded to ``"bfloat16"``; with ``"float32"`` as torch was told before.

    Where the machine has no instructions for that, nothing is rounded. The process has one such setting, which is put
    back afterwards.
    """
    if precision == "float32":
        yield
        return
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
