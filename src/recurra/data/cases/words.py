"""Tables with a word in each row, and which sentence it is of.

Shapes: n rows.
"""

from dataclasses import replace

import numpy as np
import pandas as pd

from ...errors import DataError, KindError
from ..tables.columns import find_column, is_text
from .answers import Answer
from .cases import Cases
from .labels import label_codes
from .marks import Marks
from .roles import by_rank, find_label, key
from .sentences import words_cases

WORDS = ("word", "token", "form", "words", "tokens", "字", "词")
SENTENCES = (
    "sentence_#", "sentence", "sentence_id", "sent_id", "sentence_number", "sent", "id", "case", "句子", "document",
)  # fmt: skip
TAGS = ("tag", "tags", "ner", "ner_tag", "upos", "pos", "slot")


def is_word(name: str) -> bool:
    """Tell whether a column is called a word, so that its cells are text, whatever they look like."""
    return key(name) in WORDS


def word_column(table: pd.DataFrame, target: tuple[str, ...]) -> str | None:
    """Return the column with a word in each row; None if there is none."""
    named = by_rank([one for one in table.columns if one not in target], WORDS)
    return next((one for one in named if is_text(table[one]) and not table[one].str.contains(" ").any()), None)


def word_cases(table: pd.DataFrame, word: str, id: str | None, answer: Answer) -> Cases:
    """Return the sentences of a table with a ``word`` in each row, in its order.

    An ``id`` may stand in the first row of its sentence alone. Raises DataError if nothing tells sentences apart.
    """
    column = find_column(table.columns, id, "id") if id is not None else _sentence_column(table, word)
    ids = table[column].replace("", np.nan).ffill()
    if table[word].isna().any():
        row = int(table[word].isna().to_numpy().argmax())
        raise DataError(f"Row {row + 1} of the table has no {word}; leave it out, or write the word.")
    begins = np.flatnonzero(np.append(True, ids.to_numpy()[1:] != ids.to_numpy()[:-1]))
    parts = np.split(np.arange(len(table)), begins[1:])
    words = table[word].to_numpy(dtype=object)
    cases = words_cases([[str(one) for one in words[part]] for part in parts])
    cases = replace(cases, names=_names(ids.iloc[begins]), rows=tuple(parts))
    said = f"each row is a word in '{word}', of the sentence in '{column}'"
    answer.require(table.columns)
    found = answer.named(table) or _tags(table, (word, column), answer)
    if not found:
        return replace(cases, notes=(said,))
    codes, names = label_codes(table[found[0]], as_is=False)
    marks = Marks(tuple(codes[part] for part in parts), names)
    return replace(cases, marks=marks, notes=(f"{said}, with its tag in '{found[0]}'",))


def _sentence_column(table: pd.DataFrame, word: str) -> str:
    found = by_rank([one for one in table.columns if one != word], SENTENCES)
    if not found:
        raise DataError(
            f"Each row of this table is a word in '{word}', but no column says which sentence it is of; add one, such "
            "as 'sentence', or name it with id=."
        )
    return found[0]


def _tags(table: pd.DataFrame, taken: tuple[str, str], answer: Answer) -> tuple[str, ...]:
    named = by_rank([one for one in table.columns if one not in taken], TAGS)
    try:
        found = named[0] if named else find_label(table, taken, None, len(table), answer.needed)
    except KindError:
        raise DataError(
            f"Each row of this table is a word in '{taken[0]}', but no column has a tag for each word; add one, such "
            "as 'tag', or name it with target=."
        ) from None
    return () if found is None else (found,)


def _names(ids: pd.Series) -> tuple[str, ...]:
    """Return the names of sentences: their ids, numbered where one comes twice."""
    written = ids.astype("str").str.strip()
    seen: dict[str, int] = {}
    names = []
    for name in written:
        seen[name] = seen.get(name, 0) + 1
        names.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return tuple(names)
