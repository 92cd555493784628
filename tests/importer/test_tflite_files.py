"""TensorFlow Lite files as such: names, what is refused, and files that are damaged or made to harm."""

from __future__ import annotations

import struct
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import pytest
import tflite
from tflite_models import Node, T, check_mutants, constant, write

import mcuq
from mcuq.errors import McuqError
from mcuq.importer import import_model
from mcuq.importer.nodes import refusal as refusal_of
from mcuq.importer.tflite import onnx_of, schema

DENSE = "FullyConnectedOptions"
CONV = {"padding": 0, "strideH": 1, "strideW": 1}


def dense(**others: T) -> Mapping[str, T]:
    """A layer's tensors in int8; `others` in place of them."""
    tensors = {
        "x": T((1, 6), "int8", 0.5, 3),
        "w": constant(np.arange(-9, 9, dtype=np.int8).reshape(3, 6), scale=[0.1, 0.2, 0.3]),
        "b": constant(np.array([5, -5, 0], np.int32), scale=[0.05, 0.1, 0.15]),
        "y": T((1, 3), "int8", 0.25, -7),
    }
    return {**tensors, **others}


def file(**others: T) -> bytes:
    return write(dense(**others), [Node("FULLY_CONNECTED", "xwb", "y", DENSE)])


def refusal(data: bytes) -> str:
    with pytest.raises(McuqError) as caught:
        import_model(data)
    return str(caught.value)


def test_a_file_compiles_with_its_own_scales(tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(file())
    compiled = mcuq.compile(path, "host")
    header, source = compiled.files["net.h"], compiled.files["net.c"]
    assert "#define NET_X_SCALE 0.5f" in header
    assert "#define NET_X_ZERO_POINT (3)" in header
    assert "#define NET_Y_SCALE 0.25f" in header
    assert "#define NET_Y_ZERO_POINT (-7)" in header
    assert "From the TensorFlow Lite file of SHA-256" in source
    assert mcuq.compile(path.read_bytes(), "host").graph.tensors["x"].quant == compiled.graph.tensors["x"].quant
    inspection = mcuq.inspect(path)
    assert [layer.name for layer in inspection.layers] == ["y"]
    assert inspection.parameters == 18 + 3


def test_tensors_without_names_or_with_the_same_have_their_own() -> None:
    """As graphs of some tools have them."""
    data = bytearray(file())
    data[data.index(b"\x01\0\0\0w\0") + 4] = ord("x")
    graph, model = import_model(bytes(data))
    assert list(graph.inputs) == ["x"]
    assert {"x_2.values"} <= {t.name for t in model.graph.initializer}


def test_a_file_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(schema.importlib, "import_module", missing)
    assert refusal(file()) == (
        "model: is a TensorFlow Lite model, which is read with the package tflite; install it: pip install "
        "'mcuq[tflite]'"
    )


def test_all_that_is_not_supported_is_told_at_once() -> None:
    tensors = {n: T((1, 4)) for n in "xabcdy"} | {"i": T((1, 4), "int8", 0.1), "state": T((1, 4))}
    nodes = [
        Node("SVDF", ["x", "x", "x", "", "state"], "a", "SVDFOptions"),
        Node("ADD", "ax", "b", "AddOptions", {"fusedActivationFunction": 5}),
        Node("TFLite_Detection".lower(), "b", "c"),
        Node("SVDF", "cccxx", "d", "SVDFOptions"),
        Node("MIRROR_PAD", "dx", "y", "MirrorPadOptions", {"mode": 1}),
    ]
    text = refusal(write(tensors, nodes))
    head, _, supported = text.partition("; supported: ")
    assert head == (
        "model: 3 things are in the way:\n"
        "  model: operators that are not supported: tflite.CUSTOM.tflite_detection ('c'); tflite.SVDF ('a', 'd')"
    )
    assert supported.split("\n")[1:] == [
        "  ADD 'b': activation SIGN_BIT is not supported; use RELU, RELU6, RELU_N1_TO_1 or TANH",
        "  MIRROR_PAD 'y': mode SYMMETRIC is not supported; use REFLECT",
    ]


def one(kind: str, table: str, others: Mapping[str, T] | None = None, x: Any = (1, 4, 4, 2), **options: Any) -> bytes:
    """An operator of x and of constants; its output's shape is not looked at."""
    tensors = {"x": T(x), **(others or {}), "y": T((1,))}
    return write(tensors, [Node(kind, ["x", *(others or {})], "y", table, options)])


def weights(*shape: int) -> T:
    return constant(np.ones(shape, np.float32))


def ints(*values: Any) -> T:
    return constant(np.array(values, np.int32))


REFUSED: Mapping[str, tuple[bytes, str]] = {
    "weights of another image": (
        one("CONV_2D", "Conv2DOptions", {"w": weights(3, 1, 1, 3)}, **CONV),
        "CONV_2D 'y': weight of shape [3, 1, 1, 3] does not fit input of shape [1, 4, 4, 2]",
    ),
    "depthwise weights of another image": (
        one("DEPTHWISE_CONV_2D", "DepthwiseConv2DOptions", {"w": weights(1, 1, 1, 3)}, **CONV),
        "DEPTHWISE_CONV_2D 'y': weight of shape [1, 1, 1, 3] does not fit input of shape [1, 4, 4, 2]",
    ),
    "weights of two dimensions": (
        one("CONV_2D", "Conv2DOptions", {"w": weights(3, 2)}, **CONV),
        "CONV_2D 'y': input 1 is of shape [3, 2]; supported are four dimensions",
    ),
    "no weights": (one("CONV_2D", "Conv2DOptions", **CONV), "CONV_2D 'y': has 1 inputs; input 1 must be given"),
    "a stride of 0": (
        one("CONV_2D", "Conv2DOptions", {"w": weights(3, 1, 1, 2)}, strideW=1),
        "CONV_2D 'y': StrideH is 0; it must be 1 or more",
    ),
    "padding of another kind": (
        one("MAX_POOL_2D", "Pool2DOptions", filterHeight=1, filterWidth=1, strideH=1, strideW=1, padding=2),
        "MAX_POOL_2D 'y': padding of code 2 is not supported; use SAME or VALID",
    ),
    "an activation of another kind": (
        one("ADD", "AddOptions", {"c": weights(1)}, fusedActivationFunction=9),
        "ADD 'y': activation of code 9 is not supported; use RELU, RELU6, RELU_N1_TO_1 or TANH",
    ),
    "shuffled weights": (
        one("FULLY_CONNECTED", DENSE, {"w": weights(3, 2)}, weightsFormat=1),
        "FULLY_CONNECTED 'y': weights are shuffled for another runtime; convert the model again, without that",
    ),
    "dense weights of images": (
        one("FULLY_CONNECTED", DENSE, {"w": weights(3, 2, 1)}),
        "FULLY_CONNECTED 'y': weight is of shape [3, 2, 1]; supported are two dimensions",
    ),
    "dense weights that do not fit": (
        one("FULLY_CONNECTED", DENSE, {"w": weights(3, 5)}),
        "FULLY_CONNECTED 'y': weight of shape [3, 5] does not fit input of shape [1, 4, 4, 2]",
    ),
    "a shape that does not fit": (
        one("RESHAPE", "ReshapeOptions", {"s": ints(5, -1)}),
        "RESHAPE 'y': shape [5, -1] does not fit input of shape [1, 4, 4, 2]",
    ),
    "no shape": (
        one("RESHAPE", "ReshapeOptions"),
        "RESHAPE 'y': has no shape; give it as the second input",
    ),
    "a dimension that is not 1": (
        one("SQUEEZE", "SqueezeOptions", squeezeDims=[1]),
        "SQUEEZE 'y': dimension 1 of [1, 4, 4, 2] is not 1",
    ),
    "an axis outside": (
        one("MEAN", "ReducerOptions", {"a": ints(4)}),
        "MEAN 'y': axis=4 is outside a tensor of 4 dimensions",
    ),
    "axes that are no integers": (
        one("MEAN", "ReducerOptions", {"a": weights(1)}),
        "MEAN 'y': axes is float32 of shape [1]; it must be a list of integers",
    ),
    "axes that are computed": (
        one("MEAN", "ReducerOptions", {"a": T((1,), "int32")}),
        "MEAN 'y': axes must be a constant; convert the model with fixed shapes",
    ),
    "several axes for one": (
        one("EXPAND_DIMS", "ExpandDimsOptions", {"a": ints(1, 2)}),
        "EXPAND_DIMS 'y': axis is [1, 2]; it must be one number",
    ),
    "a wrong permutation": (
        one("TRANSPOSE", "TransposeOptions", {"p": ints(0, 1, 2, 2)}),
        "TRANSPOSE 'y': perm=[0, 1, 2, 2] does not fit input of shape [1, 4, 4, 2]",
    ),
    "parts that are not equal": (
        write(
            {"x": T((1, 5)), "a": ints(1), "y": T((1, 2)), "z": T((1, 3))},
            [Node("SPLIT", "ax", "yz", "SplitOptions")],
            outputs="yz",
        ),
        "SPLIT 'y': 2 parts of dimension 1 of [1, 5] are not equal",
    ),
    "sizes that do not fit": (
        one("SPLIT_V", "SplitVOptions", {"n": ints(5), "a": ints(1)}),
        "SPLIT_V 'y': sizes [5] do not fit dimension 1 of [1, 4, 4, 2]",
    ),
    "a part that does not fit": (
        one("SLICE", "SliceOptions", {"b": ints(0, 0), "n": ints(1, 1)}),
        "SLICE 'y': begin=[0, 0] and size=[1, 1] do not fit input of shape [1, 4, 4, 2]",
    ),
    "a slice with an ellipsis": (
        one("STRIDED_SLICE", "StridedSliceOptions", {"b": ints(0), "e": ints(1), "s": ints(1)}, ellipsisMask=1),
        "STRIDED_SLICE 'y': ellipsis_mask, new_axis_mask and offset are not supported; use begin and end of each "
        "dimension",
    ),
    "a step of 0": (
        one("STRIDED_SLICE", "StridedSliceOptions", {"b": ints(0), "e": ints(1), "s": ints(0)}),
        "STRIDED_SLICE 'y': begin=[0], end=[1], strides=[0] do not fit input of shape [1, 4, 4, 2]",
    ),
    "pads of another image": (
        one("PAD", "PadOptions", {"p": ints((1, 1))}),
        "PAD 'y': paddings are of shape [1, 2]; input is of shape [1, 4, 4, 2]",
    ),
    "indices in batches": (
        one("GATHER", "GatherOptions", {"i": ints(0)}, axis=1, batchDims=1),
        "GATHER 'y': batch_dims is not supported; use 0",
    ),
    "blocks of 0": (
        one("DEPTH_TO_SPACE", "DepthToSpaceOptions"),
        "DEPTH_TO_SPACE 'y': block_size is 0; it must be 1 or more",
    ),
    "one size for an image": (
        one("RESIZE_BILINEAR", "ResizeBilinearOptions", {"s": ints(8)}),
        "RESIZE_BILINEAR 'y': size is [8]; it must be height and width",
    ),
    "both kinds of corners": (
        one("RESIZE_BILINEAR", "ResizeBilinearOptions", {"s": ints(8, 8)}, alignCorners=True, halfPixelCenters=True),
        "RESIZE_BILINEAR 'y': align_corners and half_pixel_centers exclude each other",
    ),
    "an output's shape that does not fit": (
        write(
            {"s": ints(1, 8, 8, 4), "w": weights(3, 2, 2, 2), "x": T((1, 4, 4, 2)), "y": T((1, 8, 8, 3))},
            [Node("TRANSPOSE_CONV", "swx", "y", "TransposeConvOptions", CONV)],
        ),
        "TRANSPOSE_CONV 'y': weight of shape [3, 2, 2, 2] does not fit input of shape [1, 4, 4, 2] and output of shape "
        "[1, 8, 8, 4]",
    ),
    "scales along another axis": (
        write(
            {
                "x": T((1, 4, 4, 2), "int8", 0.5),
                "w": constant(np.ones((1, 3, 1, 2), np.int8), scale=[1.0, 2.0, 3.0], axis=1),
                "y": T((1, 4, 4, 2), "int8", 0.5),
            },
            [Node("DEPTHWISE_CONV_2D", "xw", "y", "DepthwiseConv2DOptions", CONV)],
        ),
        "Conv 'y': weight 'w.real' has scales along axis 2; supported are one scale, or one for each output channel, "
        "which are along axis 0",
    ),
    "scales that do not fit": (
        file(w=constant(np.ones((3, 6), np.int8), scale=[1.0, 2.0], axis=1)),
        "model: is cut short or damaged (tensor 'w' of shape [3, 6] has 2 scales along axis 1), @ bytes; convert or "
        "copy it again",
    ),
    "a type that has no form": (
        write({"x": T((2,)), "y": T((2,), "complex64")}, [Node("CAST", "x", "y", "CastOptions")]),
        "CAST 'y': tensor 'y' is complex64; supported are float32, float16, float64, int8, uint8, int16, uint16, "
        "int32, uint32, int64, uint64, bool",
    ),
    "an output too few": (
        write({"x": T((1, 2)), "y": T((1,))}, [Node("UNPACK", "x", "y", "UnpackOptions", {"axis": 1, "num": 2})]),
        "UNPACK 'y': parts of dimension 1 of [1, 2] are 2, its outputs 1",
    ),
    "a scale of 0": (
        file(x=T((1, 6), "int8", 0.0)),
        "model: tensor 'x' has the scale 0; it must be positive and finite",
    ),
    "a computed tensor with scales of channels": (
        file(y=T((1, 3), "int8", [1.0, 2.0, 3.0], axis=1)),
        "model: tensor 'y' has 3 scales; a computed tensor takes one for all of it",
    ),
    "zero points that do not fit": (
        file(w=T((3, 6), "int8", [1.0, 2.0, 3.0], data=np.zeros(18, np.int8))).replace(
            struct.pack("<Iqqq", 3, 0, 0, 0), struct.pack("<Iqqq", 2, 0, 0, 0)
        ),
        "model: is cut short or damaged (tensor 'w' has 3 scales and 2 zero points), @ bytes; convert or copy it again",
    ),
    "values that do not fit": (
        file(w=T((3, 6), "int8", 1.0, data=np.zeros(17, np.int8))),
        "model: is cut short or damaged (tensor 'w' of type int8 and shape [3, 6] has 17 bytes of values), @ bytes; "
        "convert or copy it again",
    ),
    "a negative shape": (
        file(y=T((1, -3))),
        "model: is cut short or damaged (tensor 'y' is of shape [1, -3]), @ bytes; convert or copy it again",
    ),
    "a shape that its operator does not give": (
        file(y=T((1, 4), "int8", 0.25)),
        "model: tensor 'y' has shape [1, 4] in the file, and its operator gives [1, 3]; convert the model again, with "
        "fixed shapes",
    ),
    "a size that is not fixed": (
        write(
            {"x": T((1, 1, 4), signature=(-1, -1, 4)), "y": T((1, 1, 4))},
            [Node("ABS", "x", "y")],
        ),
        "model: input 'x' has sizes that are not fixed, [-1, -1, 4]; convert the model with a fixed shape",
    ),
    "a loop": (
        write({n: T((1, 4)) for n in "xaby"}, [Node("ADD", "xb", "a"), Node("ADD", "ax", "b"), Node("ADD", "bx", "y")]),
        "model: invalid graph: tensor 'b' is read before it is computed",
    ),
    "a tensor of two operators": (
        write({n: T((1, 4)) for n in "xy"}, [Node("ABS", "x", "y"), Node("EXP", "x", "y")]),
        "model: invalid graph: tensor 'y' is computed twice",
    ),
    "an input twice": (
        write({n: T((1, 4)) for n in "xy"}, [Node("ABS", "x", "y")], inputs="xx"),
        "model: invalid graph: input 'x' is listed twice",
    ),
    "the options of another operator": (
        write({n: T((1, 4)) for n in "xy"}, [Node("LEAKY_RELU", "x", "y", "AddOptions")]),
        "model: is cut short or damaged (an operator has AddOptions for LeakyReluOptions), @ bytes; convert or copy it "
        "again",
    ),
    "no graph": (
        b"\x10\0\0\0TFL3\x04\0\x04\0\0\0\0\0\x08\0\0\0",
        "model: is cut short or damaged (it has no graph), 20 bytes; convert or copy it again",
    ),
    "nothing behind the identifier": (
        b"\x10\0\0\0TFL3",
        "model: is cut short or damaged (its parts lie outside it), 8 bytes; convert or copy it again",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_is_refused(name: str) -> None:
    data, text = REFUSED[name]
    assert refusal(data) == text.replace("@", f"{len(data):,}")


def test_a_quotient_of_integers() -> None:
    """TensorFlow Lite rounds it down, ONNX towards zero."""
    tensors = {"x": T((2,), "int32"), "c": ints(1, 2), "y": T((2,), "int32")}
    model = onnx_of(write(tensors, [Node("FLOOR_DIV", "xc", "y", "FloorDivOptions")]), "net.tflite")
    assert [refusal_of(node) for node in model.graph.node if node.domain] == [
        "of integers is not supported; use FLOAT32"
    ]


# Files that name their parts over and over: FlatBuffers' tables may be shared.


def shared(kind: str, table: Any, count: int) -> bytes:
    """A file whose graph has one tensor or operator `count` times."""
    builder = flatbuffers.Builder(1024)
    inner = table(builder)
    start, end = {
        "tensors": (tflite.SubGraphStartTensorsVector, tflite.SubGraphAddTensors),
        "operators": (tflite.SubGraphStartOperatorsVector, tflite.SubGraphAddOperators),
    }[kind]
    start(builder, count)
    for _ in range(count):
        builder.PrependUOffsetTRelative(inner)
    vector = builder.EndVector()
    tflite.SubGraphStart(builder)
    end(builder, vector)
    graph = tflite.SubGraphEnd(builder)
    tflite.OperatorCodeStart(builder)
    code = tflite.OperatorCodeEnd(builder)
    vectors = []
    for begin, item in ((tflite.ModelStartSubgraphsVector, graph), (tflite.ModelStartOperatorCodesVector, code)):
        begin(builder, 1)
        builder.PrependUOffsetTRelative(item)
        vectors.append(builder.EndVector())
    tflite.BufferStart(builder)
    buffer = tflite.BufferEnd(builder)
    tflite.ModelStartBuffersVector(builder, 1)
    builder.PrependUOffsetTRelative(buffer)
    vectors.append(builder.EndVector())
    tflite.ModelStart(builder)
    tflite.ModelAddSubgraphs(builder, vectors[0])
    tflite.ModelAddOperatorCodes(builder, vectors[1])
    tflite.ModelAddBuffers(builder, vectors[2])
    builder.Finish(tflite.ModelEnd(builder), b"TFL3")
    return bytes(builder.Output())


def wide_operator(builder: flatbuffers.Builder) -> int:
    vector = builder.CreateNumpyVector(np.full(100_000, -1, np.int32))
    tflite.OperatorStart(builder)
    tflite.OperatorAddInputs(builder, vector)
    return tflite.OperatorEnd(builder)


def named_tensor(builder: flatbuffers.Builder) -> int:
    name = builder.CreateString("n" * 100_000)
    tflite.TensorStart(builder)
    tflite.TensorAddName(builder, name)
    return tflite.TensorEnd(builder)


@pytest.mark.parametrize(
    ("kind", "table", "count", "text"),
    [
        ("operators", wide_operator, 8000, "model: is cut short or damaged (it names its parts over and over), "),
        ("tensors", named_tensor, 90_000, "model: is cut short or damaged (it names its parts over and over), "),
        ("operators", wide_operator, 8001, "model: has 8,001 operators, supported are 8,000 at most"),
        ("tensors", named_tensor, 100_001, "model: has 100,001 tensors, supported are 100,000 at most"),
    ],
)
def test_a_file_that_names_its_parts_over_and_over(kind: str, table: Any, count: int, text: str) -> None:
    data = shared(kind, table, count)
    started = time.monotonic()
    assert refusal(data).startswith(text)
    assert time.monotonic() - started < 20


def test_weights_of_4_bits_that_share_their_bytes() -> None:
    count = 50
    tensors = {"x": T((1, 4)), "c": T((1, 100_000), "int4", 0.1, data=np.zeros(50_000, np.uint8)), "y": T((1, 4))}
    tensors.update({f"c{i}": T((1,), "int4", 0.1, data=np.zeros(1, np.uint8)) for i in range(count)})
    data = write(tensors, [Node("ABS", "x", "y")], shared={f"c{i}": "c" for i in range(count)})
    assert refusal(data) == (
        f"model: is cut short or damaged (it names its parts over and over), {len(data):,} bytes; convert or copy it "
        "again"
    )


def test_constants_that_share_their_bytes() -> None:
    """Each operator reads a tensor of its own, all of them of one buffer: 2,000 times 400 kB."""
    count = 2000
    tensors = {"x": T((1, 100_000)), **{f"c{i}": constant(np.zeros(1, np.float32)) for i in range(count)}, "y": T((1,))}
    tensors["c"] = constant(np.zeros((1, 100_000), np.float32))
    tensors.update({f"a{i}": T((1, 100_000)) for i in range(count)})
    nodes = [Node("ADD", [f"a{i - 1}" if i else "x", f"c{i}"], [f"a{i}"], "AddOptions") for i in range(count)]
    data = write(tensors, nodes, outputs=[f"a{count - 1}"], shared={f"c{i}": "c" for i in range(count)})
    assert len(data) < 2_000_000
    assert refusal(data) == (
        "model: its operators read more constants than it has bytes for; convert it again, so that each has its own"
    )


def test_damaged_files_are_read_or_refused() -> None:
    check_mutants(file(), 60, 0)


@pytest.mark.slow
def test_many_damaged_files_are_read_or_refused() -> None:
    check_mutants(file(), 1500, 1)
