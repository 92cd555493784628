"""ConvTranspose: a convolution that computes all pixels of a stride at once, as channels, which become pixels.

y[q * stride + p] = sum over t of x[q - t] * w[t * stride + p]: for each phase p a convolution by every stride-th tap.
No zero is multiplied where the stride divides the kernel.
"""

from __future__ import annotations

import numpy as np

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.tensor import Array, Quant
from mcuq.onnx_io.given import weight_quant
from mcuq.onnx_io.reader import OnnxNode, weights
from mcuq.ops.composed.depth import blocks_to_space
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.layout import channels_last, spatial_shape
from mcuq.ops.reshape import Reshape
from mcuq.ops.slice import Slice
from mcuq.ops.transpose import Transpose
from mcuq.ops.window import Window


def from_conv_transpose(node: OnnxNode, graph: GraphBuilder) -> str:
    """Weights (I, O/group, [H,] W). Raises ModelError where padding of the output reaches beyond what is computed."""
    spatial, group = spatial_shape(node), node.attribute("group", 1)
    weight = weights(node, 1, "weight")
    if len(weight.shape) != len(node.shape(0)) or weight.shape[0] != node.shape(0)[1] or weight.shape[0] % group:
        raise node.error(f"weight of shape {list(weight.shape)} in {group} groups does not fit {list(node.shape(0))}")
    kernel = tuple(node.attribute("kernel_shape", weight.shape[2:]))
    if kernel != weight.shape[2:]:
        raise node.error(f"kernel_shape={list(kernel)} differs from the weight's {list(weight.shape[2:])}")
    weight = _dilated(weight, node.attribute("dilations", (1,) * len(spatial)))
    strides = tuple(node.attribute("strides", (1,) * len(spatial)))
    begins, sizes = _output(node, spatial, weight.shape[2:], strides)
    taps = tuple(-(-k // s) for k, s in zip(weight.shape[2:], strides, strict=True))
    for size, begin, n, t, s in zip(sizes, begins, spatial, taps, strides, strict=True):
        if begin + size > (n + t - 1) * s or begin < 0 or size < 1:
            raise node.error(f"an output of {list(sizes)} from {list(begins)} on reaches beyond what windows meet")
    height, (sy, sx) = (1,) * (2 - len(spatial)), _two(strides)
    ty, tx = _two(taps)
    outputs = weight.shape[1] * group
    bias = weights(node, 2, "bias") if node.has(2) else np.zeros(outputs, np.float32)
    window = Window((ty, tx), pads=(ty - 1, tx - 1, ty - 1, tx - 1))
    inputs = [
        channels_last(node, graph),
        graph.constant(
            _phases(weight.reshape(*weight.shape[:2], *height, *weight.shape[2:]), group, (sy, sx)),
            node.inputs[1],
            _quant(node, group, sy * sx),
        ),
        graph.constant(np.repeat(bias, sy * sx), node.inputs[2] if node.has(2) else f"{node.name}.bias"),
    ]
    y = graph.add(Transpose((0, 3, 1, 2)), [graph.add(Conv2d(window, group), inputs, name=node.name)])
    if (sy, sx) != (1, 1):
        y = blocks_to_space(graph, y, (sy, sx), is_last=True)
    n, channels, *_ = graph.tensors[y].shape
    if len(spatial) == 1:
        y = graph.add(Reshape((n, channels, graph.tensors[y].shape[3])), [y])
    whole, wanted = graph.tensors[y].shape, (n, channels, *sizes)
    if whole != wanted:
        y = graph.add(Slice((0, 0, *begins), wanted, (1,) * len(wanted)), [y])
    return y


def _phases(weight: Array, group: int, strides: tuple[int, int]) -> Array:
    """OHWI: output channel ((g, o), py, px) has the taps t * stride + p, the last first."""
    inputs, outputs, height, width = weight.shape
    sy, sx = strides
    ty, tx = -(-height // sy), -(-width // sx)
    padded = np.zeros((inputs, outputs, ty * sy, tx * sx), weight.dtype)
    padded[:, :, :height, :width] = weight
    apart = padded.reshape(group, inputs // group, outputs, ty, sy, tx, sx)[:, :, :, ::-1, :, ::-1]
    ordered = apart.transpose(0, 2, 4, 6, 3, 5, 1)  # g, o, py, px, ty, tx, i
    return np.ascontiguousarray(ordered.reshape(group * outputs * sy * sx, ty, tx, inputs // group))


def _quant(node: OnnxNode, group: int, phases: int) -> Quant | None:
    """The file's own scales of the weight, of which each group has all, for the channels that `_phases` makes."""
    given = weight_quant(node, 1, axis=1)
    if given is None or len(given.scale) == 1:
        return given
    return Quant(tuple(scale for scale in given.scale * group for _ in range(phases)))


def _dilated(weight: Array, dilations: tuple[int, ...]) -> Array:
    """With zeros between the taps."""
    shape = [(k - 1) * d + 1 for k, d in zip(weight.shape[2:], dilations, strict=True)]
    spread = np.zeros((*weight.shape[:2], *shape), weight.dtype)
    spread[(slice(None), slice(None), *(slice(None, None, d) for d in dilations))] = weight
    return spread


def _output(
    node: OnnxNode, spatial: tuple[int, ...], kernel: tuple[int, ...], strides: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """(where the output begins in what all windows reach, its size), as ONNX says for ConvTranspose."""
    extra = tuple(node.attribute("output_padding", (0,) * len(spatial)))
    full = tuple((n - 1) * s + k + e for n, s, k, e in zip(spatial, strides, kernel, extra, strict=True))
    wanted, auto = node.attribute("output_shape"), node.attribute("auto_pad", "NOTSET")
    if wanted is None and auto in ("NOTSET", "VALID"):
        pads = tuple(node.attribute("pads", (0,) * 2 * len(spatial))) if auto == "NOTSET" else (0,) * 2 * len(spatial)
        ends = pads[len(spatial) :]
        return pads[: len(spatial)], tuple(f - b - e for f, b, e in zip(full, pads, ends, strict=False))
    sizes = tuple(wanted[-len(spatial) :]) if wanted else tuple(n * s for n, s in zip(spatial, strides, strict=True))
    totals = [max(0, f - size) for f, size in zip(full, sizes, strict=True)]
    # An odd rest is at the end for SAME_UPPER alone.
    begins = tuple(total // 2 if auto == "SAME_UPPER" else total - total // 2 for total in totals)
    return begins, sizes


def _two(values: tuple[int, ...]) -> tuple[int, int]:
    return (1, values[0]) if len(values) == 1 else (values[0], values[1])
