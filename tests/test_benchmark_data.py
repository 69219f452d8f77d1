"""The data of the benchmarks: a folder that is given, a download with its checksum, and what is said of neither."""

import gzip
import hashlib
import importlib.util
import lzma
import re
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parents[1] / "benchmarks" / "accuracy"
NAME, TEXT = "bike_sharing/hour.csv", b"hour,count\n0,16\n"


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and says nothing of it."""

    def log_message(self, *said: Any) -> None:
        pass


@pytest.fixture
def data(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The loader, which knows one file with the content TEXT."""
    monkeypatch.delenv("RECURRA_DATA", raising=False)
    monkeypatch.setenv("NO_PROXY", "*")
    spec = importlib.util.spec_from_file_location("benchmark_data", HERE / "data.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def known(data: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setitem(data.FILES, NAME, data.File("https://example.org/hour.csv", hashlib.sha256(TEXT).hexdigest()))
    return data


@pytest.fixture
def served(known: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder whose hour.csv is what is published, and an empty cache."""
    import pooch

    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.setattr(pooch, "os_cache", lambda project: tmp_path / "cache" / project)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/hour.csv"
        monkeypatch.setitem(known.FILES, NAME, known.FILES[NAME]._replace(url=url))
        yield site
        server.shutdown()
        thread.join()


def test_known_files_are_well_formed(data: Any) -> None:
    assert len({file.sha256 for file in data.FILES.values()}) == len(data.FILES)
    for name, file in data.FILES.items():
        assert re.fullmatch("[0-9a-f]{64}", file.sha256), name
        assert file.url.startswith("https://") and file.url.endswith("/" + Path(name).name), name
        assert re.search("/[0-9a-f]{40}/", file.url), name  # a commit, so that what is there stays


@pytest.mark.parametrize(
    ("place", "pack"),
    [
        ("bike_sharing/hour.csv", bytes),
        ("hour.csv", bytes),
        ("bike_sharing/hour.csv.xz", lzma.compress),
        ("hour.csv.gz", gzip.compress),
    ],
)
@pytest.mark.parametrize("by_name", [False, True])
def test_folder(known: Any, tmp_path: Path, monkeypatch: Any, place: str, pack: Any, by_name: bool) -> None:
    path = tmp_path / place
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(pack(TEXT))
    if by_name:
        monkeypatch.setenv("RECURRA_DATA", str(tmp_path))
    found = known.fetch(NAME, None if by_name else tmp_path)
    assert found == path
    with known.opened(found) as file:
        assert file.read() == TEXT.decode()


def test_folder_that_is_given_comes_first(known: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECURRA_DATA", str(tmp_path / "nowhere"))
    (tmp_path / "hour.csv").write_bytes(TEXT)
    assert known.fetch(NAME, tmp_path) == tmp_path / "hour.csv"


def test_published_packed_is_checked_as_it_is(known: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = gzip.compress(TEXT)
    file = known.File("https://example.org/rates.txt.gz", hashlib.sha256(packed).hexdigest())
    monkeypatch.setitem(known.FILES, "rates/rates.txt.gz", file)
    (tmp_path / "rates.txt.gz").write_bytes(packed)
    with known.opened(known.fetch("rates/rates.txt.gz", tmp_path)) as found:
        assert found.read() == TEXT.decode()


def test_missing_in_folder(known: Any, tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as said:
        known.fetch(NAME, tmp_path)
    assert str(said.value) == (
        f"hour.csv is not in {tmp_path}: put it there, from https://example.org/hour.csv, or name another folder by "
        "RECURRA_DATA."
    )


@pytest.mark.parametrize("pack", [bytes, lzma.compress])
def test_another_file_in_folder(known: Any, tmp_path: Path, pack: Any) -> None:
    path = tmp_path / ("hour.csv" if pack is bytes else "hour.csv.xz")
    path.write_bytes(pack(TEXT + b"1,40\n"))
    with pytest.raises(SystemExit, match=r"is another file .* take that of https://example\.org/hour\.csv\.$"):
        known.fetch(NAME, tmp_path)


def test_download_once(known: Any, served: Path) -> None:
    (served / "hour.csv").write_bytes(TEXT)
    path = known.fetch(NAME)
    assert path.read_bytes() == TEXT and path.parent.name == "bike_sharing"
    (served / "hour.csv").unlink()
    assert known.fetch(NAME) == path


def test_download_of_another_file(known: Any, served: Path, tmp_path: Path) -> None:
    (served / "hour.csv").write_bytes(TEXT.replace(b"16", b"17"))
    with pytest.raises(SystemExit, match=r"^What came from http://127\S+/hour\.csv is not .* RECURRA_DATA\.$"):
        known.fetch(NAME)
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    (served / "hour.csv").write_bytes(TEXT)
    assert known.fetch(NAME).read_bytes() == TEXT


def test_download_that_is_not_there(known: Any, served: Path) -> None:
    with pytest.raises(
        SystemExit, match=r"^hour\.csv cannot be downloaded from http://127\S+/hour\.csv .*RECURRA_DATA"
    ):
        known.fetch(NAME)


def test_folder_on_the_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(HERE)
    monkeypatch.delitem(sys.modules, "fits", raising=False)
    from fits import judged

    def asked(*given: str) -> Any:
        monkeypatch.setattr(sys, "argv", ["script", *given])
        return judged("About.", ["a", "b"], "out.jsonl")

    assert asked("here", "--max-epochs", "3")[-1] == ["--max-epochs", "3"]
    assert asked("--seeds", "2", "here", "loss=squared").folder == Path("here")
    assert asked("loss=squared").given is None and asked("loss=squared").settings == ["loss=squared"]
    assert asked("--max-epochs", "3").given is None
    with pytest.raises(SystemExit, match="The folder with the data is missing"):
        asked("--seeds", "2").folder  # noqa: B018
