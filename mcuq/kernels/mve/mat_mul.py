"""Products of two matrices for Armv8.1-M with MVE: columns of b are rows of weights, transposed where they are not."""

from __future__ import annotations

from dataclasses import dataclass

from mcuq.graph.operator import Layer
from mcuq.kernels.kernel import Call, Kernel
from mcuq.kernels.mat_mul import MatMulConstants, block_columns, mat_mul_inputs, mat_mul_sizes
from mcuq.kernels.mve.requantized import LANES, MVE, has_one_high_word, sums_bytes
from mcuq.ops.mat_mul import MatMul

MOST_TAPS = 2**16 // 7  # whose columns mcuq_mve_transpose reaches


@dataclass(frozen=True)
class MatMulMveConstants(MatMulConstants):
    """Of `block` columns at a time."""

    template = "mve/mat_mul"

    block: int
    a_zero_point: int
    b_zero_point: int
    y_zero_point: int
    multiplier: int
    shift: int
    output_min: int
    output_max: int


def _accepts(op: MatMul, layer: Layer) -> bool:
    return has_one_high_word(op.requantization(layer)) and (op.transposed or layer.inputs[0].shape[-1] <= MOST_TAPS)


def lower_mat_mul_mve(op: MatMul, layer: Layer) -> tuple[Call, ...]:
    """Scratch: sums and multipliers of a block of columns, and the block where it is transposed."""
    a, b = layer.inputs
    requant = op.requantization(layer)
    taps = a.shape[-1]
    column_bytes = sums_bytes(1) // LANES + (0 if op.transposed else taps)
    block = block_columns(column_bytes, layer.output.shape[-1], LANES)
    output_min, output_max = op.output_bounds(layer.output)
    constants = MatMulMveConstants(
        **mat_mul_sizes(op, layer),
        block=block,
        a_zero_point=a.zero_point,
        b_zero_point=b.zero_point,
        y_zero_point=layer.output.zero_point,
        multiplier=requant.multiplier[0],
        shift=requant.shift,
        output_min=output_min,
        output_max=output_max,
    )
    scratch_bytes = sums_bytes(block) + -(-block // LANES) * LANES * 4 + (0 if op.transposed else block * taps)
    return (Call(constants, *mat_mul_inputs(op, layer), scratch_bytes, op.bound(layer)),)


MAT_MUL_KERNEL = Kernel(lower_mat_mul_mve, MVE, _accepts)
