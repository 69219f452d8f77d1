"""Moving pictures: the filters by loops, frames that are not real, and digits whose label is the order of frames."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from commands import run_command
from recurra import Classifier, Regressor, Tagger
from recurra.errors import ConfigError, DataError
from recurra.nn.pictures import Pictures
from recurra.tasks.cases.network import Frames, Layout


def by_loops(net: Pictures, picture: np.ndarray) -> np.ndarray:
    """A picture (C, H, W) through the layers of a trained network, a pixel at a time."""
    x = picture
    for layer, norm in zip(net.layers, net.norms, strict=True):
        weights, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
        rows, columns = x.shape[1:]
        y = np.zeros((len(weights), rows, columns))
        for f, row, column in np.ndindex(*y.shape):
            total = bias[f]
            for c, i, j in np.ndindex(len(x), 3, 3):
                at = row + i - 1, column + j - 1
                if 0 <= at[0] < rows and 0 <= at[1] < columns:
                    total += weights[f, c, i, j] * x[c, at[0], at[1]]
            scale = norm.weight[f].item() / np.sqrt(float(norm.running_var[f]) + norm.eps)
            y[f, row, column] = max(0.0, (total - float(norm.running_mean[f])) * scale + norm.bias[f].item())
        if max(picture.shape[1:]) > 4:
            y = np.array(
                [
                    [[f[r : r + 2, c : c + 2].max() for c in range(0, columns, 2)] for r in range(0, rows, 2)]
                    for f in y
                ]
            )  # fmt: skip
        x = y
    return x.ravel()


@pytest.mark.parametrize("shape", [(1, 5, 7), (3, 4, 3), (2, 9, 2), (1, 1, 1)])
def test_the_filters_by_loops(shape: tuple[int, int, int]) -> None:
    torch.manual_seed(1)
    net = Pictures(shape, 4).double()
    pictures = torch.randn(6, *shape, dtype=torch.float64)
    net(pictures)  # from which the norms measure something
    net.eval()
    expected = np.stack([by_loops(net, one.numpy()) for one in pictures])
    assert expected.shape[1] == net.output_size
    assert np.allclose(net(pictures).detach(), expected)


def test_as_many_layers_as_it_takes() -> None:
    for side, layers, places in ((4, 1, 16), (8, 1, 16), (9, 2, 9), (28, 3, 16), (64, 4, 16)):
        net = Pictures((1, side, side), 8)
        assert len(net.layers) == layers and net.output_size == places * net.layers[-1].out_channels
        assert net(torch.zeros(2, 1, side, side)).shape == (2, net.output_size)


@pytest.mark.parametrize("filters", [0, 4])
def test_frames_that_are_not_real_change_nothing(filters: int) -> None:
    torch.manual_seed(2)
    layout = Layout(12, 12, 1, 1, 1, False, 4, shape=(1, 3, 4))
    front = Frames(layout, 5, filters)
    short = torch.randn(2, 3, 12)
    longer = torch.cat([short, torch.full((2, 2, 12), 1e6)], 1)
    mask = torch.arange(5) < 3
    for train in (True, False):
        front.train(train)
        alone, none = front(short, None)
        padded, still = front(longer, mask.expand(2, 5))
        assert none is None and still is not None and torch.equal(still, mask.expand(2, 5))
        assert torch.allclose(padded[:, :3], alone, atol=1e-6)
        assert not padded[:, 3:].any()


def moving(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Digits that move to the left or to the right: (N, 6, 8, 13)."""
    random = np.random.default_rng(seed)
    images = load_digits().images
    X, right = np.zeros((count, 6, 8, 13)), random.integers(0, 2, count)
    for case, forward in zip(X, right, strict=True):
        digit = images[random.integers(len(images))]
        for t, frame in enumerate(case):
            at = t if forward else 5 - t
            frame[:, at : at + 8] = digit
    return X, np.array(["left", "right"])[right]


@pytest.mark.slow
def test_only_the_order_of_frames_tells_where_digits_move() -> None:
    (X, y), (X_test, y_test) = moving(128, 0), moving(128, 1)
    means, means_test = (one.mean(1).reshape(len(one), -1) for one in (X, X_test))
    assert LogisticRegression(max_iter=1000).fit(means, y).score(means_test, y_test) < 0.65
    model = Classifier(filters=8, hidden_size=16, max_epochs=6, epoch_steps=10, last_epochs=0).fit(X, y)
    assert model.score(X_test, y_test) > 0.97
    looked = model.attention_table(X_test[:1])
    assert looked["from"].tolist() == looked["to"].tolist() == [0, 1, 2, 3, 4, 5]
    with pytest.raises(DataError, match=r"trained on moving pictures of 8 x 13 pixels and 1 colour\(s\)"):
        model.predict(X_test.reshape(len(X_test), 6, -1).transpose(0, 2, 1))
    with pytest.raises(DataError, match="but these cases are moving pictures of 13 x 8"):
        model.predict(X_test.transpose(0, 1, 3, 2))


def test_pictures_of_any_length_in_colours_come_back_from_a_run(tmp_path) -> None:  # type: ignore[no-untyped-def]
    random = np.random.default_rng(3)
    X = [random.integers(0, 255, (3 + n % 3, 5, 6, 3)).astype(np.uint8) for n in range(12)]
    X[0] = X[0].astype(float)
    X[0][1, 2, 3] = np.nan
    y = np.arange(12) % 2
    model = Classifier(filters=2, hidden_size=4, max_epochs=1, last_epochs=0, normalise="case").fit(X, y)
    again = Classifier.load(model.save(tmp_path / "run"))
    assert np.array_equal(again.predict_proba(X), model.predict_proba(X))
    assert again.fitted_.learned.reading.layout == model.fitted_.learned.reading.layout
    scaled = again.fitted_.learned.reading.scaled(X[3].reshape(len(X[3]), -1).astype(float))
    assert np.allclose([scaled.mean(), scaled.std()], [0, 1])


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"segment": 2}, "The setting segment has no effect: each frame of a moving picture is read by itself"),
        ({"changes": False}, "The setting changes has no effect: each frame of a moving picture is read by itself"),
        ({"id": "who"}, "The setting id has no effect: X and y have no columns that it could name"),
    ],
)
@pytest.mark.parametrize("estimator", [Classifier, Regressor, Tagger])
def test_settings_that_do_nothing_for_pictures_and_arrays(estimator: type, settings: dict[str, Any], said: str) -> None:
    if "segment" in settings and estimator is Tagger:
        pytest.skip("it reads step by step and has no such setting")
    labels = np.arange(12) % 2 if estimator is not Tagger else np.arange(36).reshape(12, 3) % 2
    with pytest.raises(ConfigError, match=said):
        estimator(**settings).fit(np.zeros((12, 3, 4, 5)) + np.arange(5), labels)


def test_commands_say_so_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez(tmp_path / "a.npz", X=np.random.default_rng(0).random((12, 3, 4, 5)), y=np.arange(12) % 2)
    answer = run_command(capsys, "train", tmp_path / "a.npz", "--task", "classify", "--no-changes")
    assert answer.code == 2 and "The setting changes has no effect: each frame of a moving picture" in answer.err
