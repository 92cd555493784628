"""IntegerMatMul as kernels see it: what is computed is their a, and which types its operands have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array
from mcuq.kernels.c_types import C_TYPES
from mcuq.kernels.kernel import Constants, Fragment
from mcuq.kernels.mat_mul import batch_places
from mcuq.ops.from_integers import reach


@dataclass(frozen=True)
class IntegerMatMulConstants(Constants):
    """`batches` products of `rows` of a with `outputs` columns of b, of `taps` elements each, of `block` columns at a
    time; steps are distances in elements. The array `places` has where the matrices of each batch begin in a and b.
    `stored` assigns to *to, of acc."""

    a_type: str
    b_type: str
    y_type: str
    batches: int
    rows: int
    taps: int
    outputs: int
    block: int
    a_row_step: int
    a_tap_step: int
    b_tap_step: int
    b_column_step: int
    y_row_step: int
    y_column_step: int
    stored: Fragment


@dataclass(frozen=True)
class Product:
    """The `fields` of IntegerMatMulConstants, and what the call reads."""

    fields: Mapping[str, Any]
    inputs: tuple[int, ...]
    arrays: Mapping[str, Array]


def product_of(layer: Layer, block_of: Callable[[int], int]) -> Product:
    """The layer's, of blocks of so many of the columns that there are.

    What is computed is the kernel's a; where that is b, rows and columns change places, as (a b)' = b' a'.
    """
    (a, b), y = layer.inputs, layer.output
    taps, (rows, outputs) = a.shape[-1], y.shape[-2:]
    places = batch_places(layer)
    # Of the two and of y: distances along what is the output's rows, what is its columns, and the sums.
    row_step, column_step, a_tap_step, b_tap_step = taps, 1, 1, outputs
    y_steps = outputs, 1
    inputs = (0, 1)
    if a.is_constant:
        a, b, rows, outputs, inputs, places = b, a, outputs, rows, (1, 0), places[:, ::-1].copy()
        row_step, column_step, a_tap_step, b_tap_step = column_step, row_step, b_tap_step, a_tap_step
        y_steps = y_steps[::-1]
    low, high = reach(y)
    text = f"*to = ({C_TYPES[y.dtype]})mcuq_within((int32_t)acc, low, high);"
    fields = {
        "a_type": C_TYPES[a.dtype],
        "b_type": C_TYPES[b.dtype],
        "y_type": C_TYPES[y.dtype],
        "batches": y.elements // (rows * outputs),
        "rows": rows,
        "taps": taps,
        "outputs": outputs,
        "block": block_of(outputs),
        "a_row_step": row_step,
        "a_tap_step": a_tap_step,
        "b_tap_step": b_tap_step,
        "b_column_step": column_step,
        "y_row_step": y_steps[0],
        "y_column_step": y_steps[1],
        "stored": Fragment.of(text, "mcuq_within", numbers={"low": low, "high": high}),
    }
    constant = {"b": b.values} if b.is_constant else {}
    return Product(fields, inputs[:1] if constant else inputs, {**constant, "places": places})
