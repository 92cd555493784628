"""Portable matrix times vector, of 8 and 16 bits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcuq.graph.operator import Layer
from mcuq.kernels.c_types import C_TYPES
from mcuq.kernels.ending import weighted_sum
from mcuq.kernels.kernel import Call, Constants, Fragment
from mcuq.kernels.overwriting import by_matrix_rows
from mcuq.ops.fully_connected import FullyConnected


@dataclass(frozen=True)
class FullyConnectedConstants(Constants):
    """Portable matrix times vector, row by row: `sums` declares acc, all 0; `stored` assigns y[oc + j], of acc[j]."""

    template = "portable/fully_connected"

    x_type: str
    y_type: str
    rows: int
    in_features: int
    out_features: int
    sums: Fragment
    stored: Fragment


def lower_fully_connected(op: FullyConnected, layer: Layer) -> tuple[Call, ...]:
    """Weights stay as they are: one row an output."""
    x, weight, bias = layer.inputs
    total = weighted_sum(op, layer)
    constants = FullyConnectedConstants(
        C_TYPES[x.dtype],
        C_TYPES[layer.output.dtype],
        rows=x.shape[0],
        in_features=x.shape[1],
        out_features=weight.shape[0],
        sums=total.declared(2),
        stored=total.stored("bias[oc + j] + acc[j]", "y[oc + j]", "multiplier[oc + j]", total.named("fully_connected")),
    )
    arrays = {"weight": weight.values, "bias": bias.values, "multiplier": np.array(total.requant.multiplier, np.int32)}
    return (Call(constants, arrays=arrays, bound=total.bound, below=by_matrix_rows(x, layer.output)),)
