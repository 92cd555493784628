"""What bands of rows take beyond their part of whole layers."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

from mcuq.graph.operator import Layer
from mcuq.graph.rows import RowWindow


@dataclass(frozen=True)
class Work:
    """About how many instructions things take on a CPU: kernels make `pixels` at a time, `left` of the work of so many
    for each pixel that is left over, at least `window_left` where windows have several taps; a byte that moves within a
    ring; and of depthwise kernels for each four channels of a band the band and each tap, a row that is read once more,
    and each of its bytes. What bands of kws, ic, vww, sww and MobileNetV2 took beyond whole layers."""

    pixels: int
    left: float
    move: float
    again: float
    fours: float
    tap: float
    row: float = 0.0
    window_left: float = 0.0


A_CALL = 130.0  # of a band, and of asking whether its rows are there
_WORK = {
    "mve": Work(3, 1.0, 0.2, 0.6, 30, 4),
    "dsp": Work(4, 0.4, 0.2, 1.6, 160, 3, row=25, window_left=1.0),
    "rv32m": Work(4, 0.4, 0.8, 3.0, 100, 4),
    "armv6m": Work(8, 0.3, 0.2, 3.0, 100, 4),
}
_WORK_ELSEWHERE = Work(1, 1.0, 0.8, 3.0, 60, 4)


def work_of(features: Set[str]) -> Work:
    """Of a CPU with these features."""
    return next((work for feature, work in _WORK.items() if feature in features), _WORK_ELSEWHERE)


def is_of_channels_alone(layer: Layer) -> bool:
    """Whether it adds up products over the window of a channel alone."""
    return 0 < layer.op.macs(layer) < layer.output.elements * layer.activations[0].shape[-1]


def read_again(layer: Layer, axis: int, window: RowWindow, work: Work) -> float:
    """About the instructions that a band of such a layer takes beyond its part of those of the whole; 0 of others."""
    if not is_of_channels_alone(layer):
        return 0.0
    x = layer.activations[0]
    again = max(0, window.extent - window.stride) * (x.size_bytes // x.shape[axis])
    return work.again * again + taps_again(layer, work) + fours(layer) * work.fours


def taps_again(layer: Layer, work: Work) -> float:
    """Of each tap, in a band of such a layer."""
    return fours(layer) * work.tap * layer.op.macs(layer) / layer.output.elements


def fours(layer: Layer) -> int:
    """Channels of its input by four, as kernels take them."""
    return -(-layer.activations[0].shape[-1] // 4)


def blocks(pixels: int, work: Work) -> float:
    """How many blocks of pixels a kernel makes of so many, those that are not whole for a part of the work."""
    return pixels // work.pixels + min(1.0, pixels % work.pixels * work.left)
