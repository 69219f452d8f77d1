"""The run folder: settings, weights and history in plain files, written so that a kill leaves old or new.

``config.json`` says what was trained, ``model.safetensors`` holds the weights and what the other files were,
``history.jsonl`` one line per epoch, ``report.html`` the report, ``comparison.json`` the numbers of a
comparison, ``search.json`` and ``trials.jsonl`` those of a search, a line per trial; ``checkpoint.safetensors``
exists while a training, a comparison or a search can go on. Nothing in a run folder is ever executed.

A run is written to the folder ``.new`` inside its own. The file ``whole`` in there is written last: from then
on the new run counts, and whoever reads the folder first moves its files into place.
"""

import json
import shutil
from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ..errors import RunError, nearest
from ..writing.atomic import plain_faults, write_text
from .loop import Progress

CONFIG, MODEL, HISTORY, REPORT = "config.json", "model.safetensors", "history.jsonl", "report.html"
COMPARISON, CHECKPOINT = "comparison.json", "checkpoint.safetensors"
SEARCH, TRIALS = "search.json", "trials.jsonl"
OWN = (
    CONFIG,
    MODEL,
    HISTORY,
    REPORT,
    COMPARISON,
    SEARCH,
    TRIALS,
    CHECKPOINT,
)  # all other files in the folder are left alone
NEW, WHOLE = ".new", "whole"
# What a verb may leave half done.
UNFINISHED = {"train": "training", "compare": "comparison", "demo": "comparison", "tune": "search"}


class Run(NamedTuple):
    """What a run folder holds."""

    config: dict[str, Any]
    weights: dict[str, Tensor]
    history: list[dict[str, Any]]


# --------------------------------------------------------------------------------------------------- writing


def check_writable(folder: Path, overwrite: bool) -> None:
    """Raise RunError if a run could not be written to ``folder``: it holds something, is a file, or is locked."""
    with plain_faults(f"The folder {folder} cannot be written"):
        if folder.exists() and not folder.is_dir():
            raise RunError(f"{folder} is a file, but a run needs a folder. Give another name.")
        recover(folder)
        _check_free(folder, overwrite)
        there = folder.exists()
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".{CONFIG}.probe"
        probe.touch()
        probe.unlink()
        if not there:
            folder.rmdir()


def _check_free(folder: Path, overwrite: bool) -> None:
    names = {entry.name for entry in folder.iterdir()} if folder.is_dir() else set()
    names = {name for name in names if not name.startswith(".")}
    again = "replace it with overwrite=True"
    if not names:
        return
    if not names & {MODEL, CHECKPOINT}:
        raise RunError(f"The folder {folder} is not empty and holds no run, so nothing is written there.")
    if not overwrite and MODEL in names:
        raise RunError(f"The folder {folder} holds a run already. Give another name, or {again}.")
    if not overwrite:
        what, command = _unfinished(folder)
        raise RunError(f"The folder {folder} holds a {what} that was not finished. Go on with: {command}, or {again}.")


def write(folder: Path, run: Run, texts: Mapping[str, str] | None = None, keep_checkpoint: bool = False) -> None:
    """Write a whole run, and other ``texts`` by file name, in the place of the one that ``folder`` may hold.

    A kill at any moment leaves the old run or the new one. ``keep_checkpoint`` lets the training go on later.
    """
    files = {CONFIG: _dump(run.config, indent=2), HISTORY: "".join(_dump(line) + "\n" for line in run.history)}
    files |= texts or {}
    new = folder / NEW
    what = f"The run cannot be written to {folder}"
    try:
        with plain_faults(what):
            folder.mkdir(parents=True, exist_ok=True)
            recover(folder)
            shutil.rmtree(new, ignore_errors=True)
            new.mkdir()
            for name, text in files.items():
                (new / name).write_text(text, encoding="utf-8")
            seals = {name: _seal(text.encode()) for name, text in files.items() if name not in (CONFIG, REPORT)}
            _save(new / MODEL, run.weights, {"config": run.config, "files": seals})
            names = [*files, MODEL, *([CHECKPOINT] if keep_checkpoint else [])]
            write_text(new / WHOLE, _dump(names), what)
            recover(folder)
    except RunError:
        if not (new / WHOLE).exists():
            shutil.rmtree(new, ignore_errors=True)
        raise


def recover(folder: Path) -> None:
    """Move a new run that is whole into place, if a kill left one."""
    new = folder / NEW
    if not (new / WHOLE).exists():
        return
    with plain_faults(f"The new run in {new} cannot be put in its place"):
        names = _read_json(new / WHOLE, list)
        for name in OWN:
            if name in names:
                # Another process that reads the folder may have moved it just now.
                with suppress(FileNotFoundError):
                    (new / name).replace(folder / name)
            else:
                (folder / name).unlink(missing_ok=True)
        (new / WHOLE).unlink(missing_ok=True)
        shutil.rmtree(new, ignore_errors=True)


def write_report(folder: Path, html: str) -> Path:
    """Replace the report of a run."""
    return write_text(folder / REPORT, html, f"The report cannot be written to {folder}")


# --------------------------------------------------------------------------------------------------- reading


def read(folder: Path) -> Run:
    """Read a run folder; raises RunError that says what is missing, cut off or was changed."""
    if folder.is_file():
        raise RunError(f"{folder} is a file, not a run folder. Name the folder that a training wrote, or train first.")
    if not folder.is_dir():
        beside = folder.parent
        others = [entry.name for entry in beside.iterdir() if entry.is_dir()] if beside.is_dir() else []
        raise RunError(
            f"There is no run folder {folder}.{nearest(folder.name, others)} Check the name, or train first."
        )
    recover(folder)
    if not (folder / MODEL).exists() and (folder / CHECKPOINT).exists():
        what, command = _unfinished(folder)
        raise RunError(f"The {what} in {folder} was not finished. Go on with: {command}")
    for name in (CONFIG, MODEL):
        if not (folder / name).exists():
            raise RunError(f"{folder} is not a run folder: {name} is missing.")
    config = _read_json(folder / CONFIG, dict)
    weights, about = _load(folder / MODEL)
    changes = differences(about.get("config"), config)
    if changes:
        raise RunError(
            f"{folder / CONFIG} was changed after the run was written: {'; '.join(changes[:5])}. Put it back, or "
            f"train again with the settings you want."
        )
    for name, seal in about["files"].items():
        if (folder / name).exists() and _seal(_read_bytes(folder / name)) != seal:
            raise RunError(f"{folder / name} is cut off or was changed after the run was written. Put it back.")
    history = _read_bytes(folder / HISTORY) if (folder / HISTORY).exists() else b""
    return Run(config, weights, [json.loads(line) for line in history.splitlines()])


def read_task(folder: Path, unfinished: bool = False) -> str | None:
    """Return the task that the run, or the unfinished training, in ``folder`` names; None where there is neither.

    Where both are, as a training replaces a run, it is that of the run, or of what is ``unfinished``.
    Nothing else is looked at: whether the run is whole, ``read`` says.
    """
    recover(folder)
    if (folder / CONFIG).exists() and not (unfinished and (folder / CHECKPOINT).exists()):
        return str(_read_json(folder / CONFIG, dict).get("task"))
    return str(_plan_in(folder).get("task", "forecast")) if (folder / CHECKPOINT).exists() else None


def read_comparison(folder: Path) -> dict[str, Any] | None:
    """Return the numbers of the comparison in a run folder that ``read`` found whole, if it is one."""
    path = folder / COMPARISON
    return _read_json(path, dict) if path.exists() else None


def write_search(search: Mapping[str, Any]) -> dict[str, str]:
    """Return the files of a search, by their names: what was searched, and a line for each trial."""
    about = {name: value for name, value in search.items() if name != "trials"}
    return {SEARCH: _dump(about, indent=2), TRIALS: "".join(_dump(trial) + "\n" for trial in search["trials"])}


def read_search(folder: Path) -> dict[str, Any] | None:
    """Return the search in a run folder that ``read`` found whole, as plain data, if it is one."""
    if not (folder / SEARCH).exists():
        return None
    lines = _read_bytes(folder / TRIALS).splitlines()
    return _read_json(folder / SEARCH, dict) | {"trials": [json.loads(line) for line in lines]}


def differences(first: Any, second: Any, where: str = "") -> list[str]:
    """Return where two plain structures differ, one sentence each."""
    if isinstance(first, dict) and isinstance(second, dict):
        keys = [*first, *[key for key in second if key not in first]]
        return [
            d
            for key in keys
            for d in differences(first.get(key), second.get(key), f"{where}.{key}" if where else str(key))
        ]
    return [] if _dump(first) == _dump(second) else [f"{where} is {_short(second)}, it was {_short(first)}"]


def _short(value: Any) -> str:
    text = _dump(value)
    return text if len(text) <= 60 else text[:57] + "..."


def check_weights(expected: Mapping[str, Tensor], found: Mapping[str, Tensor], where: Path) -> None:
    """Raise RunError that names every weight whose name, shape or dtype is not what the settings say."""
    faults = _misfits(
        {name: (_kind(value), tuple(value.shape)) for name, value in expected.items()},
        {name: (_kind(value), tuple(value.shape)) for name, value in found.items()},
    )
    if faults:
        raise RunError(f"The weights in {where} do not fit its settings: {_listed(faults)}.")


def _misfits(expected: Mapping[str, tuple[Any, ...]], found: Mapping[str, tuple[Any, ...]]) -> list[str]:
    """Return what differs between tensors described as (dtype, shape, ..)."""
    faults = [f"{name} is missing" for name in expected if name not in found]
    faults += [f"{name} is not expected" for name in found if name not in expected]
    for name in expected:
        if name in found:
            want, have = expected[name], found[name]
            if want[1] != have[1]:
                faults.append(f"{name} has shape {have[1]}, expected {want[1]}")
            elif want[0] != have[0]:
                faults.append(f"{name} has type {have[0]}, expected {want[0]}")
            elif want != have:
                faults.append(f"the numbers of {name} were changed")
    return faults


def _listed(faults: list[str]) -> str:
    return "; ".join(faults[:6]) + (f" and {len(faults) - 6} more" if len(faults) > 6 else "")


# ----------------------------------------------------------------------------------------------- checkpoints


def write_checkpoint(
    folder: Path, plan: dict[str, Any], weights: dict[str, Tensor], progress: Progress, history: list[dict[str, Any]]
) -> None:
    """Write all it takes to go on after this epoch into one file, replaced in one move."""
    tensors = {f"model.{name}": value for name, value in weights.items()}
    tensors |= {f"best.{name}": value for name, value in progress.best_weights.items()}
    optimiser = progress.optimiser or {"state": {}, "param_groups": []}
    for number, slots in optimiser["state"].items():
        tensors |= {f"optimiser.{number}.{slot}": torch.as_tensor(value) for slot, value in slots.items()}
    tensors |= {f"carried.{number}": value for number, value in enumerate(progress.carried)}
    about = {
        "plan": plan,
        "epoch": progress.epoch,
        "steps": progress.steps,
        "best_epoch": progress.best_epoch,
        "best_loss": progress.best_loss,
        "best_watched": progress.best_watched,
        "param_groups": optimiser["param_groups"],
        "history": history,
    }
    write_state(folder, tensors, about)


def write_state(folder: Path, tensors: Mapping[str, Tensor], about: dict[str, Any]) -> None:
    """Write all that something unfinished needs to go on into one file, replaced in one move.

    The ``plan`` in ``about`` says what was asked for; its ``verb`` is the command that goes on.
    """
    beside = folder / NEW / CHECKPOINT
    with plain_faults(f"What is finished so far cannot be written to {folder}"):
        beside.parent.mkdir(parents=True, exist_ok=True)
        _save(beside, tensors, about)
        beside.replace(folder / CHECKPOINT)


def read_state(folder: Path, verb: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return what ``write_state`` wrote; raises RunError if nothing of this ``verb`` was stopped in ``folder``."""
    recover(folder)
    path = folder / CHECKPOINT
    if not path.exists():
        finished = ": the run there is finished" if (folder / MODEL).exists() else ""
        raise RunError(f"There is no interrupted {UNFINISHED.get(verb, verb)} in {folder}{finished}.")
    tensors, about = _load(path)
    if _verb_of(about["plan"]) != verb:
        what, command = _unfinished(folder)
        raise RunError(f"What was interrupted in {folder} is a {what}. Go on with: {command}")
    return tensors, about


def _plan_in(folder: Path) -> dict[str, Any]:
    plan: dict[str, Any] = _load(folder / CHECKPOINT)[1]["plan"]
    return plan


def _verb_of(plan: Mapping[str, Any]) -> str:
    return str(plan.get("verb", "train"))


def _unfinished(folder: Path) -> tuple[str, str]:
    """Return what was stopped in ``folder``, and the command that goes on with it."""
    try:
        verb = _verb_of(_plan_in(folder))
    except RunError:  # it is damaged, which the command will say
        verb = "train"
    return UNFINISHED.get(verb, verb), going_on(verb, folder)


def going_on(verb: str, folder: Path) -> str:
    """Return the command that goes on with what was stopped in ``folder``."""
    return f"recurra {verb} --resume {folder}"


class Checkpoint(NamedTuple):
    """A training that was interrupted."""

    plan: dict[str, Any]
    weights: dict[str, Tensor]
    progress: Progress
    history: list[dict[str, Any]]


def read_checkpoint(folder: Path) -> Checkpoint:
    """Read the checkpoint in ``folder``."""
    tensors, about = read_state(folder, "train")
    parts: dict[str, dict[str, Tensor]] = {"model": {}, "best": {}, "optimiser": {}, "carried": {}}
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
        best_watched=about.get("best_watched"),  # older checkpoints have none
        best_weights=parts["best"],
        optimiser={"state": slots, "param_groups": about["param_groups"]},
        carried=tuple(parts["carried"][str(number)] for number in range(len(parts["carried"]))),
    )
    return Checkpoint(about["plan"], parts["model"], progress, about["history"])


# ----------------------------------------------------------------------------------------------------- files


def _save(path: Path, tensors: Mapping[str, Tensor], about: dict[str, Any]) -> None:
    """Write tensors with plain data about them, and with seals by which ``_load`` knows every later change."""
    plain = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    texts = {"about": _dump(about), "tensors": _dump({name: _described(value) for name, value in plain.items()})}
    path.write_bytes(save(plain, texts | {"seal": _seal("".join(texts.values()).encode())}))


def _load(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return what ``_save`` wrote; raises RunError that says what is cut off or was changed."""
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            texts = file.metadata() or {}
    except (SafetensorError, OSError, KeyError, ValueError, RuntimeError) as fault:
        raise RunError(f"{path} is cut off or damaged ({fault}).") from None
    if _seal((texts.get("about", "") + texts.get("tensors", "")).encode()) != texts.get("seal"):
        raise RunError(f"{path} was changed after it was written, or is not from recurra. Put the old one back.")
    described = {name: _described(value) for name, value in tensors.items()}
    expected = json.loads(texts["tensors"])
    if described != expected:
        faults = _misfits(*({name: (d[0], tuple(d[1]), d[2]) for name, d in t.items()} for t in (expected, described)))
        raise RunError(f"{path} was changed after it was written: {_listed(faults)}. Put the old one back.")
    return tensors, json.loads(texts["about"])


def _described(tensor: Tensor) -> list[Any]:
    """Return the type, shape and seal of a tensor as plain data."""
    flat = tensor.contiguous().reshape(-1).view(torch.uint8).numpy()
    return [_kind(tensor), list(tensor.shape), _seal(flat.tobytes())]


def _kind(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _seal(content: bytes) -> str:
    return sha256(content).hexdigest()[:32]


def _dump(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _read_bytes(path: Path) -> bytes:
    with plain_faults(f"{path} cannot be read"):
        return path.read_bytes()


def _read_json(path: Path, kind: type) -> Any:
    try:
        value = json.loads(_read_bytes(path).decode("utf-8"))
    except (ValueError, RecursionError) as fault:
        raise RunError(f"{path} is cut off or damaged: {fault}.") from None
    if not isinstance(value, kind):
        raise RunError(f"{path} is damaged: it does not hold what was written.")
    return value
