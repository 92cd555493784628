"""FakeQuantize: real values as a given quantization has them; QuantizeLinear with the DequantizeLinear behind it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.operator import INT8, Layer
from mcuq.graph.tensor import Array, Quant
from mcuq.onnx_io.given import read_given
from mcuq.onnx_io.given_quant import GivenQuant
from mcuq.onnx_io.reader import FromOnnx, OnnxNode
from mcuq.ops.clip import Clip
from mcuq.ops.dtypes import MIXED
from mcuq.ops.unary import Unary


def from_quantize_linear(node: OnnxNode, graph: GraphBuilder) -> str:
    """The tensor stands for the integers, which only DequantizeLinear and operators that move values may read."""
    x = node.computed(0)
    given, _ = read_given(node, node.shape(0))
    if given.axis is not None:
        raise node.error(
            f"has {len(given.scale)} scales along axis {given.axis}; a computed tensor takes one scale for all of it"
        )
    if given.dtype == "int16" and given.zero_point and x not in graph.inputs:
        # Of integers about 0 one limit would not be where it is in the file, which may stand for a ReLU.
        x = graph.add(Clip(*given.quant.real_bounds), [x], None, node.name)
    return graph.add(FakeQuantize.of(given.quant), [x], node.outputs[0], node.name)


def from_dequantize_linear(node: OnnxNode, graph: GraphBuilder) -> str:
    """The integers' own tensor, if they are read with the scale that they were made with."""
    if node.is_constant(0):
        node.constant(1, "scale")  # of a constant all is constant, but for a scale that is not
    x, made = node.computed(0), node.given(0)
    if made is None:
        raise node.error("reads a float32 tensor; it needs the integers of a QuantizeLinear")
    read, _ = read_given(node, node.shape(0))
    if read != made:
        raise node.error(
            f"reads integers with {_text(read)} that were made with {_text(made)}; use one quantization for a tensor"
        )
    return x


def _text(given: GivenQuant) -> str:
    return f"scale {given.scale[0]:g} and zero point {given.zero_point} (as {given.dtype})"


@dataclass(frozen=True)
class FakeQuantize(Unary):
    """scale * (clamp(round(x / scale) + zero_point) - zero_point), in float32 and halves to even as ONNX has it.

    Passes give the quantization to the tensor that is quantized, where that is possible at no cost. What is left
    changes between two quantizations by a table: exact, as the table is what ONNX defines for each of 256 inputs. Of
    16 bits it is a requantization, halves up.
    """

    scale: float
    zero_point: int
    dtype: str = "int8"

    from_onnx: ClassVar[dict[str, FromOnnx]] = {
        "QuantizeLinear": from_quantize_linear,
        "DequantizeLinear": from_dequantize_linear,
    }

    dtypes = INT8
    is_smooth = False

    def __post_init__(self) -> None:
        if self.dtype == "int16":  # of this one alone: others have their codes in int8
            object.__setattr__(self, "dtypes", MIXED)

    @classmethod
    def of(cls, quant: Quant) -> FakeQuantize:
        """To this quantization."""
        return cls(quant.step, quant.zero_point, quant.dtype)

    @property
    def quant(self) -> Quant:
        """What the output's values are."""
        return Quant((self.scale,), self.zero_point, self.dtype)

    @property
    def limits(self) -> tuple[float, float] | None:
        return self.quant.real_bounds if self.dtype == "int16" else None

    def factor_inputs(self, layer: Layer) -> Collection[int]:
        return ()

    def function(self, x: Array) -> Array:
        scale = np.float32(self.scale)
        with np.errstate(over="ignore"):
            steps = np.rint(x.astype(np.float32) / scale)
        q = np.clip(steps.astype(np.float64) + self.zero_point, *self.quant.bounds)
        real: Array = (q - self.zero_point) * self.scale
        return real

    def float_function(self, x: Array) -> Array:
        return self.function(x).astype(np.float32)

    def output_quant(self, layer: Layer, dtype: str = "int8") -> Quant | None:
        return self.quant

    def write(self, writer: OnnxWriter, x: str, output: str | None = None) -> str:
        return writer.quantized(x, self.quant, output)
