"""Recurrent operators: what LSTM, GRU and RNN share.

x is (steps, batch, features), the output (steps, batch, hidden), or its last step. Inside, states and gates have 16
bits with scales 2^(e - 15) of their own: docs/recurrent.md is the specification.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import ClassVar, TypeAlias

import numpy as np

from mcuq.arithmetic.float32 import clamp_float
from mcuq.arithmetic.int8 import Requantization, requantization, requantize_s16
from mcuq.errors import ModelError
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.operator import Clamped, Layer
from mcuq.graph.tensor import Array, Shape, Tensor
from mcuq.ops.dtypes import MIXED
from mcuq.ops.recurrent_activation import ROOM, UNKNOWN_EXPONENT, Activation, Curve, curve_of, exponent_of, scale_of
from mcuq.ops.recurrent_sums import Sums, quantize_rows, sums_of

# The states (samples, batch, hidden): the hidden one, and what else the operator keeps.
States: TypeAlias = tuple[Array, ...]
# States after a step from those before it and the step's x (samples, batch, features).
Step: TypeAlias = Callable[[Array, States], States]
X, WEIGHT, RECURRENT, BIAS, INITIAL = range(5)
STATE_MAX = 32768


@dataclass(frozen=True)
class Exponents:
    """Of scales: `inputs` and `outputs` of each activation, and of each state, the hidden one first."""

    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    states: tuple[int, ...]


@dataclass(frozen=True)
class Recurrent(Clamped):
    """Inputs are x, weight (gates * hidden, features), recurrent (gates * hidden, hidden) and bias (2, gates * hidden),
    rows gate by gate as ONNX has them; where `has_initial`, the states to begin with (batch, hidden).

    `reverse`: from the last step to the first. `lengths`: steps of each of the batch, () where it is all of them; what
    is behind is 0. `whole`: the hidden state after each step, else after the last alone. `held` are magnitudes that
    calibration found inside, by name.
    """

    activations: tuple[Activation, ...]
    reverse: bool = False
    lengths: tuple[int, ...] = ()
    whole: bool = True
    has_initial: bool = False
    held: tuple[tuple[str, float], ...] = ()

    dtypes = frozenset({*MIXED, "float32"})
    mixes_dtypes = True
    onnx_type: ClassVar[str]
    gates: ClassVar[int]
    # Of the operator: its states, and which activation each gate has, by ONNX's order.
    states: ClassVar[tuple[str, ...]] = ("hidden",)
    gate_activations: ClassVar[tuple[int, ...]]

    def infer(self, inputs: Sequence[Tensor]) -> Shape:
        x, weight, recurrent, bias = inputs[:INITIAL]
        if len(x.shape) != 3 or len(weight.shape) != 2 or weight.shape[1] != x.shape[2]:
            raise ModelError(f"input {list(x.shape)} (steps, batch, features) does not fit W {list(weight.shape)}")
        rows = weight.shape[0]
        hidden = rows // self.gates
        if rows % self.gates or recurrent.shape != (rows, hidden) or bias.shape != (2, rows):
            raise ModelError(
                f"W of {rows} rows, R {list(recurrent.shape)} and B {list(bias.shape)} are not those of {self.gates} "
                "gates"
            )
        steps, batch, _ = x.shape
        if self.lengths and (len(self.lengths) != batch or not all(1 <= n <= steps for n in self.lengths)):
            raise ModelError(
                f"sequence_lens={list(self.lengths)} must be {batch} numbers from 1 to the {steps} steps of x"
            )
        if any(t.shape != (batch, hidden) for t in self.initial_inputs(inputs)):
            shapes = [list(t.shape) for t in self.initial_inputs(inputs)]
            raise ModelError(f"initial states {shapes} must be {[batch, hidden]}")
        return (self.rows(steps), batch, hidden)

    def rows(self, steps: int) -> int:
        """The first dimension of the output."""
        return steps if self.whole else 1

    def initial_inputs(self, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        """The states to begin with, where they are given."""
        return inputs[INITIAL : INITIAL + len(self.states)] if self.has_initial else ()

    def operand_dtype(self, own: str, output: str, weights: str) -> str:
        return own if own in MIXED and output in MIXED else output

    def macs(self, layer: Layer) -> int:
        x, weight, recurrent = layer.inputs[:BIAS]
        steps = sum(self.lengths) if self.lengths else x.shape[0] * x.shape[1]
        return steps * (weight.elements + recurrent.elements)

    def quantize_constants(self, layer: Layer) -> tuple[Tensor, ...]:
        """Weights as int8 by rows; biases and states stay real, as their scales are those of sums."""
        return quantize_rows(layer, self) if layer.output.quant is not None else layer.inputs

    # What lies inside

    @abstractmethod
    def float_step(self, layer: Layer, dot: Dot) -> Step:
        """A step in floats of the precision of its arguments; `dot` adds products with weights to sums."""

    @abstractmethod
    def integer_step(self, layer: Layer) -> Step:
        """A step in integers."""

    @abstractmethod
    def exponents(self, layer: Layer) -> Exponents:
        """Of all scales inside."""

    def state_scale(self, layer: Layer) -> float:
        """The step of the hidden state."""
        return scale_of(self.exponents(layer).states[0])

    def gate_scales(self, layer: Layer) -> Array:
        """(gates * hidden,): the step of what the activation of each row reads."""
        inputs = self.exponents(layer).inputs
        scales = [scale_of(inputs[a]) for a in self.gate_activations]
        return np.repeat(scales, layer.output.shape[-1])

    def split_bias(self, bias: Array) -> tuple[Array, Array]:
        """(gates * hidden,) each: what is added to the products with x, and with the state."""
        return bias[0] + bias[1], np.zeros_like(bias[1])

    def further_factors(self, layer: Layer) -> Array:
        """Other real factors that are added up with a gate's."""
        return np.zeros(0)

    def activation_exponents(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """(inputs, outputs) of the activations."""
        outputs = []
        inputs = []
        for index, activation in enumerate(self.activations):
            bounded = activation.output_exponent()
            output = self._found(f"output {index}") if bounded is None else bounded
            level = activation.input_exponent(output)
            inputs.append(self._found(f"input {index}") if level is None else level)
            outputs.append(output)
        return tuple(inputs), tuple(outputs)

    def state_exponent(self, layer: Layer, index: int, computed: int | None) -> int:
        """Of a state whose steps give what lies within 2^computed, or what calibration found; no less than that of the
        state to begin with."""
        name = self.states[index]
        if computed is None:
            return self._found(name)
        if not self.has_initial:
            return computed
        initial = layer.inputs[INITIAL + index]
        if initial.is_constant:
            reach = float(np.abs(initial.values).max())
        else:
            reach = max(map(abs, initial.quantization.real_bounds))
        return max(computed, exponent_of(min(reach, dict(self.held).get(name, inf))))

    def _found(self, name: str) -> int:
        found = dict(self.held).get(name)
        return UNKNOWN_EXPONENT if found is None else exponent_of(ROOM * found)

    # Calibration

    @property
    def holds(self) -> bool:
        return True

    def held_magnitudes(self, layer: Layer, inputs: Sequence[Array]) -> Mapping[str, float]:
        """The largest magnitudes of states, and of inputs and outputs of activations, by name, for float32 inputs
        (samples, *shape), constants as in the graph."""
        found: dict[str, float] = {}

        def look(name: str, values: Array) -> None:
            found[name] = max(found.get(name, 0.0), float(np.abs(values).max()))

        watched = replace(self, activations=tuple(_watched(self.activations, look)))
        step = watched.float_step(layer, _product)

        def observed(x: Array, states: States) -> States:
            new = step(x, states)
            for name, values in zip(self.states, new, strict=True):
                look(name, values)
            return new

        initial = self.float_states(layer, inputs)
        for name, values in zip(self.states, initial, strict=True):
            look(name, values)
        self.run(inputs[X], initial, observed)
        return found

    def with_held(self, found: Mapping[str, float]) -> Recurrent:
        """The same that knows the magnitudes."""
        return replace(self, held=tuple(sorted((name, found[name]) for name in self.unbounded() if name in found)))

    def unbounded(self) -> set[str]:
        """The names of what nothing but calibration bounds."""
        found = {self.states[index] for index in range(len(self.states)) if self.has_initial or index > 0}
        for index, activation in enumerate(self.activations):
            output = activation.output_exponent()
            if output is None:
                found |= {"hidden", f"output {index}"}
            if activation.input_exponent(output or 0) is None:
                found.add(f"input {index}")
        return found

    # Simulation

    def simulate(self, layer: Layer, inputs: Sequence[Array]) -> Array:
        y = layer.output
        if y.quant is None:
            step = self.float_step(layer, _in_order)
            ends = self.run(inputs[X], self.float_states(layer, inputs), step)
            return clamp_float(self.joined(*ends), self.minimum, self.maximum)
        hidden, states = self.run(inputs[X], self.integer_states(layer, inputs), self.integer_step(layer))
        bounds = self.output_bounds(y)
        written = [
            requantize_s16(values[..., None], requant, y.zero_point, *bounds)[..., 0]
            for values, requant in zip((hidden, *states[1:]), self.output_requantizations(layer), strict=False)
        ]
        return self.joined(written[0], (written[0][:, -1], *written[1:])).astype(y.dtype)

    def joined(self, hidden: Array, states: States) -> Array:
        """The output, of hidden states (samples, rows, batch, hidden) and the last states."""
        return hidden

    def output_requantizations(self, layer: Layer) -> tuple[Requantization, ...]:
        """From each state to the output."""
        return tuple(
            requantization([scale_of(e) / layer.output.scale], STATE_MAX, layer.where)
            for e in self.exponents(layer).states
        )

    def run(self, x: Array, states: States, step: Step) -> tuple[Array, States]:
        """(hidden states (samples, rows, batch, hidden), last states) of all steps."""
        count, steps, batch = x.shape[:3]
        each = np.arange(batch)
        lengths = np.array(self.lengths or [steps] * batch)
        states = tuple(np.broadcast_to(s, (count, *s.shape[-2:])) for s in states)
        hidden = np.zeros((count, self.rows(steps), *states[0].shape[1:]), states[0].dtype)
        for k in range(int(lengths.max())):
            goes_on = k < lengths
            t = np.clip(lengths - 1 - k if self.reverse else np.full(batch, k), 0, steps - 1)
            new = step(x[:, t, each], states)
            states = tuple(np.where(goes_on[:, None], a, b) for a, b in zip(new, states, strict=True))
            if self.whole:
                hidden[:, t[goes_on], each[goes_on]] = states[0][:, goes_on]
        if not self.whole:
            hidden[:, 0] = states[0]
        return hidden, states

    def float_states(self, layer: Layer, inputs: Sequence[Array]) -> States:
        """What the first step begins with."""
        shape = (1, *layer.output.shape[1:])
        given = inputs[INITIAL : INITIAL + len(self.states)] if self.has_initial else ()
        return tuple(given) or (np.zeros(shape, np.float32),) * len(self.states)

    def integer_states(self, layer: Layer, inputs: Sequence[Array]) -> States:
        """The same in integers."""
        if not self.has_initial:
            return (np.zeros((1, *layer.output.shape[1:]), np.int32),) * len(self.states)
        found = []
        for index, exponent in enumerate(self.exponents(layer).states):
            t, values = layer.inputs[INITIAL + index], inputs[INITIAL + index]
            if t.is_constant:
                found.append(constant_state(t, exponent).astype(np.int32))
            else:
                requant = self.initial_requantization(layer, index)
                acc = values.astype(np.int32)[..., None] - t.zero_point
                found.append(requantize_s16(acc, requant, 0, -32768, 32767)[..., 0])
        return tuple(found)

    def initial_requantization(self, layer: Layer, index: int) -> Requantization:
        """From a computed state to begin with to the state."""
        initial = layer.inputs[INITIAL + index]
        factor = initial.scale / scale_of(self.exponents(layer).states[index])
        return requantization([factor], 2 * STATE_MAX, layer.where)

    def sums(self, layer: Layer) -> Sums:
        """The integers of a layer's sums."""
        return sums_of(layer, self)

    def curves(self, layer: Layer) -> tuple[Curve, ...]:
        """The activations on integers."""
        e = self.exponents(layer)
        return tuple(map(curve_of, self.activations, e.inputs, e.outputs))

    # ONNX

    def to_onnx(self, layer: Layer, writer: OnnxWriter) -> None:
        x, weight, recurrent, bias = layer.inputs[:INITIAL]
        initial = [_with_direction(t, writer) for t in self.initial_inputs(layer.inputs)]
        given = [
            x.name,
            *(writer.constant(t.values[None]) for t in (weight, recurrent)),
            writer.constant(bias.values.reshape(1, -1)),
            writer.constant(np.array(self.lengths, np.int32)) if self.lengths else "",
            *(initial or [""] * len(self.states)),
            *self.further_inputs(layer, writer),
        ]
        while given[-1] == "":
            given.pop()
        attributes = {
            "hidden_size": weight.shape[0] // self.gates,
            "direction": "reverse" if self.reverse else "forward",
            "activations": [a.name for a in self.activations],
            "activation_alpha": [a.alpha for a in self.activations if a.parameters],
            "activation_beta": [a.beta for a in self.activations if len(a.parameters) > 1],
            "clip": next((a.clip for a in self.activations if a.clip < inf), None),
            **self.further_attributes(),
        }
        attributes = {name: value for name, value in attributes.items() if value not in (None, [])}
        outputs = writer.several(self.onnx_type, given, 1 + len(self.states), **attributes)
        parts = self.written_outputs(outputs)
        # The dimension of directions: (steps, 1, batch, hidden), and of states (1, batch, hidden) already.
        shaped = [
            writer.node("Squeeze", [p, writer.constant(np.array([1], np.int64))]) if p == outputs[0] else p
            for p in parts
        ]
        y = shaped[0] if len(shaped) == 1 else writer.node("Concat", shaped, axis=0)
        writer.clip(y, self.minimum, self.maximum, layer.output.name)

    def written_outputs(self, outputs: Sequence[str]) -> Sequence[str]:
        """Those of ONNX's outputs of which the operator's is made."""
        return outputs[:1] if self.whole else outputs[1:2]

    def further_inputs(self, layer: Layer, writer: OnnxWriter) -> Sequence[str]:
        """ONNX's inputs behind the states."""
        return ()

    def further_attributes(self) -> Mapping[str, int]:
        """ONNX's attributes that others have not."""
        return {}


# sums + x * weights: (samples, batch, rows) of x (samples, batch, features) and weights (rows, features).
Dot: TypeAlias = Callable[[Array, Array, Array], Array]


def _in_order(sums: Array, x: Array, weight: Array) -> Array:
    """One product after the other, each product and each sum float32: what kernels compute."""
    acc = np.array(np.broadcast_to(sums, (*x.shape[:-1], len(weight))), np.float32)
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        for i, column in enumerate(weight.T):
            acc += x[..., i, None] * column
    return acc


def _product(sums: Array, x: Array, weight: Array) -> Array:
    """In any order."""
    found: Array = sums + x @ weight.T
    return found


@dataclass(frozen=True)
class _Watched(Activation):
    """An activation that shows what it reads and gives."""

    index: int = 0
    look: Callable[[str, Array], None] = lambda name, values: None

    def of(self, x: Array) -> Array:
        y = super().of(x)
        self.look(f"input {self.index}", x)
        self.look(f"output {self.index}", y)
        return y


def _watched(activations: Sequence[Activation], look: Callable[[str, Array], None]) -> list[_Watched]:
    return [_Watched(a.name, a.alpha, a.beta, a.clip, index, look) for index, a in enumerate(activations)]


def constant_state(t: Tensor, exponent: int) -> Array:
    """int16 of a constant state to begin with."""
    q = np.floor(t.values.astype(np.float64) / scale_of(exponent) + 0.5)
    return np.clip(q, -32768, 32767).astype(np.int16)


def _with_direction(t: Tensor, writer: OnnxWriter) -> str:
    """(1, batch, hidden) of (batch, hidden)."""
    if t.is_constant:
        return writer.constant(t.values[None])
    return writer.node("Unsqueeze", [t.name, writer.constant(np.array([0], np.int64))])
