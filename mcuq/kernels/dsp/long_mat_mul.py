"""Products of two matrices of integers of up to 16 bits by SMLALD: both are packed as pairs of int16."""

from __future__ import annotations

from dataclasses import dataclass

from mcuq.graph.operator import Layer
from mcuq.kernels.c_types import C_TYPES
from mcuq.kernels.dsp.order import DSP
from mcuq.kernels.ending import Sum
from mcuq.kernels.integer_mat_mul import IntegerMatMulConstants, product_of
from mcuq.kernels.kernel import Call, Kernel
from mcuq.kernels.mat_mul import block_columns, mat_mul_inputs, mat_mul_sizes
from mcuq.ops.dtypes import INT16
from mcuq.ops.integer_mat_mul import IntegerMatMul
from mcuq.ops.mat_mul import MatMul

SHORT = frozenset({"int8", "int16"})  # what fits a half of a pair


@dataclass(frozen=True)
class LongMatMulConstants(IntegerMatMulConstants):
    """Of 64-bit sums, which `stored` takes without what zero points add to them."""

    template = "dsp/long_mat_mul"

    a_zero_point: int
    b_zero_point: int


def lower_integer_mat_mul_dsp(op: IntegerMatMul, layer: Layer) -> tuple[Call, ...]:
    """Sums modulo 2^32 are the lower words."""
    taps = layer.inputs[0].shape[-1]
    product = product_of(layer, lambda outputs: _block_columns(taps, outputs))
    constants = LongMatMulConstants(**product.fields, a_zero_point=0, b_zero_point=0)
    return (Call(constants, product.inputs, product.arrays, _scratch_bytes(constants)),)


def lower_mat_mul_s16_dsp(op: MatMul, layer: Layer) -> tuple[Call, ...]:
    """Of int16."""
    (a, b), y = layer.inputs, layer.output
    sizes = mat_mul_sizes(op, layer)
    total = Sum(op, layer, op.requantization(layer), op.bound(layer))
    constants = LongMatMulConstants(
        a_type=C_TYPES[a.dtype],
        b_type=C_TYPES[b.dtype],
        y_type=C_TYPES[y.dtype],
        batches=sizes["batches"],
        rows=sizes["rows"],
        taps=sizes["taps"],
        outputs=sizes["outputs"],
        block=_block_columns(sizes["taps"], sizes["outputs"]),
        a_row_step=sizes["taps"],
        a_tap_step=1,
        b_tap_step=sizes["tap_step"],
        b_column_step=sizes["output_step"],
        y_row_step=sizes["outputs"],
        y_column_step=1,
        stored=total.stored("acc", "*to"),
        a_zero_point=a.zero_point,
        b_zero_point=b.zero_point,
    )
    return (Call(constants, *mat_mul_inputs(op, layer), _scratch_bytes(constants), total.bound),)


def _block_columns(taps: int, outputs: int) -> int:
    return block_columns(8 * -(-taps // 4), outputs, 2)


def _scratch_bytes(constants: LongMatMulConstants) -> int:
    """Sums of a block of columns for two rows, two rows and the block as words, and what its columns add up to."""
    words, columns = -(-constants.taps // 4) * 2, -(-constants.block // 2) * 2
    return 4 * (4 * columns + 2 * words + columns * words + (columns if constants.a_zero_point else 0))


def _is_short(op: IntegerMatMul, layer: Layer) -> bool:
    return all(t.dtype in SHORT for t in layer.inputs)


MAT_MUL_S16_KERNEL = Kernel(lower_mat_mul_s16_dsp, DSP, activations=INT16, constants=INT16)
INTEGER_MAT_MUL_KERNEL = Kernel(
    lower_integer_mat_mul_dsp, DSP, _is_short, activations=SHORT | {"int32"}, constants=SHORT
)
