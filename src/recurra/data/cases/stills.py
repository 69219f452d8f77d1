"""Single pictures, each of which is a case of one frame: which axis of an array is what.

Shapes: N cases, H rows, W columns, C colours, or F features of each place.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import DataError
from .arrays import numbers_of
from .cases import Cases, channel_names, checked, counted
from .images import read_picture
from .pictures import COLOURS


def are_stills(given: Any) -> bool:
    """Tell whether an array, or a list of them, can be nothing but pictures.

    These are arrays with an axis of 1 or 3 colours, (N, H, W, C) or (N, C, H, W), and those (N, H, W) of single bytes.
    """
    if hasattr(given, "ndim"):
        given = given[:1]
    shapes = [tuple(one.shape) for one in given]
    if not shapes or {len(shape) for shape in shapes} - {2, 3}:
        return False
    if any(len(shape) == 2 for shape in shapes) and not all(_are_bytes(one) for one in given):
        return False
    return all(len(shape) == 2 or shape[2] in COLOURS or shape[0] in COLOURS for shape in shapes)


def still_cases(given: Any, names: tuple[str, ...] | None = None) -> Cases:
    """Return pictures as cases: an array (N, H, W), (N, H, W, C) or (N, C, H, W), or a list of pictures.

    If some are grey and some have colours, grey is repeated for each colour. Raises DataError if a picture has another
    shape, or if there are several sizes.
    """
    names = names or counted(len(given))
    pictures = [_picture(numbers_of(one, f"Picture '{name}'"), name) for one, name in zip(given, names, strict=True)]
    return _joined(pictures, names)


def feature_cases(given: Any, names: tuple[str, ...] | None = None) -> Cases:
    """Return pictures of which others found features as cases: an array (N, H, W, F), or a list of such (H, W, F).

    Raises DataError if one has another shape, or if there are several sizes.
    """
    names = names or counted(len(given))
    pictures = [numbers_of(one, f"'{name}'") for one, name in zip(given, names, strict=True)]
    for picture, name in zip(pictures, names, strict=True):
        if picture.ndim != 3:
            raise DataError(
                f"'{name}' has the shape {picture.shape}; give the features of a picture as (rows, columns, features)."
            )
        if picture.shape != pictures[0].shape:
            raise DataError(
                f"'{names[0]}' has features of the shape {pictures[0].shape} and '{name}' of {picture.shape}; bring "
                "all of them to one shape."
            )
    if not pictures:
        raise DataError("There are no cases; give at least one array of features.")
    rows, columns, features = pictures[0].shape
    values = tuple(np.moveaxis(picture, 2, 0).reshape(1, -1) for picture in pictures)
    note = f"read as {features:,} features for each of {rows} x {columns} places"
    shape = (features, rows, columns)
    channels = channel_names(math.prod(shape))
    return checked(Cases(values, None, names, channels, (note,), arrays=True, shape=shape, featured=True))


def picture_cases(paths: Sequence[Path], names: tuple[str, ...]) -> Cases:
    """Return the pictures in files as cases, as ``still_cases`` does; one that is named again is not read again."""
    read: dict[Path, np.ndarray] = {}
    for path, name in zip(paths, names, strict=True):
        if path not in read:
            read[path] = _picture(read_picture(path, name).astype(np.float64), name)
    return _joined([read[path] for path in paths], names)


def coloured(values: np.ndarray, colours: int) -> np.ndarray:
    """Return a grey picture (1, H·W) with as many ``colours``, all alike, (1, C·H·W)."""
    return np.tile(values, colours)


def _joined(pictures: Sequence[np.ndarray], names: tuple[str, ...]) -> Cases:
    """Return pictures (C, H, W) as cases."""
    if not pictures:
        raise DataError("There are no cases; give at least one sequence.")
    first = pictures[0]
    for picture, name in zip(pictures, names, strict=True):
        if picture.shape[1:] != first.shape[1:]:
            raise DataError(
                f"Picture '{names[0]}' has {_size(first)} pixels and picture '{name}' has {_size(picture)}; bring all "
                "of them to one size."
            )
    colours = max(len(picture) for picture in pictures)
    grey = sum(len(picture) < colours for picture in pictures)
    flat: dict[int, np.ndarray] = {id(picture): picture.reshape(1, -1) for picture in pictures}
    values = tuple(flat[id(one)] if len(one) == colours else coloured(flat[id(one)], colours) for one in pictures)
    note = f"read as pictures of {_size(first)} pixels, {colours} colour(s)"
    notes = (note, f"{grey:,} grey picture(s) among those in colours: grey stands for each colour")[: 2 if grey else 1]
    shape = (colours, first.shape[1], first.shape[2])
    channels = channel_names(math.prod(shape))
    return checked(Cases(values, None, names, channels, notes, arrays=True, shape=shape))


def _picture(array: np.ndarray, name: str) -> np.ndarray:
    """Return (H, W), (H, W, C) or (C, H, W) as (C, H, W)."""
    if array.ndim == 2:
        return array[None]
    if array.ndim == 3 and array.shape[2] in COLOURS:
        return np.moveaxis(array, 2, 0)
    if array.ndim == 3 and array.shape[0] in COLOURS:
        return array
    raise DataError(
        f"Picture '{name}' has the shape {array.shape}; give pictures as (height, width), or with 1 or 3 colours as "
        "(height, width, colours) or (colours, height, width)."
    )


def _are_bytes(one: Any) -> bool:
    return str(one.dtype).removeprefix("torch.") == "uint8"


def _size(picture: np.ndarray) -> str:
    return f"{picture.shape[1]} x {picture.shape[2]}"
