"""FromIntegers: C against the simulator, the simulator against float; exact where there is a code for each integer."""

from __future__ import annotations

import numpy as np
import pytest
from float_cases import check_floats, float_layers
from onnx import TensorProto
from onnx_models import check_import, imported, ints, model, node, refusal
from support import Case, Whole, check_float, check_portable_c, integer_branches, integer_graph, with_ranges

from mcuq.graph.simulate import simulate
from mcuq.graph.tensor import Integers, Quant
from mcuq.ops.from_integers import FromIntegers
from mcuq.quantize import Scheme
from mcuq.quantize.scheme import LayerScheme

INT16 = Scheme(LayerScheme("int8", "int16"))
EXACT: list[Case] = [
    (FromIntegers(), [Whole((9,), low, high)])
    for low, high in ((0, 1), (0, 9), (-128, 127), (0, 255), (-255, 0), (-3, 140), (5, 200))
]
WIDE: list[Case] = [(FromIntegers(), [Whole((9,), *ends)]) for ends in ((-300, 40_000), (-(2**24), 2**24), (0, 70_000))]


@pytest.mark.parametrize("on", ["host", pytest.param("emulator", marks=pytest.mark.slow)])
def test_c_gives_the_simulators_bits(on: str) -> None:
    check_portable_c(integer_branches([*EXACT, *WIDE]), on)
    check_portable_c(integer_branches([*EXACT, *WIDE], scheme=INT16), on)
    check_floats(float_layers([*EXACT, *WIDE]), on)


def test_simulator_is_within_half_a_step_of_the_float_meaning() -> None:
    for seed in range(4):
        check_float(integer_branches(WIDE, seed), 0.5, samples=40)
        check_float(integer_branches(WIDE, seed, scheme=INT16), 0.5, samples=40)


def test_as_many_integers_as_there_are_codes_keep_their_values() -> None:
    for scheme, dtype in ((Scheme(), "int8"), (INT16, "int16")):
        for _, ((whole,),) in ((op, [inputs]) for op, inputs in EXACT):
            graph = integer_graph(FromIntegers(), [whole], scheme=scheme)
            assert graph.tensors["y"].dtype == dtype
            x = np.linspace(whole.low, whole.high, 9).astype(graph.tensors["x0"].dtype)[None]
            y = graph.tensors["y"].quantization
            assert y.dequantize(simulate(graph, {"x0": x})["y"]).tolist() == x.tolist()


def test_integers_beyond_what_is_known_are_limited() -> None:
    graph = integer_graph(FromIntegers(), [Whole((3,), 0, 9)])
    x = np.array([[-128, 9, 127]], np.int8)
    assert simulate(graph, {"x0": x})["y"].tolist() == [[0, 9, 9]]


def pixels(kind: int, *, is_read_twice: bool = False) -> object:
    layers = [node("Reshape", ["x", "s"], "r"), node("Cast", ["r"], "f", to=TensorProto.FLOAT)]
    layers.append(node("Mul", ["f", "k"], "y"))
    outputs = {"y": TensorProto.FLOAT}
    if is_read_twice:
        layers.append(node("ArgMax", ["r"], "best", axis=1))
        outputs["best"] = TensorProto.INT64
    constants = {"s": ints(1, 6), "k": np.float32([0.25])}
    return model(layers, {"x": (1, 2, 3)}, outputs, constants, kinds={"x": kind})


@pytest.mark.parametrize(
    ("kind", "quant"),
    [
        (TensorProto.UINT8, Quant((1.0,), -128)),
        (TensorProto.INT8, Quant((1.0,), 0)),
        (TensorProto.BOOL, Integers.of(0, 1)),
        (TensorProto.INT32, None),
    ],
)
def test_an_input_that_is_cast_to_float_is_of_real_values(kind: int, quant: Quant | None) -> None:
    proto = pixels(kind)
    graph = check_import(proto)
    assert graph.tensors["x"].quant == quant
    between = ["FromIntegers"] if isinstance(quant, Integers) else []
    assert [type(n.op).__name__ for n in graph.nodes] == ["Reshape", *between, "Mul"]


def test_one_that_is_read_otherwise_too_stays_of_integers() -> None:
    graph = check_import(pixels(TensorProto.UINT8, is_read_twice=True))
    assert graph.tensors["x"].quant == Integers.of(0, 255)
    assert graph.tensors["x"].integers.dtype == "int16"


def test_casts_among_integers() -> None:
    layers = [
        node("Cast", ["x"], "wide", to=TensorProto.INT64),
        node("ArgMax", ["wide"], "y", axis=0),
    ]
    check_import(model(layers, {"x": (4,)}, {"y": TensorProto.INT64}, kinds={"x": TensorProto.UINT8}))
    layers = [node("Cast", ["x"], "narrow", "cast", to=TensorProto.INT8), node("ArgMax", ["narrow"], "y", axis=0)]
    proto = model(layers, {"x": (4,)}, {"y": TensorProto.INT64}, kinds={"x": TensorProto.UINT8})
    assert refusal(proto) == (
        "Cast 'cast': to int8; what is computed is integers from 0 to 255: only a Cast to a type that holds it is "
        "supported"
    )


@pytest.mark.parametrize("scheme", [Scheme(), Scheme(LayerScheme("int8", "int16"))], ids=["int8", "int16"])
def test_integers_of_32_bits_of_which_few_are_computed(scheme: Scheme) -> None:
    # A step is far below 1, as the range is what was seen, not what the type holds.
    layers = [node("Cast", ["x"], "i", to=TensorProto.INT32), node("Cast", ["i"], "y", to=TensorProto.FLOAT)]
    graph = with_ranges(imported(model(layers, {"x": (2, 9)})), scheme=scheme)
    assert graph.tensors["y"].scale < 1
    check_portable_c(graph, "host")
