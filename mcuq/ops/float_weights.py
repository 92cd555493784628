"""Weights of layers that compute in float: as they are, as 16 bits, or as integers for inputs quantized on the device.

What convolution and fully connected layers share where their constants are no integers throughout.
"""

from __future__ import annotations

import numpy as np

from mcuq.arithmetic.float32 import clamp_float, dequantize_float, dynamic_range, float32, quantize_float
from mcuq.arithmetic.int8 import INT32_MAX
from mcuq.errors import QuantizationError
from mcuq.graph.operator import Clamped, Layer
from mcuq.graph.tensor import Array, Quant, Tensor

FLOAT_WEIGHTS = frozenset({"float16", "float32"})
# The largest difference of two codes of int8: that of an input to its zero point.
LARGEST_DIFFERENCE = 255


def weighted_operand_dtype(own: str, output: str, weights: str) -> str:
    """The input's dtype for a layer whose weights are stored as `weights`.

    Float weights take all. A layer of integer weights that writes floats finds its input's range on the device; one
    that writes integers reads integers.
    """
    if weights in FLOAT_WEIGHTS:
        return own
    if output == "float32":
        return "float32"
    return output if own == "float32" else own


def is_float(layer: Layer) -> bool:
    """Whether the layer's weights are floats."""
    return layer.inputs[1].dtype in FLOAT_WEIGHTS


def is_dynamic(layer: Layer) -> bool:
    """Whether the layer's weights are integers and its input is quantized on the device."""
    return not is_float(layer) and layer.inputs[0].quant is None and layer.output.quant is None


def float_constants(layer: Layer, dtype: str) -> tuple[Tensor, ...]:
    """(x, weight, bias) of a layer with weights stored as float32 or float16; the bias is float32.

    float16 weights are rounded to nearest, ties to even. Raises QuantizationError for weights beyond float16.
    """
    x, weight, bias = layer.inputs
    largest = float(np.abs(weight.values).max())
    if largest > np.finfo(dtype).max:
        raise QuantizationError(
            f"{layer.where}: a weight of magnitude {largest:g} is beyond {dtype}, which ends at "
            f'{float(np.finfo(dtype).max):g}; use weights = "float32" for this layer'
        )
    return x, Tensor(weight.name, weight.shape, dtype, weight.values.astype(dtype)), _float_bias(bias)


def dynamic_constants(layer: Layer, q: Array, scale: Array) -> tuple[Tensor, ...]:
    """(x, weight, bias) of a layer whose input is quantized on the device, for integers `q` (channels, taps) and scales
    (channels,); the bias is float32.

    No bias needs to fit into integers, so that nothing but a channel's own weights decides its scale.
    """
    x, weight, bias = layer.inputs
    quant = Quant(tuple(scale.tolist()))
    return (
        x,
        Tensor(weight.name, weight.shape, "int8", q.astype(np.int8).reshape(weight.shape), quant),
        _float_bias(bias),
    )


def _float_bias(bias: Tensor) -> Tensor:
    return Tensor(bias.name, bias.shape, "float32", bias.values.astype(np.float32))


def weight_scales(layer: Layer) -> Array:
    """float32, one an output channel."""
    weight = layer.inputs[1]
    return np.broadcast_to(np.array(weight.quantization.scale, np.float32), weight.shape[:1])


def dynamic_bound(layer: Layer) -> int:
    """Largest magnitude that any partial sum of a dynamic layer can reach, from its weights.

    Raises QuantizationError where int32 does not hold it.
    """
    weight = layer.inputs[1]
    sums = np.abs(weight.values.astype(np.int64)).reshape(weight.shape[0], -1).sum(axis=1)
    bound = LARGEST_DIFFERENCE * int(sums.max())
    if bound > INT32_MAX:
        raise QuantizationError(
            f"{layer.where}: the accumulator of output channel {int(sums.argmax())} can reach {bound}, more than int32 "
            f'holds ({INT32_MAX}); use weights = "float16" for this layer'
        )
    return bound


def real_input(x: Tensor, values: Array) -> Array:
    """float32 of what the input holds: (x - zero point) * scale, floats as they are."""
    return values if x.quant is None else dequantize_float(values, float32(x.scale), x.zero_point)


def float_output(op: Clamped, y: Tensor, acc: Array) -> Array:
    """The output, in its dtype, of float32 sums."""
    if y.quant is None:
        return clamp_float(acc, op.minimum, op.maximum)
    return quantize_float(acc, float32(1 / y.scale), y.zero_point, *op.output_bounds(y)).astype(y.dtype)


def dynamic_input(values: Array) -> tuple[Array, Array]:
    """(differences of the codes to the zero point, int32 (samples, *shape); scale, float32 (samples, 1)) of float32
    inputs (samples, *shape), each sample with the range that it has."""
    rows = values.reshape(len(values), -1)
    scale, inverse_scale, zero_point = dynamic_range(rows)
    q = quantize_float(rows, inverse_scale, zero_point, -128, 127) - zero_point
    return q.reshape(values.shape), scale


def dynamic_output(op: Clamped, layer: Layer, acc: Array, x_scale: Array) -> Array:
    """float32: acc * (x_scale * weight scale) + bias, limited; `acc` int32 (samples, *shape, channels)."""
    scale = x_scale.reshape(len(acc), *(1,) * (acc.ndim - 1))
    with np.errstate(over="ignore", under="ignore"):
        factor = scale * weight_scales(layer)
        scaled = acc.astype(np.float32) * factor
        return clamp_float(scaled + layer.inputs[2].values, op.minimum, op.maximum)


def dynamic_product_dtype(weight: Array) -> type[np.floating]:
    """The narrowest float in which products of `weight` (channels, ...) with code differences have exact sums."""
    sums = np.abs(weight.astype(np.int64)).reshape(len(weight), -1).sum(axis=1)
    return np.float32 if LARGEST_DIFFERENCE * int(sums.max()) <= 2**24 else np.float64
