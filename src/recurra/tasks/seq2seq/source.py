"""Pairs of what is read and what is written, from wherever they come."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ...data.cases.texts import listed
from ...data.tables.columns import as_pandas
from ...data.tables.json_lines import ENDINGS as JSON_LINES
from ...data.tables.names import name_of
from ...errors import DataError, KindError
from .arrays import are_sequences, array_cases, named_cases, names_sequences
from .columns import Form, Sides, find_sides, unnamed
from .files import TABLES, Read, ending_of, is_side, read_pairs, unnested
from .pairs import NAMES, Pairs
from .threads import Turn, replies, threads_in

FILES = (*TABLES, *JSON_LINES, ".txt", ".text", ".json", ".parquet", ".pq")
SHOWN = 5  # numbers of lines in a note
LABELS, TIMES = 20, 50  # so few different texts, each so often on average, look like labels


def pairs_of(source: Any, form: Form | None = None, answered: bool = True, most: int | None = None) -> Pairs:
    """Return the pairs in ``source``: a file, two files, a table, a list of pairs, two lists, or texts alone.

    Two files are two paths; two lists are a tuple of both, and what is read may be a question with the passage that it
    is about, as a pair of both. Texts alone are one text or a list of them, and can only be
    asked about: where all must be ``answered`` they are refused. ``most`` bounds how many are used. Raises DataError
    if a side is missing, and KindError for data that are none of texts.
    """
    form = form or Form()
    if isinstance(source, Pairs):
        return _bounded(source, most)
    sequences = _sequences(source, form, answered)
    if sequences is not None:
        return _bounded(sequences, most)
    if isinstance(source, (str, Path)):
        return _from_place(source, form, answered, most)
    if _are_files(source):
        first, second = map(str, source)
        return pairs_of(Path(first), replace(form, target_file=second), answered, most)
    source = listed(source)
    if isinstance(source, dict) or hasattr(type(source), "columns") or _all_are(source, dict):
        table = pd.DataFrame(source) if isinstance(source, (dict, list, tuple)) else as_pandas(source)
        read = Read(unnested(table.set_axis(range(1, len(table) + 1), axis=0)), (), "row")
        return _from_table(read, form, answered, most)
    return _bounded(_from_lists(source, form, answered), most)


def _from_place(source: str | Path, form: Form, answered: bool, most: int | None) -> Pairs:
    """Return the pairs in a file; where they need not be ``answered``, a text may come instead of its name."""
    if not answered and isinstance(source, str) and not _is_place(source):
        return _only_texts([source], answered)
    read = read_pairs(Path(source), form, answered)._replace(path=Path(source))
    return _from_table(read, form, answered, most)


def paired(sources: Any, targets: Any) -> Pairs:
    """Return two lists as pairs; raises DataError if they are not equally long, or hold what is no text."""
    left, right = _asked(sources), _texts(targets, "target")
    if len(left) != len(right):
        raise DataError(
            f"There are {len(left):,} sources and {len(right):,} targets; give a target for each of the sources."
        )
    return _without_empty(replace(left, targets=right), range(1, len(left) + 1), "pair", True)


def _asked(sources: Any) -> Pairs:
    """Return texts to read, or questions with the passage that each is about."""
    listed_ones = listed(sources)
    if not _all_are(listed_ones, (list, tuple)) or any(len(one) != 2 for one in listed_ones):
        return Pairs(_texts(sources, "source"), None)
    questions, passages = zip(*listed_ones, strict=True)
    return Pairs(_texts(questions, "source"), None, passages=_texts(passages, "passage"))


def _is_place(text: str) -> bool:
    """Tell whether a text names a file, or looks so much like it that it would be one if it were there."""
    if "\n" in text or len(text) > 1000:
        return False
    ending = ending_of(Path(text))
    named = ending in FILES or is_side(ending) or Path(text).suffix.lower() in (".gz", ".xz", ".bz2", ".zip")
    return Path(text).exists() or (" " not in text and named)


def _are_files(source: Any) -> bool:
    """Tell whether ``source`` is two paths: of the file that is read, and of the one with what is written."""
    if not isinstance(source, (list, tuple)) or len(source) != 2:
        return False
    return all(isinstance(one, Path) or (isinstance(one, str) and _is_there(one)) for one in source)


def _is_there(text: str) -> bool:
    return "\n" not in text and len(text) < 1000 and Path(text).is_file()


def _all_are(source: Any, kind: Any) -> bool:
    return (
        isinstance(source, (list, tuple, np.ndarray)) and len(source) > 0 and all(isinstance(o, kind) for o in source)
    )


def _bounded(pairs: Pairs, most: int | None) -> Pairs:
    return pairs if most is None else pairs.part(slice(0, most))


# ---------------------------------------------------------------------------------------------------- lists


def _from_lists(source: Any, form: Form, answered: bool) -> Pairs:
    if not isinstance(source, (list, tuple, np.ndarray)):
        raise DataError(
            f"Pairs of texts are needed, and this is {type(source).__name__}: give the name of a file, a table, a list "
            "of pairs, or two lists."
        )
    if not len(source):
        raise DataError("There are no texts; give at least one.")
    both = isinstance(source, tuple) and len(source) == 2  # questions and answers
    if form.passages and not answered and not both and not _all_are(source, str):
        return _without_empty(_asked(source), range(1, len(source) + 1), "pair", False)
    if not both and _are_threads(source):
        return _from_threads([[Turn(text) for text in thread] for thread in source], form.turns, answered)
    if _all_are(source, str):
        return _only_texts(source, answered)
    sides = (list, tuple, np.ndarray, pd.Series)
    if isinstance(source, tuple) and len(source) == 2 and all(isinstance(listed(one), sides) for one in source):
        return paired(*source)
    wrong = next((n for n, one in enumerate(source, 1) if not isinstance(one, sides) or len(one) != 2), None)
    if wrong is not None and len(source) == 2 and all(isinstance(one, sides) for one in source):
        return paired(*source)
    if wrong is not None:
        raise DataError(
            f"Entry {wrong:,} is no pair of texts but {_cut(repr(source[wrong - 1]))}; give a text and its target for "
            "each, or two lists."
        )
    return paired([one[0] for one in source], [one[1] for one in source])


def _are_threads(source: Any) -> bool:
    """Tell whether a list holds lists of texts that are no pairs, as one has more than two, nor both sides of pairs."""
    lists = _all_are(source, (list, tuple)) and all(len(one) > 1 and _all_are(one, str) for one in source)
    sides = lists and len(source) == 2 and len(source[0]) == len(source[1])  # texts, and those that answer them
    return lists and not sides and any(len(one) > 2 for one in source)


def _only_texts(source: Any, answered: bool) -> Pairs:
    texts = _texts(source, "source")
    if answered:
        raise DataError(
            "These are texts without what is to be written for them; give a list of pairs (source, target), or two "
            "lists."
        )
    empty = next((number for number, text in enumerate(texts, 1) if not text.strip()), None)
    if empty is not None:
        raise DataError(f"Text {empty:,} is empty; leave it out, as there is nothing to read.")
    return Pairs(texts, None)


def _texts(values: Any, what: str) -> tuple[str, ...]:
    if isinstance(values, str):
        raise DataError(f"The {what}s are one text; give a list of texts.")
    values = listed(values)
    if not isinstance(values, Iterable):
        raise DataError(f"The {what}s are {type(values).__name__}; give a list of texts.")
    texts = [None if _is_missing(one) else one for one in values]
    wrong = next((number for number, one in enumerate(texts) if not isinstance(one, str | None)), None)
    if wrong is not None:
        raise DataError(
            f"The {what} of pair {wrong + 1:,} is {_cut(repr(texts[wrong]))}, which is no text; give every one as text."
        )
    return tuple("" if one is None else str(one) for one in texts)


def _is_missing(value: Any) -> bool:
    return value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and np.isnan(value))


# ------------------------------------------------------------------------------------------------- sequences


def _sequences(source: Any, form: Form, answered: bool) -> Pairs | None:
    """Return sequences of numbers as pairs: arrays or files of sounds, or those with their targets; None for others."""
    both = isinstance(source, tuple) and len(source) == 2 and are_sequences(source[0])
    if both:
        cases, targets = array_cases(source[0], form), _texts(source[1], "target")
        if len(cases) != len(targets):
            raise DataError(
                f"There are {len(cases):,} sources and {len(targets):,} targets; give a target for each of the sources."
            )
        pairs = Pairs(cases.names, targets, cases.notes, cases=cases)
        return _without_empty(pairs, range(1, len(cases) + 1), "pair", answered)
    if answered or not are_sequences(source):
        return None
    cases = array_cases(source, form)
    return Pairs(cases.names, None, cases.notes, cases=cases)


# ---------------------------------------------------------------------------------------------------- tables


def _from_table(read: Read, form: Form, answered: bool, most: int | None) -> Pairs:
    """Return the pairs in a table; rows that lack a side are left out, and it is said which."""
    table = read.table if most is None else read.table.head(most)
    if not len(table):
        raise DataError("The table has no rows; give it at least one pair.")
    threads = None if form.source_column or form.target_column else threads_in(table)
    if threads is not None:
        return _from_threads(threads, form.turns, answered)
    sides = find_sides(table, form if read.names is None else Form(), answered)
    sources = _column(table, sides.source)
    targets = None if sides.target is None else _column(table, sides.target)
    names = read.names or (NAMES if unnamed(table) else (sides.source, sides.target or NAMES[1]))
    notes = read.notes or tuple(_said(table, sides))
    passages = None if sides.passage is None else _column(table, sides.passage)
    pairs = Pairs(sources, targets, notes, names, passages=passages)
    pairs = _without_empty(pairs, list(table.index), read.row, answered)
    if answered:
        pairs = replace(pairs, notes=(*pairs.notes, *_doubts(pairs, sides)))
    if not names_sequences(pairs.sources):
        return pairs
    other = next((one for one in pairs.sources if not names_sequences([one])), None)
    if other is not None:
        raise DataError(
            f"Column '{pairs.names[0]}' names sounds, pictures or arrays, but '{_cut(other)}' in it is no name of one: "
            "give such a file in every row."
        )
    return _with_files(pairs, Path() if read.path is None else read.path.parent, form)


def _from_threads(threads: Sequence[Sequence[Turn]], turns: int, answered: bool) -> Pairs:
    """Return each reply with what was said before it; raises DataError if there is none."""
    found = [*replies(threads, turns, answered)]
    if not found:
        raise DataError("No thread has a reply: give threads of two turns at least, none of them empty.")
    before, said, numbers = zip(*found, strict=True)
    empty = sum(not one.text.strip() for thread in threads for one in thread)
    notes = [f"{len(threads):,} thread(s) with {len(found):,} replies, each to up to {turns} turn(s) before it"]
    notes += [f"left out {empty:,} empty turn(s)"] if empty else []
    targets = said if any(said) or answered else None
    return Pairs(before, targets, tuple(notes), ("turns", "reply"), threads=numbers)


def _with_files(pairs: Pairs, folder: Path, form: Form) -> Pairs:
    """Return pairs whose sources are names of files, from ``folder``, with what is in these."""
    cases = named_cases(pairs.sources, folder, pairs.names[0], form)
    return replace(pairs, cases=cases, notes=(*pairs.notes, *cases.notes))


def _column(table: pd.DataFrame, name: str) -> tuple[str, ...]:
    """Return the cells of a column as text: a number as it is written, nothing for what is missing."""
    return tuple(_text(cell, name) for cell in table[name].tolist())


def _text(cell: Any, name: str) -> str:
    if isinstance(cell, str):
        return cell
    if _is_missing(cell):
        return ""
    if isinstance(cell, (list, tuple, dict, np.ndarray)) and (answer := _first_answer(cell)) is not None:
        return answer
    if isinstance(cell, (list, tuple, dict, np.ndarray)):
        raise DataError(
            f"Column '{name}' has a whole {type(cell).__name__} in a cell, where a text is needed; join its words with "
            "blanks first."
        )
    return name_of(cell, name)


def _first_answer(cell: Any) -> str | None:
    """Return the first of several right answers to a question, as sets of questions write them down; None for others.

    ``{"text": ["in 1912", "1912"], "answer_start": [15, 18]}``, or a list of ``{"text": "1912", ..}``.
    """
    if isinstance(cell, dict):
        some = cell.get("text")
    else:
        some = [one.get("text") if isinstance(one, dict) else None for one in cell]
    if not isinstance(some, (list, tuple, np.ndarray)) or not all(isinstance(one, str) for one in some):
        return None
    return some[0] if some else ""


def _said(table: pd.DataFrame, sides: Sides) -> list[str]:
    """Return notes on what is read and what is written."""
    if sides.target is None:
        return []
    left = [name for name in table.columns if name not in sides]
    if unnamed(table):
        said = f"no names of columns: column {sides.source} is read, column {sides.target} is written"
        return [said] + ([f"left out {len(left)} more column(s)"] if left else [])
    said = f"'{sides.source}' is read, '{sides.target}' is written"
    if sides.passage is not None:
        said = f"'{sides.source}' is read with '{sides.passage}', '{sides.target}' is written"
    shown = ", ".join(f"'{name}'" for name in left[:8])
    return [said] + ([f"left out {shown} (neither read nor written)"] if left else [])


def _without_empty(pairs: Pairs, numbers: Sequence[int], row: str, answered: bool) -> Pairs:
    """Leave out what has nothing to be read, and where all must be ``answered``, nothing to be written.

    Raises DataError if nothing is left.
    """
    read = np.array([bool(text.strip()) for text in pairs.sources], dtype=bool)
    written = read if pairs.targets is None else np.array([bool(text.strip()) for text in pairs.targets], dtype=bool)
    if pairs.targets is not None and not answered and not written.any():
        pairs = replace(pairs, targets=None)
    if pairs.passages is not None:
        read &= np.array([bool(text.strip()) for text in pairs.passages], dtype=bool)
    kept = np.flatnonzero(read & written if answered else read)
    if not len(kept):
        side = "source" if not read.any() else "target"
        raise DataError(f"There is no pair of texts: no {row} has a {side}.")
    lost = np.flatnonzero(read ^ written) if answered else np.flatnonzero(~read)
    if not len(lost):
        return pairs if len(kept) == len(pairs) else pairs.part(kept)
    places = ", ".join(str(numbers[place]) for place in lost[:SHOWN]) + (", .." if len(lost) > SHOWN else "")
    what = "of which one side is empty" if answered else "without a text"
    note = f"left out {len(lost):,} {row}(s) {what}: {places}"
    return replace(pairs.part(kept), notes=(*pairs.notes, note))


def _doubts(pairs: Pairs, sides: Sides) -> list[str]:
    """Return a warning if targets look like labels; raises KindError if sources do, or all targets are the same."""
    labels = [len(set(texts)) for texts in (pairs.sources, pairs.targets or ())]
    source, target = (count <= LABELS and count * TIMES <= len(pairs) for count in labels)
    if pairs.passages is not None:  # the same few questions may be asked about each, and be answered by yes and no
        source = target = False
    if source or (labels[1] == 1 and len(pairs) > LABELS):
        number = 0 if source else 1
        raise KindError(
            f"Column '{sides[number]}' has only {labels[number]:,} different text(s) in {len(pairs):,} "
            "pairs, so it looks like a label; name the columns with source_column= and target_column=."
        )
    if not target:
        return []
    return [
        f"careful: there are only {labels[1]:,} different targets for {len(pairs):,} texts; labels are what the task "
        "'classify' is for"
    ]


def _cut(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:40]}.."
