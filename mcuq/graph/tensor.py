"""Tensors and their quantization: the values that flow along the edges of a graph."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Shape = tuple[int, ...]

# What the stages agree to pass on. Integer dtypes appear once the graph is quantized; float16 is for weights alone,
# uint8 for the model's inputs and outputs, int32 for biases and what the file has as integers.
DTYPES = ("float32", "float16", "int8", "uint8", "int16", "int32")
# What a computed tensor of a quantized graph may hold.
ACTIVATION_DTYPES = ("int8", "int16", "float32")
# How constants of few different values lie in flash: names of mcuq/arithmetic/packing.py.
PACKINGS = ("int4", "int2", "ternary", "binary", "codebook", "blocks")


@dataclass(frozen=True)
class Quant:
    """real = scale * (q - zero_point); `scale` has one entry, or one per output channel for weights.

    `dtype` is the integer type of q.
    """

    scale: tuple[float, ...]
    zero_point: int = 0
    dtype: str = "int8"

    @property
    def bounds(self) -> tuple[int, int]:
        """The least and the greatest q."""
        info = np.iinfo(self.dtype)
        return int(info.min), int(info.max)

    @property
    def real_bounds(self) -> tuple[float, float]:
        """The least and the greatest real value of an activation."""
        low, high = ((bound - self.zero_point) * self.step for bound in self.bounds)
        return low, high

    @property
    def step(self) -> float:
        """The one scale of an activation: the real value of one quantization step."""
        if len(self.scale) != 1:
            raise ValueError(f"expected one scale, found {len(self.scale)}")
        return self.scale[0]

    def quantize(self, real: Array) -> Array:
        """Nearest integer of `dtype`, halves up, saturated; `real` of any shape, one scale."""
        q = np.floor(np.asarray(real, np.float64) / self.step + (self.zero_point + 0.5))
        return np.clip(q, *self.bounds).astype(self.dtype)

    def scaled(self, factor: Array) -> Quant:
        """Of the real values times `factor`, one or one a scale; where that is 0 the scale stays, as 0 is a code."""
        factors = np.where(factor == 0, 1.0, np.abs(factor.astype(np.float64)))
        return replace(self, scale=tuple(np.multiply(self.scale, factors).reshape(-1).tolist()))

    def dequantize(self, q: Array) -> Array:
        """The real values, float32, of integers of any shape, one scale."""
        return ((q.astype(np.float64) - self.zero_point) * self.step).astype(np.float32)


@dataclass(frozen=True)
class LostQuant(Quant):
    """Of weights that came as integers which no layer has here: `came_with` says what they had, such as scales of
    blocks. They are real values for all but notes, and `scale` says nothing."""

    came_with: str = ""


@dataclass(frozen=True)
class ChannelQuant(Quant):
    """Of an input or output of the model whose channels differ: real = scale[c] * (q - zero_points[c]).

    c is the index along `axis`, a dimension counted from the last, which is -1. Zero points are of any size, as far
    from a type's codes as 0 is from what the channel holds; `zero_point` is the one that layers know of these codes.
    """

    axis: int = -1
    zero_points: tuple[int, ...] = ()

    @property
    def real_bounds(self) -> tuple[float, float]:
        """The least and the greatest real value of all channels."""
        ends = [(bound - np.array(self.zero_points)) * np.array(self.scale) for bound in self.bounds]
        return float(ends[0].min()), float(ends[1].max())

    def quantize(self, real: Array) -> Array:
        """Nearest integer of `dtype`, halves up, saturated; `real` of the tensor's shape, more dimensions before it."""
        scale, zero_points = self._along(real.ndim)
        q = np.floor(np.asarray(real, np.float64) / scale + (zero_points + 0.5))
        return np.clip(q, *self.bounds).astype(self.dtype)

    def dequantize(self, q: Array) -> Array:
        """The real values, float32, of integers of the tensor's shape, more dimensions before it."""
        scale, zero_points = self._along(q.ndim)
        return ((q.astype(np.float64) - zero_points) * scale).astype(np.float32)

    def _along(self, rank: int) -> tuple[Array, Array]:
        """Scales and zero points in a shape that broadcasts against an array of `rank` dimensions."""
        shape = [-1 if axis == rank + self.axis else 1 for axis in range(rank)]
        return np.array(self.scale).reshape(shape), np.array(self.zero_points, np.float64).reshape(shape)


# The integers that float32 holds exactly, as which they pass through calibration and data sets.
LARGEST_INTEGER = 2**24


@dataclass(frozen=True)
class Integers(Quant):
    """Of what the file has as integers or booleans: the numbers themselves, scale 1 and zero point 0 in every scheme.

    They are known to lie from `low` to `high`, which `dtype` holds.
    """

    scale: tuple[float, ...] = (1.0,)
    dtype: str = "int32"
    low: int = -LARGEST_INTEGER
    high: int = LARGEST_INTEGER

    @classmethod
    def of(cls, low: int, high: int) -> Integers:
        """From `low` to `high`, in the smallest type that holds them; saturated to int32."""
        low, high = (min(max(bound, -(2**31)), 2**31 - 1) for bound in (low, high))
        dtype = next(d for d in INTEGER_DTYPES if np.iinfo(d).min <= low and high <= np.iinfo(d).max)
        return cls(dtype=dtype, low=low, high=high)

    def dequantize(self, q: Array) -> Array:
        """The integers, int32, of any shape."""
        return q.astype(np.int32)


# What integers of the file are stored as, the smallest first.
INTEGER_DTYPES = ("int8", "int16", "int32")


@dataclass(frozen=True, eq=False)
class Tensor:
    """A named array: a constant where `data` is given, otherwise computed or fed.

    `shape` includes the batch. Operators over images take NHWC, their weights are OHWI; what the model has
    in another order reaches them through Transpose nodes. A float32 tensor of a float graph with `quant` holds real
    values of that quantization: a quantized model came with it. Its integers are what rounding to nearest gives,
    exactly. Integers of the file have `Integers` for it, in float graphs too. A computed float32 tensor of a quantized
    graph has no `quant`. `packing` says how a constant lies in flash
    where that is not one element after the other.
    """

    name: str
    shape: Shape
    dtype: str = "float32"
    data: Array | None = None
    quant: Quant | None = None
    packing: str | None = None

    @property
    def elements(self) -> int:
        """Number of elements."""
        return prod(self.shape)

    @property
    def size_bytes(self) -> int:
        """Bytes of the dense array."""
        return self.elements * np.dtype(self.dtype).itemsize

    @property
    def storage(self) -> str:
        """How the elements lie in memory: the packing, or else the dtype."""
        return self.packing or self.dtype

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
    def integers(self) -> Integers | None:
        """Which integers the tensor holds, where it holds such and no real values."""
        return self.quant if isinstance(self.quant, Integers) else None

    @property
    def scale(self) -> float:
        """The one scale of an activation."""
        return self.quantization.step

    @property
    def zero_point(self) -> int:
        """The zero point of a tensor of an integer graph."""
        return self.quantization.zero_point

    def encode(self, real: Array) -> Array:
        """Real values as the tensor holds them, any shape: quantized, or float32 as they are."""
        return np.asarray(real, np.float32) if self.quant is None else self.quant.quantize(real)

    def decode(self, values: Array) -> Array:
        """The real values, float32, of what the tensor holds, any shape."""
        return np.asarray(values, np.float32) if self.quant is None else self.quant.dequantize(values)
