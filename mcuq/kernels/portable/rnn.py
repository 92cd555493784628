"""RNN of integers and of floats."""

from __future__ import annotations

from mcuq.graph.operator import Layer
from mcuq.kernels.kernel import NOTHING, WHOLE, Call, Fragment, Kernel
from mcuq.kernels.portable.recurrent import (
    Body,
    activated,
    activated_float,
    float_arrays,
    float_call,
    float_sum,
    integer_arrays,
    integer_call,
    integer_total,
    joined,
    tables,
)
from mcuq.ops.dtypes import FLOAT32, MIXED
from mcuq.ops.rnn import Rnn


def lower_rnn(op: Rnn, layer: Layer) -> tuple[Call, ...]:
    """Scratch: two hidden states."""
    arrays = integer_arrays(op, layer, (0,)) | tables(op, layer)
    sums = op.sums(layer)
    value = activated("f", "mcuq_rounded_s16(sum, gate_shift)")
    unit = Fragment.of(
        f"{integer_total('j')}\nnext[j] = (int16_t){value};",
        "mcuq_interpolate",
        "mcuq_rounded_s16",
        numbers={"gate_shift": sums.shift},
    )
    return integer_call(op, layer, Body(arrays, NOTHING, unit, 2, bound=sums.bound), "rnn")


def lower_rnn_float32(op: Rnn, layer: Layer) -> tuple[Call, ...]:
    """The same of floats."""
    sums = f"""\
const int32_t at = j;
float acc = bias[at];
{float_sum("acc", "row", "inputs", "weight")}
{float_sum("acc", "h", "hidden", "recurrent")}"""
    unit = joined(Fragment(sums), activated_float(op.activations[0], "acc", "value"), Fragment("next[j] = value;"))
    return float_call(op, layer, Body(float_arrays(op, layer, (0,)), NOTHING, unit, 2), "rnn_float32")


RNN_KERNELS = (
    Kernel(lower_rnn_float32, activations=FLOAT32, constants=FLOAT32),
    Kernel(lower_rnn, activations=MIXED, constants=WHOLE | FLOAT32),
)
