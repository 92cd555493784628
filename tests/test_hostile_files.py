"""Files that ask for more than they are worth end in one line, soon, and in little memory."""

from __future__ import annotations

import io
import json
import os
import socket
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper
from onnx_models import ints, model, node, random, saved

import mcuq
from mcuq import errors
from mcuq.errors import McuqError

X = {"x": [1, 4]}
BOARDS = "try a board with more, such as "


def constant(*nodes: onnx.NodeProto, **constants: np.ndarray) -> onnx.ModelProto:
    """A model that adds a constant expression, `v`, to its input."""
    return model([*nodes, node("Add", ["x", "v"], "y")], X, constants=constants)


def laughs() -> onnx.ModelProto:
    """24 local functions, each of which calls the next one twice."""
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid("d", 1)]
    functions = [
        helper.make_function(
            "d",
            f"F{i}",
            ["x"],
            ["y"],
            [node(f"F{i + 1}", ["x"], "a", domain="d"), node(f"F{i + 1}", ["a"], "y", domain="d")],
            opsets,
        )
        for i in range(24)
    ]
    functions.append(helper.make_function("d", "F24", ["x"], ["y"], [node("Relu", ["x"], "y")], opsets))
    return model([node("F0", ["x"], "y", domain="d")], X, opset=13, opset_imports=opsets, functions=functions)


def deep() -> onnx.ModelProto:
    """A function that calls one that calls one and so on."""
    opsets = [helper.make_opsetid("", 13), helper.make_opsetid("d", 1)]
    functions = [
        helper.make_function("d", f"F{i}", ["x"], ["y"], [node(f"F{i + 1}", ["x"], "y", domain="d")], opsets)
        for i in range(20_000)
    ]
    functions.append(helper.make_function("d", "F20000", ["x"], ["y"], [node("Relu", ["x"], "y")], opsets))
    return model([node("F0", ["x"], "y", domain="d")], X, opset=13, opset_imports=opsets, functions=functions)


def relu(*shape: int) -> onnx.ModelProto:
    return model([node("Relu", ["x"], "y")], {"x": shape})


def conv(**attributes: Any) -> onnx.ModelProto:
    return model(
        [node("Conv", ["x", "w"], "y", "conv", **attributes)], {"x": [1, 2, 4, 4]}, constants={"w": random(3, 2, 3, 3)}
    )


def pooled(kernel: int, **attributes: Any) -> onnx.ModelProto:
    return model(
        [node("MaxPool", ["x"], "y", "pool", kernel_shape=[kernel, kernel], **attributes)], {"x": [1, 2, 4, 4]}
    )


ALLOCATION = "is constant but cannot be computed: Failed to allocate memory for requested buffer of size"
WINDOW = "supported are numbers up to 32,768 and 67,108,864 values of a padded input"

MODELS: Mapping[str, tuple[Callable[[], onnx.ModelProto], str]] = {
    "a constant of 2^30": (
        lambda: constant(node("ConstantOfShape", ["s"], "w"), node("ReduceSum", ["w"], "v"), s=ints(2**30)),
        f"ConstantOfShape 'w': {ALLOCATION} 4294967296",
    ),
    "a constant expanded to 2^31": (
        lambda: constant(node("Expand", ["c", "s"], "w"), node("ReduceSum", ["w"], "v"), c=random(1), s=ints(2**31)),
        f"Expand 'w': {ALLOCATION} 8589934592",
    ),
    "a constant padded by 4e8": (
        lambda: constant(
            node("Pad", ["c", "p"], "w"), node("ReduceSum", ["w"], "v"), c=random(4), p=ints(0, 400_000_000)
        ),
        f"Pad 'w': {ALLOCATION} 1600000256",
    ),
    "a constant tiled": (
        lambda: constant(node("Tile", ["c", "r"], "w"), node("ReduceSum", ["w"], "v"), c=random(4), r=ints(2**28)),
        f"Tile 'w': {ALLOCATION} 4294967296",
    ),
    "a range": (
        lambda: constant(
            node("Range", ["a", "b", "d"], "w"),
            node("ReduceSum", ["w"], "v"),
            a=np.float32(0),
            b=np.float32(1e9),
            d=np.float32(1),
        ),
        f"Range 'w': {ALLOCATION} 4000000000",
    ),
    "an outer sum": (
        lambda: constant(
            node("Add", ["a", "b"], "w"),
            node("ReduceSum", ["w"], "v"),
            a=np.ones((2**15, 1), "f4"),
            b=np.ones(2**15, "f4"),
        ),
        f"Add 'w': {ALLOCATION} 4294967296",
    ),
    "many constants that are large together": (
        lambda: constant(
            *(node("ConstantOfShape", ["s"], f"w{i}") for i in range(5)),
            node("Sum", [f"w{i}" for i in range(5)], "w"),
            node("ReduceSum", ["w"], "v"),
            s=ints(2**24),
        ),
        "ConstantOfShape 'w4': is constant, and with it the model's computed constants take 335,544,320 bytes; "
        "supported are 268,435,728; store the weights that they are made into",
    ),
    "local functions that double 24 times": (
        laughs,
        "net.onnx: has 16,777,216 nodes, supported are 8,000 at most; give a smaller network",
    ),
    "local functions 20,000 deep": (
        deep,
        "net.onnx: its local functions call each other more than 100 deep; export it again, without them",
    ),
    "a picture resized to 2^28 pixels": (
        lambda: model(
            [node("Resize", ["x", "", "", "s"], "y", mode="nearest")],
            {"x": [1, 1, 4, 4]},
            constants={"s": ints(1, 1, 2**14, 2**14)},
        ),
        "Resize 'y': cannot be computed: Failed to allocate memory for requested buffer of size 1073741824",
    ),
    "a picture of 2^28 pixels resized": (
        lambda: model(
            [node("Resize", ["x", "", "", "s"], "y", mode="nearest")],
            {"x": [1, 1, 2**14, 2**14]},
            constants={"s": ints(1, 1, 4, 4)},
        ),
        "Resize 'y': input of shape [1, 1, 16384, 16384]; supported are 67108864 elements",
    ),
    "an input of 2^31 - 1": (
        lambda: relu(1, 2**31 - 1),
        "model 'net' needs at least 4,294,971,392 bytes of RAM (tensors 4,294,967,296 + stack 4,096), nucleo-f446re "
        "has 131,072; largest tensors: 'x' 1x2147483647 2,147,483,647, 'y' 1x2147483647 2,147,483,647; use a "
        "smaller model",
    ),
    "an image of 46,000 x 15,000": (
        lambda: relu(1, 3, 46_000, 15_000),
        "model 'net' needs at least 2,070,004,096 bytes of RAM (tensors 2,070,000,000 + stack 4,096), nucleo-f446re "
        "has 131,072; largest tensors: 'x' 1x3x46000x15000 2,070,000,000, 'y' 1x3x46000x15000 2,070,000,000; use a "
        "smaller model",
    ),
    "a tensor padded by 4e8": (
        lambda: model([node("Pad", ["x", "p"], "y")], X, constants={"p": ints(0, 0, 0, 400_000_000)}),
        "model 'net' needs at least 400,004,104 bytes of RAM (tensors 400,000,008 + stack 4,096), nucleo-f446re has "
        "131,072; largest tensors: 'y' 1x400000004 400,000,004, 'x' 1x4 4; use a smaller model",
    ),
    "dilations of 2^33 that do not fit": (
        lambda: conv(dilations=[2**33, 1]),
        "Conv 'conv': kernel_shape=[3, 3], strides=[1, 1], dilations=[8589934592, 1], pads=[0, 0, 0, 0] are too "
        f"large; {WINDOW}",
    ),
    "dilations of 2^33 in padding": (
        lambda: conv(dilations=[2**33, 2**33], auto_pad="SAME_UPPER"),
        "Conv 'conv': kernel_shape=[3, 3], strides=[1, 1], dilations=[8589934592, 8589934592], "
        f"pads=[8589934592, 8589934592, 8589934592, 8589934592] are too large; {WINDOW}",
    ),
    "padding of 30,000 on all sides": (
        lambda: conv(pads=[30_000] * 4, strides=[30_000, 30_000]),
        "Conv 'conv': kernel_shape=[3, 3], strides=[30000, 30000], dilations=[1, 1], pads=[30000, 30000, 30000, 30000] "
        f"are too large; {WINDOW}",
    ),
    "strides of 2^40": (
        lambda: pooled(2, strides=[2**40, 2**40]),
        "MaxPool 'pool': kernel_shape=[2, 2], strides=[1099511627776, 1099511627776], dilations=[1, 1], "
        f"pads=[0, 0, 0, 0] are too large; {WINDOW}",
    ),
    "weights beyond the flash": (
        lambda: model(
            [node("MatMul", ["x", "w"], "y", "dense")], {"x": [1, 1024]}, constants={"w": random(1024, 1024)}
        ),
        "model 'net' needs at least 1,048,576 bytes of flash for its weights, nucleo-f446re has 524,288; largest "
        f"tensors: 'dense.weight' 1024x1024 1,048,576; {BOARDS}@",
    ),
}


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, float]]:
    """What opening each of MODELS says, and in how many seconds; in one process, as starting it takes longest."""
    folder = tmp_path_factory.mktemp("hostile")
    for name, (build, _) in MODELS.items():
        own = folder / name
        own.mkdir()
        path = saved(build(), own)
        assert path.stat().st_size < 10_000_000
        (folder / f"{name}.json").write_text(json.dumps(["compile", str(path), {"board": "nucleo-f446re"}]))
    script = Path(__file__).with_name("hostile_files.py")
    run = subprocess.run([sys.executable, script, folder], capture_output=True, text=True, timeout=300, check=True)
    found = json.loads(run.stdout)
    assert found["kilobytes"] < 2 * 2**20
    return found["said"]


@pytest.mark.parametrize("name", MODELS)
def test_a_hostile_model(answers: Mapping[str, tuple[str, float]], name: str) -> None:
    text, seconds = answers[name]
    wanted = MODELS[name][1]
    assert text.startswith(wanted[:-1]) if wanted.endswith("@") else text == wanted
    assert seconds < 60


def test_a_tensor_too_large_for_a_board_without_limits(tmp_path: Path) -> None:
    assert compiled(relu(1, 2**27), tmp_path, board="host") == (
        "model 'net': tensor 'x' of shape [1, 134217728] has 134,217,728 values; supported are 67,108,864"
    )


def test_a_network_that_computes_for_hours(tmp_path: Path) -> None:
    proto = model([node("MatMul", ["x", "w"], "y")], {"x": [2**20, 64]}, constants={"w": random(64, 2**10)})
    assert compiled(proto, tmp_path, board="host") == (
        "model 'net': tensor 'y' of shape [1048576, 1024] has 1,073,741,824 values; supported are 67,108,864"
    )
    proto = model(
        [node("Conv", ["x", "w"], "y", pads=[32] * 4)],
        {"x": [1, 64, 256, 256]},
        constants={"w": np.ones((64, 64, 65, 65), "f4")},
    )
    assert compiled(proto, tmp_path, board="host") == (
        "model 'net': takes 1,134,139,801,600 multiply-accumulates an inference; supported are 68,719,476,736"
    )


def compiled(proto: onnx.ModelProto, folder: Path, **options: Any) -> str:
    with pytest.raises(McuqError) as caught:
        mcuq.compile(saved(proto, folder), **options)
    return str(caught.value)


# Files that are none


@pytest.fixture
def no_files(tmp_path: Path):
    """A named pipe, a socket and a device, with what they are called."""
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(os.path.relpath(tmp_path / "socket"))
        yield {tmp_path / "pipe": "a named pipe", tmp_path / "socket": "a socket", Path("/dev/zero"): "a device"}


def test_models_data_and_artifacts_are_files(tmp_path: Path, no_files: Mapping[Path, str]) -> None:
    good = saved(relu(1, 4), tmp_path)
    mcuq.save(mcuq.compile(good), tmp_path / "out")
    openings: tuple[tuple[Callable[[Path], object], str], ...] = (
        (mcuq.compile, "give an .onnx or .tflite file"),
        (mcuq.inspect, "give an .onnx or .tflite file"),
        (lambda path: mcuq.compile(good, calibration=path), "give an .npz file, or a folder of .npy files or images"),
        (mcuq.load, "give the folder of a compiled model"),
        (lambda path: mcuq.compile(good, board=str(path)), "give the path of a board file"),
    )
    for path, kind in no_files.items():
        for opened, wanted in openings:
            with pytest.raises(McuqError) as caught:
                opened(path)
            assert str(caught.value) == f"{path}: is {kind}; {wanted}"
    (tmp_path / "scheme.toml").symlink_to(tmp_path / "pipe")
    with pytest.raises(errors.QuantizationError) as caught:
        mcuq.compile(good, scheme=str(tmp_path / "scheme.toml"))
    assert str(caught.value) == f"{tmp_path}/scheme.toml: is a named pipe; give a scheme's name or a .toml file"


@pytest.mark.parametrize("name", ["net.c", "net.mcuq"])
def test_a_pipe_among_the_files_of_a_compiled_model(tmp_path: Path, name: str) -> None:
    mcuq.save(mcuq.compile(saved(relu(1, 4), tmp_path)), tmp_path / "out")
    (tmp_path / "out" / name).unlink()
    os.mkfifo(tmp_path / "out" / name)
    with pytest.raises(errors.ArtifactError) as caught:
        mcuq.load(tmp_path / "out")
    assert str(caught.value) == f"{tmp_path}/out/{name}: is a named pipe; give the folder of a compiled model"


def test_external_weights_in_a_pipe(tmp_path: Path) -> None:
    proto = model([node("MatMul", ["x", "w"], "y")], X, constants={"w": random(4, 3)})
    onnx.save_model(proto, tmp_path / "net.onnx", save_as_external_data=True, location="net.data", size_threshold=0)
    (tmp_path / "net.data").unlink()
    os.mkfifo(tmp_path / "net.data")
    with pytest.raises(errors.ModelError) as caught:
        mcuq.compile(tmp_path / "net.onnx")
    assert str(caught.value) == (
        "net.onnx: external weights 'net.data' are missing or unreadable; keep them in the model's folder"
    )


def test_a_file_larger_than_any_model(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    with path.open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(errors.ModelError) as caught:
        mcuq.compile(path)
    assert str(caught.value) == (
        f"{path}: has 1,099,511,627,776 bytes, ONNX files 2,147,483,647 at most; give an .onnx file"
    )


# Data


def header(shape: tuple[int, ...]) -> bytes:
    """A .npy file that claims a shape and holds one sample of 4 floats."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})
    return file.getvalue() + bytes(16)


def refused_data(folder: Path, name: str) -> str:
    with pytest.raises(errors.DataError) as caught:
        mcuq.compile(saved(relu(1, 4), folder), calibration=folder / name)
    return str(caught.value)


def test_data_that_claims_more_samples_than_it_has(tmp_path: Path) -> None:
    claim = header((10**30, 4))
    wanted = (
        "cannot be read (it claims 16,000,000,000,000,000,000,000,000,000,000 bytes of data, its file has {}); it may "
        "be truncated or corrupt, write it again"
    )
    (tmp_path / "x.npy").write_bytes(claim)
    assert refused_data(tmp_path, "x.npy") == f"x.npy: {wanted.format(len(claim))}"
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("x.npy", claim)
    assert refused_data(tmp_path, "x.npz") == f"x.npz: array 'x': {wanted.format(len(claim))}"
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "0.npy").write_bytes(header((1, 4))[:-8])
    assert refused_data(tmp_path, "folder").startswith("folder/0.npy: cannot be read (")


def test_data_that_unpacks_to_gigabytes(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.npz", "w", zipfile.ZIP_DEFLATED) as archive, archive.open("x.npy", "w") as file:
        file.write(header((2**24 + 1, 4))[:-16])
        for _ in range(2**8):
            file.write(bytes(2**20))
        file.write(bytes(16))
    size = zipfile.ZipFile(tmp_path / "x.npz").getinfo("x.npy")
    assert refused_data(tmp_path, "x.npz") == (
        f"x.npz: array 'x': cannot be read (it unpacks to {size.file_size:,} bytes from {size.compress_size:,}); it "
        "may be truncated or corrupt, write it again"
    )


# Compiled models


def tampered(folder: Path, **changes: Any) -> Path:
    """A compiled model of which parts are others: bytes, or a function of the manifest."""
    mcuq.save(mcuq.compile(saved(relu(1, 4), folder)), folder)
    path = folder / "net.mcuq"
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    if change := changes.get("manifest"):
        manifest = json.loads(parts["manifest.json"])
        change(manifest)
        parts["manifest.json"] = json.dumps(manifest).encode()
    parts |= {name: data() if callable(data) else data for name, data in changes.items() if name in parts}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return path


def bomb() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("0.npy", "w") as part:
        for _ in range(2**8 + 1):
            part.write(bytes(2**20))
    return file.getvalue()


def no_outputs(manifest: dict[str, Any]) -> None:
    manifest["graph"]["outputs"] = []


def no_inputs(manifest: dict[str, Any]) -> None:
    manifest["graph"]["inputs"] = []


def text_for_bytes(manifest: dict[str, Any]) -> None:
    manifest["arena_bytes"] = "many"


def larger_output(manifest: dict[str, Any]) -> None:
    manifest["graph"]["tensors"][-1]["shape"] = [1, 2**33]


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"manifest": no_outputs}, "ValueError"),
        ({"manifest": no_inputs}, "ValueError"),
        ({"manifest": text_for_bytes}, "ValueError"),
        ({"manifest": larger_output}, "ModelError"),
        ({"model.onnx": b"garbage"}, "DecodeError"),
        ({"constants.npz": b"garbage"}, "ValueError"),
        ({"constants.npz": bomb}, "ValueError"),
        ({"manifest.json": lambda: bytes(2**28 + 1)}, "ValueError"),
    ],
    ids=["no outputs", "no inputs", "text", "shape", "onnx", "constants", "bomb", "manifest"],
)
def test_a_tampered_artifact(tmp_path: Path, changes: dict[str, Any], kind: str) -> None:
    path = tampered(tmp_path, **changes)
    with pytest.raises(errors.ArtifactError) as caught:
        mcuq.load(path)
    assert str(caught.value) == f"{path}: is damaged ({kind}); compile the model again"


@pytest.mark.parametrize(
    ("other", "wanted"),
    [
        (
            lambda: relu(1, 5),
            "ONNX Runtime cannot run the model: Got invalid dimensions for input: x for the following indices",
        ),
        (
            lambda: model([node("Concat", ["x", "x"], "y", axis=1)], X),
            "output 'y': ONNX Runtime gives samples of shape [1, 8], the compiled model [1, 4]; compile the model "
            "again",
        ),
        (
            lambda: model([node("Relu", ["x"], "z")], X, ["z"]),
            "ONNX Runtime cannot load the model: Graph output (y) does not exist in the graph.",
        ),
    ],
    ids=["input", "output", "name"],
)
def test_an_artifact_with_the_float_model_of_another(tmp_path: Path, other: Any, wanted: str) -> None:
    compiled = mcuq.load(tampered(tmp_path, **{"model.onnx": other().SerializeToString()}))
    with pytest.raises(errors.ModelError) as caught:
        mcuq.simulate(compiled, random(3, 4))
    assert str(caught.value) == wanted
