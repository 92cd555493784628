"""Quantized forms of the reference networks, as ONNX Runtime's quantizer writes them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx_models import unoptimized
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process
from reference_cases import case

from mcuq.graph.tensor import Array

CALIBRATION_SAMPLES = 20


@dataclass(frozen=True)
class Static:
    """Settings of quantize_static; both kinds of asymmetry are of zero points that are not the middle."""

    form: str  # "QDQ" or "QOperator"
    per_channel: bool
    activation: str = "int8"
    weight: str = "int8"
    symmetric_activations: bool = False
    symmetric_weights: bool = True

    def __str__(self) -> str:
        kinds = [self.form, f"{self.activation}-{self.weight}", "channel" if self.per_channel else "tensor"]
        kinds += ["symmetric activations"] * self.symmetric_activations
        kinds += ["asymmetric weights"] * (not self.symmetric_weights)
        return " ".join(kinds)


def write_static(name: str, settings: Static, folder: Path) -> Path:
    """The network quantized with the first of its calibration inputs."""
    logging.disable(logging.WARNING)  # it recommends its pre-processing, which has run
    source, prepared, target = case(name).onnx, folder / "prepared.onnx", folder / f"{name}.onnx"
    quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
    quantize_static(
        str(prepared),
        str(target),
        _Samples(source, case(name).x_calibration[:CALIBRATION_SAMPLES]),
        quant_format=QuantFormat[settings.form],
        per_channel=settings.per_channel,
        activation_type=_TYPES[settings.activation],
        weight_type=_TYPES[settings.weight],
        extra_options={
            "ActivationSymmetric": settings.symmetric_activations,
            "WeightSymmetric": settings.symmetric_weights,
        },
    )
    return target


def write_dynamic(name: str, weight: str, folder: Path) -> Path:
    """The network with weights quantized and ranges found at run time."""
    target = folder / f"{name}.onnx"
    quantize_dynamic(str(case(name).onnx), str(target), weight_type=_TYPES[weight])
    return target


def run_as_written(model: onnx.ModelProto, x: Array, outputs: list[str]) -> dict[str, Array]:
    """Values (samples, ...) by name of ONNX Runtime without its optimizer, for a model of one input; where operators
    are on integers, with what of it keeps sums of uint8 by int8 from saturating."""
    extended = onnx.ModelProto()
    extended.CopyFrom(model)
    stated = {value.name for value in extended.graph.output}
    extended.graph.output.extend(onnx.ValueInfoProto(name=name) for name in outputs if name not in stated)
    session = unoptimized(extended, any(node.op_type in _OF_INTEGERS for node in model.graph.node))
    (name,) = [value.name for value in session.get_inputs()]
    runs = [session.run(outputs, {name: sample}) for sample in x]
    return {output: np.stack([run[i] for run in runs]) for i, output in enumerate(outputs)}


_TYPES = {"int8": QuantType.QInt8, "uint8": QuantType.QUInt8}
_OF_INTEGERS = ("QLinearConv", "QLinearMatMul", "QGemm")


class _Samples(CalibrationDataReader):
    def __init__(self, path: Path, x: Array) -> None:
        (value,) = onnx.load(path).graph.input
        shape = [dim.dim_value or 1 for dim in value.type.tensor_type.shape.dim]
        self._samples: Iterator[dict[str, Array]] = iter([{value.name: sample.reshape(shape)} for sample in x])

    def get_next(self) -> dict[str, Array] | None:
        return next(self._samples, None)
