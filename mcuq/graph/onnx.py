"""What operators ask of a writer of ONNX: the interface that `mcuq.onnx_io.writer` implements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from mcuq.graph.tensor import Array, Quant, Tensor


class OnnxWriter(Protocol):
    """Collects nodes and constants of an ONNX graph; names are those of its tensors."""

    def constant(self, data: Array) -> str:
        """Add constant data; returns its name."""
        ...

    def permuted(self, tensor: Tensor, perm: Sequence[int]) -> str:
        """Add a constant tensor of the graph with its dimensions in another order; returns its name."""
        ...

    def node(self, op_type: str, inputs: Sequence[str], output: str | None = None, **attributes: Any) -> str:
        """Add a node; returns its output's name."""
        ...

    def second(self, op_type: str, inputs: Sequence[str], **attributes: Any) -> str:
        """Add a node of two outputs, of which the second is wanted; returns its name."""
        ...

    def several(self, op_type: str, inputs: Sequence[str], count: int, **attributes: Any) -> list[str]:
        """Add a node of `count` outputs; returns their names."""
        ...

    def each(self, op_type: str, inputs: Sequence[str], output: str | None = None, **attributes: Any) -> str:
        """Add a node that works element by element."""
        ...

    def transpose(self, x: str, perm: Sequence[int], output: str | None = None) -> str:
        """Add a Transpose."""
        ...

    def quantized(self, x: str, quant: Quant, output: str | None = None) -> str:
        """Add QuantizeLinear and DequantizeLinear: the values as int8 of that quantization has them."""
        ...

    def clip(self, x: str, minimum: float, maximum: float, output: str | None = None) -> str:
        """Add what a fused activation means: Clip, or Identity where nothing is clipped."""
        ...
