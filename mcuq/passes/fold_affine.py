"""Scales and biases per channel go into the weights before or behind them; what is left becomes a layer."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import numpy as np

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph, Node
from mcuq.graph.tensor import Array, Quant
from mcuq.ops.add import Add
from mcuq.ops.affine import Affine
from mcuq.ops.clip import Clip
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.mul import Mul
from mcuq.ops.reshape import Reshape
from mcuq.ops.weighted_operator import Weighted
from mcuq.ops.window import Window


def fold_affine(graph: Graph) -> Graph:
    """Fold each Affine into an Affine before it; over the last dimension into the layer before, else behind it."""
    builder = GraphBuilder(graph)
    for node in graph.nodes:
        if isinstance(node.op, Affine):
            node = _merge(builder, node)
            if parameters := _last_axis_parameters(builder, node):
                _ = _fold_backward(builder, node, *parameters) or _fold_forward(builder, node, *parameters)
    return builder.graph()


def lower_affine(graph: Graph) -> Graph:
    """Remaining Affines: a depthwise 1x1 convolution over the last dimension, a Clip included; else Mul and Add."""
    builder = GraphBuilder(graph)
    for node in graph.nodes:
        if not isinstance(node.op, Affine):
            continue
        x, scale, bias = (builder.tensors[name] for name in node.inputs)
        parameters = _last_axis_parameters(builder, node)
        builder.remove(node)
        if parameters is None:
            _add_mul_and_add(builder, node, node.op.axis)
            continue
        channels = x.shape[-1]
        weight = builder.constant(parameters[0].reshape(channels, 1, 1, 1), scale.name)
        offset = builder.constant(parameters[1], bias.name)
        flat = builder.add(Reshape((1, 1, x.elements // channels, channels)), [x.name])
        op, output = Conv2d(Window((1, 1)), channels), node.output
        readers = builder.consumers(output)
        if output not in builder.outputs and len(readers) == 1 and isinstance(readers[0].op, Clip):
            clip = readers[0].op
            builder.remove(readers[0])
            op, output = replace(op, minimum=clip.minimum, maximum=clip.maximum), readers[0].output
        y = builder.add(op, [flat, weight, offset], name=node.name)
        builder.add(Reshape(x.shape), [y], output)
    return builder.graph()


def _add_mul_and_add(builder: GraphBuilder, node: Node, axis: int) -> None:
    """Without what does nothing, as each rounds once more: a factor of 1, or the addition of 0."""
    x, scale, bias = (builder.tensors[name] for name in node.inputs)
    shape = [-1 if i == axis else 1 for i in range(len(x.shape))]
    y = x.name
    if (scale.values != 1).any():
        factor = builder.constant(scale.values.reshape(shape), scale.name)
        is_last = not bias.values.any()
        name = node.name if is_last else f"{node.name}.mul"
        y = builder.add(Mul(), [y, factor], node.output if is_last else None, name)
    if bias.values.any():
        builder.add(Add(), [y, builder.constant(bias.values.reshape(shape), bias.name)], node.output, node.name)


def _merge(builder: GraphBuilder, node: Node) -> Node:
    """The Affine with that before it, if only it reads that and both say it over one dimension; else as it is."""
    before = builder.producer(node.inputs[0])
    if before is None or not isinstance(before.op, Affine) or not builder.is_private(before.output):
        return node
    assert isinstance(node.op, Affine)
    for axis in (node.op.axis, before.op.axis):
        first, second = (_parameters(builder, n, axis) for n in (before, node))
        if first is not None and second is not None:
            break
    else:
        return node
    builder.remove(before)
    builder.remove(node)
    inputs = [
        before.inputs[0],
        builder.constant((first[0] * second[0]).astype(np.float32), node.inputs[1]),
        builder.constant((first[1] * second[0] + second[1]).astype(np.float32), node.inputs[2]),
    ]
    return builder.nodes[builder.add(Affine(axis), inputs, node.output, node.name)]


def _last_axis_parameters(builder: GraphBuilder, node: Node) -> tuple[Array, Array] | None:
    """(scale, bias) of the last dimension, if they can stand there."""
    return _parameters(builder, node, len(builder.tensors[node.output].shape) - 1)


def _parameters(builder: GraphBuilder, node: Node, axis: int) -> tuple[Array, Array] | None:
    """(scale, bias) of dimension `axis`; one value for all may stand along any dimension."""
    assert isinstance(node.op, Affine)
    x, scale, bias = (builder.tensors[name] for name in node.inputs)
    if node.op.axis == axis:
        return scale.values, bias.values
    if np.ptp(scale.values) == 0 and np.ptp(bias.values) == 0:
        size = x.shape[axis]
        return np.full(size, scale.values[0]), np.full(size, bias.values[0])
    return None


def _fold_backward(builder: GraphBuilder, node: Node, scale: Array, bias: Array) -> bool:
    layer = builder.producer(node.inputs[0])
    if layer is None or not isinstance(layer.op, Weighted) or not builder.is_private(layer.output):
        return False
    if (layer.op.minimum, layer.op.maximum) != (-inf, inf):
        return False
    weight, old_bias = (builder.tensors[name] for name in layer.inputs[1:])
    per_output = scale.reshape(-1, *(1,) * (len(weight.shape) - 1))
    # Given integers of the weights stay what they are, but for their sign.
    quant = weight.quant.scaled(scale) if weight.quant else None
    builder.remove(layer)
    builder.remove(node)
    scaled = weight.values * per_output
    _add_layer(builder, layer, node.output, layer.inputs[0], scaled, old_bias.values * scale + bias, quant)
    return True


def _fold_forward(builder: GraphBuilder, node: Node, scale: Array, bias: Array) -> bool:
    if not builder.is_private(node.output):
        return False
    layer = builder.consumers(node.output)[0]
    if not isinstance(layer.op, Weighted) or layer.inputs[0] != node.output:
        return False
    if layer.op.groups != 1 or (layer.op.is_padded and bias.any()):
        # Padding is zero behind the bias, not before it.
        return False
    weight, old_bias = (builder.tensors[name] for name in layer.inputs[1:])
    if weight.quant is not None and np.ptp(scale) != 0:
        # Its integers could not be kept.
        return False
    quant = weight.quant.scaled(scale[:1]) if weight.quant else None
    added = (weight.values * bias).reshape(weight.shape[0], -1).sum(axis=1)
    builder.remove(layer)
    builder.remove(node)
    _add_layer(builder, layer, layer.output, node.inputs[0], weight.values * scale, old_bias.values + added, quant)
    return True


def _add_layer(
    builder: GraphBuilder, layer: Node, output: str, x: str, weight: Array, bias: Array, quant: Quant | None
) -> None:
    """The layer with other weights. Constants get new names: other layers may share the old ones."""
    inputs = [
        x,
        builder.constant(weight.astype(np.float32), layer.inputs[1], quant),
        builder.constant(bias.astype(np.float32), layer.inputs[2]),
    ]
    builder.add(replace(layer.op), inputs, output, layer.name)
