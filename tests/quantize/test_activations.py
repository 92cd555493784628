"""Scales where types meet: what is converted to fewer bits has the scale that it would have if it were computed in
them, and no range is lost on the way."""

from __future__ import annotations

import numpy as np
import pytest

from mcuq.graph.builder import GraphBuilder
from mcuq.graph.ir import Graph
from mcuq.graph.tensor import Quant
from mcuq.ops.clip import Clip
from mcuq.ops.concat import Concat
from mcuq.ops.conv2d import Conv2d
from mcuq.ops.convert import Convert
from mcuq.ops.fake_quantize import FakeQuantize
from mcuq.ops.fully_connected import FullyConnected
from mcuq.ops.hard_swish import HardSwish
from mcuq.ops.max_pool import MaxPool
from mcuq.ops.mul import Mul
from mcuq.ops.pad import Pad
from mcuq.ops.rescale import Rescale
from mcuq.ops.reshape import Reshape
from mcuq.ops.slice import Slice
from mcuq.ops.softmax import Softmax
from mcuq.ops.tanh import Tanh
from mcuq.ops.transpose import Transpose
from mcuq.ops.unary import Chain, Unary
from mcuq.ops.window import Window
from mcuq.quantize import LayerScheme, Scheme, calibrate, float_tensors, insert_conversions, quantize_graph
from mcuq.quantize.activations import INT16_ROOM

FLOAT = LayerScheme("float32", "float32")
WIDE = LayerScheme("int8", "int16")
MOVES = (
    MaxPool(Window((2, 2), strides=(2, 2))),
    Transpose((0, 2, 1, 3)),
    Slice((0, 0, 0, 0), (1, 2, 2, 4), (1, 1, 1, 1)),
    Reshape((1, 8, 2, 4)),
    Pad((0, 1, 1, 0), (0, 1, 1, 0)),
)


def dense(builder: GraphBuilder, x: str, name: str, outputs: int = 4, **bounds: float) -> str:
    """A layer over rows, or over images a 1x1 convolution."""
    shape = builder.tensors[x].shape
    kernel = (1, 1) if len(shape) == 4 else ()
    weight = np.random.default_rng(len(name)).normal(size=(outputs, *kernel, shape[-1])).astype(np.float32)
    constants = [builder.constant(weight), builder.constant(np.full(outputs, 0.1, np.float32))]
    op = Conv2d(Window((1, 1)), **bounds) if kernel else FullyConnected(**bounds)
    return builder.add(op, [x, *constants], name, name)


def quantized(graph: Graph, scheme: Scheme) -> Graph:
    """Calibrated on values of both signs."""
    graph = insert_conversions(graph, scheme)
    rng = np.random.default_rng(1)
    samples = [{n: rng.normal(size=graph.tensors[n].shape).astype(np.float32) for n in graph.inputs} for _ in range(20)]
    return quantize_graph(graph, calibrate(graph, samples, without=float_tensors(graph, scheme)), scheme)


def chain(*ops: object) -> Graph:
    """x -> first -> the operators -> second."""
    builder = GraphBuilder("net")
    y = dense(builder, builder.input("x", (1, 4, 4, 4)), "first", 4)
    for op in ops:
        y = builder.add(op, [y])  # type: ignore[arg-type]
    builder.outputs.append(dense(builder, y, "second", 3))
    return builder.graph()


@pytest.mark.parametrize("own", [FLOAT, WIDE, LayerScheme("int8", "float32")])
@pytest.mark.parametrize("op", MOVES, ids=lambda op: type(op).__name__)
def test_what_moves_values_of_a_finer_type_is_converted_behind_with_the_scale_of_int8(
    op: object, own: LayerScheme
) -> None:
    alone = quantized(chain(op), Scheme())
    mixed = quantized(chain(op, Softmax()), Scheme(layers={"first": own}))
    (converted,) = [t for t in mixed.tensors.values() if t.name.endswith(".int8")]
    assert converted.quantization == alone.tensors["first"].quantization


def test_a_tensor_of_one_scale_with_others_covers_what_it_is_converted_from() -> None:
    """Concat of int8 and of what was float: each part of the range counts, whichever group it comes from."""
    builder = GraphBuilder("net")
    x = builder.input("x", (1, 4))
    a, b = dense(builder, x, "a"), dense(builder, x, "bb")
    builder.outputs.append(dense(builder, builder.add(Concat(1), [a, b], "joined", "joined"), "y"))
    alone = quantized(builder.graph(), Scheme()).tensors["joined"].quantization
    for scheme in (
        Scheme(layers={"a": FLOAT}),
        Scheme(layers={"bb": WIDE}),
        Scheme(layers={"a": FLOAT, "bb": WIDE}),
        Scheme(layers={"joined": LayerScheme("int8", "float32")}),
        Scheme(layers={"joined": LayerScheme("int8", "float32"), "a": FLOAT}),
    ):
        mixed = quantized(builder.graph(), scheme)
        read = next(node for node in mixed.nodes if node.name == "y").inputs[0]
        assert mixed.tensors[read].quantization == alone


@pytest.mark.parametrize("own", [FLOAT, WIDE])
def test_bounds_of_a_layer_hold_for_what_is_converted_from_it(own: LayerScheme) -> None:
    builder = GraphBuilder("net")
    first = dense(builder, builder.input("x", (1, 4)), "first", minimum=0.0, maximum=0.5)
    builder.outputs.append(dense(builder, builder.add(Softmax(), [first], "softmax"), "second"))
    mixed = quantized(builder.graph(), Scheme(layers={"first": own}))
    assert mixed.tensors["first.int8"].quantization == Quant((0.5 / 255,), -128)


@pytest.mark.parametrize("port", ["uint8", "int16", "float32"])
def test_an_input_of_another_type_gives_the_int8_behind_it_the_scale_that_an_int8_input_has(port: str) -> None:
    alone = quantized(chain(), Scheme()).tensors["x"].quantization
    assert quantized(chain(), Scheme(input=port)).tensors["x.int8"].quantization == alone


@pytest.mark.parametrize("scheme", [WIDE, FLOAT])
@pytest.mark.parametrize(("port", "zero_point"), [("uint8", 0), ("int8", -128)])
def test_an_output_behind_softmax_has_the_steps_of_an_int8_softmax(
    scheme: LayerScheme, port: str, zero_point: int
) -> None:
    builder = GraphBuilder("net")
    y = builder.add(Softmax(), [dense(builder, builder.input("x", (1, 4)), "first")], "softmax", "softmax")
    builder.outputs.append(builder.add(Reshape((2, 2)), [y], "y", "y"))
    mixed = quantized(builder.graph(), Scheme(scheme, output=port))
    assert mixed.tensors["y"].quantization == Quant((1 / 256,), zero_point, port)


def test_integers_converted_to_finer_ones_keep_all_codes() -> None:
    builder = GraphBuilder("net")
    y = dense(builder, builder.input("x", (1, 4)), "first")
    builder.outputs.append(builder.add(Mul(), [y, y], "y", "y"))
    mixed = quantized(builder.graph(), Scheme(layers={"y": WIDE}))
    codes = np.arange(-128, 128)
    narrow, wide = mixed.tensors["first"].quantization, mixed.tensors["first.int16"].quantization
    assert np.array_equal(narrow.quantize(wide.dequantize(wide.quantize(narrow.dequantize(codes)))), codes)


@pytest.mark.parametrize("port", ["int16", "float32"])
def test_int16_has_room_beyond_calibration_wherever_it_comes_from(port: str) -> None:
    mixed = quantized(chain(), Scheme(WIDE, input=port))
    alone = quantized(chain(), Scheme(input=port))
    x = next(node for node in mixed.nodes if node.name == "first").inputs[0]
    low, high = alone.tensors["x.int8"].quantization.real_bounds
    # The int8 range is moved by half a step at most, so that 0 is a code.
    assert mixed.tensors[x].scale * 32767 == pytest.approx(INT16_ROOM * max(-low, high), rel=1 / 255)


def integers_read(graph: Graph) -> set[str]:
    return {t.dtype for t in graph.tensors.values() if not t.is_constant} - {"float32"}


@pytest.mark.parametrize("weights", ["float32", "float16", "int8"])
@pytest.mark.parametrize("op", [None, *MOVES], ids=lambda op: type(op).__name__)
def test_no_integers_stand_between_a_float_input_and_a_float_layer(op: object, weights: str) -> None:
    graph = chain() if op is None else moved_input(op)
    scheme = Scheme(
        input="float32", output="float32", layers={n: LayerScheme(weights, "float32") for n in ("first", "second")}
    )
    assert integers_read(quantized(graph, scheme)) == set()


def moved_input(op: object) -> Graph:
    builder = GraphBuilder("net")
    x = builder.add(op, [builder.input("x", (1, 4, 4, 4))], "moved", "moved")  # type: ignore[arg-type]
    builder.outputs.append(dense(builder, dense(builder, x, "first"), "second"))
    return builder.graph()


@pytest.mark.parametrize("own", [WIDE, FLOAT])
def test_a_layer_of_finer_numbers_reads_an_int16_input_as_it_is(own: LayerScheme) -> None:
    mixed = quantized(moved_input(Transpose((0, 2, 1, 3))), Scheme(input="int16", layers={"first": own}))
    first = next(node for node in mixed.nodes if node.name == "first")
    assert mixed.tensors[first.inputs[0]].dtype == "int16"
    assert mixed.tensors["moved"].dtype == "int16"


@pytest.mark.parametrize("op", [Tanh(), Clip(0.1, 0.5), Chain((HardSwish(), Tanh())), Rescale()], ids=repr)
def test_a_function_reads_int16_as_it_is(op: Unary) -> None:
    """Not by way of int8, whose steps would come before those of its output."""
    mixed = quantized(chain(op), Scheme(layers={"first": WIDE}))
    (node,) = [node for node in mixed.nodes if isinstance(node.op, Unary)]
    assert node.inputs == ("first",)
    assert (mixed.tensors["first"].dtype, mixed.tensors[node.output].dtype) == ("int16", "int8")


@pytest.mark.parametrize("op", [FakeQuantize(0.1, 3), Chain((FakeQuantize(0.1, 3), Tanh()))], ids=repr)
def test_a_function_of_steps_reads_int8(op: Unary) -> None:
    """A table for each code of int16 would take 256 KB."""
    mixed = quantized(chain(op), Scheme(layers={"first": WIDE}))
    (node,) = [node for node in mixed.nodes if isinstance(node.op, Unary)]
    assert mixed.tensors[node.inputs[0]].dtype == "int8"


@pytest.mark.parametrize("default", [LayerScheme(), WIDE, FLOAT])
@pytest.mark.parametrize("own", [LayerScheme(), WIDE, FLOAT])
@pytest.mark.parametrize("port", ["int8", "uint8", "int16", "float32"])
def test_no_operator_reads_uint8(port: str, own: LayerScheme, default: LayerScheme) -> None:
    mixed = quantized(chain(Tanh()), Scheme(default, input=port, output=port, layers={"first": own}))
    for layer in mixed.layers():
        if not isinstance(layer.op, Convert):
            assert {t.dtype for t in (*layer.activations, layer.output)} <= {"int8", "int16", "float32"}
    assert mixed.tensors["x"].dtype == port
