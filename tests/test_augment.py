"""Training examples that are a little different each time: by the book, within each sequence, and only in training."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from recurra.data.batch import Batch
from recurra.data.cases import Cases, cases_of
from recurra.errors import ConfigError
from recurra.nn.augment import Augmentation
from recurra.nn.build import unused
from recurra.nn.disguise import Disguise
from recurra.random import using
from recurra.settings import make_config
from recurra.tasks.classify.kind import KIND
from recurra.tasks.classify.settings import PARTS

LENGTHS = [9, 5, 2, 1]


def batch_of(lengths: list[int], known: bool = False) -> Batch:
    steps = max(lengths)
    mask = torch.arange(steps) < torch.tensor(lengths).unsqueeze(1)
    x = torch.randn(len(lengths), steps, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    others: dict[str, Any] = {"known": (x > 0) & mask.unsqueeze(-1)} if known else {}
    whole = len(set(lengths)) == 1
    return Batch(x * mask.unsqueeze(-1), None, None if whole else mask, others=others)


def changed(how: Augmentation, batch: Batch, seed: int = 3) -> Batch:
    with using(torch.Generator().manual_seed(seed)):
        return how.changed(batch)


def draws(count: int, seed: int = 3) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.rand(count, 1, generator=generator, dtype=torch.float64)[:, 0] for _ in range(2))  # type: ignore[return-value]


def places(lengths: list[int], most: float) -> list[np.ndarray]:
    """Return where each step of each sequence is read: a moment of it is another moment, and both ends are the ends."""
    found = []
    for first, second, length in zip(*draws(len(lengths)), lengths, strict=True):
        moment = 0.1 + 0.8 * float(first)
        furthest = min(moment, 1 - moment) / 2
        before = moment + max(-furthest, min(furthest, most * (2 * float(second) - 1)))
        time = np.arange(length) / max(1, length - 1)
        found.append(np.interp(time, [0, moment, 1], [0, before, 1]) * (length - 1))
    return found


@pytest.mark.parametrize("most", [0.1, 0.9])
@pytest.mark.parametrize("lengths", [LENGTHS, [6, 6, 6]])
def test_a_moment_is_moved_and_the_rest_stretched_in_straight_lines(lengths: list[int], most: float) -> None:
    batch = batch_of(lengths)
    new = changed(Augmentation(warp=most), batch).inputs.numpy()
    for n, (length, at) in enumerate(zip(lengths, places(lengths, most), strict=True)):
        assert (np.diff(at) > 0).all()
        for channel in range(2):
            expected = np.interp(at, np.arange(length), batch.inputs[n, :length, channel].numpy())
            np.testing.assert_allclose(new[n, :length, channel], expected, atol=1e-12)
        assert not new[n, length:].any()


def test_what_is_known_moves_along() -> None:
    batch = batch_of(LENGTHS, known=True)
    new = changed(Augmentation(warp=0.5), batch)["known"]
    for n, (length, at) in enumerate(zip(LENGTHS, places(LENGTHS, 0.5), strict=True)):
        nearest = np.floor(at + 0.5).astype(int)
        assert (new[n, :length] == batch["known"][n, nearest]).all() and not new[n, length:].any()


def test_a_sequence_is_multiplied_by_one_factor() -> None:
    batch = batch_of(LENGTHS)
    new = changed(Augmentation(rescale=0.2), batch).inputs
    factors = 1 + 0.2 * torch.randn(len(LENGTHS), 1, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    torch.testing.assert_close(new, batch.inputs * factors.unsqueeze(-1))


SCALES = torch.linspace(-30.0, 6.0, 7), torch.linspace(8.0, 14.0, 7), torch.linspace(0.3, 0.9, 7)


def sounds(lengths: list[int], with_changes: bool) -> tuple[Batch, list[np.ndarray]]:
    """Return sounds of 7 bands as a network reads them, and their dB."""
    draw, (mean, std, change) = np.random.default_rng(5), (one.double().numpy() for one in SCALES)
    heard = [np.maximum(y - y.max(), -50) for y in (draw.normal(-30, 20, (length, 7)) for length in lengths)]
    x = np.zeros((len(lengths), max(lengths), 14 if with_changes else 7))
    for row, y in zip(x, heard, strict=True):
        row[: len(y)] = read_as((y - mean) / std, change if with_changes else None)
    mask = torch.arange(max(lengths)) < torch.tensor(lengths).unsqueeze(1)
    return Batch(torch.from_numpy(x), None, None if len(set(lengths)) == 1 else mask), heard


def read_as(scaled: np.ndarray, change: np.ndarray | None) -> np.ndarray:
    if change is None:
        return scaled
    return np.concatenate([scaled, np.diff(scaled, axis=0, prepend=scaled[:1]) / change], 1)


@pytest.mark.parametrize("with_changes", [True, False])
@pytest.mark.parametrize("lengths", [LENGTHS, [6, 6, 6]])
def test_sounds_are_those_of_another_voice_microphone_and_room(lengths: list[int], with_changes: bool) -> None:
    batch, before = sounds(lengths, with_changes)
    mean, std, change = (one.double() for one in SCALES)
    how = Augmentation(disguise=Disguise(1.5, mean, std, change if with_changes else None))
    new = changed(how, batch).inputs.numpy()
    generator = torch.Generator().manual_seed(3)

    def drawn(draw: Any, *shape: int) -> np.ndarray:
        values: np.ndarray = draw(len(lengths), *shape, generator=generator, dtype=torch.float64).numpy()
        return values

    voice, microphone = drawn(torch.rand, 1, 1).ravel(), drawn(torch.randn, 1, 4)[:, 0]
    room, colour = drawn(torch.rand, 1, 1).ravel(), drawn(torch.randn, 1, 4)[:, 0]
    bands, places = np.arange(7), np.linspace(0, 6, 4)
    for n, y in enumerate(before):
        loudest = y.max()
        at = bands * (1 + 0.15 * (2 * voice[n] - 1))
        said = np.stack([np.interp(at, bands, row) for row in y]) + 7.5 * np.interp(bands, places, microphone[n])
        said += loudest - said.max()
        other = np.maximum(said, -50 + 37.5 * room[n] + 7.5 * np.interp(bands, places, colour[n]))
        expected = read_as((other - mean.numpy()) / std.numpy(), change.numpy() if with_changes else None)
        np.testing.assert_allclose(new[n, : len(y)], expected, atol=1e-9)
        assert not new[n, len(y) :].any()


def recorded(rate: int | None) -> Cases:
    draw = np.random.default_rng(0)
    values = tuple(np.maximum(draw.normal(-25, 15, (9, 5)), -50) for _ in range(20))
    return Cases(values, ("a", "b") * 10, tuple("abcdefghijklmnopqrst"), tuple("12345"), rate=rate)


@pytest.mark.parametrize(
    ("given", "strength"),
    [({}, 1.0), ({"disguise": 0.0}, 0.0), ({"disguise": 0.5, "changes": False}, 0.5), ({"normalise": "none"}, 1.0)],
)
def test_sounds_are_disguised_in_the_scale_they_are_read_in(given: dict[str, Any], strength: float) -> None:
    prepared = KIND.prepare(recorded(8000), make_config(PARTS, given), 0)
    learned = KIND.recall(*prepared.learned.to_plain())
    disguise = learned.augmentation.disguise
    assert (disguise.strength if disguise else 0.0) == strength
    assert not disguise or (disguise.change is None) == ("changes" in given)
    if disguise:  # nothing is left of a disguise of strength zero, but for what is written in other numbers
        batch = prepared.train.take(torch.arange(8))
        same = changed(Augmentation(disguise=disguise._replace(strength=0.0)), batch).inputs
        torch.testing.assert_close(same, batch.inputs, rtol=0, atol=2e-3)


def test_what_is_no_sound_is_not_disguised() -> None:
    assert KIND.prepare(recorded(None), make_config(PARTS, {}), 0).learned.augmentation.disguise is None
    with pytest.raises(ConfigError, match="disguise=2 is for sounds, and these are none"):
        KIND.prepare(recorded(None), make_config(PARTS, {"disguise": 2.0}), 0)
    each = make_config(PARTS, {"normalise": "case", "disguise": 1.0})
    assert "how loud" in unused(each, KIND.unused(each))["disguise"]
    assert (
        KIND.prepare(recorded(8000), make_config(PARTS, {"normalise": "case"}), 0).learned.augmentation.disguise is None
    )


def test_nothing_is_done_by_default_and_nothing_when_answers_are_asked() -> None:
    batch = batch_of(LENGTHS)
    assert changed(Augmentation(), batch) is batch
    data = cases_of(np.random.default_rng(0).normal(size=(20, 30)), [0, 1] * 10)
    prepared = KIND.prepare(data, make_config(PARTS, {"hidden_size": 4, "filters": 0, "dropout": 0.0}), 0)
    network, task = KIND.make(prepared.config, prepared.learned)
    some = prepared.train.take(torch.arange(4))
    with using(torch.Generator().manual_seed(0)), torch.no_grad():
        asked = [task.ask(network.eval(), some).prediction for _ in range(2)]
        trained = [task.ask(network.train(), some).prediction for _ in range(2)]
    torch.testing.assert_close(asked[0], asked[1], rtol=0, atol=0)
    assert not torch.allclose(trained[0], trained[1])


@pytest.mark.parametrize(
    ("values", "given", "expected"),
    [
        (np.random.default_rng(0).normal(size=(20, 30)), {}, (0.1, 0.1)),
        (np.random.default_rng(0).normal(size=(20, 30)), {"warp": 0.0, "rescale": 0.3}, (0.0, 0.3)),
        (np.random.default_rng(0).normal(size=(20, 7)), {}, (0.0, 0.0)),  # short
        (np.random.default_rng(0).integers(0, 2, (20, 30)), {}, (0.0, 0.0)),  # symbols
        (np.random.default_rng(0).integers(0, 2, (20, 30)), {"warp": 0.2}, (0.2, 0.0)),
    ],
)
def test_curves_are_augmented_and_symbols_are_not(
    values: np.ndarray, given: dict[str, Any], expected: tuple[float, float]
) -> None:
    prepared = KIND.prepare(cases_of(values, [0, 1] * 10), make_config(PARTS, given), 0)
    assert prepared.learned.augmentation == Augmentation(*expected)
    again = KIND.recall(*prepared.learned.to_plain())
    assert again.augmentation == Augmentation(*expected)
