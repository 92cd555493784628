"""Windows over three dimensions, as windows over two.

A dimension along which windows are single places joins the batch, or its neighbour. Else the depth is unfolded: each
window along it becomes an image whose channels, or whose pixels, are those of all that it covers, so that one sum has
all of it and is rounded once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.tensor import Array
from mcuq.ops.concat import Concat
from mcuq.ops.pad import Pad
from mcuq.ops.reshape import Reshape
from mcuq.ops.slice import Slice
from mcuq.ops.transpose import Transpose
from mcuq.ops.unfold import Unfold
from mcuq.ops.window import SINGLE, AxisWindow, Window, window_of

# Adds an operator over images (N, H, W, C) with a window, and weights (O, H, W, I) where it has some.
OverImages = Callable[[str, Window], str]
Convolution = Callable[[str, Window, Array], str]


def convolution_over_volume(
    graph: GraphBuilder, x: str, windows: Sequence[AxisWindow], weight: Array, groups: int, convolution: Convolution
) -> str:
    """Of `x` (N, C, D, H, W), with weights (O, I / groups, D, H, W): (N, O, OD, OH, OW)."""
    depth, height, width = windows
    alone = _single_axis(windows)
    if alone is not None:
        flat = np.squeeze(weight, alone + 2)
        return _over_planes(graph, x, windows, lambda x, window: convolution(x, window, flat.transpose(0, 2, 3, 1)))
    n, channels, _, h, w = graph.tensors[x].shape
    x = _padded(graph, graph.add(Transpose((0, 2, 3, 4, 1)), [x]), 1, depth)
    padded = graph.tensors[x].shape[1]
    x = graph.add(Reshape((n, padded, h, w, groups, channels // groups)), [x])
    x = graph.add(Unfold(1, depth.kernel, depth.stride, depth.dilation, at=5), [x])
    outputs = graph.tensors[x].shape[1]
    x = graph.add(Reshape((n * outputs, h, w, channels * depth.kernel)), [x])
    ohwi = weight.transpose(0, 3, 4, 2, 1).reshape(len(weight), height.kernel, width.kernel, -1)
    y = convolution(x, window_of(height, width), ohwi)
    y = graph.add(Reshape((n, outputs, *graph.tensors[y].shape[1:])), [y])
    return graph.add(Transpose((0, 4, 1, 2, 3)), [y])


def plane_by_plane(graph: GraphBuilder, x: str, windows: Sequence[AxisWindow], pool: OverImages) -> str:
    """What `pool` gives along the depth, and what it gives of these over each image: of maxima and of norms that is
    what it gives of all."""
    if _single_axis(windows) is None:
        depth, height, width = windows
        x = _over_planes(graph, x, (depth, SINGLE, SINGLE), pool)
        windows = (SINGLE, height, width)
    return _over_planes(graph, x, windows, pool)


def means_over_volume(
    graph: GraphBuilder, x: str, windows: Sequence[AxisWindow], counts_pads: bool, pool: OverImages
) -> str:
    """Parts of the depth whose windows have as many places that count, one after the other; so of the width where
    windows have gaps there."""
    if _single_axis(windows) is not None:
        return _over_planes(graph, x, windows, pool)
    depth, _, width = windows
    x = graph.add(Transpose((0, 2, 3, 4, 1)), [x])
    sizes = graph.tensors[x].shape
    has_gaps = width.dilation > 1
    if counts_pads:
        x = _padded(graph, x, 1, depth)
        x = _padded(graph, x, 3, width) if has_gaps else x
    rows = []
    for deep in _runs(depth, sizes[1], counts_pads):
        wides = [*_runs(width, sizes[3], counts_pads)] if has_gaps else [None]
        parts = [_means_of_run(graph, x, windows, deep, wide, pool) for wide in wides]
        rows.append(parts[0] if len(parts) == 1 else graph.add(Concat(3), parts))
    y = rows[0] if len(rows) == 1 else graph.add(Concat(1), rows)
    return graph.add(Transpose((0, 4, 1, 2, 3)), [y])


def _single_axis(windows: Sequence[AxisWindow]) -> int | None:
    """A dimension along which windows are single places, the width before the height; None where there is none."""
    return next((axis for axis in (0, 2, 1) if windows[axis].is_trivial), None)


def _over_planes(graph: GraphBuilder, x: str, windows: Sequence[AxisWindow], over: OverImages) -> str:
    """Where `_single_axis` is one of the batch, or width and height are one dimension: `x` (N, C, D, H, W) and the
    result alike."""
    alone = _single_axis(windows)
    if alone is None:
        raise ValueError("no dimension is left out")
    rest = [axis for axis in range(3) if axis != alone]
    is_row = alone == 2 and windows[1].is_trivial
    perm = (0, 2, 3, 4, 1) if is_row else (0, 2 + alone, 2 + rest[0], 2 + rest[1], 1)
    x = graph.add(Transpose(perm), [x])
    n, a, b, c, channels = graph.tensors[x].shape
    images = (n, a, b * c, channels) if is_row else (n * a, b, c, channels)
    y = over(graph.add(Reshape(images), [x]), window_of(windows[rest[0]], windows[rest[1]]))
    _, height, width, outputs = graph.tensors[y].shape
    y = graph.add(Reshape((n, height, b, c, outputs) if is_row else (n, a, height, width, outputs)), [y])
    return graph.add(Transpose(tuple(perm.index(axis) for axis in range(5))), [y])


def _padded(graph: GraphBuilder, x: str, axis: int, along: AxisWindow) -> str:
    if along.begin == along.end == 0:
        return x
    rank = len(graph.tensors[x].shape)
    before, after = (tuple(pad if a == axis else 0 for a in range(rank)) for pad in (along.begin, along.end))
    return graph.add(Pad(before, after), [x])


@dataclass(frozen=True)
class _Run:
    """Neighbouring windows along a dimension that have `taps` places of it each, from `start` on."""

    start: int
    outputs: int
    taps: int
    stride: int
    dilation: int

    @property
    def places(self) -> int:
        return (self.outputs - 1) * self.stride + (self.taps - 1) * self.dilation + 1


def _runs(along: AxisWindow, size: int, counts_pads: bool) -> Iterator[_Run]:
    """All windows along `size` places, those of one run together, from the first place that counts on."""
    run: _Run | None = None
    begin, end = (along.begin, along.end) if counts_pads else (0, 0)
    for o in range(along.outputs(size)):
        taps = (o * along.stride - along.begin + begin + k * along.dilation for k in range(along.kernel))
        places = [place for place in taps if 0 <= place < begin + size + end]
        if run is not None and len(places) == run.taps and places[0] == run.start + run.outputs * run.stride:
            run = _Run(run.start, run.outputs + 1, run.taps, run.stride, run.dilation)
            continue
        if run is not None:
            yield run
        run = _Run(places[0], 1, len(places), along.stride, along.dilation)
    if run is not None:
        yield run


def _means_of_run(
    graph: GraphBuilder, x: str, windows: Sequence[AxisWindow], deep: _Run, wide: _Run | None, pool: OverImages
) -> str:
    """(N, OD, OH, OW, C) of `x` (N, D, H, W, C): the depth's places of a window are neighbours in a row, as all are
    that it has there."""
    _, height, width = windows
    x = _unfolded(graph, x, 1, deep, at=4)
    n, outputs, h, w, _, channels = graph.tensors[x].shape
    kernel, stride, begin, end = (value * deep.taps for value in (width.kernel, width.stride, width.begin, width.end))
    along = AxisWindow(kernel, stride, begin, end, 1, width.ceil_mode)
    if wide is not None:
        x = _unfolded(graph, x, 3, wide, at=4)
        w = wide.outputs * wide.taps
        along = AxisWindow(wide.taps * deep.taps, wide.taps * deep.taps, 0, 0, 1)
    images = graph.add(Reshape((n * outputs, h, w * deep.taps, channels)), [x])
    y = pool(images, window_of(height, along))
    return graph.add(Reshape((n, outputs, *graph.tensors[y].shape[1:])), [y])


def _unfolded(graph: GraphBuilder, x: str, axis: int, run: _Run, at: int) -> str:
    shape = graph.tensors[x].shape
    if (run.start, run.places) != (0, shape[axis]):
        begin = tuple(run.start if a == axis else 0 for a in range(len(shape)))
        sizes = tuple(run.places if a == axis else size for a, size in enumerate(shape))
        x = graph.add(Slice(begin, sizes, (1,) * len(shape)), [x])
    return graph.add(Unfold(axis, run.taps, run.stride, run.dilation, at), [x])
