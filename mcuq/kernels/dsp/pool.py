"""Pooling of four channels at a time (mcuq_dsp.h)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mcuq.graph.operator import Layer
from mcuq.kernels.c_types import pointers
from mcuq.kernels.dsp.reduction import MOST_TAPS, largest_fours, summed_fours
from mcuq.kernels.ending import Sum
from mcuq.kernels.kernel import NOTHING, Call, Fragment
from mcuq.kernels.overwriting import by_pixels
from mcuq.kernels.reduction import Reduction
from mcuq.kernels.window import WindowConstants, counted_frame, window_constants
from mcuq.ops.average_pool import AveragePool
from mcuq.ops.max_pool import MaxPool
from mcuq.ops.window import Window

# The positions of a window that are counted, which need not lie on the image.
_ROWS = """\
const int32_t counted_first_y = top < counted_top ? counted_top : top;
const int32_t counted_end_y = top + kernel_height < counted_bottom ? top + kernel_height : counted_bottom;"""
_COLUMNS = """\
const int32_t counted_first_x = left < counted_left ? counted_left : left;
const int32_t counted_end_x = left + kernel_width < counted_right ? left + kernel_width : counted_right;
const int32_t count = (counted_end_y - counted_first_y) * (counted_end_x - counted_first_x);
const int32_t factor = multiplier[count - smallest_count];
const int32_t bias = -x_zero_point * (end_y - first_y) * (end_x - first_x);"""


@dataclass(frozen=True)
class PoolDspConstants(WindowConstants):
    """The window is cut at the border.

    `row` and `column` stand before the windows of a row and before each; `begin`, `tap` and `end` are a Reduction.
    """

    template = "dsp/pool"

    channels: int
    arrays: str
    begin: Fragment
    tap: Fragment
    end: Fragment
    row: Fragment = NOTHING
    column: Fragment = NOTHING


def is_average_pool_dsp(op: AveragePool, layer: Layer) -> bool:
    """Layers of lower_average_pool_dsp: at least one whole word of channels, and sums that 16 bits hold."""
    height, width = op.window.kernel
    return height * width <= MOST_TAPS and op.window.dilations == (1, 1) and layer.output.shape[3] >= 4


def lower_average_pool_dsp(op: AveragePool, layer: Layer) -> tuple[Call, ...]:
    """One multiplier for each divisor from the smallest to the largest."""
    x = layer.inputs[0]
    smallest, requant = op.requantization(layer)
    taken, added = op.zero_points(layer)
    total = Sum(op, layer, requant, op.bound(layer), added)
    rows, columns = counted_frame(op, x)
    constants = PoolDspConstants(
        **_fields(op.window, layer, summed_fours(total, "factor", "average_pool")),
        arrays=pointers({"multiplier": "int32"}),
        row=Fragment.of(_ROWS, numbers=rows),
        column=Fragment.of(_COLUMNS, numbers={**columns, "smallest_count": smallest, "x_zero_point": taken}),
    )
    return (
        Call(
            constants,
            arrays={"multiplier": np.array(requant.multiplier, np.int32)},
            bound=total.bound,
            below=by_pixels(op.window, x, layer.output, 1),
        ),
    )


def is_max_pool_dsp(op: MaxPool, layer: Layer) -> bool:
    """Layers of lower_max_pool_dsp: at least one whole word of channels."""
    return op.window.dilations == (1, 1) and layer.output.shape[3] >= 4


def lower_max_pool_dsp(op: MaxPool, layer: Layer) -> tuple[Call, ...]:
    """Constants alone."""
    return (
        Call(
            PoolDspConstants(**_fields(op.window, layer, largest_fours("max_pool")), arrays=""),
            below=by_pixels(op.window, layer.inputs[0], layer.output, 1),
        ),
    )


def _fields(window: Window, layer: Layer, reduction: Reduction) -> dict[str, Any]:
    x = layer.inputs[0]
    return {**window_constants(window, x, layer.output), "channels": x.shape[3], **vars(reduction)}
