"""How much room a text takes on the screen: a Chinese letter fills two columns."""

import re
from unicodedata import east_asian_width

OPENING, CLOSING = "（《「【“‘", "，。；：、？！％）》」】”’"  # what ends no line, and what begins none
LETTER = "⺀-〿぀-ヿ㐀-鿿가-힣豈-﫿︰-﹏！-｠￠-￦"  # between two of these a line may end
WORD = re.compile(rf"\s+|[{OPENING}([]*(?:[{LETTER}]|[^\s{LETTER}{OPENING}]+)?[{CLOSING})\],.;:!?]*")


def width(text: str) -> int:
    """Return how many columns a line of text takes."""
    return len(text) + sum(east_asian_width(letter) in "WF" for letter in text)


def padded(text: str, room: int) -> str:
    """Return ``text`` with blanks after it up to ``room`` columns."""
    return text + " " * (room - width(text))


def fitted(text: str, room: int) -> str:
    """Return ``text`` with those of its lines broken that are wider than ``room`` columns."""
    return "\n".join(line if width(line) <= room else "\n".join(filled(line, room)) for line in text.split("\n"))


def filled(text: str, room: int) -> list[str]:
    """Return ``text`` in lines of at most ``room`` columns; only a longer word goes beyond."""
    lines = [""]
    for word in WORD.findall(text):
        if lines[-1] and word.strip() and width(lines[-1] + word) > room:
            lines.append("")
        lines[-1] += word if lines[-1] or len(lines) == 1 else word.lstrip()
    return [line.rstrip() for line in lines]
