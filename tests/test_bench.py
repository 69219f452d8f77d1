"""The bench: every part runs and says what it measured, and a machine that others use is refused."""

import io
import json
import math
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count, repeat
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
import torch
from rich.console import Console

from commands import Run, run_command
from recurra.bench import contenders, footprint, machine, timing
from recurra.bench import measure as benching
from recurra.bench import report as bench_report
from recurra.bench.contenders import Case, Size, field_of, products
from recurra.bench.machine import Load
from recurra.bench.measure import Bench, Request, Row, cases, make_request, read_size
from recurra.cells import CELLS, GatedCell
from recurra.cli import app as cli
from recurra.cli import console
from recurra.errors import ConfigError, RunError
from recurra.writing.language import speaking

TINY = Size(3, 4, 2, 5)
QUIET, LOUD = Load(0.02, 0.01), Load(0.5)
SMALL = ("--size", "3,4,2,5", "--rounds", "2")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command in an empty folder, on one thread and with short blocks."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(timing, "BLOCK", 1e-4)

    return lambda *arguments: run_command(capsys, "bench", *arguments)


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which nobody else works."""
    monkeypatch.setattr(benching, "load_now", lambda: QUIET)
    monkeypatch.setattr(benching, "load_since", lambda start: QUIET)


def loads(monkeypatch: pytest.MonkeyPatch, *values: Load) -> None:
    """Let the rows see these loads, one after the other."""
    left = iter(values)
    monkeypatch.setattr(benching, "load_now", lambda: QUIET)
    monkeypatch.setattr(benching, "load_since", lambda start: next(left))


def test_the_verb_is_in_the_help_and_needs_no_torch_for_it(capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["--help"])
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.strip().startswith("bench ")]
    assert line.endswith("torch.nn.")
    code = "import sys; from recurra.cli import main; main(['bench', '--help']); print('torch' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.endswith("False\n")


# ------------------------------------------------------------------------------------------------- the parts


@pytest.mark.parametrize("part", ["train", "infer", "lengths", "step"])
@pytest.mark.parametrize("cell", ["rnn_relu", "gru", "lstm", "lstm_gru"])
def test_every_part_times_the_cell_and_its_twin(
    part: str, cell: str, quiet: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timing, "BLOCK", 1e-4)
    done = benching.run(Request((part,), (cell,), ("reference", "auto"), (TINY,), rounds=2))
    (row,) = done.rows
    twin = {"rnn_relu": "nn.RNN", "gru": "nn.GRU"}.get(cell, "nn.LSTM")
    assert row.yardstick == twin + "Cell" * (part == "step")
    assert all(math.isfinite(figure) and figure > 0 for figure in row.figures.values())
    if part == "step":
        assert {*row.figures, *row.skipped} == {row.yardstick, "Stepper"}
        return
    assert set(row.gains) == {"reference", "auto"} and row.auto
    timed = {row.yardstick, "reference", "auto"}
    assert set(row.figures) == timed | ({"products"} if part != "lengths" else set())
    assert set(row.over_products) == (timed if part != "lengths" else set())


@pytest.mark.slow
def test_memory_is_measured_in_a_process_of_its_own() -> None:
    large = Case("memory", "gru", Size(16, 200, 64, 64))
    # Gates and outputs alone are more than this; the whole process is a hundred times as much.
    assert 2e6 < footprint.peak_memory(large, "reference") < 1e8
    with pytest.raises(RunError, match="The memory of nobody at 3·4·2·5 cannot be measured: StopIteration"):
        footprint.peak_memory(Case("memory", "gru", TINY), "nobody")


def test_memory_is_a_part_of_its_own(quiet: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benching, "peak_memory", lambda case, name: {"nn.GRU": 8192}.get(name, 0))
    (row,) = benching.run(Request(("memory",), ("gru",), ("reference",), (TINY,))).rows
    assert row.figures == {"nn.GRU": 8192.0, "reference": 0.0}
    assert row.gains == {"reference": 2.0}, "less than a page is not seen"


@pytest.mark.parametrize("cell", CELLS)
def test_every_cell_can_be_timed(cell: str) -> None:
    drawn = field_of(Case("train", cell, TINY), ("reference",))
    for one in drawn.contenders:
        one.run()
    assert [one.name for one in drawn.contenders] == [drawn.yardstick, "reference"]
    assert bool(products(Case("train", cell, TINY))) == issubclass(CELLS[cell], GatedCell)


@pytest.mark.parametrize("part", ["train", "lengths"])
@pytest.mark.parametrize("cell", ["rnn", "rnn_relu", "gru", "lstm"])
def test_the_twin_computes_the_same(part: str, cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its time would mean little if it did other work: what both make of one x is the same."""
    made: list[torch.Tensor] = []

    def keep(forward: Callable[[], torch.Tensor], *_: Any) -> Callable[[], object]:
        return lambda: made.append(forward().detach())

    monkeypatch.setattr(contenders, "_pass", keep)
    for one in field_of(Case(part, cell, TINY), ("reference",)).contenders:
        one.run()
    torch.testing.assert_close(made[0], made[1])


def test_a_training_step_makes_fresh_gradients_each_time() -> None:
    weight, x = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    step = contenders._pass(lambda: weight * x, [weight, x], torch.ones(2))
    step()
    step()
    assert weight.grad is not None and weight.grad.tolist() == [1.0, 1.0]


def test_products_have_the_shapes_of_the_cell() -> None:
    b, t, i, h = TINY
    gates = 3 * h
    shapes, counts = [], []
    for one in products(Case("train", "gru", TINY)):
        result = one.run()
        assert isinstance(result, torch.Tensor)
        shapes.append(tuple(result.shape))
        counts.append(one.repeats)
    assert shapes == [(b * t, gates), (b, gates), (gates, i), (b * t, i), (b, h), (gates, h)]
    assert counts == [1, t, 1, 1, t, 1]
    assert len(products(Case("infer", "gru", TINY))) == 2
    without = [tuple(one.run().shape) for one in products(Case("train", "mingru", TINY))]  # type: ignore[attr-defined]
    assert without == [(b * t, 2 * h), (2 * h, i), (b * t, i)], "no product with the old output"


def test_an_engine_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    without = {name: engine for name, engine in contenders.ENGINES.items() if name != "native"}
    monkeypatch.setattr(contenders, "ENGINES", without)
    drawn = field_of(Case("train", "lstm_gru", TINY), ("native", "torch", "reference"))
    assert [one.name for one in drawn.contenders] == ["nn.LSTM", "reference"]
    assert drawn.skipped["native"] == "this version has no such engine"
    assert "LSTMGRUCell" in drawn.skipped["torch"]


# --------------------------------------------------------------------------------------------- how it is timed


def test_contenders_take_turns_and_those_of_one_name_are_added(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "BLOCK", 0.0)
    log: list[str] = []
    a, b, often = (partial(log.append, name) for name in "abb")
    each = [timing.Contender("a", a), timing.Contender("b", b), timing.Contender("b", often, 1000)]
    times = timing.take_turns(each, 3)
    assert {name: len(values) for name, values in times.items()} == {"a": 3, "b": 3}
    assert min(times["b"]) > 0
    turns = [name for n, name in enumerate(log) if n == 0 or log[n - 1] != name]
    # The warm-up, then there, back and there again: where the way turns, the same one goes on.
    assert "".join(turns) == "ab" + "ab" + "ab"


def test_a_ratio_is_the_median_of_the_rounds() -> None:
    assert timing.ratio({"a": [1.0, 9.0, 4.0], "b": [1.0, 3.0, 2.0]}, "a", "b") == 2.0


# ---------------------------------------------------------------------------------------------------- the load


class CoreTimes(NamedTuple):
    """What psutil says of a core under Linux, in seconds; more than is work."""

    user: float
    nice: float
    system: float
    irq: float
    softirq: float
    steal: float
    idle: float = 999.9
    iowait: float = 0.77
    guest: float = 5.0  # a part of user


def stat(busy: int, stolen: int = 0) -> list[CoreTimes]:
    """The counters of two cores, in hundredths of a second: work of every kind."""
    return [CoreTimes(*[busy / 500] * 5, stolen / 100)] * 2


Looks = list[list[CoreTimes]]


class FakeProcess:
    """A process that may use the first two cores and has not worked."""

    cores = [0, 1]
    own: Iterator[float] = repeat(0.0)
    waited = count()

    def cpu_affinity(self) -> list[int]:
        return self.cores

    def cpu_times(self) -> list[float]:
        return [next(self.own) / 4] * 4 + [7.0 * next(self.waited)]  # user, system, both of children, waiting


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Looks]:
    """A machine whose counters are this list, one for each look, and whose clock goes one second per look."""
    looks: Looks = []
    seconds = iter(range(1000))
    monkeypatch.setattr(machine.psutil, "cpu_times", lambda percpu: looks.pop(0))
    monkeypatch.setattr(machine.psutil, "Process", FakeProcess)
    monkeypatch.setattr(machine.time, "perf_counter", lambda: float(next(seconds)))
    monkeypatch.setattr(machine.time, "sleep", lambda seconds: None)
    yield looks


def test_the_load_of_others_is_seen(clock: Looks) -> None:
    clock += [stat(1000), stat(1050, stolen=20)]
    load = machine.load_now()
    assert load.others == pytest.approx(0.5 - 0.02)  # less what the counters cannot tell
    assert load.stolen == pytest.approx(0.2)
    assert load.busy
    clock += [stat(1000), stat(1001)]
    assert machine.load_now() == Load(0.0, 0.0)


def test_own_work_is_not_the_load_of_others(clock: Looks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeProcess, "own", iter([3.0, 4.5]))
    clock += [stat(1000), stat(1080)]
    load = machine.load_since(machine.read_counters())
    assert load.others == pytest.approx((1.6 - 1.5 - 0.04) / 2)
    assert not load.busy


def test_only_the_cores_that_are_ours_count(clock: Looks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeProcess, "cores", [1])
    clock += [[*stat(1000)[:1], *stat(300)[:1]]]
    counters = machine.read_counters()
    assert counters is not None and counters.cores == 1 and counters.busy == pytest.approx(3.0)


def test_a_container_with_other_core_numbers_counts_all(clock: Looks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeProcess, "cores", [7])
    clock += [stat(1000)]
    counters = machine.read_counters()
    assert counters is not None and counters.cores == 2 and counters.busy == pytest.approx(20.0)


def test_a_system_that_tells_less_is_read_too(clock: Looks, monkeypatch: pytest.MonkeyPatch) -> None:
    """macOS says neither which cores are ours nor what was stolen."""
    monkeypatch.delattr(FakeProcess, "cpu_affinity")
    monkeypatch.setattr(machine.psutil, "cpu_count", lambda: 2)
    less: Any = SimpleNamespace(user=2.0, nice=1.0, system=3.0, idle=9.0)
    clock += [[less, less]]
    counters = machine.read_counters()
    assert counters is not None and (counters.busy, counters.stolen, counters.cores) == (12.0, 0.0, 2)


def test_the_work_of_a_child_is_own_work() -> None:
    before = machine.read_counters()
    if before is None:
        pytest.skip("this system has no counters")
    subprocess.run([sys.executable, "-c", "import time\nwhile time.process_time() < 0.3: pass"], check=True)
    after = machine.read_counters()
    assert after is not None
    assert 0.25 <= after.own - before.own <= 2 * (after.at - before.at)
    assert after.busy > before.busy


@pytest.mark.parametrize("answer", ["nothing", "a fault"])
def test_a_system_without_counters(monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    def cpu_times(percpu: bool) -> list[CoreTimes]:
        if answer == "a fault":
            raise FileNotFoundError("/proc/stat")
        return []

    monkeypatch.setattr(machine.psutil, "cpu_times", cpu_times)
    monkeypatch.setattr(machine.os, "getloadavg", lambda: (0.25 * len(machine.our_cores()), 0.0, 0.0))
    assert machine.read_counters() is None
    assert machine.load_since(None) == Load(None)
    assert machine.load_now().others == pytest.approx(0.25)
    monkeypatch.delattr(machine.os, "getloadavg")
    assert machine.load_now() == Load(None)
    assert not Load(None).busy


def test_a_busy_machine_is_refused_before_the_start(run: Run, clock: Looks) -> None:
    clock += [stat(1000), stat(1070)]
    answer = run(*SMALL)
    assert answer.code == 2
    assert answer.out == ""
    assert "Error: Other processes used 68 % of the cores in the second before the start" in answer.err
    assert "--anyway" in answer.err.splitlines()[-1]


def test_anyway_reports_and_says_so(run: Run, quiet: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benching, "load_now", lambda: LOUD)
    answer = run(*SMALL, "--cell", "gru", "--engine", "torch", "--anyway", "--out", "t.md")
    assert answer.code == 0
    assert "Measured on a busy machine." in answer.out
    assert "**Measured on a busy machine.**" in Path("t.md").read_text(encoding="utf-8")
    assert "--anyway" in Path("t.md").read_text(encoding="utf-8")


def test_a_row_under_load_is_measured_again_once(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    loads(monkeypatch, LOUD, QUIET, LOUD, LOUD)
    answer = run(*SMALL, "--cell", "gru,lstm", "--engine", "torch", "--out", "t.md")
    assert answer.code == 2
    assert "train, gru" in answer.out and "train, lstm" not in answer.out
    assert "Unfinished: some rows are missing." in answer.out
    last = answer.err.splitlines()[-1]
    assert last.startswith("Error: Other processes used 50 % of the cores during train lstm 3·4·2·5, twice")
    assert last.endswith("The tables cover what was measured until then.")
    assert not Path("t.md").exists()


def test_anyway_does_not_measure_again(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    loads(monkeypatch, LOUD)
    value = json.loads(run(*SMALL, "--cell", "gru", "--engine", "torch", "--anyway", "--json").out)
    assert value["busy"] is True
    assert value["rows"][0]["others"] == 0.5


# ------------------------------------------------------------------------------------------------ what it says


def test_json_is_one_value(run: Run, quiet: None) -> None:
    arguments = ("--part", "train,lengths", "--cell", "lstm_gru", "--engine", "reference", "--size", "2,3,2,4")
    answer = run(*SMALL, *arguments, "--json")
    assert answer.code == 0 and answer.err == ""
    value = json.loads(answer.out, parse_constant=pytest.fail)
    assert [row["size"] for row in value["rows"]] == [[3, 4, 2, 5], [2, 3, 2, 4]] * 2
    assert {row["part"] for row in value["rows"]} == {"train", "lengths"}
    assert set(value["rows"][0]["figures"]) == {"nn.LSTM", "reference", "products"}
    assert value["rows"][0]["auto"] is None
    assert value["machine"]["threads"] == torch.get_num_threads()
    assert (value["unfinished"], value["busy"], value["rounds"]) == (False, False, 2)
    ratios = [(one["part"], one["ratio"]) for one in value["summary"]]
    assert ("train", "nn.LSTM / reference") in ratios and ("train", "reference / products") in ratios
    for one in value["summary"]:
        assert (one["worst"] <= one["mean"]) == one["ratio"].startswith("nn.LSTM / r") or one["worst"] == one["mean"]


def made(part: str = "train", load: Load = QUIET) -> Bench:
    """Two rows with round numbers."""
    rows = [
        Row(
            Case(part, "gru", Size(1, 2, 3, hidden)),
            "nn.GRU",
            {"nn.GRU": 0.004 * hidden, "torch": 0.002 * hidden, "products": 0.001 * hidden},
            {"torch": gain},
            {"nn.GRU": 4.0, "torch": 2.0},
            {"native": "the native engine in '/home/somebody/lib.so' cannot be loaded"},
            "torch",
            load,
        )
        for hidden, gain in ((4, 1.0), (8, 4.0))
    ]
    return Bench(Request((part,), ("gru",), ("native", "torch", "auto"), (Size(1, 2, 3, 4), Size(1, 2, 3, 8))), rows)


def test_the_page_has_the_command_the_machine_and_the_tables() -> None:
    page = bench_report.as_markdown(made())
    lines = page.splitlines()
    threads = torch.get_num_threads()
    assert f"    recurra bench --cell gru --size 1,2,3,4 --size 1,2,3,8 --threads {threads}" in lines
    assert f"PyTorch {torch.__version__}, {threads} threads; native engine: " in page
    assert "## train, gru: a training step of one layer, forward and backward (ms)" in lines
    heads = "B·T·I·H | nn.GRU | native | torch | products | nn.GRU / torch | nn.GRU / products | torch / products"
    assert f"| {heads} |" in lines
    assert "| 1·2·3·4 | 16.0 | – | 8.00 | 4.00 | 1.00 | 4.00 | 2.00 |" in lines
    assert "| geometric mean |  |  |  |  | 2.00 | 4.00 | 2.00 |" in lines
    assert "| worst |  |  |  |  | 1.00 | 4.00 | 2.00 |" in lines
    assert "native did not run: the native engine in a file cannot be loaded." in lines
    assert "auto ran torch." in lines
    assert "at most 2 % in one row; other virtual machines took (steal) 1 % on average" in page
    assert "busy" not in page and "Unfinished" not in page


@pytest.mark.parametrize("part", benching.PARTS)
@pytest.mark.parametrize("load", [QUIET, LOUD, Load(None)], ids=["quiet", "loud", "untold"])
def test_in_chinese_nothing_but_names_is_english(part: str, load: Load) -> None:
    bench = made(part, load)
    bench.interrupted = load is LOUD
    for row in bench.rows:
        row.skipped["native"] = "this version has no such engine"
    with speaking("zh"):
        page = bench_report.as_markdown(bench)
    told = "\n".join(line for line in page.splitlines() if not line.startswith(("# ", "    ")) and "核" not in line)
    assert not re.findall(r"[A-Za-z]{2,} [A-Za-z]{2,}", told), told
    assert "几何平均" in told and "最差" in told and "auto 使用的是 torch。" in told


def test_the_page_tells_nobody_where_it_was_made() -> None:
    import platform

    page = bench_report.as_markdown(made())
    assert platform.node() not in page or not platform.node()
    assert str(Path.home()) not in page and "/home" not in page


@pytest.mark.parametrize(("part", "unit"), [("train", "ms"), ("step", "µs"), ("memory", "MB")])
def test_every_part_has_its_unit(part: str, unit: str) -> None:
    assert f"({unit})" in bench_report.sheets(made(part))[0].title


def test_a_system_that_does_not_tell_is_not_quiet() -> None:
    assert "does not say" in bench_report.as_markdown(made(load=Load(None)))


def test_the_terminal_shows_figures_and_ratios_below_each_other(run: Run, quiet: None) -> None:
    answer = run(*SMALL, "--size", "2,3,2,4", "--cell", "gru", "--engine", "torch,reference")
    assert answer.code == 0
    lines = answer.out.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[2].split() == ["B·T·I·H", "nn.GRU", "torch", "reference", "products"]
    assert "…" not in answer.out
    assert [line.split()[0] for line in lines if line.startswith(("geometric", "worst"))] == ["geometric", "worst"]
    assert re.fullmatch("1/2  train gru 3·4·2·5\n2/2  train gru 2·3·2·4  about 0:\\d\\d left\n", answer.err)


def test_a_terminal_sees_a_bar_that_moves_only_when_told() -> None:
    page = Console(file=io.StringIO(), width=100, force_terminal=True)
    with console.counter(page, 2, quiet=True) as shown:
        for what in ("train gru 3·4·2·5", "train lstm 3·4·2·5"):
            shown(what)
    text = re.sub(r"\x1b\[[\d;?]*\w", "", page.file.getvalue())  # type: ignore[attr-defined]
    assert "looking at the machine" in text
    assert "0/2 train gru 3·4·2·5" in text and "1/2 train lstm 3·4·2·5" in text


def test_threads_are_set_and_given_back(run: Run, quiet: None) -> None:
    before = torch.get_num_threads()
    value = json.loads(run(*SMALL, "--cell", "gru", "--engine", "torch", "--threads", "2", "--json").out)
    assert value["machine"]["threads"] == 2
    assert value["command"].endswith("--threads 2")
    assert torch.get_num_threads() == before


# -------------------------------------------------------------------------------------------------- the file


def test_the_file_is_written_once(run: Run, quiet: None, monkeypatch: pytest.MonkeyPatch) -> None:
    small = (*SMALL, "--cell", "gru", "--engine", "torch")
    assert run(*small, "--out", "t.md").err.endswith("Table: t.md\n")
    assert [path.name for path in Path().iterdir()] == ["t.md"]
    before = Path("t.md").read_text(encoding="utf-8")
    assert before.startswith("# recurra bench\n")
    answer = run(*small, "--out", "t.md")
    assert answer.code == 2 and "replace it with --overwrite" in answer.err
    assert run(*small, "--out", "t.md", "--overwrite").code == 0

    def full(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    answer = run(*small, "--out", "u.md")
    assert answer.code == 2 and "cannot be written to u.md: No space left on device." in answer.err
    assert [path.name for path in Path().iterdir()] == ["t.md"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--part", "trian"), "Did you mean 'train'?"),
        (("--cell", "gru,lstn"), "Did you mean 'lstm'?"),
        (("--engine", "nativ"), "Did you mean 'native'?"),
        (("--size", "32,96,16"), "such as 32,96,16,64. Got '32,96,16' instead."),
        (("--size", "32,96,16,0"), "four whole numbers from 1"),
        (("--size", "32,96,16,many"), "Got '32,96,16,many'"),
        (("--rounds", "0"), "--rounds"),
        (("--threads", "0"), "--threads"),
        (("--part", "lengths", "--size", "1,5,2,3"), "a batch above 1"),
        (("--part", "lengths", "--cell", "coupled"), "a cell out of rnn, rnn_relu, lstm, gru, lstm_gru"),
        (("--out", "t.txt"), "ends in .md. Got 't.txt'"),
        (("--out", "no/t.md"), "a folder that is there"),
    ],
)
def test_wrong_words_are_refused_before_anything_is_measured(
    run: Run, arguments: tuple[str, ...], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(benching, "load_now", pytest.fail)
    answer = run(*arguments)
    assert answer.code == 2
    assert answer.out == ""
    assert words in answer.err.strip().splitlines()[-1]


def test_a_size_that_does_not_fit_is_said_plainly(run: Run, quiet: None) -> None:
    answer = run("--size", "1000000,1000000,1000000,10", "--cell", "gru")
    assert answer.code == 2
    assert "The size 1000000·1000000·1000000·10 does not fit into the memory" in answer.err


def test_a_request_is_read_from_words() -> None:
    asked = {"parts": ("train,infer", "train"), "cells": (), "sizes": ("1,2,3,4", " 1, 2,3,4"), "rounds": 3}
    request = make_request(asked)
    assert request == Request(parts=("train", "infer"), sizes=(Size(1, 2, 3, 4),), rounds=3)
    assert read_size("1·2·3·4") == Size(1, 2, 3, 4)
    assert len(cases(Request())) == 3 * 8
    assert all(case.size.batch > 1 for case in cases(Request(parts=("lengths",))))
    with pytest.raises(ConfigError, match="Unknown cell"):
        cases(Request(cells=("none",)))


# ---------------------------------------------------------------------------------------------------- Ctrl-C


def test_ctrl_c_shows_what_was_measured_so_far(run: Run, quiet: None, monkeypatch: pytest.MonkeyPatch) -> None:
    original, left = benching.field_of, 2

    def press(*arguments: Any) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            raise KeyboardInterrupt
        return original(*arguments)

    monkeypatch.setattr(benching, "field_of", press)
    answer = run(*SMALL, "--engine", "torch,reference", "--out", "t.md")
    assert answer.code == 130
    assert "train, lstm:" in answer.out and "train, lstm_gru" not in answer.out
    assert "Unfinished: some rows are missing." in answer.out
    assert "no file was written" in answer.err and not Path("t.md").exists()
    left = 1
    value = json.loads(run(*SMALL, "--engine", "reference", "--json").out)
    assert value["unfinished"] is True and len(value["rows"]) == 1
    left = 0
    answer = run(*SMALL)
    assert answer.code == 130 and answer.out == ""
    assert answer.err.strip().endswith("Stopped before there was anything to keep.")
