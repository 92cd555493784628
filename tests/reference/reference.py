"""The reference networks and their data, which lie outside the repository."""

from __future__ import annotations

import importlib.util
import os
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from mcuq.compile import CompiledModel, compile_model
from mcuq.tensor import Array


def reference_folder() -> Path:
    """MCUQ_REFERENCE, or shared/ beside the checkout; it holds models/ and data/."""
    given = os.environ.get("MCUQ_REFERENCE")
    folder = Path(given) if given else Path(__file__).resolve().parents[3] / "shared"
    assert (folder / "data" / "load.py").is_file(), f"no reference networks in {folder}; set MCUQ_REFERENCE"
    return folder


@dataclass(frozen=True)
class Case:
    """A network with its calibration and test inputs (samples, *shape) and labels."""

    onnx: Path
    x_calibration: Array
    x: Array
    y: Array


@cache
def case(name: str) -> Case:
    """The case that load.py gives, with every array in the model's layout."""
    spec = importlib.util.spec_from_file_location("reference_load", reference_folder() / "data" / "load.py")
    assert spec is not None
    assert spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    sys.modules["reference_load"] = module
    spec.loader.exec_module(module)
    found = module.load(name)
    return Case(found.onnx, found.x_calib, found.x_test, found.y_test)


@cache
def compiled(name: str) -> CompiledModel:
    """The network quantized with its calibration inputs, all options at their defaults."""
    return compile_model(case(name).onnx, "cortex-m4", case(name).x_calibration, name=name)


def roc_auc(scores: Array, labels: Array) -> float:
    """Area under the ROC curve: the share of (positive, negative) pairs in the right order, ties a half."""
    positive, negative = scores[labels == 1], scores[labels == 0]
    above = (positive[:, None] > negative[None, :]).sum() + 0.5 * (positive[:, None] == negative[None, :]).sum()
    return float(above / (len(positive) * len(negative)))


def first_windows(x: Array) -> Array:
    """The first of the 196 windows of each recording."""
    return np.ascontiguousarray(x[::196])
