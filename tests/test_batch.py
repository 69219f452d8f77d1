"""Streams by name: what a batch holds, and that all of it goes where the batch goes."""

import pytest
import torch
from torch import Tensor

from recurra.data.batch import Batch, Stream
from recurra.errors import ConfigError

B, T = 4, 3


def whole() -> Batch:
    """Every kind of stream, with numbers that say which example they belong to."""
    at = torch.arange(B)
    mask = (at.unsqueeze(1) + torch.arange(T)) % 2 == 0
    known = Stream(at.view(B, 1, 1).expand(B, T, 2).float(), ~mask)
    return Batch(
        at.view(B, 1).expand(B, T) + 10, at + 20, mask, at > 1, {"static": at + 30, "known": known}, (at + 40, at + 50)
    )


def everything(batch: Batch) -> dict[str, Tensor | None]:
    named = {f"{name} {part}": tensor for name, s in batch.streams.items() for part, tensor in s._asdict().items()}
    return named | {f"carried {n}": tensor for n, tensor in enumerate(batch.carried)}


def test_source_and_target_have_names_of_their_own() -> None:
    batch = whole()
    assert len(batch) == B and list(batch.streams) == ["source", "target", "static", "known"]
    assert batch.inputs is batch["source"] and batch.mask is batch.streams["source"].mask
    assert batch.targets is batch["target"] and batch.target_mask is batch.streams["target"].mask
    assert batch["static"].tolist() == [30, 31, 32, 33] and batch.streams["static"].mask is None
    assert torch.equal(batch.streams["known"].mask, ~batch.mask)


def test_what_is_not_there() -> None:
    batch = Batch(torch.zeros(B, T, 1))
    assert batch.targets is None and batch.mask is None and batch.target_mask is None
    assert batch.get("observed") is None and batch.carried == ()
    with pytest.raises(ConfigError, match=r"no stream 'observed'\. It has: source, static"):
        Batch(torch.zeros(1, 1), others={"static": torch.zeros(1)})["observed"]
    with pytest.raises(ConfigError, match="'target'"):
        Batch(torch.zeros(1, 1), others={"target": torch.zeros(1)})


def test_rows_are_rows_of_everything() -> None:
    numbers = torch.tensor([3, 1, 1])
    taken, given = everything(whole().rows(numbers)), everything(whole())
    assert taken.keys() == given.keys()
    for name, tensor in given.items():
        assert taken[name] is None if tensor is None else torch.equal(taken[name], tensor[numbers]), name


def test_everything_moves() -> None:
    """The device 'meta' is another one than the CPU on every machine."""
    moved, given = everything(whole().to(torch.device("meta"))), everything(whole())
    assert moved.keys() == given.keys()
    for name, tensor in given.items():
        assert moved[name] is None if tensor is None else moved[name].is_meta, name


def test_one_stream_is_replaced_and_the_batch_it_came_from_is_not() -> None:
    batch = whole()
    other = batch.with_values("source", torch.zeros(B, T)).with_values("new", torch.ones(B)).with_carried(())
    assert other.inputs.sum() == 0 and other.mask is batch.mask and other["new"].sum() == B
    assert other["static"] is batch["static"] and other.carried == ()
    assert batch.inputs.sum() > 0 and batch.get("new") is None and len(batch.carried) == 2
