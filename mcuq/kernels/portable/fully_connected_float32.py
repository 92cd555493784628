"""FullyConnected with float weights: reads and writes integers or floats, sums in float32."""

from __future__ import annotations

from dataclasses import dataclass

from mcuq.graph.operator import Layer
from mcuq.kernels.kernel import Call, Kernel
from mcuq.kernels.overwriting import by_matrix_rows
from mcuq.kernels.portable.float_weights import (
    DYNAMIC_CONSTANTS,
    FLOAT_ACTIVATIONS,
    FloatConstants,
    float_layer_constants,
    stored_weights,
)
from mcuq.kernels.portable.fully_connected_dynamic import lower_fully_connected_dynamic
from mcuq.ops.dtypes import FLOAT32
from mcuq.ops.float_weights import FLOAT_WEIGHTS, is_dynamic
from mcuq.ops.fully_connected import FullyConnected


@dataclass(frozen=True)
class FullyConnectedFloat32Constants(FloatConstants):
    """Portable matrix times vector in float."""

    template = "portable/fully_connected_float32"

    rows: int
    in_features: int
    out_features: int


def lower_fully_connected_float32(op: FullyConnected, layer: Layer) -> tuple[Call, ...]:
    """Weights stay as they are: one row an output."""
    x, weight, bias = layer.inputs
    constants = FullyConnectedFloat32Constants(
        **float_layer_constants(op, layer),  # type: ignore[arg-type]
        rows=x.shape[0],
        in_features=x.shape[1],
        out_features=layer.output.shape[1],
    )
    return (
        Call(
            constants,
            arrays={"weight": stored_weights(weight, weight.values), "bias": bias.values},
            below=by_matrix_rows(layer.inputs[0], layer.output),
        ),
    )


FULLY_CONNECTED_FLOAT32_KERNELS = (
    Kernel(lower_fully_connected_float32, activations=FLOAT_ACTIVATIONS, constants=FLOAT_WEIGHTS),
    Kernel(
        lower_fully_connected_dynamic,
        accepts=lambda op, layer: is_dynamic(layer),
        activations=FLOAT32,
        constants=DYNAMIC_CONSTANTS,
    ),
)
