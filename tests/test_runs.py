"""The run folder: what was written comes back, every change is noticed, and a kill leaves the old run or the new."""

import errno
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save

from recurra.errors import RunError
from recurra.training import runs
from recurra.training.loop import Epoch, Progress

HISTORY = [{"number": 1, "train_loss": 0.5}, {"number": 2, "train_loss": 0.25}]


def a_run(value: float = 1.0, **config: Any) -> runs.Run:
    weights = {"a.weight": torch.full((3, 2), value), "b": torch.tensor(value), "c": torch.tensor([1, 2])}
    return runs.Run({"settings": {"cell": "gru", "size": 8}, **config}, weights, list(HISTORY))


def the_same(first: runs.Run, second: runs.Run) -> bool:
    same = first.weights.keys() == second.weights.keys()
    same = same and all(torch.equal(first.weights[name], second.weights[name]) for name in first.weights)
    return same and first.config == second.config and first.history == second.history


def refusal(call: Callable[[], Any]) -> str:
    with pytest.raises(RunError) as fault:
        call()
    text = str(fault.value)
    assert "\n" not in text
    return text


def test_what_was_written_comes_back(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "run"
    run = a_run(about={"größe": "10 €", "none": None, "nan": 0.1 + 0.2})
    runs.write(folder, run, {runs.REPORT: "<html>", runs.COMPARISON: '{"kept": "gru"}'})
    assert the_same(runs.read(folder), run)
    assert runs.read_comparison(folder) == {"kept": "gru"}
    names = {"config.json", "model.safetensors", "history.jsonl", "report.html", "comparison.json"}
    assert {path.name for path in folder.iterdir()} == names
    modes = {path.stat().st_mode for path in folder.iterdir()}
    assert len(modes) == 1, "all files can be read by the same people"


def test_a_new_run_leaves_nothing_of_the_old_one_but_what_is_not_ours(tmp_path: Path) -> None:
    runs.write(tmp_path, a_run(), {runs.COMPARISON: "{}", runs.REPORT: "old"})
    (tmp_path / "notes.txt").write_text("mine")
    runs.write(tmp_path, a_run(2.0))
    assert {path.name for path in tmp_path.iterdir()} == {runs.CONFIG, runs.MODEL, runs.HISTORY, "notes.txt"}
    assert the_same(runs.read(tmp_path), a_run(2.0))


def test_the_report_is_replaced_and_not_sealed(tmp_path: Path) -> None:
    runs.write(tmp_path, a_run(), {runs.REPORT: "old"})
    assert runs.write_report(tmp_path, "new").read_text() == "new"
    assert the_same(runs.read(tmp_path), a_run())


# ------------------------------------------------------------------------------------------ damaged folders


def test_what_is_no_run_says_so(tmp_path: Path) -> None:
    assert "There is no run folder" in refusal(lambda: runs.read(tmp_path / "nothing"))
    assert "config.json is missing" in refusal(lambda: runs.read(tmp_path))
    (tmp_path / "sales.csv").write_text("ds,y")
    assert "sales.csv is a file, not a run folder" in refusal(lambda: runs.read(tmp_path / "sales.csv"))
    runs.write(tmp_path, a_run())
    (tmp_path / runs.MODEL).unlink()
    assert "model.safetensors is missing" in refusal(lambda: runs.read(tmp_path))


def test_an_edited_config_says_what_was_edited(tmp_path: Path) -> None:
    runs.write(tmp_path, a_run())
    path = tmp_path / runs.CONFIG
    path.write_text(json.dumps({"settings": {"cell": "lstm", "size": 8.0}, "more": 1}))
    text = refusal(lambda: runs.read(tmp_path))
    assert 'settings.cell is "lstm", it was "gru"' in text
    assert "settings.size is 8.0, it was 8" in text
    assert "more is 1, it was null" in text
    path.write_text(json.dumps(a_run().config))  # other blanks, the same content
    assert the_same(runs.read(tmp_path), a_run())


@pytest.mark.parametrize("name", [runs.CONFIG, runs.HISTORY, runs.COMPARISON])
def test_any_byte_of_a_text_file_may_be_damaged(tmp_path: Path, name: str) -> None:
    runs.write(tmp_path, a_run(), {runs.COMPARISON: '{"kept": "gru", "table": [1, 2]}'})
    path = tmp_path / name
    whole = path.read_bytes()
    for place in range(len(whole)):
        for byte in (0x00, 0xFF, whole[place] ^ 1, ord('"')):
            path.write_bytes(whole[:place] + bytes([byte]) + whole[place + 1 :])
            try:
                run = runs.read(tmp_path)
            except RunError:
                continue
            assert the_same(run, a_run()), f"byte {place} of {name} changed without a word"
        path.write_bytes(whole[:place])
        if whole[:place].strip() != whole.strip():
            refusal(lambda: runs.read(tmp_path))


@pytest.mark.parametrize("name", [runs.MODEL, runs.CHECKPOINT])
def test_any_byte_of_a_tensor_file_may_be_damaged(tmp_path: Path, name: str) -> None:
    runs.write(tmp_path, a_run())
    checkpoint(tmp_path, 1.0)
    read: Callable[[Path], Any] = runs.read if name == runs.MODEL else runs.read_checkpoint
    path = tmp_path / name
    whole = path.read_bytes()
    intact = read(tmp_path)
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        try:
            changed = read(tmp_path)
        except RunError:
            continue
        # Blanks fill the header up to a multiple of eight: nothing else may change without a word.
        assert whole[place] == ord(" "), f"byte {place} of {name} changed without a word"
        assert str(changed) == str(intact)
    for length in [*range(0, len(whole), 7), len(whole) - 1]:
        path.write_bytes(whole[:length])
        refusal(lambda: read(tmp_path))


def edited(folder: Path, edit: Callable[[dict[str, torch.Tensor]], None]) -> str:
    """Change the tensors of a model file but keep its header's texts, and return what reading it says."""
    from safetensors import safe_open

    with safe_open(folder / runs.MODEL, framework="pt") as file:
        texts, tensors = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    edit(tensors)
    (folder / runs.MODEL).write_bytes(save(tensors, texts))
    return refusal(lambda: runs.read(folder))


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda t: t.pop("b"), "b is missing"),
        (lambda t: t.update(z=torch.zeros(1)), "z is not expected"),
        (lambda t: t.update(c=torch.tensor([1, 2, 3])), "c has shape (3,), expected (2,)"),
        (lambda t: t.update({"a.weight": torch.ones(3, 2).double()}), "a.weight has type float64, expected float32"),
        (lambda t: t.update({"a.weight": torch.zeros(3, 2)}), "the numbers of a.weight were changed"),
    ],
)
def test_an_edited_model_says_which_tensor(tmp_path: Path, edit: Callable[..., None], said: str) -> None:
    runs.write(tmp_path, a_run())
    assert said in edited(tmp_path, edit)


def test_a_model_file_of_someone_else_is_refused(tmp_path: Path) -> None:
    runs.write(tmp_path, a_run())
    (tmp_path / runs.MODEL).write_bytes(save({"w": torch.zeros(2)}))
    assert "is not from recurra" in refusal(lambda: runs.read(tmp_path))


def test_weights_that_do_not_fit_the_settings_are_named() -> None:
    expected = {"a": torch.zeros(2), "b": torch.zeros(3), "c": torch.zeros(1), "d": torch.zeros(1)}
    found = {"a": torch.zeros(3), "b": torch.zeros(3).double(), "d": torch.ones(1), "e": torch.zeros(1)}
    text = refusal(lambda: runs.check_weights(expected, found, Path("run")))
    assert "c is missing" in text
    assert "e is not expected" in text
    assert "a has shape (3,), expected (2,)" in text
    assert "b has type float64, expected float32" in text
    assert "d has" not in text
    runs.check_weights(expected, dict(expected), Path("run"))
    many = {f"w{n}": torch.zeros(1) for n in range(10)}
    assert "and 4 more" in refusal(lambda: runs.check_weights(many, {}, Path("run")))


# ----------------------------------------------------------------------------------------- output folders


def test_where_a_run_may_be_written(tmp_path: Path) -> None:
    new = tmp_path / "a" / "b"
    runs.check_writable(new, overwrite=False)
    assert not new.exists(), "only looking leaves no folder behind"
    runs.write(new, a_run())
    assert "holds a run already" in refusal(lambda: runs.check_writable(new, overwrite=False))
    runs.check_writable(new, overwrite=True)
    file = tmp_path / "file"
    file.touch()
    assert "is a file" in refusal(lambda: runs.check_writable(file, overwrite=True))
    for overwrite in (False, True):
        assert "holds no run" in refusal(lambda o=overwrite: runs.check_writable(tmp_path, o))  # type: ignore[misc]
    assert "cannot be written" in refusal(lambda: runs.check_writable(file / "below", overwrite=False))


def test_an_unfinished_training_is_not_overwritten_by_accident(tmp_path: Path) -> None:
    checkpoint(tmp_path, 1.0)
    assert f"--resume {tmp_path}" in refusal(lambda: runs.check_writable(tmp_path, overwrite=False))
    assert f"--resume {tmp_path}" in refusal(lambda: runs.read(tmp_path))
    runs.check_writable(tmp_path, overwrite=True)


def test_a_locked_folder_is_noticed_before_any_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(self: Path, *args: Any, **kwargs: Any) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(self))

    monkeypatch.setattr(Path, "touch", locked)
    text = refusal(lambda: runs.check_writable(tmp_path / "run", overwrite=False))
    assert text.endswith("cannot be written: Permission denied.")


# ---------------------------------------------------------------------------- kills and full disks, anywhere


class Killed(BaseException):
    """What no handler of the package catches: nothing is cleaned up after it."""


WRITERS = ("mkdir", "write_text", "write_bytes", "replace", "rename", "unlink", "touch", "rmdir")


class Trap:
    """Fails the n-th thing that is done to the file system; a write leaves half of its content behind."""

    def __init__(self, at: int, fault: Callable[[], BaseException]):
        self.left, self.fault = at, fault

    def install(self, patch: pytest.MonkeyPatch) -> None:
        for name in WRITERS:
            patch.setattr(Path, name, self.watched(getattr(Path, name), name))
        patch.setattr(shutil, "rmtree", self.watched(shutil.rmtree, "rmtree"))

    def watched(self, original: Callable[..., Any], name: str) -> Callable[..., Any]:
        def call(path: Any, *args: Any, **kwargs: Any) -> Any:
            self.left -= 1
            if self.left == 0:
                if name in ("write_text", "write_bytes"):
                    original(path, args[0][: len(args[0]) // 2], *args[1:], **kwargs)
                if name == "rmtree" and kwargs.get("ignore_errors") and isinstance(self.fault(), OSError):
                    return None
                raise self.fault()
            return original(path, *args, **kwargs)

        return call


def faults_at_every_step(
    folder: Path, work: Callable[[], Any], fault: Callable[[], BaseException], monkeypatch: pytest.MonkeyPatch
) -> Iterator[BaseException]:
    """Run ``work`` on a fresh copy of ``folder``, failing its first step, then its second, until all are done."""
    saved = folder.with_name("saved")
    shutil.copytree(folder, saved)
    for at in range(1, 100):
        shutil.rmtree(folder)
        shutil.copytree(saved, folder)
        trap = Trap(at, fault)
        with monkeypatch.context() as patch:
            trap.install(patch)
            try:
                work()
            except BaseException as raised:
                failed = raised
            else:
                if trap.left > 0:
                    return
                continue
        yield failed
    raise AssertionError("the work never ends")


@pytest.mark.parametrize("keep", [False, True])
def test_a_kill_at_any_moment_leaves_the_old_run_or_the_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keep: bool
) -> None:
    folder = tmp_path / "run"
    old, new = a_run(1.0, only="old"), a_run(2.0)
    runs.write(folder, old, {runs.COMPARISON: '{"of": "old"}', runs.REPORT: "old"})
    checkpoint(folder, 1.0)

    def work() -> None:
        runs.write(folder, new, {runs.REPORT: "new"}, keep_checkpoint=keep)

    seen = {"old": 0, "new": 0}
    for raised in faults_at_every_step(folder, work, Killed, monkeypatch):
        assert isinstance(raised, Killed)
        found = runs.read(folder)
        which = "old" if the_same(found, old) else "new"
        assert which == "old" or the_same(found, new)
        seen[which] += 1
        assert (folder / runs.REPORT).read_text() == which
        assert runs.read_comparison(folder) == ({"of": "old"} if which == "old" else None)
        assert (folder / runs.CHECKPOINT).exists() == (which == "old" or keep)
        work()
        assert the_same(runs.read(folder), new)
        assert not (folder / runs.NEW).exists()
    assert seen["old"] >= 5
    assert seen["new"] >= 5


def test_a_full_disk_at_any_moment_is_one_sentence_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    old, new = a_run(1.0), a_run(2.0)
    runs.write(folder, old)

    def full() -> OSError:
        return OSError(errno.ENOSPC, "No space left on device")

    count = 0
    for raised in faults_at_every_step(folder, lambda: runs.write(folder, new), full, monkeypatch):
        assert isinstance(raised, RunError)
        assert "No space left on device" in str(raised)
        found = runs.read(folder)
        assert the_same(found, old) or the_same(found, new)
        count += 1
    assert count >= 5


def test_a_kill_while_a_checkpoint_is_written_leaves_the_earlier_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    checkpoint(folder, 1.0)
    count = 0
    for _ in faults_at_every_step(folder, lambda: checkpoint(folder, 2.0), Killed, monkeypatch):
        assert runs.read_checkpoint(folder).weights["w"].tolist() == [1.0]
        count += 1
    assert count >= 2


def test_a_plan_in_a_folder_from_elsewhere_touches_no_other_file(tmp_path: Path) -> None:
    folder, victim = tmp_path / "run", tmp_path / "victim.txt"
    victim.write_text("precious")
    runs.write(folder, a_run())
    new = folder / runs.NEW
    new.mkdir()
    (new / runs.WHOLE).write_text(json.dumps(["../victim.txt", runs.CONFIG, runs.MODEL, runs.HISTORY]))
    (new / "other.txt").write_text("stays out")
    assert the_same(runs.read(folder), a_run())
    assert victim.read_text() == "precious"
    assert not (folder / "other.txt").exists()
    new.mkdir()
    (new / runs.WHOLE).write_text("{")
    assert "cut off or damaged" in refusal(lambda: runs.read(folder))


# ------------------------------------------------------------------------------------------------ checkpoints


def checkpoint(folder: Path, value: float, **plan: Any) -> None:
    """Write a checkpoint whose only weight has this value."""
    state = {0: {"step": torch.tensor(3.0), "exp_avg": torch.full((1,), value)}}
    groups = [{"params": [0], "lr": 0.1, "betas": (0.9, 0.999), "name": "other"}]
    progress = Progress(2, 6, 1, 0.1 + 0.2, {"w": torch.zeros(1)}, {"state": state, "param_groups": groups})
    epochs = [Epoch(n, 3 * n, 1.0, None, n == 1, {"other": 0.1}, {"other": 1.0}, 0.5) for n in (1, 2)]
    runs.write_checkpoint(folder, plan, {"w": torch.full((1,), value)}, progress, [asdict(epoch) for epoch in epochs])


def test_a_checkpoint_comes_back(tmp_path: Path) -> None:
    checkpoint(tmp_path / "new", 7.0, source="data.csv")
    found = runs.read_checkpoint(tmp_path / "new")
    assert found.plan == {"source": "data.csv"}
    assert found.weights["w"].tolist() == [7.0]
    progress = found.progress
    assert (progress.epoch, progress.steps, progress.best_epoch, progress.best_loss) == (2, 6, 1, 0.1 + 0.2)
    assert progress.best_weights["w"].tolist() == [0.0]
    assert progress.optimiser is not None
    assert progress.optimiser["state"][0]["exp_avg"].tolist() == [7.0]
    assert progress.optimiser["param_groups"][0]["lr"] == 0.1
    assert [Epoch(**record).number for record in found.history] == [1, 2]


def test_a_checkpoint_holds_what_was_watched_and_what_was_carried(tmp_path: Path) -> None:
    carried = tuple(torch.full((2, n), float(n)) for n in range(1, 13))  # more than one digit
    runs.write_checkpoint(tmp_path, {}, {}, Progress(best_watched=0.75, carried=carried), [])
    progress = runs.read_checkpoint(tmp_path).progress
    assert progress.best_watched == 0.75
    assert [tensor.tolist() for tensor in progress.carried] == [tensor.tolist() for tensor in carried]


def test_a_checkpoint_from_before_there_were_such_things_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An older version wrote neither what was watched nor what was carried."""
    save = runs._save

    def as_before(path: Path, tensors: dict[str, Any], about: dict[str, Any]) -> None:
        history = [{name: value for name, value in epoch.items() if name != "watched"} for epoch in about["history"]]
        save(path, tensors, {n: v for n, v in about.items() if n != "best_watched"} | {"history": history})

    monkeypatch.setattr(runs, "_save", as_before)
    checkpoint(tmp_path, 7.0)
    found = runs.read_checkpoint(tmp_path)
    assert (found.progress.best_watched, found.progress.carried, found.progress.epoch) == (None, (), 2)
    assert [Epoch(**record).watched for record in found.history] == [None, None]


def test_a_checkpoint_that_is_not_there_says_why(tmp_path: Path) -> None:
    assert refusal(lambda: runs.read_checkpoint(tmp_path)).startswith("There is no interrupted training")
    runs.write(tmp_path, a_run())
    assert "the run there is finished" in refusal(lambda: runs.read_checkpoint(tmp_path))
