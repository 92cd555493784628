"""Functions of one value: on int8 each is a table of 256 bytes, on int16 one of straight pieces; a chain of them is one
table."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import inf
from typing import ClassVar

import numpy as np

from mcuq.arithmetic.int8 import lookup
from mcuq.arithmetic.int16 import interpolate
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array, Quant, Shape, Tensor
from mcuq.onnx_io.reader import FromOnnx, OnnxNode
from mcuq.ops.convert import simulate_convert
from mcuq.ops.dtypes import MIXED
from mcuq.ops.elementwise import Elementwise
from mcuq.ops.unary_s16 import straight_pieces


def reads_s16(layer: Layer) -> bool:
    """Whether the input has 16 bits."""
    return layer.inputs[0].dtype == "int16"


@dataclass(frozen=True)
class Unary(Elementwise):
    """y = function(x), element by element, by a table computed in double precision: half a step of error.

    On int16, also where y is int8, limits alone are a requantization and a clamp, half a step of error; other
    functions are straight pieces as short as three quarters of a step of error need.
    """

    # Whether straight pieces can stand for it: not for one with a step at each code of its output.
    is_smooth: ClassVar[bool] = True

    dtypes = frozenset({*MIXED, "float32"})

    @abstractmethod
    def function(self, x: Array) -> Array:
        """The function itself, in float64; infinite at most, for any x."""

    @abstractmethod
    def float_function(self, x: Array) -> Array:
        """The function in float32, by the operations of mcuq.arithmetic.float32."""

    @abstractmethod
    def write(self, writer: OnnxWriter, x: str, output: str | None = None) -> str:
        """Write the float meaning of `x` as ONNX; returns the output's name."""

    def infer(self, inputs: Sequence[Tensor]) -> Shape:
        return inputs[0].shape

    def operand_dtype(self, own: str, output: str, weights: str) -> str:
        return own if (own, output) == ("int16", "int8") and self.is_smooth else output

    def to_onnx(self, layer: Layer, writer: OnnxWriter) -> None:
        self.write(writer, layer.inputs[0].name, layer.output.name)

    def table(self, layer: Layer) -> Array:
        """int8 (256): the output for each input from -128 to 127."""
        x = layer.inputs[0].quantization
        real = (np.arange(-128.0, 128.0) - x.zero_point) * x.step
        return layer.output.quantization.quantize(self.function(real))

    @property
    def limits(self) -> tuple[float, float] | None:
        """(least, greatest) where the function is x within these limits and nothing else."""
        return None

    @property
    def is_homogeneous(self) -> bool:
        """Whether it gives s * y for s * x, whatever s > 0."""
        return self.limits is not None and all(limit in (-inf, 0.0, inf) for limit in self.limits)

    @property
    def clip_limits(self) -> tuple[float, float]:
        return self.limits or (-inf, inf)

    def factor_inputs(self, layer: Layer) -> Collection[int]:
        return (0,) if self.is_homogeneous or self.limits is not None else ()

    @property
    def steps(self) -> tuple[Unary, ...]:
        """The functions of which it is made, one after the other."""
        return (self,)

    def limit_bounds(self, layer: Layer) -> tuple[int, int]:
        """`output_min`, `output_max` of a function that is limits."""
        assert self.limits is not None
        least, greatest = layer.output.quantization.quantize(np.clip(self.limits, -3e38, 3e38))
        return int(least), int(greatest)

    def pieces(self, layer: Layer) -> tuple[Array, Array]:
        """The tables of `interpolate` for int16 x."""
        return _pieces(self, layer.inputs[0].scale, layer.output.quantization)

    def simulate(self, layer: Layer, inputs: Sequence[Array]) -> Array:
        if layer.output.quant is None:
            return self.float_function(inputs[0])
        if not reads_s16(layer):
            return lookup(inputs[0], self.table(layer))
        if self.limits is not None:
            return simulate_convert(layer, inputs[0], self.limit_bounds(layer))
        return interpolate(inputs[0], *self.pieces(layer)).astype(layer.output.dtype)

    def in_place(self, layer: Layer) -> tuple[int, ...]:
        return (0,)


@lru_cache(maxsize=16)
def _pieces(op: Unary, x_scale: float, y: Quant) -> tuple[Array, Array]:
    """Of the last layers: one is asked for as often as samples are simulated, and where its kernel is made."""
    found = straight_pieces(op.function(np.arange(-32768.0, 32769.0) * x_scale) / y.step + y.zero_point, y.bounds)
    for table in found:
        table.flags.writeable = False
    return found


def from_unary(make: Callable[[OnnxNode], Unary]) -> FromOnnx:
    """`from_onnx` of a unary operator whose parameters `make` reads from the node."""

    def add(node: OnnxNode, graph: GraphBuilder) -> str:
        return graph.add(make(node), [node.computed(0)], node.outputs[0], node.name)

    return add


@dataclass(frozen=True)
class Chain(Unary):
    """Unary operators one after the other, as one table."""

    functions: tuple[Unary, ...]

    dtypes = MIXED  # in floats its functions are layers of their own: see mcuq.quantize.float_chains

    @property
    def steps(self) -> tuple[Unary, ...]:
        return self.functions

    @property
    def is_smooth(self) -> bool:  # type: ignore[override]
        return all(step.is_smooth for step in self.functions)

    def function(self, x: Array) -> Array:
        for step in self.functions:
            x = step.function(x)
        return x

    @property
    def limits(self) -> tuple[float, float] | None:
        low, high = -inf, inf
        for step in self.functions:
            if step.limits is None:
                return None
            low, high = (min(max(v, step.limits[0]), step.limits[1]) for v in (low, high))
        return low, high

    @property
    def is_homogeneous(self) -> bool:
        return all(step.is_homogeneous for step in self.functions)

    def float_function(self, x: Array) -> Array:
        for step in self.functions:
            x = step.float_function(x)
        return x

    def write(self, writer: OnnxWriter, x: str, output: str | None = None) -> str:
        *first, last = self.functions
        for step in first:
            x = step.write(writer, x)
        return last.write(writer, x, output)
