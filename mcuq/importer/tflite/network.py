"""What a TensorFlow Lite file holds, as values: nothing behind them is read from its bytes but operators' options."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from mcuq.graph.tensor import Array, Shape

# What the format calls a tensor that is left out.
ABSENT = -1
# The type of weights of which a byte has two.
INT4 = "int4"
# The type of what names a variable.
RESOURCE = "resource"


@dataclass(frozen=True)
class Quantization:
    """real = scale * (q - zero_point), with one of each, or one for each index of `axis`."""

    scale: Array
    zero_point: Array
    axis: int


@dataclass(frozen=True)
class Tensor:
    """`data` are a constant's values, of NumPy's type; `type` is TensorFlow Lite's, as float32 or int4."""

    name: str
    shape: Shape
    type: str
    data: Array | None
    quantization: Quantization | None


@dataclass(frozen=True)
class Operator:
    """`kind` is the format's name, as CONV_2D; that of a custom one is CUSTOM.NAME.

    `inputs` and `outputs` are indices of tensors, ABSENT those that are left out; `read(options, field)` gives what its
    table of options says.
    """

    kind: str
    inputs: Sequence[int]
    outputs: Sequence[int]
    read: Callable[[str, str], Any]


@dataclass(frozen=True)
class Network:
    """A subgraph, of a file's first one with those that operators of control flow call, by number."""

    tensors: Sequence[Tensor]
    operators: Sequence[Operator]
    inputs: Sequence[int]
    outputs: Sequence[int]
    description: str
    subgraph: Callable[[int], Network]
