"""Cases from arrays: a block of numbers, sequences of unequal length, or a table with a case in each row.

Shapes: N cases, C channels, T steps; of moving pictures, H rows and W columns of each frame.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ...errors import DataError, plural
from ..tables.columns import as_pandas, is_number
from .answers import What, answer_of
from .cases import Cases, channel_names, checked, counted, cut, missing_note
from .pictures import Shape, flat, frames_of, of_one_size
from .sentences import is_sentences, spanned, words_cases
from .spans import span_of
from .texts import is_texts, listed, text_cases

SHAPES = (
    "an array (cases, time) or (cases, channels, time), a list of sequences (time,) or (channels, time), or moving "
    "pictures (cases, frames, height, width)"
)


class Found(NamedTuple):
    """What was read."""

    values: tuple[np.ndarray, ...]
    names: tuple[str, ...] | None  # where the cases have names
    notes: list[str]
    shape: Shape | None = None  # of the pictures that the steps are


def cases_of(
    X: Any,
    y: Any = None,
    channels: Sequence[str] | None = None,
    what: What = "label",
    names: tuple[str, ...] | None = None,
) -> Cases:
    """Return arrays as cases: (N, T) or (N, C, T), a list of (T_i,) or (C, T_i), or a table of one case per row.

    Moving pictures are (N, T, H, W) or, in colours, (N, T, H, W, C) or (N, T, C, H, W), or a list of such cases.
    What are cases already may come as X, too. Steps without a value at the end of a row of an array or table are
    padding and are left out. ``what`` y holds: a label of each case (N,), or numbers (N,) or (N, K).
    Raises DataError if ``X`` has another shape or no numbers, or if ``y`` is not that.
    """
    X = listed(X)
    if isinstance(X, Cases):
        return X if y is None else answer_of(what).from_array(X, y, None)
    if is_texts(X) or (what == "mark" and is_sentences(X)):
        return _written(X, y, what, names)
    found = _sequences(X, names)
    values, names = found.values, names or found.names or counted(len(found.values))
    width = values[0].shape[1] if values else 0
    cases = checked(
        Cases(values, None, names, _channels(channels, width), tuple(found.notes), arrays=True, shape=found.shape)
    )
    return cases if y is None else answer_of(what).from_array(cases, y, width_of(X))


def _written(X: Any, y: Any, what: What, names: tuple[str, ...] | None) -> Cases:
    """Return texts, or lists of words, as cases with what ``y`` says of them: of texts that is spans, too."""
    if what == "number":
        raise DataError("X holds texts, which are read for the tasks 'classify' and 'tag' so far; give numbers.")
    if is_sentences(X):
        cases = words_cases(list(X), names)
    elif what == "mark" and y is not None:
        rows = [[span_of(one, f"Text {n}") for one in own] for n, own in enumerate(_lists_of(y, len(X)), 1)]
        cases, y = spanned(list(X), rows, names or counted(len(X))), None
    else:
        cases = text_cases(list(X), names)
    cases = replace(cases, arrays=True)
    return cases if y is None else answer_of(what).from_array(cases, y, None)


def _lists_of(y: Any, count: int) -> list[Any]:
    rows = list(y)
    if len(rows) != count:
        raise DataError(f"X has {count} text(s), but y has the spans of {len(rows)}; give those of each text.")
    if any(isinstance(own, str) or not hasattr(own, "__iter__") for own in rows):
        raise DataError(
            "X holds texts, so y is a list of spans (start, end, label) for each of them. To give a tag for each word, "
            "cut the texts: give X as a list of lists of words."
        )
    return rows


def width_of(X: Any) -> int | None:
    """Return how many steps each row of an array or table has, padding included; None for a list of sequences."""
    shape = getattr(X, "shape", None)
    return int(shape[-1]) if isinstance(shape, tuple) and len(shape) in (2, 3) else None


def _sequences(X: Any, names: tuple[str, ...] | None) -> Found:
    if _is_table(X):
        return _from_table(as_pandas(X))
    if isinstance(X, (str, Path)):
        raise DataError(
            "X is a single text or path; give a list of texts, or without y the path of a file that has the labels in "
            "it."
        )
    if isinstance(X, (bytes, dict, set)) or X is None or not (hasattr(X, "__array__") or hasattr(X, "__iter__")):
        raise DataError(f"X is of type {type(X).__name__}; give {SHAPES}.")
    if hasattr(X, "__array__") and not (isinstance(X, np.ndarray) and X.dtype == object and X.ndim == 1):
        return _from_block(numbers_of(X, "X"))
    given = list(X)
    return _from_list(given, counted(len(given)) if names is None else names)


def _is_table(X: Any) -> bool:
    return hasattr(type(X), "columns")  # asking a lazy frame itself would make it work


def _from_table(frame: pd.DataFrame) -> Found:
    for name in frame.columns:
        if not is_number(frame[name]) or frame[name].dtype.kind == "c":
            raise DataError(
                f"Column '{name}' of X is of type {frame[name].dtype}, where each column should be a step; leave it "
                "out, or read the table with frame_cases, which finds labels and ids."
            )
    block = np.array(frame.to_numpy(np.float64, na_value=np.nan))
    values, notes = cut(block[:, :, None])
    plain = isinstance(frame.index, pd.RangeIndex) or not frame.index.is_unique
    return Found(values, None if plain else tuple(str(name) for name in frame.index), notes)


def _from_block(block: np.ndarray) -> Found:
    """Read (N, T) or (N, C, T), or moving pictures."""
    if block.ndim in (4, 5):
        block, shape, notes = frames_of(block)
        return Found(tuple(flat(block)), None, notes, shape)
    if block.ndim not in (2, 3):
        raise DataError(f"X {_shape(block)}; give {SHAPES}.")
    notes = []
    if block.ndim == 2:
        block = block[:, None, :]
    elif block.shape[1] > block.shape[2]:
        notes.append(
            f"X was read as (cases, channels, time), so it has {block.shape[1]} channels of {block.shape[2]:,} "
            f"step{plural(block.shape[2])}; turn the last two axes if that is the wrong way round"
        )
    values, more = cut(np.ascontiguousarray(block.transpose(0, 2, 1)))
    return Found(values, None, [*notes, *more])


def _shape(block: np.ndarray) -> str:
    return f"has the shape {block.shape}" if block.ndim else "is a single number"


def _from_list(given: list[Any], names: tuple[str, ...]) -> Found:
    arrays = [numbers_of(one, f"Case '{name}'") for one, name in zip(given, names, strict=True)]
    if any(array.ndim in (3, 4) for array in arrays):
        frames, shape, notes = of_one_size(arrays, names)
        return Found(tuple(flat(case[None])[0] for case in frames), None, notes, shape)
    values = tuple(_sequence(array, name) for array, name in zip(arrays, names, strict=True))
    widths = np.array([case.shape[1] for case in values])
    if (widths != widths[:1]).any():
        other = int(np.argmax(widths != widths[0]))
        raise DataError(
            f"Case '{names[0]}' has {widths[0]} channel(s) and case '{names[other]}' has {widths[other]}; all cases "
            "need the same channels, each case as (channels, time)."
        )
    return Found(values, None, missing_note(values))


def _sequence(case: np.ndarray, name: str) -> np.ndarray:
    """Return (T,) or (C, T) as (T, C)."""
    if case.ndim not in (1, 2):
        raise DataError(f"Case '{name}' {_shape(case)}; give {SHAPES}.")
    return np.ascontiguousarray(case.reshape(-1, case.shape[-1]).T if case.size else case.T.reshape(0, 1))


def numbers_of(given: Any, what: str) -> np.ndarray:
    """Return a copy of an array, tensor or nested list as float64, NaN where missing; raises DataError for others."""
    given = _from_tensor(given) if hasattr(given, "detach") else given
    if isinstance(given, pd.Series) and is_number(given) and given.dtype.kind != "c":
        return np.array(given.to_numpy(np.float64, na_value=np.nan))
    try:
        array = np.ma.asarray(given) if isinstance(given, np.ma.MaskedArray) else np.asarray(given)
    except (ValueError, TypeError):
        raise DataError(f"{what} is nested unevenly, so it is no array; give {SHAPES}.") from None
    _refuse_words(array, what)
    if array.dtype.kind not in "biufO":
        raise DataError(f"{what} holds {_kind(array)}, not numbers; give {SHAPES}.")
    try:
        floats = array.astype(np.float64)
    except (ValueError, TypeError, OverflowError):
        raise DataError(f"{what} holds objects that are not numbers; give {SHAPES}.") from None
    return np.ma.filled(floats, np.nan) if isinstance(floats, np.ma.MaskedArray) else floats


def _refuse_words(array: np.ndarray, what: str) -> None:
    """Raise DataError if an array holds words, and no numbers that are written as text."""
    word = next((one for one in array.flat if any(map(str.isalpha, one))), None) if array.dtype.kind == "U" else None
    if word is None:
        return
    try:
        array.astype(np.float64)
    except ValueError:
        raise DataError(
            f"{what} holds words such as '{word}', not numbers; to classify texts, join the words of each, as with "
            "' '.join(words)."
        ) from None


def _from_tensor(given: Any) -> Any:
    """Return a tensor of torch as an array; those of 16 bits have no counterpart in NumPy unless made longer."""
    given = given.detach().cpu()
    return np.asarray(given if given.is_complex() else given.double())


def _kind(array: np.ndarray) -> str:
    return {"c": "complex numbers", "M": "dates", "m": "durations"}.get(array.dtype.kind, "text")


def _channels(given: Sequence[str] | None, width: int) -> tuple[str, ...]:
    if given is None:
        return channel_names(width)
    names = (given,) if isinstance(given, str) else tuple(str(name) for name in given)
    if len(names) != width:
        raise DataError(f"{len(names)} channel(s) are named, but the cases have {width}; give one name for each.")
    if len(set(names)) < width:
        raise DataError(f"Two channels are called '{max(names, key=names.count)}'; give each its own name.")
    return names
