"""Identity: a copy."""

from __future__ import annotations

from mcuq.graph.operator import Layer
from mcuq.kernels.kernel import Call
from mcuq.kernels.portable.strided import READ, strided_loops
from mcuq.ops.identity import Identity


def lower_identity(op: Identity, layer: Layer) -> tuple[Call, ...]:
    """One loop."""
    return (Call(strided_loops(READ, layer, (layer.output.elements,), (1,))),)
