"""Reads image files in a model's input layout, through Pillow (the optional dependency "images")."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcuq.dataset.checks import shape_text
from mcuq.dataset.npy import damage_reported
from mcuq.dataset.samples import InputSpec
from mcuq.errors import DataError

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp")

_MODES = {1: "L", 3: "RGB"}


@dataclass(frozen=True)
class ImageReader:
    """Reads one image as `shape`: (1, height, width, channels), or (1, channels, height, width)."""

    shape: tuple[int, ...]
    height: int
    width: int
    channels: int
    channels_last: bool

    def read(self, path: Path, where: str) -> NDArray[Any]:
        """Return the pixels, uint8, 0 to 255, in `shape`; grey and colour are converted to each other.

        Raises DataError for a damaged file, for more than 8 bits a channel, and for another size: nothing is
        resized, because how to do so is part of the model.
        """
        from PIL import Image

        with damage_reported(where):
            image = Image.open(path)
        with image:
            if image.size != (self.width, self.height):
                raise DataError(
                    f"{where}: the image is {image.width} x {image.height} pixels (width x height), "
                    f"the model takes {self.width} x {self.height}; resize it first"
                )
            if image.mode[0] in "IF":
                raise DataError(f"{where}: pixel format {image.mode} is not supported; use 8 bits a channel")
            with damage_reported(where):
                pixels = np.asarray(image.convert(_MODES[self.channels]))
        if self.channels_last or self.channels == 1:
            return pixels.reshape(self.shape)
        return pixels.transpose(2, 0, 1).reshape(self.shape)


def image_reader(where: str, spec: InputSpec) -> ImageReader:
    """Return the reader for an input, NHWC where its last dimension is 1 or 3, else NCHW.

    Raises DataError where the input is no image, or where Pillow is not installed.
    """
    shape = spec.shape
    if len(shape) == 4 and shape[0] == 1:
        if shape[3] in _MODES:
            return _with_pillow(where, ImageReader(shape, shape[1], shape[2], shape[3], channels_last=True))
        if shape[1] in _MODES:
            return _with_pillow(where, ImageReader(shape, shape[2], shape[3], shape[1], channels_last=False))
    raise DataError(
        f"{where}: images do not fit the model's input '{spec.name}' of shape {shape_text(shape)}; "
        "they need 1 or 3 channels, last or first, and a batch of 1"
    )


def _with_pillow(where: str, reader: ImageReader) -> ImageReader:
    try:
        import PIL.Image  # noqa: F401
    except ImportError:
        raise DataError(f"{where}: reading images needs Pillow; install it with: pip install 'mcuq[images]'") from None
    return reader
