"""Where a window lies on its input: the conventions that convolution and pooling share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from math import prod

from mcuq.errors import ModelError
from mcuq.graph.tensor import Array, Shape, Tensor
from mcuq.onnx_io.reader import OnnxNode

# C counts in int32, and the simulator pads: more than any microcontroller's image has.
LARGEST = 2**15
MOST_PADDED = 2**26


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
        sizes = []
        for axis, size in enumerate((height, width)):
            begin, end = self.pads[axis], self.pads[axis + 2]
            extent = self.dilations[axis] * (self.kernel[axis] - 1) + 1
            room = size + begin + end - extent
            stride = self.strides[axis]
            if room < 0:
                raise ModelError(f"a window of {extent} does not fit an input of {size} with pads {begin} and {end}")
            count = (-(-room // stride) if self.ceil_mode else room // stride) + 1
            # As ONNX Runtime and PyTorch do: no window may start beyond the input and its leading pad.
            if self.ceil_mode and (count - 1) * stride >= size + begin:
                count -= 1
            sizes.append(count)
        return sizes[0], sizes[1]

    def padded(self, pads: tuple[int, int, int, int]) -> Window:
        """The same on an image with so much more padding."""
        top, left, bottom, right = (old + new for old, new in zip(self.pads, pads, strict=True))
        return replace(self, pads=(top, left, bottom, right))

    def meets_input(self, height: int, width: int) -> bool:
        """Whether every window has a tap on an input of `height` x `width`; dilation may leave one none."""
        return all(
            any(0 <= o * self.strides[axis] - self.pads[axis] + k * self.dilations[axis] < size for k in range(taps))
            for axis, (size, taps, count) in enumerate(
                zip((height, width), self.kernel, self.output_size(height, width), strict=True)
            )
            for o in range(count)
        )

    def onnx_ceil_mode(self, height: int, width: int) -> int:
        """ceil_mode as it is written to ONNX: 0 where it changes nothing.

        The shape inference of ONNX (1.23) lets windows start beyond the input and ONNX Runtime (1.31), which does
        not, then fails on the shapes.
        """
        return int(replace(self, ceil_mode=False).output_size(height, width) != self.output_size(height, width))

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


def window_from_onnx(node: OnnxNode, kernel: Sequence[int], spatial: Shape) -> Window:
    """The window that the attributes strides, pads, auto_pad, dilations, ceil_mode describe.

    `kernel` and `spatial` have one or two entries; a 1-D window becomes one of height 1.
    """
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
        raise node.error(f"auto_pad={auto_pad} is not supported; use NOTSET, SAME_UPPER, SAME_LOWER or VALID")
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
    if rank == 1:
        kernel, strides, dilations = (1, *kernel), (1, *strides), (1, *dilations)
        pads = (0, pads[0], 0, pads[1])
    return Window(
        (kernel[0], kernel[1]),
        (strides[0], strides[1]),
        (pads[0], pads[1], pads[2], pads[3]),
        (dilations[0], dilations[1]),
        bool(node.attribute("ceil_mode", 0)),
    )
