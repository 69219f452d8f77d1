"""The run folder: settings, weights and history in plain files, written so that a kill leaves old or new.

``config.json`` says what was trained, ``model.safetensors`` holds the weights and a copy of the config,
``history.jsonl`` one line per epoch, ``report.html`` the report; ``checkpoint.safetensors`` exists while a
training is under way. Nothing in a run folder is ever executed.
"""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from .errors import RunError
from .train import Epoch, Progress

CONFIG, MODEL, HISTORY, REPORT = "config.json", "model.safetensors", "history.jsonl", "report.html"
CHECKPOINT = "checkpoint.safetensors"


class Run(NamedTuple):
    """What a run folder holds."""

    config: dict[str, Any]
    weights: dict[str, Tensor]
    history: list[dict[str, Any]]


def check_writable(folder: Path, overwrite: bool) -> None:
    """Raise RunError if a run could not be written to ``folder``: it exists, is a file, or cannot be made."""
    if folder.exists() and not folder.is_dir():
        raise RunError(f"{folder} is a file, but a run needs a folder. Give another name.")
    if folder.exists() and any(folder.iterdir()) and not overwrite:
        raise RunError(f"The folder {folder} is not empty. Give another name, or overwrite it on purpose.")
    if folder.exists() and any(folder.iterdir()) and not _is_run(folder):
        raise RunError(f"The folder {folder} holds something that is not a run, so it is not overwritten.")
    parent = folder if folder.exists() else next(p for p in folder.absolute().parents if p.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        raise RunError(f"The folder {folder} cannot be written: no permission in {parent}.")


def _is_run(folder: Path) -> bool:
    return (folder / CONFIG).exists() or (folder / CHECKPOINT).exists()


def write(folder: Path, run: Run, texts: Mapping[str, str] | None = None) -> None:
    """Write a whole run, and other ``texts`` by file name, beside ``folder`` and put it there in one move."""
    folder = folder.absolute()
    folder.parent.mkdir(parents=True, exist_ok=True)
    new = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir()
    try:
        (new / CONFIG).write_text(_dump(run.config, indent=2), encoding="utf-8")
        save_file(_plain(run.weights), new / MODEL, {"config": _dump(run.config)})
        lines = "".join(_dump(line) + "\n" for line in run.history)
        (new / HISTORY).write_text(lines, encoding="utf-8")
        for name, text in (texts or {}).items():
            (new / name).write_text(text, encoding="utf-8")
        (new / "complete").touch()
    except OSError as fault:
        shutil.rmtree(new, ignore_errors=True)
        raise RunError(f"The run could not be written to {folder}: {fault}.") from None
    _swap(folder, new)


def _swap(folder: Path, new: Path) -> None:
    """Put ``new`` in the place of ``folder``. A kill in between is mended by ``recover``."""
    old = folder.with_name(f".{folder.name}.old")
    if folder.exists():
        shutil.rmtree(old, ignore_errors=True)
        folder.rename(old)
    new.rename(folder)
    (folder / "complete").unlink()
    shutil.rmtree(old, ignore_errors=True)


def recover(folder: Path) -> None:
    """Finish a move that was interrupted: put the new run, if it is whole, or the old one in its place."""
    folder = folder.absolute()
    new, old = folder.with_name(f".{folder.name}.new"), folder.with_name(f".{folder.name}.old")
    if folder.exists():
        return
    if (new / "complete").exists():
        _swap(folder, new)
    elif old.exists():
        old.rename(folder)


def read(folder: Path) -> Run:
    """Read a run folder; raises RunError that says what is missing, cut off or was changed."""
    recover(folder)
    if not folder.is_dir():
        raise RunError(f"There is no run folder {folder}.")
    if not (folder / MODEL).exists() and (folder / CHECKPOINT).exists():
        raise RunError(f"The training in {folder} was not finished. Go on with: recurra train --resume {folder}")
    for name in (CONFIG, MODEL):
        if not (folder / name).exists():
            raise RunError(f"{folder} is not a run folder: {name} is missing.")
    config = _read_json(folder / CONFIG)
    weights, metadata = _read_tensors(folder / MODEL)
    original = json.loads(metadata.get("config", "{}"))
    changes = differences(original, config)
    if changes:
        raise RunError(
            f"{folder / CONFIG} was changed after the run was written: {'; '.join(changes[:5])}. Put it back, or "
            f"train again with the settings you want."
        )
    return Run(config, weights, _read_history(folder / HISTORY))


def differences(first: Any, second: Any, where: str = "") -> list[str]:
    """Return where two plain structures differ, one sentence each."""
    if isinstance(first, dict) and isinstance(second, dict):
        keys = [*first, *[key for key in second if key not in first]]
        return [
            d
            for key in keys
            for d in differences(first.get(key), second.get(key), f"{where}.{key}" if where else str(key))
        ]
    return [] if first == second else [f"{where} is {_short(second)}, it was {_short(first)}"]


def _short(value: Any) -> str:
    text = _dump(value)
    return text if len(text) <= 60 else text[:57] + "..."


def check_weights(expected: Mapping[str, Tensor], found: Mapping[str, Tensor], where: Path) -> None:
    """Raise RunError that names every weight whose name, shape or dtype is not what the settings say."""
    faults = [f"{name} is missing" for name in expected if name not in found]
    faults += [f"{name} is not expected" for name in found if name not in expected]
    for name in expected:
        if name in found:
            want, have = expected[name], found[name]
            if want.shape != have.shape:
                faults.append(f"{name} has shape {tuple(have.shape)}, expected {tuple(want.shape)}")
            elif want.dtype != have.dtype:
                faults.append(f"{name} has type {have.dtype}, expected {want.dtype}")
    if faults:
        more = f" and {len(faults) - 6} more" if len(faults) > 6 else ""
        raise RunError(f"The weights in {where} do not fit its settings: {'; '.join(faults[:6])}{more}.")


def write_report(folder: Path, html: str) -> Path:
    """Replace the report of a run."""
    return _replace_text(folder / REPORT, html)


def write_checkpoint(
    folder: Path, config: dict[str, Any], weights: dict[str, Tensor], progress: Progress, history: list[Epoch]
) -> None:
    """Write all it takes to go on after this epoch into one file, replaced in one move."""
    tensors = {f"model.{name}": value for name, value in weights.items()}
    tensors |= {f"best.{name}": value for name, value in progress.best_weights.items()}
    optimiser = progress.optimiser or {"state": {}, "param_groups": []}
    for number, slots in optimiser["state"].items():
        tensors |= {f"optimiser.{number}.{slot}": torch.as_tensor(value) for slot, value in slots.items()}
    about = {
        "config": config,
        "epoch": progress.epoch,
        "steps": progress.steps,
        "best_epoch": progress.best_epoch,
        "best_loss": progress.best_loss,
        "param_groups": optimiser["param_groups"],
        "history": [asdict(epoch) for epoch in history],
    }
    folder.mkdir(parents=True, exist_ok=True)
    beside = folder / f".{CHECKPOINT}.new"
    save_file(_plain(tensors), beside, {"about": _dump(about)})
    beside.replace(folder / CHECKPOINT)


class Checkpoint(NamedTuple):
    """A training that was interrupted."""

    config: dict[str, Any]
    weights: dict[str, Tensor]
    progress: Progress
    history: list[dict[str, Any]]


def read_checkpoint(folder: Path) -> Checkpoint:
    """Read the checkpoint in ``folder``."""
    path = folder / CHECKPOINT
    if not path.exists():
        finished = ": the run there is finished" if (folder / MODEL).exists() else ""
        raise RunError(f"There is no interrupted training in {folder}{finished}.")
    tensors, metadata = _read_tensors(path)
    about = json.loads(metadata["about"])
    parts: dict[str, dict[str, Tensor]] = {"model": {}, "best": {}, "optimiser": {}}
    for name, value in tensors.items():
        part, rest = name.split(".", 1)
        parts[part][rest] = value
    slots: dict[int, dict[str, Tensor]] = {}
    for name, value in parts["optimiser"].items():
        number, slot = name.split(".", 1)
        slots.setdefault(int(number), {})[slot] = value
    progress = Progress(
        epoch=about["epoch"],
        steps=about["steps"],
        best_epoch=about["best_epoch"],
        best_loss=about["best_loss"],
        best_weights=parts["best"],
        optimiser={"state": slots, "param_groups": about["param_groups"]},
    )
    return Checkpoint(about["config"], parts["model"], progress, about["history"])


def _plain(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}


def _dump(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _replace_text(path: Path, text: str) -> Path:
    beside = path.with_name(f".{path.name}.new")
    beside.write_text(text, encoding="utf-8")
    return beside.replace(path)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as fault:
        raise RunError(f"{path} is cut off or damaged: {fault}.") from None
    if not isinstance(value, dict):
        raise RunError(f"{path} is damaged: it holds no settings.")
    return value


def _read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except (SafetensorError, OSError) as fault:
        raise RunError(f"{path} is cut off or damaged ({fault}).") from None


def _read_history(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").splitlines()
    try:
        return [json.loads(line) for line in lines]
    except json.JSONDecodeError as fault:
        raise RunError(f"{path} is cut off or damaged: {fault}.") from None
