"""A table in JSON lines: an object in each line, its names the columns."""

import json
from pathlib import Path

import pandas as pd

from ...errors import DataError
from .files import check_there, read_text

ENDINGS = (".jsonl", ".ndjson")


def read_json_lines(path: Path) -> pd.DataFrame:
    """Return the table in a file; raises DataError that names the first line that is no object."""
    if not path.is_file():
        check_there(path)
    rows = []
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as fault:
            raise DataError(
                f"Line {number} of '{path.name}' is no JSON ({fault.msg} at character {fault.pos + 1}); correct it."
            ) from None
        if not isinstance(row, dict):
            raise DataError(
                f'Line {number} of \'{path.name}\' is no object with names, as {{"text": .., "label": ..}}; correct it.'
            )
        rows.append(row)
    if not rows:
        raise DataError(f"'{path.name}' has no lines; give it at least one object.")
    return pd.DataFrame(rows)
