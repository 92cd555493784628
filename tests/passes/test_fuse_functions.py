"""Functions that a file spells as several operators become one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import onnx
import pytest
from onnx_models import check_import, imported, model, node

import mcuq
from mcuq.passes.fuse_functions import fuse_functions

X = {"x": (1, 3, 4, 5)}
Nodes = Sequence[onnx.NodeProto]


def network(nodes: Nodes, **constants: float) -> onnx.ModelProto:
    values = {name: np.array(value, np.float32) for name, value in constants.items()}
    return model([node("Relu", ["in"], "x"), *nodes], {"in": X["x"]}, constants=values)


def gelu(order: str) -> onnx.ModelProto:
    """As PyTorch and TensorFlow spell it."""
    nodes = {
        "x half last": [
            node("Div", ["x", "root"], "a"),
            node("Erf", ["a"], "b"),
            node("Add", ["b", "one"], "c"),
            node("Mul", ["x", "c"], "d"),
            node("Mul", ["d", "half"], "y"),
        ],
        "half x": [
            node("Mul", ["x", "inverse"], "a"),
            node("Erf", ["a"], "b"),
            node("Add", ["one", "b"], "c"),
            node("Mul", ["half", "x"], "d"),
            node("Mul", ["d", "c"], "y"),
        ],
        "half share": [
            node("Div", ["x", "root"], "a"),
            node("Erf", ["a"], "b"),
            node("Add", ["b", "one"], "c"),
            node("Mul", ["half", "c"], "d"),
            node("Mul", ["x", "d"], "y"),
        ],
    }[order]
    return network(nodes, root=2**0.5, inverse=0.5**0.5, one=1.0, half=0.5)


def gelu_tanh(cube: str) -> onnx.ModelProto:
    power = (
        [node("Pow", ["x", "three"], "a")]
        if cube == "Pow"
        else [node("Mul", ["x", "x"], "square"), node("Mul", ["square", "x"], "a")]
    )
    nodes = [
        *power,
        node("Mul", ["a", "small"], "b"),
        node("Add", ["x", "b"], "c"),
        node("Mul", ["c", "root"], "d"),
        node("Tanh", ["d"], "e"),
        node("Add", ["e", "one"], "f"),
        node("Mul", ["x", "f"], "g"),
        node("Mul", ["g", "half"], "y"),
    ]
    return network(nodes, three=3.0, small=0.044715, root=(2 / np.pi) ** 0.5, one=1.0, half=0.5)


def swish(alpha: float) -> onnx.ModelProto:
    scaled = [node("Mul", ["x", "alpha"], "a")] if alpha != 1 else []
    nodes = [*scaled, node("Sigmoid", ["a" if scaled else "x"], "s"), node("Mul", ["s", "x"], "y")]
    return network(nodes, alpha=alpha)


def mish() -> onnx.ModelProto:
    nodes = [node("Softplus", ["x"], "a"), node("Tanh", ["a"], "b"), node("Mul", ["x", "b"], "y")]
    return network(nodes)


def hard_swish() -> onnx.ModelProto:
    nodes = [
        node("Add", ["x", "three"], "a"),
        node("Clip", ["a", "zero", "six"], "b"),
        node("Mul", ["x", "b"], "c"),
        node("Div", ["c", "six"], "y"),
    ]
    return network(nodes, three=3.0, zero=0.0, six=6.0)


def hard_sigmoid() -> onnx.ModelProto:
    nodes = [node("HardSigmoid", ["x"], "a", alpha=1 / 6), node("Mul", ["x", "a"], "y")]
    return network(nodes)


def softsign() -> onnx.ModelProto:
    """As PyTorch spells it."""
    return network([node("Abs", ["x"], "a"), node("Add", ["a", "one"], "b"), node("Div", ["x", "b"], "y")], one=1.0)


def swish_by_exp() -> onnx.ModelProto:
    nodes = [node("Neg", ["x"], "a"), node("Exp", ["a"], "b"), node("Add", ["one", "b"], "c")]
    return network([*nodes, node("Div", ["x", "c"], "y")], one=1.0)


CASES: list[tuple[Callable[[], onnx.ModelProto], str]] = [
    (lambda: gelu("x half last"), "Gelu(x)"),
    (lambda: gelu("half x"), "Gelu(x)"),
    (lambda: gelu("half share"), "Gelu(x)"),
    (lambda: gelu_tanh("Pow"), "Gelu(x) approximate=tanh"),
    (lambda: gelu_tanh("Mul"), "Gelu(x) approximate=tanh"),
    (lambda: swish(1.0), "Swish(x)"),
    (lambda: swish(-0.5), "Swish(x) alpha=-0.5"),
    (mish, "Mish(x)"),
    (hard_swish, "HardSwish(x)"),
    (hard_sigmoid, "HardSwish(x)"),
    (softsign, "Softsign(x)"),
    (swish_by_exp, "Swish(x)"),
]


@pytest.mark.parametrize(("make", "found"), CASES)
def test_a_function_is_found_however_it_is_spelled(make: Callable[[], onnx.ModelProto], found: str) -> None:
    graph = fuse_functions(imported(make()))
    lines = graph.text().splitlines()
    assert len(lines) == 4, graph.text()
    assert lines[2].endswith(f" = {found}")
    check_import(make())


def test_swish_of_a_coefficient_is_found_with_it() -> None:
    (line,) = (text for text in fuse_functions(imported(swish(1.702))).text().splitlines() if "Swish" in text)
    assert abs(float(line.partition("alpha=")[2]) - 1.702) < 1e-6


def test_what_is_near_a_function_but_none_stays() -> None:
    for proto in (
        network([node("Sigmoid", ["x"], "s"), node("Add", ["s", "x"], "y")]),
        network([node("Tanh", ["x"], "s"), node("Mul", ["s", "x"], "y")]),
        network([node("Sigmoid", ["x"], "s"), node("Mul", ["s", "s"], "y")]),
        network([node("HardSigmoid", ["x"], "s"), node("Mul", ["s", "x"], "y")]),
        network([node("Mul", ["x", "x"], "y")]),
    ):
        graph = imported(proto)
        assert fuse_functions(graph).text() == graph.text()


def test_a_factor_for_each_channel_stays() -> None:
    constants = {"alpha": np.array([1.0, 2.0, 3.0], np.float32).reshape(3, 1, 1)}
    nodes = [node("Mul", ["x", "alpha"], "a"), node("Sigmoid", ["a"], "s"), node("Mul", ["s", "x"], "y")]
    graph = imported(model(nodes, X, constants=constants))
    assert fuse_functions(graph).text() == graph.text()


def test_a_gate_of_another_tensor_stays() -> None:
    nodes = [node("Sigmoid", ["gate"], "s"), node("Mul", ["s", "x"], "y")]
    for shape in ((1, 3, 4, 5), (1, 3, 1, 1)):
        graph = imported(model(nodes, {**X, "gate": shape}))
        assert fuse_functions(graph).text() == graph.text()


def test_what_others_read_is_kept_for_them() -> None:
    nodes = [node("Sigmoid", ["x"], "s"), node("Mul", ["s", "x"], "y")]
    proto = model(nodes, X, outputs=["y", "s"])
    text = fuse_functions(imported(proto)).text()
    assert "Swish(x)" in text
    assert "Sigmoid(x)" in text
    check_import(proto)


def test_values_between_that_are_quantized_stay() -> None:
    constants = {"scale": np.array(1 / 127, np.float32), "zero": np.array(0, np.int8)}
    nodes = [
        node("Sigmoid", ["x"], "s"),
        node("QuantizeLinear", ["s", "scale", "zero"], "q"),
        node("DequantizeLinear", ["q", "scale", "zero"], "d"),
        node("Mul", ["d", "x"], "y"),
    ]
    graph = imported(model(nodes, X, constants=constants))
    assert fuse_functions(graph).text() == graph.text()


CLIPPED = {
    "value": [node("Clip", ["x", "", "limit"], "c"), node("Sigmoid", ["x"], "s"), node("Mul", ["c", "s"], "y")],
    "gate": [node("Clip", ["x", "", "limit"], "c"), node("Sigmoid", ["c"], "s"), node("Mul", ["x", "s"], "y")],
    "rounded": [
        node("Mul", ["x", "fine"], "a"),
        node("Round", ["a"], "b"),
        node("Div", ["b", "fine"], "c"),
        node("Sigmoid", ["x"], "s"),
        node("Mul", ["c", "s"], "y"),
    ],
}


@pytest.mark.parametrize("limit", [8.0, 1e3, 1e20])
@pytest.mark.parametrize("where", CLIPPED)
def test_what_differs_only_far_out_or_between_even_steps_stays(where: str, limit: float) -> None:
    if where == "gate" and limit > 8:
        limit = 10.0  # beyond, the gate is 1 within what float32 tells
    constants = {"limit": np.array(limit, np.float32), "fine": np.array(20, np.float32)}
    proto = model(CLIPPED[where], X, constants=constants)
    graph = imported(proto)
    assert fuse_functions(graph).text() == graph.text()
    compiled = mcuq.compile(proto, "host", np.random.default_rng(0).uniform(-30, 30, (20, 3, 4, 5)).astype(np.float32))
    data = np.random.default_rng(1).uniform(-30, 30, (20, 3, 4, 5)).astype(np.float32)
    assert mcuq.simulate(compiled, data).report.sqnr_db > 35
