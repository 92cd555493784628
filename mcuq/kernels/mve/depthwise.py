"""Depthwise convolution for Armv8.1-M with MVE: four columns of one channel in the lanes of a vector."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcuq.graph.operator import Layer
from mcuq.kernels.kernel import Call, Constants, Fragment, Kernel
from mcuq.kernels.mve.depthwise_3x3 import accepts_3x3, lower_depthwise_3x3
from mcuq.kernels.mve.requantized import LANES, MVE, has_one_high_word
from mcuq.kernels.overwriting import by_channels
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.weighted import accumulator_bound, layer_requantization

_GATHER_BYTES = 2**16  # VLDRB.U16 has 16-bit offsets, of eight lanes


@dataclass(frozen=True)
class DepthwiseMveConstants(Constants):
    """Columns are the axis, x or y, along which vectors are filled better; rows are the other.

    `plane_rows` rows of `plane_row` bytes hold one channel with its padding; `products` computes a row of outputs.
    """

    template = "mve/depthwise"

    batch: int
    channels: int
    in_rows: int
    in_columns: int
    out_rows: int
    out_columns: int
    pad_first: int
    pad_left: int
    plane_rows: int
    plane_row: int
    x_row: int
    x_step: int
    y_row: int
    y_step: int
    x_zero_point: int
    y_zero_point: int
    shift: int
    kernel_rows: int
    kernel_columns: int
    row_stride: int
    products: Fragment


def _column_axis(layer: Layer, lanes: int) -> int:
    """0 where columns run along y, 1 along x: whichever wastes fewer lanes."""
    height, width = layer.output.shape[1:3]
    along_x, along_y = height * -(-width // lanes), width * -(-height // lanes)
    return 0 if along_y < along_x else 1


def _plane(op: Conv2d, layer: Layer, lanes: int, axis: int) -> dict[str, int]:
    """Sizes and steps of DepthwiseMveConstants; a plane's rows reach to the windows of whole `lanes` of columns."""
    x, y = layer.inputs[0], layer.output
    row, column = 1 - axis, axis
    window, out = op.window, y.shape[1:3]
    x_steps = (x.shape[2] * x.shape[3], x.shape[3])
    y_steps = (y.shape[2] * y.shape[3], y.shape[3])
    columns = -(-out[column] // lanes) * lanes
    return {
        "batch": x.shape[0],
        "channels": x.shape[3],
        "in_rows": x.shape[1 + row],
        "in_columns": x.shape[1 + column],
        "out_rows": out[row],
        "out_columns": out[column],
        "pad_first": window.pads[row],
        "pad_left": window.pads[column],
        "plane_rows": (out[row] - 1) * window.strides[row] + window.kernel[row],
        "plane_row": (columns - 1) * window.strides[column] + window.kernel[column],
        "x_row": x_steps[row],
        "x_step": x_steps[column],
        "y_row": y_steps[row],
        "y_step": y_steps[column],
        "x_zero_point": x.zero_point,
        "y_zero_point": y.zero_point,
        "shift": layer_requantization(layer).shift,
    }


def _window(op: Conv2d, axis: int) -> dict[str, int]:
    window = op.window
    return {
        "kernel_rows": window.kernel[1 - axis],
        "kernel_columns": window.kernel[axis],
        "row_stride": window.strides[1 - axis],
    }


def _accepts(op: Conv2d, layer: Layer) -> bool:
    x, y = layer.inputs[0], layer.output
    return (
        op.is_depthwise(layer)
        and x.shape[3] == y.shape[3]
        and op.window.dilations == (1, 1)
        and max(op.window.pads[0] - op.window.kernel[0], op.window.pads[1] - op.window.kernel[1]) < 0
        and 7 * x.shape[2] * x.shape[3] < _GATHER_BYTES
        and has_one_high_word(layer_requantization(layer))
    )


def _dot_axis(op: Conv2d, layer: Layer) -> int | None:
    """Along which axis columns can run for lower_depthwise_dot; the one that wastes fewer lanes."""
    best = _column_axis(layer, 4)
    for axis in (best, 1 - best):
        rows, columns = op.window.kernel[1 - axis], op.window.kernel[axis]
        if rows in (1, 3) and columns <= LANES and op.window.strides[axis] <= 2:
            return axis
    return None


def _accepts_dot(op: Conv2d, layer: Layer) -> bool:
    is_full = op.output_bounds(layer.output) == (-128, 127)
    return _accepts(op, layer) and is_full and _dot_axis(op, layer) is not None


def lower_depthwise_dot(op: Conv2d, layer: Layer) -> tuple[Call, ...]:
    """Weights become OHW, or OWH where columns run along y; scratch reaches to a whole vector at the last column."""
    axis = _dot_axis(op, layer)
    assert axis is not None
    function = f"mcuq_mve_depthwise_dot_{op.window.kernel[1 - axis]}_{op.window.strides[axis]}"
    arguments = "w, kernel_columns, bias[oc], multiplier[oc], shift, y_zero_point, to, y_step, out_columns"
    products = Fragment.of(f"{function}(plane, plane_row, {arguments});", function, name="depthwise_dot")
    constants = DepthwiseMveConstants(**_plane(op, layer, 1, axis), **_window(op, axis), products=products)
    return _call(op, layer, constants, axis, LANES + 3 * op.window.strides[axis])


def lower_depthwise(op: Conv2d, layer: Layer) -> tuple[Call, ...]:
    """Weights as for the dot product."""
    axis = _column_axis(layer, 8)
    output_min, output_max = op.output_bounds(layer.output)
    arguments = "w, kernel_rows, kernel_columns, bias[oc], multiplier[oc], shift, y_zero_point, output_min, output_max"
    text = f"mcuq_mve_depthwise_row(plane, plane_row, column_stride, {arguments}, to, y_step, out_columns);"
    own = {"column_stride": op.window.strides[axis], "output_min": output_min, "output_max": output_max}
    products = Fragment.of(text, "mcuq_mve_depthwise_row", numbers=own)
    constants = DepthwiseMveConstants(**_plane(op, layer, 8, axis), **_window(op, axis), products=products)
    return _call(op, layer, constants, axis)


def _call(
    op: Conv2d, layer: Layer, constants: DepthwiseMveConstants, axis: int, slack_bytes: int = 0
) -> tuple[Call, ...]:
    weight = layer.inputs[1].values[..., 0]
    arrays = {
        "weight": weight if axis == 1 else weight.transpose(0, 2, 1),
        "bias": layer.inputs[2].values,
        "multiplier": np.array(layer_requantization(layer).multiplier, np.int32),
    }
    scratch_bytes = constants.plane_rows * constants.plane_row + slack_bytes
    return (
        Call(
            constants,
            arrays=arrays,
            scratch_bytes=scratch_bytes,
            bound=accumulator_bound(layer),
            below=by_channels(op.window, layer.inputs[0], layer.output, layer.output.shape[1]),
        ),
    )


DEPTHWISE_KERNELS = (
    Kernel(lower_depthwise_3x3, MVE, accepts_3x3),
    Kernel(lower_depthwise_dot, MVE, _accepts_dot),
    Kernel(lower_depthwise, MVE, _accepts),
)
