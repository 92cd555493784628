"""What operators say of themselves holds for what they compute: factors, extremes and places of channels."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from support import integer_graph, random_inputs, run_float

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph
from mcuq.graph.operator import Layer, Operator
from mcuq.graph.simulate import simulate
from mcuq.graph.tensor import Array, Shape
from mcuq.onnx_io.writer import write_onnx
from mcuq.ops import OPS
from mcuq.ops.add import Add, Sub
from mcuq.ops.affine import Affine
from mcuq.ops.arg_max import ArgMax
from mcuq.ops.average_pool import AveragePool
from mcuq.ops.clip import Clip
from mcuq.ops.compare import Compare
from mcuq.ops.concat import Concat, Join
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.convert import Convert
from mcuq.ops.cum_sum import CumSum
from mcuq.ops.div import Div
from mcuq.ops.dynamic_quantize import DynamicQuantize
from mcuq.ops.extreme import Max, Min
from mcuq.ops.fake_quantize import FakeQuantize
from mcuq.ops.from_integers import FromIntegers
from mcuq.ops.fully_connected import FullyConnected
from mcuq.ops.function import Function
from mcuq.ops.gather import Gather
from mcuq.ops.gather_elements import GatherElements
from mcuq.ops.greatest import Greatest, Least
from mcuq.ops.gru import Gru
from mcuq.ops.identity import Identity
from mcuq.ops.integer_arithmetic import IntegerArithmetic
from mcuq.ops.integer_mat_mul import IntegerMatMul
from mcuq.ops.leaky_relu import LeakyRelu
from mcuq.ops.log_softmax import LogSoftmax
from mcuq.ops.lp_pool import LpPool
from mcuq.ops.lrn import LRN
from mcuq.ops.lstm import Lstm
from mcuq.ops.masked_softmax import MaskedSoftmax
from mcuq.ops.mat_mul import MatMul
from mcuq.ops.max_places import MaxPlaces
from mcuq.ops.max_pool import MaxPool
from mcuq.ops.mean import Mean, ReduceSum
from mcuq.ops.mod import Mod
from mcuq.ops.mul import Mul
from mcuq.ops.normalize import Normalize
from mcuq.ops.pad import Pad
from mcuq.ops.power import Power
from mcuq.ops.prelu import PRelu
from mcuq.ops.reduce import ReduceL1, ReduceL2, ReduceLp, ReduceMin, ReduceProd, ReduceSumSquare
from mcuq.ops.regrid import QuantizeChannels, Regrid
from mcuq.ops.reshape import Reshape
from mcuq.ops.rnn import Rnn
from mcuq.ops.scatter_elements import ScatterElements
from mcuq.ops.scatter_sum import ScatterSum
from mcuq.ops.shift_in import ShiftIn
from mcuq.ops.slice import Slice
from mcuq.ops.softmax import Softmax
from mcuq.ops.sparse_product import SparseProduct
from mcuq.ops.tanh import Tanh
from mcuq.ops.to_integers import ToIntegers
from mcuq.ops.top_k import TopK
from mcuq.ops.total import Total
from mcuq.ops.transpose import Transpose
from mcuq.ops.unary import Chain
from mcuq.ops.unfold import Unfold
from mcuq.ops.unpool import Unpool
from mcuq.ops.where import Where
from mcuq.ops.window import Window

IMAGE = (1, 4, 6, 3)
WINDOW = Window((2, 3), (2, 1), (1, 1, 0, 1))

# What computes on tensors without constants; functions of one value are in test_function.py.
CASES: list[tuple[Operator, list[Shape]]] = [
    (Add(), [IMAGE, IMAGE]),
    (Greatest(), [IMAGE, IMAGE, IMAGE]),
    (Least(), [IMAGE, IMAGE, IMAGE]),
    (Total(0.5), [IMAGE, IMAGE, IMAGE]),
    (Add(), [IMAGE, (1, 1, 1, 3)]),
    (Sub(), [IMAGE, IMAGE]),
    (Mul(), [IMAGE, IMAGE]),
    (Mul(), [(1, 4, 6, 1), IMAGE]),
    (Div(), [IMAGE, IMAGE]),
    (Div(), [IMAGE, (1, 1, 1, 3)]),
    (MatMul(), [(2, 3, 4), (2, 4, 5)]),
    (MatMul(transposed=True), [(2, 3, 4), (1, 5, 4)]),
    (Max(), [IMAGE, IMAGE]),
    (Max(), [IMAGE, (1, 1, 1, 3)]),
    (Min(), [(1, 4, 6, 1), IMAGE]),
    (Mod(), [IMAGE, IMAGE]),
    (Power(), [IMAGE, IMAGE]),
    (PRelu(), [IMAGE, IMAGE]),
    (PRelu(), [IMAGE, (1, 1, 1, 3)]),
    (ArgMax((3,)), [IMAGE]),
    (ArgMax((1,), is_max=False), [IMAGE]),
    (Compare("<"), [IMAGE, (1, 1, 1, 3)]),
    (ToIntegers(-9, 9), [IMAGE]),
    (TopK(3, 2), [IMAGE]),
    (CumSum(1), [IMAGE]),
    (DynamicQuantize("scale"), [IMAGE]),
    (AveragePool(WINDOW), [IMAGE]),
    (AveragePool(WINDOW, count_include_pad=True), [IMAGE]),
    (MaxPool(WINDOW), [IMAGE]),
    (MaxPlaces(WINDOW), [IMAGE]),
    (Mean((1, 2)), [IMAGE]),
    (Mean((3,)), [IMAGE]),
    (LRN(3, 2, 1.0), [IMAGE]),
    (LpPool(WINDOW), [IMAGE]),
    (ReduceSum((1, 2)), [IMAGE]),
    (ReduceL1((1, 2)), [IMAGE]),
    (ReduceL2((3,)), [IMAGE]),
    (ReduceLp((3,), power=4), [IMAGE]),
    (ReduceSumSquare((1, 2)), [IMAGE]),
    (ReduceMin((1, 2)), [IMAGE]),
    (ReduceProd((3,)), [IMAGE]),
    (Concat(3), [IMAGE, (1, 4, 6, 2)]),
    (Concat(1), [IMAGE, (1, 2, 6, 3)]),
    (Join(3), [IMAGE, IMAGE]),
    (Convert(), [IMAGE]),
    (Identity(), [IMAGE]),
    (Pad((0, 1, 0, 0), (0, 0, 2, 0)), [IMAGE]),
    (Pad((0, 0, 0, 0), (0, 0, 1, 0), 0.5), [IMAGE]),
    (Reshape((1, 24, 3)), [IMAGE]),
    (Reshape((1, 72)), [IMAGE]),
    (ShiftIn(1), [IMAGE, (1, 1, 6, 3)]),
    (Slice((0, 1, 5, 0), (1, 2, 3, 3), (1, 1, -2, 1)), [IMAGE]),
    (Softmax(), [IMAGE]),
    (LogSoftmax(), [IMAGE]),
    (Transpose((0, 2, 1, 3)), [IMAGE]),
    (Transpose((0, 3, 1, 2)), [IMAGE]),
    (Unfold(1, 2, 2, 1, 3), [IMAGE]),
    (Chain((LeakyRelu(0.1), Clip(minimum=0.0))), [IMAGE]),
    (Chain((Tanh(), Clip(minimum=0.0))), [IMAGE]),
    (FakeQuantize(0.01, 3), [IMAGE]),
]
# These have constants that are theirs, or read integers.
WITH_CONSTANTS = {
    MaskedSoftmax,
    FromIntegers,
    Gather,
    GatherElements,
    Gru,
    IntegerArithmetic,
    IntegerMatMul,
    ScatterElements,
    ScatterSum,
    Where,
    Affine,
    Conv2d,
    FullyConnected,
    Lstm,
    Normalize,
    QuantizeChannels,
    Regrid,
    Rnn,
    SparseProduct,
    Unpool,
}


def named(case: tuple[Operator, list[Shape]]) -> str:
    return f"{case[0]} {case[1][0]}"


def test_every_operator_has_a_case() -> None:
    tried = {type(op) for op, _ in CASES}
    assert {op for op in OPS.values() if not issubclass(op, Function)} - WITH_CONSTANTS == tried


def graph_of(op: Operator, shapes: list[Shape]) -> Graph:
    builder = GraphBuilder("layer")
    inputs = [builder.input(f"x{i}", shape) for i, shape in enumerate(shapes)]
    builder.outputs.append(builder.add(op, inputs, "y", "layer"))
    return builder.graph()


def layer_of(graph: Graph) -> Layer:
    return next(graph.layers())


def values(shapes: list[Shape], seed: int = 0) -> dict[str, Array]:
    rng = np.random.default_rng(seed)
    return {f"x{i}": rng.normal(size=(8, *shape)).astype(np.float32) for i, shape in enumerate(shapes)}


@pytest.mark.parametrize("case", CASES, ids=named)
def test_factors_pass_where_an_operator_says_so(case: tuple[Operator, list[Shape]]) -> None:
    graph = graph_of(*case)
    model, x = write_onnx(graph), values(case[1])
    indices = case[0].factor_inputs(layer_of(graph))
    y, scaled = (
        run_float(model, {n: v * np.float32(s if int(n[1:]) in indices else 1) for n, v in x.items()})["y"]
        for s in (1, 2)
    )
    assert np.allclose(scaled, 2 * y, rtol=1e-5, atol=1e-6) == bool(indices)


@pytest.mark.parametrize("case", [c for c in CASES if c[0].is_monotone or c[0].is_multilinear], ids=named)
def test_integers_lie_between_those_of_extremes(case: tuple[Operator, list[Shape]]) -> None:
    op, shapes = case
    graph = integer_graph(op, shapes)
    rng = np.random.default_rng(1)
    first, second = random_inputs(graph, 12, 1), random_inputs(graph, 12, 2)
    low = {n: np.minimum(first[n], second[n]) for n in first}
    high = {n: np.maximum(first[n], second[n]) for n in first}
    between = {n: rng.integers(low[n], high[n], endpoint=True).astype(low[n].dtype) for n in first}
    names, layer = list(first), layer_of(graph)
    bends = {n: op.bend(layer, i) for i, n in enumerate(names)}
    beside = {n: [] if b is None else [np.clip(end, low[n], high[n]) for end in (b - 1, b)] for n, b in bends.items()}
    corners = [
        {n: x.astype(low[n].dtype) for n, x in zip(names, chosen, strict=True)}
        for chosen in product(*([low[n], high[n], *beside[n]] for n in names))
    ]
    ends = corners if op.is_multilinear else [low, high]
    found = [simulate(graph, end)["y"] for end in ends]
    y = simulate(graph, between)["y"]
    assert (np.minimum.reduce(found) <= y).all()
    assert (y <= np.maximum.reduce(found)).all()
    if op.is_monotone:
        assert (found[0] <= found[-1]).all()


@pytest.mark.parametrize("case", [c for c in CASES if c[0].passes_channels], ids=named)
def test_an_output_changes_only_with_the_channels_that_it_is_tied_to(case: tuple[Operator, list[Shape]]) -> None:
    op, shapes = case
    graph = graph_of(op, shapes)
    layer, model, x = layer_of(graph), write_onnx(graph), values(shapes)
    before = run_float(model, x)["y"]
    for index, shape in enumerate(shapes):
        for a in range(len(shape)):
            for b in range(before.ndim - 1):
                tie = op.tie(layer, index, a, b)
                if tie is None:
                    continue
                changed = {n: v.copy() for n, v in x.items()}
                np.moveaxis(changed[f"x{index}"], a + 1, 0)[0] += 3
                y = run_float(model, changed)["y"]
                moved = np.moveaxis((y != before) & ~(np.isnan(y) & np.isnan(before)), b + 1, 0)
                touched = set(np.flatnonzero(moved.reshape(len(moved), -1).any(axis=1)).tolist())
                assert touched <= set(tie[1][tie[0] == 0].tolist())


@pytest.mark.parametrize("case", CASES, ids=named)
def test_the_reordered_operator_does_the_same_in_the_other_order(case: tuple[Operator, list[Shape]]) -> None:
    op, shapes = case
    perm = (0, 3, 1, 2)
    other = op.reordered(perm)
    if other is None:
        return
    x = values(shapes)
    # What the operator reads is transpose(a, perm).
    sources = {n: v.transpose(0, *(perm.index(axis) + 1 for axis in range(4))) for n, v in x.items()}
    want = run_float(write_onnx(graph_of(op, shapes)), x)["y"]
    moved = graph_of(other, [v.shape[1:] for v in sources.values()])
    got = run_float(write_onnx(moved), sources)["y"].transpose(0, *(axis + 1 for axis in perm))
    assert np.allclose(got, want, rtol=1e-6, atol=1e-6, equal_nan=True)
