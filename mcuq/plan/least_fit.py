"""What a model needs at least, from its weights and shapes: what cannot fit is refused before any data is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from mcuq.boards.facts import Board
from mcuq.errors import ModelError
from mcuq.graph.ir import Graph
from mcuq.graph.liveness import hands_over, live_bytes, storages_of
from mcuq.graph.tensor import Array, Tensor
from mcuq.ops.weighted_operator import is_weighted
from mcuq.plan.fit import check_least
from mcuq.quantize import Scheme
from mcuq.quantize.least_kept import least_kept

# Float values of a sample, and multiply-accumulates, that mcuq computes with itself on the way: 256 MiB a tensor, about
# 3 s a sample. A microcontroller of 1 GMAC/s would take a minute.
MOST_VALUES = 2**26
MOST_MACS = 2**36
IMAGE = 4  # dimensions of what has rows
MOST_CHANNELS = 2**22  # of all tensors: pruning looks at each one


def check_least_fit(
    name: str, graph: Graph, scheme: Scheme, board: Board | None, prune: bool, push: bool = False
) -> None:
    """Raise BoardError for a float graph of which no plan fits the board, ModelError for one too large for mcuq.

    `prune` says whether channels that no output depends on will be taken out: those are not counted then. Where inputs
    come row by row, `push`, they are never whole.
    """
    if board is not None and board.memory is not None and not _fits(graph, scheme, board, {}, push):
        # What the caller gives and takes stays whole; telling what else does takes time for each channel.
        _check(name, graph, scheme, board, _edges(graph) if prune else {}, push)
        if prune and _channels_of_all(graph) <= MOST_CHANNELS:
            _check(name, graph, scheme, board, least_kept(graph, scheme), push)
    for t in graph.tensors.values():
        if not t.is_constant and t.elements > MOST_VALUES:
            raise ModelError(
                f"model '{name}': tensor '{t.name}' of shape {list(t.shape)} has {t.elements:,} values; supported are "
                f"{MOST_VALUES:,}"
            )
    if _channels_of_all(graph) > MOST_CHANNELS:
        raise ModelError(
            f"model '{name}': its tensors have {_channels_of_all(graph):,} channels together; supported are "
            f"{MOST_CHANNELS:,}"
        )
    if graph.macs() > MOST_MACS:
        raise ModelError(
            f"model '{name}': takes {graph.macs():,} multiply-accumulates an inference; supported are {MOST_MACS:,}"
        )


def _check(name: str, graph: Graph, scheme: Scheme, board: Board, kept: Mapping[str, Array], push: bool) -> None:
    ram_bytes, tensors = _ram(graph, scheme, kept, push)
    check_least(name, ram_bytes, tensors, list(_weights(graph, scheme, kept)), board)


def _edges(graph: Graph) -> dict[str, Array]:
    """One channel of each tensor but the model's inputs and outputs."""
    return {name: np.zeros(1, int) for name in graph.tensors.keys() - {*graph.inputs, *graph.outputs}}


def _channels_of_all(graph: Graph) -> int:
    return sum(t.shape[-1] for t in graph.tensors.values() if t.shape)


def _fits(graph: Graph, scheme: Scheme, board: Board, kept: Mapping[str, Array], push: bool) -> bool:
    assert board.memory is not None
    flash_bytes = sum(size for _, size in _weights(graph, scheme, kept))
    return _ram(graph, scheme, kept, push)[0] <= board.memory.all_ram_bytes and flash_bytes <= board.memory.flash_bytes


def _ram(graph: Graph, scheme: Scheme, kept: Mapping[str, Array], push: bool = False) -> tuple[int, list[Tensor]]:
    """Bytes of the tensors alive at one step, the most, each of the narrowest type; and the tensors.

    Of images between layers a few rows may be enough, an output may lie over what its layer has read, and parts of it
    in their places in it.
    """
    narrowest = _narrowest(scheme)
    tensors = {
        t.name: t
        if t.is_constant
        else replace(
            t,
            dtype=t.integers.dtype if t.integers else narrowest,
            shape=(*t.shape[:-1], _channels(t, kept)) if t.shape else (),
        )
        for t in graph.tensors.values()
    }
    narrow = replace(graph, tensors=tensors)
    ports = {*graph.inputs, *graph.outputs}
    whole = [
        s for s in storages_of(narrow) if any(name in ports or len(tensors[name].shape) != IMAGE for name in s.tensors)
    ]
    if push:
        whole = [s for s in whole if s.first >= 0]
    live = dict.fromkeys(range(-1, len(graph.nodes) + 1), 0) | live_bytes(s.life for s in whole)
    of = {name: s for s in whole for name in s.tensors}
    for index, layer in enumerate(narrow.layers()):
        y = of.get(layer.output.name)
        may_overlap = len(layer.output.shape) == IMAGE or is_weighted(layer)
        for i in {**({0: 0} if may_overlap else {}), **layer.op.parts(layer)}:
            x = of.get(layer.inputs[i].name)
            if x is None or y is None or x is y:
                continue
            if i in layer.op.parts(layer):
                for step in range(max(x.first, y.first), min(x.last, y.last) + 1):
                    live[step] -= min(x.life[0], y.life[0])
            elif hands_over(x, y, index):
                live[index] -= min(x.life[0], y.life[0])
    return max(live.values(), default=0), [t for t in tensors.values() if not t.is_constant]


def _weights(graph: Graph, scheme: Scheme, kept: Mapping[str, Array]) -> Iterator[tuple[Tensor, int]]:
    """Weights and their bytes in flash; those of equal values once, as C has one array for them."""
    seen = set()
    for layer in graph.layers():
        if not is_weighted(layer):
            continue
        x, weight = layer.inputs[:2]
        inputs = weight.shape[-1] if weight.shape[-1] != x.shape[-1] else _channels(x, kept)
        outputs = _channels(layer.output, kept)
        elements = weight.elements // (weight.shape[0] * weight.shape[-1]) * outputs * inputs
        rows = np.abs(weight.values.reshape(len(weight.values), -1)).max(axis=1, initial=0)
        levels = np.round(weight.values.reshape(len(rows), -1) / np.where(rows, rows, 1)[:, None] * 127)
        key = (weight.shape, levels.astype(np.int8).tobytes())
        if key not in seen:
            seen.add(key)
            yield weight, int(elements * scheme.of(layer.name).stored.bits / 8)


def _channels(tensor: Tensor, kept: Mapping[str, Array]) -> int:
    if tensor.name in kept:
        return len(kept[tensor.name])
    return tensor.shape[-1] if tensor.shape else 1


def _narrowest(scheme: Scheme) -> str:
    types = {own.activations for own in (scheme.default, *scheme.layers.values())} | {scheme.input, scheme.output}
    if types & {"int8", "uint8"}:
        return "int8"
    return "int16" if "int16" in types else "float32"
