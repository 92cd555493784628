"""What kernels of Add and Sub on int8 are given."""

from __future__ import annotations

from mcuq.graph.operator import Layer
from mcuq.kernels.operands import operands
from mcuq.ops.add import Add


def weighted_sum_fields(op: Add, layer: Layer) -> dict[str, int]:
    """`factor_a`, `factor_b`, `constant`, `shift`, `output_min` and `output_max`."""
    p = op.parameters(layer, operands(layer))
    output_min, output_max = op.output_bounds(layer.output)
    return {**vars(p), "output_min": output_min, "output_max": output_max}
