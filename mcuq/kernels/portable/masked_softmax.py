"""Softmax over what a mask keeps: of int8 by one table, of int16 by two, and of floats."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array
from mcuq.kernels.c_types import C_TYPES, c_float, c_float_needs, pointers
from mcuq.kernels.kernel import NOTHING, WHOLE, Accepts, Call, Constants, Fragment, Kernel
from mcuq.ops.dtypes import FLOAT32, MOVED
from mcuq.ops.masked_softmax import MaskedSoftmax, kept, mask_rows
from mcuq.ops.softmax import exponential_table
from mcuq.ops.softmax_s16 import exponential_tables


@dataclass(frozen=True)
class MaskedSoftmaxConstants(Constants):
    """Rows of `classes` values; the mask's row of each is n / span % outer * inner + n % inner.

    `look` declares `left_out`, what a place holds that takes no part. `start` declares `largest`, the total and
    `nothing`, what the places left out are given; `add` adds a term, `divide` makes of the total what `share`
    multiplies or divides by. `end` writes a row of which nothing is kept.
    """

    template = "portable/masked_softmax"

    inputs: str
    element_type: str
    keep_type: str
    rows: int
    classes: int
    span: int
    outer: int
    inner: int
    look: Fragment
    start: Fragment
    add: Fragment
    divide: Fragment
    share: Fragment
    end: Fragment


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
    return _call(op, MaskedSoftmaxConstants, layer, {"table": table}, fragments)


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
    return _call(op, MaskedSoftmaxConstants, layer, {"coarse": coarse, "fine": fine}, fragments)


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
    return _call(op, MaskedSoftmaxFloat32Constants, layer, {}, fragments)


_IS_SOMETHING = """\
int32_t some = 0;
for (int32_t i = 0; i < classes; i++)
    some |= kept[i];
const int32_t left_out = some ? 0 : -1;"""
_NONE = """\
for (int32_t i = 0; i < classes && !some; i++)
    y[i] = {};"""


def _call(
    op: MaskedSoftmax,
    kind: type[MaskedSoftmaxConstants],
    layer: Layer,
    tables: dict[str, Array],
    fragments: dict[str, Fragment],
) -> tuple[Call, ...]:
    y, keep = layer.output, layer.inputs[1]
    classes = y.shape[-1]
    span, outer, inner = mask_rows(layer.inputs[0].shape, keep.shape)
    parameters = dict.fromkeys(tables, "int32")
    look, end = Fragment("const int32_t left_out = 0;"), NOTHING
    inputs: tuple[int, ...]
    if keep.is_constant:
        arrays = {**tables, "keep": kept(keep.values).astype(np.int8)}
        parameters, inputs = {"x": y.dtype, **parameters, "keep": "int8"}, (0,)
    else:
        arrays = tables
        parameters, inputs = {"x": y.dtype, "keep": keep.dtype, **parameters}, (0, 1)
        look = Fragment(_IS_SOMETHING, name=f"masked_softmax_{op.empty}")
        if op.empty != "all":
            none = op.of_none(layer)
            text, needs = (c_float(none), c_float_needs([none])) if y.quant is None else (str(none), ())
            end = Fragment.of(_NONE.format(text), *needs)
    constants = kind(
        inputs=pointers(parameters),
        element_type=C_TYPES[y.dtype],
        keep_type=C_TYPES["int8" if keep.is_constant else keep.dtype],
        rows=y.elements // classes,
        classes=classes,
        span=span,
        outer=outer,
        inner=inner,
        look=look,
        end=end,
        **fragments,
    )
    return (Call(constants, inputs, arrays),)


def _scores_of(dtype: str) -> Accepts:
    """Scores and shares of the type; masks are of any integers."""
    return lambda op, layer: {layer.inputs[0].dtype, layer.output.dtype} == {dtype}


MASKED_SOFTMAX_KERNELS = (
    Kernel(lower_masked_softmax_float32, frozenset(), _scores_of("float32"), MOVED, WHOLE | FLOAT32),
    Kernel(lower_masked_softmax_s16, frozenset(), _scores_of("int16"), MOVED),
    Kernel(lower_masked_softmax, frozenset(), _scores_of("int8"), MOVED),
)
