"""Which column of a table is read, and which is written."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import pandas as pd

from ...data.calendar.stamps import holds_dates
from ...data.cases.listed import FILES
from ...data.cases.roles import by_rank, key
from ...data.tables.columns import find_column, is_number, is_text, text_of_numbers
from ...errors import DataError, KindError
from .arrays import names_sequences

PICTURES = (
    "image", "picture", "photo", "img", "image_file", "image_path", "image_name", "图片", "图像",
)  # fmt: skip
SOURCES = (
    "source", "src", "source_text", "input", "input_text", "inputs", "question", "query", "prompt", "instruction",
    *FILES, *PICTURES, "document", "article", "dialogue", "utterance", "original", "sentence", "text", "content",
    "源", "源文", "原文", "问题", "输入", "上联", "正文",
)  # fmt: skip
TARGETS = (
    "target", "tgt", "trg", "answers", "target_text", "output", "output_text", "outputs", "answer", "response", "reply",
    "completion", "transcript", "transcription", "caption", "translation", "summary", "highlights",
    "title", "headline", "paraphrase", "correction",
    "目标", "译文", "翻译", "答案", "回答", "输出", "下联", "摘要",
)  # fmt: skip
# What a question is about; only beside one of QUESTIONS, as a document may be what is read itself.
PASSAGES = (
    "passage", "context", "story", "paragraph", "article", "document", "background", "evidence",
    "文章", "段落", "语境", "上下文", "材料",
)  # fmt: skip
QUESTIONS = ("question", "query", "问题")
SAID = ("sentence", "text", "content", "comment", "description", "正文")  # of a sound or a picture that is the source
# What languages are called: the codes of ISO 639-1, some of 639-3, and names.
SPOKEN = (
    "aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz ee el en "
    "eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is it iu ja jv "
    "ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne "
    "ng nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so sq sr ss st "
    "su sv sw ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu "
    "ara ben bul cat ces cmn dan deu ell eng est fas fin fra heb hin hrv hun ind isl ita jpn kor lat lit nld nob pol "
    "por ron rus slk slv spa srp swe tha tur ukr urd vie yue zho "
    "arabic bengali bulgarian catalan chinese croatian czech danish dutch english estonian finnish french german greek "
    "hebrew hindi hungarian icelandic indonesian italian japanese korean latin lithuanian mandarin norwegian persian "
    "polish portuguese romanian russian serbian slovak slovene spanish swedish thai turkish ukrainian vietnamese "
    "中文 汉语 英文 英语 德语 德文 法语 法文 日语 日文 韩语 俄语 西班牙语"
)
LANGUAGES = frozenset(SPOKEN.split())
COUNTED = ("id", "no")  # Indonesian and Norwegian, but mostly a number of the row
REGION = re.compile(r"([a-z]{2,3})_(?:[a-z]{2}|hans|hant|latn|cyrl)")
ROLES = ("source", "target", "passage")
LOOKED_AT = 200  # rows by which is seen what a column holds
WIDEST = 8  # columns that are named in a message


@dataclass(frozen=True)
class Form:
    """How pairs are written, as far as that was told: names of columns or their numbers from 1, and what parts them."""

    source_column: str | None = None
    target_column: str | None = None
    passage_column: str | None = None
    separator: str | None = None
    target_file: str | None = None
    rate: int | None = None  # samples per second, at which sounds are heard
    reads: str | None = None  # what arrays are: "pictures", "features" or "sequences"
    turns: int = 1  # before a reply in a thread that are read
    passages: bool | None = None  # whether sources are about passages; found from the data if not known

    @classmethod
    def of(cls, settings: Any, known: Mapping[str, Any] | None = None) -> "Form":
        """Return the form that is among the settings of a task, and what is ``known`` besides from a training."""
        names = ("source_column", "target_column", "passage_column", "separator", "target_file", "reads", "turns")
        return cls(**{name: getattr(settings, name) for name in names} | dict(known or {}))


class Sides(NamedTuple):
    """The column that is read, the one that is written, and the one with what it is about, if there are such."""

    source: str
    target: str | None
    passage: str | None = None


def is_language(name: str) -> bool:
    """Tell whether a column, or the ending of a file, is called as a language is: ``de``, ``zh-CN``, ``German``."""
    found = REGION.fullmatch(key(name))
    return (found[1] if found else key(name)) in LANGUAGES


def is_header(cells: Sequence[str], form: Form) -> bool:
    """Tell whether the first line of a file names its columns: as asked, or as sources, targets and languages are."""
    names = [cell.strip() for cell in cells]
    asked = [name for name in (form.source_column, form.target_column) if name is not None and not name.isdecimal()]
    if any(name.strip().casefold() in [one.casefold() for one in names] for name in asked):
        return True
    known = [name for name in names if key(name) in (*SOURCES, *TARGETS) or is_language(name)]
    return len(set(known)) >= 2 or (len(names) == 1 and key(names[0]) in SOURCES)


def unnamed(table: pd.DataFrame) -> bool:
    """Tell whether the columns of a table have numbers from 1 instead of names."""
    return list(table.columns) == [str(number + 1) for number in range(table.shape[1])]


def find_sides(table: pd.DataFrame, form: Form, answered: bool) -> Sides:
    """Return the columns of a table that are read and written: as told, by their names, or because there are two.

    Raises DataError if a column is not there, or if it cannot be told which is which.
    """
    names = form.source_column, form.target_column, form.passage_column
    told = Sides(*(_told(table, name, role) for name, role in zip(names, ROLES, strict=True)))  # type: ignore[arg-type]
    twice = next((name for name in told if name and told.count(name) > 1), None)
    if twice is not None:
        one, other = [role for role, name in zip(ROLES, told, strict=True) if name == twice][:2]
        raise DataError(f"Column '{twice}' cannot be the {one} and the {other}; name another for one of them.")
    free = [name for name in table.columns if name not in told]
    source = told.source or _of_sequences(free, table) or _found(free, told.target, SOURCES)
    free = [name for name in free if name != source]
    passage = told.passage or _passage(free, source, form.passages)
    free = [name for name in free if name != passage]
    target = told.target or (None if source is None else _other(free, source, table, answered))
    if source is None:
        source, target = _pair(table.drop(columns=[passage] if passage else []), told.target, answered)
    if target is None and answered:
        raise DataError(_no_target(table, source))
    return Sides(source, target, passage)


def _passage(free: Sequence[str], source: str | None, asked: bool | None) -> str | None:
    """Return the free column with what a question is about, by its name; raises DataError if there must be one."""
    if asked is False:
        return None
    named = by_rank(free, PASSAGES) if asked or key(source or "") in QUESTIONS else []
    if asked and not named:
        raise DataError(
            f"No column holds the passages that '{source}' is about; name it with passage_column=. The columns are: "
            f"{_listed(free)}."
        )
    return next(iter(named), None)


def _told(table: pd.DataFrame, name: str | None, what: str) -> str | None:
    """Return the column that was named, by its name or by its number from 1; None if none was."""
    if name is None or name in table.columns:
        return name
    if name.isdecimal() and 1 <= int(name) <= table.shape[1]:
        return str(table.columns[int(name) - 1])
    return find_column(table.columns, name, what)


def _found(free: Sequence[str], target: str | None, names: tuple[str, ...]) -> str | None:
    """Return the free column that is called as a source is; of languages the first one."""
    named = by_rank(free, names)
    if named:
        return named[0]
    spoken = _languages(free)
    return spoken[0] if len(spoken) > (target is None) else None


def _other(free: Sequence[str], source: str, table: pd.DataFrame, answered: bool) -> str | None:
    """Return the free column that is called as a target is, or as a language beside the ``source``, or the only one."""
    heard = key(source) in (*FILES, *PICTURES) or _of_sequences([source], table) is not None
    named = by_rank(free, TARGETS) or (by_rank(free, SAID) if heard else [])
    if named:
        return named[0]
    spoken = _languages(free)
    if len(spoken) == 1:
        return spoken[0]
    if len(spoken) > 1 and answered:
        raise DataError(f"Columns {_shown(spoken)} could all be the target of '{source}'; name it with target_column=.")
    return free[0] if len(free) == 1 and not is_number(table[free[0]]) else None


def _of_sequences(free: Sequence[str], table: pd.DataFrame) -> str | None:
    """Return the first free column of which most cells name a file of a sound or an array."""
    return next((name for name in free if names_sequences(table[name].head(LOOKED_AT).tolist())), None)


def _languages(free: Sequence[str]) -> list[str]:
    spoken = [name for name in free if is_language(name)]
    without = [name for name in spoken if key(name) not in COUNTED]
    return without or spoken


def _pair(table: pd.DataFrame, target: str | None, answered: bool) -> tuple[str, str | None]:
    """Return the columns of a table whose names say nothing: the first is read, the second written."""
    free = [str(name) for name in table.columns if name != target]
    if unnamed(table):
        return free[0], target or next(iter(free[1:]), None)
    text = [name for name in free if _is_written(table[name])]
    text = [name for name in text if not _is_dated(table[name])] or text
    if not text:
        raise KindError(f"No column of the table holds texts: the columns are {_shown(free)}.")
    if len(text) > 2 - (target is not None) or (len(text) < len(free) and answered):
        raise KindError(
            f"The columns are called {_shown(free)}, which does not say what is read and what is written; name both "
            "with source_column= and target_column=."
        )
    return text[0], target or next(iter(text[1:]), None)


def _is_written(column: pd.Series) -> bool:
    """Tell whether a column without a telling name may hold texts: it is neither of numbers, nor of time stamps."""
    return is_text(column) and not text_of_numbers(column.head(LOOKED_AT))


def _is_dated(column: pd.Series) -> bool:
    return holds_dates(column.head(LOOKED_AT))


def _no_target(table: pd.DataFrame, source: str) -> str:
    others = [name for name in table.columns if name != source]
    if not others:
        return (
            "There is one column of texts and none of what is to be written for them; give a table with both, the file "
            "of the targets with target_file=, or what stands between the two in a line with separator=."
        )
    return f"No column is the target of '{source}'; name it with target_column=. The columns are: {_listed(others)}."


def _shown(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names[:WIDEST]) + (", .." if len(names) > WIDEST else "")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:WIDEST]) + (", ..." if len(names) > WIDEST else "")
