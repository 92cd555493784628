"""Fully connected layers by SMLAD: four outputs at a time, of packed weights a block of them after the other."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Tensor
from mcuq.kernels.c_types import C_TYPES
from mcuq.kernels.dsp.order import DSP, is_short
from mcuq.kernels.dsp.packed_blocks import block_of, packed_in
from mcuq.kernels.dsp.pairs import Pairs, in_pairs, packed_in_pairs
from mcuq.kernels.dsp.pasted import limit, width
from mcuq.kernels.kernel import NOTHING, Call, Constants, Fragment, Kernel
from mcuq.kernels.overwriting import by_matrix_rows
from mcuq.kernels.packed import PACKED_CONSTANTS
from mcuq.ops.dtypes import MIXED
from mcuq.ops.fully_connected import FullyConnected
from mcuq.ops.weighted import accumulator_bound


@dataclass(frozen=True)
class FullyConnectedDspConstants(Constants):
    """Rows of int8 or int16, `element_type` of C; `copy` replaces `row` by a copy where it ends within a word.

    `scratch` is that parameter of C, where there is any; see Weights for the weights.
    """

    template = "dsp/fully_connected"

    element_type: str
    width: str
    scratch: str
    weights: str
    rows: int
    in_features: int
    out_features: int
    block: int
    unpacked: Fragment
    unpack: Fragment
    copy: Fragment
    limit: Fragment


def _accepts(op: FullyConnected, layer: Layer) -> bool:
    return layer.inputs[0].dtype == layer.output.dtype and is_short(layer)


def lower_fully_connected_dsp(op: FullyConnected, layer: Layer) -> tuple[Call, ...]:
    """Scratch: a row filled up to whole words, where it is not."""
    return _call(op, in_pairs(layer))


def lower_packed_fully_connected_dsp(op: FullyConnected, layer: Layer) -> tuple[Call, ...]:
    """Scratch: a row filled up to whole words, where it is not, then a block."""
    has_tail = layer.inputs[0].shape[1] % 4 != 0
    at, values = "scratch + 4 * words" if has_tail else "scratch", "(outputs + 1) / 2 * 2 * (4 * words)"
    pairs = packed_in_pairs(layer, at, values, "fully_connected_packed")
    if has_tail:
        # What follows a row meets any weights there, zeros in an array of whole ones.
        cleared = Fragment.of("mcuq_dsp_store(scratch + 4 * (words - 1), 0, 1);", "mcuq_dsp_store")
        weights = replace(pairs.weights, unpacked=pairs.weights.unpacked.followed_by(cleared))
        pairs = replace(pairs, weights=weights)
    return _call(op, pairs)


def _call(op: FullyConnected, pairs: Pairs) -> tuple[Call, ...]:
    layer, weights = pairs.layer, pairs.weights
    x = layer.inputs[0]
    has_tail = x.shape[1] % 4 != 0
    row_bytes = -(-x.shape[1] // 4) * 4 * np.dtype(x.dtype).itemsize if has_tail else 0
    constants = FullyConnectedDspConstants(
        C_TYPES[x.dtype],
        width(x),
        "int8_t *scratch, " if row_bytes + pairs.unpacked_bytes else "",
        weights.rows,
        rows=x.shape[0],
        in_features=x.shape[1],
        out_features=layer.output.shape[1],
        block=weights.block,
        unpacked=weights.unpacked,
        unpack=weights.unpack,
        copy=_copy(x) if has_tail else NOTHING,
        limit=limit(op, layer, "rows * out_features"),
    )
    scratch_bytes = row_bytes + pairs.unpacked_bytes
    return (
        Call(
            constants,
            arrays=pairs.arrays,
            scratch_bytes=scratch_bytes,
            bound=accumulator_bound(layer),
            below=by_matrix_rows(x, layer.output) if weights.block >= layer.output.shape[1] else None,
        ),
    )


def _copy(x: Tensor) -> Fragment:
    """Replaces `row` by a copy, behind which there is room up to a whole word."""
    if x.dtype == "int8":
        return Fragment.of("mcuq_copy_bytes(scratch, row, in_features);\nrow = scratch;", "mcuq_copy_bytes")
    text = "mcuq_copy_bytes(scratch, row, 2 * in_features);\nrow = (const int16_t *)(const void *)scratch;"
    return Fragment.of(text, "mcuq_copy_bytes")


FULLY_CONNECTED_KERNEL = Kernel(lower_fully_connected_dsp, DSP, _accepts, MIXED)
PACKED_FULLY_CONNECTED_KERNEL = Kernel(
    lower_packed_fully_connected_dsp, DSP, packed_in(block_of, _accepts), constants=PACKED_CONSTANTS
)
