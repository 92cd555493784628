"""ConvInteger and MatMulInteger in any surroundings, against ONNX Runtime."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx_models import imported, ints, model, node, original_outputs, random, refusal
from quantized_models import check_steps, dequantize, quantize, quantized, scale_of

from mcuq.graph.simulate import simulate
from mcuq.graph.tensor import Array
from mcuq.importer import dynamic_layers
from mcuq.onnx_io.writer import write_onnx
from mcuq.onnx_runtime.float_model import FloatModel
from mcuq.passes import optimize
from mcuq.quantize import given_quantization

S, T, K = 0.0513, 0.0971, 0.0103
GIVEN = {"s": scale_of(S), "z": np.int8(3), "t": scale_of(T), "u": np.int8(-10), "k": scale_of(S * K)}
TO_FLOAT = {"to": TensorProto.FLOAT}


def weights(*shape: int) -> Array:
    """Of 7 bits: ONNX Runtime's sums of larger products with unsigned bytes saturate on CPUs without VNNI."""
    return np.random.default_rng([*shape]).integers(-64, 64, shape).astype(np.int8)


def behind(sums: str, scale: str = "k") -> list[onnx.NodeProto]:
    """Cast, Mul, Q, DQ."""
    return [
        node("Cast", [sums], "f", **TO_FLOAT),
        node("Mul", ["f", scale], "m"),
        quantize("m", "mq", "t", "u"),
        dequantize("mq", "y", "t", "u"),
    ]


def test_a_convolution_of_integers_of_constant_scales() -> None:
    nodes = [
        quantize("x", "xq"),
        node("ConvInteger", ["xq", "w", "z", "wz"], "c", "conv", pads=[1, 1, 1, 1], strides=[2, 1]),
        *behind("c"),
    ]
    w = weights(4, 3, 3, 3)
    graph = check_steps(model(nodes, {"x": (1, 3, 6, 5)}, constants={**GIVEN, "w": w, "wz": np.int8(0)}))
    (layer,) = [layer for layer in graph.layers() if len(layer.inputs) == 3]
    assert layer.name == "conv"
    assert np.array_equal(layer.inputs[1].values, w.transpose(0, 2, 3, 1))


@pytest.mark.parametrize("zero", [[], ["wz"]])
def test_a_matrix_product_with_a_bias_of_integers(zero: list[str]) -> None:
    """Added to the sums, which are moved and then read with one scale."""
    nodes = [
        quantize("x", "xq"),
        node("MatMulInteger", ["xq", "w", "z", *zero], "sums", "layer"),
        node("Add", ["b", "sums"], "biased"),
        node("Reshape", ["biased", "shape"], "moved"),
        node("DequantizeLinear", ["moved", "k"], "m"),
        quantize("m", "mq", "t", "u"),
        dequantize("mq", "y", "t", "u"),
    ]
    w = weights(24, 8)
    constants = {"w": w, "b": np.arange(-400, 400, 100, dtype=np.int32), "shape": np.int64([2, 2, 8])}
    graph = check_steps(model(nodes, {"x": (4, 24)}, constants={**GIVEN, **constants, "wz": np.int8(0)}))
    (layer,) = [layer for layer in graph.layers() if len(layer.inputs) == 3]
    assert np.array_equal(layer.inputs[1].values, w.T)
    assert not [n for n in graph.nodes if type(n.op).__name__ not in ("FullyConnected", "Reshape")]


def test_zero_points_of_columns() -> None:
    nodes = [quantize("x", "xq"), node("MatMulInteger", ["xq", "w", "z", "wz"], "sums", "layer"), *behind("sums")]
    w = np.random.default_rng(0).integers(0, 128, (24, 8)).astype(np.uint8)
    zeros = np.arange(60, 68, dtype=np.uint8)
    graph = check_steps(model(nodes, {"x": (4, 24)}, constants={**GIVEN, "w": w, "wz": zeros}))
    (layer,) = [layer for layer in graph.layers() if len(layer.inputs) == 3]
    assert np.array_equal(layer.inputs[1].values, (w.astype(int) - zeros).T)


@pytest.mark.parametrize("shapes", [((3, 7), (7, 4)), ((2, 3, 7), (2, 7, 4))])
def test_a_product_of_two_computed_matrices(shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    """Both ends of the output's integers, one step at most."""
    a, b = shapes
    nodes = [
        quantize("x", "xq"),
        quantize("v", "vq", "q", "r"),
        node("MatMulInteger", ["xq", "vq", "z", "r"], "sums", "layer"),
        *behind("sums"),
    ]
    constants = {**GIVEN, "q": scale_of(K), "r": np.int8(-7)}
    proto = model(nodes, {"x": a, "v": b}, constants=constants)
    graph = quantized(proto)
    rng = np.random.default_rng(0)
    codes = {"x": rng.integers(-128, 128, (20, *a)), "v": rng.integers(-128, 128, (20, *b))}
    codes["x"][0], codes["v"][0] = 127, 127
    codes["x"][1], codes["v"][1] = -128, 127
    quants = {name: graph.tensors[name].quantization for name in codes}
    got = simulate(graph, {name: q.astype(np.int8) for name, q in codes.items()})["y"].astype(int)
    reals = [{name: quants[name].dequantize(q[i]) for name, q in codes.items()} for i in range(20)]
    y = graph.tensors["y"].quantization
    want = np.stack([y.quantize(original_outputs(proto, sample)["y"]) for sample in reals]).astype(int)
    assert (want.min(), want.max()) == (-128, 127)
    assert np.abs(got - want).max() <= 1
    assert (got == want).mean() >= 0.99


DYNAMIC = node("DynamicQuantizeLinear", ["x"], ["xq", "xs", "xz"])
CAST = node("Cast", ["sums"], "f", **TO_FLOAT)
LAYER = node("MatMulInteger", ["xq", "w", "xz"], "sums", "layer")
RANGES_AT_RUN_TIME: dict[str, list[onnx.NodeProto]] = {
    "one scale after the other": [
        DYNAMIC,
        LAYER,
        CAST,
        node("Mul", ["f", "k"], "g"),
        node("Mul", ["xs", "g"], "y"),
    ],
    "moved in between": [
        DYNAMIC,
        LAYER,
        node("Transpose", ["sums"], "turned", perm=[1, 0]),
        node("Cast", ["turned"], "f", **TO_FLOAT),
        node("Mul", ["xs", "k"], "both"),
        node("Mul", ["both", "f"], "y"),
    ],
    "read twice": [
        DYNAMIC,
        LAYER,
        CAST,
        node("Mul", ["f", "xs"], "g"),
        node("Mul", ["xs", "k"], "both"),
        node("Mul", ["both", "f"], "h"),
        node("Add", ["g", "h"], "y"),
    ],
    "integers that are moved": [
        DYNAMIC,
        node("Transpose", ["xq"], "xt", perm=[1, 0]),
        node("Slice", ["xt", "starts", "ends"], "xl"),
        node("Transpose", ["xl"], "xm", perm=[1, 0]),
        node("MatMulInteger", ["xm", "half", "xz"], "sums", "layer"),
        CAST,
        node("Mul", ["f", "xs"], "y"),
    ],
    "two matrices": [
        node("Transpose", ["x"], "t", perm=[1, 0]),
        DYNAMIC,
        node("DynamicQuantizeLinear", ["t"], ["tq", "ts", "tz"]),
        node("MatMulInteger", ["xq", "tq", "xz", "tz"], "sums", "layer"),
        CAST,
        node("Mul", ["xs", "ts"], "both"),
        node("Mul", ["f", "both"], "y"),
    ],
}


@pytest.mark.parametrize("nodes", RANGES_AT_RUN_TIME.values(), ids=RANGES_AT_RUN_TIME)
def test_ranges_found_at_run_time(nodes: Sequence[onnx.NodeProto]) -> None:
    """What ONNX Runtime rounds to 8 bits is real values here, to be calibrated."""
    constants = {"w": weights(24, 8), "k": scale_of(K), "half": weights(12, 8), "starts": ints(6), "ends": ints(18)}
    proto = model(nodes, {"x": (6, 24)}, constants=constants)
    graph = optimize(imported(proto))
    for seed in range(3):
        sample = {"x": random(6, 24, seed=seed)}
        want = original_outputs(proto, sample)["y"]
        got = FloatModel(write_onnx(graph)).run(sample)["y"]
        assert np.abs(got - want).max() <= 0.02 * np.abs(want).max()
    assert dynamic_layers(proto) == ("layer",)
    if not any(item.op_type == "Transpose" and item.input[0] == "x" for item in nodes):
        assert given_quantization(graph).weights == ("layer",)


def test_integers_that_are_moved_and_dequantized_are_the_tensor_moved() -> None:
    nodes = [
        DYNAMIC,
        node("Reshape", ["xq", "shape"], "moved"),
        node("DequantizeLinear", ["moved", "xs", "xz"], "d"),
        node("Tanh", ["d"], "y"),
    ]
    text = imported(model(nodes, {"x": (6, 4)}, constants={"shape": ints(2, 12)})).text()
    assert text.splitlines()[1:3] == [
        "moved.real: float32[2,12] = Reshape(x) shape=2,12",
        "y: float32[2,12] = Tanh(moved.real)",
    ]
    other = [*nodes[:2], node("DequantizeLinear", ["moved", "k", "xz"], "y", "other")]
    assert refusal(model(other, {"x": (6, 4)}, constants={"shape": ints(2, 12), "k": scale_of(1)})) == (
        "DequantizeLinear 'other': dequantizes integers that are computed; supported are rows of a constant table; use "
        "Cast and Mul"
    )
    padded = [DYNAMIC, node("Pad", ["xq", "pads"], "p"), node("DequantizeLinear", ["p", "xs", "xz"], "y", "other")]
    assert refusal(model(padded, {"x": (6, 4)}, constants={"pads": ints(0, 1, 0, 1)})) == (
        "DequantizeLinear 'other': dequantizes integers that are computed; supported are rows of a constant table; use "
        "Cast and Mul"
    )


def test_integers_of_the_models_own_input() -> None:
    """Which stand for themselves less their zero point."""
    nodes = [
        node("MatMulInteger", ["x", "w", "z"], "sums", "layer"),
        CAST,
        node("Mul", ["f", "k"], "m"),
        quantize("m", "mq", "t", "u"),
        dequantize("mq", "y", "t", "u"),
    ]
    constants = {**GIVEN, "w": weights(24, 8), "z": np.uint8(100), "k": scale_of(K / 20)}
    proto = model(nodes, {"x": (4, 24)}, constants=constants)
    proto.graph.input[0].type.tensor_type.elem_type = TensorProto.UINT8
    graph = quantized(proto)
    assert (graph.tensors["x"].scale, graph.tensors["x"].zero_point) == (1, 100 - 128)
    codes = np.random.default_rng(0).integers(0, 256, (20, 4, 24))
    got = simulate(graph, {"x": (codes - 128).astype(np.int8)})["y"].astype(int)
    y = graph.tensors["y"].quantization
    want = np.stack([y.quantize(original_outputs(proto, {"x": q.astype(np.uint8)})["y"]) for q in codes]).astype(int)
    assert np.abs(got - want).max() <= 1
    assert (got == want).mean() >= 0.999
    assert dynamic_layers(proto) == ()


def test_products_of_constant_scales_in_one_operator() -> None:
    proto = model(
        [
            quantize("x", "xq"),
            node("MatMulIntegerToFloat", ["xq", "w", "s", "k", "z", "", "b"], "m", "layer", domain="com.microsoft"),
            quantize("m", "mq", "t", "u"),
            dequantize("mq", "y", "t", "u"),
        ],
        {"x": (4, 24)},
        constants={**GIVEN, "w": weights(24, 8), "k": np.linspace(0.005, 0.02, 8).astype(np.float32), "b": random(8)},
    )
    proto.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    graph = check_steps(proto, share=0.99)
    (layer,) = [layer for layer in graph.layers() if len(layer.inputs) == 3]
    assert np.array_equal(layer.inputs[1].values, weights(24, 8).T)
    assert dynamic_layers(proto) == ()


@pytest.mark.parametrize(
    "nodes",
    [
        [DYNAMIC, LAYER, node("Cast", ["sums"], "y", **TO_FLOAT)],  # no scale
        [DYNAMIC, LAYER, CAST, node("Mul", ["f", "k"], "y")],  # not its own
        [
            DYNAMIC,
            LAYER,
            node("Add", ["sums", "b"], "c"),
            node("Cast", ["c"], "f", **TO_FLOAT),
            node("Mul", ["f", "xs"], "y"),
        ],
        [DYNAMIC, node("MatMulInteger", ["xq", "w"], "sums", "layer"), CAST, node("Mul", ["f", "xs"], "y")],
    ],
    ids=["no scale", "another scale", "a bias of integers", "codes themselves"],
)
def test_sums_that_are_not_multiplied_by_their_scale_are_those_of_codes(nodes: list[onnx.NodeProto]) -> None:
    """As the file says: a code may be the next one where a value is as near to both."""
    constants = {"w": weights(24, 8), "k": scale_of(K), "b": np.arange(8, dtype=np.int32)}
    proto = model(nodes, {"x": (6, 24)}, constants=constants)
    graph = imported(proto)
    assert {"DynamicQuantize", "IntegerMatMul"} <= {type(layer.op).__name__ for layer in graph.layers()}
    assert dynamic_layers(proto) == ()
    sample = {"x": random(6, 24)}
    want = original_outputs(proto, sample)["y"]
    got = FloatModel(write_onnx(graph)).run(sample)["y"]
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-5 * np.abs(want).max())


def test_sums_that_stay_integers_are_refused() -> None:
    nodes = [quantize("x", "xq"), node("MatMulInteger", ["xq", "w", "z"], "y", "layer")]
    proto = model(nodes, {"x": (6, 24)}, {"y": TensorProto.INT32}, {**GIVEN, "w": weights(24, 8)})
    assert refusal(proto).startswith(
        "MatMulInteger 'layer': computes with the integers 'xq' of a QuantizeLinear; put a DequantizeLinear before it: "
        "only "
    )
