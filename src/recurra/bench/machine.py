"""The machine that times are measured on: what it is, and what else it does while we measure."""

import os
import platform
import re
import time
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import torch

from ..native import library
from ..version import __version__

BUSY = 0.10  # share of the cores that others may use before times say nothing
CPU_INFO = Path("/proc/cpuinfo")
WORK = ("user", "nice", "system", "irq", "softirq")  # kinds of it; not every system tells them all
TICK = 0.01  # seconds: the system's counters move in steps of about this


def describe_machine() -> dict[str, Any]:
    """Return what the times depend on; neither the name of the machine nor a path."""
    return {
        "recurra": __version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": processor(),
        "cores": os.cpu_count(),
        "instruction_set": torch.backends.cpu.get_cpu_capability(),
        "native_instruction_set": native_instruction_set(),
        "threads": torch.get_num_threads(),
    }


def processor() -> str:
    """Return the model of the processor, as far as the system tells."""
    if CPU_INFO.exists():
        found = re.search(r"^model name\s*:\s*(.+)$", CPU_INFO.read_text(encoding="utf-8"), re.MULTILINE)
        if found:
            return found[1].strip()
    return platform.processor() or platform.machine()


def native_instruction_set() -> str:
    """Return which of its instruction sets the native engine uses, or that there is no such engine here."""
    return "none" if library.absent() else library.load().recurra_instruction_set().decode()


class Load(NamedTuple):
    """What the cores did beside our own work, as shares of all that they could have done."""

    others: float | None  # other processes; None where the system does not say
    stolen: float = 0.0  # other virtual machines on the same processor

    @property
    def busy(self) -> bool:
        """Whether others used more than BUSY."""
        return self.others is not None and self.others > BUSY


class Counters(NamedTuple):
    """CPU seconds since some time in the past."""

    at: float  # the clock on the wall
    busy: float  # of all processes on the cores that we may use
    stolen: float
    own: float  # of this process and of those it started and waited for
    cores: int


def read_counters() -> Counters | None:
    """Return the counters of now, or None where the system has none."""
    try:
        every = psutil.cpu_times(percpu=True)
    except OSError:
        every = []
    if not every:
        return None
    ours = our_cores()
    # In a container the cores may have other numbers: then what all of them do has to serve.
    cores = [every[number] for number in ours] if max(ours) < len(every) else every
    busy = sum(getattr(core, kind, 0.0) for core in cores for kind in WORK)
    stolen = sum(getattr(core, "steal", 0.0) for core in cores)
    own = sum(psutil.Process().cpu_times()[:4])  # user and system: its own, then those of its children
    return Counters(time.perf_counter(), busy, stolen, own, len(cores))


def our_cores() -> list[int]:
    """Return the numbers of the cores that this process may use."""
    try:
        return psutil.Process().cpu_affinity()
    except (AttributeError, psutil.Error):  # macOS does not tell
        return list(range(psutil.cpu_count() or 1))


def load_since(start: Counters | None) -> Load:
    """Return what others did since ``start``."""
    now = None if start is None else read_counters()
    if start is None or now is None:
        return Load(None)
    could = max(now.at - start.at, TICK) * now.cores
    # Two steps of each counter may be ours and booked elsewhere.
    others = now.busy - start.busy - (now.own - start.own) - 2 * TICK * now.cores
    return Load(min(1.0, max(0.0, others / could)), min(1.0, max(0.0, (now.stolen - start.stolen) / could)))


def load_now(seconds: float = 1.0) -> Load:
    """Return what others do while we do nothing for some ``seconds``."""
    start = read_counters()
    if start is not None:
        time.sleep(seconds)
        return load_since(start)
    if not hasattr(os, "getloadavg"):
        return Load(None)
    return Load(min(1.0, os.getloadavg()[0] / len(our_cores())))
