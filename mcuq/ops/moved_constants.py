"""Constants among the values that an operator moves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array, Tensor


def in_shared_scale(layer: Layer) -> tuple[Tensor, ...]:
    """The layer's inputs with constants as integers of the output's scale, but for those that choose."""
    quant = layer.output.quant
    if quant is None:
        return layer.inputs
    return tuple(
        Tensor(t.name, t.shape, quant.dtype, quant.quantize(t.values), quant)
        if t.is_constant and index not in layer.op.choosing
        else t
        for index, t in enumerate(layer.inputs)
    )


def of_all_samples(layer: Layer, inputs: Sequence[Array]) -> list[Array]:
    """The layer's inputs with constants once a sample."""
    samples = next(len(x) for x, t in zip(inputs, layer.inputs, strict=True) if not t.is_constant)
    return [
        np.broadcast_to(x, (samples, *t.shape)) if t.is_constant else x
        for x, t in zip(inputs, layer.inputs, strict=True)
    ]
