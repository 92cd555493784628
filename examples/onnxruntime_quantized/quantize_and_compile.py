"""Quantizes the digits network with ONNX Runtime, compiles what it writes, and compares the two on the test images.

    python quantize_and_compile.py [FOLDER]

FOLDER (default: build) gets the quantized ONNX files and the C made of them.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnxruntime
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

import mcuq

DIGITS = Path(__file__).resolve().parent.parent / "digits"
BOARD = "cortex-m4"


class Images(CalibrationDataReader):
    """The calibration images, one by one."""

    def __init__(self) -> None:
        images = np.load(DIGITS / "digits_calibration.npz")["x"]
        self._samples: Iterator[dict[str, np.ndarray]] = iter([{"image": image[np.newaxis]} for image in images])

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self._samples, None)


def quantize(folder: Path, form: QuantFormat) -> Path:
    """int8 with one scale a weight channel: with Q/DQ around float operators, or with operators on integers."""
    prepared, target = folder / "prepared.onnx", folder / f"digits_{form.name.lower()}.onnx"
    quant_pre_process(str(DIGITS / "digits.onnx"), str(prepared), skip_symbolic_shape=True)
    quantize_static(
        str(prepared),
        str(target),
        Images(),
        quant_format=form,
        per_channel=True,
        activation_type=QuantType.QInt8,
        weight_type=QuantType.QInt8,
    )
    return target


def run_in_onnx_runtime(path: Path, x: np.ndarray) -> np.ndarray:
    """Logits (samples, 10) of the file as it is written: optimizations would replace its operators by others."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return np.concatenate([session.run(["logits"], {"image": image[np.newaxis]})[0] for image in x])


def compare(path: Path, folder: Path) -> None:
    """Compile without calibration data, and print how far the two agree."""
    model = mcuq.compile(path, board=BOARD)
    mcuq.save(model, folder / model.name)
    test = np.load(DIGITS / "digits_test.npz")
    theirs = run_in_onnx_runtime(path, test["x"])
    simulated = mcuq.simulate(model, test["x"], test["y"])
    output = model.graph.tensors["logits"]
    steps = np.abs(
        simulated.integers["logits"].reshape(theirs.shape).astype(int) - output.quantization.quantize(theirs)
    )
    print(f"{path.name}: ranges {model.origin.ranges}")
    print(
        f"  accuracy  ONNX Runtime {(theirs.argmax(1) == test['y']).mean():.2%}, mcuq {simulated.report.accuracy:.2%}"
    )
    print(f"  logits    {(steps == 0).mean():.2%} equal, at most {steps.max()} steps of {output.scale:.4g} apart")
    report = mcuq.run(model, test["x"][:20]).report
    print(f"  C         {'every byte is the simulator' if report.bit_exact else 'differs from the simulator'}'s")


def main(folder: Path = Path("build")) -> None:
    logging.disable(logging.WARNING)  # the quantizer recommends its pre-processing, which has run
    folder.mkdir(parents=True, exist_ok=True)
    for form in (QuantFormat.QDQ, QuantFormat.QOperator):
        compare(quantize(folder, form), folder)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
