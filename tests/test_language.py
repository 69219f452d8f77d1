"""Texts in another language: what is said is translated, what is a name stays."""

import re
import tomllib
from importlib.resources import files
from itertools import pairwise
from textwrap import wrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commands import run_command
from recurra.attention import ATTENTIONS
from recurra.cells import CELLS
from recurra.cli.app import recurra
from recurra.errors import ConfigError
from recurra.native import library
from recurra.nn.engines import ENGINES
from recurra.settings import CompareAsked, Setting, TuneAsked, described, settings_of
from recurra.tasks import TASKS, parts_of
from recurra.verbs.doctor import examine
from recurra.writing.language import LANGUAGES, PLACE, Catalog, catalog, current, speaking, translated
from recurra.writing.width import CLOSING, OPENING, WORD, filled, width

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
        "{1!} steps of {2!} cases: {3!}": "{2} 个样本的 {1} 步：{3}",
        "week": "周",
        "{1!}: the next {2}": "{1}：未来 {2}",
        "'{1?}' is best": "'{1}' 最好",
        "after {1} of {2}": "{2}中的{1}",
        "run `{1}`": "运行 `{1}`",
        "Error: {1}": "错误：{1}",
        "better ({1} {2} against {3})": "更好（{1}：{2} 对 {3}）",
        "unit F1": "单元 F1",
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
        ("better (unit F1 50 % against 40 %)", "更好（单元 F1：50 % 对 40 %）"),
        ("better (week 50 % against 40 %)", "更好（周：50 % 对 40 %）"),
        ("run `week`", "运行 `week`"),
        ("week, 2 days", "周，2 天"),
        ("1 step of 2 cases: '1 step'", "2 个样本的 1 步：'1 step'"),  # one is said as several are
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


# ------------------------------------------------------------- help and what click says, in Chinese

VERBS, ASKED = list(recurra.commands), (CompareAsked, TuneAsked)
SETTINGS = {
    (task, name): one
    for task, parts in ((task, parts_of(task)) for task in TASKS)
    for part in (
        *parts.by_name().values(),
        *(parts.predict, parts.evaluate, parts.backtest, parts.report, parts.generate),
        CompareAsked,
        TuneAsked,
    )
    for name, one in settings_of(part).items()
}
LATIN = re.compile(r"[A-Za-z][\w.]*")
# What stays Latin in Chinese help: names of places on the command line, formats, models and what one can type.
NAMES = set(
    LATIN.findall(
        "recurra torch torch.nn torch.mm nn doctor demo DATA RUN FILE md module Kind Class runs seed x "
        "CSV Parquet JSON TOML UCR ts unique_id ds y h min D W MS en English zh AdamW LSTM GRU FCN CUDA "
        "none lstm gru scaled_dot general local multi_head hidden_size dropout cpu cuda auto forecast classify regress "
        "train infer lengths step memory B T I H network linear seasonal_naive nearest_neighbour most_frequent_class "
        "ridge nearest_neighbours target targetLabel DE BY "
        "tag window_regression most_frequent_label random_convolutions MiniRocket naive_Bayes linear_SVM n_gram_SVM F1 "
        "language n_grams unigram Kneser Ney sentencepiece "
        "seq2seq nearest_pair copy_source first_sentence sentence_in_common commonest_answer span BiDAF "
        "BLEU sacrebleu input feeding float32 bfloat16 Optuna"
    )
)


def english_in(text: str, *also: str) -> list[str]:
    """Return the words of a Chinese text that are no names; flags, quotes and defaults in brackets are."""
    names = NAMES | {word for one in also for word in LATIN.findall(one)}
    bare = re.sub(r"-{1,2}[a-z][\w-]*|'[^']*'|  \[[^\]]*\]", " ", text)
    return [word for word in LATIN.findall(bare) if word.rstrip(".") not in names]


def choices() -> list[str]:
    return [name for setting in SETTINGS.values() for name in setting.choices]


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=map("-".join, SETTINGS))
def test_every_setting_has_chinese_help_and_its_choices_stay(setting: Setting) -> None:
    line = described(setting).partition("  [")[0]
    with speaking("zh"):
        said = translated(line)
    assert re.search("[一-鿿]", said)
    assert not english_in(said, *setting.choices), said
    assert said.endswith(", ".join(setting.choices))


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("verb", ["", *VERBS])
def test_help_in_chinese_is_chinese_and_fits_the_terminal(
    verb: str, task: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    about = ["--task", task] if verb not in ("", "bench", "doctor") else []
    answer = run_command(capsys, *([verb] if verb else []), *about, "--help", "--lang", "zh")
    assert answer.code == 0 and answer.err == ""
    lines = answer.out.splitlines()
    assert not [line for line in lines if width(line) > 80]
    # An example is a command and what it does; the list of verbs begins each line with its name.
    told = [re.sub(rf"^  (recurra .*?\S  +|({'|'.join(VERBS)})  +)", "", line) for line in lines]
    told = [re.sub(r"^( *--.*?  +)|^(用法：.*)", "  ", line) for line in told]
    text = re.sub(r"\n +\[", "  [", "\n".join(told))
    assert not english_in(text, *choices()), text
    assert lines[0].startswith("用法：recurra") and not english_in(lines[0], *VERBS)
    assert "选项：" in lines and "显示本帮助并退出。" in text


@pytest.mark.parametrize("asked", [[], ["--lang", "en"], ["--lang=zh"]], ids=" ".join)
def test_who_asks_for_nothing_gets_the_help_in_their_language(
    asked: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    answer = run_command(capsys, *asked)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == run_command(capsys, *asked, "--help").out


@pytest.mark.parametrize(
    "arguments",
    [
        ["train"],
        ["predict"],
        ["predict", "a", "b", "c"],
        ["predict", "a", "b", "c", "d"],
        ["doctor", "x"],
        ["train", "--out"],
        ["train", "--json=3"],
        ["train", "--horizn", "3"],
        ["train", "--ho", "3"],
        ["predict", "--bogus"],
        ["doctor", "--nope"],
        ["train", "--filters", "3"],
        ["evaluate", "r", "--test-size", "0"],
        ["evaluate", "r", "--test-size", "x"],
        ["demo", "--seeds", "0"],
        ["bench", "--threads", "1.5"],
    ],
    ids=" ".join,
)
def test_what_click_says_of_a_wrong_line_is_chinese(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    answer = run_command(capsys, *arguments, "--lang=zh")
    assert (answer.code, answer.out) == (2, "")
    last = answer.err.splitlines()[-1]
    assert last.startswith("错误：")
    assert not english_in(last, *arguments), last


def test_what_the_doctor_finds_is_told_in_chinese(monkeypatch: pytest.MonkeyPatch) -> None:
    sets = "avx512 avx2 plain bfloat16"
    named = [*CELLS, *ATTENTIONS, *ENGINES, "Linux macOS Windows", sets, "pip install recurra sparse"]
    found = list(examine().items())
    monkeypatch.setattr(library, "absent", lambda: "The native engine was not built: run pip install again.")
    monkeypatch.setattr("recurra.verbs.doctor.PACKAGES", ("entmax_is_not_here", "entmax"))
    found += [*examine().items(), ("instruction sets", "avx512, avx2 (in use), plain")]
    found += [("engine torch", "DIFFERS from the reference by 0.001; runs gru, lstm")]
    with speaking("zh"):
        for name, value in found:
            if name not in ("engine native", "engine sparse"):  # of which the engine speaks
                assert value[:1].isdigit() or not english_in(translated(value), *named), value
        assert translated("avx512 (in use), avx2") == "avx512（使用中）, avx2"
        assert all(english_in(translated(name)) == [name] for name in ("python", "numpy"))


PIECES = st.sampled_from(
    ["训", "练，", "（元", "）。", "“是”", "gru", "lstm，", "hidden_size", "(a)", " ", " ", "--out "]
)


@given(st.lists(PIECES).map("".join), st.integers(10, 30))
def test_chinese_lines_are_broken_where_one_may(text: str, room: int) -> None:
    lines = filled(text, room)
    assert "".join("".join(lines).split()) == "".join(text.split())
    for line in lines:
        assert width(line) <= room or len(WORD.findall(line.strip())) <= 2  # the word and what is empty behind it
        assert not line or line[-1] not in OPENING
    for before, after in pairwise(lines):
        assert after[0] not in CLOSING or f"{before[-1]} " in text


@given(st.lists(st.text("abc,.", min_size=1, max_size=8)), st.integers(10, 30))
def test_english_lines_are_broken_as_ever(words: list[str], room: int) -> None:
    text = " ".join(words)
    assert filled(text, room) == (wrap(text, room, break_long_words=False) or [""])
