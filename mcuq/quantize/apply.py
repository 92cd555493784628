"""Gives every tensor its scale and turns constants into integers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from mcuq.graph.ir import Graph, Node, verify
from mcuq.graph.operator import Layer
from mcuq.graph.tensor import Tensor
from mcuq.ops.float_weights import float_constants
from mcuq.ops.given_weights import given_weight_scale
from mcuq.ops.weighted import accumulator_bound, weight_rows
from mcuq.ops.weighted_operator import is_weighted
from mcuq.quantize.activations import activation_quants
from mcuq.quantize.added_masks import check_added_masks, check_scores
from mcuq.quantize.calibrate import Range
from mcuq.quantize.dtypes import activation_dtypes
from mcuq.quantize.edges import edge_quants
from mcuq.quantize.given_packing import with_least_bits
from mcuq.quantize.held import told
from mcuq.quantize.scheme import INT8_SCHEME, Scheme
from mcuq.quantize.weights import round_for_dynamic_input, round_nearest


def quantize_graph(graph: Graph, ranges: Mapping[str, Range], scheme: Scheme = INT8_SCHEME) -> Graph:
    """The quantized graph of a float graph that has its conversions, whose scaled tensors have the given real ranges.

    Weights are rounded to nearest.

    Tensors that data only moves between share one scale, which covers the ranges of all of them. Raises
    QuantizationError where int32 cannot hold a layer's accumulator or bias, and where a mask is too wide for the
    scores.
    """
    check_added_masks(graph, ranges)
    dtypes = activation_dtypes(graph, scheme)
    quants = activation_quants(graph, ranges, dtypes, scheme.activation_options)
    if ranges:  # not what came quantized, which stays as it is
        check_scores(graph, quants)
    quants |= edge_quants(graph, quants)
    tensors = {
        name: replace(tensor, dtype=dtypes[name], quant=quants.get(name))
        for name, tensor in graph.tensors.items()
        if not tensor.is_constant
    }
    nodes = []
    for node in (told(node, ranges) for node in graph.nodes):
        layer = graph.layer(node)
        inputs = tuple(tensors.get(t.name, t) if not t.is_constant else t for t in layer.inputs)
        layer = replace(layer, inputs=inputs, output=tensors[node.output])
        nodes.append(with_constants(node, _constants(layer, scheme), tensors))
    return verify(replace(graph, nodes=tuple(nodes), tensors=tensors))


def check_accumulators(graph: Graph) -> None:
    """Raise QuantizationError for a layer of a quantized graph whose sums the integers of kernels do not hold."""
    for layer in graph.layers():
        if is_weighted(layer) and layer.inputs[2].dtype == "int32":
            accumulator_bound(layer)


def _constants(layer: Layer, scheme: Scheme) -> tuple[Tensor, ...]:
    """The layer's inputs with constants in the numbers of the scheme."""
    layer = replace(layer, inputs=tuple(_as_integers(t) for t in layer.inputs))
    if is_weighted(layer):
        own = scheme.of(*layer.names)
        if own.stored.is_float:
            return float_constants(layer, own.weights)
        if layer.output.quant is None:
            if weight_rows(layer).shape[1] == 1 and given_weight_scale(layer.inputs[1]) is None:
                # A factor of each channel and a constant (BatchNormalization, Add): 8 bits of the input would only cost
                # accuracy, as floats take no more room than integers and their scales.
                return float_constants(layer, "float32")
            return round_for_dynamic_input(layer, scheme)
        if given_weight_scale(layer.inputs[1]) is None:
            return round_nearest(layer, scheme)
        return with_least_bits(layer.op.quantize_constants(layer))
    return layer.op.quantize_constants(layer)


def _as_integers(tensor: Tensor) -> Tensor:
    """A constant of integers of the file as such; any other as it is."""
    if tensor.integers is None or not tensor.is_constant:
        return tensor
    return replace(tensor, dtype=tensor.integers.dtype, data=tensor.integers.quantize(tensor.values))


def with_constants(node: Node, inputs: tuple[Tensor, ...], tensors: dict[str, Tensor]) -> Node:
    """The node on its integer constants, added under names of their own: layers may share the float ones."""
    names = []
    for tensor in inputs:
        name = tensor.name
        if tensor.is_constant:
            suffix = 1
            while name in tensors:
                suffix += 1
                name = f"{tensor.name}_{suffix}"
            tensors[name] = replace(tensor, name=name)
        names.append(name)
    return replace(node, inputs=tuple(names))
