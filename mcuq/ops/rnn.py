"""RNN: a state that is a function of the input and of itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mcuq.arithmetic.recurrent import rounded_s16
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array
from mcuq.onnx_io.reader import FromOnnx, OnnxNode
from mcuq.ops.recurrent import Dot, Exponents, Recurrent, States, Step
from mcuq.ops.recurrent_onnx import Direction, add_recurrent


def from_rnn(node: OnnxNode, graph: GraphBuilder) -> tuple[str, ...]:
    """An operator for each direction."""
    return add_recurrent(node, graph, _made, 1, ("Tanh",))


def _made(node: OnnxNode, direction: Direction) -> Recurrent:
    return Rnn(
        direction.activations,
        reverse=direction.reverse,
        lengths=direction.lengths,
        whole=direction.whole,
        has_initial=direction.has_initial,
    )


@dataclass(frozen=True)
class Rnn(Recurrent):
    """h' = f(W x + R h + B).

    Integers: see docs/recurrent.md; a step's error is below 2^-12 where the activation is tanh.
    """

    from_onnx: ClassVar[dict[str, FromOnnx]] = {"RNN": from_rnn}
    from_integers: ClassVar[dict[str, FromOnnx]] = from_onnx  # lengths that are computed are refused
    onnx_type = "RNN"
    gates = 1
    gate_activations = (0,)

    def float_step(self, layer: Layer, dot: Dot) -> Step:
        weight, recurrent, bias = (t.values for t in layer.inputs[1:4])
        total = bias[0] + bias[1]
        (f,) = (a.of for a in self.activations)

        def step(x: Array, states: States) -> States:
            with np.errstate(over="ignore", invalid="ignore", under="ignore"):
                return (f(dot(dot(total, x, weight), states[0], recurrent)),)

        return step

    def exponents(self, layer: Layer) -> Exponents:
        inputs, outputs = self.activation_exponents()
        is_bounded = self.activations[0].output_exponent() is not None
        hidden = self.state_exponent(layer, 0, outputs[0] if is_bounded else None)
        return Exponents(inputs, (hidden,), (hidden,))

    def integer_step(self, layer: Layer) -> Step:
        sums = self.sums(layer)
        (f,) = (c.of for c in self.curves(layer))

        def step(x: Array, states: States) -> States:
            return (f(rounded_s16(sums.total(x, states[0]), sums.shift)),)

        return step
