"""Windows that a file leaves to the runtime are ONNX's, in the graph and in the reference."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx_models import TOLERANCE, model, node, random, saved

from mcuq.graph.tensor import Array
from mcuq.importer import import_model
from mcuq.onnx_io.writer import write_onnx
from mcuq.onnx_runtime.float_model import FloatModel


def same_windows(x: Array, kernel: Array, strides: Array, dilations: Array, upper: bool) -> Array:
    """What each window of SAME padding meets, (N, C, *out, taps), NaN for padding: the formula of ONNX's Operators.md,
    output = ceil(input / stride), padding = (output - 1) * stride + (kernel - 1) * dilation + 1 - input."""
    size = np.array(x.shape[2:])
    out = -(-size // strides)
    total = np.maximum(0, (out - 1) * strides + (kernel - 1) * dilations + 1 - size)
    begin = total // 2 if upper else total - total // 2
    windows = np.full((*x.shape[:2], *out, np.prod(kernel)), np.nan, np.float32)
    for at in product(*map(range, out)):
        for index, tap in enumerate(product(*map(range, kernel))):
            place = np.array(at) * strides - begin + np.array(tap) * dilations
            if (place >= 0).all() and (place < size).all():
                windows[:, :, *at, index] = x[:, :, *place]
    return windows


CASES = [  # shape, kernel, strides, dilations, ceil_mode
    ((1, 2, 6, 6), (3, 3), (1, 1), (2, 2), 0),
    ((1, 3, 4, 2), (5, 3), (1, 2), (2, 1), 1),
    ((1, 3, 1, 4), (3, 3), (3, 1), (2, 2), 1),
    ((1, 3, 4, 2), (3, 2), (3, 2), (1, 2), 1),
    ((1, 2, 7, 9), (2, 3), (3, 2), (2, 2), 0),
    ((1, 2, 7, 9), (1, 2), (3, 4), (1, 1), 0),
    ((1, 2, 7, 9), (1, 2), (3, 4), (1, 1), 1),
    ((1, 4, 11), (3,), (2,), (2,), 0),
]


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("auto_pad", ["SAME_UPPER", "SAME_LOWER"])
@pytest.mark.parametrize("op_type", ["MaxPool", "AveragePool", "Conv"])
def test_same_padding_is_that_of_onnx(tmp_path: Path, op_type: str, auto_pad: str, case: tuple) -> None:
    shape, kernel, strides, dilations, ceil_mode = case
    attributes = {"kernel_shape": kernel, "strides": strides, "auto_pad": auto_pad}
    if op_type == "AveragePool":
        dilations = (1,) * len(kernel)
    else:
        attributes["dilations"] = dilations
    x = random(*shape)
    windows = same_windows(x, *map(np.array, (kernel, strides, dilations)), auto_pad == "SAME_UPPER")
    constants = {}
    if op_type == "Conv":
        weight = random(3, shape[1], *kernel)
        constants = {"w": weight}
        want = np.einsum("nc...t,oct->no...", np.nan_to_num(windows), weight.reshape(*weight.shape[:2], -1))
    else:
        attributes["ceil_mode"] = ceil_mode
        want = (np.nanmax if op_type == "MaxPool" else np.nanmean)(windows, axis=-1)
    proto = model([node(op_type, ["x", *constants], "y", **attributes)], {"x": shape}, constants=constants, opset=19)
    graph, reference = import_model(saved(proto, tmp_path))
    for ready in (reference, write_onnx(graph)):
        got = FloatModel(ready).run({"x": x})["y"]
        assert got.shape == want.shape
        np.testing.assert_allclose(got, want, rtol=0, atol=TOLERANCE)


def test_windows_that_leave_nothing_open_stay_as_they_are_written(tmp_path: Path) -> None:
    nodes = [
        node("Conv", ["x", "w"], "a", auto_pad="SAME_UPPER", strides=[2, 2]),
        node("MaxPool", ["a"], "b", kernel_shape=[2, 2], dilations=[2, 2], pads=[1, 1, 1, 1]),
        node("AveragePool", ["b"], "y", kernel_shape=[2, 2], auto_pad="VALID"),
    ]
    proto = model(nodes, {"x": (1, 2, 9, 9)}, constants={"w": random(3, 2, 3, 3)})
    reference = import_model(saved(proto, tmp_path))[1]
    assert list(reference.graph.node) == nodes
    assert onnx.helper.get_node_attr_value(reference.graph.node[0], "auto_pad") == b"SAME_UPPER"
