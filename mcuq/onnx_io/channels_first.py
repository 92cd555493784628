"""Takes Transposes out of written ONNX: what works element by element between two of them works as well without.

Operators over images read and write channels first in ONNX and last in mcuq's graph, so that each is written between
two Transposes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence, Set
from dataclasses import dataclass

import onnx
from onnx import helper

TO_LAST, TO_FIRST = (0, 2, 3, 1), (0, 3, 1, 2)


def keep_channels_first(
    nodes: Sequence[onnx.NodeProto],
    elementwise: Set[str],
    constants: Collection[str],
    scalars: Collection[str],
    outputs: Collection[str],
) -> list[onnx.NodeProto]:
    """The nodes, in an order in which they can run, with each region of elementwise operators in the order of channels
    that needs fewer Transposes.

    `elementwise` are the outputs of nodes that work element by element, `constants` the initializers, `scalars` those
    of one value, `outputs` the model's. Names of tensors stay, but for those of Transposes; a tensor between two
    operators may have its channels first.
    """
    current = list(nodes)
    for region in list(_regions(current, elementwise, constants)):
        current = _turned(current, region, set(scalars), set(outputs))
    return current


@dataclass(frozen=True)
class _Region:
    """The tensors that elementwise nodes compute which are joined by them, and those that they read from elsewhere."""

    computed: frozenset[str]
    inputs: frozenset[str]
    constants: frozenset[str]


def _regions(nodes: Sequence[onnx.NodeProto], elementwise: Set[str], constants: Collection[str]) -> Iterator[_Region]:
    known = set(constants)
    for node in nodes:  # what is computed of constants alone is constant
        if all(name in known for name in node.input if name):
            known.update(node.output)
    members = [n for n in nodes if elementwise >= set(n.output) and not known.issuperset(n.output)]
    group = {name: index for index, node in enumerate(members) for name in node.output}
    parent = list(range(len(members)))

    def root(index: int) -> int:
        while parent[index] != index:
            index = parent[index]
        return index

    for index, node in enumerate(members):
        for name in node.input:
            if name in group:
                parent[root(index)] = root(group[name])
    for first in range(len(members)):
        own = [node for index, node in enumerate(members) if root(index) == first]
        if own:
            read = {name for node in own for name in node.input if name}
            computed = frozenset(name for node in own for name in node.output)
            yield _Region(computed, frozenset(read - computed - known), frozenset(read & known))


def _turned(nodes: list[onnx.NodeProto], region: _Region, scalars: set[str], outputs: set[str]) -> list[onnx.NodeProto]:
    """The nodes with the region channels first, where that is possible and leaves fewer Transposes."""
    producers = {name: node for node in nodes for name in node.output}
    before = {name: producers.get(name) for name in region.inputs}
    if not before or not all(_is_transpose(node, TO_LAST) for node in before.values()) or region.constants - scalars:
        return nodes
    outside = [n for n in nodes if n.output[0] not in region.computed]
    behind = [n for n in outside if region.computed & set(n.input)]
    undone = [node for node in behind if _is_transpose(node, TO_FIRST)]
    needed = {n for node in behind if not _is_transpose(node, TO_FIRST) for n in node.input} & region.computed
    given = region.computed & outputs
    removed = [
        node for name, node in before.items() if name not in outputs and not any(name in n.input for n in outside)
    ]
    if len(removed) + len(undone) <= len(needed | given):
        return nodes
    sources = {name: node.input[0] for name, node in before.items() if node is not None}
    direct = {node.output[0]: node.input[0] for node in undone}
    turned = {name: f"{name}.channels_last" for name in needed}
    renamed = {name: f"{name}.channels_first" for name in given}
    result: list[onnx.NodeProto] = []
    gone = {name for node in (*removed, *undone) if node is not None for name in node.output}
    for node in nodes:
        if node.output[0] in gone:
            if node.output[0] in outputs:
                first = renamed.get(node.input[0], node.input[0])
                result.append(helper.make_node("Identity", [first], node.output))
            continue
        is_inside = node.output[0] in region.computed
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        for index, name in enumerate(node.input):
            source = direct.get(name, name)
            if is_inside:
                source = sources.get(name, source)
            elif name in turned:
                source = turned[name]
            copy.input[index] = source if source in turned.values() else renamed.get(source, source)
        for index, name in enumerate(node.output):
            copy.output[index] = renamed.get(name, name)
        result.append(copy)
        for name in node.output if is_inside else ():
            first = renamed.get(name, name)
            if name in given:
                result.append(helper.make_node("Transpose", [first], [name], perm=TO_LAST))
            if name in turned:
                result.append(helper.make_node("Transpose", [first], [turned[name]], perm=TO_LAST))
    return result


def _is_transpose(node: onnx.NodeProto | None, perm: tuple[int, ...]) -> bool:
    return node is not None and node.op_type == "Transpose" and tuple(node.attribute[0].ints) == perm
