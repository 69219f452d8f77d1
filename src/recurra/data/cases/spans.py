"""Sentences from JSON lines, a text with its spans or tokens with their tags, and from folders, tokens beside tags."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from ...errors import DataError, plural
from ..tables.files import read_text
from .answers import Answer
from .cases import Cases
from .roles import by_rank
from .sentences import Span, spanned, tagged, words_cases
from .texts import NAMES as TEXTS
from .texts import text_cases

TOKENS = ("tokens", "words", "token", "sentence", "text")
TAGS = ("tags", "ner_tags", "labels", "label", "slots", "pos_tags", "upos", "ner", "tag")
SPANS = ("spans", "entities", "label", "labels", "annotations", "ner")
WHOLE = ("intent", "intents", "class", "category", "label")  # what a sentence is as a whole
STARTS, ENDS, LABELS = (
    ("start", "start_offset", "begin"),
    ("end", "end_offset", "stop"),
    ("label", "type", "entity", "tag"),
)
INPUT, OUTPUT, LABEL = "seq.in", "seq.out", "label"  # the files of a folder of utterances, a line in each


def has_sentences(table: pd.DataFrame) -> bool:
    """Tell whether a table has lists of tokens in a column, or a text and a list of its spans."""
    return _lists(table, TOKENS, str, gaps=False) is not None or (
        _text(table) is not None and _spans(table, None) is not None
    )


def read_sentences(table: pd.DataFrame, name: str, answer: Answer) -> Cases:
    """Return the sentences of a table from JSON lines, with their tags; raises DataError that names a line."""
    target = answer.named(table)
    wanted = target[0] if target else None
    tokens = _lists(table, TOKENS, str, gaps=False)
    cases = _with_tags(table, tokens, wanted, answer, name) if tokens else _with_spans(table, wanted, name)
    whole = by_rank([one for one in table.columns if table[one].map(lambda cell: isinstance(cell, str)).all()], WHOLE)
    labels = tuple(table[whole[0]]) if whole and whole[0] not in (tokens, _text(table)) else None
    return replace(cases, labels=labels)


def _with_tags(table: pd.DataFrame, tokens: str, wanted: str | None, answer: Answer, name: str) -> Cases:
    cases = words_cases(list(table[tokens]))
    column = wanted or _lists(table.drop(columns=tokens), TAGS, (str, int))
    if column is None:
        if answer.needed:
            raise DataError(f"'{name}' has lists of tokens in '{tokens}', but none of their tags; add one, as 'tags'.")
        return cases
    rows = list(table[column])
    for number, (row, steps) in enumerate(zip(rows, cases.lengths.tolist(), strict=True), 1):
        if not isinstance(row, list) or len(row) != steps:
            given = f"{len(row):,} tag{plural(len(row))}" if isinstance(row, list) else "no list of tags"
            raise DataError(
                f"Line {number} of '{name}' has {steps:,} token{plural(steps)}, but {given}; give a tag for each token."
            )
    tags = [[None if tag is None else str(tag) for tag in row] for row in rows]
    return replace(tagged(cases, tags), notes=(f"'{name}' has tokens in '{tokens}' and their tags in '{column}'",))


def _with_spans(table: pd.DataFrame, wanted: str | None, name: str) -> Cases:
    text = _text(table)
    column = _spans(table, wanted)
    assert text is not None
    texts = [str(cell).strip() for cell in table[text]]
    if column is None:
        return text_cases(texts)
    shifts = [len(str(cell)) - len(str(cell).lstrip()) for cell in table[text]]
    spans = [
        [span_of(one, f"Line {n} of '{name}'", shift) for one in (row if isinstance(row, list) else [])]
        for n, (row, shift) in enumerate(zip(table[column], shifts, strict=True), 1)
    ]
    return spanned(texts, spans, [str(n + 1) for n in range(len(texts))])


def span_of(one: Any, where: str, shift: int = 0) -> Span:
    """Return a span from ``(start, end, label)`` or from an object with these names; raises DataError for others."""
    try:
        if isinstance(one, dict):
            start, end, label = (by_rank(one, keys)[0] for keys in (STARTS, ENDS, LABELS))
            start, end, label = one[start], one[end], one[label]
        else:
            start, end, label = one
        if (
            any(isinstance(place, bool) or place != int(place) for place in (start, end))
            or not str(label or "").strip()
        ):
            raise ValueError(one)
        return Span(int(start) - shift, int(end) - shift, str(label))
    except (IndexError, TypeError, ValueError):
        raise DataError(
            f"{where} has the span {one!r}, which is not [start, end, label]; give the place of its first character, "
            "that behind its last one, and its label."
        ) from None


def _text(table: pd.DataFrame) -> str | None:
    named = by_rank([one for one in table.columns if table[one].map(lambda cell: isinstance(cell, str)).all()], TEXTS)
    return named[0] if named else None


def _lists(table: pd.DataFrame, names: tuple[str, ...], kinds: Any, gaps: bool = True) -> str | None:
    """Return the column called one of ``names`` that has lists of items of these ``kinds``, perhaps with ``gaps``."""

    def fits(cell: Any) -> bool:
        return isinstance(cell, list) and all((gaps and one is None) or isinstance(one, kinds) for one in cell)

    return next((one for one in by_rank(table.columns, names) if table[one].map(fits).all()), None)


def _spans(table: pd.DataFrame, wanted: str | None) -> str | None:
    if wanted is not None:
        return wanted

    def fits(cell: Any) -> bool:
        return isinstance(cell, list) and all(isinstance(one, (list, dict)) for one in cell)

    return next((one for one in by_rank(table.columns, SPANS) if table[one].map(fits).all()), None)


def is_utterances(folder: Path) -> bool:
    """Tell whether a folder has a file of tokens and one of their tags, with a line for each utterance."""
    return (folder / INPUT).is_file() and (folder / OUTPUT).is_file()


def read_utterances(folder: Path) -> Cases:
    """Return the utterances of a folder: ``seq.in``, ``seq.out`` and, if it is there, ``label``."""
    inputs, outputs = (_rows(folder / name) for name in (INPUT, OUTPUT))
    labels = [" ".join(row) for row in _rows(folder / LABEL)] if (folder / LABEL).is_file() else None
    for name, rows in ((OUTPUT, outputs), (LABEL, labels)):
        if rows is not None and len(rows) != len(inputs):
            raise DataError(
                f"'{INPUT}' has {len(inputs):,} line{plural(len(inputs))} and '{name}' has {len(rows):,}; give one for "
                "each."
            )
    for number, (words, tags) in enumerate(zip(inputs, outputs, strict=True), 1):
        if len(words) != len(tags):
            raise DataError(
                f"Line {number} of '{INPUT}' has {len(words):,} token{plural(len(words))}, but that of '{OUTPUT}' "
                f"{len(tags):,} tag{plural(len(tags))}; give one for each token."
            )
    cases = tagged(words_cases(inputs), outputs)
    said = f"'{folder.name}' has {len(inputs):,} utterance{plural(len(inputs))} with a tag for each token"
    said += ", and what each is as a whole" if labels else ""
    return replace(cases, labels=tuple(labels) if labels else None, notes=(said,))


def _rows(path: Path) -> Sequence[list[str]]:
    return [line.split() for line in read_text(path).splitlines() if line.strip()]
