"""MatMul as kernels see it: batches of matrices and where each begins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import numpy as np

from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array
from mcuq.kernels.kernel import Constants
from mcuq.ops.mat_mul import MatMul

BLOCK_BYTES = 4096


@dataclass(frozen=True)
class MatMulConstants(Constants):
    """`batches` products of `rows` of `taps` elements each with `outputs` columns, which have `taps` of them.

    In b, `tap_step` is the distance from one tap of a column to the next, `output_step` that from one column to the
    next. The array `places` has where the matrices of each batch begin in a and b.
    """

    batches: int
    rows: int
    taps: int
    outputs: int
    tap_step: int
    output_step: int


def mat_mul_sizes(op: MatMul, layer: Layer) -> dict[str, int]:
    """The fields of MatMulConstants."""
    a, y = layer.inputs[0].shape, layer.output.shape
    rows, taps, outputs = y[-2], a[-1], y[-1]
    return {
        "batches": layer.output.elements // (rows * outputs),
        "rows": rows,
        "taps": taps,
        "outputs": outputs,
        "tap_step": 1 if op.transposed else outputs,
        "output_step": taps if op.transposed else 1,
    }


def mat_mul_inputs(op: MatMul, layer: Layer) -> tuple[tuple[int, ...], Mapping[str, Array]]:
    """`inputs` and `arrays` of the call: b among the arrays where it is constant, then `places`."""
    b = layer.inputs[1]
    constant = {"b": b.values} if b.is_constant else {}
    return (0,) if b.is_constant else (0, 1), {**constant, "places": _places(op, layer)}


def block_columns(column_bytes: int, outputs: int, unit: int) -> int:
    """How many columns of b to pack at a time: all of them, or so many units as BLOCK_BYTES hold."""
    return min(outputs, max(BLOCK_BYTES // (column_bytes * unit), 1) * unit)


def _places(op: MatMul, layer: Layer) -> Array:
    """int32 [batches][of a, of b], in elements."""
    if op.part is not None:
        begins = [sum(i * prod(t.shape[axis + 1 :]) for axis, i in enumerate(op.begin(t.shape))) for t in layer.inputs]
        return np.array([begins], np.int32)
    return batch_places(layer)


def batch_places(layer: Layer) -> Array:
    """The same of all matrices."""
    batch = layer.output.shape[:-2]
    matrices = (np.arange(t.elements).reshape(t.shape)[..., 0, 0] for t in layer.inputs)
    return np.stack([np.broadcast_to(m, batch).reshape(-1) for m in matrices], axis=1).astype(np.int32)
