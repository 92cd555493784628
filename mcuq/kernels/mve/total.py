"""The sum of three or four tensors for Armv8.1-M with MVE: four elements in the lanes of a vector."""

from __future__ import annotations

from dataclasses import dataclass

from mcuq.graph.operator import Layer
from mcuq.kernels.kernel import Call, Constants, Kernel
from mcuq.kernels.mve.requantized import MVE
from mcuq.ops.total import Total


@dataclass(frozen=True)
class TotalMveConstants(Constants):
    """Vectors of four, the last cut."""

    template = "mve/total"

    elements: int
    factor_0: int
    factor_1: int
    factor_2: int
    factor_3: int
    constant: int
    shift: int
    output_min: int
    output_max: int


def lower_total_mve(op: Total, layer: Layer) -> tuple[Call, ...]:
    """One loop; of three tensors the first stands for a fourth, times 0."""
    count, parameters = len(layer.inputs), op.parameters(layer)
    first, second, third, fourth = (*parameters.factors, 0)[:4]
    constants = TotalMveConstants(
        layer.output.elements,
        first,
        second,
        third,
        fourth,
        parameters.constant,
        parameters.shift,
        *op.output_bounds(layer.output),
    )
    return (Call(constants, (0, 1, 2, count % 3 * 3), bound=op.bound(layer)),)


TOTAL_KERNELS = (Kernel(lower_total_mve, MVE),)
