"""How often memory is read and written: about, as far as shapes tell."""

from __future__ import annotations

from collections import Counter

from mcuq.lower import Program


def accesses(program: Program) -> tuple[Counter[str], Counter[int]]:
    """(of each tensor, of each step's working memory), in bytes an inference.

    A layer writes its output once. Of its computed inputs it reads a value for each product; where it has working
    memory, that is what is read so, and inputs are read once for each output channel less.
    """
    tensors: Counter[str] = Counter()
    scratch: Counter[int] = Counter()
    for index, step in enumerate(program.steps):
        layer = step.layer
        if not step.calls:
            continue
        y = layer.output
        tensors[y.name] += y.size_bytes
        macs = layer.op.macs(layer)
        for x in layer.activations:
            item_bytes = x.size_bytes // max(1, x.elements)
            read = macs * item_bytes // max(1, len(layer.activations))
            if step.scratch_bytes:
                scratch[index] += max(read, x.size_bytes)
                read //= max(1, y.shape[-1] if y.shape else 1)
            tensors[x.name] += max(read, x.size_bytes)
    return tensors, scratch
