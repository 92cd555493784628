"""Pooling of images."""

from __future__ import annotations

from mcuq.importer.tflite.operator import Converter, Op
from mcuq.importer.tflite.padding import pads, window_option
from mcuq.ops.average_pool import HALVES_AWAY

OPTIONS = "Pool2DOptions"


def pool_2d(kind: str) -> Converter:
    """AVERAGE_POOL_2D, which does not count padding, and MAX_POOL_2D."""

    def convert(op: Op) -> str:
        size = op.images(0)[1:3]
        kernel = [window_option(op, OPTIONS, f"Filter{side}") for side in ("Height", "Width")]
        strides = [window_option(op, OPTIONS, f"Stride{side}") for side in "HW"]
        padded = pads(op, OPTIONS, size, kernel, strides, (1, 1))
        y = op.write(kind, [op.channels_first(op.x())], kernel_shape=kernel, strides=strides, pads=padded)
        if kind == "AveragePool":
            op.note(HALVES_AWAY)
        return op.activated(op.channels_last(y), OPTIONS)

    return convert
