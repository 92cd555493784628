"""What tells functions for int8 activations from those for int16."""

from __future__ import annotations

from dataclasses import dataclass

from mcuq.kernels.asm import each


@dataclass(frozen=True)
class Width:
    """The type of activations: `suffix` of functions, `element_bytes`, the instruction that stores one, the function
    that limits a sum to it and the arguments that it takes behind the sum."""

    suffix: str
    c_type: str
    element_bytes: int
    store: str
    limit: str
    bounds: str = ""

    def saturated(self, q: str) -> str:
        """C of `q` limited to the type."""
        return f"{self.limit}({q}{self.bounds})"

    def bytes_of(self, elements: str, count: int = 1) -> str:
        """C of the bytes that `count` times `elements`, an expression, take."""
        factor = count * self.element_bytes
        return elements if factor == 1 else f"{factor} * {elements}"

    def requantized(self, sums: dict[str, str], offset: str, shift: str) -> str:
        """Sums, each register with that of its multiplier, to outputs: SMMLA adds the offset to the product's upper
        word; where each is shifted and limited in the order of the registers."""
        ordered = sorted(sums, key=lambda register: int(register[1:]))
        return each(
            [
                *(f"smmla {acc}, {acc}, {multiplier}, {offset}" for acc, multiplier in sums.items()),
                *(f"asr {acc}, {acc}, {shift}" for acc in ordered),
                *(f"ssat {acc}, #{8 * self.element_bytes}, {acc}" for acc in ordered),
            ]
        )

    def stored(self, places: dict[str, str]) -> str:
        """Each register to its address."""
        return each(f"{self.store} {register}, {address}" for register, address in places.items())


S8 = Width("", "int8_t", 1, "strb", "mcuq_clamp", ", -128, 127")
S16 = Width("_s16", "int16_t", 2, "strh", "mcuq_dsp_saturate")


def word(expression: str) -> str:
    """C of an expression of int32 as uint32."""
    return f"(uint32_t){expression}" if expression.isidentifier() else f"(uint32_t)({expression})"
