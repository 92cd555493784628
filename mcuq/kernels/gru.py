"""GRU of integers and of floats: three gates a unit; resets of the state come before all of them."""

from __future__ import annotations

import numpy as np

from mcuq.graph.operator import Layer
from mcuq.kernels.kernel import NOTHING, Call, Fragment
from mcuq.kernels.recurrent import (
    Body,
    Rows,
    activated,
    activated_float,
    curves,
    float_arrays,
    float_call,
    float_sum,
    indented,
    integer_call,
    joined,
)
from mcuq.ops.gru import CANDIDATE, RESET, UPDATE, Gru

ORDER = (UPDATE, RESET, CANDIDATE)


def gru_by(rows: Rows, op: Gru, layer: Layer) -> tuple[Call, ...]:
    """Update, reset, candidate and state of a unit. The state can be reset before the product with loops alone."""
    arrays = rows.arrays(op, layer, ORDER)
    values, shifts = curves(op, layer)
    arrays |= values
    sums, update = op.sums(layer), op.update(layer)
    gate = activated("f", rows.short("sum"))
    numbers = {**shifts, "gate_shift": sums.shift, "one": update.one, "update_shift": update.shift}
    z = f"int32_t update;\n{{{indented(rows.total('3 * j', 3))}\n    update = {gate};\n}}"
    ending = f"""\
const int32_t candidate = {activated("g", rows.short("total"))};
const int64_t mixed = (int64_t)(one - update) * candidate + (int64_t)update * h[j];
next[j] = (int16_t){rows.rounded}(mixed, update_shift);"""
    reset = f"int32_t reset;\n{{{indented(rows.total('3 * j + 1', 3))}\n    reset = {gate};\n}}"
    needs = ("mcuq_curve", rows.rounded, rows.shortened)
    if not op.resets_product:
        text = f"""\
for (int32_t j = 0; j < hidden; j++) {{{indented(reset)}
    kept[j] = (int16_t){rows.rounded_product}(reset * h[j], update_shift);
}}"""
        before = Fragment.of(f"int16_t *const kept = states + 2 * pitch;\n{text}", *needs, rows.rounded_product)
        n = f"int64_t total;\n{{{indented(rows.total('3 * j + 2', 3, 'kept'))}\n    total = sum;\n}}"
        unit = Fragment.of(f"{z}\n{n}\n{ending}", *needs, numbers=numbers)
        return integer_call(op, layer, Body(arrays, before, unit, 3, rows, bound=sums.bound), "gru")
    size = layer.output.shape[2]
    arrays["reset_bias"] = sums.state_bias[CANDIDATE * size :]
    numbers |= {"guard_shift": update.guard_shift, "reset_factor": update.reset_factor}
    n = f"""\
{rows.accumulated("3 * j + 2", 3)}
const int64_t product = (int64_t)(heard + reset_bias[j]) * {rows.heard()};
const int64_t guarded = (product + ((int64_t)1 << (guard_shift - 1))) >> guard_shift;
const int64_t total = from_x + guarded * reset * reset_factor;"""
    unit = Fragment.of(f"{z}\n{reset}\n{n}\n{ending}", *needs, numbers=numbers)
    return integer_call(op, layer, Body(arrays, NOTHING, unit, 2, rows, bound=sums.bound), "gru_reset_product")


def gru_of_floats(op: Gru, layer: Layer) -> tuple[Call, ...]:
    """The same of floats."""
    arrays = float_arrays(op, layer, ORDER)
    f, g = op.activations
    x_sum = float_sum("acc", "row", "inputs", "weight")

    def gate(index: int, target: str) -> Fragment:
        inner = activated_float(f, "acc", "value")
        text = f"""\
float {target};
{{
    const int32_t at = 3 * j + {index};
    float acc = bias[at];{indented(x_sum)}{indented(float_sum("acc", "h", "hidden", "recurrent"))}{indented(inner.text)}
    {target} = value;
}}"""
        return Fragment(text, inner.needs)

    ending = joined(
        activated_float(g, "acc", "candidate"),
        Fragment(
            "const float rest = 1.0f - update;\nconst float added = rest * candidate;\n"
            "const float still = update * h[j];\nnext[j] = added + still;"
        ),
    )
    own = f"const int32_t at = 3 * j + 2;\nfloat acc = bias[at];\n{x_sum}"
    if not op.resets_product:
        reset = gate(1, "reset")
        text = f"""\
float *const kept = states + 2 * pitch;
for (int32_t j = 0; j < hidden; j++) {{{indented(reset.text)}
    kept[j] = reset * h[j];
}}"""
        n = Fragment(f"{own}\n{float_sum('acc', 'kept', 'hidden', 'recurrent')}")
        unit = joined(gate(0, "update"), n, ending)
        return float_call(op, layer, Body(arrays, Fragment(text, reset.needs), unit, 3, Rows()), "gru_float32")
    _, of_state = op.split_bias(layer.inputs[3].values.astype(np.float32))
    size = layer.output.shape[2]
    arrays["reset_bias"] = of_state[CANDIDATE * size :]
    heard = float_sum("heard", "h", "hidden", "recurrent")
    n = Fragment(f"{own}\nfloat heard = reset_bias[j];\n{heard}\nconst float some = reset * heard;\nacc = acc + some;")
    unit = joined(gate(0, "update"), gate(1, "reset"), n, ending)
    return float_call(op, layer, Body(arrays, NOTHING, unit, 2, Rows()), "gru_reset_product_float32")
