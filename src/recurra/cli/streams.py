"""Standard streams: output in UTF-8 wherever it goes to but a terminal, nobody who takes it, and input as a file."""

import errno
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TextIO

STANDARD = "-"  # what stands for a stream where a file is named


def set_up() -> None:
    """Let both take every character: files and pipes in UTF-8, a terminal with ``?`` for what it cannot show.

    What is closed is written to nowhere.
    """
    sys.stdout = sys.stdout or _nowhere()
    sys.stderr = sys.stderr or _nowhere()
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)  # what stands in for a stream may not have it
        if reconfigure is None:
            continue
        if stream.isatty():
            reconfigure(errors="replace")
        else:
            # Half a character, as names of files may have, is the one thing that UTF-8 does not know.
            reconfigure(encoding="utf-8", errors="backslashreplace")


def _nowhere() -> TextIO:
    return Path(os.devnull).open("w", encoding="utf-8")


@contextmanager
def standard_input() -> Iterator[Path]:
    """Yield a file of all that comes in, while the block runs: data are looked at before they are read."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "standard input")
        with path.open("wb") as file:
            if sys.stdin is not None:  # as it is where it was closed
                shutil.copyfileobj(sys.stdin.buffer, file)
        yield path


def flush() -> None:
    """Hand on all that was written; raises OSError if it cannot be."""
    sys.stdout.flush()
    sys.stderr.flush()


def broke(fault: OSError) -> bool:
    """Tell whether a fault is of the kind that ends a stream, and of no file that has a name."""
    return fault.filename is None and fault.errno in _ENDS


_ENDS = (errno.EPIPE, errno.EBADF, errno.EIO, errno.EFBIG, errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))


def give_up(fault: OSError) -> int:
    """Write to nowhere from now on and return the exit code: 1 if a reader just left, else 2, with a sentence."""
    _turn_away(sys.stdout)
    if fault.errno == errno.EPIPE:
        _turn_away(sys.stderr)
        return 1
    try:
        print(f"Error: The output cannot be written: {fault.strerror}.", file=sys.stderr, flush=True)
    except OSError:  # nobody is left to be told
        _turn_away(sys.stderr)
    return 2


def _turn_away(stream: TextIO) -> None:
    """Point the file of a stream elsewhere: what waits in it is written once more when Python ends."""
    with _nowhere() as nowhere:
        os.dup2(nowhere.fileno(), stream.fileno())
