"""The ways to run a cell over time. To add one, write it in a file of its own and name it here."""

from .associative import associative_refuses, run_associative
from .base import EVERY_STEP, Engine, Plan, Scanned, SelfFed, Steps
from .kernels import run_torch, torch_refuses
from .native import native_refuses, run_native
from .reference import reference_refuses, run_reference
from .sparse import run_sparse, sparse_refuses

ENGINES: dict[str, Engine] = {
    "reference": Engine(run_reference, reference_refuses),
    "native": Engine(run_native, native_refuses),
    "torch": Engine(run_torch, torch_refuses),
    "associative": Engine(run_associative, associative_refuses),
    "sparse": Engine(run_sparse, sparse_refuses),
}

__all__ = ["ENGINES", "EVERY_STEP", "Engine", "Plan", "Scanned", "SelfFed", "Steps"]
