"""Portable convolution of 8 and 16 bits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcuq.graph.operator import Layer
from mcuq.kernels.c_types import C_TYPES
from mcuq.kernels.ending import weighted_sum
from mcuq.kernels.kernel import Call, Fragment
from mcuq.kernels.overwriting import by_pixels
from mcuq.kernels.window import WindowConstants, window_constants
from mcuq.ops.conv2d import Conv2d


@dataclass(frozen=True)
class GroupedConstants(WindowConstants):
    """Sizes of a convolution in groups; `meets_padding`: whether any window leaves the image."""

    in_channels: int
    out_channels: int
    groups: int
    meets_padding: int


@dataclass(frozen=True)
class Conv2dConstants(GroupedConstants):
    """Portable convolution, any groups: `sums` declares acc, all 0; `stored` assigns y[oc + j], of acc[j]."""

    template = "portable/conv2d"

    x_type: str
    y_type: str
    x_zero_point: int
    sums: Fragment
    stored: Fragment


def lower_conv2d(op: Conv2d, layer: Layer) -> tuple[Call, ...]:
    """Weights stay OHWI: every output channel's taps lie together. Scratch is one window of a group as int16."""
    x, weight, bias = layer.inputs
    total = weighted_sum(op, layer)
    constants = Conv2dConstants(
        **grouped_constants(op, layer),
        x_type=C_TYPES[x.dtype],
        y_type=C_TYPES[layer.output.dtype],
        x_zero_point=x.zero_point,
        sums=total.declared(2),
        stored=total.stored("bias[oc + j] + acc[j]", "y[oc + j]", "multiplier[oc + j]", total.named("conv2d")),
    )
    multiplier = np.array(total.requant.multiplier, np.int32)
    arrays = {"weight": weight.values, "bias": bias.values, "multiplier": multiplier}
    scratch_bytes = 2 * (weight.elements // weight.shape[0])
    return (
        Call(
            constants,
            arrays=arrays,
            scratch_bytes=scratch_bytes,
            bound=total.bound,
            below=by_pixels(op.window, x, layer.output, int(op.groups > 1)),
        ),
    )


def grouped_constants(op: Conv2d, layer: Layer) -> dict[str, int]:
    """The fields of GroupedConstants."""
    x, y = layer.inputs[0], layer.output
    return {
        **window_constants(op.window, x, y),
        "in_channels": x.shape[3],
        "out_channels": y.shape[3],
        "groups": op.groups,
        "meets_padding": int(op.window.leaves(x, y)),
    }
