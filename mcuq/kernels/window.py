"""Sizes of windows as kernels are given them."""

from __future__ import annotations

from dataclasses import dataclass

from mcuq.graph.tensor import Tensor
from mcuq.kernels.kernel import Constants
from mcuq.ops.average_pool import AveragePool
from mcuq.ops.window import Window


@dataclass(frozen=True)
class _SizesConstants(Constants):
    # That there may be padding: kernels look for it then.
    may_be_larger = frozenset({"has_padding", "meets_padding", "gathers"})

    batch: int
    in_height: int
    in_width: int
    out_height: int
    out_width: int
    kernel_height: int
    kernel_width: int
    stride_y: int
    stride_x: int


@dataclass(frozen=True)
class UndilatedConstants(_SizesConstants):
    """Sizes of a kernel that moves a window without dilation over NHWC images."""

    pad_top: int
    pad_left: int


@dataclass(frozen=True)
class WindowConstants(_SizesConstants):
    """The same with any dilation."""

    dilation_y: int
    dilation_x: int
    pad_top: int
    pad_left: int


def counted_frame(op: AveragePool, x: Tensor) -> tuple[dict[str, int], dict[str, int]]:
    """The rows and the columns whose positions the divisor of a mean counts."""
    top, left, bottom, right = op.window.pads if op.count_include_pad else (0, 0, 0, 0)
    rows = {"counted_top": -top, "counted_bottom": x.shape[1] + bottom}
    return rows, {"counted_left": -left, "counted_right": x.shape[2] + right}


def undilated_constants(window: Window, x: Tensor, y: Tensor) -> dict[str, int]:
    """The fields of UndilatedConstants."""
    return {
        "batch": x.shape[0],
        "in_height": x.shape[1],
        "in_width": x.shape[2],
        "out_height": y.shape[1],
        "out_width": y.shape[2],
        "kernel_height": window.kernel[0],
        "kernel_width": window.kernel[1],
        "stride_y": window.strides[0],
        "stride_x": window.strides[1],
        "pad_top": window.pads[0],
        "pad_left": window.pads[1],
    }


def window_constants(window: Window, x: Tensor, y: Tensor) -> dict[str, int]:
    """The fields of WindowConstants."""
    return {
        **undilated_constants(window, x, y),
        "dilation_y": window.dilations[0],
        "dilation_x": window.dilations[1],
    }
