"""Total: one loop over all elements of all operands."""

from __future__ import annotations

from mcuq.arithmetic.float32 import float32
from mcuq.graph.operator import Layer
from mcuq.kernels.kernel import Call, Fragment
from mcuq.kernels.portable.elementwise import elementwise
from mcuq.kernels.total import total_numbers
from mcuq.ops.total import Total


def lower_total(op: Total, layer: Layer) -> tuple[Call, ...]:
    """Of one shape, so that the output may be any of the operands."""
    inputs = {f"x{i}": t.dtype for i, t in enumerate(layer.inputs)}
    constants = elementwise(layer, inputs, _value(op, layer))
    return (Call(constants, tuple(range(len(inputs))), bound=op.bound(layer)),)


def _value(op: Total, layer: Layer) -> Fragment:
    count = len(layer.inputs)
    if layer.output.quant is None:
        sums = ["const float sum_1 = x0[i] + x1[i];"]
        sums += [f"const float sum_{i} = sum_{i - 1} + x{i}[i];" for i in range(2, count)]
        text = "\n".join(
            [
                *sums,
                f"const float value = sum_{count - 1} * factor;",
                "y[i] = mcuq_clamp_float(value, minimum, maximum);",
            ]
        )
        floats = {"factor": float32(op.factor), "minimum": float32(op.minimum), "maximum": float32(op.maximum)}
        return Fragment.of(text, "mcuq_clamp_float", name=f"total_{count}_float32", floats=floats)
    parameters = op.parameters(layer)
    output_min, output_max = op.output_bounds(layer.output)
    numbers = {**total_numbers(parameters), "output_min": output_min, "output_max": output_max}
    if layer.output.dtype == "int16":
        terms = " + ".join(f"(int64_t)x{i}[i] * factor_{i}" for i in range(count))
        found = parameters.requantization
        numbers |= {"multiplier": found.multiplier[0], "shift": found.shift}
        del numbers["constant"]
        text = f"const int64_t acc = {terms};\n"
        text += "y[i] = (int16_t)mcuq_requantize_long(acc, multiplier, shift, 0, output_min, output_max);"
        return Fragment.of(text, "mcuq_requantize_long", name=f"total_{count}_s16", numbers=numbers)
    rest = " + ".join(f"x{i}[i] * factor_{i}" for i in range(2, count))
    text = f"const int32_t rest = constant + {rest};\n"
    text += "y[i] = mcuq_weighted_sum(x0[i], factor_0, x1[i], factor_1, rest, shift, output_min, output_max);"
    return Fragment.of(text, "mcuq_weighted_sum", name=f"total_{count}", numbers=numbers)
