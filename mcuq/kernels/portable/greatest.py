"""Greatest and Least: one loop over all elements of all operands."""

from __future__ import annotations

from mcuq.graph.operator import Layer
from mcuq.kernels.ending import limited
from mcuq.kernels.kernel import Call, Fragment
from mcuq.kernels.portable.elementwise import elementwise
from mcuq.ops.greatest import Greatest


def lower_greatest(op: Greatest, layer: Layer) -> tuple[Call, ...]:
    """Of one shape, so that the output may be any of the operands."""
    inputs = {f"x{i}": t.dtype for i, t in enumerate(layer.inputs)}
    constants = elementwise(layer, inputs, _value(op, layer))
    return (Call(constants, tuple(range(len(inputs))), bound=op.bound(layer)),)


def _value(op: Greatest, layer: Layer) -> Fragment:
    count, own = len(layer.inputs), "greatest" if op.is_max else "least"
    if layer.output.quant is None:
        function, value = "mcuq_maximum" if op.is_max else "mcuq_minimum", "x0[i]"
        for i in range(1, count):
            value = f"{function}({value}, x{i}[i])"
        return limited(op, value, "y[i]", f"{own}_{count}_float32", (function,))
    found = op.parameters(layer)
    output_min, output_max = op.output_bounds(layer.output)
    numbers = {f"factor_{i}": factor for i, factor in enumerate(found.factors)}
    numbers |= {"output_min": output_min, "output_max": output_max}
    is_long = layer.output.dtype == "int16"
    terms = [
        f"(int64_t)x{i}[i] * factor_{i}" if is_long else f"x{i}[i] * factor_{i} + constant_{i}" for i in range(count)
    ]
    c_type, relation = "int64_t" if is_long else "int32_t", ">" if op.is_max else "<"
    lines = [f"{c_type} acc = {terms[0]};"]
    for i, term in enumerate(terms[1:], 1):
        lines += [f"const {c_type} term_{i} = {term};", f"acc = term_{i} {relation} acc ? term_{i} : acc;"]
    if is_long:
        requant = found.requantization
        numbers |= {"multiplier": requant.multiplier[0], "shift": requant.shift}
        lines.append("y[i] = (int16_t)mcuq_requantize_long(acc, multiplier, shift, 0, output_min, output_max);")
        return Fragment.of("\n".join(lines), "mcuq_requantize_long", name=f"{own}_{count}_s16", numbers=numbers)
    numbers |= {f"constant_{i}": constant for i, constant in enumerate(found.constants)} | {"shift": found.shift}
    lines.append("y[i] = mcuq_clamp(acc >> shift, output_min, output_max);")
    return Fragment.of("\n".join(lines), "mcuq_clamp", name=f"{own}_{count}", numbers=numbers)
