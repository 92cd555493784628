"""Packed weights for kernels of whole ones: a call before the kernel's unpacks all of them into scratch, in the order
in which that kernel reads them."""

from __future__ import annotations

from collections.abc import Iterator, Set
from dataclasses import replace

import numpy as np

from mcuq.arithmetic.packing import PACKED, VALUES_A_WORD, fits, is_of_parts, pack
from mcuq.graph.liveness import aligned
from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array
from mcuq.kernels import KERNELS
from mcuq.kernels.kernel import Call, Kernel
from mcuq.kernels.portable.unpack import UnpackConstants

WEIGHT = "weight"  # what kernels call the array, the first of their arrays
Calls = tuple[Call, ...]


def packing_of(layer: Layer) -> str | None:
    """The packing of the layer's packed constant, if it has one."""
    return next((t.packing for t in layer.inputs if t.is_constant and t.packing in PACKED), None)


def unpacking_calls(layer: Layer, features: Set[str]) -> Iterator[tuple[Kernel, Calls]]:
    """The kernels for whole weights that the CPU can run, the preferred first, each with its calls for packed ones.

    A kernel is left out where its array of weights holds anything that the packing has no code for: what it is
    filled up with, or what it mixes in.
    """
    packing = packing_of(layer)
    assert packing is not None
    whole, shift = layer.op.whole_weights(layer)
    channels = next(t.shape[0] for t in layer.inputs if t.packing)
    for kernel in KERNELS[type(layer.op)]:
        if kernel.fits(whole, features):
            calls = _unpacked(kernel.lower(layer.op, whole), packing, shift, channels)
            if calls is not None:
                yield kernel, calls


def _unpacked(calls: Calls, packing: str, shift: int, channels: int) -> Calls | None:
    """The calls with their weights from scratch; None where these cannot be packed."""
    if len(calls) != 1 or next(iter(calls[0].arrays), None) != WEIGHT:
        return None
    (call,) = calls
    weight = call.arrays[WEIGHT]
    if weight.dtype.name not in ("int8", "int32"):
        return None
    values = np.ascontiguousarray(weight.astype(weight.dtype.newbyteorder("<"))).view(np.int8).reshape(-1)
    parts = _parts(values, packing, shift, channels)
    if parts is None:
        return None
    packed = [pack(part, packing, shift) for part in parts]
    a_word = VALUES_A_WORD[packing]
    room = aligned(-(-values.size // a_word) * a_word)
    constants = UnpackConstants(packing, parts.shape[1], len(parts), packed[0].size, shift)
    unpack = Call(constants, (), {WEIGHT: np.concatenate(packed)}, scratch_bytes=room, has_output=False)
    arrays = {name: array for name, array in call.arrays.items() if name != WEIGHT}
    return unpack, replace(call, arrays=arrays, unpacked=weight.dtype.name, scratch_offset=room)


def _parts(values: Array, packing: str, shift: int, channels: int) -> Array | None:
    """The values as rows that are packed on their own: one, or one a channel where each has a codebook, or blocks;
    None where neither fits."""
    if fits(values, packing, shift):
        return values.reshape(1, -1)
    if is_of_parts(packing) and values.size % channels == 0:
        rows = values.reshape(channels, -1)
        if all(fits(row, packing, shift) for row in rows):
            return rows
    return None
