"""The operands of kernels of two inputs: constants behind, and whether either repeats."""

from __future__ import annotations

from mcuq.graph.operator import Layer, Operator
from mcuq.graph.tensor import Array


def operands(layer: Layer) -> tuple[int, int]:
    """Input indices with the computed one first: kernels take constants behind."""
    return (1, 0) if layer.inputs[0].is_constant else (0, 1)


def operand_inputs(layer: Layer) -> tuple[tuple[int, ...], dict[str, Array]]:
    """`inputs` and `arrays` of the call: computed operands, then a constant one if there is one."""
    first, second = operands(layer)
    if layer.inputs[second].is_constant:
        return (first,), {"operand": layer.inputs[second].values}
    return (first, second), {}


def is_flat(op: Operator, layer: Layer) -> bool:
    """Whether neither operand is repeated."""
    return all(t.shape == layer.output.shape for t in layer.inputs)
