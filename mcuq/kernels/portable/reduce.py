"""Many values that become one along neighbouring dimensions, of any type: sums, norms, the least, products, and
AveragePool of a whole image."""

from __future__ import annotations

from dataclasses import dataclass, replace

from mcuq.arithmetic.float32 import float32
from mcuq.graph.operator import Layer
from mcuq.kernels.c_types import C_TYPES
from mcuq.kernels.ending import Sum, limited
from mcuq.kernels.kernel import Call, Constants, Fragment
from mcuq.kernels.reduction import Reduction, least, norm, summed, summed_float32
from mcuq.ops.average_pool import AveragePool
from mcuq.ops.mean import Mean
from mcuq.ops.reduce import ReduceL1, ReduceMin, ReduceProd


@dataclass(frozen=True)
class ReduceConstants(Constants):
    """x (outer, reduced, inner) -> y (outer, inner); `begin`, `tap` and `end` are a Reduction."""

    template = "portable/reduce"

    x_type: str
    y_type: str
    outer: int
    reduced: int
    inner: int
    begin: Fragment
    tap: Fragment
    end: Fragment


def lower_mean(op: Mean, layer: Layer) -> tuple[Call, ...]:
    """The reduced dimensions are neighbours: a pass has seen to it."""
    sizes = op.sizes(layer)
    if layer.output.quant is not None:
        total = Sum(op, layer, op.requantization(layer), op.bound(layer))
        return (_mean(total, sizes, layer.inputs[0].zero_point),)
    divisor = op.divisor(layer)
    if divisor == 1:
        return (Call(_constants(layer, sizes, summed_float32(op, "acc", "sum_float32"))),)
    mean = summed_float32(op, "acc * inverse_count", "mean_float32")
    end = mean.end.naming({"inverse_count": float32(1 / divisor)})
    return (Call(_constants(layer, sizes, replace(mean, end=end))),)


def lower_norm(op: ReduceL1, layer: Layer) -> tuple[Call, ...]:
    """Sums of sizes or squares, and their root."""
    found, bound = norm(op, op.sums(layer), "norm" if op.has_root else "sum_of_powers")
    return (Call(_constants(layer, op.sizes(layer), found), bound=bound),)


def lower_reduce_min(op: ReduceMin, layer: Layer) -> tuple[Call, ...]:
    """Comparisons alone."""
    return (Call(_constants(layer, op.sizes(layer), least(layer.output.dtype, "reduce_min"))),)


def lower_reduce_prod(op: ReduceProd, layer: Layer) -> tuple[Call, ...]:
    """A mantissa of 31 bits and its power of two."""
    sizes, y = op.sizes(layer), layer.output
    if y.quant is None:
        begin = Fragment("float product = 1.0f;", name="reduce_prod_float32")
        product = Reduction(begin, Fragment("product = product * x[i];"), limited(op, "product", "*y++"))
        return (Call(_constants(layer, sizes, product)),)
    by = op.parameters(layer)
    output_min, output_max = op.output_bounds(y)
    product = Reduction(
        Fragment.of("mcuq_product product = { 1073741824, 0 };", "mcuq_product", name="reduce_prod"),
        Fragment.of(
            "product = mcuq_product_with(product, x[i] - x_zero_point);",
            "mcuq_product_with",
            numbers={"x_zero_point": layer.inputs[0].zero_point},
        ),
        Fragment.of(
            f"*y++ = ({C_TYPES[y.dtype]})mcuq_product_value(product, multiplier, exponent, y_zero_point, output_min,\n"
            "    output_max);",
            "mcuq_product_value",
            numbers={**vars(by), "y_zero_point": y.zero_point, "output_min": output_min, "output_max": output_max},
        ),
    )
    return (Call(_constants(layer, sizes, product)),)


def accepts_whole_image(op: AveragePool, layer: Layer) -> bool:
    """One window, which is the image."""
    return op.window.kernel == layer.inputs[0].shape[1:3] and not any(op.window.pads)


def lower_whole_image(op: AveragePool, layer: Layer) -> tuple[Call, ...]:
    """A mean over rows and columns."""
    batch, height, width, channels = layer.inputs[0].shape
    _, requant = op.requantization(layer)
    taken, added = op.zero_points(layer)
    total = Sum(op, layer, requant, op.bound(layer), added)
    return (_mean(total, (batch, height * width, channels), taken),)


def _mean(total: Sum, sizes: tuple[int, int, int], taken: int) -> Call:
    """`taken` is what the sum takes off each input."""
    mean = summed(total, "bias", name="mean")
    bias = -sizes[1] * taken
    mean = replace(mean, begin=mean.begin.naming(bias=bias))
    return Call(_constants(total.layer, sizes, mean), bound=total.bound)


def _constants(layer: Layer, sizes: tuple[int, int, int], reduction: Reduction) -> ReduceConstants:
    x, y = layer.inputs[0], layer.output
    return ReduceConstants(C_TYPES[x.dtype], C_TYPES[y.dtype], *sizes, **vars(reduction))
