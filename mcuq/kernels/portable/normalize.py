"""Normalize of integers and of floats: loops over what is kept, and in each over what is normalized."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcuq.arithmetic.float32 import float32
from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array, Shape
from mcuq.kernels.c_types import C_TYPES
from mcuq.kernels.kernel import Call, Constants
from mcuq.ops.normalize import Normalize


@dataclass(frozen=True)
class Loop:
    """So many indices, and how far apart those next to each other lie in x and among scales."""

    size: int
    stride: int
    step: int


ONCE = Loop(1, 0, 0)


def loops(op: Normalize, shape: Shape, parameters: Shape) -> tuple[list[Loop], list[Loop]]:
    """(over what is kept, over what has one mean): neighbours of one kind are one loop."""
    parts, axes = op.split(shape)
    spread = op.split(parameters)[0] if parameters[op.group_axis] != 1 else _with_one(parameters, op.group_axis)
    found: tuple[list[Loop], list[Loop]] = ([], [])
    stride, step, last = 1, 1, None
    for axis in reversed(range(len(parts))):
        size, is_reduced = parts[axis], axis in axes
        if size != 1:
            kind = found[is_reduced]
            loop = Loop(size, stride, step if spread[axis] != 1 else 0)
            if last is kind and loop.step == kind[0].step * kind[0].size:
                kind[0] = Loop(size * kind[0].size, kind[0].stride, kind[0].step)
            else:
                kind.insert(0, loop)
            last = kind
        stride *= size
        step *= spread[axis]
    return found


def _with_one(shape: Shape, axis: int) -> Shape:
    return (*shape[:axis], 1, *shape[axis:])


@dataclass(frozen=True)
class Walk:
    """Two loops of each kind, and scale and bias as they are read in them."""

    kept: tuple[Loop, Loop]
    reduced: tuple[Loop, Loop]
    scale: Array
    bias: Array

    def numbers(self) -> dict[str, int]:
        """The loops as constants of C."""
        named = zip(("outer", "groups", "rows", "columns"), (*self.kept, *self.reduced), strict=True)
        return {
            f"{name}{suffix}": number
            for name, loop in named
            for suffix, number in (("", loop.size), ("_stride", loop.stride), ("_step", loop.step))
        }


def walk(op: Normalize, layer: Layer) -> Walk | None:
    """Scale and bias for all elements where else there were too many loops; None where there are too many even so."""
    x, scale, bias = layer.inputs
    for shape in (scale.shape, x.shape):
        kept, reduced = loops(op, x.shape, shape)
        if len(kept) <= 2 and len(reduced) <= 2:
            values = (np.ascontiguousarray(np.broadcast_to(t.values, shape)).reshape(-1) for t in (scale, bias))
            return Walk(_two(kept), _two(reduced), *values)
    return None


def _two(found: list[Loop]) -> tuple[Loop, Loop]:
    first, second = [ONCE] * (2 - len(found)) + found
    return first, second


@dataclass(frozen=True)
class Loops(Constants):
    """Of what is kept (outer, groups) and what has one mean (rows, columns): sizes, strides in x, and steps among
    scales."""

    outer: int
    outer_stride: int
    outer_step: int
    groups: int
    groups_stride: int
    groups_step: int
    rows: int
    rows_stride: int
    rows_step: int
    columns: int
    columns_stride: int
    columns_step: int
    centered: int


@dataclass(frozen=True)
class NormalizeConstants(Loops):
    """Integers: see mcuq_normalizer_of."""

    template = "portable/normalize"

    x_type: str
    x_zero_point: int
    epsilon: int
    epsilon_shift: int
    precision: int
    guard: int
    shift: int
    output_min: int
    output_max: int


@dataclass(frozen=True)
class NormalizeFloat32Constants(Loops):
    """Floats."""

    template = "portable/normalize_float32"
    computes_in_float = True

    inverse_count: float
    epsilon: float
    minimum: float
    maximum: float


def lower_normalize(op: Normalize, layer: Layer) -> tuple[Call, ...]:
    """Scale, output scale and what is left of the root in one multiplier; bias, zero point and rounding in one
    offset."""
    way = _walk(op, layer)
    x, epsilon = layer.inputs[0], op.epsilon_bits(layer)
    last = op.scale_and_bias(layer, way.scale, way.bias)
    output_min, output_max = op.output_bounds(layer.output)
    constants = NormalizeConstants(
        **way.numbers(),
        centered=int(op.centered),
        x_type=C_TYPES[x.dtype],
        x_zero_point=x.zero_point,
        epsilon=epsilon.mantissa,
        epsilon_shift=epsilon.shift,
        precision=epsilon.precision,
        guard=op.guard(layer),
        shift=last.shift,
        output_min=output_min,
        output_max=output_max,
    )
    return (Call(constants, arrays={"multiplier": last.multiplier, "offset": last.offset}),)


def lower_normalize_float32(op: Normalize, layer: Layer) -> tuple[Call, ...]:
    """Scale and bias as they are."""
    way = _walk(op, layer)
    constants = NormalizeFloat32Constants(
        **way.numbers(),
        centered=int(op.centered),
        inverse_count=float32(1 / op.count(layer)),
        epsilon=float32(op.epsilon),
        minimum=op.minimum,
        maximum=op.maximum,
    )
    return (Call(constants, arrays={"scale": way.scale, "bias": way.bias}),)


def _walk(op: Normalize, layer: Layer) -> Walk:
    found = walk(op, layer)
    if found is None:
        raise ValueError(f"{layer.where}: axes {op.axes} of {layer.output.shape} take more than two loops")
    return found
