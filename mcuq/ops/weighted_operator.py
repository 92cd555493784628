"""What has weights: the trait by which passes, quantize and budget know convolutions, fully connected layers and their
like, none of which they name."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mcuq.graph.operator import Clamped, Layer, Operator
from mcuq.graph.tensor import Array, Shape, Tensor
from mcuq.ops.dtypes import MIXED
from mcuq.ops.float_weights import weighted_operand_dtype
from mcuq.ops.packed_weights import whole_weights
from mcuq.ops.requantized import least_step, requantize_output
from mcuq.ops.weighted import WEIGHT_MAX, accumulator_bound, layer_requantization, quantize_weights


@dataclass(frozen=True)
class Weighted(Clamped):
    """Sums of products of x with constant weights, plus a bias: inputs are (x, weight, bias).

    Channels are the last dimension of x and y; weight is (outputs, ..., inputs of a group), bias (outputs). Inputs and
    outputs lie group by group, and an output reads the inputs of its own group.
    """

    dtypes = frozenset({*MIXED, "float32"})
    mixes_dtypes = True

    @property
    def groups(self) -> int:
        """Into how many groups channels are divided."""
        return 1

    @property
    def is_padded(self) -> bool:
        """Whether some outputs read zeros in place of x, which what is added to x does not reach."""
        return False

    def is_depthwise(self, layer: Layer) -> bool:
        """Whether every output channel reads just one of several input channels."""
        return self.groups > 1 and layer.inputs[1].shape[-1] == 1

    def regrouped(self, groups: int) -> Weighted:
        """The same on so many groups of channels, which others were taken from; what has no groups stays as it is."""
        return self

    def resized(self, layer: Layer, y: Shape) -> Operator | None:
        return self.regrouped(self.groups * y[-1] // layer.output.shape[-1]) if self.is_depthwise(layer) else self

    def columns(self, layer: Layer, x: Array) -> Array:
        """What each output's weights meet: (groups, taps, windows) of values x (B, *shape of one), taps as in a row of
        the weights."""
        return x.reshape(-1, x.shape[-1]).T[None]

    def sums(self, layer: Layer, x: Array) -> Array | None:
        """Of a layer of integers the sums of products without biases, exact in whatever dtype, in the shape of its
        output, for x (samples, *shape); None where an operator does not tell. Such outputs are `requantized` sums."""
        return None

    def requantized(self, layer: Layer, sums: Array) -> Array:
        """The output of a layer of integers from its `sums`."""
        acc = sums.astype(np.int64)
        acc += layer.inputs[2].values
        return requantize_output(self, acc, layer_requantization(layer), accumulator_bound(layer), layer.output)

    def operand_dtype(self, own: str, output: str, weights: str) -> str:
        return weighted_operand_dtype(own, output, weights)

    def quantize_constants(self, layer: Layer) -> tuple[Tensor, ...]:
        return quantize_weights(layer)

    def least_step(self, layer: Layer) -> float:
        x = layer.inputs[0]
        largest = x.scale * float(np.abs(layer.inputs[1].values).max()) / WEIGHT_MAX
        if x.dtype == "int8" or largest < layer.output.scale / 2:
            return 0.0
        _, weight, bias = quantize_weights(layer)
        own = replace(layer, inputs=(x, weight, bias))
        return least_step(x.scale * max(weight.quantization.scale), accumulator_bound(own))

    def whole_weights(self, layer: Layer) -> tuple[Layer, int]:
        return whole_weights(layer)


def is_weighted(layer: Layer) -> bool:
    """Whether the layer has weights and biases, which mix channels or multiply each."""
    return isinstance(layer.op, Weighted)


def weight_groups(layer: Layer) -> int:
    """Into how many groups a layer with weights divides its channels."""
    assert isinstance(layer.op, Weighted)
    return layer.op.groups


def is_depthwise(layer: Layer) -> bool:
    """Whether each output channel of a layer with weights reads one of several input channels."""
    return isinstance(layer.op, Weighted) and layer.op.is_depthwise(layer)
