"""What was told to torch and NumPy outside has no say in what a model learns and answers.

A default type or device, a mode without gradients, autocast, and what NumPy does about an overflow are kept for a
thread or a process, and a user may have set them for work of another kind. Nothing here changes what others
see: a thread turns away from its own, and the default type, which all threads share, stays as it is.
"""

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar

import numpy as np
import torch
from torch.overrides import TorchFunctionMode

from ..native.threads import own_threads

Function = TypeVar("Function", bound=Callable[..., Any])
CPU, FLOAT = torch.device("cpu"), torch.float32


@contextmanager
def apart() -> Iterator[None]:
    """Let the block compute as in a thread of its own in which nothing was set."""
    own_threads()
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        stack.enter_context(np.errstate(divide="warn", over="warn", under="ignore", invalid="warn"))
        for kind in ("cpu", "cuda"):
            if torch.is_autocast_enabled(kind):
                stack.enter_context(torch.autocast(kind, enabled=False))
        if torch.get_default_device() != CPU:
            stack.enter_context(CPU)
        yield


def on_its_own(function: Function) -> Function:
    """Let a function do its work ``apart``; a generator goes ``apart`` for each step and back for who takes it."""

    @functools.wraps(function)
    def call(*args: Any, **named: Any) -> Any:
        with apart():
            return function(*args, **named)

    @functools.wraps(function)
    def generate(*args: Any, **named: Any) -> Iterator[Any]:
        steps = function(*args, **named)
        try:
            while True:
                with apart():
                    step = next(steps, steps)
                if step is steps:
                    return
                yield step
        finally:
            steps.close()

    return generate if inspect.isgeneratorfunction(function) else call  # type: ignore[return-value]


class Plain(TorchFunctionMode):
    """Where torch makes a tensor and is told no type, it is one of 32 bits, whatever the default type is.

    For the building of networks: torch's default type belongs to all threads, so it cannot be set for one.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func not in _MAKES or kwargs.get("dtype") is not None or torch.get_default_dtype() == FLOAT:
            return func(*args, **kwargs)
        if func in _MAKES_BY_VALUE and func(*args, **kwargs).dtype != torch.get_default_dtype():
            return func(*args, **kwargs)  # whole numbers, or what has a type already
        return func(*args, **kwargs | {"dtype": FLOAT})


_MAKES_BY_VALUE: set[Callable[..., Any]] = {torch.tensor, torch.full, torch.arange, torch.scalar_tensor}
_MAKES: set[Callable[..., Any]] = {
    *(torch.empty, torch.zeros, torch.ones, torch.eye, torch.linspace, torch.logspace),
    *(torch.rand, torch.randn, torch.empty_strided),
    *_MAKES_BY_VALUE,
}
