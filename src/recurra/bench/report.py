"""What the bench says: tables for the terminal and for a file, plain data, and on which machine."""

import math
import re
import statistics
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import torch

from ..errors import ConfigError, RunError
from ..writing.atomic import write_text
from ..writing.language import translated
from ..writing.numbers import NOTHING, percent, short
from .contenders import PRODUCTS, STEPPER, STREAM
from .machine import describe_machine
from .measure import PARTS, Bench, Request, Row
from .timing import BLOCK

UNITS = {"step": (1e6, "µs"), "memory": (1e-6, "MB")}
MILLISECONDS = (1e3, "ms")


class Sheet(NamedTuple):
    """The table of one part and cell."""

    title: str
    header: list[str]
    lines: list[list[str]]
    notes: list[str]
    ratios: int  # the column in which the ratios begin

    def halves(self) -> list[tuple[list[str], list[list[str]]]]:
        """Return the figures and the ratios as tables of their own, which fit a terminal."""
        figures = [line[: self.ratios] for line in self.lines if any(line[1 : self.ratios])]
        ratios = [[line[0], *line[self.ratios :]] for line in self.lines]
        tables = [(self.header[: self.ratios], figures), ([self.header[0], *self.header[self.ratios :]], ratios)]
        return [(header, lines) for header, lines in tables if len(header) > 1]


# --------------------------------------------------------------------------------------------------- numbers


def geometric_mean(values: Sequence[float]) -> float:
    """Return the mean that fits ratios."""
    return math.exp(statistics.fmean(map(math.log, values)))


class Column(NamedTuple):
    """A column of ratios: what it is called, where a row has it, and which of its values is the worst."""

    name: str
    kind: str  # gains or over_products
    key: str
    worst: Callable[[Sequence[float]], float]

    def of(self, row: Row) -> float | None:
        """Return the ratio of ``row``, if it has it."""
        return getattr(row, self.kind).get(self.key)


def columns_of(rows: Sequence[Row]) -> list[Column]:
    """Return the ratios that some of ``rows`` have."""
    gains = dict.fromkeys(name for row in rows for name in row.gains)
    over = dict.fromkeys(name for row in rows for name in row.over_products)
    return [
        *[Column(f"{rows[0].yardstick} / {name}", "gains", name, min) for name in gains],
        *[Column(f"{name} / {PRODUCTS}", "over_products", name, max) for name in over],
    ]


def summary(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return the geometric mean and the worst of every ratio, over the sizes of each part and cell."""
    found = []
    for (part, cell), group in _groups(rows):
        for column in columns_of(group):
            values = [value for row in group if (value := column.of(row)) is not None]
            mean = geometric_mean(values)
            found.append(
                {"part": part, "cell": cell, "ratio": column.name, "mean": mean, "worst": column.worst(values)}
            )
    return found


def _groups(rows: Sequence[Row]) -> list[tuple[tuple[str, str], list[Row]]]:
    return [(key, list(group)) for key, group in groupby(rows, lambda row: (row.case.part, row.case.cell))]


# --------------------------------------------------------------------------------------------------- tables


def sheets(bench: Bench) -> list[Sheet]:
    """Return a table for every part and cell that was measured."""
    return [_sheet(rows, bench.request.engines) for _, rows in _groups(bench.rows)]


def _sheet(rows: list[Row], engines: Sequence[str]) -> Sheet:
    part, cell, _ = rows[0].case
    scale, unit = UNITS.get(part, MILLISECONDS)
    skipped = {name: reason for row in rows for name, reason in row.skipped.items()}
    known = {name for row in rows for name in (*row.figures, *skipped)}
    names = [name for name in (rows[0].yardstick, *engines, STEPPER, PRODUCTS) if name in known]
    columns = columns_of(rows)
    lines = []
    for row in rows:
        figures = [short(scale * row.figures[name]) if name in row.figures else NOTHING for name in names]
        values = [column.of(row) for column in columns]
        lines.append([str(row.case.size), *figures, *[short(value) for value in values]])
    if len(rows) > 1 and columns:
        totals = summary(rows)
        blank = [""] * len(names)
        lines.append(["geometric mean", *blank, *[short(total["mean"]) for total in totals]])
        lines.append(["worst", *blank, *[short(total["worst"]) for total in totals]])
    header = ["B·T·I·H", *names, *[column.name for column in columns]]
    return Sheet(f"{part}, {cell}: {PARTS[part]} ({unit})", header, lines, _notes(rows, skipped), 1 + len(names))


def _notes(rows: Sequence[Row], skipped: dict[str, str]) -> list[str]:
    notes = [f"{name} did not run: {without_paths(reason)}" for name, reason in skipped.items()]
    ran = {row.auto for row in rows if row.auto}
    return [*notes, *([f"auto ran {' and '.join(sorted(ran))}"] if ran else [])]


def without_paths(text: str) -> str:
    """Return ``text`` without the places of files, which say where somebody works."""
    return re.sub(r"'[^']*[/\\][^']*'", "a file", text).rstrip(".")


# --------------------------------------------------------------------------------------------------- the rest


def command_of(request: Request) -> str:
    """Return the command that measures this again; where its table went is left out."""
    first = Request()
    words = ["recurra bench"]
    for flag, given, default in (
        ("--part", request.parts, first.parts),
        ("--cell", request.cells, first.cells),
        ("--engine", request.engines, first.engines),
        (
            "--size",
            tuple(",".join(map(str, size)) for size in request.sizes) if request.sizes != first.sizes else (),
            (),
        ),
    ):
        words += [f"{flag} {value}" for value in given if given != default]
    words += [f"--rounds {request.rounds}"] if request.rounds != first.rounds else []
    words.append(f"--threads {torch.get_num_threads()}")
    return " ".join([*words, *(["--anyway"] if request.anyway else [])])


def load_notes(bench: Bench) -> list[str]:
    """Return what others did on the machine, in plain words."""
    known = [row.load for row in bench.rows if row.load.others is not None]
    if not known:
        return ["This system does not say what other processes do."]
    others, stolen = ([getattr(load, name) for load in known] for name in ("others", "stolen"))
    return [
        f"Other processes used {percent(statistics.fmean(others))} of the cores on average and at most "
        f"{percent(max(others))} in one row; other virtual machines took (steal) "
        f"{percent(statistics.fmean(stolen))} on average and at most {percent(max(stolen))}."
    ]


def marks(bench: Bench) -> list[str]:
    """Return what a reader must know before the first number."""
    found = ["Unfinished: some rows are missing."] if bench.unfinished else []
    return [*found, *(["Measured on a busy machine."] if bench.busy else [])]


def how(bench: Bench) -> list[str]:
    """Return how the figures were found, in whole sentences."""
    parts = {row.case.part for row in bench.rows}
    lines = [
        f"Every time is the median of {bench.request.rounds} blocks of at least {1000 * BLOCK:.0f} ms, taken in turns; "
        "a ratio is the median of the ratios of the rounds. Against torch.nn, above 1 is better than torch.nn.",
        "One layer in float32 that starts from zeros; x requires a gradient, as in the middle of a network, and the "
        "gradient of the outputs is a fixed random tensor.",
    ]
    if parts & {"train", "infer"}:
        lines.append(
            f"{PRODUCTS}: the matrix products of the cell alone as torch.mm makes them, each at its own shape and "
            "as often as it is needed. Many are small, so an engine that saves the calls can be below 1."
        )
    if "lengths" in parts:
        lines.append("lengths: recurra's layer and torch.nn's layer read one and the same PackedSequence.")
    if "step" in parts:
        lines.append(
            f"step: B {STREAM.batch}, I {STREAM.inputs}, H {STREAM.hidden}, each going on from its last state."
        )
    if "memory" in parts:
        lines.append("memory: each figure from one step in a fresh process.")
    return [*lines, *load_notes(bench)]


def as_data(bench: Bench) -> dict[str, Any]:
    """Return all that was measured as plain data; times in seconds, memory in bytes."""
    rows = [
        {
            "part": row.case.part,
            "cell": row.case.cell,
            "size": list(row.case.size),
            "yardstick": row.yardstick,
            "figures": row.figures,
            "gains": row.gains,
            "over_products": row.over_products,
            "skipped": row.skipped,
            "auto": row.auto or None,
            "others": row.load.others,
            "stolen": row.load.stolen,
        }
        for row in bench.rows
    ]
    return {
        "command": command_of(bench.request),
        "date": datetime.now(UTC).date().isoformat(),
        "machine": describe_machine(),
        "rounds": bench.request.rounds,
        "unfinished": bench.unfinished,
        "busy": bench.busy,
        "rows": rows,
        "summary": summary(bench.rows),
    }


def as_markdown(bench: Bench) -> str:
    """Return the page of a bench: the command, the machine, a table for each part and cell, and how to read them."""
    about = describe_machine()
    cores = f"{about['processor']}, {about['cores']} cores, {about['instruction_set']}"
    machine = (
        f"{datetime.now(UTC).date()}; {cores}; {about['system']}; PyTorch {about['torch']}, "
        f"{about['threads']} threads; native engine: {about['native_instruction_set']}."
    )
    lines = ["# recurra bench", "", f"    {command_of(bench.request)}", "", translated(machine)]
    lines += [line for mark in marks(bench) for line in ("", f"**{translated(mark)}**")]
    for sheet in sheets(bench):
        lines += ["", f"## {translated(sheet.title)}", "", _markdown_line(sheet.header)]
        lines += ["|---|" + "---:|" * (len(sheet.header) - 1), *map(_markdown_line, sheet.lines)]
        lines += [line for note in sheet.notes for line in ("", translated(f"{note}."))]
    return "\n".join([*lines, "", *[f"- {translated(line)}" for line in how(bench)], ""])


def _markdown_line(entries: Sequence[str]) -> str:
    return f"| {' | '.join(map(translated, entries))} |"


def check_free(path: Path, overwrite: bool) -> None:
    """Raise before anything is measured if a table could not be written to ``path``."""
    if path.suffix != ".md":
        raise ConfigError(f"The table is written as Markdown, to a name that ends in .md. Got '{path}' instead.")
    if path.is_dir() or not path.parent.is_dir():
        raise ConfigError(f"The table cannot be written to {path}: give a file in a folder that is there.")
    if path.exists() and not overwrite:
        raise RunError(f"The file {path} is there already. Give another name, or replace it with overwrite=True.")


def write_markdown(bench: Bench, path: Path) -> None:
    """Write the page to ``path``, whole or not at all."""
    write_text(path, as_markdown(bench), f"The table cannot be written to {path}")
