"""Tensors and their quantization: the values that flow along the edges of a graph."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Shape = tuple[int, ...]

# What the stages agree to pass on. Integer dtypes appear once the graph is quantized.
DTYPES = ("float32", "int8", "int32")


@dataclass(frozen=True)
class Quant:
    """real = scale * (q - zero_point); `scale` has one entry, or one per output channel for weights."""

    scale: tuple[float, ...]
    zero_point: int = 0

    @property
    def step(self) -> float:
        """The one scale of an activation: the real value of one quantization step."""
        if len(self.scale) != 1:
            raise ValueError(f"expected one scale, found {len(self.scale)}")
        return self.scale[0]

    def quantize(self, real: Array) -> Array:
        """Nearest int8 value, halves up, saturated to [-128, 127]; `real` of any shape, one scale."""
        q = np.floor(np.asarray(real, np.float64) / self.step + (self.zero_point + 0.5))
        return np.clip(q, -128, 127).astype(np.int8)

    def scaled(self, factor: Array) -> Quant:
        """Of the real values times `factor`, one or one a scale; where that is 0 the scale stays, as 0 is a code."""
        factors = np.where(factor == 0, 1.0, np.abs(factor.astype(np.float64)))
        return replace(self, scale=tuple(np.multiply(self.scale, factors).reshape(-1).tolist()))

    def dequantize(self, q: Array) -> Array:
        """The real values, float32, of integers of any shape, one scale."""
        return ((q.astype(np.float64) - self.zero_point) * self.step).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Tensor:
    """A named array: a constant where `data` is given, otherwise computed or fed.

    `shape` includes the batch. Operators over images take NHWC, their weights are OHWI; what the model has
    in another order reaches them through Transpose nodes. A float32 tensor with `quant` holds real values of that
    quantization: a quantized model came with it. Its integers are what rounding to nearest gives, exactly.
    """

    name: str
    shape: Shape
    dtype: str = "float32"
    data: Array | None = None
    quant: Quant | None = None

    @property
    def elements(self) -> int:
        """Number of elements."""
        return prod(self.shape)

    @property
    def size_bytes(self) -> int:
        """Bytes of the dense array."""
        return self.elements * np.dtype(self.dtype).itemsize

    @property
    def is_constant(self) -> bool:
        """Whether the values are known at compile time."""
        return self.data is not None

    @property
    def values(self) -> Array:
        """The data of a constant."""
        if self.data is None:
            raise ValueError(f"tensor '{self.name}' is not a constant")
        return self.data

    @property
    def quantization(self) -> Quant:
        """Scale and zero point of a tensor of an integer graph."""
        if self.quant is None:
            raise ValueError(f"tensor '{self.name}' is not quantized")
        return self.quant

    @property
    def scale(self) -> float:
        """The one scale of an activation."""
        return self.quantization.step

    @property
    def zero_point(self) -> int:
        """The zero point of a tensor of an integer graph."""
        return self.quantization.zero_point
