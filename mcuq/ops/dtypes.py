"""Sets of element types that operators and kernels take."""

from __future__ import annotations

# Of one element type for all activations.
INT16 = frozenset({"int16"})
FLOAT32 = frozenset({"float32"})
# Of types of their own for input and output.
MIXED = frozenset({"int8", "int16"})
# Integers that a tensor can be converted to.
INTEGERS = frozenset({"int8", "uint8", "int16"})
# Elements that are moved as they are.
MOVED = frozenset({"int8", "int16", "float32"})
