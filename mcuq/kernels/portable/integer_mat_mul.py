"""IntegerMatMul: sums modulo 2^32, limited to what the output is known to hold."""

from __future__ import annotations

from dataclasses import dataclass

from mcuq.graph.operator import Layer
from mcuq.kernels.c_types import C_TYPES
from mcuq.kernels.kernel import Call, Constants, Fragment
from mcuq.kernels.mat_mul import batch_places
from mcuq.ops.from_integers import reach
from mcuq.ops.integer_mat_mul import IntegerMatMul


@dataclass(frozen=True)
class IntegerMatMulConstants(Constants):
    """`batches` products of `rows` of a with `outputs` columns of b, of `taps` elements each; steps are distances in
    elements. The array `places` has where the matrices of each batch begin in a and b. `stored` takes acc."""

    template = "portable/integer_mat_mul"

    a_type: str
    b_type: str
    y_type: str
    batches: int
    rows: int
    taps: int
    outputs: int
    a_row_step: int
    a_tap_step: int
    b_tap_step: int
    b_column_step: int
    y_row_step: int
    y_column_step: int
    stored: Fragment


def lower_integer_mat_mul(op: IntegerMatMul, layer: Layer) -> tuple[Call, ...]:
    """What is computed is the kernel's a; where that is b, rows and columns change places, as (a b)' = b' a'."""
    (a, b), y = layer.inputs, layer.output
    taps, (rows, outputs) = a.shape[-1], y.shape[-2:]
    places = batch_places(layer)
    # Of the two and of y: distances along what is the output's rows, what is its columns, and the sums.
    row_step, column_step, a_tap_step, b_tap_step = taps, 1, 1, outputs
    y_steps = outputs, 1
    batches = y.elements // (rows * outputs)
    inputs = (0, 1)
    if a.is_constant:
        a, b, rows, outputs, inputs, places = b, a, outputs, rows, (1, 0), places[:, ::-1].copy()
        row_step, column_step, a_tap_step, b_tap_step = column_step, row_step, b_tap_step, a_tap_step
        y_steps = y_steps[::-1]
    low, high = reach(y)
    constants = IntegerMatMulConstants(
        C_TYPES[a.dtype],
        C_TYPES[b.dtype],
        C_TYPES[y.dtype],
        batches,
        rows,
        taps,
        outputs,
        row_step,
        a_tap_step,
        b_tap_step,
        column_step,
        *y_steps,
        stored=Fragment.of(
            f"y[m * y_row_step + oc * y_column_step] = ({C_TYPES[y.dtype]})mcuq_within((int32_t)acc, low, high);",
            "mcuq_within",
            numbers={"low": low, "high": high},
        ),
    )
    constant = {"b": b.values} if b.is_constant else {}
    return (Call(constants, inputs[:1] if constant else inputs, {**constant, "places": places}),)
