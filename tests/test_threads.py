"""Threads of turns: which replies they hold, what is read before each, and how surprising replies are."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from commands import run_command
from recurra import ConfigError, DataError, Translator
from recurra.settings import make_config
from recurra.tasks.seq2seq.columns import Form
from recurra.tasks.seq2seq.plan import make_plan
from recurra.tasks.seq2seq.settings import PARTS
from recurra.tasks.seq2seq.source import pairs_of
from recurra.tasks.seq2seq.surprise import surprise

TALK = [["hello", "hi there", "how are you?", "fine"], ["bye", "see you"]]
TINY = {"hidden_size": 8, "max_epochs": 1, "epoch_steps": 2, "batch_size": 8}


def form(turns: int = 1) -> Form:
    return Form(turns=turns)


def test_every_turn_but_the_first_is_a_reply() -> None:
    pairs = pairs_of(TALK)
    assert pairs.sources == ("hello", "hi there", "how are you?", "bye")
    assert pairs.targets == ("hi there", "how are you?", "fine", "see you") and pairs.threads == (0, 0, 0, 1)
    assert pairs.notes == ("2 thread(s) with 4 replies, each to up to 1 turn(s) before it",)
    assert pairs_of(TALK, form(2)).sources[2] == "hi there ⏎ how are you?"
    assert pairs_of(TALK, form(9)).sources[:3] == ("hello", "hello ⏎ hi there", "hello ⏎ hi there ⏎ how are you?")


def test_what_comes_next_is_asked_of_threads_that_are_not_answered() -> None:
    pairs = pairs_of(TALK, form(), answered=False)
    assert pairs.sources == ("hello", "hi there", "how are you?", "fine", "bye", "see you")
    assert pairs.targets is not None and pairs.targets[3] == "" and pairs.known.tolist() == [0, 1, 2, 4]


@pytest.mark.parametrize(
    "rows",
    [
        [{"dialog": one} for one in TALK],
        [{"messages": [{"role": "a", "content": text} for text in one]} for one in TALK],
        [{"conversations": [{"from": "a", "value": text} for text in one]} for one in TALK],
    ],
)
def test_threads_in_json(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    (tmp_path / "talk.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    (tmp_path / "talk.json").write_text(json.dumps(rows), encoding="utf-8")
    expected = pairs_of(TALK)
    for name in ("talk.jsonl", "talk.json"):
        found = pairs_of(tmp_path / name)
        assert (found.sources, found.targets, found.threads) == (expected.sources, expected.targets, expected.threads)


def test_threads_in_a_table_with_a_turn_in_each_row(tmp_path: Path) -> None:
    rows = [(f"t{n}", text) for n, thread in enumerate(TALK) for text in thread]
    table = pd.DataFrame(rows, columns=["conversation_id", "text"])
    path = tmp_path / "talk.csv"
    table.to_csv(path, index=False)
    assert pairs_of(path).targets == pairs_of(TALK).targets == pairs_of(table).targets
    alone = pd.DataFrame({"dialogue": ["a", "b"], "text": ["long one", "long two"], "summary": ["one", "two"]})
    assert pairs_of(alone).targets == ("one", "two"), "each a text with a name, and no thread"


def test_where_there_is_an_assistant_only_it_replies() -> None:
    said = [("user", "2 and 2?"), ("assistant", "4"), ("user", "thanks"), ("assistant", "gladly"), ("user", "and 3?")]
    rows = [{"messages": [{"role": who, "content": text} for who, text in said]}]
    assert pairs_of(rows, form(2)).targets == ("4", "gladly")
    assert pairs_of(rows, form(2)).sources == ("2 and 2?", "4 ⏎ thanks")
    assert pairs_of(rows, form(), answered=False).sources[-1] == "and 3?"


def test_empty_turns_are_left_out_and_counted() -> None:
    pairs = pairs_of([["a", " ", "b"], ["c", "d", "e"], ["f", "g"]])
    assert pairs.sources == ("a", "c", "d", "f") and pairs.notes[-1] == "left out 1 empty turn(s)"
    with pytest.raises(DataError, match="No thread has a reply"):
        pairs_of([{"dialog": ["a"]}, {"dialog": ["b", ""]}])


def test_a_thread_is_in_one_part() -> None:
    pairs = pairs_of([[f"{n} {m}" for m in range(4)] for n in range(30)])
    plan = make_plan(pairs, make_config(PARTS, {}).task, 9)
    parts = [{(pairs.threads or ())[n] for n in part} for part in (plan.train, plan.valid, plan.test)]
    assert not parts[0] & parts[1] and not parts[0] & parts[2] and not parts[1] & parts[2]


@pytest.mark.parametrize("settings", [{}, {"copy": True}, {"attention": "none"}])
def test_surprise_is_the_sum_over_units(settings: dict[str, Any]) -> None:
    pairs = [(f"say {word}", f"{word} is said") for word in ("one", "two", "three", "four") for _ in range(5)]
    translator = Translator(**TINY | settings, level="word").fit(pairs)
    fitted = translator.fitted_
    data = pairs_of(pairs[:1] + pairs[7:8] + [("say three ones", "one is said is said")])
    examples: Any = translator.kind.encode(data, fitted.learned)
    nats = surprise(fitted, examples)
    assert translator.surprise([*data.sources], [*(data.targets or ())]) == pytest.approx(nats, rel=1e-6)
    network: Any = fitted.network.eval()
    for n in range(3):  # by hand: one unit after the other, each after the right ones before
        batch = examples.take(torch.tensor([n]))
        scores = network(batch).prediction[0].detach().double().numpy()
        logs = scores - np.log(np.exp(scores).sum(1, keepdims=True))
        right = (examples.wanted if settings.get("copy") else examples.said).row(n)
        assert nats[n] == pytest.approx(-sum(logs[place, unit] for place, unit in enumerate(right)), rel=1e-4)
    with pytest.raises(DataError, match="no answers"):
        surprise(fitted, translator.kind.encode(pairs_of(["say one"], answered=False), fitted.learned))


def test_a_model_that_hears_says_what_cannot_be_asked_of_it() -> None:
    draw = np.random.default_rng(0)
    sounds = [draw.normal(size=(2, 12)) for _ in range(12)]
    translator = Translator(**TINY, decoder="ctc", target_level="word").fit(sounds, ["a b"] * 6 + ["b"] * 6)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="decoder='ctc'"):
        translator.surprise(sounds[:2], ["a", "b"])


def test_the_command_line_reads_threads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, run = tmp_path / "talk.jsonl", tmp_path / "run"
    threads = [[f"hello {n}", f"hi {n}", f"bye {n}"] for n in range(40)]
    path.write_text("\n".join(json.dumps({"dialog": one}) for one in threads), encoding="utf-8")
    small = ["--hidden-size", "8", "--max-epochs", "1", "--epoch-steps", "2", "--turns", "2"]
    said = run_command(capsys, "train", path, "--task", "seq2seq", "--out", run, *small)
    assert said.code == 0 and "40 thread(s) with 80 replies, each to up to 2 turn(s) before it" in said.err
    (tmp_path / "new.jsonl").write_text(json.dumps({"dialog": ["hello 3", "hi 3"]}), encoding="utf-8")
    next_one = run_command(capsys, "predict", run, tmp_path / "new.jsonl")
    assert next_one.code == 0 and "hello 3 ⏎ hi 3" in next_one.out
    (tmp_path / "bad.jsonl").write_text(json.dumps({"dialog": ["hello", ""]}), encoding="utf-8")
    bad = run_command(capsys, "train", tmp_path / "bad.jsonl", "--task", "seq2seq", "--out", tmp_path / "x")
    assert bad.code == 2 and "No thread has a reply" in bad.err
