"""How kernels end, by the type of their output: sums are requantized, floats limited, and stored. C to be pasted."""

from __future__ import annotations

from dataclasses import dataclass

from mcuq.arithmetic.float32 import float32
from mcuq.arithmetic.int8 import INT32_MAX, Requantization
from mcuq.graph.operator import Clamped, Layer
from mcuq.kernels.c_types import C_TYPES
from mcuq.kernels.kernel import Fragment
from mcuq.kernels.requantized import has_s16, requantized
from mcuq.ops.weighted import accumulator_bound, layer_requantization


@dataclass(frozen=True)
class Sum:
    """An accumulator of a layer's integers, at most `bound` in magnitude, and how it becomes its output.

    `zero_point` is the output's unless it is given.
    """

    op: Clamped
    layer: Layer
    requant: Requantization
    bound: int
    zero_point: int | None = None

    @property
    def c_type(self) -> str:
        """Of the accumulator."""
        return "int64_t" if self.bound > INT32_MAX else "int32_t"

    def named(self, operator: str) -> str:
        """What kernels are called that end in it: as their templates, but for those of 16 bits."""
        return f"{operator}_s16" if has_s16(self.op, self.layer) else ""

    def declared(self, count: int) -> Fragment:
        """Declares so many accumulators `acc`, all 0."""
        return _declared(self.c_type, count)

    def stored(self, acc: str, y: str, multiplier: str = "multiplier", name: str = "", prefix: str = "") -> Fragment:
        """Assigns to `y`; `acc` and `multiplier` are C. One multiplier is among the numbers, several are an array.

        What is the sum's own is named behind `prefix`, so that a kernel can end in several.
        """
        numbers = requantized(self.op, self.requant, self.layer.output)
        if self.zero_point is not None:
            numbers["y_zero_point"] = self.zero_point
        if multiplier == "multiplier":
            numbers = {"multiplier": self.requant.multiplier[0], **numbers}
        own = {name: f"{prefix}{name}" for name in ("multiplier", "prescale", "shift")}
        multiplier, exponents = own.get(multiplier, multiplier), f"{own['prescale']}, {own['shift']}"
        if not has_s16(self.op, self.layer):
            function, cast = "mcuq_requantize", ""
        elif self.bound > INT32_MAX:
            function, cast, exponents = "mcuq_requantize_long", f"({C_TYPES[self.layer.output.dtype]})", own["shift"]
            del numbers["prescale"]
        else:
            function, cast = "mcuq_requantize_s16", f"({C_TYPES[self.layer.output.dtype]})"
        text = f"{y} = {cast}{function}({acc}, {multiplier}, {exponents}, y_zero_point, output_min, output_max);"
        named = {own.get(key, key): value for key, value in numbers.items()}
        return Fragment.of(text, function, name=name, numbers=named)


def weighted_sum(op: Clamped, layer: Layer) -> Sum:
    """The accumulator of a layer with weights: one multiplier a channel."""
    return Sum(op, layer, layer_requantization(layer), accumulator_bound(layer))


def limited(op: Clamped, value: str, y: str, name: str = "", needs: tuple[str, ...] = ()) -> Fragment:
    """Assigns a float to `y`, rounded by itself before; `needs` are the runtime items that `value` names."""
    text = f"const float value = {value};\n{y} = mcuq_clamp_float(value, minimum, maximum);"
    limits = {"minimum": float32(op.minimum), "maximum": float32(op.maximum)}
    return Fragment.of(text, *needs, "mcuq_clamp_float", name=name, floats=limits)


def dynamic_sums(op: Clamped, count: int, name: str) -> tuple[Fragment, Fragment]:
    """So many accumulators `acc` of a layer between floats, and what makes y[oc + j] of those below `block`: times
    x_scale and the channel's weight_scale, plus its bias."""
    text = """\
for (int32_t j = 0; j < block; j++) {
    const float factor = x_scale * weight_scale[oc + j];
    const float scaled = (float)acc[j] * factor;
    const float sum = scaled + bias[oc + j];
    y[oc + j] = mcuq_clamp_float(sum, minimum, maximum);
}"""
    limits = {"minimum": float32(op.minimum), "maximum": float32(op.maximum)}
    return _declared("int32_t", count), Fragment.of(text, "mcuq_clamp_float", name=name, floats=limits)


def _declared(c_type: str, count: int) -> Fragment:
    zeros = ", ".join("0" * count)
    stack_bytes = count * (8 if c_type == "int64_t" else 4)
    return Fragment.of(f"{c_type} acc[{count}] = {{ {zeros} }};", stack_bytes=stack_bytes)
