"""From a file or a frame to a panel of regular series."""

from collections.abc import Collection
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from ...data.series import Panel, Schema, infer_schema, to_panel
from ...data.series.covariates import Covariates
from ...data.series.ids import id_names, sounds_like_id
from ...data.tables.columns import as_pandas, is_text
from ...data.tables.files import placed, read_table
from ...data.tables.names import look_alikes
from ..base import Tell
from ..others import estimator_of, other_task
from .calendar import with_calendar
from .range import refuse_no_counts, refuse_outside
from .settings import PARTS, ForecastSettings


def read_panel(source: Any, settings: ForecastSettings, schema: Schema | None, most: int | None, tell: Tell) -> Panel:
    """Read a file, a frame or a panel; with a ``schema`` as the table of that schema was read.

    At most ``most`` steps of each series are used. The notes of the panel say what was found and mended.
    """
    if isinstance(source, Panel):
        if schema is None:
            refuse_outside(source, source, settings)
        refuse_no_counts(source, settings)
        return with_calendar(cut_rows(source, most), settings)
    with placed(source):
        return _read(source, settings, schema, most, tell)


def _read(source: Any, settings: ForecastSettings, schema: Schema | None, most: int | None, tell: Tell) -> Panel:
    notes: list[str] = []
    if isinstance(source, (str, Path)):
        id = settings.id if schema is None else schema.id
        source, notes = read_table(source, id_names(id), sounds_like_id)
        tell(notes)
    found: list[str] = []
    if schema is None:
        schema, found = infer_schema(
            source,
            target=settings.target,
            time=settings.time,
            id=settings.id,
            frequency=settings.frequency,
            season=settings.season,
            aggregate=settings.aggregate,
            covariates=covariates_in(settings),
        )
        found += _doubt(source, schema, settings)
        tell(found)
        panel = to_panel(source, schema)
        refuse_outside(source, panel, settings)
    else:
        panel = to_panel(source, schema)
    refuse_no_counts(panel, settings)
    panel = with_calendar(cut_rows(panel, most), settings)
    tell(panel.notes)
    return replace(panel, notes=(*notes, *found, *panel.notes))


def covariates_in(settings: ForecastSettings) -> Covariates:
    """Return the columns that are covariates."""
    named = (settings.known, settings.past, settings.static)
    return Covariates(*((one,) if isinstance(one, str) else tuple(one or ()) for one in named))


def strangers(panel: Panel, known: Collection[str]) -> list[str]:
    """Return a warning if series that were not there in training look like those that were."""
    alike = look_alikes((name for name in panel.names if name not in known), known)
    if not alike:
        return []
    before, now = alike[0]
    more = f" ({len(alike):,} are like that)" if len(alike) > 1 else ""
    return [f"careful: the series '{now}' is new, though '{before}' of the training looks like it{more}"]


def _doubt(source: Any, schema: Schema, settings: ForecastSettings) -> list[str]:
    """Return a note if a table without time but with text looks made for another kind of task."""
    frame, told = as_pandas(source), settings.target is not None
    if told or schema.time is not None or schema.rows or not any(is_text(frame[name]) for name in frame.columns):
        return []
    other = other_task(PARTS.name, source, settings)
    if not other:
        return []
    return [f"careful: the table has no time but looks made for the task '{other}'; use {estimator_of(other)} for that"]


def cut_rows(panel: Panel, most: int | None) -> Panel:
    """Return the first ``most`` steps of every series."""
    if most is None:
        return panel
    note = f"only the first {most:,} rows of each series are used"
    beside = tuple(one._replace(past=one.past[:most]) for one in panel.beside)
    return replace(panel, values=tuple(v[:most] for v in panel.values), notes=(*panel.notes, note), beside=beside)


def fingerprint_of(panel: Panel) -> str:
    """Return a short text that is another one if any value of ``panel`` is."""
    seal = sha256(repr((panel.names, [str(start) for start in panel.starts])).encode())
    for values in (*panel.values, *(part for one in panel.beside for part in one)):
        seal.update(np.ascontiguousarray(values).tobytes())
    return seal.hexdigest()[:32]
