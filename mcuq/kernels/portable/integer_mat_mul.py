"""IntegerMatMul: sums modulo 2^32, limited to what the output is known to hold."""

from __future__ import annotations

from dataclasses import dataclass

from mcuq.graph.operator import Layer
from mcuq.kernels.integer_mat_mul import IntegerMatMulConstants, product_of
from mcuq.kernels.kernel import Call, Kernel
from mcuq.kernels.mat_mul import block_columns
from mcuq.ops.dtypes import WHOLE
from mcuq.ops.integer_mat_mul import IntegerMatMul

WIDTH = 4  # columns that lie side by side


@dataclass(frozen=True)
class PortableIntegerMatMulConstants(IntegerMatMulConstants):
    """Of words, which the function `sums` of the runtime multiplies."""

    template = "portable/integer_mat_mul"

    sums: str


def lower_integer_mat_mul(op: IntegerMatMul, layer: Layer) -> tuple[Call, ...]:
    """Scratch: the sums of a block of columns, a row and the block as words."""
    return _lowered(layer, "word_sums")


def lower_integer_mat_mul_armv6m(op: IntegerMatMul, layer: Layer) -> tuple[Call, ...]:
    """The same."""
    return _lowered(layer, "word_sums_even")


def _lowered(layer: Layer, sums: str) -> tuple[Call, ...]:
    even = -(-layer.inputs[0].shape[-1] // 2) * 2
    product = product_of(layer, lambda outputs: block_columns(4 * even, outputs, WIDTH))
    constants = PortableIntegerMatMulConstants(**product.fields, sums=sums)
    columns = -(-constants.block // WIDTH) * WIDTH
    return (Call(constants, product.inputs, product.arrays, 4 * (even + columns * (1 + even))),)


INTEGER_MAT_MUL_KERNELS = (
    Kernel(lower_integer_mat_mul_armv6m, frozenset({"armv6m"}), activations=WHOLE, constants=WHOLE),
    Kernel(lower_integer_mat_mul, activations=WHOLE, constants=WHOLE),
)
