"""FullyConnected in float: with float weights, and with integer weights behind inputs quantized on the device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mcuq.arithmetic.float32 import float32
from mcuq.graph.operator import Call, Constants, Kernel, Layer
from mcuq.graph.tensor import Array
from mcuq.ops.float_weights import (
    DYNAMIC_CONSTANTS,
    FLOAT32,
    FLOAT_ACTIVATIONS,
    FLOAT_WEIGHTS,
    FloatConstants,
    dynamic_bound,
    dynamic_input,
    dynamic_output,
    dynamic_product_dtype,
    float_layer_constants,
    float_output,
    is_dynamic,
    real_input,
    stored_weights,
    weight_scales,
)

if TYPE_CHECKING:
    from mcuq.ops.fully_connected import FullyConnected


@dataclass(frozen=True)
class FloatFullyConnectedConstants(FloatConstants):
    """Portable matrix times vector in float."""

    template = "fully_connected_float"

    rows: int
    in_features: int
    out_features: int


@dataclass(frozen=True)
class DynamicFullyConnectedConstants(Constants):
    """Portable matrix of integers times vectors that are quantized at each inference."""

    template = "fully_connected_dynamic"
    computes_in_float = True

    rows: int
    in_features: int
    out_features: int
    minimum: float
    maximum: float


def lower_float_fully_connected(op: FullyConnected, layer: Layer) -> tuple[Call, ...]:
    """Weights stay as they are: one row an output."""
    x, weight, bias = layer.inputs
    constants = FloatFullyConnectedConstants(
        **float_layer_constants(op, layer),  # type: ignore[arg-type]
        rows=x.shape[0],
        in_features=x.shape[1],
        out_features=layer.output.shape[1],
    )
    return (Call(constants, arrays={"weight": stored_weights(weight, weight.values), "bias": bias.values}),)


def lower_dynamic_fully_connected(op: FullyConnected, layer: Layer) -> tuple[Call, ...]:
    """Scratch is one row of inputs as int16, less their zero point."""
    x, weight, bias = layer.inputs
    constants = DynamicFullyConnectedConstants(
        x.shape[0], x.shape[1], layer.output.shape[1], float32(op.minimum), float32(op.maximum)
    )
    arrays = {"weight": weight.values, "weight_scale": np.array(weight_scales(layer)), "bias": bias.values}
    return (Call(constants, arrays=arrays, scratch_bytes=2 * x.shape[1], bound=dynamic_bound(layer)),)


def simulate_float_fully_connected(op: FullyConnected, layer: Layer, inputs: Array) -> Array:
    """bias + x * weight for one input feature after the other: each product and each sum float32."""
    real = real_input(layer.inputs[0], inputs)
    columns = layer.inputs[1].values.astype(np.float32).T
    acc = np.empty((*real.shape[:-1], columns.shape[1]), np.float32)
    acc[:] = layer.inputs[2].values
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        for ic, column in enumerate(columns):
            acc += real[..., ic, None] * column
    return float_output(op, layer.output, acc)


def simulate_dynamic_fully_connected(op: FullyConnected, layer: Layer, inputs: Array) -> Array:
    """The sums are exact, so that their order does not matter."""
    weight = layer.inputs[1].values
    dtype = dynamic_product_dtype(weight)
    differences, scale = dynamic_input(inputs)
    acc = (differences.astype(dtype) @ weight.T.astype(dtype)).astype(np.int32)
    return dynamic_output(op, layer, acc, scale)


FLOAT_FULLY_CONNECTED_KERNELS = (
    Kernel(lower_float_fully_connected, activations=FLOAT_ACTIVATIONS, constants=FLOAT_WEIGHTS),
    Kernel(
        lower_dynamic_fully_connected,
        accepts=lambda op, layer: is_dynamic(layer),
        activations=FLOAT32,
        constants=DYNAMIC_CONSTANTS,
    ),
)
