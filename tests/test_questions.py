"""Questions about passages: where answers stand, what points at them, what is never seen, and how all of it is read."""

import json
import math
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from commands import run_command
from recurra import ConfigError, DataError, Translator
from recurra.nn.flow import Flow
from recurra.settings import make_config
from recurra.tasks.seq2seq.answers import ask_network
from recurra.tasks.seq2seq.baselines import Commonest, InCommon
from recurra.tasks.seq2seq.copying import Strangers, ranked
from recurra.tasks.seq2seq.examples import PairExamples
from recurra.tasks.seq2seq.kind import KIND
from recurra.tasks.seq2seq.overlap import overlap_statistics
from recurra.tasks.seq2seq.pairs import Pairs, fingerprint
from recurra.tasks.seq2seq.plan import make_plan
from recurra.tasks.seq2seq.pointing import PointingNet, PointingTask, place_logs
from recurra.tasks.seq2seq.settings import PARTS
from recurra.tasks.seq2seq.source import pairs_of
from recurra.tasks.seq2seq.spans import best_spans, closed_answers, spans_of

NAMES = ("Ann", "Bob", "Carl", "Dora", "Emil", "Fay", "Gus", "Hope")
PLACES = ("hall", "attic", "garden", "office")
TINY = {"hidden_size": 8, "max_epochs": 1, "epoch_steps": 2, "batch_size": 8}


def asked(count: int, names: Sequence[str] = NAMES, seed: int = 0) -> tuple[list[tuple[str, str]], list[str]]:
    """Questions where somebody is, or whether, each with its passage; and the answers."""
    draw = np.random.default_rng(seed)
    questions, answers = [], []
    for n in range(count):
        who = draw.choice(list(names), 2, replace=False)
        where = draw.choice(PLACES, 2, replace=False)
        passage = f"{who[0]} is in the {where[0]}. {who[1]} is in the {where[1]}."
        one, place = int(draw.integers(2)), int(draw.integers(2))
        if n % 2:
            questions.append((f"Is {who[one]} in the {where[place]}?", passage))
            answers.append("yes" if one == place else "no")
        else:
            questions.append((f"Where is {who[one]}?", passage))
            answers.append(str(where[one]))
    return questions, answers


def made(count: int = 40, **settings: Any) -> tuple[PointingNet, PairExamples, Any]:
    """A network whose weights are random, some examples, and what was learned."""
    prepared = KIND.prepare(pairs_of(asked(count)), make_config(PARTS, TINY | {"decoder": "span"} | settings))
    network, _ = KIND.make(prepared.config, prepared.learned)
    assert isinstance(network, PointingNet)
    draw = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.5 * torch.randn(parameter.shape, generator=draw))
    examples: Any = prepared.train
    return network.eval(), examples, prepared.learned


# ------------------------------------------------------------------------------------------------ where answers stand


def test_answers_are_found_wherever_they_stand() -> None:
    passage = ["▁Ann", "▁saw", "▁the", "▁hall", ",", "▁the", "▁old", "▁Hall", ",", "▁the", "▁hall", "way"]
    assert spans_of(passage, ["▁hall"]) == [(3, 3), (7, 7), (10, 10)]
    assert spans_of(passage, ["▁the", "▁hall"]) == [(2, 3), (9, 10)]
    assert spans_of(passage, ["way"]) == [(11, 11)] and spans_of(passage, ["▁way", "x"]) == []
    assert spans_of(passage, []) == [] and len(spans_of(["a"] * 99, ["a"])) == 16


def test_closed_answers_are_those_no_passage_has() -> None:
    answers = ["yes", "hall", "no", "yes ", "no", "attic", "maybe"]
    assert closed_answers(answers, [False, True, False, False, False, True, False]) == ("no", "yes")


def test_the_best_places_are_those_of_all_pairs() -> None:
    draw = np.random.default_rng(0)
    for longest in (1, 2, 9):
        begins, ends = np.log(draw.dirichlet(np.ones(7))), np.log(draw.dirichlet(np.ones(5)))  # two closed answers
        begins[4], ends[1] = -np.inf, -np.inf
        every = [(begins[n], n, n) for n in range(2)]
        for first, last in product(range(5), range(5)):
            if first <= last < first + longest:
                every.append((begins[2 + first] + ends[last], 2 + first, 2 + last))
        every = sorted((one for one in every if one[0] > -np.inf), key=lambda one: -one[0])
        found = list(best_spans(begins, ends, longest, 2))
        assert [one[1:] for one in found] == [one[1:] for one in every]
        assert [one[0] for one in found] == pytest.approx([one[0] for one in every])


# --------------------------------------------------------------------------------------------------- the network


def test_flow_is_the_one_of_its_paper() -> None:
    torch.manual_seed(0)
    flow, states = Flow(3).double(), torch.randn(1, 6, 3, dtype=torch.float64)
    question = torch.tensor([[True, True, False, False, False, False]])
    passage = torch.tensor([[False, False, False, True, True, True]])
    found = flow(states, question, passage)
    h = states[0].numpy()
    w = torch.cat([flow.own.weight[0], flow.other.weight[0], flow.both]).detach().numpy()
    scores = np.array([[w @ np.concatenate([a, b, a * b]) for b in h] for a in h]) + flow.own.bias.item()
    looks = np.exp(scores[:, :2]) / np.exp(scores[:, :2]).sum(1, keepdims=True)
    most = np.exp(scores[3:, :2].max(1))
    about = most @ h[3:] / most.sum()
    for t in range(6):
        seen = looks[t] @ h[:2]
        right = np.concatenate([h[t], seen, h[t] * seen, h[t] * about])
        assert found.states[0, t].detach().numpy() == pytest.approx(right)
        assert found.weights[0, t].detach().numpy() == pytest.approx([*looks[t], 0, 0, 0, 0])


@pytest.mark.parametrize("settings", [{}, {"flow": True}, {"attention": "general"}, {"cell": "lstm", "heads": 2}])
def test_shares_are_probabilities_of_what_can_be_pointed_at(settings: dict[str, Any]) -> None:
    if "heads" in settings:
        settings = settings | {"attention": "multi_head"}
    network, examples, learned = made(**settings)
    assert learned.closed == ("no", "yes")
    batch = examples.take(torch.arange(5))
    with torch.no_grad():
        logs = network(batch).prediction
    shares = logs.exp().sum(-1)
    assert shares.flatten().tolist() == pytest.approx([1.0] * 10, abs=1e-4)
    for n in range(5):
        units = examples.labels(n, learned)
        begin = units.index("⏎") + 1
        can = [True] * 2 + [False] * begin + [True] * (len(units) - begin - 1) + [False]
        assert (logs[n, 0, : len(can)] > -math.inf).tolist() == can
        assert (logs[n, 1, : len(can)] > -math.inf).tolist() == [False, False, *can[2:]]


def test_the_loss_is_the_surprise_of_all_places_together() -> None:
    network, examples, learned = made()
    task, batch = PointingTask(0.0), examples.take(torch.arange(6))
    output = task.ask(network, batch)
    logs = network(batch).prediction.detach().double()
    expected = 0.0
    assert examples.spans is not None
    for n in range(6):
        places = examples.spans.row(n).tolist()
        shares = [logs[n, 0, b].exp() * (1.0 if b < len(learned.closed) else logs[n, 1, e].exp()) for b, e in places]
        expected -= math.log(sum(float(share) for share in shares))
    assert output.prediction.item() == pytest.approx(expected, rel=1e-5)
    loss = task.loss(output, batch)
    assert loss.sum.item() == output.prediction.item() and int(loss.count) == 6
    output.prediction.backward()
    assert all(one.grad is None or one.grad.isfinite().all() for one in network.parameters())


def test_padding_and_neighbours_change_nothing() -> None:
    network, examples, _ = made(flow=True)
    long = int(np.argmax(examples.read.lengths))
    places = torch.tensor([0, long])
    with torch.no_grad():
        alone, both = (network(examples.take(some)).prediction for some in (places[:1], places))
    width = alone.shape[-1]
    assert torch.allclose(alone[0].exp(), both[0, :, :width].exp(), atol=1e-5)
    assert place_logs(both, examples.take(places)).isfinite().any(1).all()


def test_the_engines_agree() -> None:
    network, examples, _ = made(attention="additive")
    batch = examples.take(torch.arange(6))
    fast = network(batch).prediction
    network.recurrent.engine = "reference"
    slow = network(batch).prediction
    assert torch.allclose(fast.exp(), slow.exp(), atol=1e-5)


def test_units_that_are_not_known_are_told_apart() -> None:
    numbers = torch.tensor([[-1, 9, 4, 9, -1, 7], [3, 3, 3, 5, 5, 5]])
    assert ranked(numbers).tolist() == [[0, 3, 1, 3, 0, 2], [0, 0, 0, 1, 1, 1]]
    strangers = Strangers(4).eval()
    found = strangers(torch.tensor([[2, 9, 8, 9, 3]]), 8)[0]
    assert not found[0].any() and not found[4].any()
    assert torch.equal(found[1], found[3]) and not torch.equal(found[1], found[2])
    strangers.train()
    assert len({strangers(torch.tensor([[2, 9, 8]]), 8)[0, 1, 0].item() for _ in range(9)}) > 1, "drawn anew"


def test_places_and_people_never_seen_are_pointed_at(tmp_path: Path) -> None:
    settings = {"hidden_size": 32, "max_epochs": 25, "batch_size": 16, "learning_rate": 5e-3, "forget": 0.3}
    settings["patience"] = 25  # it begins to learn late, on some processors after the usual patience
    translator = Translator(**settings).fit(*asked(1200))  # type: ignore[arg-type]
    assert translator.fitted_.config.task.decoder == "span"
    questions, answers = asked(100, ("Zoe", "Max", "Ugo", "Kim"), seed=7)
    assert translator.score(questions, answers) > 0.95
    place = answers.index("hall")
    looked = translator.align(questions[place])
    assert list(looked.index) == ["begins", "ends"] and looked.columns[looked.iloc[0].argmax()] == "▁hall"
    best = translator.n_best(questions[:2], 3)
    assert all(len(some) == 3 and some[0][1] > some[1][1] for some in best)
    translator.save(tmp_path / "run")
    again = Translator.load(tmp_path / "run")
    assert again.predict(questions[:9]) == translator.predict(questions[:9])
    alone = again.predict(questions[:3], together=[translator])
    assert alone == translator.predict(questions[:3])


# ------------------------------------------------------------------------------------------------------ reading


def test_tables_with_passages_are_known_by_their_names(tmp_path: Path) -> None:
    (questions, answers), path = asked(6), tmp_path / "asked.csv"
    pd.DataFrame(
        {"context": [one for _, one in questions], "question": [one for one, _ in questions], "answer": answers}
    ).to_csv(path, index=False)
    pairs = pairs_of(path)
    assert pairs.passages == tuple(one for _, one in questions) and pairs.targets == tuple(answers)
    assert pairs.notes == ("'question' is read with 'context', 'answer' is written",)
    same = pairs_of((questions, answers))
    assert fingerprint(same) == fingerprint(pairs) and same.keys == pairs.keys
    other = pairs_of(([(one, f"{about} ") for one, about in questions], answers))
    assert fingerprint(other) != fingerprint(pairs)


def test_the_same_question_may_be_asked_about_many_passages() -> None:
    rows = {"passage": [f"Ann is in hall {n}." for n in range(60)], "question": ["Is it far?"] * 60}
    pairs = pairs_of(pd.DataFrame(rows | {"answer": ["yes", "no"] * 30}))
    assert len(pairs) == 60 and not any("careful" in note for note in pairs.notes)


def test_files_as_squad_has_them_are_read(tmp_path: Path) -> None:
    asked_of = [
        {"question": "Where is Ann?", "answers": [{"text": "hall", "answer_start": 14}, {"text": "the hall"}]},
        {"question": "Who is it?", "answers": []},
    ]
    content = {"data": [{"paragraphs": [{"context": "Ann is in the hall.", "qas": asked_of}]}]}
    path = tmp_path / "squad.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    pairs = pairs_of(path)
    assert (pairs.sources, pairs.targets, pairs.passages) == (("Where is Ann?",), ("hall",), ("Ann is in the hall.",))
    assert "left out 1 row(s) of which one side is empty: 2" in pairs.notes[-1]
    lines = tmp_path / "hub.jsonl"
    row = {"context": "Ann is in the hall.", "question": "Where is Ann?"}
    lines.write_text(json.dumps(row | {"answers": {"text": ["hall"], "answer_start": [14]}}), encoding="utf-8")
    assert pairs_of(lines).targets == ("hall",)


def test_questions_about_one_passage_are_in_one_part() -> None:
    passages = [f"Ann is in hall {n}." for n in range(30)]
    pairs = pairs_of(([(f"Where {n}?", passages[n % 30]) for n in range(90)], [f"hall {n % 30}" for n in range(90)]))
    plan = make_plan(pairs, make_config(PARTS, {}).task, 9)
    parts = [{pairs.about[n] for n in part} for part in (plan.train, plan.valid, plan.test)]
    assert not parts[0] & parts[1] and not parts[0] & parts[2] and plan.rank == "f1" and plan.pointed


def test_what_is_found_from_the_answers() -> None:
    pairs = pairs_of(asked(40))
    settings = make_config(PARTS, {}).task
    assert make_plan(pairs, settings, 0).pointed
    other = Pairs(pairs.sources, tuple(f"{text} indeed {n}" for n, text in enumerate(pairs.targets or ())))
    assert not make_plan(Pairs(other.sources, other.targets, passages=pairs.passages), settings, 0).pointed
    free = KIND.prepare(pairs, make_config(PARTS, TINY | {"attention": "none"}))
    assert free.config.task.decoder == "attending" and free.learned.passages
    written = Translator(**TINY, attention="none").fit(*asked(40))  # type: ignore[arg-type]
    assert len(written.predict(asked(3)[0])) == 3


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"decoder": "span", "attention": "none"}, "pointed at by attention: decoder='span' needs one"),
        ({"decoder": "span", "beam": 3}, "beam has no effect: an answer is pointed at"),
        ({"decoder": "attending", "flow": True}, "flow has no effect: only what points at answers"),
        ({"decoder": "span", "copy": True}, "copy has no effect"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Translator(**TINY, **settings).fit(*asked(20))  # type: ignore[arg-type]


def test_what_cannot_be_pointed_at_is_said() -> None:
    questions, answers = asked(30)
    with pytest.raises(DataError, match="there are none: name their column with passage_column="):
        Translator(decoder="span").fit([one for one, _ in questions], answers)
    with pytest.raises(ConfigError, match="No answer stands in its passage"):
        Translator(**TINY, decoder="span").fit(questions, [f"{n}" for n in range(30)])  # type: ignore[arg-type]
    some = ["elsewhere" if n == 4 else text for n, text in enumerate(answers)]
    with pytest.warns(match=r"1 answer\(s\) stand in no passage"):
        Translator(**TINY).fit(questions, some)  # type: ignore[arg-type]


def test_what_cannot_be_pointed_at_does_not_train_later_either() -> None:
    questions, answers = asked(40)
    some = [f"elsewhere {n}" if n % 9 == 4 else text for n, text in enumerate(answers)]
    with pytest.warns(match=r"stand in no passage"):
        translator = Translator(**TINY, last_epochs=1, decoder="span").fit(questions, some)  # type: ignore[arg-type]
    assert all(one.isfinite().all() for one in translator.network_.parameters())


def test_long_passages_train() -> None:
    config = make_config(PARTS, TINY)
    long = [(question, f"{about} {'and so on ' * 100}") for question, about in asked(40)[0]]
    prepared = KIND.prepare(pairs_of((long, asked(40)[1])), config)
    assert len(prepared.train) == 38 and not any("careful" in note for note in prepared.plan.notes)


def test_empty_passages_are_left_out_and_missing_ones_named(tmp_path: Path) -> None:
    questions, answers = asked(20)
    pairs = pairs_of(([(one, "" if n == 2 else about) for n, (one, about) in enumerate(questions)], answers))
    assert len(pairs) == 19 and "1 pair(s) of which one side is empty: 3" in pairs.notes[-1]
    translator = Translator(**TINY).fit(questions, answers)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="with the passage that it is about"):
        translator.predict(["Where is Ann?"])
    with pytest.raises(DataError, match=r"No column holds the passages that 'question' is about.*passage_column="):
        translator.predict(pd.DataFrame({"question": ["Where is Ann?"], "story": [""]}).rename(columns={"story": "x"}))


# ------------------------------------------------------------------------------------------------------ judging


def test_f1_is_that_of_squad() -> None:
    # By hand: "the old hall" and "Old Hall!" are the same words; "in the hall" has one word more than "hall".
    truth = ["the old hall", "hall", "no", "Paris", ""]
    answers = ["Old Hall!", "in the hall", "yes", "Paris, Paris", ""]
    found = overlap_statistics(truth, answers, "13a")
    assert found["em"].tolist() == [1, 0, 0, 0, 1]
    assert found["f1"].tolist() == pytest.approx([1, 2 * 0.5 * 1 / 1.5, 0, 2 * 0.5 * 1 / 1.5, 1])
    assert overlap_statistics(["北京大学"], ["北京"], "zh")["f1"][0] == pytest.approx(2 * 1 * 0.5 / 1.5)


def test_baselines_are_the_sentence_in_common_and_the_commonest_answer() -> None:
    prepared = KIND.prepare(pairs_of(asked(40)), make_config(PARTS, TINY))
    rows = KIND.baselines(prepared.config, prepared.learned)
    assert list(rows) == ["sentence in common", "commonest answer", "nearest pair"]
    passage = "Ann is in the hall. Bob went to the attic! Who knows"
    examples = PairExamples(("Where did Bob go?", "xyz"), None, None, passages=(passage, passage))  # type: ignore[arg-type]
    assert InCommon().answer(examples) == ["Bob went to the attic!", "Ann is in the hall."]
    common, other = Commonest(), Commonest()
    common.fit(prepared)
    other.from_arrays(common.to_arrays())
    counts = pd.Series(prepared.data.targets).value_counts()
    assert other.answer(examples) == [common.said] * 2 and counts[common.said] == counts.max()


def test_the_command_line_answers_questions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (questions, answers), path = asked(60), tmp_path / "asked.csv"
    rows = {"story": [one for _, one in questions], "question": [one for one, _ in questions], "answer": answers}
    pd.DataFrame(rows).to_csv(path, index=False)
    run, page, new = tmp_path / "run", tmp_path / "run" / "report.html", tmp_path / "new.csv"
    small = ["--hidden-size", "8", "--max-epochs", "1", "--epoch-steps", "2"]
    said = run_command(capsys, "train", path, "--task", "seq2seq", "--out", run, *small)
    assert said.code == 0 and "'question' is read with 'story', 'answer' is written" in said.err
    assert "sentence in common" in said.out and "F1" in said.out
    assert "begins" in page.read_text(encoding="utf-8")
    pd.DataFrame({name: rows[name][:4] for name in ("story", "question")}).to_csv(new, index=False)
    assert run_command(capsys, "predict", run, new).code == 0
    assert run_command(capsys, "evaluate", run, path).code == 0
    lacks = run_command(capsys, "train", path, "--task", "seq2seq", "--passage-column", "tale", "--out", tmp_path / "x")
    assert lacks.code == 2 and "tale" in lacks.err


def test_answers_are_the_same_in_any_company() -> None:
    translator = Translator(**TINY).fit(*asked(40))  # type: ignore[arg-type]
    pairs = pairs_of(asked(10))
    examples = KIND.encode(pairs, translator.fitted_.learned)
    whole = ask_network(translator.fitted_, examples)
    alone = [ask_network(translator.fitted_, examples.some(np.array([n])))[0] for n in range(10)]
    assert [one[0].text for one in whole] == [one[0].text for one in alone]
    assert [one[0].logs for one in whole] == pytest.approx([one[0].logs for one in alone], abs=1e-5)
