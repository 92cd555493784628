"""Models with image front ends: compiled, calibrated, simulated and run from images, saved; what is refused."""

from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from front_end_c import CPUS, Probe
from onnx import TensorProto, helper, numpy_helper
from PIL import Image as Pillow
from test_compiled import network

from mcuq.api import run, simulate
from mcuq.artifact import load, save
from mcuq.compile import CompiledModel, Part, compile_model, with_goal
from mcuq.errors import DataError, ModelError
from mcuq.front_end.image import Image
from mcuq.front_end.read import parse_front_end
from mcuq.front_end.seen import read_frames

FRAME = "frame_width = 20\nframe_height = 14\n"
TEXT = f'kind = "image"\n{FRAME}frame_format = "RGB565"\ncrop = [16, 12]\nmirror = true\npixel_max = 1\nstd = 0.5\n'
BYTES = 2 * 20 * 14


def looking(shape: tuple[int, ...] = (1, 3, 9, 8)) -> onnx.ModelProto:
    """A convolution over an image, and sums of its rows to four outputs; other layouts are transposed first."""
    rng = np.random.default_rng(0)
    channels = shape[3] if shape[3] in (1, 3) else shape[1]
    tensors = {
        "w": rng.normal(0, 0.3, (4, channels, 3, 3)).astype(np.float32),
        "b": rng.normal(0, 0.3, 4).astype(np.float32),
    }
    nodes = [helper.make_node("Transpose", ["x"], ["n"], perm=[0, 3, 1, 2])] if shape[3] in (1, 3) else []
    nodes += [
        helper.make_node("Conv", ["n" if nodes else "x", "w", "b"], ["c"], pads=[1] * 4),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("GlobalAveragePool", ["r"], ["y"]),
    ]
    given, taken = (
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, own)]
        for name, own in (("x", shape), ("y", (1, 4, 1, 1)))
    )
    constants = [numpy_helper.from_array(value, name) for name, value in tensors.items()]
    graph = helper.make_graph(nodes, "looking", given, taken, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def image(seed: int, height: int = 14, width: int = 20) -> np.ndarray[Any, Any]:
    """Blocks of colours and noise, brighter for odd seeds."""
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, 200, (height // 2, width // 4, 3)).repeat(2, 0).repeat(4, 1)
    return (blocks + rng.integers(0, 30, (height, width, 3)) + 25 * (seed % 2)).astype(np.uint8)


def write(path: Path, pixels: np.ndarray[Any, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Pillow.fromarray(pixels).save(path)
    return path


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes, each of files of several kinds."""
    folder = tmp_path_factory.mktemp("images")
    for i in range(6):
        write(folder / ("dark", "light")[i % 2] / f"{i}{('.png', '.bmp', '.ppm')[i % 3]}", image(i))
    return folder


@pytest.fixture(scope="module", params=[((1, 3, 9, 8), False), ((1, 9, 8, 3), False), ((1, 9, 8, 3), True)])
def model(request: pytest.FixtureRequest, images: Path) -> CompiledModel:
    shape, push = request.param
    front = parse_front_end(TEXT)
    return compile_model(looking(shape), "cortex-m4", images, "looking", front_end=front, push=push)


@pytest.mark.parametrize("cpu", [CPUS[0], CPUS[2]])
def test_frames_pushed_give_the_outputs_that_simulate_says(model: CompiledModel, cpu: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    frames = rng.integers(0, 256, (5, BYTES), np.uint8)
    (tmp_path / "frames.raw").write_bytes(frames.tobytes())
    (want,) = simulate(model, tmp_path / "frames.raw").integers.values()
    assert len(np.unique(want)) > 12
    code = """
#include "looking_front_end.h"
static void probe(const int8_t *input, int8_t *output)
{
    const uint8_t *const frame = (const uint8_t *)input;
    int32_t ran = 0;

    looking_push_image(frame);
    for (int32_t k = 0; k < LOOKING_OUTPUT_ELEMENTS; k++)
        output[k] = looking_output()[k];
    for (int32_t i = 0; i < LOOKING_FRAME_HEIGHT; i += 2)
        ran += looking_push_pixels(frame + i * LOOKING_FRAME_ROW_BYTES, 2);
    for (int32_t k = 0; k < LOOKING_OUTPUT_ELEMENTS; k++)
        output[LOOKING_OUTPUT_ELEMENTS + k] = ran == 1 ? looking_output()[k] : 0;
}
"""
    size = want[0].size
    answers = Probe(cpu, code, (BYTES, 2 * size), model.files).run([frame.tobytes() for frame in frames])
    for answer, expected in zip(answers, want, strict=True):
        assert np.frombuffer(answer, np.int8).tolist() == 2 * expected.reshape(-1).tolist()


def test_folders_of_images_are_data(model: CompiledModel, images: Path) -> None:
    assert (model.origin.ranges, model.origin.samples) == ("calibrated", 6)
    found = simulate(model, images)
    assert found.report.samples == 6
    assert found.report.accuracy is not None
    assert run(model, images, on="host").report.bit_exact
    part = model.heard(Part(str(images / "dark"), held_back=False))
    assert isinstance(part, Part)
    assert len(part.data["x"]) == 3  # type: ignore[index, call-overload]


def test_front_ends_are_kept_with_the_model(model: CompiledModel, images: Path, tmp_path: Path) -> None:
    written = save(with_goal(model, "size"), tmp_path / "built")
    assert {path.name for path in written} >= {"looking_front_end.c", "looking_front_end.h"}
    loaded = load(tmp_path / "built")
    assert loaded.front_end == model.front_end
    assert loaded.checked_listing() == with_goal(model, "size").listing
    assert np.array_equal(simulate(loaded, images).integers["y"], simulate(model, images).integers["y"])


def test_uint8_pixels_are_codes_where_the_network_takes_them_as_they_are(images: Path) -> None:
    """Its calibration reaches from 0 to 255: a code is a pixel less 128, and rows are copied."""
    text = f'kind = "image"\n{FRAME}frame_format = "RGB888"\n'
    folder = images.parent / "ends"
    write(folder / "ends.png", np.arange(14 * 20 * 3).reshape(14, 20, 3).astype(np.uint8))
    model = compile_model(looking((1, 14, 20, 3)), name="looking", calibration=folder, front_end=parse_front_end(text))
    assert model.graph.tensors["x"].scale == pytest.approx(1, abs=1e-6)
    assert "mcuq_less_128(row + 0 * CHANNELS, to, WIDTH * CHANNELS);" in model.files["looking_front_end.c"]
    made = model.front_end_files()
    assert made is not None
    assert (made.table_bytes, made.state_bytes, made.unit) == (0, 8, "frame")


def test_a_calibration_for_other_numbers_than_pixels_become_is_noted(images: Path) -> None:
    def notes(pixel_max: float, most: float) -> list[str]:
        values = np.random.default_rng(0).uniform(0, most, (4, 3, 9, 8)).astype(np.float32)
        front = parse_front_end(f"{COLOURS}pixel_max = {pixel_max}")
        model = compile_model(looking(), name="seen", calibration={"x": values}, front_end=front)
        again = with_goal(model, "size")
        assert again.origin.notes == model.origin.notes
        return [note for note in model.origin.notes if note.startswith("--front-end")]

    wrong = "are mean, std and pixel_max, or the calibration's data, another network's?"
    (found,) = notes(255, 1)
    assert found.startswith("--front-end: pixels become values from 0 to 255, and input 'x' is scaled for 0 to ")
    assert found.endswith(wrong)
    (found,) = notes(1, 255)
    assert found.startswith("--front-end: pixels become values from 0 to 1, and input 'x' is scaled for 0 to 25")
    assert found.endswith(wrong)
    assert notes(1, 1) == notes(255, 100) == []


# --- files -----------------------------------------------------------------------------------------------------------


def read(path: Path, text: str = 'frame_format = "RGB888"') -> np.ndarray[Any, Any]:
    front = parse_front_end(f'kind = "image"\n{FRAME}{text}')
    assert isinstance(front, Image)
    return read_frames(path, path.name, front)


def test_images_of_all_kinds_are_the_same_frames(tmp_path: Path) -> None:
    pixels = image(1)
    np.save(tmp_path / "one.npy", pixels)
    np.save(tmp_path / "two.npy", np.stack([pixels, image(2)]))
    np.save(tmp_path / "grey.npy", pixels[..., 0])
    (tmp_path / "raw.raw").write_bytes(pixels.tobytes() * 3)
    want = pixels.reshape(14, 60)
    for suffix in ("png", "bmp", "ppm"):
        assert np.array_equal(read(write(tmp_path / f"image.{suffix}", pixels)), [want])
    assert np.array_equal(read(tmp_path / "one.npy"), [want])
    assert np.array_equal(read(tmp_path / "two.npy"), [want, image(2).reshape(14, 60)])
    assert np.array_equal(read(tmp_path / "grey.npy"), [pixels[..., :1].repeat(3, 2).reshape(14, 60)])
    assert np.array_equal(read(tmp_path / "raw.raw"), [want] * 3)
    jpeg = read(write(tmp_path / "image.jpg", np.full((14, 20, 3), 77, np.uint8)))
    assert np.abs(jpeg.astype(int) - 77).max() <= 1
    grey = read(write(tmp_path / "grey.png", pixels[..., 0]), 'frame_format = "grey"')
    assert np.array_equal(grey, [pixels[..., 0]])


def test_what_a_phone_has_turned_is_turned_back(tmp_path: Path) -> None:
    turned = Pillow.fromarray(np.rot90(image(1)))
    exif = turned.getexif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    turned.save(tmp_path / "turned.png", exif=exif)
    assert np.array_equal(read(tmp_path / "turned.png"), [image(1).reshape(14, 60)])


def test_files_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    def refused(path: Path) -> str:
        with pytest.raises(DataError) as error:
            read(path)
        return str(error.value)

    assert refused(write(tmp_path / "large.png", image(0, 28, 20))) == (
        "large.png: has 20 x 28 pixels, the camera's frames 20 x 14; make it one: magick large.png -resize 20x14^ "
        "-gravity center -extent 20x14 frame_large.png"
    )
    assert refused(write(tmp_path / "deep.png", image(0)[..., 0].astype(np.uint16))) == (
        "deep.png: pixel format I;16 is not supported; use 8 bits a channel"
    )
    (tmp_path / "damaged.png").write_bytes(b"\x89PNG")
    assert refused(tmp_path / "damaged.png") == (
        f"damaged.png: cannot be read (cannot identify image file '{tmp_path / 'damaged.png'}'); it may be truncated "
        "or corrupt, write it again"
    )
    (tmp_path / "cut.raw").write_bytes(bytes(841))
    cut = "frames of 20 x 14 pixels, RGB888, have 840 each"
    assert refused(tmp_path / "cut.raw") == f"cut.raw: has 841 bytes; {cut}"
    (tmp_path / "none.raw").write_bytes(b"")
    assert refused(tmp_path / "none.raw") == f"none.raw: has 0 bytes; {cut}"
    assert refused(tmp_path / "gone.raw") == "gone.raw: cannot be read (No such file or directory)"
    for name, shape, dtype in (("wide", (20, 14, 3), np.uint8), ("float", (14, 20, 3), np.float32)):
        np.save(tmp_path / f"{name}.npy", np.zeros(shape, dtype))
        assert refused(tmp_path / f"{name}.npy") == (
            f"{name}.npy: is {np.dtype(dtype)} of shape {shape}; frames are uint8 of shape (14, 20, 3) or (14, 20), or "
            "several of them"
        )


def test_folders_without_images_in_a_class_are_refused(model: CompiledModel, tmp_path: Path) -> None:
    write(tmp_path / "c" / "some" / "some.png", image(0))
    (tmp_path / "c" / "none").mkdir()
    with pytest.raises(DataError) as error:
        simulate(model, tmp_path / "c")
    assert str(error.value) == "c/none: holds no image or frame file, other classes do; give each some"


def test_pillow_is_asked_for_where_it_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, imported = write(tmp_path / "image.png", image(0)), builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "PIL":
            raise ImportError(name)
        return imported(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(DataError) as error:
        read(path)
    assert str(error.value) == "image.png: reading images needs Pillow; install it with: pip install 'mcuq[images]'"


def test_arrays_of_floats_are_the_networks_inputs_as_ever(model: CompiledModel, tmp_path: Path) -> None:
    shape = model.graph.tensors["x"].shape
    values = np.random.default_rng(0).uniform(0, 2, (3, *shape[1:])).astype(np.float32)
    np.save(tmp_path / "values.npy", values)
    assert model.heard(tmp_path / "values.npy") == tmp_path / "values.npy"
    assert simulate(model, tmp_path / "values.npy").report.samples == 3


# --- refusals --------------------------------------------------------------------------------------------------------

COLOURS = f'kind = "image"\n{FRAME}frame_format = "RGB888"\n'


@pytest.mark.parametrize(
    ("proto", "text", "asked", "message"),
    [
        (
            network(1, 6, 13),
            COLOURS,
            {},
            "input 'x' of shape 1x6x13 is no image of 1 or 3 channels, last or first, and a batch of 1",
        ),
        (
            looking((1, 1, 9, 8)),
            f'{COLOURS}color = "BGR"',
            {},
            "input 'x' of shape 1x1x9x8 is no image of 3 channels (BGR), last or first, and a batch of 1",
        ),
        (
            looking(),
            f'{COLOURS}color = "grey"\nlayout = "NCHW"',
            {},
            "input 'x' of shape 1x3x9x8 is no image of 1 channel (grey), first (NCHW), and a batch of 1",
        ),
        (
            looking(),
            f'{COLOURS}layout = "NHWC"',
            {},
            "input 'x' of shape 1x3x9x8 is no image of 1 or 3 channels, last (NHWC), and a batch of 1",
        ),
        (
            looking((1, 1, 9, 8)),
            f"{COLOURS}mean = [1, 2, 3]",
            {},
            "mean: has 3 numbers, input 'x' 1 channels; give as many, or one",
        ),
        (
            network(1, 3, 4, 4, inputs=2),
            COLOURS,
            {},
            "feeds one input, the model has 2 ('x', 'x1'); make the others constants (--fix-input)",
        ),
        (
            looking(),
            COLOURS,
            {"scheme": "float32"},
            "gives integers of one scale, input 'x' is of float32; use a scheme of int8 or int16 inputs",
        ),
        (
            looking(),
            COLOURS,
            {"stream": 2},
            "kind 'image' feeds whole images to a model without states; leave out --state, --stateful and --stream",
        ),
        (
            looking(),
            COLOURS,
            {"weights": "external"},
            "runs the model, which has no weights until it is given them; leave out --weights external",
        ),
        (
            looking(),
            f"{COLOURS}rotate = 90",
            {"push": True},
            "rotate = 90 needs all of an image, and --push never has it; leave out --push, or turn the camera",
        ),
        (
            looking((1, 1, 64, 1)),
            'kind = "image"\nframe_width = 1\nframe_height = 64\nframe_format = "grey"\nlayout = "NHWC"\n',
            {"push": True},
            "gives rows of 64 x 1, channels last, and --push takes those of 1x1x64x1, 64 an inference; leave out "
            "--push",
        ),
    ],
)
def test_models_that_front_ends_cannot_feed_are_refused(
    proto: onnx.ModelProto, text: str, asked: dict[str, Any], message: str
) -> None:
    with pytest.raises(ModelError) as error:
        compile_model(proto, name="seen", front_end=parse_front_end(text), **asked)
    assert str(error.value) == f"model 'seen': --front-end: {message}"


def test_inputs_that_are_far_from_pixels_are_refused() -> None:
    tiny = np.random.default_rng(0).uniform(0, 1e-9, (4, 3, 9, 8)).astype(np.float32)
    with pytest.raises(ModelError) as error:
        compile_model(looking(), name="seen", calibration={"x": tiny}, front_end=parse_front_end(COLOURS))
    step = f"{tiny.max() / 255:.4g}"
    assert str(error.value) == (
        f"--front-end: reaches from 0 to 255, and a step of input 'x' is {step}; mend mean, std and pixel_max, or "
        "calibrate with images"
    )


REFUSED = {
    "": "frame_width: is missing; say what frames the camera gives: frame_width, frame_height, and frame_format, "
    "one of grey, RGB888, BGR888, RGB565, RGB565_BE, YUYV, UYVY",
    f"{FRAME}frame_fromat = 3": "'frame_fromat' is no key of kind 'image'; did you mean 'frame_format'?",
    f"{FRAME}mels = 3": "'mels' is no key of kind 'image'; known keys: frame_width, frame_height, frame_format, "
    "yuv_range, crop, resize, coordinates, rotate, mirror, color, layout, pixel_max, mean, std",
    f'{FRAME}frame_format = "RGB"': "frame_format = 'RGB': must be one of grey, RGB888, BGR888, RGB565, RGB565_BE, "
    "YUYV, UYVY",
    "frame_width = 0": "frame_width = 0: must be a whole number from 1 to 4096",
    "frame_height = 4097": "frame_height = 4097: must be a whole number from 1 to 4096",
    "frame_height = true": "frame_height = True: must be a whole number from 1 to 4096",
    'frame_width = 21\nframe_height = 9\nframe_format = "YUYV"': "frame_width = 21: must be even, as two pixels share "
    "a colour",
    f'{FRAME}frame_format = "grey"\nyuv_range = "full"': "yuv_range: is of YUYV and UYVY alone, frame_format is grey",
    f'{FRAME}frame_format = "grey"\nresize = "cubic"': "resize = 'cubic': must be one of nearest, bilinear, antialias, "
    "area",
    f'{FRAME}frame_format = "grey"\nresize = "area"\ncoordinates = "asymmetric"': "coordinates: resize = 'area' has "
    "half_pixel alone",
    f'{FRAME}frame_format = "grey"\ncrop = [21, 4]': "crop = [21, 4]: does not lie within frames of 20 x 14",
    f'{FRAME}frame_format = "grey"\ncrop = [0, 11, 4, 4]': "crop = [0, 11, 4, 4]: does not lie within frames "
    "of 20 x 14",
    f'{FRAME}frame_format = "grey"\ncrop = [-1, 0, 4, 4]': "crop = [-1, 0, 4, 4]: does not lie within frames "
    "of 20 x 14",
    f'{FRAME}frame_format = "grey"\ncrop = [0, 4]': "crop = [0, 4]: does not lie within frames of 20 x 14",
    "crop = [1, 2, 3]": "crop = [1, 2, 3]: must be [width, height] of the frame's middle, or [left, top, width, "
    "height]",
    "rotate = 45": "rotate = 45: must be 0, 90, 180 or 270",
    "mirror = 1": "mirror = 1: must be true or false",
    'color = "HSV"': "color = 'HSV': must be one of auto, RGB, BGR, grey",
    'layout = "HWC"': "layout = 'HWC': must be one of auto, NHWC, NCHW",
    "pixel_max = 0": "pixel_max = 0: must be a number above 0",
    "std = 0": "std = 0: must be a number above 0, or one a channel",
    "mean = []": "mean = []: must be a number, or one a channel",
    "mean = inf": "mean = inf: must be a number, or one a channel",
    f'{FRAME}frame_format = "grey"\nmean = [1, 2]\nstd = [1, 2, 3]': "mean has 2 numbers, std 3; give as many, or one",
}


@pytest.mark.parametrize("text", REFUSED)
def test_front_ends_that_cannot_be_are_refused(text: str) -> None:
    with pytest.raises(ModelError) as error:
        parse_front_end(f'kind = "image"\n{text}', "camera.toml")
    assert str(error.value) == f"camera.toml: {REFUSED[text]}"
