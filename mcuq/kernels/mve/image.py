"""Sizes of convolutions for MVE, and the one that copies windows."""

from __future__ import annotations

from dataclasses import dataclass

from mcuq.graph.operator import Layer
from mcuq.kernels.kernel import Constants, Fragment
from mcuq.ops.conv2d import Conv2d


@dataclass(frozen=True)
class UndilatedConstants(Constants):
    """Sizes of a convolution whose windows have no dilation."""

    batch: int
    in_height: int
    in_width: int
    in_channels: int
    out_height: int
    out_width: int
    out_channels: int
    kernel_height: int
    kernel_width: int
    stride_y: int
    stride_x: int
    pad_top: int
    pad_left: int
    x_zero_point: int


@dataclass(frozen=True)
class Conv2dMveConstants(UndilatedConstants):
    """Any window without dilation, any stride and padding, one group; three windows are copied at a time.

    `arrays` are parameters of C. `memory` declares what lies in scratch, `columns` among it; `start` begins a block of
    channels, `products` writes those of `left` pixels to `out`.
    """

    template = "mve/conv2d"

    arrays: str
    block: int
    memory: Fragment
    start: Fragment
    products: Fragment


def undilated(op: Conv2d, layer: Layer) -> dict[str, int]:
    """The fields of UndilatedConstants."""
    x, y = layer.inputs[0], layer.output
    return {
        "batch": x.shape[0],
        "in_height": x.shape[1],
        "in_width": x.shape[2],
        "in_channels": x.shape[3],
        "out_height": y.shape[1],
        "out_width": y.shape[2],
        "out_channels": y.shape[3],
        "kernel_height": op.window.kernel[0],
        "kernel_width": op.window.kernel[1],
        "stride_y": op.window.strides[0],
        "stride_x": op.window.strides[1],
        "pad_top": op.window.pads[0],
        "pad_left": op.window.pads[1],
        "x_zero_point": x.zero_point,
    }
