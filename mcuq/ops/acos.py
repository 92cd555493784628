"""Acos: the inverse of the cosine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mcuq.arithmetic.expression import Expression, X, call
from mcuq.onnx_io.reader import FromOnnx
from mcuq.ops.function import Example, Function
from mcuq.ops.unary import from_unary


@dataclass(frozen=True)
class Acos(Function):
    """The angle from 0 to pi whose cosine is x; in float32 NaN beyond [-1, 1]."""

    from_onnx: ClassVar[dict[str, FromOnnx]] = {"Acos": from_unary(lambda node: Acos())}
    units = 5
    domain = (-1.0, 1.0)

    @property
    def expression(self) -> Expression:
        # Half of the angle, so that none is a small difference.
        return 2 * call("arctangent", call("square_root", (1 - X) / (1 + X)))

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(), -1, 1),
            Example(cls(), 0.5, 1),
        )
