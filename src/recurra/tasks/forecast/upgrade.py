"""Runs of format 1, which only knew forecasting, as runs of today."""

from typing import Any

from torch import Tensor


def upgraded(config: dict[str, Any], tensors: dict[str, Tensor]) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return settings, what was learned and the record of a run of format 1 where format 2 has them."""
    data, settings = config["data"], config["settings"]
    learned = {
        "schema": data["schema"],
        "layout": config["layout"],
        "joint": settings["forecast"]["channels"] == "joint",
        "names": data["names"],
        "starts": data["starts"],
        "lengths": data["lengths"],
    }
    today = {
        "format": 2,
        "task": "forecast",
        "settings": settings | {"forecast": settings["forecast"] | {"lags": False}},
        "learned": learned,
        "baselines": [],
        "record": config["about"],
    }
    return today, {_renamed(name): value for name, value in tensors.items()}


def _renamed(name: str) -> str:
    return f"learned.{name.removeprefix('memory.')}" if name.startswith("memory.") else name
