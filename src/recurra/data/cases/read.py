"""Cases from a file, by what its name and its content say that it is."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ...errors import DataError
from ..tables.files import first_text, is_parquet, placed, read_table, read_text
from .answers import Answer, What, answer_of
from .cases import Cases
from .frames import frame_cases
from .labels import without_missing
from .roles import is_id
from .ts import looks_like_ts, read_ts
from .ucr import find_plain, read_ucr

PACKED = (".gz", ".xz", ".bz2", ".zip")


def read_cases(
    path: str | Path,
    *,
    target: str | Sequence[str] | None = None,
    id: str | None = None,
    time: str | None = None,
    labelled: bool = True,
    what: What = "label",
) -> Cases:
    """Return the cases in a file: UCR (no header, label first), ``.ts``, or CSV and Parquet, wide or long.

    Text may be packed as .gz, .xz, .bz2 or .zip. ``what`` is said of each case: its label, or a number. Raises
    DataError if the file is none of these, a value is no number, or a case has no label or two; where ``labelled`` is
    false, a file without labels is allowed.
    """
    answer = answer_of(what, target, labelled)
    path = Path(path)
    start = "" if is_parquet(path) else first_text(path)
    if _ending(path) == ".ts" or looks_like_ts(start):
        _refuse_columns(path, answer, id=id, time=time)
        return read_ts(read_text(path), path.name, answer)
    plain = find_plain(start)
    if plain is not None:
        _refuse_columns(path, answer, id=id, time=time)
        return read_ucr(read_text(path), path.name, plain, answer)
    frame, notes = read_table(path, () if id is None else (id,), lambda name: answer.is_name(name) or is_id(name))
    labels = {name: without_missing(frame[name]) for name in frame.columns if answer.is_name(name)}
    with placed(path):
        cases = frame_cases(frame.assign(**labels), target=target, id=id, time=time, labelled=labelled, what=what)
    return replace(cases, notes=(*notes, *cases.notes))


def _ending(path: Path) -> str:
    """Return the ending of a file name in small letters, without that of a packer."""
    inner = Path(path.stem) if path.suffix.lower() in PACKED else path
    return inner.suffix.lower()


def _refuse_columns(path: Path, answer: Answer, id: str | None, time: str | None) -> None:
    """Refuse names of columns where there are none; where labels may be absent, they were those of another file."""
    given = {"target": ", ".join(answer.target) or None, "id": id, "time": time}
    flag = next((flag for flag, name in given.items() if name is not None), None)
    if answer.needed and flag is not None:
        raise DataError(
            f"'{path.name}' has no names of columns, so there is no '{given[flag]}'; leave --{flag} out (the "
            f"{answer.word} is {'last' if _ending(path) == '.ts' else 'first'} in each line), or add a header."
        )
