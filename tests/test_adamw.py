"""The optimiser: its steps are those of torch, its state goes to disk and back, and no compiler comes along with it."""

import copy
import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from recurra.training.adamw import AdamW

GROUPS: list[dict[str, Any]] = [{"lr": 3e-2, "weight_decay": 0.0}, {"lr": 1e-2, "weight_decay": 0.3, "name": "slow"}]


def parameters() -> list[nn.Parameter]:
    generator = torch.Generator().manual_seed(3)
    shapes: list[tuple[int, ...]] = [(4, 3), (5,), (), (2, 2)]
    return [nn.Parameter(torch.randn(shape, generator=generator)) for shape in shapes]


def grouped(of: list[nn.Parameter]) -> list[dict[str, Any]]:
    return [{"params": of[:2]} | GROUPS[0], {"params": of[2:]} | GROUPS[1]]


def descend(optimiser: AdamW | torch.optim.AdamW, of: list[nn.Parameter], steps: range) -> None:
    """Take ``steps`` along gradients that are the same for everybody; every third step the last parameter has none."""
    for step in steps:
        optimiser.zero_grad()
        for number, parameter in enumerate(of):
            if step % 3 or number < len(of) - 1:
                parameter.grad = torch.sin(parameter.detach() * (step + 2) + number)
        optimiser.step()


def equal(first: list[nn.Parameter], second: list[nn.Parameter]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_steps_are_those_of_torch() -> None:
    own, theirs = parameters(), parameters()
    descend(AdamW(grouped(own)), own, range(40))
    descend(torch.optim.AdamW(grouped(theirs)), theirs, range(40))
    for mine, other in zip(own, theirs, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-5, atol=1e-6)
    assert not equal(own, parameters())


def test_it_goes_on_from_its_state() -> None:
    whole, halves = parameters(), parameters()
    descend(AdamW(grouped(whole)), whole, range(20))
    first = AdamW(grouped(halves))
    descend(first, halves, range(9))
    kept = copy.deepcopy(first.state_dict())
    then = AdamW([group | {"lr": 1.0} for group in grouped(halves)])
    then.load_state_dict(kept)
    descend(then, halves, range(9, 20))
    assert equal(whole, halves)
    assert [group["lr"] for group in then.param_groups] == [3e-2, 1e-2]


def test_the_running_mean_is_that_of_torch() -> None:
    module = nn.ParameterList(parameters())
    theirs = AveragedModel(module, multi_avg_fn=get_ema_multi_avg_fn(0.8))
    own = list(module)
    optimiser = AdamW(grouped(own), average=0.8)
    for step in range(1, 12):
        descend(optimiser, own, range(step, step + 1))
        theirs.update_parameters(module)
        if step == 5:  # it goes on from its state
            state = copy.deepcopy(optimiser.state_dict())
            optimiser = AdamW(grouped(own), average=0.8)
            optimiser.load_state_dict(state)
    before = copy.deepcopy(own)
    with optimiser.averaged():
        for mine, other in zip(own, theirs.module, strict=True):
            torch.testing.assert_close(mine, other)
        assert not equal(own, before)
    assert equal(own, before)
    with pytest.raises(KeyError), optimiser.averaged():
        raise KeyError
    assert equal(own, before), "whatever happens meanwhile"


def test_a_state_that_torch_wrote_is_read() -> None:
    whole, halves = parameters(), parameters()
    descend(AdamW(grouped(whole)), whole, range(20))
    theirs = torch.optim.AdamW(grouped(halves), fused=True)
    descend(theirs, halves, range(9))
    then = AdamW(grouped(halves))
    then.load_state_dict(theirs.state_dict())
    descend(then, halves, range(9, 20))
    for mine, other in zip(whole, halves, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-5, atol=1e-6)


def test_a_loaded_state_is_a_copy() -> None:
    of = parameters()
    optimiser = AdamW(grouped(of))
    descend(optimiser, of, range(2))
    kept: dict[int, dict[str, Tensor]] = copy.deepcopy(optimiser.state_dict()["state"])
    then = AdamW(grouped(of))
    then.load_state_dict({"state": kept, "param_groups": optimiser.state_dict()["param_groups"]})
    descend(then, of, range(2, 4))
    assert float(kept[0]["step"]) == 2


@pytest.mark.slow
def test_a_training_does_not_import_torchs_compiler() -> None:
    code = (
        "import sys, pandas as pd, numpy as np; from recurra import Forecaster; "
        "Forecaster(horizon=2, hidden_size=4, max_epochs=1, epoch_steps=2).fit("
        "pd.DataFrame({'ds': pd.date_range('2024', periods=60), 'y': np.arange(60.) % 7})).predict(); "
        "print('torch._dynamo' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False", done.stdout
