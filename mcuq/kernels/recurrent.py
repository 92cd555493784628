"""Recurrent operators of integers and of floats: C of a unit's gates is pasted into loops over the steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mcuq.arithmetic.int8 import Requantization
from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array
from mcuq.kernels.c_types import C_TYPES, c_float, pointers
from mcuq.kernels.ending import limited
from mcuq.kernels.expression_c import assignment
from mcuq.kernels.kernel import NOTHING, Call, Fragment
from mcuq.kernels.portable.recurrent_constants import RecurrentConstants, RecurrentFloat32Constants
from mcuq.kernels.requantized import requantized
from mcuq.ops.recurrent import INITIAL, Recurrent, constant_state
from mcuq.ops.recurrent_activation import Activation

INITIAL_NAMES = ("initial_h", "initial_c")
STATE_NAMES = ("h", "c")


@dataclass(frozen=True)
class Rows:
    """How a unit's sums are found: here by loops of its own. `suffix` is that of functions; `rounded` makes 16 bits of
    a number, `rounded_product` of a product of two, `shortened` of a total.
    """

    suffix: str = ""
    rounded: str = "mcuq_rounded_s16"
    shortened: str = "mcuq_rounded_s16"
    rounded_product: str = "mcuq_rounded_s16"

    def arrays(self, op: Recurrent, layer: Layer, order: Sequence[int]) -> dict[str, Array]:
        """The arrays of rows of integers: weights, what sums start from, and pairs of multipliers."""
        sums = op.sums(layer)
        multipliers = np.stack([sums.multiplier, sums.state_multiplier], axis=1)
        return {
            "weight": by_units(sums.weight, op.gates, order),
            "recurrent": by_units(sums.recurrent, op.gates, order),
            "bias": by_units(sums.bias, op.gates, order),
            "multiplier": by_units(multipliers, op.gates, order),
        }

    def accumulated(self, row: str, gates: int, state: str = "h") -> str:
        """C that declares `at`, the row, `from_x`, the share of x in its total, and `heard`, the sum of the state."""
        return f"""\
const int32_t at = {row};
int32_t acc = bias[at], heard = 0;
for (int32_t i = 0; i < inputs; i++)
    acc += row[i] * weight[at * inputs + i];
for (int32_t i = 0; i < hidden; i++)
    heard += {state}[i] * recurrent[at * hidden + i];
const int64_t from_x = (int64_t)acc * multiplier[2 * at];"""

    def begin(self, layer: Layer, place: int) -> Fragment:
        """What stands before the steps; working memory of its own begins behind `place` elements."""
        return NOTHING

    def middle(self, slot: str) -> Fragment:
        """Declares where an activation's value of 0 lies."""
        return Fragment(f"const int16_t *const {slot}_middle = {slot}_values + (32768 >> {slot}_bits);")

    def before(self, layer: Layer) -> Fragment:
        """What stands before a step's units."""
        return NOTHING

    def units(self, unit: Fragment, gates: int) -> Fragment:
        """The loop over them."""
        return replace(unit, text=f"for (int32_t j = 0; j < hidden; j++) {{{indented(unit.text)}\n}}")

    def pitch(self, hidden: int) -> int:
        """Elements from a state to the next."""
        return hidden

    def scratch(self, inputs: int) -> int:
        """Elements of working memory behind the states."""
        return 0

    def total(self, row: str, gates: int, state: str = "h") -> str:
        """C that declares `sum`, the joined sum of a row."""
        joint = f"from_x + (int64_t)heard * {self.heard()}"
        return f"{self.accumulated(row, gates, state)}\nconst int64_t sum = {joint};"

    def heard(self) -> str:
        """C of what `heard` is multiplied by."""
        return "multiplier[2 * at + 1]"

    def all_totals(self, gates: int, unread: int | None = None) -> tuple[str, list[str]]:
        """C that declares the joined sums of all gates of unit j, and what they are called; that of `unread` need not
        be there."""
        text = f"""\
int64_t sums[{gates}];
for (int32_t g = 0; g < {gates}; g++) {{{indented(self.total(f"{gates} * j + g", gates))}
    sums[g] = sum;
}}"""
        return text, [f"sums[{k}]" for k in range(gates)]

    def short(self, total: str) -> str:
        """C of a total as 16 bits."""
        return f"{self.shortened}({total}, gate_shift)"


@dataclass(frozen=True)
class Body:
    """The C of an operator: arrays by name, what stands before the units of a step, these, how many states the scratch
    has, whether a cell is written behind the hidden states, and how rows are added up."""

    arrays: Mapping[str, Array]
    before: Fragment
    unit: Fragment
    scratch: int
    rows: Rows
    with_cell: bool = False
    bound: int = 0


def joined(*fragments: Fragment) -> Fragment:
    """One behind the other."""
    found = NOTHING
    for fragment in fragments:
        found = found.followed_by(fragment)
    return found


def by_units(rows: Array, gates: int, order: Sequence[int]) -> Array:
    """Rows (gates * hidden, ...) with those of a unit next to each other, its gates in an order."""
    parts = rows.reshape(gates, -1, *rows.shape[1:])
    return np.ascontiguousarray(parts[list(order)].swapaxes(0, 1).reshape(rows.shape))


@dataclass(frozen=True)
class Ends:
    """What stands around the steps: how states begin, and the arrays that this reads, how one is stored, and what comes
    behind."""

    initial: Sequence[Fragment]
    arrays: Mapping[str, Array]
    stored: Fragment
    behind: Sequence[Fragment]


def integer_call(op: Recurrent, layer: Layer, body: Body, name: str) -> tuple[Call, ...]:
    """The call of a body of integers."""
    y = layer.output
    function, cast = ("mcuq_requantize", "") if y.dtype == "int8" else ("mcuq_requantize_s16", "(int16_t)")
    exponents = op.exponents(layer).states
    initial, arrays = [], {}
    for index, state in enumerate(STATE_NAMES[: len(op.states)]):
        if not op.has_initial:
            initial.append(Fragment(f"{unjoined(state)}[j] = 0;"))
            continue
        t, given = layer.inputs[INITIAL + index], INITIAL_NAMES[index]
        if t.is_constant:
            arrays[given] = constant_state(t, exponents[index])
            initial.append(Fragment(f"{unjoined(state)}[j] = {given}[n * hidden + j];"))
        else:
            requant = op.initial_requantization(layer, index)
            exponent = f"{given}_multiplier, {given}_prescale, {given}_shift"
            difference = f"{given}[n * hidden + j] - {given}_zero_point"
            text = f"{state}[j] = (int16_t)mcuq_requantize_s16({difference}, {exponent}, 0, -32768, 32767);"
            numbers = {f"{given}_zero_point": t.zero_point, **_numbers(given, requant)}
            initial.append(Fragment.of(text, "mcuq_requantize_s16", numbers=numbers))
    requants = op.output_requantizations(layer)
    limits = {key: requantized(op, requants[0], y)[key] for key in ("y_zero_point", "output_min", "output_max")}

    def stored(target: str, value: str, index: int) -> Fragment:
        prefix = STATE_NAMES[index]
        exponent = f"{prefix}_multiplier, {prefix}_prescale, {prefix}_shift"
        text = f"{target} = {cast}{function}({value}, {exponent}, y_zero_point, output_min, output_max);"
        return Fragment.of(text, function, numbers={**_numbers(prefix, requants[index]), **limits})

    behind = []
    if op.lengths and op.whole:
        low, high = op.output_bounds(y)
        c_type = C_TYPES[y.dtype]
        numbers = {"zero": min(max(y.zero_point, low), high)}
        behind.append(_blank(unjoined("y", c_type), f"({c_type})zero", numbers))
    if body.with_cell:
        behind.append(_cells(op, layer, stored("y[(rows * batch + n) * hidden + j]", "c[j]", 1)))
    ends = Ends(initial, arrays, stored("y[to]", "state", 0), behind)
    return _call(op, layer, body, RecurrentConstants, "int16", ends, name)


def float_call(op: Recurrent, layer: Layer, body: Body, name: str) -> tuple[Call, ...]:
    """The call of a body of floats."""
    initial, arrays = [], {}
    for index, state in enumerate(STATE_NAMES[: len(op.states)]):
        given = INITIAL_NAMES[index]
        initial.append(Fragment(f"{state}[j] = {f'{given}[n * hidden + j]' if op.has_initial else '0.0f'};"))
        if op.has_initial and layer.inputs[INITIAL + index].is_constant:
            arrays[given] = layer.inputs[INITIAL + index].values
    behind = []
    if op.lengths and op.whole:
        behind.append(_blank("y", c_float(min(max(0.0, op.minimum), op.maximum)), {}))
    if body.with_cell:
        behind.append(_cells(op, layer, limited(op, "c[j]", "y[(rows * batch + n) * hidden + j]")))
    ends = Ends(initial, arrays, limited(op, "state", "y[to]"), behind)
    return _call(op, layer, body, RecurrentFloat32Constants, "float32", ends, name)


def _call(
    op: Recurrent, layer: Layer, body: Body, kind: type[RecurrentConstants], state: str, ends: Ends, name: str
) -> tuple[Call, ...]:
    x, y = layer.inputs[0], layer.output
    steps, batch, inputs = x.shape
    arrays = {**ends.arrays, **body.arrays}
    count = "const int32_t count = steps;"
    if op.lengths:
        arrays["lengths"] = np.array(op.lengths, np.int32)
        count = "const int32_t count = lengths[n];"
    set_states = joined(*ends.initial)
    more = "\nstate_type *const c = states + 2 * pitch;" if len(op.states) > 1 else ""
    begin = Fragment(
        f"{count}{more}\nfor (int32_t j = 0; j < hidden; j++) {{{indented(set_states.text)}\n}}",
        set_states.needs,
        set_states.numbers,
        name=name + body.rows.suffix,
    )
    rows, pitch = body.rows, body.rows.pitch(y.shape[2])
    slots = [name.removesuffix("_values") for name in body.arrays if name.endswith("_values")]
    begin = joined(begin, rows.begin(layer, body.scratch * pitch), *map(rows.middle, slots))
    computed = [
        INITIAL + i for i in range(len(op.states)) if op.has_initial and not layer.inputs[INITIAL + i].is_constant
    ]
    constants = kind(
        x_type=C_TYPES[x.dtype],
        y_type=C_TYPES[y.dtype],
        state_type=C_TYPES[state],
        initial=pointers({INITIAL_NAMES[i - INITIAL]: layer.inputs[i].dtype for i in computed}),
        arrays=pointers({key: value.dtype.name for key, value in arrays.items()}),
        steps=steps,
        batch=batch,
        inputs=inputs,
        hidden=y.shape[2],
        pitch=pitch,
        is_reverse=int(op.reverse),
        is_whole=int(op.whole),
        begin=begin,
        before=rows.before(layer).followed_by(body.before),
        units=rows.units(body.unit, op.gates),
        stored=ends.stored,
        end=joined(*ends.behind),
    )
    scratch = (body.scratch * pitch + rows.scratch(x.shape[2])) * np.dtype(state).itemsize
    return (Call(constants, (0, *computed), arrays, scratch_bytes=scratch, bound=body.bound),)


def _numbers(prefix: str, requant: Requantization) -> dict[str, int]:
    return {
        f"{prefix}_multiplier": requant.multiplier[0],
        f"{prefix}_prescale": requant.prescale,
        f"{prefix}_shift": requant.shift,
    }


def _blank(y: str, zero: str, numbers: Mapping[str, int]) -> Fragment:
    """What lies behind the end of a sequence."""
    text = f"""\
for (int32_t t = count; t < steps; t++)
    for (int32_t j = 0; j < hidden; j++)
        {y}[(t * batch + n) * hidden + j] = {zero};"""
    return Fragment.of(text, numbers=numbers)


def _cells(op: Recurrent, layer: Layer, stored: Fragment) -> Fragment:
    text = f"for (int32_t j = 0; j < hidden; j++) {{{indented(stored.text)}\n}}"
    return Fragment(text, stored.needs, (*stored.numbers, ("rows", op.rows(layer.inputs[0].shape[0]))), stored.floats)


# C of sums


def float_arrays(op: Recurrent, layer: Layer, order: Sequence[int]) -> dict[str, Array]:
    """The same of floats."""
    weight, recurrent, bias = (t.values.astype(np.float32) for t in layer.inputs[1:4])
    own, _ = op.split_bias(bias)
    found = {"weight": weight, "recurrent": recurrent, "bias": own}
    return {name: by_units(rows, op.gates, order) for name, rows in found.items()}


def float_sum(acc: str, values: str, count: str, weight: str) -> str:
    """C that adds products to a float, each product and each sum rounded."""
    return f"""\
for (int32_t i = 0; i < {count}; i++) {{
    const float product = {values}[i] * {weight}[at * {count} + i];
    {acc} = {acc} + product;
}}"""


def curves(op: Recurrent, layer: Layer) -> tuple[dict[str, Array], dict[str, int]]:
    """The tables of activations, and their shifts; equal tables are emitted once."""
    found = dict(zip("fgh", op.curves(layer), strict=False))
    shifts = {f"{slot}_bits": found[slot].shift for slot in found}
    return {f"{slot}_values": found[slot].values for slot in found}, shifts


def activated(slot: str, value: str) -> str:
    """C of an activation of 16 bits."""
    return f"mcuq_curve({value}, {slot}_middle, {slot}_bits)"


def activated_float(activation: Activation, value: str, target: str) -> Fragment:
    """C that declares a float `target`, the activation of `value`."""
    computed = assignment(activation.expression, target)
    lines = indented(f"const float x = {value};\n{computed.text}")
    return Fragment(f"float {target};\n{{{lines}\n}}", computed.needs)


def unjoined(pointer: str, c_type: str = "state_type") -> str:
    """C of the same address, whose stores of constants and copies compilers do not join to words at any address."""
    return f"((volatile {c_type} *){pointer})"


def indented(text: str) -> str:
    """Lines one level deeper."""
    return "".join(f"\n    {line}" if line else "\n" for line in text.splitlines())
