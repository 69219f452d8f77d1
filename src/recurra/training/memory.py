"""How much memory a training step takes."""

import torch
from torch import nn

from ..data.batch import Batch
from ..random import using, watching
from .task import Task


def step_memory(model: nn.Module, task: Task, batch: Batch) -> int:
    """Return the bytes of a training step: weights, gradients, AdamW's two moments, and what backward needs."""
    weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
    saved: dict[int, int] = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            saved[storage.data_ptr()] = storage.nbytes()
        return tensor

    with (
        using(torch.Generator()),
        watching(model, task)(),
        torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor),
    ):
        model.train()
        _ = task.loss(task.ask(model, batch), batch).mean
    model.eval()
    return 4 * sum(p.numel() * p.element_size() for p in model.parameters()) + sum(saved.values())
