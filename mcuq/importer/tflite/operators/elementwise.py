"""Operators of each element by itself, of one tensor or of two that broadcast."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mcuq.importer.tflite.operator import Converter, Op
from mcuq.importer.tflite.writer import is_quantized


def function(kind: str, **attributes: Any) -> Converter:
    """An operator that ONNX has with these attributes."""
    return lambda op: op.write(kind, [op.x()], **attributes)


def limited(low: float, high: float) -> Converter:
    return lambda op: op.clipped(op.x(), low, high)


def binary(kind: str, options: str = "") -> Converter:
    """An operator of two tensors, maybe with an activation in its options."""

    def convert(op: Op) -> str:
        y = op.write(kind, [op.x(0), op.x(1)])
        return op.activated(y, options) if options else y

    return convert


def many(kind: str) -> Converter:
    return lambda op: op.write(kind, [op.x(i) for i in range(op.count)])


def select(op: Op) -> str:
    """SELECT, whose condition may be a row, one of each index of the first dimension."""
    condition, shape = op.x(0), op.shape(1)
    if len(op.shape(0)) == 1 < len(shape):
        condition = op.reshaped(condition, [*op.shape(0), *(1,) * (len(shape) - 1)])
    return op.write("Where", [condition, op.x(1), op.x(2)])


def square(op: Op) -> str:
    return op.write("Mul", [op.x(), op.x()])


def squared_difference(op: Op) -> str:
    difference = op.write("Sub", [op.x(0), op.x(1)])
    return op.write("Mul", [difference, difference])


def rsqrt(op: Op) -> str:
    return op.write("Reciprocal", [op.write("Sqrt", [op.x()])])


def floor_div(op: Op) -> str:
    quotient = op.write("Div", [op.x(0), op.x(1)])
    if op.input(0).type.startswith(("int", "uint")) and op.input(0).quantization is None:
        raise op.error("of integers is not supported; use FLOAT32")
    return op.write("Floor", [quotient])


def leaky_relu(op: Op) -> str:
    return op.write("LeakyRelu", [op.x()], alpha=float(op.option("LeakyReluOptions", "Alpha")))


def gelu(op: Op) -> str:
    approximate = "tanh" if op.option("GeluOptions", "Approximate") else "none"
    return op.write("Gelu", [op.x()], approximate=approximate)


def softmax(op: Op) -> str:
    """Along the last dimension, of beta * x."""
    beta, x = float(op.option("SoftmaxOptions", "Beta")), op.x()
    if beta != 1:
        x = op.write("Mul", [x, op.value(beta, np.float32)])
        if is_quantized(op.input(0)):  # each step is still one
            x = op.requantized(x, op.input(0), beta)
    return op.write("Softmax", [x], axis=-1)


def l2_normalization(op: Op) -> str:
    """x / sqrt(sum of x * x along the last dimension)."""
    y = op.write("LpNormalization", [op.x()], axis=-1, p=2)
    return op.activated(y, "L2NormOptions")


def cast(op: Op) -> str:
    """To the output's type."""
    to = op.type_of(op.output())
    return op.write("Cast", [op.x()], to=to)


def same(op: Op) -> str:
    """QUANTIZE and DEQUANTIZE: the same real values, in the output's quantization."""
    if op.output().type == "float32" and op.input(0).type == "float16":
        return op.write("Cast", [op.x()], to=op.type_of(op.output()))
    return op.x()


ELEMENTWISE: Mapping[str, Converter] = {
    "ABS": function("Abs"),
    "ADD": binary("Add", "AddOptions"),
    "ADD_N": many("Sum"),
    "CAST": cast,
    "CEIL": function("Ceil"),
    "COS": function("Cos"),
    "DEQUANTIZE": same,
    "DIV": binary("Div", "DivOptions"),
    "ELU": function("Elu", alpha=1.0),
    "EQUAL": binary("Equal"),
    "EXP": function("Exp"),
    "FLOOR": function("Floor"),
    "FLOOR_DIV": floor_div,
    "GELU": gelu,
    "GREATER": binary("Greater"),
    "GREATER_EQUAL": binary("GreaterOrEqual"),
    "HARD_SWISH": function("HardSwish"),
    "L2_NORMALIZATION": l2_normalization,
    "LEAKY_RELU": leaky_relu,
    "LESS": binary("Less"),
    "LESS_EQUAL": binary("LessOrEqual"),
    "LOG": function("Log"),
    "LOGICAL_AND": binary("And"),
    "LOGICAL_NOT": function("Not"),
    "LOGICAL_OR": binary("Or"),
    "LOGISTIC": function("Sigmoid"),
    "LOG_SOFTMAX": function("LogSoftmax", axis=-1),
    "MAXIMUM": binary("Max"),
    "MINIMUM": binary("Min"),
    "MUL": binary("Mul", "MulOptions"),
    "NEG": function("Neg"),
    "NOT_EQUAL": lambda op: op.write("Not", [op.write("Equal", [op.x(0), op.x(1)])]),
    "POW": binary("Pow"),
    "PRELU": binary("PRelu"),
    "QUANTIZE": same,
    "RELU": function("Relu"),
    "RELU6": limited(0.0, 6.0),
    "RELU_0_TO_1": limited(0.0, 1.0),
    "RELU_N1_TO_1": limited(-1.0, 1.0),
    "ROUND": function("Round"),
    "RSQRT": rsqrt,
    "SELECT": select,
    "SELECT_V2": many("Where"),
    "SIGN": function("Sign"),
    "SIN": function("Sin"),
    "SOFTMAX": softmax,
    "SQRT": function("Sqrt"),
    "SQUARE": square,
    "SQUARED_DIFFERENCE": squared_difference,
    "SUB": binary("Sub", "SubOptions"),
    "TANH": function("Tanh"),
}
