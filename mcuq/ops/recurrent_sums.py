"""The integers of a recurrent operator's sums: weights by rows, and what joins both products of a gate in one rounding.

z = (sum of x * weight + bias) * multiplier + (sum of state * recurrent + state_bias) * state_multiplier, over 2^shift.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import frexp, ldexp
from typing import Protocol

import numpy as np

from mcuq.arithmetic.int8 import INT32_MAX
from mcuq.errors import QuantizationError
from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array, Quant, Tensor
from mcuq.ops.given_weights import given_weight_scale
from mcuq.ops.weighted import BIAS_MAX, SCALE_RANGE, WEIGHT_MAX, scales_for_differences

# Products of accumulators with multipliers stay below 2^61, so that three of them have a sum of 64 bits.
MULTIPLIER_BITS = 30
MOST_SHIFT = 46


class Gated(Protocol):
    """What is asked of the operator."""

    def gate_scales(self, layer: Layer) -> Array:
        """(rows,): the steps of what activations read."""

    def split_bias(self, bias: Array) -> tuple[Array, Array]:
        """(rows,) each: what is added to the products with x, and with the state."""

    def state_scale(self, layer: Layer) -> float:
        """The step of the hidden state."""

    def further_factors(self, layer: Layer) -> Array:
        """Other real factors that are added up with a gate's."""


@dataclass(frozen=True, eq=False)
class Sums:
    """Arrays of the rows, int8 (rows, features) and (rows, hidden), the others int32; `bound` is the largest magnitude
    of both accumulators, `reach` that of totals but for what is added further, over 2^shift."""

    weight: Array
    recurrent: Array
    bias: Array
    state_bias: Array
    multiplier: Array
    state_multiplier: Array
    shift: int
    bound: int
    reach: float

    def total(self, x: Array, state: Array, rows: slice = slice(None)) -> Array:
        """int64 (..., rows): both products of integers (..., features) and (..., hidden), joined."""
        found: Array = self.part(x, rows) + self.state_sum(state, rows) * self.state_multiplier[rows].astype(np.int64)
        return found

    def part(self, x: Array, rows: slice) -> Array:
        """int64: the share of x in a total."""
        acc = _product(x, self.weight[rows]) + self.bias[rows]
        found: Array = acc * self.multiplier[rows].astype(np.int64)
        return found

    def state_sum(self, state: Array, rows: slice) -> Array:
        """int64: the accumulator of the state."""
        found: Array = _product(state, self.recurrent[rows]) + self.state_bias[rows]
        return found

    def further(self, factors: Array) -> Array:
        """int32: real factors as multipliers."""
        return np.asarray(np.rint(factors * 2.0**self.shift), np.int32)


def _product(x: Array, weight: Array) -> Array:
    """Exact: all partial sums are below 2^53."""
    return np.asarray(x.astype(np.float64) @ weight.T.astype(np.float64)).astype(np.int64)


def quantize_rows(layer: Layer, op: Gated) -> tuple[Tensor, ...]:
    """The layer's inputs with int8 weights, symmetric with a scale a row, nearest; integers that came so are kept."""
    x, weight, recurrent, bias = layer.inputs[:4]
    own, of_state = op.split_bias(bias.values.astype(np.float64))
    return (
        x,
        _quantized(weight, x.scale, own, -x.quantization.bounds[0]),
        _quantized(recurrent, op.state_scale(layer), of_state, 2**15),
        *layer.inputs[3:],
    )


def _quantized(weight: Tensor, x_scale: float, bias: Array, largest: int) -> Tensor:
    """Scales leave room for sums of values up to `largest`, and for the bias."""
    real = weight.values.astype(np.float64)
    given = given_weight_scale(weight)
    scale = np.abs(real).max(axis=1) / WEIGHT_MAX
    floor = max(float(scale.max()) * SCALE_RANGE, float(np.finfo(np.float32).tiny))
    # Sums and the bias have half of the accumulator each.
    scale = np.maximum(scale, np.maximum(2 * scales_for_differences(real, largest), floor))
    scale = np.maximum(scale, np.abs(bias) / (x_scale * BIAS_MAX))
    if given is not None:
        scale = np.where(np.isnan(given), scale, given)
    least = -WEIGHT_MAX if given is None else -WEIGHT_MAX - 1
    q = np.clip(np.rint(real / scale[:, None]), least, WEIGHT_MAX).astype(np.int8)
    return Tensor(weight.name, weight.shape, "int8", q, Quant(tuple(scale.tolist())))


def sums_of(layer: Layer, op: Gated) -> Sums:
    """Of a layer with quantized weights. Raises QuantizationError where int32 does not hold them."""
    x, weight, recurrent, bias = layer.inputs[:4]
    own, of_state = op.split_bias(bias.values.astype(np.float64))
    steps = x.scale * np.array(weight.quantization.scale)
    state_steps = op.state_scale(layer) * np.array(recurrent.quantization.scale)
    integers, state_integers = (t.values.astype(np.int64) for t in (weight, recurrent))
    start = np.rint(own / steps) - x.zero_point * integers.sum(axis=1)
    state_start = np.rint(of_state / state_steps)
    bounds = np.abs(start) - x.quantization.bounds[0] * np.abs(integers).sum(axis=1)
    state_bounds = np.abs(state_start) + 2**15 * np.abs(state_integers).sum(axis=1)
    bound = int(max(bounds.max(), state_bounds.max()))
    if bound > INT32_MAX:
        raise QuantizationError(
            f"{layer.where}: an accumulator can reach {bound}, more than int32 holds ({INT32_MAX}); quantize its "
            "weights anew, from floats"
        )
    gate = op.gate_scales(layer)
    factors, state_factors = steps / gate, state_steps / gate
    shift = _shift([factors, state_factors, np.abs(op.further_factors(layer))], layer.where)
    multiplier, state_multiplier = (np.rint(f * 2.0**shift).astype(np.int32) for f in (factors, state_factors))
    return Sums(
        integers.astype(np.int8),
        state_integers.astype(np.int8),
        start.astype(np.int32),
        state_start.astype(np.int32),
        multiplier,
        state_multiplier,
        shift,
        bound,
        float((bounds * factors + state_bounds * state_factors).max()),
    )


def _shift(factors: Sequence[Array], where: str) -> int:
    """The largest with which all factors are multipliers."""
    largest = max(float(f.max(initial=0.0)) for f in factors)
    shift = min(MOST_SHIFT, MULTIPLIER_BITS - frexp(max(largest, ldexp(1.0, -60)))[1])
    if shift < 16:
        raise QuantizationError(
            f"{where}: a step of a product is {largest:g} times that of what activations read; check the calibration "
            "data"
        )
    return shift
