"""Conv2d with float weights: reads and writes integers or floats, sums in float32."""

from __future__ import annotations

from dataclasses import dataclass

from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array
from mcuq.kernels.kernel import Call, Kernel
from mcuq.kernels.overwriting import Below, by_pixels
from mcuq.kernels.portable.conv2d import GroupedConstants, grouped_constants
from mcuq.kernels.portable.float_weights import FLOAT_ACTIVATIONS, FloatConstants, float_layer_constants, stored_weights
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.float_weights import FLOAT_WEIGHTS

# Output channels whose float16 weights the kernel converts at once.
CONVERTED_CHANNELS = 8


@dataclass(frozen=True)
class Conv2dFloat32Constants(GroupedConstants, FloatConstants):
    """Portable convolution in float, any groups."""

    template = "portable/conv2d_float32"


class DepthwiseFloat32Constants(Conv2dFloat32Constants):
    """Portable depthwise convolution in float: every input channel gives out_channels / in_channels outputs."""

    template = "portable/depthwise_float32"


def lower_conv2d_float32(op: Conv2d, layer: Layer) -> tuple[Call, ...]:
    """Weights stay OHWI. Scratch: one window of a group as floats, and float16 weights of some channels as float32."""
    weight = layer.inputs[1]
    constants = Conv2dFloat32Constants(**_constants(op, layer))  # type: ignore[arg-type]
    converted = min(CONVERTED_CHANNELS, weight.shape[0] // op.groups) if weight.dtype == "float16" else 0
    return (_call(constants, layer, weight.values, 4 * (1 + converted) * (weight.elements // weight.shape[0])),)


def lower_depthwise_float32(op: Conv2d, layer: Layer) -> tuple[Call, ...]:
    """Weights become HWO: neighbouring channels lie together, as in the image."""
    constants = DepthwiseFloat32Constants(**_constants(op, layer))  # type: ignore[arg-type]
    below = by_pixels(op.window, layer.inputs[0], layer.output, 1)
    return (_call(constants, layer, layer.inputs[1].values[..., 0].transpose(1, 2, 0), below=below),)


def _constants(op: Conv2d, layer: Layer) -> dict[str, object]:
    return {**grouped_constants(op, layer), **float_layer_constants(op, layer)}


def _call(
    constants: Conv2dFloat32Constants, layer: Layer, weight: Array, scratch_bytes: int = 0, below: Below | None = None
) -> Call:
    arrays = {"weight": stored_weights(layer.inputs[1], weight), "bias": layer.inputs[2].values}
    return Call(constants, arrays=arrays, scratch_bytes=scratch_bytes, below=below)


CONV2D_FLOAT32_KERNELS = (
    Kernel(
        lower_depthwise_float32,
        accepts=lambda op, layer: op.is_depthwise(layer),
        activations=FLOAT_ACTIVATIONS,
        constants=FLOAT_WEIGHTS,
    ),
    Kernel(lower_conv2d_float32, activations=FLOAT_ACTIVATIONS, constants=FLOAT_WEIGHTS),
)
