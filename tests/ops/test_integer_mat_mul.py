"""IntegerMatMul: C against the simulator, the simulator against Python's integers, sums beyond int32; MatMulInteger and
ConvInteger against ONNX Runtime and ONNX's reference, and what is refused."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from onnx import TensorProto
from onnx.reference import ReferenceEvaluator
from onnx_models import check_import, imported, model, node, refusal
from support import Case, Whole, check_portable_c, integer_branches, integer_graph, random_inputs

from mcuq.graph.simulate import simulate
from mcuq.graph.tensor import Array, Integers
from mcuq.onnx_io.writer import write_onnx
from mcuq.onnx_runtime.float_model import FloatModel
from mcuq.ops.integer_mat_mul import IntegerMatMul

UINT8, INT32 = TensorProto.UINT8, TensorProto.INT32
SHAPES = (((3, 4), (4, 2)), ((2, 3, 1), (1, 1, 5)), ((1, 2, 1, 7), (3, 1, 7, 2)))
ENDS = ((-128, 127), (0, 255), (-255, 255), (-(2**31), 2**31 - 1))


def codes(*shape: int) -> Array:
    return np.random.default_rng([*shape]).integers(0, 256, shape).astype(np.uint8)


def cases() -> list[Case]:
    found: list[Case] = []
    for (a, b), (i, ends) in product(SHAPES, enumerate(ENDS)):
        whole = [Whole(a, *ends), Whole(b, *ENDS[(i + 1) % len(ENDS)])]
        constants = [np.random.default_rng(i).integers(-255, 256, shape) for shape in (a, b)]
        found += [
            (IntegerMatMul(), operands) for operands in (whole, [whole[0], constants[1]], [constants[0], whole[1]])
        ]
    return found


@pytest.mark.parametrize("on", ["host", pytest.param("emulator", marks=pytest.mark.slow)])
def test_c_gives_the_simulators_bits(on: str) -> None:
    check_portable_c(integer_branches(cases()), on)


def test_it_computes_as_pythons_integers_modulo_2_to_the_32() -> None:
    for (a, b), ends, others in product(SHAPES, ENDS, ENDS):
        graph = integer_graph(IntegerMatMul(), [Whole(a, *ends), Whole(b, *others)])
        x = random_inputs(graph, 4, known=True)
        got = simulate(graph, x)["y"]
        want = np.matmul(x["x0"].astype(object), x["x1"].astype(object))
        assert np.array_equal(got, (want + 2**31) % 2**32 - 2**31)
        y = graph.tensors["y"].integers
        assert y.low <= got.min()
        assert got.max() <= y.high


def test_its_range_is_that_of_its_operands() -> None:
    def of(taps: int, a: tuple[int, int], b: tuple[int, int]) -> Integers | None:
        return integer_graph(IntegerMatMul(), [Whole((1, taps), *a), Whole((taps, 1), *b)]).tensors["y"].integers

    assert of(3, (-2, 5), (-7, 4)) == Integers.of(-105, 60)
    assert of(33_025, (0, 255), (0, 255)) == Integers.of(0, 33_025 * 255**2)
    assert of(33_026, (0, 255), (0, 255)) == Integers.of(-(2**31), 2**31 - 1)


def test_inputs_beyond_what_is_known_give_the_nearest_that_the_output_holds() -> None:
    graph = integer_graph(IntegerMatMul(), [Whole((1, 2), 0, 9), Whole((2, 1), 0, 9)])
    assert simulate(graph, {"x0": np.full((1, 1, 2), 127, np.int8), "x1": np.full((1, 2, 1), 5, np.int8)})["y"] == 162


@pytest.mark.parametrize(
    ("a", "b", "points"),
    [
        ((4, 3), (3, 2), {"az": (), "bz": (1,)}),
        ((3,), (3, 2), {"az": (1,)}),
        ((2, 4, 3), (3,), {}),
        ((2, 1, 4, 3), (3, 3, 2), {"az": (1,), "bz": ()}),
    ],
)
def test_products_of_computed_integers(a, b, points):
    """Zero points that are constant, and such that are computed; of unsigned bytes alone, as ONNX Runtime's sums with
    signed ones saturate on CPUs without VNNI."""
    inputs = [*("ab"), *(name if name in points else "" for name in ("az", "bz"))]
    nodes = [node("MatMulInteger", inputs, "y", "sums")]
    kinds = dict.fromkeys(("a", "b", "az", "bz"), UINT8)
    constants = {name: codes(*shape) for name, shape in points.items()}
    check_import(model(nodes, {"a": a, "b": b}, {"y": INT32}, constants, kinds=kinds))
    check_import(model(nodes, {"a": a, "b": b, **points}, {"y": INT32}, kinds=kinds))


def of_reference(proto, sample: dict[str, Array]) -> Array:
    """The model's one output by ONNX's own evaluator: ONNX Runtime has no zero points of rows."""
    return ReferenceEvaluator(proto).run(None, sample)[0]


@pytest.mark.parametrize(
    ("az", "bz"), [((4,), (2,)), ((4, 1), (1, 2)), ((2, 4, 1), ()), ((1,), (1, 2)), ((2, 1, 1), (2, 1, 2))]
)
def test_zero_points_of_rows_and_columns(az, bz):
    nodes = [node("MatMulInteger", ["a", "b", "az", "bz"], "y")]
    b = (2, 3, 2) if len(bz) == 3 else (3, 2)
    constants = {"b": codes(*b), "az": codes(*az), "bz": codes(*bz)}
    proto = model(nodes, {"a": (2, 4, 3)}, {"y": INT32}, constants, kinds={"a": UINT8})
    for a in (codes(2, 4, 3), np.zeros((2, 4, 3), np.uint8), np.full((2, 4, 3), 255, np.uint8)):
        left = a.astype(int) - constants["az"].reshape(-1, 1) if len(az) == 1 else a.astype(int) - constants["az"]
        want = np.matmul(left, constants["b"].astype(int) - constants["bz"])
        got = FloatModel(write_onnx(imported(proto))).run({"a": a.astype(np.float32)})["y"]
        assert np.array_equal(got, want)


@pytest.mark.parametrize(
    ("x", "w", "attributes"),
    [
        ((2, 4, 5, 6), (6, 4, 3, 3), {"pads": [1, 1, 0, 1], "strides": [2, 1]}),
        ((1, 4, 7, 6), (6, 2, 2, 3), {"group": 2, "dilations": [2, 1], "pads": [1, 0, 0, 2]}),
        ((1, 2, 7, 6), (3, 2, 2, 3), {"strides": [2, 2], "auto_pad": "SAME_UPPER"}),
        ((1, 3, 5, 5), (3, 1, 3, 3), {"group": 3}),
        ((1, 2, 9), (3, 2, 4), {"strides": [2], "pads": [2, 1]}),
        ((1, 2, 4, 3, 5), (3, 2, 2, 1, 3), {"pads": [0, 1, 1, 1, 0, 0]}),
        ((1, 5, 3, 2), (4, 5, 1, 1), {}),
    ],
)
def test_convolutions_of_integers(x, w, attributes):
    nodes = [node("ConvInteger", ["x", "w", "z", "wz"], "y", "sums", **attributes)]
    constants = {"w": codes(*w), "z": np.uint8(77), "wz": np.uint8(130)}
    kinds = {"x": UINT8, "w": UINT8}
    check_import(model(nodes, {"x": x}, {"y": INT32}, constants, kinds=kinds))
    del constants["w"]
    check_import(model(nodes, {"x": x, "w": w}, {"y": INT32}, constants, kinds=kinds))


def test_zero_points_of_output_channels():
    nodes = [node("ConvInteger", ["x", "w", "z", "wz"], "y")]
    constants = {"w": codes(3, 2, 2, 2), "z": np.uint8(9), "wz": np.uint8([0, 100, 255])}
    proto = model(nodes, {"x": (1, 2, 4, 4)}, {"y": INT32}, constants, kinds={"x": UINT8})
    x = codes(1, 2, 4, 4)
    plain = model([node("ConvInteger", ["x", "w", "z"], "y")], {"x": x.shape}, {"y": INT32}, kinds={"x": UINT8})
    less = constants["w"].astype(int) - constants["wz"].reshape(-1, 1, 1, 1)
    want = sum(
        sign * of_reference_conv(plain, x, part, constants["z"])
        for sign, part in ((1, np.maximum(less, 0)), (-1, np.maximum(-less, 0)))
    )
    got = FloatModel(write_onnx(imported(proto))).run({"x": x.astype(np.float32)})["y"]
    assert np.array_equal(got, want)


def of_reference_conv(proto, x: Array, w: Array, z: Array) -> Array:
    given = type(proto)()
    given.CopyFrom(proto)
    return of_reference(given, {"x": x, "w": w.astype(np.uint8), "z": z})


MATRICES = {"a": (4, 3), "b": (3, 2)}
IMAGES = {"x": (1, 4, 5, 5)}


@pytest.mark.parametrize(
    ("layer", "inputs", "constants", "text"),
    [
        (
            node("MatMulInteger", ["a", "b", "az"], "y", "n"),
            MATRICES,
            {"az": np.zeros(3, np.uint8)},
            "MatMulInteger 'n': a zero point of shape [3] does not fit [4, 3]",
        ),
        (
            node("MatMulInteger", ["a", "b", "", "bz"], "y", "n"),
            MATRICES,
            {"bz": np.zeros((3, 1), np.uint8)},
            "MatMulInteger 'n': a zero point of shape [3, 1] does not fit [3, 2]",
        ),
        (
            node("ConvInteger", ["x", "w", "z"], "y", "n"),
            IMAGES,
            {"w": codes(2, 4, 3, 3), "z": np.zeros(4, np.uint8)},
            "ConvInteger 'n': a zero point of shape [4] does not fit [1, 4, 5, 5]",
        ),
        (
            node("MatMulInteger", ["a", "a"], "y", "n"),
            {"a": (4, 3)},
            {},
            "MatMulInteger 'n': [4, 3] times [4, 3]: inner dimensions differ",
        ),
        (
            node("ConvInteger", ["x", "w"], "y", "n"),
            IMAGES,
            {"w": codes(2, 4, 3)},
            "ConvInteger 'n': w of shape [2, 4, 3] does not fit input [1, 4, 5, 5]",
        ),
        (
            node("ConvInteger", ["x", "w"], "y", "n", group=3),
            IMAGES,
            {"w": codes(2, 4, 3, 3)},
            "ConvInteger 'n': group=3 and w of shape [2, 4, 3, 3] do not fit 4 input channels",
        ),
        (
            node("ConvInteger", ["x", "w"], "y", "n", kernel_shape=[3, 2]),
            IMAGES,
            {"w": codes(2, 4, 3, 3)},
            "ConvInteger 'n': kernel_shape=[3, 2] differs from that of w, [3, 3]",
        ),
        (
            node("ConvInteger", ["x", "w"], "y", "n"),
            IMAGES,
            {"w": codes(2, 4, 6, 3)},
            "Unfold 'n': a window of 6 does not fit dimension 2 of [1, 4, 5, 5]",
        ),
        (
            node("ConvInteger", ["w", "x"], "y", "n"),
            IMAGES,
            {"w": codes(1, 4, 6, 6)},
            "ConvInteger 'n': input 0 must be computed, not constant",
        ),
    ],
)
def test_refusals(layer, inputs, constants, text):
    assert refusal(model([layer], inputs, {"y": INT32}, constants, kinds=dict.fromkeys(inputs, UINT8))) == text
