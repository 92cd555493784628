"""Random networks as quantizers write them: FakeQuantize behind layers, weights that are values of a quantization."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from networks import random_network, run

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph
from mcuq.graph.quantization import quant_for_range
from mcuq.graph.tensor import Array, Quant
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.fake_quantize import FakeQuantize
from mcuq.ops.fully_connected import FullyConnected


def quantized_network(seed: int, share: float = 1.0) -> Graph:
    """A random network with FakeQuantize behind its inputs and `share` of its layers, for all of their readers.

    What only moves values has the quantization of its input, or sometimes one of its own.
    """
    graph = random_network(seed)
    rng = np.random.default_rng([seed, 7])
    ranges = _ranges(graph, rng)
    builder = GraphBuilder(graph)
    given: dict[str, Quant] = {}
    for name in (*graph.inputs, *(node.output for node in graph.nodes)):
        node = builder.producer(name)
        if node is not None and isinstance(node.op, Conv2d | FullyConnected):
            weight = builder.tensors[node.inputs[1]]
            scale, values = rounded_weights(weight.values)
            inputs = (node.inputs[0], builder.constant(values, weight.name, Quant(scale)), node.inputs[2])
            builder.nodes[name] = replace(node, inputs=inputs)
        if rng.random() >= share:
            continue
        source = given.get(node.inputs[0]) if node is not None and node.op.shares_scale else None
        quant = source if source is not None and rng.random() < 0.7 else quant_for_range(*ranges[name])
        _quantize_behind(builder, name, FakeQuantize(float(np.float32(quant.step)), quant.zero_point), given)
    return builder.graph()


def rounded_weights(weight: Array) -> tuple[tuple[float, ...], Array]:
    """Scales of output channels, and the weights as int8 of them has them."""
    flat = weight.reshape(len(weight), -1)
    scale = (np.abs(flat).max(axis=1) / 127).astype(np.float32)
    q = np.rint(flat / scale[:, None])
    return tuple(scale.astype(np.float64).tolist()), (q.astype(np.float32) * scale[:, None]).reshape(weight.shape)


def _quantize_behind(builder: GraphBuilder, name: str, op: FakeQuantize, given: dict[str, Quant]) -> None:
    if name in builder.nodes:
        exact = builder.fresh(f"{name}.exact")
        is_output = [output == name for output in builder.outputs]
        builder.rename(name, exact)
        builder.redirect(exact, name)
        builder.add(op, [exact], name)
        builder.outputs = [name if own else output for own, output in zip(is_output, builder.outputs, strict=True)]
        given[name] = op.quant
    else:
        readers = [node.output for node in builder.consumers(name)]
        rounded = builder.add(op, [name], builder.fresh(f"{name}.rounded"))
        for output in readers:
            node = builder.nodes[output]
            inputs = tuple(rounded if i == name else i for i in node.inputs)
            builder.nodes[output] = replace(node, inputs=inputs)
        given[rounded] = op.quant


def _ranges(graph: Graph, rng: np.random.Generator) -> dict[str, tuple[float, float]]:
    """Least and greatest value of each tensor on a few random inputs."""
    names = tuple(node.output for node in graph.nodes)
    inputs = {n: rng.normal(size=(3, *graph.tensors[n].shape)).astype(np.float32) for n in graph.inputs}
    values = {**inputs, **run(replace(graph, outputs=names), inputs)}
    return {name: (float(value.min()), float(value.max()) + 1e-3) for name, value in values.items()}
