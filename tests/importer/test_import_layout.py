"""Operators that move values or rename dimensions, and Pad; and what is refused."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx_models import check_import, ints, model, node, random, refusal

from mcuq.graph.tensor import Array


def layer(
    op_type: str, shape: tuple[int, ...], constants: dict[str, Array] | None = None, opset: int = 17, **attributes
) -> onnx.ModelProto:
    """A model of one node behind x; constants are its further inputs."""
    given = constants or {}
    inputs = ["x", *("" if name.startswith("_") else name for name in given)]
    stored = {name: value for name, value in given.items() if not name.startswith("_")}
    return model([node(op_type, inputs, "y", "n", **attributes)], {"x": shape}, constants=stored, opset=opset)


NOTHING = np.zeros(0)  # stands for an input that is left out


@pytest.mark.parametrize(
    "shape", [(2, 60), (-1,), (0, 0, -1), (2, 3, 0, 5), (0, -1), (1, 2, 3, 4, 5), (5, 4, 3, 2), (-1, 1, 5), (0, 0, 20)]
)
def test_reshape(shape):
    check_import(layer("Reshape", (2, 3, 4, 5), {"shape": ints(*shape)}))


def test_reshape_to_a_scalar_and_back():
    nodes = [node("Reshape", ["x", "none"], "s"), node("Relu", ["s"], "r"), node("Reshape", ["r", "one"], "y")]
    check_import(model(nodes, {"x": [1]}, constants={"none": ints(), "one": ints(1, 1)}))


@pytest.mark.parametrize("allowzero", [0, 1])
def test_reshape_with_allowzero(allowzero):
    check_import(layer("Reshape", (2, 3, 4), {"shape": ints(4, -1)}, allowzero=allowzero))


@pytest.mark.parametrize("axis", [None, 0, 1, 2, 3, 4, -1, -2, -4])
def test_flatten_at_any_axis(axis):
    check_import(layer("Flatten", (2, 3, 4, 5), **({} if axis is None else {"axis": axis})))


@pytest.mark.parametrize("opset", [7, 11, 13])
@pytest.mark.parametrize("axes", [None, [0], [0, 2], [2, 0, 4], [-1], [-5, 2]])
def test_squeeze(axes, opset):
    if axes and min(axes) < 0:
        opset = max(opset, 11)
    shape = (1, 3, 1, 5, 1)
    if axes is None or opset >= 13:
        check_import(layer("Squeeze", shape, {} if axes is None else {"axes": ints(*axes)}, opset))
    else:
        check_import(layer("Squeeze", shape, opset=opset, axes=axes))


def test_squeeze_of_all_dimensions():
    check_import(layer("Squeeze", (1, 1)))


@pytest.mark.parametrize("opset", [7, 11, 13])
@pytest.mark.parametrize("axes", [[0], [2], [3], [0, 4], [4, 0], [1, 2, 3], [-1], [-1, 0]])
def test_unsqueeze(axes, opset):
    if min(axes) < 0:
        opset = max(opset, 11)
    if opset >= 13:
        check_import(layer("Unsqueeze", (2, 3, 4), {"axes": ints(*axes)}, opset))
    else:
        check_import(layer("Unsqueeze", (2, 3, 4), opset=opset, axes=axes))


@pytest.mark.parametrize("perm", [None, [0, 1, 2, 3], [0, 2, 3, 1], [0, 3, 1, 2], [3, 1, 0, 2]])
def test_transpose(perm):
    check_import(layer("Transpose", (2, 3, 4, 5), **({} if perm is None else {"perm": perm})))


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2, -3])
def test_concat_along_any_axis(axis):
    shapes = [[2, 3, 4], [2, 3, 4], [2, 3, 4]]
    shapes[1][axis] = 7
    inputs = {f"x{i}": shape for i, shape in enumerate(shapes)}
    check_import(model([node("Concat", list(inputs), "y", axis=axis)], inputs))


@pytest.mark.parametrize("inputs", [["x", "c"], ["c", "x"], ["x", "c", "x", "d"], ["x"], ["x", "x"], ["e", "x", "c"]])
def test_concat_with_constants(inputs):
    constants = {"c": random(2, 1, 4), "d": random(2, 5, 4), "e": random(2, 0, 4)}
    check_import(model([node("Concat", inputs, "y", axis=1)], {"x": [2, 3, 4]}, constants=constants))


SLICES = [
    ([1], [3], [1], None),
    ([0], [-1], [2], None),
    ([-3], [2**31 - 1], [3], None),
    ([0, 1], [1, 3], None, None),
    ([-100], [100], [-1], None),
    ([1, 0, 2], [2, 2, 4], [0, 2, -1], None),
    ([0], [5], [3], [2]),
    ([1, 0], [3, 5], [1, 3], [1, 3]),
    ([-1], [-(2**63)], [3], [-1]),
    ([3], [0], [3], [-1]),
    ([4], [-6], [3], [-2]),
    ([2, -1], [-100, 0], [1, 2], [-1, -2]),
]


@pytest.mark.parametrize(("starts", "ends", "axes", "steps"), SLICES)
def test_slice(starts, ends, axes, steps):
    x = (2, 3, 4, 5)
    given = {"starts": starts, "ends": ends, "_axes" if axes is None else "axes": axes, "steps": steps}
    if steps is None:
        del given["steps"]
        attributes = {key: value for key, value in given.items() if value is not None}
        check_import(layer("Slice", x, opset=9, **attributes))
    for dtype in (np.int64, np.int32):
        limits = np.iinfo(dtype)
        constants = {
            key: NOTHING if value is None else np.clip(value, limits.min, limits.max).astype(dtype)
            for key, value in given.items()
        }
        check_import(layer("Slice", x, constants, opset=13))


@pytest.mark.parametrize("value", [None, 0.0, 1.5])
@pytest.mark.parametrize("pads", [[0, 0, 1, 1, 0, 0, 1, 1], [0, 0, 0, 3, 0, 0, 2, 0], [1, 2, 0, 0, 0, 1, 0, 0]])
def test_pad(pads, value):
    x = (1, 2, 4, 5)
    check_import(layer("Pad", x, opset=7, pads=pads, **({} if value is None else {"value": value})))
    constants = {"pads": ints(*pads)} | ({} if value is None else {"value": np.float32(value)})
    for opset in (11, 13):
        check_import(layer("Pad", x, constants, opset, mode="constant"))


@pytest.mark.parametrize(("axes", "pads"), [([2, 3], [1, 0, 2, 3]), ([-1, 1], [1, 0, 2, 3]), ([3], [0, 2])])
@pytest.mark.parametrize("value", [None, 0.5])
def test_pad_of_named_axes(axes, pads, value):
    constants = {"pads": ints(*pads), "_value": NOTHING} if value is None else {"pads": ints(*pads)}
    if value is not None:
        constants["value"] = np.float32(value)
    check_import(layer("Pad", (1, 2, 4, 5), constants | {"axes": ints(*axes)}, 18))


@pytest.mark.parametrize("op_type", ["Conv", "AveragePool", "MaxPool"])
def test_a_pad_before_a_window(op_type):
    pads = node("Pad", ["x", "pads"], "p")
    window = (
        node("Conv", ["p", "w"], "y", pads=[1, 0, 0, 1])
        if op_type == "Conv"
        else node(op_type, ["p"], "y", kernel_shape=[3, 3], strides=[2, 2])
    )
    constants = {"pads": ints(0, 0, 1, 2, 0, 0, 0, 1), "w": random(3, 2, 3, 3)}
    check_import(model([pads, window], {"x": [1, 2, 5, 6]}, constants=constants))


def test_channel_shuffle_as_exporters_write_it():
    nodes = [
        node("Reshape", ["x", "split"], "a"),
        node("Transpose", ["a"], "b", perm=[0, 2, 1, 3, 4]),
        node("Reshape", ["b", "join"], "c"),
        node("Conv", ["c", "w"], "y", group=3),
    ]
    constants = {"split": ints(0, 2, 3, 4, 4), "join": ints(0, -1, 4, 4), "w": random(6, 2, 3, 3)}
    check_import(model(nodes, {"x": [1, 6, 4, 4]}, constants=constants))


def test_channels_split_by_slices_and_joined_in_another_order():
    nodes = [
        node("Conv", ["x", "w"], "c"),
        node("Slice", ["c", "zero", "two", "axis"], "a"),
        node("Slice", ["c", "two", "four", "axis"], "b"),
        node("Concat", ["b", "a"], "y", axis=1),
    ]
    constants = {"zero": ints(0), "two": ints(2), "four": ints(4), "axis": ints(1), "w": random(4, 3, 3, 3)}
    check_import(model(nodes, {"x": [1, 3, 5, 6]}, constants=constants))


@pytest.mark.parametrize(
    ("proto", "message"),
    [
        (
            layer("Reshape", (2, 3, 4), {"shape": ints(1, 2, 3, 0)}),
            "Reshape 'n': shape [1, 2, 3, 0] copies dimension 3 of [2, 3, 4]",
        ),
        (
            layer("Reshape", (2, 3, 4), {"shape": ints(-1, 7)}),
            "Reshape 'n': shape [-1, 7] does not fit an input of shape [2, 3, 4]",
        ),
        (
            layer("Reshape", (2, 3, 4), {"shape": ints(-1, -1)}),
            "Reshape 'n': shape [-1, -1] does not fit an input of shape [2, 3, 4]",
        ),
        (
            layer("Reshape", (2, 3, 4), {"shape": ints(-1, 0)}, allowzero=1),
            "Reshape 'n': shape [-1, 0] does not fit an input of shape [2, 3, 4]",
        ),
        (layer("Reshape", (2, 3, 4), {"shape": ints(5, 5)}), "Reshape 'n': [2, 3, 4] does not reshape to [5, 5]"),
        (
            layer("Reshape", (2, 3, 4), {"shape": ints(-2, -12)}),
            "Reshape 'n': shape [-2, -12] does not fit an input of shape [2, 3, 4]",
        ),
        (
            layer("Reshape", (2, 3, 4), {"shape": random(2)}),
            "Reshape 'n': shape is float32 of shape [2]; it must be a list of integers",
        ),
        (
            model([node("Reshape", ["x", "s"], "y", "n")], {"x": (2, 3), "s": (2,)}),
            "Reshape 'n': shape must be a constant; export the model with fixed weights and shapes",
        ),
        (layer("Flatten", (2, 3), axis=3), "Flatten 'n': axis=3 is outside a tensor of 2 dimensions"),
        (
            layer("Squeeze", (1, 3), {"axes": ints(0, 1)}),
            "Squeeze 'n': axes=[0, 1] of shape [1, 3] are not all of size 1",
        ),
        (layer("Squeeze", (1, 3), {"axes": ints(2)}), "Squeeze 'n': axis=2 is outside a tensor of 2 dimensions"),
        (layer("Unsqueeze", (1, 3), opset=11, axes=[1, 1]), "Unsqueeze 'n': axes=[1, 1] name a dimension twice"),
        (
            layer("Unsqueeze", (1, 3), opset=11),
            "Unsqueeze 'n': is invalid: Required attribute 'axes' is missing.",
        ),
        (
            layer("Transpose", (1, 3), perm=[0, 0]),
            "Transpose 'n': perm=[0, 0] does not order the dimensions of [1, 3]",
        ),
        (layer("Concat", (1, 3), axis=2), "Concat 'n': axis=2 is outside a tensor of 2 dimensions"),
        (
            layer("Concat", (1, 3), {"c": random(2, 2)}, axis=1),
            "Concat 'n': shapes [[1, 3], [2, 2]] do not join along axis 1",
        ),
        (
            layer("Slice", (1, 3), {"starts": ints(0, 0), "ends": ints(1)}),
            "Slice 'n': starts=(0, 0) and ends=(1,) must be given and of one length",
        ),
        (
            layer("Slice", (1, 3), {"starts": ints(0), "ends": ints(1), "axes": ints(0, 1)}),
            "Slice 'n': axes=[0, 1] and steps=[1] must be as many as starts=[0]",
        ),
        (
            layer("Slice", (1, 3), {"starts": ints(0), "ends": ints(1), "axes": ints(1), "steps": ints(0)}),
            "Slice 'n': steps must not be 0",
        ),
        (
            layer("Slice", (1, 3), {"starts": ints(2), "ends": ints(1), "axes": ints(1)}),
            "net.onnx: output 'y' has no elements; leave it out",
        ),
        (
            layer("Pad", (1, 3), {"pads": ints(0, 1, 0, 1)}, mode="mirror"),
            "Pad 'n': mode=mirror is not supported; use one of constant, edge, reflect, wrap",
        ),
        (
            layer("Pad", (1, 3), {"pads": ints(0, 1)}),
            "Pad 'n': pads=(0, 1) must have two entries a dimension of [1, 3]",
        ),
        (
            layer("Pad", (1, 3), {"pads": ints(0, -2, 0, -2)}),
            "Pad 'n': pads=[0, -2, 0, -2] take more than there is of [1, 3]",
        ),
        (
            layer("Pad", (1, 3), {"pads": ints(0, 1, 0, 1), "value": np.float32(-np.inf)}),
            "Pad 'n': value=-inf is not supported; use a finite value",
        ),
        (
            layer("Pad", (1, 3), {"pads": ints(0, 2**31, 0, 1)}),
            "Pad 'n': gives a tensor of shape [1, 2147483652]; supported are 1 to 2147483647 elements",
        ),
    ],
)
def test_a_layout_that_does_not_fit_is_refused(proto, message):
    assert refusal(proto) == message
