"""LSTM of integers and of floats: four gates a unit."""

from __future__ import annotations

import numpy as np

from mcuq.graph.operator import Layer
from mcuq.kernels.kernel import NOTHING, WHOLE, Call, Fragment, Kernel
from mcuq.kernels.portable.recurrent import (
    Body,
    activated,
    activated_float,
    float_arrays,
    float_call,
    float_sum,
    indented,
    integer_arrays,
    integer_call,
    integer_total,
    joined,
    tables,
)
from mcuq.ops.dtypes import FLOAT32, MIXED
from mcuq.ops.lstm import CELL, FORGET, INPUT, OUTPUT, Lstm

# Of a unit's rows: the output gate is the last, as its peephole needs the new cell.
ORDER = (INPUT, FORGET, CELL, OUTPUT)
PEEPHOLE_ORDER = (INPUT, FORGET, OUTPUT)


def lower_lstm(op: Lstm, layer: Layer) -> tuple[Call, ...]:
    """All sums of a unit, then its gates, its cell and its state. Scratch: two hidden states, and cells."""
    arrays = integer_arrays(op, layer, ORDER) | tables(op, layer)
    sums, update = op.sums(layer), op.update(layer)
    if op.has_peephole:
        arrays["peephole"] = np.ascontiguousarray(sums.further(op.further_factors(layer))[list(PEEPHOLE_ORDER)].T)
    numbers = {"gate_shift": sums.shift, "kept": update.kept, "added": update.added, "cell_shift": update.shift}
    numbers |= {"hidden_shift": update.hidden_shift, **({"one": update.one} if op.coupled else {})}
    text = f"""\
int64_t sums[4];
for (int32_t g = 0; g < 4; g++) {{{indented(integer_total("4 * j + g"))}
    sums[g] = sum;
}}{_peep(op, "sums[0] += (int64_t)c[j] * peephole[3 * j];", "sums[1] += (int64_t)c[j] * peephole[3 * j + 1];")}
const int32_t in = {activated("f", "mcuq_rounded_s16(sums[0], gate_shift)")};
const int32_t forget = {"one - in" if op.coupled else activated("f", "mcuq_rounded_s16(sums[1], gate_shift)")};
const int32_t candidate = {activated("g", "mcuq_rounded_s16(sums[2], gate_shift)")};
const int64_t cell = (int64_t)(forget * c[j]) * kept + (int64_t)(in * candidate) * added;
c[j] = (int16_t)mcuq_rounded_s16(cell, cell_shift);{_peep(op, "sums[3] += (int64_t)c[j] * peephole[3 * j + 2];")}
const int32_t out = {activated("f", "mcuq_rounded_s16(sums[3], gate_shift)")};
const int32_t shown = {activated("h", "c[j]")};
next[j] = (int16_t)mcuq_rounded_s16((int64_t)(out * shown), hidden_shift);"""
    unit = Fragment.of(text, "mcuq_interpolate", "mcuq_rounded_s16", numbers=numbers, stack_bytes=32)
    return integer_call(op, layer, Body(arrays, NOTHING, unit, 3, op.with_cell, sums.bound), "lstm")


def lower_lstm_float32(op: Lstm, layer: Layer) -> tuple[Call, ...]:
    """The same of floats."""
    arrays = float_arrays(op, layer, ORDER)
    if op.has_peephole:
        peephole = op.peephole(layer).astype(np.float32)
        arrays["peephole"] = np.ascontiguousarray(peephole[list(PEEPHOLE_ORDER)].T)
    f, g, h = op.activations
    sums = f"""\
float sums[4];
for (int32_t g = 0; g < 4; g++) {{
    const int32_t at = 4 * j + g;
    float acc = bias[at];{indented(float_sum("acc", "row", "inputs", "weight"))}{
        indented(float_sum("acc", "h", "hidden", "recurrent"))
    }
    sums[g] = acc;
}}"""
    unit = joined(
        Fragment(sums, stack_bytes=16),
        _peep_float(op, 0, "c[j]"),
        _peep_float(op, 1, "c[j]"),
        activated_float(f, "sums[0]", "in"),
        Fragment("const float forget = 1.0f - in;") if op.coupled else activated_float(f, "sums[1]", "forget"),
        activated_float(g, "sums[2]", "candidate"),
        Fragment("const float still = forget * c[j];\nconst float added = in * candidate;\nc[j] = still + added;"),
        _peep_float(op, 2, "c[j]"),
        activated_float(f, "sums[3]", "out"),
        activated_float(h, "c[j]", "shown"),
        Fragment("next[j] = out * shown;"),
    )
    return float_call(op, layer, Body(arrays, NOTHING, unit, 3, op.with_cell), "lstm_float32")


def _peep(op: Lstm, *lines: str) -> str:
    return "".join(f"\n{line}" for line in lines) if op.has_peephole else ""


def _peep_float(op: Lstm, index: int, cell: str) -> Fragment:
    if not op.has_peephole:
        return NOTHING
    gate = (0, 1, 3)[index]
    return Fragment(
        f"const float peep{index} = {cell} * peephole[3 * j + {index}];\nsums[{gate}] = sums[{gate}] + peep{index};"
    )


LSTM_KERNELS = (
    Kernel(lower_lstm_float32, activations=FLOAT32, constants=FLOAT32),
    Kernel(lower_lstm, activations=MIXED, constants=WHOLE | FLOAT32),
)
