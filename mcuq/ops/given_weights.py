"""Weights that came quantized: their integers are kept."""

from __future__ import annotations

import numpy as np

from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array, LostQuant, Tensor


def given_weight_scale(weight: Tensor) -> Array | None:
    """The given scale of each output channel (axis 0), float64; None where the weight came without quantization
    that it can have here.

    It is NaN in channels whose integers q - zero_point do not fit int8, as of weights with a zero point far from the
    middle: up to 255 to one side. Those are rounded anew.
    """
    if weight.quant is None or isinstance(weight.quant, LostQuant):
        return None
    scale = np.broadcast_to(np.array(weight.quant.scale, np.float64), (weight.shape[0],))
    q = _integers(weight, scale)
    fits = (q.min(axis=1, initial=0) >= -128) & (q.max(axis=1, initial=0) <= 127)
    # A channel of zeros has any scale; one above the others' would cost them precision of their multipliers.
    live = q.any(axis=1)
    if live.any():
        scale = np.where(live, scale, np.minimum(scale, scale[live].max()))
    return np.where(fits, scale, np.nan)


def given_integers(layer: Layer) -> Array | None:
    """The integers (channels, taps), float64, of a layer of the float graph whose weights are kept; None of others."""
    scale = _given_scale(layer)
    return None if scale is None or np.isnan(scale).any() else _integers(layer.inputs[1], scale)


def has_given_weights(layer: Layer) -> bool:
    """Whether a layer of the float graph has weights whose integers are all given: nothing may round them anew."""
    scale = _given_scale(layer)
    return scale is not None and not np.isnan(scale).any()


def loses_given_weights(layer: Layer) -> bool:
    """Whether some channels of a layer's weights came quantized, but not as int8 about zero: they are rounded anew."""
    scale = _given_scale(layer)
    return scale is not None and bool(np.isnan(scale).any())


def came_with(layer: Layer) -> str:
    """What a layer's weights had in the file for a quantization that no layer has here; "" for all others."""
    quant = layer.inputs[1].quant if _has_weights(layer) else None
    return quant.came_with if isinstance(quant, LostQuant) else ""


def _integers(weight: Tensor, scale: Array) -> Array:
    q: Array = np.rint(weight.values.reshape(weight.shape[0], -1).astype(np.float64) / scale[:, None])
    return q


def _given_scale(layer: Layer) -> Array | None:
    return given_weight_scale(layer.inputs[1]) if _has_weights(layer) else None


def _has_weights(layer: Layer) -> bool:
    return len(layer.inputs) == 3 and layer.inputs[1].is_constant
