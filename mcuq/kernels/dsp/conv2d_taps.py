"""Convolutions by SMLAD that take some taps of four windows at a time: slower than with all of them, in less memory."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from mcuq.graph.operator import Layer
from mcuq.kernels.c_types import C_TYPES
from mcuq.kernels.dsp.order import DSP, PIXELS, channel_words, is_short, words_of
from mcuq.kernels.dsp.pasted import limit, load
from mcuq.kernels.kernel import LITTLE_SCRATCH, Call, Fragment, Kernel
from mcuq.kernels.overwriting import by_pixels
from mcuq.kernels.window import WindowConstants, window_constants
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.dtypes import MIXED
from mcuq.ops.weighted import accumulator_bound

# Inputs that are multiplied at a time: sums are read and written once for them, which are 10 instructions for the 416
# of two channels.
INPUTS_AT_ONCE = 64
A_TAP, TWO_CHANNELS = 65, 14.5  # about how many instructions four pixels take for each tap, and each two channels of it
A_VALUE = 7.1  # and for each value that they write


@dataclass(frozen=True)
class Conv2dTapsDspConstants(WindowConstants):
    """Any convolution of one group, of pixels of whole words."""

    template = "dsp/conv2d_taps"

    x_type: str
    y_type: str
    load: str
    in_channels: int
    out_channels: int
    taps_at_once: int
    saturate: str
    limit: Fragment


def lower_conv2d_taps_dsp(op: Conv2d, layer: Layer) -> tuple[Call, ...]:
    """Scratch: the sums of four pixels, then some taps of them as int16."""
    x, y = layer.inputs[0], layer.output
    in_channels, out_channels = x.shape[3], y.shape[3]
    at_once = _taps_at_once(op, layer)
    constants = Conv2dTapsDspConstants(
        **window_constants(op.window, x, y),
        x_type=C_TYPES[x.dtype],
        y_type=C_TYPES[y.dtype],
        load=load(x),
        in_channels=in_channels,
        out_channels=out_channels,
        taps_at_once=at_once,
        saturate="mcuq_dsp_saturate" if y.dtype == "int16" else "mcuq_dsp_int8",
        limit=limit(op, layer, "pixels * out_channels"),
    )
    rows = layer.inputs[1].values.reshape(out_channels, -1)
    step = at_once * in_channels
    arrays = {
        "weight": np.concatenate([words_of(x, rows[:, i : i + step]) for i in range(0, rows.shape[1], step)]),
        "channel": channel_words(layer),
        "padding": np.full(in_channels, x.zero_point, x.dtype),
    }
    return (
        Call(
            constants,
            arrays=arrays,
            scratch_bytes=_scratch_bytes(op, layer),
            bound=accumulator_bound(layer),
            below=by_pixels(op.window, x, y),
            more=_more(op, layer),
        ),
    )


def _taps_at_once(op: Conv2d, layer: Layer) -> int:
    return min(-(-INPUTS_AT_ONCE // layer.inputs[0].shape[3]), prod(op.window.kernel))


def _scratch_bytes(op: Conv2d, layer: Layer) -> int:
    sums = -(-layer.output.shape[3] // 2) * 2
    return PIXELS * (4 * sums + 2 * _taps_at_once(op, layer) * layer.inputs[0].shape[3])


def _more(op: Conv2d, layer: Layer) -> float:
    """About the instructions beyond those of the kernel that takes whole windows."""
    taps, channels = prod(op.window.kernel), layer.output.shape[3]
    times = -(-taps // _taps_at_once(op, layer))
    each = taps * A_TAP + times * TWO_CHANNELS * channels / 2 + channels * PIXELS * A_VALUE
    return layer.output.elements / channels / PIXELS * each


def _accepts(op: Conv2d, layer: Layer) -> bool:
    """Where it takes less: whole windows take all of their taps as int16, and one of padding."""
    x = layer.inputs[0]
    if op.groups != 1 or not is_short(layer) or x.shape[3] % 4:
        return False
    in_channels = x.shape[3]
    whole = PIXELS * 2 * prod(op.window.kernel) * in_channels + in_channels * np.dtype(x.dtype).itemsize
    return _scratch_bytes(op, layer) < whole


CONV2D_TAPS_KERNEL = Kernel(lower_conv2d_taps_dsp, DSP | {LITTLE_SCRATCH}, _accepts, MIXED)
