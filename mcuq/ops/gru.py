"""GRU: an update gate between the state and a candidate, of which a reset gate chooses what it hears of the state."""

from __future__ import annotations

from collections.abc import Mapping
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

UPDATE, RESET, CANDIDATE = range(3)  # gates in ONNX's order


@dataclass(frozen=True)
class GruUpdate:
    """hidden = ((one - update) * candidate + update * hidden) / 2^shift; what is reset is reset * hidden / 2^shift, or
    where that comes after the product, its sum / 2^guard_shift times reset, times `reset_factor`."""

    one: int
    shift: int
    guard_shift: int
    reset_factor: int


def from_gru(node: OnnxNode, graph: GraphBuilder) -> tuple[str, ...]:
    """An operator for each direction."""
    return add_recurrent(node, graph, _made, 1, ("Sigmoid", "Tanh"))


def _made(node: OnnxNode, direction: Direction) -> Recurrent:
    return Gru(
        direction.activations,
        reverse=direction.reverse,
        lengths=direction.lengths,
        whole=direction.whole,
        has_initial=direction.has_initial,
        resets_product=bool(node.attribute("linear_before_reset", 0)),
    )


@dataclass(frozen=True)
class Gru(Recurrent):
    """z, r = f(W x + R h + B), n = g(W x + R (r * h) + B), h' = (1 - z) * n + z * h.

    `resets_product`: n = g(W x + B + r * (R h + B')), linear_before_reset. Integers: see docs/recurrent.md; a step's
    error is below 2^-12 where activations are sigmoid and tanh.
    """

    resets_product: bool = False

    from_onnx: ClassVar[dict[str, FromOnnx]] = {"GRU": from_gru}
    from_integers: ClassVar[dict[str, FromOnnx]] = from_onnx  # lengths that are computed are refused
    onnx_type = "GRU"
    gates = 3
    gate_activations = (0, 0, 1)

    def further_attributes(self) -> Mapping[str, int]:
        return {"linear_before_reset": int(self.resets_product)}

    def split_bias(self, bias: Array) -> tuple[Array, Array]:
        own, of_state = super().split_bias(bias)
        if self.resets_product:
            candidate = slice(CANDIDATE * len(own) // self.gates, None)
            own[candidate], of_state[candidate] = bias[0][candidate], bias[1][candidate]
        return own, of_state

    def float_step(self, layer: Layer, dot: Dot) -> Step:
        weight, recurrent, bias = (t.values for t in layer.inputs[1:4])
        own, of_state = self.split_bias(bias)
        size = layer.output.shape[-1]
        gates, candidate = slice(0, CANDIDATE * size), slice(CANDIDATE * size, None)
        f, g = (a.of for a in self.activations)

        def step(x: Array, states: States) -> States:
            (hidden,) = states
            with np.errstate(over="ignore", invalid="ignore", under="ignore"):
                both = dot(dot(own[gates], x, weight[gates]), hidden, recurrent[gates])
                z, r = np.split(f(both), 2, axis=-1)
                n = dot(own[candidate], x, weight[candidate])
                if self.resets_product:
                    n = n + r * dot(of_state[candidate], hidden, recurrent[candidate])
                else:
                    n = dot(n, r * hidden, recurrent[candidate])
                return ((np.float32(1) - z) * g(n) + z * hidden,)

        return step

    def unbounded(self) -> set[str]:
        return super().unbounded() | (set() if self.activations[0].is_share else {"hidden"})

    def exponents(self, layer: Layer) -> Exponents:
        inputs, outputs = self.activation_exponents()
        is_bounded = self.activations[0].is_share and self.activations[1].output_exponent() is not None
        hidden = self.state_exponent(layer, 0, outputs[1] if is_bounded else None)
        # The candidate has the state's scale.
        return Exponents(inputs, (outputs[0], hidden), (hidden,))

    def update(self, layer: Layer) -> GruUpdate:
        """The powers of two between the scales of gates, states and sums."""
        gate, shift = self.exponents(layer).outputs[0], self.sums(layer).shift
        guard = min(15, shift - 15 + gate)
        return GruUpdate(
            one=2 ** (15 - gate),
            shift=15 - gate,
            guard_shift=shift - guard,
            reset_factor=2 ** (shift + gate - 15 - guard),
        )

    def integer_step(self, layer: Layer) -> Step:
        sums, update = self.sums(layer), self.update(layer)
        f, g = (c.of for c in self.curves(layer))
        size = layer.output.shape[-1]
        gates, candidate = slice(0, CANDIDATE * size), slice(CANDIDATE * size, None)

        def step(x: Array, states: States) -> States:
            (hidden,) = states
            z, r = np.split(f(rounded_s16(sums.total(x, hidden, gates), sums.shift)), 2, axis=-1)
            if self.resets_product:
                product = sums.state_sum(hidden, candidate) * sums.state_multiplier[candidate].astype(np.int64)
                guarded = (product + (1 << (update.guard_shift - 1))) >> update.guard_shift
                total = sums.part(x, candidate) + guarded * r * update.reset_factor
            else:
                total = sums.total(x, rounded_s16(r.astype(np.int64) * hidden, update.shift), candidate)
            n = g(rounded_s16(total, sums.shift)).astype(np.int64)
            return (rounded_s16((update.one - z) * n + z.astype(np.int64) * hidden, update.shift),)

        return step
