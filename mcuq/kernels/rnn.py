"""RNN of integers and of floats."""

from __future__ import annotations

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
    integer_call,
    joined,
)
from mcuq.ops.rnn import Rnn


def rnn_by(rows: Rows, op: Rnn, layer: Layer) -> tuple[Call, ...]:
    """A unit's sum, and its activation."""
    arrays = rows.arrays(op, layer, (0,))
    values, shifts = curves(op, layer)
    arrays |= values
    sums = op.sums(layer)
    value = activated("f", rows.short("sum"))
    unit = Fragment.of(
        f"{rows.total('j', 1)}\nnext[j] = (int16_t){value};",
        "mcuq_curve",
        rows.shortened,
        numbers={"gate_shift": sums.shift, **shifts},
    )
    return integer_call(op, layer, Body(arrays, NOTHING, unit, 2, rows, bound=sums.bound), "rnn")


def rnn_of_floats(op: Rnn, layer: Layer) -> tuple[Call, ...]:
    """The same of floats."""
    sums = f"""\
const int32_t at = j;
float acc = bias[at];
{float_sum("acc", "row", "inputs", "weight")}
{float_sum("acc", "h", "hidden", "recurrent")}"""
    unit = joined(Fragment(sums), activated_float(op.activations[0], "acc", "value"), Fragment("next[j] = value;"))
    return float_call(op, layer, Body(float_arrays(op, layer, (0,)), NOTHING, unit, 2, Rows()), "rnn_float32")
