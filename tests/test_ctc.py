"""Sequences that are written unit by unit as they are heard: the network, its loss, its answers, its streams."""

from itertools import groupby, product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from commands import Run
from pages import figures_in
from recurra import ConfigError, DataError, Translator
from recurra.settings import make_config
from recurra.tasks.seq2seq.ctc import FIRST, CtcNet, CtcTask
from recurra.tasks.seq2seq.examples import PairExamples
from recurra.tasks.seq2seq.hearing import answers
from recurra.tasks.seq2seq.kind import KIND
from recurra.tasks.seq2seq.settings import PARTS
from recurra.tasks.seq2seq.source import pairs_of
from speech import RATE, spoken, write_clips
from test_sequences_to_texts import spoken as shapes

SMALL: dict[str, Any] = {"decoder": "ctc", "target_level": "word", "hidden_size": 16, "segment": 4, "batch_size": 16}
ONCE = SMALL | {"max_epochs": 1, "epoch_steps": 2}


def prepared(asked: list[np.ndarray], said: list[str], **more: Any) -> tuple[CtcNet, PairExamples, Any]:
    """An untrained network, and all of these pairs."""
    pairs = pairs_of((asked, said))
    ready = KIND.prepare(pairs, make_config(PARTS, ONCE | more))
    network: Any = KIND.make(ready.config, ready.learned)[0]
    return network.eval(), PairExamples.of(pairs, ready.learned), ready.learned


# --------------------------------------------------------------------------------------------------- network


def test_the_loss_counts_every_way_and_no_padding() -> None:
    network, examples, _ = prepared(*shapes(12))
    places = np.argsort(examples.read.lengths, kind="stable")[[0, 1, -1]]  # of unequal lengths
    batch = examples.take(torch.from_numpy(places))
    output = CtcTask().ask(network, batch)
    right = 0.0
    for place in places:
        alone = examples.take(torch.tensor([place]))
        with torch.no_grad():
            logs = network.spoken(alone).logs[0].double().numpy()
        units = tuple((examples.said.row(place)[:-1] - FIRST).tolist())  # type: ignore[union-attr]
        right -= np.log(by_every_path(logs, units, network.blank))
    assert output.prediction.item() == pytest.approx(right, rel=1e-5)
    assert CtcTask().loss(output, batch).count == sum(len(examples.said.row(n)) for n in places)  # type: ignore[union-attr]


def by_every_path(logs: np.ndarray, units: tuple[int, ...], blank: int) -> float:
    """The probability of ``units`` by the sum over all paths, one segment after the other."""
    # What is said so far, and the last unit of the path, blank or not.
    found = {((), blank): 1.0}
    for step in np.exp(logs):
        after: dict[tuple[tuple[int, ...], int], float] = {}
        for ((text, last), probability), unit in product(found.items(), range(len(step))):
            longer = text if unit in (blank, last) else (*text, unit)
            if units[: len(longer)] == longer:
                key = longer, unit
                after[key] = after.get(key, 0.0) + probability * step[unit]
        found = after
    return sum(probability for (text, _), probability in found.items() if text == units)


def test_padding_is_inert() -> None:
    network, examples, _ = prepared(*shapes(12))
    places = torch.tensor([int(np.argmin(examples.read.lengths)), int(np.argmax(examples.read.lengths))])
    with torch.no_grad():
        alone, both = (network.spoken(examples.take(some)) for some in (places[:1], places))
    assert both.lengths.tolist()[0] == alone.lengths.item() == alone.logs.shape[1] < both.logs.shape[1]
    assert torch.allclose(alone.logs[0], both.logs[0, : alone.logs.shape[1]], atol=1e-5)


def test_answers_with_their_probability_and_their_place() -> None:
    draw = np.random.default_rng(0)
    logs = torch.from_numpy(draw.normal(size=(5, 4))).log_softmax(-1).numpy()
    blank = 1
    every: dict[tuple[int, ...], float] = {}
    for path in product(range(4), repeat=5):
        text = tuple(unit + FIRST for unit, _ in groupby(path) if unit != blank)
        every[text] = every.get(text, 0.0) + float(np.exp(sum(logs[t, unit] for t, unit in enumerate(path))))
    found = answers(logs, 2000, blank)
    assert [one.units for one in found[:5]] == sorted(every, key=lambda text: -every[text])[:5]
    for one in found[:20]:
        assert np.exp(one.logs) == pytest.approx(every[one.units])
        assert one.looked is not None and one.looked.shape == (len(one.units), 5)
        assert one.looked.sum(1).tolist() == pytest.approx([1.0] * len(one.units))
        order = [step for row in one.looked for step in row.nonzero().flatten().tolist()]
        assert order == sorted(order)  # one after the other


def test_gradients_are_right() -> None:
    network, examples, _ = prepared(*shapes(12), hidden_size=3, filters=2)
    network, batch = network.double(), examples.take(torch.arange(3))
    batch = batch.with_values("source", batch.inputs.double())
    CtcTask().ask(network, batch).prediction.backward()
    for weight in (network.out.weight, network.recurrent.cells()[0].weight_hh):
        slope = weight.grad.flatten()[1].item()
        with torch.no_grad():
            ends = []
            for way in (1e-5, -2e-5):
                weight.view(-1)[1] += way
                ends.append(CtcTask().ask(network, batch).prediction.item())
            weight.view(-1)[1] += 1e-5
        assert slope == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-4, abs=1e-6)


# ------------------------------------------------------------------------------------------------- estimator


@pytest.fixture(scope="module")
def learned() -> Translator:
    """A translator of one direction that has learned the words."""
    settings = SMALL | {"hidden_size": 32, "max_epochs": 14, "bidirectional": False}
    return Translator(**settings).fit(*shapes(400))


def test_words_are_learned_and_heard_where_they_are(learned: Translator) -> None:
    asked, said = shapes(30, seed=5)
    assert learned.score(asked, said) > 0.95
    place = next(n for n, text in enumerate(said) if len(text.split()) == 3)
    heard = learned.align(asked[place], said[place])
    assert list(heard.columns) == [str(1 + 2 * n) for n in range(11)] and len(heard) == 3
    assert heard.to_numpy().sum(1) == pytest.approx(np.ones(3))
    first = (heard.to_numpy() > 0).argmax(1)
    assert (first < [4, 8, 12]).all() and (np.diff(first) > 0).all()
    assert learned.align(asked[place]).equals(heard)  # which is what it says by itself


def test_a_small_beam_finds_the_best_and_says_how_likely_they_are(learned: Translator) -> None:
    asked, _ = shapes(3, seed=6)
    best = learned.n_best(asked, 3)
    assert all([logs for _, logs in some] == sorted((logs for _, logs in some), reverse=True) for some in best)
    assert all(len(some) == 3 and some[0][1] < 0 for some in best)
    assert learned.predict(asked, beam=1) == learned.predict(asked) == [some[0][0] for some in best]


def test_lengths_are_not_favoured(learned: Translator) -> None:
    with pytest.raises(ConfigError, match="length_penalty= has no effect"):
        learned.predict(shapes(1)[0], length_penalty=2.0)


def test_a_run_answers_as_it_did(learned: Translator, tmp_path: Path) -> None:
    asked, _ = shapes(5, seed=5)
    learned.save(tmp_path / "run")
    again = Translator.load(tmp_path / "run")
    assert again.n_best(asked, 2) == learned.n_best(asked, 2)
    assert learned.predict(asked, together=[again]) == learned.predict(asked)


def test_together_they_say_the_mean_at_each_step(learned: Translator) -> None:
    asked, said = shapes(400)
    other = Translator(**SMALL | {"max_epochs": 1, "bidirectional": False, "seed": 1}).fit(asked, said)
    some = KIND.encode(pairs_of(asked[:2], answered=False), learned.fitted_.learned)
    with torch.no_grad():
        logs = [one.network_.spoken(some.take(torch.arange(1))).logs[0] for one in (learned, other)]
    mean = torch.stack(logs).exp().mean(0).log().numpy()
    units = answers(mean, 5, learned.network_.blank)[0].units
    shown = [learned.fitted_.learned.target.shown(unit) for unit in units]
    assert learned.predict(asked[:1], together=[other]) == [learned.fitted_.learned.target.cutter.join(shown)]
    attending = Translator(**ONCE | {"decoder": "attending"}).fit(asked, said)
    with pytest.raises(ConfigError, match="make answers in different ways"):
        learned.predict(asked[:1], together=[attending])


@pytest.mark.parametrize("setting", [{"copy": True}, {"feeding": False}, {"smoothing": 0.2}, {"attention": "dot"}])
def test_what_says_units_as_they_come_uses_no_more(setting: dict[str, Any]) -> None:
    name = next(iter(setting))
    with pytest.raises(ConfigError, match=f"The setting {name} has no effect: decoder='ctc'"):
        Translator(**ONCE | setting).fit(*shapes(20))


def test_texts_are_not_heard() -> None:
    with pytest.raises(ConfigError, match="these are texts or pictures: leave it out"):
        Translator(decoder="ctc").fit([(f"a{n}", f"b{n}") for n in range(20)])


def test_targets_that_no_steps_can_say_do_not_train() -> None:
    asked, said = shapes(40)
    said[0] = " ".join(["zero"] * 9)  # nine equal units need 17 steps
    with pytest.warns(UserWarning, match="1 pair whose target has more units than steps can say do not train"):
        translator = Translator(**ONCE | {"validation_size": 1}).fit(asked, said)
    assert np.isfinite(translator.history_[0]["train_loss"])
    with pytest.raises(DataError, match="needs 17 steps, and the sequence is read in"):
        translator.align(asked[0], said[0])
    with pytest.raises(ConfigError, match="Hardly any target can be said"):
        Translator(**ONCE).fit(asked, [" ".join([text] * 40) for text in said])


# --------------------------------------------------------------------------------------------------- streams


@pytest.mark.parametrize("how", [{}, {"segment": 5}, {"segment": 1}, {"filters": 0}, {"segment": 24, "num_layers": 2}])
def test_step_by_step_is_all_at_once(how: dict[str, Any]) -> None:
    asked, said = shapes(40)
    said = [text.split()[0] for text in said]  # which one segment can say
    translator = Translator(**ONCE | how | {"bidirectional": False}).fit(asked, said)
    for one in asked[:5]:
        examples = KIND.encode(pairs_of([one], answered=False), translator.fitted_.learned)
        with torch.no_grad():
            right = translator.network_.spoken(examples.take(torch.arange(1))).logs[0].numpy()
        for pieces in ([one.T], one.T, np.array_split(one.T, 3)):
            stream = translator.stream()
            for piece in pieces:
                stream.hear(piece)
            text = stream.finish()
            assert np.concatenate(stream.logs) == pytest.approx(right, abs=1e-5)
            assert [text] == translator.predict([one])
            assert stream.finish() == text  # as often as it is asked


def test_text_grows_while_it_is_heard(learned: Translator) -> None:
    asked, said = shapes(40, seed=7)
    place = next(n for n, text in enumerate(said) if len(text.split()) == 3)
    stream = learned.stream()
    texts = [stream.hear(step) for step in asked[place].T]
    assert texts[0] == "" and stream.finish() == stream.text == said[place]
    counts = [len(text.split()) for text in texts]
    assert counts[11] < counts[-1] and max(counts) <= 3  # what was not there yet was not written
    with pytest.raises(ConfigError, match="is finished: begin another one"):
        stream.hear(asked[place].T)


def test_what_cannot_stream_says_so(learned: Translator) -> None:
    for how in ({"bidirectional": True}, {"decoder": "attending", "bidirectional": False}):
        other = Translator(**ONCE | how).fit(*shapes(20))
        with pytest.raises(ConfigError, match="decoder='ctc' and bidirectional=False"):
            other.stream()
    with pytest.raises(ConfigError, match="loudest= is for sounds"):
        learned.stream(loudest=-3.0)
    with pytest.raises(DataError, match="Nothing was heard"):
        learned.stream().finish()
    for wrong in (np.zeros((3, 5)), np.zeros(3), "a text"):
        with pytest.raises(DataError, match="Steps of 4 number"):
            learned.stream().hear(wrong)
    with pytest.raises(DataError, match="gap"):
        learned.stream().hear(np.full((2, 4), np.nan))


# ---------------------------------------------------------------------------------------------------- sounds


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with sounds, tables of them, and a run."""
    folder = tmp_path_factory.mktemp("clips")
    write_clips(folder, 160)
    write_clips(folder, 20, 1, "more.tsv")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        from recurra.cli import app

        given = ["--task", "seq2seq", "--decoder", "ctc", "--no-bidirectional", "--hidden-size", 24, "--max-epochs", 20]
        app.main(list(map(str, ["train", "clips.tsv", *given, "--test-data", "more.tsv", "--out", "run"])))
    return folder


def test_sounds_that_a_table_names_are_written_down(run: Run, home: Path) -> None:
    done = run("evaluate", "run", "more.tsv", "--json")
    assert done.code == 0
    translator = Translator.load(home / "run")
    assert translator.fitted_.config.task.rank == "wer"
    right = pd.read_csv(home / "more.tsv", sep="\t")
    said = translator.predict([home / name for name in right["clip"]])
    assert np.mean([one == other for one, other in zip(said, right["text"], strict=True)]) > 0.8
    assert translator.score(home / "more.tsv") > -0.1  # less WER: the higher, the better
    answered = run("predict", "run", "more.tsv", "--best", 2)
    assert answered.code == 0 and "logp" in answered.out


def test_the_report_shows_where_each_unit_was_heard(home: Path) -> None:
    page = (home / "run" / "report.html").read_text(encoding="utf-8")
    assert "Where each unit was heard" in page
    pictures = [one for one in figures_in(page) if len(one["data"]) == 2 and one["data"][0].get("yaxis") == "y2"]
    assert pictures
    for picture in pictures:
        assert picture["layout"]["xaxis"]["title"]["text"] == "seconds"
        assert picture["layout"]["xaxis"]["range"][1] < 3


def test_training_sounds_are_disguised_and_other_sequences_are_not(home: Path) -> None:
    for decoder in ("ctc", "attending"):
        config = make_config(PARTS, {"decoder": decoder})
        ready = KIND.prepare(pairs_of(home / "more.tsv"), config)
        task: Any = KIND.make(ready.config, ready.learned)[1]
        assert task.augmentation.disguise.strength == 1.0
        asked, said = shapes(40)
        ready = KIND.prepare(pairs_of((asked, said)), config)
        task = KIND.make(ready.config, ready.learned)[1]
        assert task.augmentation.disguise is None
    with pytest.raises(ConfigError, match="disguise=1 is for sounds"):
        Translator(**ONCE, disguise=1.0).fit(asked, said)


def test_segments_are_as_small_as_the_texts_need(home: Path) -> None:
    asked, said = shapes(40)
    longer = [" ".join(text.split() * 3) for text in said]  # up to 9 words in 24 steps

    def segment(targets: list[str], **more: Any) -> int:
        ready = KIND.prepare(pairs_of((asked, targets)), make_config(PARTS, ONCE | {"segment": None} | more))
        found: int = ready.learned.source.reading.layout.segment
        return found

    assert segment(longer) == 1
    ready = {
        level: KIND.prepare(pairs_of(home / "more.tsv"), make_config(PARTS, {"decoder": "ctc", "target_level": level}))
        for level in ("word", "character")
    }
    assert ready["word"].learned.source.reading.layout.segment == 8
    assert ready["character"].learned.source.reading.layout.segment < 8


def test_a_sound_is_written_while_it_comes(home: Path) -> None:
    translator = Translator.load(home / "run")
    samples = spoken(["low", "high", "middle"], 77)
    from scipy.io import wavfile

    wavfile.write(home / "one.wav", RATE, samples)
    (whole,) = translator.predict([home / "one.wav"])
    assert whole == "low high middle"
    from recurra.data.sound.mel import log_mel

    loudest = float(log_mel(torch.from_numpy(samples / 32768.0), RATE).max())
    pieces = {}
    for size in (37, 800, len(samples)):
        stream = translator.stream(loudest=loudest)
        texts = [stream.hear(samples[at : at + size]) for at in range(0, len(samples), size)]
        pieces[size] = np.concatenate(stream.logs), stream.finish()
        assert pieces[size][1] == whole and (size > 800 or texts[0] == "")
    for logs, _ in pieces.values():
        assert logs == pytest.approx(pieces[37][0], abs=1e-4)
    unknown = {}
    for size in (37, len(samples)):  # what is not known yet is the loudest so far, however it comes
        stream = translator.stream()
        for at in range(0, len(samples), size):
            stream.hear(samples[at : at + size])
        assert stream.finish().split()[-1] == "middle"
        unknown[size] = np.concatenate(stream.logs)
    assert unknown[37] == pytest.approx(unknown[len(samples)], abs=1e-4)
    short = translator.stream(loudest=loudest)
    short.hear(samples[:50])
    assert isinstance(short.finish(), str)  # a sound shorter than a window ends in silence
    with pytest.raises(DataError, match="Samples of one channel"):
        translator.stream().hear(samples[:, None])


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (["absent.wav\tlow", "0_1.wav\thigh"], "Column 'clip' names 'absent.wav', but there is no file"),
        (["text.wav\tlow", "0_1.wav\thigh"], "is no wav file, whatever it is called"),
        (["empty.wav\tlow", "0_1.wav\thigh"], "is empty; leave it out"),
        (["0_1.wav\tlow", "0_2.wav\thigh", "a text\tlow"], "but 'a text' in it is no name of one"),
        (["0_1.wav\t", "0_2.wav\t "], "no line has a target"),
    ],
)
def test_what_is_wrong_with_sounds_is_said_in_a_sentence(run: Run, home: Path, lines: list[str], says: str) -> None:
    (home / "text.wav").write_text("these are no samples, but words", encoding="utf-8")
    (home / "empty.wav").write_bytes(b"")
    (home / "bad.tsv").write_text("\n".join(["clip\ttext", *lines]) + "\n", encoding="utf-8")
    done = run("train", "bad.tsv", "--task", "seq2seq", "--decoder", "ctc", "--out", "no")
    assert done.code == 2 and says in done.err


def test_other_data_than_sounds_are_refused_by_a_run_of_sounds(run: Run, home: Path) -> None:
    (home / "texts.tsv").write_text("source\ttarget\na text\tlow\nanother\thigh\n", encoding="utf-8")
    np.save(home / "a.npy", np.zeros((20, 30)))
    done = run("predict", "run", "texts.tsv")
    assert done.code == 2 and "trained on sequences of numbers" in done.err
    done = run("predict", "run", "a.npy")
    assert done.code == 2 and "trained on sounds" in done.err


def test_other_rates_and_very_short_sounds_are_heard(run: Run, home: Path) -> None:
    from scipy.io import wavfile

    samples = spoken(["low", "high"], 5)
    wavfile.write(home / "fast.wav", 2 * RATE, np.repeat(samples, 2))
    wavfile.write(home / "short.wav", RATE, samples[:40])
    done = run("predict", "run", "fast.wav")
    assert done.code == 0 and "low high" in done.out
    assert run("predict", "run", "short.wav").code == 0
