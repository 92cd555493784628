"""LRN and LpPool that a file spells as several operators become one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
import pytest
from onnx_models import check_import, ints, model, node

from mcuq.graph.ir import Graph
from mcuq.graph.tensor import Array
from mcuq.ops.lp_pool import LpPool
from mcuq.ops.lrn import LRN
from mcuq.passes import optimize
from mcuq.passes.fuse_squares import fuse_squares

IMAGE = (1, 7, 4, 3)


def local_response(size: int = 3, limit: bool = False, beta: float = 0.75, of: str = "x") -> onnx.ModelProto:
    """As PyTorch exports it."""
    shape: Sequence[onnx.NodeProto] = [
        node("Mul", [of, of], "s"),
        node("Reshape", ["s", "five"], "v"),
        node("Pad", ["v", "pads"], "p"),
        node("AveragePool", ["p"], "a", kernel_shape=[size, 1, 1], count_include_pad=1),
        node("Squeeze", ["a", "first"], "q"),
        *([node("Clip", ["q", "", "hundred"], "l")] if limit else []),
        node("Mul", ["l" if limit else "q", "alpha"], "m"),
        node("Add", ["m", "bias"], "b"),
        node("Sqrt", ["b"], "w") if beta == 0.5 else node("Pow", ["b", "beta"], "w"),
        node("Div", ["x", "w"], "y"),
    ]
    if of != "x":
        shape = [node("Neg", ["x"], "minus"), node("Add", ["x", "bias"], of), *shape]
    constants: dict[str, Array] = {
        "five": ints(1, 1, *IMAGE[1:3], -1),
        "pads": ints(0, 0, size // 2, 0, 0, 0, 0, (size - 1) // 2, 0, 0),
        "first": ints(1),
        "hundred": np.float32(100),
        "alpha": np.float32(0.25),
        "bias": np.float32(2.0),
        "beta": np.float32(beta),
    }
    read = {name for layer in shape for name in layer.input}
    return model(shape, {"x": IMAGE}, constants={n: v for n, v in constants.items() if n in read})


def by_convolution() -> onnx.ModelProto:
    """Sums along the rows, by ones."""
    nodes = [
        node("Pow", ["x", "two"], "s"),
        node("Conv", ["s", "ones"], "c", group=7, pads=[0, 1, 0, 1]),
        node("Add", ["one", "c"], "b"),
        node("Pow", ["b", "beta"], "w"),
        node("Div", ["x", "w"], "y"),
    ]
    constants = {
        "two": np.float32(2),
        "ones": np.full((7, 1, 1, 3), 0.5, np.float32),
        "one": np.float32(1),
        "beta": np.float32(1.25),
    }
    return model(nodes, {"x": IMAGE}, constants=constants)


def lp_pool(factor: float, signs: bool = True, **attributes: object) -> onnx.ModelProto:
    """As PyTorch exports it."""
    sizes = [node("Sign", ["a"], "g"), node("Abs", ["a"], "b"), node("Relu", ["b"], "r"), node("Mul", ["g", "r"], "m")]
    nodes = [
        node("Pow", ["x", "two"], "s"),
        node("AveragePool", ["s"], "a", kernel_shape=[2, 2], strides=[2, 1], **attributes),
        *(sizes if signs else []),
        node("Mul", ["m" if signs else "a", "factor"], "f"),
        node("Pow", ["f", "half"], "y"),
    ]
    return model(
        nodes, {"x": IMAGE}, constants={n: np.float32(v) for n, v in (("two", 2), ("factor", factor), ("half", 0.5))}
    )


def ops(graph: Graph) -> list[type]:
    return [type(n.op) for n in graph.nodes]


@pytest.mark.parametrize("size", [1, 3, 5])
def test_a_local_response_is_one(size: int) -> None:
    graph = fuse_squares(check_import(local_response(size), samples=1))
    found = [n.op for n in graph.nodes if isinstance(n.op, LRN)]
    if size == 1:  # no sum: it is no matter along which dimension, and no LRN
        assert not found
        return
    (op,) = found
    assert (op.axis, op.size, op.beta, op.bias) == (1, size, 0.75, 2.0)
    assert op.alpha == pytest.approx(0.25, rel=1e-6)


def test_so_is_one_of_a_root_and_one_along_rows_by_a_convolution() -> None:
    graph = fuse_squares(check_import(local_response(beta=0.5), samples=1))
    assert [n.op.beta for n in graph.nodes if isinstance(n.op, LRN)] == [0.5]
    graph = fuse_squares(check_import(by_convolution(), samples=1))
    (op,) = (n.op for n in graph.nodes if isinstance(n.op, LRN))
    assert (op.axis, op.size, op.alpha, op.beta) == (3, 3, 1.5, 1.25)


@pytest.mark.parametrize(
    "proto",
    [
        local_response(4),
        local_response(9),
        local_response(limit=True),
        local_response(of="z"),
        local_response(beta=-0.75),
    ],
    ids=["of an even size, as PyTorch has it", "beyond both ends", "with a limit", "of another tensor", "a product"],
)
def test_what_is_nearly_a_local_response_is_none(proto: onnx.ModelProto) -> None:
    assert LRN not in ops(fuse_squares(check_import(proto, samples=1)))


@pytest.mark.parametrize("signs", [True, False])
def test_a_root_of_sums_of_squares_is_one_pool(signs: bool) -> None:
    """Without Transposes between."""
    graph = optimize(check_import(lp_pool(4.0, signs), samples=1))
    assert [kind.__name__ for kind in ops(graph)] == ["Transpose", "LpPool", "Transpose"]


@pytest.mark.parametrize(
    ("factor", "attributes"), [(1.0, {}), (4.0, {"pads": [1, 1, 0, 0]})], ids=["of means", "of counts that differ"]
)
def test_what_is_nearly_a_pool_is_none(factor: float, attributes: dict[str, object]) -> None:
    assert LpPool not in ops(fuse_squares(check_import(lp_pool(factor, False, **attributes), samples=1)))
