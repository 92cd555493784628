"""Products of two matrices for Cortex-M0 and M0+: two columns in one multiplication (mcuq_columns.h)."""

from __future__ import annotations

from dataclasses import dataclass

from mcuq.graph.operator import Layer
from mcuq.kernels.blocked.conv2d import NARROW
from mcuq.kernels.kernel import Call, Kernel
from mcuq.kernels.mat_mul import MatMulConstants, block_columns, mat_mul_inputs, mat_mul_sizes
from mcuq.ops.mat_mul import MatMul


@dataclass(frozen=True)
class MatMulArmv6mConstants(MatMulConstants):
    """Of `block` columns at a time."""

    template = "blocked/mat_mul"

    block: int
    a_zero_point: int
    b_zero_point: int
    y_zero_point: int
    multiplier: int
    is_narrow: int
    shift: int
    output_min: int
    output_max: int


def _accepts(op: MatMul, layer: Layer) -> bool:
    requant = op.requantization(layer)
    return requant.prescale == 0 and requant.shift >= 1


def lower_mat_mul_armv6m(op: MatMul, layer: Layer) -> tuple[Call, ...]:
    """Scratch: sums of a block of columns, a row as words, and the block, two columns in one and where sums begin."""
    a, b = layer.inputs
    requant = op.requantization(layer)
    padded = -(-a.shape[-1] // 4) * 4
    block = block_columns(2 * padded, layer.output.shape[-1], 4)
    output_min, output_max = op.output_bounds(layer.output)
    constants = MatMulArmv6mConstants(
        **mat_mul_sizes(op, layer),
        block=block,
        a_zero_point=a.zero_point,
        b_zero_point=b.zero_point,
        y_zero_point=layer.output.zero_point,
        multiplier=requant.multiplier[0],
        is_narrow=int(_largest_sum(layer) < NARROW),
        shift=requant.shift,
        output_min=output_min,
        output_max=output_max,
    )
    scratch_bytes = -(-block // 4) * 4 * (8 + 2 * padded) + 4 * padded
    return (Call(constants, *mat_mul_inputs(op, layer), scratch_bytes, op.bound(layer)),)


def _largest_sum(layer: Layer) -> int:
    """Of what is left of the operands without their zero points."""
    a, b = (max(128 + t.zero_point, 127 - t.zero_point) for t in layer.inputs)
    return layer.inputs[0].shape[-1] * a * b


MAT_MUL_KERNEL = Kernel(lower_mat_mul_armv6m, frozenset({"armv6m"}), _accepts)
