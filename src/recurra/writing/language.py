"""What people read, in their language: every text of the package is written in English, and translated at the door.

A catalog is a folder of TOML files of patterns: an English text, in which ``{1}``, ``{2}``, .. stand for what differs,
and the same in the other language. What stands in a place is translated, too, unless it is a name: in quotes, in
backticks, or ``{1!}``; ``'{1?}'`` is none. A text that no pattern fits is cut into its sentences, these at semicolons,
and so on to commas; what is still not known stays as it is. So no message has to know of languages, and a run that was
made in one can be told in another.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import NamedTuple

from ..errors import ConfigError, nearest

LANGUAGES = {"en": "English", "zh": "中文"}
ENGLISH = "en"
PLACE = re.compile(r"(['`]?)\{(\d)([!?]?)\}(['`]?)")
SENTENCES = re.compile(r"(?<=[.!?]) (?=[A-Z'`\d±])")
SEVERAL = re.compile(f"{SENTENCES.pattern}|; ")  # several texts
LISTED = re.compile(f"{SEVERAL.pattern}|, ")
FEW = 20  # letters: a pattern with so few of its own is not sure of what stands between commas
WORD = re.compile(r"[A-Za-z]{2}(?=[^']*(?:'[^']*'[^']*)*$)")  # letters that stand in no quotes
HAN, LATIN = re.compile("[一-鿿]"), re.compile("[A-Za-z0-9%'`]")
ONE = re.compile(
    r"(\d[\d,]* (?:validation )?)"
    r"(case|step|text|sentence|token|tag|span|label|character|channel|number|line|utterance|column)\b"
    r"(?!\()(?=[^']*(?:'[^']*'[^']*)*$)"
)  # of what there is one, in no quotes
LABEL = re.compile(r"[A-Z][a-z]+: \{1\}\.?")
WORDS = re.compile(r"[A-Za-z]{2,} +[A-Za-z]{2}(?=[^']*(?:'[^']*'[^']*)*$)")
CUTS = (
    (SENTENCES, ""),
    *((re.compile(cut), mark) for cut, mark in (("; ", "；"), (": ", "："), (" and ", "和"), (", ", "，"))),
)
_language: ContextVar[str] = ContextVar("language", default=ENGLISH)


class Pattern(NamedTuple):
    """A text with places: how it is recognised, and what is said instead."""

    literal: str  # its longest part without places: quick to look for
    words: int  # how many letters are its own
    english: re.Pattern[str]
    names: frozenset[int]  # places whose content is never translated
    label: bool  # it only says what comes, as "Error: {1}" does
    other: str


class Catalog:
    """The texts of one language, by their English."""

    def __init__(self, pairs: dict[str, str]):
        self.texts = {english: other for english, other in pairs.items() if not PLACE.search(english)}
        patterns = [_pattern(english, other) for english, other in pairs.items() if PLACE.search(english)]
        # What has more words of its own says more surely what it is.
        self.patterns = sorted(patterns, key=lambda one: -one.words)
        self.labels = [pattern for pattern in self.patterns if pattern.label]
        self.known: dict[str, str | None] = {}

    def say(self, text: str) -> str:
        """Return ``text`` in the other language, as far as it is known."""
        found = self.find(text)
        return text if found is None else found

    def find(self, text: str) -> str | None:
        """Return ``text`` in the other language; None if nothing of it is known."""
        if text not in self.known:
            if len(self.known) > 20_000:
                self.known.clear()
            self.known[text] = self._find(text)
        return self.known[text]

    def _find(self, text: str) -> str | None:
        bare = text.strip()
        if not any("a" <= letter <= "z" or "A" <= letter <= "Z" for letter in bare):
            return None
        # One of something is looked up as several of it are first: no language so far tells them apart.
        several = ONE.sub(r"\1\2s", bare)
        found = self.texts.get(bare) or (self._whole(several) if several != bare else None) or self._whole(bare)
        found = found or self._by_parts(bare) or self._by_pattern(bare)
        return None if found is None else text.replace(bare, found)

    def _whole(self, text: str) -> str | None:
        """Translate a text that is there as it is."""
        return self.texts.get(text) or self._by_pattern(text, strictly=True) or self._behind_label(text)

    def _by_pattern(self, text: str, strictly: bool = False) -> str | None:
        """Translate by the pattern with the most words that fits; ``strictly``, a place holds no other text."""
        for pattern in self.patterns:
            match = pattern.english.fullmatch(text) if pattern.literal in text else None
            mark = SENTENCES if not strictly else SEVERAL if pattern.words > FEW else LISTED
            if match and not any(map(mark.search, match.groups())) and not self._unknown(pattern, match):
                return self._filled(pattern, match)
        return None

    def _behind_label(self, text: str) -> str | None:
        """Translate what says by its first word what comes: that and the rest each for itself."""
        for pattern in self.labels:
            match = pattern.english.fullmatch(text)
            if match and (text[-1] == match[1][-1:] or not SENTENCES.search(match[1])):
                return self._filled(pattern, match)
        return None

    def _unknown(self, pattern: Pattern, match: re.Match[str]) -> bool:
        """Tell whether a place that is no name holds words that are not known: then the pattern is another's."""
        places = [text for name, text in match.groupdict().items() if int(name[1:]) not in pattern.names]
        return any(WORDS.search(text) and self.find(text) is None for text in places)

    def _filled(self, pattern: Pattern, match: re.Match[str]) -> str:
        said, at = "", 0
        for place in PLACE.finditer(pattern.other):
            number = int(place[2])
            value = match[f"p{number}"]
            value = value if number in pattern.names else self.say(value)
            said = _joined(_joined(said, pattern.other[at : place.start()]), f"{place[1]}{value}{place[4]}")
            at = place.end()
        return _joined(said, pattern.other[at:])

    def _by_parts(self, text: str) -> str | None:
        """Translate sentences one by one, or what stands between semicolons or commas."""
        for cut, joint in CUTS:
            parts = cut.split(text)
            found = [self.find(part) for part in parts] if len(parts) > 1 else []
            if cut is not SENTENCES and any(
                one is None and WORD.search(part) for one, part in zip(found, parts, strict=False)
            ):
                continue  # half a sentence in another language is worse than none
            if any(one is not None for one in found):
                return joint.join(part if one is None else one for part, one in zip(parts, found, strict=True))
        return None


def _joined(text: str, more: str) -> str:
    """Return two pieces as one text: a blank stands where Chinese meets Latin letters, and none within Chinese."""
    if (HAN.match(text[-1:]) and LATIN.match(more)) or (LATIN.match(text[-1:]) and HAN.match(more)):
        return f"{text} {more}"
    if HAN.match(text[-2:-1]) and text.endswith(" ") and HAN.match(more):
        return text[:-1] + more
    return text + (more[1:] if HAN.match(text[-1:]) and more.startswith(" ") and HAN.match(more[1:]) else more)


def _pattern(english: str, other: str) -> Pattern:
    names, regex, at, literals = set(), "", 0, [""]
    for place in PLACE.finditer(english):
        literal = english[at : place.start()] + place[1]
        number, after = int(place[2]), place[4]
        if place[3] == "!" or (place[1] and place[1] == after and not place[3]):
            names.add(number)
        # Between two places stands a blank alone, and what ranks may have two words: entity F1, micro F1.
        held = ".*?(?: F1)?" if english.startswith(" {", place.end()) else ".*?"
        regex += re.escape(literal) + (
            f"(?P<p{number}>{held})" if f"(?P<p{number}>" not in regex else f"(?P=p{number})"
        )
        regex += re.escape(after)
        literals.append(literal)
        at = place.end()
    literals.append(english[at:])
    whole = re.compile(regex + re.escape(english[at:]), re.DOTALL)
    label = LABEL.fullmatch(english) is not None
    return Pattern(max(literals, key=len), len("".join(literals)), whole, frozenset(names), label, other)


@cache
def catalog(language: str) -> Catalog:
    """Return the catalog of a language that is not English, all files of its folder together."""
    import tomllib  # only who speaks another language needs these
    from importlib.resources import files

    parts = sorted(files(__package__).joinpath("languages", language).iterdir(), key=lambda part: part.name)
    return Catalog(dict(pair for part in parts for pair in tomllib.loads(part.read_text(encoding="utf-8")).items()))


def translated(text: str) -> str:
    """Return a text of the package, of one line or several, in the language that is spoken now."""
    language = _language.get()
    if language == ENGLISH:
        return text
    words = catalog(language)
    return "\n".join(words.say(line) for line in text.split("\n"))


def current() -> str:
    """Return the language that is spoken now: ``en``, ``zh``."""
    return _language.get()


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """Speak a language while the block runs; raises ConfigError for one that there is no catalog of."""
    if language not in LANGUAGES:
        names = ", ".join(f"{name} ({own})" for name, own in LANGUAGES.items())
        raise ConfigError(f"Unknown language '{language}'.{nearest(language, LANGUAGES)} Choose one of: {names}.")
    token = _language.set(language)
    try:
        yield
    finally:
        _language.reset(token)
