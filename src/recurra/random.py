"""Where random numbers come from: a generator that is current in this thread, or torch's own where there is none.

torch has one generator for the whole process, so a seed means nothing as soon as two threads draw from it.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode


class _Source:
    """One generator, and for other devices that are drawn on, others of the same seed."""

    def __init__(self, generator: torch.Generator):
        self.seed, self.on = generator.initial_seed(), {generator.device: generator}

    def of(self, device: torch.device) -> torch.Generator:
        if device not in self.on:
            self.on[device] = torch.Generator(device).manual_seed(self.seed)
        return self.on[device]


class _Here(threading.local):
    """What is current in this thread. (Not a ContextVar: torch.compile cannot read those.)"""

    source: _Source | None = None


_here = _Here()
_CPU = torch.device("cpu")


@contextmanager
def using(generator: torch.Generator) -> Iterator[None]:
    """Let all that this module draws in this thread come from ``generator``."""
    before, _here.source = _here.source, _Source(generator)
    try:
        yield
    finally:
        _here.source = before


def current(device: torch.device = _CPU) -> torch.Generator | None:
    """Return what to give as ``generator=`` to a function of torch: None, outside any ``using``, is torch's own."""
    return None if _here.source is None or device.type == "meta" else _here.source.of(device)


def dropout(x: Tensor, p: float, training: bool = True, inplace: bool = False) -> Tensor:
    """Set a share ``p`` of ``x`` to zero and scale the rest by ``1 / (1 − p)``, in training only."""
    # Without a generator, and at the ends, where nothing is drawn, it is torch's; else these are the same numbers.
    if not training or not 0 < p < 1 or (generator := current(x.device)) is None:
        return F.dropout(x, p, training, inplace)
    noise = torch.empty_like(x).bernoulli_(1 - p, generator=generator).div_(1 - p)
    return x.mul_(noise) if inplace else x * noise


def bernoulli(p: Tensor) -> Tensor:
    """Return 1 with the probability that ``p`` says, else 0."""
    return torch.bernoulli(p, generator=current(p.device))


class Dropout(nn.Dropout):
    """``torch.nn.Dropout`` that draws from the current generator."""

    def forward(self, input: Tensor) -> Tensor:
        """Drop units of ``input``."""
        return dropout(input, self.p, self.training, self.inplace)


# ------------------------------------------------------------------------------------- code that is not our own

# Where the classes are that draw by this module or not at all.
_KNOWN = (
    f"{__name__.partition('.')[0]}.",
    *(f"torch.nn.modules.{kind}" for kind in ("container", "conv", "linear", "normalization", "sparse")),
)


@contextmanager
def drawing(generator: torch.Generator) -> Iterator[None]:
    """Let all that torch draws in this thread come from ``generator``: for code that knows nothing of this module."""
    with using(generator), _Watching():
        yield


def watching(*parts: object) -> Callable[[], AbstractContextManager[Any]]:
    """Return what makes the context in which the ``parts``, and the modules in them, draw from the current generator.

    Where all are known to do so, it does nothing: watching takes about a microsecond for every call of torch.
    """
    modules = (inner for part in parts if isinstance(part, nn.Module) for inner in part.modules())
    known = all(one is None or type(one).__module__.startswith(_KNOWN) for one in (*parts, *modules))
    return nullcontext if known else _Watching


# What takes a generator. Inside of what is watched nothing else is, so three functions of nn.init are given theirs as a
# whole; the others there are not seen themselves, but what they call is.
_TAKES_ONE: set[Callable[..., Any]] = {
    *(torch.rand, torch.randn, torch.randint, torch.randperm, torch.normal),
    *(torch.bernoulli, torch.multinomial, torch.poisson, torch.binomial),
    *(torch._standard_gamma, torch._sample_dirichlet),
    *(torch.rand_like, torch.randn_like, torch.randint_like),
    *(torch.Tensor.uniform_, torch.Tensor.normal_, torch.Tensor.bernoulli_, torch.Tensor.bernoulli),
    *(torch.Tensor.random_, torch.Tensor.exponential_, torch.Tensor.geometric_, torch.Tensor.cauchy_),
    *(torch.Tensor.log_normal_, torch.Tensor.multinomial),
    *(nn.init.uniform_, nn.init.normal_, nn.init.kaiming_uniform_),
}
# What draws and takes none.
_TAKES_NONE: set[Callable[..., Any]] = {
    *(F.dropout1d, F.dropout2d, F.dropout3d, F.alpha_dropout, F.feature_alpha_dropout, torch.dropout, torch.dropout_),
    *(torch.alpha_dropout, torch.feature_dropout, torch.feature_alpha_dropout, torch.native_dropout),
    *(F.rrelu, torch.rrelu, torch.rrelu_, F.gumbel_softmax, F.multi_head_attention_forward),
    *(F.scaled_dot_product_attention, torch.lstm, torch.gru, torch.rnn_tanh, torch.rnn_relu),
    *(F.fractional_max_pool2d, F.fractional_max_pool3d),
}
_DRAWS = _TAKES_ONE | _TAKES_NONE | {F.dropout}
_lending = threading.Lock()


class _Watching(TorchFunctionMode):
    """Gives every function of torch that draws in this thread the current generator."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func not in _DRAWS:
            return func(*args, **kwargs)
        if func is F.dropout:
            return dropout(*args, **kwargs)
        if func in _TAKES_ONE:
            if not any(isinstance(one, torch.Generator) for one in (*args, *kwargs.values())):
                kwargs = kwargs | {"generator": current(_device_of(args, kwargs))}
            return func(*args, **kwargs)
        return _lent(_device_of(args, kwargs), func, args, kwargs)


def _device_of(args: Any, kwargs: Any) -> torch.device:
    """Return where a call draws: where its first tensor is, or where its result shall be."""
    given = next((one for one in (*args, *kwargs.values()) if isinstance(one, Tensor)), None)
    return given.device if given is not None else torch.device(kwargs.get("device") or torch.get_default_device())


def _lent(device: torch.device, func: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    """Call ``func`` with torch's own generator in the state of the current one, and then put both right."""
    ours = current(device)
    if ours is None or device.type not in ("cpu", "cuda"):
        return func(*args, **kwargs)
    theirs = torch.default_generator if device.type == "cpu" else torch.cuda.default_generators[device.index]
    # One at a time: torch's own is everybody's. Whoever draws from it just now without asking us is not held up.
    with _lending:
        before = theirs.get_state()
        theirs.set_state(ours.get_state())
        try:
            return func(*args, **kwargs)
        finally:
            ours.set_state(theirs.get_state())
            theirs.set_state(before)
