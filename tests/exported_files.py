"""The files of examples/exporters: compiled, run, and held against what the tools that wrote them compute."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import mcuq
from mcuq.compile import CompiledModel
from mcuq.graph.tensor import Array
from mcuq.report.inspect import inspect_model

EXPORTERS = Path(__file__).resolve().parents[1] / "examples" / "exporters"
FILES = EXPORTERS / "files"
CALIBRATION = 12  # of the samples, as in examples/exporters/common.py


@dataclass(frozen=True)
class Exported:
    """A row of examples/exporters/files.toml: `name` is the file's, with its ending; `against` what computed its
    results; `options` go to compile, and `note` is for readers."""

    name: str
    script: str
    tool: str
    how: str
    against: str
    schemes: tuple[str, ...] = ("int8",)
    options: Mapping[str, Any] | None = None
    note: str = ""

    @property
    def stem(self) -> str:
        """The name without its ending, which is the maker's in the script."""
        return Path(self.name).stem


@cache
def exported() -> tuple[Exported, ...]:
    """All rows, in the table's order."""
    table = tomllib.loads((EXPORTERS / "files.toml").read_text())
    return tuple(Exported(**{**row, "schemes": tuple(row.get("schemes", ("int8",)))}) for row in table["file"])


def recorded(path: Path) -> tuple[dict[str, Array], dict[str, Array]]:
    """Inputs and the tool's outputs, a row a sample."""
    with np.load(path.with_suffix(".npz")) as arrays:
        inputs = {key[3:]: arrays[key] for key in arrays if key.startswith("in:")}
        return inputs, {key[4:]: arrays[key] for key in arrays if key.startswith("out:")}


def kept(file: Exported) -> str:
    """What stays of the file's own quantization."""
    given = inspect_model(FILES / file.name, **(file.options or {})).quantization
    if given is None or not given.is_quantized:
        return "-"
    layers = len(given.weights) + len(given.rounded)
    tensors = len(given.activations) + len(given.calibrated)
    return f"weights {len(given.weights)} of {layers}, scales {len(given.activations)} of {tensors}"


@dataclass(frozen=True)
class Measured:
    """One file in one scheme against its tool.

    `ranges` is whose they are, as in Origin. Of outputs with a scale, `steps` is the largest difference in steps of it
    and `equal` the share of values without any; of outputs of floats, `error` is the largest difference as a part of
    the largest value; `db` is the signal to noise of both, `labels` the share of equal integers. None is what has no
    such output.
    """

    ranges: str
    steps: int | None
    equal: float | None
    db: float | None
    error: float | None
    labels: float | None


def measure(file: Exported, scheme: str, folder: Path = FILES) -> tuple[CompiledModel, Measured]:
    """Compile, and simulate the recorded inputs."""
    inputs, outputs = recorded(folder / file.name)
    model = compiled(folder / file.name, inputs, scheme, file.options)
    simulated = mcuq.simulate(model, inputs)
    steps, noises, errors, labels = [], [], [], []
    assert list(model.graph.outputs) == list(outputs)
    for name, theirs in outputs.items():
        tensor, ours = model.graph.tensors[name], simulated.integers[name]
        theirs = theirs.reshape(ours.shape)
        if tensor.integers is not None:
            labels.append((ours == theirs).reshape(-1))
            continue
        apart = np.abs(simulated.outputs[name].astype(np.float64) - theirs)
        noises.append(10 * np.log10((theirs.astype(np.float64) ** 2).mean() / max((apart**2).mean(), 1e-20)))
        if tensor.quant is None:
            errors.append(apart.max() / np.abs(theirs).max())
        else:
            steps.append(np.abs(ours.astype(np.int64) - tensor.quant.quantize(theirs)).reshape(-1))
    return model, Measured(
        model.origin.ranges,
        max((int(part.max()) for part in steps), default=None),
        float((np.concatenate(steps) == 0).mean()) if steps else None,
        min(map(float, noises), default=None),
        max(map(float, errors), default=None),
        float(np.concatenate(labels).mean()) if labels else None,
    )


def compiled(path: Path, inputs: Mapping[str, Array], scheme: str, options: Mapping[str, Any] | None) -> CompiledModel:
    """With the samples that tools calibrate with, for what has no scales."""
    data = {name: x[:CALIBRATION] for name, x in inputs.items()}
    return mcuq.compile(path, "cortex-m4", data, scheme=scheme, judged=False, **(options or {}))
