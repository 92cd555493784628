"""LSTM: gates that let in, keep and give out a cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mcuq.arithmetic.recurrent import rounded_s16
from mcuq.errors import ModelError
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array, Shape, Tensor
from mcuq.onnx_io.reader import FromOnnx, OnnxNode
from mcuq.ops.recurrent import Dot, Exponents, Recurrent, States, Step
from mcuq.ops.recurrent_activation import scale_of
from mcuq.ops.recurrent_onnx import Direction, add_recurrent

INPUT, OUTPUT, FORGET, CELL = range(4)  # gates in ONNX's order
PEEPHOLES = (INPUT, OUTPUT, FORGET)


@dataclass(frozen=True)
class CellUpdate:
    """cell = (forget * cell * kept + input * candidate * added) / 2^shift, hidden = output * h / 2^hidden_shift, each
    rounded once; `one` is 1 in steps of gates."""

    kept: int
    added: int
    shift: int
    hidden_shift: int
    one: int


def from_lstm(node: OnnxNode, graph: GraphBuilder) -> tuple[str, ...]:
    """An operator for each direction."""
    return add_recurrent(node, graph, _made, 2, ("Sigmoid", "Tanh", "Tanh"), peephole=7)


def _made(node: OnnxNode, direction: Direction) -> Recurrent:
    return Lstm(
        direction.activations,
        reverse=direction.reverse,
        lengths=direction.lengths,
        whole=direction.whole,
        has_initial=direction.has_initial,
        with_cell=direction.with_cell,
        coupled=bool(node.attribute("input_forget", 0)),
        has_peephole=node.has(7),
    )


@dataclass(frozen=True)
class Lstm(Recurrent):
    """i, o, f = f(W x + R h + P * cell + B), cell' = f * cell + i * g(W x + R h + B), h' = o * h(cell').

    P of o meets the new cell. `coupled`: f is 1 - i. `with_cell`: behind the hidden states lies the last cell, on the
    same scale, and int8 becomes int16. `has_peephole`: the last input is P (3, hidden), of i, o and f. Integers: see
    docs/recurrent.md; a step's error is below 2^-12 of the hidden state where activations are sigmoid and tanh.
    """

    with_cell: bool = False
    coupled: bool = False
    has_peephole: bool = False

    from_onnx: ClassVar[dict[str, FromOnnx]] = {"LSTM": from_lstm}
    from_integers: ClassVar[dict[str, FromOnnx]] = from_onnx  # lengths that are computed are refused
    onnx_type = "LSTM"
    gates = 4
    states = ("hidden", "cell")
    gate_activations = (0, 0, 0, 1)

    def infer(self, inputs: Sequence[Tensor]) -> Shape:
        rows, batch, hidden = super().infer(inputs)
        if self.has_peephole and inputs[-1].shape != (3, hidden):
            raise ModelError(f"P {list(inputs[-1].shape)} must be {[3, hidden]}")
        return (rows + self.with_cell, batch, hidden)

    def output_dtype(self, wanted: str) -> str:
        return "int16" if self.with_cell and wanted == "int8" else super().output_dtype(wanted)

    def joined(self, hidden: Array, states: States) -> Array:
        return np.concatenate([hidden, states[1][:, None]], axis=1) if self.with_cell else hidden

    def written_outputs(self, outputs: Sequence[str]) -> Sequence[str]:
        return [*super().written_outputs(outputs), *([outputs[2]] if self.with_cell else [])]

    def further_inputs(self, layer: Layer, writer: OnnxWriter) -> Sequence[str]:
        return (writer.constant(layer.inputs[-1].values.reshape(1, -1)),) if self.has_peephole else ()

    def further_attributes(self) -> Mapping[str, int]:
        return {"input_forget": 1} if self.coupled else {}

    def peephole(self, layer: Layer) -> Array:
        """(3, hidden): of i, o and f."""
        return layer.inputs[-1].values if self.has_peephole else np.zeros((3, layer.output.shape[-1]), np.float32)

    def float_step(self, layer: Layer, dot: Dot) -> Step:
        weight, recurrent, bias = (t.values for t in layer.inputs[1:4])
        total = bias[0] + bias[1]
        p = self.peephole(layer)
        f, g, h = (a.of for a in self.activations)

        def step(x: Array, states: States) -> States:
            hidden, cell = states
            with np.errstate(over="ignore", invalid="ignore", under="ignore"):
                z = np.split(dot(dot(total, x, weight), hidden, recurrent), 4, axis=-1)
                if self.has_peephole:
                    z[INPUT] = z[INPUT] + p[INPUT] * cell
                    z[FORGET] = z[FORGET] + p[FORGET] * cell
                i = f(z[INPUT])
                kept = (np.float32(1) - i if self.coupled else f(z[FORGET])) * cell
                new = kept + i * g(z[CELL])
                if self.has_peephole:
                    z[OUTPUT] = z[OUTPUT] + p[OUTPUT] * new
                return f(z[OUTPUT]) * h(new), new

        return step

    def exponents(self, layer: Layer) -> Exponents:
        inputs, outputs = self.activation_exponents()
        bounded = [self.activations[i].output_exponent() is not None for i in (0, 2)]
        hidden = self.state_exponent(layer, 0, outputs[0] + outputs[2] if all(bounded) else None)
        hidden = max(hidden, outputs[0] + outputs[2] - 14)  # so that there is something to round
        cell = self.state_exponent(layer, 1, None)
        # h reads the cell itself.
        return Exponents((*inputs[:2], cell), outputs, (hidden, cell))

    def further_factors(self, layer: Layer) -> Array:
        e = self.exponents(layer)
        return self.peephole(layer).astype(np.float64) * (scale_of(e.states[1]) / scale_of(e.inputs[0]))

    def update(self, layer: Layer) -> CellUpdate:
        """The powers of two between the scales of gates and states."""
        e = self.exponents(layer)
        gate, candidate, cell = e.outputs[0], e.outputs[1], e.states[1]
        # Exponents of kept and added where shift is 0.
        kept, added = gate - 15, gate + candidate - cell - 15
        shift = max(1, -kept, -added)
        return CellUpdate(
            kept=2 ** (kept + shift),
            added=2 ** (added + shift),
            shift=shift,
            hidden_shift=15 + e.states[0] - gate - e.outputs[2],
            one=2 ** (15 - gate),
        )

    def integer_step(self, layer: Layer) -> Step:
        sums, update = self.sums(layer), self.update(layer)
        f, g, h = (c.of for c in self.curves(layer))
        p = sums.further(self.further_factors(layer)).astype(np.int64)
        size = layer.output.shape[-1]

        def gate(z: Array, index: int) -> Array:
            return z[..., index * size : (index + 1) * size]

        def step(x: Array, states: States) -> States:
            hidden, cell = states
            z = sums.total(x, hidden)
            i = f(rounded_s16(gate(z, INPUT) + p[INPUT] * cell, sums.shift))
            kept = update.one - i if self.coupled else f(rounded_s16(gate(z, FORGET) + p[FORGET] * cell, sums.shift))
            candidate = g(rounded_s16(gate(z, CELL), sums.shift))
            total = kept.astype(np.int64) * cell * update.kept + i.astype(np.int64) * candidate * update.added
            new = rounded_s16(total, update.shift)
            o = f(rounded_s16(gate(z, OUTPUT) + p[OUTPUT] * new, sums.shift))
            return rounded_s16(o.astype(np.int64) * h(new), update.hidden_shift), new

        return step
