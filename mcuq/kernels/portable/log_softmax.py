"""LogSoftmax of any type: the walk of Softmax, around the logarithm of the sum."""

from __future__ import annotations

from dataclasses import replace

from mcuq.graph.operator import Layer
from mcuq.kernels.kernel import Call, Fragment
from mcuq.kernels.portable.softmax import BEGIN, BEGIN_FLOAT32, BEGIN_S16, TERM, TERM_S16, Row, rows_of
from mcuq.ops.log_softmax import LogSoftmax
from mcuq.ops.log_softmax_s16 import parameters
from mcuq.ops.softmax import exponential_bits, exponential_table
from mcuq.ops.softmax_s16 import exponential_tables

# `factor`, `ln2` and `constant` have `shift` fraction bits of an output step.
_ROW = Row(
    BEGIN,
    TERM,
    Fragment.of(
        "y[i] = mcuq_clamp((constant - (largest - x[i]) * factor - logarithm) >> shift, -128, 127);",
        "mcuq_clamp",
        name="log_softmax",
    ),
    scale=Fragment("""\
/* total = mantissa / 2^31 * 2^exponent; the largest term alone is 2^exponential_bits */
uint32_t mantissa = total;
int32_t exponent = 31;
while (mantissa < 0x80000000u) {
    mantissa <<= 1;
    exponent--;
}
const uint32_t index = (mantissa >> 26) & 31u;
const int32_t fraction = (int32_t)((mantissa >> 18) & 255u);
const int32_t logarithm = logarithms[index] + (((logarithms[index + 1u] - logarithms[index]) * fraction) >> 8)
    + (exponent - exponential_bits) * ln2;"""),
)

# `factor` has `shift` fraction bits of an output step, `ln2` and the logarithms `spare` less.
_ROW_S16 = Row(
    BEGIN_S16,
    TERM_S16,
    Fragment(
        """\
const int64_t q = (constant - (int64_t)(largest - x[i]) * factor) >> shift;
y[i] = (int16_t)(q < -32768 ? -32768 : q > 32767 ? 32767 : q);""",
        name="log_softmax_s16",
    ),
    scale=Fragment("""\
/* total = mantissa / 2^30 * 2^exponent; the largest term alone is 2^28 */
int32_t exponent = 30;
for (; total >= 0x80000000u; total >>= 1)
    exponent++;
for (; total < 0x40000000u; total <<= 1)
    exponent--;
const uint32_t mantissa = (uint32_t)total, index = (mantissa >> 22) & 255u;
const int32_t fraction = (int32_t)((mantissa >> 6) & 65535u);
const int64_t logarithm = logarithms[index]
    + (((int64_t)(logarithms[index + 1u] - logarithms[index]) * fraction) >> 16) + (int64_t)(exponent - 28) * ln2;
const int64_t constant = ((int64_t)1 << (shift - 1)) - logarithm * ((int64_t)1 << spare);"""),
)

_ROW_FLOAT32 = Row(
    BEGIN_FLOAT32,
    Fragment.of(
        "const float distance = x[i] - largest;\ntotal = total + mcuq_exponential(distance);", "mcuq_exponential"
    ),
    Fragment.of(
        """\
const float distance = x[i] - largest;
const float difference = distance - logarithm;
y[i] = mcuq_one_nan(difference);""",
        "mcuq_one_nan",
        name="log_softmax_float32",
    ),
    scale=Fragment.of("const float logarithm = mcuq_logarithm(total);", "mcuq_logarithm"),
)


def lower_log_softmax(op: LogSoftmax, layer: Layer) -> tuple[Call, ...]:
    """Exponentials as those of Softmax, and a table of the logarithms of 1 to 2."""
    x = layer.inputs[0]
    classes = x.shape[-1]
    if layer.output.quant is None:
        return rows_of(layer, _ROW_FLOAT32, {})
    if x.dtype == "int16":
        p = parameters(layer)
        coarse, fine = exponential_tables(x.scale)
        row = replace(_ROW_S16, scale=_ROW_S16.scale.naming(ln2=p.ln2, shift=p.shift, spare=p.spare))
        row = replace(row, end=row.end.naming(factor=p.factor))
        return rows_of(layer, row, {"coarse": coarse, "fine": fine, "logarithms": p.logarithms})
    factor, ln2, constant, shift, logarithms = op.parameters(layer)
    row = replace(
        _ROW,
        scale=_ROW.scale.naming(exponential_bits=exponential_bits(classes), ln2=ln2),
        end=_ROW.end.naming(factor=factor, constant=constant, shift=shift),
    )
    return rows_of(layer, row, {"table": exponential_table(x.scale, classes), "logarithms": logarithms})
