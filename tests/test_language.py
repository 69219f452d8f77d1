"""Texts in another language: what is said is translated, what is a name stays."""

import re
import tomllib
from importlib.resources import files

import pytest

from recurra.errors import ConfigError
from recurra.writing.language import LANGUAGES, PLACE, Catalog, catalog, current, speaking, translated

OTHERS = [language for language in LANGUAGES if language != "en"]


def pairs(language: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in files("recurra.writing").joinpath("languages", language).iterdir():
        more = tomllib.loads(part.read_text(encoding="utf-8"))
        assert not found.keys() & more.keys(), f"said twice: {found.keys() & more.keys()}"
        found |= more
    return found


def test_english_stays_as_it_is() -> None:
    assert current() == "en" and translated("The numbers") == "The numbers"
    with speaking("zh"):
        assert current() == "zh" and translated("The numbers") != "The numbers"
    assert current() == "en"


def test_a_language_that_is_not_spoken_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"'zhh'. Did you mean 'zh'\? Choose one of: en \(English\), zh \(中文\)"):
        speaking("zhh").__enter__()


SMALL = Catalog(
    {
        "There is no column '{1}'.": "没有列 '{1}'。",
        "Did you mean '{1}'?": "是否指 '{1}'？",
        "{1} days": "{1} 天",
        "week": "周",
        "{1!}: the next {2}": "{1}：未来 {2}",
        "'{1?}' is best": "'{1}' 最好",
        "after {1} of {2}": "{2}中的{1}",
        "run `{1}`": "运行 `{1}`",
        "Error: {1}": "错误：{1}",
        "no {1!} (or one of: {2!})": "没有 {1}（或：{2}）",
        "{1} is {2}; nothing beside {1}": "{1} 为 {2}；{1} 旁边没有其他",
    }
)


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("week", "周"),
        ("There is no column 'week'.", "没有列 'week'。"),  # a name of the user's
        ("There is no column 'week'. Did you mean 'weeks'?", "没有列 'week'。是否指 'weeks'？"),
        ("week: the next 7 days", "week：未来 7 天"),
        ("'week' is best", "'周' 最好"),
        ("after 3 days of 7 days", "7 天中的 3 天"),
        ("run `week`", "运行 `week`"),
        ("week, 2 days", "周，2 天"),
        ("a is b; nothing beside a", "a 为 b；a 旁边没有其他"),
        ("a is b; nothing beside c", "a is b; nothing beside c"),
        ("the next 7 days", "the next 7 days"),  # a place holds no words that are not known
        ("Error: no x (or one of: aa, bb)", "错误：没有 x（或：aa, bb）"),
        ("Error: There is no column 'a'. Did you mean 'b'?", "错误：没有列 'a'。是否指 'b'？"),
        ("something else", "something else"),
        ("12.5 %", "12.5 %"),
        ("", ""),
    ],
)
def test_patterns(text: str, other: str) -> None:
    assert SMALL.say(text) == other


def test_a_blank_stands_where_chinese_meets_latin() -> None:
    words = Catalog({"of {1} and {2}": "{1}与{2}的 {1}", "share": "份额", "made of {1!}": "由{1}组成"})
    assert words.say("of share and GRU") == "份额与 GRU 的份额"
    assert words.say("made of 7 %") == "由 7 % 组成" and words.say("made of '天7'") == "由 '天7' 组成"


@pytest.mark.parametrize("language", OTHERS)
def test_a_catalog_loses_no_place_and_invents_none(language: str) -> None:
    for english, other in pairs(language).items():
        places = {found[2] for found in PLACE.finditer(english)}
        assert {found[2] for found in PLACE.finditer(other)} == places, english


@pytest.mark.parametrize("language", OTHERS)
def test_every_pattern_finds_its_own_text(language: str) -> None:
    """A text made of a pattern is translated by that pattern, whatever more general ones there are."""
    words = catalog(language)
    for english, other in pairs(language).items():
        filled = PLACE.sub(lambda found: f"{found[1]}x{found[2]}{found[4]}", english)
        wanted = PLACE.sub(lambda found: f"{found[1]}x{found[2]}{found[4]}", other)
        assert words.say(filled).replace(" ", "") == wanted.replace(" ", ""), english


def test_chinese_has_chinese_marks() -> None:
    for english, other in pairs("zh").items():
        if re.search(r"[一-鿿]", other):
            assert not re.search(r"[一-鿿][,;?]|[一-鿿]\.( |$)", other), english
