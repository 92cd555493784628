"""Products of two matrices by SMLAD: columns of b are packed as weights are, a block at a time."""

from __future__ import annotations

from dataclasses import dataclass

from mcuq.graph.operator import Layer
from mcuq.kernels.dsp.order import DSP, PIXELS
from mcuq.kernels.dsp.pasted import limit
from mcuq.kernels.kernel import Call, Fragment, Kernel
from mcuq.kernels.mat_mul import MatMulConstants, block_columns, mat_mul_inputs, mat_mul_sizes
from mcuq.ops.mat_mul import MatMul

# A row's sum is spread over fours of int16, each of which may be a few more than a quarter.
LARGEST_PART = 4 * 32760


LEAST_COLUMNS = 16  # of a block, for which rows are expanded once


@dataclass(frozen=True)
class MatMulDspConstants(MatMulConstants):
    """Of `block` columns at a time, a multiple of four where there are several blocks; `extra` fours of each column are
    b's zero point, and make up for it."""

    template = "dsp/mat_mul"

    block: int
    extra: int
    a_zero_point: int
    b_zero_point: int
    y_zero_point: int
    multiplier: int
    shift: int
    limit: Fragment


def _accepts(op: MatMul, layer: Layer) -> bool:
    requant = op.requantization(layer)
    return requant.shift >= 1 and requant.prescale == 0


def lower_mat_mul_dsp(op: MatMul, layer: Layer) -> tuple[Call, ...]:
    """Scratch: four rows of a as int16, a block of columns, their channels, and four rows up to whole words."""
    a, b = layer.inputs
    requant = op.requantization(layer)
    taps, outputs = a.shape[-1], layer.output.shape[-1]
    extra = -(-128 * taps // LARGEST_PART) if b.zero_point else 0
    words = -(-taps // 4)
    fours = words + extra
    block = block_columns(4 * fours, outputs, LEAST_COLUMNS)
    constants = MatMulDspConstants(
        **mat_mul_sizes(op, layer),
        block=block,
        extra=extra,
        a_zero_point=a.zero_point,
        b_zero_point=b.zero_point,
        y_zero_point=layer.output.zero_point,
        multiplier=requant.multiplier[0],
        shift=requant.shift,
        limit=limit(op, layer, "batches * rows * outputs"),
    )
    scratch_bytes = 8 * PIXELS * fours + -(-block // 2) * 8 * fours + 4 * (2 + -(-block // 4) * 8)
    copies_bytes = 4 * PIXELS * words if taps % 4 else 0
    return (Call(constants, *mat_mul_inputs(op, layer), scratch_bytes + copies_bytes, op.bound(layer)),)


MAT_MUL_KERNEL = Kernel(lower_mat_mul_dsp, DSP, _accepts)
