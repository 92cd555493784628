"""All that keeps a model from being compiled is said at once, and what comes nearest to it."""

from __future__ import annotations

import re

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx_models import imported, ints, model, node, random, refusal, saved

from mcuq.importer.problems import NEAREST
from mcuq.ops import FROM_ONNX
from mcuq.report.inspect import inspect_model

X = {"x": (1, 4, 6, 6)}


def several() -> onnx.ModelProto:
    """An operator that there is none of, three layers with attributes or types that are not supported, some behind
    others, and a layer that is fine."""
    nodes = [
        node("MaxRoiPool", ["x", "rois"], "a", "roi", pooled_shape=[6, 6]),
        node("Pad", ["a", "pads"], "b", "mirror", mode="circular"),
        node("Relu", ["b"], "c", "relu"),
        node("Conv", ["c", "half"], "d", "halves"),
        node("MaxPool", ["d"], "e", "pool", kernel_shape=[2, 2], pads=[2, 0, 0, 0]),
        node("Softmax", ["e"], "y", "soft", axis=7),
    ]
    constants = {
        "pads": ints(0, 0, 1, 1, 0, 0, 1, 1),
        "rois": random(1, 5),
        "half": random(4, 4, 1, 1).astype(np.float16),
    }
    return model(nodes, X, constants=constants)


SEVERAL = [
    "Pad 'mirror': mode=circular is not supported; use one of constant, edge, reflect, wrap",
    "Conv 'halves': input W 'half' is float16, but X 'c' is float; give both one type, or Cast one",
    "MaxPool 'pool': pads=[2, 0, 0, 0] reach beyond the window [2, 2]; use smaller pads",
    "Softmax 'soft': axis=7 is outside a tensor of 4 dimensions",
]


def test_everything_is_listed_in_one_go() -> None:
    assert refusal(several()).splitlines() == [
        "net.onnx: 5 things are in the way:",
        "  net.onnx: operators that are not supported: MaxRoiPool ('roi'), use MaxPool; supported: "
        + ", ".join(sorted(FROM_ONNX)),
        *(f"  {line}" for line in SEVERAL),
    ]


def test_inspect_lists_it_too(tmp_path) -> None:
    found = inspect_model(saved(several(), tmp_path))
    assert (found.unsupported, found.problems) == ({"MaxRoiPool": ["roi"]}, tuple(SEVERAL))
    assert (found.macs, found.layers, found.quantization) == (None, (), None)


def test_what_comes_nearest_is_supported_and_stands_for_what_is_not() -> None:
    assert not NEAREST.keys() & FROM_ONNX.keys()
    assert all(onnx.defs.has(op) for op in NEAREST if "." not in op)
    for text in NEAREST.values():
        assert set(re.findall(r"\b[A-Z][A-Za-z]+\b", text)) <= FROM_ONNX.keys(), text


def test_another_domains_operator_of_onnxs_name_is_onnxs() -> None:
    nodes = [
        node("LayerNormalization", ["x"], "y", "norm", domain="acme"),
        node("Fold", ["y"], "z", "f", domain="acme"),
    ]
    assert refusal(model(nodes, X, ["z"])).startswith(
        "net.onnx: operators that are not supported: acme.Fold ('f'); acme.LayerNormalization ('norm'), use ONNX's own "
        "LayerNormalization; supported: "
    )


def test_inputs_are_listed_with_each_other_and_with_operators() -> None:
    nodes = [
        node("MaxRoiPool", ["x", "u"], "a", "roi", pooled_shape=[6, 6]),
        node("QAttention", ["z"], "c", "conv", domain="com.microsoft"),
        node("Sum", ["a", "c", "f"], "y"),
    ]
    proto = model(nodes, {"x": (1, 4, "height", "width"), "z": (1, 3, None, "width"), "u": (1, 5)})
    proto.graph.input.append(helper.make_tensor_value_info("f", TensorProto.FLOAT8E5M2, (1,)))
    assert refusal(proto).splitlines() == [
        "net.onnx: 4 things are in the way:",
        "  net.onnx: operators that are not supported: MaxRoiPool ('roi'), use MaxPool; com.microsoft.QAttention "
        "('conv'), use QuantizeLinear and DequantizeLinear around Attention's MatMul, Softmax and MatMul; "
        "supported: " + ", ".join(sorted(FROM_ONNX)),
        "  net.onnx: input 'x' has the unknown dimensions 'height' at axis 2, 'width' at axis 3; give their sizes with "
        "--shape height=N --shape width=N",
        "  net.onnx: input 'z' has an unknown, unnamed dimension at axis 2; give the input's shape with "
        "--shape z=1,3,N,N",
        "  net.onnx: input 'f' is float8e5m2; supported are float32, which mcuq quantizes, and bool, int8, uint8, "
        "int16, uint16, int32, uint32, int64, uint64",
    ]
    sizes = {"height": 3, "width": 3, "z": (1, 3, 3, 3)}
    proto.graph.input[-1].type.tensor_type.elem_type = TensorProto.FLOAT
    assert refusal(proto, sizes).startswith(
        "net.onnx: operators that are not supported: MaxRoiPool ('roi'), use MaxPool; com.mic"
    )


def test_tensors_of_types_that_nothing_computes_are_listed_together() -> None:
    constants = {"t": numpy_helper.from_array(np.array(["a"], object), "t"), "c": np.zeros(2, np.complex64)}
    nodes = [node("Identity", ["t"], "y"), node("Identity", ["c"], "z")]
    assert refusal(model(nodes, X, ("y", "z"), constants)).splitlines() == [
        "net.onnx: 2 things are in the way:",
        "  net.onnx: tensor 't' is string; string tensors are not supported, use float32",
        "  net.onnx: tensor 'c' is complex64; complex tensors are not supported, use float32",
    ]


@pytest.mark.parametrize(
    ("nodes", "constants", "message"),
    [
        (
            [node("Conv", ["x", "w"], "y", "c")],
            {"w": random(4, 4, 1, 1).astype(np.float64)},
            "Conv 'c': input W 'w' is double, but X 'x' is float; give both one type, or Cast one",
        ),
        (
            [node("Cast", ["stored"], "w", to=TensorProto.FLOAT16), node("Add", ["x", "w"], "y", "a")],
            {"stored": random(1)},
            "Add 'a': input B 'w' is float16, but A 'x' is float; give both one type, or Cast one",
        ),
        (
            [node("Concat", ["x", "w"], "y", "join", axis=1)],
            {"w": np.zeros((1, 4, 6, 6), np.int32)},
            "Concat 'join': input inputs 'w' is int32, but inputs 'x' is float; give both one type, or Cast one",
        ),
        (
            [node("Reshape", ["x", "shape"], "y", "r")],
            {"shape": np.array([1, 144], np.int32)},
            "Reshape 'r': input shape 'shape' is int32; it must be from: int64",
        ),
        (
            [node("Sigmoid", ["w"], "s", "s"), node("Add", ["x", "s"], "y")],
            {"w": ints(1)},
            "Sigmoid 's': is constant but cannot be computed: ",
        ),
    ],
)
def test_types_that_onnx_forbids_are_refused(nodes, constants, message) -> None:
    assert refusal(model(nodes, X, constants=constants)).startswith(message)


def test_types_that_onnx_allows_are_not() -> None:
    nodes = [
        node("Cast", ["half"], "w", to=TensorProto.FLOAT),
        node("Conv", ["x", "w"], "c"),
        node("Shape", ["c"], "sizes"),
        node("ConstantOfShape", ["sizes"], "zeros"),
        node("Add", ["c", "zeros"], "a"),
        node("Split", ["w"], ["w0", "w1"], axis=0),
        node("Conv", ["a", "w0"], "y"),
    ]
    imported(model(nodes, X, constants={"half": random(4, 4, 1, 1).astype(np.float16)}, opset=11))


@pytest.mark.parametrize(("kind", "what"), [("initializer", "weights"), ("input", "inputs")])
def test_names_that_stand_for_several_tensors_are_refused(kind, what) -> None:
    proto = model([node("Conv", ["x", "w"], "y")], X, constants={"w": random(4, 4, 1, 1)})
    repeated = getattr(proto.graph, kind)
    repeated.append(repeated[0])
    name = {"initializer": "w", "input": "x"}[kind]
    assert refusal(proto) == f"net.onnx: invalid graph: {what} share the name '{name}'; give each a name of its own"


def test_a_weight_that_is_listed_as_an_input_is_one_tensor() -> None:
    proto = model([node("Conv", ["x", "w"], "y")], X | {"w": (4, 4, 1, 1)}, constants={"w": random(4, 4, 1, 1)})
    assert imported(proto).inputs == ("x",)


def test_a_tensor_of_more_dimensions_than_arrays_have() -> None:
    proto = model([node("Relu", ["x"], "y", "r")], {"x": (1,) * 31})
    assert len(imported(proto).tensors["y"].shape) == 31
    assert refusal(model([node("Relu", ["x"], "y", "r")], {"x": (1,) * 32})) == (
        "net.onnx: input 'x' has 32 dimensions; supported are 31"
    )
    shape = numpy_helper.from_array(np.ones(32, np.int64), "shape")
    proto = model([node("Reshape", ["x", "shape"], "y", "r")], {"x": (1,)}, constants={"shape": shape})
    assert refusal(proto) == "Reshape 'r': gives a tensor of 32 dimensions; supported are 31"


def test_a_node_tells_all_attributes_that_must_be_others() -> None:
    nodes = [
        node("Pad", ["x", "pads", "value"], "a", "pad", mode="mirror"),
        node("Resize", ["x", "", "scales"], "b", "resize", mode="area", nearest_mode="up"),
        node("AveragePool", ["x"], "c", "pool", kernel_shape=[2, 2], auto_pad="SAME", pads=[3, 0, 0, 0]),
    ]
    constants = {
        "pads": np.array([0, 0, 1, 1, 0, 0, 1, 1]),
        "value": np.float32(np.inf),
        "scales": np.array([1, 1, 2, 2], np.float32),
    }
    assert refusal(model(nodes, {"x": (1, 2, 4, 4)}, "abc", constants)).splitlines() == [
        "net.onnx: 6 things are in the way:",
        "  Pad 'pad': mode=mirror is not supported; use one of constant, edge, reflect, wrap",
        "  Pad 'pad': value=inf is not supported; use a finite value",
        "  Resize 'resize': mode=area is not supported; use one of nearest, linear, cubic",
        "  Resize 'resize': coordinate_transformation_mode=half_pixel, nearest_mode=up are not supported; use one of "
        "half_pixel, half_pixel_symmetric, pytorch_half_pixel, tf_half_pixel_for_nn, align_corners, asymmetric, "
        "tf_crop_and_resize and one of round_prefer_floor, round_prefer_ceil, floor, ceil",
        "  AveragePool 'pool': auto_pad=SAME is not supported; use NOTSET, SAME_UPPER, SAME_LOWER or VALID",
        "  AveragePool 'pool': pads=[3, 0, 0, 0] reach beyond the window [2, 2]; use smaller pads",
    ]
