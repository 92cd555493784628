"""Sizes of windows as kernels are given them."""

from __future__ import annotations

from dataclasses import dataclass

from mcuq.graph.tensor import Tensor
from mcuq.kernels.kernel import Constants
from mcuq.ops.average_pool import AveragePool
from mcuq.ops.window import Window


@dataclass(frozen=True)
class WindowConstants(Constants):
    """Sizes of a kernel that moves a window over NHWC images."""

    batch: int
    in_height: int
    in_width: int
    out_height: int
    out_width: int
    kernel_height: int
    kernel_width: int
    stride_y: int
    stride_x: int
    dilation_y: int
    dilation_x: int
    pad_top: int
    pad_left: int


@dataclass(frozen=True)
class CountedConstants(WindowConstants):
    """The same of a mean: `counted_*` frame the positions that its divisor counts, of a window `smallest_count` at
    least."""

    channels: int
    counted_top: int
    counted_left: int
    counted_bottom: int
    counted_right: int
    smallest_count: int


def counted_constants(op: AveragePool, x: Tensor) -> dict[str, int]:
    """The channels, and the frame `counted_*` of the positions that the divisor of a mean counts."""
    top, left, bottom, right = op.window.pads if op.count_include_pad else (0, 0, 0, 0)
    return {
        "channels": x.shape[3],
        "counted_top": -top,
        "counted_left": -left,
        "counted_bottom": x.shape[1] + bottom,
        "counted_right": x.shape[2] + right,
    }


def window_constants(window: Window, x: Tensor, y: Tensor) -> dict[str, int]:
    """The fields of WindowConstants."""
    return {
        "batch": x.shape[0],
        "in_height": x.shape[1],
        "in_width": x.shape[2],
        "out_height": y.shape[1],
        "out_width": y.shape[2],
        "kernel_height": window.kernel[0],
        "kernel_width": window.kernel[1],
        "stride_y": window.strides[0],
        "stride_x": window.strides[1],
        "dilation_y": window.dilations[0],
        "dilation_x": window.dilations[1],
        "pad_top": window.pads[0],
        "pad_left": window.pads[1],
    }
