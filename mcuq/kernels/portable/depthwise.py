"""Portable depthwise convolution of 8 and 16 bits, and of floats that are quantized at each inference."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array
from mcuq.kernels.c_types import C_TYPES, pointers
from mcuq.kernels.ending import dynamic_sums, weighted_sum
from mcuq.kernels.kernel import Call, Fragment
from mcuq.kernels.overwriting import by_pixels
from mcuq.kernels.portable.conv2d import GroupedConstants, grouped_constants
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.float_weights import dynamic_bound, weight_scales

CHANNELS = 4  # that are summed at a time


@dataclass(frozen=True)
class DepthwiseConstants(GroupedConstants):
    """Every input channel gives out_channels / in_channels outputs.

    `inputs` and `scratch` are parameters of C. `quantized` writes the `image`, of `image_type`, where that is not x,
    and names its x_zero_point, which is taken off each input; `sums` declares acc, all 0; `stored` makes y[oc + j] of
    acc[j], for j < block.
    """

    template = "portable/depthwise"

    inputs: str
    scratch: str
    y_type: str
    image: str
    image_type: str
    quantized: Fragment
    sums: Fragment
    stored: Fragment


def lower_depthwise(op: Conv2d, layer: Layer) -> tuple[Call, ...]:
    """Weights become HWO: neighbouring channels lie together, as in the image.

    Where windows leave the image, inputs less their zero point make padding add nothing, with no code for it: the
    bias is then the one before `quantize_weights` folded the zero point into it, which is within the layer's bound,
    as all partial sums are: sums over taps that were met of weight * x, over the others of weight * zero_point.
    """
    x, _, bias = layer.inputs
    hwo = _hwo(layer)
    total = weighted_sum(op, layer)
    zero_point = x.zero_point if op.window.leaves(x, layer.output) else 0
    constants = DepthwiseConstants(
        **grouped_constants(op, layer),
        inputs=pointers({"x": x.dtype, "weight": "int8", "bias": "int32", "multiplier": "int32"}).rstrip(),
        scratch="",
        y_type=C_TYPES[layer.output.dtype],
        image="x",
        image_type=C_TYPES[x.dtype],
        quantized=Fragment.of("", numbers={"x_zero_point": zero_point}),
        sums=total.declared(CHANNELS),
        stored=total.stored(
            "bias[oc + j] + acc[j]", "y[oc + j]", "multiplier[oc + j]", total.named("depthwise")
        ).repeated("for (int32_t j = 0; j < block; j++)"),
    )
    unfolded = bias.values + zero_point * hwo.sum(axis=(0, 1), dtype=np.int64)
    multiplier = np.array(total.requant.multiplier, np.int32)
    arrays = {"weight": hwo, "bias": unfolded.astype(np.int32), "multiplier": multiplier}
    return (Call(constants, arrays=arrays, bound=total.bound, below=by_pixels(op.window, x, layer.output, 1)),)


def lower_depthwise_dynamic(op: Conv2d, layer: Layer) -> tuple[Call, ...]:
    """Weights become HWO. Scratch is the image as int8."""
    sums, stored = dynamic_sums(op, CHANNELS, "depthwise_dynamic")
    constants = DepthwiseConstants(
        **grouped_constants(op, layer),
        inputs=pointers({"x": "float32", "weight": "int8", "weight_scale": "float32", "bias": "float32"}).rstrip(),
        scratch="int8_t *scratch, ",
        y_type=C_TYPES["float32"],
        image="scratch",
        image_type=C_TYPES["int8"],
        quantized=_IMAGE,
        sums=sums,
        stored=stored,
    )
    arrays = {
        "weight": np.ascontiguousarray(_hwo(layer)),
        "weight_scale": np.array(weight_scales(layer)),
        "bias": layer.inputs[2].values,
    }
    return (Call(constants, arrays=arrays, scratch_bytes=layer.inputs[0].elements, bound=dynamic_bound(layer)),)


_IMAGE = Fragment.of(
    """\
/* the image in codes of the range that it has */
const int32_t elements = batch * in_height * in_width * in_channels;
float x_scale, inverse_scale;
const int32_t x_zero_point = mcuq_dynamic_range(x, elements, &x_scale, &inverse_scale);
for (int32_t i = 0; i < elements; i++)
    scratch[i] = (int8_t)mcuq_quantize_float(x[i], inverse_scale, x_zero_point, -128, 127);""",
    "mcuq_dynamic_range",
    "mcuq_quantize_float",
)


def _hwo(layer: Layer) -> Array:
    return layer.inputs[1].values[..., 0].transpose(1, 2, 0)
