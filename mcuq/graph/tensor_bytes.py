"""Tensors as the bytes that a device, an emulator or a program of the host exchanges, and where two of them differ.

Little-endian, as all CPUs that mcuq knows are; several tensors lie one after the other without gaps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mcuq.graph.ir import Graph
from mcuq.graph.tensor import Array


def join_tensors(values: Mapping[str, Array], names: Sequence[str]) -> bytes:
    """The bytes of the named tensors of one sample, in the order given."""
    return b"".join(np.ascontiguousarray(values[name]).tobytes() for name in names)


def join_samples(batch: Mapping[str, Array], graph: Graph) -> list[bytes]:
    """The bytes of all inputs of each sample, of inputs (samples, *shape)."""
    count = len(next(iter(batch.values())))
    return [join_tensors({name: batch[name][i] for name in graph.inputs}, graph.inputs) for i in range(count)]


def split_tensors(data: bytes, graph: Graph, names: Sequence[str]) -> dict[str, Array]:
    """The named tensors of the graph that lie one after the other in `data`, each of its own shape and dtype."""
    found = {}
    start = 0
    for name in names:
        tensor = graph.tensors[name]
        part = data[start : start + tensor.size_bytes]
        found[name] = np.frombuffer(part, tensor.dtype).reshape(tensor.shape)
        start += tensor.size_bytes
    return found


def bytes_of(names: Sequence[str], graph: Graph) -> int:
    """How many bytes the named tensors have together."""
    return sum(graph.tensors[name].size_bytes for name in names)


def differing_bytes(want: Array, got: Array) -> Array:
    """bool (elements, bytes an element): which bytes of two arrays of one dtype differ. -0.0 is not 0.0 here."""
    pair = [np.ascontiguousarray(a).reshape(-1, 1).view(np.uint8) for a in (want, got)]
    return np.asarray(pair[0] != pair[1])
