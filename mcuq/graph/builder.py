"""Builds a graph node by node: the importer starts from nothing, a pass from the graph it rewrites."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

import numpy as np

from mcuq.errors import ModelError
from mcuq.graph.ir import Graph, Node, verify
from mcuq.graph.operator import Layer, Operator
from mcuq.graph.tensor import Array, Quant, Shape, Tensor


class _Nodes(dict[str, Node]):
    """Nodes by their outputs, in the order in which those were first set, and who reads each tensor, found at once."""

    def __init__(self, nodes: Mapping[str, Node]) -> None:
        super().__init__()
        self._readers: dict[str, set[str]] = {}
        self._places: dict[str, int] = {}
        self._set = 0
        for output, node in nodes.items():
            self[output] = node

    def __setitem__(self, output: str, node: Node) -> None:
        if output in self:
            self._forget(output)
        else:
            self._places[output] = self._set
            self._set += 1
        super().__setitem__(output, node)
        for name in node.inputs:
            self._readers.setdefault(name, set()).add(output)

    def __delitem__(self, output: str) -> None:
        self._forget(output)
        super().__delitem__(output)
        del self._places[output]

    def readers(self, tensor: str) -> list[Node]:
        """The nodes that read the tensor, in order."""
        return [self[output] for output in sorted(self._readers.get(tensor, ()), key=self._places.__getitem__)]

    def _forget(self, output: str) -> None:
        for name in self[output].inputs:
            self._readers[name].discard(output)


class GraphBuilder:
    """A graph under construction. `graph()` orders it, drops what no output needs, and verifies it."""

    def __init__(self, source: Graph | str) -> None:
        if isinstance(source, Graph):
            self.name = source.name
            self.tensors = dict(source.tensors)
            self._nodes = _Nodes({node.output: node for node in source.nodes})
            self.inputs = list(source.inputs)
            self.outputs = list(source.outputs)
            self.states = source.states
            self.stream = source.stream
        else:
            self.name = source
            self.tensors = {}
            self._nodes = _Nodes({})
            self.inputs = []
            self.outputs = []
            self.states = ()
            self.stream = None
        self._reserved: set[str] = set()
        # Stem of a tensor or node name -> a number below which all were taken when one was last looked for.
        self._numbers: dict[tuple[str, bool], int] = {}
        self._names = {node.name for node in self.nodes.values()}
        # Name of a node, also of those that are gone or yet to come -> what the model calls it.
        self._sources = {node.name: node.source or node.name for node in self.nodes.values()}

    @property
    def nodes(self) -> dict[str, Node]:
        """The nodes by their outputs."""
        return self._nodes

    @nodes.setter
    def nodes(self, nodes: Mapping[str, Node]) -> None:
        self._nodes = _Nodes(nodes)

    def reserve(self, names: Iterable[str]) -> None:
        """Keep names for tensors that are yet to come."""
        self._reserved.update(names)

    def reserve_nodes(self, sources: Mapping[str, str]) -> None:
        """Keep names for nodes that are yet to come; `sources` gives what the model calls each."""
        self._sources.update(sources)

    def fresh(self, stem: str) -> str:
        """A tensor name that is not yet taken."""
        return self._free(stem, lambda name: name in self.tensors or name in self._reserved, of_node=False)

    def input(self, name: str, shape: Shape, quant: Quant | None = None) -> str:
        """Declare an input of the model, of real values, or of the integers that `quant` says."""
        self.tensors[name] = Tensor(name, shape, quant=quant)
        self.inputs.append(name)
        return name

    def constant(self, data: Array, stem: str = "constant", quant: Quant | None = None) -> str:
        """Add constant data under a fresh name; `quant` where the data are its real values."""
        name = self.fresh(stem)
        data = np.ascontiguousarray(data).reshape(data.shape)
        self.tensors[name] = Tensor(name, data.shape, data.dtype.name, data, quant)
        return name

    def add(self, op: Operator, inputs: list[str], output: str | None = None, name: str | None = None) -> str:
        """Add a node and return its output's name, `output` if given, else made from `name`; its shape is inferred.

        A name that another node has, or without `name` the output's, gets a number. An output that is known already
        keeps its quantization, unless it is of integers. An infer error is a ModelError with the node's name in front.
        """
        output = self.fresh(name or type(op).__name__.lower()) if output is None else output
        tensors = tuple(self.tensors[i] for i in inputs)
        node_name = name if name is not None else output
        try:
            shape = op.infer(tensors)
        except ModelError as error:
            raise ModelError(f"{type(op).__name__} '{node_name}': {error}") from None
        known = self.tensors.get(output)
        self.tensors[output] = Tensor(output, shape, quant=op.integers(tensors) or (known.quant if known else None))
        if output in self.nodes:
            self.remove(self.nodes[output])
        unique, source = self._claim(name, output)
        self.nodes[output] = Node(unique, op, tuple(inputs), output, source)
        return output

    def _claim(self, name: str | None, output: str) -> tuple[str, str]:
        """A name that no other node has, and what the model calls it; without `name` also none that a node has had."""
        if name is None:
            unique = self._free(output, lambda n: n in self._names or n in self._sources, of_node=True)
            source = unique
        else:
            unique = self._free(name, lambda n: n in self._names or (n != name and n in self._sources), of_node=True)
            source = self._sources.get(name, name)
        self._names.add(unique)
        self._sources[unique] = source
        return unique, source

    def _free(self, stem: str, is_taken: Callable[[str], bool], of_node: bool) -> str:
        """`stem`, or else stem_2, stem_3, ...: the first that is not taken, numbers that were before aside."""
        if not is_taken(stem):
            return stem
        n = self._numbers.get((stem, of_node), 2)
        while is_taken(name := f"{stem}_{n}"):
            n += 1
        self._numbers[stem, of_node] = n
        return name

    def layer(self, node: Node) -> Layer:
        """The node with its tensors as they are now."""
        inputs = tuple(self.tensors[i] for i in node.inputs)
        return Layer(node.name, node.op, inputs, self.tensors[node.output], node.source)

    def producer(self, tensor: str) -> Node | None:
        """The node that computes the tensor, if any."""
        return self.nodes.get(tensor)

    def consumers(self, tensor: str) -> list[Node]:
        """The nodes that read the tensor."""
        return self._nodes.readers(tensor)

    def is_private(self, tensor: str) -> bool:
        """Whether exactly one node reads the tensor and the model does not give it out."""
        return tensor not in self.outputs and len(self.consumers(tensor)) == 1

    def remove(self, node: Node) -> None:
        """Take the node away; its name is free, and its output to be computed by another."""
        del self.nodes[node.output]
        self._names.discard(node.name)

    def redirect(self, old: str, new: str) -> None:
        """Let all nodes that read `old` read `new`."""
        for node in self.consumers(old):
            self.nodes[node.output] = replace(node, inputs=tuple(new if i == old else i for i in node.inputs))

    def give(self, tensor: str, quant: Quant) -> None:
        """State that the tensor's values are those of a quantization."""
        self.tensors[tensor] = replace(self.tensors[tensor], quant=quant)

    def rename(self, old: str, new: str) -> None:
        """Give a computed tensor another name."""
        node = self.nodes[old]
        del self.nodes[old]
        self.nodes[new] = replace(node, output=new)
        self.tensors[new] = replace(self.tensors.pop(old), name=new)
        self.redirect(old, new)
        self.outputs = [new if name == old else name for name in self.outputs]

    def graph(self) -> Graph:
        """The verified graph: nodes in a stable order, without what no output needs. Inputs always stay."""
        order: list[Node] = []
        done: set[str] = set()
        for wanted in self.outputs:
            # Depth first without recursion: networks may be deeper than Python's stack.
            stack = [wanted]
            path: set[str] = set()
            while stack:
                name = stack[-1]
                node = self.nodes.get(name)
                if name in done or node is None:
                    stack.pop()
                    continue
                path.add(name)
                pending = [i for i in node.inputs if i not in done and i in self.nodes]
                if any(i in path for i in pending):
                    raise ModelError(f"graph '{self.name}': node '{node.name}' is part of a cycle")
                if pending:
                    stack.extend(reversed(pending))
                else:
                    stack.pop()
                    path.discard(name)
                    done.add(name)
                    order.append(node)
        used = {*self.inputs, *self.outputs, *done, *(i for node in order for i in node.inputs)}
        tensors = {name: self.tensors[name] for name in self.tensors if name in used}
        ports = tuple(self.inputs), tuple(self.outputs)
        return verify(Graph(self.name, tuple(order), tensors, *ports, self.states, self.stream))
