"""Constants that are to lie in faster memory: those of the layers that read them most."""

from __future__ import annotations

from mcuq.lower.program import Program, Step, array_key
from mcuq.lower.share import PARAMETERS

ALIGNMENT = 8  # bytes: what an array begins at where linkers put one behind the other, at most

Keys = frozenset[tuple[str, bytes]]
"""Arrays, as `array_key` tells them apart."""


def fast_bytes(program: Program, keys: Keys) -> int:
    """What the arrays take at most, each once."""
    arrays = (array for step in program.steps for call in step.calls for array in call.arrays.values())
    sizes = {array_key(array): array.nbytes for array in arrays}
    return sum(_rounded(size_bytes) for key, size_bytes in sizes.items() if key in keys)


def choose_fast(program: Program, most_bytes: int) -> Keys:
    """The constants of the layers that use each byte of theirs most often, a layer's all or none, as far as they take
    no more than `most_bytes`.

    A layer uses its constants once for each product or, where it has fewer, each element of its output.
    """
    keys: set[tuple[str, bytes]] = set()
    left = most_bytes
    for step in sorted((step for step in program.steps if step.calls), key=_uses, reverse=True):
        new = {key: size for key, size in _arrays(step).items() if key not in keys}
        taken = sum(map(_rounded, new.values()))
        if taken <= left:
            keys.update(new)
            left -= taken
    return frozenset(keys)


def least_bytes(program: Program) -> int:
    """Bytes of the layer's constants that take the fewest; 0 where no layer has any."""
    return min((sum(map(_rounded, arrays.values())) for arrays in map(_arrays, program.steps) if arrays), default=0)


def _arrays(step: Step) -> dict[tuple[str, bytes], int]:
    """The bytes of each of a layer's constants, but those that tell functions their sizes."""
    return {
        array_key(array): array.nbytes
        for call in step.calls
        for name, array in call.arrays.items()
        if name != PARAMETERS
    }


def _uses(step: Step) -> float:
    layer = step.layer
    return max(layer.op.macs(layer), layer.output.elements) / max(1, sum(_arrays(step).values()))


def _rounded(size_bytes: int) -> int:
    return -(-size_bytes // ALIGNMENT) * ALIGNMENT
