"""ArgMax and ArgMin: the index of the best value so far, along one dimension."""

from __future__ import annotations

from math import prod

from mcuq.graph.operator import Layer
from mcuq.kernels.c_types import C_TYPES
from mcuq.kernels.kernel import Call, Fragment
from mcuq.kernels.portable.reduce import ReduceConstants
from mcuq.ops.arg_max import ArgMax


def lower_arg_max(op: ArgMax, layer: Layer) -> tuple[Call, ...]:
    """Integers and floats alike."""
    x, y = layer.inputs[0], layer.output
    (axis,) = op.axes
    x_type, y_type = C_TYPES[x.dtype], C_TYPES[y.dtype]
    relation = (">" if op.is_max else "<") + ("=" if op.last else "")
    name = "arg_max" if op.is_max else "arg_min"
    constants = ReduceConstants(
        x_type,
        y_type,
        outer=prod(x.shape[:axis]),
        reduced=x.shape[axis],
        inner=prod(x.shape[axis + 1 :]),
        begin=Fragment(f"{x_type} best = x[oc];\nint32_t index = 0;", name=name),
        tap=Fragment(f"if (x[i] {relation} best) {{\n    best = x[i];\n    index = k;\n}}"),
        end=Fragment(f"*y++ = ({y_type})index;"),
    )
    return (Call(constants),)
