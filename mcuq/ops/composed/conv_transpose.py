"""ConvTranspose: a convolution that computes all pixels of a stride at once, as channels, which become pixels.

y[q * stride + p] = sum over t of x[q - t] * w[t * stride + p]: for each phase p a convolution by every stride-th tap.
No zero is multiplied where the stride divides the kernel.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.tensor import Array, Quant
from mcuq.onnx_io.given import weight_quant
from mcuq.onnx_io.reader import OnnxNode, weights
from mcuq.ops.composed.depth import blocks_to_space, blocks_to_volume
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.layout import channels_last, spatial_shape
from mcuq.ops.reshape import Reshape
from mcuq.ops.slice import Slice
from mcuq.ops.transpose import Transpose
from mcuq.ops.volume import convolution_over_volume
from mcuq.ops.window import AxisWindow, Window, plane_window

MOST_CHANNELS = 2**22  # of all phases


def from_conv_transpose(node: OnnxNode, graph: GraphBuilder) -> str:
    """Weights (I, O/group, [[D,] H,] W). Raises ModelError where nothing is left of the output."""
    spatial, group = spatial_shape(node), node.attribute("group", 1)
    weight = weights(node, 1, "weight")
    if len(weight.shape) != len(node.shape(0)) or weight.shape[0] != node.shape(0)[1] or weight.shape[0] % group:
        raise node.error(f"weight of shape {list(weight.shape)} in {group} groups does not fit {list(node.shape(0))}")
    kernel = tuple(node.attribute("kernel_shape", weight.shape[2:]))
    if kernel != weight.shape[2:]:
        raise node.error(f"kernel_shape={list(kernel)} differs from the weight's {list(weight.shape[2:])}")
    weight = _dilated(weight, node.attribute("dilations", (1,) * len(spatial)))
    strides = tuple(node.attribute("strides", (1,) * len(spatial)))
    outputs = weight.shape[1] * group
    if outputs * prod(strides) > MOST_CHANNELS:
        raise node.error(
            f"strides={list(strides)} make {outputs * prod(strides):,} channels of {outputs}; supported are "
            f"{MOST_CHANNELS:,}"
        )
    begins, sizes = _output(node, spatial, weight.shape[2:], strides)
    taps = tuple(-(-k // s) for k, s in zip(weight.shape[2:], strides, strict=True))
    if min(sizes) < 1:
        raise node.error(f"its pads leave an output of {list(sizes)}; use smaller pads")
    windows = [
        _needed(along, n, t, s)
        for along, n, t, s in zip(zip(begins, sizes, strict=True), spatial, taps, strides, strict=True)
    ]
    bias = weights(node, 2, "bias") if node.has(2) else np.zeros(outputs, np.float32)
    phases = graph.constant(np.repeat(bias, prod(strides)), node.inputs[2] if node.has(2) else f"{node.name}.bias")

    def convolution(images: str, window: Window, ohwi: Array) -> str:
        inputs = [images, graph.constant(ohwi, node.inputs[1], _quant(node, group, prod(strides))), phases]
        return graph.add(Conv2d(window, group), inputs, name=node.name)

    phased = _phases(weight, group, strides)
    if len(spatial) == 3:
        y = convolution_over_volume(graph, node.computed(0), windows, phased, group, convolution)
        y = blocks_to_volume(graph, y, (strides[0], strides[1], strides[2]))
    else:
        window = plane_window(windows)
        ohwi = phased.reshape(*phased.shape[:2], *window.kernel).transpose(0, 2, 3, 1)
        y = graph.add(Transpose((0, 3, 1, 2)), [convolution(channels_last(node, graph), window, ohwi)])
        if prod(strides) > 1:
            y = blocks_to_space(graph, y, ((1, *strides)[-2], strides[-1]), is_last=True)
    n, channels, *_ = graph.tensors[y].shape
    if len(spatial) == 1:
        y = graph.add(Reshape((n, channels, graph.tensors[y].shape[3])), [y])
    whole, wanted = graph.tensors[y].shape, (n, channels, *sizes)
    if whole != wanted:
        first = [b - (t - 1 - along.begin) * s for b, t, along, s in zip(begins, taps, windows, strides, strict=True)]
        y = graph.add(Slice((0, 0, *first), wanted, (1,) * len(wanted)), [y])
    return y


def _needed(wanted: tuple[int, int], size: int, taps: int, stride: int) -> AxisWindow:
    """The windows along `size` places that give what is wanted, (from, so much) of all that they reach, and the least
    beside it; those beyond all places give zero."""
    begin, outputs = wanted
    dropped = min(begin // stride, taps - 1)
    return AxisWindow(taps, 1, taps - 1 - dropped, max(0, -(-(begin + outputs) // stride) - size), 1)


def _phases(weight: Array, group: int, strides: tuple[int, ...]) -> Array:
    """(O, I / group, *taps): output channel ((g, o), *p) has the taps t * stride + p, the last first."""
    rank = len(strides)
    inputs, outputs, *kernel = weight.shape
    taps = [-(-k // s) for k, s in zip(kernel, strides, strict=True)]
    padded = np.zeros((inputs, outputs, *(t * s for t, s in zip(taps, strides, strict=True))), weight.dtype)
    padded[(slice(None), slice(None), *map(slice, kernel))] = weight
    pairs = [size for pair in zip(taps, strides, strict=True) for size in pair]
    apart = np.flip(padded.reshape(group, inputs // group, outputs, *pairs), tuple(range(3, 3 + 2 * rank, 2)))
    ordered = apart.transpose(0, 2, *range(4, 4 + 2 * rank, 2), 1, *range(3, 3 + 2 * rank, 2))
    return np.ascontiguousarray(ordered.reshape(group * outputs * prod(strides), inputs // group, *taps))


def _quant(node: OnnxNode, group: int, phases: int) -> Quant | None:
    """The file's own scales of the weight, of which each group has all, for the channels that `_phases` makes."""
    given = weight_quant(node, 1, axis=1)
    if given is None or len(given.scale) == 1:
        return given
    return replace(given, scale=tuple(scale for scale in given.scale * group for _ in range(phases)))


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
    if not wanted and any(f < size for f, size in zip(full, sizes, strict=True)):
        raise node.error(
            f"auto_pad={auto} asks for an output of {list(sizes)}, but windows reach {list(full)}, and runtimes give "
            "no more than that; use pads and output_padding"
        )
    totals = [max(0, f - size) for f, size in zip(full, sizes, strict=True)]
    # An odd rest is at the end for SAME_UPPER alone.
    begins = tuple(total // 2 if auto == "SAME_UPPER" else total - total // 2 for total in totals)
    return begins, sizes
