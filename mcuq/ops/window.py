"""Where a window lies on its input: the conventions that convolution and pooling share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import prod

from mcuq.errors import ModelError
from mcuq.graph.rows import Band, RowWindow
from mcuq.graph.tensor import Array, Shape, Tensor
from mcuq.onnx_io.reader import OnnxNode

# C counts in int32, and the simulator pads: more than any microcontroller's image has.
LARGEST = 2**15
MOST_PADDED = 2**26


@dataclass(frozen=True)
class AxisWindow:
    """A window along one dimension, `begin` and `end` being its pads."""

    kernel: int
    stride: int
    begin: int
    end: int
    dilation: int
    ceil_mode: bool = False

    @property
    def extent(self) -> int:
        """How many places the window covers."""
        return self.dilation * (self.kernel - 1) + 1

    def meets(self, size: int) -> bool:
        """Whether every window has a tap on `size` places; dilation may leave one none."""
        return all(
            any(0 <= o * self.stride - self.begin + k * self.dilation < size for k in range(self.kernel))
            for o in range(self.outputs(size))
        )

    @property
    def is_trivial(self) -> bool:
        """Whether each place is its own window."""
        return (self.kernel, self.stride, self.begin, self.end) == (1, 1, 0, 0)

    def outputs(self, size: int) -> int:
        """How many windows there are along `size` places. Raises ModelError where none fits."""
        room = size + self.begin + self.end - self.extent
        if room < 0:
            raise ModelError(
                f"a window of {self.extent} does not fit an input of {size} with pads {self.begin} and {self.end}"
            )
        count = (-(-room // self.stride) if self.ceil_mode else room // self.stride) + 1
        # As ONNX Runtime and PyTorch do: no window may start beyond the input and its leading pad.
        if self.ceil_mode and (count - 1) * self.stride >= size + self.begin:
            count -= 1
        return count


SINGLE = AxisWindow(1, 1, 0, 0, 1)
"""The window along a dimension that it leaves alone."""


@dataclass(frozen=True)
class Window:
    """A 2-D window: (height, width) pairs, pads as (top, left, bottom, right) like ONNX."""

    kernel: tuple[int, int]
    strides: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilations: tuple[int, int] = (1, 1)
    ceil_mode: bool = False

    def output_size(self, height: int, width: int) -> tuple[int, int]:
        """Output height and width for an input of `height` x `width`."""
        y, x = self.axes
        return y.outputs(height), x.outputs(width)

    @property
    def axes(self) -> tuple[AxisWindow, AxisWindow]:
        """The window along the height and along the width."""
        y, x = (
            AxisWindow(kernel, stride, begin, end, dilation, self.ceil_mode)
            for kernel, stride, begin, end, dilation in zip(
                self.kernel, self.strides, self.pads[:2], self.pads[2:], self.dilations, strict=True
            )
        )
        return y, x

    def padded(self, pads: tuple[int, int, int, int]) -> Window:
        """The same on an image with so much more padding."""
        top, left, bottom, right = (old + new for old, new in zip(self.pads, pads, strict=True))
        return replace(self, pads=(top, left, bottom, right))

    def meets_input(self, height: int, width: int) -> bool:
        """Whether every window has a tap on an input of `height` x `width`; dilation may leave one none."""
        y, x = self.axes
        return y.meets(height) and x.meets(width)

    def rows(self, axis: int) -> RowWindow | None:
        """Of dimension 1 or 2 of an image (N, H, W, C)."""
        if axis not in (1, 2):
            return None
        along = self.axes[axis - 1]
        return RowWindow(along.extent, along.stride, along.begin)

    def banded(self, axis: int, band: Band) -> Window:
        """The same on a band of rows along dimension 1 or 2."""
        pads = list(self.pads)
        pads[axis - 1], pads[axis + 1] = band.begin, band.end
        top, left, bottom, right = pads
        return replace(self, pads=(top, left, bottom, right), ceil_mode=False)

    def onnx_ceil_mode(self, height: int, width: int) -> int:
        """ceil_mode as it is written to ONNX."""
        return onnx_ceil_mode(self.axes, (height, width))

    def leaves(self, x: Tensor, y: Tensor) -> bool:
        """Whether the window of any output of `y` (N, OH, OW, ...) meets padding around `x` (N, H, W, ...)."""
        return any(
            pad > 0 or (outputs - 1) * stride - pad + (kernel - 1) * dilation >= size
            for size, outputs, kernel, stride, pad, dilation in zip(
                x.shape[1:3], y.shape[1:3], self.kernel, self.strides, self.pads[:2], self.dilations, strict=True
            )
        )

    def taps(self, x: Array, y: Array) -> Iterator[tuple[Array, Array]]:
        """For each tap of the window: the inputs it meets, and the view of `y` that they belong to.

        `x` (B, H, W, ...) and `y` (B, OH, OW, ...); windows that put the tap into the padding are left out.
        """
        for tap in product(range(self.kernel[0]), range(self.kernel[1])):
            x_index, y_index = [], []
            for axis in range(2):
                stride, offset = self.strides[axis], tap[axis] * self.dilations[axis] - self.pads[axis]
                first = max(0, -(offset // stride))
                last = min(y.shape[axis + 1] - 1, (x.shape[axis + 1] - 1 - offset) // stride)
                x_index.append(slice(first * stride + offset, max(0, last * stride + offset + 1), stride))
                y_index.append(slice(first, max(first, last + 1)))
            yield x[:, x_index[0], x_index[1]], y[:, y_index[0], y_index[1]]


def window_of(y: AxisWindow, x: AxisWindow) -> Window:
    """The window along two dimensions."""
    return Window(
        (y.kernel, x.kernel),
        (y.stride, x.stride),
        (y.begin, x.begin, y.end, x.end),
        (y.dilation, x.dilation),
        y.ceil_mode or x.ceil_mode,
    )


def onnx_ceil_mode(axes: Sequence[AxisWindow], sizes: Shape) -> int:
    """ceil_mode as it is written to ONNX: 0 where it changes nothing.

    The shape inference of ONNX (1.23) lets windows start beyond the input and ONNX Runtime (1.31), which does not, then
    fails on the shapes.
    """
    return int(
        any(
            replace(along, ceil_mode=False).outputs(n) != along.outputs(n) for along, n in zip(axes, sizes, strict=True)
        )
    )


def plane_window(axes: Sequence[AxisWindow]) -> Window:
    """The window along one or two dimensions; a 1-D window becomes one of height 1."""
    return window_of(axes[0], axes[1]) if len(axes) == 2 else window_of(SINGLE, axes[0])


def axis_windows(node: OnnxNode, kernel: Sequence[int], spatial: Shape) -> tuple[AxisWindow, ...]:
    """The window that the attributes strides, pads, auto_pad, dilations, ceil_mode describe, along each of the
    dimensions `spatial`, one to three."""
    rank = len(spatial)
    strides = tuple(node.attribute("strides", (1,) * rank))
    dilations = tuple(node.attribute("dilations", (1,) * rank))
    auto_pad = node.attribute("auto_pad", "NOTSET")
    if auto_pad in ("SAME_UPPER", "SAME_LOWER"):
        begin, end = [], []
        for size, k, stride, dilation in zip(spatial, kernel, strides, dilations, strict=True):
            total = max(0, (-(-size // stride) - 1) * stride + dilation * (k - 1) + 1 - size)
            less, more = total // 2, total - total // 2
            begin.append(less if auto_pad == "SAME_UPPER" else more)
            end.append(more if auto_pad == "SAME_UPPER" else less)
        pads = (*begin, *end)
    elif auto_pad == "VALID":
        pads = (0,) * (2 * rank)
    elif auto_pad != "NOTSET":
        raise node.error(
            f"auto_pad={auto_pad} is not supported; use NOTSET, SAME_UPPER, SAME_LOWER or VALID", "auto_pad"
        )
    else:
        pads = tuple(node.attribute("pads", (0,) * (2 * rank)))
    kernel = tuple(kernel)
    if not (len(kernel) == len(strides) == len(dilations) == rank and len(pads) == 2 * rank):
        raise node.error(
            f"kernel_shape={list(kernel)}, strides={list(strides)}, dilations={list(dilations)}, "
            f"pads={list(pads)} do not fit {rank} spatial dimensions"
        )
    if min(pads) < 0 or min(*strides, *dilations, *kernel) < 1:
        raise node.error(
            f"kernel_shape={list(kernel)}, strides={list(strides)}, dilations={list(dilations)} must be positive "
            f"and pads={list(pads)} not negative"
        )
    largest = max(*kernel, *strides, *dilations, *pads)
    padded = prod(size + pads[axis] + pads[axis + rank] for axis, size in enumerate(spatial)) * node.shape(0)[1]
    if largest > LARGEST or padded > MOST_PADDED:
        raise node.error(
            f"kernel_shape={list(kernel)}, strides={list(strides)}, dilations={list(dilations)}, pads={list(pads)} are "
            f"too large; supported are numbers up to {LARGEST:,} and {MOST_PADDED:,} values of a padded input"
        )
    ceil_mode = bool(node.attribute("ceil_mode", 0))
    return tuple(
        AxisWindow(*along, ceil_mode)
        for along in zip(kernel, strides, pads[:rank], pads[rank:], dilations, strict=True)
    )
