"""Functions of one value over all their codes, for the tests of each."""

from __future__ import annotations

import numpy as np
from support import RANGES, check_float, integer_branches, integer_graph

from mcuq.graph.quantization import quant_for_range
from mcuq.graph.tensor import Array
from mcuq.ops.unary import Unary

# Half a step, as the table is computed in double precision.
STEPS = 0.5


def check_unary(op: Unary) -> None:
    """Assert that the simulator is within half a step of the float meaning, for input ranges of all kinds."""
    with np.errstate(all="raise", under="ignore"):
        graph = integer_branches([(op, [(1, 32, 32)])] * len(RANGES))
        check_float(graph, STEPS)
        check_float(integer_branches([(op, [(1, 32, 32)])] * len(RANGES), seed=1), STEPS)


def table_of(op: Unary, x: tuple[float, float], y: tuple[float, float]) -> Array:
    """The function's 256 outputs as real numbers, for real ranges of input and output."""
    graph = integer_graph(op, [(1,)], {"x0": x, "y": y})
    (layer,) = graph.layers()
    return layer.output.quantization.dequantize(layer.op.table(layer))


def codes(x: tuple[float, float]) -> Array:
    """The real value of each of the 256 input codes."""
    return quant_for_range(*x).dequantize(np.arange(-128, 128).astype(np.int8)).astype(np.float64)
