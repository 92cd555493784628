"""Operators of two inputs, each of which may repeat along some dimensions: C of one element, in one loop or in nested
ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from math import prod
from typing import Any

from mcuq.errors import ModelError
from mcuq.graph.operator import Layer, Operator
from mcuq.graph.tensor import Shape
from mcuq.kernels.c_types import C_TYPES, pointers
from mcuq.kernels.kernel import WHOLE, Call, Constants, Fragment, Kernel
from mcuq.kernels.operands import is_flat, operand_inputs, operands
from mcuq.kernels.portable.elementwise import elementwise
from mcuq.kernels.portable.strided import MAX_LOOPS
from mcuq.ops.dtypes import FLOAT32, MIXED


@dataclass(frozen=True)
class BroadcastConstants(Constants):
    """Loop counts, outermost first, with the distances in elements on each input; the output is in order.

    `statements` assign *y++, a function of the elements at i5 * a_stride_5 of a_row and at i5 * b_stride_5 of b_row.
    """

    template = "portable/broadcast"

    inputs: str
    a_type: str
    b_type: str
    y_type: str
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
    statements: Fragment


@dataclass(frozen=True)
class Elements:
    """C of an element of the inputs `order`, a constant behind, and of the output's."""

    a: str
    b: str
    y: str
    order: tuple[int, int]

    @property
    def inputs(self) -> tuple[str, str]:
        """Of the operator's first input and its second."""
        return (self.a, self.b) if self.order == (0, 1) else (self.b, self.a)


# (operator, its layer, the elements) -> statements that assign y, and the largest magnitude of an int32 accumulator.
Value = Callable[[Any, Layer, Elements], tuple[Fragment, int]]


def binary_kernels(value: Value, activations: Set[str] = MIXED | FLOAT32) -> tuple[Kernel, ...]:
    """The portable kernels of an operator whose elements are `value`: nested loops, and one for int8 of one shape.

    Of other types the nested ones take no more code where their counts are constants, and calls of any shapes share
    them where they are none.
    """

    def lower_flat(op: Operator, layer: Layer) -> tuple[Call, ...]:
        statements, bound = value(op, layer, Elements("a[i]", "b[i]", "y[i]", operands(layer)))
        return (Call(elementwise(layer, _inputs(layer), statements), *operand_inputs(layer), bound=bound),)

    def lower_broadcast(op: Operator, layer: Layer) -> tuple[Call, ...]:
        rows = Elements("a_row[i5 * a_stride_5]", "b_row[i5 * b_stride_5]", "*y++", operands(layer))
        statements, bound = value(op, layer, rows)
        inputs = _inputs(layer)
        constants = BroadcastConstants(
            inputs=pointers(inputs),
            a_type=C_TYPES[inputs["a"]],
            b_type=C_TYPES[inputs["b"]],
            y_type=C_TYPES[layer.output.dtype],
            **broadcast_loops(
                layer, {side: layer.inputs[i].shape for side, i in zip("ab", operands(layer), strict=True)}
            ),
            statements=statements,
        )
        return (Call(constants, *operand_inputs(layer), bound=bound),)

    return (
        Kernel(lower_flat, accepts=is_flat),
        Kernel(lower_broadcast, activations=frozenset(activations), constants=WHOLE | FLOAT32),
    )


def _inputs(layer: Layer) -> dict[str, str]:
    """The inputs' dtypes in the order in which calls give them."""
    return {name: layer.inputs[index].dtype for name, index in zip("ab", operands(layer), strict=True)}


def broadcast_loops(layer: Layer, sources: Mapping[str, Shape]) -> dict[str, int]:
    """Sizes of the loops over the layer's output, and strides of `sources`, shapes by what their strides begin with;
    dimensions are merged that all of them walk on through."""
    shape = layer.output.shape
    strides = [[0 if n == 1 else prod(own[axis + 1 :]) for axis, n in enumerate(own)] for own in sources.values()]
    loops: list[tuple[int, ...]] = []
    for size, *own in zip(shape, *strides, strict=True):
        if size == 1:
            continue
        if loops and loops[-1][1:] == tuple(stride * size for stride in own):
            loops[-1] = (loops[-1][0] * size, *own)
        else:
            loops.append((size, *own))
    if len(loops) > MAX_LOOPS:
        raise ModelError(f"{layer.where}: broadcasts in {len(loops)} nested loops; at most {MAX_LOOPS} are supported")
    loops = [(1, *(0 for _ in sources))] * (MAX_LOOPS - len(loops)) + loops
    names = ("size", *(f"{source}_stride" for source in sources))
    return {f"{name}_{i}": loop[k] for k, name in enumerate(names) for i, loop in enumerate(loops)}
