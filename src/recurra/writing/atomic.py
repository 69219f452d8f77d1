"""Files that are written whole or not at all, and one plain sentence for what the file system refuses.

A file is written beside its name and moved there in one go: whoever looks finds the old one or the new one.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import RunError


@contextmanager
def plain_faults(what: str) -> Iterator[None]:
    """Raise a RunError that begins with ``what`` for whatever the file system refuses in the block."""
    try:
        yield
    except OSError as fault:
        raise RunError(f"{what}: {fault.strerror or fault}.") from None


@contextmanager
def draft_of(path: Path, what: str) -> Iterator[Path]:
    """Give the block a place beside ``path`` to write to, and move that to ``path`` when the block is done.

    A block that fails leaves what was at ``path``, and no draft. Raises RunError as ``plain_faults`` does.
    """
    # With the number of the process: two that write the same file must not write into one draft.
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with plain_faults(what):
            yield draft
            draft.replace(path)
    finally:
        with suppress(OSError):  # where nothing could be written there is nothing to remove
            draft.unlink()


def write_text(path: Path, text: str, what: str) -> Path:
    """Write ``text`` to ``path`` and return the path; raises RunError as ``plain_faults`` does."""
    with draft_of(path, what) as draft:
        draft.write_text(text, encoding="utf-8")
    return path
