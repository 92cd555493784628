"""Convolutions by SMLAD: two output channels by four pixels at a time (mcuq_dsp.h)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Tensor
from mcuq.kernels.dsp.conv2d_s16 import lower_conv2d_dsp_s16
from mcuq.kernels.dsp.conv2d_taps import CONV2D_TAPS_KERNEL
from mcuq.kernels.dsp.depthwise import DEPTHWISE_KERNEL, ONE_PIXEL_KERNEL, PACKED_DEPTHWISE_KERNEL
from mcuq.kernels.dsp.order import DSP, PIXELS, is_short
from mcuq.kernels.dsp.packed_blocks import block_of, packed_in
from mcuq.kernels.dsp.pairs import Pairs, in_pairs, packed_in_pairs
from mcuq.kernels.dsp.pasted import limit
from mcuq.kernels.dsp.pointwise import PACKED_POINTWISE_KERNEL, POINTWISE_KERNEL
from mcuq.kernels.kernel import NOTHING, Call, Fragment, Kernel
from mcuq.kernels.overwriting import by_pixels
from mcuq.kernels.packed import PACKED_CONSTANTS
from mcuq.kernels.requantized import has_s16
from mcuq.kernels.window import WindowConstants, window_constants
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.dtypes import MIXED
from mcuq.ops.weighted import accumulator_bound
from mcuq.ops.window import Window


@dataclass(frozen=True)
class Conv2dDspConstants(WindowConstants):
    """Any convolution of one group on int8: windows may meet padding, or be gathered tap by tap.

    See Weights for the weights; `clear` makes columns 0 where those would be no zeros.
    """

    template = "dsp/conv2d"

    weights: str
    in_channels: int
    out_channels: int
    x_zero_point: int
    has_padding: int
    gathers: int
    block: int
    unpacked: Fragment
    unpack: Fragment
    clear: Fragment
    limit: Fragment


def lower_conv2d_dsp(op: Conv2d, layer: Layer) -> tuple[Call, ...]:
    """Scratch: the windows of four pixels as int16, then what the template says."""
    return _call(op, in_pairs(layer))


def lower_packed_conv2d_dsp(op: Conv2d, layer: Layer) -> tuple[Call, ...]:
    """Scratch: that of lower_conv2d_dsp, then a block."""
    behind_words = "has_whole_words ? in_channels : 16 * words * (has_padding + gathers)"
    values = "(channels + 1) / 2 * 2 * (4 * words)"
    return _call(op, packed_in_pairs(layer, f"behind + ({behind_words})", values, "conv2d_packed"))


def _call(op: Conv2d, pairs: Pairs) -> tuple[Call, ...]:
    layer, weights = pairs.layer, pairs.weights
    x, y = layer.inputs[0], layer.output
    has_words = x.shape[3] % 4 == 0
    has_padding, gathers = op.window.leaves(x, y), not has_words and _has_whole_fours(op.window, x, y)
    constants = Conv2dDspConstants(
        **window_constants(op.window, x, y),
        weights=weights.rows,
        in_channels=x.shape[3],
        out_channels=y.shape[3],
        x_zero_point=x.zero_point,
        has_padding=int(has_padding),
        gathers=int(gathers),
        block=weights.block,
        unpacked=weights.unpacked,
        unpack=weights.unpack,
        clear=_clear(layer) if weights.unpack.text else NOTHING,
        limit=limit(op, layer, "pixels * out_channels"),
    )
    taps_bytes = -(-layer.inputs[1].elements // y.shape[3] // 4) * 4
    # Behind the columns: one tap of padding where taps are whole words; else a word for each tap, which says where it
    # lies, where windows are gathered, and the four windows as int8, where they are not.
    extra_bytes = x.shape[3] if has_words else (4 * gathers + PIXELS * has_padding) * taps_bytes
    scratch_bytes = PIXELS * 2 * taps_bytes + extra_bytes + pairs.unpacked_bytes
    return (
        Call(
            constants,
            arrays=pairs.arrays,
            scratch_bytes=scratch_bytes,
            bound=accumulator_bound(layer),
            below=by_pixels(op.window, x, y) if weights.block >= y.shape[3] else None,
        ),
    )


def _clear(layer: Layer) -> Fragment:
    """What follows a window up to whole words meets any weights, where they are packed; whole ones are 0 there."""
    taps = layer.inputs[1].elements // layer.output.shape[3] % 4
    if taps == 0:
        return NOTHING
    return Fragment.of("""\
for (uint32_t *last = columns + 8 * (words - 1); last < columns + 8 * words - 4; last++) {
    last[0] &= taps_bytes % 4 == 3 ? 0xffffffffu : 0xffffu;
    last[4] &= taps_bytes % 4 == 1 ? 0u : 0xffffu;
}""")


def _has_whole_fours(window: Window, x: Tensor, y: Tensor) -> bool:
    """Whether there are four pixels of `y` that a kernel takes at a time without padding in any of their windows."""
    starts = [np.arange(y.shape[1 + i]) * window.strides[i] - window.pads[i] for i in range(2)]
    ends = [starts[i] + window.dilations[i] * (window.kernel[i] - 1) for i in range(2)]
    rows, columns = ((starts[i] >= 0) & (ends[i] < x.shape[1 + i]) for i in range(2))
    whole = np.tile(np.outer(rows, columns).reshape(-1), y.shape[0])
    return bool(np.pad(whole, (0, -whole.size % PIXELS), "edge").reshape(-1, PIXELS).all(axis=1).any())


def _accepts(op: Conv2d, layer: Layer) -> bool:
    return op.groups == 1 and is_short(layer)


CONV2D_KERNELS = (
    ONE_PIXEL_KERNEL,
    DEPTHWISE_KERNEL,
    POINTWISE_KERNEL,
    CONV2D_TAPS_KERNEL,
    Kernel(lower_conv2d_dsp, DSP, _accepts),
    Kernel(lower_conv2d_dsp_s16, DSP, lambda op, layer: has_s16(op, layer) and _accepts(op, layer), MIXED),
)
PACKED_CONV2D_KERNELS = (
    PACKED_DEPTHWISE_KERNEL,
    PACKED_POINTWISE_KERNEL,
    Kernel(lower_packed_conv2d_dsp, DSP, packed_in(block_of, _accepts), constants=PACKED_CONSTANTS),
)
