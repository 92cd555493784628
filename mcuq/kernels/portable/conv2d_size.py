"""Conv2d in the least code: one function for all convolutions of a model, depthwise ones too; for programs
that are optimized for size, hence the name."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcuq.graph.operator import Layer
from mcuq.kernels.kernel import Call
from mcuq.kernels.overwriting import by_pixels
from mcuq.kernels.requantized import RequantizedConstants, requantized
from mcuq.kernels.window import WindowConstants, window_constants
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.weighted import accumulator_bound, layer_requantization


@dataclass(frozen=True)
class Conv2dSizeConstants(WindowConstants, RequantizedConstants):
    """Convolution in any groups, channels of one group."""

    template = "portable/conv2d_size"

    groups: int
    group_inputs: int
    group_outputs: int
    x_zero_point: int


def lower_conv2d_size(op: Conv2d, layer: Layer) -> tuple[Call, ...]:
    """Weights stay OHWI: every output channel's taps lie together."""
    x, weight, bias = layer.inputs
    requant = layer_requantization(layer)
    constants = Conv2dSizeConstants(
        **window_constants(op.window, x, layer.output),
        **requantized(op, requant, layer.output),
        groups=op.groups,
        group_inputs=weight.shape[3],
        group_outputs=weight.shape[0] // op.groups,
        x_zero_point=x.zero_point,
    )
    arrays = {"weight": weight.values, "bias": bias.values, "multiplier": np.array(requant.multiplier, np.int32)}
    return (
        Call(constants, arrays=arrays, bound=accumulator_bound(layer), below=by_pixels(op.window, x, layer.output, 1)),
    )
