"""Gather and GatherElements: rows, or elements, from where indices say."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from mcuq.graph.operator import Layer
from mcuq.kernels.c_types import C_TYPES, pointers
from mcuq.kernels.kernel import Call, Constants, Fragment
from mcuq.ops.gather import Gather
from mcuq.ops.gather_elements import GatherElements


@dataclass(frozen=True)
class GatherConstants(Constants):
    """x (outer, size, inner) -> y (outer, count, inner), by `count` indices; `copy` takes the row at row * inner."""

    template = "portable/gather"

    inputs: str
    element_type: str
    outer: int
    size: int
    inner: int
    count: int
    copy: Fragment


@dataclass(frozen=True)
class GatherElementsConstants(Constants):
    """x (outer, size, inner) -> y (outer, count, inner), by as many indices; `copy` takes the element at row * inner +
    i."""

    template = "portable/gather_elements"

    inputs: str
    element_type: str
    outer: int
    size: int
    inner: int
    count: int
    copy: Fragment


_ROW = Fragment.of(
    "mcuq_copy_bytes(y, x + row * inner, inner * (int32_t)sizeof(element));", "mcuq_copy_bytes", name="gather"
)
_SINGLE = Fragment("const element single = x[row];\n*y = single;", name="gather_single")
_ELEMENT = Fragment("*y++ = x[row * inner + i];", name="gather_elements")


def lower_gather(op: Gather, layer: Layer) -> tuple[Call, ...]:
    """Rows of constants or of what is computed."""
    x, indices = layer.inputs
    inner = prod(x.shape[op.axis + 1 :])
    constants = GatherConstants(
        _parameters(layer),
        C_TYPES[x.dtype],
        outer=prod(x.shape[: op.axis]),
        size=x.shape[op.axis],
        inner=inner,
        count=indices.elements,
        copy=_SINGLE if inner == 1 else _ROW,
    )
    return (_call(constants, layer),)


def lower_gather_elements(op: GatherElements, layer: Layer) -> tuple[Call, ...]:
    """Elements of constants or of what is computed."""
    x, y = layer.inputs[0], layer.output
    constants = GatherElementsConstants(
        _parameters(layer),
        C_TYPES[x.dtype],
        outer=prod(y.shape[: op.axis]),
        size=x.shape[op.axis],
        inner=prod(y.shape[op.axis + 1 :]),
        count=y.shape[op.axis],
        copy=_ELEMENT,
    )
    return (_call(constants, layer),)


def _order(layer: Layer) -> list[int]:
    """Of x and the indices: constants behind."""
    return sorted(range(2), key=lambda index: layer.inputs[index].is_constant)


def _parameters(layer: Layer) -> str:
    return pointers({("x", "indices")[index]: layer.inputs[index].dtype for index in _order(layer)})


def _call(constants: Constants, layer: Layer) -> Call:
    arrays = {("table", "indices")[i]: layer.inputs[i].values for i in _order(layer) if layer.inputs[i].is_constant}
    return Call(constants, tuple(i for i in _order(layer) if not layer.inputs[i].is_constant), arrays)
