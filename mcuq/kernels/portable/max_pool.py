"""Max pooling of integers and of floats."""

from __future__ import annotations

from dataclasses import dataclass

from mcuq.graph.operator import Layer
from mcuq.kernels.c_types import C_TYPES
from mcuq.kernels.kernel import Call
from mcuq.kernels.window import WindowConstants, window_constants
from mcuq.ops.max_pool import MaxPool


@dataclass(frozen=True)
class _MaxPoolConstants(WindowConstants):
    """The window is cut at the border, which any meets where `meets_padding`."""

    channels: int
    meets_padding: int


@dataclass(frozen=True)
class MaxPoolConstants(_MaxPoolConstants):
    """Portable max pooling of integers; `lowest` is the least value of the element type."""

    template = "portable/max_pool"

    element_type: str
    lowest: int


class MaxPoolFloat32Constants(_MaxPoolConstants):
    """The same of floats."""

    template = "portable/max_pool_float32"
    computes_in_float = True


def lower_max_pool(op: MaxPool, layer: Layer) -> tuple[Call, ...]:
    """Constants alone."""
    y = layer.output
    constants = MaxPoolConstants(
        **_constants(op, layer), element_type=C_TYPES[y.dtype], lowest=y.quantization.bounds[0]
    )
    return (Call(constants),)


def lower_max_pool_float32(op: MaxPool, layer: Layer) -> tuple[Call, ...]:
    """Constants alone."""
    return (Call(MaxPoolFloat32Constants(**_constants(op, layer))),)


def _constants(op: MaxPool, layer: Layer) -> dict[str, int]:
    x, y = layer.inputs[0], layer.output
    return {
        **window_constants(op.window, x, y),
        "channels": x.shape[3],
        "meets_padding": int(op.window.leaves(x, y)),
    }
