"""LSTM of integers and of floats: four gates a unit."""

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
from mcuq.ops.lstm import CELL, FORGET, INPUT, OUTPUT, Lstm

# Of a unit's rows: the output gate is the last, as its peephole needs the new cell.
ORDER = (INPUT, FORGET, CELL, OUTPUT)
PEEPHOLE_ORDER = (INPUT, FORGET, OUTPUT)


def lstm_by(rows: Rows, op: Lstm, layer: Layer) -> tuple[Call, ...]:
    """All sums of a unit, then its gates, its cell and its state."""
    arrays = rows.arrays(op, layer, ORDER)
    values, shifts = curves(op, layer)
    arrays |= values
    sums, update = op.sums(layer), op.update(layer)
    if op.has_peephole:
        arrays["peephole"] = np.ascontiguousarray(sums.further(op.further_factors(layer))[list(PEEPHOLE_ORDER)].T)
    numbers = {
        **shifts,
        "gate_shift": sums.shift,
        "kept": update.kept,
        "added": update.added,
        "cell_shift": update.shift,
    }
    numbers |= {"hidden_shift": update.hidden_shift, **({"one": update.one} if op.coupled else {})}
    totals, (in_sum, forget_sum, candidate_sum, out_sum) = rows.all_totals(4, unread=1 if op.coupled else None)
    peeps = [f"{in_sum} += (int64_t)c[j] * peephole[3 * j];"]
    if not op.coupled:
        peeps.append(f"{forget_sum} += (int64_t)c[j] * peephole[3 * j + 1];")
    # Of 16 bits each, but for what is left of one where gates reach beyond it.
    stays = "(int64_t)forget * c[j]" if op.coupled else "(int64_t)(forget * c[j])"
    text = f"""\
{totals}{_peep(op, *peeps)}
const int32_t in = {activated("f", rows.short(in_sum))};
const int32_t forget = {"one - in" if op.coupled else activated("f", rows.short(forget_sum))};
const int32_t candidate = {activated("g", rows.short(candidate_sum))};
const int64_t cell = {stays} * kept + (int64_t)(in * candidate) * added;
const int32_t kept_cell = {rows.rounded}(cell, cell_shift);
c[j] = (int16_t)kept_cell;{_peep(op, f"{out_sum} += (int64_t)kept_cell * peephole[3 * j + 2];")}
const int32_t out = {activated("f", rows.short(out_sum))};
const int32_t shown = {activated("h", "kept_cell")};
next[j] = (int16_t){rows.rounded_product}(out * shown, hidden_shift);"""
    unit = Fragment.of(
        text, "mcuq_curve", rows.rounded, rows.rounded_product, rows.shortened, numbers=numbers, stack_bytes=32
    )
    return integer_call(op, layer, Body(arrays, NOTHING, unit, 3, rows, op.with_cell, sums.bound), "lstm")


def lstm_of_floats(op: Lstm, layer: Layer) -> tuple[Call, ...]:
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
    return float_call(op, layer, Body(arrays, NOTHING, unit, 3, Rows(), op.with_cell), "lstm_float32")


def _peep(op: Lstm, *lines: str) -> str:
    return "".join(f"\n{line}" for line in lines) if op.has_peephole else ""


def _peep_float(op: Lstm, index: int, cell: str) -> Fragment:
    if not op.has_peephole:
        return NOTHING
    gate = (0, 1, 3)[index]
    return Fragment(
        f"const float peep{index} = {cell} * peephole[3 * j + {index}];\nsums[{gate}] = sums[{gate}] + peep{index};"
    )
