"""Fully connected layers by SMLAD: four outputs at a time (mcuq_dsp.h)."""

from __future__ import annotations

from dataclasses import dataclass

from mcuq.graph.operator import Layer
from mcuq.kernels.dsp.order import has_short_requantization, pack_channels, pack_pairs
from mcuq.kernels.kernel import Call, Constants
from mcuq.ops.fully_connected import FullyConnected
from mcuq.ops.weighted import accumulator_bound, layer_requantization


@dataclass(frozen=True)
class FullyConnectedDspConstants(Constants):
    """Rows of whole words."""

    template = "dsp/fully_connected"

    rows: int
    in_features: int
    out_features: int
    output_min: int
    output_max: int


@dataclass(frozen=True)
class FullyConnectedTailDspConstants(FullyConnectedDspConstants):
    """Rows that end within a word."""

    template = "dsp/fully_connected_tail"


def is_fully_connected_dsp(op: FullyConnected, layer: Layer) -> bool:
    """Layers of lower_fully_connected_dsp."""
    return has_short_requantization(layer)


def lower_fully_connected_dsp(op: FullyConnected, layer: Layer) -> tuple[Call, ...]:
    """Scratch: a row filled up to whole words, where it is not."""
    x, weight, bias = layer.inputs
    output_min, output_max = op.output_bounds(layer.output)
    has_tail = x.shape[1] % 4 != 0
    constants = (FullyConnectedTailDspConstants if has_tail else FullyConnectedDspConstants)(
        rows=x.shape[0],
        in_features=x.shape[1],
        out_features=weight.shape[0],
        output_min=output_min,
        output_max=output_max,
    )
    arrays = {
        "weight": pack_pairs(weight.values),
        "channel": pack_channels(bias.values, layer_requantization(layer), layer.output.zero_point),
    }
    scratch_bytes = -(-x.shape[1] // 4) * 4 if has_tail else 0
    return (Call(constants, arrays=arrays, scratch_bytes=scratch_bytes, bound=accumulator_bound(layer)),)
