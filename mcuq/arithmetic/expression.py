"""A function of one value as an expression: one definition, evaluated in float32 and in float64, and printed as C."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np

from mcuq.arithmetic import float32, functions
from mcuq.graph.tensor import Array

Function: TypeAlias = Callable[..., Array]
Operand: TypeAlias = "Expression | float"


@dataclass(frozen=True, eq=False)
class Expression:
    """`op` of `operands`; its result is rounded to the precision that it is evaluated in.

    x, a constant (`value`), + - * /, neg, < and >, where(condition, a, b), or `function` of LIBRARY.
    """

    op: str
    operands: tuple[Expression, ...] = ()
    value: float = 0.0
    function: str = ""

    def __add__(self, other: Operand) -> Expression:
        return Expression("+", (self, expression(other)))

    def __radd__(self, other: float) -> Expression:
        return expression(other) + self

    def __sub__(self, other: Operand) -> Expression:
        return Expression("-", (self, expression(other)))

    def __rsub__(self, other: float) -> Expression:
        return expression(other) - self

    def __mul__(self, other: Operand) -> Expression:
        return self if other == 1 else Expression("*", (self, expression(other)))

    def __rmul__(self, other: float) -> Expression:
        return expression(other) * self

    def __truediv__(self, other: Operand) -> Expression:
        return Expression("/", (self, expression(other)))

    def __rtruediv__(self, other: float) -> Expression:
        return expression(other) / self

    def __neg__(self) -> Expression:
        return Expression("neg", (self,))

    def __abs__(self) -> Expression:
        return where(self < 0, -self, self)

    def __lt__(self, other: Operand) -> Expression:
        return Expression("<", (self, expression(other)))

    def __gt__(self, other: Operand) -> Expression:
        return Expression(">", (self, expression(other)))


X = Expression("x")

# Function of mcuq_float.h or mcuq_functions.h without its prefix -> what it is in float32, bit for bit, and in float64.
LIBRARY: Mapping[str, tuple[Function, Function]] = {
    "arctangent": (functions.arctangent, np.arctan),
    "clamp_float": (float32.clamp_float, np.clip),
    "complementary_error": (functions.complementary_error, np.vectorize(math.erfc, otypes=[np.float64])),
    "cosine": (functions.cosine, np.cos),
    "error_function": (functions.error_function, np.vectorize(math.erf, otypes=[np.float64])),
    "exponential": (float32.exponential, np.exp),
    "exponential_minus_one": (functions.exponential_minus_one, np.expm1),
    "hyperbolic_tangent": (float32.hyperbolic_tangent, np.tanh),
    "logarithm": (float32.logarithm, np.log),
    "reciprocal": (functions.reciprocal, np.reciprocal),
    "round_down": (functions.round_down, np.floor),
    "round_half_even": (functions.round_half_even, np.rint),
    "round_up": (functions.round_up, np.ceil),
    "sigmoid": (float32.sigmoid, lambda x: np.where(x < 0, np.exp(-np.abs(x)), 1) / (1 + np.exp(-np.abs(x)))),
    "sine": (functions.sine, np.sin),
    "square_root": (functions.square_root, np.sqrt),
}


def expression(value: Operand) -> Expression:
    """The expression, or that of a constant."""
    return value if isinstance(value, Expression) else Expression("constant", value=float(value))


def where(condition: Expression, a: Operand, b: Operand) -> Expression:
    """`a` where the condition holds, else `b`."""
    return Expression("where", (condition, expression(a), expression(b)))


def call(function: str, *operands: Operand) -> Expression:
    """A function of LIBRARY."""
    return Expression("call", tuple(map(expression, operands)), function=function)


def clamp(x: Operand, minimum: float, maximum: float) -> Expression:
    """`x` limited to [minimum, maximum]."""
    return call("clamp_float", x, minimum, maximum)


def logarithm(x: Expression) -> Expression:
    """ln(x) for positive x, subnormal ones too, which mcuq_logarithm is not for; NaN for negative x, -inf for 0."""
    is_tiny = x < 2.0**-126
    y = call("logarithm", where(is_tiny, x * 2.0**24, x)) - where(is_tiny, 24 * math.log(2), 0)
    return where(x > 0, y, where(x < 0, math.nan, x - math.inf))


def logarithm_of_one_and(x: Expression) -> Expression:
    """ln(1 + x) for x >= 0, small ones too. What 1 + x loses of x, the quotient gives back: Higham, Accuracy and
    Stability of Numerical Algorithms, section 1.14.1."""
    total = 1 + x
    return where(total > 1, call("logarithm", total) * (x / (total - 1)), x)


def evaluate(root: Expression, x: Array) -> Array:
    """The expression's value in the precision of `x`, float32 or float64: infinite and NaN where IEEE 754 has it so."""
    is_single = x.dtype == np.float32
    found: dict[Expression, Array] = {}
    with np.errstate(all="ignore"):
        for node in nodes(root):
            found[node] = _value(node, x, [found[operand] for operand in node.operands], is_single)
    return found[root]


def _value(node: Expression, x: Array, operands: list[Array], is_single: bool) -> Array:
    match node.op, operands:
        case "x", _:
            return x
        case "constant", _:
            return np.asarray(node.value, x.dtype)
        case "call", _:
            return LIBRARY[node.function][0 if is_single else 1](*operands)
        case "where", (condition, a, b):
            return np.where(condition, a, b)
        case "neg", (a,):
            return -a
        case operator, (a, b):
            return _BINARY[operator](a, b)
    raise AssertionError(node.op)


_BINARY: Mapping[str, Callable[[Array, Array], Array]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "<": np.less,
    ">": np.greater,
}


def substituted(root: Expression, x: Expression) -> Expression:
    """The expression of `x` instead of X."""
    found: dict[Expression, Expression] = {}
    for node in nodes(root):
        operands = tuple(found[operand] for operand in node.operands)
        found[node] = x if node.op == "x" else replace(node, operands=operands) if operands else node
    return found[root]


def nodes(root: Expression) -> Iterator[Expression]:
    """Each node once, operands before what they are of, from left to right."""
    seen: set[Expression] = set()
    pending = [(root, False)]
    while pending:
        node, is_ready = pending.pop()
        if is_ready:
            yield node
        elif node not in seen:
            seen.add(node)
            pending.append((node, True))
            pending += [(operand, False) for operand in reversed(node.operands)]
