"""The reference networks and their data, which lie outside the repository; tests and benchmarks read them here."""

from __future__ import annotations

import importlib.util
import os
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType

import numpy as np

from mcuq.graph.tensor import Array


@dataclass(frozen=True)
class Case:
    """A network with its calibration and test inputs (samples, *input shape) and labels."""

    onnx: Path
    x_calibration: Array
    x: Array
    y: Array


def reference_folder() -> Path:
    """MCUQ_REFERENCE, or shared/ beside the checkout; it holds models/ and data/."""
    given = os.environ.get("MCUQ_REFERENCE")
    folder = Path(given) if given else Path(__file__).resolve().parents[2] / "shared"
    if not (folder / "data" / "load.py").is_file():
        raise SystemExit(f"no reference networks in {folder}; set MCUQ_REFERENCE to the folder with models/ and data/")
    return folder


@cache
def case(name: str) -> Case:
    """What the folder's load.py gives for kws, kws_refw, ic, vww, ad, sww, mnist_cnn or mnist_mlp."""
    found = _load_module(reference_folder() / "data" / "load.py").load(name)
    return Case(found.onnx, found.x_calib, found.x_test, found.y_test)


def roc_auc(scores: Array, labels: Array) -> float:
    """Area under the ROC curve: the share of (positive, negative) pairs in the right order, ties a half."""
    positive, negative = scores[labels == 1][:, None], scores[labels == 0][None, :]
    return float(((positive > negative) + 0.5 * (positive == negative)).mean())


def windows_of_recordings(x: Array) -> Array:
    """ad's test windows (recordings, 196, 1, 640): the score of a recording is the mean over its windows."""
    return np.reshape(x, (-1, 196, 1, 640))


def _load_module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("mcuq_reference_load", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Its dataclasses look their module up by name.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
