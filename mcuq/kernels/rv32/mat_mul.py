"""Products of two matrices on RV32IM: blocks of four rows and four columns."""

from __future__ import annotations

from dataclasses import dataclass

from mcuq.graph.operator import Layer
from mcuq.kernels.kernel import Call, Kernel
from mcuq.kernels.mat_mul import MatMulConstants, block_columns, mat_mul_inputs, mat_mul_sizes
from mcuq.kernels.requantized import requantized
from mcuq.ops.mat_mul import MatMul

WIDTH = 4  # columns that lie side by side


@dataclass(frozen=True)
class MatMulRv32Constants(MatMulConstants):
    """Of `block` columns at a time."""

    template = "rv32/mat_mul"

    block: int
    a_zero_point: int
    b_zero_point: int
    y_zero_point: int
    multiplier: int
    prescale: int
    shift: int
    output_min: int
    output_max: int


def lower_mat_mul_rv32(op: MatMul, layer: Layer) -> tuple[Call, ...]:
    """Scratch: where the sums of a block of columns start, and the block."""
    a, b = layer.inputs
    requant = op.requantization(layer)
    taps = a.shape[-1]
    block = block_columns(taps, layer.output.shape[-1], WIDTH)
    constants = MatMulRv32Constants(
        **mat_mul_sizes(op, layer),
        **requantized(op, requant, layer.output),
        block=block,
        a_zero_point=a.zero_point,
        b_zero_point=b.zero_point,
        multiplier=requant.multiplier[0],
    )
    columns = -(-block // WIDTH) * WIDTH
    return (Call(constants, *mat_mul_inputs(op, layer), columns * (4 + taps), op.bound(layer)),)


MAT_MUL_KERNEL = Kernel(lower_mat_mul_rv32, frozenset({"rv32m"}))
