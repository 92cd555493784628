"""Fully connected layers of int16 by SMLAD, as those of int8 are."""

from __future__ import annotations

from dataclasses import replace

from mcuq.graph.operator import Layer
from mcuq.kernels.dsp.conv2d_s16 import DSP, fits_int32, with_pairs
from mcuq.kernels.dsp.fully_connected import (
    FullyConnectedDspConstants,
    is_fully_connected_dsp,
    lower_fully_connected_dsp,
)
from mcuq.kernels.kernel import Call, Kernel
from mcuq.ops.dtypes import INT16
from mcuq.ops.fully_connected import FullyConnected


class FullyConnectedDspS16Constants(FullyConnectedDspConstants):
    """Rows of whole fours."""

    template = "dsp/fully_connected_s16"


class FullyConnectedTailDspS16Constants(FullyConnectedDspConstants):
    """Rows that end within a four."""

    template = "dsp/fully_connected_tail_s16"


def lower_fully_connected_dsp_s16(op: FullyConnected, layer: Layer) -> tuple[Call, ...]:
    """Scratch: a row filled up to whole fours, where it is not."""
    (call,) = lower_fully_connected_dsp(op, layer)
    kind = FullyConnectedTailDspS16Constants if call.scratch_bytes else FullyConnectedDspS16Constants
    call = replace(call, scratch_bytes=2 * call.scratch_bytes)
    return (with_pairs(call, kind(**vars(call.constants)), layer),)


FULLY_CONNECTED_KERNELS = (
    Kernel(
        lower_fully_connected_dsp_s16,
        DSP,
        lambda op, layer: fits_int32(op, layer) and is_fully_connected_dsp(op, layer),
        INT16,
    ),
)
