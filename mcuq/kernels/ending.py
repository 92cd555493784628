"""How kernels end, by the type of their output: sums are requantized, floats limited, and stored. C to be pasted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcuq.arithmetic.float32 import float32
from mcuq.arithmetic.int8 import INT32_MAX, Requantization
from mcuq.graph.operator import Clamped, Layer
from mcuq.kernels.c_types import C_TYPES
from mcuq.kernels.kernel import Fragment
from mcuq.kernels.requantized import has_s16, requantized
from mcuq.ops.weighted import accumulator_bound, layer_requantization


@dataclass(frozen=True)
class Sum:
    """An accumulator of a layer's integers, at most `bound` in magnitude, and how it becomes its output."""

    op: Clamped
    layer: Layer
    requant: Requantization
    bound: int

    @property
    def c_type(self) -> str:
        """Of the accumulator."""
        return "int64_t" if self.bound > INT32_MAX else "int32_t"

    def named(self, operator: str) -> str:
        """What kernels are called that end in it: as their templates, but for those of 16 bits."""
        return f"{operator}_s16" if has_s16(self.op, self.layer) else ""

    def declared(self, count: int) -> Fragment:
        """Declares so many accumulators `acc`, all 0."""
        zeros = ", ".join("0" * count)
        return Fragment.of(
            f"{self.c_type} acc[{count}] = {{ {zeros} }};", stack_bytes=np.dtype(self.c_type[:-2]).itemsize * count
        )

    def stored(self, acc: str, y: str, multiplier: str = "multiplier", name: str = "") -> Fragment:
        """Assigns to `y`; `acc` and `multiplier` are C. One multiplier is among the numbers, several are an array."""
        numbers = requantized(self.op, self.requant, self.layer.output)
        if multiplier == "multiplier":
            numbers = {"multiplier": self.requant.multiplier[0], **numbers}
        if not has_s16(self.op, self.layer):
            function, cast, exponents = "mcuq_requantize", "", "prescale, shift"
        elif self.bound > INT32_MAX:
            function, cast, exponents = "mcuq_requantize_long", f"({C_TYPES[self.layer.output.dtype]})", "shift"
            del numbers["prescale"]
        else:
            function, cast, exponents = (
                "mcuq_requantize_s16",
                f"({C_TYPES[self.layer.output.dtype]})",
                "prescale, shift",
            )
        text = f"{y} = {cast}{function}({acc}, {multiplier}, {exponents}, y_zero_point, output_min, output_max);"
        return Fragment.of(text, function, name=name, numbers=numbers)


def weighted_sum(op: Clamped, layer: Layer) -> Sum:
    """The accumulator of a layer with weights: one multiplier a channel."""
    return Sum(op, layer, layer_requantization(layer), accumulator_bound(layer))


def limited(op: Clamped, value: str, y: str, name: str = "") -> Fragment:
    """Assigns a float to `y`, rounded by itself before."""
    text = f"const float value = {value};\n{y} = mcuq_clamp_float(value, minimum, maximum);"
    limits = {"minimum": float32(op.minimum), "maximum": float32(op.maximum)}
    return Fragment.of(text, "mcuq_clamp_float", name=name, floats=limits)
