"""Convolutions by SMLAD that read or write 16 bits, as those of int8 are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcuq.graph.operator import Layer
from mcuq.kernels.c_types import C_TYPES
from mcuq.kernels.dsp.order import PIXELS, channel_words, pair_words
from mcuq.kernels.dsp.pasted import limit, load, product
from mcuq.kernels.kernel import Call, Fragment
from mcuq.kernels.overwriting import by_pixels
from mcuq.kernels.window import WindowConstants, window_constants
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.weighted import accumulator_bound


@dataclass(frozen=True)
class Conv2dDspS16Constants(WindowConstants):
    """Any convolution of one group."""

    template = "dsp/conv2d_s16"

    x_type: str
    y_type: str
    load: str
    in_channels: int
    out_channels: int
    x_zero_point: int
    product: Fragment
    limit: Fragment


def lower_conv2d_dsp_s16(op: Conv2d, layer: Layer) -> tuple[Call, ...]:
    """Scratch: the windows of four pixels as columns, then one tap of padding where taps are whole fours, else the
    windows once more."""
    x, y = layer.inputs[0], layer.output
    constants = Conv2dDspS16Constants(
        **window_constants(op.window, x, y),
        x_type=C_TYPES[x.dtype],
        y_type=C_TYPES[y.dtype],
        load=load(x),
        in_channels=x.shape[3],
        out_channels=y.shape[3],
        x_zero_point=x.zero_point,
        product=product(layer, "weight", "fours", "out_channels", "y + p * out_channels"),
        limit=limit(op, layer, "pixels * out_channels"),
    )
    windows = PIXELS * -(-layer.inputs[1].elements // y.shape[3] // 4) * 4
    behind = x.shape[3] if x.shape[3] % 4 == 0 else windows
    scratch_bytes = 2 * windows + behind * np.dtype(x.dtype).itemsize
    arrays = {"weight": pair_words(layer), "channel": channel_words(layer)}
    return (
        Call(
            constants,
            arrays=arrays,
            scratch_bytes=scratch_bytes,
            bound=accumulator_bound(layer),
            below=by_pixels(op.window, x, y),
        ),
    )
