"""Where: one choice an element, in nested loops."""

from __future__ import annotations

from dataclasses import dataclass

from mcuq.graph.operator import Layer
from mcuq.kernels.c_types import C_TYPES, pointers
from mcuq.kernels.kernel import Call, Constants, Fragment
from mcuq.kernels.portable.binary import broadcast_loops
from mcuq.ops.where import Where


@dataclass(frozen=True)
class WhereConstants(Constants):
    """Loop counts, outermost first, with the distances in elements on the condition and on both tensors; the output is
    in order. `statements` assign *y++ of the elements at i5 * c_stride_5 of c_row and so on."""

    template = "portable/where"

    inputs: str
    condition_type: str
    element_type: str
    size_0: int
    size_1: int
    size_2: int
    size_3: int
    size_4: int
    size_5: int
    c_stride_0: int
    c_stride_1: int
    c_stride_2: int
    c_stride_3: int
    c_stride_4: int
    c_stride_5: int
    a_stride_0: int
    a_stride_1: int
    a_stride_2: int
    a_stride_3: int
    a_stride_4: int
    a_stride_5: int
    b_stride_0: int
    b_stride_1: int
    b_stride_2: int
    b_stride_3: int
    b_stride_4: int
    b_stride_5: int
    statements: Fragment


_CHOICE = Fragment("*y++ = c_row[i5 * c_stride_5] ? a_row[i5 * a_stride_5] : b_row[i5 * b_stride_5];", name="where")


def lower_where(op: Where, layer: Layer) -> tuple[Call, ...]:
    """Constants come behind what is computed."""
    named = dict(zip("cab", layer.inputs, strict=True))
    order = sorted(named, key=lambda name: named[name].is_constant)
    constants = WhereConstants(
        inputs=pointers({name: named[name].dtype for name in order}),
        condition_type=C_TYPES[named["c"].dtype],
        element_type=C_TYPES[layer.output.dtype],
        **broadcast_loops(layer, {name: tensor.shape for name, tensor in named.items()}),
        statements=_CHOICE,
    )
    return (
        Call(
            constants,
            inputs=tuple("cab".index(name) for name in order if not named[name].is_constant),
            arrays={f"operand_{name}": named[name].values for name in order if named[name].is_constant},
        ),
    )
