"""Runs of format 1, which only knew forecasting, and of format 2 as runs of today."""

from typing import Any

import torch
from torch import Tensor

UNIT = {"network.unit": torch.ones(())}  # in which networks saw values up to format 2


def upgraded(config: dict[str, Any], tensors: dict[str, Tensor]) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return what a run of an earlier format holds, where today's has it."""
    if config["format"] == 2:
        return config, UNIT | tensors
    return _of_first_format(config), UNIT | {_renamed(name): value for name, value in tensors.items()}


def _of_first_format(config: dict[str, Any]) -> dict[str, Any]:
    data, settings = config["data"], config["settings"]
    learned = {
        "schema": data["schema"],
        "layout": config["layout"],
        "joint": settings["forecast"]["channels"] == "joint",
        "names": data["names"],
        "starts": data["starts"],
        "lengths": data["lengths"],
    }
    return {
        "format": 2,
        "task": "forecast",
        "settings": settings | {"forecast": settings["forecast"] | {"lags": False}},
        "learned": learned,
        "baselines": [],
        "record": config["about"],
    }


def _renamed(name: str) -> str:
    return f"learned.{name.removeprefix('memory.')}" if name.startswith("memory.") else name
