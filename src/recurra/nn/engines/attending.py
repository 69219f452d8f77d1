"""The compiled engine for a cell that looks at a memory and is fed with what it saw: all steps, and their gradients.

Shapes: B batch, Q steps, T steps of the memory, H hidden units, G gate blocks, A width of keys, V width of values.
"""

import ctypes
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...attention.base import spread
from ...attention.normalise import softmax
from ...cells import GatedCell
from ...cells.base import bare
from ...errors import ConfigError
from ...native.eager import is_eager
from ...native.library import (
    ATTEND_GRAD_HEAD,
    ATTEND_HEAD,
    PAD,
    SCAN_HEAD,
    AttendArguments,
    AttendGradArguments,
    ScanArguments,
    absent,
    cell_number,
    load,
    scan_type,
    succeed,
)
from ...native.threads import threads_for_scan
from .native import cell_refusal, kernel_name, per_unit
from .operators import check_one, kind_of


class Form(NamedTuple):
    """What is computed: the equation of the cell, and of the score."""

    cell: str  # as in recurra.h
    additive: bool
    scale: float


class Given(NamedTuple):
    """The tensors that all steps read."""

    x: Tensor  # (B, Q, G·H), what the inputs contribute
    feed: Tensor | None  # (G·H, H); None: what was said is not read again, for which there are no gradients
    weight_hh: Tensor | None  # (G·H, H), unless the gates read the input alone
    bias_hh: Tensor | None  # (G·H)
    per_unit: Tensor | None  # (P·H)
    query: Tensor | None  # (A, H); None: the output of the cell is the query, and A is H
    vector: Tensor | None  # (A)
    combine: Tensor  # (H, V + H)
    keys: Tensor  # (B, T, A)
    values: Tensor  # (B, T, V)
    first: Tensor  # (B, H), h~ before the first step
    h0: Tensor  # (B, H)
    c0: Tensor | None  # (B, H), for a cell with a memory
    mask: Tensor | None  # (B, T) bool


class Kept(NamedTuple):
    """What the backward pass reads of the forward pass."""

    outputs: Tensor  # (B, Q, H) h~
    weights: Tensor  # (B, Q, T)
    states: Tensor  # (B, Q, H) of the cell
    contexts: Tensor  # (B, Q, V)
    queries: Tensor  # (B, Q, A), empty where the states are the queries
    saved: Tensor  # of the cell


LEAVES = Given._fields.index("mask")
Four = tuple[Tensor, Tensor, Tensor, Tensor]


def attending_refuses(owner: Any, tensors: Sequence[Tensor | None]) -> str:
    """Return why the compiled library cannot run an attending cell, or an empty string if it can.

    ``owner`` is the AttendingCell, its cell settled; ``tensors`` are those that it reads.
    """
    if absent():
        return absent().replace("The ", "the ", 1).rstrip(".")
    if reason := cell_refusal(owner.cell) or _owner_refusal(owner):
        return reason
    if not is_eager(tensors):
        return "the native engine runs an attending cell where nobody compiles, traces or transforms it"
    return ""


def _owner_refusal(owner: Any) -> str:
    cell, attention = owner.cell, owner.attention
    if not isinstance(cell, GatedCell) or cell.projects:
        return f"the native engine does not feed a {type(cell).__name__} with what it saw"
    if "as_score" not in vars(type(attention)):
        return f"the native engine has no kernel for the score of {type(attention).__name__}"
    if attention.normaliser is not softmax:
        return "the native engine normalises attention by softmax alone"
    if owner.dropout and attention.training:
        return "the native engine drops no weights of an attention in training"
    layers = (*([owner.feed] if owner.feeding else []), owner.combine, *attention.children())
    if not all(map(_is_plain, layers)) or _has_hooks(attention):
        return "the native engine does not call the layers of an attending cell, of which one is changed or has hooks"
    return ""


def _is_plain(module: nn.Module) -> bool:
    return type(module) is nn.Linear and not _has_hooks(module)


def _has_hooks(module: nn.Module) -> bool:
    hooks = module._forward_hooks, module._forward_pre_hooks, module._backward_hooks, module._backward_pre_hooks
    return any(hooks)


def read_weights(owner: Any) -> tuple[Form, dict[str, Tensor | None]]:
    """Return what an attending cell computes, and the weights among the fields of Given."""
    cell, score = owner.cell, owner.attention.as_score()
    name = kernel_name(cell)
    assert name is not None  # of one that is not refused
    weights = {
        "feed": owner.feed.weight if owner.feeding else None,
        "weight_hh": cell.weight_hh,
        "bias_hh": cell.bias_hh,
        "per_unit": per_unit(cell),
        "query": score.query,
        "vector": score.vector,
        "combine": owner.combine.weight,
    }
    return Form(name, score.vector is not None, score.scale), weights


def run_attending(form: Form, given: Given) -> Four:
    """Return h~ (B, Q, H), the weights (B, Q, T), and h and c (B, H) after the last step; c is empty if not there.

    Raises ConfigError if a tensor has another shape, type or device than the weights say.
    """
    if torch.is_grad_enabled() and any(one is not None and one.requires_grad for one in given):
        results: Four = _Attending.apply(form, *given)
        return results
    kept, h, c = _forward(form, given, save=False)
    return kept.outputs, kept.weights, h, c


def by_steps(form: Form, given: Given) -> Four:
    """Return the same by operators of torch: what can be differentiated twice."""
    kind, out = kind_of(form.cell), given.first
    hidden = out.shape[1]
    state = kind.state_type(*[part for part in (given.h0, given.c0) if part is not None])
    weights: dict[str, Any] = {"weight_hh": given.weight_hh, "bias_hh": given.bias_hh}
    if given.per_unit is not None:
        sizes = [count * hidden for count in kind.per_unit.values()]
        weights |= dict(zip(kind.per_unit, given.per_unit.split(sizes), strict=True))
    cell = kind.holding(weights, {}, bare(0, hidden))
    outputs, looked = [], []
    for projected in given.x.unbind(1):
        state = cell.step(projected + F.linear(out, given.feed), state)  # type: ignore[arg-type]
        scores = _scores(form, given, state[0])
        share = softmax(scores, spread(given.mask, scores))
        context = (share.unsqueeze(1) @ given.values).squeeze(1)
        out = torch.tanh(F.linear(torch.cat([context, state[0]], -1), given.combine))
        outputs.append(out)
        looked.append(share)
    c = state[1] if given.c0 is not None else out.new_empty(0)
    return torch.stack(outputs, 1), torch.stack(looked, 1), state[0], c


def _scores(form: Form, given: Given, h: Tensor) -> Tensor:
    query = (h if given.query is None else F.linear(h, given.query)).unsqueeze(1)
    if form.additive:
        return torch.tanh(query + given.keys) @ given.vector  # type: ignore[operator]
    return form.scale * (query @ given.keys.mT).squeeze(1)


class _Attending(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, form: Form, *tensors: Tensor | None) -> Four:
        kept, h, c = _forward(form, Given(*tensors), save=True)  # type: ignore[arg-type]
        ctx.form = form
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*tensors, *kept)
        if Given(*tensors).c0 is None:  # type: ignore[arg-type]
            ctx.mark_non_differentiable(c)
        return kept.outputs, kept.weights, h, c

    @staticmethod
    def backward(ctx: Any, *ends: Tensor | None) -> tuple[Tensor | None, ...]:
        given, kept = Given(*ctx.saved_tensors[: LEAVES + 1]), Kept(*ctx.saved_tensors[LEAVES + 1 :])
        wanted = ctx.needs_input_grad[1 : LEAVES + 1]
        ends = ends if given.c0 is not None else (*ends[:3], None)
        # Somebody may differentiate the gradients, or ask for many at once, of which the library knows nothing.
        if torch.is_grad_enabled() or not is_eager(ends):
            return None, *_plain_grads(ctx.form, given, ends, wanted), None
        return None, *_backward(ctx.form, given, kept, ends, wanted), None


def _forward(form: Form, given: Given, save: bool) -> tuple[Kept, Tensor, Tensor]:
    check(form, given)
    given = _contiguous(given)
    kept, h, c = _empty(form, given, save)
    scan, attend = scan_arguments(form, given), attend_arguments(form, given)
    scan.h, scan.c = h.data_ptr(), _pointer(None if given.c0 is None else c)
    _point(scan, attend, kept)
    succeed(load().recurra_attend_forward(ctypes.byref(scan), ctypes.byref(attend)))
    return kept, h, c


def _contiguous(given: Given) -> Given:
    return Given(*[None if one is None else one.contiguous() for one in given])  # type: ignore[arg-type]


def _empty(form: Form, given: Given, save: bool) -> tuple[Kept, Tensor, Tensor]:
    batch, steps, hidden = *given.x.shape[:2], given.h0.shape[1]
    new, queries = given.x.new_empty, 0 if given.query is None else given.keys.shape[2]
    blocks = load().recurra_saved_blocks(cell_number(form.cell), 0) if save else 0
    widths = hidden, given.keys.shape[1], hidden, given.values.shape[2], queries
    saved = new(batch, steps, blocks * ((hidden + PAD - 1) // PAD * PAD))
    return (
        Kept._make([*[new(batch, steps, width) for width in widths], saved]),
        new(batch, hidden),
        new(0) if given.c0 is None else new(batch, hidden),
    )


def scan_arguments(form: Form, given: Given) -> ScanArguments:
    """Return the scan of a call: its sizes, its threads and what it reads."""
    (batch, steps, _), hidden = given.x.shape, given.h0.shape[1]
    weights = (given.feed, given.weight_hh, given.query, given.combine)
    threads = threads_for_scan(batch * steps * sum(weight.numel() for weight in weights if weight is not None))
    scan = ScanArguments(*SCAN_HEAD, cell_number(form.cell), scan_type(given.x.dtype), 0, threads, 0)
    scan.batch, scan.steps, scan.input, scan.hidden = batch, steps, hidden, hidden
    scan.x, scan.weight_ih, scan.weight_hh = given.x.data_ptr(), _pointer(given.feed), _pointer(given.weight_hh)
    scan.bias_hh, scan.per_unit = _pointer(given.bias_hh), _pointer(given.per_unit)
    scan.h0, scan.c0 = given.h0.data_ptr(), _pointer(given.c0)
    return scan


def attend_arguments(form: Form, given: Given) -> AttendArguments:
    """Return what a call reads beside its scan."""
    sizes = (given.keys.shape[1], given.keys.shape[2], given.values.shape[2])
    attend = AttendArguments(*ATTEND_HEAD, form.additive, *sizes, form.scale)
    attend.keys, attend.values, attend.mask = given.keys.data_ptr(), given.values.data_ptr(), _pointer(given.mask)
    attend.query_weight, attend.vector = _pointer(given.query), _pointer(given.vector)
    attend.combine, attend.first = given.combine.data_ptr(), given.first.data_ptr()
    return attend


def _point(scan: ScanArguments, attend: AttendArguments, kept: Kept) -> None:
    scan.outputs, scan.saved = kept.states.data_ptr(), kept.saved.data_ptr() if kept.saved.shape[2] else None
    attend.outputs, attend.weights = kept.outputs.data_ptr(), kept.weights.data_ptr()
    attend.contexts, attend.queries = kept.contexts.data_ptr(), kept.queries.data_ptr() or None


def _pointer(tensor: Tensor | None) -> int | None:
    return None if tensor is None else tensor.data_ptr()


def check(form: Form, given: Given) -> None:
    """Refuse what would make the library read beyond the end of an array, or read it as another type."""
    kind, hidden = kind_of(form.cell), given.h0.shape[-1]
    rows, dtype = kind.blocks * hidden, given.combine.dtype
    batch, steps = given.x.shape[:2] if given.x.dim() == 3 else (-1, -1)
    memory, values = given.keys.shape[1] if given.keys.dim() == 3 else -1, given.combine.shape[-1] - hidden
    keys = hidden if given.query is None else len(given.query)
    shapes: dict[str, tuple[int, ...]] = {
        "x": (batch, steps, rows),
        "feed": (rows, hidden),
        "weight_hh": (rows, hidden),
        "bias_hh": (rows,),
        "per_unit": (sum(kind.per_unit.values()) * hidden,),
        "query": (keys, hidden),
        "vector": (keys,),
        "combine": (hidden, values + hidden),
        "keys": (batch, memory, keys),
        "values": (batch, memory, values),
        "first": (batch, hidden),
        "h0": (batch, hidden),
        "c0": (batch, hidden),
        "mask": (batch, memory),
    }
    for name, tensor in given._asdict().items():
        check_one(name, tensor, shapes[name], torch.bool if name == "mask" else dtype)
    if steps < 1 or memory < 1:
        raise ConfigError("There is no step to run over, or none to look at: x or the memory has length 0 in time.")
    if (given.c0 is None) == ("c" in kind.state_type._fields):  # type: ignore[attr-defined]
        raise ConfigError(f"The state of the cell '{form.cell}' must be ({', '.join(kind.state_type._fields)}).")  # type: ignore[attr-defined]


def _backward(
    form: Form, given: Given, kept: Kept, ends: Sequence[Tensor | None], wanted: Sequence[bool]
) -> list[Tensor | None]:
    """Return the gradients of the leaves of ``given``, those of weights as one product over all steps each."""
    given = _contiguous(given)
    ends = [None if end is None else end.contiguous() for end in ends]  # named, so that copies live until the end
    resets = load().recurra_cell_resets(cell_number(form.cell))
    like = {
        "d_x": given.x,
        "d_recurrent": given.x if resets else None,
        "d_combined": kept.outputs,
        "d_contexts": kept.contexts,
        "d_energies": kept.weights,
        "d_queries": kept.queries,
        "d_keys": given.keys,
        "d_values": given.values,
        "d_h0": given.h0,
        "d_c0": given.c0,
        "d_first": given.first,
    }
    d = {name: None if one is None else torch.empty_like(one) for name, one in like.items()}
    batch = len(given.x)
    for name, weight in (("d_vector", given.vector), ("d_per_unit", given.per_unit)):
        d[name] = None if weight is None else weight.new_empty(batch, len(weight))
    d_outputs, d_weights, d_h, d_c = map(_pointer, ends)
    grads = AttendGradArguments(*ATTEND_GRAD_HEAD, d_outputs, d_weights, d_h, d_c)
    for name, one in d.items():
        setattr(grads, name, _pointer(one))
    scan, attend = scan_arguments(form, given), attend_arguments(form, given)
    _point(scan, attend, kept)
    succeed(load().recurra_attend_backward(ctypes.byref(scan), ctypes.byref(attend), ctypes.byref(grads)))
    return _of_weights(given, kept, d, wanted)


def _of_weights(given: Given, kept: Kept, d: Any, wanted: Sequence[bool]) -> list[Tensor | None]:
    recurrent = d["d_x"] if d["d_recurrent"] is None else d["d_recurrent"]

    def product(grads: Tensor, met: Tensor) -> Tensor:
        return grads.flatten(0, 1).mT @ met.flatten(0, 1)

    def before(first: Tensor, outputs: Tensor) -> Tensor:
        return torch.cat([first.unsqueeze(1), outputs[:, :-1]], 1)

    found = {
        "feed": lambda: product(d["d_x"], before(given.first, kept.outputs)),
        "weight_hh": lambda: product(recurrent, before(given.h0, kept.states)),
        "bias_hh": lambda: recurrent.sum((0, 1)),
        "per_unit": lambda: d["d_per_unit"].sum(0),
        "query": lambda: product(d["d_queries"], kept.states),
        "vector": lambda: d["d_vector"].sum(0),
        "combine": lambda: product(d["d_combined"], torch.cat([kept.contexts, kept.states], -1)),
    }
    leaves = zip(Given._fields[:LEAVES], wanted, strict=True)
    return [(found[name]() if name in found else d[f"d_{name}"]) if want else None for name, want in leaves]


def _plain_grads(
    form: Form, given: Given, ends: Sequence[Tensor | None], wanted: Sequence[bool]
) -> list[Tensor | None]:
    """Return the gradients by operators of torch, as tensors that can be differentiated themselves."""
    again = torch.is_grad_enabled()
    with torch.enable_grad():
        # Views, so that a weight that was computed from another tensor does not add to its gradient here.
        given = Given(*[None if one is None else one.view_as(one) for one in given])  # type: ignore[arg-type]
        pairs = [(end, grad) for end, grad in zip(by_steps(form, given), ends, strict=True) if grad is not None]
        leaves = [one for one, want in zip(given[:LEAVES], wanted, strict=True) if want and one is not None]
        found = torch.autograd.grad(
            [end for end, _ in pairs], leaves, [grad for _, grad in pairs], create_graph=again, allow_unused=True
        )
    left = iter(found)
    return [next(left) if want else None for want in wanted]
