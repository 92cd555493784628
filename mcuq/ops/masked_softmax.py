"""Softmax along the last dimension over some of its places alone: scores of attention behind a mask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from onnx import TensorProto

from mcuq.errors import ModelError
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.operator import Layer
from mcuq.graph.rows import RowWindow
from mcuq.graph.tensor import Array, Quant, Shape, Tensor
from mcuq.onnx_io.reader import FromOnnx
from mcuq.ops.softmax import Softmax, simulate_softmax_float32, softmax_s8
from mcuq.ops.softmax_s16 import softmax_s16

# So near to 0 or 1 is what else than these a mask of real values holds where it is one of them.
NEAR = 2.0**-10
# What files write for minus infinity: -1e4 of float16, -1e9, the least float32. No score comes near.
NOTHING = -9999.0
_LEAST = np.finfo(np.float32).min


@dataclass(frozen=True)
class MaskedSoftmax(Softmax):
    """Softmax of the places of x where `keep` is not 0, and 0 elsewhere.

    `keep` is a constant of x's last dimensions, of which each row keeps something, or computed integers that broadcast
    to x; of a row that keeps nothing the output is as `empty` says: "zero"; "nan", which integers have as 0; "equal"
    shares; or "all", as if all of it was kept. What is left out takes part in nothing, so that no mask widens the range
    of scores. Errors are Softmax's.
    """

    empty: str = "zero"

    from_onnx: ClassVar[dict[str, FromOnnx]] = {}
    choosing = (1,)

    def infer(self, inputs: Sequence[Tensor]) -> Shape:
        x, keep = inputs
        rank = len(keep.shape)
        said = f"mask {list(keep.shape)} does not fit scores {list(x.shape)}"
        if not 1 <= rank <= len(x.shape):
            raise ModelError(said)
        if not keep.is_constant:
            if keep.integers is None:
                raise ModelError("the mask is of real values, not of booleans")
            mask_rows(x.shape, keep.shape)
            return x.shape
        if keep.shape != x.shape[-rank:]:
            raise ModelError(said)
        if not keep.values.any(axis=-1).all():
            raise ModelError("the mask leaves out all of a row; keep something in each")
        return x.shape

    def along(self, layer: Layer, index: int, axis: int) -> tuple[int, RowWindow] | None:
        keep = layer.inputs[1]
        return super().along(layer, index, axis) if keep.is_constant and len(keep.shape) == 1 else None

    def quantize_constants(self, layer: Layer) -> tuple[Tensor, ...]:
        """What is kept, as 1."""
        x, keep = layer.inputs
        if layer.output.quant is None or not keep.is_constant:
            return layer.inputs
        return x, Tensor(keep.name, keep.shape, "int8", kept(keep.values).astype(np.int8), Quant((1.0,)))

    def to_onnx(self, layer: Layer, writer: OnnxWriter) -> None:
        x, keep = layer.inputs
        if keep.is_constant:
            mask = writer.constant(np.where(kept(keep.values), 0, -np.inf).astype(np.float32))
            writer.node("Softmax", [writer.node("Add", [x.name, mask])], layer.output.name, axis=-1)
            return
        least = -np.inf if self.empty == "nan" else _LEAST
        is_kept, some = writer.node("Cast", [keep.name], to=TensorProto.BOOL), ""
        if self.empty in ("all", "zero"):
            some = writer.node("ReduceMax", [keep.name], axes=[-1], keepdims=1)
        if self.empty == "all":
            none = writer.node("Not", [writer.node("Cast", [some], to=TensorProto.BOOL)])
            is_kept = writer.node("Or", [is_kept, none])
        scores = writer.node("Where", [is_kept, x.name, writer.constant(np.array(least, np.float32))])
        if self.empty != "zero":
            writer.node("Softmax", [scores], layer.output.name, axis=-1)
            return
        writer.node("Mul", [writer.node("Softmax", [scores], axis=-1), some], layer.output.name)

    def simulate(self, layer: Layer, inputs: Sequence[Array]) -> Array:
        x, mask = inputs[0], kept(inputs[1])
        if not layer.inputs[1].is_constant:
            mask = mask.reshape(len(mask), *(1,) * (x.ndim - mask.ndim), *mask.shape[1:])
        mask = np.broadcast_to(mask, x.shape)
        some = mask.any(axis=-1, keepdims=True)
        y = simulated(x, layer, mask | ~some)
        return y if self.empty == "all" else np.where(some, y, self.of_none(layer)).astype(y.dtype)

    def of_none(self, layer: Layer) -> int | float:
        """What each place is given of a row that keeps nothing, in the output's type."""
        y = layer.output
        if self.empty == "equal":
            dtype = "float32" if y.quant is None else y.dtype
            return simulated(np.zeros((1, y.shape[-1]), dtype), layer)[0, 0].item()  # type: ignore[no-any-return]
        if y.quant is None:
            return np.nan if self.empty == "nan" else 0.0
        return y.zero_point


def simulated(x: Array, layer: Layer, keep: Array | None = None) -> Array:
    """Of codes or floats, of those to `keep` alone."""
    if layer.output.quant is not None:
        return (softmax_s16 if layer.output.dtype == "int16" else softmax_s8)(x, layer, keep)
    if keep is None:
        return simulate_softmax_float32(x)
    return np.where(keep, simulate_softmax_float32(np.where(keep, x, np.float32(-np.inf))), np.float32(0))


def kept(keep: Array) -> Array:
    """bool: the places that are not left out."""
    return np.asarray(keep != 0)


def mask_rows(x: Shape, keep: Shape) -> tuple[int, int, int]:
    """(span, outer, inner): row n of scores `x` goes by row n / span % outer * inner + n % inner of a mask.

    Raises ModelError for a mask that does not broadcast, or repeats here and there.
    """
    rank = len(x)
    whole = (1,) * (rank - len(keep)) + keep
    sizes = [(size, own) for size, own in zip(x[:-1], whole[:-1], strict=True) if size > 1]
    if whole[-1] != x[-1] or any(own not in (1, size) for size, own in sizes):
        raise ModelError(f"mask {list(keep)} does not fit scores {list(x)}")
    # From the last: what is of the mask, what repeats it, and both once more.
    parts = [1, 1, 1, 1]
    stage = 0
    for size, own in reversed(sizes):
        while (own > 1) != (stage % 2 == 0):
            stage += 1
        if stage > 3:
            raise ModelError(f"mask {list(keep)} of scores {list(x)} repeats here and there; Expand it before")
        parts[stage] *= size
    inner, middle, outer, _ = parts
    return inner * middle, outer, inner
