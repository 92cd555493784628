"""Tells of functions of 16 bits whose tables are large, as they jump or swing."""

from __future__ import annotations

from mcuq.graph.ir import Graph
from mcuq.ops.unary import Unary, reads_s16

# Of all functions that neither jump nor swing, over ranges of +-0.5 to +-128, the tables take at most 4.4 KB; Sin takes
# 7.4 KB at +-8 and 14 KB at +-16, Floor 1 KB a jump.
SMOOTH_BYTES = 8 * 1024


def large_table_notes(graph: Graph) -> tuple[str, ...]:
    """A sentence for each layer of a quantized graph whose table takes more than that of any smooth function."""
    notes = []
    for layer in graph.layers():
        if not isinstance(layer.op, Unary) or layer.output.quant is None or not reads_s16(layer):
            continue
        if layer.op.limits is not None:
            continue
        table_bytes = sum(table.nbytes for table in layer.op.pieces(layer))
        if table_bytes > SMOOTH_BYTES:
            x, name = layer.inputs[0], layer.names[-1]
            low, high = x.quantization.real_bounds
            notes.append(
                f"'{name}' ({type(layer.op).__name__}): its table for int16 takes {table_bytes:,} bytes of flash, as "
                f"it jumps or swings often from {low:.3g} to {high:.3g}, which its input covers; "
                f'[layers."{name}"] activations = "float32" computes it without a table'
            )
    return tuple(notes)
