"""Softmax along the last dimension over some of its places alone: scores of attention behind a constant mask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mcuq.errors import ModelError
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array, Quant, Shape, Tensor
from mcuq.onnx_io.reader import FromOnnx
from mcuq.ops.softmax import Softmax, simulate_softmax_float32, softmax_s8
from mcuq.ops.softmax_s16 import softmax_s16


@dataclass(frozen=True)
class MaskedSoftmax(Softmax):
    """Softmax of the places of x where `keep`, a constant of x's last dimensions, is not 0, and 0 elsewhere.

    What is left out takes part in nothing, so that no mask widens the range of scores. Errors are Softmax's. Each row
    keeps something.
    """

    from_onnx: ClassVar[dict[str, FromOnnx]] = {}

    def infer(self, inputs: Sequence[Tensor]) -> Shape:
        x, keep = inputs
        rank = len(keep.shape)
        if not 1 <= rank <= len(x.shape) or keep.shape != x.shape[-rank:]:
            raise ModelError(f"mask {list(keep.shape)} does not fit scores {list(x.shape)}")
        if not keep.values.any(axis=-1).all():
            raise ModelError("the mask leaves out all of a row; keep something in each")
        return x.shape

    def quantize_constants(self, layer: Layer) -> tuple[Tensor, ...]:
        """What is kept, as 1."""
        if layer.output.quant is None:
            return layer.inputs
        x, keep = layer.inputs
        return x, Tensor(keep.name, keep.shape, "int8", kept(keep).astype(np.int8), Quant((1.0,)))

    def to_onnx(self, layer: Layer, writer: OnnxWriter) -> None:
        x, keep = layer.inputs
        mask = writer.constant(np.where(kept(keep), 0, -np.inf).astype(np.float32))
        writer.node("Softmax", [writer.node("Add", [x.name, mask])], layer.output.name, axis=-1)

    def simulate(self, layer: Layer, inputs: Sequence[Array]) -> Array:
        x, keep = inputs[0], kept(layer.inputs[1])
        if layer.output.quant is None:
            return np.where(keep, simulate_softmax_float32(np.where(keep, x, np.float32(-np.inf))), np.float32(0))
        return softmax_s16(x, layer, keep) if layer.output.dtype == "int16" else softmax_s8(x, layer, keep)


def kept(keep: Tensor) -> Array:
    """bool: the places that are not left out."""
    return np.asarray(keep.values != 0)
