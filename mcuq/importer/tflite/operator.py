"""One operator of a file as the functions that write it in ONNX see it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np

from mcuq.graph.tensor import Array, Shape
from mcuq.importer.tflite.network import ABSENT, Operator, Tensor
from mcuq.importer.tflite.writer import TYPES, Writer

# The format's ActivationFunctionType, by code.
_ACTIVATIONS = ("NONE", "RELU", "RELU_N1_TO_1", "RELU6", "TANH", "SIGN_BIT")
_LIMITS = {"RELU_N1_TO_1": (-1.0, 1.0), "RELU6": (0.0, 6.0)}
_LAYOUT = ("Transpose", "Reshape", "Cast")


class Refusal(Exception):
    """Why options have no form in ONNX, or none that is known here; "" where it is the operator that has none."""


class Op:
    """An operator, its tensors, and what its ONNX form is written with.

    Tensors of ONNX are names; those of the file are counted as the operator's inputs and outputs are.
    """

    def __init__(self, operator: Operator, writer: Writer) -> None:
        self._operator, self.writer = operator, writer
        outputs = [writer.tensors[i].name for i in operator.outputs if i != ABSENT]
        self.name = outputs[0].split(";")[0] if outputs else operator.kind
        self._is_named = False

    @property
    def kind(self) -> str:
        return self._operator.kind

    def error(self, text: str) -> Refusal:
        """A Refusal of this operator; who reports it names that."""
        return Refusal(text)

    # The file's side

    @property
    def count(self) -> int:
        """How many inputs are given, or left out in between."""
        return len(self._operator.inputs)

    def has(self, index: int) -> bool:
        """Whether the input is given."""
        return index < self.count and self._operator.inputs[index] != ABSENT

    def input(self, index: int) -> Tensor:
        """An input as the file has it."""
        if not self.has(index):
            raise self.error(f"has {self.count} inputs; input {index} must be given")
        return self.writer.tensors[self._operator.inputs[index]]

    def output(self, index: int = 0) -> Tensor:
        """An output as the file has it."""
        if index >= len(self._operator.outputs):
            raise self.error(f"has {len(self._operator.outputs)} outputs; output {index} must be there")
        return self.writer.tensors[self._operator.outputs[index]]

    @property
    def outputs(self) -> int:
        return len(self._operator.outputs)

    def shape(self, index: int) -> Shape:
        """Shape of an input."""
        return self.input(index).shape

    def images(self, index: int) -> Shape:
        """Shape of an input of four dimensions: batch, height, width, channels."""
        shape = self.shape(index)
        if len(shape) != 4:
            raise self.error(f"input {index} is of shape {list(shape)}; supported are four dimensions")
        return shape

    def option(self, options: str, field: str) -> Any:
        """A field of the operator's options, which are of this type in the schema."""
        return self._operator.read(options, field)

    def constant(self, index: int, what: str) -> Array:
        """The value of an input that must be constant; `what` names it in the error."""
        data = self.input(index).data
        if data is None:
            raise self.error(f"{what} must be a constant; convert the model with fixed shapes")
        return data

    def ints(self, index: int, what: str) -> list[int]:
        """The integers of a constant input."""
        value = self.constant(index, what)
        if value.dtype.kind not in "iu" or value.size > 64:
            raise self.error(f"{what} is {value.dtype} of shape {list(value.shape)}; it must be a list of integers")
        return [int(v) for v in value.reshape(-1)]

    def number(self, index: int, what: str) -> int:
        """The one integer of a constant input."""
        values = self.ints(index, what)
        if len(values) != 1:
            raise self.error(f"{what} is {values}; it must be one number")
        return values[0]

    def axis(self, value: int, rank: int) -> int:
        """The axis counted from the front."""
        if not -rank <= value < rank:
            raise self.error(f"axis={value} is outside a tensor of {rank} dimensions")
        return value % rank

    def type_of(self, tensor: Tensor) -> int:
        """ONNX's code of a tensor's type."""
        if tensor.type not in TYPES:
            raise self.error(f"tensor '{tensor.name}' is {tensor.type}; supported are {', '.join(TYPES)}")
        return TYPES[tensor.type]

    # ONNX's side

    def x(self, index: int = 0) -> str:
        """The real values of an input."""
        self.input(index)
        return self.writer.real(self._operator.inputs[index])

    def write(self, kind: str, inputs: Sequence[str], **attributes: Any) -> str:
        """Add a node of one output; the first that is more than layout has the operator's name."""
        return self.write_many(kind, inputs, 1, **attributes)[0]

    def write_many(self, kind: str, inputs: Sequence[str], outputs: int, **attributes: Any) -> list[str]:
        """Add a node of several outputs."""
        is_named = self._is_named or kind in _LAYOUT
        self._is_named = self._is_named or not is_named
        names = [self.writer.fresh(f"{self.name}.{kind.lower()}") for _ in range(outputs)]
        self.writer.node(kind, inputs, names, names[0] if is_named else self.name, **attributes)
        return names

    def note(self, key: str) -> None:
        """Say of the last node what ONNX has no attribute for."""
        self.writer.nodes[-1].metadata_props.add(key=key, value="1")

    def value(self, data: Any, dtype: Any = np.int64) -> str:
        """A constant of the ONNX form: shapes and axes, unless the type is said."""
        return self.writer.constant(np.asarray(data, dtype), f"{self.name}.constant")

    def reshaped(self, x: str, shape: Sequence[int]) -> str:
        """Add a Reshape."""
        return self.write("Reshape", [x, self.value(list(shape))])

    def transposed(self, x: str, perm: Sequence[int]) -> str:
        """Add a Transpose."""
        return self.write("Transpose", [x], perm=list(perm))

    def channels_first(self, x: str) -> str:
        """N, H, W, C to ONNX's N, C, H, W."""
        return self.transposed(x, (0, 3, 1, 2))

    def channels_last(self, x: str) -> str:
        """ONNX's N, C, H, W to N, H, W, C."""
        return self.transposed(x, (0, 2, 3, 1))

    def weight(self, index: int, perm: Sequence[int]) -> str:
        """The real values of weights, their dimensions in ONNX's order, and with them the axis of their scales."""
        tensor = self.input(index)
        if tensor.data is None:
            return self.transposed(self.x(index), perm)
        quantization = tensor.quantization
        is_split = quantization is not None and quantization.scale.size > 1
        axis = perm.index(quantization.axis) if quantization is not None and is_split else None
        return self.writer.constant_real(tensor.data.transpose(perm), tensor, axis)

    def bias(self, index: int, image: int, weight: int) -> list[str]:
        """The real values of a bias, whose scales are those of the image times those of the weight; none where it is
        left out."""
        if not self.has(index):
            return []
        tensor = self.input(index)
        x, w = self.input(image).quantization, self.input(weight).quantization
        if tensor.data is None or tensor.data.dtype.kind != "i" or x is None or w is None:
            return [self.x(index)]
        real = tensor.data.astype(np.float64) * (x.scale.astype(np.float64) * w.scale.astype(np.float64))
        return [self.writer.constant(real.astype(np.float32), f"{tensor.name}.real")]

    def activated(self, x: str, options: str, field: str = "FusedActivationFunction") -> str:
        """`x` behind the activation that the operator has inside."""
        code = self.option(options, field)
        kind = _ACTIVATIONS[code] if 0 <= code < len(_ACTIVATIONS) else f"of code {code}"
        if kind == "NONE":
            return x
        if kind == "RELU":
            return self.write("Relu", [x])
        if kind == "TANH":
            return self.write("Tanh", [x])
        if kind in _LIMITS:
            return self.clipped(x, *_LIMITS[kind])
        raise self.error(f"activation {kind} is not supported; use RELU, RELU6, RELU_N1_TO_1 or TANH")

    def requantized(self, x: str, tensor: Tensor, factor: float) -> str:
        """`x` on the grid of a quantized tensor, its scale times `factor`."""
        assert tensor.quantization is not None
        scale = tensor.quantization.scale * np.float32(factor)
        between = replace(tensor, name=x, quantization=replace(tensor.quantization, scale=scale))
        return self.writer.quantized(x, between, self.writer.fresh(f"{x}.real"))

    def clipped(self, x: str, low: float, high: float) -> str:
        """Add a Clip."""
        return self.write("Clip", [x, self.value(low, np.float32), self.value(high, np.float32)])

    def stand_in(self, domain: str, why: str) -> list[str]:
        """Add a node that nobody knows, for an operator that cannot be written."""
        outputs = [self.writer.fresh(f"{self.name}.unknown") for _ in range(self.outputs)]
        known = [i for i in range(self.count) if self.has(i) and self.writer.is_known(self._operator.inputs[i])]
        inputs = [self.x(i) for i in known]
        node = self.writer.node(self.kind, inputs, outputs, self.name, domain)
        node.doc_string = why
        return outputs

    def know(self, data: Array) -> None:
        """Take the output for a constant."""
        known = replace(self.output(), data=data)
        self.writer.tensors[self._operator.outputs[0]] = known

    def give(self, values: Sequence[str]) -> None:
        """Take these for the operator's outputs."""
        if len(values) != self.outputs:
            raise self.error(f"has {self.outputs} outputs; it must have {len(values)}")
        for index, value in zip(self._operator.outputs, values, strict=True):
            self.writer.give(index, value)


Converter: TypeAlias = Callable[[Op], str | list[str]]
"""Writes an operator in ONNX; returns the real values of its outputs."""
