"""LogSoftmax along the last dimension."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from typing import ClassVar

import numpy as np

from mcuq.arithmetic.float32 import logarithm, one_nan
from mcuq.arithmetic.int8 import INT32_MAX, clamp
from mcuq.errors import QuantizationError
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.operator import Layer, Operator
from mcuq.graph.rows import OWN_ROW, RowWindow
from mcuq.graph.tensor import Array, Shape, Tensor
from mcuq.onnx_io.reader import FromOnnx
from mcuq.ops.dtypes import MIXED
from mcuq.ops.log_softmax_s16 import log_softmax_s16
from mcuq.ops.softmax import exponential_bits, exponentials, exponentials_float32, from_softmax

INTERVALS = 32  # of the logarithm between 1 and 2; linear in between is within 1.3e-4 of it


@dataclass(frozen=True)
class LogSoftmax(Operator):
    """y = (x - largest) - ln(sum of exp(x - largest)). Largest error 1 step.

    On int16 (see mcuq.ops.log_softmax_s16) 1 step where steps are 1e-5 or more, up to 4096 classes.
    """

    from_onnx: ClassVar[dict[str, FromOnnx]] = {"LogSoftmax": from_softmax(lambda: LogSoftmax())}
    hides_errors = True
    dtypes = frozenset({*MIXED, "float32"})

    def infer(self, inputs: Sequence[Tensor]) -> Shape:
        return inputs[0].shape

    def along(self, layer: Layer, index: int, axis: int) -> tuple[int, RowWindow] | None:
        return (axis, OWN_ROW) if axis < len(layer.output.shape) - 1 else None

    def to_onnx(self, layer: Layer, writer: OnnxWriter) -> None:
        writer.node("LogSoftmax", [layer.inputs[0].name], layer.output.name, axis=-1)

    def parameters(self, layer: Layer) -> tuple[int, int, int, int, Array]:
        """(factor, ln2, constant, shift, logarithms int32 (33)), as fine as int32 allows."""
        x, y = layer.inputs[0].scale, layer.output
        nodes = np.log1p(np.arange(INTERVALS + 1) / INTERVALS)
        for shift in range(24, 0, -1):
            unit = 2.0**shift / y.scale
            constant = (y.zero_point << shift) + (1 << (shift - 1))
            largest = 255 * x * unit + (log(y.shape[-1]) + 1) * unit + abs(constant)
            # The interpolation multiplies a difference of two logarithms by 8 bits.
            if largest <= INT32_MAX and nodes[1] * unit * 256 <= INT32_MAX:
                logarithms = np.rint(nodes * unit).astype(np.int32)
                return round(x * unit), round(log(2) * unit), constant, shift, logarithms
        raise QuantizationError(
            f"{layer.where}: input scale {x:g} and output scale {y.scale:g} are too far apart for int32; "
            "check the calibration data"
        )

    def simulate(self, layer: Layer, inputs: Sequence[Array]) -> Array:
        if layer.output.quant is None:
            return simulate_log_softmax_float32(inputs[0])
        if layer.output.dtype == "int16":
            return log_softmax_s16(inputs[0], layer)
        factor, ln2, constant, shift, logarithms = self.parameters(layer)
        distance, _, total = exponentials(inputs[0], layer)
        # frexp: total = fraction * 2^exponent, 0.5 <= fraction < 1, exact below 2^53.
        exponent = np.frexp(total.astype(np.float64))[1].astype(np.int64)
        mantissa = total << (32 - exponent)
        index, fraction = (mantissa >> 26) & 31, (mantissa >> 18) & 255
        table = logarithms.astype(np.int64)
        logarithm = table[index] + (((table[index + 1] - table[index]) * fraction) >> 8)
        logarithm += (exponent - 1 - exponential_bits(layer.output.shape[-1])) * ln2
        return clamp((constant - distance * factor - logarithm) >> shift, -128, 127)

    def in_place(self, layer: Layer) -> tuple[int, ...]:
        return (0,)


def simulate_log_softmax_float32(x: Array) -> Array:
    """(x - largest) - ln(sum of exp(x - largest)), as `simulate_softmax_float32` has the sum, NaN too."""
    distance, _, total = exponentials_float32(x)
    with np.errstate(invalid="ignore", over="ignore"):
        return one_nan(distance - logarithm(total)[..., None])
