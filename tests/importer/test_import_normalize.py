"""Operators that normalize: their dimensions, scales and biases, where their layout goes, and what is refused."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx_models import check_import, imported, model, node, random, refusal
from support import run_float

from mcuq.graph.ir import Graph
from mcuq.graph.tensor import Array
from mcuq.onnx_io.writer import write_onnx
from mcuq.onnx_runtime.float_model import FloatModel
from mcuq.ops.normalize import Normalize
from mcuq.ops.transpose import Transpose
from mcuq.passes import optimize

IMAGE = (1, 4, 6, 5)


def layer(op_type: str, opset: int, constants: dict[str, Array] | None = None, **attributes: object) -> onnx.ModelProto:
    constants = constants or {}
    layers = [node(op_type, ["x", *constants], "y", "n", **attributes)]
    return model(layers, {"x": IMAGE}, constants=constants, opset=opset)


def pair(*shape: int) -> dict[str, Array]:
    return {"scale": random(*shape), "bias": random(*shape, seed=1)}


@pytest.mark.parametrize(
    "proto",
    [
        layer("LayerNormalization", 17, {"scale": random(5)}),
        layer("LayerNormalization", 17, pair(5), axis=3, epsilon=0.01),
        layer("LayerNormalization", 17, pair(6, 1), axis=2),
        layer("LayerNormalization", 17, pair(4, 6, 5), axis=-3),
        layer("LayerNormalization", 17, pair(), axis=1),
        layer("RMSNormalization", 23, {"scale": random(6, 5)}, axis=2),
        layer("GroupNormalization", 18, pair(1), num_groups=1),
        layer("GroupNormalization", 18, pair(4), num_groups=4, epsilon=0.01),
        layer("GroupNormalization", 21, pair(4), num_groups=1),
        layer("GroupNormalization", 21, pair(4), num_groups=4),
        layer("MeanVarianceNormalization", 13, axes=[1, 3]),
        layer("MeanVarianceNormalization", 13, axes=[0, 1, 2, 3]),
        layer("LpNormalization", 7),
        layer("LpNormalization", 22, axis=2, p=2),
    ],
    ids=lambda proto: str(proto.graph.node[0].op_type),
)
def test_dimensions_scales_and_biases_are_onnx_runtimes(proto: onnx.ModelProto) -> None:
    check_import(proto)


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_between_convolutions_no_layout_is_left(groups: int) -> None:
    layers = [
        node("Conv", ["x", "w"], "a", pads=[1, 1, 1, 1]),
        node("GroupNormalization", ["a", "scale", "bias"], "b", num_groups=groups),
        node("Relu", ["b"], "c"),
        node("InstanceNormalization", ["c", "scale", "bias"], "d"),
        node("Conv", ["d", "w"], "y"),
    ]
    proto = model(layers, {"x": IMAGE}, constants={"w": random(4, 4, 3, 3), **pair(4)}, opset=21)
    check_import(proto)
    graph = optimize(imported(proto))
    between = [n.op for n in graph.nodes if n.output not in graph.outputs][1:-1]
    assert not any(isinstance(op, Transpose) for op in between)
    first, second = (op for op in between if isinstance(op, Normalize))
    assert (first.axes, first.group_axis, first.minimum) == ((1, 2, 3), 3, 0)
    assert second.axes == (1, 2)


@pytest.mark.parametrize("computed", [("s", "b"), ("s",), ("b",)], ids=" and ".join)
def test_scale_and_bias_may_be_computed(computed: tuple[str, ...]) -> None:
    """As adaptive normalizations have them."""
    nodes = [
        node("LayerNormalization", ["x", "s", "b"], "a"),
        node("InstanceNormalization", ["x", "c", "d"], "e"),
        node("GroupNormalization", ["x", "c", "d"], "f", num_groups=2),
    ]
    shapes = {"s": (5,), "b": (5,), "c": (4,), "d": (4,)}
    inputs = [name for name in shapes if name in computed or {"c": "s", "d": "b"}.get(name) in computed]
    constants = {name: random(*shapes[name]) for name in shapes if name not in inputs}
    proto = model(nodes, {"x": IMAGE, **{name: shapes[name] for name in inputs}}, "aef", constants, opset=21)
    check_import(proto)
    rms = node("RMSNormalization", ["x", "s"], "y")
    check_import(model([rms], {"x": IMAGE, "s": (6, 1)}, opset=23))
    of_groups = node("GroupNormalization", ["x", "g", "h"], "y", num_groups=2)
    assert import_of_groups(of_groups).inputs == ("x", "g", "h")


def import_of_groups(made: onnx.NodeProto) -> Graph:
    """Of opset 18: scale and bias of groups, which are those of their channels."""
    old = imported(model([made], {"x": IMAGE, "g": (2,), "h": (2,)}, opset=18))
    made = node("GroupNormalization", ["x", "c", "d"], "y", num_groups=2)
    new = imported(model([made], {"x": IMAGE, "c": (4,), "d": (4,)}, opset=21))
    x, g, h = random(*IMAGE), random(2), random(2, seed=1)
    want = FloatModel(write_onnx(new)).run({"x": x, "c": np.repeat(g, 2), "d": np.repeat(h, 2)})["y"]
    np.testing.assert_allclose(FloatModel(write_onnx(old)).run({"x": x, "g": g, "h": h})["y"], want, atol=1e-6)
    return old


@pytest.mark.parametrize(
    ("proto", "message"),
    [
        (
            layer("GroupNormalization", 21, pair(4), num_groups=3),
            "GroupNormalization 'n': num_groups=3 does not fit an input of shape [1, 4, 6, 5]; it must divide the "
            "channels",
        ),
        (
            layer("GroupNormalization", 18, pair(4), num_groups=2),
            "GroupNormalization 'n': scale of shape [4] does not fit an input of shape [1, 4, 6, 5]",
        ),
        (
            layer("InstanceNormalization", 7, pair(5)),
            "InstanceNormalization 'n': scale of shape [5] does not fit an input of shape [1, 4, 6, 5]",
        ),
        (
            layer("LayerNormalization", 17, pair(4)),
            "LayerNormalization 'n': Scale of shape [4] does not fit an input of shape [1, 4, 6, 5]",
        ),
        (
            layer("LayerNormalization", 17, pair(5), epsilon=-1.0),
            "LayerNormalization 'n': epsilon is -1; it must be a number of 0 or more",
        ),
        (layer("LpNormalization", 7, p=3), "LpNormalization 'n': p=3 is not supported; use p=1 or p=2"),
    ],
)
def test_what_is_not_supported_is_refused(proto: onnx.ModelProto, message: str) -> None:
    assert refusal(proto) == message


def test_a_mean_that_is_read_is_computed_as_onnx_defines_it() -> None:
    """The normalization itself stays one layer."""
    layers = [
        node("LayerNormalization", ["x", "scale"], ["a", "mean"], "n"),
        node("Add", ["a", "mean"], "y"),
    ]
    layers.append(node("LayerNormalization", ["y", "scale"], ["b", "", "deviation"], "m"))
    proto = model(layers, {"x": IMAGE}, ["y", "deviation"], {"scale": np.ones(5, np.float32)}, opset=17)
    names = [type(n.op).__name__ for n in check_import(proto).nodes]
    assert names.count("Normalize") == 1


@pytest.mark.parametrize("axis", [1, -1])
def test_values_over_the_sum_of_their_sizes(axis: int) -> None:
    """Zeros stay zeros."""
    nodes = [node("Relu", ["x"], "a"), node("LpNormalization", ["a"], "y", p=1, axis=axis)]
    graph = check_import(model(nodes, {"x": IMAGE}, opset=17))
    assert not np.isnan(run_float(write_onnx(graph), {"x": -np.ones((1, *IMAGE), np.float32)})["y"]).any()
