"""How far a channel is taken to reach where samples tell little of it."""

from __future__ import annotations

import numpy as np

from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array
from mcuq.ops.weighted_operator import weight_groups
from mcuq.quantize.seen import Seen

# Values of a channel, of all samples, below which its largest tells less than its weights and its neighbours' values.
# Two dense layers, 8 draws of weights and samples, channels of 8:1: with 8, 16 and 32 samples 25.0, 27.0 and 30.3 dB
# become 28.4, 29.4 and 31.4, as much as even channels have; with 64 samples 31.4 stay.
FEW_VALUES = 64


def least_reach(layer: Layer, x: Seen, reach: Array, y: Seen) -> Array:
    """What each output channel (channels,) of a layer with weights would reach if it reached as far, for its weights,
    as others do: as the one of them that reached furthest where there are few values, else half as far as usual.

    A channel that fired rarely, or never in few samples, is not blown up on the strength of that. `x` is what was seen
    of the layer's input, `y` of what `reach` (channels,) or parts of it are from.
    """
    weight = layer.inputs[1].values.astype(np.float64)
    groups = weight_groups(layer)
    rows = (weight**2).reshape(groups, len(weight) // groups, -1, weight.shape[-1]).sum(axis=2)
    expected = np.sqrt(rows @ x.square.reshape(groups, -1, 1)).reshape(-1)
    if not expected.any():
        return np.zeros_like(reach)
    ratios = reach[expected > 0] / expected[expected > 0]
    usual = float(ratios.max()) if is_little(y) else float(np.median(ratios)) / 2
    return np.asarray(expected * usual)


def is_little(seen: Seen) -> bool:
    """Whether there are few values of each channel."""
    return len(seen.largest) * seen.positions < FEW_VALUES
