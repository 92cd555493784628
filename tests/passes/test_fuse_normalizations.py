"""Normalizations that a file spells as several operators become one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
import pytest
from onnx_models import check_import, imported, ints, model, node, random

from mcuq.graph.ir import Graph
from mcuq.graph.tensor import Array
from mcuq.ops.normalize import Normalize
from mcuq.passes import optimize
from mcuq.passes.fuse_normalizations import fuse_normalizations

IMAGE = (1, 4, 6, 5)
NUMBERS: dict[str, Array] = {
    "two": np.float32(2),
    "half": np.float32(0.5),
    "minus half": np.float32(-0.5),
    "one": np.ones(1, np.float32),
    "epsilon": np.float32(1e-3),
    "tiny": np.float32(1e-6),
    "tinier": np.float32(1e-12),
    "scale": random(5, low=0.5, high=2),
    "bias": random(5, seed=1),
    "per channel": random(4, 1, 1, seed=2),
    "shape": ints(*IMAGE),
    "axes": ints(3),
}


def network(nodes: Sequence[onnx.NodeProto], opset: int = 17, **constants: Array) -> onnx.ModelProto:
    read = {name for layer in nodes for name in layer.input}
    values = {name: value for name, value in {**NUMBERS, **constants}.items() if name in read}
    return model(nodes, {"x": IMAGE}, constants=values, opset=opset)


def layer_norm(
    axes: Sequence[int] = (-1,), square: str = "Pow", scale: str = "scale", bias: str = "bias", opset: int = 17
) -> onnx.ModelProto:
    """As PyTorch exports it below opset 17, or above."""
    inputs, along = ([], {"axes": list(axes)}) if opset < 18 else (["a"], {})
    nodes = [
        node("ReduceMean", ["x", *inputs], "mean", **along),
        node("Sub", ["x", "mean"], "d"),
        node(square, ["d", "two" if square == "Pow" else "d"], "s"),
        node("ReduceMean", ["s", *inputs], "variance", **along),
        node("Add", ["variance", "epsilon"], "sum"),
        node("Sqrt", ["sum"], "root"),
        node("Div", ["d", "root"], "n" if scale else "y", "norm"),
    ]
    if scale:
        nodes.append(node("Mul", [scale, "n"], "m" if bias else "y"))
    if bias:
        nodes.append(node("Add", ["m", bias], "y"))
    return network(nodes, opset, a=ints(*axes))


def rms(*last: onnx.NodeProto, square: str = "Mul") -> onnx.ModelProto:
    """As Hugging Face's Llama has it, behind the root in some way."""
    nodes = [
        node(square, ["x", "x" if square == "Mul" else "two"], "s"),
        node("ReduceMean", ["s"], "mean", axes=[3]),
        node("Add", ["epsilon", "mean"], "sum"),
        *last,
    ]
    return network([*nodes, node("Mul", ["n", "scale"], "y")])


def l2(*nodes: onnx.NodeProto) -> onnx.ModelProto:
    return network(nodes)


NORM = node("ReduceL2", ["x"], "norm", axes=[1], keepdims=1)
SQUARES = node("Mul", ["x", "x"], "squares")
TOTAL = node("ReduceSum", ["squares", "axes"], "total")
OF_TOTAL = node("ReduceSumSquare", ["x"], "total", axes=[3])

SPELLED = {
    "layer norm": layer_norm(),
    "of positive axes": layer_norm((3,)),
    "of two positive axes": layer_norm((2, 3), bias=""),
    "by Mul": layer_norm(square="Mul", scale="", bias=""),
    "axes as input": layer_norm((3,), opset=18),
    "of channels, as ConvNeXt has it": layer_norm((1,), scale="per channel", bias="per channel"),
    "as ONNX's own function has it": network(
        [
            node("ReduceMean", ["x"], "mean", axes=[3]),
            node("Mul", ["x", "x"], "square"),
            node("ReduceMean", ["square"], "mean of square", axes=[3]),
            node("Mul", ["mean", "mean"], "square of mean"),
            node("Sub", ["mean of square", "square of mean"], "variance"),
            node("Add", ["variance", "epsilon"], "sum"),
            node("Sqrt", ["sum"], "root"),
            node("Sub", ["x", "mean"], "d"),
            node("Div", ["d", "root"], "n"),
            node("Mul", ["n", "scale"], "m"),
            node("Add", ["m", "bias"], "y"),
        ]
    ),
    "rms by Div": rms(node("Sqrt", ["sum"], "root"), node("Div", ["x", "root"], "n")),
    "rms by Reciprocal": rms(
        node("Sqrt", ["sum"], "root"), node("Reciprocal", ["root"], "inverse"), node("Mul", ["x", "inverse"], "n")
    ),
    "rms by 1 over": rms(
        node("Sqrt", ["sum"], "root"), node("Div", ["one", "root"], "inverse"), node("Mul", ["inverse", "x"], "n")
    ),
    "rms by Pow": rms(node("Pow", ["sum", "minus half"], "inverse"), node("Mul", ["x", "inverse"], "n"), square="Pow"),
    "F.normalize": l2(
        NORM,
        node("Clip", ["norm", "tinier"], "limited"),
        node("Expand", ["limited", "shape"], "all"),
        node("Div", ["x", "all"], "y"),
    ),
    "norm alone": l2(NORM, node("Div", ["x", "norm"], "y")),
    "norm and a number": l2(NORM, node("Add", ["norm", "tiny"], "more"), node("Div", ["x", "more"], "y")),
    "root of a sum": l2(SQUARES, TOTAL, node("Sqrt", ["total"], "root"), node("Div", ["x", "root"], "y")),
    "root of a sum and a number": l2(
        OF_TOTAL,
        node("Add", ["total", "epsilon"], "more"),
        node("Sqrt", ["more"], "root"),
        node("Div", ["x", "root"], "y"),
    ),
    "tf.math.l2_normalize": l2(
        OF_TOTAL,
        node("Max", ["total", "tinier"], "limited"),
        node("Sqrt", ["limited"], "root"),
        node("Reciprocal", ["root"], "inverse"),
        node("Mul", ["x", "inverse"], "y"),
    ),
}


@pytest.mark.parametrize("spelling", SPELLED)
def test_one_normalization_however_it_is_spelled(spelling: str) -> None:
    graph = fuse_normalizations(check_import(SPELLED[spelling], samples=1))
    assert [type(n.op) for n in graph.nodes] == [Normalize], graph.text()


def kept(proto: onnx.ModelProto) -> Graph:
    graph = check_import(proto, samples=1)
    assert not any(isinstance(n.op, Normalize) for n in fuse_normalizations(graph).nodes)
    return graph


def test_what_is_nearly_one_is_none() -> None:
    """Another exponent, another deviation, a root where an inverse is needed, a limit that is felt, a norm of another
    tensor."""
    for change in ("exponent", "deviation"):
        proto = layer_norm()
        power = proto.graph.node[2]
        if change == "exponent":
            power.input[1] = "epsilon"
        else:
            power.input[0] = "x"
        assert not any(isinstance(n.op, Normalize) for n in fuse_normalizations(imported(proto)).nodes), change
    kept(rms(node("Pow", ["sum", "minus half"], "inverse"), node("Div", ["x", "inverse"], "n")))
    proto = onnx.ModelProto()
    proto.CopyFrom(SPELLED["as ONNX's own function has it"])
    proto.graph.node[3].input[1] = "x"
    kept(proto)
    kept(rms(node("Sqrt", ["sum"], "root"), node("Mul", ["x", "root"], "n")))
    kept(l2(NORM, node("Clip", ["norm", "half"], "limited"), node("Div", ["x", "limited"], "y")))
    kept(l2(NORM, node("Exp", ["x"], "e"), node("Div", ["e", "norm"], "y")))
    kept(l2(NORM, node("Div", ["norm", "x"], "y")))


def test_a_deviation_along_other_axes_is_a_root_of_mean_squares() -> None:
    proto = layer_norm()
    proto.graph.node[3].attribute[0].ints[:] = [-2]
    graph = fuse_normalizations(check_import(proto, samples=1))
    (op,) = (n.op for n in graph.nodes if isinstance(n.op, Normalize))
    assert (op.axes, op.centered) == ((2,), False)


def test_what_others_read_stays() -> None:
    proto = layer_norm()
    proto.graph.output.append(onnx.helper.make_tensor_value_info("variance", onnx.TensorProto.FLOAT, None))
    graph = fuse_normalizations(check_import(proto, samples=1))
    assert sum(isinstance(n.op, Normalize) for n in graph.nodes) == 1
    assert list(graph.outputs) == ["y", "variance"]


def test_quantizations_between_its_parts_are_no_hindrance() -> None:
    """As in a file of Q/DQ around every operator."""
    proto = layer_norm((3,))
    nodes, constants = [], {"zero": np.int8(0)}
    spans = {"x": 4, "mean": 1, "d": 4, "s": 16, "variance": 4, "sum": 4, "root": 2, "n": 4, "m": 8}
    for layer in proto.graph.node:
        inputs = [f"{name}_dq" if name in spans else name for name in layer.input]
        kept_attributes = {a.name: onnx.helper.get_attribute_value(a) for a in layer.attribute}
        for name in dict.fromkeys(set(layer.input) & spans.keys()):
            if f"{name}_scale" not in constants:
                constants[f"{name}_scale"] = np.float32(spans[name] / 127)
                nodes.append(node("QuantizeLinear", [name, f"{name}_scale", "zero"], f"{name}_q"))
                nodes.append(node("DequantizeLinear", [f"{name}_q", f"{name}_scale", "zero"], f"{name}_dq"))
        nodes.append(node(layer.op_type, inputs, layer.output[0], **kept_attributes))
    graph = optimize(imported(network(nodes, **constants)))
    assert sum(isinstance(n.op, Normalize) for n in graph.nodes) == 1
    assert len(graph.nodes) <= 2, graph.text()
