"""Layers of packed weights: sizes around blocks and words, every packing, one codebook a layer or a channel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from cases import conv2d, fully_connected
from support import Case, integer_branches

from mcuq.graph.ir import Graph
from mcuq.graph.tensor import Array, Tensor
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.fully_connected import FullyConnected
from mcuq.ops.weighted import WEIGHT_MAX

KINDS = ("int4", "int2", "ternary", "binary", "codebook", "channel codebooks", "blocks")
_MOST = {"int4": 7, "int2": 1, "ternary": 1, "binary": 1}


def packing_named(kind: str) -> str:
    """The packing of one of KINDS."""
    return "codebook" if kind.endswith("codebooks") else kind


def pack_weights(graph: Graph, kind: str | Sequence[str], seed: int = 0, on_grid: bool = True) -> Graph:
    """The graph with the weights of all layers packed, and biases that go with them; `kind` is one of KINDS, for all
    layers or for each in turn.

    `on_grid`: weights become random values of the packing, among them all extremes; else the nearest of its values.
    """
    rng = np.random.default_rng(seed)
    tensors = dict(graph.tensors)
    weighted = [n for n in graph.nodes if isinstance(n.op, Conv2d | FullyConnected)]
    for index, node in enumerate(weighted):
        own = kind if isinstance(kind, str) else kind[index % len(kind)]
        x, weight, bias = (tensors[name] for name in node.inputs)
        values = random_values(weight.shape, own, rng) if on_grid else nearest_values(weight.values, own)
        packed = replace(weight, data=values, packing=packing_named(own))
        if not on_grid and own in _MOST:
            scale = np.array(weight.quantization.scale) * WEIGHT_MAX / _MOST[own]
            packed = replace(packed, quant=replace(weight.quantization, scale=tuple(scale.tolist())))
        tensors[weight.name] = packed
        tensors[bias.name] = _folded_anew(x, weight, packed, bias)
    return replace(graph, tensors=tensors)


def random_values(shape: Sequence[int], kind: str, rng: np.random.Generator) -> Array:
    """int8 values of a packing: any, all of one extreme, or the extremes in turn."""
    if kind == "channel codebooks":
        rows = [rng.choice(rng.integers(-127, 128, 16), shape[1:]) for _ in range(shape[0])]
        return np.stack(rows).astype(np.int8)
    if kind == "blocks":
        return np.stack([_in_runs(int(np.prod(shape[1:])), rng).reshape(shape[1:]) for _ in range(shape[0])])
    grids = {"int4": range(-8, 8), "int2": range(-2, 2), "ternary": (-1, 0, 1), "binary": (-1, 1)}
    grid = np.array(grids.get(kind, np.unique(rng.integers(-127, 128, 16))), np.int8)
    how = rng.integers(5)
    if how == 0:
        return np.full(shape, rng.choice([grid[0], grid[-1]]), np.int8)
    if how == 1:
        return np.where(np.arange(np.prod(shape)).reshape(shape) % 2, grid[0], grid[-1]).astype(np.int8)
    return rng.choice(grid, shape).astype(np.int8)


def _in_runs(count: int, rng: np.random.Generator) -> Array:
    """int8 values whose runs of 32 have a step and a zero each."""
    steps, zeros = (rng.integers(*limits, -(-count // 32)).repeat(32)[:count] for limits in ((1, 256), (0, 16)))
    values = ((rng.integers(0, 16, count) - zeros) * steps + 8) >> 4
    return np.where(np.abs(values + 0.5) < 128, values, 0).astype(np.int8)


def nearest_values(weight: Array, kind: str) -> Array:
    """The int8 weights (channels, ...) by rounding: to the grid of the packing, else to multiples of 15."""
    w = weight.astype(np.float64)
    if kind == "binary":
        return np.where(w < 0, -1, 1).astype(np.int8)
    if kind in _MOST:
        return np.rint(w * _MOST[kind] / WEIGHT_MAX).astype(np.int8)
    return np.clip(np.rint(w / 15) * 15, -105, 105).astype(np.int8)


def _folded_anew(x: Tensor, weight: Tensor, packed: Tensor, bias: Tensor) -> Tensor:
    """The bias in the packed weight's scale, with the zero point times its sum folded in."""
    before, after = (w.values.reshape(len(w.values), -1).sum(axis=1, dtype=np.int64) for w in (weight, packed))
    ratio = np.array(weight.quantization.scale) / np.array(packed.quantization.scale)
    folded = np.rint((bias.values + x.zero_point * before) * ratio) - x.zero_point * after
    scale = tuple((x.scale * np.array(packed.quantization.scale)).tolist())
    return replace(bias, data=folded.astype(np.int32), quant=replace(bias.quantization, scale=scale))


def windows(rng: np.random.Generator) -> Case:
    """Any window, in one group or several."""
    return conv2d.any_grouped(rng) if rng.integers(2) else conv2d.any_dense(rng)


MAKERS = {
    "pointwise": conv2d.any_pointwise,
    "conv2d": windows,
    "depthwise": conv2d.any_depthwise,
    "fully_connected": fully_connected.any_dense,
}


def packed_layers(name: str, kind: str | Sequence[str], seed: int, count: int) -> Graph:
    """`count` random layers of one of MAKERS side by side, packed as `pack_weights` says."""
    rng = np.random.default_rng([seed, sorted(MAKERS).index(name)])
    return pack_weights(integer_branches([MAKERS[name](rng) for _ in range(count)], seed), kind, seed)
