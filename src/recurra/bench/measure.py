"""What the bench measures: cells, sizes and parts in one order, and what may be said about the machine."""

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from ..cells import CELLS
from ..errors import ConfigError, RunError, pick
from ..nn.scan import ENGINES
from ..writing.numbers import percent
from .contenders import NAMESAKES, PRODUCTS, STREAM, Case, Size, field_of, products
from .footprint import peak_memory
from .machine import BUSY, Load, load_now, load_since, read_counters
from .timing import ratio, take_turns

PARTS = {
    "train": "a training step of one layer, forward and backward",
    "infer": "forward without gradients",
    "lengths": "a training step over sequences of 10 to 100 % of the steps",
    "step": "one streaming step of one sequence, from Python",
    "memory": "peak memory of a training step over the level before it",
}
NOT_KNOWN = Load(None)
PAGE = 4096.0  # bytes: less memory than this is not seen
ENGINE_NAMES = ("native", "torch", "auto")  # the reference is slow: only if it is asked for
SIZES = (
    Size(32, 96, 16, 64),
    Size(32, 96, 64, 128),
    Size(64, 100, 128, 256),
    Size(128, 50, 256, 512),
    Size(1, 500, 32, 128),
    Size(256, 96, 1, 32),
    Size(448, 30, 128, 128),
    Size(16, 1000, 32, 256),
)


@dataclass(frozen=True)
class Request:
    """What is to be measured, and how often."""

    parts: tuple[str, ...] = ("train",)
    cells: tuple[str, ...] = ("gru", "lstm", "lstm_gru")
    engines: tuple[str, ...] = ENGINE_NAMES
    sizes: tuple[Size, ...] = SIZES
    rounds: int = 9
    anyway: bool = False  # report on a busy machine too


@dataclass(frozen=True)
class Row:
    """What was measured of one case."""

    case: Case
    yardstick: str
    figures: dict[str, float]  # seconds of one call by contender; bytes in the part 'memory'
    gains: dict[str, float]  # the yardstick's figure in multiples of ours: above 1 is better than torch.nn
    over_products: dict[str, float]  # our time in multiples of the matrix products alone
    skipped: dict[str, str]
    auto: str
    load: Load


@dataclass
class Bench:
    """What was measured so far."""

    request: Request
    rows: list[Row] = field(default_factory=list)
    before: Load = NOT_KNOWN  # in the second before the start
    interrupted: bool = False
    fault: str = ""

    @property
    def unfinished(self) -> bool:
        """Whether some rows are missing."""
        return self.interrupted or bool(self.fault)

    @property
    def busy(self) -> bool:
        """Whether others used the machine before the start or during any row."""
        return self.before.busy or any(row.load.busy for row in self.rows)


def make_request(asked: Mapping[str, Any]) -> Request:
    """Return the request for what was ``asked`` by field; what is empty keeps its default. Sizes are texts."""
    given = {name: value for name, value in asked.items() if value}
    for name in ("parts", "cells", "engines"):
        if name in given:
            given[name] = tuple(dict.fromkeys(word for text in given[name] for word in text.split(",")))
    if "sizes" in given:
        given["sizes"] = tuple(dict.fromkeys(map(read_size, given["sizes"])))
    return Request(**given)


def read_size(text: str) -> Size:
    """Return the size that ``B,T,I,H`` says; raises ConfigError if it says none."""
    parts = text.replace("·", ",").split(",")
    if len(parts) != 4 or not all(part.strip().isdecimal() and int(part) > 0 for part in parts):
        raise ConfigError(
            "A size is four whole numbers from 1: batch, steps, inputs and hidden units, such as 32,96,16,64. "
            f"Got '{text}' instead."
        )
    return Size(*map(int, parts))


def cases(request: Request) -> list[Case]:
    """Return the rows to measure; raises ConfigError for an unknown name, or for a part that has no row."""
    for names, table, what in (
        (request.parts, PARTS, "part"),
        (request.cells, tuple(CELLS), "cell"),
        (request.engines, (*ENGINE_NAMES, *ENGINES), "engine"),
    ):
        for name in names:
            pick(dict.fromkeys(table, name), name, what)
    every: list[Case] = []
    for part in request.parts:
        rows = [Case(part, *at) for at in product(request.cells, [STREAM] if part == "step" else request.sizes)]
        if part == "lengths":
            rows = [case for case in rows if case.size.batch > 1 and case.cell in NAMESAKES]
        if not rows:
            raise ConfigError(
                f"The part 'lengths' has nothing to measure: give a size with a batch above 1, and a cell out of "
                f"{', '.join(NAMESAKES)}."
            )
        every += rows
    return every


def run(request: Request, on_case: Callable[[Case], None] = lambda case: None) -> Bench:
    """Measure every case; Ctrl-C or a machine that becomes busy ends it early, with what there is until then.

    Raises RunError if the machine is busy before there is anything, ConfigError for a wrong request.
    """
    every = cases(request)
    bench = Bench(request, before=load_now())
    if bench.before.busy and not request.anyway:
        raise RunError(describe_busy(bench.before, "in the second before the start"))
    try:
        for case in every:
            on_case(case)
            bench.rows.append(measure(case, request))
    except RuntimeError as fault:
        if "memory" not in str(fault):
            raise
        raise RunError(
            f"The size {case.size} does not fit into the memory of this machine: give a smaller one."
        ) from None
    except (KeyboardInterrupt, RunError) as end:
        if not bench.rows:
            raise
        bench.interrupted, bench.fault = isinstance(end, KeyboardInterrupt), str(end)
    return bench


def measure(case: Case, request: Request) -> Row:
    """Measure one case, and once more if others used the machine; raises RunError if they still do."""
    row = _measure_once(case, request)
    if row.load.busy and not request.anyway:
        row = _measure_once(case, request)
    if row.load.busy and not request.anyway:
        raise RunError(describe_busy(row.load, f"during {case}, twice"))
    return row


def describe_busy(load: Load, when: str) -> str:
    """Return one sentence that says what was seen and what to do."""
    return (
        f"Other processes used {percent(load.others)} of the cores {when}, and above {percent(BUSY)} "
        "times say little: wait until they are done ('top' shows them), or measure nevertheless with anyway=True."
    )


def _measure_once(case: Case, request: Request) -> Row:
    start = read_counters()
    drawn = field_of(case, request.engines)
    yardstick, over = drawn.yardstick, {}
    if case.part == "memory":
        figures = {one.name: float(peak_memory(case, one.name)) for one in drawn.contenders}
        gains = {name: max(figures[yardstick], PAGE) / max(figure, PAGE) for name, figure in figures.items()}
    else:
        parts = products(case) if case.part in ("train", "infer") else []
        times = take_turns([*drawn.contenders, *parts], request.rounds)
        figures = {name: statistics.median(each) for name, each in times.items()}
        gains = {one.name: ratio(times, yardstick, one.name) for one in drawn.contenders}
        over = {one.name: ratio(times, one.name, PRODUCTS) for one in drawn.contenders if PRODUCTS in times}
    del gains[yardstick]
    return Row(case, yardstick, figures, gains, over, drawn.skipped, drawn.auto, load_since(start))
