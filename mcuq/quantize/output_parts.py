"""Outputs that join parts of different ranges (boxes in pixels, scores of 0 to 1): each part keeps its own scale."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph, Node
from mcuq.ops.concat import Concat, Join
from mcuq.ops.convert import Convert
from mcuq.ops.moves import is_selection
from mcuq.ops.rescale import Rescale
from mcuq.ops.reshape import Reshape
from mcuq.quantize.calibrate import Range
from mcuq.quantize.dtypes import activation_dtypes
from mcuq.quantize.edges import MOST_CHANNELS
from mcuq.quantize.scheme import Scheme

# Largest magnitudes of parts from this on apart: four of eight bits of the smaller part would be lost.
FACTOR = 16.0


@dataclass(frozen=True, eq=False)
class Joined:
    """A float graph with outputs whose parts keep their scales, and the ranges of its tensors."""

    graph: Graph
    ranges: dict[str, Range]


@dataclass(frozen=True, eq=False)
class _Output:
    """A Concat and what is between it and the output that it ends in: nodes that move values, and maybe a Convert."""

    concat: Node
    behind: tuple[Node, ...]

    @property
    def convert(self) -> Node | None:
        """The Convert to the type of the output, where there is one."""
        return next((node for node in self.behind if node.op.is_conversion), None)


def join_outputs(graph: Graph, ranges: Mapping[str, Range], scheme: Scheme) -> Joined:
    """The float graph, which has its conversions and ranges, with a Join for each Concat of integers that ends in an
    output, maybe in another shape or order, and whose parts are FACTOR apart. Parts are converted before they are
    joined.
    """
    found = dict(ranges)
    for output in _joining_outputs(graph):
        apart = _with_heads_apart(graph, output.concat) or graph
        producers = apart.producers()
        concat = producers[output.concat.output]
        dtypes = activation_dtypes(apart, scheme)
        spans = [_span(apart, producers, found, name) for name in concat.inputs]
        known = [span for span in spans if span is not None]
        if dtypes[concat.output] == "float32" or len(known) < len(spans) or not _keeps_channels(apart, concat, output):
            continue
        largest = [max(-low, high) for low, high in known]
        if min(largest) > 0 and max(largest) > FACTOR * min(largest):
            graph = _joined(apart, replace(output, concat=concat), dtypes)
            # The joined tensor may take over its Convert's name.
            found |= dict.fromkeys((concat.output, *(node.output for node in output.behind)), _union(known))
    return Joined(graph, found)


def _joining_outputs(graph: Graph) -> Iterator[_Output]:
    """Concats of computed tensors that the model gives out and nobody else reads."""
    producers, consumers = graph.producers(), graph.consumers()
    for output in graph.given_outputs:
        behind: list[Node] = []
        name, readers = output, 0
        while (node := producers.get(name)) is not None and len(consumers.get(name, [])) == readers:
            passes = node.op.is_conversion or is_selection(graph.layer(node))
            if (readers and name in graph.outputs) or not passes:
                break
            behind.insert(0, node)
            name, readers = node.inputs[0], 1
        is_private = len(consumers.get(name, [])) == readers and not (readers and name in graph.outputs)
        if node is None or not is_private or not isinstance(node.op, Concat):
            continue
        if graph.tensors[name].quant is None and sum(moving.op.is_conversion for moving in behind) < 2:
            yield _Output(node, tuple(behind))


def _keeps_channels(graph: Graph, concat: Node, output: _Output) -> bool:
    """Whether the Concat joins computed tensors along a dimension that the model's output has too."""
    assert isinstance(concat.op, Concat)
    axis: int | None = concat.op.axis
    if graph.tensors[concat.output].shape[concat.op.axis] > MOST_CHANNELS:
        return False
    for node in output.behind:
        axis = None if axis is None else node.op.moved_axis(graph.layer(node), axis)
    return axis is not None and not any(graph.tensors[name].is_constant for name in concat.inputs)


def _with_heads_apart(graph: Graph, outer: Node) -> Graph | None:
    """Where a Concat joins heads that each join the same parts, maybe in another shape: the graph in which it joins
    parts, each of which joins all heads. None where it does not."""
    builder = GraphBuilder(graph)
    assert isinstance(outer.op, Concat)
    found: list[tuple[Node, Node | None, int]] = []
    for name in outer.inputs:
        node, reshape = builder.producer(name), None
        if node is not None and isinstance(node.op, Reshape) and builder.is_private(name):
            node, reshape = builder.producer(node.inputs[0]), node
        if node is None or not isinstance(node.op, Concat) or not builder.is_private(node.output):
            return None
        axis = node.op.axis if reshape is None else reshape.op.moved_axis(graph.layer(reshape), node.op.axis)
        if axis is None or axis == outer.op.axis or any(graph.tensors[part].is_constant for part in node.inputs):
            return None
        found.append((node, reshape, axis))
    sizes = [[graph.tensors[part].shape[node.op.axis] for part in node.inputs] for node, _, _ in found]  # type: ignore[attr-defined]
    joined_axis = found[0][2]
    if any(other != sizes[0] for other in sizes) or any(other != joined_axis for _, _, other in found):
        return None
    parts = []
    for index, size in enumerate(sizes[0]):
        pieces = []
        for node, reshape, _ in found:
            piece = node.inputs[index]
            if reshape is not None:
                shape = list(graph.tensors[reshape.output].shape)
                shape[joined_axis] = size
                piece = builder.add(Reshape(tuple(shape)), [piece])
            pieces.append(piece)
        parts.append(builder.add(outer.op, pieces))
    builder.nodes[outer.output] = replace(outer, op=Concat(joined_axis), inputs=tuple(parts))
    return builder.graph()


def _span(graph: Graph, producers: Mapping[str, Node], ranges: Mapping[str, Range], name: str) -> Range | None:
    """The range of a part: its own, or that of what its values are from; None where it is not known."""
    spans: list[Range | None] = []
    seen = {name}
    pending = [name]
    while pending:
        name = pending.pop()
        if name not in producers:
            spans.append(ranges.get(name))
            continue
        layer = graph.layer(producers[name])
        quant = layer.op.output_quant(layer)
        if quant is not None:
            spans.append(quant.real_bounds)
        elif layer.op.keeps_values:
            constants = [t.values for t in layer.inputs if t.is_constant]
            spans += [(float(v.min()), float(v.max())) for v in constants] + [(v, v) for v in layer.op.fills]
            sources = {t.name for t in layer.activations} - seen
            seen |= sources
            pending += sources
        else:
            spans.append(layer.op.clip_range(*ranges[name]) if name in ranges else None)
    known = [span for span in spans if span is not None]
    return _union(known) if known and len(known) == len(spans) else None


def _union(spans: Sequence[Range]) -> Range:
    return min(low for low, _ in spans), max(high for _, high in spans)


def _joined(graph: Graph, output: _Output, dtypes: Mapping[str, str]) -> Graph:
    builder = GraphBuilder(graph)
    concat, convert = output.concat, output.convert
    assert isinstance(concat.op, Concat)
    own = dtypes[concat.output]
    dtype = own if convert is None else "int8" if dtypes[convert.output] == "uint8" else dtypes[convert.output]
    parts = []
    for name in concat.inputs:
        before = builder.producer(name)
        if before is not None and isinstance(before.op, Rescale) and dtypes[before.inputs[0]] == own:
            name = before.inputs[0]
        if dtype != own:
            name = builder.add(Convert(dtype), [name], builder.fresh(f"{name}.{dtype}"))
        parts.append(name)
    op = Concat(concat.op.axis) if dtype == "float32" else Join(concat.op.axis)
    builder.nodes[concat.output] = replace(concat, op=op, inputs=tuple(parts))
    if convert is not None and dtypes[convert.output] == dtype:
        builder.remove(convert)
        if convert.output in builder.outputs:
            builder.rename(convert.inputs[0], convert.output)
        else:
            builder.redirect(convert.output, convert.inputs[0])
    return builder.graph()
