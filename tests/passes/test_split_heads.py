"""Attention one head after the other: the same bytes in less memory."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from support import check_c, integer_graph, model_of, random_inputs, with_ranges

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph
from mcuq.graph.simulate import simulate
from mcuq.graph.tensor import Array
from mcuq.ops.add import Add
from mcuq.ops.from_integers import FromIntegers
from mcuq.ops.masked_softmax import MaskedSoftmax
from mcuq.ops.mat_mul import MatMul
from mcuq.ops.softmax import Softmax
from mcuq.ops.top_k import TopK
from mcuq.passes.split_heads import split_heads
from mcuq.quantize.scheme import parse_scheme


def attention(
    batch: Sequence[int],
    mask: Array | None = None,
    bias: Array | None = None,
    outputs: Sequence[str] = (),
    groups: int = 0,
) -> Graph:
    """Scores of 6 queries and 5 keys, a bias, a mask, and what they weigh; `groups` heads have keys of their own."""
    builder = GraphBuilder("net")
    own = (*batch[:-1], groups or batch[-1])
    q, k = builder.input("q", (*batch, 6, 4)), builder.input("k", (*own, 5, 4))
    x = builder.add(MatMul(transposed=True), [q, k], "s", "scores")
    if bias is not None:
        x = builder.add(Add(), [x, builder.constant(bias.astype(np.float32))], "t", "bias")
    if mask is None:
        x = builder.add(Softmax(), [x], "p", "softmax")
    else:
        x = builder.add(MaskedSoftmax(), [x, builder.constant(mask.astype(np.float32))], "p", "softmax")
    y = builder.add(MatMul(), [x, builder.input("v", (*own, 5, 3))], "y", "weighed")
    builder.outputs.extend([y, *outputs])
    return builder.graph()


RNG = np.random.default_rng(0)
FORMS = {
    "plain": lambda: attention((1, 4)),
    "two dimensions": lambda: attention((2, 3)),
    "groups": lambda: attention((2, 4), groups=1),
    "mask": lambda: attention((1, 4), np.tri(6, 5)),
    "mask of heads": lambda: attention((2, 3), np.tri(6, 5) + (RNG.random((2, 3, 6, 5)) < 0.5)),
    "bias of heads": lambda: attention((2, 3), np.tri(6, 5), RNG.normal(size=(1, 3, 6, 5))),
    "one batch": lambda: attention((3,), bias=RNG.normal(size=(1, 6, 5))),
}


@pytest.mark.parametrize("scheme", ["int8", "int16"])
@pytest.mark.parametrize("form", FORMS)
def test_all_outputs_stay_and_each_head_has_its_own_layers(form: str, scheme: str) -> None:
    graph = with_ranges(FORMS[form](), scheme=parse_scheme(scheme))
    split = split_heads(graph)
    heads = int(np.prod(graph.tensors["s"].shape[:-2]))
    products = [node for node in split.nodes if isinstance(node.op, MatMul)]
    assert len(products) == 2 * heads
    assert {node.source for node in split.nodes} == {node.name for node in graph.nodes}
    x = random_inputs(graph, 6)
    assert np.array_equal(simulate(graph, x)["y"], simulate(split, x)["y"])
    order = [node.source for node in split.nodes if "Concat" not in type(node.op).__name__]
    assert order == [node.name for node in graph.nodes] * heads, "one head after the other"


def test_c_of_heads_gives_the_same_bits_in_less_memory() -> None:
    builder = GraphBuilder("net")
    q, k, v = (builder.input(name, (1, 4, 32, 8)) for name in "qkv")
    scores = builder.add(MatMul(transposed=True), [q, k], "s", "scores")
    shares = builder.add(Softmax(), [scores], "p", "softmax")
    builder.outputs.append(builder.add(MatMul(), [shares, v], "y", "weighed"))
    graph = with_ranges(builder.graph())
    model = model_of(graph)
    assert len(model.graph.nodes) == 3 * 4 + 1
    assert model.arena_bytes < 4 * 1024 * 4 + 3 * 1024  # all scores alone are 4,096
    check_c(graph, "host")


def ranks_of_heads() -> Graph:
    """Weighed by the order of the heads at each place, which no head tells alone."""
    builder = GraphBuilder("net")
    q, k, v = (builder.input(name, (1, 4, 5, 5)) for name in "qkv")
    order = builder.add(TopK(1, 4), [builder.add(MatMul(), [q, k])])
    y = builder.add(MatMul(), [builder.add(FromIntegers(), [order]), v], "y")
    builder.outputs.append(y)
    return builder.graph()


@pytest.mark.parametrize(
    "graph",
    [
        ranks_of_heads,
        lambda: attention((1, 1)),
        lambda: attention((2, 33)),
        lambda: attention((1, 4), outputs=("s",)),
        lambda: attention((1, 4), outputs=("p",)),
        lambda: integer_graph(MatMul(), [(2, 3, 4), (2, 4, 5)]),
    ],
    ids=["ranks of heads", "one head", "many heads", "scores are read", "shares are read", "no attention"],
)
def test_what_gains_nothing_or_is_read_elsewhere_stays(graph) -> None:
    whole = graph()
    assert split_heads(whole) is whole
