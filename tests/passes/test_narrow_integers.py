"""narrow_integers: inputs that are indices alone have the range of what they choose from."""

from __future__ import annotations

import numpy as np

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.tensor import Integers
from mcuq.ops.arg_max import ArgMax
from mcuq.ops.gather import Gather
from mcuq.ops.reshape import Reshape
from mcuq.passes.narrow_integers import narrow_integers


def graph_of(sizes: list[int], *, is_output: bool = False, counts: bool = False):
    builder = GraphBuilder("net")
    builder.input("i", (1, 2), Integers.of(-(2**24), 2**24))
    flat = builder.add(Reshape((2,)), ["i"], "flat")
    for size in sizes:
        table = builder.constant(np.zeros((size, 3), np.float32), "table")
        builder.outputs.append(builder.add(Gather(0), [table, flat], f"y{size}"))
    if counts:
        builder.outputs.append(builder.add(ArgMax((1,)), ["i"], "best"))
    if is_output:
        builder.outputs.append(flat)
    return builder.graph()


def test_an_index_has_the_range_of_its_tables_behind_what_moves_it():
    for sizes, dtype in (([9], "int8"), ([9, 129], "int16"), ([40_000], "int32")):
        graph = narrow_integers(graph_of(sizes))
        for name in ("i", "flat"):
            found = graph.tensors[name].integers
            assert (found.low, found.high, found.dtype) == (-max(sizes), max(sizes) - 1, dtype)


def test_what_is_given_out_or_read_otherwise_stays():
    for graph in (graph_of([9], is_output=True), graph_of([9], counts=True)):
        assert narrow_integers(graph).tensors["i"].integers == Integers.of(-(2**24), 2**24)
