"""The operands of kernels of two inputs: constants behind, and how either repeats."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from mcuq.errors import ModelError
from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array
from mcuq.kernels.kernel import Constants
from mcuq.kernels.portable.strided import MAX_LOOPS


def operands(layer: Layer) -> tuple[int, int]:
    """Input indices with the computed one first: kernels take constants behind."""
    return (1, 0) if layer.inputs[0].is_constant else (0, 1)


def operand_inputs(layer: Layer) -> tuple[tuple[int, ...], dict[str, Array]]:
    """`inputs` and `arrays` of the call: computed operands, then a constant one if there is one."""
    first, second = operands(layer)
    if layer.inputs[second].is_constant:
        return (first,), {"operand": layer.inputs[second].values}
    return (first, second), {}


def is_flat(layer: Layer) -> bool:
    """Whether neither operand is repeated."""
    return all(t.shape == layer.output.shape for t in layer.inputs)


@dataclass(frozen=True)
class BroadcastConstants(Constants):
    """Loop counts, outermost first, with the distances in elements on each operand; the output is in order."""

    size_0: int
    size_1: int
    size_2: int
    size_3: int
    size_4: int
    size_5: int
    a_stride_0: int
    a_stride_1: int
    a_stride_2: int
    a_stride_3: int
    a_stride_4: int
    a_stride_5: int
    b_stride_0: int
    b_stride_1: int
    b_stride_2: int
    b_stride_3: int
    b_stride_4: int
    b_stride_5: int


def broadcast_loops(layer: Layer) -> dict[str, int]:
    """The fields of BroadcastConstants, with dimensions merged that both operands walk on through."""
    shape = layer.output.shape
    strides = []
    for index in operands(layer):
        source = layer.inputs[index].shape
        strides.append([0 if n == 1 else prod(source[axis + 1 :]) for axis, n in enumerate(source)])
    loops: list[tuple[int, int, int]] = []
    for size, a, b in zip(shape, *strides, strict=True):
        if size == 1:
            continue
        if loops and (loops[-1][1], loops[-1][2]) == (a * size, b * size):
            loops[-1] = (loops[-1][0] * size, a, b)
        else:
            loops.append((size, a, b))
    if len(loops) > MAX_LOOPS:
        raise ModelError(f"{layer.where}: broadcasts in {len(loops)} nested loops; at most {MAX_LOOPS} are supported")
    loops = [(1, 0, 0)] * (MAX_LOOPS - len(loops)) + loops
    names = ("size", "a_stride", "b_stride")
    return {f"{name}_{i}": loop[k] for k, name in enumerate(names) for i, loop in enumerate(loops)}
