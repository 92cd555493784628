"""GridSample, RoiAlign, AffineGrid and Col2Im of constants, CenterCropPad: every form against ONNX Runtime."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest
from onnx_models import check_import, ints, model, node, random, refusal
from support import check_portable_c, with_ranges

import mcuq
from mcuq.quantize.scheme import parse_scheme

X = {"x": (2, 3, 5, 6)}
GRID = random(2, 3, 4, 2, low=-1.4, high=1.4)
MODES = {16: ("bilinear", "nearest", "bicubic"), 20: ("linear", "nearest", "cubic")}


@pytest.mark.parametrize("padding_mode", ["zeros", "border", "reflection"])
@pytest.mark.parametrize(("opset", "mode"), [(opset, mode) for opset, modes in MODES.items() for mode in modes])
def test_grid_sample(opset, mode, padding_mode):
    for align_corners in (0, 1):
        grid = np.broadcast_to(GRID[:1], GRID.shape) if align_corners else GRID
        attributes = {"mode": mode, "padding_mode": padding_mode, "align_corners": align_corners}
        nodes = [node("GridSample", ["x", "grid"], "y", **attributes)]
        check_import(model(nodes, X, constants={"grid": grid.copy()}, opset=opset), samples=1)


@pytest.mark.parametrize("mode", ["linear", "nearest"])
def test_grid_sample_of_volumes(mode):
    nodes = [node("GridSample", ["x", "grid"], "y", mode=mode)]
    grid = random(1, 3, 4, 2, 3, low=-1.4, high=1.4)
    check_import(model(nodes, {"x": (1, 3, 3, 5, 4)}, constants={"grid": grid}, opset=20), samples=1)


def test_affine_grid_of_constants():
    theta = np.array([[[1, 0.2, 0.1], [-0.1, 0.8, 0]]], np.float32)
    nodes = [node("AffineGrid", ["theta", "size"], "grid"), node("GridSample", ["x", "grid"], "y")]
    constants = {"theta": theta, "size": ints(1, 3, 4, 7)}
    check_import(model(nodes, {"x": (1, 3, 5, 6)}, constants=constants, opset=20), samples=1)


@pytest.mark.parametrize("align_corners", [0, 1])
@pytest.mark.parametrize(("theta", "size"), [((2, 2, 3), (2, 3, 4, 7)), ((1, 3, 4), (1, 3, 4, 5, 6))])
def test_affine_grid_of_computed_matrices(theta, size, align_corners):
    nodes = [node("AffineGrid", ["x", "size"], "y", align_corners=align_corners)]
    graph = check_import(model(nodes, {"x": theta}, constants={"size": ints(*size)}, opset=20), samples=1)
    assert "FullyConnected" in graph.text()


ROIS = np.array([[0, 0, 3, 4], [1, 1, 2.5, 5], [-1, 0, 6, 6]], np.float32)


@pytest.mark.parametrize("padding_mode", ["zeros", "border"])
@pytest.mark.parametrize("align_corners", [0, 1])
@pytest.mark.parametrize("opset", [16, 20])
def test_grid_sample_of_a_computed_grid(opset, align_corners, padding_mode):
    """Coordinates of random inputs reach far beyond the images."""
    attributes = {"padding_mode": padding_mode, "align_corners": align_corners}
    nodes = [node("GridSample", ["x", "grid"], "y", **attributes)]
    check_import(model(nodes, {**X, "grid": (2, 3, 4, 2)}, opset=opset))


def test_grid_sample_of_a_computed_grid_is_as_fine_as_its_coordinates():
    proto = model([node("GridSample", ["x", "grid"], "y")], {"x": (1, 3, 12, 16), "grid": (1, 8, 8, 2)}, opset=16)
    rng = np.random.default_rng(0)
    smooth = np.cumsum(np.cumsum(rng.normal(0, 0.1, (30, 1, 3, 12, 16)), -1), -2)
    data = {"x": smooth.astype(np.float32), "grid": rng.uniform(-1.1, 1.1, (30, 1, 8, 8, 2)).astype(np.float32)}
    for scheme, db in (("int8", 25), ("int16", 65), ("float32", 100)):
        compiled = mcuq.compile(proto.SerializeToString(), board="host", calibration=data, scheme=scheme)
        assert mcuq.simulate(compiled, data).report.outputs[0].sqnr_db > db, scheme
        assert mcuq.run(compiled, {name: values[:3] for name, values in data.items()}).report.bit_exact


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"mode": "nearest"}, "mode=nearest is not supported where the grid is computed; use linear, or a constant"),
        (
            {"padding_mode": "reflection"},
            "padding_mode=reflection is not supported where the grid is computed; use zeros or border",
        ),
    ],
)
def test_other_computed_grids_are_refused(attributes, reason):
    nodes = [node("GridSample", ["x", "grid"], "y", "sample", **attributes)]
    assert refusal(model(nodes, {**X, "grid": (2, 3, 4, 2)}, opset=20)) == f"GridSample 'sample': {reason}"


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"output_height": 2, "output_width": 3, "sampling_ratio": 2},
        {"output_height": 3, "output_width": 2, "spatial_scale": 0.5},
    ],
    ids=str,
)
@pytest.mark.parametrize("opset", [10, 16])
@pytest.mark.parametrize("mode", ["avg", "max"])
def test_roi_align(opset, attributes, mode):
    nodes = [node("RoiAlign", ["x", "rois", "images"], "y", mode=mode, **attributes)]
    check_import(model(nodes, X, constants={"rois": ROIS, "images": ints(0, 1, 0)}, opset=opset), samples=1)


def test_roi_align_of_the_largest_beyond_the_image_and_of_nothing():
    """Samples far outside count as 0, those near the edge are on it; a region without size gives 0."""
    rois = np.float32([[-3, -2, 4, 9], [2, 2, 2, 2], [4.6, 3.7, 5.9, 4.9], [0, 0, 7, 6]])
    nodes = [
        node("RoiAlign", ["x", "rois", "images"], name, mode="max", output_height=3, output_width=2, **attributes)
        for name, attributes in (
            ("a", {"sampling_ratio": 3}),
            ("b", {"coordinate_transformation_mode": "output_half_pixel"}),
            ("c", {"spatial_scale": 0.75}),
        )
    ]
    constants = {"rois": rois, "images": ints(0, 1, 0, 1)}
    graph = check_import(model(nodes, X, "abc", constants, opset=16))
    for scheme in ("int8", "int16"):
        check_portable_c(with_ranges(graph, scheme=parse_scheme(scheme)), "host")


@pytest.mark.parametrize(
    ("strides", "pads", "dilations"),
    [((1, 1), (0, 0, 0, 0), (1, 1)), ((2, 1), (1, 0, 1, 0), (1, 1)), ((1, 1), (0, 1, 0, 0), (1, 2))],
)
def test_col2im(strides, pads, dilations):
    block, image = (2, 3), (5, 6)
    sizes = zip(image, block, strides, pads[:2], pads[2:], dilations, strict=True)
    columns = prod((n + b + e - d * (k - 1) - 1) // s + 1 for n, k, s, b, e, d in sizes)
    nodes = [node("Col2Im", ["x", "image", "block"], "y", strides=strides, pads=pads, dilations=dilations)]
    constants = {"image": ints(*image), "block": ints(*block)}
    check_import(model(nodes, {"x": (2, 12, columns)}, constants=constants, opset=18), samples=1)


@pytest.mark.parametrize(
    ("axes", "shape"),
    [(None, (2, 3, 5, 6)), (None, (1, 4, 8, 3)), (None, (4, 2, 4, 9)), ((2, -1), (8, 3)), ((1,), (6,))],
)
def test_center_crop_pad(axes, shape):
    attributes = {} if axes is None else {"axes": axes}
    nodes = [node("CenterCropPad", ["x", "shape"], "z", **attributes), node("Relu", ["z"], "y")]
    check_import(model(nodes, X, constants={"shape": ints(*shape)}, opset=18), samples=1)


@pytest.mark.parametrize(
    ("op_type", "constants", "attributes", "reason"),
    [
        (
            "GridSample",
            {"grid": GRID[:1]},
            {},
            "grid of shape [1, 3, 4, 2] does not fit an input of shape [2, 3, 5, 6]",
        ),
        (
            "RoiAlign",
            {"rois": ROIS, "images": ints(0, 1, 0)},
            {"mode": "sum"},
            "mode=sum is not supported; use avg or max",
        ),
        (
            "RoiAlign",
            {"rois": ROIS, "images": ints(0, 1)},
            {},
            "rois of shape [3, 4] do not fit an input of shape [2, 3, 5, 6]",
        ),
        (
            "RoiAlign",
            {"rois": ROIS, "images": ints(0, 1, 2)},
            {},
            "batch_indices=[0, 1, 2] are outside a batch of 2",
        ),
        (
            "CenterCropPad",
            {"shape": ints(2, 3)},
            {"axes": [1]},
            "shape=[2, 3] must have a size from 1 for each of axes [1] of [2, 3, 5, 6]",
        ),
    ],
)
def test_what_does_not_fit_is_refused(op_type, constants, attributes, reason):
    nodes = [node(op_type, ["x", *constants], "y", "n", **attributes)]
    assert refusal(model(nodes, X, constants=constants, opset=18)) == f"{op_type} 'n': {reason}"


def test_affine_grid_that_does_not_fit_is_refused():
    nodes = [node("AffineGrid", ["x", "size"], "y", "n")]
    for shape, size in (((2, 2, 3), (1, 3, 4, 7)), ((1, 2, 4), (1, 3, 4, 7))):
        assert refusal(model(nodes, {"x": shape}, constants={"size": ints(*size)}, opset=20)) == (
            f"AffineGrid 'n': size={list(size)} does not fit matrices of shape {list(shape)}"
        )


def test_what_onnx_runtime_cannot_or_is_too_large_is_refused():
    nodes = [node("Col2Im", ["x", "image", "block"], "y", "n")]
    constants = {"image": ints(3, 4), "block": ints(2, 2)}
    assert refusal(model(nodes, {"x": (1, 6, 6)}, constants=constants, opset=18)) == (
        "Col2Im 'n': block_shape=[2, 2] does not fit an input of shape [1, 6, 6]"
    )
    nodes = [node("GridSample", ["x", "grid"], "y", "n")]
    assert refusal(model(nodes, {"x": (2, 1, 100, 100)}, constants={"grid": GRID}, opset=16)) == (
        "GridSample 'n': an image of [100, 100] is too large; supported are 8192 pixels"
    )
