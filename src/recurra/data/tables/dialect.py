"""How a text table is written, found from its first bytes: encoding, separator, decimal mark, header."""

import csv
import re
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise

from ...errors import DataError
from .columns import MISSING

SAMPLE = 65_536  # bytes that are looked at before the whole file is read, more if its lines are long
NAMES = {"\t": "tab", ";": "';'", "|": "'|'", ",": "','", r"\s+": "spaces"}  # in the order they are tried
NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?%?")
COMMA_NUMBER = re.compile(r"[-+]?\d{1,3}(\.\d{3})+(,\d+)?|[-+]?\d*,\d+([eE][-+]?\d+)?")
HOUR = r"\d{1,2}:\d{2}(:\d{2})?(\.\d+)?"
CLOCK = re.compile(HOUR)
DATE = re.compile(
    rf"\d{{1,4}}[-/.]\d{{1,2}}([-/.]\d{{1,4}})?([ T]{HOUR} ?([AaPp][Mm]|Z|[+-]\d{{2}}:?\d{{2}})?)?|{HOUR}"
)
YEAR = r"(1[5-9]|20|21)\d\d"
CURRENCY = re.compile(r"(?<![\d.,])[$€£¥₹]\s?|\s?[$€£¥₹]$")
FOOTNOTE = re.compile(r"(?<=[\d)%$€£])\s?[*†‡]+$")
# Spaces and marks that stand between thousands, as they are: Arrow's regular expressions know no escapes for them.
BETWEEN = " \u00a0\u202f'’"
NUMERIC = re.compile(rf"[-+]?[\d.,]*\d[\d.,{BETWEEN}]*([eE][-+]?\d+)?")
UNIT = re.compile(r"(?<=\d)(?:\s+(?!(?:[ap]m|noon)$)([^\W\d_]{1,8}(?:[/·²³]\w{0,6})?)|\s*(?=°)(°[CF]))$", re.IGNORECASE)
GROUPED = {  # thousands separator -> a whole cell written with it, the decimal mark put in for {0}
    ",": r"[-+]?[1-9]\d{{0,2}}(?:,\d{{3}})+(?:\{0}\d+)?",
    ".": r"[-+]?[1-9]\d{{0,2}}(?:\.\d{{3}})+(?:\{0}\d+)?",
    " ": r"[-+]?[1-9]\d{{0,2}}(?:[" + BETWEEN + r"]\d{{3}})+(?:\{0}\d+)?",
}


@dataclass(frozen=True)
class Dialect:
    """How a text table is written: encoding, separator, decimal mark, first lines, names of the columns."""

    encoding: str
    separator: str
    decimal: str
    skip: int  # physical lines before the first row of data
    names: tuple[str, ...]
    notes: tuple[str, ...]
    spaced: bool = False  # cells begin with blanks
    quoted: bool = False  # quotes stand behind such blanks, which are then no part of a cell
    returns: bool = False  # lines end in a carriage return alone
    padded: tuple[str, ...] = ()  # columns whose name begins with a blank, as behind ', '


def find_dialect(sample: bytes, name: str) -> Dialect:
    """Return how a table is written, from its first bytes; raises DataError if there is no table in them."""
    encoding = find_encoding(sample)
    text = sample.decode(encoding, errors="replace")
    lines = text.splitlines()
    if len(sample) >= SAMPLE:
        lines = lines[:-1] or lines
    excel = re.fullmatch(r'"?sep=(.)"?', lines[0].rstrip(), re.IGNORECASE) if lines else None
    comments = _leading_comments(lines[bool(excel) :])
    top = bool(excel) + comments
    filled = [i for i, line in enumerate(lines) if i >= top and line.strip()]
    body = [lines[i] for i in filled]
    if not body:
        raise DataError(f"The file '{name}' has comment lines but no table.")
    separator = excel[1] if excel and excel[1] in NAMES else _separator(body[:200], name)
    rows = _split(body[:200], separator)
    titles = _titles(rows)
    rows = rows[titles:]
    names, has_header, notes = _header(rows, lines[top - comments : top], separator)
    if has_header and len(rows) == 1:
        raise DataError(f"The file '{name}' has a header but no rows of data.")
    decimal = _decimal(rows[has_header:], separator)
    skip = filled[titles] + has_header
    notes = _dialect_notes(encoding, separator, decimal, comments) + notes
    if titles:
        notes.append(f"left out {titles} title line(s) above the header, beginning with '{body[0].strip()[:40]}'")
    spaced, quoted = _padding(lines[skip:], separator)
    padded = _padded_names(lines[skip - 1], names, separator) if has_header else ()
    returns = "\r" in text and "\n" not in text
    return Dialect(encoding, separator, decimal, skip, tuple(names), tuple(notes), spaced, quoted, returns, padded)


def _padded_names(header: str, names: list[str], separator: str) -> tuple[str, ...]:
    """Return the columns whose cell in the header begins with a blank."""
    if separator in ("", r"\s+"):
        return ()
    cells = next(csv.reader([header], delimiter=separator))
    return tuple(name for name, cell in zip(names, cells, strict=False) if cell[:1].isspace())


def _padding(lines: list[str], separator: str) -> tuple[bool, bool]:
    """Tell whether cells begin with blanks, and whether quotes stand behind these."""
    if separator in ("", r"\s+"):
        return True, False
    blank = rf"(?:^|{re.escape(separator)})[^\S\t]+"
    spaced = any(re.search(blank + r"\S", line) for line in lines)
    return spaced, spaced and any(re.search(blank + '"', line) for line in lines)


def find_encoding(sample: bytes) -> str:
    """Return the encoding of a text, from its first bytes."""
    if sample.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    if sample.startswith(b"\xef\xbb\xbf"):
        return "utf-8-sig"
    try:
        sample[: sample.rfind(b"\n") + 1 or None].decode("utf-8")
    except UnicodeDecodeError:
        return _old_encoding(sample)
    return "utf-8"


def _old_encoding(sample: bytes) -> str:
    """Tell Chinese GB18030 (long runs of paired high bytes) from Western text (single high bytes)."""
    runs = [len(run) for run in re.findall(rb"[\x80-\xff]+", sample)]
    if all(run % 2 == 0 for run in runs) and max(runs) >= 4:
        return "gb18030"
    return "cp1252" if not re.search(rb"[\x81\x8d\x8f\x90\x9d]", sample) else "latin-1"


def _leading_comments(lines: list[str]) -> int:
    return next((i for i, line in enumerate(lines) if not line.lstrip().startswith("#")), len(lines))


def _split(lines: list[str], separator: str) -> list[list[str]]:
    if separator == r"\s+":
        return [line.split() for line in lines]
    rows = csv.reader(lines, delimiter=separator or ",")
    return [[cell.strip() for cell in row] for row in rows] if separator else [[line.strip()] for line in lines]


def _separator(lines: list[str], name: str) -> str:
    """Return the first separator that cuts the lines into equally many cells, or '' for a single column."""
    cells = [line.strip().strip('"') for line in lines]
    plain = [_is_value(cell) or cell.lower() in MISSING for cell in cells[1:]]
    if all(plain) and not re.search(r"[,;|\t]", lines[0]):
        return ""
    shares = {sep: _agreement(lines, sep) for sep in NAMES}
    best = max(shares, key=lambda sep: shares[sep])
    if shares[best] >= 0.6:
        return best
    if sum(plain) >= 0.5 * len(plain):
        return ""
    raise DataError(
        f"'{name}' does not split into columns: every line is one cell, such as '{lines[-1][:40]}'; "
        "separate the columns by comma, semicolon, tab or '|'."
    )


def _agreement(lines: list[str], separator: str) -> float:
    """Return the share of lines with the most common number of cells, 0 if that number is one."""
    try:
        rows = _split(lines, separator)
    except csv.Error:  # a cell too long to be one
        return 0.0
    rows = rows[_titles(rows) :]
    cells, often = Counter(len(row) for row in rows).most_common(1)[0]
    if cells < 2:
        return 0.0
    # Spaces stand inside dates, and decimal commas split numbers where the header stays whole.
    doubt = 0.2 if separator == r"\s+" else 0.0
    doubt += 0.3 if len(rows[0]) == 1 else 0.1 * (len(rows[0]) < cells)
    return often / len(rows) - doubt


def _titles(rows: list[list[str]]) -> int:
    """Return how many lines above the header hold a title: they fill fewer cells than header and data do."""
    width = Counter(len(row) for row in rows).most_common(1)[0][0]
    full = [sum(bool(cell) for cell in row) >= max(2, width - 1) for row in rows[:4]]
    titles = full.index(True) if True in full else 0
    if not titles or len(rows) < titles + 2 or not all(row[0] for row in rows[:titles]):
        return 0
    header, below = rows[titles], rows[titles + 1]
    named = all(not _is_value(cell) or re.fullmatch(YEAR, cell) for cell in header) and not _is_value(header[0])
    return titles if named and any(_is_value(plain_number(cell)) for cell in below) else 0


def plain_number(cell: str) -> str:
    """Return a cell without what people write around numbers: $ € %, (12) for -12, a footnote star, − for -."""
    text = cell.strip().replace("\u2212", "-")
    text = FOOTNOTE.sub("", text)
    found = re.fullmatch(r"\((.+)\)", text)
    text = CURRENCY.sub("", found[1] if found else text)
    text = re.sub(r"^([-+])\s+(?=\d)", r"\1", text.removesuffix("%").strip())
    text = "-" + text if found else text
    return text if NUMERIC.fullmatch(text) else cell


def _is_value(cell: str) -> bool:
    return bool(NUMBER.fullmatch(cell) or COMMA_NUMBER.fullmatch(cell) or DATE.fullmatch(cell))


def _header(rows: list[list[str]], comments: list[str], separator: str) -> tuple[list[str], bool, list[str]]:
    """Return the column names, whether the first row holds them, and notes."""
    width = Counter(len(row) for row in rows[1:] or rows).most_common(1)[0][0]
    if not _starts_with_data(rows):
        names = _padded(rows[0], width, rows[1:])
        return _unique(names), True, _doubled(names)
    commented = _commented_names(comments, separator)
    if len(commented) == width:
        return _unique(commented), False, ["column names taken from the line that starts with '#'"]
    names = [f"column_{i + 1}" for i in range(width)]
    span = names[0] if width == 1 else f"{names[0]} to {names[-1]}"
    return names, False, [f"no header line, so the columns are called {span}"]


def _starts_with_data(rows: list[list[str]]) -> bool:
    first = [cell for cell in rows[0] if cell.lower() not in MISSING]
    if not first:
        return False
    if len(rows) > 1 and not rows[0][0] and not _is_value(rows[1][0]):
        return False
    below = rows[1] if len(rows) > 1 else []
    if len(first) > 2 and all(_full_date(cell) for cell in first) and not any(_full_date(cell) for cell in below):
        return False  # the columns are called by dates
    if below and not rows[0][0] and below[0] and climbs(rows[0][1:]) and not climbs(below[1:]):
        return False  # the columns are numbered, behind row names that have no name
    if all(_is_value(cell) for cell in first):
        return True
    return any(_full_date(a) and _full_date(b) for a, b in zip(rows[0], below, strict=False))


def climbs(cells: list[str]) -> bool:
    """Tell whether cells are at least three numbers in equal steps upwards, as those are that number columns."""
    if len(cells) < 3 or not all(NUMBER.fullmatch(cell) for cell in cells):
        return False
    numbers = [float(cell.rstrip("%")) for cell in cells]
    step = (numbers[-1] - numbers[0]) / (len(numbers) - 1)
    return step > 0 and all(abs(b - a - step) <= 1e-6 * step for a, b in pairwise(numbers))


def _full_date(cell: str) -> bool:
    return bool(DATE.fullmatch(cell)) and len(cell) >= 8 and not NUMBER.fullmatch(cell)


def _commented_names(comments: list[str], separator: str) -> list[str]:
    """Return the names in the last comment line, without numbers as in ``3:Temperature``."""
    if not comments:
        return []
    cells = _split([comments[-1].lstrip("# \t")], separator)[0]
    return [re.sub(r"^\d+:(?=\D)", "", cell) for cell in cells]


def _padded(names: list[str], width: int, rows: list[list[str]]) -> list[str]:
    """Name the cells that rows have beyond the header: an empty last one, or row names at the front."""
    spare = width - len(names)
    full = [row for row in rows if len(row) == width]
    if spare == 1 and "time" not in names and all(_full_date(row[0]) and CLOCK.fullmatch(row[1]) for row in full):
        return [names[0], "time", *names[1:]]
    if spare == 1 and any(row[-1] for row in full):
        return ["", *names]
    return names + [""] * max(spare, 0)


def _unique(names: list[str]) -> list[str]:
    seen: Counter[str] = Counter()
    unique = []
    for i, name in enumerate(names):
        fresh = name or f"Unnamed: {i}"
        unique.append(f"{fresh}.{seen[fresh]}" if seen[fresh] else fresh)
        seen[fresh] += 1
    return unique


def _doubled(names: list[str]) -> list[str]:
    """Return a note on a name that several columns have."""
    often = next((name for name, count in Counter(names).items() if count > 1 and name), None)
    return [f"several columns are called '{often}'; the second is read as '{often}.1'"] if often else []


def _decimal(rows: list[list[str]], separator: str) -> str:
    """Return ',' only if numbers with a decimal comma are there and none with a decimal point."""
    cells = [plain_number(cell) for row in rows for cell in row if "," in cell or "." in cell]
    commas = [cell for cell in cells if "," in cell and COMMA_NUMBER.fullmatch(cell)]
    points = [c for c in cells if re.fullmatch(r"[-+]?\d*\.\d+", c) and not re.fullmatch(r"[-+]?\d+\.\d{3}", c)]
    if points or not commas:
        return "."
    grouped = re.compile(GROUPED[","].format("."))
    thousands = separator in (",", "") and all(grouped.fullmatch(cell) for cell in commas)
    return "." if thousands else ","


def _dialect_notes(encoding: str, separator: str, decimal: str, comments: int) -> list[str]:
    parts = []
    if separator not in (",", ""):
        parts.append(f"{NAMES[separator]} as separator")
    if decimal == ",":
        parts.append("decimal comma")
    if not encoding.startswith("utf-8"):
        parts.append({"cp1252": "Latin-1", "latin-1": "Latin-1"}.get(encoding, encoding.upper()))
    notes = ["read with " + ", ".join(parts)] if parts else []
    return notes + ([f"left out {comments} comment line(s) at the top"] if comments else [])
