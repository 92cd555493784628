"""Sets of element types that operators and kernels take."""

from __future__ import annotations

# Of one element type for all activations.
INT16 = frozenset({"int16"})
FLOAT32 = frozenset({"float32"})
# Of types of their own for input and output.
MIXED = frozenset({"int8", "int16"})
# Integers that a tensor can be converted to, int32 of integers of the file alone.
INTEGERS = frozenset({"int8", "uint8", "int16", "int32"})
# Elements that are moved as they are.
MOVED = frozenset({"int8", "int16", "int32", "float32"})
# Inputs of operators whose output is integers of the file in any scheme.
ANY = MOVED
# Of integers of the file alone.
WHOLE = frozenset({"int8", "int16", "int32"})
