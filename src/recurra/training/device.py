"""Where a network computes."""

import torch
from torch import nn

from ..errors import ConfigError

# A GPU takes as long for a little as for a lot: with fewer weights than these the native engine was the faster one on
# four cores of a server beside an H200 (benchmarks/gpu.md).
MANY = 1_000_000


def pick_device(name: str, network: nn.Module) -> torch.device:
    """Return the device called ``name``; ``auto`` is the GPU if there is one and ``network`` is large enough for it.

    Raises ConfigError if there is no such device.
    """
    if name == "auto":
        large = sum(one.numel() for one in network.parameters()) >= MANY
        return torch.device("cuda" if large and torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ConfigError(f"Unknown device '{name}'. Choose auto, cpu or cuda.") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ConfigError("There is no CUDA device on this machine. Use device='cpu'.")
    return device
