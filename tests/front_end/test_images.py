"""Image front ends against ONNX Runtime, Pillow, OpenCV (expected_images.npz, which make_expected_images.py has
written) and real arithmetic."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from images import CASES, PLAIN, changed, frames, shown_of
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from PIL import Image as Pillow
from support import run_float

from mcuq.front_end.image import Image, Seen, image_step
from mcuq.front_end.pixels import PIXEL_BYTES, frames_of, grey_of_rgb, of_565, pixels_of, rgb_of_yuv
from mcuq.front_end.resize import WEIGHT_BITS, real_weights, taps

EXPECTED = np.load(Path(__file__).parent / "expected_images.npz")
SIZES = [(1, 1), (1, 5), (7, 1), (5, 5), (10, 5), (5, 10), (13, 5), (5, 13), (96, 64), (64, 96), (320, 96), (31, 30)]


def resized(image: NDArray[np.uint8], height: int, width: int, **fields: object) -> NDArray[np.float32]:
    """What the twin gives a network of an image (height, width, 3)."""
    front = changed(frame_width=image.shape[1], frame_height=image.shape[0], **fields)
    shown = Seen(front, "x", (1, height, width, 3), height, width, 3, True)
    return shown.real(image.reshape(1, len(image), -1))[0, 0]


# --- resizing ------------------------------------------------------------------------------------------------------

ONNX = {
    ("nearest", "half_pixel"): {"mode": "nearest", "nearest_mode": "round_prefer_ceil"},
    ("nearest", "asymmetric"): {"mode": "nearest", "nearest_mode": "floor"},
    ("nearest", "align_corners"): {"mode": "nearest", "nearest_mode": "round_prefer_ceil"},
    ("bilinear", "half_pixel"): {"mode": "linear"},
    ("bilinear", "asymmetric"): {"mode": "linear"},
    ("bilinear", "align_corners"): {"mode": "linear"},
    ("antialias", "half_pixel"): {"mode": "linear", "antialias": 1, "exclude_outside": 1},
}


@pytest.mark.parametrize(("method", "coordinates"), ONNX)
def test_images_are_resized_as_onnx_runtime_does(method: str, coordinates: str) -> None:
    rng = np.random.default_rng(1)
    for sizes in ((9, 12, 5, 7), (9, 12, 18, 31), (8, 12, 4, 3), (6, 5, 6, 15), (31, 17, 10, 16)):
        image = rng.integers(0, 256, (*sizes[:2], 3), np.uint8)
        node = helper.make_node(
            "Resize",
            ["x", "", "", "to"],
            ["y"],
            coordinate_transformation_mode=coordinates,
            **ONNX[method, coordinates],
        )
        graph = helper.make_graph(
            [node],
            "resize",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 3, *sizes[:2]))],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 3, *sizes[2:]))],
            [numpy_helper.from_array(np.array([1, 3, *sizes[2:]]), "to")],
        )
        proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
        want = run_float(proto, {"x": image.transpose(2, 0, 1)[None, None].astype(np.float32)})["y"][0]
        got = resized(image, *sizes[2:], resize=method, coordinates=coordinates)
        assert np.abs(got - want[0].transpose(1, 2, 0)).max() < (1e-6 if method == "nearest" else 0.05)


@pytest.mark.parametrize(
    ("method", "fields", "least"),
    [("nearest", {"coordinates": "asymmetric"}, 0.0), ("bilinear", {}, 0.5 + 4 * 255 / 2**12), ("area", {}, 0.51)],
)
def test_images_are_resized_as_opencv_does(method: str, fields: dict[str, str], least: float) -> None:
    """Which rounds to pixels, and at bilinear to 11 bits of weights."""
    for name, (height, width) in ((method, (11, 17)), (f"{method}_larger", (47, 53))):
        if name in EXPECTED:
            got = resized(EXPECTED["image"], height, width, resize=method, **fields)
            assert np.abs(got - EXPECTED[name]).max() <= least


@pytest.mark.parametrize(("method", "filter"), [("nearest", Pillow.NEAREST), ("antialias", Pillow.BILINEAR)])
def test_images_are_resized_as_pillow_does(method: str, filter: int) -> None:
    """Which rounds to pixels along x, and then along y; where the nearest are two, its floats decide: not here."""
    image = EXPECTED["image"]
    for height, width in ((12, 17), (30, 21), (48, 53)):
        want = np.asarray(Pillow.fromarray(image).resize((width, height), filter))
        got = resized(image, height, width, resize=method)
        assert np.abs(got - want).max() <= (0 if method == "nearest" else 1.02)


def test_area_of_whole_numbers_of_pixels_is_their_mean() -> None:
    image = EXPECTED["image"]
    want = image.reshape(6, 5, 10, 4, 3).mean((1, 3))
    assert np.abs(resized(image, 6, 10, resize="area") - want).max() < 0.05


@pytest.mark.parametrize("method", ["nearest", "bilinear", "antialias", "area"])
def test_weights_are_exact_in_sum_and_lie_within_the_source(method: str) -> None:
    for source, places in SIZES:
        found = taps(source, places, method, "half_pixel")
        assert (found.weights.sum(1) == 1 << WEIGHT_BITS).all()
        assert (found.weights >= 0).all()
        assert (np.diff(found.starts) >= 0).all()
        assert found.starts.min() >= 0
        assert found.starts.max() + found.count <= source
        dense = np.zeros((places, source))
        np.add.at(dense, (np.arange(places)[:, None], found.starts[:, None] + np.arange(found.count)), found.weights)
        error = np.abs(dense / (1 << WEIGHT_BITS) - real_weights(source, places, method, "half_pixel"))
        assert error.max() <= found.count / 2 ** (WEIGHT_BITS + 1)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["bilinear", "antialias", "area"])
def test_starts_never_fall(method: str) -> None:
    for source in (*range(1, 60), 96, 160, 240, 320, 640):
        for places in (*range(1, 60), 96, 128, 224):
            assert (np.diff(taps(source, places, method, "half_pixel").starts) >= 0).all()


# --- pixels --------------------------------------------------------------------------------------------------------


def test_565_is_rounded_to_the_nearest() -> None:
    pixels = np.arange(1 << 16)
    parts = np.stack([pixels >> 11, pixels >> 5 & 63, pixels & 31], -1)
    assert np.array_equal(of_565(pixels), np.floor(parts * 255 / np.array([31, 63, 31]) + 0.5))


@pytest.mark.parametrize("reach", ["full", "limited"])
def test_yuv_is_bt601(reach: str) -> None:
    y, u, v = np.meshgrid(np.arange(256), np.arange(0, 256, 3), np.arange(0, 256, 3), indexing="ij")
    luma, blue, red = y.astype(float), u - 128.0, v - 128.0
    if reach == "limited":
        luma, blue, red = (luma - 16) * 255 / 219, blue * 255 / 224, red * 255 / 224
    green = -(0.114 * 1.772 * blue + 0.299 * 1.402 * red) / 0.587
    want = np.stack([luma + 1.402 * red, luma + green, luma + 1.772 * blue], -1).clip(0, 255)
    assert np.abs(rgb_of_yuv(y, u, v, reach) - want).max() < 0.51


def test_yuv_and_grey_are_opencvs() -> None:
    """Its coefficients have three digits (YUV) and 15 bits; it takes Y below 16, which video has not, for 16."""
    for form, given in zip(("YUYV", "UYVY"), EXPECTED["frames"], strict=True):
        got = pixels_of(given.reshape(20, -1), form, "limited", 3)
        assert np.abs(got - EXPECTED[form]).max() <= 1
        assert (got == EXPECTED[form]).mean() > 0.95
    got = grey_of_rgb(EXPECTED["image"].astype(np.int64))
    assert np.abs(got - EXPECTED["grey"]).max() <= 1
    assert (got == EXPECTED["grey"]).mean() > 0.99


def test_grey_is_pillows() -> None:
    image = np.random.default_rng(0).integers(0, 256, (100, 100, 3), np.uint8)
    assert np.array_equal(grey_of_rgb(image.astype(np.int64)), np.asarray(Pillow.fromarray(image).convert("L")))


# What is lost: colours of pairs of pixels, bits of 565, and colours that video's reach has not.
@pytest.mark.parametrize(
    ("form", "reach", "most"),
    [
        ("RGB888", "limited", 0),
        ("BGR888", "limited", 0),
        ("RGB565", "limited", 4.2),
        ("RGB565_BE", "limited", 4.2),
        ("YUYV", "full", 1.5),
        ("UYVY", "limited", 2.5),
    ],
)
def test_frames_of_images_are_those_images(form: str, reach: str, most: float) -> None:
    rng = np.random.default_rng(3)
    image = rng.integers(0, 256, (6, 5, 1, 3), np.uint8).repeat(2, 2).reshape(6, 10, 3)
    given = frames_of(image, form, reach)
    assert given.shape == (6, 10 * PIXEL_BYTES[form])
    assert np.abs(pixels_of(given, form, reach, 3) - image.astype(int)).max() <= most
    grey = pixels_of(given, form, reach, 1)[..., 0]
    assert np.abs(grey - grey_of_rgb(image.astype(np.int64))).max() <= most


@pytest.mark.parametrize(("degrees", "name"), [(90, "turn_0"), (180, "turn_1"), (270, "turn_2")])
def test_images_are_turned_and_then_mirrored_as_opencv_does(degrees: int, name: str) -> None:
    want = EXPECTED[name]
    got = resized(EXPECTED["image"][:5, :7], *want.shape[:2], rotate=degrees, mirror=True)
    assert np.array_equal(got, want)


# --- codes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CASES)
def test_codes_are_those_of_the_real_values(name: str) -> None:
    """Those of whole pixels differ where a value lies between two codes, by 1e-4 of one; others by 2^-4 of a pixel."""
    shown, port = shown_of(CASES[name])
    given = frames(shown.front, 8)
    real, scale = shown.real(given).astype(np.float64), port.tensor.scale
    got = shown.codes(given, image_step(shown, port.tensor))
    low, high = port.bounds
    want = (real / scale + port.tensor.zero_point).clip(low, high)
    a_pixel = shown.front.pixel_max / 255 / min(shown.front.std) / scale
    assert np.abs(got - want).max() <= 0.5 + 1e-4 + (0 if shown.is_whole else a_pixel / 16)
    assert got.min() >= low
    assert got.max() <= high


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case[0].resize != "nearest"])
def test_sums_are_within_a_sixteenth_of_a_pixel_of_exact_ones(name: str) -> None:
    shown, _ = shown_of(CASES[name])
    front = shown.front
    given = frames(front, 3)
    left, top, width, height = front.crop
    pixels = pixels_of(given, front.frame_format, front.yuv_range, shown.channels)
    part = pixels[:, top : top + height, left : left + width]
    ys, xs = (
        real_weights(n, m, front.resize, front.coordinates) for n, m in zip((height, width), shown.resized, strict=True)
    )
    exact = np.einsum("yn,bnmc,xm->byxc", ys, part, xs)
    exact = exact[..., ::-1] if shown.is_bgr else exact
    mean, std = np.array(front.mean), np.array(front.std)
    want = shown.placed((exact * front.pixel_max / 255 - mean) / std)
    assert np.abs(shown.real(given) - want).max() <= front.pixel_max / 255 / min(front.std) / 16


def test_a_pixel_is_its_code_where_scales_allow_it() -> None:
    shown, port = shown_of(CASES["as it is"])
    given = frames(shown.front, 1)
    codes = shown.codes(given, image_step(shown, port.tensor))
    assert np.array_equal(codes.reshape(-1), given.reshape(-1).astype(int) - 128)


def test_what_it_gives_a_network_lies_within_its_reach() -> None:
    front = replace(PLAIN, pixel_max=1.0, mean=(0.5, 0.25, 0.0), std=(0.5,))
    assert isinstance(front, Image)
    assert front.reach == (-1.0, 2.0)
