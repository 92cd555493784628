"""Networks whose inputs and outputs are integers, from the file to the device's bytes: each stage takes them as they
are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto
from onnx_models import model, node, original_outputs, random

import mcuq
from mcuq.artifact import load, save, save_qdq
from mcuq.errors import DataError, ModelError
from mcuq.graph.tensor import Array
from mcuq.onnx_runtime.float_model import FloatModel

CLASSES, SAMPLES = 4, 24


@pytest.fixture(scope="module")
def network() -> onnx.ModelProto:
    """Token ids and a mask give scores and a label; pixels and a real input join them; ids are counted."""
    layers = [
        node("Gather", ["table", "ids"], "tokens"),
        node("Unsqueeze", ["mask", "last"], "keep"),
        node("Where", ["keep", "tokens", "zero"], "kept"),
        node("ReduceMean", ["kept"], "text", axes=[1], keepdims=0),
        node("Cast", ["pixels"], "real", to=TensorProto.FLOAT),
        node("Mul", ["real", "per_255"], "image"),
        node("Flatten", ["image"], "flat"),
        node("Concat", ["text", "flat", "x"], "features", axis=1),
        node("Gemm", ["features", "w", "b"], "scores"),
        node("ArgMax", ["scores"], "label", axis=1, keepdims=0),
        node("TopK", ["scores", "two"], ["best", "order"]),
        node("Equal", ["ids", "seven"], "is_seven"),
        node("Cast", ["mask"], "counted", to=TensorProto.INT64),
        node("CumSum", ["counted", "one"], "positions"),
    ]
    outputs = {
        "label": TensorProto.INT64,
        "scores": TensorProto.FLOAT,
        "order": TensorProto.INT64,
        "is_seven": TensorProto.BOOL,
        "positions": TensorProto.INT64,
    }
    constants = {
        "table": random(50, 6, low=-2, high=2),
        "last": np.array([-1]),
        "zero": np.float32(0),
        "per_255": np.float32(1 / 255),
        "w": random(6 + 4 + 3, CLASSES, seed=1),
        "b": random(CLASSES, seed=2),
        "two": np.array([2]),
        "seven": np.int64(7),
        "one": np.int64(1),
    }
    kinds = {"ids": TensorProto.INT64, "mask": TensorProto.BOOL, "pixels": TensorProto.UINT8}
    shapes = {"ids": (1, 5), "mask": (1, 5), "pixels": (1, 2, 2), "x": (1, 3)}
    return model(layers, shapes, outputs, constants, kinds=kinds)


@pytest.fixture(scope="module")
def data() -> dict[str, Array]:
    rng = np.random.default_rng(0)
    return {
        "ids": rng.integers(0, 50, (SAMPLES, 5)),
        "mask": rng.integers(0, 2, (SAMPLES, 5)).astype(bool),
        "pixels": rng.integers(0, 256, (SAMPLES, 2, 2)).astype(np.uint8),
        "x": rng.normal(size=(SAMPLES, 3)).astype(np.float32),
    }


@pytest.fixture(scope="module")
def compiled(network: onnx.ModelProto, data: dict[str, Array]) -> mcuq.CompiledModel:
    return mcuq.compile(network, "cortex-m0", data, name="net")


def wanted(network: onnx.ModelProto, data: dict[str, Array]) -> dict[str, Array]:
    runs = [original_outputs(network, {n: x[i : i + 1] for n, x in data.items()}) for i in range(SAMPLES)]
    return {name: np.stack([run[name] for run in runs]) for name in runs[0]}


def test_types_are_the_smallest_that_hold_what_is_known(compiled: mcuq.CompiledModel) -> None:
    tensors = compiled.graph.tensors
    held = {name: tensors[name].dtype for name in (*compiled.graph.inputs, *compiled.graph.outputs)}
    assert held == {
        "ids": "int32",  # as Equal may be asked of any
        "mask": "int8",
        "pixels": "int8",
        "x": "int8",
        "label": "int8",
        "scores": "int8",
        "order": "int8",
        "is_seven": "int8",
        "positions": "int8",
    }
    assert (tensors["pixels"].scale, tensors["pixels"].zero_point) == (1.0, -128)
    header = compiled.files["net.h"]
    assert "/* output 'label', shape 1, last dimension fastest, int8_t; integers from 0 to 3 */" in header
    assert "const int32_t *ids" in header


@pytest.mark.parametrize("on", ["host", pytest.param("emulator", marks=pytest.mark.slow)])
def test_c_gives_the_simulators_bytes(compiled: mcuq.CompiledModel, data: dict[str, Array], on: str) -> None:
    assert mcuq.run(compiled, data, on=on).report.bit_exact


@pytest.mark.parametrize(
    "scheme", ["int8", "float32", *(pytest.param(s, marks=pytest.mark.slow) for s in ("int16", "dynamic", "int4"))]
)
def test_outputs_are_those_of_the_file(network: onnx.ModelProto, data: dict[str, Array], scheme: str) -> None:
    compiled = mcuq.compile(network, "host", data, name="net", scheme=scheme, judged=False)
    got, want = mcuq.simulate(compiled, data), wanted(network, data)
    for name in ("is_seven", "positions"):
        assert np.array_equal(got.outputs[name], want[name]), name
    assert got.outputs["label"].dtype == np.int32
    answers = got.outputs["scores"].reshape(SAMPLES, CLASSES)
    assert np.array_equal(got.outputs["label"].ravel(), answers.argmax(axis=1))
    assert np.array_equal(got.outputs["order"].reshape(SAMPLES, 2)[:, 0], answers.argmax(axis=1))
    if scheme != "int4":
        assert (got.outputs["label"] == want["label"]).mean() > 0.9
    assert mcuq.run(compiled, {name: x[:4] for name, x in data.items()}, on="host").report.bit_exact


def test_a_label_is_the_answer_that_accuracy_counts(
    network: onnx.ModelProto, compiled: mcuq.CompiledModel, data: dict[str, Array]
) -> None:
    labels = wanted(network, data)["label"].ravel()
    report = mcuq.simulate(compiled, data, labels).report
    assert report.float_accuracy == 1.0
    assert report.accuracy == report.agreement > 0.9


def test_it_is_saved_and_read_again(compiled: mcuq.CompiledModel, tmp_path: Path) -> None:
    save(compiled, tmp_path)
    again = load(tmp_path)
    assert {n: t.quant for n, t in again.graph.tensors.items()} == {
        n: t.quant for n, t in compiled.graph.tensors.items()
    }
    assert again.files == compiled.files


def test_exported_qdq_takes_integers_as_floats(
    compiled: mcuq.CompiledModel, data: dict[str, Array], tmp_path: Path
) -> None:
    exported = FloatModel(save_qdq(compiled, tmp_path).read_bytes())
    got = mcuq.simulate(compiled, data).outputs
    for i in range(4):
        run = exported.run({name: x[i : i + 1].astype(np.float32) for name, x in data.items()})
        for name in ("label", "is_seven", "positions"):
            assert np.array_equal(run[name], got[name][i].astype(np.float32)), name


def test_inputs_are_fixed_and_outputs_chosen(network: onnx.ModelProto, data: dict[str, Array]) -> None:
    rest = {"ids": data["ids"], "pixels": data["pixels"]}
    fixed = mcuq.compile(
        network, "host", rest, name="net", outputs=["label"], fix_inputs={"mask": 1, "x": 0.5}, judged=False
    )
    assert (fixed.graph.inputs, fixed.graph.outputs) == (("ids", "pixels"), ("label",))
    assert fixed.graph.tensors["ids"].dtype == "int8"  # nothing but an index now
    whole = {**data, "mask": np.ones((SAMPLES, 5), bool), "x": np.full((SAMPLES, 3), 0.5, np.float32)}
    want = wanted(network, whole)["label"]
    assert (mcuq.simulate(fixed, rest).outputs["label"] == want).mean() > 0.9


def test_inputs_are_made_up_where_none_are_given(network: onnx.ModelProto, data: dict[str, Array]) -> None:
    compiled = mcuq.compile(network, "host", name="net")
    assert compiled.origin.ranges == "guessed"
    assert mcuq.run(compiled, data, on="host").report.bit_exact


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("ids", 3.5, "holds 3.5; the model's input 'ids' takes integers from -16777216 to 16777216"),
        ("mask", 2, "holds 2; the model's input 'mask' takes integers from 0 to 1"),
        ("ids", 2**25, "holds 3.35544e+07; the model's input 'ids' takes integers from -16777216 to 16777216"),
    ],
)
def test_data_that_are_no_such_integers(
    network: onnx.ModelProto, data: dict[str, Array], name: str, value: float, text: str
) -> None:
    wrong = {**data, name: np.where(np.arange(5) == 2, value, data[name])}
    with pytest.raises(DataError) as caught:
        mcuq.compile(network, "host", wrong, name="net")
    assert str(caught.value) == f"data: array '{name}', sample 0: {text}"


def test_indices_that_no_table_has(network: onnx.ModelProto, data: dict[str, Array]) -> None:
    with pytest.raises(ModelError) as caught:
        mcuq.compile(network, "host", {**data, "ids": data["ids"] + 30}, name="net")
    assert "indices element out of data bounds" in str(caught.value)


def test_layers_are_diagnosed(network: onnx.ModelProto, data: dict[str, Array]) -> None:
    found = mcuq.diagnose(network, "host", data)
    by_name = {layer.name: layer for layer in found.layers}
    assert by_name["positions"].alone_db == by_name["is_seven"].alone_db == np.inf
    assert by_name["scores"].alone_db > 20
