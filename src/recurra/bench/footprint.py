"""How much memory a training step takes: each in a process of its own, which this file is in too."""

import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import torch

from ..errors import RunError
from .contenders import Case, Size, field_of

TINY = Size(2, 3, 4, 4)
STATUS, MARKS = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def peak_memory(case: Case, name: str) -> int:
    """Return how many bytes a step of the contender ``name`` takes over the level before it, in a fresh process.

    Fresh, because the C library keeps what is freed: a second step in one process would find memory there and
    take none from the system. Raises RunError if that process fails.
    """
    asked = json.dumps([case.cell, list(case.size), name, torch.get_num_threads()])
    code = "from recurra.bench.footprint import answer; answer()"
    done = subprocess.run([sys.executable, "-c", code, asked], capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
        raise RunError(f"The memory of {name} at {case.size} cannot be measured: {last}")
    return int(done.stdout)


def answer() -> None:
    """Measure what the argument of this process asks for, and print the bytes."""
    cell, size, name, threads = json.loads(sys.argv[1])
    torch.set_num_threads(threads)
    _step(cell, TINY, name)()  # loads what is loaded at the first call
    step = _step(cell, Size(*size), name)
    lower_mark()
    before = high_mark()
    step()
    print(high_mark() - before)


def _step(cell: str, size: Size, name: str) -> Callable[[], object]:
    return next(one.run for one in field_of(Case("memory", cell, size), [name]).contenders if one.name == name)


def lower_mark() -> None:
    """Set the high-water mark of this process to its level of now, where the system allows it.

    Elsewhere the mark is as high as loading torch made it, and a step below that looks like none.
    """
    with suppress(OSError):
        MARKS.write_text("5", encoding="ascii")


def high_mark() -> int:
    """Return the most bytes of memory that this process has had since its mark was lowered."""
    if STATUS.exists():
        lines = [line.split() for line in STATUS.read_text(encoding="utf-8").splitlines()]
        return next(1024 * int(line[1]) for line in lines if line and line[0] == "VmHWM:")
    import resource  # not on Windows

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak
