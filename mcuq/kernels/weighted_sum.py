"""What kernels of Add and Sub on int8 are given."""

from __future__ import annotations

from collections.abc import Mapping

from mcuq.graph.operator import Layer
from mcuq.ops.add import Add


def weighted_sum_fields(op: Add, layer: Layer, order: tuple[int, int]) -> dict[str, int]:
    """`factor_a`, `factor_b`, `constant`, `shift`, `output_min` and `output_max`, with the operands in this order."""
    output_min, output_max = op.output_bounds(layer.output)
    return {**vars(op.parameters(layer, order)), "output_min": output_min, "output_max": output_max}


def weighted_sum_bound(numbers: Mapping[str, int]) -> int:
    """The largest magnitude of the sum."""
    return 128 * (abs(numbers["factor_a"]) + abs(numbers["factor_b"])) + abs(numbers["constant"])
