"""Pictures that are answered with captions: how they come, what a cell knows, where the model looks, CIDEr-D."""

import base64
import io
import math
import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from commands import Run, run_command
from recurra import ConfigError, DataError, Translator
from recurra.nn.pictures import Cells, Grid
from recurra.report.pixels import data_uri, png
from recurra.settings import make_config
from recurra.tasks.seq2seq.cider import cider_statistics
from recurra.tasks.seq2seq.columns import Form
from recurra.tasks.seq2seq.examples import PairExamples
from recurra.tasks.seq2seq.figures import looks
from recurra.tasks.seq2seq.kind import KIND
from recurra.tasks.seq2seq.settings import PARTS
from recurra.tasks.seq2seq.source import pairs_of

SMALL = {"hidden_size": 16, "filters": 8, "max_epochs": 1, "epoch_steps": 2, "batch_size": 8}
SIDES = ("left", "right")
CONFIGURED: dict[str, Any] = {
    "hidden_size": 16,
    "max_epochs": 1,
    "epoch_steps": 2,
    "batch_size": 8,
    "reads": "features",
}
CONFIG = make_config(PARTS, CONFIGURED)
MARKS = {
    "cross": np.array([[1, 0, 0, 1], [0, 1, 1, 0], [0, 1, 1, 0], [1, 0, 0, 1]]),
    "bar": np.array([[0, 0, 0, 0], [1, 1, 1, 1], [1, 1, 1, 1], [0, 0, 0, 0]]),
    "box": np.array([[1, 1, 1, 1], [1, 0, 0, 1], [1, 0, 0, 1], [1, 1, 1, 1]]),
}


def marked(count: int, seed: int = 0) -> tuple[np.ndarray, list[str]]:
    """Pictures (N, 16, 16) with a mark in one of four quarters, and captions that say which and where."""
    draw = np.random.default_rng(seed)
    pictures = draw.normal(10, 3, (count, 16, 16)).clip(0)
    captions = []
    for picture in pictures:
        name, row, column = draw.choice([*MARKS]), *draw.integers(0, 2, 2)
        y, x = 8 * row + 2, 8 * column + 2
        picture[y : y + 4, x : x + 4] += 200 * MARKS[name]
        captions.append(f"there is a {name} {('top', 'bottom')[row]} {SIDES[column]}")
    return pictures.astype(np.uint8), captions


# -------------------------------------------------------------------------------------------------- what comes


def shape_of(sources: Any, **form: Any) -> tuple[int, ...]:
    count = len(sources)
    pairs = pairs_of((sources, ["a dog"] * count), Form(**form))
    assert pairs.cases is not None and len(pairs) == count and (pairs.cases.lengths == 1).all()
    return pairs.cases.shape


def test_what_is_a_picture_without_being_told() -> None:
    grey, colours = np.zeros((5, 6, 7), np.uint8), np.ones((5, 6, 7, 3))
    assert shape_of(grey) == shape_of(list(grey)) == shape_of(torch.from_numpy(grey)) == (1, 6, 7)
    assert shape_of(colours) == shape_of(colours.transpose(0, 3, 1, 2)) == shape_of(list(colours)) == (3, 6, 7)
    assert shape_of(grey[..., None] + 1.0) == (1, 6, 7)
    assert shape_of(np.ones((5, 6, 7)), reads="pictures") == (1, 6, 7)
    series = pairs_of((np.ones((5, 6, 7)), ["a"] * 5)).cases
    told = pairs_of((grey, ["a"] * 5), Form(reads="sequences")).cases
    assert series is not None and told is not None and series.shape is told.shape is None
    moving = pairs_of((np.ones((5, 4, 6, 7)), ["a"] * 5)).cases
    assert moving is not None and moving.shape == (1, 6, 7) and list(moving.lengths) == [4] * 5


def test_pixels_stay_where_they_are() -> None:
    picture = np.random.default_rng(0).random((3, 4, 5))  # colours, height, width
    for given in (picture, picture.transpose(1, 2, 0)):
        for sources in (given[None], [given]):
            pairs = pairs_of((sources, ["a"]), Form(reads="pictures"))
            assert pairs.cases is not None
            np.testing.assert_array_equal(pairs.cases.values[0].reshape(3, 4, 5), picture)


def test_several_sizes_are_refused_and_grey_is_made_colour() -> None:
    with pytest.raises(DataError, match=r"Picture '1' has 4 x 5 pixels and picture '3' has 4 x 6; bring all of them"):
        pairs_of(([np.zeros((4, w), np.uint8) for w in (5, 5, 6)], ["a", "b", "c"]))
    grey, colour = np.full((4, 5), 7.0), np.zeros((4, 5, 3))
    pairs = pairs_of(([grey, colour], ["a", "b"]), Form(reads="pictures"))
    assert pairs.cases is not None and pairs.cases.shape == (3, 4, 5) and (pairs.cases.values[0] == 7).all()
    assert "1 grey picture(s) among those in colours" in pairs.notes[1]
    with pytest.raises(DataError, match=r"Picture '1' has the shape \(4, 5, 2\); give pictures as \(height, width\)"):
        pairs_of(([np.zeros((4, 5, 2))], ["a"]), Form(reads="pictures"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A table of PNG files as Flickr has it, each picture with two captions."""
    pictures, captions = marked(40)
    (tmp_path / "images").mkdir()
    rows = []
    for n, (picture, caption) in enumerate(zip(pictures, captions, strict=True)):
        Image.fromarray(picture).save(tmp_path / "images" / f"{n}.png")
        rows += [(f"images/{n}.png", caption), (f"images/{n}.png", f"look, {caption}")]
    pd.DataFrame(rows, columns=["image", "caption"]).to_csv(tmp_path / "captions.csv", index=False)
    return tmp_path


def test_a_table_of_files(folder: Path) -> None:
    pairs = pairs_of(folder / "captions.csv")
    assert pairs.cases is not None and pairs.cases.shape == (1, 16, 16) and pairs.names == ("image", "caption")
    np.testing.assert_array_equal(pairs.cases.values[2].reshape(16, 16), marked(40)[0][1])
    assert pairs.cases.values[0] is pairs.cases.values[1], "a picture with two captions is read once"
    plan = KIND.plan(pairs, make_config(PARTS, {}), 20)
    parts = [set(np.array(pairs.keys)[part]) for part in (plan.train, plan.valid, plan.test)]
    assert plan.rank == "cider" and not parts[0] & parts[1] | parts[0] & parts[2] | parts[1] & parts[2]


def test_forms_of_files(tmp_path: Path) -> None:
    colours = np.random.default_rng(0).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    clear = np.concatenate([colours, np.zeros((6, 8, 1), np.uint8)], 2)
    grey = colours[..., 0]
    kinds = {
        "grey.png": (Image.fromarray(grey), grey),
        "colour.bmp": (Image.fromarray(colours), colours),
        "clear.png": (Image.fromarray(clear), np.full((6, 8), 255)),
        "short.png": (Image.fromarray(257 * grey.astype(np.uint16)), grey),
        "palette.png": (Image.fromarray(grey).convert("RGB").quantize(256), np.repeat(grey[..., None], 3, 2)),
    }
    kinds["clear.png"] = (kinds["clear.png"][0], np.full((6, 8, 3), 255))
    for name, (image, pixels) in kinds.items():
        image.save(tmp_path / name)
        pairs = pairs_of(([tmp_path / name], ["a"]))
        assert pairs.cases is not None
        wanted = np.moveaxis(np.atleast_3d(pixels), 2, 0)
        assert pairs.cases.shape == wanted.shape, name
        np.testing.assert_allclose(pairs.cases.values[0], wanted.reshape(1, -1), atol=1, err_msg=name)
    turned = Image.fromarray(colours)
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(tmp_path / "turned.jpg", exif=exif)
    pairs = pairs_of(([str(tmp_path / "turned.jpg")], ["a"]))
    assert pairs.cases is not None and pairs.cases.shape == (3, 8, 6)
    np.save(tmp_path / "one.npy", colours)
    assert shape_of([tmp_path / "one.npy"]) == (3, 6, 8)


def test_without_pillow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / "a.png")
    monkeypatch.setitem(__import__("sys").modules, "PIL", None)
    with pytest.raises(ConfigError, match=r"needs the package Pillow: pip install 'recurra\[pictures\]'"):
        pairs_of(([tmp_path / "a.png"], ["a"]))


# ---------------------------------------------------------------------------------------------------- the grid


@pytest.mark.parametrize(
    ("shape", "most", "cells"),
    [
        ((1, 16, 16), 8, (8, 8, 2, 2)),
        ((3, 224, 224), 8, (7, 7, 32, 32)),
        ((1, 48, 48), 8, (6, 6, 8, 8)),
        ((1, 9, 5), 4, (3, 3, 4, 2)),
        ((1, 3, 100), 8, (3, 7, 1, 16)),
    ],
)
def test_cells(shape: tuple[int, int, int], most: int, cells: tuple[int, ...]) -> None:
    assert tuple(Cells.of(shape, most)) == cells
    for filters in (0, 4):
        grid = Grid(shape, Cells.of(shape, most), filters, 5).eval()
        assert grid(torch.randn(2, *shape)).shape == (2, cells[0] * cells[1], 5)


@pytest.mark.parametrize("filters", [0, 8])
def test_what_lies_in_a_cell_changes_that_cell(filters: int) -> None:
    cells = Cells.of((1, 64, 64), 8)
    grid = Grid((1, 64, 64), cells, filters, 32).eval()  # wide: a number is 0 in half of the cells
    reach = 2 if filters else 0  # three levels of two layers of 3 x 3 see 14 pixels beyond a cell of 8
    for row, column in ((0, 0), (2, 5), (7, 3)):
        dark, lit = torch.zeros(2, 1, 64, 64)
        lit[:, 8 * row : 8 * row + 8, 8 * column : 8 * column + 8] = torch.rand(8, 8) + 1
        changed = (grid(lit[None]) - grid(dark[None])).abs().amax(-1).reshape(8, 8) > 1e-6
        assert changed[row, column]
        far = torch.ones(8, 8, dtype=torch.bool)
        far[max(0, row - reach) : row + reach + 1, max(0, column - reach) : column + reach + 1] = False
        assert not (changed & far).any()


def test_every_cell_knows_where_it_is() -> None:
    grid = Grid((1, 12, 12), Cells.of((1, 12, 12), 3), 0, 6).eval()
    seen = grid(torch.zeros(1, 1, 12, 12)).detach()[0].reshape(3, 3, 6)
    bare = grid.linear.bias.relu()
    for row in range(3):
        for column in range(3):
            assert torch.allclose(seen[row, column], bare + grid.row[row] + grid.column[column])


# -------------------------------------------------------------------------------------------------- the network


def test_it_looks_where_the_mark_is(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"hidden_size": 32, "grid": 4, "filters": 16, "max_epochs": 14, "batch_size": 16}
    translator = Translator(**settings, learning_rate=2e-3).fit(*marked(500))
    asked, said = marked(40, seed=3)
    answers = translator.predict(asked)
    assert np.mean([one == other for one, other in zip(answers, said, strict=True)]) > 0.9
    hits = []
    for picture, caption in zip(asked, said, strict=True):
        looked = translator.align(picture, caption)
        assert list(looked.columns)[:5] == [f"row 1, column {n}" for n in range(1, 5)] + ["row 2, column 1"]
        words = caption.split()
        at = looked.iloc[words.index("a") + 1]
        row, column = map(int, re.findall(r"\d+", str(at.idxmax())))
        hits.append(((row > 2), (column > 2)) == (words[-2] == "bottom", words[-1] == "right"))
    assert np.mean(hits) > 0.9
    translator.save(tmp_path / "run")
    again = Translator.load(tmp_path / "run")
    assert again.predict(asked) == answers
    assert translator.predict(asked[:1].astype(float)) == answers[:1], "what was learned says that these are pictures"
    assert translator.predict(asked[0]) == answers[:1]


@pytest.mark.parametrize("attention", ["additive", "none"])
def test_others_of_the_batch_change_nothing(attention: str) -> None:
    pairs = pairs_of(marked(12))
    prepared = KIND.prepare(pairs, make_config(PARTS, {**SMALL, "attention": attention}))
    network = KIND.make(prepared.config, prepared.learned)[0].eval()
    examples = PairExamples.of(pairs, prepared.learned)
    with torch.no_grad():
        alone, both = (network(examples.take(torch.tensor(some))).prediction for some in ([3], [3, 5]))
    assert torch.allclose(alone[0], both[0, : alone.shape[1]], atol=1e-5)


def test_the_cells_are_looked_at_and_not_the_encoder() -> None:
    pairs = pairs_of(marked(12))
    prepared = KIND.prepare(pairs, make_config(PARTS, SMALL))
    network: Any = KIND.make(prepared.config, prepared.learned)[0].eval()
    batch = PairExamples.of(pairs, prepared.learned).take(torch.arange(2))
    with torch.no_grad():
        vectors, _ = network.embedded(batch)
        read, memory, _ = network.read(batch)
        assert torch.equal(network.memory(vectors, read), vectors)
        assert torch.equal(memory.keys, network.decoder.attention.project(vectors, None).keys)


def test_moving_pictures_are_frames() -> None:
    frames = np.random.default_rng(0).normal(size=(20, 4, 6, 7))
    translator = Translator(**SMALL).fit(frames, [f"a dog runs {n % 3}" for n in range(20)])  # type: ignore[arg-type]
    assert list(translator.align(frames[0]).columns) == ["1", "2", "3", "4"]
    assert len(translator.predict(frames[:, :3])) == 20


@pytest.mark.parametrize("setting", [{"segment": 4}, {"copy": True}])
def test_what_pictures_do_not_use(setting: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="has no effect"):
        Translator(**setting).fit(*marked(20))
    with pytest.raises(ConfigError, match="grid has no effect: no single pictures are read"):
        Translator(grid=4).fit(np.ones((9, 2, 5)) + np.arange(9)[:, None, None], ["a"] * 9)


def test_what_is_not_like_the_training() -> None:
    translator = Translator(**SMALL).fit(*marked(20))  # type: ignore[arg-type]
    known = "trained on pictures of 16 x 16 pixels and 1 colour"
    with pytest.raises(DataError, match=rf"{known}\(s\), and these are of 16 x 12 pixels and 1 colour"):
        translator.predict(np.zeros((2, 16, 12), np.uint8))
    with pytest.raises(DataError, match=rf"{known}\(s\), and these are of 16 x 16 pixels and 3 colour"):
        translator.predict(np.zeros((2, 16, 16, 3)))
    with pytest.raises(DataError, match="trained on pictures, and these are texts: give it pictures"):
        translator.predict(["a text"])
    colours = Translator(**SMALL).fit(np.random.default_rng(0).random((20, 8, 8, 3)), [f"a dog {n}" for n in range(20)])  # type: ignore[arg-type]
    grey = np.random.default_rng(1).random((2, 8, 8))
    assert colours.predict(grey) == colours.predict(np.repeat(grey[..., None], 3, 3)), "grey stands for each colour"


def test_the_nearest_picture_answers() -> None:
    prepared = KIND.prepare(pairs_of(marked(60)), make_config(PARTS, SMALL))
    (nearest,) = KIND.baselines(prepared.config, prepared.learned).values()
    nearest.fit(prepared)
    assert nearest.to_arrays()["points"].shape[1] == 16 * 16, "each pixel once"
    train = prepared.data.part(prepared.plan.train[:7])
    assert nearest.answer(PairExamples.of(train, prepared.learned)) == list(train.targets)


# ----------------------------------------------------------------------------------------------------- features


def featured(pictures: np.ndarray) -> np.ndarray:
    """What a network could have found: the pixels of each of 4 x 4 places, mixed, (N, 4, 4, 24)."""
    cut = pictures.reshape(-1, 4, 4, 4, 4).swapaxes(2, 3).reshape(-1, 4, 4, 16).astype(float)
    found: np.ndarray = np.tanh(cut @ np.random.default_rng(7).normal(0, 0.002, (16, 24)))
    return found


def test_features_of_pictures_are_looked_at_place_by_place(tmp_path: Path) -> None:
    pictures, captions = marked(500)
    settings: dict[str, Any] = {"hidden_size": 32, "max_epochs": 14, "batch_size": 16, "learning_rate": 2e-3}
    translator = Translator(**settings, reads="features").fit(featured(pictures), captions)
    asked, said = marked(40, seed=3)
    answers = translator.predict(featured(asked))
    assert np.mean([one == other for one, other in zip(answers, said, strict=True)]) > 0.9
    looked = translator.align(featured(asked)[0])
    assert list(looked.columns) == [f"row {row}, column {column}" for row in range(1, 5) for column in range(1, 5)]
    translator.save(tmp_path / "run")
    assert Translator.load(tmp_path / "run").predict(featured(asked)) == answers
    assert translator.predict(featured(asked)[0]) == answers[:1]


def test_features_keep_their_places() -> None:
    pairs = pairs_of((np.arange(2 * 2 * 3 * 5).reshape(2, 2, 3, 5), ["a", "b"]), Form(reads="features"))
    assert pairs.cases is not None and pairs.cases.shape == (5, 2, 3) and pairs.cases.featured
    assert pairs.cases.values[1].reshape(5, 2, 3)[4, 1, 2] == 59
    found = featured(marked(20)[0]) * np.arange(1, 25) + np.arange(24)
    prepared = KIND.prepare(pairs_of((found, marked(20)[1]), Form(reads="features")), CONFIG)
    encoded = prepared.learned.source.encode(pairs_of((found, marked(20)[1]), Form(reads="features")).cases)[0]
    train = encoded.reshape(20, 24, 4, 4)[prepared.plan.train]
    assert np.allclose(train.mean((0, 2, 3)), 0, atol=1e-4) and np.allclose(train.std((0, 2, 3)), 1, atol=1e-3)
    network: Any = KIND.make(prepared.config, prepared.learned)[0].eval()
    grid = network.embed.segments
    x = torch.randn(1, 24, 4, 4)
    with torch.no_grad():
        seen = grid(x)[0].reshape(4, 4, -1)
        wanted = grid.linear(x[0, :, 2, 1]).relu() + grid.row[2] + grid.column[1]
    assert torch.allclose(seen[2, 1], wanted, atol=1e-6)


def test_what_features_do_not_use() -> None:
    pictures, captions = marked(20)
    for setting in ({"grid": 4}, {"filters": 8}, {"segment": 4}):
        with pytest.raises(ConfigError, match="has no effect"):
            Translator(reads="features", **setting).fit(featured(pictures), captions)
    translator = Translator(**CONFIGURED).fit(featured(pictures), captions)
    known = "trained on 24 features for each of 4 x 4 places, and these are"
    with pytest.raises(DataError, match=f"{known} 16 for each of 4 x 4"):
        translator.predict(featured(pictures)[..., :16])
    with pytest.raises(DataError, match="trained on features, and these are texts: give it features"):
        translator.predict(["a text"])
    form = Form(reads="features")
    with pytest.raises(DataError, match=r"'2' has the shape \(4, 4\); give the features of a picture as \(rows, col"):
        pairs_of(([np.zeros((4, 4, 2)), np.zeros((4, 4))], ["a", "b"]), form)
    with pytest.raises(DataError, match=r"'1' has features of the shape \(4, 4, 2\) and '2' of \(4, 4, 3\)"):
        pairs_of(([np.zeros((4, 4, 2)), np.zeros((4, 4, 3))], ["a", "b"]), form)


# ------------------------------------------------------------------------------------------------------ CIDEr-D


def oracle(answers: list[str], references: list[list[str]]) -> list[float]:
    """CIDEr-D by the equations of the paper, with a vector for all runs of words that there are."""
    every = [{n: [Counter(tuple(t[i : i + n]) for i in range(len(t) - n + 1)) for t in map(str.split, own)]
              for n in range(1, 5)} for own in references]  # fmt: skip
    found = []
    for answer, own in zip(answers, references, strict=True):
        total = 0.0
        for n in range(1, 5):
            runs = sorted({run for picture in every for text in picture[n] for run in text}
                          | {tuple(answer.split()[i : i + n]) for i in range(len(answer.split()) - n + 1)})  # fmt: skip
            seen = np.array([max(1, sum(any(run in text for text in one[n]) for one in every)) for run in runs])
            rare = np.log(len(references) / seen)

            def vector(text: str, n: int = n, runs: list = runs, rare: np.ndarray = rare) -> np.ndarray:
                words = text.split()
                return rare * [sum(words[i : i + n] == list(run) for i in range(len(words))) for run in runs]

            for right in own:
                a, r = vector(answer), vector(right)
                norms = np.linalg.norm(a) * np.linalg.norm(r)
                apart = max(0, len(answer.split()) - 1) - max(0, len(right.split()) - 1)
                if norms:
                    total += math.exp(-(apart**2) / 72) * np.minimum(a, r) @ r / norms / len(own) / 4
        found.append(1000 * total)
    return found


def test_cider_by_its_equations() -> None:
    draw = np.random.default_rng(0)
    words = ["a", "a", "the", "dog", "cat", "runs", "sleeps", "on", "grass", "red"]
    said = [[" ".join(draw.choice(words, draw.integers(1, 9))) for _ in range(draw.integers(1, 4))] for _ in range(9)]
    answers = [" ".join(draw.choice([*words, "zebra"], draw.integers(1, 12))) for _ in said]
    answers[0] = said[0][0]
    rows = [(str(n), text, answers[n]) for n, own in enumerate(said) for text in own]
    pictures, truth, answered = map(list, zip(*rows, strict=True))
    found = cider_statistics(truth, answered, pictures, "13a")["cider"]
    wanted = dict(zip(map(str, range(9)), oracle(answers, said), strict=True))
    np.testing.assert_allclose(found, [wanted[picture] for picture in pictures], rtol=1e-9)
    assert found.max() > 100


def test_cider_of_what_is_known() -> None:
    truth = ["a red dog runs fast", "the cat sleeps here now", "two birds sing at noon"]
    same, other = (cider_statistics(truth, one, ["1", "2", "3"], "13a")["cider"] for one in (truth, truth[::-1]))
    assert same == pytest.approx([1000, 1000, 1000]) and other == pytest.approx([0, 1000, 0])
    assert cider_statistics(["狗在草地上跑", "猫在睡觉"], ["狗在草地上跑", "狗"], ["1", "2"], "zh")["cider"][
        0
    ] == pytest.approx(1000)
    assert cider_statistics(["A dog, runs."] * 2, ["a dog runs", ""], ["1", "2"], "13a")["cider"] == pytest.approx(
        [0, 0]
    )


# ---------------------------------------------------------------------------------------------- report, commands


def test_pixels_are_a_file_that_others_can_read(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    for shape in ((5, 7, 1), (6, 4, 3)):
        pixels = draw.integers(0, 256, shape, dtype=np.uint8)
        (tmp_path / "a.png").write_bytes(png(pixels))
        np.testing.assert_array_equal(np.atleast_3d(np.asarray(Image.open(tmp_path / "a.png"))), pixels)
    wide = data_uri(np.full((500, 300, 3), 0.5))
    assert wide.startswith("data:image/png;base64,")
    small = np.asarray(Image.open(io.BytesIO(base64.b64decode(wide.split(",")[1]))))
    assert small.shape == (83, 50, 3) and (small == 128).all()


def test_each_word_has_a_picture_under_its_look() -> None:
    looked = np.random.default_rng(0).random((8, 6))
    figure = looks(looked, np.zeros((10, 9, 1)), Cells(2, 3, 8, 4), [*"abcdefgh"], "title")
    assert [one.text for one in figure.layout.annotations] == [*"abcdefgh"] and len(figure.layout.images) == 8
    heat = figure.data[7]
    np.testing.assert_array_equal(heat.z, looked[7].reshape(2, 3))
    assert list(heat.x) == [0, 4, 8, 9] and list(heat.y) == [0, 8, 10]
    image = figure.layout.images[7]
    assert (heat.xaxis, heat.yaxis) == (image.xref, image.yref) == ("x8", "y8")
    assert figure.layout.yaxis8.range == (10, 0) and figure.layout.xaxis8.range == (0, 9)


@pytest.fixture
def run(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.chdir(folder)
    return lambda *arguments: run_command(capsys, *arguments)


ASKED = ["--task", "seq2seq", "--hidden-size", 16, "--max-epochs", 1, "--epoch-steps", 2, "--batch-size", 8]


def test_commands(run: Run, folder: Path) -> None:
    longer = ["--task", "seq2seq", "--hidden-size", 32, "--max-epochs", 8, "--learning-rate", 0.01]
    answer = run("train", "captions.csv", *longer, "--out", "run")
    assert answer.code == 0, answer.err
    assert "read as pictures of 16 x 16 pixels, 1 colour(s)" in answer.err
    assert "CIDEr-D" in answer.out and "nearest pair" in answer.out
    page = (folder / "run" / "report.html").read_text(encoding="utf-8")
    assert "A picture for each word" in page and "As it wrote some captions" in page
    answer = run("predict", "run", "images/3.png")
    assert answer.code == 0 and "images/3.png" in answer.out
    assert run("predict", "run", "images").out.count(".png") == 40


def test_commands_with_features(run: Run, folder: Path) -> None:
    pictures, captions = marked(40)
    found = featured(pictures)
    lines = ["image,caption"]
    for n, caption in enumerate(captions):
        np.save(folder / f"{n}.npy", found[n])
        lines.append(f"{n}.npy,{caption}")
    (folder / "features.csv").write_text("\n".join(lines) + "\n")
    longer = ["--task", "seq2seq", "--hidden-size", 32, "--max-epochs", 8, "--learning-rate", 0.01]
    answer = run("train", "features.csv", *longer, "--reads", "features", "--out", "run")
    assert answer.code == 0, answer.err
    assert "read as 24 features for each of 4 x 4 places" in answer.err
    page = (folder / "run" / "report.html").read_text(encoding="utf-8")
    assert "A picture for each word" in page
    assert "3.npy" in run("predict", "run", "3.npy").out
    for command, said in {
        ("train", "captions.csv", "--reads", "features", *ASKED): "'images/0.png' is a picture, and no array of feat",
        ("predict", "run", "images/3.png"): "'images/3.png' is a picture, and no array of features",
    }.items():
        answer = run(*command)
        assert answer.code == 2 and said in " ".join(answer.err.split()), answer.err


def test_commands_with_bad_pictures(run: Run, folder: Path) -> None:
    assert run("train", "captions.csv", *ASKED, "--out", "run").code == 0
    (folder / "bad.png").write_bytes(b"no picture")
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(folder / "small.png")
    Image.fromarray(np.zeros((16, 16, 3), np.uint8)).save(folder / "colour.png")
    rows = {"absent": "images/none.png", "damaged": "bad.png", "sizes": "small.png"}
    for name, other in rows.items():
        lines = [f"images/{n}.png,a dog runs {n}" for n in range(10)]
        (folder / f"{name}.csv").write_text("\n".join(["image,caption", *lines, f"{other},a cat runs"]) + "\n")
    (folder / "empty.csv").write_text("image,caption\nimages/1.png,\nimages/2.png, \n")
    (folder / "texts.txt").write_text("a text\nanother one\n")
    bad = {
        ("train", "absent.csv", *ASKED): "names 'images/none.png', but there is no file",
        ("train", "damaged.csv", *ASKED): "'bad.png' is no picture that can be read, or is cut short",
        ("train", "sizes.csv", *ASKED): "has 16 x 16 pixels and picture 'small.png' has 9 x 9; bring all of them",
        ("train", "empty.csv", *ASKED): "There is no pair of texts: no line has a target.",
        ("predict", "run", "small.png"): "these are of 9 x 9 pixels",
        ("predict", "run", "colour.png"): "these are of 16 x 16 pixels and 3 colour(s)",
        ("predict", "run", "texts.txt"): "trained on pictures, and these are texts",
        ("predict", "run", "none.png"): "none.png",
    }
    for command, said in bad.items():
        answer = run(*command)
        err = " ".join(answer.err.split())
        assert answer.code == 2 and said in err, (command, err)
        assert "Traceback" not in err
