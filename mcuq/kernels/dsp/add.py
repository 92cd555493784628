"""Addition of whole tensors, four elements at a time (mcuq_dsp.h)."""

from __future__ import annotations

from mcuq.graph.operator import Layer
from mcuq.kernels.kernel import Call
from mcuq.kernels.weighted_sum import WeightedSumConstants, weighted_sum_call
from mcuq.ops.add import Add


class AddDspConstants(WeightedSumConstants):
    """Words of four, then the rest."""

    template = "dsp/add"


def lower_add_dsp(op: Add, layer: Layer) -> tuple[Call, ...]:
    """One loop."""
    return (weighted_sum_call(AddDspConstants, op, layer),)
