"""Functions of MVE that are printed: each with its unrolls, strides and endings."""

from mcuq.kernels.mve.assembly.depthwise_3x3 import depthwise_1x4, depthwise_2x2
from mcuq.kernels.mve.assembly.dot import dot_2x3
from mcuq.kernels.mve.assembly.pixels import pixels_16, pixels_32
from mcuq.kernels.mve.assembly.pixels_any import pixels_any
from mcuq.kernels.mve.assembly.plane_dot import depthwise_dot
from mcuq.kernels.mve.assembly.requantize import requantize_sums

FUNCTIONS = (
    depthwise_2x2(),
    depthwise_1x4(),
    dot_2x3(64),
    dot_2x3(128),
    pixels_16(),
    pixels_32(),
    pixels_any(),
    *(depthwise_dot(rows, stride) for rows in (1, 3) for stride in (1, 2)),
    requantize_sums(),
)
