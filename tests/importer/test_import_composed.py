"""ONNX operators that are spelled in others: every form against ONNX Runtime, and what is refused."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from onnx import TensorProto, helper
from onnx_models import check_import, imported, ints, model, node, original_outputs, random, refusal
from selections import quick

from mcuq.onnx_io.writer import write_onnx
from mcuq.onnx_runtime.float_model import FloatModel

IMAGE = (2, 3, 6, 5)
X = {"x": IMAGE}
ONE = np.ones(1, np.float32)


@pytest.mark.parametrize(
    ("attributes", "sizes", "count", "opset"),
    [
        ({"axis": 2}, None, 3, 17),  # equal parts
        ({"axis": -1}, (1, 4), 2, 17),
        ({"axis": 0}, None, 2, 12),
        ({"axis": 1, "split": [2, 1]}, None, 2, 11),
        ({"axis": 3, "num_outputs": 2}, None, 2, 18),  # 3 and 2
        ({"axis": 2}, (6,), 1, 18),
    ],
)
def test_split(attributes, sizes, count, opset):
    names = [f"y{k}" for k in range(count)]
    inputs, constants = ["x"], {}
    if sizes is not None:
        inputs, constants = ["x", "sizes"], {"sizes": ints(*sizes)}
    check_import(model([node("Split", inputs, names, **attributes)], X, names, constants, opset=opset))


def test_parts_that_nobody_reads_are_not_made():
    nodes = [node("Split", ["x"], ["a", "b", "c"], axis=1), node("Relu", ["b"], "y")]
    graph = check_import(model(nodes, X))
    assert [type(layer.op).__name__ for layer in graph.layers()] == ["Slice", "Clip"]


@pytest.mark.parametrize(
    ("axis", "indices"),
    [
        (0, 1),
        (2, -1),
        (1, [2]),
        (2, [4, 3, 2, 1, 0]),
        (3, [0, 2, 4]),
        (3, [0, 0, 1, 1, 2]),
        (2, [[0, 5], [-1, 3]]),
        (1, [0, 1, 2]),
        (-2, [5, 1, 3, 0, 0]),
    ],
)
@pytest.mark.parametrize("dtype", [np.int64, np.int32])
def test_gather(axis, indices, dtype):
    constants = {"indices": np.array(indices, dtype)}
    check_import(model([node("Gather", ["x", "indices"], "y", axis=axis)], X, constants=constants))


def test_gather_of_many_runs_is_by_their_numbers():
    indices = np.random.default_rng(0).permutation(400)
    nodes = [node("Gather", ["x", "i"], "y", "pick", axis=1)]
    graph = check_import(model(nodes, {"x": (1, 400)}, constants={"i": indices}))
    assert "Gather" in {type(layer.op).__name__ for layer in graph.layers()}


def test_gather_by_real_values_is_refused():
    nodes = [node("Gather", ["table", "x"], "y", "embed")]
    assert "Gather" in refusal(model(nodes, {"x": (1, 4)}, constants={"table": random(9, 4)}))


@pytest.mark.parametrize(("op_type", "limit"), [("Max", 0.25), ("Min", 0.25), ("Max", -np.inf), ("Min", np.inf)])
def test_max_and_min_of_constants_are_limits(op_type, limit):
    constants = {"a": np.array(limit, np.float32), "b": np.array([0.125], np.float32)}
    names = ["a", "x", "b"] if np.isfinite(limit) else ["x", "a"]
    graph = check_import(model([node(op_type, names, "y")], X, constants={n: constants[n] for n in names if n != "x"}))
    assert {type(layer.op).__name__ for layer in graph.layers()} <= {"Clip", "Identity"}


@pytest.mark.parametrize("op_type", ["Max", "Min"])
@pytest.mark.parametrize(
    "names", [["x"], ["x", "x"], ["x", "z"], ["z", "c", "x"], ["c", "x"], ["c", "k", "z", "x", "n"]]
)
def test_extremes_of_any_number(op_type, names):
    inputs = {n: shape for n, shape in (("x", IMAGE), ("z", (3, 1, 5))) if n in names}
    constants = {"c": random(6, 1), "k": random(2, 3, 1, 1, seed=5), "n": np.full((1, 1), 0.25, np.float32)}
    check_import(
        model([node(op_type, names, "y")], inputs, constants={n: constants[n] for n in names if n in constants})
    )


@pytest.mark.parametrize("op_type", ["Max", "Min"])
@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (1, 1, 1, 1)])
def test_a_limit_that_makes_the_output_larger_is_an_operand(op_type, shape):
    proto = model([node(op_type, ["x", "c"], "y")], {"x": (3, 4, 1)}, constants={"c": np.full(shape, 0.25, np.float32)})
    check_import(proto)


def test_operands_of_an_extreme_that_do_not_broadcast_or_are_no_numbers_are_refused():
    assert refusal(
        model([node("Max", ["x", "z", "c"], "y", "m")], {"x": (2, 3), "z": (4, 3)}, constants={"c": ONE})
    ) == ("Max 'm': shapes [2, 3] and [4, 3] do not broadcast")
    assert refusal(model([node("Min", ["x", "c"], "y", "m")], {"x": (2, 3)}, constants={"c": ONE * np.nan})) == (
        "Min 'm': operand 'c' holds 1 NaN or infinite of 1 values; train or export it again"
    )


@pytest.mark.parametrize("op_type", ["Sum", "Mean"])
@pytest.mark.parametrize("names", [["x"], ["x", "z"], ["x", "c", "z"], ["c", "x", "x"]])
def test_sum_and_mean_of_any_number(op_type, names):
    inputs = {n: shape for n, shape in (("x", IMAGE), ("z", (3, 1, 5))) if n in names}
    check_import(model([node(op_type, names, "y")], inputs, constants={"c": random(6, 1)} if "c" in names else {}))


@pytest.mark.parametrize("mode", ["DCR", "CRD"])
@pytest.mark.parametrize("block", [1, 2, 3])
def test_depth_to_space_and_back(mode, block):
    shape = (2, 2 * block**2, 3, 2)
    check_import(model([node("DepthToSpace", ["x"], "y", blocksize=block, mode=mode)], {"x": shape}))
    check_import(model([node("SpaceToDepth", ["x"], "y", blocksize=block)], {"x": (2, 3, 6, 12)}))


@pytest.mark.parametrize("shape", [(2, 3, 6, 5), (1, 1, 6, 1), (4, 1, 3, 6, 5), (5,), (1,), (3, 1, 1)])
def test_expand(shape):
    check_import(model([node("Expand", ["x", "s"], "y")], {"x": (1, 3, 6, 5)}, constants={"s": ints(*shape)}))
    check_import(model([node("Expand", ["x", "s"], "y")], {"x": (3, 1, 5)}, constants={"s": ints(2, 3, 6, 5)}))


@pytest.mark.parametrize("shape", [(2, 0), (-1, 3), (2, -1)])
def test_expand_to_sizes_below_one_is_refused(shape):
    nodes = [node("Expand", ["x", "s"], "y", "e")]
    assert refusal(model(nodes, {"x": (2, 1)}, constants={"s": ints(*shape)})) == (
        f"Expand 'e': shape {list(shape)} has a size below 1; supported are sizes from 1"
    )


@pytest.mark.parametrize("repeats", [(1, 1, 1, 1), (2, 1, 3, 1), (1, 2, 1, 4)])
def test_tile(repeats):
    check_import(model([node("Tile", ["x", "r"], "y")], X, constants={"r": ints(*repeats)}))


def test_more_copies_than_anybody_wants_are_refused():
    assert refusal(model([node("Tile", ["x", "r"], "y", "t")], {"x": (1, 2)}, constants={"r": ints(70, 1)})) == (
        "Tile 't': takes 70 copies; supported are 64; let operators broadcast instead"
    )


REDUCTIONS = ("L1", "L2", "LogSumExp", "Max", "Min", "Prod", "Sum", "SumSquare")


@pytest.mark.parametrize("axes", [[2, 3], [1], [0, 2], [1, 3], [0, 1, 3], [-1], None])
@pytest.mark.parametrize("keepdims", [0, 1])
@pytest.mark.parametrize("opset", [11, 20])
def test_reductions_over_any_axes(axes, keepdims, opset):
    """Side by side, as each takes a start of ONNX Runtime."""
    nodes, constants, outputs = [node("Abs", ["x"], "size")], {}, []
    for kind in (*REDUCTIONS, "LogSum"):
        inputs, attributes = ["size" if kind == "LogSum" else "x"], {"keepdims": keepdims}
        if axes is not None and (opset == 20 or (kind == "Sum" and opset >= 13)):
            inputs, constants = [*inputs, "a"], {"a": ints(*axes)}
        elif axes is not None:
            attributes["axes"] = axes
        nodes.append(node(f"Reduce{kind}", inputs, kind, **attributes))
        outputs.append(kind)
    check_import(model(nodes, X, outputs, constants=constants, opset=opset), samples=1)


def test_reductions_over_no_axes_are_those_of_single_values():
    nodes = [node("Exp", ["x"], "e")]
    nodes += [node(f"Reduce{kind}", ["e", "a"], kind, noop_with_empty_axes=1) for kind in (*REDUCTIONS, "LogSum")]
    nodes += [node("Relu", [kind], f"{kind}_y") for kind in (*REDUCTIONS, "LogSum")]
    outputs = [f"{kind}_y" for kind in (*REDUCTIONS, "LogSum")]
    check_import(model(nodes, X, outputs, constants={"a": ints()}, opset=20))


@pytest.mark.parametrize("limits", [("low",), ("low", "high"), ("", "high"), ("low", "six"), ("minus", "high")])
def test_clip_between_computed_numbers(limits):
    nodes = [
        node("ReduceMax", ["z"], "high", keepdims=0),
        node("Sub", ["high", "one"], "low"),
        node("Clip", ["x", *limits], "y", "n"),
    ]
    constants = {"one": np.float32(1), "six": np.float32(0.75), "minus": np.float32(-0.5)}
    check_import(model(nodes, X | {"z": (2, 3)}, constants=constants, opset=13))


@pytest.mark.parametrize("shape", [(2, 3, 6), (1, 3, 6, 5)])
def test_global_max_pool(shape):
    check_import(model([node("GlobalMaxPool", ["x"], "y")], {"x": shape}))


@pytest.mark.parametrize("shape", [(2, 3, 6), (1, 3, 6, 5)])
def test_global_lp_pool(shape):
    powers = {"y": {}, "z": {"p": 1}, "w": {"p": 2}, "v": {"p": 3}}
    nodes = [node("GlobalLpPool", ["x"], name, **p) for name, p in powers.items()]
    check_import(model(nodes, {"x": shape}, tuple(powers)))


def test_norms_of_other_powers_are_refused():
    assert refusal(model([node("GlobalLpPool", ["x"], "y", "n", p=0)], {"x": (1, 2, 4)})) == (
        "GlobalLpPool 'n': p=0 is not supported; use a whole number from 1 to 32"
    )
    assert refusal(model([node("LpNormalization", ["x"], "y", "n", p=3)], {"x": (1, 2, 4)})) == (
        "LpNormalization 'n': p=3 is not supported; use p=1 or p=2"
    )


COORDINATES = ("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "half_pixel_symmetric")
ROUNDING = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")


@pytest.mark.parametrize(("coordinates", "rounding"), list(product(COORDINATES, ROUNDING)))
@pytest.mark.parametrize("scales", [(1, 1, 2, 3), (1, 1, 1.5, 2.4), (1, 1, 0.5, 1), (1, 1, 4, 0.7)])
def test_resize_to_the_nearest(coordinates, rounding, scales):
    attributes = {"coordinate_transformation_mode": coordinates, "nearest_mode": rounding, "mode": "nearest"}
    constants = {"scales": np.array(scales, np.float32)}
    check_import(model([node("Resize", ["x", "", "scales"], "y", **attributes)], X, constants=constants, opset=19))


@pytest.mark.parametrize("sizes", [(2, 3, 12, 10), (2, 3, 7, 4), (2, 3, 1, 1), (2, 3, 6, 5)])
@pytest.mark.parametrize("coordinates", COORDINATES)
def test_resize_to_sizes(sizes, coordinates):
    attributes = {"coordinate_transformation_mode": coordinates, "nearest_mode": "floor"}
    nodes = [node("Resize", ["x", "", "", "sizes"], "y", **attributes)]
    check_import(model(nodes, X, constants={"sizes": ints(*sizes)}, opset=19))


COORDINATES_OF = {
    10: (None,),
    11: (*COORDINATES[:4], "tf_half_pixel_for_nn", "tf_crop_and_resize"),
    13: (*COORDINATES[:4], "tf_crop_and_resize"),
    19: (*COORDINATES, "tf_crop_and_resize"),
}


def random_resize(rng, k, opset):
    """A Resize of the input x{k}: the node, the input's shape, and the constants."""
    rank = rng.integers(2, 5)
    shape, attributes, inputs = rng.integers(1, 8, rank), {}, {"x": None}
    axes = np.arange(rank)
    if opset > 10:
        coordinates = str(rng.choice(COORDINATES_OF[opset]))
        attributes = {"coordinate_transformation_mode": coordinates, "nearest_mode": str(rng.choice(ROUNDING))}
        low, high = rng.uniform(0, 0.5, rank), rng.uniform(0.5, 1, rank)
        if opset == 19 and rng.random() < 0.4:
            axes = rng.permutation(rank)[: rng.integers(1, rank + 1)]
            attributes["axes"] = axes.tolist()
        is_region = coordinates == "tf_crop_and_resize"
        inputs["roi"] = np.float32([*low[axes], *high[axes]] if is_region else [])
    if opset > 10 and rng.random() < 0.5:
        inputs |= {"scales": np.zeros(0, np.float32), "sizes": rng.integers(1, 9, len(axes))}
        if opset == 19:
            policy = str(rng.choice(["stretch", "not_larger", "not_smaller"]))
            attributes["keep_aspect_ratio_policy"] = policy
            # A row that is to keep its ratio and shrink may become nothing.
            inputs["sizes"] += (shape[axes] - 1) * (policy == "not_larger")
    else:
        ratios = rng.integers(1, 4, rank) / rng.integers(1, 4, rank)
        drawn = np.where(rng.random(rank) < 0.5, rng.uniform(0.4, 3, rank), ratios)
        scales = np.where(rng.random(rank) < 0.3, 1, np.maximum(drawn, 1.001 / shape))
        inputs["scales"] = scales[axes].astype(np.float32)
    names = [f"{name}{k}" if value is None or value.size or opset == 11 else "" for name, value in inputs.items()]
    constants = {name: value for name, value in zip(names[1:], list(inputs.values())[1:], strict=True) if name}
    return node("Resize", names, f"y{k}", **attributes), tuple(map(int, shape)), constants


@pytest.mark.parametrize("seeds", quick([range(4), range(4, 180)]), ids=str)
def test_resize_picks_the_pixels_that_onnx_runtime_picks(seeds):
    """25 of each seed: every pixel, by its number."""
    for seed in seeds:
        rng = np.random.default_rng(seed)
        opset = list(COORDINATES_OF)[seed % len(COORDINATES_OF)]
        nodes, shapes, constants = [], {}, {}
        for k in range(25):
            drawn, shapes[f"x{k}"], own = random_resize(rng, k, opset)
            nodes.append(drawn)
            constants |= own
        proto = model(nodes, shapes, [f"y{k}" for k in range(25)], constants, opset)
        pixels = {n: np.arange(np.prod(s), dtype=np.float32).reshape(s) for n, s in shapes.items()}
        got = FloatModel(write_onnx(imported(proto))).run(pixels)
        for name, want in original_outputs(proto, pixels).items():
            np.testing.assert_array_equal(got[name], want, err_msg=f"seed {seed}: {nodes[int(name[1:])]}")


# Cubic, of what opset 11 to 13 and opset 18 on know besides.
CUBIC = {"cubic_coeff_a": [-0.75, -0.5], "exclude_outside": [0, 1]}


@pytest.mark.parametrize("seeds", quick([range(3), range(3, 25)]), ids=str)
def test_resize_interpolates_as_onnx_runtime_does(seeds):
    """25 of each seed, those that the runtime can."""
    computed = 0
    for seed in seeds:
        rng = np.random.default_rng([seed, 1])
        opset = list(COORDINATES_OF)[seed % len(COORDINATES_OF)]
        for k in range(25):
            drawn, shape, constants = random_resize(rng, k, opset)
            modes = ["linear", "cubic"] if opset > 10 else ["linear"]
            more = {"mode": str(rng.choice(modes))}
            if opset > 10:
                more |= {name: rng.choice(values).item() for name, values in CUBIC.items()}
                more["extrapolation_value"] = 3.0
            if opset == 19:
                more["antialias"] = int(rng.integers(2))
            for name, value in more.items():
                drawn.attribute.append(helper.make_attribute(name, value))
            proto = model([drawn], {f"x{k}": shape}, [f"y{k}"], constants, opset)
            x = {f"x{k}": rng.normal(size=shape).astype(np.float32)}
            try:
                want = original_outputs(proto, x)[f"y{k}"]
            except Exception:  # of whatever class of the runtime's
                want = None
            if want is not None and np.all(want == 3.0):
                assert refusal(proto).startswith("Resize "), f"seed {seed}: {drawn}"
            elif want is not None:
                got = FloatModel(write_onnx(imported(proto))).run(x)[f"y{k}"]
                np.testing.assert_allclose(got, want, rtol=0, atol=2e-5, err_msg=f"seed {seed}: {drawn}")
                computed += 1
    assert computed > 5 * len(seeds)


@pytest.mark.parametrize("mode", ["nearest", "linear"])
@pytest.mark.parametrize("opset", [7, 8, 9])
def test_upsample(opset, mode):
    scales = np.array([1, 1, 2, 3], np.float32)
    if opset == 9:
        proto = model([node("Upsample", ["x", "s"], "y", mode=mode)], X, constants={"s": scales}, opset=9)
    else:
        proto = model([node("Upsample", ["x"], "y", mode=mode, scales=scales.tolist())], X, opset=opset)
    check_import(proto, samples=1)


def test_resize_of_integers_between_pixels_is_refused():
    constants = {"s": np.array([1, 1, 2, 2], np.float32), "scale": np.float32(0.1), "zero": np.int8(3)}
    nodes = [
        node("QuantizeLinear", ["x", "scale", "zero"], "q"),
        node("Resize", ["q", "", "s"], "r", "up", mode="linear"),
        node("DequantizeLinear", ["r", "scale", "zero"], "y"),
    ]
    assert refusal(model(nodes, X, constants=constants)) == (
        "Resize 'up': computes with integers of a QuantizeLinear; put a DequantizeLinear before it, or mode=nearest"
    )


@pytest.mark.parametrize(
    ("inputs", "attributes", "reason"),
    [
        (
            {"scales": np.float32([1, 1, 2, 2])},
            {"mode": "area"},
            "mode=area is not supported; use one of nearest, linear, cubic",
        ),
        (
            {"roi": np.float32([0, 0, 1.5, 0, 1, 1, 2, 1]), "sizes": ints(2, 3, 4, 4)},
            {"coordinate_transformation_mode": "tf_crop_and_resize", "mode": "linear"},
            "its roi lies beyond the input; supported is one that meets it",
        ),
        (
            {"scales": np.float32([1, 1, 0.1, 1])},
            {},
            "resizes [2, 3, 6, 5] to [2, 3, 0, 5]; each size must be 1 or more",
        ),
        (
            {"roi": np.float32([0, 0, 0, 0, 1, 1, 1, 1.5]), "sizes": ints(2, 3, 6, 4)},
            {"coordinate_transformation_mode": "tf_crop_and_resize"},
            "its roi makes 36 of 144 elements lie beyond the input; supported is one within",
        ),
        (
            {"scales": np.float32([1, 1, 2, 2])},
            {"coordinate_transformation_mode": "half", "nearest_mode": "round"},
            "coordinate_transformation_mode=half, nearest_mode=round are not supported; use one of half_pixel, "
            "half_pixel_symmetric, pytorch_half_pixel, tf_half_pixel_for_nn, align_corners, asymmetric, "
            "tf_crop_and_resize and one of round_prefer_floor, round_prefer_ceil, floor, ceil",
        ),
    ],
)
def test_resizes_that_give_no_pixels_of_the_input_are_refused(inputs, attributes, reason):
    names = [name if name in inputs else "" for name in ("x", "roi", "scales", "sizes")]
    nodes = [node("Resize", ["x", *names[1:]], "y", "up", **attributes)]
    assert refusal(model(nodes, X, constants=inputs, opset=19)) == f"Resize 'up': {reason}"


@pytest.mark.parametrize("kernel", [(1, 1), (2, 2), (3, 3), (4, 3), (2, 5)])
@pytest.mark.parametrize("strides", [(1, 1), (2, 2), (3, 2)])
@pytest.mark.parametrize("group", [1, 3])
@pytest.mark.parametrize("pads", [(0, 0, 0, 0), (0, 1, 1, 0)])
def test_conv_transpose(kernel, strides, group, pads):
    constants = {"w": random(3, 2, *kernel), "b": random(2 * group)}
    attributes = {"strides": strides, "group": group, "pads": pads}
    nodes = [node("ConvTranspose", ["x", "w", "b"], "y", **attributes)]
    check_import(model(nodes, {"x": (1, 3, 4, 3)}, constants=constants))


@pytest.mark.parametrize(
    "attributes",
    [
        {"strides": [2], "pads": [1, 1], "output_padding": [1]},
        {"strides": [2], "auto_pad": "SAME_UPPER"},
        {"strides": [3], "auto_pad": "SAME_LOWER"},
        {"strides": [2], "auto_pad": "VALID"},
        {"dilations": [2]},
        {"strides": [2], "output_shape": [8]},
        {"strides": [2], "output_shape": [7], "auto_pad": "SAME_LOWER"},
    ],
    ids=str,
)
def test_conv_transpose_along_time(attributes):
    nodes = [node("ConvTranspose", ["x", "w"], "y", **attributes)]
    check_import(model(nodes, {"x": (1, 2, 4)}, constants={"w": random(2, 3, 3)}))


@pytest.mark.parametrize(
    "attributes",
    [
        {"strides": [2], "pads": [2, 1]},  # windows that nothing is left of
        {"strides": [3], "output_padding": [2]},  # beyond all windows
        {"strides": [2], "dilations": [2], "pads": [1, 4], "output_padding": [1]},
        {"strides": [3], "output_shape": [12]},
        {"strides": [3], "output_shape": [12], "auto_pad": "SAME_UPPER"},
    ],
    ids=str,
)
@pytest.mark.parametrize("kernel", [2, 3])
def test_conv_transpose_computes_what_is_left(attributes, kernel):
    nodes = [node("ConvTranspose", ["x", "w", "b"], "y", **attributes)]
    constants = {"w": random(2, 3, kernel), "b": random(3)}
    graph = check_import(model(nodes, {"x": (1, 2, 4)}, constants=constants), samples=1)
    (conv,) = (layer for layer in graph.layers() if layer.op.__class__.__name__ == "Conv2d")
    (stride,), outputs = attributes["strides"], graph.tensors["y"].shape[2]
    assert conv.output.shape[2] <= -(-outputs // stride) + 1


def test_conv_transpose_whose_output_is_not_agreed_on_is_refused():
    nodes = [node("ConvTranspose", ["x", "w"], "y", "up", strides=[2], auto_pad="SAME_UPPER")]
    assert refusal(model(nodes, {"x": (1, 2, 4)}, constants={"w": random(2, 3, 1)})) == (
        "ConvTranspose 'up': auto_pad=SAME_UPPER asks for an output of [8], but windows reach [7], and runtimes give "
        "no more than that; use pads and output_padding"
    )
    nodes = [node("ConvTranspose", ["x", "w"], "y", "up", strides=[30_000_000])]
    assert refusal(model(nodes, {"x": (1, 2, 4)}, constants={"w": random(2, 3, 3)})) == (
        "ConvTranspose 'up': strides=[30000000] make 90,000,000 channels of 3; supported are 4,194,304"
    )
    nodes = [node("ConvTranspose", ["x", "w"], "y", "up", pads=[4, 4])]
    assert refusal(model(nodes, {"x": (1, 2, 4)}, constants={"w": random(2, 3, 3)})) == (
        "ConvTranspose 'up': its pads leave an output of [-2]; use smaller pads"
    )


def test_a_cast_to_what_values_are_changes_nothing():
    graph = check_import(model([node("Cast", ["x"], "z", to=TensorProto.FLOAT), node("Relu", ["z"], "y")], X))
    assert [type(layer.op).__name__ for layer in graph.layers()] == ["Clip"]
    nodes = [node("Cast", ["x"], "z", "c", to=TensorProto.INT64), node("Cast", ["z"], "y", to=TensorProto.FLOAT)]
    graph = check_import(model(nodes, X))
    assert [type(layer.op).__name__ for layer in graph.layers()] == ["ToIntegers", "FromIntegers"]
    nodes[0] = node("Cast", ["x"], "z", "c", to=TensorProto.STRING)
    assert refusal(model(nodes, X)).startswith(
        "Cast 'c': to object; what is computed is float32: only a Cast to a type that holds it is supported"
    )


@pytest.mark.parametrize("mode", ["edge", "reflect", "wrap"])
@pytest.mark.parametrize(
    "pads", [(0, 0, 1, 2, 0, 0, 3, 4), (1, 2, 0, 0, 1, 1, 0, 0), (0, 0, 5, 0, 0, 0, 0, 4), (0,) * 8]
)
def test_pads_of_the_tensors_own_values(mode, pads):
    nodes = [node("Pad", ["x", "pads"], "y", mode=mode)]
    check_import(model(nodes, {"x": (2, 3, 6, 5)}, constants={"pads": ints(*pads)}, opset=19))


@pytest.mark.parametrize("mode", ["constant", "edge", "reflect"])
@pytest.mark.parametrize("pads", [(0, 0, -1, 2, 0, 0, -2, -1), (-1, 0, 0, -2, 0, 0, 2, 1), (0, -1, -1, 0, 0, -1, 0, 0)])
def test_negative_pads_crop(mode, pads):
    nodes = [node("Pad", ["x", "pads"], "y", mode=mode)]
    check_import(model(nodes, {"x": (2, 3, 6, 5)}, constants={"pads": ints(*pads)}, opset=19))


def test_a_mirror_that_is_too_short_is_refused():
    nodes = [node("Pad", ["x", "pads"], "y", "p", mode="reflect")]
    assert refusal(model(nodes, {"x": (1, 4)}, constants={"pads": ints(0, 4, 0, 0)})) == (
        "Pad 'p': pads=[4, 0] of a dimension of 4; mode=reflect has 3 values at most"
    )
