"""AveragePool over the whole image, which is a mean over rows and columns."""

from __future__ import annotations

from mcuq.graph.operator import Layer
from mcuq.kernels.kernel import Call
from mcuq.kernels.portable.mean import MeanConstants
from mcuq.kernels.requantized import requantized
from mcuq.ops.average_pool import AveragePool


def accepts_whole_image(op: AveragePool, layer: Layer) -> bool:
    """One window, which is the image."""
    return op.window.kernel == layer.inputs[0].shape[1:3] and not any(op.window.pads)


def lower_whole_image(op: AveragePool, layer: Layer) -> tuple[Call, ...]:
    """The kernel of Mean."""
    x = layer.inputs[0]
    batch, height, width, channels = x.shape
    _, requant = op.requantization(layer)
    constants = MeanConstants(
        **requantized(op, requant, layer.output),
        outer=batch,
        reduced=height * width,
        inner=channels,
        bias=-height * width * x.zero_point,
        multiplier=requant.multiplier[0],
    )
    return (Call(constants, bound=op.bound(layer)),)
