"""Softmax of any type: one walk over rows, around exponentials and what their sum makes of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array
from mcuq.kernels.c_types import C_TYPES, pointers
from mcuq.kernels.kernel import NOTHING, Call, Constants, Fragment
from mcuq.ops.softmax import Softmax, exponential_table
from mcuq.ops.softmax_s16 import exponential_tables


@dataclass(frozen=True)
class SoftmaxConstants(Constants):
    """Rows of `classes` values: a Row."""

    template = "portable/softmax"

    x_type: str
    arrays: str
    y_type: str
    rows: int
    classes: int
    begin: Fragment
    term: Fragment
    scale: Fragment
    end: Fragment


@dataclass(frozen=True)
class Row:
    """`begin` declares `largest` and `total`, `term` adds the exponential of each x[i] to the total, `scale` makes of
    that what all outputs need, `end` assigns y[i]."""

    begin: Fragment
    term: Fragment
    end: Fragment
    scale: Fragment = NOTHING


BEGIN = Fragment("int32_t largest = -128;\nuint32_t total = 0;")
BEGIN_S16 = Fragment("int32_t largest = -32768;\nuint64_t total = 0;")
BEGIN_FLOAT32 = Fragment.of("float largest = -mcuq_infinity();\nfloat total = 0.0f;", "mcuq_infinity")
# Exponentials of int8 by one table, of int16 by two.
TERM = Fragment("total += (uint32_t)table[largest - x[i]];")
TERM_S16 = Fragment.of(
    "total += (uint32_t)mcuq_exponential_of_tables(largest - x[i], coarse, fine);", "mcuq_exponential_of_tables"
)

_ROW = Row(
    BEGIN,
    TERM,
    Fragment.of(
        """\
/* a table entry is at most 2^22, so the numerator is at most 2^30 + 2^30 */
const uint32_t share = ((uint32_t)table[largest - x[i]] * 256u + total / 2u) / total;
y[i] = mcuq_clamp((int32_t)share - 128, -128, 127);""",
        "mcuq_clamp",
        name="softmax",
    ),
)

_ROW_S16 = Row(
    BEGIN_S16,
    TERM_S16,
    Fragment.of(
        """\
/* below 2^29, the half at most 2^30 */
const int32_t high = mcuq_multiply_high(4 * mcuq_exponential_of_tables(largest - x[i], coarse, fine), reciprocal);
const int32_t share = (high + (1 << (shift - 1))) >> shift;
y[i] = (int16_t)(share > 32767 ? 32767 : share);""",
        "mcuq_multiply_high",
        "mcuq_exponential_of_tables",
        name="softmax_s16",
    ),
    scale=Fragment("""\
/* the largest term alone is 2^28; a total of `bits` bits becomes one of 31 */
int32_t bits = 31;
for (; total >= 0x80000000u; total >>= 1)
    bits++;
for (; total < 0x40000000u; total <<= 1)
    bits--;
const int32_t reciprocal = (int32_t)((((uint64_t)1 << 61) - 1u) / total), shift = bits - 15;"""),
)

_ROW_FLOAT32 = Row(
    BEGIN_FLOAT32,
    Fragment.of(
        """\
const float distance = x[i] - largest;
y[i] = mcuq_exponential(distance);
total = total + y[i];""",
        "mcuq_exponential",
    ),
    Fragment.of(
        "const float share = y[i] * inverse;\ny[i] = mcuq_one_nan(share);", "mcuq_one_nan", name="softmax_float32"
    ),
    scale=Fragment("const float inverse = 1.0f / total;"),
)


def lower_softmax(op: Softmax, layer: Layer) -> tuple[Call, ...]:
    """The exponentials of all distances from the largest value as a table, of int16 of their upper and lower bytes."""
    x = layer.inputs[0]
    if layer.output.quant is None:
        return rows_of(layer, _ROW_FLOAT32, {})
    if x.dtype == "int16":
        coarse, fine = exponential_tables(x.scale)
        return rows_of(layer, _ROW_S16, {"coarse": coarse, "fine": fine})
    return rows_of(layer, _ROW, {"table": exponential_table(x.scale, x.shape[-1])})


def rows_of(layer: Layer, row: Row, arrays: Mapping[str, Array]) -> tuple[Call, ...]:
    """The call of all rows."""
    x, y = layer.inputs[0], layer.output
    constants = SoftmaxConstants(
        x_type=C_TYPES[x.dtype],
        arrays=pointers({name: array.dtype.name for name, array in arrays.items()}),
        y_type=C_TYPES[y.dtype],
        rows=y.elements // y.shape[-1],
        classes=y.shape[-1],
        **vars(row),
    )
    return (Call(constants, arrays=arrays),)
