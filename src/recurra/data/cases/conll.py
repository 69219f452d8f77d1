"""Files with a token and its tag in each line and an empty line behind every sentence: CoNLL, CoNLL-U."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from ...errors import DataError, nearest, plural
from ..text import Sentence
from .answers import Answer
from .cases import Cases
from .sentences import sentence_cases, tagged

ENDINGS = (".conll", ".conllu", ".conllx", ".conll2002", ".conll2003", ".iob", ".iob2", ".bio", ".bioes", ".bmes")
UNIVERSAL = ("id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")  # columns of CoNLL-U
UNKNOWN = "_"  # what CoNLL-U writes for what is not known
PART = re.compile(r"\d+[-.]\d+")  # the number of what is no word of its own in CoNLL-U
ABOUT = re.compile(r"#\s*(?:intent|label|class)\s*[=:]\s*(\S.*)")  # a comment that says what the sentence is
SAYS = re.compile(r"#\s*\w+\s*[=:]\s")  # a comment, however many words it has
BREAK = "-DOCSTART-"  # between two documents
FEW = 3  # lines by which a file is known
CELLS = re.compile(r"\w[,;|]\w")  # in a line of another kind of table


class Line(NamedTuple):
    """A line that holds a token."""

    number: int
    cells: tuple[str, ...]


class Block(NamedTuple):
    """The lines of a sentence."""

    lines: list[Line]
    about: str | None  # what its comment says that it is


def are_columns(start: str, ending: str, least: int = 2) -> bool:
    """Tell whether a file has a token in each line: by its name, or by columns and empty lines between sentences.

    There must be so many columns at ``least``; one alone must be of words.
    """
    if ending in ENDINGS:
        return True
    lines = start.splitlines()
    filled = [line for line in lines if line.strip() and not line.startswith("#")]
    inner = any(not line.strip() for line in "\n".join(lines).strip().splitlines())
    if not inner or len(filled) < FEW:
        return False
    widths = Counter(len(_cells(line)) for line in filled[:-1])  # the last one may be cut off
    return len(widths) == 1 and min(widths) >= least and (min(widths) > 1 or _are_words(filled))


def _are_words(lines: Sequence[str]) -> bool:
    """Tell whether most ``lines`` have letters, and the first is not cut by commas."""
    return sum(any(map(str.isalpha, line)) for line in lines) > len(lines) / 2 and not CELLS.search(lines[0])


def read_columns(content: str, name: str, answer: Answer) -> Cases:
    """Return the sentences of a file, with the tags in the column that ``answer`` names, or the last one.

    A column is named by its number, from 1; in CoNLL-U by its name, too, 'upos' if not given. A file with one column
    has tokens alone. Raises DataError that names the first line which is not like the others.
    """
    blocks = list(_blocks(content))
    if not blocks:
        raise DataError(f"'{name}' has no tokens; give it a token and its tag in each line.")
    width = _width([line.cells for block in blocks for line in block.lines])
    _refuse_other(blocks, width, name)
    universal = width == len(UNIVERSAL)
    if universal:
        blocks = [
            block._replace(lines=[one for one in block.lines if not PART.fullmatch(one.cells[0])]) for block in blocks
        ]
        blocks = [block for block in blocks if block.lines]
    form = 1 if universal or _is_numbered(blocks) else 0
    column = _column(answer, width, form, name)
    sentences = [
        Sentence.joined([line.cells[form] for line in block.lines], _spaces(block, universal)) for block in blocks
    ]
    cases = sentence_cases(sentences)
    said = f"'{name}' was read as {len(cases):,} sentence{plural(len(cases))} with a token in each line"
    if column is None:
        return replace(cases, notes=(said,))
    said += f", its tag in column {column + 1}" + (f" ({UNIVERSAL[column]})" if universal else "")
    missing = (UNKNOWN,) if universal else ()
    tags = [[None if line.cells[column] in missing else line.cells[column] for line in block.lines] for block in blocks]
    if answer.needed and not any(tag is not None for row in tags for tag in row):
        raise DataError(
            f"Column {column + 1} of '{name}' has no tags, only '{UNKNOWN}'; name another one with target=."
        )
    return replace(_labelled(tagged(cases, tags), blocks), notes=(said,))


def _labelled(cases: Cases, blocks: Sequence[Block]) -> Cases:
    """Return sentences with what their comments say that each is, if all have one."""
    about = [block.about for block in blocks]
    return cases if None in about else replace(cases, labels=tuple(str(one) for one in about))


def _cells(line: str) -> tuple[str, ...]:
    # A tuple, as the garbage collector looks at every list for as long as it is there, which took half of the time.
    return tuple(line.rstrip("\r\n").strip("\t ").split("\t") if "\t" in line.strip() else line.split())


def _blocks(content: str) -> Iterator[Block]:
    """Yield the sentences of a file; lines that only divide documents are none."""
    lines: list[Line] = []
    about: str | None = None
    rows = [(line, _cells(line)) for line in [*content.splitlines(), ""]]
    width = _width([cells for line, cells in rows if cells and not line.startswith("#")])
    for number, (line, cells) in enumerate(rows, 1):
        if not cells:
            if lines and lines[0].cells[0] != BREAK:
                yield Block(lines, about)
            lines, about = [], None
        elif line.startswith("#") and not lines and (len(cells) != width or SAYS.match(line)):
            found = ABOUT.fullmatch(line.strip())
            about = found.group(1) if found else about
        else:
            lines.append(Line(number, cells))


def _width(rows: Sequence[tuple[str, ...]]) -> int:
    """Return how many columns most lines have."""
    return Counter(map(len, rows)).most_common(1)[0][0] if rows else 0


def _refuse_other(blocks: Sequence[Block], width: int, name: str) -> None:
    for block in blocks:
        for line in block.lines:
            if len(line.cells) != width:
                raise DataError(
                    f"Line {line.number} of '{name}' has {len(line.cells)} column(s), most others have {width}; give "
                    "every token the same columns, and an empty line behind every sentence."
                )


def _is_numbered(blocks: Sequence[Block]) -> bool:
    """Tell whether the first of several columns counts the tokens of each sentence."""
    some = blocks[:20]
    return len(some[0].lines[0].cells) > 1 and all(
        [line.cells[0] for line in block.lines] == [str(n) for n in range(1, len(block.lines) + 1)] for block in some
    )


def _column(answer: Answer, width: int, form: int, name: str) -> int | None:
    """Return the place of the column with the tags; None if there is none, and none is needed."""
    universal = width == len(UNIVERSAL)
    wanted = answer.target[0] if answer.target else ("upos" if universal else None)
    if wanted is None:
        if width > form + 1:
            return width - 1
        if answer.needed:
            raise DataError(
                f"'{name}' has tokens alone, and no column with a tag for each; write its tag behind each token."
            )
        return None
    if wanted == str(form + 1) and answer.needed:
        raise DataError(
            f"Column {wanted} of '{name}' holds the tokens; name the one with their tags, as target='{width}'."
        )
    if wanted.isdigit() and 1 <= int(wanted) <= width and int(wanted) != form + 1:
        return int(wanted) - 1
    if universal and wanted.casefold() in UNIVERSAL:
        return UNIVERSAL.index(wanted.casefold())
    if not answer.needed:
        return width - 1 if width > form + 1 else None
    known = f"{', '.join(UNIVERSAL[2:])}, or a number" if universal else "a number"
    meant = nearest(wanted, UNIVERSAL if universal else ())
    raise DataError(
        f"'{name}' has {width:,} column{plural(width)} without names, so there is no '{wanted}'.{meant} Name the "
        f"one with the tags by {known} from 1 to {width}, as in target='{width}'."
    )


def _spaces(block: Block, universal: bool) -> list[bool] | None:
    return ["SpaceAfter=No" not in line.cells[-1] for line in block.lines] if universal else None
