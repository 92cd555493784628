"""Boxes of YOLO v5 and v8: heads as the network's last convolutions give them, or outputs that are decoded already.

v5 (ultralytics/yolov5, models/yolo.py, Detect): center (2 s(t) - 0.5 + cell) stride, extent (2 s(t))^2 anchor, score
s(object) s(class). v8 (Generalized Focal Loss, arXiv 2006.04388): the distance of each edge from the cell's middle is
the mean of `bins` numbers from 0 by their softmax, times the stride; score s(class). s is the logistic function.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mcuq.after.after import After
from mcuq.after.boxes import FINE_BITS, Candidates, Integers, edges_of, rounded
from mcuq.after.classes import fixed
from mcuq.after.port import check_labels, integer_port
from mcuq.after.scores import Scores, least_code, power_below, scores_of
from mcuq.errors import ModelError
from mcuq.graph.ir import Graph
from mcuq.graph.tensor import Array, Tensor


@dataclass(frozen=True, eq=False)
class Head:
    """`cells` of a grid (width, height), each with `anchors`, widths and heights in 2^-8 pixels, (0, 0) where there are
    none. Channel k of a cell and an anchor is at anchor * anchor_step + cell * cell_step + k * channel_step. `least` is
    the least code whose score reaches the threshold."""

    tensor: Tensor
    cells: tuple[int, int]
    stride: int
    anchors: tuple[tuple[int, int], ...]
    anchor_step: int
    cell_step: int
    channel_step: int
    scores: Scores
    least: int

    def values(self, flat: Array, channels: int) -> Integers:
        """(anchors, cells, channels) of the codes."""
        cells = np.arange(self.cells[0] * self.cells[1]) * self.cell_step
        first = np.arange(len(self.anchors))[:, None] * self.anchor_step + cells
        found: Integers = flat[first[..., None] + np.arange(channels) * self.channel_step].astype(np.int64)
        return found


@dataclass(frozen=True, eq=False)
class Yolo:
    """`version` 5 or 8; `size` is the image's (width, height), and `scale` makes pixels in 2^-8 of codes of outputs
    that are decoded: (q - zero) scale[i] >> 16, for x and y."""

    version: int
    heads: tuple[Head, ...]
    classes: int
    bins: int
    size: tuple[int, int]
    is_decoded: bool
    scale: tuple[int, int]

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """The outputs that it reads."""
        return tuple(head.tensor for head in self.heads)

    @property
    def first_class(self) -> int:
        """The channel of the first class; of v5 that of objects is before it."""
        return 5 if self.version == 5 else 4 if self.is_decoded else 4 * self.bins

    def described(self) -> str:
        """In a few words."""
        cells = sum(len(head.anchors) * head.cells[0] * head.cells[1] for head in self.heads)
        return f"YOLO v{self.version}, {cells:,} places, {self.classes} classes"

    def candidates(self, outputs: Mapping[str, Array], threshold: int) -> Candidates:
        """Of one sample, head by head, anchor by anchor, cell by cell."""
        parts = [self._of_head(head, outputs[head.tensor.name]) for head in self.heads]
        edges, classes, scores = (np.concatenate(own) for own in zip(*parts, strict=True))
        return Candidates.of(edges, classes, scores, threshold)

    def _of_head(self, head: Head, flat: Array) -> tuple[Integers, Integers, Integers]:
        q = head.values(flat, self.first_class + self.classes)
        own = q[..., self.first_class :]
        best = own.argmax(-1)
        scores = head.scores.of(own.max(-1))
        if self.version == 5:
            scores = (scores * head.scores.of(q[..., 4]) + (1 << 14)) >> 15
        edges = self._edges(head, q)
        return edges.reshape(-1, 4), best.reshape(-1), scores.reshape(-1)

    def _edges(self, head: Head, q: Integers) -> Integers:
        if self.is_decoded:
            pixels = ((q[..., :4] - head.tensor.zero_point) * np.array(self.scale * 2)) >> 16
            return edges_of(pixels[..., :2], pixels[..., 2:], self.size)
        cell = np.arange(q.shape[1])
        grid = np.stack([cell % head.cells[0], cell // head.cells[0]], -1).astype(np.int64)
        if self.version == 5:
            s = head.scores.of(q[..., :4])
            center = ((2 * s[..., :2] - (1 << 14) + (grid << 15)) * head.stride) >> (15 - FINE_BITS)
            anchors = np.array(head.anchors, np.int64)[:, None]
            return edges_of(center, (s[..., 2:] * s[..., 2:] * anchors) >> 28, self.size)
        logits = q[..., : 4 * self.bins].reshape(*q.shape[:2], 4, self.bins)
        weights = power_below(((logits.max(-1, keepdims=True) - logits) * head.scores.factor) >> 16)
        total = weights.sum(-1)
        far = (((weights * np.arange(self.bins)).sum(-1) << FINE_BITS) + total // 2) // total * head.stride
        middle = (grid * 2 + 1) * head.stride << (FINE_BITS - 1)
        return rounded(np.concatenate([middle - far[..., :2], middle + far[..., 2:]], -1), self.size)


def yolo_for(after: After, graph: Graph) -> Yolo:
    """Raises ModelError where outputs are no such heads."""
    values, version = after.values, int(after.kind[-1])
    threshold = fixed(values["threshold"])
    size = values["width"], values["height"]
    named = values["heads"] or list(graph.given_outputs)
    for name in named:
        if name not in graph.given_outputs:
            listed = ", ".join(f"'{own}'" for own in graph.given_outputs)
            raise ModelError(f"{after.where}: heads: '{name}' is no output of the model, which has {listed}")
    tensors = [integer_port(graph, name, after) for name in named]
    if len({tensor.dtype for tensor in tensors}) > 1:
        raise ModelError(f"{after.where}: heads: are of several types; use a scheme that gives them one")
    if values["decoded"]:
        return _decoded(after, version, tensors, size, threshold)
    strides: list[int] = values["strides"]
    anchors: list[list[float]] = values["anchors"] if version == 5 else [[0, 0] for _ in tensors]
    for key, count in (("strides", len(strides)), ("anchors", len(anchors))):
        if count != len(tensors):
            raise ModelError(f"{after.where}: {key}: has {count} heads, the model {len(tensors)}; give each one")
    bins = values["bins"] if version == 8 else 0
    before, heads, classes = 5 if version == 5 else 4 * bins, [], set()
    for tensor, stride, own in zip(tensors, strides, anchors, strict=True):
        pixels = [round(v * 2**FINE_BITS) for v in own]
        pairs = tuple(zip(pixels[::2], pixels[1::2], strict=True))
        steps = _steps(after, tensor, stride, len(pairs), size)
        classes.add(steps.pop("channels") - before)
        heads.append(_head(tensor, pairs, threshold, scores_of("sigmoid", tensor), stride=stride, **steps))
    if len(classes) > 1 or min(classes) < 1:
        told = ", ".join(map(str, sorted(classes)))
        raise ModelError(
            f"{after.where}: heads: have {told} classes behind {before} channels; must all have the same, 1 or more"
        )
    check_labels(after, tensors[0], min(classes))
    return Yolo(version, tuple(heads), classes.pop(), bins, size, False, (0, 0))


def _head(tensor: Tensor, pairs: Any, threshold: int, scores: Scores, **steps: Any) -> Head:
    least = least_code(scores, tensor.dtype, threshold)
    return Head(tensor, anchors=pairs, scores=scores, least=least, **steps)


def _decoded(after: After, version: int, tensors: list[Tensor], size: tuple[int, int], threshold: int) -> Yolo:
    before = 5 if version == 5 else 4
    sizes = [n for n in tensors[0].shape if n > 1]
    if len(tensors) != 1 or len(sizes) != 2 or min(sizes) <= before:
        shapes = ", ".join("x".join(map(str, t.shape)) for t in tensors)
        raise ModelError(
            f"{after.where}: decoded: takes one output of places, and {before} channels and classes of each; the "
            f"model has {shapes}"
        )
    (tensor,) = tensors
    channels, places = min(sizes), max(sizes)
    steps = (places, 1) if sizes[0] == channels else (1, channels)
    unit = (1.0, 1.0) if after.values["unit"] == "pixels" else (float(size[0]), float(size[1]))
    scale = tuple(round(tensor.scale * own * 2.0 ** (FINE_BITS + 16)) for own in unit)
    head = _head(
        tensor,
        ((0, 0),),
        threshold,
        scores_of("probabilities", tensor),
        cells=(places, 1),
        stride=1,
        anchor_step=0,
        channel_step=steps[0],
        cell_step=steps[1],
    )
    check_labels(after, tensor, channels - before)
    return Yolo(version, (head,), channels - before, 0, size, True, (scale[0], scale[1]))


def _steps(after: After, tensor: Tensor, stride: int, anchors: int, size: tuple[int, int]) -> dict[str, Any]:
    """Where channels, cells and anchors of a head are: its shape is (channels, height, width) or (height, width,
    channels), with channels of all anchors or, for v5, (anchors, height, width, channels)."""
    width, height = size[0] // stride, size[1] // stride
    cells, shape = width * height, tensor.shape[1:] if tensor.shape[0] == 1 else tensor.shape
    found = []
    if len(shape) == 3 and shape[1:] == (height, width) and shape[0] % anchors == 0:
        found.append((shape[0] // anchors, shape[0] // anchors * cells, 1, cells))
    if len(shape) == 3 and shape[:2] == (height, width) and shape[2] % anchors == 0:
        found.append((shape[2] // anchors, shape[2] // anchors, shape[2], 1))
    if len(shape) == 4 and shape[:3] == (anchors, height, width):
        found.append((shape[3], cells * shape[3], shape[3], 1))
    if len(found) != 1:
        forms = f"(channels, {height}, {width}) or ({height}, {width}, channels)"
        raise ModelError(
            f"{after.where}: heads: '{tensor.name}' of shape {'x'.join(map(str, tensor.shape))} is no grid of stride "
            f"{stride} in an image of {size[0]}x{size[1]}: {forms}, {anchors} anchors a cell"
        )
    channels, anchor_step, cell_step, channel_step = found[0]
    return {
        "channels": channels,
        "cells": (width, height),
        "anchor_step": anchor_step,
        "cell_step": cell_step,
        "channel_step": channel_step,
    }
