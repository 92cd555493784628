"""Fully connected layers of packed weights by SMLAD: blocks of outputs are unpacked, then multiplied with each row."""

from __future__ import annotations

from dataclasses import dataclass

from mcuq.graph.operator import Layer
from mcuq.kernels.dsp.fully_connected import FullyConnectedDspConstants, is_fully_connected_dsp
from mcuq.kernels.dsp.packed_blocks import block_of, channel_blocks, has_codes_for, pair_blocks
from mcuq.kernels.kernel import Call
from mcuq.kernels.packed import PackedConstants
from mcuq.ops.fully_connected import FullyConnected
from mcuq.ops.packed_weights import packing_of, whole_weights
from mcuq.ops.weighted import accumulator_bound


@dataclass(frozen=True)
class PackedFullyConnectedDspConstants(FullyConnectedDspConstants, PackedConstants):
    """Rows of any length."""

    template = "dsp/fully_connected_packed"


def is_packed_fully_connected_dsp(op: FullyConnected, layer: Layer) -> bool:
    """Layers of lower_packed_fully_connected_dsp."""
    return is_fully_connected_dsp(op, whole_weights(layer)[0]) and has_codes_for(layer, block_of(layer))


def lower_packed_fully_connected_dsp(op: FullyConnected, layer: Layer) -> tuple[Call, ...]:
    """Scratch: a row filled up to whole words, where it is not, then a block."""
    packing = packing_of(layer)
    layer, shift = whole_weights(layer)
    x, weight, _ = layer.inputs
    output_min, output_max = op.output_bounds(layer.output)
    blocks = pair_blocks(weight.values, packing, shift, block_of(layer))
    constants = PackedFullyConnectedDspConstants(
        **blocks.fields,
        rows=x.shape[0],
        in_features=x.shape[1],
        out_features=weight.shape[0],
        output_min=output_min,
        output_max=output_max,
    )
    arrays = {"weight": blocks.words, "channel": channel_blocks(layer, blocks.block)}
    row_bytes = -(-x.shape[1] // 4) * 4 if x.shape[1] % 4 else 0
    bound = accumulator_bound(layer)
    return (Call(constants, arrays=arrays, scratch_bytes=row_bytes + blocks.unpacked_bytes, bound=bound),)
