"""MaxPool, AveragePool and LpPool of any type: one walk over windows, around what becomes of their inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from mcuq.graph.operator import Layer
from mcuq.kernels.c_types import C_TYPES, pointers
from mcuq.kernels.ending import Sum
from mcuq.kernels.kernel import NOTHING, Call, Fragment
from mcuq.kernels.overwriting import Below, by_pixels
from mcuq.kernels.reduction import Reduction, largest, norm, summed, summed_float32
from mcuq.kernels.window import WindowConstants, counted_frame, window_constants
from mcuq.ops.average_pool import AveragePool, inverse_counts
from mcuq.ops.lp_pool import LpPool
from mcuq.ops.max_places import MaxPlaces
from mcuq.ops.max_pool import MaxPool
from mcuq.ops.window import Window

# What an AveragePool starts from, and how many positions of a window are counted.
_SUM = "(ky_end - ky_begin) * (kx_end - kx_begin) * -x_zero_point"
_ROWS = """\
const int32_t rows = meets_padding
    ? mcuq_taps_before(counted_bottom - top, dilation_y, kernel_height)
        - mcuq_taps_before(counted_top - top, dilation_y, kernel_height)
    : kernel_height;"""
_COLUMNS = """\
const int32_t columns = meets_padding
    ? mcuq_taps_before(counted_right - left, dilation_x, kernel_width)
        - mcuq_taps_before(counted_left - left, dilation_x, kernel_width)
    : kernel_width;"""


@dataclass(frozen=True)
class PoolConstants(WindowConstants):
    """The window is cut at the border, which any meets where `meets_padding`.

    `row` and `column` stand before the windows of a row and before each; `begin`, `tap` and `end` are a Reduction.
    """

    template = "portable/pool"

    x_type: str
    arrays: str
    y_type: str
    channels: int
    meets_padding: int
    begin: Fragment
    tap: Fragment
    end: Fragment
    row: Fragment = NOTHING
    column: Fragment = NOTHING


def lower_max_pool(op: MaxPool, layer: Layer) -> tuple[Call, ...]:
    """Constants alone."""
    found = largest(layer.output.dtype, "max_pool")
    return (Call(_constants(op.window, layer, {}, found), below=_below(op.window, layer)),)


def lower_lp_pool(op: LpPool, layer: Layer) -> tuple[Call, ...]:
    """Constants alone."""
    found, bound = norm(op, op.sums(layer), "lp_pool")
    return (Call(_constants(op.window, layer, {}, found), bound=bound, below=_below(op.window, layer)),)


def lower_max_places(op: MaxPlaces, layer: Layer) -> tuple[Call, ...]:
    """Beside the largest value its number."""
    x, y = layer.inputs[0], layer.output
    best = largest(x.dtype, "max_places")
    row, column = "(top + ky * dilation_y)", "left + kx * dilation_x"
    image = "(n * channels + oc)"
    place = f"{image} * in_height + {row}) * in_width + {column}"
    if op.transposed:
        place = f"{image} * in_width + {column}) * in_height + {row}"
    tap = f"if (place < 0 || x[i] > largest)\n    place = ({place};\n"
    places = Reduction(
        best.begin.followed_by(Fragment("int32_t place = -1;")),
        replace(best.tap, text=tap + best.tap.text),
        Fragment(f"*y++ = ({C_TYPES[y.dtype]})place;"),
    )
    return (Call(_constants(op.window, layer, {}, places), below=_below(op.window, layer)),)


def lower_average_pool(op: AveragePool, layer: Layer) -> tuple[Call, ...]:
    """One multiplier, or inverse of floats, for each divisor from the smallest to the largest."""
    x = layer.inputs[0]
    if layer.output.quant is None:
        counts = op.counts(layer)
        smallest, bound = int(counts.min()), 0
        mean = summed_float32(op, "acc * inverse_count[rows * columns - smallest_count]", "average_pool_float32")
        arrays = {"inverse_count": inverse_counts(np.arange(smallest, counts.max() + 1))}
    else:
        smallest, requant = op.requantization(layer)
        bound = op.bound(layer)
        taken, added = op.zero_points(layer)
        total = Sum(op, layer, requant, bound, added)
        mean = summed(total, _SUM, "multiplier[rows * columns - smallest_count]", "average_pool")
        mean = replace(mean, begin=mean.begin.naming(x_zero_point=taken))
        arrays = {"multiplier": np.array(requant.multiplier, np.int32)}
    mean = replace(mean, end=mean.end.naming(smallest_count=smallest))
    rows, columns = counted_frame(op, x)
    constants = replace(
        _constants(op.window, layer, {name: array.dtype.name for name, array in arrays.items()}, mean),
        row=Fragment.of(_ROWS, numbers=rows),
        column=Fragment.of(_COLUMNS, numbers=columns),
    )
    return (Call(constants, arrays=arrays, bound=bound, below=_below(op.window, layer)),)


def _below(window: Window, layer: Layer) -> Below:
    return by_pixels(window, layer.inputs[0], layer.output, 1)


def _constants(window: Window, layer: Layer, arrays: Mapping[str, str], reduction: Reduction) -> PoolConstants:
    x, y = layer.inputs[0], layer.output
    return PoolConstants(
        **{**window_constants(window, x, y), **vars(reduction)},
        x_type=C_TYPES[x.dtype],
        arrays=pointers(arrays),
        y_type=C_TYPES[y.dtype],
        channels=x.shape[3],
        meets_padding=int(window.leaves(x, y)),
    )
