"""What an operator is: the interface that `mcuq.ops` implements and every stage uses."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import inf
from typing import ClassVar

import numpy as np

from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.tensor import Array, Quant, Shape, Tensor

INT8 = frozenset({"int8"})


@dataclass(frozen=True)
class Layer:
    """One node with its tensors at hand; `source` is what the model calls the node that it came from."""

    name: str
    op: Operator
    inputs: tuple[Tensor, ...]
    output: Tensor
    source: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """All that the user may call it: its name and its source's."""
        return (self.name, self.source) if self.source else (self.name,)

    @property
    def where(self) -> str:
        """How error messages call it: Conv2d 'features.3'."""
        return f"{type(self.op).__name__} '{self.name}'"

    @property
    def activations(self) -> tuple[Tensor, ...]:
        """The inputs that are computed at run time."""
        return tuple(t for t in self.inputs if not t.is_constant)

    @property
    def is_integer(self) -> bool:
        """Whether a quantized layer reads, holds and writes integers alone."""
        return all(t.quant is not None for t in (*self.inputs, self.output))


@dataclass(frozen=True)
class Operator(ABC):
    """An operator with its attributes as fields. Every operator has exactly one output.

    One that ONNX files name has `from_onnx` too: ONNX operator type -> the function that adds it to a graph
    (mcuq.onnx_io.reader.FromOnnx).
    """

    # The output's bytes are the input's: no code, no memory of its own.
    is_view: ClassVar[bool] = False
    # Values are only moved, so that all activations share one scale and zero point.
    shares_scale: ClassVar[bool] = False
    # Each element is a function of those in its place in the inputs, which may broadcast.
    is_elementwise: ClassVar[bool] = False
    # What its output may hold once the graph is quantized.
    dtypes: ClassVar[frozenset[str]] = INT8
    # Whether its inputs may be of other dtypes than its output; else they are converted before it.
    mixes_dtypes: ClassVar[bool] = False

    @abstractmethod
    def infer(self, inputs: Sequence[Tensor]) -> Shape:
        """Shape of the output; ModelError where the inputs do not fit the attributes."""

    @abstractmethod
    def to_onnx(self, layer: Layer, writer: OnnxWriter) -> None:
        """Write the float meaning as ONNX nodes: what ONNX Runtime executes for calibration and tests."""

    def output_quant(self, layer: Layer, dtype: str = "int8") -> Quant | None:
        """The output's quantization in integers of `dtype` where the operator fixes it; None: calibrate."""
        return None

    def clip_range(self, low: float, high: float) -> tuple[float, float]:
        """What is left of a calibrated output range [low, high] where the operator bounds its output."""
        return low, high

    def operand_dtype(self, own: str, output: str, weights: str) -> str:
        """What a computed input of dtype `own` must be converted to for an output of dtype `output`, or `own`.

        `weights` is what the scheme says of the layer's.
        """
        return own if self.mixes_dtypes and "float32" not in (own, output) else output

    def quantize_constants(self, layer: Layer) -> tuple[Tensor, ...]:
        """The layer's inputs with constants as integers; activations are quantized already."""
        return layer.inputs

    @abstractmethod
    def simulate(self, layer: Layer, inputs: Sequence[Array]) -> Array:
        """The integer meaning, or that in float32 where the layer's tensors are.

        Arrays are (samples, *shape), constants as in the graph, without samples.
        """

    def whole_weights(self, layer: Layer) -> tuple[Layer, int]:
        """The same layer with constants that are not packed, and the power of two that packed ones are multiplied by
        in it."""
        return replace(layer, inputs=tuple(replace(t, packing=None) for t in layer.inputs)), 0

    def macs(self, layer: Layer) -> int:
        """Multiply-accumulates of one inference."""
        return 0

    def in_place(self, layer: Layer) -> tuple[int, ...]:
        """Indices of inputs whose memory the output may take over, element by element."""
        return ()


@dataclass(frozen=True)
class Clamped(Operator):
    """An operator that requantizes, and so takes a fused ReLU or Clip for free: real bounds of its output."""

    minimum: float = field(default=-inf, kw_only=True)
    maximum: float = field(default=inf, kw_only=True)

    def clip_range(self, low: float, high: float) -> tuple[float, float]:
        """Nothing outside [minimum, maximum] needs a code."""
        return max(low, self.minimum), min(high, self.maximum)

    def output_bounds(self, output: Tensor) -> tuple[int, int]:
        """`output_min`, `output_max`: the fused bounds as integers of the output tensor."""
        quant = output.quantization
        bounds = quant.quantize(np.clip([self.minimum, self.maximum], -3e38, 3e38))
        return int(bounds[0]), int(bounds[1])
