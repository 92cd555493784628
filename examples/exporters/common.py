"""What the scripts beside this file share: inputs, ONNX Runtime, and how a file and its tool's results are written."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx

FILES = Path(__file__).resolve().parent / "files"
SAMPLES = 16
CALIBRATION = 12  # of the samples, those that tools find ranges with


def samples(*shape: int, beyond: bool = False) -> np.ndarray:
    """float32 (16, *shape), multiples of 1/64 in [-1, 1). With `beyond` the last four reach where the others, by which
    a tool calibrates, do not: two of twice the range, and one all at each end of that."""
    x = np.random.default_rng(0).integers(-64, 64, (SAMPLES, *shape)) / np.float32(64)
    if beyond:
        x[CALIBRATION : SAMPLES - 2] *= 2
        x[-2], x[-1] = -2, 2
    return x.astype(np.float32)


def run_onnx(
    model: onnx.ModelProto, inputs: Mapping[str, np.ndarray], may_saturate: bool = False
) -> dict[str, np.ndarray]:
    """Outputs of the model, sample by sample, in ONNX Runtime as the file is written: its optimizer would replace the
    file's operators by others. Rows of `inputs` are samples; where the model has a batch, it is 1. Sums of uint8 by
    int8 saturate on x86 CPUs without VNNI but where the optimizer makes these weights uint8: `may_saturate` lets it."""
    import onnxruntime

    levels = onnxruntime.GraphOptimizationLevel
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = levels.ORT_ENABLE_EXTENDED if may_saturate else levels.ORT_DISABLE_ALL
    options.add_session_config_entry("session.x64quantprecision", "1")
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    runs = [session.run(names, {name: row[i : i + 1] for name, row in inputs.items()}) for i in range(SAMPLES)]
    return {name: np.concatenate([run[k] for run in runs]) for k, name in enumerate(names)}


def save(name: str, model: onnx.ModelProto | bytes, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> None:
    """Write NAME.onnx, or NAME.tflite where `model` is its bytes, and NAME.npz into the folder that the command line
    names (default: files): `in:INPUT` and `out:OUTPUT`, a row a sample; outputs are what the tool itself computes."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FILES
    folder.mkdir(parents=True, exist_ok=True)
    if isinstance(model, bytes):
        (folder / f"{name}.tflite").write_bytes(model)
    else:
        (folder / f"{name}.onnx").write_bytes(without_notes(model).SerializeToString())
    arrays = {f"in:{key}": np.asarray(value) for key, value in inputs.items()}
    arrays |= {f"out:{key}": np.asarray(value) for key, value in outputs.items()}
    arrays = {key: value.astype(np.float32) if value.dtype == np.float64 else value for key, value in arrays.items()}
    np.savez_compressed(folder / f"{name}.npz", **arrays)
    print(f"{name}: {', '.join(f'{key} {value.dtype}{list(value.shape)}' for key, value in arrays.items())}")


def without_notes(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model without what some exporters write of the machine and the source: documentation and metadata."""
    cleaned = onnx.ModelProto()
    cleaned.CopyFrom(model)
    cleaned.doc_string = ""
    del cleaned.metadata_props[:]
    for graph in (cleaned.graph, *cleaned.functions):
        graph.doc_string = ""
        for item in (graph, *graph.node, *graph.value_info):
            item.doc_string = ""
            del item.metadata_props[:]
    for item in (*cleaned.graph.input, *cleaned.graph.output, *cleaned.graph.initializer):
        item.doc_string = ""
        del item.metadata_props[:]
    return cleaned
