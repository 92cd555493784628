"""Gives quantizations to the tensors that are quantized, so that FakeQuantize costs nothing.

What is left is a table between two quantizations. Each rule keeps every value; only a tensor that is read both
quantized and as it is takes the quantization for all its readers, as int8 it will be anyway.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph, Node
from mcuq.graph.quantization import quant_for_range
from mcuq.graph.tensor import Quant, Tensor
from mcuq.ops.fake_quantize import FakeQuantize
from mcuq.passes.order_quantization import is_value


def absorb_quantization(graph: Graph) -> Graph:
    """Tensors with `quant`, and FakeQuantize where two quantizations meet."""
    builder = GraphBuilder(graph)
    for name in [node.output for node in graph.nodes]:
        node = builder.nodes.get(name)
        if node is None:
            continue
        if isinstance(node.op, FakeQuantize):
            _absorb(builder, node)
        elif node.op.shares_scale and builder.tensors[name].integers is None:
            _pass_on(builder, node)
    return builder.graph()


def _absorb(builder: GraphBuilder, first: Node) -> None:
    """`_absorb_one` for the FakeQuantize and for those that are above it once it is moved up."""
    pending = [first.output]
    while pending:
        if (node := builder.producer(pending.pop())) is not None:
            pending += reversed(_absorb_one(builder, node))


def _absorb_one(builder: GraphBuilder, node: Node) -> list[str]:
    """Take the FakeQuantize away if its input can be, or is, of that quantization; else move it up, or leave it.

    Returns the tensors that it gives where it was moved to."""
    assert isinstance(node.op, FakeQuantize)
    x, quant = builder.tensors[node.inputs[0]], node.op.quant
    producer = builder.producer(x.name)
    if x.quant == quant:
        if _bypass(builder, node):
            return []
    elif x.quant is None and _only_quantization(builder, x.name, node):
        if producer is None:
            builder.give(x.name, quant)
            if _bypass(builder, node):
                return []
        elif not producer.op.shares_scale:
            if builder.layer(producer).op.output_quant(builder.layer(producer), quant.dtype) in (None, quant):
                builder.give(x.name, quant)
                if _bypass(builder, node):
                    return []
        elif x.name not in builder.outputs:
            for reader in builder.consumers(x.name):
                if reader.output != node.output:
                    inputs = tuple(node.output if name == x.name else name for name in reader.inputs)
                    builder.nodes[reader.output] = replace(reader, inputs=inputs)
            return _raise(builder, producer, node)
    builder.give(node.output, quant)
    return []


def _only_quantization(builder: GraphBuilder, name: str, node: Node) -> bool:
    """Whether no reader asks for another quantization of the tensor."""
    return all(reader.op == node.op for reader in builder.consumers(name) if isinstance(reader.op, FakeQuantize))


def _bypass(builder: GraphBuilder, node: Node) -> bool:
    """Take the node out: its input takes its name, unless the caller knows the input by its own."""
    x = node.inputs[0]
    if x in builder.nodes and x not in builder.outputs:
        builder.remove(node)
        builder.tensors.pop(node.output)
        builder.rename(x, node.output)
        return True
    if node.output in builder.outputs:
        return False
    builder.redirect(node.output, x)
    builder.remove(node)
    return True


def _raise(builder: GraphBuilder, producer: Node, node: Node) -> list[str]:
    """quantize(move(x)) -> move(quantize(x)), for all inputs of what moves values, which are returned."""
    assert isinstance(node.op, FakeQuantize)
    builder.remove(producer)
    builder.remove(node)
    op = producer.op.refilled(tuple(_rounded(node.op, value) for value in producer.op.fills))
    inputs = []
    for index, name in enumerate(producer.inputs):
        tensor = builder.tensors[name]
        if index in producer.op.choosing:
            inputs.append(name)
        elif tensor.is_constant:
            inputs.append(_quantized_constant(builder, tensor, node.op))
        else:
            inputs.append(builder.add(node.op, [name], name=node.name))
    builder.add(op, inputs, node.output, producer.name)
    builder.give(node.output, node.op.quant)
    return [name for index, name in enumerate(inputs) if index not in op.choosing]


def _rounded(op: FakeQuantize, real: float) -> float:
    return float(op.quant.dequantize(op.quant.quantize(np.array(real))))


def _quantized_constant(builder: GraphBuilder, tensor: Tensor, op: FakeQuantize) -> str:
    values = op.function(tensor.values).astype(tensor.values.dtype)
    return builder.constant(values, tensor.name, op.quant)


def _pass_on(builder: GraphBuilder, node: Node) -> None:
    """What only moves values of one quantization gives values of it."""
    tensors = list(builder.layer(node).moved)
    quants = {t.quant for t in tensors}
    if None in quants:
        return
    if len(quants) > 1:
        behind = [reader for reader in builder.consumers(node.output) if isinstance(reader.op, FakeQuantize)]
        if behind and node.output not in builder.outputs and _only_quantization(builder, node.output, behind[0]):
            return  # it will move up, and its quantization is the one to meet in
        _join(builder, node, [quant for quant in quants if quant is not None])
        return
    quant = tensors[0].quant
    assert quant is not None
    if all(is_value(FakeQuantize.of(quant), value) for value in node.op.fills):
        builder.give(node.output, quant)


def _join(builder: GraphBuilder, node: Node, quants: list[Quant]) -> None:
    """Inputs of several quantizations meet in one that has the ranges of all; no data are needed for that."""
    low, high = min(q.real_bounds[0] for q in quants), max(q.real_bounds[1] for q in quants)
    joint = quant_for_range(low, high, max((q.dtype for q in quants), key=lambda dtype: np.iinfo(dtype).bits))
    op = FakeQuantize.of(joint)
    inputs = []
    for index, name in enumerate(node.inputs):
        tensor = builder.tensors[name]
        if index in node.op.choosing:
            inputs.append(name)
        elif tensor.is_constant:
            inputs.append(_quantized_constant(builder, tensor, op))
        elif tensor.quant == joint:
            inputs.append(name)
        else:
            inputs.append(builder.add(op, [name]))
            builder.give(inputs[-1], joint)
    builder.nodes[node.output] = replace(node, inputs=tuple(inputs))
    builder.give(node.output, joint)
