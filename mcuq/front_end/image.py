"""A front end of images as a value: of a camera's frames the network's input, and how its C computes the same."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import ceil, log2
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mcuq.errors import ModelError
from mcuq.front_end.fft import Integers
from mcuq.front_end.front_end import LastStep
from mcuq.front_end.pixels import PIXEL_BYTES, Bytes, Format, YuvRange, pixels_of
from mcuq.front_end.resize import WEIGHT_BITS, Coordinates, Resize, Taps, nearest, taps
from mcuq.graph.ir import Graph
from mcuq.graph.tensor import Tensor

Color = Literal["auto", "RGB", "BGR", "grey"]
Layout = Literal["auto", "NHWC", "NCHW"]

LINE_BITS = 8  # of a line that is resized along x, behind the point
SUM_BITS = LINE_BITS + WEIGHT_BITS  # of one that is resized along y, too


@dataclass(frozen=True)
class Image:
    """Frames of `frame_width` x `frame_height` pixels: of the part `crop` (left, top, width, height), resized, turned
    clockwise by `rotate` degrees and then mirrored left to right, a channel is (pixel - mean) / std, where `pixel_max`
    is what a pixel of 255 is. `color` and `layout` say how the network has channels ("auto": RGB or grey, and as its
    shape says). `source` is the file, as it was read."""

    frame_width: int
    frame_height: int
    frame_format: Format
    yuv_range: YuvRange
    crop: tuple[int, int, int, int]
    resize: Resize
    coordinates: Coordinates
    rotate: int
    mirror: bool
    color: Color
    layout: Layout
    pixel_max: float
    mean: tuple[float, ...]
    std: tuple[float, ...]
    source: str

    @property
    def row_bytes(self) -> int:
        """Of a row of a frame."""
        return self.frame_width * PIXEL_BYTES[self.frame_format]

    @property
    def frame_bytes(self) -> int:
        """Of a frame."""
        return self.row_bytes * self.frame_height

    @property
    def reach(self) -> tuple[float, float]:
        """The least and the greatest value that it gives a network."""
        ends = [(x - m) / s for m, s in self._each for x in (0.0, self.pixel_max)]
        return min(ends), max(ends)

    @property
    def _each(self) -> list[tuple[float, float]]:
        size = max(len(self.mean), len(self.std))
        mean, std = (v * size if len(v) == 1 else v for v in (self.mean, self.std))
        return list(zip(mean, std, strict=True))

    def described(self) -> str:
        """In a few words."""
        left, top, width, height = self.crop
        part = f", {width} x {height} of it from {left}, {top}" if (width, height) != self._frame else ""
        return f"image: frames of {self.frame_width} x {self.frame_height} pixels, {self.frame_format}{part}"

    @property
    def _frame(self) -> tuple[int, int]:
        return self.frame_width, self.frame_height


@dataclass(frozen=True)
class Seen:
    """An image front end before an input of a network: `shape`, of `channels` of (height, width), last or first."""

    front: Image
    name: str
    shape: tuple[int, ...]
    height: int
    width: int
    channels: int
    channels_last: bool

    @property
    def is_bgr(self) -> bool:
        """Whether blue comes first."""
        return self.front.color == "BGR"

    @property
    def resized(self) -> tuple[int, int]:
        """(height, width) before the image is turned."""
        return (self.width, self.height) if self.front.rotate % 180 else (self.height, self.width)

    @property
    def is_whole(self) -> bool:
        """Whether each pixel is one of the frame, so that nothing is computed of several."""
        return self.front.resize == "nearest" or self.resized == self.front.crop[:1:-1]

    @property
    def places(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Where `is_whole`: the place in the crop of each row and of each column."""
        size = self.front.crop[:1:-1]
        found = [nearest(n, m, self.front.coordinates) for n, m in zip(size, self.resized, strict=True)]
        return found[0], found[1]

    @cached_property
    def taps(self) -> tuple[Taps, Taps]:
        """Else: what rows and what columns are made of."""
        front, size = self.front, self.front.crop[:1:-1]
        found = [taps(n, m, front.resize, front.coordinates) for n, m in zip(size, self.resized, strict=True)]
        return found[0], found[1]

    def sums(self, frames: Bytes) -> Integers:
        """(images, *resized, channels) of frames (images, frame_height, row_bytes): pixels, or where several make one
        those times 2^SUM_BITS."""
        front = self.front
        left, top, width, height = front.crop
        rows = frames[:, top : top + height]
        if self.is_whole:
            ys, xs = self.places
            pixels = pixels_of(rows[:, ys], front.frame_format, front.yuv_range, self.channels)
            found: Integers = pixels[:, :, left + xs]
        else:
            across, along = self.taps[1], self.taps[0]
            pixels = pixels_of(rows, front.frame_format, front.yuv_range, self.channels)[:, :, left : left + width]
            lines = _weighted(pixels.swapaxes(1, 2), across).swapaxes(1, 2)
            lines = (lines + (1 << (WEIGHT_BITS - LINE_BITS - 1))) >> (WEIGHT_BITS - LINE_BITS)
            found = _weighted(lines, along)
        return found[..., ::-1] if self.is_bgr else found

    def placed(self, values: NDArray[Any]) -> NDArray[Any]:
        """(images, *shape) of (images, *resized, channels): turned, mirrored, with channels where they belong."""
        x = np.rot90(values, -(self.front.rotate // 90), (1, 2))
        if self.front.mirror:
            x = x[:, :, ::-1]
        x = x if self.channels_last else x.transpose(0, 3, 1, 2)
        return np.ascontiguousarray(x).reshape(-1, *self.shape)

    def real(self, frames: Bytes) -> NDArray[np.float32]:
        """(images, *shape): what the network was trained on."""
        unit = self.front.pixel_max / 255 / (1 if self.is_whole else 1 << SUM_BITS)
        values = (self.sums(frames) * unit - np.array(self.front.mean)) / np.array(self.front.std)
        return self.placed(values.astype(np.float32))

    def codes(self, frames: Bytes, step: LastStep) -> Integers:
        """The same as codes of the input."""
        return self.placed(step.codes(self.sums(frames)))


def _weighted(x: Integers, made: Taps) -> Integers:
    """Sums (images, places, ...) of (images, source, ...)."""
    found = np.zeros((len(x), len(made.starts), *x.shape[2:]), np.int64)
    weights = made.weights.reshape(*made.weights.shape, *[1] * (x.ndim - 2))
    for k in range(made.count):
        found += x[:, made.starts + k] * weights[:, k]
    return found


def seen_by(graph: Graph, front: Image, model: str) -> Seen:
    """The front end before the one input of a graph. Raises ModelError where that is no image."""
    where = f"model '{model}': --front-end"
    if len(graph.given_inputs) != 1:
        names = ", ".join(f"'{name}'" for name in graph.given_inputs)
        raise ModelError(
            f"{where}: feeds one input, the model has {len(graph.given_inputs)} ({names}); make the others constants "
            "(--fix-input)"
        )
    if graph.states or graph.stream is not None:
        raise ModelError(
            f"{where}: kind 'image' feeds whole images to a model without states; leave out --state, --stateful and "
            "--stream"
        )
    (name,) = graph.given_inputs
    shape = graph.tensors[name].shape
    if len(shape) == 4 and shape[0] == 1:
        is_last = shape[3] in (1, 3) if front.layout == "auto" else front.layout == "NHWC"
        channels, size = (shape[3], shape[1:3]) if is_last else (shape[1], shape[2:])
        if channels == {"grey": 1, "RGB": 3, "BGR": 3}.get(front.color, channels) and channels in (1, 3):
            for key, listed in (("mean", front.mean), ("std", front.std)):
                if len(listed) not in (1, channels):
                    raise ModelError(
                        f"{where}: {key}: has {len(listed)} numbers, input '{name}' {channels} channels; give as many, "
                        "or one"
                    )
            return Seen(front, name, shape, *size, channels, is_last)
    what = {"auto": "1 or 3 channels", "grey": "1 channel (grey)"}.get(front.color, f"3 channels ({front.color})")
    order = {"auto": "last or first", "NHWC": "last (NHWC)", "NCHW": "first (NCHW)"}[front.layout]
    raise ModelError(
        f"{where}: input '{name}' of shape {'x'.join(map(str, shape))} is no image of {what}, {order}, and a batch of 1"
    )


def image_step(seen: Seen, tensor: Tensor) -> LastStep:
    """Sums to codes of a tensor, so that the C computes with 32 bits: of whole pixels a sum below 2^31, else the upper
    word of products, whose offset is a multiple of 2^32. Raises ModelError where codes are too small for pixels."""
    front, bounds = seen.front, tensor.quantization.bounds
    mean, std = (np.broadcast_to(np.array(v), (seen.channels,)) for v in (front.mean, front.std))
    factors = front.pixel_max / 255 / (std * tensor.scale)
    points = tensor.zero_point - mean / (std * tensor.scale)
    upper = 0 if seen.is_whole else 32
    per_sum = factors / (1 if seen.is_whole else 1 << SUM_BITS) * 2.0**upper
    most = factors.max() * 255 + np.abs(points).max() + 1
    # |sum * multiplier / 2^upper + offset| < 2^31, and multipliers below 2^31.
    shift = min(22, 30 - ceil(log2(most)), 30 - ceil(log2(per_sum.max())))
    if shift < 1:
        raise ModelError(
            f"--front-end: reaches from {front.reach[0]:.4g} to {front.reach[1]:.4g}, and a step of input "
            f"'{tensor.name}' is {tensor.scale:.4g}; mend mean, std and pixel_max, or calibrate with images"
        )
    multipliers = np.floor(per_sum * 2.0**shift + 0.5).astype(np.int32)
    offsets = np.floor(points * 2.0**shift + 0.5).astype(np.int64) + (1 << (shift - 1))
    return LastStep(multipliers, offsets << upper, shift + upper, *bounds)
