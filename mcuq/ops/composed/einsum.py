"""Einsum of one tensor or two: Transpose, ReduceSum, and a product of matrices whose batches are what both have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod

from mcuq.graph.builder import GraphBuilder
from mcuq.onnx_io.reader import OnnxNode, weights
from mcuq.ops.fully_connected import from_matmul
from mcuq.ops.mean import ReduceSum
from mcuq.ops.reshape import Reshape
from mcuq.ops.transpose import Transpose


def from_einsum(node: OnnxNode, graph: GraphBuilder) -> str:
    """Each letter at most once in a term, one size for each; "..." stands for the dimensions that have no letter."""
    terms, result = _terms(node)
    sizes: dict[str, int] = {}
    for index, term in enumerate(terms):
        for letter, size in zip(term, node.shape(index), strict=True):
            if sizes.setdefault(letter, size) != size:
                if letter not in str(node.attribute("equation")):
                    raise node.error(f"'...' stands for both {sizes[letter]} and {size}; give inputs one batch")
                raise node.error(f"'{letter}' is both {sizes[letter]} and {size}; give a letter one size")
    if not set(result) <= set(sizes) or len(set(result)) < len(result):
        raise node.error(f"its result '{result}' must have letters of its inputs, each once")
    if len(terms) == 1:
        y, order = _summed(node, graph, node.computed(0), terms[0], result)
        return _ordered(graph, y, order, result, node.outputs[0])
    shared = [c for c in terms[0] if c in terms[1]]
    batch, summed = "".join(c for c in shared if c in result), "".join(c for c in shared if c not in result)
    own = ["".join(c for c in term if c in result and c not in shared) for term in terms]
    wanted = [batch + own[0] + summed, batch + summed + own[1]]
    constants, names = dict(node.constants), []
    groups = [(batch, own[0], summed), (batch, summed, own[1])]
    for index, term in enumerate(terms):
        shape = tuple(prod(sizes[c] for c in group) for group in groups[index])
        shape = shape if batch else shape[1:]
        kept = "".join(c for c in term if c in wanted[index])
        if node.is_constant(index):
            name = graph.fresh(f"{node.name}.matrix")
            values = weights(node, index, "matrix").sum(axis=tuple(i for i, c in enumerate(term) if c not in kept))
            constants[name] = values.transpose([kept.index(c) for c in wanted[index]]).reshape(shape)
        else:
            x, _ = _summed(node, graph, node.computed(index), term, kept)
            name = _ordered(graph, x, kept, wanted[index])
            name = graph.add(Reshape(shape), [name]) if graph.tensors[name].shape != shape else name
        names.append(name)
    output = graph.fresh(node.name)
    graph.reserve([output])
    product = replace(
        node, inputs=tuple(names), constants=constants, outputs=(output,), tensors=graph.tensors, quants={}
    )
    y = from_matmul(product, graph)
    y = graph.add(Reshape(tuple(sizes[c] for c in batch + own[0] + own[1])), [y])
    return _ordered(graph, y, batch + own[0] + own[1], result, node.outputs[0])


def _terms(node: OnnxNode) -> tuple[list[str], str]:
    """The letters of each input and of the result."""
    equation = str(node.attribute("equation", "")).replace(" ", "")
    left, arrow, result = equation.partition("->")
    terms = left.split(",")
    if len(terms) != len(node.inputs) or len(terms) > 2:
        raise node.error(f"equation '{equation}' has {len(terms)} terms; supported are those of one input or two")
    free = [c for c in map(chr, range(ord("A"), ord("Z") + 1)) if c not in equation]
    ranks = [len(node.shape(i)) - len(term.replace("...", "")) for i, term in enumerate(terms)]
    most = max((rank for rank, term in zip(ranks, terms, strict=True) if "..." in term), default=0)
    hidden = free[:most]
    full = []
    for rank, term in zip(ranks, terms, strict=True):
        dots = "".join(hidden[most - rank :]) if "..." in term and rank > 0 else ""
        letters = term.replace("...", dots)
        if len(letters) != len(term.replace("...", "")) + max(rank, 0) or not letters.isalpha():
            raise node.error(f"term '{term}' does not fit an input of {rank + len(term.replace('...', ''))} dimensions")
        if len(set(letters)) < len(letters):
            raise node.error(f"term '{term}' has a letter twice; diagonals are not supported")
        full.append(letters)
    if not arrow:
        every = "".join(full)
        result = ("..." if hidden else "") + "".join(sorted(c for c in set(every) - set(hidden) if every.count(c) == 1))
    return full, result.replace("...", "".join(hidden))


def _summed(node: OnnxNode, graph: GraphBuilder, x: str, term: str, kept: str) -> tuple[str, str]:
    """`x` summed over the letters that are not kept, and the letters that are left."""
    axes = tuple(i for i, c in enumerate(term) if c not in kept)
    if not axes:
        return x, term
    left = "".join(c for c in term if c in kept)
    shape = tuple(size for i, size in enumerate(graph.tensors[x].shape) if i not in axes)
    return graph.add(Reshape(shape), [graph.add(ReduceSum(axes), [x], None, node.name)]), left


def _ordered(graph: GraphBuilder, x: str, term: str, wanted: Sequence[str], output: str | None = None) -> str:
    """`x` with its letters in another order."""
    perm = tuple(term.index(c) for c in wanted)
    if perm == tuple(range(len(perm))):
        return x
    return graph.add(Transpose(perm), [x], output)
