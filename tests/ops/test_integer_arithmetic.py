"""IntegerArithmetic: C against the simulator, the simulator against Python's integers, at and beyond both ends."""

from __future__ import annotations

from math import fmod

import numpy as np
import onnx
import pytest
from binary_cases import SHAPES
from onnx import TensorProto, helper
from onnx_models import imported, model, node, original_outputs, refusal
from support import Case, Whole, check_portable_c, integer_branches, integer_graph, random_inputs, with_ranges

from mcuq.graph.simulate import simulate
from mcuq.graph.tensor import Integers
from mcuq.onnx_io.writer import write_onnx
from mcuq.onnx_runtime.float_model import FloatModel
from mcuq.ops.integer_arithmetic import IntegerArithmetic


def in_int32(value: int) -> int:
    return (value + 2**31) % 2**32 - 2**31


EXACT = {
    "Add": lambda a, b: a + b,
    "Sub": lambda a, b: a - b,
    "Mul": lambda a, b: a * b,
    "WrappedAdd": lambda a, b: in_int32(a + b),
    "WrappedSub": lambda a, b: in_int32(a - b),
    "WrappedMul": lambda a, b: in_int32(a * b),
    "Div": lambda a, b: 0 if b == 0 else abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1),
    "Mod": lambda a, b: 0 if b == 0 else a % b,
    "Remainder": lambda a, b: 0 if b == 0 else int(fmod(a, b)),
    "Min": min,
    "Max": max,
    "And": lambda a, b: a & b,
    "Or": lambda a, b: a | b,
    "Xor": lambda a, b: a ^ b,
}
LOGIC = ("And", "Or", "Xor")
ENDS = ((0, 9), (-9, 9), (-300, 70_000), (-(2**31), 2**31 - 1), (3, 200), (-7, -2))


def cases(ends: tuple[tuple[int, int], ...] = ENDS) -> list[Case]:
    found: list[Case] = []
    for i, kind in enumerate(EXACT):
        for k in range(len(ends)):
            a, b = (ends[(i + k) % len(ends)], ends[k]) if kind not in LOGIC else ((0, 1), (0, 1))
            shapes = SHAPES[(i + k) % len(SHAPES)]
            found.append((IntegerArithmetic(kind), [Whole(shapes[0], *a), Whole(shapes[1], *b)]))
    return found


@pytest.mark.parametrize("on", ["host", pytest.param("emulator", marks=pytest.mark.slow)])
def test_c_gives_the_simulators_bits(on: str) -> None:
    constant: list[Case] = [
        (IntegerArithmetic("Sub"), [np.array([[5, -2]]), Whole((3, 2), -9, 9)]),
        (IntegerArithmetic("Mod"), [Whole((3, 2), -9, 9), np.array([[0, -3]])]),
    ]
    check_portable_c(integer_branches([*cases(), *constant]), on)


@pytest.mark.parametrize("kind", EXACT)
def test_it_computes_as_pythons_integers_and_stays_in_its_range(kind: str) -> None:
    for a, b in [(a, b) for a in ENDS for b in ENDS] if kind not in LOGIC else [((0, 1), (0, 1))]:
        graph = integer_graph(IntegerArithmetic(kind), [Whole((60,), *a), Whole((60,), *b)])
        x = random_inputs(graph, 6, known=True)
        x["x0"][2], x["x1"][3] = a[0], b[1]
        y = graph.tensors["y"].integers
        pairs = zip(x["x0"].ravel().tolist(), x["x1"].ravel().tolist(), strict=True)
        want = [EXACT[kind](p, q) for p, q in pairs]
        limits = (-(2**31), 2**31 - 1)
        held = [min(max(value, limits[0]), limits[1]) for value in want]
        assert simulate(graph, x)["y"].ravel().tolist() == held
        assert y.low <= min(held) and max(held) <= y.high


def test_its_range_is_that_of_its_operands() -> None:
    def of(kind: str, a: tuple[int, int], b: tuple[int, int]) -> Integers | None:
        return integer_graph(IntegerArithmetic(kind), [Whole((1,), *a), Whole((1,), *b)]).tensors["y"].integers

    assert of("Add", (0, 9), (-3, 5)) == Integers.of(-3, 14)
    assert of("Mul", (-9, 9), (-3, 5)) == Integers.of(-45, 45)
    assert of("Div", (-9, 100), (4, 5)) == Integers.of(-25, 25)
    assert of("Mod", (-(2**24), 2**24), (7, 7)) == Integers.of(0, 6)
    assert of("Remainder", (0, 2**24), (7, 7)) == Integers.of(0, 6)
    assert of("Min", (0, 9), (3, 20)) == Integers.of(0, 9)


def test_inputs_beyond_what_is_known_give_the_nearest_that_the_output_holds() -> None:
    graph = integer_graph(IntegerArithmetic("Add"), [Whole((3,), 0, 9), Whole((3,), 0, 9)])
    x = np.array([[127, -128, 4]], np.int8)
    assert simulate(graph, {"x0": x, "x1": x})["y"].tolist() == [[18, 0, 8]]


def test_real_values_where_integers_must_be() -> None:
    proto = model([node("And", ["x", "x"], "y", "both")], {"x": (3,)}, {"y": TensorProto.BOOL})
    assert refusal(proto) == "And 'both': input 0 must be of integers"
    nodes = [node("Add", ["n", "x"], "y", "mixed")]
    proto = model(nodes, {"x": (3,), "n": (3,)}, kinds={"n": TensorProto.INT64})
    assert refusal(proto) == "Add 'mixed': input 1 must be of integers"


def test_constants_are_the_files_or_refused() -> None:
    """Constants are float32 in graphs."""

    def of(constant: int) -> onnx.ModelProto:
        layers = [node("Min", ["n", "c"], "y", "least")]
        return model(
            layers, {"n": (3,)}, {"y": TensorProto.INT64}, {"c": np.int64(constant)}, kinds={"n": TensorProto.INT64}
        )

    for constant in (2**24, -(2**24), 2**30, 2**31 - 1, 2**62 + 1, -(2**63)):
        (held,) = (t for t in imported(of(constant)).tensors.values() if t.is_constant)
        assert held.quant.quantize(held.values).item() == min(max(constant, -(2**31)), 2**31 - 1)
    assert refusal(of(2**24 + 1)) == (
        "Min 'least': constant 'c' holds 16777217; supported are integers up to 2^24, and beyond those that float32 has"
    )


@pytest.mark.parametrize("kind", [TensorProto.INT8, TensorProto.UINT8, TensorProto.INT16, TensorProto.UINT16])
def test_types_of_the_file_wrap_around(kind: int) -> None:
    """As in NumPy, and in ONNX Runtime."""
    is_signed = kind in (TensorProto.INT8, TensorProto.INT16)
    binary = ["Add", "Sub", *(["Mul"] if kind != TensorProto.UINT16 else []), *([] if is_signed else ["Div"])]
    layers = [node(own, ["n", "m"], own) for own in binary]
    layers += [node(own, ["n"], own) for own in (("Neg", "Abs") if is_signed else ())]
    outputs = {own.output[0]: kind for own in layers}
    proto = model(layers, {"n": (30,), "m": (30,)}, outputs, kinds=dict.fromkeys("nm", kind))
    limits = np.iinfo(helper.tensor_dtype_to_np_dtype(kind))
    low, high = int(limits.min), int(limits.max)
    rng = np.random.default_rng(0)
    sample = {name: rng.integers(low, high, 30, endpoint=True) for name in "nm"}
    sample["n"][:4], sample["m"][:4] = [low, low, high, high], [low, high, low, high]
    sample["m"][sample["m"] == 0] = 1
    graph = with_ranges(imported(proto))
    got = simulate(graph, {name: x[None].astype(graph.tensors[name].dtype) for name, x in sample.items()})
    dtype = helper.tensor_dtype_to_np_dtype(kind)
    n, m = (sample[name].astype(dtype) for name in "nm")
    functions = {"Add": n + m, "Sub": n - m, "Mul": n * m, "Neg": -n, "Abs": np.abs(n), "Div": n // np.maximum(m, 1)}
    for layer in layers:
        assert got[layer.output[0]].tolist() == [functions[layer.op_type].tolist()], layer.op_type


def test_int32_wraps_around_and_int64_is_limited_to_it() -> None:
    """As in ONNX Runtime; int32 was limited to its ends."""
    kinds = {"n": TensorProto.INT32, "m": TensorProto.INT32, "l": TensorProto.INT64}
    layers = [
        node("Mul", ["n", "m"], "product"),
        node("Add", ["product", "product"], "total"),
        node("Sub", ["total", "n"], "less"),
        node("Neg", ["product"], "neg"),
        node("Abs", ["product"], "abs"),
        node("Add", ["n", "m"], "near"),
        node("Mul", ["l", "l"], "long"),
    ]
    outputs = {layer.output[0]: TensorProto.INT32 for layer in layers} | {"long": TensorProto.INT64}
    proto = model(layers, {"n": (40,), "m": (40,), "l": (40,)}, outputs, kinds=kinds)
    graph = with_ranges(imported(proto))
    names = {type(layer.op).__name__ + layer.op.kind for layer in graph.layers()}
    assert {"IntegerArithmeticWrappedMul", "IntegerArithmeticWrappedAdd", "IntegerArithmeticAdd"} <= names
    rng = np.random.default_rng(0)
    sample = {name: rng.integers(-(2**24), 2**24, 40, endpoint=True) for name in "nml"}
    sample["n"][:2], sample["m"][:2] = -(2**16), 2**15  # the least int32, which is its own negative
    got = simulate(graph, {name: x[None].astype(np.int32) for name, x in sample.items()})
    wanted = original_outputs(proto, sample)
    for name in outputs:
        want = np.clip(wanted[name], -(2**31), 2**31 - 1) if name == "long" else wanted[name]
        assert got[name].tolist() == [want.tolist()], name


@pytest.mark.parametrize(
    ("own", "kind", "reach"),
    [("Mul", TensorProto.UINT16, "0 to 2147483647"), ("Sub", TensorProto.UINT32, "-16777216 to 16777216")],
)
def test_what_int32_does_not_hold_does_not_wrap_around(own: str, kind: int, reach: str) -> None:
    layers = [node(own, ["n", "m"], "y", "both")]
    proto = model(layers, {"n": (3,), "m": (3,)}, {"y": kind}, kinds=dict.fromkeys("nm", kind))
    assert refusal(proto) == (
        f"{own} 'both': gives integers from {reach}, but its type begins at 0 and wraps around beyond what int32 "
        "holds; put a Cast to int64 before it"
    )


def test_import() -> None:
    kinds = [kind for kind in EXACT if kind not in ("Remainder", *LOGIC) and not kind.startswith("Wrapped")]
    layers = [node(kind, ["n", "m"], f"y{kind}") for kind in kinds]
    layers += [
        node("Mod", ["n", "seven"], "fmod", fmod=1),
        node("Max", ["n", "m", "seven"], "three"),
        node("Neg", ["n"], "neg"),
        node("Abs", ["n"], "abs"),
        node("Clip", ["n", "two", "seven"], "clip"),
    ]
    of_numbers = [layer.output[0] for layer in layers]
    layers += [
        node("Greater", ["n", "seven"], "p"),
        node("Greater", ["m", "seven"], "q"),
        *(node(kind, ["p", "q"], f"y{kind}") for kind in LOGIC),
    ]
    outputs = {**dict.fromkeys(of_numbers, TensorProto.INT64), **{f"y{k}": TensorProto.BOOL for k in LOGIC}}
    constants = {"seven": np.int64(7), "two": np.int64(2)}
    proto = model(layers, {"n": (2, 3), "m": (3,)}, outputs, constants, kinds=dict.fromkeys("nm", TensorProto.INT64))
    # Up to hundreds: float32 does not hold products of more.
    rng = np.random.default_rng(0)
    for _ in range(5):
        m = rng.integers(-300, 300, 3)
        sample = {
            "n": rng.integers(-300, 300, (2, 3)).astype(np.float32),
            "m": np.where(m == 0, 1, m).astype(np.float32),
        }
        got, want = FloatModel(write_onnx(imported(proto))).run(sample), original_outputs(proto, sample)
        for name in outputs:
            assert np.array_equal(got[name], want[name].astype(np.float32)), name
