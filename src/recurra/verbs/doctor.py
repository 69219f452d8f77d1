"""What is installed here, which engines run, and whether they agree."""

import platform
import sys
from importlib.metadata import PackageNotFoundError, version

import torch

from ..cells import CELLS, state_tensors
from ..native import library
from ..nn.scan import ENGINES, EVERY_STEP, scan
from ..random import drawing
from ..version import __version__

PACKAGES = (
    "torch",
    "numpy",
    "pandas",
    "pyarrow",
    "scikit-learn",
    "safetensors",
    "plotly",
    "statsmodels",
    "entmax",
)


def examine() -> dict[str, str]:
    """Return findings by name, one short text each."""
    findings = {
        "recurra": __version__,
        "python": f"{sys.version.split()[0]} on {platform.system()} {platform.machine()}",
        "threads": str(torch.get_num_threads()),
        "cuda": torch.cuda.get_device_name() if torch.cuda.is_available() else "no CUDA device",
    }
    findings |= {name: _version(name) for name in PACKAGES}
    findings["instruction sets"] = _instruction_sets()
    findings["bfloat16 products"] = _rounded_products()
    findings |= {f"engine {name}": _agreement(name) for name in ENGINES}
    return findings


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed (optional: pip install 'recurra[sparse]')" if name == "entmax" else "not installed"


def _instruction_sets() -> str:
    """Say which ways the native engine has to compute on this machine, fastest first."""
    if library.absent():
        return "none (no native engine)"
    native = library.load()
    used = native.recurra_instruction_set().decode()
    names = native.recurra_instruction_sets().decode().split(",")
    return ", ".join(f"{name} (in use)" if name == used else name for name in names)


def _rounded_products() -> str:
    """Say whether a training with precision="bfloat16" is another one here."""
    if library.absent() or not library.load().recurra_rounds():
        return "not on this machine"
    return "on this machine"


def _agreement(engine: str) -> str:
    """Run every cell that ``engine`` takes against the reference, and say how far apart they are."""
    worst, cells, refusal = 0.0, [], ""
    with torch.no_grad(), drawing(torch.Generator().manual_seed(0)):
        for name, make in CELLS.items():
            cell = make(3, 5).double()
            refusal = ENGINES[engine].refuses(cell, EVERY_STEP)
            if refusal:
                continue
            x, state = torch.randn(2, 7, 3, dtype=torch.float64), cell.initial(2)
            ours, reference = scan(cell, x, state, engine=engine), scan(cell, x, state, engine="reference")
            pairs = zip(
                [ours.outputs, *state_tensors(ours.state)],
                [reference.outputs, *state_tensors(reference.state)],
                strict=True,
            )
            worst = max(worst, *[float((a - b).abs().max()) for a, b in pairs])
            cells.append(name)
    if not cells:
        return f"runs no cell here: {refusal}"
    verdict = "agrees with the reference" if worst < 1e-10 else f"DIFFERS from the reference by {worst:.1e}"
    return f"{verdict}; runs {', '.join(cells)}"
