"""Cases from a file, by what its name and its content say that it is."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from ...errors import DataError, KindError
from ..tables.columns import as_pandas, find_column, is_number
from ..tables.files import check_there, first_text, is_parquet, placed, read_table, read_text
from ..tables.json_lines import ENDINGS as JSON_LINES
from ..tables.json_lines import read_json_lines
from .answers import NAMES, Answer, What, answer_of
from .arrays import cases_of
from .cases import Cases
from .conll import are_columns, read_columns
from .files import One, read_files
from .folders import read_folder
from .frames import frame_cases
from .labels import without_missing
from .listed import file_column, listed_cases
from .npy import map_npy, read_npz
from .paths import kind_of
from .roles import is_id, numbered_steps
from .spans import has_sentences, is_utterances, read_sentences, read_utterances
from .texts import (
    are_labelled_lines,
    are_lines_of_text,
    column_cases,
    read_labelled_lines,
    read_lines_of_text,
    text_column,
)
from .ts import looks_like_ts, read_ts
from .ucr import find_plain, read_ucr
from .words import is_word, word_cases, word_column

FOLDER = "folder"  # the attribute of a table that says where the files lie that it names
PACKED = (".gz", ".xz", ".bz2", ".zip")


def read_cases(
    path: str | Path,
    *,
    target: str | Sequence[str] | None = None,
    id: str | None = None,
    time: str | None = None,
    labelled: bool = True,
    what: What = "label",
    rate: int | None = None,
    text: str | None = None,
) -> Cases:
    """Return the cases in a file: UCR (no header, label first), ``.ts``, ``.npz``, CSV, Parquet or ``.jsonl``.

    A folder holds a folder for each class, with a file for each case; a table may name such files, too. Sounds among
    them are heard at ``rate``, or at that which most have. Text may be packed as .gz, .xz, .bz2 or .zip. ``what``
    is said of each case: its label, or a number. Raises
    DataError if the file is none of these, a value is no number, or a case has no label or two; where ``labelled`` is
    false, a file without labels is allowed.
    """
    answer = answer_of(what, target, labelled)
    path = Path(path)
    if path.is_dir():
        return _from_folder(path, answer, id, time, rate)
    if _ending(path) in (".npy", ".npz", ".wav", ".wave"):
        check_there(path)
        _refuse_columns(path, answer, id=id, time=time)
        return _from_sound(path, answer, rate) if kind_of(path) == "wav" else _from_numpy(path, answer)
    nameless = _without_names(path, answer)
    if nameless is not None:
        refuse = _refuse_columns if nameless.sentences is None else _refuse_names
        refuse(path, answer, id=id, time=time)
        return nameless
    frame, notes = _table(path, answer, id)
    if what == "mark" and has_sentences(frame):
        return read_sentences(frame, path.name, answer)
    labels = {name: without_missing(frame[name]) for name in frame.columns if answer.is_name(name)}
    roles: dict[str, Any] = {"target": target, "id": id, "time": time, "labelled": labelled, "what": what, "text": text}
    with placed(path):
        table = frame.assign(**labels)
        table.attrs[FOLDER] = str(path.parent)
        cases = table_cases(table, **roles, rate=rate)
    return replace(cases, notes=(*notes, *cases.notes))


def _from_folder(path: Path, answer: Answer, id: str | None, time: str | None, rate: int | None) -> Cases:
    if answer.what == "mark" and is_utterances(path):
        return read_utterances(path)
    _refuse_columns(path, answer, id=id)
    return read_folder(path, answer, time=time, rate=rate)


def _without_names(path: Path, answer: Answer) -> Cases | None:
    """Return the cases of a file whose columns have no names: tokens, ``.ts``, lines of text, UCR; None for others."""
    if _is_json(path) or is_parquet(path):
        return None
    start = first_text(path)
    least = 1 if answer.needed else 2  # without tags tokens are refused as such, where texts are not
    if answer.what == "mark" and are_columns(start, _ending(path), least):  # whose first token may begin with @
        return read_columns(read_text(path), path.name, answer)
    if _ending(path) == ".ts" or looks_like_ts(start):
        return read_ts(read_text(path), path.name, answer)
    texts = _lines_of_text(path, start, answer)
    if texts is not None:
        return texts
    plain = find_plain(start)
    if plain is None and are_columns(start, _ending(path)):
        raise KindError(
            f"'{path.name}' has a token and its tag in each line, so every token has a label, and not every text."
        )
    return None if plain is None else read_ucr(read_text(path), path.name, plain, answer)


def _table(path: Path, answer: Answer, id: str | None) -> tuple[pd.DataFrame, list[str]]:
    """Return the table in a file, with notes."""
    if _is_json(path):
        return read_json_lines(path), []
    return read_table(path, () if id is None else (id,), lambda name: _is_name(name, answer))


def table_cases(
    frame: Any,
    *,
    target: str | Sequence[str] | None = None,
    id: str | None = None,
    time: str | None = None,
    labelled: bool = True,
    what: What = "label",
    rate: int | None = None,
    text: str | None = None,
) -> Cases:
    """Return the cases of a table: its texts, in the column ``text``, the files that it names, or its rows.

    Files are relative to the folder in ``frame.attrs``, if there is one; see ``frame_cases`` for rows.
    """
    table, answer = as_pandas(frame), answer_of(what, target, labelled)
    word = word_column(table, answer.target) if what == "mark" else None
    if word is not None:
        return word_cases(table, word, id, answer)
    file = file_column(table)
    if text is None and file is None and time is None and _may_be_texts(table, answer) and not numbered_steps(table):
        text = text_column(table, answer.target)
    if text is not None:
        _refuse_untagged(answer)
        return column_cases(table, find_column(table.columns, text, "text"), answer)
    if file is None or id is not None or time is not None:
        return frame_cases(table, target=target, id=id, time=time, labelled=labelled, what=what)
    return listed_cases(table, file, Path(table.attrs.get(FOLDER, "")), answer, rate)


def _is_name(column: str, answer: Answer) -> bool:
    """Tell whether cells of a column name something: they are text, whatever they look like."""
    return answer.is_name(column) or is_id(column) or (answer.what == "mark" and is_word(column))


def _may_be_texts(table: pd.DataFrame, answer: Answer) -> bool:
    """Tell whether a case may be a text in each row: with its label, or to be tagged where there are no numbers."""
    if answer.what in NAMES:
        return True
    return answer.what == "mark" and not any(is_number(table[name]) for name in table.columns)


def _refuse_untagged(answer: Answer) -> None:
    """Raise KindError if words need tags, and there are texts alone."""
    if answer.what == "mark" and answer.needed:
        raise KindError(
            "These are texts without tags of their words. Bring a CoNLL file, with a word and its tag in each line, or "
            "JSON lines with tokens and tags or with a text and its spans."
        )


def _lines_of_text(path: Path, start: str, answer: Answer) -> Cases | None:
    """Return the cases of a file with a text in each line, behind its label or alone; None if it is another file."""
    if answer.what == "mark" and are_lines_of_text(start, _ending(path)):
        _refuse_untagged(answer)
    if answer.what in NAMES and are_labelled_lines(start):
        return read_labelled_lines(read_text(path), path.name, answer)
    if answer.what != "number" and not answer.needed and are_lines_of_text(start, _ending(path)):
        return read_lines_of_text(read_text(path), path.name)
    return None


def _from_sound(path: Path, answer: Answer, rate: int | None) -> Cases:
    if answer.needed:
        raise DataError(
            f"'{path.name}' is a single sound; to train, give a folder that has a folder of sounds for each class, or "
            "a table with a column 'file' and one with the label or number of each."
        )
    return read_files(One((path,), (path.name,)), rate=rate)


def _from_numpy(path: Path, answer: Answer) -> Cases:
    """Read arrays as ``cases_of`` does; values and what is said of them may lie in one ``.npz`` file."""
    values, y = read_npz(path) if _ending(path) == ".npz" else (map_npy(path), None)
    if y is None and answer.needed:
        raise DataError(
            f"'{path.name}' holds values but not what they are; save both in one file, as with np.savez('cases.npz', "
            "X=values, y=labels), or give a folder for each class with a .npy file for each case."
        )
    cases = cases_of(values, y, what=answer.what)
    said = f"'{path.name}' holds {len(cases):,} case(s) as an array of shape {values.shape}"
    return replace(cases, notes=(said, *cases.notes), arrays=False)


def _is_json(path: Path) -> bool:
    """Tell whether a file holds JSON lines: by its name, or if it has no ending by how it begins."""
    if _ending(path):
        return _ending(path) in JSON_LINES
    return not is_parquet(path) and first_text(path).lstrip().startswith("{")


def _ending(path: Path) -> str:
    """Return the ending of a file name in small letters, without that of a packer."""
    inner = Path(path.stem) if path.suffix.lower() in PACKED else path
    return inner.suffix.lower()


def _refuse_names(path: Path, answer: Answer, id: str | None, time: str | None) -> None:
    """Refuse names of columns in a file of tokens, as ``_refuse_columns``; its target is a number, and looked at."""
    for flag, name in {"id": id, "time": time}.items() if answer.needed else ():
        if name is not None:
            raise DataError(
                f"'{path.name}' is a CoNLL file, whose columns have no names, so there is no '{name}'; leave {flag}= "
                "out, as an empty line ends a sentence and its tokens stand in order."
            )


def _refuse_columns(path: Path, answer: Answer, id: str | None, time: str | None = None) -> None:
    """Refuse names of columns where there are none; where labels may be absent, they were those of another file."""
    given = {"target": ", ".join(answer.target) or None, "id": id, "time": time}
    flag = next((flag for flag, name in given.items() if name is not None), None)
    if not answer.needed or flag is None:
        return
    if path.is_dir() or kind_of(path) in ("npy", "wav") or _ending(path) == ".npz":
        raise DataError(f"'{path.name}' has no columns, so there is no '{given[flag]}'; leave {flag}= out.")
    raise DataError(
        f"'{path.name}' has no names of columns, so there is no '{given[flag]}'; leave {flag}= out (the "
        f"{answer.word} is {'last' if _ending(path) == '.ts' else 'first'} in each line), or add a header."
    )
