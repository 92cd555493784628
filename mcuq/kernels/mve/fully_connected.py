"""Matrix times vector for Armv8.1-M with MVE: the kernels of FullyConnected that need it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcuq.graph.operator import Clamped, Layer
from mcuq.kernels.kernel import Call, Kernel
from mcuq.kernels.mve.conv2d import lower_pointwise
from mcuq.kernels.mve.requantized import MVE, RequantizedMveConstants, has_one_high_word, in_groups, requantized_mve
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.fully_connected import FullyConnected
from mcuq.ops.weighted import accumulator_bound, layer_requantization


@dataclass(frozen=True)
class FullyConnectedMveConstants(RequantizedMveConstants):
    """Four outputs share each load of the input."""

    template = "mve/fully_connected"

    rows: int
    in_features: int
    out_features: int


def _accepts(op: FullyConnected, layer: Layer) -> bool:
    return has_one_high_word(layer_requantization(layer))


def _accepts_rows(op: FullyConnected, layer: Layer) -> bool:
    return layer.output.shape[0] > 1 and _accepts(op, layer)


def _accepts_one_pixel(op: Conv2d, layer: Layer) -> bool:
    is_one_pixel = layer.inputs[0].elements == layer.inputs[0].shape[3] and op.window.pads == (0, 0, 0, 0)
    return is_one_pixel and op.groups == 1 and has_one_high_word(layer_requantization(layer))


def lower_fully_connected(op: Clamped, layer: Layer) -> tuple[Call, ...]:
    """Weights stay as they are."""
    x, y = layer.inputs[0], layer.output
    constants = FullyConnectedMveConstants(
        **requantized_mve(op, layer),
        rows=x.elements // x.shape[-1],
        in_features=x.shape[-1],
        out_features=y.shape[-1],
    )
    arrays = {
        "weight": layer.inputs[1].values,
        "bias": in_groups(layer.inputs[2].values, 4),
        "multiplier": in_groups(np.array(layer_requantization(layer).multiplier, np.int32), 4),
    }
    return (Call(constants, arrays=arrays, bound=accumulator_bound(layer)),)


FULLY_CONNECTED_KERNELS = (
    Kernel(lower_pointwise, MVE, _accepts_rows),  # rows are pixels of a 1x1 convolution
    Kernel(lower_fully_connected, MVE, _accepts),
)
# A convolution of an image of one pixel is a matrix times a vector.
ONE_PIXEL_KERNELS = (Kernel(lower_fully_connected, MVE, _accepts_one_pixel),)
