"""Sums of recurrent operators some units at a time, by a function that CPUs have of their own: x and states are int16
in whole fours there, filled up in scratch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array
from mcuq.kernels.kernel import Fragment
from mcuq.kernels.recurrent import Rows, indented, unjoined
from mcuq.ops.gru import Gru
from mcuq.ops.recurrent import Recurrent

UNITS = 16  # at a time


@dataclass(frozen=True)
class FourUnits(Rows):
    """`function` adds up products of rows in groups of four, whose weights `pack` lays out, so many to an element;
    `middle_of` says where the middle of a table lies, and `per` what it divides sizes by."""

    function: str = ""
    pack: Callable[[Array], Array] = np.ascontiguousarray
    weights_an_element: int = 1
    middle_of: str = ""
    per: str = ""

    def arrays(self, op: Recurrent, layer: Layer, order: Sequence[int]) -> dict[str, Array]:
        """Rows are filled up to those of whole fours of units. `joint` has four words a row: what its total starts
        from, the half of rounding included, the lower word first, and both multipliers."""
        found = super().arrays(op, layer, order)
        missing = -layer.output.shape[2] % 4 * op.gates
        for name in ("weight", "recurrent"):
            rows = found[name]
            filled = np.zeros((len(rows) + missing, whole(rows.shape[1])), np.int8)
            filled[: len(rows), : rows.shape[1]] = rows
            found[name] = self.pack(filled)
        multipliers = found.pop("multiplier").astype(np.int64)
        start = found.pop("bias").astype(np.int64) * multipliers[:, 0] + (1 << (op.sums(layer).shift - 1))
        words = [start & 0xFFFFFFFF, start >> 32, multipliers[:, 0], multipliers[:, 1]]
        return {**found, "joint": np.stack(words, axis=1).astype(np.uint32).view(np.int32)}

    def accumulated(self, row: str, gates: int, state: str = "h") -> str:
        return f"""\
const int32_t *const own = joint + 4 * ({row});
const int32_t *const sum_of = row_sums + ({row}) - {gates} * first;
const int32_t heard = sum_of[{UNITS * gates}];
const int64_t from_x = {_start("own", 0)} + (int64_t)sum_of[0] * own[2];"""

    def heard(self) -> str:
        return "own[3]"

    def all_totals(self, gates: int, unread: int | None = None) -> tuple[str, list[str]]:
        lines = [f"const int32_t *const own = joint + {4 * gates} * j;"]
        lines.append(f"const int32_t *const sum_of = row_sums + {gates} * (j - first);")
        for k in range(gates):
            if k == unread:
                continue
            lines.append(f"int64_t sum{k} = {_start('own', 4 * k)};")
            lines.append(f"sum{k} += (int64_t)sum_of[{k}] * own[{4 * k + 2}];")
            lines.append(f"sum{k} += (int64_t)sum_of[{k + UNITS * gates}] * own[{4 * k + 3}];")
        return "\n".join(lines), [f"sum{k}" for k in range(gates)]

    def begin(self, layer: Layer, place: int) -> Fragment:
        """Where the step's x lies as int16; what fills it up is set once."""
        text = f"""\
int16_t *const wide = states + wide_place;
for (int32_t i = inputs; i < wide_inputs; i++)
    {unjoined("wide")}[i] = 0;
for (int32_t j = hidden; j < pitch; j++) {{
    {unjoined("h")}[j] = 0;
    {unjoined("next")}[j] = 0;
}}"""
        return Fragment.of(text, numbers={"wide_place": place, "wide_inputs": whole(layer.inputs[0].shape[2])})

    def middle(self, slot: str) -> Fragment:
        if not self.middle_of:
            return super().middle(slot)
        text = f"const int16_t *const {slot}_middle = {self.middle_of}({slot}_values, {slot}_bits);"
        return Fragment(text, (self.middle_of,))

    def before(self, layer: Layer) -> Fragment:
        if layer.inputs[0].dtype == "int16":
            return Fragment.of("mcuq_copy_bytes(wide, row, 2 * inputs);", "mcuq_copy_bytes")
        return Fragment("for (int32_t i = 0; i < inputs; i++)\n    wide[i] = row[i];")

    def units(self, unit: Fragment, gates: int) -> Fragment:
        each = f" / {self.weights_an_element}" if self.weights_an_element > 1 else ""
        text = f"""\
for (int32_t first = 0; first < hidden; first += {UNITS}) {{
    int32_t row_sums[{2 * UNITS * gates}];
    const int32_t end = hidden - first < {UNITS} ? hidden : first + {UNITS}, groups = {gates} * ((end - first + 3) / 4);
    {self.function}(wide, weight + {gates} * wide_inputs * first{each}, wide_inputs{self.per}, groups, row_sums);
    {self.function}(h, recurrent + {gates} * pitch * first{each}, pitch{self.per}, groups, row_sums + {UNITS * gates});
    for (int32_t j = first; j < end; j++) {{{indented(indented(unit.text)[1:])}
    }}
}}"""
        stack_bytes = unit.stack_bytes + 8 * UNITS * gates
        return Fragment(text, (*unit.needs, self.function), unit.numbers, unit.floats, stack_bytes=stack_bytes)

    def pitch(self, hidden: int) -> int:
        return whole(hidden)

    def scratch(self, inputs: int) -> int:
        return whole(inputs)


def whole(size: int) -> int:
    """A size in whole fours."""
    return -(-size // 4) * 4


def _start(words: str, index: int) -> str:
    """C of two words as one number."""
    return f"(int64_t)((uint64_t)(uint32_t){words}[{index + 1}] << 32 | (uint32_t){words}[{index}])"


def is_near(op: Recurrent, layer: Layer) -> bool:
    """Whether totals over 2^shift fit int32, with room for what peepholes add, and no weight is -128."""
    sums = op.sums(layer)
    further = 2.0**15 * float(np.abs(op.further_factors(layer)).max(initial=0.0))
    gates = op.exponents(layer).outputs[0]
    least = min(int(sums.weight.min()), int(sums.recurrent.min()))
    return sums.reach + further < 2.0**30 and gates <= 0 and least >= -127


def accepts_gru(op: Gru, layer: Layer) -> bool:
    """All units at once hear the same state."""
    return op.resets_product and is_near(op, layer)
