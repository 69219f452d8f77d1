"""Moving pictures: which axis of an array is what.

Shapes: N cases, T frames, H rows, W columns, C colours.
"""

from collections.abc import Sequence

import numpy as np

from ...errors import DataError

Shape = tuple[int, int, int]  # C, H, W
COLOURS = (1, 3)  # how many a picture can have: grey, or red, green and blue


def frames_of(block: np.ndarray) -> tuple[np.ndarray, Shape, list[str]]:
    """Return moving pictures as (N, T, C, H, W), the shape of a frame, and a note on what was assumed.

    They may come as (N, T, H, W), (N, T, H, W, C) or (N, T, C, H, W) with 1 or 3 colours; where both of the latter
    could be meant, it is the first. Raises DataError for other sizes.
    """
    shown = block.shape
    if block.ndim == 4:
        if shown[3] in COLOURS:
            raise DataError(
                f"X has the shape {shown}, as single pictures with {shown[3]} colour(s) have, but a case is a sequence "
                "here; give moving pictures as (cases, frames, height, width), or each row of a picture as a step, as "
                "(cases, channels, time)."
            )
        block, axes = block[:, :, None], "(cases, frames, height, width)"
    elif shown[4] in COLOURS:
        block, axes = np.moveaxis(block, 4, 2), "(cases, frames, height, width, colours)"
    elif shown[2] in COLOURS:
        axes = "(cases, frames, colours, height, width)"
    else:
        raise DataError(
            f"X has the shape {shown}, but moving pictures have 1 or 3 colours, as (cases, frames, height, width, "
            "colours) or (cases, frames, colours, height, width)."
        )
    frames, colours, height, width = block.shape[1:]
    note = f"X was read as {axes}: moving pictures of {frames} frame(s), {height} x {width} pixels, {colours} colour(s)"
    return block, (colours, height, width), [note]


def of_one_size(arrays: Sequence[np.ndarray], names: Sequence[str]) -> tuple[list[np.ndarray], Shape, list[str]]:
    """Return cases (T_i, H, W), or with colours, each as (T_i, C, H, W), and what ``frames_of`` says of them.

    Raises DataError if their pictures differ in size or colours.
    """
    first = arrays[0]
    for array, name in zip(arrays, names, strict=True):
        if array.ndim != first.ndim or array.shape[1:] != first.shape[1:]:
            raise DataError(
                f"Case '{names[0]}' has the shape {first.shape} and case '{name}' has {array.shape}; all frames of all "
                "cases need the same height, width and colours."
            )
    found = [frames_of(array[None]) for array in arrays]
    return [block[0] for block, _, _ in found], found[0][1], [_any_length(found[0][2][0], arrays)]


def _any_length(note: str, arrays: Sequence[np.ndarray]) -> str:
    """Return the note on the first case as one on all of them."""
    counts = [len(array) for array in arrays]
    low, high = min(counts), max(counts)
    return note if low == high else note.replace(f"of {counts[0]} frame(s)", f"of {low} to {high} frame(s)")


def flat(block: np.ndarray) -> np.ndarray:
    """Return frames (N, T, C, H, W) as rows of pixels (N, T, C·H·W), float64."""
    rows: np.ndarray = np.ascontiguousarray(block, dtype=np.float64).reshape(*block.shape[:2], -1)
    return rows
