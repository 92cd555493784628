"""The graph that every stage passes on: immutable, verified, with a canonical text form that tests compare."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType

from mcuq.errors import ModelError
from mcuq.graph.operator import Layer, Operator
from mcuq.graph.tensor import DTYPES, ChannelQuant, Tensor


@dataclass(frozen=True)
class Node:
    """An operator applied to tensors, by name.

    `name` is the node's alone. `source` is what the model calls the node that it came from, which may have become
    several; models may call several nodes by one name.
    """

    name: str
    op: Operator
    inputs: tuple[str, ...]
    output: str
    source: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """All that the user may call it: its name and its source's."""
        return (self.name, self.source) if self.source else (self.name,)


@dataclass(frozen=True)
class State:
    """What goes on from one inference to the next: the value of `output` is the next one's `input`, whose elements all
    are `initial`, a real number, in the first."""

    input: str
    output: str
    initial: float = 0.0


@dataclass(frozen=True)
class StreamedOutput:
    """An output with a dimension along the stream: each call gives its newest places along `axis`, of what the window
    has `places` [first, places behind them); the last of them is made as soon as `delay` frames behind its own came."""

    name: str
    axis: int
    first: int
    delay: int


@dataclass(frozen=True)
class Stream:
    """A window that moves on along a signal. Of dimension `axis` of the input, which has `window` frames, each call
    takes `hop` new ones; from call `calls` on outputs are those of the window that ends with them, of `outputs` the
    newest places alone. A whole window takes `macs` multiply-accumulates; the nodes `whole` are computed of whole
    windows in each call."""

    axis: int
    window: int
    hop: int
    calls: int
    macs: int
    outputs: tuple[StreamedOutput, ...] = ()
    whole: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Graph:
    """Nodes in an order in which they can run; `tensors` holds inputs, constants and everything computed. `states` are
    pairs of an input and an output that the caller neither gives nor is given. With a `stream`, the input has the new
    frames of a window, and states have those of before, and what was made of them."""

    name: str
    nodes: tuple[Node, ...]
    tensors: Mapping[str, Tensor]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    states: tuple[State, ...] = ()
    stream: Stream | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "tensors", MappingProxyType(dict(self.tensors)))

    @property
    def given_inputs(self) -> tuple[str, ...]:
        """The inputs that the caller gives: all but states."""
        kept = {state.input for state in self.states}
        return tuple(name for name in self.inputs if name not in kept)

    @property
    def given_outputs(self) -> tuple[str, ...]:
        """The outputs that the caller is given: all but states."""
        kept = {state.output for state in self.states}
        return tuple(name for name in self.outputs if name not in kept)

    def layer(self, node: Node) -> Layer:
        """The node with its tensors."""
        inputs = tuple(self.tensors[i] for i in node.inputs)
        return Layer(node.name, node.op, inputs, self.tensors[node.output], node.source)

    def layers(self) -> Iterator[Layer]:
        """All nodes with their tensors, in order."""
        return (self.layer(node) for node in self.nodes)

    def consumers(self) -> dict[str, list[Node]]:
        """The nodes that read each tensor, in order; tensors that nobody reads are absent."""
        found: dict[str, list[Node]] = {}
        for node in self.nodes:
            for name in dict.fromkeys(node.inputs):
                found.setdefault(name, []).append(node)
        return found

    def producers(self) -> dict[str, Node]:
        """The node that computes each tensor; inputs and constants are absent."""
        return {node.output: node for node in self.nodes}

    @property
    def is_integer(self) -> bool:
        """Whether the graph is quantized."""
        return all(t.quant is not None or t.dtype == "float32" for t in self.tensors.values()) and any(
            t.quant is not None for t in self.tensors.values()
        )

    def macs(self) -> int:
        """Multiply-accumulates of one inference."""
        return sum(layer.op.macs(layer) for layer in self.layers())

    def text(self) -> str:
        """One line a node: what a pass did is a difference of two texts."""
        lines = [f"input {_typed(self.tensors[name])}" for name in self.inputs]
        for node in self.nodes:
            arguments = ", ".join(_argument(self.tensors[name]) for name in node.inputs)
            lines.append(
                f"{_typed(self.tensors[node.output])} = {type(node.op).__name__}({arguments}){_attributes(node.op)}"
            )
        lines += [f"output {name}" for name in self.outputs]
        lines += [f"state {s.input} = {s.output}, {s.initial:g} at first" for s in self.states]
        lines += [f"stream {self.stream}"] if self.stream else []
        return "\n".join(lines) + "\n"


def _typed(tensor: Tensor) -> str:
    shape = ",".join(map(str, tensor.shape))
    return f"{tensor.name}: {tensor.dtype}[{shape}]{_quantized(tensor)}"


def _quantized(tensor: Tensor) -> str:
    if isinstance(tensor.quant, ChannelQuant):
        return f" {len(tensor.quant.scale)} scales along {len(tensor.shape) + tensor.quant.axis}"
    return f" {tensor.quant.step:.6g}*(q{-tensor.quant.zero_point:+d})" if tensor.quant else ""


def _argument(tensor: Tensor) -> str:
    if not tensor.is_constant:
        return tensor.name
    return f"{tensor.name}:{tensor.dtype}[{','.join(map(str, tensor.shape))}]"


def _attributes(op: Operator) -> str:
    """Attributes that differ from their defaults."""
    shown = []
    for f in fields(op):
        value = getattr(op, f.name)
        if value != f.default:
            shown.append(f" {f.name}={','.join(map(str, value)) if isinstance(value, tuple) else value}")
    return "".join(shown)


def verify(graph: Graph) -> Graph:
    """Return the graph if it is whole; ModelError otherwise.

    Every node has a name of its own, every tensor is defined once and before its use, every shape is what its operator
    infers, constants have their stated shape and dtype, and every output is computed or fed.
    """
    names = [node.name for node in graph.nodes]
    if len(set(names)) < len(names):
        twice = next(name for name, count in Counter(names).items() if count > 1)
        raise ModelError(f"graph '{graph.name}': two nodes are called '{twice}'")
    defined = set(graph.inputs) | {name for name, t in graph.tensors.items() if t.is_constant}
    for name, tensor in graph.tensors.items():
        if tensor.name != name or tensor.dtype not in DTYPES:
            raise ModelError(f"tensor '{name}': inconsistent entry {tensor.name}: {tensor.dtype}")
        if tensor.data is not None and (tensor.data.shape != tensor.shape or tensor.data.dtype.name != tensor.dtype):
            raise ModelError(
                f"tensor '{name}': data is {tensor.data.dtype.name}{list(tensor.data.shape)}, "
                f"stated is {tensor.dtype}{list(tensor.shape)}"
            )
    for name in (*graph.inputs, *graph.outputs, *(n for node in graph.nodes for n in (*node.inputs, node.output))):
        if name not in graph.tensors:
            raise ModelError(f"graph '{graph.name}': tensor '{name}' has no entry")
    for node in graph.nodes:
        layer = graph.layer(node)
        for name in node.inputs:
            if name not in defined:
                raise ModelError(f"{layer.where}: input '{name}' is used before it is computed")
        if node.output in defined:
            raise ModelError(f"{layer.where}: output '{node.output}' is computed twice")
        inferred = node.op.infer(layer.inputs)
        if inferred != layer.output.shape:
            raise ModelError(
                f"{layer.where}: output '{node.output}' has shape {list(layer.output.shape)}, "
                f"its inputs give {list(inferred)}"
            )
        defined.add(node.output)
    for name in graph.outputs:
        if name not in defined:
            raise ModelError(f"graph '{graph.name}': output '{name}' is never computed")
    for state in graph.states:
        if state.input not in graph.inputs or state.output not in graph.outputs:
            raise ModelError(f"graph '{graph.name}': state '{state.input}' has no input or output")
        x, y = graph.tensors[state.input], graph.tensors[state.output]
        if (x.shape, x.dtype, x.quant) != (y.shape, y.dtype, y.quant):
            raise ModelError(
                f"graph '{graph.name}': state {_typed(x)} is no longer what '{state.output}' is, {_typed(y)}"
            )
    return graph
