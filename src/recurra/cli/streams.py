"""Standard output and error: in UTF-8 wherever they go to but a terminal, and what happens when nobody takes it."""

import errno
import os
import sys
from pathlib import Path
from typing import TextIO


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
