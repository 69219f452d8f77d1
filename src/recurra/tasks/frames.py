"""The kinds of table that people bring: polars in, polars out; pandas, or a path, is answered in pandas.

Narwhals knows the kinds; it is imported where a table of another kind than pandas comes.
"""

from typing import Any, NamedTuple

import pandas as pd

NO_TABLE = ("builtins", "numpy", "pandas", "pathlib", "recurra", "torch")  # packages whose objects are none, or pandas


class Form(NamedTuple):
    """The kind of table that an answer is given as."""

    package: str = "pandas"
    stamps: Any = None  # the type of time stamps, as narwhals has it


PANDAS = Form()


def collected(table: Any) -> Any:
    """Return a lazy table with its rows, and anything else as it is."""
    if _is_plain(table):
        return table
    import narwhals as nw

    frame = nw.from_native(table, pass_through=True)
    return frame.collect().to_native() if isinstance(frame, nw.LazyFrame) else table


def form_of(table: Any, time: str | None = None) -> Form:
    """Return the kind of ``table`` and the type of its column ``time``; pandas for what is no table."""
    if _is_plain(table):
        return PANDAS
    import narwhals as nw

    frame = nw.from_native(table, pass_through=True)
    if not isinstance(frame, nw.DataFrame):
        return PANDAS
    stamps = frame.schema.get(time) if time is not None else None
    return Form(str(frame.implementation).lower(), stamps if isinstance(stamps, (nw.Date, nw.Datetime)) else None)


def given_as(answer: pd.DataFrame, form: Form) -> Any:
    """Return an answer as a table of that kind, with time stamps of the type they came in."""
    if form.package not in ("polars", "pyarrow"):
        return answer
    import narwhals as nw

    frame = nw.from_native(answer)
    table = nw.from_native(frame.to_polars() if form.package == "polars" else frame.to_arrow())
    stamps = [name for name, kind in table.schema.items() if isinstance(kind, nw.Datetime)]
    if isinstance(form.stamps, nw.Date):
        days = [name for name in stamps if (answer[name] == answer[name].dt.normalize()).all()]
        table = table.with_columns(nw.col(*days).cast(nw.Date)) if days else table
    elif form.stamps is not None:
        units = [nw.col(name).cast(_in_unit(table.schema[name], form.stamps.time_unit)) for name in stamps]
        table = table.with_columns(*units)
    return table.to_native()


def _in_unit(stamps: Any, unit: str) -> Any:
    import narwhals as nw

    return nw.Datetime(unit, stamps.time_zone)  # type: ignore[arg-type]


def _is_plain(table: Any) -> bool:
    return type(table).__module__.partition(".")[0] in NO_TABLE
