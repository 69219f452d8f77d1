"""Sequences of numbers that are answered with texts: arrays, series, the frames of sounds."""

from pathlib import Path

import numpy as np
import pytest
import torch

from recurra import ConfigError, DataError, Translator
from recurra.settings import make_config
from recurra.tasks.seq2seq.baselines import NearestSequence
from recurra.tasks.seq2seq.examples import PairExamples
from recurra.tasks.seq2seq.kind import KIND
from recurra.tasks.seq2seq.pairs import Pairs, fingerprint
from recurra.tasks.seq2seq.settings import PARTS
from recurra.tasks.seq2seq.source import pairs_of

WORDS = ("zero", "one", "two")
SMALL = {"target_level": "word", "hidden_size": 16, "max_epochs": 1, "epoch_steps": 2, "batch_size": 8}


def spoken(count: int, seed: int = 0) -> tuple[list[np.ndarray], list[str]]:
    """Sequences (C, T) in which each word is a shape of its own, and these words."""
    draw = np.random.default_rng(seed)
    shapes = np.random.default_rng(1).normal(size=(len(WORDS), 4, 8))
    found, said = [], []
    for _ in range(count):
        words = draw.integers(0, len(WORDS), draw.integers(1, 4))
        found.append(np.concatenate([shapes[n] + 0.1 * draw.normal(size=(4, 8)) for n in words], 1))
        said.append(" ".join(WORDS[n] for n in words))
    return found, said


def test_sequences_are_learned_and_looked_at_where_the_word_is() -> None:
    settings = {"target_level": "word", "hidden_size": 32, "max_epochs": 12, "segment": 4, "batch_size": 16}
    translator = Translator(**settings).fit(*spoken(400))  # type: ignore[arg-type]
    asked, said = spoken(30, seed=5)
    assert translator.score(asked, said) > 0.95  # exact, as answers are short
    place = next(n for n, text in enumerate(said) if len(text.split()) == 3)
    looked = translator.align(asked[place], said[place])
    assert list(looked.columns) == [str(1 + 2 * n) for n in range(11)]  # segments of 4 steps, 2 from one to the next
    assert looked.to_numpy().sum(1) == pytest.approx(np.ones(4), abs=1e-5)


def test_a_run_answers_as_it_did(tmp_path: Path) -> None:
    asked, said = spoken(40)
    translator = Translator(**SMALL).fit(asked, said)  # type: ignore[arg-type]
    before = translator.predict(asked[:5])
    translator.save(tmp_path / "run")
    again = Translator.load(tmp_path / "run")
    assert again.predict(asked[:5]) == before
    with pytest.raises(DataError, match="trained on sequences of numbers"):
        again.predict(["a text"])
    with pytest.raises(DataError, match="4 channel"):
        again.predict([one[:3] for one in asked[:5]])


def test_a_model_of_texts_refuses_sequences() -> None:
    pairs = [(f"a{n}", f"b{n}") for n in range(20)]
    translator = Translator(**{**SMALL, "target_level": None}).fit(pairs)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="trained on texts"):
        translator.predict(spoken(2)[0])


@pytest.mark.parametrize("setting", ["copy", "shared"])
def test_what_needs_units_is_refused(setting: str) -> None:
    with pytest.raises(ConfigError, match=f"{setting} has no effect: sequences of numbers are read"):
        Translator(**{setting: True}).fit(*spoken(20))  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="segment has no effect: texts are read"):
        Translator(segment=4).fit([(f"a{n}", f"b{n}") for n in range(20)])


def test_padding_is_inert() -> None:
    asked, said = spoken(12)
    pairs = pairs_of((asked, said))
    prepared = KIND.prepare(pairs, make_config(PARTS, {**SMALL, "segment": 4}))
    network = KIND.make(prepared.config, prepared.learned)[0].eval()
    examples = PairExamples.of(pairs, prepared.learned)
    places = torch.tensor([0, int(np.argmax(examples.read.lengths))])
    with torch.no_grad():
        alone, both = (network(examples.take(some)).prediction for some in (places[:1], places))
    assert torch.allclose(alone[0], both[0, : alone.shape[1]], atol=1e-5)


def test_pairs_of_sequences_know_each_other_by_their_values() -> None:
    asked, said = spoken(6)
    pairs = pairs_of(([*asked, asked[0].copy()], [*said, said[0]]))
    assert pairs.keys[0] == pairs.keys[-1] and len(set(pairs.keys)) == 6
    assert pairs.part([1, 2]).cases is not None and len(pairs.part([1, 2])) == 2
    other = pairs_of(([asked[0] + 1e-6, *asked[1:], asked[0]], [*said, said[0]]))
    assert fingerprint(pairs) != fingerprint(other)
    with pytest.raises(DataError, match="7 sources and 6 targets"):
        pairs_of(([*asked, asked[0]], said))


def test_the_nearest_sequence_answers() -> None:
    prepared = KIND.prepare(pairs_of(spoken(60)), make_config(PARTS, SMALL))
    baselines = KIND.baselines(prepared.config, prepared.learned)
    assert list(baselines) == ["nearest pair"]
    nearest = baselines["nearest pair"]
    nearest.fit(prepared)
    other = NearestSequence()
    other.from_arrays(nearest.to_arrays())
    train = prepared.data.part(prepared.plan.train[:7])
    assert other.answer(PairExamples.of(train, prepared.learned)) == list(train.targets)


def test_an_empty_target_is_left_out() -> None:
    asked, said = spoken(6)
    pairs = pairs_of((asked, ["", *said[1:]]))
    assert isinstance(pairs, Pairs) and len(pairs) == 5 and "1 pair(s) of which one side is empty" in pairs.notes[-1]
