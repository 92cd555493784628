"""1x1 convolutions by SMLAD: two output channels by four pixels at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcuq.graph.operator import Layer
from mcuq.kernels.c_types import C_TYPES
from mcuq.kernels.dsp.order import DSP, PIXELS, is_short
from mcuq.kernels.dsp.packed_blocks import block_of, packed_in
from mcuq.kernels.dsp.pairs import Pairs, in_pairs, packed_in_pairs
from mcuq.kernels.dsp.pasted import limit, products
from mcuq.kernels.kernel import Call, Constants, Fragment, Kernel
from mcuq.kernels.overwriting import by_pixels
from mcuq.kernels.packed import PACKED_CONSTANTS
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.dtypes import MIXED
from mcuq.ops.weighted import accumulator_bound


@dataclass(frozen=True)
class PointwiseDspConstants(Constants):
    """1x1 convolution without padding, of whole words of channels; see Weights for `unpacked` and `unpack`.

    `products` writes the channels of a block of up to four pixels.
    """

    template = "dsp/pointwise"

    x_type: str
    y_type: str
    rows: int
    in_width: int
    out_width: int
    in_channels: int
    out_channels: int
    out_height: int
    in_height: int
    stride_y: int
    stride_x: int
    block: int
    unpacked: Fragment
    unpack: Fragment
    products: Fragment
    limit: Fragment


def lower_pointwise_dsp(op: Conv2d, layer: Layer) -> tuple[Call, ...]:
    """Scratch: the channels of four pixels as int16."""
    return _call(op, in_pairs(layer))


def lower_packed_pointwise_dsp(op: Conv2d, layer: Layer) -> tuple[Call, ...]:
    """Scratch: that of lower_pointwise_dsp, then a block."""
    values = "(channels + 1) / 2 * 2 * in_channels"
    return _call(op, packed_in_pairs(layer, "scratch + 8 * in_channels", values, "pointwise_packed"))


def _call(op: Conv2d, pairs: Pairs) -> tuple[Call, ...]:
    layer, weights = pairs.layer, pairs.weights
    x, y = layer.inputs[0], layer.output
    constants = PointwiseDspConstants(
        C_TYPES[x.dtype],
        C_TYPES[y.dtype],
        rows=y.shape[0] * y.shape[1],
        in_height=x.shape[1],
        in_width=x.shape[2],
        out_height=y.shape[1],
        out_width=y.shape[2],
        in_channels=x.shape[3],
        out_channels=y.shape[3],
        stride_y=op.window.strides[0],
        stride_x=op.window.strides[1],
        block=weights.block,
        unpacked=weights.unpacked,
        unpack=weights.unpack,
        products=products(layer, weights.rows),
        limit=limit(op, layer, "pixels * out_channels"),
    )
    scratch_bytes = PIXELS * np.dtype(np.int16).itemsize * x.shape[3] + pairs.unpacked_bytes
    left = y.elements // y.shape[3] % PIXELS  # pixels that may be multiplied one after the other
    below = by_pixels(op.window, x, y, tail=left if left < 3 else 0)
    return (
        Call(
            constants,
            arrays=pairs.arrays,
            scratch_bytes=scratch_bytes,
            bound=accumulator_bound(layer),
            below=below if weights.block >= y.shape[3] else None,
        ),
    )


def _accepts(op: Conv2d, layer: Layer) -> bool:
    window = op.window
    return (
        op.groups == 1
        and window.kernel == (1, 1)
        and window.pads == (0, 0, 0, 0)
        and layer.inputs[0].shape[3] % 4 == 0
        and is_short(layer)
    )


POINTWISE_KERNEL = Kernel(lower_pointwise_dsp, DSP, _accepts, MIXED)
PACKED_POINTWISE_KERNEL = Kernel(
    lower_packed_pointwise_dsp, DSP, packed_in(block_of, _accepts), constants=PACKED_CONSTANTS
)
