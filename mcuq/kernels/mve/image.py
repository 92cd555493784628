"""Sizes of convolutions for MVE, and the one that copies windows."""

from __future__ import annotations

from dataclasses import dataclass

from mcuq.graph.operator import Layer
from mcuq.kernels.kernel import Fragment
from mcuq.kernels.window import UndilatedConstants, undilated_constants
from mcuq.ops.conv2d import Conv2d


@dataclass(frozen=True)
class ImageConstants(UndilatedConstants):
    """Sizes of a convolution whose windows have no dilation."""

    in_channels: int
    out_channels: int
    x_zero_point: int


@dataclass(frozen=True)
class Conv2dMveConstants(ImageConstants):
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


def image_constants(op: Conv2d, layer: Layer) -> dict[str, int]:
    """The fields of ImageConstants."""
    x, y = layer.inputs[0], layer.output
    return {
        **undilated_constants(op.window, x, y),
        "in_channels": x.shape[3],
        "out_channels": y.shape[3],
        "x_zero_point": x.zero_point,
    }
