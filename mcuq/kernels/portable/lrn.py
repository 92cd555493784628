"""LRN of integers and of floats: squares enter and leave a sum along one dimension."""

from __future__ import annotations

from dataclasses import dataclass

from mcuq.arithmetic.float32 import float32
from mcuq.graph.operator import Layer
from mcuq.kernels.c_types import C_TYPES
from mcuq.kernels.kernel import Call, Constants
from mcuq.ops.lrn import LRN


@dataclass(frozen=True)
class LrnConstants(Constants):
    """x (outer, channels, inner); the base is bias_mantissa * 2^bias_shift + factor * squares, see
    mcuq_inverse_power."""

    template = "portable/lrn"

    x_type: str
    y_type: str
    outer: int
    channels: int
    inner: int
    before: int
    after: int
    x_zero_point: int
    bias_mantissa: int
    bias_shift: int
    factor: int
    first: int
    y_zero_point: int
    output_min: int
    output_max: int


@dataclass(frozen=True)
class LrnFloat32Constants(Constants):
    """Floats; `scale` is alpha / size, `exponent` -beta."""

    template = "portable/lrn_float32"
    computes_in_float = True

    outer: int
    channels: int
    inner: int
    before: int
    after: int
    scale: float
    bias: float
    exponent: float
    minimum: float
    maximum: float


def lower_lrn(op: LRN, layer: Layer) -> tuple[Call, ...]:
    """Powers of 1 to 2, and factors of each power of two."""
    x, y, p = layer.inputs[0], layer.output, op.parameters(layer)
    before, after = op.reach
    output_min, output_max = op.output_bounds(y)
    constants = LrnConstants(
        C_TYPES[x.dtype],
        C_TYPES[y.dtype],
        *op.sizes(layer),
        before=before,
        after=after,
        x_zero_point=x.zero_point,
        bias_mantissa=p.bias_mantissa,
        bias_shift=p.bias_shift,
        factor=p.factor,
        first=p.first,
        y_zero_point=y.zero_point,
        output_min=output_min,
        output_max=output_max,
    )
    return (Call(constants, arrays={"powers": p.powers, "multiplier": p.multiplier, "shift": p.shift}),)


def lower_lrn_float32(op: LRN, layer: Layer) -> tuple[Call, ...]:
    """Constants alone."""
    before, after = op.reach
    constants = LrnFloat32Constants(
        *op.sizes(layer),
        before=before,
        after=after,
        scale=float32(op.alpha / op.size),
        bias=float32(op.bias),
        exponent=float32(-op.beta),
        minimum=op.minimum,
        maximum=op.maximum,
    )
    return (Call(constants),)
