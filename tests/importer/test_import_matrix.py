"""Gemm and MatMul: every flag, every shape; and what is refused."""

from __future__ import annotations

import onnx
import pytest
from onnx_models import check_import, model, node, random, refusal

from mcuq.graph.tensor import Array


def gemm(shape: tuple[int, ...], b: Array, c: Array | None = None, **attributes: object) -> onnx.ModelProto:
    constants = {"b": b} | ({} if c is None else {"c": c})
    return model([node("Gemm", ["x", *constants], "y", "fc", **attributes)], {"x": shape}, constants=constants)


def matmul(inputs: list[str], shape: tuple[int, ...], matrix: Array) -> onnx.ModelProto:
    return model([node("MatMul", inputs, "y", "fc")], {"x": shape}, constants={"m": matrix})


@pytest.mark.parametrize("transposed_b", [0, 1])
@pytest.mark.parametrize("transposed_a", [0, 1])
@pytest.mark.parametrize(("alpha", "beta"), [(1.0, 1.0), (0.5, 1.0), (1.0, -2.0), (3.0, 0.0)])
def test_gemm_with_all_its_flags(transposed_a, transposed_b, alpha, beta):
    b = random(4, 5) if transposed_b else random(5, 4)
    x = (5, 3) if transposed_a else (3, 5)
    check_import(gemm(x, b, random(4), transA=transposed_a, transB=transposed_b, alpha=alpha, beta=beta))


@pytest.mark.parametrize("c", [(), (1,), (4,), (1, 1), (1, 4)])
@pytest.mark.parametrize("rows", [1, 3])
def test_gemm_adds_a_row_of_any_shape(rows, c):
    check_import(gemm((rows, 5), random(5, 4), random(*c)))


def test_gemm_without_c():
    check_import(gemm((2, 5), random(5, 4)))
    check_import(model([node("Gemm", ["x", "b", ""], "y")], {"x": [2, 5]}, constants={"b": random(5, 4)}))


def test_gemm_with_one_output():
    check_import(gemm((1, 5), random(5, 1), random(1, 1)))


@pytest.mark.parametrize("shape", [(5,), (3, 5), (2, 3, 5), (2, 1, 3, 5)])
def test_matmul_with_a_constant_on_the_right(shape):
    check_import(matmul(["x", "m"], shape, random(5, 4)))


@pytest.mark.parametrize("shape", [(5, 3), (2, 5, 3), (2, 1, 5, 3)])
def test_matmul_with_a_constant_on_the_left(shape):
    check_import(matmul(["m", "x"], shape, random(4, 5)))


@pytest.mark.parametrize("bias", [(4,), (1, 4), (3, 4), (1, 1, 4)])
def test_a_bias_behind_a_matmul(bias):
    nodes = [node("MatMul", ["x", "m"], "p"), node("Add", ["p", "b"], "y")]
    check_import(model(nodes, {"x": [3, 5]}, constants={"m": random(5, 4), "b": random(*bias)}))


@pytest.mark.parametrize(
    ("proto", "message"),
    [
        (gemm((2, 3, 5), random(5, 4)), "A of shape [2, 3, 5] and B of shape [5, 4] must be matrices"),
        (gemm((3, 5), random(5)), "A of shape [3, 5] and B of shape [5] must be matrices"),
        (gemm((3, 6), random(5, 4)), "[3, 6] times [5, 4]: inner dimensions differ"),
        (gemm((3, 5), random(5, 4), random(3)), "C of shape [3] does not broadcast to [3, 4]"),
        (gemm((3, 5), random(5, 4), random(1, 3, 4)), "C of shape [1, 3, 4] does not broadcast to [3, 4]"),
        (
            model([node("MatMul", ["x", "b"], "y", "fc")], {"x": (3, 5), "b": (4, 5)}),
            "[3, 5] times [4, 5]: inner dimensions differ",
        ),
        (
            model([node("MatMul", ["x", "b"], "y", "fc")], {"x": (2, 3, 5), "b": (3, 5, 4)}),
            "[2, 3, 5] times [3, 5, 4]: batches do not broadcast",
        ),
        (matmul(["x", "m"], (3, 6), random(5, 4)), "[3, 6] times [5, 4]: inner dimensions differ"),
        (matmul(["m", "x"], (2, 6, 3), random(4, 5)), "[4, 5] times [2, 6, 3]: inner dimensions differ"),
    ],
)
def test_a_product_that_cannot_be_computed_is_refused(proto, message):
    assert refusal(proto) == f"{proto.graph.node[0].op_type} 'fc': {message}"


@pytest.mark.parametrize(
    ("a", "b"),
    [
        *(((5,), (5,)), ((3, 5), (5,)), ((5,), (5, 4)), ((3, 5), (5, 4)), ((2, 3, 5), (5,)), ((5,), (2, 5, 4))),
        *(((2, 3, 5), (2, 5, 4)), ((3, 5), (2, 5, 4)), ((2, 1, 3, 5), (6, 5, 4)), ((1, 3, 5), (5, 4))),
    ],
)
@pytest.mark.parametrize("constant", ["", "a", "b"])
def test_products_of_any_ranks_of_which_either_may_be_constant(a, b, constant):
    shapes = {"a": a, "b": b}
    constants = {constant: random(*shapes.pop(constant))} if constant else {}
    check_import(model([node("MatMul", ["a", "b"], "y", "fc")], shapes, constants=constants))


@pytest.mark.parametrize("constant", ["", "a", "b", "c"])
@pytest.mark.parametrize(("a_flag", "b_flag", "alpha", "beta"), [(0, 0, 1.0, 1.0), (1, 1, 0.5, 1.0), (0, 1, 3.0, -2.0)])
@pytest.mark.parametrize("c", [None, (), (4,), (3, 1), (3, 4)])
def test_gemm_of_computed_matrices(constant, a_flag, b_flag, alpha, beta, c):
    shapes = {"a": (5, 3) if a_flag else (3, 5), "b": (4, 5) if b_flag else (5, 4)}
    shapes |= {} if c is None else {"c": c}
    names = list(shapes)
    if c == ():  # an input of a model has a shape
        constant = "c"
    constants = {constant: random(*shapes.pop(constant))} if constant in shapes else {}
    gemm = node("Gemm", names, "y", "fc", transA=a_flag, transB=b_flag, alpha=alpha, beta=beta)
    check_import(model([gemm], shapes, constants=constants))
