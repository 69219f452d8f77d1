"""The season that is found in the values before an origin, and in no others."""

from dataclasses import replace

import numpy as np
import pandas as pd

from ...data.series import Panel
from ...data.series.infer import SEEN, are_years, with_season

TOLD = "season "  # how the note begins that says which season was found
BESIDE = "a longer season "


def with_its_season(panel: Panel) -> Panel:
    """Return ``panel`` with the season that its own values have, unless somebody said which it is."""
    if not any(note.startswith(TOLD) for note in panel.notes):
        return panel
    notes = [note for note in panel.notes if not note.startswith((TOLD, BESIDE))]
    schema = with_season(panel.schema, panel.values, _counts_years(panel), notes)
    return replace(panel, schema=schema, notes=tuple(notes))


def with_season_before(panel: Panel, held_out: int) -> Panel:
    """Return ``panel`` with the season that is found without the last ``held_out`` values of each series.

    The season of a table is chosen without its last fifth, so that this is the same unless more are held out.
    """
    sizes = [len(values) for values in panel.values]
    if all(held_out <= (1 - SEEN) * size for size in sizes) or max(sizes) <= held_out:
        return panel
    known = tuple(values[: max(0, len(values) - held_out)] for values in panel.values)
    return replace(panel, schema=with_its_season(replace(panel, values=known)).schema)


def _counts_years(panel: Panel) -> bool:
    """Tell whether the steps of ``panel`` are numbers of years, which have no season."""
    if panel.schema.time is None or isinstance(panel.starts[0], pd.Timestamp):
        return False
    ends = [int(start) + len(values) - 1 for start, values in zip(panel.starts, panel.values, strict=True)]
    return are_years(np.array([*map(int, panel.starts), *ends]))
