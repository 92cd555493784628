"""Recurrent operators of integers and of floats: C of a unit's gates is pasted into loops over the steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mcuq.arithmetic.int8 import Requantization
from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array
from mcuq.kernels.c_types import C_TYPES, c_float, pointers
from mcuq.kernels.ending import limited
from mcuq.kernels.expression_c import assignment
from mcuq.kernels.kernel import NOTHING, Call, Constants, Fragment
from mcuq.kernels.requantized import requantized
from mcuq.ops.recurrent import INITIAL, Recurrent, constant_state
from mcuq.ops.recurrent_activation import Activation

INITIAL_NAMES = ("initial_h", "initial_c")
STATE_NAMES = ("h", "c")


@dataclass(frozen=True)
class RecurrentConstants(Constants):
    """x (steps, batch, inputs) -> y (rows, batch, hidden).

    `begin` sets the states h and c and declares `count`, the steps of sequence n; `before` stands before the units of a
    step, `unit` assigns next[j]; `stored` assigns y[to] of `state`; `end` writes what comes behind the steps.
    """

    template = "portable/recurrent"

    x_type: str
    y_type: str
    state_type: str
    initial: str
    arrays: str
    steps: int
    batch: int
    inputs: int
    hidden: int
    is_reverse: int
    is_whole: int
    begin: Fragment
    before: Fragment
    unit: Fragment
    stored: Fragment
    end: Fragment


@dataclass(frozen=True)
class RecurrentFloat32Constants(RecurrentConstants):
    """Of floats."""

    computes_in_float = True


@dataclass(frozen=True)
class Body:
    """The C of an operator: arrays by name, what stands before the units and in each, how many hidden sizes of states
    the scratch has, and whether a cell is written behind the hidden states."""

    arrays: Mapping[str, Array]
    before: Fragment
    unit: Fragment
    scratch: int
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
    cast = f"({C_TYPES[y.dtype]})"
    exponents = op.exponents(layer).states
    initial, arrays = [], {}
    for index, state in enumerate(STATE_NAMES[: len(op.states)]):
        if not op.has_initial:
            initial.append(Fragment(f"{state}[j] = 0;"))
            continue
        t, given = layer.inputs[INITIAL + index], INITIAL_NAMES[index]
        if t.is_constant:
            arrays[given] = constant_state(t, exponents[index])
            initial.append(Fragment(f"{state}[j] = {given}[n * hidden + j];"))
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
        text = f"{target} = {cast}mcuq_requantize_s16({value}, {exponent}, y_zero_point, output_min, output_max);"
        return Fragment.of(text, "mcuq_requantize_s16", numbers={**_numbers(prefix, requants[index]), **limits})

    behind = []
    if op.lengths and op.whole:
        behind.append(_blank(f"{cast}y_zero_point", {"y_zero_point": y.zero_point}))
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
        behind.append(_blank(c_float(min(max(0.0, op.minimum), op.maximum)), {}))
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
    more = "\nstate_type *const c = states + 2 * hidden;" if len(op.states) > 1 else ""
    begin = Fragment(
        f"{count}{more}\nfor (int32_t j = 0; j < hidden; j++) {{{indented(set_states.text)}\n}}",
        set_states.needs,
        set_states.numbers,
        name=name,
    )
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
        is_reverse=int(op.reverse),
        is_whole=int(op.whole),
        begin=begin,
        before=body.before,
        unit=body.unit,
        stored=ends.stored,
        end=joined(*ends.behind),
    )
    scratch = body.scratch * y.shape[2] * np.dtype(state).itemsize
    return (Call(constants, (0, *computed), arrays, scratch_bytes=scratch, bound=body.bound),)


def _numbers(prefix: str, requant: Requantization) -> dict[str, int]:
    return {
        f"{prefix}_multiplier": requant.multiplier[0],
        f"{prefix}_prescale": requant.prescale,
        f"{prefix}_shift": requant.shift,
    }


def _blank(zero: str, numbers: Mapping[str, int]) -> Fragment:
    """What lies behind the end of a sequence."""
    text = f"""\
for (int32_t t = count; t < steps; t++)
    for (int32_t j = 0; j < hidden; j++)
        y[(t * batch + n) * hidden + j] = {zero};"""
    return Fragment.of(text, numbers=numbers)


def _cells(op: Recurrent, layer: Layer, stored: Fragment) -> Fragment:
    text = f"for (int32_t j = 0; j < hidden; j++) {{{indented(stored.text)}\n}}"
    return Fragment(text, stored.needs, (*stored.numbers, ("rows", op.rows(layer.inputs[0].shape[0]))), stored.floats)


# C of sums


def integer_arrays(op: Recurrent, layer: Layer, order: Sequence[int]) -> dict[str, Array]:
    """The arrays of a unit's rows: weights, what sums start from, and pairs of multipliers."""
    sums = op.sums(layer)
    multipliers = np.stack([sums.multiplier, sums.state_multiplier], axis=1)
    return {
        "weight": by_units(sums.weight, op.gates, order),
        "recurrent": by_units(sums.recurrent, op.gates, order),
        "bias": by_units(sums.bias, op.gates, order),
        "multiplier": by_units(multipliers, op.gates, order),
    }


def integer_total(row: str, state: str = "h") -> str:
    """C that declares `sum`, the joined sum of a row."""
    return f"""\
const int32_t at = {row};
int32_t acc = bias[at], heard = 0;
for (int32_t i = 0; i < inputs; i++)
    acc += row[i] * weight[at * inputs + i];
for (int32_t i = 0; i < hidden; i++)
    heard += {state}[i] * recurrent[at * hidden + i];
const int64_t sum = (int64_t)acc * multiplier[2 * at] + (int64_t)heard * multiplier[2 * at + 1];"""


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


def tables(op: Recurrent, layer: Layer) -> dict[str, Array]:
    """Those of the activations; equal ones are emitted once."""
    return {
        f"{'fgh'[index]}_{kind}": table
        for index, pair in enumerate(op.tables(layer))
        for kind, table in zip(("pieces", "values"), pair, strict=True)
    }


def activated(slot: str, value: str) -> str:
    """C of an activation of 16 bits."""
    return f"mcuq_interpolate({value}, {slot}_pieces, {slot}_values)"


def activated_float(activation: Activation, value: str, target: str) -> Fragment:
    """C that declares a float `target`, the activation of `value`."""
    computed = assignment(activation.expression, target)
    lines = indented(f"const float x = {value};\n{computed.text}")
    return Fragment(f"float {target};\n{{{lines}\n}}", computed.needs)


def indented(text: str) -> str:
    """Lines one level deeper."""
    return "".join(f"\n    {line}" if line else "\n" for line in text.splitlines())
