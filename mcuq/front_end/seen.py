"""Images as data for a network: files of images and of frames -> the inputs that the front end gives it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from shlex import quote
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcuq.dataset.npy import damage_reported
from mcuq.errors import DataError
from mcuq.front_end.folders import listed_files
from mcuq.front_end.image import Image, Seen
from mcuq.front_end.pixels import Bytes, frames_of

Array = NDArray[Any]
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".ppm", ".pgm")
RAW = ".raw"


def is_seen(data: object) -> bool:
    """Whether it is a file of images or frames, a folder of some, or one with such a folder for each class."""
    if not isinstance(data, str | Path):
        return False
    path = Path(data)
    return _is_one(path) or (path.is_dir() and any(_files(path).values()))


def seen(
    data: object, shown: Seen, step: Callable[[Bytes], Array]
) -> tuple[dict[str, Array], Array] | dict[str, Array]:
    """What `data`, which `is_seen`, is to the network: inputs, with labels where folders are classes. `step` makes them
    of frames.

    Raises DataError where an image has not the frames' size, or cannot be read.
    """
    path = Path(str(data))
    folders = {path.parent: [path]} if _is_one(path) else _files(path)
    parts, labels = [], []
    for label, (folder, files) in enumerate(folders.items()):
        for file in files:
            frames = read_frames(file, f"{folder.name}/{file.name}", shown.front)
            parts.append(step(frames))
            labels += [label] * len(frames)
    inputs = {shown.name: np.concatenate(parts)}
    return (inputs, np.array(labels)) if len(folders) > 1 else inputs


def read_frames(path: Path, where: str, front: Image) -> Bytes:
    """(frames, frame_height, row_bytes), as the camera would give what a file shows: images, .npy files of uint8
    (images, height, width, 3) or (images, height, width), one or several, and .raw files of frames themselves."""
    if path.suffix.lower() == RAW:
        return _raw(path, where, front)
    pixels = _array(path, where, front) if path.suffix.lower() == ".npy" else _image(path, where, front)[None]
    return frames_of(pixels, front.frame_format, front.yuv_range)


def _raw(path: Path, where: str, front: Image) -> Bytes:
    try:
        data = np.fromfile(path, np.uint8)
    except OSError as error:
        raise DataError(f"{where}: cannot be read ({error.strerror})") from None
    if len(data) == 0 or len(data) % front.frame_bytes:
        raise DataError(
            f"{where}: has {len(data):,} bytes; frames of {front.frame_width} x {front.frame_height} pixels, "
            f"{front.frame_format}, have {front.frame_bytes:,} each"
        )
    return data.reshape(-1, front.frame_height, front.row_bytes)


def _array(path: Path, where: str, front: Image) -> Bytes:
    with damage_reported(where):
        found: Array = np.load(path, allow_pickle=False)
    size = front.frame_height, front.frame_width
    if found.shape[-2:] == size and found.ndim in (2, 3):
        found = found[..., None].repeat(3, -1)
    if found.dtype != np.uint8 or found.shape[-3:] != (*size, 3) or found.ndim not in (3, 4) or not found.size:
        height, width = size
        raise DataError(
            f"{where}: is {found.dtype} of shape {found.shape}; frames are uint8 of shape ({height}, {width}, 3) or "
            f"({height}, {width}), or several of them"
        )
    pixels: Bytes = found.reshape(-1, *size, 3)
    return pixels


def _image(path: Path, where: str, front: Image) -> Bytes:
    try:
        from PIL import Image as Pillow
        from PIL import ImageOps
    except ImportError:
        raise DataError(f"{where}: reading images needs Pillow; install it with: pip install 'mcuq[images]'") from None
    with damage_reported(where):
        image = Pillow.open(path)
    with image:
        if image.mode[0] in "IF":
            raise DataError(f"{where}: pixel format {image.mode} is not supported; use 8 bits a channel")
        with damage_reported(where):
            upright = ImageOps.exif_transpose(image).convert("RGB")
        if upright.size != (front.frame_width, front.frame_height):
            wanted = f"{front.frame_width}x{front.frame_height}"
            raise DataError(
                f"{where}: has {upright.width} x {upright.height} pixels, the camera's frames {front.frame_width} x "
                f"{front.frame_height}; make it one: magick {quote(path.name)} -resize {wanted}^ -gravity center "
                f"-extent {wanted} {quote(f'frame_{path.stem}.png')}"
            )
        return np.asarray(upright)


def _is_one(path: Path) -> bool:
    if path.name.startswith(".") or not path.is_file():
        return False
    suffix = path.suffix.lower()
    return suffix in (*SUFFIXES, RAW) or (suffix == ".npy" and _is_of_bytes(path))


def _is_of_bytes(path: Path) -> bool:
    """Whether an array's elements are pixels: those of a network's inputs are floats, or other integers."""
    try:
        return bool(np.load(path, mmap_mode="r", allow_pickle=False).dtype == np.uint8)
    except (ValueError, OSError, EOFError):
        return False


def _files(path: Path) -> Any:
    return listed_files(path, _is_one, "image or frame")
