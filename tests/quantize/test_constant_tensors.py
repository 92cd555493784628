"""Tensors that have one value throughout calibration are quantized like others, and the summary says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx_models import model, node, original_outputs, random, saved

from mcuq.boards.find import load_board
from mcuq.compile import compile_quantized, quantize_model
from mcuq.graph.simulate import dequantize_outputs, quantize_inputs, simulate
from mcuq.graph.tensor import Array
from mcuq.quantize import METHODS, CalibrationMethod
from mcuq.quantize.calibrators import CALIBRATORS

X = random(40, 1, 4, 5, 5, seed=1)
SAMPLES = {"x": X[:20, 0]}


def sqnr_db(proto: onnx.ModelProto, folder: Path, samples: dict[str, Array], **options: Any) -> tuple[float, Any]:
    """Of the first output over `samples` against ONNX Runtime, and the quantized model; the C is compared as well."""
    found = quantize_model(saved(proto, folder), **options)
    batch = {name: x[:, None] if x.shape[1] != 1 else x for name, x in samples.items()}
    graph = compile_quantized(found, load_board("host"), "net").graph
    got = dequantize_outputs(graph, simulate(graph, quantize_inputs(graph, batch)))
    count = len(next(iter(batch.values())))
    wanted = [original_outputs(proto, {n: x[i] for n, x in batch.items()}) for i in range(count)]
    name = graph.outputs[0]
    want = np.stack([w[name] for w in wanted]).astype(np.float64)
    error = float(((want - got[name]) ** 2).sum())
    return 999.0 if error == 0 else float(10 * np.log10((want**2).sum() / error)), found


def dead_branch() -> onnx.ModelProto:
    """One of two branches never fires; what reads it has biases of a tenth of its weights."""
    nodes = [
        node("Conv", ["x", "w0", "never"], "c0", "dead"),
        node("Relu", ["c0"], "r0", "relu"),
        node("Conv", ["r0", "w1", "b1"], "c1", "behind"),
        node("Conv", ["x", "w2"], "c2", "alive"),
        node("Concat", ["c1", "c2"], "y", "join", axis=1),
    ]
    constants = {
        "w0": random(4, 4, 1, 1, seed=2),
        "never": np.full(4, -100, np.float32),
        "w1": random(4, 4, 1, 1, seed=3),
        "b1": 0.05 * random(4, seed=4),
        "w2": 0.1 * random(4, 4, 1, 1, seed=5),
    }
    return model(nodes, {"x": (1, 4, 5, 5)}, ("y",), constants)


@pytest.mark.parametrize("method", METHODS)
def test_a_branch_that_never_fires(method: str, tmp_path: Path) -> None:
    db, found = sqnr_db(dead_branch(), tmp_path, {"x": X}, calibration=SAMPLES, method=CalibrationMethod(method))
    # Averages of each sample's extremes clip what lies beyond, in the other branch.
    assert db > (25 if CALIBRATORS[method].averages else 35)
    assert found.origin.notes == ("throughout calibration the output of 'dead' is 0: give data that varies if it will",)


def test_without_data_it_is_quantized_too(tmp_path: Path) -> None:
    db, found = sqnr_db(dead_branch(), tmp_path, {"x": X})
    assert db > 20
    assert found.origin.notes == ("on made-up inputs the output of 'dead' is 0: give calibration data if it will vary",)


@pytest.mark.parametrize("value", [0.0, 1.0, -3.7])
@pytest.mark.parametrize("method", METHODS)
def test_an_input_that_does_not_vary(value: float, method: str, tmp_path: Path) -> None:
    proto = model([node("Add", ["x", "mask"], "y", "add")], {"x": (1, 4, 5, 5), "mask": (1, 4, 5, 5)})
    mask = np.full((20, 4, 5, 5), value, np.float32)
    samples = {"x": X[:20], "mask": mask[:, None]}
    calibration = SAMPLES | {"mask": mask}
    db, found = sqnr_db(proto, tmp_path, samples, calibration=calibration, method=CalibrationMethod(method))
    assert db > 35
    assert found.origin.notes == (
        f"throughout calibration input 'mask' is {value:g}: give data that varies if it will",
    )
    assert found.graph.tensors["mask"].decode(found.graph.tensors["mask"].encode(np.float32(value))) == pytest.approx(
        value, rel=1e-6
    )


@pytest.mark.parametrize("scheme", ["int8", "int16", "int4", "dynamic"])
def test_an_output_that_does_not_vary(scheme: str, tmp_path: Path) -> None:
    constants = {"w": np.zeros((4, 4, 1, 1), np.float32), "b": random(4, seed=6)}
    proto = model([node("Conv", ["x", "w", "b"], "y", "flat")], {"x": (1, 4, 5, 5)}, ("y",), constants)
    assert sqnr_db(proto, tmp_path, {"x": X}, calibration=SAMPLES, scheme=scheme)[0] > 35
