"""DFT and STFT against ONNX Runtime and NumPy's transform, and a mel front end of them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
import pytest
from onnx import TensorProto
from onnx_models import check_import, imported, ints, model, node, original_outputs, random, refusal

import mcuq
from mcuq.graph.tensor import Array
from mcuq.onnx_io.writer import write_onnx
from mcuq.onnx_runtime.float_model import FloatModel


def transform(x: Array, axis: int, length: int, inverse: bool, onesided: bool) -> Array:
    """NumPy's, of numbers as ONNX has them."""
    values = x[..., 0] + 1j * x[..., 1] if x.shape[-1] == 2 else x[..., 0]
    if inverse and onesided:
        return np.fft.irfft(values, length, axis)[..., None]
    found = (np.fft.ifft if inverse else np.fft.fft)(values, length, axis)
    if onesided:
        found = found.take(range(length // 2 + 1), axis)
    return np.stack([found.real, found.imag], axis=-1)


def given(proto: onnx.ModelProto, x: Array) -> Array:
    return FloatModel(write_onnx(imported(proto))).run({"x": x})["y"]


LENGTHS: dict[str, Mapping[str, Array]] = {
    "its own": {},
    "shorter": {"length": np.int64(5)},
    "longer": {"length": np.int64(11)},
    "1": {"length": np.int64(1)},
}


@pytest.mark.parametrize("constants", LENGTHS.values(), ids=LENGTHS)
@pytest.mark.parametrize(
    ("parts", "inverse", "onesided"), [(1, 0, 0), (1, 0, 1), (1, 1, 0), (2, 0, 0), (2, 1, 0), (2, 1, 1)]
)
def test_transforms_along_each_axis(parts, inverse, onesided, constants):
    shape = (3, 8, 4, parts)
    x = random(*shape)
    for axis in range(-4, 3):
        if axis == -1:
            continue
        size = shape[axis]
        whole = 2 * (size - 1) if inverse and onesided else size
        length = int(constants.get("length", whole))
        want = transform(x, axis % 4, length, bool(inverse), bool(onesided))
        attributes = {"inverse": inverse, "onesided": onesided}
        old = node("DFT", ["x", *constants], "y", axis=axis, **attributes)
        new = node("DFT", ["x", *(constants or [""]), "axis"], "y", **attributes)
        for nodes, opset, others in (([old], 17, {}), ([new], 20, {"axis": np.int64(axis)})):
            proto = model(nodes, {"x": shape}, constants={**constants, **others}, opset=opset)
            got = given(proto, x)
            assert got.shape == want.shape
            assert np.abs(got - want).max() <= 1e-6 * max(1, np.abs(want).max())


def test_defaults_are_those_of_the_opset():
    """Axis 1 up to opset 19, and the last of the signal's from 20 on; as ONNX Runtime has it."""
    for opset in (17, 20):
        check_import(model([node("DFT", ["x"], "y")], {"x": (2, 4, 8, 1)}, opset=opset))
        check_import(model([node("DFT", ["x"], "y", onesided=1)], {"x": (2, 4, 8, 1)}, opset=opset))


@pytest.mark.parametrize("parts", [1, 2])
@pytest.mark.parametrize(("step", "length", "windowed"), [(3, 8, True), (8, 8, False), (5, 7, True), (1, 20, False)])
def test_short_time_transforms(parts, step, length, windowed):
    x, window = random(2, 20, parts), random(length, low=0.1, seed=1)
    values = x[..., 0] + 1j * x[..., 1] if parts == 2 else x[..., 0]
    frames = np.stack([values[:, i : i + length] for i in range(0, 20 - length + 1, step)], axis=1)
    found = np.fft.fft(frames * (window if windowed else 1))
    constants = {"step": np.int64(step), "window": window, "length": np.int64(length)}
    for onesided in (0, 1)[: 3 - parts]:
        bins = length // 2 + 1 if onesided else length
        want = np.stack([found.real, found.imag], axis=-1)[:, :, :bins]
        for inputs in (["x", "step", "window"], ["x", "step", "window", "length"], ["x", "step", "", "length"]):
            if windowed != ("window" in inputs):
                continue
            nodes = [node("STFT", inputs, "y", onesided=onesided)]
            got = given(model(nodes, {"x": x.shape}, constants=constants), x)
            assert got.shape == want.shape
            assert np.abs(got - want).max() <= 2e-6 * np.abs(want).max()


def test_short_time_transforms_as_onnx_runtime_has_them():
    constants = {"step": np.int64(4), "window": random(8), "length": np.int64(8)}
    for inputs in (["x", "step", "window"], ["x", "step", "", "length"], ["x", "step", "window", "length"]):
        check_import(model([node("STFT", inputs, "y")], {"x": (2, 30, 1)}, constants=constants))


def test_what_is_constant_is_folded():
    nodes = [node("DFT", ["c"], "t"), node("Add", ["x", "t"], "y")]
    graph = check_import(model(nodes, {"x": (1, 4, 2)}, constants={"c": random(1, 4, 1)}))
    assert [type(layer.op).__name__ for layer in graph.layers()] == ["Add"]


def mel(has_logarithm: bool = True) -> onnx.ModelProto:
    """A front end: frames under a window, power, bands, logarithm; with all that exporters leave to be folded."""
    nodes = [
        node("HannWindow", ["size"], "window"),
        node("STFT", ["x", "step", "window", "size"], "spectrum"),
        node("Mul", ["spectrum", "spectrum"], "squares"),
        node("ReduceSum", ["squares", "last"], "power", keepdims=0),
        node("MelWeightMatrix", ["bands", "size", "rate", "low", "high"], "weights"),
        node("MatMul", ["power", "weights"], "energies"),
        node("Add", ["energies", "least"], "floored"),
        node("Log", ["floored"], "y"),
    ]
    constants = {
        "size": np.int64(64),
        "step": np.int64(32),
        "last": ints(-1),
        "bands": np.int64(20),
        "rate": np.int64(8000),
        "low": np.float32(100),
        "high": np.float32(4000),
        "least": np.float32(0.01),
    }
    outputs = ["y" if has_logarithm else "energies"]
    return model(nodes if has_logarithm else nodes[:-2], {"x": (1, 512, 1)}, outputs, constants)


def sound(seed: int) -> Array:
    """Two tones in noise."""
    rng = np.random.default_rng(seed)
    t = np.arange(512) / 8000
    tones = sum(np.sin(2 * np.pi * f * t + rng.uniform(0, 6)) for f in rng.uniform(200, 3500, 2))
    return (0.3 * tones + rng.normal(0, 0.05, 512)).astype(np.float32)[:, None]


def test_a_mel_front_end_keeps_its_meaning():
    graph = check_import(mel())
    assert "IntegerMatMul" not in graph.text()
    assert not [layer for layer in graph.layers() if type(layer.op).__name__ in ("Gather", "Where")]


@pytest.mark.parametrize(
    ("scheme", "has_logarithm", "least_db"), [("float32", True, 90), ("int16", False, 50), ("int8", False, 20)]
)
def test_a_mel_front_end_by_scheme(scheme, has_logarithm, least_db):
    """Powers reach from 0.01 to some hundreds: codes have too few steps for their logarithm."""
    proto = mel(has_logarithm)
    (name,) = (v.name for v in proto.graph.output)
    data = {"x": np.stack([sound(i) for i in range(24)])}
    compiled = mcuq.compile(proto, "host", data, name="mel", scheme=scheme, judged=False)
    some = {"x": data["x"][:4]}
    assert mcuq.run(compiled, some).report.bit_exact
    want = np.stack([original_outputs(proto, {"x": x[None]})[name] for x in some["x"]])
    found = mcuq.simulate(compiled, some).outputs[name].reshape(want.shape)
    assert 10 * np.log10((want**2).mean() / ((found - want) ** 2).mean()) > least_db


ONE = {"one": np.int64(1), "real": np.float32(3), "four": np.int64(4), "none": np.int64(0)}


@pytest.mark.parametrize(
    ("layer", "shape", "text"),
    [
        (
            node("DFT", ["x"], "y", "n"),
            (1, 4, 3),
            "signal of shape [1, 4, 3]; its last dimension must be 1, or 2 for complex numbers",
        ),
        (node("DFT", ["x"], "y", "n", axis=2), (1, 4, 1), "axis=2 is none of the signal's, of shape [1, 4, 1]"),
        (node("DFT", ["x"], "y", "n", axis=-1), (1, 4, 1), "axis=-1 is none of the signal's, of shape [1, 4, 1]"),
        (
            node("DFT", ["x"], "y", "n", onesided=1),
            (1, 4, 2),
            "onesided=1 and inverse=0 of a signal of 2 numbers a point; give it 1",
        ),
        (
            node("DFT", ["x"], "y", "n", onesided=1, inverse=1),
            (1, 4, 1),
            "onesided=1 and inverse=1 of a signal of 1 numbers a point; give it 2",
        ),
        (node("DFT", ["x", "none"], "y", "n"), (1, 4, 1), "has a length of 0; it must be 1 or more"),
        (
            node("DFT", ["x"], "y", "n"),
            (1, 4096, 2),
            "of 4,096 points is too large; supported are matrices of 16,777,216 numbers",
        ),
        (
            node("DFT", ["x", "count"], "y", "n"),
            (1, 4, 1),
            "dft_length must be a constant; export the model with fixed weights and shapes",
        ),
        (node("STFT", ["x", "one"], "y", "n"), (4, 1), "signal of shape [4, 1]; supported is (batch, length, 1 or 2)"),
        (
            node("STFT", ["x", "none"], "y", "n"),
            (1, 4, 1),
            "frame_step=0 and frame_length=4 do not fit a signal of 4 points",
        ),
        (
            node("STFT", ["x", "one", "", "four"], "y", "n"),
            (1, 3, 1),
            "frame_step=1 and frame_length=4 do not fit a signal of 3 points",
        ),
        (
            node("STFT", ["x", "one", "window"], "y", "n"),
            (1, 4, 1),
            "window must be a constant; export the model with fixed weights and shapes",
        ),
        (
            node("STFT", ["x", "one"], "y", "n"),
            (1, 4, 2),
            "onesided=1 of a complex signal is not supported; use onesided=0",
        ),
    ],
)
def test_refusals(layer, shape, text):
    """Lengths and windows that are computed, too."""
    inputs = {"x": shape, "count": (), "window": (4,)}
    proto = model([layer], inputs, constants=ONE, kinds={"count": TensorProto.INT64})
    assert refusal(proto).splitlines()[0] == f"{layer.op_type} 'n': {text}"


def test_a_window_of_another_length_is_refused():
    layer = node("STFT", ["x", "one", "w", "four"], "y", "n")
    proto = model([layer], {"x": (1, 9, 1)}, constants={**ONE, "w": random(3)})
    assert refusal(proto) == "STFT 'n': window of shape [3] does not fit frame_length=4"


def test_bands_that_are_computed_are_refused():
    nodes = [node("MelWeightMatrix", ["n", "four", "four", "real", "real"], "y", "mel")]
    proto = model(nodes, {"n": ()}, constants=ONE, kinds={"n": TensorProto.INT64})
    assert refusal(proto).startswith(
        "net.onnx: operators that are not supported: MelWeightMatrix ('mel'), use constants as its inputs; supported: "
    )
