"""Real values to codes and back, of floats alone: twins of ID_quantize_... and ID_dequantize_...

Rounding and saturation are those of ONNX's QuantizeLinear and DequantizeLinear in float32: x / scale, rounded
to the nearest whole number, halves to even, plus the zero point, limited to the type. NaN, of which ONNX says
nothing, becomes the zero point.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mcuq.after.after import After
from mcuq.errors import ModelError
from mcuq.graph.ir import Graph
from mcuq.graph.tensor import Array, ChannelQuant, Quant, Tensor


def quantize(real: Array, tensor: Tensor) -> Array:
    """Codes of real values, any shape."""
    scaled = np.asarray(real, np.float32) / np.float32(tensor.scale)
    low, high = (bound - tensor.zero_point for bound in tensor.quantization.bounds)
    limited = np.where(np.isnan(scaled), np.float32(0), scaled).clip(np.float32(low), np.float32(high))
    found: Array = (np.rint(limited).astype(np.int64) + tensor.zero_point).astype(tensor.dtype)
    return found


def dequantize(codes: Array, tensor: Tensor) -> Array:
    """Real values, float32, of codes, any shape."""
    found: Array = (codes.astype(np.int64) - tensor.zero_point).astype(np.float32) * np.float32(tensor.scale)
    return found


def has_floats(tensor: Tensor) -> bool:
    """Whether the functions are for it: not floats, whole numbers, or scales per channel, for which ID.h has some."""
    quant = tensor.quant
    return isinstance(quant, Quant) and not isinstance(quant, ChannelQuant) and tensor.integers is None


@dataclass(frozen=True, eq=False)
class Floats:
    """Real values of the outputs, and nothing else."""

    after: After
    outputs: tuple[Tensor, ...]

    def begin(self) -> None:
        """Nothing goes on from one inference to the next."""

    def of(self, inputs: Mapping[str, Array], outputs: Mapping[str, Array]) -> list[dict[str, Array]]:
        """Of each sample, by name."""
        real = {tensor.name: dequantize(outputs[tensor.name], tensor) for tensor in self.outputs}
        return [{name: x[i] for name, x in real.items()} for i in range(len(next(iter(outputs.values()))))]

    def described(self) -> str:
        """In a few words."""
        return "floats of inputs and outputs"


def floats_for(after: After, graph: Graph) -> Floats:
    """Raises ModelError where nothing is quantized."""
    if not any(has_floats(graph.tensors[name]) for name in (*graph.given_inputs, *graph.given_outputs)):
        raise ModelError(f"{after.where}: kind = 'floats': no input or output has one scale; leave out --after")
    return Floats(after, tuple(t for t in map(graph.tensors.__getitem__, graph.given_outputs) if has_floats(t)))
