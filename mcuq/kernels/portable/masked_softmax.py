"""Softmax over what a mask keeps: of int8 by one table, of int16 by two, and of floats."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array
from mcuq.kernels.c_types import C_TYPES, pointers
from mcuq.kernels.kernel import NOTHING, WHOLE, Call, Constants, Fragment, Kernel
from mcuq.ops.dtypes import FLOAT32, INT16
from mcuq.ops.masked_softmax import MaskedSoftmax, kept
from mcuq.ops.softmax import exponential_table
from mcuq.ops.softmax_s16 import exponential_tables


@dataclass(frozen=True)
class MaskedSoftmaxConstants(Constants):
    """Rows of `classes` values, behind as many rows of the mask again and again.

    `start` declares `largest`, the total and `nothing`, what the places left out are given; `add` adds a term, `divide`
    makes of the total what `share` multiplies or divides by.
    """

    template = "portable/masked_softmax"

    element_type: str
    tables: str
    rows: int
    classes: int
    mask_rows: int
    start: Fragment
    add: Fragment
    divide: Fragment
    share: Fragment


@dataclass(frozen=True)
class MaskedSoftmaxFloat32Constants(MaskedSoftmaxConstants):
    """Of floats."""

    computes_in_float = True


def lower_masked_softmax(op: MaskedSoftmax, layer: Layer) -> tuple[Call, ...]:
    """The exponentials of all 256 distances from the largest value as a table."""
    table = exponential_table(layer.inputs[0].scale, layer.output.shape[-1])
    start = "const int8_t nothing = -128;\nint32_t largest = -128;\nuint32_t total = 0;"
    # A table entry is at most 2^22, so the numerator is at most 2^30 + 2^30.
    share = """\
const uint32_t share = ((uint32_t)table[largest - x[i]] * 256u + total / 2u) / total;
y[i] = mcuq_clamp((int32_t)share - 128, -128, 127);"""
    fragments = {
        "start": Fragment.of(start),
        "add": Fragment.of("total += (uint32_t)table[largest - x[i]];"),
        "divide": NOTHING,
        "share": Fragment.of(share, "mcuq_clamp"),
    }
    return _call(MaskedSoftmaxConstants, layer, {"table": table}, fragments)


def lower_masked_softmax_s16(op: MaskedSoftmax, layer: Layer) -> tuple[Call, ...]:
    """Tables of the exponentials of upper and lower bytes; bounds as in portable/softmax_s16."""
    coarse, fine = exponential_tables(layer.inputs[0].scale)
    start = "const int16_t nothing = 0;\nint32_t largest = -32768;\nuint64_t total = 0;"
    divide = """\
int32_t bits = 31;
for (; total >= 0x80000000u; total >>= 1)
    bits++;
for (; total < 0x40000000u; total <<= 1)
    bits--;
const int32_t reciprocal = (int32_t)((((uint64_t)1 << 61) - 1u) / total), shift = bits - 15;"""
    share = """\
const int32_t high = mcuq_multiply_high(4 * mcuq_exponential_of_tables(largest - x[i], coarse, fine), reciprocal);
const int32_t share = (high + (1 << (shift - 1))) >> shift;
y[i] = (int16_t)(share > 32767 ? 32767 : share);"""
    add = "total += (uint32_t)mcuq_exponential_of_tables(largest - x[i], coarse, fine);"
    fragments = {
        "start": Fragment.of(start, name="masked_softmax_s16"),
        "add": Fragment.of(add, "mcuq_exponential_of_tables"),
        "divide": Fragment.of(divide),
        "share": Fragment.of(share, "mcuq_multiply_high", "mcuq_exponential_of_tables"),
    }
    return _call(MaskedSoftmaxConstants, layer, {"coarse": coarse, "fine": fine}, fragments)


def lower_masked_softmax_float32(op: MaskedSoftmax, layer: Layer) -> tuple[Call, ...]:
    """Each exponential twice, as y may be x."""
    term = "const float distance = x[i] - largest;\nconst float term = mcuq_exponential(distance);\n"
    start = "const float nothing = 0.0f;\nfloat largest = -mcuq_infinity();\nfloat total = 0.0f;"
    fragments = {
        "start": Fragment.of(start, "mcuq_infinity", name="masked_softmax_float32"),
        "add": Fragment.of(f"{term}total = total + term;", "mcuq_exponential"),
        "divide": Fragment.of("const float inverse = 1.0f / total;"),
        "share": Fragment.of(
            f"{term}const float share = term * inverse;\ny[i] = mcuq_one_nan(share);",
            "mcuq_exponential",
            "mcuq_one_nan",
        ),
    }
    return _call(MaskedSoftmaxFloat32Constants, layer, {}, fragments)


def _call(
    kind: type[MaskedSoftmaxConstants], layer: Layer, tables: dict[str, Array], fragments: dict[str, Fragment]
) -> tuple[Call, ...]:
    y, keep = layer.output, layer.inputs[1]
    classes = y.shape[-1]
    constants = kind(
        element_type=C_TYPES[y.dtype],
        tables=pointers(dict.fromkeys(tables, "int32")),
        rows=y.elements // classes,
        classes=classes,
        mask_rows=keep.elements // classes,
        **fragments,
    )
    return (Call(constants, arrays={**tables, "keep": kept(keep).astype(np.int8)}),)


MASKED_SOFTMAX_KERNELS = (
    Kernel(lower_masked_softmax_float32, activations=FLOAT32, constants=WHOLE | FLOAT32),
    Kernel(lower_masked_softmax_s16, activations=INT16),
    Kernel(lower_masked_softmax),
)
