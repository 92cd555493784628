"""Networks of very many nodes compile or are refused; what once took the square of them does not."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from onnx import ModelProto, helper
from onnx_models import model, node, random, refusal, saved
from selections import quick
from support import random_inputs

import mcuq
from mcuq.boards.find import load_board
from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph
from mcuq.graph.operator import Operator
from mcuq.importer.functions import MOST_NODES
from mcuq.lower import lower
from mcuq.ops.add import Add
from mcuq.ops.clip import Clip
from mcuq.ops.concat import Concat, Join
from mcuq.ops.convert import Convert
from mcuq.ops.fake_quantize import FakeQuantize
from mcuq.ops.identity import Identity
from mcuq.ops.mul import Mul
from mcuq.ops.reshape import Reshape
from mcuq.ops.sigmoid import Sigmoid
from mcuq.ops.slice import Slice
from mcuq.ops.tanh import Tanh
from mcuq.passes.absorb_quantization import absorb_quantization
from mcuq.passes.fuse_clip import fuse_clip
from mcuq.passes.order_quantization import order_quantization
from mcuq.plan import plan_memory
from mcuq.plan.least_fit import check_least_fit
from mcuq.quantize import LayerScheme, Scheme, insert_conversions, quantize_graph
from mcuq.quantize.calibrate import calibrate, scaled_tensors
from mcuq.quantize.headroom import add_headroom
from mcuq.quantize.output_parts import join_outputs
from mcuq.validate.bits import check_bits

CONSTANTS = {"Add": random(4), "Mul": random(4), "Conv": random(4, 4, 1, 1)}


def chain(kinds: list[str], length: int) -> ModelProto:
    """Nodes of the kinds in turn, from x to y."""
    used = [kinds[i % len(kinds)] for i in range(length)]
    tensors = ["x", *(f"t{i}" for i in range(1, length)), "y"]
    nodes = [
        node(kind, [tensors[i], *([kind] if kind in CONSTANTS else [])], tensors[i + 1]) for i, kind in enumerate(used)
    ]
    shape = [1, 4, 2, 2] if "Conv" in kinds else [1, 4]
    return model(nodes, {"x": shape}, constants={kind: CONSTANTS[kind] for kind in kinds if kind in CONSTANTS})


@pytest.mark.parametrize("kinds", quick([["Relu"], ["Identity"], ["Relu", "Add", "Mul"]], 2), ids="-".join)
def test_2000_nodes_compile(tmp_path: Path, kinds: list[str]) -> None:
    compiled = mcuq.compile(saved(chain(kinds, 2000), tmp_path), board="host")
    assert check_bits(compiled, iter([random_inputs(compiled.graph, 4)]), "host").bit_exact


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["Relu", "Conv"])
def test_100_000_nodes_are_refused(kind: str) -> None:
    assert refusal(chain([kind], 100_000)) == (
        "net.onnx: has 100,000 nodes, supported are 8,000 at most; give a smaller network"
    )


def test_nodes_that_local_functions_make_count() -> None:
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("d", 1)]
    relus = [node("Relu", ["a" if i == 0 else f"t{i}"], "b" if i == 99 else f"t{i + 1}") for i in range(100)]
    function = helper.make_function("d", "F", ["a"], ["b"], relus, opsets)
    calls = [node("F", ["x" if i == 0 else f"t{i}"], "y" if i == 80 else f"t{i + 1}", domain="d") for i in range(81)]
    assert refusal(model(calls, {"x": [1, 4]}, functions=[function], opset_imports=opsets)) == (
        "net.onnx: has 8,100 nodes, supported are 8,000 at most; give a smaller network"
    )


@pytest.mark.slow
def test_as_many_nodes_as_are_supported_compile(tmp_path: Path) -> None:
    mcuq.compile(saved(chain(["Relu"], MOST_NODES), tmp_path), board="host")


def float_chain(length: int) -> Graph:
    """Products in place, views and sums of what the last two gave."""
    builder = GraphBuilder("net")
    last = before = builder.input("x", (1, 4))
    for i in range(length):
        ops = [(Mul(), [last, last]), (Reshape((1, 4)), [last]), (Add(), [last, before])]
        op, inputs = ops[i % len(ops)]
        last, before = builder.add(op, inputs, f"t{i}", f"n{i}"), last
    builder.outputs.append(last)
    return builder.graph()


def operations(work: Callable[[], object]) -> int:
    """Calls of functions, built-in ones too, and steps of generators."""
    count = 0

    def on_event(*_: object) -> None:
        nonlocal count
        count += 1

    sys.setprofile(on_event)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def place_tensors(graph: Graph) -> None:
    integer = quantize_graph(graph, dict.fromkeys(scaled_tensors(graph), (-1.0, 1.0)))
    plan = plan_memory(lower(integer))
    for layer in integer.layers():
        plan.storage_of(layer.output.name)


def look_for_room(graph: Graph) -> None:
    check_least_fit("net", graph, Scheme(), load_board("nucleo-f446re"), prune=False)


@pytest.mark.parametrize("stage", [place_tensors, look_for_room])
def test_twice_the_nodes_take_twice_the_operations(stage: Callable[[Graph], object]) -> None:
    short, long = float_chain(150), float_chain(300)
    stage(short)  # what is read once
    assert operations(lambda: stage(long)) < 2.1 * operations(lambda: stage(short))


@pytest.mark.parametrize("walk", ["producers", "consumers"])
def test_calibration_walks_all_nodes_as_often_in_long_chains(monkeypatch: pytest.MonkeyPatch, walk: str) -> None:
    walks, original = [0], getattr(Graph, walk)

    def counted(graph: Graph) -> object:
        walks[-1] += 1
        return original(graph)

    monkeypatch.setattr(Graph, walk, counted)
    for length in (10, 20):
        graph = float_chain(length)
        samples = [{"x": random(1, 4)}]
        ranges = calibrate(graph, samples)
        add_headroom(graph, ranges, samples)
        walks.append(0)
    assert walks[0] == walks[1] > 0


def test_names_by_number_are_the_first_that_are_free() -> None:
    builder = GraphBuilder("net")
    x = builder.input("x", (1,))
    builder.reserve(["c_3"])
    names = [builder.constant(random(1), "c") for _ in range(4)]
    assert names == ["c", "c_2", "c_4", "c_5"]
    nodes = [builder.nodes[builder.add(Identity(), [x], f"t{i}", "n")].name for i in range(3)]
    assert nodes == ["n", "n_2", "n_3"]


# More nodes than Python's stack holds calls, and as many as are supported.
LENGTHS = quick([2 * sys.getrecursionlimit(), MOST_NODES], 1)


def moving_chain(builder: GraphBuilder, x: str, length: int) -> str:
    """There are 2^(length / 2) ways from one end to the other."""
    rows, columns = builder.tensors[x].shape
    for i in range(length):
        if i % 2:
            x = builder.add(Slice((0, 0), (rows, columns), (2, 1)), [x], name="half")
        else:
            x = builder.add(Concat(0), [x, x], name="twice")
    return x


@pytest.mark.parametrize("length", LENGTHS)
def test_the_range_of_a_part_of_an_output_is_found_at_the_end_of_a_long_chain(length: int) -> None:
    builder = GraphBuilder("net")
    parts = [builder.input("boxes", (3, 4)), moving_chain(builder, builder.input("scores", (3, 4)), length)]
    builder.outputs.append(builder.add(Concat(1), parts, "y"))
    joined = join_outputs(builder.graph(), {"boxes": (0.0, 400.0), "scores": (0.0, 1.0)}, Scheme())
    assert [type(node.op) for node in joined.graph.nodes].count(Join) == 1


@pytest.mark.parametrize("length", LENGTHS)
def test_an_input_of_its_own_type_passes_a_long_chain_to_what_takes_it(length: int) -> None:
    builder = GraphBuilder("net")
    builder.outputs.append(builder.add(Sigmoid(), [moving_chain(builder, builder.input("x", (3, 4)), length)], "y"))
    scheme = Scheme(input="int16", layers={"y": LayerScheme("int8", "int16")})
    converted = insert_conversions(builder.graph(), scheme)
    assert not any(isinstance(node.op, Convert) for node in converted.nodes)


@pytest.mark.parametrize("length", LENGTHS)
def test_a_clip_passes_a_quantization_behind_a_long_chain(length: int) -> None:
    builder = GraphBuilder("net")
    y = builder.add(Add(), [builder.input("a", (3, 4)), builder.input("b", (3, 4))])
    y = builder.add(FakeQuantize(1 / 64, 3), [moving_chain(builder, y, length)])
    builder.outputs.append(builder.add(Clip(minimum=0.0), [y], "y"))
    assert isinstance(order_quantization(builder.graph()).nodes[-1].op, FakeQuantize)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("last", [Clip(0.0, 1.0), FakeQuantize(1 / 64, 3)], ids=["clip", "quantization"])
def test_what_commutes_with_moves_goes_up_a_long_chain(last: Operator, length: int) -> None:
    builder = GraphBuilder("net")
    y = builder.add(Add(), [builder.input("a", (3, 4)), builder.input("b", (3, 4))])
    for _ in range(length):
        y = builder.add(Slice((2, 0), (3, 4), (-1, 1)), [y], name="turned")
    builder.outputs.append(builder.add(Tanh(), [builder.add(last, [y])], "y"))
    graph = absorb_quantization(fuse_clip(builder.graph()))
    assert not any(node.op == last for node in graph.nodes)
    first = graph.nodes[0]
    is_clipped = first.op == Add(minimum=0.0, maximum=1.0)
    assert is_clipped != (graph.tensors[first.output].quant == FakeQuantize(1 / 64, 3).quant)
