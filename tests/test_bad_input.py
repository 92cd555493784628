"""Whatever a user may get wrong ends in one line that says what is wrong and what to do, never in a traceback."""

from __future__ import annotations

import random as mutations
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx_models import ints, model, node, random, saved

from mcuq import errors
from mcuq.compile import compile_model
from mcuq.errors import McuqError, ModelError
from mcuq.importer import import_model
from mcuq.ops import FROM_ONNX
from mcuq.passes import optimize
from mcuq.plan import fit
from mcuq.plan.fit import DoesNotFit

X = {"x": [1, 2, 4, 4]}
WEIGHTS = {"w": random(3, 2, 2, 2)}
SUPPORTED = ", ".join(sorted(FROM_ONNX))

# What only somebody who knows mcuq's code, or that of its libraries, would understand.
INTERNALS = ("Traceback", "Error", "onnxruntime", "ONNXRuntime", "numpy", "protobuf", "object at 0x", "<class", "None")


def conv(**changes: object) -> onnx.ModelProto:
    """A model that compiles, unless changed."""
    options = {"inputs": X, "constants": WEIGHTS, **changes}
    return model([node("Conv", ["x", "w"], "y", "conv")], **options)


def relu(kind: int = TensorProto.FLOAT, shape: list[int | str | None] | None = X["x"], **options) -> onnx.ModelProto:
    """A model of one node; its input has an element type."""
    proto = model([node("Relu", ["x"], "y", "relu")], {"x": shape}, **options)
    proto.graph.input[0].type.tensor_type.elem_type = kind
    return proto


def error_text(kind: type[McuqError], *arguments, **options) -> str:
    """The text of the error of that kind that compiling ends with: one line, about the user's things alone."""
    with pytest.raises(McuqError) as caught:
        compile_model(*arguments, **options)
    text = str(caught.value)
    assert type(caught.value) is kind
    assert "\n" not in text
    assert not any(word in text for word in INTERNALS), text
    return text


@pytest.fixture
def refused(tmp_path):
    """Returns the text of the ModelError that compiling a model ends with; the folder must not be in it."""

    def compile_error(proto: onnx.ModelProto, **options) -> str:
        text = error_text(errors.ModelError, saved(proto, tmp_path), **options)
        assert str(tmp_path) not in text
        return text

    return compile_error


@pytest.fixture
def refused_data(tmp_path):
    """Returns the text of the error that calibrating a good model with bad data ends with."""
    path = saved(conv(), tmp_path)
    return lambda data, kind=errors.DataError: error_text(kind, path, calibration=data)


# Files


def test_a_model_that_is_not_there(tmp_path):
    path = tmp_path / "no.onnx"
    assert error_text(errors.ModelError, path) == f"{path}: no such file"


def test_a_folder_instead_of_a_model(tmp_path):
    assert error_text(errors.ModelError, tmp_path) == f"{tmp_path}: is a folder; give the .onnx file in it"


def test_a_path_that_cannot_be_read(tmp_path):
    path = tmp_path / ("n" * 300)
    assert error_text(errors.ModelError, path) == f"{path}: cannot be read: File name too long"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello\n",
        b"import torch\n",
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x20",
        b"PK\x03\x04\x14\0\0\0",
        b"TFL3",
        bytes(range(9, 256)),
        np.random.default_rng(0).bytes(4096),
    ],
    ids=["empty", "text", "python", "png", "zip", "magic", "counting", "random"],
)
def test_a_file_that_is_no_onnx_model(tmp_path, data):
    (tmp_path / "net.onnx").write_bytes(data)
    text = error_text(errors.ModelError, tmp_path / "net.onnx")
    assert text == "net.onnx: is not an ONNX model; give an .onnx file"


def test_a_model_cut_short_anywhere(tmp_path):
    data = conv(producer_name="pytorch").SerializeToString()
    path = tmp_path / "net.onnx"
    for length in range(len(data)):
        path.write_bytes(data[:length])
        wanted = f"is cut short or damaged after {length} bytes; export or copy it again"
        if length == 0:
            wanted = "is not an ONNX model; give an .onnx file"
        assert error_text(errors.ModelError, path) == f"net.onnx: {wanted}"


def test_external_weights_that_are_missing(tmp_path):
    onnx.save_model(conv(), tmp_path / "net.onnx", save_as_external_data=True, location="net.data", size_threshold=0)
    (tmp_path / "net.data").unlink()
    assert error_text(errors.ModelError, tmp_path / "net.onnx") == (
        "net.onnx: external weights 'net.data' are missing or unreadable; keep them in the model's folder"
    )


def test_external_weights_of_which_one_file_is_missing(tmp_path):
    proto = model(
        [node("Constant", [], "v", value=numpy_helper.from_array(random(3))), node("Add", ["x", "v"], "a"),
         node("Add", ["a", "w"], "y")],
        {"x": [1, 3]},
        constants={"w": random(3)},
    )  # fmt: skip
    onnx.save_model(
        proto,
        tmp_path / "net.onnx",
        save_as_external_data=True,
        all_tensors_to_one_file=False,
        size_threshold=0,
        convert_attribute=True,
    )
    stored = [path for path in tmp_path.iterdir() if path.name != "net.onnx"]
    assert len(stored) == 2
    stored[0].unlink()
    assert error_text(errors.ModelError, tmp_path / "net.onnx") == (
        f"net.onnx: external weights '{stored[0].name}' are missing or unreadable; keep them in the model's folder"
    )


def test_external_weights_outside_the_models_folder(tmp_path):
    proto = conv()
    weight = proto.graph.initializer[0]
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="../secret")
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "secret").write_bytes(bytes(96))
    assert error_text(errors.ModelError, saved(proto, folder)) == (
        "net.onnx: external weights '../secret' are missing or unreadable; keep them in the model's folder"
    )


# Versions, operators, graphs


def test_an_opset_that_is_too_old_or_too_new(refused):
    proto = model([node("Affine", ["x"], "y", alpha=2.0)], X, opset=6)
    assert refused(proto) == (
        "net.onnx: opset 6 cannot be brought to opset 7, which has no Affine; export with opset 7 or later"
    )
    newest = onnx.defs.onnx_opset_version()
    assert refused(relu(opset=99)) == f"net.onnx: opset 99 is not supported; export with opset {newest} or earlier"


def test_a_model_without_an_opset(refused):
    imports = [helper.make_opsetid("mine", 1)]
    assert refused(relu(opset_imports=imports)) == "net.onnx: imports no opset of ONNX; export with opset 7 or later"
    proto = relu()
    del proto.opset_import[:]
    size = len(proto.SerializeToString())
    assert refused(proto) == f"net.onnx: is cut short or damaged after {size} bytes; export or copy it again"


def test_all_unsupported_operators_are_listed_at_once(refused):
    nodes = [
        node("MaxRoiPool", ["x", "w"], "a", "first", pooled_shape=[2, 2]),
        node("MaxRoiPool", ["a", "w"], "b", pooled_shape=[2, 2]),
        node("Foo", ["b"], "c", "not in ONNX"),
        node("Relu", ["c"], "d", "fine"),
        node("Block", ["d"], "e", "custom", domain="my.ops"),
        node("Trilu", ["e"], "f", "contributed", domain="com.microsoft"),
        node("Custom", ["w"], "g", "on constants", domain="my.ops"),
        node("Add", ["f", "g"], "y"),
    ]
    assert refused(model(nodes, X, constants=WEIGHTS)) == (
        "net.onnx: operators that are not supported: Foo ('not in ONNX'); "
        "MaxRoiPool ('first', 'b'), use MaxPool; com.microsoft.Trilu ('contributed'), use ONNX's own Trilu; "
        "my.ops.Block ('custom'); my.ops.Custom ('on constants'); "
        f"supported: {SUPPORTED}"
    )


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        (
            [node("Add", ["x", "b"], "a", "n1"), node("Relu", ["a"], "b", "n2"), node("Relu", ["b"], "y", "n3")],
            "nodes form a cycle: n1 -> n2 -> n1",
        ),
        ([node("Relu", ["y"], "y", "n1")], "nodes form a cycle: n1 -> n1"),
        ([node("Relu", ["x"], "y", "n1"), node("Tanh", ["x"], "y", "n2")], "tensor 'y' is computed twice"),
        ([node("Relu", ["x"], "x"), node("Relu", ["x"], "y")], "tensor 'x' is computed twice"),
        ([node("Relu", ["x"], "w"), node("Add", ["x", "w"], "y")], "tensor 'w' is computed twice"),
        ([node("Add", ["x", "q"], "y", "n1")], "tensor 'q', read by Add 'n1', is never computed"),
        ([node("Relu", ["x"], "a")], "tensor 'y', read by the model's outputs, is never computed"),
    ],
)
def test_a_graph_that_is_invalid(refused, nodes, message):
    assert refused(model(nodes, X, constants={"w": random(1)})) == f"net.onnx: invalid graph: {message}"


def test_an_output_that_depends_on_no_input(refused):
    nodes = [node("Relu", ["x"], "a"), node("Constant", [], "y", value_float=1.0)]
    for output in ("y", "w"):
        proto = model(nodes, X, ["a", output], WEIGHTS)
        assert refused(proto) == f"net.onnx: output '{output}' is constant; it depends on no input"


def test_weights_that_are_computed(refused):
    assert refused(conv(inputs=X | {"w": [3, 2, 2, 2]}, constants={})) == (
        "Conv 'conv': weight must be a constant; export the model with fixed weights and shapes"
    )


# Shapes and types


def test_a_dimension_that_is_not_known(refused):
    assert refused(relu(shape=[1, 2, "height", 4])) == (
        "net.onnx: input 'x' has the unknown dimension 'height' at axis 2; give its size with --shape height=N"
    )
    assert refused(relu(shape=[1, 2, None, 4])) == (
        "net.onnx: input 'x' has an unknown, unnamed dimension at axis 2; give the input's shape with --shape x=1,2,N,4"
    )
    assert refused(relu(shape=[1, 2, 0, 4])) == (
        "net.onnx: input 'x' has a size of 0 at axis 2, and so no elements; leave it out, or where that stands for a "
        "size that was not known, give its shape with --shape x=1,2,N,4"
    )
    # What exporters write where they know no name.
    assert refused(relu(shape=["N", 2, "?", "?"])) == (
        "net.onnx: input 'x' has an unknown, unnamed dimension at axis 2; give the input's shape with --shape x=1,2,N,N"
    )
    assert refused(relu(shape=["N", 2, "N"])) == (
        "net.onnx: input 'x' has the unknown dimension 'N' at axis 2; give its size with --shape N=N"
    )


def test_an_input_without_a_shape(refused):
    assert refused(relu(shape=None)) == "net.onnx: input 'x' has no shape; give one with --shape x=N,N"


def test_a_size_for_a_dimension_that_is_not_there(refused):
    proto = relu(shape=["batch", 2, "height", "width"])
    sizes = {"height": 3, "width": 3}
    assert refused(proto, shapes=sizes | {"hieght": 3}) == (
        "net.onnx: no input has a dimension 'hieght'; did you mean 'height'?"
    )
    assert refused(proto, shapes=sizes | {"q": 3}) == (
        "net.onnx: no input has a dimension 'q'; its symbols are batch, height, width"
    )
    assert refused(relu(), shapes={"q": 3}) == "net.onnx: no input has a dimension 'q'; all its dimensions are fixed"
    assert refused(proto, shapes=sizes | {"height": 0}) == (
        "net.onnx: dimension 'height' cannot be 0; give a size of 1 or more"
    )


@pytest.mark.parametrize(
    ("shape", "shapes", "found"),
    [
        (["N", 2, "?", "?"], {"x": (1, 2, 3, 4)}, (1, 2, 3, 4)),
        (["N", 2, "?", "?"], {"?": 5}, (1, 2, 5, 5)),
        (["N", 2, "h", None], {"x": [3, 2, 4, 5], "h": 4}, (3, 2, 4, 5)),
        ([None], {"x": 7}, (7,)),
        (None, {"x": (2, 7)}, (2, 7)),
    ],
)
def test_a_shape_for_a_whole_input(shape, shapes, found):
    graph, _ = import_model(relu(shape=shape), shapes)
    assert graph.tensors[graph.inputs[0]].shape == found


@pytest.mark.parametrize(
    ("shape", "shapes", "text"),
    [
        (["N", 2, 3], {"z": (1, 2, 3)}, "no input is named 'z'; its inputs are 'x'"),
        (["N", 2, 3], {"x": (1, 2)}, "input 'x' has 3 dimensions; the shape 1,2 has 2"),
        (["N", 2, 3], {"x": (1, 2, 4)}, "input 'x' has 3 at axis 2; the shape 1,2,4 has 4"),
        (["N", 2, "h"], {"x": (1, 2, 0)}, "input 'x': axis 2 cannot be 0; give a size of 1 or more"),
        (["N", 2, "h"], {"x": (1, 2, 4), "h": 5}, "input 'x' has 5 at axis 2; the shape 1,2,4 has 4"),
        (["N", "h", "h"], {"x": (1, 2, 4)}, "input 'x' has 2 at axis 2; the shape 1,2,4 has 4"),
    ],
)
def test_a_shape_that_does_not_fit(refused, shape, shapes, text):
    assert refused(relu(shape=shape), shapes=shapes) == f"net.onnx: {text}"


def test_a_size_that_no_board_could_hold(refused):
    assert refused(relu(shape=[1, "height"]), shapes={"height": 10**12}) == (
        "Relu 'relu': gives a tensor of shape [1, 1000000000000]; supported are 1 to 2147483647 elements"
    )


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (TensorProto.FLOAT8E4M3FN, "float8e4m3fn"),
        (99, "data type 99"),
    ],
)
def test_inputs_and_outputs_that_are_neither_float32_nor_integers(refused, kind, name):
    assert refused(relu(kind)) == (
        f"net.onnx: input 'x' is {name}; supported are float32, which mcuq quantizes, and bool, int8, uint8, int16, "
        "uint16, int32, uint32, int64, uint64"
    )
    assert refused(relu(outputs={"y": kind})) == not_computed(name)


def not_computed(name: str) -> str:
    return (
        f"net.onnx: output 'y' is {name}, and what is computed is float32; state that, or put a QuantizeLinear with "
        "constant scale and zero point before it"
    )


@pytest.mark.parametrize("kind", [TensorProto.INT64, TensorProto.BOOL, TensorProto.UINT8])
def test_integers_where_there_are_real_values(refused, kind):
    assert refused(relu(outputs={"y": kind})) == not_computed(TensorProto.DataType.Name(kind).lower())
    text = refused(relu(kind))
    assert text.startswith(
        "Relu 'relu': computes with integers, which is not supported; put a Cast to float before it, or use Abs, Add, "
    )
    assert text.endswith(", Trilu, Unsqueeze, Where, Xor")


def test_an_output_of_another_precision_than_what_is_computed(refused):
    assert refused(relu(outputs={"y": TensorProto.FLOAT16})) == not_computed("float16")


def test_an_input_that_is_no_tensor(refused):
    proto = relu()
    proto.graph.input[0].type.sequence_type.elem_type.tensor_type.elem_type = TensorProto.FLOAT
    assert refused(proto) == "net.onnx: input 'x' is a sequence; only tensors are supported"


@pytest.mark.parametrize("place", ["input", "output", "initializer", "Constant"])
@pytest.mark.parametrize(
    ("type_name", "kind"),
    [
        ("FLOAT4E2M1", "sub-byte"),
        ("STRING", "string"),
        ("COMPLEX64", "complex"),
        ("COMPLEX128", "complex"),
    ],
)
def test_tensors_of_types_that_are_not_supported(refused, type_name, kind, place):
    code = TensorProto.DataType.Value(type_name)
    stored = TensorProto(name="t", data_type=code, dims=[2])
    operand = model([node("Mul", ["x", "t"], "y")], X, constants={"t": stored})
    spelled = model([node("Constant", [], "t", value=stored), node("Mul", ["x", "t"], "y")], X)
    proto, tensor = {
        "input": (relu(code), "x"),
        "output": (relu(outputs={"y": code}), "y"),
        "initializer": (operand, "t"),
        "Constant": (spelled, "t"),
    }[place]
    assert refused(proto) == (
        f"net.onnx: tensor '{tensor}' is {type_name.lower()}; {kind} tensors are not supported, use float32"
    )


# Numbers


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("stored", ["initializer", "Constant"])
def test_weights_that_are_not_finite(refused, stored, value):
    weight = WEIGHTS["w"].copy()
    weight[0, 0, 0, :] = value
    if stored == "Constant":
        constant = node("Constant", [], "w", value=numpy_helper.from_array(weight))
        proto = model([constant, node("Conv", ["x", "w"], "y", "conv")], X)
    else:
        proto = conv(constants={"w": weight})
    assert refused(proto) == ("Conv 'conv': weight 'w' holds 2 NaN or infinite of 24 values; train or export it again")


@pytest.mark.parametrize("operand", range(1, 5))
def test_statistics_that_are_not_finite(refused, operand):
    names = ("scale", "B", "mean", "var")
    constants = {name: np.full(2, 0.5, np.float32) for name in names}
    constants[names[operand - 1]][1] = np.nan
    proto = model([node("BatchNormalization", ["x", *names], "y", "bn")], X, constants=constants)
    what = names[operand - 1]
    assert refused(proto) == (
        f"BatchNormalization 'bn': {what} '{what}' holds 1 NaN or infinite of 2 values; train or export it again"
    )


def test_a_variance_that_is_negative(refused):
    constants = {name: np.full(2, 0.5, np.float32) for name in ("s", "b", "m")}
    constants["v"] = np.array([0.5, -1], np.float32)
    proto = model([node("BatchNormalization", ["x", *constants], "y", "bn", epsilon=0.25)], X, constants=constants)
    assert refused(proto) == "BatchNormalization 'bn': var + epsilon is -0.75 in channel 1; it must be positive"


def test_an_accumulator_of_given_integers_that_could_overflow(tmp_path):
    nodes = [node("DequantizeLinear", ["q", "scale"], "w", "dq"), node("Gemm", ["x", "w"], "y", "fc")]
    constants = {"q": np.full((200_000, 1), 127, np.int8), "scale": np.float32(1 / 127)}
    proto = model(nodes, {"x": [1, 200_000]}, constants=constants)
    assert error_text(errors.QuantizationError, saved(proto, tmp_path)) == (
        "FullyConnected 'fc': the accumulator of output channel 0 can reach 3251200000, more than int32 holds "
        "(2147483647); split the layer, which sums 200000 products"
    )


# Calibration data


DATA = random(8, 2, 4, 4)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_calibration_data_that_are_not_finite(refused_data, tmp_path, value):
    data = DATA.copy()
    data[3, 0, 0, :2] = value
    wanted = "sample 3: 2 of 32 values are NaN, Inf or beyond float32; mend or remove the sample"
    assert refused_data(data) == f"data: array 'x', {wanted}"
    np.savez(tmp_path / "cal.npz", x=data)
    assert refused_data(tmp_path / "cal.npz") == f"cal.npz: array 'x', {wanted}"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            random(8, 2, 4, 5),
            "array 'x': shape (8, 2, 4, 5) does not fit the model's input 'x'; give (N, 2, 4, 4) for N samples",
        ),
        (
            random(2, 4, 4),
            "array 'x': shape (2, 4, 4) does not fit the model's input 'x'; give (N, 2, 4, 4) for N samples",
        ),
        (
            DATA.astype(np.complex64),
            "array 'x': dtype complex64 is not supported; use float32, float64, float16 or integers",
        ),
        (DATA.astype("U5"), "array 'x': dtype <U5 is not supported; use float32, float64, float16 or integers"),
        ({"input": DATA}, "no array 'x' for the model's input 'x'; the arrays are: 'input'"),
        ({}, "no array 'x' for the model's input 'x'; the arrays are: none"),
        (DATA[:0], "array 'x': shape (0, 2, 4, 4) has fewer than one sample; give at least one"),
    ],
)
def test_calibration_data_that_do_not_fit(refused_data, data, message):
    assert refused_data(data) == f"data: {message}"


def test_calibration_data_that_are_not_there(refused_data, tmp_path):
    path = tmp_path / "cal.npz"
    assert (
        refused_data(path) == f"{path}: no such file or folder; give an .npz file, or a folder of .npy files or images"
    )


@pytest.mark.parametrize("value", [0, 1])
def test_calibration_data_that_are_constant(refused_data, value):
    assert refused_data(np.full_like(DATA, value), errors.QuantizationError) == (
        f"tensor 'x': is {value} throughout the 8 calibration samples, so its range cannot be known; "
        "give calibration data that varies"
    )


@pytest.mark.parametrize("op_type", ["Identity", "Flatten", "Softmax"])
def test_a_model_of_which_no_layer_needs_calibration_compiles(tmp_path, op_type):
    compiled = compile_model(saved(model([node(op_type, ["x"], "y")], X), tmp_path), calibration=DATA)
    assert compiled.graph.outputs == ("y",)


# Boards


BOARD = """
name = "tiny"
description = "A board with less memory than any"
verified = "untried"
clock_hz = 1_000_000

[cpu]
core = "cortex-m4"
features = []
target = "thumb-freestanding-eabi"
zig_cpu = "cortex_m4"
gcc = "arm-none-eabi-gcc"
gcc_flags = []

[memory]
flash_address = 0x0800_0000
flash_bytes = 2_000
ram_address = 0x2000_0000
ram_bytes = 6_000
"""


@pytest.fixture
def tiny_board(tmp_path):
    (tmp_path / "tiny.toml").write_text(BOARD)
    return str(tmp_path / "tiny.toml")


@pytest.fixture(params=["roomy", "none"])
def suggestion(request, monkeypatch):
    """What the error says of other boards, with and without one that would do."""
    names = ("cortex-m4",) if request.param == "roomy" else ()
    monkeypatch.setattr(fit, "board_names", lambda: names)
    return "try a board with more, such as cortex-m4" if names else "use a smaller model"


def test_a_board_that_is_not_known(tmp_path):
    path = saved(conv(), tmp_path)
    assert error_text(errors.BoardError, path, board="cortexm4") == (
        "board 'cortexm4' is not known; did you mean 'cortex-m4'? (mcuq boards lists them)"
    )
    assert error_text(errors.BoardError, path, board="q") == "board 'q' is not known (mcuq boards lists them)"


def test_a_model_that_needs_more_ram_than_the_board_has(tmp_path, tiny_board, suggestion):
    nodes = [
        node("Conv", ["x", "w"], "a", "first", pads=[1, 1, 1, 1]),
        node("Conv", ["a", "v"], "y", "second"),
    ]
    constants = {"w": random(8, 2, 3, 3), "v": random(4, 8, 3, 3)}
    path = saved(model(nodes, {"x": [1, 2, 80, 3]}, constants=constants), tmp_path)
    roomy = BOARD.replace('"tiny"', '"roomy"').replace("ram_bytes = 6_000", "ram_bytes = 60_000")
    (tmp_path / "roomy.toml").write_text(roomy)
    arena_bytes = compile_model(path, board=str(tmp_path / "roomy.toml")).arena_bytes
    by_rows = compile_model(path, board=str(tmp_path / "roomy.toml"), optimize="ram").arena_bytes
    assert error_text(DoesNotFit, path, board=tiny_board) == (
        f"model 'net' needs {arena_bytes + 4096:,} bytes of RAM (arena {arena_bytes:,} + stack 4,096), tiny has "
        "6,000; largest tensors: 'first' 1x80x3x8 1,920, 'transpose' 1x80x3x2 480, 'x' 1x2x80x3 480; "
        f"it fits with --optimize ram, which needs {by_rows + 4096:,} bytes of RAM; or {suggestion}"
    )
    assert by_rows < 6000 - 4096 < arena_bytes


@pytest.mark.parametrize(("goal", "tried"), [("balanced", ["balanced", "ram", "size"]), ("size", ["size", "ram"])])
def test_each_smaller_goal_is_tried_once(tmp_path, tiny_board, monkeypatch, goal, tried):
    made = []

    # mcuq.compile is a function too.
    module = sys.modules[compile_model.__module__]
    assemble = module._assemble

    def assembled(*arguments):
        made.append(arguments[-1].optimize)
        return assemble(*arguments)

    monkeypatch.setattr(module, "_assemble", assembled)
    path = saved(
        model([node("Conv", ["x", "w"], "y")], {"x": [1, 2, 16, 16]}, constants={"w": random(8, 2, 3, 3)}), tmp_path
    )
    assert "of RAM" in error_text(DoesNotFit, path, board=tiny_board, optimize=goal)
    assert made == tried


def test_a_model_that_needs_more_flash_than_the_board_has(tmp_path, tiny_board, suggestion):
    nodes = [node("Gemm", ["x", "w", "b"], "a", "first"), node("Gemm", ["a", "v"], "y", "second")]
    constants = {"w": random(100, 40), "b": random(40), "v": random(40, 10)}
    path = saved(model(nodes, {"x": [1, 100]}, constants=constants), tmp_path)
    weight_bytes = 100 * 40 + 40 * 10
    assert error_text(DoesNotFit, path, board=tiny_board) == (
        f"model 'net' needs at least {weight_bytes:,} bytes of flash for its weights, tiny has "
        "2,000; largest tensors: 'first.weight' 40x100 4,000, 'second.weight' 10x40 400; "
        f"{suggestion}"
    )


# Damage


def valuable() -> bytes:
    """A small model with something of everything that an importer reads."""
    channels = {name: random(3, low=0.5, seed=i) for i, name in enumerate(("scale", "shift", "mean", "var"))}
    constants = {
        "pads": ints(0, 0, 1, 0, 0, 0, 0, 1),
        "w": random(3, 2, 2, 2),
        "b": random(3),
        **channels,
        "low": np.float32(0),
        "high": np.float32(6),
        "matrix": random(2, 12),
    }
    nodes = [
        node("Pad", ["x", "pads"], "p", "pad"),
        node("Conv", ["p", "w", "b"], "c", "conv", pads=[0, 1, 1, 0], kernel_shape=[2, 2], auto_pad="NOTSET"),
        node("BatchNormalization", ["c", *channels], "n", "bn", epsilon=1e-3),
        node("Clip", ["n", "low", "high"], "r", "clip"),
        node("MaxPool", ["r"], "m", "pool", kernel_shape=[2, 2], strides=[2, 2]),
        node("Shape", ["m"], "sizes", "shape"),
        node("Constant", [], "first", value=numpy_helper.from_array(ints(0))),
        node("Gather", ["sizes", "first"], "batch", "gather", axis=0),
        node("Constant", [], "rest", value_ints=[-1]),
        node("Concat", ["batch", "rest"], "target", "target", axis=0),
        node("Reshape", ["m", "target"], "f", "flatten"),
        node("Gemm", ["f", "matrix"], "o", "fc", transB=1, alpha=0.5),
        node("Softmax", ["o"], "y", "softmax", axis=1),
    ]
    proto = model(nodes, {"x": ["batch", 2, 4, 4]}, ["y", "f"], constants, producer_name="pytorch")
    return proto.SerializeToString()


def import_mutated(data: bytes, seeds: range, path: Path) -> tuple[int, int]:
    """Change one to three bytes for each seed; the numbers of models that were read and that were refused."""
    read = refused = 0
    for seed in seeds:
        rng = mutations.Random(seed)
        changed = bytearray(data)
        for _ in range(rng.choice([1, 1, 1, 2, 3])):
            changed[rng.randrange(len(changed))] = rng.randrange(256)
        path.write_bytes(changed)
        try:
            optimize(import_model(path)[0])
            read += 1
        except McuqError:
            refused += 1
    return read, refused


@pytest.mark.parametrize("op_type", ["Constant", "QuantizeLinear", "Relu", "LabelEncoder"])
def test_a_node_without_outputs_is_refused_before_anything_looks_for_them(op_type):
    idle = node(op_type, ["x"] if op_type == "Relu" else [], "gone", "n")
    idle.output.pop()
    if op_type == "Constant":
        idle.attribute.append(helper.make_attribute("value", numpy_helper.from_array(ints(0))))
    proto = model([node("Relu", ["x"], "y"), idle], {"x": [1, 2]}, ["y"], {})
    with pytest.raises(ModelError) as error:
        import_model(proto)
    assert str(error.value) == f"model: {op_type} 'n': has no output; the file is damaged, export it again"


def test_a_model_with_damaged_bytes_is_read_or_refused(tmp_path):
    read, refused = import_mutated(valuable(), range(600), tmp_path / "net.onnx")
    assert min(read, refused) > 60


@pytest.mark.slow
@pytest.mark.parametrize("first", range(600, 8_000, 1_850))
def test_many_models_with_damaged_bytes_are_read_or_refused(tmp_path, first):
    read, refused = import_mutated(valuable(), range(first, first + 1_850), tmp_path / "net.onnx")
    assert min(read, refused) > 185
