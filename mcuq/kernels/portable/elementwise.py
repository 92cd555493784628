"""One loop over all elements, around C that computes each: operators of one input or of several of one shape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mcuq.graph.operator import Layer
from mcuq.kernels.c_types import C_TYPES, pointers
from mcuq.kernels.kernel import Constants, Fragment


@dataclass(frozen=True)
class ElementwiseConstants(Constants):
    """`statements` assign y[i], a function of what `inputs`, parameters of C, point to."""

    template = "portable/elementwise"

    inputs: str
    y_type: str
    elements: int
    statements: Fragment


def elementwise(layer: Layer, inputs: Mapping[str, str], statements: Fragment) -> ElementwiseConstants:
    """The loop over the layer's output; `inputs` are dtypes by the names that the statements have for them."""
    y = layer.output
    return ElementwiseConstants(pointers(inputs), C_TYPES[y.dtype], y.elements, statements)
