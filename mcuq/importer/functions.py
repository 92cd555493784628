"""How large a model may be, and its local functions, inlined; how much that makes is known before it is made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import onnx
from onnx import inliner

from mcuq.errors import ModelError
from mcuq.importer.subgraphs import subgraphs

# Some stages take the square of the nodes: 10,000 1x1 convolutions in a chain took 69 s of CPU, a minute is the aim.
MOST_NODES = 8_000
MOST_BYTES = 2**30  # of nodes, with their constants
DEEPEST = 100  # calls within calls: exported modules nest some ten deep, ONNX's inliner recurses

_Key = tuple[str, str, str]


def inlined(model: onnx.ModelProto, name: str) -> onnx.ModelProto:
    """The model without local functions: their nodes stand where they were called.

    Raises ModelError for invalid functions, and for more nodes than are supported: functions may call each other so
    often that little text becomes a large network.
    """
    _check_size(model, name)
    if not model.functions:
        return model
    try:
        return inliner.inline_local_functions(model)
    except (onnx.checker.ValidationError, RuntimeError, ValueError) as error:
        reason = str(error).strip().splitlines()[0].split("failed: ")[-1].rstrip(".")
        raise ModelError(f"{name}: its local functions are invalid: {reason}; export it again, without them") from None


def _check_size(model: onnx.ModelProto, name: str) -> None:
    functions = {_key(f): f for f in model.functions}
    known: dict[_Key, tuple[int, int, int]] = {}
    too_deep = f"{name}: its local functions call each other more than {DEEPEST} deep; export it again, without them"

    def measure(nodes: Iterable[onnx.NodeProto], open_calls: frozenset[_Key]) -> tuple[int, int, int]:
        """Nodes, their bytes, and depth of calls, all inlined."""
        count, size_bytes, depth = 0, 0, 0
        for node in _all_nodes(nodes):
            key = (node.domain, node.op_type, node.overload)
            if key not in functions:
                count, size_bytes = count + 1, size_bytes + node.ByteSize()
                continue
            if key in open_calls:  # recursion: the inliner says so, and where
                continue
            if len(open_calls) >= DEEPEST:
                raise ModelError(too_deep)
            if key not in known:
                known[key] = measure(functions[key].node, open_calls | {key})
            inner = known[key]
            count, size_bytes, depth = count + inner[0], size_bytes + inner[1], max(depth, inner[2] + 1)
            if depth > DEEPEST:
                raise ModelError(too_deep)
        return count, size_bytes, depth

    count, size_bytes, _ = measure(model.graph.node, frozenset())
    if count > MOST_NODES:
        raise ModelError(f"{name}: has {count:,} nodes, supported are {MOST_NODES:,} at most; give a smaller network")
    if size_bytes > MOST_BYTES:
        raise ModelError(
            f"{name}: its local functions make nodes of {size_bytes:,} bytes, supported are {MOST_BYTES:,} at most; "
            "give a smaller network"
        )


def _key(function: onnx.FunctionProto) -> _Key:
    return (function.domain, function.name, function.overload)


def _all_nodes(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.NodeProto]:
    """The nodes, and those of their subgraphs, which protobuf nests 100 deep at most."""
    for node in nodes:
        yield node
        for graph in subgraphs(node):
            yield from _all_nodes(graph.node)
