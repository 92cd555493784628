"""The inputs and outputs of a model as its header shows them."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from mcuq.emit.data import DataArray
from mcuq.emit.identifiers import claim, stems
from mcuq.emit.text import in_comment
from mcuq.graph.ir import Graph
from mcuq.graph.tensor import ChannelQuant, Tensor
from mcuq.kernels.c_types import C_TYPES


@dataclass(frozen=True)
class Port:
    """An input or output of the model as the header shows it."""

    name: str
    identifier: str
    tensor: Tensor
    accessor: str  # "input" or "output" where there is only one, else the identifier

    @property
    def c_type(self) -> str:
        """The type of an element in C."""
        return C_TYPES[self.tensor.dtype]

    @property
    def bounds(self) -> tuple[int, int]:
        """The least and the greatest value of a quantized port."""
        return self.tensor.quantization.bounds

    @property
    def integers(self) -> str:
        """What the header says of integers that stand for themselves; "" for real values."""
        found = self.tensor.integers
        return f"; integers from {found.low} to {found.high}" if found else ""

    @property
    def channels(self) -> ChannelQuant | None:
        """Scales and zero points along one dimension, where the port has several."""
        return self.tensor.quant if isinstance(self.tensor.quant, ChannelQuant) else None

    def channel(self, i: str) -> str:
        """The channel of element `i` in C."""
        assert self.channels is not None
        shape, axis = self.tensor.shape, len(self.tensor.shape) + self.channels.axis
        inner = prod(shape[axis + 1 :])
        index = f"{i} / {inner}" if inner > 1 else i
        return f"{index} % {shape[axis]}" if prod(shape[:axis]) > 1 else index

    @property
    def scales(self) -> str:
        """The initializer's lines of the scales of a port with channels."""
        assert self.channels is not None
        return DataArray("", "float", np.array(self.channels.scale)).text

    @property
    def zero_points(self) -> str:
        """The initializer's lines of the zero points of a port with channels."""
        assert self.channels is not None
        return DataArray("", "int32_t", np.array(self.channels.zero_points)).text

    @property
    def macro(self) -> str:
        """Stem of the port's macros."""
        return self.identifier.upper()

    @property
    def comment(self) -> str:
        """The name as a C comment can hold it."""
        return in_comment(self.name)


def ports_of(graph: Graph, model_id: str, used: set[str]) -> tuple[list[Port], list[Port]]:
    """(inputs, outputs) with names of their own, which become `used`."""
    names = [*graph.given_inputs, *graph.given_outputs]
    count = len(graph.given_inputs)
    found = []
    for index, (name, stem) in enumerate(zip(names, stems(names, "tensor"), strict=True)):
        kind, alone = ("input", count == 1) if index < count else ("output", len(names) == count + 1)

        def derived(text: str, kind: str = kind if alone else "") -> set[str]:
            # A port that is alone is called by its kind, which is in `used` already, and has macros of both names.
            macros = {f"{model_id}_{part}" for part in macro_parts(text, has_channels(graph))}
            if kind:
                return macros if text.lower() != kind else set()
            return {text, f"{model_id}_{text}", *macros}

        text = claim(stem, derived, used)
        found.append(Port(name, text, graph.tensors[name], kind if alone else text))
    return found[:count], found[count:]


def has_channels(graph: Graph) -> bool:
    """Whether an input or output has scales per channel."""
    return any(
        isinstance(graph.tensors[name].quant, ChannelQuant) for name in (*graph.given_inputs, *graph.given_outputs)
    )


def macro_parts(stem: str, has_channels: bool) -> list[str]:
    """What follows the model's name in what the header has of a port."""
    parts = [f"{stem}_{part}" for part in ("elements", "scale", "zero_point", "offset")]
    if has_channels:
        parts += [f"{stem}_{part}" for part in ("scales", "zero_points")] + [f"quantize_{stem}", f"dequantize_{stem}"]
    return parts
