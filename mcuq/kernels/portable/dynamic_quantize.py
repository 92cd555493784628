"""DynamicQuantize: the range of all values, and then one result or one a value."""

from __future__ import annotations

from dataclasses import dataclass

from mcuq.graph.operator import Layer
from mcuq.kernels.c_types import C_TYPES
from mcuq.kernels.ending import Sum, limited
from mcuq.kernels.kernel import Call, Constants, Fragment
from mcuq.ops.dynamic_quantize import DynamicQuantize


@dataclass(frozen=True)
class DynamicQuantizeConstants(Constants):
    """`found` finds the range of `count` values of x, `stored` assigns to what y points at."""

    template = "portable/dynamic_quantize"

    x_type: str
    y_type: str
    count: int
    found: Fragment
    stored: Fragment


_SPAN = """\
int32_t low = x_zero_point, high = x_zero_point;
for (int32_t i = 0; i < count; i++) {
    low = x[i] < low ? x[i] : low;
    high = x[i] > high ? x[i] : high;
}
const int32_t span = high - low;"""
_EACH = "for (int32_t i = 0; i < count; i++)"
# Halves up, above 0 by 256: |x| <= span < 2^16.
_SHARE = "span == 0 ? 0 : (510 * ({x}) + 513 * span) / (2 * span) - 256"


def lower_dynamic_quantize(op: DynamicQuantize, layer: Layer) -> tuple[Call, ...]:
    """Codes or floats, and of the one or the other."""
    x, y = layer.inputs[0], layer.output
    bound = 0 if x.quant is None or op.part != "scale" else op.bound(layer)
    if x.quant is None:
        found, stored = _of_floats(op, C_TYPES[y.dtype])
    else:
        found = Fragment.of(_SPAN, numbers={"x_zero_point": x.zero_point})
        stored = _scale(op, layer) if op.part == "scale" else _of_codes(op, C_TYPES[y.dtype])
    constants = DynamicQuantizeConstants(C_TYPES[x.dtype], C_TYPES[y.dtype], x.elements, found, stored)
    return (Call(constants, bound=bound),)


def _of_floats(op: DynamicQuantize, y_type: str) -> tuple[Fragment, Fragment]:
    call = "mcuq_dynamic_range(x, count, &scale, &inverse);"
    kept = "(void)" if op.part == "scale" else "const int32_t zero_point = "
    found = Fragment.of(f"float scale, inverse;\n{kept}{call}", "mcuq_dynamic_range")
    if op.part == "scale":
        return found, limited(op, "scale", "*y", name="dynamic_scale_float32")
    if op.part == "zero point":
        return found, Fragment(f"*y = ({y_type})(zero_point + 128);", name="dynamic_zero_point_float32")
    code = "mcuq_quantize_float(x[i], inverse, zero_point, -128, 127) + 128"
    text = f"{_EACH}\n    y[i] = ({y_type})({code});"
    return found, Fragment.of(text, "mcuq_quantize_float", name="dynamic_codes_float32")


def _of_codes(op: DynamicQuantize, y_type: str) -> Fragment:
    zero_point = _SHARE.format(x="x_zero_point - low")
    if op.part == "zero point":
        return Fragment(f"*y = ({y_type})({zero_point});", name="dynamic_zero_point")
    text = f"""\
const int32_t zero_point = {zero_point};
{_EACH} {{
    const int32_t share = {_SHARE.format(x="x[i] - x_zero_point")};
    y[i] = ({y_type})mcuq_within(share + zero_point, 0, 255);
}}"""
    return Fragment.of(text, "mcuq_within", name="dynamic_codes")


def _scale(op: DynamicQuantize, layer: Layer) -> Fragment:
    total = Sum(op, layer, op.requantization(layer), op.bound(layer))
    stored = total.stored("span", "*y", name=total.named("dynamic_scale") or "dynamic_scale")
    of_zeros = f"if (span == 0)\n    *y = ({C_TYPES[layer.output.dtype]})scale_of_zeros;"
    one = Fragment.of(of_zeros, numbers={"scale_of_zeros": op.scale_of_zeros(layer)})
    return stored.followed_by(one)
