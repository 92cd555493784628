"""A quantization as ONNX states it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from mcuq.graph.tensor import Quant

# Element type -> what takes it to int8: uint8 q with zero point z is int8 q - 128 with zero point z - 128.
INTEGER_TYPES = {"int8": 0, "uint8": -128}


@dataclass(frozen=True)
class GivenQuant:
    """real = scale * (q - zero_point), with q as int8.

    `scale` has one entry, or one for each index of `axis`; `zero_point` is one for all: that of channels which have
    zero points of their own is 0, as their constants are kept as q - zero_point.
    """

    scale: tuple[float, ...]
    zero_point: int = 0
    axis: int | None = None

    @property
    def quant(self) -> Quant:
        """As tensors of the graph carry it."""
        return Quant(self.scale, self.zero_point)

    def moved(self, axis: int | None) -> GivenQuant:
        """The same along another axis."""
        return replace(self, axis=axis)
