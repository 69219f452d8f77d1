"""Whether somebody looks on while operators run: then the compiled library must not be called past them."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch._C import _are_functorch_transforms_active as are_transforms_active
from torch._C._functorch import is_legacy_batchedtensor

_PLAIN = {Tensor, nn.Parameter}


def is_eager(tensors: Iterable[Tensor | None]) -> bool:
    """Return whether nobody looks on: no compiler, no tracer, no transform, no tensor with a mind of its own."""
    if torch.compiler.is_compiling() or torch._C._len_torch_dispatch_stack() or are_transforms_active():
        return False
    if torch._C._get_tracing_state() is not None:  # torch.jit.trace, and exporters that use it
        return False
    return all(_is_plain(part) for part in tensors if part is not None)


def _is_plain(tensor: Tensor) -> bool:
    # Legacy batches are what torch.autograd.grad(is_grads_batched=True) makes; the numbers of a tensor may also be
    # kept with the other sign.
    return type(tensor) in _PLAIN and not is_legacy_batchedtensor(tensor) and not tensor.is_neg()
