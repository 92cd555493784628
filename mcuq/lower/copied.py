"""Weights that are copied into working memory before the layer's calls: those that a layer reads again and again, where
the arena is in faster memory than constants are."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np

from mcuq.graph.liveness import aligned
from mcuq.kernels.c_types import C_TYPES
from mcuq.kernels.kernel import Call
from mcuq.kernels.portable.copy_weights import CopyWeightsConstants
from mcuq.lower.program import Program, Step
from mcuq.lower.unpack import packing_of

# Products of each weight. Kernels read one once for up to four pixels, and a copy costs a read and a write: from here
# on a fourth of what flash is asked for is left, at most.
LEAST_USES = 16
# What kernels call the array of weights, the first of theirs; those of Helium have constants of channels among them.
WEIGHTS = ("weight", "blocks", "records")


def with_copied_weights(program: Program, most_bytes: int, without: Collection[str] = ()) -> Program:
    """The program whose layers that use each of their weights LEAST_USES times or more copy these first, where
    they are `most_bytes` at most; not the layers whose outputs are named in `without`. Itself where there are none."""
    steps = tuple(
        _copied(step) if 0 < copied_bytes_of(step) <= most_bytes and step.layer.output.name not in without else step
        for step in program.steps
    )
    is_changed = any(a is not b for a, b in zip(steps, program.steps, strict=True))
    return replace(program, steps=steps) if is_changed else program


def copied_bytes_of(step: Step) -> int:
    """Bytes of the weights that a layer could copy; 0 where it has none, does not use them often enough, or unpacks
    them, each once."""
    if len(step.calls) != 1 or packing_of(step.layer) is not None:
        return 0
    (call,) = step.calls
    name, weight = next(iter(call.arrays.items()), ("", None))
    if weight is None or name not in WEIGHTS or call.rows or call.parameters:
        return 0
    given = next(t for t in step.layer.inputs if t.is_constant)
    uses = step.layer.op.macs(step.layer) * np.dtype(given.dtype).itemsize / weight.nbytes
    return weight.nbytes if uses >= LEAST_USES else 0


def copies_of(program: Program) -> tuple[tuple[str, int], ...]:
    """The layers that copy weights, each with their bytes."""
    found = ((step.layer.name, call.constants) for step in program.steps for call in step.calls)
    return tuple((layer, own.bytes) for layer, own in found if isinstance(own, CopyWeightsConstants))


def _copied(step: Step) -> Step:
    (call,) = step.calls
    name, weight = next(iter(call.arrays.items()))
    dtype, room = weight.dtype.name, aligned(weight.nbytes)
    constants = CopyWeightsConstants(C_TYPES[dtype], weight.nbytes)
    copy = Call(constants, (), {name: weight}, scratch_bytes=room, has_output=False)
    others = {other: array for other, array in call.arrays.items() if other != name}
    rest = replace(call, arrays=others, unpacked=dtype, scratch_offset=room)
    return replace(step, calls=(copy, rest))
