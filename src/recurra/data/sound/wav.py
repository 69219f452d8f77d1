"""Wav files: what their header says, and their samples.

Shapes: n samples.
"""

import io
import struct
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from ...errors import DataError

SLOWEST, FASTEST = 1_000, 1_000_000  # samples per second that a sound can have
STREAMED = (0, 0x7FFFFFFF, *range(0xFFFFFF00, 0x100000000))  # sizes that a header has which was written before the end
FORMS = (b"RIFF", b"RIFX", b"RF64")
OTHERS = {  # how files begin that are often called .wav, and what they are
    b"ID3": "an MP3 file", b"\xff\xfb": "an MP3 file", b"\xff\xf3": "an MP3 file", b"OggS": "an Ogg file",
    b"fLaC": "a FLAC file", b"FORM": "an AIFF file", b"\x1a\x45\xdf\xa3": "a Matroska or WebM file",
    b"version https": "a pointer of Git LFS to a file",
}  # fmt: skip
CLIPPED = 0.001  # share of the samples at the limit from which a sound counts as clipped


@dataclass(frozen=True)
class Header:
    """Where the samples of a wav file lie, and how fast they follow each other."""

    rate: int  # samples per second
    channels: int
    start: int  # bytes before the samples
    size: int  # bytes of all samples


def read_header(path: Path, name: str) -> Header:
    """Return what the header of a wav file says; raises DataError that calls it ``name`` if that is no wav file.

    A size of the whole file that is wrong does no harm; a file that ends before its samples do is refused.
    """
    try:
        length = path.stat().st_size
        with path.open("rb") as file:
            order = _byte_order(file, name)
            return _checked(_chunks(file, order, length, name), name)
    except OSError as fault:
        raise DataError(f"'{name}' cannot be opened ({fault.strerror}).") from None


def _byte_order(file: IO[bytes], name: str) -> str:
    head = file.read(12)
    if not head:
        raise DataError(f"'{name}' is empty; leave it out.")
    if head[:4] not in FORMS or head[8:] != b"WAVE":
        kind = next((kind for magic, kind in OTHERS.items() if head.startswith(magic)), None)
        what = f"{kind} and no wav file" if kind else "no wav file"
        raise DataError(f"'{name}' is {what}, whatever it is called; convert it to wav, or leave it out.")
    return ">" if head[:4] == b"RIFX" else "<"


def _chunks(file: IO[bytes], order: str, length: int, name: str) -> Header:
    """Go from chunk to chunk up to the samples."""
    form = b""
    while len(head := file.read(8)) == 8:
        (size,) = struct.unpack(f"{order}I", head[4:])
        if head[:4] == b"data":
            return _header(form, order, file.tell(), size, length, name)
        if head[:4] == b"fmt ":
            form = file.read(16)
            size -= len(form)
        file.seek(size + size % 2, io.SEEK_CUR)
    raise DataError(f"'{name}' has a wav header but no samples; it is cut short, so leave it out.")


def _header(form: bytes, order: str, start: int, size: int, length: int, name: str) -> Header:
    if len(form) < 16:
        raise DataError(f"'{name}' has a damaged wav header: it does not say how its samples are written.")
    _, channels, rate, _, block, _ = struct.unpack(f"{order}HHIIHH", form)
    if not channels or not block or block % channels:
        raise DataError(
            f"'{name}' has a damaged wav header: it says {channels} channel(s) in {block} byte(s) of each step of time."
        )
    there = length - start
    if size in STREAMED:
        size = there
    if size > there:
        raise DataError(
            f"'{name}' is cut short: its header says {size // block:,} samples, but {there // block:,} are there; "
            "bring the whole file, or leave it out."
        )
    return Header(rate, channels, start, size - size % block)


def _checked(header: Header, name: str) -> Header:
    if not SLOWEST <= header.rate <= FASTEST:
        raise DataError(
            f"'{name}' has a sample rate of {header.rate:,} in its header; a sound has {SLOWEST:,} to {FASTEST:,} "
            "samples per second."
        )
    if not header.size:
        raise DataError(f"'{name}' has no samples; leave it out.")
    return header


def read_samples(path: Path, header: Header, name: str) -> np.ndarray:
    """Return the samples, float32 (n,) in which ±1 is the loudest, the mean of the channels.

    Raises DataError for a form other than PCM and float, and for samples that are no numbers.
    """
    from scipy.io import wavfile  # takes as long to import as most of this package

    with path.open("rb") as file:
        content = bytearray(file.read(header.start + header.size))
    order = ">" if content[:4] == b"RIFX" else "<"
    if content[:4] != b"RF64":  # which has its sizes elsewhere, and they were not doubted
        content[4:8] = struct.pack(f"{order}I", len(content) - 8)
        content[header.start - 4 : header.start] = struct.pack(f"{order}I", header.size)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of chunks that are no samples
            _, samples = wavfile.read(io.BytesIO(content))
    except Exception as fault:  # its faults share no class below Exception
        why = str(fault).split(".")[0]
        raise DataError(f"'{name}' cannot be read ({why}); convert it to wav with 16 bits of PCM.") from None
    sound = scaled(samples)
    sound = sound if sound.ndim == 1 else sound.mean(axis=1)
    if not np.isfinite(sound).all():
        raise DataError(f"'{name}' has samples that are no finite numbers; leave it out.")
    return sound


def scaled(samples: np.ndarray) -> np.ndarray:
    """Return samples of any type as float32 between -1 and 1; those that have fractions are so already."""
    if samples.dtype.kind == "f":
        return samples.astype(np.float32)
    half = float(2 ** (8 * samples.dtype.itemsize - 1))
    middle = half if samples.dtype.kind == "u" else 0.0
    # A float64 holds 53 bits, and what follows needs no more than 24 of them.
    return ((samples.astype(np.float64) - middle) / half).astype(np.float32)


def is_clipped(sound: np.ndarray) -> bool:
    """Tell whether a thousandth of a sound (n,) or more is as loud as can be."""
    return bool((np.abs(sound) >= 1 - 1 / 127).mean() >= CLIPPED)
