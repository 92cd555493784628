"""Portable products of two matrices, of 8 and 16 bits and of floats."""

from __future__ import annotations

from dataclasses import dataclass

from mcuq.graph.operator import Layer
from mcuq.kernels.c_types import C_TYPES
from mcuq.kernels.ending import Sum, limited
from mcuq.kernels.kernel import WHOLE, Call, Fragment, Kernel
from mcuq.kernels.mat_mul import MatMulConstants, mat_mul_inputs, mat_mul_sizes
from mcuq.ops.dtypes import FLOAT32, MIXED
from mcuq.ops.mat_mul import MatMul


@dataclass(frozen=True)
class PortableMatMulConstants(MatMulConstants):
    """Integers: `stored` assigns to[j], of acc[j]."""

    template = "portable/mat_mul"

    element_type: str
    sum_type: str
    a_zero_point: int
    b_zero_point: int
    stored: Fragment


@dataclass(frozen=True)
class MatMulFloat32Constants(MatMulConstants):
    """Floats: the same."""

    template = "portable/mat_mul_float32"
    computes_in_float = True

    stored: Fragment


def lower_mat_mul(op: MatMul, layer: Layer) -> tuple[Call, ...]:
    """Constants alone, and b if it is one."""
    a, b = layer.inputs
    total = Sum(op, layer, op.requantization(layer), op.bound(layer))
    constants = PortableMatMulConstants(
        **mat_mul_sizes(op, layer),
        element_type=C_TYPES[layer.output.dtype],
        sum_type=total.c_type,
        a_zero_point=a.zero_point,
        b_zero_point=b.zero_point,
        stored=total.stored("acc[j]", "to[j]", name=total.named("mat_mul")),
    )
    return (Call(constants, *mat_mul_inputs(op, layer), bound=total.bound),)


def lower_mat_mul_float32(op: MatMul, layer: Layer) -> tuple[Call, ...]:
    """The same."""
    stored = limited(op, "acc[j]", "to[j]")
    constants = MatMulFloat32Constants(**mat_mul_sizes(op, layer), stored=stored)
    return (Call(constants, *mat_mul_inputs(op, layer)),)


MAT_MUL_KERNELS = (
    Kernel(lower_mat_mul, activations=MIXED),
    Kernel(lower_mat_mul_float32, activations=FLOAT32, constants=WHOLE | FLOAT32),
)
