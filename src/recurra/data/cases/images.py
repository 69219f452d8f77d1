"""Pictures in files, which Pillow reads."""

from pathlib import Path

import numpy as np

from ...errors import ConfigError, DataError

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp")
SHORT = 257  # 16 bits of a grey picture for each step of 8 bits


def is_picture(path: Path) -> bool:
    """Tell whether a file is called as one of a picture is."""
    return path.suffix.lower() in ENDINGS


def read_picture(path: Path, name: str) -> np.ndarray:
    """Return the pixels of a file, from 0 to 255: (height, width) if it is grey, (height, width, 3) in colours.

    It is turned as the camera was held; what is transparent lies on white. Raises DataError, in which the file is
    called ``name``, if it is no picture, and ConfigError if the package Pillow is not there.
    """
    try:
        from PIL import Image, ImageOps
    except ImportError:
        raise ConfigError("Reading pictures needs the package Pillow: pip install 'recurra[pictures]'.") from None
    try:
        with Image.open(path) as image:
            image.load()
            return _pixels(ImageOps.exif_transpose(image))
    except Exception:  # damaged files have faults of many classes
        raise DataError(
            f"'{name}' is no picture that can be read, or is cut short; save it again as .png or .jpg."
        ) from None


def _pixels(image) -> np.ndarray:  # type: ignore[no-untyped-def]
    """Return the pixels of a picture of Pillow."""
    from PIL import Image

    if image.mode[:1] in "IF":  # more than 8 bits, and always grey
        scale = SHORT if image.mode.startswith("I") else 1
        return np.asarray(image, dtype=np.float64) / scale
    if image.has_transparency_data:
        image = image.convert("RGBA")
        grey = _is_grey(np.asarray(image.convert("RGB")))
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
        return np.asarray(image.convert("L" if grey else "RGB"))
    return np.asarray(image.convert("L" if image.mode in ("1", "L") else "RGB"))


def _is_grey(pixels: np.ndarray) -> bool:
    """Tell whether all pixels (H, W, 3) have three equal colours."""
    return bool((pixels == pixels[..., :1]).all())
