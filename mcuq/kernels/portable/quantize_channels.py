"""QuantizeChannels: floats to integers by a scale and a shift for each channel."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from mcuq.graph.operator import Layer
from mcuq.kernels.c_types import C_TYPES
from mcuq.kernels.kernel import Call, Constants
from mcuq.ops.regrid import QuantizeChannels, inverse_scale


@dataclass(frozen=True)
class QuantizeChannelsConstants(Constants):
    """float to integers by a shift and a scale for each of `channels`, between `outer` and `inner` dimensions."""

    template = "portable/quantize_channels"
    computes_in_float = True

    outer: int
    channels: int
    inner: int
    y_type: str
    y_zero_point: int
    output_min: int
    output_max: int


def lower_quantize_channels(op: QuantizeChannels, layer: Layer) -> tuple[Call, ...]:
    """Three loops, around one rounding."""
    (x, scale, shift), y = layer.inputs, layer.output
    output_min, output_max = y.quantization.bounds
    constants = QuantizeChannelsConstants(
        outer=prod(x.shape[: op.axis]),
        channels=x.shape[op.axis],
        inner=prod(x.shape[op.axis + 1 :]),
        y_type=C_TYPES[y.dtype],
        y_zero_point=y.zero_point,
        output_min=output_min,
        output_max=output_max,
    )
    return (Call(constants, arrays={"shift": shift.values, "inverse_scale": inverse_scale(scale, y)}),)
