"""Tensors that cross boundaries by name.

Shapes: B batch, T steps, I inputs.
"""

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """What a model reads and what it should have said."""

    inputs: Tensor  # (B, T, I) numbers, or (B, T) symbols
    targets: Tensor | None = None  # what the task compares with; None when there is nothing to compare
    mask: Tensor | None = None  # (B, T), True where a step is real; None means all are
    target_mask: Tensor | None = None  # of the shape of ``targets``, True where one is known
    extras: dict[str, Tensor] = field(default_factory=dict)  # what only one task knows, by name

    def __len__(self) -> int:
        return self.inputs.shape[0]

    def to(self, device: torch.device) -> "Batch":
        """Return the batch on another device."""

        def move(tensor: Tensor | None) -> Tensor | None:
            return None if tensor is None else tensor.to(device)

        extras = {name: tensor.to(device) for name, tensor in self.extras.items()}
        moved = replace(self, inputs=self.inputs.to(device), extras=extras)
        return replace(
            moved,
            targets=move(self.targets),
            mask=move(self.mask),
            target_mask=move(self.target_mask),
        )
