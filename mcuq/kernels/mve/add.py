"""Addition of whole tensors for Armv8.1-M with MVE: four elements in the lanes of a vector."""

from __future__ import annotations

from mcuq.graph.operator import Layer
from mcuq.kernels.kernel import Call, Kernel
from mcuq.kernels.mve.requantized import MVE
from mcuq.kernels.operands import is_flat
from mcuq.kernels.weighted_sum import WeightedSumConstants, weighted_sum_call
from mcuq.ops.add import Add


class AddMveConstants(WeightedSumConstants):
    """Vectors of four, the last cut."""

    template = "mve/add"


def lower_add(op: Add, layer: Layer) -> tuple[Call, ...]:
    """One loop."""
    return (weighted_sum_call(AddMveConstants, op, layer),)


ADD_KERNELS = (Kernel(lower_add, MVE, is_flat),)
