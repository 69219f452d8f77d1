"""What is to be said of cases: a label, numbers, or a label for each step; how it is found, and read from what comes.

Shapes: N cases, K numbers of a case, n rows of a table.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, NamedTuple, get_args

import numpy as np
import pandas as pd

from ...errors import DataError, KindError, pick, plural
from ..tables.columns import MISSING, as_pandas, find_boundless, find_column, numbers
from .cases import Cases
from .labels import BETWEEN, label_codes, labels_of, merged_note, plain
from .labels import joined as joined_labels
from .marks import Marks
from .roles import Taken, find_label, find_number, is_label
from .rows import Rows

What = Literal["label", "number", "mark", "labels"]
Place = Callable[[int], str]  # from the number of a case to where it stands in a file
NUMBERS = "an array of numbers, (cases,) or (cases, targets)"


@dataclass(frozen=True)
class Answer(ABC):
    """What is to be said of each case; where it is not ``needed``, cases may come without it."""

    target: tuple[str, ...] = ()  # the columns that a person has named
    needed: bool = True

    what: ClassVar[What]
    word: ClassVar[str]  # as messages call it

    @abstractmethod
    def is_name(self, column: str) -> bool:
        """Tell whether cells of a column in a file are names of answers, to be kept as they are written."""

    @abstractmethod
    def find(self, frame: pd.DataFrame, taken: Taken, rows: Rows | None, cases: int) -> tuple[str, ...]:
        """Return the columns of a table that hold it; none if there are none and it is not needed.

        ``taken`` have another role; in a long table ``rows`` says which rows are which case.
        """

    @abstractmethod
    def from_columns(self, cases: Cases, frame: pd.DataFrame, rows: Rows | None) -> Cases:
        """Return the cases with what stands in the columns of ``frame``, a row for each case or ``rows``."""

    @abstractmethod
    def from_cells(self, cases: Cases, cells: Sequence[str | None], place: Place, known: Iterable[str] = ()) -> Cases:
        """Return the cases with what stands in a cell of each (N,); ``known`` are the answers that a file lists."""

    @abstractmethod
    def from_array(self, cases: Cases, y: Any, width: int | None = None) -> Cases:
        """Return the cases with an array or list, an entry for each.

        ``width`` are the steps of all cases before padding was left out, None if each came with its own length.
        """

    def require(self, columns: Iterable[str]) -> None:
        """Raise DataError if a column that was named is not there."""
        for name in self.target if self.needed else ():
            find_column(columns, name, self.word)

    def named(self, frame: pd.DataFrame) -> tuple[str, ...]:
        """Return the columns that were named, none if one is not there."""
        return self.target if all(name in frame.columns for name in self.target) else ()

    def said(self, columns: Sequence[str]) -> str:
        """Return where it was found, as notes say it."""
        if not columns:
            return f"no {self.word}"
        return f"its {self.word} in " + ", ".join(f"'{name}'" for name in columns)


class LabelAnswer(Answer):
    """The name of a class."""

    what: ClassVar[What] = "label"
    word = "label"

    def is_name(self, column: str) -> bool:
        """Tell whether a column is called a label."""
        return column in self.target or is_label(column)

    def find(self, frame: pd.DataFrame, taken: Taken, rows: Rows | None, cases: int) -> tuple[str, ...]:
        """Return the column that was named, or is called a label, or is the only text with few distinct values."""
        if self.target:
            return self.named(frame)
        found = find_label(frame, taken, rows, cases, self.needed)
        return () if found is None else (found,)

    def from_columns(self, cases: Cases, frame: pd.DataFrame, rows: Rows | None) -> Cases:
        """Return the cases with their labels; raises DataError if one has none, or two."""
        column = frame.iloc[:, 0]
        codes, classes = label_codes(column, as_is=False)
        if rows is not None:
            codes = _label_each(cases, codes, classes, rows, column.name)
        notes = (*cases.notes, *merged_note(column))
        return replace(cases, labels=labels_of(codes, classes, cases.names, self.needed), notes=notes)

    def from_cells(self, cases: Cases, cells: Sequence[str | None], place: Place, known: Iterable[str] = ()) -> Cases:
        """Return the cases with their labels, each one of the ``known`` classes if there are any."""
        codes, found = label_codes(pd.Series(cells, dtype=object), as_is=False)
        allowed = {plain(name) for name in known} or set(found)
        strange = [code for code, name in enumerate(found) if name not in allowed]
        if strange:
            raise DataError(
                f"{place(int(np.argmax(codes == strange[0])))} has the label '{found[strange[0]]}', which is not in "
                "the line @classLabel; correct the one or the other."
            )
        labels = labels_of(codes, found, cases.names, self.needed)
        return replace(cases, labels=labels, notes=(*cases.notes, *merged_note(cells)))

    def from_array(self, cases: Cases, y: Any, width: int | None = None) -> Cases:
        """Return the cases with their labels; raises DataError if ``y`` does not name one class for each case."""
        if isinstance(y, (str, bytes, dict, set)) or not isinstance(y, Iterable):
            raise DataError(f"y is of type {type(y).__name__}; give a list with one label for each case.")
        y = y.detach().cpu().numpy() if hasattr(y, "detach") else y
        column = np.asarray(y, dtype=object) if hasattr(y, "astype") else _objects(list(y))
        if column.ndim != 1:
            raise KindError(f"y has the shape {column.shape}; give a list with one label for each case.")
        if len(column) != len(cases):
            raise DataError(
                f"X has {len(cases)} case(s), but y has {len(column)} label(s); give one label for each case."
            )
        codes, classes = label_codes(column)
        return replace(cases, labels=labels_of(codes, classes, cases.names))


class NumberAnswer(Answer):
    """One number or several, each with the name of its target."""

    what, word = "number", "target"

    def is_name(self, column: str) -> bool:
        """Numbers are no names."""
        return False

    def find(self, frame: pd.DataFrame, taken: Taken, rows: Rows | None, cases: int) -> tuple[str, ...]:
        """Return the columns that were named, or the one that is called a target and holds a number of each case."""
        if self.target:
            return self.named(frame)
        found = find_number(frame, taken, rows, self.needed)
        return () if found is None else (found,)

    def from_columns(self, cases: Cases, frame: pd.DataFrame, rows: Rows | None) -> Cases:
        """Return the cases with their numbers; raises DataError if one has none, or two."""
        columns = [numbers(frame[name], name) for name in frame.columns]
        if rows is not None:
            columns = [
                _number_each(cases, column, rows, name) for name, column in zip(frame.columns, columns, strict=True)
            ]
        return self._with(cases, np.stack(columns, axis=1), tuple(frame.columns))

    def from_cells(self, cases: Cases, cells: Sequence[str | None], place: Place, known: Iterable[str] = ()) -> Cases:
        """Return the cases with the number in each cell; one that says that nothing is known has none."""
        written = pd.Series([(cell or "").strip() for cell in cells], dtype=object)
        gaps = written.str.casefold().isin(MISSING).to_numpy()
        found = pd.to_numeric(written.mask(gaps), errors="coerce").to_numpy(np.float64)
        bad = np.isnan(found) & ~gaps
        if bad.any():
            at = int(np.argmax(bad))
            fault = KindError if bad.sum() > 0.5 * (~gaps).sum() else DataError
            raise fault(f"{place(at)} has '{written[at]}' where the number of the case is needed; correct it.")
        return self._with(cases, found[:, None], named_targets(1))

    def from_array(self, cases: Cases, y: Any, width: int | None = None) -> Cases:
        """Return the cases with their numbers (N,) or (N, K); raises DataError if ``y`` holds anything else."""
        block, names = _number_block(y)
        if block.ndim not in (1, 2) or not block.shape[-1]:
            raise DataError(f"y has the shape {block.shape}; give {NUMBERS}.")
        if len(block) != len(cases):
            raise DataError(f"X has {len(cases)} case(s), but y has {len(block)} row(s); give one for each case.")
        block = block.reshape(len(block), -1)
        return self._with(cases, block, names or named_targets(block.shape[1]))

    def _with(self, cases: Cases, block: np.ndarray, targets: tuple[str, ...]) -> Cases:
        """Return the cases with numbers (N, K), or without any if one is missing and they are not needed."""
        for name, column in zip(targets, block.T, strict=True):
            found = find_boundless(column)
            if found is not None:
                at = found[0]
                raise DataError(
                    f"Case '{cases.names[at]}' has {column[at]:g} as its target '{name}', which is too large to "
                    "compute with; correct it, or use a larger unit."
                )
        lost = np.isnan(block)
        if not lost.any():
            return replace(cases, numbers=block, targets=targets)
        if not self.needed:
            return cases
        at, which = np.argwhere(lost)[0]
        raise DataError(
            f"Case '{cases.names[at]}' has no number as its target '{targets[which]}'; give it one, or leave the case "
            "out."
        )


class MarkAnswer(LabelAnswer):
    """The name of a class for every step."""

    what = "mark"

    def find(self, frame: pd.DataFrame, taken: Taken, rows: Rows | None, cases: int) -> tuple[str, ...]:
        """Return the column that was named, or is called a label, or is the only text with few distinct values."""
        if rows is not None:
            return super().find(frame, taken, None, len(frame))
        if not self.needed:
            return ()
        raise DataError(
            "Each row of this table was taken for a whole case, but a label for every step needs a step in each row: "
            "id, time, label, values. Bring such a table, or name the column that tells cases apart with id=."
        )

    def from_columns(self, cases: Cases, frame: pd.DataFrame, rows: Rows | None) -> Cases:
        """Return the cases with the label of each step, where there is one."""
        assert rows is not None  # ``find`` finds nothing else
        column = frame.iloc[:, 0]
        codes, names = label_codes(column, as_is=False)
        return replace(cases, marks=Marks(rows.split(codes), names), notes=(*cases.notes, *merged_note(column)))

    def from_cells(self, cases: Cases, cells: Sequence[str | None], place: Place, known: Iterable[str] = ()) -> Cases:
        """Return the cases as they are: a cell for each is no label of its steps; raises DataError if one is needed."""
        if not self.needed:
            return cases
        raise DataError(
            "This file has one label for each case, but a label for every step is needed. Bring a CSV or Parquet file "
            "with a step in each row: id, time, label, values."
        )

    def from_array(self, cases: Cases, y: Any, width: int | None = None) -> Cases:
        """Return the cases with the labels of their steps; raises DataError that names a case of another length."""
        rows = step_labels(y)
        if len(rows) != len(cases):
            raise DataError(
                f"X has {len(cases)} case(s), but y has the labels of {len(rows)}; give those of each case."
            )
        lengths, lost = cases.lengths.tolist(), 0
        codes, names = label_codes(pd.Series(joined(rows), name="y"))
        found = np.split(codes, np.cumsum([len(row) for row in rows])[:-1])
        for case, (own, steps) in enumerate(zip(found, lengths, strict=True)):
            if len(own) not in (steps, width):
                raise DataError(
                    f"Case '{cases.names[case]}' has {steps:,} step{plural(steps)}, but y has {len(own):,} "
                    f"label{plural(len(own))} for it; give one for each step, None where it is not known."
                )
            lost += int((own[steps:] >= 0).sum())
        said = (
            [f"careful: {lost:,} label(s) of steps that have no value at the end of a case are left out"]
            if lost
            else []
        )
        cut = tuple(own[:steps] for own, steps in zip(found, lengths, strict=True))
        return replace(cases, marks=Marks(cut, names), notes=(*cases.notes, *said))


class LabelsAnswer(LabelAnswer):
    """The names of any number of classes: a list, or text with ``|`` or ``;`` between them; what is empty has none."""

    what = "labels"

    def from_columns(self, cases: Cases, frame: pd.DataFrame, rows: Rows | None) -> Cases:
        """Return the cases with their labels; raises DataError if one has two different lists."""
        column = frame.iloc[:, 0]
        return self._several(super().from_columns(cases, pd.DataFrame({column.name: self._joined(column)}), rows))

    def from_cells(self, cases: Cases, cells: Sequence[str | None], place: Place, known: Iterable[str] = ()) -> Cases:
        """Return the cases with the labels in each cell."""
        return self._several(super().from_cells(cases, list(self._joined(cells)), place))

    def from_array(self, cases: Cases, y: Any, width: int | None = None) -> Cases:
        """Return the cases with their labels: a list of lists, or a table (N, K) that has a 1 for each label.

        Raises DataError if ``y`` is not that.
        """
        return self._several(super().from_array(cases, list(self._joined(_lists(y)))))

    def _several(self, cases: Cases) -> Cases:
        return replace(cases, several=True)

    def _joined(self, values: Iterable[Any]) -> "pd.Series[Any]":
        """Return one text for each of ``values``: without any label if it is empty and another one is not."""
        found = [joined_labels(value) for value in values]
        rest = BETWEEN if self.needed or any(one not in (None, BETWEEN) for one in found) else None
        return pd.Series([one or rest for one in found], dtype=object)


def _lists(y: Any) -> Any:
    """Return lists of labels (N,), from those or from a table of zeros and ones (N, K)."""
    names: Sequence[Any] | None = None
    if hasattr(type(y), "columns"):
        y = as_pandas(y)
        names, y = list(y.columns), y.to_numpy()
    y = y.detach().cpu().numpy() if hasattr(y, "detach") else y
    if isinstance(y, np.ndarray) and y.ndim == 2:
        if y.dtype.kind not in "biuf" or not np.isin(y, (0, 1)).all():
            raise DataError(
                f"y has the shape {y.shape}; give a list of labels for each case, or a table of zeros and ones with a "
                "column for each label."
            )
        places = range(y.shape[1]) if names is None else names
        return [[name for name, held in zip(places, row, strict=True) if held] for row in y.tolist()]
    return y


ANSWERS: dict[str, type[Answer]] = {
    answer.what: answer for answer in (LabelAnswer, NumberAnswer, MarkAnswer, LabelsAnswer)
}
NAMES = ("label", "labels")  # what is said of a case as a whole by names
assert set(ANSWERS) == set(get_args(What))


def answer_of(what: What, target: str | Sequence[str] | None = None, needed: bool = True) -> Answer:
    """Return what is to be said of cases, as a reader is told it."""
    names = () if target is None else (target,) if isinstance(target, str) else tuple(target)
    return pick(ANSWERS, what, "answer")(names, needed)


def named_targets(count: int) -> tuple[str, ...]:
    """Return the names of targets that came without any."""
    return ("target",) if count == 1 else tuple(f"target_{i + 1}" for i in range(count))


def _label_each(cases: Cases, codes: np.ndarray, classes: Sequence[str], rows: Rows, column: Any) -> np.ndarray:
    """Return the code of the one label (N,) of each case, -1 where it has none."""
    each, two = _one_each(codes, classes, rows)
    if two is None:
        return each
    raise DataError(
        f"Case '{cases.names[two.case]}' has two labels in '{column}', '{two.one}' and '{two.other}'; give all its "
        "rows the same, or name the column that tells cases apart with id=."
    )


def _number_each(cases: Cases, values: np.ndarray, rows: Rows, column: Any) -> np.ndarray:
    """Return the one number (N,) of each case, NaN where it has none."""
    codes, found = pd.factorize(values)  # -1 where missing
    each, two = _one_each(codes.astype(np.int64), [f"{value:.15g}" for value in found], rows)
    if two is None:
        return np.append(found, np.nan)[each]
    raise DataError(
        f"Case '{cases.names[two.case]}' has two numbers in '{column}', {two.one} and {two.other}; give all its rows "
        "the same, or name the column that tells cases apart with id=."
    )


class _Two(NamedTuple):
    """Two answers of one case."""

    case: int
    one: str
    other: str


def _one_each(codes: np.ndarray, shown: Sequence[str], rows: Rows) -> tuple[np.ndarray, _Two | None]:
    """Return the one code (N,) of each case, and the first case that has two."""
    each, twice = rows.one_each(codes)
    if twice is None:
        return each, None
    start, stop = rows.bounds[twice : twice + 2]
    one, other = list(dict.fromkeys(shown[code] for code in rows.take(codes)[start:stop] if code >= 0))[:2]
    return each, _Two(twice, one, other)


def step_labels(y: Any) -> list[np.ndarray]:
    """Return y, an array (cases, time) or a list of sequences of labels, as one array for each case."""
    wanted = "give an array (cases, time), or a list with a sequence of labels for each case"
    if isinstance(y, (str, bytes, dict, set)) or not isinstance(y, Iterable):
        raise DataError(f"y is of type {type(y).__name__}; {wanted}.")
    y = y.detach().cpu().numpy() if hasattr(y, "detach") else y
    y = y.to_numpy() if hasattr(type(y), "columns") else y
    if isinstance(y, np.ndarray) and y.dtype != object and y.ndim != 2:
        raise KindError(f"y has the shape {y.shape}, but every step needs a label; {wanted}.")
    rows = []
    for case, own in enumerate(y):
        if isinstance(own, (str, bytes)) or not isinstance(own, Iterable):
            raise KindError(f"Case '{case + 1}' has the single label {own!r}, but every step needs one; {wanted}.")
        plain_own = own.detach().cpu() if hasattr(own, "detach") else own
        if isinstance(own, pd.Series):  # whole numbers stay whole beside those that are missing
            plain_own = own.astype(object)
        row = np.asarray(plain_own) if hasattr(plain_own, "__array__") else _plain(list(plain_own))
        if row.ndim != 1:
            raise DataError(f"The labels of case '{case + 1}' have the shape {row.shape}; {wanted}.")
        rows.append(row)
    return rows


def joined(rows: Sequence[np.ndarray]) -> np.ndarray:
    """Return the labels of all cases one after another, in the type that all have in common, else as they are."""
    if len({row.dtype.kind for row in rows}) == 1:
        return np.concatenate(rows)
    return np.concatenate([_objects(list(row)) for row in rows] or [np.array([])])


def _plain(items: list[Any]) -> np.ndarray:
    """Return items as an array of their type if they have one in common, else as they are."""
    kinds = {type(item) for item in items}
    return np.array(items) if len(kinds) == 1 and kinds <= {bool, int, float, str} else _objects(items)


def _objects(items: list[Any]) -> np.ndarray:
    """Return items as they are, for NumPy would make text of numbers that stand beside text."""
    column = np.empty(len(items), dtype=object)
    column[:] = items
    return column


def _number_block(y: Any) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return y as float64, NaN where missing, and the names of its targets if it has any."""
    if hasattr(type(y), "columns"):
        frame = as_pandas(y)
        return np.stack([numbers(frame[name], name) for name in frame.columns], 1), tuple(frame.columns)
    if isinstance(y, pd.Series):
        name = y.name if isinstance(y.name, str) else "y"
        return numbers(as_pandas(y.to_frame(name))[name], name), (y.name,) if isinstance(y.name, str) else ()
    if isinstance(y, (str, bytes, dict, set)) or not (hasattr(y, "__array__") or isinstance(y, Iterable)):
        raise DataError(f"y is of type {type(y).__name__}; give {NUMBERS}.")
    y = y.detach().cpu().double() if hasattr(y, "detach") else y
    try:
        block = np.asarray(y if hasattr(y, "__array__") else list(y))
    except ValueError:
        raise DataError(f"y is nested unevenly, so it is no array; give {NUMBERS}.") from None
    if block.dtype.kind in "biuf":
        return block.astype(np.float64), ()
    if block.dtype.kind != "O" and block.dtype.kind not in "US":
        raise DataError(f"y holds objects that are not numbers; give {NUMBERS}.")
    text = next((one for one in block.flat if isinstance(one, str)), None)
    if text is not None:
        raise KindError(f"y holds text such as '{text}', not numbers; give {NUMBERS}.")
    try:
        return np.array([np.nan if one is None else float(one) for one in block.flat]).reshape(block.shape), ()
    except (TypeError, ValueError):
        raise DataError(f"y holds objects that are not numbers; give {NUMBERS}.") from None
