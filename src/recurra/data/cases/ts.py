"""Files of the UEA archive and of sktime, ``.ts``: a header of lines with '@', then a case per line.

Shapes: C channels, T_i steps of case i.
"""

from dataclasses import dataclass

import numpy as np

from ...errors import DataError, KindError
from .answers import Answer, What
from .cases import Cases, channel_names, checked, counted, missing_note

ANSWERS: dict[str, What] = {"classlabel": "label", "targetlabel": "number"}  # words of the header
LACKS = {  # what a file has, and what is wanted
    (None, "label"): "no labels (@classLabel false); give a file with a label for each case",
    (None, "number"): "no numbers to predict (@targetLabel false); give a file with a number for each case",
    ("number", "label"): "a number for each case and no label (@targetLabel true); give a file with labels",
    ("label", "number"): "a label for each case and no number (@classLabel true); give a file with numbers",
    (None, "mark"): "no labels of steps; give a table with a step in each row: id, time, label, values",
    ("label", "mark"): "one label for each case; give a table with a step in each row: id, time, label, values",
    ("number", "mark"): "one number for each case; give a table with a step in each row: id, time, label, values",
}


@dataclass(frozen=True)
class Header:
    """What the lines with '@' say."""

    data: int  # how many lines there are up to @data
    what: What | None  # what stands behind the values of a case
    classes: tuple[str, ...]  # empty if they are not listed
    channels: int | None


def looks_like_ts(text: str) -> bool:
    """Tell whether the first line that is neither empty nor a comment begins with '@'."""
    lines = (line.strip() for line in text.splitlines())
    return next((line.startswith("@") for line in lines if line and not line.startswith("#")), False)


def read_ts(text: str, name: str, answer: Answer) -> Cases:
    """Return the cases of a ``.ts`` file; raises DataError that names the line where it does not keep its form."""
    lines = [line.strip() for line in text.splitlines()]
    header = _header(lines, name)
    if answer.needed and header.what != answer.what:
        raise KindError(f"'{name}' has {LACKS[header.what, answer.what]}.")
    rows = [(i + 1, line) for i, line in enumerate(lines) if i >= header.data and line and line[0] != "#"]
    if not rows:
        raise DataError(f"'{name}' has no cases below @data; give it a case per line.")
    places = [f"Line {number} of '{name}'" for number, _ in rows]
    written = [_split(line, header, place) for (_, line), place in zip(rows, places, strict=True)]
    values = tuple(_case(cells, place) for (cells, _), place in zip(written, places, strict=True))
    _check_channels(values, places, header)
    names, channels = counted(len(values)), channel_names(values[0].shape[1])
    notes = (f"'{name}' is a .ts file with {len(channels)} channel(s)", *missing_note(values))
    cases = checked(Cases(values, None, names, channels, notes))
    if header.what != answer.what:
        return cases
    cells = [None if last == "?" else last for _, last in written]
    return answer.from_cells(cases, cells, places.__getitem__, header.classes)


def _header(lines: list[str], name: str) -> Header:
    facts: dict[str, str] = {}
    for i, line in enumerate(lines):
        word, *rest = line.split(maxsplit=1)[:2] if line else [""]
        if word.casefold() == "@data":
            return _facts(i + 1, facts, name)
        if word.startswith("@"):
            facts[word[1:].casefold()] = rest[0] if rest else ""
    raise DataError(f"'{name}' has no line '@data', so it is no .ts file; write a case per line below such a line.")


def _facts(data: int, facts: dict[str, str], name: str) -> Header:
    if "relation" in facts or "attribute" in facts:
        raise DataError(f"'{name}' is an ARFF file; the archive has the same data as a .ts file, give that.")
    if facts.get("timestamps", "").casefold().startswith("true"):
        raise DataError(
            f"'{name}' has a time stamp with each value (@timestamps true), which is not read; give cases with regular "
            "steps."
        )
    if not facts.keys() & ANSWERS.keys():
        raise DataError(
            f"'{name}' does not say whether its cases have labels; add a line '@classLabel true a b' with the names of "
            "the classes, '@targetLabel true' if each has a number, or '@classLabel false'."
        )
    what = next((what for word, what in ANSWERS.items() if facts.get(word, "").casefold().startswith("true")), None)
    classes = facts["classlabel"].split()[1:] if what == "label" else []
    return Header(data, what, tuple(classes), _channels(facts, name))


def _channels(facts: dict[str, str], name: str) -> int | None:
    given = facts.get("dimensions", facts.get("dimension", ""))
    if given and not (given.isdecimal() and int(given)):
        raise DataError(f"'{name}' has '{given}' behind @dimensions; write how many channels a case has.")
    if given:
        return int(given)
    return 1 if facts.get("univariate", "").casefold() == "true" else None


def _split(line: str, header: Header, place: str) -> tuple[list[str], str]:
    """Return the channels of a case as text, and its label."""
    if line.startswith("("):
        raise DataError(f"{place} has time stamps in brackets, which are not read; give the values alone.")
    *cells, last = line.split(":")
    if header.what is None:
        return [*cells, last], ""
    if not cells:
        raise DataError(f"{place} has no ':', so no label behind its values; end each case with ':' and its label.")
    return cells, last.strip()


def _case(cells: list[str], place: str) -> np.ndarray:
    """Return float64 (T, C)."""
    rows = [_numbers(cell, place) for cell in cells]
    lengths = {len(row) for row in rows}
    if len(lengths) > 1:
        raise DataError(
            f"{place} has channels of {min(lengths)} and of {max(lengths)} steps; fill the shorter ones up with '?'."
        )
    return np.stack(rows, axis=1)


def _numbers(cell: str, place: str) -> np.ndarray:
    if not cell.strip():
        return np.empty(0)
    parts = cell.replace("?", "nan").split(",") if "?" in cell else cell.split(",")
    try:
        return np.array([float(part) for part in parts])
    except ValueError as fault:
        bad = str(fault).partition(": ")[2] or "''"
        raise DataError(f"{place} has {bad} where a number is needed; correct it, or write '?' for it.") from None


def _check_channels(values: tuple[np.ndarray, ...], places: list[str], header: Header) -> None:
    wanted = header.channels or values[0].shape[1]
    for case, place in zip(values, places, strict=True):
        if case.shape[1] != wanted:
            why = "its header says" if header.channels else "the first case has"
            raise DataError(
                f"{place} has {case.shape[1]} channel(s), but {why} {wanted}; correct the one or the other."
            )
