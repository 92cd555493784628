"""The sum of three or four tensors where one instruction limits to int8."""

from __future__ import annotations

from dataclasses import dataclass

from mcuq.graph.operator import Layer
from mcuq.kernels.c_types import pointers
from mcuq.kernels.kernel import Call, Constants, Fragment, Kernel
from mcuq.kernels.total import total_numbers
from mcuq.ops.total import Total


@dataclass(frozen=True)
class TotalDspConstants(Constants):
    """`statements` assign y[i], a function of what `inputs`, parameters of C, point to."""

    template = "dsp/total"

    inputs: str
    elements: int
    statements: Fragment


def lower_total_dsp(op: Total, layer: Layer) -> tuple[Call, ...]:
    """One loop."""
    count = len(layer.inputs)
    terms = " + ".join(f"x{i}[i] * factor_{i}" for i in range(count))
    text = f"const int32_t acc = constant + {terms};\ny[i] = mcuq_dsp_int8(acc >> shift);"
    value = Fragment.of(text, "mcuq_dsp_int8", name=f"total_{count}", numbers=total_numbers(op.parameters(layer)))
    inputs = pointers({f"x{i}": "int8" for i in range(count)})
    return (Call(TotalDspConstants(inputs, layer.output.elements, value), tuple(range(count)), bound=op.bound(layer)),)


def has_all_codes(op: Total, layer: Layer) -> bool:
    """Whether nothing limits the output but its type."""
    return op.output_bounds(layer.output) == (-128, 127)


TOTAL_KERNELS = (Kernel(lower_total_dsp, frozenset({"dsp"}), has_all_codes),)
