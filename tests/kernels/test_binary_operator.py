"""An operator of two inputs is one function that gives C: one that only this test defines is computed, whichever input
is a constant or repeats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from support import integer_graph, model_of, random_reals

from mcuq.arithmetic.float32 import clamp_float
from mcuq.graph.onnx import OnnxWriter
from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Array
from mcuq.kernels import KERNELS
from mcuq.kernels.ending import limited
from mcuq.kernels.kernel import Fragment
from mcuq.kernels.portable.binary import Elements, binary_kernels
from mcuq.ops.binary import Binary
from mcuq.quantize.scheme import parse_scheme
from mcuq.validate import check_bits


@dataclass(frozen=True)
class Quotient(Binary):
    """y = clamp(a / b) of floats: exact but for one rounding."""

    dtypes = frozenset({"float32"})

    def to_onnx(self, layer: Layer, writer: OnnxWriter) -> None:
        y = writer.node("Div", [t.name for t in layer.inputs])
        writer.clip(y, self.minimum, self.maximum, layer.output.name)

    def simulate(self, layer: Layer, inputs: Sequence[Array]) -> Array:
        return clamp_float(inputs[0] / inputs[1], self.minimum, self.maximum)


def quotient_of(op: Quotient, layer: Layer, e: Elements) -> tuple[Fragment, int]:
    return limited(op, " / ".join(e.inputs), e.y, "quotient"), 0


NUMBERS = np.random.default_rng(0).uniform(1, 3, (2, 3, 5)).astype(np.float32)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((2, 3, 5), (2, 3, 5)),
        ((2, 3, 5), (1, 3, 1)),
        ((2, 1, 5), (1, 3, 5)),
        ((2, 3, 5), NUMBERS),
        (NUMBERS, (2, 3, 5)),
        (NUMBERS[:1, :1], (2, 3, 5)),
        ((2, 3, 1), NUMBERS[:1]),
    ],
)
def test_a_function_that_gives_c_is_all_that_an_operator_needs(
    a: tuple[int, ...] | Array, b: tuple[int, ...] | Array, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(KERNELS, Quotient, binary_kernels(quotient_of))
    graph = integer_graph(Quotient(maximum=1.5), [a, b], scheme=parse_scheme("float32"))
    reals = random_reals(graph, dict.fromkeys(graph.inputs, (1, 3)), np.random.default_rng(1))
    report = check_bits(model_of(graph), iter([{name: x[None] for name, x in reals.items()}]), "host")
    assert report.first_mismatch is None
    assert report.compared_bytes == 4 * 30
