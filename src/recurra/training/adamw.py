"""AdamW on torch's fused kernel, without the compiler that ``torch.optim`` imports, which takes as long as a small fit.

Steps and state are those of ``torch.optim.AdamW(fused=True)``, and so is the form of the state on disk.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8


class AdamW:
    """Steps of the size of the learning rate, along the mean gradient over its root mean square, and a decay.

        m ← β₁ m + (1 − β₁) g,  v ← β₂ v + (1 − β₂) g²
        θ ← (1 − η λ) θ − η (m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε)

    With ``average`` a there is also a running mean of the weights, ``θ̄ ← a θ̄ + (1 − a) θ``, which begins at those after
    the first step (Polyak & Juditsky 1992, https://doi.org/10.1137/0330046).

    Every group has ``params``, its rate η as ``lr``, its decay λ as ``weight_decay``, and whatever else its owner
    keeps there. Parameters without a gradient stay as they are. Loshchilov & Hutter 2019, arXiv 1711.05101.
    """

    def __init__(self, groups: Iterable[dict[str, Any]], average: float = 0.0):
        self.param_groups, self.average = list(groups), average
        self.state: dict[Tensor, dict[str, Tensor]] = {}

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for parameter in self._parameters():
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Take one step."""
        for group in self.param_groups:
            moved = [p for p in group["params"] if p.grad is not None]
            if not moved:
                continue
            slots = [self._slots(p) for p in moved]
            counts = [slot["step"] for slot in slots]
            torch._foreach_add_(counts, 1)
            torch._fused_adamw_(
                moved,
                [p.grad for p in moved],
                [slot["exp_avg"] for slot in slots],
                [slot["exp_avg_sq"] for slot in slots],
                [],
                counts,
                amsgrad=False,
                lr=group["lr"],
                beta1=BETA1,
                beta2=BETA2,
                weight_decay=group["weight_decay"],
                eps=EPSILON,
                maximize=False,
            )
        if self.average:
            self._keep_average()

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Have the running means in the place of the weights meanwhile, where there are any."""
        known = [p for p in self._parameters() if "average" in self.state.get(p, {})]
        own = [p.detach().clone() for p in known]
        try:
            with torch.no_grad():
                for parameter in known:
                    parameter.copy_(self.state[parameter]["average"])
            yield
        finally:
            with torch.no_grad():
                for parameter, weights in zip(known, own, strict=True):
                    parameter.copy_(weights)

    def _keep_average(self) -> None:
        for parameter, slots in self.state.items():
            if "average" in slots:
                slots["average"].lerp_(parameter, 1 - self.average)
            else:
                slots["average"] = parameter.detach().clone()

    def state_dict(self) -> dict[str, Any]:
        """Return the state, with every parameter named by its number."""
        numbers = {parameter: number for number, parameter in enumerate(self._parameters())}
        groups = [group | {"params": [numbers[p] for p in group["params"]]} for group in self.param_groups]
        return {"state": {numbers[p]: dict(slots) for p, slots in self.state.items()}, "param_groups": groups}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what ``state_dict`` gave, of the same parameters; nothing is shared with it afterwards."""
        parameters = self._parameters()
        for group, kept in zip(self.param_groups, state["param_groups"], strict=True):
            group |= {name: value for name, value in kept.items() if name != "params"}
        self.state = {
            parameters[int(number)]: {
                name: _placed(name, value, parameters[int(number)]) for name, value in slots.items()
            }
            for number, slots in state["state"].items()
        }

    def _parameters(self) -> Sequence[Tensor]:
        return [parameter for group in self.param_groups for parameter in group["params"]]

    def _slots(self, parameter: Tensor) -> dict[str, Tensor]:
        if parameter not in self.state:
            self.state[parameter] = {
                "step": torch.zeros((), dtype=torch.float32, device=parameter.device),
                "exp_avg": torch.zeros_like(parameter),
                "exp_avg_sq": torch.zeros_like(parameter),
            }
        return self.state[parameter]


def _placed(name: str, value: Tensor, parameter: Tensor) -> Tensor:
    dtype = torch.float32 if name == "step" else parameter.dtype
    return value.detach().clone().to(parameter.device, dtype)
