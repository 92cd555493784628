"""Integer weights, bias and accumulator bounds: what convolution and fully connected layers share."""

from __future__ import annotations

import numpy as np

from mcuq.arithmetic.int8 import INT32_MAX, Requantization, requantization
from mcuq.arithmetic.int16 import LONG_MAX
from mcuq.errors import QuantizationError
from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array, Quant, Tensor
from mcuq.ops.given_weights import given_weight_scale
from mcuq.ops.single_tap import single_tap_scale

WEIGHT_MAX = 127
BIAS_MAX = 2**30
# Channels this far below the layer's largest lie under one output step; a finer scale would only cost
# precision of their multiplier (relative error 1.8e-4 at 2^-18).
SCALE_RANGE = 2.0**-18


def quantize_weights(layer: Layer) -> tuple[Tensor, ...]:
    """(x, weight, bias) with weight int8 symmetric per output channel (axis 0), nearest, and bias int32.

    Integers of weights that came quantized are kept.
    """
    x, weight, bias = layer.inputs
    real = weight_rows(layer)
    given = given_weight_scale(weight)
    scale = np.abs(real).max(axis=1) / WEIGHT_MAX
    if real.shape[1] == 1:
        scale = single_tap_scale(real[:, 0], bias.values.astype(np.float64), x.scale)
    if given is not None:
        scale = np.where(np.isnan(given), scale, given)
    scale = np.maximum(scale, least_scales(layer, WEIGHT_MAX))
    least = -WEIGHT_MAX if given is None else -WEIGHT_MAX - 1
    return integer_constants(layer, np.clip(np.rint(real / scale[:, None]), least, WEIGHT_MAX), scale)


def weight_rows(layer: Layer) -> Array:
    """The layer's real weights (channels, taps), float64."""
    weight = layer.inputs[1].values.astype(np.float64)
    return weight.reshape(len(weight), -1)


def least_scales(layer: Layer, reach: int) -> Array:
    """The smallest scale (channels,) that each output channel may have, with integers up to `reach`.

    A channel whose weights are all but zero must leave room for its bias, and an empty layer needs a scale.
    """
    x, _, bias = layer.inputs
    largest = float(np.abs(weight_rows(layer)).max()) / reach
    floor = max(largest * SCALE_RANGE, float(np.finfo(np.float32).tiny))
    return np.maximum(np.abs(bias.values.astype(np.float64)) / (x.scale * BIAS_MAX), floor)


def scales_for_sums(layer: Layer) -> Array:
    """The smallest scale (channels,) with which the integers of kernels hold each output channel's sums.

    That is the bound of `accumulator_bound` on real weights, with room for each to be rounded by a whole step. It is
    beyond what weights need where 100,000 of them or so are all near the largest.
    """
    x, _, bias = layer.inputs
    real = weight_rows(layer)
    positive, negative = np.maximum(real, 0.0).sum(axis=1), np.minimum(real, 0.0).sum(axis=1)
    x_min, x_max = x.quantization.bounds
    sums = np.maximum(x_max * positive + x_min * negative, -(x_min * positive + x_max * negative))
    folded = np.abs(bias.values.astype(np.float64) / x.scale - x.zero_point * (positive + negative))
    scales: Array = (sums + folded) / _less_rounding(_holds(x)[0], real.shape[1] * (abs(x.zero_point) - x_min))
    return scales


def scales_for_differences(real: Array, largest: int) -> Array:
    """The same for weights (channels, taps) whose inputs, less a zero point, have magnitudes up to `largest`."""
    scales: Array = np.abs(real).sum(axis=1) * largest / _less_rounding(INT32_MAX, real.shape[1] * largest)
    return scales


def _less_rounding(limit: int, rounding: int) -> int:
    """What rounding leaves of a limit; half of it where that is more, which no scale would mend."""
    return max(limit - rounding, limit // 2)


def _holds(x: Tensor) -> tuple[int, str]:
    """The largest sum of products with a tensor's values that kernels hold, and in what."""
    return (INT32_MAX, "int32") if x.dtype == "int8" else (LONG_MAX, "a sum of 47 bits")


def integer_constants(layer: Layer, q: Array, scale: Array) -> tuple[Tensor, ...]:
    """(x, weight, bias) of a layer with a quantized input, for integers `q` (channels, taps) and scales (channels,).

    The bias takes in -zero_point * sum(weight), so that kernels need not subtract the input's zero point. Raises
    QuantizationError where int32 does not hold it.
    """
    x, weight, bias = layer.inputs
    integers = q.astype(np.int8)
    bias_scale = x.scale * scale
    folded = np.rint(bias.values.astype(np.float64) / bias_scale) - x.zero_point * integers.sum(axis=1, dtype=np.int64)
    if np.abs(folded).max() > INT32_MAX:
        channel = int(np.abs(folded).argmax())
        raise QuantizationError(
            f"{layer.where}: bias of channel {channel} needs {int(np.abs(folded).max())}, more than int32 holds; "
            f"split the layer, which sums {q.shape[1]} products"
        )
    return (
        x,
        Tensor(weight.name, weight.shape, "int8", integers.reshape(weight.shape), Quant(tuple(scale.tolist()))),
        Tensor(bias.name, bias.shape, "int32", folded.astype(np.int32), Quant(tuple(bias_scale.tolist()))),
    )


def unfolded_bias(layer: Layer) -> Array:
    """int32 (channels): the bias before `quantize_weights` folded the input's zero point into it."""
    x, weight, bias = layer.inputs
    sums = weight.values.reshape(weight.shape[0], -1).sum(axis=1, dtype=np.int64)
    return np.asarray(np.clip(bias.values + x.zero_point * sums, -INT32_MAX, INT32_MAX), np.int32)


def accumulator_bound(layer: Layer) -> int:
    """Largest magnitude that any partial sum of the layer can reach, from its actual weights and bias.

    Every term's extremes over all x of its type enclose 0, so the bound of the whole sum holds for each part.
    Raises QuantizationError where int32 does not hold it, or for x of 16 bits int64 with room for the multiplier.
    """
    x, weight, bias = layer.inputs
    x_min, x_max = x.quantization.bounds
    w = weight.values.reshape(weight.shape[0], -1).astype(np.int64)
    high = np.maximum(x_min * w, x_max * w).sum(axis=1)
    low = np.minimum(x_min * w, x_max * w).sum(axis=1)
    bounds = np.abs(bias.values.astype(np.int64)) + np.maximum(high, -low)
    channel = int(bounds.argmax())
    bound = int(bounds[channel])
    limit, holder = _holds(x)
    if bound > limit:
        raise QuantizationError(
            f"{layer.where}: the accumulator of output channel {channel} can reach {bound}, more than {holder} "
            f"holds ({limit}); split the layer, which sums {w.shape[1]} products"
        )
    return bound


def layer_requantization(layer: Layer) -> Requantization:
    """Multipliers and shift from the accumulator's scales to the output's."""
    x, weight, _ = layer.inputs
    factors = [x.scale * scale / layer.output.scale for scale in weight.quantization.scale]
    return requantization(factors, accumulator_bound(layer), layer.where)


def exact_product_dtype(x: Tensor, weight: Array) -> type[np.floating]:
    """The narrowest float in which x @ weight.T is exact for quantized `x` and int8 `weight` (channels, taps).

    All partial sums are integers of magnitude max|x| * sum|w| at most; float32 holds those up to 2^24, float64 all
    that `accumulator_bound` allows.
    """
    largest = -x.quantization.bounds[0] * int(np.abs(weight.astype(np.int64)).sum(axis=1).max())
    return np.float32 if largest <= 2**24 else np.float64
