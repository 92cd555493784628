"""Reading what files spell as several operators: what tensors are made of, as though no quantizations lay between."""

from __future__ import annotations

from math import inf

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Node
from mcuq.graph.operator import Operator
from mcuq.ops.add import Add
from mcuq.ops.compare import Compare
from mcuq.ops.fake_quantize import FakeQuantize
from mcuq.ops.integer_arithmetic import IntegerArithmetic
from mcuq.ops.mul import Mul
from mcuq.ops.pow import Pow
from mcuq.ops.sqrt import Sqrt


class Reader:
    """Of one graph."""

    def __init__(self, builder: GraphBuilder) -> None:
        self.builder = builder

    def only_reader(self, name: str) -> Node | None:
        readers = self.builder.consumers(name)
        return readers[0] if len(readers) == 1 and self.builder.is_private(name) else None

    def maker(self, name: str) -> Node | None:
        return self.builder.producer(self.under(name))

    def under(self, name: str) -> str:
        """The tensor before quantizations."""
        node = self.builder.producer(name)
        while node is not None and type(node.op) is FakeQuantize:
            name = node.inputs[0]
            node = self.builder.producer(name)
        return name

    def root(self, name: str) -> str | None:
        """What the tensor is the root of."""
        maker = self.maker(name)
        is_root = maker is not None and (type(maker.op) is Sqrt or maker.op == Pow(0.5))
        return maker.inputs[0] if maker is not None and is_root else None

    def less_number(self, name: str) -> tuple[str, float]:
        """(what a number is added to, the number), or (the tensor, 0)."""
        return self._without(name, Add(), 0.0)

    def is_square(self, name: str, of: str) -> bool:
        maker = self.maker(name)
        if maker is None or not (maker.op == Mul() or maker.op == Pow(2.0)):
            return False
        return {*map(self.under, maker.inputs)} == {self.under(of)}

    def without_factor(self, name: str) -> tuple[str, float]:
        """(what a number is multiplied by, the number), or (the tensor, 1)."""
        return self._without(name, Mul(), 1.0)

    def _without(self, name: str, op: Operator, neutral: float) -> tuple[str, float]:
        maker = self.maker(name)
        if maker is not None and maker.op == op:
            for other, constant in (maker.inputs, reversed(maker.inputs)):
                tensor = self.builder.tensors[constant]
                if tensor.is_constant and tensor.elements == 1 and tensor.quant is None:
                    return other, float(tensor.values.reshape(()))
        return name, neutral


def is_plain(op: Operator) -> bool:
    """Without limits of its own."""
    return op.clip_limits == (-inf, inf)


def negated_equality(builder: GraphBuilder, condition: str) -> Node | None:
    """The comparison of which a condition is the contrary: that its inputs are not equal."""
    negated = builder.producer(condition)
    if negated is None or negated.op != IntegerArithmetic("Xor"):
        return None
    equal, one = negated.inputs
    compared = builder.producer(equal)
    if compared is None or compared.op != Compare("=="):
        return None
    return compared if builder.tensors[one].is_constant and (builder.tensors[one].values == 1).all() else None
