"""A quantization as ONNX states it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from mcuq.graph.tensor import Quant

# Element type -> what takes it to the signed one: uint8 q with zero point z is int8 q - 128 with zero point z - 128.
INTEGER_TYPES = {"int8": 0, "uint8": -128, "int16": 0, "uint16": -(2**15)}
# Element type -> the signed one.
SIGNED = {name: name.removeprefix("u") for name in INTEGER_TYPES}
# Constants that keep their quantization: weights have 8 bits.
WEIGHT_TYPES = ("int8", "uint8")


@dataclass(frozen=True)
class GivenQuant:
    """real = scale * (q - zero_point), with q of `dtype`, int8 or int16.

    `scale` has one entry, or one for each index of `axis`; `zero_point` is one for all: that of channels which have
    zero points of their own is 0, as their constants are kept as q - zero_point. `lost` says what constants came with
    that has no such form; they are real values, and nothing else here is meant.
    """

    scale: tuple[float, ...]
    zero_point: int = 0
    axis: int | None = None
    dtype: str = "int8"
    lost: str = ""

    @property
    def quant(self) -> Quant:
        """As tensors of the graph carry it."""
        return Quant(self.scale, self.zero_point, self.dtype)

    def moved(self, axis: int | None) -> GivenQuant:
        """The same along another axis."""
        return replace(self, axis=axis)
