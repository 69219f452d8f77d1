"""What is said at run time is said in Chinese: every text of the source, the command line, and the pages of reports."""

import ast
import html
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from commands import Answer, Run, run_command
from recurra.writing.language import catalog
from texts import Module, Package, called

FAULTS = {
    "ConfigError",
    "DataError",
    "RunError",
    "KindError",
    "RowError",
    "ArgumentError",
    "UsageError",
    "NotFittedError",
}
SAYING = {"message", "say", "print", "print_notes", "tell", "end"}
LISTS = re.compile(r"notes|said|faults|changed")
PROSE = re.compile(r"[a-z]{2,} [a-z{(\'\"]")
CODE = re.compile(
    r"'[^']*'|`[^`]*`|\w+=\S*|[\w.]*[._(\[@]\S*|--\S+|pip install|apt install|recurra \w+|@\w+ \w+|for name in"
)
ENGLISH = re.compile(r"[A-Za-z]{2,} +[A-Za-z]{2,}")
# Parts that never stand alone, and texts of parts that belong together in one way only: whole, they are in WHOLE.
PARTS = re.compile(
    r" \(the other way|, though both ways|has the shape|is a single number|its number$|the rows$|no label$"
    r"|its label in|the value 7|, which is too large|an infinite value|; leave it empty"
    r"|runs no cell here: $|took 7 s and|has x in|Series 'x' has .* in x, |Column 'x' has .* at x, "
    r"|x The task|A Stepper needs the native engine\. x|The median unitx|Only the columns x|holds a x that"
    r"|each row is a text in 'x', with x|The x in x|is a x\. Go on|has done 7 x|\n\nx ±|there is nothing x\."
    r"|x network and x x, by"
)
WHOLE = [
    *(
        f"The answer is 25 % network and 75 % {other}, by their errors in {judges}."
        for other in ("last value", "last season", "last season moved on", "linear model (the values as they are)")
        for judges in ("one validation forecast", "1,200 validation forecasts")
    ),
    "X was read as (cases, frames, height, width): moving pictures of 3 to 5 frame(s), 8 x 8 pixels, 1 colour(s)",
    "X was read as (cases, frames, height, width, colours): moving pictures of 5 frame(s), 8 x 8 pixels, 3 colour(s)",
    "each folder in 'x' is a class, each file in it a case",
    "left out 2 file(s) that are no npy files, such as 'a/notes.txt'",
    "dates in 'x' were read with the day first (the other way they would not be regular)",
    "dates in 'x' were read with the month first, though both ways are possible; write them as 2024-01-31 to be sure",
    "X has the shape (2, 3, 4, 5); give an array (cases, time) or (cases, channels, time), a list of sequences "
    "(time,) or (channels, time), or moving pictures (cases, frames, height, width).",
    "Case '3' is a single number; give an array (cases, time) or (cases, channels, time), a list of sequences "
    "(time,) or (channels, time), or moving pictures (cases, frames, height, width).",
    "each row is a case, named by its number, with no label; its 24 step(s) are the columns of numbers from 'a' to 'b'",
    "each row is a step of the case in 'x', in the order of the rows, with its label in 'y'; 2 channel(s): 'a', 'b'",
    "Column 'x' has the value 1e+200 in line 7 of 'x.csv', which is too large to compute with; use a larger unit.",
    "Column 'x' has an infinite value in row 7; leave it empty if it is not known.",
    "Case 'x' has the value 1e+200 in step 7, which is too large to compute with; use a larger unit.",
    "Case 'x' has an infinite value in step 7; leave it empty if it is not known.",
    "runs no cell here: the native engine has no kernel for MyCell",
    "Training took 7 s and was ended by patience after 7 epochs; the weights are those of epoch 7.",
    "Series 'x' has the value 7 at 2024-01-31, below lower=7. Correct the value, or leave that bound out.",
    "Column 'x' has the value 7 in line 7 of 'x.csv', above upper=7. Correct the value, or leave that bound out.",
    "The table has no column of numbers to forecast; name one with target=. The columns are 'a' (dates), 'b' "
    "(text such as "
    "'c'). The task 'classify' can read these data: use Classifier.",
    "A Stepper needs the native engine. The native engine in 'x.so' cannot be loaded (x): run pip install again.",
    "The median unit of layer 7 · forwards has lost half of its memory after 7 steps; a tenth of the units lose "
    "it within "
    "1 step, a tenth keep it longer than 7 steps.",
    "The median unit keeps all of its memory.",
    "Only the columns 'a', 'b' and 'c' together tell the series apart; name all of them with id='a+b+c'.",
    "The folder runs/x holds a training that was not finished. Go on with: recurra train --resume runs/x, or "
    "replace it "
    "with overwrite=True.",
    "The comparison in runs/x was not finished. Go on with: recurra compare --resume runs/x",
    "What was interrupted in runs/x is a comparison. Go on with: recurra compare --resume runs/x",
    "This training has done 7 epochs already, but max_epochs=5. Give max_epochs=7 to end it where it is, more "
    "to go on, or "
    "leave max_epochs= out.",
    "not used: 'a' (numbers most of which are dates), 'b' (it is called like a time but holds neither dates nor whole "
    "steps), 'c' (the hour of each row) and 3 more",
    "read with ';' as separator, decimal comma, Latin-1",
    "26 cases to train on, 6 to decide when to stop and train at the end, 8 held out to judge",
    "The run cannot be written to runs/x: No space left on device.",
    *[
        "These cases have no labels, or not each of them has one; without them there is nothing "
        f"{what}. Give each case its label."
        for what in ("to train on", "to learn from", "to judge by")
    ],
]


def chinese(text: str) -> str:
    return "\n".join(map(catalog("zh").say, text.split("\n")))


def english(text: str) -> list[str]:
    """Return the English that is left in a text, without names and code."""
    return ENGLISH.findall(CODE.sub(" # ", text))


def sources(module: Module) -> Iterator[ast.expr]:
    """Yield what a module may say: the faults it raises, what it prints, notes and what helpers return."""
    for node in ast.walk(module.tree):
        match node:
            case ast.Call() if called(node) in FAULTS:
                yield from node.args[:1]
            case ast.Call() if called(node) in SAYING:
                yield from [*node.args, *(one.value for one in node.keywords)]
            case ast.Call(func=ast.Attribute(value=place, attr="append" | "insert")) if LISTS.search(
                ast.unparse(place)
            ):
                yield node.args[-1]
            case ast.Return(
                value=ast.JoinedStr() | ast.Constant() | ast.IfExp() | ast.BinOp() | ast.Subscript() as value
            ):
                yield value
            case ast.List(elts=values) if any(isinstance(home, ast.FunctionDef) for home in module.homes(node)):
                yield from (one for one in values if isinstance(one, ast.JoinedStr | ast.Constant | ast.BinOp))


def spoken() -> list[tuple[str, str]]:
    """Return every text with its file, whole as far as it can be followed."""
    package = Package(frozenset(["bench"]))
    found = [
        (text, module.name)
        for module in package.modules
        if module.name != "cli/bench.py"
        for node in sources(module)
        for text in package.said(module, node)
        if PROSE.search(text)
    ]
    return [(name, text) for text, name in dict(found).items()]


def test_every_text_of_the_source_is_known() -> None:
    texts = spoken()
    assert len(texts) > 600  # it finds them
    left = {text: (name, chinese(text)) for name, text in texts if english(chinese(text)) and not PARTS.search(text)}
    assert not left


@pytest.mark.parametrize("text", WHOLE)
def test_texts_of_parts_are_known(text: str) -> None:
    assert not english(chinese(text)), chinese(text)
    assert not english(chinese(f"Error: {text}")), chinese(f"Error: {text}")


def test_an_unknown_text_is_found() -> None:
    assert english(chinese("Column 'x' is somewhat too blue; paint it over."))


def test_arguments_keep_a_blank_before_chinese() -> None:
    """The command line makes flags of them, which end where a letter does not follow."""
    words = catalog("zh")
    for other in [*words.texts.values(), *(pattern.other for pattern in words.patterns)]:
        assert not re.search(r"[一-鿿]\w+=|\b[a-z_]+=[^\s。；，）]*[一-鿿]", other), other


# ---------------------------------------------------------------------------------------------- the command line

SMALL = ["--hidden-size", 8, "--max-epochs", 2, "--epoch-steps", 3, "--batch-size", 16]
NAMES = set(
    re.findall(
        r"\S+",
        """
    recurra train predict evaluate backtest compare tune report doctor demo bench run runs html native torch
    rnn rnn_relu lstm gru coupled peephole ln_lstm ln_gru minlstm mingru associative lstm_gru lstm_gru_full parallel
    reservoir general MASE MAE
    RMSE sMAPE ETS Theta ln DATA NEW_DATA OPTIONS csv date sales cell dot none scaled_dot nearest_neighbour
    seasonal_naive CSV Parquet min MS ME QS YS SUN SMS
    THU MON SAT TOML unique_id ds yhat lo hi slow fast case label normalise last mean shop FILE RUN LSTM GRU both
    heads forecast classify regress price ridge random_convolutions language generate unigram grams _grams
    seq2seq BLEU chrF CER WER copy_source nearest_pair nrefs case mixed eff no tok smooth exp version
        """,
    )
)
DAYS = pd.date_range("2024-01-01", periods=150)
RANDOM = np.random.default_rng(0)
SALES = (50 + 10 * np.sin(2 * np.pi * np.arange(150) / 7) + RANDOM.normal(size=150)).round(3)
CURVES = [np.sin(np.arange(24) * (0.2 + 0.4 * (i % 2)) + RANDOM.normal()).round(3) for i in range(40)]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command in Chinese in a folder with tables to forecast and to classify."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    pd.DataFrame({"date": DAYS, "sales": SALES, "shop": ["north", "south"] * 75}).to_csv("sales.csv", index=False)
    pd.DataFrame({"date": DAYS, "one": SALES, "two": SALES + 3}).to_csv("many.csv", index=False)
    cases = pd.DataFrame(CURVES, columns=[f"t{n}" for n in range(24)])
    cases.assign(label=["slow", "fast"] * 20).to_csv("cases.csv", index=False)
    cases.assign(price=np.arange(40) / 7).to_csv("numbers.csv", index=False)
    steps = pd.DataFrame(
        {"id": np.repeat(np.arange(40), 24), "step": np.tile(np.arange(24), 40), "value": np.ravel(CURVES)}
    )
    steps.assign(label=np.where(np.ravel(CURVES) > 0, "high", "low")).to_csv("steps.csv", index=False)
    reviews = [f"房间{'很好' if n % 2 else '太差'}。早餐{'一般' if n % 3 else '不错'}。" for n in range(40)]
    texts = pd.DataFrame({"text": reviews, "label": ["slow", "fast"] * 20})
    texts.to_csv("texts.csv", index=False)
    couplets = [f"{one}{other}" for one in "天地日月春秋" for other in "高远明清暖凉"]
    couplets = pd.DataFrame({"上联": couplets, "下联": [text[::-1] for text in couplets]})
    couplets.sample(400, replace=True, random_state=0).to_csv("couplets.csv", index=False)
    Path("book.txt").write_text("天地玄黄，宇宙洪荒。\n日月盈昃，辰宿列张。\n" * 40, encoding="utf-8")
    texts.assign(label=["|".join(["slow"] * (n % 2) + ["fast"] * (n % 3 == 0)) for n in range(40)]).to_csv(
        "several.csv", index=False
    )
    return lambda *arguments: run_command(capsys, *arguments, "--lang", "zh")


def words_left(answer: Answer) -> set[str]:
    """Return the English words of an answer that are no names, flags, paths or quoted."""
    text = re.sub(r"'[^']*'|--[\w-]+(=\S+)?|\S+\.(csv|html|toml)|Usage:", " ", answer.out + answer.err)
    return {word for word in re.findall(r"[A-Za-z_]{2,}", text) if word not in NAMES}


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "missing.csv", "--horizon", 7],
        ["train", "sales.csv"],
        ["train"],
        ["train", "sales.csv", "--horizon", 0],
        ["train", "sales.csv", "--horizon", "x"],
        ["train", "sales.csv", "--horizon", 7, "--cell", "lstmm"],
        ["train", "sales.csv", "--horizon", 7, "--hiden-size", 3],
        ["train", "sales.csv", "--horizon", 7, "--target", "shop"],
        ["train", "sales.csv", "--horizon", 7, "--target", "saels"],
        ["train", "sales.csv", "--horizon", 200],
        ["train", "sales.csv", "--horizon", 7, "--frequency", "xx"],
        ["train", "sales.csv", "--horizon", 7, "--dropout", 3, "--normalise", "foo"],
        ["train", "sales.csv", "--horizon", 7, "--lower", 60],
        ["train", "sales.csv", "--horizon", 7, "--heads", 2, "--attention", "none"],
        ["train", "sales.csv", "--task", "classify"],
        ["train", "sales.csv", "--config", "none.toml", "--horizon", 7],
        ["train", "cases.csv", "--task", "classify", "--id", "label"],
        ["train", "numbers.csv", "--task", "classify", "--target", "price"],
        ["train", "numbers.csv", "--task", "regress"],
        ["train", "numbers.csv", "--task", "regress", "--target", "prise"],
        ["train", "cases.csv", "--task", "regress", "--target", "label"],
        ["train", "cases.csv", "--task", "tag"],
        ["train", "steps.csv", "--task", "tag", "--target", "id"],
        ["train", "couplets.csv", "--task", "seq2seq", "--target-column", "上"],
        ["train", "couplets.csv", "--task", "seq2seq", "--longest", 1],
        ["train", "couplets.csv", "--task", "seq2seq", "--cell", "reservoir"],
        ["train", "book.txt", "--task", "seq2seq"],
        ["predict", "runs"],
        ["predict", "run"],
        ["trian"],
        ["evaluate", "run", "one.csv", "two.csv"],
        ["compare", "sales.csv", "--horizon", 7, "--cells", ""],
    ],
    ids=lambda arguments: " ".join(map(str, arguments)),
)
def test_mistakes_are_explained_in_chinese(run: Run, arguments: list[object]) -> None:
    answer = run(*arguments)
    assert answer.code == 2 and "错误：" in answer.err
    assert not words_left(answer), answer.err


def page_left(path: str) -> set[str]:
    """Return the English of a page that is no code, name of a setting, heading of a column or value of a table."""
    page = Path(path).read_text(encoding="utf-8")
    figures = [
        re.sub(r"\\u003c.*?\\u003e|<.*?>", " ", text)
        for text in re.findall(r"(?s)<script[^>]*json[^>]*>(.*?)</script>", page)
    ]
    texts = [text for figure in figures for text in re.findall(r'"((?:[^"\\]|\\.)*)"', figure) if " " in text]
    bare = re.sub(r"(?s)<(script|style|code|dt|dd|svg)\b.*?</\1>", "\n", page)
    texts += [html.unescape(text) for text in re.split(r"<[^>]+>", bare)]
    return {text.strip() for text in texts if english(text) and not re.fullmatch(r"[\w%]+( \+ \w+)?", text.strip())}


@pytest.mark.parametrize(
    ("task", "data", "more"),
    [
        ("forecast", "sales.csv", ["--horizon", 7]),
        ("classify", "cases.csv", ["--rows", 2, "--self-attention", "dot"]),
        ("classify", "texts.csv", ["--hierarchy"]),
        ("classify", "several.csv", ["--several"]),
        ("regress", "numbers.csv", ["--target", "price"]),
        ("tag", "steps.csv", []),
        ("language", "book.txt", []),
        ("seq2seq", "couplets.csv", ["--no-bidirectional"]),
    ],
)
def test_a_task_speaks_chinese_from_data_to_answers(run: Run, task: str, data: str, more: list[object]) -> None:
    asked = [data, "--task", task, *more, *SMALL]
    answers = [
        run("train", *asked, "--out", "run"),
        run("compare", *asked, "--cells", "lstm,lstm_gru", "--attentions", "none,dot", "--seeds", 2, "--out", "both"),
        run("evaluate", "run"),
        run("predict", "run", *([] if task == "forecast" else [data]), "--out", "answers.csv"),
        run("report", "both"),
    ]
    assert [answer.code for answer in answers] == [0] * len(answers)
    assert not set().union(*map(words_left, answers))
    assert not page_left("run/report.html") and not page_left("both/report.html")


WORDS = {"learning_", "learning_rate", "LOW", "HIGH"}  # of settings and their ranges


def test_a_search_speaks_chinese(run: Run) -> None:
    asked = ["sales.csv", "--horizon", 7, *SMALL, "--search", "dropout,learning_rate=0.00001..0.01,cell=gru,lstm"]
    answers = [run("tune", *asked, "--trials", 12, "--out", "found"), run("tune", *asked, "--out", "found")]
    answers += [run("tune", "sales.csv", "--horizon", 7, "--search", "dropout=2..1,seed=1,2,cell=1..2,lookback")]
    assert [answer.code for answer in answers] == [0, 2, 2]
    left = set().union(*map(words_left, answers))
    assert not left - {"found", "dropout", "seed", "cell", "lookback", "rate", *WORDS}
    assert not page_left("found/report.html")


def test_the_doctor_speaks_chinese(run: Run) -> None:
    answer = run("doctor")
    assert not english(answer.out.replace("Linux", "")) and "指令集  " in answer.out and "一致；可运行" in answer.out


def test_a_page_of_many_series_is_chinese(run: Run) -> None:
    answer = run("train", "many.csv", "--horizon", 7, *SMALL, "--out", "run")
    assert answer.code == 0 and not words_left(answer) - {"one", "two"}
    assert not page_left("run/report.html")
    assert "<th>时间</th>" in Path("run/report.html").read_text(encoding="utf-8")
