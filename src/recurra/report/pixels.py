"""Pictures of pixels as a figure can hold them.

Shapes: H rows, W columns, C colours.
"""

import base64
import struct
import zlib

import numpy as np

LARGEST = 96  # pixels of a side, as small as it is shown
BYTE = 255


def data_uri(pixels: np.ndarray) -> str:
    """Return a picture (H, W, C) of 1 or 3 colours as the address of a PNG file that holds itself.

    Numbers up to 1, or up to 255, are taken as they are; others from the least, which is black, to the largest.
    """
    return "data:image/png;base64," + base64.b64encode(png(_shrunk(_as_bytes(pixels)))).decode()


def png(pixels: np.ndarray) -> bytes:
    """Return bytes (H, W, C) of 1 or 3 colours as a file of the format PNG."""
    height, width, colours = pixels.shape
    lines = np.concatenate([np.zeros((height, 1), np.uint8), pixels.reshape(height, -1)], 1)  # a 0: as it is
    header = struct.pack(">IIBBBBB", width, height, 8, 2 if colours == 3 else 0, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(lines.tobytes(), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_part(kind, content) for kind, content in parts)


def _part(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _as_bytes(pixels: np.ndarray) -> np.ndarray:
    pixels = np.nan_to_num(pixels)
    low, high = float(pixels.min()), float(pixels.max())
    if low < -0.01 or high > BYTE + 0.5:
        pixels, high = (pixels - low) / ((high - low) or 1.0), 1.0
    scale = BYTE if high <= 1.01 else 1
    found: np.ndarray = np.clip(np.round(scale * pixels), 0, BYTE).astype(np.uint8)
    return found


def _shrunk(pixels: np.ndarray) -> np.ndarray:
    """Return a picture whose sides are not too long: of so many pixels beside and below each other the mean."""
    size = -(-max(pixels.shape[:2]) // LARGEST)
    if size == 1:
        return pixels
    rows, columns = (side // size for side in pixels.shape[:2])
    blocks = pixels[: rows * size, : columns * size].reshape(max(rows, 1), -1, columns, size, pixels.shape[2])
    return blocks.mean((1, 3)).round().astype(np.uint8)
