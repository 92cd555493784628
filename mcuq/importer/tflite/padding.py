"""Where windows lie on images: the format's SAME and VALID padding."""

from __future__ import annotations

from collections.abc import Sequence

from mcuq.importer.tflite.operator import Op

SAME, VALID = 0, 1  # the schema's Padding


def pads(
    op: Op, options: str, size: Sequence[int], kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int]
) -> list[int]:
    """ONNX's pads, top, left, bottom, right. SAME gives ceil(size / stride) positions, and one side's odd pixel to
    its end."""
    padding = op.option(options, "Padding")
    if padding == VALID:
        return [0, 0, 0, 0]
    if padding != SAME:
        raise op.error(f"padding of code {padding} is not supported; use SAME or VALID")
    total = [
        max((-(-n // stride) - 1) * stride + (k - 1) * dilation + 1 - n, 0)
        for n, k, stride, dilation in zip(size, kernel, strides, dilations, strict=True)
    ]
    before = [n // 2 for n in total]
    return [*before, *(n - b for n, b in zip(total, before, strict=True))]


def window_option(op: Op, options: str, field: str) -> int:
    """A stride, dilation or size, which is 1 or more."""
    value = int(op.option(options, field))
    if value < 1:
        raise op.error(f"{field} is {value}; it must be 1 or more")
    return value
