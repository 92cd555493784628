"""Weights that came quantized: their integers are kept."""

from __future__ import annotations

import numpy as np

from mcuq.operator import Layer
from mcuq.tensor import Array, Tensor


def given_weight_scale(weight: Tensor) -> Array | None:
    """The scale of each output channel (axis 0), float64, with which the weight's integers are int8; None where no
    quantization is given, or where q - zero_point does not fit int8: weights with a zero point far from the middle.
    """
    if weight.quant is None:
        return None
    scale = np.broadcast_to(np.array(weight.quant.scale, np.float64), (weight.shape[0],))
    q = np.rint(weight.values.reshape(weight.shape[0], -1).astype(np.float64) / scale[:, None])
    if not q.size or q.min() < -128 or q.max() > 127:
        return None
    # A channel of zeros has any scale; one above the others' would cost them precision of their multipliers.
    live = q.any(axis=1)
    return np.where(live, scale, np.minimum(scale, scale[live].max())) if live.any() else scale


def has_given_weights(layer: Layer) -> bool:
    """Whether a layer of the float graph has weights whose integers are given: nothing may round them anew."""
    return len(layer.inputs) == 3 and layer.inputs[1].is_constant and given_weight_scale(layer.inputs[1]) is not None


def loses_given_weights(layer: Layer) -> bool:
    """Whether a layer's weights came quantized, but not as int8 about zero, so that they are rounded anew."""
    if len(layer.inputs) != 3 or not layer.inputs[1].is_constant:
        return False
    return layer.inputs[1].quant is not None and not has_given_weights(layer)
