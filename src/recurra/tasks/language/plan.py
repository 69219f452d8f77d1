"""Which part of a text trains, validates and tests: it is cut in its order."""

from dataclasses import dataclass

from ...data.text.units import LINE
from ...errors import ConfigError, DataError
from .settings import LanguageSettings
from .source import Book

VALID, TEST = 0.05, 0.1  # shares of a text
FEWEST = 200  # characters to learn from

Part = tuple[int, int]  # the first character, and the one behind the last


@dataclass(frozen=True)
class TextPlan:
    """The characters of each part."""

    train: Part
    valid: Part
    test: Part
    notes: tuple[str, ...] = ()

    @property
    def test_size(self) -> int:
        """How many characters are held out."""
        return self.test[1] - self.test[0]


def make_plan(book: Book, settings: LanguageSettings, test_size: int | None) -> TextPlan:
    """Cut a text: its last ``test_size`` characters test, those before validate.

    Words stay whole. Raises ConfigError if nothing would be left to learn from.
    """
    text, end = book.text, len(book.text)
    test = end - (round(TEST * end) if test_size is None else test_size)
    size = settings.validation_size
    wanted = VALID * end if size is None else size * max(test, 0) if size < 1 else size
    first = test - max(1, round(wanted))
    if first < FEWEST:
        left = max(first, 0)
        if end < 2 * FEWEST:
            raise DataError(f"The text has only {end:,} characters, too few to learn from: give at least 400.")
        raise ConfigError(
            f"Of {end:,} characters only {left:,} would be left to learn from: hold out fewer with test_size= or "
            "validation_size=."
        )
    if settings.level != "character":
        test, first = _begin(text, test, first), _begin(text, first, FEWEST)
    notes = (
        f"the first {first:,} characters train, the next {test - first:,} decide when to stop"
        + (f", the last {end - test:,} judge" if test < end else ""),
    )
    return TextPlan((0, first), (first, test), (test, end), (*book.notes, *notes))


def _begin(text: str, place: int, least: int) -> int:
    """Return the place nearest before ``place`` at which a line begins, or a word if a line is long."""
    if place >= len(text):
        return place
    for mark in (LINE, " "):
        found = text.rfind(mark, max(least, place - 1000), place) + 1
        if found > 0:
            return found
    return place
