"""Dates whose months are words, such as 'Jan-1-1995', 'Thu, 25 Jan 2024' or '25JAN2024:13:00', written anew as ISO."""

import re
from collections.abc import Iterator

import numpy as np
import pandas as pd

from .digits import full_year
from .names import MONTH_WORDS

WORD, BETWEEN = r"(?P<m>[^\W\d_]{3,})\.?", r"(?:[\s\-/.,_]|(?<=\s)(?:de|of)\s)"
DAY, YEAR = r"(?P<d>\d{1,2})(?:st|nd|rd|th|er)?", r"(?P<y>\d{4}|\d{2})"
REST = r"(?P<rest>[ T,:]+\d.*)?"  # the time of day
SHAPES = (
    rf"{DAY}{BETWEEN}*{WORD}{BETWEEN}*{YEAR}{REST}",
    rf"{WORD}{BETWEEN}*{DAY}{BETWEEN}+{YEAR}{REST}",
    rf"(?P<y>\d{{4}}){BETWEEN}*{WORD}{BETWEEN}*{DAY}{REST}",
    rf"{WORD} +{DAY}(?P<rest> +\d{{1,2}}:\d{{2}}(?::\d{{2}})?) +(?P<y>\d{{4}})",  # as C writes it
    rf"{WORD}{BETWEEN}*(?P<y>\d{{4}})",
    rf"(?P<y>\d{{4}}){BETWEEN}*{WORD}",
    rf"{WORD} ?[\-'’] ?(?P<y>\d{{2}})",
)
WEEKDAY = re.compile(
    r"(?:mon|tue|wed|thu|fri|sat|sun|mo|di|mi|do|fr|sa|so|lun|jeu|ven|sam|dim)[^\W\d_]*\.?,? +(?=\S*\d)|"
    r"(?:mon|tue|wed|thu|fri|sat|sun)[^\W\d_]*\.?,? +(?=[^\W\d_]+\.? +\d)",
    re.IGNORECASE,
)


def without_weekday(text: pd.Series) -> pd.Series:
    """Return dates (n,) without the day of the week that stands before them."""
    if not WEEKDAY.match(str(text.iloc[0])):
        return text
    return text.str.replace(rf"^(?:{WEEKDAY.pattern})", "", regex=True, flags=re.IGNORECASE)


def as_iso(text: pd.Series) -> Iterator[pd.Series]:
    """Yield every reading of text (n,) as ISO dates that fits its first value; NaN where one does not fit."""
    for shape in SHAPES:
        if re.fullmatch(shape, str(text.iloc[0]), re.IGNORECASE):
            parts = text.str.extract(f"^{shape}$", flags=re.IGNORECASE)
            yield _written(parts.astype(object))


def _written(parts: pd.DataFrame) -> pd.Series:
    month = parts["m"].str.casefold().map(MONTH_WORDS)
    known = month.notna() & parts["y"].notna()
    if not known.any():
        return pd.Series(np.nan, parts.index, object)
    found = parts[known]
    year = pd.Series(full_year(found["y"].to_numpy().astype(np.int64)), found.index)
    day = found["d"] if "d" in found else pd.Series("1", found.index)
    date = year.astype(str).str.zfill(4)
    for part in (month[known].astype(int).astype(str), day):
        date += "-" + part.str.zfill(2)
    if "rest" in found:
        date += found["rest"].fillna("").str.replace(r"^[T,: ]+", " ", regex=True)
    return date.reindex(parts.index)
