"""One ONNX node as the operators' `from_onnx` functions see it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from mcuq.errors import ModelError
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.tensor import Array, Tensor
from mcuq.onnx_io.given_quant import GivenQuant


class NodeError(ModelError):
    """What is wrong with a node; `attributes` are those that have to be others."""

    def __init__(self, text: str, attributes: tuple[str, ...] = ()) -> None:
        super().__init__(text)
        self.attributes = attributes


@dataclass(frozen=True)
class OnnxNode:
    """A node with constants resolved: `inputs` are tensor names, "" where an optional one is left out.

    `unread` are the outputs that neither a node nor the model's user reads. `quants` are the given quantizations of
    inputs: of constants behind DequantizeLinear, and of computed tensors that are integers in the file.
    """

    op_type: str
    name: str
    opset: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]
    constants: Mapping[str, Array]
    tensors: Mapping[str, Tensor]
    unread: frozenset[str] = frozenset()
    quants: Mapping[str, GivenQuant] = field(default_factory=dict)
    output_range: tuple[int, int] | None = None

    @property
    def where(self) -> str:
        """How error messages call it: Conv 'features.3'."""
        return f"{self.op_type} '{self.name}'"

    def error(self, text: str, *attributes: str) -> ModelError:
        """A ModelError that names this node; `attributes` are at fault, and without them it may be read."""
        return NodeError(f"{self.where}: {text}", attributes)

    def has(self, index: int) -> bool:
        """Whether the input is given."""
        return index < len(self.inputs) and self.inputs[index] != ""

    def gives(self, index: int) -> bool:
        """Whether the output is there and somebody reads it."""
        return index < len(self.outputs) and self.outputs[index] not in ("", *self.unread)

    def shape(self, index: int) -> tuple[int, ...]:
        """Shape of an input, computed or constant."""
        name = self.inputs[index]
        return self.constants[name].shape if name in self.constants else self.tensors[name].shape

    def is_constant(self, index: int) -> bool:
        """Whether the input is given and known at compile time."""
        return self.has(index) and self.inputs[index] in self.constants

    @property
    def reads_integers(self) -> bool:
        """Whether one of its computed inputs is integers, and no real values."""
        # A constant that another node reads as integers has its name in the graph too.
        computed = [name for name in self.inputs if name in self.tensors and name not in self.constants]
        return any(self.tensors[name].integers is not None for name in computed)

    def integers(self, index: int) -> str:
        """The name of an input of computed integers."""
        name = self.computed(index)
        if self.tensors[name].integers is None:
            raise self.error(f"input {index} must be of integers")
        return name

    def given(self, index: int) -> GivenQuant | None:
        """The quantization that the file gives for an input, if any."""
        return self.quants.get(self.inputs[index]) if self.has(index) else None

    def computed(self, index: int) -> str:
        """The name of an input that must be computed at run time."""
        if not self.has(index) or self.is_constant(index):
            raise self.error(f"input {index} must be computed, not constant")
        return self.inputs[index]

    def constant(self, index: int, what: str) -> Array:
        """The value of an input that must be known at compile time; `what` names it in the error."""
        if not self.is_constant(index):
            raise self.error(f"{what} must be a constant; export the model with fixed weights and shapes")
        return self.constants[self.inputs[index]]

    def attribute(self, name: str, default: Any = None) -> Any:
        """An attribute's value: int, float, str, or tuple of them."""
        return self.attributes.get(name, default)

    def ints(self, name: str, index: int) -> tuple[int, ...] | None:
        """Integers that older opsets give as an attribute and newer ones as an input; None if absent."""
        if name in self.attributes:
            value = self.attributes[name]
            return tuple(value) if isinstance(value, Sequence) else (int(value),)
        if not self.has(index):
            return None
        value = self.constant(index, name)
        if value.dtype.kind not in "iu" or value.ndim > 1:
            raise self.error(f"{name} is {value.dtype} of shape {list(value.shape)}; it must be a list of integers")
        return tuple(int(v) for v in value.reshape(-1))

    def real(self, name: str, index: int, default: float) -> float:
        """A number, maybe infinite, that older opsets give as an attribute and newer ones as an input."""
        if name in self.attributes:
            value = np.asarray(self.attributes[name])
        elif self.has(index):
            value = self.constant(index, name)
        else:
            return default
        if value.size != 1 or value.dtype.kind not in "fiu" or np.isnan(value).any():
            text = value.reshape(-1)[0] if value.size == 1 else f"{value.dtype} of shape {list(value.shape)}"
            raise self.error(f"{name} is {text}; it must be one number")
        return float(value.reshape(()))


FromOneOutput: TypeAlias = Callable[[OnnxNode, GraphBuilder], str]
"""A FromOnnx of one output."""

FromOnnx: TypeAlias = Callable[[OnnxNode, GraphBuilder], str | tuple[str, ...]]
"""Adds a node to the graph and returns the name of the tensor that stands for its output, or one for each of its
outputs, "" for those that nobody reads."""


def weights(node: OnnxNode, index: int, what: str) -> Array:
    """A constant input as float32; ModelError where it holds what is no number."""
    value = node.constant(index, what)
    if value.dtype.kind in "OSUc":
        raise node.error(f"{what} '{node.inputs[index]}' is {value.dtype}; use float32")
    with np.errstate(over="ignore"):
        data = value.astype(np.float32)
    unfit = data.size - np.count_nonzero(np.isfinite(data))
    if unfit:
        raise node.error(
            f"{what} '{node.inputs[index]}' holds {unfit} NaN or infinite of {data.size} values; "
            "train or export it again"
        )
    return data


def normalized_axis(axis: int, rank: int, node: OnnxNode) -> int:
    """The axis counted from the front; ModelError where the tensor has no such axis."""
    if not -rank <= axis < rank:
        raise node.error(f"axis={axis} is outside a tensor of {rank} dimensions")
    return axis % rank
